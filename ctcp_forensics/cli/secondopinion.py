"""A crosscheck, from what the user asked for to lines and an exit status.

Knows which of its troubles are the user's to mend.  Does not know what is compared: see crosscheck.
"""

from collections.abc import Iterable

from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.crosscheck import crosscheck
from ctcp_forensics.crosscheck.told import as_json, as_table
from ctcp_forensics.errors import CtcpError
from ctcp_forensics.reading import CTCP_PORT, Options

TELLINGS = {"table": as_table, "json": as_json}
UNEXPLAINED = 1


def second_opinion(
    capture: str, ports: Iterable[int], *, all_tcp: bool, form: str
) -> tuple[Iterable[str], int]:
    """The lines to write, and 0 where every difference has its reason."""
    options = Options(ports=frozenset({CTCP_PORT, *ports}), all_tcp=all_tcp)
    try:
        checked = crosscheck(capture, options)
    except CtcpError as error:
        raise Refused(str(error)) from error
    return TELLINGS[form](checked), UNEXPLAINED if checked.unexplained else 0

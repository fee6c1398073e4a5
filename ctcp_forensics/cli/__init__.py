"""The command line: argv to options, pipeline, rendering and exit status; nothing else.

Knows what every command has in common: how it ends.  Heavy modules are imported where they are needed,
because `--version` and `--help` must answer at once.

Exit status: 0 no flow has the failure, 1 at least one has it, 2 usage or internal error or nothing could be
read, 3 none found but not everything was looked at, 130 interrupted.  A reader who leaves standard output early has
seen enough: the status is what it would have been.
"""

import os
import sys
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, cast

from ctcp_forensics import __version__
from ctcp_forensics.cli.ends import INTERRUPTED, TROUBLE, Done, Refused, end_process, guarded, prepare_process

if TYPE_CHECKING:
    from typer.core import TyperGroup

HELP = {"-h", "--help"}
"""Typer answers these, and nothing else is loaded for them."""
ALL_BUT_DOCSTRINGS = 1
"""`python -O` and not `-OO`: what a claim says is the first line of its docstring."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.  Without `argv` it is the process's own."""
    if argv is not None:
        return _guarded_answer(list(argv))
    prepare_process()
    status = _guarded_answer(sys.argv[1:])
    end_process()
    return status


def _guarded_answer(arguments: list[str]) -> int:
    return guarded(lambda: _answer(arguments), debug="--debug" in arguments)


def _answer(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(f"ctcp-diag {__version__}")
        return 0
    if sys.flags.optimize > ALL_BUT_DOCSTRINGS:
        raise Refused(
            "Python runs with -OO (PYTHONOPTIMIZE=2), which takes the words of claims away; -O does no harm"
        )
    status = None if HELP & set(arguments) else _plain_answer(arguments)
    return _understood_by_typer(arguments) if status is None else status


def _plain_answer(arguments: Sequence[str]) -> int | None:
    """Of what scripts ask day by day; None where Typer has to say what the words mean."""
    if arguments[:1] not in (["analyze"], ["scan"]):
        return None
    from ctcp_forensics.cli.lean import load_records

    load_records()
    return _plain_analysis(arguments) if arguments[0] == "analyze" else _plain_scan(arguments)


def _plain_analysis(words: Sequence[str]) -> int | None:
    from ctcp_forensics.cli.analysis import answer
    from ctcp_forensics.cli.plain import plain_request

    request = plain_request(words)
    return None if request is None else answer(request)


def _plain_scan(words: Sequence[str]) -> int | None:
    from ctcp_forensics.cli.plain_scan import plain_sweep

    asked = plain_sweep(words)
    if asked is None:
        return None
    from ctcp_forensics.cli.sweeping import answer

    wanted, telling = asked
    return answer(wanted, telling, watches=False)


def _understood_by_typer(arguments: Sequence[str]) -> int:
    from typer.main import get_command

    from ctcp_forensics.cli.commands import app

    command = get_command(app)
    _refuse_files(arguments, cast("TyperGroup", command).commands)
    try:
        command.main(args=list(arguments), prog_name="ctcp-diag")
    except Done as done:
        return done.status
    except SystemExit as ended:
        return _status_of(ended)
    return 0


def _refuse_files(arguments: Sequence[str], commands: Container[str]) -> None:
    """Who names a capture at once means `analyze`, which knows what to do with anything else."""
    name = arguments[0] if arguments else ""
    if name not in commands and os.path.isfile(name):  # noqa: PTH113  # `pathlib` is not loaded for `--help`
        from shlex import quote

        raise Refused(f"{name} is a file and no command: `ctcp-diag analyze {quote(name)}` analyzes it")


def _status_of(ended: SystemExit) -> int:
    """Typer ends with 0 after help, 1 where the reader of it has gone, 2 after a usage error, 130 interrupted."""
    if ended.code == INTERRUPTED:
        raise KeyboardInterrupt
    if ended.code in (0, 1, None):
        return 0
    return TROUBLE

"""Stations: what advice calls the places of a path.

Knows both words for them.  Loaded where there are several captures.  Does not know what happened there.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics.advice.step import AT_CLIENT, AT_FIREWALL, TOWARDS_CLIENT, TOWARDS_HEADEND
from ctcp_forensics.vantage import Connection
from ctcp_forensics.vantage.location import AT_THE_CLIENT, FACING_CLIENT, FACING_HEADEND

STATIONS: Final = {
    (AT_THE_CLIENT, AT_THE_CLIENT): AT_CLIENT,
    (FACING_CLIENT, FACING_CLIENT): TOWARDS_CLIENT,
    (FACING_HEADEND, FACING_HEADEND): TOWARDS_HEADEND,
    (FACING_CLIENT, FACING_HEADEND): AT_FIREWALL,
}


def named(connection: Connection) -> tuple[str | None, ...]:
    """Of each place, from the client to the headend.  One that may be anywhere has no name."""
    return tuple(STATIONS.get(station) for station in connection.stations)

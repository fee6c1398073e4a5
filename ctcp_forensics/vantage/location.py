"""Locations: words for where on the way between client and headend something happened.

Knows the places of a path and which side of the firewall each is on.  Does not know what happened there.
"""

from __future__ import annotations

from collections.abc import Sequence

from ctcp_forensics.vantage.order import Place
from ctcp_forensics.vantage.view import ASA, CLIENT, FIREWALL

CLIENT_ASA, WITHIN_ASA, ASA_HEADEND = "client-asa", "asa", "asa-headend"
ALL_THE_WAY = "client-headend"
AT_THE_CLIENT, FACING_CLIENT, FACING_HEADEND, AT_THE_HEADEND = range(4)
"""Stations of the way.  A place on an unknown side of the firewall is at either of the middle ones."""

ANYWHERE = (AT_THE_CLIENT, AT_THE_HEADEND)
"""Of a place whose role contradicts the captures: its order among the others is known and its station is not."""

LINKS = (CLIENT_ASA, WITHIN_ASA, ASA_HEADEND)
"""From each station to the next."""


def stations(places: Sequence[Place]) -> list[tuple[int, int]]:
    """The first and the last station that each place may be at.

    What was called the firewall and lies before the client's own capture, or far from its other side, may be any place
    of the path, and which of the names is wrong nobody knows.  To blame a leg or the firewall would be to guess.
    """
    if any(place.is_contradicted for place in places):
        return [ANYWHERE] * len(places)
    sides = [place.vantage for place in places if place.vantage in FIREWALL]
    seen = 0
    found = []
    for place in places:
        if place.vantage == CLIENT:
            found.append((AT_THE_CLIENT, AT_THE_CLIENT))
        elif len(sides) >= 2:
            seen += 1
            station = FACING_CLIENT if seen == 1 else FACING_HEADEND
            found.append((station, station))
        else:
            found.append(side_of_one(place))
    return found


def side_of_one(place: Place) -> tuple[int, int]:
    """The only capture of the firewall: outside faces the client unless another capture shows the reverse."""
    if place.vantage == ASA:
        return FACING_CLIENT, FACING_HEADEND
    station = FACING_CLIENT if place.vantage == "asa-outside" else FACING_HEADEND
    return station, station


def between(near: tuple[int, int] | None, far: tuple[int, int] | None) -> str:
    """The way from one place to the next; None is the client's end, or the headend's."""
    first = AT_THE_CLIENT if near is None else near[0]
    last = AT_THE_HEADEND if far is None else far[1]
    links = LINKS[first:last]
    if len(links) == len(LINKS):
        return ALL_THE_WAY
    return "-or-".join(links) if links else CLIENT_ASA

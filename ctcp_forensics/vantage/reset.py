"""Resets: who made the RST that ended a connection, as far as its places tell.

Knows which of them show it and what its alleged sender did afterwards.  Does not judge: see claims.
"""

from __future__ import annotations

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.vantage.connection import (
    Author,
    Connection,
    covers,
    has_missed,
    may_have_dropped,
    shows_bare_segments,
)
from ctcp_forensics.vantage.crossing import is_client


def rst_author(connection: Connection, way: int) -> Author | None:
    """Who made the RST that went this way: between the place nearest to its alleged sender that has it and the next."""
    line = connection.line(way)
    having = [number for number in line if rst_row(connection, number, way) != NEVER]
    if not having:
        return None
    first = having[0]
    at = line.index(first)
    if at == 0:
        return Author(where=sender_of_rst(connection, way, first), shown=first, absent=None)
    nearer = line[at - 1]
    if not covers(connection, first, nearer, connection.sightings[first].direction(way).row.rst_ns):
        return None
    if may_have_dropped(connection.sightings[nearer], 1) or has_missed(connection, nearer):
        return None
    if not shows_bare_segments(connection.sightings[nearer].flow):
        return None
    if not knew_of_no_reset(connection, way, first, nearer):
        return None
    return Author(where=connection.word(nearer, first), shown=first, absent=nearer)


def knew_of_no_reset(connection: Connection, way: int, first: int, nearer: int) -> bool:
    """Whether the alleged sender went on after "its" RST, or was sent one itself by a box that resets both ends.

    One absent frame may only have been missed.  An end that has sent an RST sends nothing more (RFC 9293 §3.5.3).
    """
    reset_ns = connection.sightings[first].direction(way).row.rst_ns
    last_ns = connection.sightings[nearer].direction(way).row.last_ns
    went_on = last_ns > connection.time(reset_ns, first, nearer)[1]
    was_sent_one = rst_row(connection, nearer, 1 - way) != NEVER == rst_row(connection, first, 1 - way)
    return went_on or was_sent_one


def rst_row(connection: Connection, number: int, way: int) -> int:
    return connection.sightings[number].direction(way).row.rst_frame


def sender_of_rst(connection: Connection, way: int, number: int) -> str | None:
    """The client, where its own host's capture shows the RST leave.  Elsewhere whoever is beyond may bear its name."""
    return "client" if is_client(way) and connection.stations[number] == (0, 0) else None

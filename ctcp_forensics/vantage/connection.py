"""Connections: one TCP connection as all places of a path show it, and who made what on the way.

Knows positions at every place, and asks each of them for one byte, one ACK, one RST.  Does not judge: see claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ctcp_forensics._kernel.rows import NEVER, PulseRow
from ctcp_forensics.episodes import DUP_THRESH, Episode
from ctcp_forensics.flows import CLIENT_TO_HEADEND, Direction, Flow
from ctcp_forensics.vantage.clock import ANY_OFFSET, TO_CLIENT, TO_HEADEND, Offset
from ctcp_forensics.vantage.crossing import Crossing, Sighting, data_end, is_client
from ctcp_forensics.vantage.location import between
from ctcp_forensics.vantage.pairing import Shifts
from ctcp_forensics.vantage.pulse import shows_a_frame
from ctcp_forensics.vantage.pulse import was_running as pulse_covers
from ctcp_forensics.vantage.view import spis_of


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One connection, its sightings in order from the client to the headend."""

    sightings: tuple[Sighting, ...]
    shifts: tuple[Shifts, ...]
    """Of each sighting against the one before it: position there less position here."""
    offsets: dict[tuple[int, int], Offset]
    """Of two sightings, the nearer to the client first: the clock of the second less that of the first."""
    stations: tuple[tuple[int, int], ...]
    """Where each sighting may be, as `location.stations` has it."""
    names: tuple[str, ...]
    """What each place is called."""
    crossings: tuple[Crossing, ...] = ()

    def position(self, way: int, pos: int, here: int, there: int) -> int | None:
        """A position of sighting number `here` in the numbers of `there`; None where they do not keep step."""
        first, last = min(here, there), max(here, there)
        steps = [shifts[way] for shifts in self.shifts[first:last]]
        known = [step for step in steps if step is not None]
        if len(known) < len(steps):
            return None
        return pos + sum(known) if here <= there else pos - sum(known)

    def time(self, at_ns: int, here: int, there: int) -> tuple[int, int]:
        """A time of one clock by another, at the earliest and at the latest."""
        least, most = self.offset(here, there)
        return at_ns + least, at_ns + most

    def offset(self, here: int, there: int) -> Offset:
        """The clock there less the clock here."""
        if here == there:
            return 0, 0
        least, most = self.offsets.get((min(here, there), max(here, there)), ANY_OFFSET)
        return (least, most) if here < there else (-most, -least)

    def directions(self, way: int) -> list[Direction]:
        """One direction at every place."""
        return [sighting.direction(way) for sighting in self.sightings]

    def line(self, way: int) -> list[int]:
        """Numbers of the sightings, the one nearest to the sender first."""
        numbers = list(range(len(self.sightings)))
        return numbers if is_client(way) else numbers[::-1]

    def word(self, one: int, other: int) -> str:
        """Where on the way two sightings have between them."""
        near, far = sorted((one, other))
        return between(self.stations[near], self.stations[far])

    def location_of(self, crossing: Crossing) -> str:
        """Where on the way a crossing lies."""
        before, behind = (
            None if sighting is None else self.sightings.index(sighting)
            for sighting in (crossing.before, crossing.behind)
        )
        return self.location(crossing.way, before, behind)

    def location(self, way: int, before: int | None, behind: int | None) -> str:
        """Where on the way from one sighting to the next; None is the sender, or the receiver."""
        near, far = (before, behind) if is_client(way) else (behind, before)
        return between(
            None if near is None else self.stations[near], None if far is None else self.stations[far]
        )


REPEATS_BEFORE: Final = 256
"""Bare ACKs that repeat the wanted number before anything was outstanding: keep-alives, for some minutes."""


def way_of(name: str) -> int:
    return TO_HEADEND if name == CLIENT_TO_HEADEND else TO_CLIENT


# --- one question, asked of every place -------------------------------------------------------------


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """What one place shows of a byte that the receiver asked for."""

    number: int
    """Of the sighting."""
    sighting: Sighting
    wanted_pos: int | None
    """In this place's numbers; None where they do not keep step."""
    episode: Episode | None
    """The asking, where it passes here."""
    is_held: bool
    """A segment that carries the byte passed here unharmed."""
    is_beyond: bool
    """Bytes at or behind the wanted one passed here."""
    is_up_to: bool
    """What passed here ends with the byte before it, and something came back: both ways were captured."""
    was_running: bool | None
    """The capture went on while the byte was asked for; None where the clocks do not tell."""
    was_awake: bool
    """It shows some frame, of whatever flow, between two of the askings: it was not blind."""

    @property
    def asks(self) -> int:
        return 0 if self.episode is None else self.episode.asks


def witnesses(connection: Connection, here: int, way: int, episode: Episode) -> list[Witness]:
    """Every place's word on a question that sighting number `here` shows, from the sender on."""
    return [witness(connection, here, number, way, episode) for number in connection.line(way)]


def witness(connection: Connection, here: int, number: int, way: int, asked: Episode) -> Witness:
    sighting = connection.sightings[number]
    direction = sighting.direction(way)
    pos = connection.position(way, asked.row.wanted_pos, here, number)
    index, side = sighting.half(way)
    carriers = [] if pos is None else sighting.view.tracker.segments_with(index, side, pos)
    return Witness(
        number=number,
        sighting=sighting,
        wanted_pos=pos,
        episode=None if pos is None else asking_at(direction, pos),
        is_held=any(not carrier.is_damaged for carrier in carriers),
        is_beyond=pos is not None and data_end(direction) > pos,
        is_up_to=pos is not None
        and data_end(direction) == pos
        and sighting.direction(1 - way).row.frames > 0,
        was_running=was_running(connection, here, number, asked),
        was_awake=was_awake(connection, here, number, asked),
    )


def asking_at(direction: Direction, pos: int) -> Episode | None:
    return next((one for one in reversed(direction.episodes) if one.row.wanted_pos == pos), None)


def was_running(connection: Connection, here: int, there: int, asked: Episode) -> bool | None:
    """Whether the capture there covers the first three askings."""
    began = connection.time(asked.row.first_ns, here, there)
    ended = connection.time(third_ask_ns(connection.sightings[here], asked), here, there)
    pulse = pulse_of(connection, there)
    if pulse_covers(pulse, began[0], ended[1]):
        return True
    return False if pulse.until_ns < began[0] or ended[1] < pulse.since_ns else None


def third_ask_ns(sighting: Sighting, asked: Episode) -> int:
    """When it had been asked for three times; the last time of all where it was asked for less often."""
    asking = asked_ns(sighting, asked, DUP_THRESH)
    return asking[DUP_THRESH - 1] if len(asking) >= DUP_THRESH else asked.row.last_ns


def asked_ns(sighting: Sighting, asked: Episode, limit: int) -> list[int]:
    """When it was asked for, the first `limit` times."""
    row = asked.row
    way = next(way for way in (TO_HEADEND, TO_CLIENT) if asked in sighting.direction(way).episodes)
    index, side = sighting.half(1 - way)
    _, bare = sighting.view.tracker.bare_acks(index, side, row.wanted_pos, REPEATS_BEFORE + limit)
    return [time_ns for frame, time_ns in bare if frame >= row.first_frame]


def was_awake(connection: Connection, here: int, there: int, asked: Episode) -> bool:
    """Whether the capture there shows some frame between two askings that it was running for.

    Else one spell in which it was blind, or over, hides all of them.
    """
    until_ns = pulse_of(connection, there).until_ns
    asking = asked_ns(connection.sightings[here], asked, asked.asks)
    covered = [at_ns for at_ns in asking if connection.time(at_ns, here, there)[1] <= until_ns]
    return bool(covered) and saw_anything(connection, here, there, covered[0], covered[-1])


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who made something, in words, and the places that show it."""

    where: str | None
    """None: beyond the last capture, and nobody knows where."""
    shown: int
    """The last sighting that has it, counted along the way to its author."""
    absent: int | None
    """The next one, which has not; None: there is no capture further on."""
    repeats: int = 0
    """Fewer than a question, which the next one has all the same: a keep-alive repeats the last ACK too."""


def ack_author(connection: Connection, way: int, words: Sequence[Witness]) -> Author | None:
    """Who asked: between the last place that shows the asking and the next one, which does not.

    The asking comes from the receiver's side, so the line of witnesses is followed from the sender on.
    """
    asking = [at for at, word in enumerate(words) if word.asks]
    if not asking:
        return None
    last = asking[-1]
    if last + 1 == len(words):
        return Author(where=None, shown=words[last].number, absent=None)
    behind = words[last + 1]
    if not proves_absence(connection, words[last], behind):
        return None
    repeats = repeats_of(connection, way, words[last], behind)
    if repeats >= DUP_THRESH:
        return Author(where=None, shown=behind.number, absent=None)
    if words[last].asks - repeats < DUP_THRESH:
        return None
    where = connection.word(words[last].number, behind.number)
    return Author(where=where, shown=words[last].number, absent=behind.number, repeats=repeats)


def proves_absence(connection: Connection, asking: Witness, behind: Witness) -> bool:
    """Whether the place behind would have shown the asking, had it passed: it ran, saw the path, and missed nothing."""
    if behind.was_running is not True or not behind.is_up_to:
        return False
    if not shows_bare_segments(behind.sighting.flow):
        return False
    if may_have_dropped(behind.sighting, asks_during(connection, asking, behind)):
        return False
    if has_missed(connection, behind.number):
        return False
    return behind.was_awake and saw_the_path(connection, asking, behind)


def shows_bare_segments(flow: Flow) -> bool:
    """Whether a capture has any segment of a flow without data: a filter by length takes neither ACKs nor RSTs."""
    opens = flow.row.syn_frame != NEVER or flow.row.syn_ack_frame != NEVER
    return opens or any(
        one.row.pure_acks or one.row.rsts or one.row.fin_frame != NEVER for one in flow.directions
    )


def may_have_dropped(sighting: Sighting, frames: int) -> bool:
    """Whether a capture admits so many drops that all of these frames may be among them, or lost nobody knows what."""
    around = sighting.view.surroundings
    return around.is_damaged or around.tears(sighting.flow.row) or around.dropped_frames >= frames


def repeats_of(connection: Connection, way: int, asking: Witness, behind: Witness) -> int:
    """Bare ACKs of the wanted byte that a capture shows since the asking began, without what they ask about."""
    if asking.episode is None or behind.wanted_pos is None:
        return 0
    since_ns = connection.time(asking.episode.row.first_ns, asking.number, behind.number)[0]
    return repeats_since(behind.sighting, way, behind.wanted_pos, since_ns, REPEATS_BEFORE + asking.asks)


def repeats_since(sighting: Sighting, way: int, pos: int, since_ns: int, limit: int = REPEATS_BEFORE) -> int:
    """Bare ACKs of one position of what goes this way that a capture shows from a time on; beyond the limit, all."""
    index, side = sighting.half(1 - way)
    total, bare = sighting.view.tracker.bare_acks(index, side, pos, limit)
    return sum(time_ns >= since_ns for _, time_ns in bare) + total - len(bare)


def asks_during(connection: Connection, asking: Witness, behind: Witness) -> int:
    """How many askings another capture was surely running for: all of them, or the first three."""
    assert asking.episode is not None  # noqa: S101 - whoever asks has an episode
    is_whole = covers(connection, asking.number, behind.number, asking.episode.row.last_ns)
    return asking.asks if is_whole else min(asking.asks, DUP_THRESH)


def saw_the_path(connection: Connection, asking: Witness, behind: Witness) -> bool:
    """Whether a capture still saw this flow while another showed the asking.

    One that only shows others may stand beside the path by then: after a failover, or another route for this flow.
    """
    assert asking.episode is not None  # noqa: S101 - whoever asks has an episode
    return still_saw_it(connection, asking.number, behind.number, asking.episode.row.first_ns)


def still_saw_it(connection: Connection, here: int, there: int, at_ns: int) -> bool:
    """Whether the capture there shows some frame of this flow, either way, surely later than a time of here."""
    return connection.sightings[there].flow.row.last_ns >= connection.time(at_ns, here, there)[1]


def has_missed(connection: Connection, number: int) -> bool:
    """Whether a capture demonstrably lacks what passed it, drops admitted or not: what else it lacks is no evidence."""
    sighting = connection.sightings[number]
    return goes_on_elsewhere(sighting) or any(
        (one.before is sighting and one.not_captured_before)
        or (one.behind is sighting and one.not_captured_behind)
        for one in connection.crossings
    )


def goes_on_elsewhere(sighting: Sighting) -> bool:
    """Whether the same capture shows the same SPI under other ends: a translation behind which the rest may be."""
    flow, users = sighting.flow, sighting.view.users_of_spi
    return any(
        index != flow.index and last_frame > flow.row.first_frame
        for spi in spis_of(flow)
        for last_frame, index in users[spi][:2]  # this flow, and of all others the one that was seen last
    )


def beyond(connection: Connection, way: int, number: int) -> str:
    """The way from a place to the receiver."""
    at = connection.stations[number]
    return between(at, None) if is_client(way) else between(None, at)


def before(connection: Connection, way: int, number: int) -> str:
    """The way from the sender to a place."""
    return beyond(connection, 1 - way, number)


def loss_of(connection: Connection, way: int, words: Sequence[Witness]) -> str | None:
    """Where the wanted byte was lost: behind the last place that has it, before the next or before who asks for it.

    A place that has it damaged has it no more: it was spoilt on the way there.
    """
    known = [word for word in words if word.wanted_pos is not None]
    if not known:
        return None
    holders = [at for at, word in enumerate(known) if word.is_held]
    if not holders:
        return before(connection, way, known[0].number)
    last = holders[-1]
    if last + 1 == len(known):
        return beyond(connection, way, known[last].number)
    return connection.word(known[last].number, known[last + 1].number)


# --- who was there ---------------------------------------------------------------------------------


def was_there(connection: Connection, here: int, there: int) -> bool:
    """Whether the capture there ran from the first to the last frame of this flow here, beyond doubt."""
    row = connection.sightings[here].flow.row
    return covers(connection, here, there, row.first_ns) and covers(connection, here, there, row.last_ns)


def covers(connection: Connection, here: int, there: int, at_ns: int) -> bool:
    """Whether the capture there was running at a time of here, beyond doubt."""
    return pulse_covers(pulse_of(connection, there), *connection.time(at_ns, here, there))


def saw_anything(connection: Connection, here: int, there: int, first_ns: int, last_ns: int) -> bool:
    """Whether the capture there shows any frame, of whatever flow, surely between two times of here.

    A capture that shows none may have been over, or blind for just that while: what it lacks then proves nothing.
    """
    after_ns, before_ns = connection.time(first_ns, here, there)[1], connection.time(last_ns, here, there)[0]
    return shows_a_frame(pulse_of(connection, there), after_ns, before_ns)


def pulse_of(connection: Connection, number: int) -> PulseRow:
    return connection.sightings[number].view.surroundings.pulse

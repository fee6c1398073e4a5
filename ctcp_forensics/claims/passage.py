"""Passage: what came through from one capture of a path to the next, and what did not.

What entered the firewall and never left it, what the next capture never had, what a capture further on had all the
same.  With one capture all of them are unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ctcp_forensics import vantage
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.path import BOTH_SIDES, ONE_CAPTURE, capture_at, place
from ctcp_forensics.claims.words import FAILS, HOLDS, UNKNOWN, count, way
from ctcp_forensics.episodes import DUP_THRESH
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import Direction

NAMED_PLACES: Final = "the places of the captures, by name: --client, --asa-outside, --asa-inside"
CLOSED_TWICE: Final = 2
"""One segment with window 0 may pass; that it came again shows that the window stayed closed."""
NOTHING_KEPT_BACK: Final = "nothing was kept back within the firewall"

# --- the firewall as the place of loss -------------------------------------------------------------


@claim(
    would_refute="a segment behind the last one that came through",
    settled_by=f"{BOTH_SIDES}; {NAMED_PLACES}",
    looks_beyond=True,
)
def it_entered_and_never_left(case: Case) -> Answer:
    """From some moment on what one capture shows does not reach the next, which goes on, and nobody asks for it."""
    if case.connection is None:
        return UNKNOWN, ONE_CAPTURE
    for crossing, before in withheld_within_the_firewall(case.connection):
        cause = another_cause(case.connection, crossing, before)
        if cause is not None:
            return FAILS, cause
        doubt = no_witness(case, case.connection, crossing, before)
        return (UNKNOWN, doubt) if doubt is not None else swallowed(case, case.connection, crossing, before)
    return between_unnamed_places(case, case.connection) or (
        FAILS,
        "whatever was sent came through, or was lost piece by piece",
    )


def another_cause(
    connection: vantage.Connection, crossing: vantage.Crossing, before: vantage.Sighting
) -> str | None:
    """Why nothing comes through though nobody filters it: whoever stands there waits, is full, or has closed."""
    if any(direction.fatal is not None for direction in connection.directions(crossing.way)):
        return "what does not pass is asked for: see the duplicate ACKs"
    receiver = before.direction(1 - crossing.way).row
    if receiver.last_window == 0 and receiver.zero_windows >= CLOSED_TWICE:
        return "what does not pass was refused: the window for it is closed"
    one, two = ends_of(connection, crossing, before)
    if was_bypassed(connection, crossing, before):
        return (
            f"messages that {connection.names[two]} lacks acknowledge what it lacks: both went past it unseen"
        )
    since_ns = connection.time(crossing.withheld_ns[0], one, two)[0]
    resets = [d.row.rst_ns for d in crossing.behind.flow.directions if d.row.rst_frame != NEVER]
    if any(reset_ns < since_ns for reset_ns in resets):
        return f"it had been reset by then: see the RST in {connection.names[two]}"
    return None


def no_witness(
    case: Case, connection: vantage.Connection, crossing: vantage.Crossing, before: vantage.Sighting
) -> str | None:
    """Why the two captures do not tell that nothing came through."""
    one, two = ends_of(connection, crossing, before)
    if vantage.may_have_dropped(crossing.behind, crossing.withheld):
        return f"the capture of {place(case, two)} admits as many drops as it lacks segments, or is damaged"
    if vantage.has_missed(connection, two):
        return f"the capture of {place(case, two)} lacks segments that passed it"
    if lacks_answers(connection, before, crossing.way):
        return f"what is asked for may be missing in the capture of {place(case, one)}"
    if is_acknowledged_all_the_same(connection, crossing, before):
        return (
            f"what {place(case, two)} lacks was acknowledged all the same: it took another way, or a proxy "
            "acknowledges what it keeps"
        )
    return None


def was_bypassed(
    connection: vantage.Connection, crossing: vantage.Crossing, before: vantage.Sighting
) -> bool:
    """Messages of the other end passed beside the capture behind, and acknowledge what did.

    A proxy may make an ACK of its own for what it keeps, and no message of the other end.
    """
    two = connection.sightings.index(crossing.behind)
    comes_back = passed_unseen(connection, two, 1 - crossing.way) is not None
    return comes_back and is_acknowledged_all_the_same(connection, crossing, before)


def is_acknowledged_all_the_same(
    connection: vantage.Connection, crossing: vantage.Crossing, before: vantage.Sighting
) -> bool:
    """Whether the capture before shows an ACK for what the capture behind lacks; also where they keep no step."""
    one, two = ends_of(connection, crossing, before)
    last = vantage.data_end(crossing.behind.direction(crossing.way))
    end = connection.position(crossing.way, last, two, one)
    return end is None or before.direction(crossing.way).row.acked_pos > end + 1


def swallowed(
    case: Case, connection: vantage.Connection, crossing: vantage.Crossing, before: vantage.Sighting
) -> Answer:
    kept_back, shown = withheld_by(case, connection, crossing, before)
    frame = crossing.behind.direction(crossing.way).row.data_last_frame
    there = crossing.behind.view.surroundings.numbering.tell(frame)
    because = f"{kept_back}, which was running; the last that came through is {there} there"
    if not (before.view.is_named and crossing.behind.view.is_named):
        return UNKNOWN, f"{because}; nobody says that these are a firewall's two sides", shown
    return HOLDS, because, shown


def between_unnamed_places(case: Case, connection: vantage.Connection) -> Answer | None:
    """Nothing came through any more, and whether a firewall or a link stands between nobody says."""
    for crossing, before in withheld(connection):
        if connection.location_of(crossing) not in vantage.LINKS:
            kept_back, shown = withheld_by(case, connection, crossing, before)
            return UNKNOWN, f"{kept_back}; what stands between the two nobody says", shown
    return None


def withheld_by(
    case: Case, connection: vantage.Connection, crossing: vantage.Crossing, before: vantage.Sighting
) -> tuple[str, dict[int, tuple[int, ...]]]:
    """How much one capture shows that the next lacks, and the last frame with data in each."""
    one, two = ends_of(connection, crossing, before)
    last = crossing.behind.direction(crossing.way)
    much = f"{count(crossing.withheld, 'segment')} {way(last)} in {place(case, one)} and not in {place(case, two)}"
    return much, {
        one: (before.direction(crossing.way).row.data_last_frame,),
        two: (last.row.data_last_frame,),
    }


def ends_of(
    connection: vantage.Connection, crossing: vantage.Crossing, before: vantage.Sighting
) -> tuple[int, int]:
    """Numbers of the captures before and behind."""
    return connection.sightings.index(before), connection.sightings.index(crossing.behind)


def withheld(connection: vantage.Connection) -> Iterator[tuple[vantage.Crossing, vantage.Sighting]]:
    """Crossings behind which nothing came through any more, with the place before it."""
    for crossing in connection.crossings:
        if crossing.before is not None and crossing.withheld:
            yield crossing, crossing.before


def withheld_within_the_firewall(
    connection: vantage.Connection,
) -> Iterator[tuple[vantage.Crossing, vantage.Sighting]]:
    """Those of the firewall."""
    for crossing, before in withheld(connection):
        if connection.location_of(crossing) == vantage.WITHIN_ASA:
            yield crossing, before


@claim(
    would_refute="no frame of this flow in the capture behind meanwhile",
    settled_by="a capture behind the firewall in which the flow's other end goes on, or an asp-drop capture",
    looks_beyond=True,
)
def the_next_capture_went_on(case: Case) -> Answer:
    """While nothing came through, the capture behind still shows this flow: it was neither over, blind, nor beside."""
    if case.connection is None:
        return UNKNOWN, ONE_CAPTURE
    for crossing, before in withheld_within_the_firewall(case.connection):
        one, two = ends_of(case.connection, crossing, before)
        return went_on_behind(case, case.connection, crossing, one, two)
    return FAILS, NOTHING_KEPT_BACK


def went_on_behind(
    case: Case, connection: vantage.Connection, crossing: vantage.Crossing, one: int, two: int
) -> Answer:
    """Whether what the capture behind lacks would have been in it, had it passed."""
    there = capture_at(case, two)
    if not vantage.saw_anything(connection, one, two, *crossing.withheld_ns):
        return UNKNOWN, f"{there} shows no frame at all meanwhile: it may have been over, or blind"
    if not vantage.still_saw_it(connection, one, two, crossing.withheld_ns[0]):
        return UNKNOWN, f"{there} shows nothing more of this flow meanwhile: it may have gone another way"
    if repeated_out_of_sight(connection, crossing, one, two):
        return UNKNOWN, (
            f"{there} shows an ACK again and again that {place(case, one)} lacks: what it answers may have gone "
            "another way"
        )
    return HOLDS, f"{there} still shows this flow meanwhile"


def repeated_out_of_sight(
    connection: vantage.Connection, crossing: vantage.Crossing, one: int, two: int
) -> bool:
    """Whether the receiver repeats its ACK behind and not before, as where each way passes one of the two captures."""
    end, since_ns = vantage.data_end(crossing.behind.direction(crossing.way)), crossing.withheld_ns[0]
    there_ns = connection.time(since_ns, one, two)[0]
    here = connection.position(crossing.way, end, two, one)
    repeats = vantage.repeats_since(crossing.behind, crossing.way, end, there_ns)
    if here is None or repeats < DUP_THRESH:
        return False
    return vantage.repeats_since(connection.sightings[one], crossing.way, here, since_ns) < DUP_THRESH


@claim(
    would_refute="one interface in both savefiles, or one cable at both",
    settled_by="the capture's interface: show capture, or a savefile that names it",
    looks_beyond=True,
)
def the_two_sides_are_confirmed(case: Case) -> Answer:
    """More than the user's word tells that the two captures are of two sides of a box."""
    if case.connection is None:
        return UNKNOWN, ONE_CAPTURE
    for crossing, before in withheld_within_the_firewall(case.connection):
        ends = sorted(ends_of(case.connection, crossing, before))
        signs = vantage.signs_of_a_box(case.connection, *ends)
        if signs:
            return HOLDS, "; ".join(signs)
        return UNKNOWN, (
            f"only their names tell {place(case, ends[0])} from {place(case, ends[1])}: TTL, addresses, "
            "numbers and options are the same in both, as in two captures of one network"
        )
    return FAILS, NOTHING_KEPT_BACK


def lacks_answers(connection: vantage.Connection, before: vantage.Sighting, way: int) -> bool:
    """Whether a capture lacks something of what comes back, or all of it: what was asked for there, nobody knows."""
    if not before.direction(1 - way).row.frames:
        return True
    return any(
        one.behind is before
        and one.way != way
        and one.before is not None
        and (one.not_captured_behind or one.undecided)
        for one in connection.crossings
    )


# --- what the next capture never had, or had all the same ------------------------------------------


@claim(
    would_refute="what it said last, in the capture nearer to the silent end",
    settled_by=f"{BOTH_SIDES}; {NAMED_PLACES}",
    looks_beyond=True,
)
def what_was_said_last_never_arrived(case: Case) -> Answer:
    """What one end said last is in the capture next to it and not in the next one: nobody had it to answer it."""
    connection, row = case.connection, case.flow.row
    if connection is None or row.tail_direction == NEVER:
        return UNKNOWN, ONE_CAPTURE
    speaker = case.flow.sent_by(row.tail_direction)
    for crossing in connection.crossings:
        if crossing.before is not connection.sightings[case.number] or crossing.way != vantage.way_of(
            speaker.name
        ):
            continue
        gone = crossing.withheld or sum(one.frame >= row.tail_first_frame for one in crossing.lost)
        if gone >= DUP_THRESH and connection.location_of(crossing) in (
            vantage.CLIENT_ASA,
            vantage.ASA_HEADEND,
        ):
            there = place(case, connection.sightings.index(crossing.behind))
            because = f"of the last segments {way(speaker)}, {gone} did not reach {there}"
            return HOLDS, because, [row.tail_first_frame, row.last_frame]
        if gone >= DUP_THRESH and connection.location_of(crossing) not in vantage.LINKS:
            return it_entered_and_never_left.answer(case)
    return FAILS, "what was said last passed the next capture too, or nobody knows"


@claim(
    would_refute="the same frames in this capture",
    settled_by="a second capture of the same path",
    looks_beyond=True,
)
def it_went_on_elsewhere(case: Case) -> Answer:
    """A capture further on its way shows what an end still sent and this one lacks: it passed here, and was missed."""
    connection = case.connection
    if connection is None:
        return UNKNOWN, ONE_CAPTURE
    for direction in case.flow.directions:
        there = passed_unseen(connection, case.number, vantage.way_of(direction.name))
        if there is not None:
            last = connection.sightings[there].direction(vantage.way_of(direction.name)).row.data_last_frame
            because = f"{capture_at(case, there)}, further on, shows what is sent {way(direction)} and not seen here"
            return HOLDS, because, {there: (last,)}
    return FAILS, "no capture further on shows more of either end"


def passed_unseen(connection: vantage.Connection, here: int, going: int) -> int | None:
    """The first place further on the way that shows more of a direction's data than this one."""
    line = connection.line(going)
    end = vantage.data_end(connection.sightings[here].direction(going))
    for there in line[line.index(here) + 1 :]:
        theirs = connection.position(
            going, vantage.data_end(connection.sightings[there].direction(going)), there, here
        )
        if theirs is not None and theirs > end:
            return there
    return None


def link_is_cut(case: Case) -> Answer | None:
    """Nothing at all of one end comes through to the next capture, and nothing comes back."""
    connection = case.connection
    if connection is None:
        return None
    cut = any(
        crossing.withheld and crossing.before is connection.sightings[case.number]
        for crossing in connection.crossings
    )
    said = what_was_said_last_never_arrived.answer(case)
    return said if cut and said[0] == HOLDS else None


def was_only_not_captured(case: Case, direction: Direction) -> bool:
    """Whether all that captures lack of a direction is known to have passed them."""
    if case.connection is None:
        return False
    crossings = [one for one in case.connection.crossings if one.way == vantage.way_of(direction.name)]
    missed = any(one.not_captured_before or one.not_captured_behind for one in crossings)
    return missed and not any(one.lost_count or one.undecided or one.withheld for one in crossings)

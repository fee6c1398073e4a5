"""What is right to say at each vantage point of one run, given what its seed brought about there.

Knows the losses, farewells and forged RSTs of one run, from its logs.  A scenario says what its story
shows; chance may hide it: the only lost segment may be lost behind the place, the farewell may be among
the lost ones, a forger may happen to have its victim's TTL.  What nobody can see there is not expected.

Nor can anybody see that a segment did not come to a place after the last frame of its capture.  A capture that was
stopped, or whose buffer was full, looks like one that went on and was shown nothing more; so where a firewall forgets
the connection, and the capture behind it holds no later frame of anybody, the loss may be anywhere behind the capture
that shows it.  One later frame settles it: the capture was running (`was_running_after`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from .link import TO_CLIENT, TO_HEADEND
from .logs import NS
from .scenarios import ASA, CLIENT, INSIDE, OUTSIDE, TOGETHER, Expectation, Scenario
from .segment import RST, Segment

BEHIND = {
    ("outer", TO_HEADEND): (OUTSIDE, INSIDE, ASA),
    ("outer", TO_CLIENT): (CLIENT,),
    ("asa", TO_HEADEND): (INSIDE, ASA),
    ("asa", TO_CLIENT): (OUTSIDE, ASA, CLIENT),
    ("inner", TO_CLIENT): (INSIDE, OUTSIDE, ASA, CLIENT),
}
"""Where a segment that a link or the firewall lost is missing; elsewhere it is in the capture."""
WAIT_NS = NS  # what is under way so long before a capture ends may come to its place behind its end (D21)
Packets = Sequence[tuple[int, Segment | None]]


def expectation(scenario: Scenario, number: int, connection: int) -> Expectation:
    """What the story shows of a connection of client `number`, counted from 0."""
    if connection:
        return scenario.again[connection - 1].expect
    return scenario.expect if number == 0 or scenario.others_expect is None else scenario.others_expect


def fair(
    expect: Expectation, lost: Sequence[Mapping[str, Any]], packets: Mapping[str, Packets]
) -> Expectation:
    """The same, as far as this run can show it at each place."""
    return {
        place: verdicts
        if place == TOGETHER
        else with_chance_reset(without_unseen_loss(verdicts, lost, place), lost, packets[place], place)
        for place, verdicts in expect.items()
    }


def missing_at(place: str, lost: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in lost if place in BEHIND.get((one["link"], one["direction"]), ())]


def was_running_after(sent_ns: Sequence[int], frames_ns: Sequence[int]) -> bool:
    """Whether the capture with these frames was demonstrably there for one of these segments, had it come."""
    return min(sent_ns, default=max(frames_ns, default=0)) + WAIT_NS <= max(frames_ns, default=0)


def is_farewell(one: Mapping[str, Any]) -> bool:
    return one["message"] is not None and one["message"].get("kind") == "delete"


def without_unseen_loss(
    verdicts: tuple[str, ...], lost: Sequence[Mapping[str, Any]], place: str
) -> tuple[str, ...]:
    """A cTCP end acknowledges what it never got, so a loss behind the capture leaves no trace in it.

    Nor does the loss of a last message behind which nothing comes.
    """
    if verdicts[0] != "loss-tolerated" or [one for one in missing_at(place, lost) if not is_farewell(one)]:
        return verdicts
    return tuple(dict.fromkeys(("orderly-close", "healthy", *verdicts)))


def with_chance_reset(
    verdicts: tuple[str, ...], lost: Sequence[Mapping[str, Any]], packets: Packets, place: str
) -> tuple[str, ...]:
    """An RST whose farewell was lost, or one that is forged with its victim's own TTL, looks like an end's."""
    unannounced = any(is_farewell(one) for one in missing_at(place, lost))
    disguised = verdicts[0] == "reset-by-middlebox" and has_usual_ttl(packets)
    if not unannounced and not disguised:
        return verdicts
    return tuple(dict.fromkeys((*verdicts, "reset-by-endpoint")))


def has_usual_ttl(packets: Packets) -> bool:
    """Whether the first RST has the TTL that its alleged sender's data has."""
    segments = [segment for _, segment in packets if segment is not None]
    reset = next((one for one in segments if one.flags & RST), None)
    return reset is not None and any(
        one.payload and (one.src, one.sport, one.ttl) == (reset.src, reset.sport, reset.ttl)
        for one in segments
    )

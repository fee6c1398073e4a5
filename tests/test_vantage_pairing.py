"""Pairing: flows are one connection by the messages that both captures hold, whatever lies between them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics.vantage.pairing import FEWEST_MESSAGES, Joint, join
from tests.judged import followed_rows, view_of
from tests.vantages import seen_by, stands_of
from tests.wire import ISNS, told

pytestmark = pytest.mark.usefixtures("plain_join")

TWO_CLIENTS = "".join(
    f"""
{who} > S  S 0
S > {who}  S. 0 ack 1
{who} > S  . ack 1
{who} > S  +200  ike 4  opens
S > {who}  +300  ike 4
"""
    for who in "CD"
)
PLACES = ("client", "asa-inside")
CLIENTS = {ISNS["C"]: "C", ISNS["D"]: "D"}


def joint_of(story: str, inside: dict[str, Any] | None = None, **more: Any) -> Joint:
    captured = [
        followed_rows(seen)
        for seen in seen_by(stands_of({PLACES[0]: {}, PLACES[1]: inside or {}}), told(story, **more))
    ]
    return join(*[view_of(number, place) for number, place in enumerate(captured)])


def lines(fates: list[tuple[str, str]]) -> str:
    """One message of each: who sends it to whom, and how far it came."""
    return "\n".join(f"{way}  +100  {fate}" for way, fate in fates)


FATES = st.lists(
    st.tuples(
        st.sampled_from(["C > S", "S > C", "D > S", "S > D"]),
        st.sampled_from(["", "", "", "lost", "unseen client", "unseen asa-inside"]),
    ),
    max_size=40,
)
SHIFTS = st.integers(0, (1 << 32) - 1)
FEW = settings(max_examples=40, deadline=None)


@FEW
@given(
    fates=FATES,
    shift=st.fixed_dictionaries({"C": SHIFTS, "S": SHIFTS, "D": SHIFTS}),
    shows=st.sampled_from([{}, {"C": "N"}, {"C": "N", "D": "M"}, {"C": "M", "D": "N"}]),
)
def test_each_client_is_paired_with_itself_through_any_translation_and_loss(
    fates: list[tuple[str, str]], shift: dict[str, int], shows: dict[str, str]
) -> None:
    """By two IKE messages at least, and never with the other: anchors of the client's numbers tell who it is."""
    joint = joint_of(TWO_CLIENTS + lines(fates), {"shift": shift, "shows": shows})
    found = {
        CLIENTS[pair.here.to_headend.row.anchor]: (pair.there.to_headend.row.anchor - shift[who]) % (1 << 32)
        for pair in joint.pairs
        for who in [CLIENTS[pair.here.to_headend.row.anchor]]
    }
    assert found == {"C": ISNS["C"], "D": ISNS["D"]}
    assert all(pair.shifts == (0, 0) for pair in joint.pairs), "both captures count from the SYN"


@FEW
@given(shift=st.fixed_dictionaries({"C": SHIFTS, "S": SHIFTS}))
def test_the_constant_of_a_randomised_flow_is_learned_in_mid_stream(shift: dict[str, int]) -> None:
    """Both captures began after the SYN, one of them two messages later each way."""
    story = TWO_CLIENTS + "6 times every 100ms:\n  C > S  +100\n  S > C  +100\n"
    joint = joint_of(story, {"shift": shift, "starts": "320ms"})
    (pair,) = [one for one in joint.pairs if one.there.row.syn_frame < 0]
    for here, there, step in zip(pair.here.directions, pair.there.directions, pair.shifts, strict=True):
        assert step is not None
        way = "C" if here is pair.here.to_headend else "S"
        assert (there.row.anchor + step - here.row.anchor) % (1 << 32) == shift[way]


def test_numbers_that_do_not_keep_step_have_no_shift() -> None:
    """A box in between sends the messages of one direction in a numbering of its own making."""
    uneven = "".join(
        f"C > S  {seq}:{seq + 100}  esp {number}\n" for number, seq in enumerate((1000, 2000, 3000), 60)
    )
    story = TWO_CLIENTS + "".join(line + "  upto client\n" for line in uneven.splitlines())
    story += "".join(
        f"C > S  {seq}:{seq + 100}  new  esp {number}  from asa-inside\n"
        for number, seq in enumerate((1100, 2700, 3500), 60)
    )
    pair = next(one for one in joint_of(story).pairs if CLIENTS[one.here.to_headend.row.anchor] == "C")
    assert pair.shifts == (None, 0)


def test_a_few_messages_that_are_alike_by_chance_pair_nothing() -> None:
    """Applications may begin alike; only from the third message on is it no chance."""
    few = "C > S  +100  upto client\n" * (FEWEST_MESSAGES - 1)
    many = "C > S  +100  upto client\n" * FEWEST_MESSAGES
    for story, pairs in ((few, 0), (many, 1)):
        other = story.replace("C >", "D >").replace("upto client", "from asa-inside")
        assert len(joint_of(story + other, carries="tcp").pairs) == pairs


@pytest.mark.parametrize(
    ("what", "because"),
    [
        ("C > S  S 0\nS > C  S. 0 ack 1\nC > S  . ack 1\n", "the same SYN is in both"),
        ("5 times:\n  C > S  . ack 1\n  S > C  . ack 1\n", "the same two ends, once in each"),
    ],
)
def test_flows_without_a_message_are_paired_by_their_opening_or_their_ends(what: str, because: str) -> None:
    (pair,) = joint_of(what).pairs
    assert (pair.because, pair.matches) == (because, 0)


def test_the_same_ends_in_captures_of_different_days_are_no_pair() -> None:
    what = "5 times:\n  C > S  . ack 1\n  S > C  . ack 1\n"
    assert joint_of(what, {"clock": "48h"}).pairs == ()


def test_a_joint_turned_about_twice_is_what_it_was() -> None:
    joint = joint_of(TWO_CLIENTS + "C > S  +100\nS > C  +100\n" * 5, {"shift": {"C": 77}, "clock": "9s"})
    once = joint.turned_about()
    assert once.turned_about() == joint
    assert (once.here, once.there, once.matches) == (joint.there, joint.here, joint.matches)
    assert (joint.is_here_nearer, once.is_here_nearer) == (True, False)

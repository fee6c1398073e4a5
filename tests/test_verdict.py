"""Verdicts: one per flow, each with a story, a sample and a page; and what must not change a judgement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

import pytest

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.stall import STUCK_NS
from ctcp_forensics.evidence import Claim, Outcome
from ctcp_forensics.report import CONFIDENCE_WORDS, VERDICT_WORDS
from ctcp_forensics.verdict import FLAGSHIP, INSUFFICIENT, PROOF, VERDICTS, Confidence, Role, link_of
from ctcp_forensics.verdict.judgement import is_established, is_undecided
from ctcp_forensics.verdict.shown import claims_of
from ctcp_forensics.verdict.table import OF_A_PATH
from ctcp_forensics.verdict.weighing import Weighing
from tests.judged import Judged, judged_rows
from tests.test_stories import stories, wire_of
from tests.verdicts_page import PAGE, page, samples_of, stories_of
from tests.wire import DUP_NS, HOSTS, Captured, Host, Other, Quote, Segment, Wire

each_verdict = pytest.mark.parametrize("slug", [row.slug for row in VERDICTS])

WITHOUT_SAMPLE = {
    "firewall-drop": "a filter that drops without a word shows it in two captures only; the samples are such a pair",
    "answered": "its samples are ordinary TCP, which is not-ctcp first; a cTCP that sends again is not known to exist",
}


# --- three outcomes: Kleene's strong logic ------------------------------------------------------------


def all_of(claims: Iterable[Claim], case: Case) -> Outcome:
    """Fails where any fails; holds where all hold; else unknown.  Of nothing: holds."""
    outcomes = [claim(case).outcome for claim in claims]
    if Outcome.FAILS in outcomes:
        return Outcome.FAILS
    return Outcome.UNKNOWN if Outcome.UNKNOWN in outcomes else Outcome.HOLDS


@pytest.mark.parametrize("name", stories())
def test_every_row_is_weighed_as_kleene_would(name: str) -> None:
    """Though a claim is not asked where one before it has settled the row."""
    for told in judged_rows(wire_of(stories()[name])):
        for row in VERDICTS:
            weighing = Weighing(told.case, [told.case])
            required = all_of(row.requires, told.case)
            outcomes = {claim(told.case).outcome for claim in row.requires}
            refuted = any(
                claim(told.case).outcome == Outcome.HOLDS
                for claim in row.refuted_by
                if claim not in OF_A_PATH
            )
            is_open = required == Outcome.UNKNOWN and Outcome.HOLDS in outcomes
            assert is_undecided(row, weighing) is is_open, row.slug
            holds = required == Outcome.HOLDS and not refuted
            assert is_established(row, weighing, [weighing]) is holds, row.slug


# --- the table ----------------------------------------------------------------------------------------


def test_the_table_and_the_report_use_the_same_words() -> None:
    assert {row.slug for row in VERDICTS} == set(VERDICT_WORDS)
    assert {str(word) for word in Confidence} == set(CONFIDENCE_WORDS)


def test_the_last_row_always_fits() -> None:
    assert VERDICTS[-1].slug == INSUFFICIENT
    assert (VERDICTS[-1].requires, VERDICTS[-1].refuted_by) == ((), ())
    assert all(row.requires for row in VERDICTS[:-1])


@each_verdict
def test_a_verdict_is_said_in_whole_sentences(slug: str) -> None:
    for row in (row for row in VERDICTS if row.slug == slug):
        assert row.means.endswith(".")
        assert not row.title.endswith(".")
        assert not row.looks_like or row.looks_like.endswith(".")
        assert len(claims_of(row)) == sum(
            map(len, (row.requires, row.doubts, row.proven_by, row.refuted_by))
        ), "a claim has two roles"


@each_verdict
def test_a_verdict_has_a_story_that_gives_it(slug: str) -> None:
    assert stories_of(slug)


@each_verdict
def test_a_verdict_has_a_sample_or_says_why_not(slug: str) -> None:
    assert bool(samples_of(slug)) != (slug in WITHOUT_SAMPLE)


def test_the_page_of_verdicts_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.verdicts_page writes it anew"


def test_the_accusation_stands_first_and_each_of_its_claims_has_a_link() -> None:
    assert VERDICTS[0] is FLAGSHIP
    assert all(link_of(claim.name) for claim in PROOF)
    assert link_of("healthy") == ""


# --- every story -----------------------------------------------------------------------------------------


@cache
def judgements(name: str) -> list[Judged]:
    story = stories()[name]
    return judged_rows(wire_of(story), **story.get("capture", {}))


def every_flow() -> list[tuple[str, Judged]]:
    return [(name, flow) for name in stories() for flow in judgements(name)]


def test_one_capture_never_proves() -> None:
    assert [name for name, flow in every_flow() if flow.judgement.confidence == Confidence.PROVEN] == []


def test_evidence_is_shown_once_and_each_has_its_role() -> None:
    for name, flow in every_flow():
        shown = [evidence.claim for evidence in flow.judgement.evidence]
        assert len(shown) == len(set(shown)), name
        carried = [one for one in flow.judgement.evidence if one.claim in ("carries-ctcp", "looks-like-ctcp")]
        assert len({(one.outcome, one.because) for one in carried}) == len(carried), name
        assert all(flow.judgement.role(claim) in Role for claim in shown), name
        assert {claim.name for claim in flow.judgement.verdict.requires} <= set(shown), name


def test_the_accusation_is_weighed_wherever_a_question_was_left() -> None:
    for name, flow in every_flow():
        shown = {evidence.claim for evidence in flow.judgement.evidence}
        assert flow.case.episode is None or {claim.name for claim in PROOF} <= shown, name


def test_what_else_it_could_be_says_why_and_what_settles_it() -> None:
    for name, flow in every_flow():
        for other in flow.judgement.also_possible:
            assert other.verdict is not flow.judgement.verdict, name
            assert other.because, name
            assert other.settled_by, name


def test_only_three_links_that_all_hold_accuse() -> None:
    for name, flow in every_flow():
        if flow.judgement.verdict is FLAGSHIP:
            assert {claim(flow.case).outcome for claim in PROOF} == {Outcome.HOLDS}, name
            assert flow.case.encapsulation.kind in ("cisco-ctcp", "esp-like", "unknown"), name


# --- the differential diagnosis, D1 to D24 of the protocol note ------------------------------------------

DIFFERENTIAL: dict[str, tuple[str, str]] = {
    "D1 unanswered duplicate ACKs": (
        "a lost segment, questions that nobody answers, and a dead flow are the failure of TAC 113578",
        "unanswered-duplicate-acks",
    ),
    "D2 loss, tolerated": ("an ACK that jumps over the hole belongs to no proxy", "loss-tolerated"),
    "D3 D1 mirrored": (
        "the failure mirrored is a lost segment of the headend",
        "unanswered-duplicate-acks",
    ),
    "D4 idle timeout": ("after an hour of silence the first segment is reset", "idle-timeout"),
    "D5 RST by a box": (
        "a RST with another TTL than its alleged sender came from the path",
        "reset-by-middlebox",
    ),
    "D6 orderly close": ("a RST that an IKE informational announced is an orderly close", "orderly-close"),
    "D7 PMTU black hole": (
        "when only large segments vanish the path MTU is a black hole",
        "path-mtu-black-hole",
    ),
    "D8 one direction": ("a capture of one direction is not enough", "insufficient-evidence"),
    "D9 capture drops": (
        "a capture that dropped frames of a sound flow shows loss that nobody minded",
        "loss-tolerated",
    ),
    "D10 NAT rebinding": (
        "the same SPI from another port without a SYN is a rebinding of the translation",
        "nat-rebinding",
    ),
    "D11 DPD is a consequence": (
        "a dead peer detection without an answer shows that nothing came through",
        "unanswered-duplicate-acks",
    ),
    "D12 IKE never completes": (
        "IKE that is repeated and never completes is a failed negotiation",
        "negotiation-failed",
    ),
    "D13 another reason to drop": ("a filter that says so has dropped the flow", "firewall-drop"),
    "D14 no SYN-ACK": ("a SYN that nobody answers is a failed handshake", "handshake-failed"),
    "D15 window stall": ("a window that stays closed stalls the sender", "window-stall"),
    "D18 headers only": (
        "guard i, headers alone lower the confidence and do not forbid the verdict",
        "unanswered-duplicate-acks",
    ),
    "D19 not cTCP": ("NDMP is named as what it is", "not-ctcp"),
    "D20 cut anywhere by a proxy": (
        "a message that TCP cut in two by a proxy still ends in its trailer",
        "healthy",
    ),
    "D21 reordering": (
        "one reordered pair asks once or twice and is answered within the round trip",
        "healthy",
    ),
    "D22 rekey": ("a new SPI starts its own count", "healthy"),
    "D23 beside the wrap": (
        "guard vii, beside the wrap an ACK may freeze by itself",
        "unanswered-duplicate-acks",
    ),
}
"""D16 (a queue limit) shows on the firewall alone, D17 (state bypass) needs two captures, D24 (another box than an
ASA) looks like D1 from one capture, which is why no text says that an ASA did it."""


@pytest.mark.parametrize(("name", "slug"), DIFFERENTIAL.values(), ids=DIFFERENTIAL)
def test_each_row_of_the_differential_diagnosis_has_its_story(name: str, slug: str) -> None:
    assert judgements(name)[0].judgement.verdict.slug == slug


# --- what must not matter ----------------------------------------------------------------------------------


def verdicts(wire: Wire, name: str) -> list[tuple[str, str]]:
    flows = judged_rows(wire, **stories()[name].get("capture", {}))
    return [(flow.judgement.verdict.slug, flow.judgement.confidence) for flow in flows]


def renumbered(captured: list[Captured]) -> Wire:
    return Wire(captured=tuple(replace(one, frame=at) for at, one in enumerate(captured, start=1)), labels={})


def doubled(wire: Wire) -> Wire:
    """A SPAN port that captures every segment twice."""
    copies: list[Captured] = []
    for one in wire.captured:
        copies.append(one)
        if isinstance(one, Segment):
            copies.append(replace(one, time_ns=one.time_ns + DUP_NS))
    return renumbered(copies)


def shifted(wire: Wire) -> Wire:
    """Other initial sequence numbers, the same distances, and no wrap nearer than it was.

    A RST may have numbers of its own, but those are not judged.
    """
    by = 40_000_000

    def moved(one: Captured) -> Captured:
        if not isinstance(one, Segment):
            return one
        ack = (one.ack + by) % (1 << 32) if one.flags & 0x10 else one.ack
        sacks = tuple(((left + by) % (1 << 32), (right + by) % (1 << 32)) for left, right in one.sacks)
        return replace(one, seq=(one.seq + by) % (1 << 32), ack=ack, sacks=sacks)

    return Wire(captured=tuple(moved(one) for one in wire.captured), labels={})


def translated(wire: Wire) -> Wire:
    """Other addresses and the same ports: a NAT in front of the capture."""

    def behind(host: Host) -> Host:
        return replace(
            host, address=host.address.replace("192.0.2.", "100.64.2.").replace("2001:db8", "2001:db9")
        )

    def moved(one: Captured) -> Captured:
        if isinstance(one, Segment | Quote):
            return replace(one, src=behind(one.src), dst=behind(one.dst))
        return one

    return Wire(captured=tuple(moved(one) for one in wire.captured), labels={})


def busier(wire: Wire) -> Wire:
    """Frames of somebody else between all others, none later than the last."""
    mixed = [
        frame for one in wire.captured for frame in (Other(frame=0, time_ns=wire.captured[0].time_ns), one)
    ]
    return renumbered(mixed)


def later(wire: Wire) -> Wire:
    """A capturing clock that is an hour and a nanosecond fast."""
    fast = [replace(one, time_ns=one.time_ns + 3_600_000_000_001) for one in wire.captured]
    return Wire(captured=tuple(fast), labels={})


CHANGES: dict[str, Callable[[Wire], Wire]] = {
    "every segment is captured twice": doubled,
    "the sequence numbers begin elsewhere": shifted,
    "the addresses are translated": translated,
    "others are heard in between": busier,
    "the clock is fast": later,
}

DEPENDS = (
    ("the sequence numbers begin elsewhere", "guard vii, beside the wrap an ACK may freeze by itself"),
    ("the sequence numbers begin elsewhere", "an ACK that freezes at the wrap is doubted"),
    (
        "every segment is captured twice",
        "what is here twice at first and once at last may have been lost between two places",
    ),
)
"""Stories whose point is the very thing that is changed."""


@pytest.mark.parametrize("change", CHANGES)
def test_a_judgement_does_not_depend_on(change: str) -> None:
    differing = [
        name
        for name in stories()
        if verdicts(CHANGES[change](wire_of(stories()[name])), name) != as_told(name)
    ]
    assert sorted(differing) == sorted(name for reason, name in DEPENDS if reason == change)


def as_told(name: str) -> list[tuple[str, str]]:
    return [(flow.judgement.verdict.slug, flow.judgement.confidence) for flow in judgements(name)]


def test_a_capture_that_ends_anywhere_is_judged_and_accuses_only_where_the_stall_is_in_it() -> None:
    """Guards iv and vi: four seconds of new segments, and ten of capture or a close."""
    for name in stories():
        captured = wire_of(stories()[name]).captured
        for end in range(1, len(captured), max(1, len(captured) // 4)):
            for flow in judged_rows(Wire(captured=captured[:end], labels={})):
                episode = flow.case.episode
                accused = flow.judgement.verdict is FLAGSHIP
                assert not accused or (episode is not None and episode.stuck_ns >= STUCK_NS), (name, end)


def test_every_role_of_a_claim_is_used() -> None:
    assert {role for row in VERDICTS for _, role in claims_of(row).values()} == set(Role)


def test_hosts_of_stories_are_documentation_addresses() -> None:
    """RFC 5737 and RFC 3849: nobody's traffic is in a story."""
    prefixes = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")
    assert all(host.address.startswith(prefixes) for host in HOSTS.values())
    assert NEVER not in {host.port for host in HOSTS.values()}

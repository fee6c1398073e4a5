"""Before and after: a change has mended it where losses of the same kind no longer kill, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from ctcp_forensics.compare import Comparison, Outcome, compare
from ctcp_forensics.compare.rate import BY_CROSSINGS, Rate, differ, rates_of
from ctcp_forensics.compare.site import network_of
from ctcp_forensics.render.comparison import as_json, comparison
from ctcp_forensics.render.look import Look
from ctcp_forensics.report import (
    Crossing,
    DirectionFacts,
    Directions,
    Endpoint,
    Firewall,
    Flow,
    Path,
    Place,
    Report,
)
from tests import reports
from tests.stored import of_sample, together

TO_HEADEND, TO_CLIENT = "client-to-headend", "headend-to-client"


def lived(**changes: object) -> Flow:
    """A flow that lost something on its way to the headend, and went on; at another port and address of the network."""
    facts = Directions(client_to_headend=DirectionFacts(messages=990, esp_missing=10, missing_bytes=900))
    usual: dict[str, object] = {
        "verdict": "loss-tolerated",
        "direction": None,
        "ack_author": None,
        "client": Endpoint(address="192.0.2.77", port=60_001),
        "episodes": (),
        "directions": facts,
    }
    return msgspec.structs.replace(reports.DEAD_FLOW, **(usual | changes))


def report_of(*flows: Flow, **changes: object) -> Report:
    named = tuple(
        msgspec.structs.replace(flow, id=f"f{number}") for number, flow in enumerate(flows, start=1)
    )
    base = msgspec.structs.replace(
        reports.report(named, ()), captures=(reports.capture(content_sha256="after", vantage="asa-outside"),)
    )
    return msgspec.structs.replace(base, **changes)


def before() -> Report:
    return reports.dead()


def path(nature: str, steps: tuple[int | None, int | None], *crossings: Crossing) -> Path:
    places = tuple(
        Place(captures=(capture,), vantage=vantage, is_told=True, is_sure=True, because="")
        for capture, vantage in (("c1", "client"), ("c2", "asa-outside"), ("c3", "asa-inside"))
    )
    box = Firewall(
        sent_from=1, towards=2, nature=nature, because="", step_to_headend=steps[0], step_to_client=steps[1]
    )
    return Path(places=places, firewalls=(box,), crossings=crossings)


def crossing(link: int, arrived: int, lost: int, flow: str = "f1") -> Crossing:
    return Crossing(
        flow=flow, direction=TO_HEADEND, sent_from=link, towards=link + 1, location="client-asa",
        arrived=arrived, altered=0, damaged=0, lost=lost, injected=0, not_captured_before=0, not_captured_behind=0,
        undecided=0, withheld=0, beyond=0, loss_rate=None, loss_rate_low=None, loss_rate_high=None,
        pattern=None, depends_on_size=None, smallest_lost_len=None, largest_arrived_len=None,
    )  # fmt: skip


def told(found: Comparison) -> str:
    return "".join(comparison(found, Look()))


# --- the samples ---------------------------------------------------------------------------------

SAMPLES: list[tuple[str, Callable[[], Report], Callable[[], Report], str, str]] = [
    (
        "again",
        together,
        lambda: of_sample("failure-client.pcap"),
        "not-fixed",
        "flow #1 of after died of it again",
    ),
    (
        "no-loss",
        together,
        lambda: of_sample("healthy.pcap"),
        "not-tested",
        "no segment is seen to be lost client-to-headend",
    ),
    (
        "loss-the-other-way",  # seen at the client, that only shows what was lost on its way to it
        together,
        lambda: of_sample("loss-tolerated.pcap"),
        "not-tested",
        "no segment is seen to be lost client-to-headend",
    ),
    (
        "loss-perhaps-behind",  # lost on its way to the client, and nobody knows on which side of the firewall
        lambda: of_sample("failure-reverse-asa-inside.pcapng"),
        lambda: of_sample("loss-tolerated.pcap"),
        "not-tested",
        "no segment is seen to be lost headend-to-client on the way to the firewall",
    ),
    (
        "other-death",
        together,
        lambda: of_sample("link-down-client.pcap"),
        "cannot-be-told",
        "flow #1 of after failed",
    ),
    (
        "seen-from-behind",  # the same failure, at the side where it looks like silence
        together,
        lambda: of_sample("failure-asa-inside.pcap"),
        "cannot-be-told",
        "from behind the loss this failure looks like others",
    ),
    (
        "no-ctcp",
        together,
        lambda: of_sample("answered.pcap"),
        "cannot-be-told",
        "no IPsec over TCP of these clients",
    ),
    (
        "nothing-before",
        lambda: of_sample("healthy.pcap"),
        together,
        "cannot-be-told",
        "nothing was to be mended",
    ),
]


@pytest.mark.parametrize(
    ("_", "first", "second", "outcome", "because"), SAMPLES, ids=[one[0] for one in SAMPLES]
)
def test_samples_are_compared(
    _: str, first: Callable[[], Report], second: Callable[[], Report], outcome: str, because: str
) -> None:
    found = compare(first(), second())
    assert found.outcome == outcome
    assert because in found.because


def test_a_report_beside_itself_is_not_fixed_and_said_to_be_the_same() -> None:
    found = compare(together(), together())
    assert found.outcome == "not-fixed"
    assert found.notes == ("both reports are of the same capture, at least in part",)


# --- which flows ------------------------------------------------------------------------------------


def test_flows_are_matched_by_network_and_not_by_port() -> None:
    found = compare(before(), report_of(lived()))
    assert [(one.site.clients, one.site.headend) for one in found.pairings] == [
        ("192.0.2.0/24", "198.51.100.0/24")
    ]
    assert found.outcome == "fixed"


@pytest.mark.parametrize(
    "changes",
    [
        {"client": Endpoint(address="203.0.113.77", port=50_000)},
        {"headend": Endpoint(address="203.0.113.1", port=10000)},
    ],
)
def test_other_clients_and_other_headends_do_not_compare(changes: dict[str, object]) -> None:
    found = compare(before(), report_of(lived(**changes)))
    assert found.outcome == "cannot-be-told"
    assert found.because == "after shows other clients or another headend: the two reports do not compare"


def test_of_several_sites_the_worst_stands_for_the_whole() -> None:
    second = {"client": Endpoint(address="10.1.1.1", port=5)}
    first = msgspec.structs.replace(
        before(), flows=(reports.DEAD_FLOW, msgspec.structs.replace(reports.DEAD_FLOW, id="g", **second))
    )
    found = compare(first, report_of(lived(), msgspec.structs.replace(reports.DEAD_FLOW, **second)))
    assert [one.outcome for one in found.pairings] == ["not-fixed", "fixed"]
    assert found.outcome == "not-fixed"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("no address", "no address"),
    ],
)
def test_a_network_is_what_addresses_are_handed_out_from(address: str, network: str) -> None:
    assert network_of(address) == network


# --- what proves it ------------------------------------------------------------------------------------


def test_loss_that_was_lived_through_is_the_proof() -> None:
    found = compare(before(), report_of(lived()))
    assert (found.outcome, found.because) == (
        "fixed",
        "segments were lost client-to-headend in flow #1, and data went on",
    )


def test_without_a_loss_nothing_is_proven() -> None:
    found = compare(before(), report_of(lived(verdict="healthy", directions=Directions())))
    assert found.outcome == "not-tested"


def test_a_tunnel_that_was_left_for_another_may_have_failed_out_of_sight() -> None:
    """Seen behind the firewall: it lies silent, nobody closed it, and its client came again."""
    left = msgspec.structs.replace(reports.left().findings[1], flow="f1")
    found = compare(before(), report_of(lived(), findings=(left,)))
    assert (found.outcome, found.because) == (
        "cannot-be-told",
        "flow #1 of after failed otherwise or shows too little; from behind the loss this failure looks like others",
    )


def test_a_loss_the_other_way_proves_nothing() -> None:
    facts = Directions(headend_to_client=DirectionFacts(messages=90, esp_missing=10))
    assert compare(before(), report_of(lived(directions=facts))).outcome == "not-tested"


def test_numbers_that_were_skipped_where_no_byte_is_missing_try_nothing() -> None:
    """They went by UDP, by another link, or were never sent: nobody had to ask for anything, so nothing is mended."""
    facts = Directions(client_to_headend=DirectionFacts(messages=990, esp_missing=10, missing_bytes=0))
    found = compare(before(), report_of(lived(directions=facts)))
    assert found.outcome == "not-tested"


def test_a_loss_that_may_be_the_captures_own_tries_nothing() -> None:
    """A capture with drops, or one that stood still, shows holes that nobody had."""
    assert compare(before(), report_of(lived(confidence="consistent"))).outcome == "not-tested"


@pytest.mark.parametrize(
    ("vantage", "outcome"),
    [
        ("asa-outside", "fixed"),
        ("asa-inside", "fixed"),
        ("asa", "fixed"),
        ("client", "not-tested"),
        ("unknown", "not-tested"),
    ],
)
def test_one_capture_shows_a_trial_where_it_was_taken_at_the_firewall(vantage: str, outcome: str) -> None:
    after = report_of(lived(), captures=(reports.capture(vantage=vantage, content_sha256="x"),))
    assert compare(before(), after).outcome == outcome


@pytest.mark.parametrize(
    ("where", "outcome"),
    [
        ("client-asa", "fixed"),
        ("asa-headend", "not-tested"),
        ("asa", "not-tested"),
        ("client-headend", "not-tested"),
    ],
)
def test_a_loss_behind_the_firewall_does_not_try_it(where: str, outcome: str) -> None:
    one = msgspec.structs.replace(crossing(0, 90, 10), location=where)
    assert compare(DEAD_CASE, of_case(lived(), path("unknown", (0, 0), one))).outcome == outcome


def test_what_came_damaged_was_lost_before_that_place_and_tries_nothing_on_its_own_link() -> None:
    one = msgspec.structs.replace(crossing(0, 90, 0), damaged=10)
    assert compare(DEAD_CASE, of_case(lived(), path("unknown", (0, 0), one))).outcome == "not-tested"


def test_where_another_box_asked_only_a_loss_at_the_same_place_tries_it() -> None:
    other_box = msgspec.structs.replace(
        reports.DEAD_FLOW, ack_author="asa-headend", loss_location="asa-headend"
    )
    first = of_case(other_box, path("unknown", (0, 0), crossing(0, 96, 0)))

    def outcome(where: str) -> str:
        lost = msgspec.structs.replace(crossing(1, 90, 10), location=where)
        return compare(first, of_case(lived(), path("unknown", (0, 0), lost))).outcome

    assert outcome("client-asa") == "not-tested"
    assert outcome("asa-headend") == "fixed"
    assert compare(first, report_of(lived())).outcome == "not-tested"
    passes = of_case(lived(), path("passes-as-it-comes", (0, 0), crossing(0, 90, 10)))
    assert compare(first, passes).outcome == "not-tested"


def test_the_failure_at_other_sites_is_told() -> None:
    stranger = msgspec.structs.replace(reports.DEAD_FLOW, client=Endpoint(address="10.9.9.9", port=1))
    found = compare(before(), report_of(lived(), stranger))
    assert found.outcome == "fixed"
    assert "after shows the failure at other clients or headends, in flows: 1" in found.notes


def test_a_question_left_open_keeps_it_open() -> None:
    assert compare(before(), report_of(lived(episodes=(reports.EPISODE,)))).outcome == "cannot-be-told"


def test_one_death_among_many_that_lived_is_a_death() -> None:
    found = compare(before(), report_of(lived(), lived(), reports.DEAD_FLOW))
    assert (found.outcome, found.because) == ("not-fixed", "flow #3 of after died of it again")


@pytest.mark.parametrize(
    "verdict", ["peer-vanished", "insufficient-evidence", "firewall-drop", "window-stall"]
)
def test_another_death_may_be_the_same_from_behind(verdict: str) -> None:
    assert compare(before(), report_of(lived(), lived(verdict=verdict))).outcome == "cannot-be-told"


def test_what_was_not_read_may_hold_a_failure() -> None:
    partial = msgspec.structs.replace(reports.WHOLE, complete=0, partial=1)
    assert compare(before(), report_of(lived(), coverage=partial)).outcome == "cannot-be-told"


def test_ordinary_tcp_on_the_same_port_is_not_the_vpn() -> None:
    ordinary = msgspec.structs.replace(reports.DEAD_FLOW.encapsulation, kind="none", grade="none")
    found = compare(before(), report_of(lived(verdict="not-ctcp", encapsulation=ordinary)))
    assert found.outcome == "cannot-be-told"
    assert found.because.startswith("no IPsec over TCP of these clients in after")


def test_moving_to_udp_leaves_no_flow_and_the_reports_cannot_say_more() -> None:
    found = compare(before(), reports.empty())
    assert found.outcome == "cannot-be-told"
    assert "udp.port in {500, 4500, 10000}" in found.because


# --- signs ------------------------------------------------------------------------------------------


def of_case(flow: Flow, one: Path) -> Report:
    return report_of(flow, paths=(one,))


DEAD_CASE = of_case(
    msgspec.structs.replace(reports.DEAD_FLOW, ack_author="asa"),
    path("full-proxy", (1722534897, 5), crossing(0, 96, 4), crossing(1, 60, 0)),
)


def test_bypass_shows_as_sequence_numbers_left_alone_and_a_firewall_that_does_not_wait() -> None:
    after = of_case(
        lived(), path("passes-as-it-comes", (0, 0), crossing(0, 9_600, 400), crossing(1, 9_600, 0))
    )
    found = compare(DEAD_CASE, after)
    assert found.outcome == "fixed"
    assert found.because == "the firewall passed on what came behind a lost segment: it no longer waits"
    assert found.pairings[0].signs == (
        "the firewall no longer changes sequence numbers, as with tcp-state-bypass",
        "it waited for what was missing before, and passes segments as they come now",
        "nobody makes duplicate ACKs any more; before: asa",
        "loss client-to-headend: 4 of 100 (1.57 % to 9.84 %) before, 400 of 10000 (3.63 % to 4.40 %) after; the 95 % "
        "intervals overlap, so no difference is shown",
    )


def test_bypass_without_a_loss_is_a_sign_and_no_proof() -> None:
    quiet = lived(verdict="healthy", directions=Directions())
    found = compare(
        DEAD_CASE, of_case(quiet, path("unknown", (0, 0), crossing(0, 100, 0), crossing(1, 100, 0)))
    )
    assert found.outcome == "not-tested"
    assert (
        "the firewall no longer changes sequence numbers, as with tcp-state-bypass" in found.pairings[0].signs
    )


def test_numbers_that_are_still_shifted_say_that_bypass_is_not_in_effect() -> None:
    found = compare(DEAD_CASE, of_case(lived(), path("unknown", (7, 9), crossing(0, 90, 10))))
    assert (
        "the firewall still changes sequence numbers: tcp-state-bypass is not in effect for these flows"
        in found.pairings[0].signs
    )


@pytest.mark.parametrize(
    ("one", "other", "different"),
    [
        ((1, 100), (2, 100), False),
        ((1, 1000), (100, 1000), True),
        ((0, 10), (5, 10), False),
        ((0, 100), (20, 100), True),
    ],
)
def test_rates_differ_where_their_intervals_have_nothing_in_common(
    one: tuple[int, int], other: tuple[int, int], *, different: bool
) -> None:
    first, second = (
        Rate(direction=TO_CLIENT, lost=n, sent=m, counted_by=BY_CROSSINGS) for n, m in (one, other)
    )
    assert differ(first, second) is different
    assert differ(second, first) is different


def test_what_was_lost_on_any_link_counts_once_against_what_set_out() -> None:
    (rate,) = compare(DEAD_CASE, DEAD_CASE).pairings[0].before.rates
    assert (rate.lost, rate.sent) == (4, 100)


def test_a_rate_by_esp_numbers_says_that_it_ends_at_the_capture_point() -> None:
    """What is lost behind it skips no ESP number there: `0 of 100` beside a proven loss is no contradiction."""
    facts = Directions(client_to_headend=DirectionFacts(messages=100, esp_missing=0))
    one = report_of(msgspec.structs.replace(reports.DEAD_FLOW, directions=facts))
    assert compare(one, one).pairings[0].signs == (
        "loss client-to-headend up to the capture point: 0 of 100 (0.00 % to 3.70 %) before, 0 of 100 (0.00 % to "
        "3.70 %) after; the 95 % intervals overlap, so no difference is shown",
    )


@pytest.mark.parametrize(
    ("missing_bytes", "lost"),
    [
        (0, 0),  # skipped by its sender: another transport, another link, a counter that jumped
        (27, 0),  # no message is so short
        (28, 1),
        (280, 10),
        (900, 10),
    ],
)
def test_no_more_numbers_are_lost_than_messages_fit_into_the_missing_bytes(
    missing_bytes: int, lost: int
) -> None:
    facts = DirectionFacts(messages=990, esp_missing=10, missing_bytes=missing_bytes)
    flow = msgspec.structs.replace(reports.DEAD_FLOW, directions=Directions(client_to_headend=facts))
    (rate,) = rates_of(reports.report((flow,), ()), [flow])
    assert (rate.lost, rate.sent) == (lost, 990 + lost)


# --- any two reports ------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(reports.joined(), reports.joined())
def test_any_two_reports_are_compared_in_lines_that_command_no_terminal(one: Report, other: Report) -> None:
    found = compare(one, msgspec.structs.replace(other, redacted_with=one.redacted_with))
    assert all(line.isprintable() for line in told(found).split("\n"))
    assert json.loads("".join(as_json(found)))["outcome"] in list(Outcome)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(reports.joined())
def test_a_failure_that_is_there_again_is_never_called_fixed(report: Report) -> None:
    again = msgspec.structs.replace(
        report, flows=(*report.flows, reports.DEAD_FLOW), redacted_with=before().redacted_with
    )
    assert compare(before(), again).outcome == Outcome.NOT_FIXED


def test_a_comparison_reads_like_this() -> None:
    found = compare(before(), report_of(lived()))
    assert told(found).splitlines() == [
        "fixed: segments were lost client-to-headend in flow #1, and data went on",
        "note       by their clocks, the captures of after began before those of before had ended",
        "",
        "192.0.2.0/24 to 198.51.100.0/24: fixed",
        "    before     1 flow: 1 unanswered-duplicate-acks",
        "    after      1 flow: 1 loss-tolerated",
    ]

"""The configuration pack: lines for exactly these hosts, each of which can be taken back, and nothing of a report but
addresses and ports in any of them.

The packs are in tests/golden/packs; `python -m tests.test_configuration` writes them anew, to be reviewed like code.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctcp_forensics.advice import OFFERS
from ctcp_forensics.configuration import ConfigurationError, Names, Syntax, Wish, configure
from ctcp_forensics.configuration.block import Block
from ctcp_forensics.configuration.capturing import LARGEST_BUFFER, MIB
from ctcp_forensics.configuration.change import Change
from ctcp_forensics.render.configuration import as_json, configuration
from ctcp_forensics.report import Directions, Endpoint, Finding, Flow, Recommendation, Report
from tests import reports
from tests.stored import of_sample, together

GOLDEN = Path(__file__).parent / "golden" / "packs"
FIXES = sorted({offer.step.fix for offers in OFFERS.values() for offer in offers})
OF_THE_FAILURE = [
    "ipsec-over-udp",
    "native-esp",
    "anyconnect",
    "tcp-state-bypass",
    "repair-loss",
    "exclude-from-inspection",
]


def dead_between(*pairs: tuple[str, str], port: int = 10000) -> Report:
    """One flow that died between each of these pairs of hosts."""
    flows, findings = [], []
    for number, (client, headend) in enumerate(pairs):
        ends = {
            "client": Endpoint(address=client, port=50_000 + number),
            "headend": Endpoint(address=headend, port=port),
        }
        seen = msgspec.structs.replace(reports.DEAD_FLOW.seen[0], **ends)
        flows.append(msgspec.structs.replace(reports.DEAD_FLOW, id=f"f{number}", seen=(seen,), **ends))
        findings.append(msgspec.structs.replace(reports.DEAD_FINDING, id=f"i{number}", flow=f"f{number}"))
    return reports.report(tuple(flows), tuple(findings))


SAID: dict[str, Callable[[], str]] = {
    "choices.txt": lambda: told(together()),
    "state-bypass.txt": lambda: told(together(), fixes=("state-bypass",)),
    "state-bypass-pre-8.4.txt": lambda: told(together(), fixes=("state-bypass",), syntax=Syntax.PRE_8_4),
    "state-bypass-ftd.txt": lambda: told(together(), fixes=("state-bypass",), syntax=Syntax.FTD),
    "udp-and-esp-three-clients.txt": lambda: told(three_clients(), fixes=("udp", "native-esp")),
    "udp-ftd.txt": lambda: told(together(), fixes=("udp",), syntax=Syntax.FTD),
    "others.txt": lambda: told(together(), fixes=("anyconnect", "repair-loss", "exclude-from-inspection")),
    "capture.txt": lambda: told(of_sample("failure-client.pcap"), captures=True),
    "capture-proven.txt": lambda: told(together(), captures=True),
    "capture-three-clients.txt": lambda: told(three_clients(), captures=True),
    "capture-translated.txt": lambda: told(translated(), captures=True),
    "idle-timeout.txt": lambda: told(of_sample("idle-timeout-client.pcap"), fixes=("longer-idle-timeout",)),
}


def told(report: Report, **wish: object) -> str:
    return "".join(configuration(configure(report, Wish(**wish)), report.tool))  # type: ignore[arg-type]


def three_clients() -> Report:
    """Two of one headend, one of them twice, and one of another."""
    return dead_between(
        ("192.0.2.10", "198.51.100.1"),
        ("192.0.2.11", "198.51.100.1"),
        ("192.0.2.10", "198.51.100.1"),
        ("192.0.2.12", "198.51.100.2"),
    )


def translated() -> Report:
    """`reports.case()`, whose inside capture shows the client under another address."""
    return reports.case()


def change(report: Report, fix: str, **wish: object) -> Change:
    (found,) = configure(report, Wish(fixes=(fix,), **wish)).changes  # type: ignore[arg-type]
    return found


def typed(blocks: tuple[Block, ...]) -> list[str]:
    return [line for block in blocks for line in block.lines]


@pytest.mark.parametrize("name", SAID)
def test_a_pack_says_these_very_letters(name: str) -> None:
    assert SAID[name]() == (GOLDEN / name).read_text(encoding="ascii")


# --- which hosts --------------------------------------------------------------------------------


def test_every_pair_of_hosts_is_named_once_in_both_directions() -> None:
    lines = [
        line for line in typed(change(three_clients(), "tcp-state-bypass").apply) if "access-list C" in line
    ]
    hosts = [tuple(re.findall(r"host (\S+)", line)) for line in lines if "match" not in line]
    pairs = [("192.0.2.10", "198.51.100.1"), ("192.0.2.11", "198.51.100.1"), ("192.0.2.12", "198.51.100.2")]
    assert hosts == [*pairs, *((headend, client) for client, headend in pairs)]
    assert all("eq 10000" in line for line in lines if "match" not in line)


def test_one_class_serves_all_pairs_and_its_name_depends_on_them() -> None:
    names = [
        {
            word
            for line in typed(change(some, "tcp-state-bypass").apply)
            for word in re.findall(r"CTCP-DIAG-\w+", line)
        }
        for some in (three_clients(), together(), dead_between(("192.0.2.10", "198.51.100.1")))
    ]
    assert [len(one) for one in names] == [1, 1, 1]
    assert len(set.union(*names)) == 3


def test_hundreds_of_clients_are_cut_at_a_limit_that_is_told() -> None:
    report = dead_between(*((f"192.0.{n // 250}.{n % 250}", "198.51.100.1") for n in range(300)))
    pack = configure(report, Wish(fixes=("tcp-state-bypass",)))
    lines = [line for line in typed(pack.changes[0].apply) if "extended permit" in line]
    assert len(lines) == 2 * 64
    assert pack.left_out == (
        "limit: 64 pairs of hosts in one change; 236 more are left out: take them with --flow",
    )


def test_hundreds_of_connections_of_one_client_are_one_pair() -> None:
    report = dead_between(*[("192.0.2.10", "198.51.100.1")] * 300)
    pack = configure(report, Wish(fixes=("tcp-state-bypass",)))
    assert len([line for line in typed(pack.changes[0].apply) if "extended permit" in line]) == 2
    assert pack.left_out == ()


@pytest.mark.parametrize("name", ["f1", "#2", "2"])
def test_one_flow_may_be_asked_for_by_its_id_or_its_number(name: str) -> None:
    pack = configure(three_clients(), Wish(fixes=("tcp-state-bypass",), flows=(name,)))
    assert pack.changes[0].flows == (2,)


@pytest.mark.parametrize("name", ["#0", "5", "#5", "x", "", "#-1", "²", "9" * 30])
def test_a_flow_that_is_not_there_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="the report has 4, #1 to #4"):
        configure(three_clients(), Wish(fixes=("udp",), flows=(name,)))


def test_what_no_flow_is_offered_is_refused_and_what_is_offered_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match="is offered 'tcp-state-bypass'; offered: keep-alive, longer-idle-timeout"
    ):
        configure(of_sample("idle-timeout-client.pcap"), Wish(fixes=("state-bypass",)))


# --- where the firewall translates --------------------------------------------------------------------


def test_an_access_list_has_the_real_addresses_from_8_3_on_and_both_spellings_before() -> None:
    def clients(syntax: Syntax) -> set[str]:
        lines = typed(change(translated(), "tcp-state-bypass", syntax=syntax).apply)
        return {re.findall(r"host (\S+)", line)[0] for line in lines if line.endswith("eq 10000")}

    assert clients(Syntax.ASA) == {"192.0.2.10"}
    assert clients(Syntax.FTD) == {"192.0.2.10"}
    assert clients(Syntax.PRE_8_4) == {"192.0.2.10", "10.9.8.7"}


def test_a_capture_has_the_addresses_of_its_own_side() -> None:
    (pack,) = configure(translated(), Wish(captures=True)).changes
    outside, inside = (
        next(line for line in typed(pack.apply) if f"interface {name}" in line)
        for name in ("outside", "inside")
    )
    assert "match tcp host 192.0.2.10 host 198.51.100.1 eq 10000" in outside
    assert "match tcp host 10.9.8.7 host 198.51.100.1 eq 10000" in inside


def test_a_flow_of_two_address_families_is_left_out_with_the_reason() -> None:
    """A firewall that translates between IPv6 and IPv4: no one line of its configuration names both ends."""
    flow = translated().flows[0]
    at_client, outside, *behind = flow.seen
    client = Endpoint(address="2001:db8::10", port=outside.client.port)
    headend = Endpoint(address="2001:db8:64::1", port=outside.headend.port)
    seen = (at_client, msgspec.structs.replace(outside, client=client, headend=headend), *behind)
    report = msgspec.structs.replace(translated(), flows=(msgspec.structs.replace(flow, seen=seen),))
    assert configure(report, Wish()).left_out == (
        "flow #1: 2001:db8::10 and 198.51.100.1 are not of one address family",
    )
    with pytest.raises(
        ConfigurationError,
        match=r"offered: nothing; left out: flow #1: 2001:db8::10 and 198.51.100.1 are not of one address family$",
    ):
        configure(report, Wish(fixes=("state-bypass",)))


def test_of_several_flows_left_out_the_first_is_told_where_nothing_is_offered() -> None:
    nowhere = Endpoint(address="nowhere", port=10000)
    flows = tuple(msgspec.structs.replace(one, headend=nowhere, seen=()) for one in three_clients().flows)
    report = msgspec.structs.replace(three_clients(), flows=flows)
    with pytest.raises(
        ConfigurationError, match=r"nothing; left out: flow #1: 'nowhere' does not .* and 3 more$"
    ):
        configure(report, Wish(fixes=("state-bypass",)))


# --- that it can be taken back -------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", Syntax)
@pytest.mark.parametrize("fix", OF_THE_FAILURE)
@pytest.mark.parametrize("report", [together, three_clients], ids=["one", "several"])
def test_what_is_applied_is_taken_back(fix: str, syntax: Syntax, report: Callable[[], Report]) -> None:
    one = change(report(), fix, syntax=syntax)
    applied, undone = typed(one.apply), typed(one.roll_back)
    made = [
        line.strip()
        for line in applied
        if line.startswith(("access-list ", "class-map ", " class ", "  set "))
    ]
    taken = {line.strip().removeprefix("no ") for line in undone if line.strip().startswith("no ")}
    for line in made:
        assert re.sub(r" line \d+", "", line) in taken


@pytest.mark.parametrize("report", [together, three_clients, translated])
def test_every_capture_that_is_started_is_stopped(report: Callable[[], Report]) -> None:
    (one,) = configure(report(), Wish(captures=True)).changes
    started = [line.split()[1] for line in typed(one.apply) if line.startswith("capture ")]
    stopped = [line.split()[2] for line in typed(one.roll_back) if line.startswith("no capture ")]
    assert started
    assert stopped == started[::-1]
    assert len(set(started)) == len(started)


# --- buffers ----------------------------------------------------------------------------------------


def with_rate(payload_bytes: int, seconds: int) -> Report:
    facts = msgspec.structs.replace(
        reports.DEAD_FLOW.directions.client_to_headend, payload_bytes=payload_bytes, segments=0
    )
    flow = msgspec.structs.replace(
        reports.DEAD_FLOW,
        directions=Directions(client_to_headend=facts),
        last_ns=reports.DEAD_FLOW.first_ns + seconds * reports.SECOND_NS,
    )
    return reports.report((flow,), (reports.DEAD_FINDING,))


@pytest.mark.parametrize(
    ("payload_bytes", "seconds", "mib"),
    [
        (1_000, 100, 1),
        (100 * MIB // 2400, 100, 1),
        (100 * MIB // 2400 + 100, 100, 2),
        (10**9, 10, 32),
        (5, 0, 32),
    ],
)
def test_a_buffer_holds_ten_minutes_at_four_times_the_rate(
    payload_bytes: int, seconds: int, mib: int
) -> None:
    (one,) = configure(with_rate(payload_bytes, seconds), Wish(captures=True)).changes
    assert f" buffer {mib * MIB} " in typed(one.apply)[0]
    assert mib * MIB <= LARGEST_BUFFER == 33_554_432


# --- hostile reports ---------------------------------------------------------------------------------

EVIL = "reload"
RIGHT = ["192.0.2.10", "192.0.2.11", "198.51.100.1", "10.1.2.3"]
ADDRESSES = [
    *RIGHT * 3,
    "2001:db8::7",
    f"192.0.2.10\n{EVIL}",
    f"fe80::1%eth0\n{EVIL}",
    f"fe80::1%{EVIL}",
    f"192.0.2.10 eq 1 {EVIL}",
    f"any\r{EVIL}",
    "192.0.2.010",
    "",
    f"<{EVIL}>",
]
HOSTILE = [
    EVIL,
    f"\n{EVIL}",
    f"x\r\n{EVIL}\n",
    f"\u2028{EVIL}",
    f"\x1b[2J{EVIL}",
    "`show " + EVIL + "`",
    "{client}",
]
COMMANDS = re.compile(
    r" {0,2}(no )?(access-list|class-map|match|policy-map|class|set connection|configure terminal|end|clear conn"
    r"|show|capture|copy /pcap capture:|delete /noconfirm disk0:|ping|packet-tracer|traceroute|crypto ipsec df-bit"
    r"|debug crypto|undebug all|sysopt connection tcpmss|EnableNat|TunnelingMode|ForceKeepAlives)\b.*"
)


@st.composite
def hostile(draw: st.DrawFn) -> Report:
    """A report in which every text may be an attack, and some addresses are right."""
    report = draw(reports.joined())
    texts, ports = st.sampled_from(HOSTILE), st.sampled_from([10000, 443, 0, -1, 65_536, 2**40])

    def end() -> Endpoint:
        return Endpoint(address=draw(st.sampled_from(ADDRESSES)), port=draw(ports))

    def spoiled(flow: Flow) -> Flow:
        seen = tuple(msgspec.structs.replace(one, client=end(), headend=end()) for one in flow.seen)
        return msgspec.structs.replace(flow, client=end(), headend=end(), seen=seen)

    def advised(finding: Finding) -> Finding:
        bad = Recommendation(
            fix=draw(st.sampled_from([*FIXES, *HOSTILE])), title=draw(texts), change=draw(texts),
            commands=(draw(texts),), cost=draw(texts), verify=(draw(texts),), roll_back=(draw(texts),),
            source=draw(texts), caveats=(draw(texts),),
        )  # fmt: skip
        return msgspec.structs.replace(
            finding, verdict=draw(st.sampled_from(sorted(OFFERS))), recommendations=(bad,), title=draw(texts)
        )

    tool = msgspec.structs.replace(report.tool, name=draw(texts), version=draw(texts))
    return msgspec.structs.replace(
        report,
        tool=tool,
        flows=tuple(map(spoiled, report.flows)),
        findings=tuple(map(advised, report.findings)),
    )


WISHES = st.builds(
    Wish,
    fixes=st.lists(st.sampled_from([*FIXES, *HOSTILE]), max_size=1).map(tuple),
    captures=st.booleans(),
    syntax=st.sampled_from(Syntax),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=300)
@given(hostile(), WISHES)
def test_nothing_of_a_report_becomes_a_command(report: Report, wish: Wish) -> None:
    try:
        pack = configure(report, wish)
    except ConfigurationError:
        return
    for line in "".join(configuration(pack, report.tool)).split("\n"):
        assert line.isascii()
        assert line.isprintable()
        if line and not line.startswith("!"):
            assert EVIL not in line
            assert COMMANDS.fullmatch(line), line
            for word in re.findall(r"host (\S+)", line):
                assert str(ip_address(word)) == word
    assert list(as_json(pack, report.tool))


@pytest.mark.parametrize("syntax", Syntax)
@pytest.mark.parametrize("verdict", sorted(OFFERS))
def test_every_line_of_every_change_is_a_command_and_every_sentence_a_comment(
    verdict: str, syntax: Syntax
) -> None:
    base = dead_between(("10.1.2.3", "198.51.100.1"), ("2001:db8::7", "2001:db8::1"))
    large = Recommendation(fix="lower-mtu", title="", change="", cost="", source="")
    findings = tuple(
        msgspec.structs.replace(one, verdict=verdict, recommendations=(large,)) for one in base.findings
    )
    report = msgspec.structs.replace(base, findings=findings)
    offered_ = [choice.fix for choice in configure(report, Wish()).choices]
    assert len(offered_) == len(set(offered_))
    for fix in offered_:
        text = told(report, fixes=(fix,), syntax=syntax)
        lines = [line for line in text.splitlines() if not line.startswith("!")]
        assert [line for line in lines if not COMMANDS.fullmatch(line)] == []


def test_the_property_meets_packs_that_are_not_empty() -> None:
    """The strategy would be worth nothing if every hostile report were refused."""
    bad = Recommendation(fix=EVIL, title=EVIL, change=EVIL, commands=(EVIL,), cost=EVIL, source=EVIL)
    finding = msgspec.structs.replace(reports.DEAD_FINDING, recommendations=(bad,), summary=EVIL, title=EVIL)
    text = told(reports.report((reports.DEAD_FLOW,), (finding,)), fixes=("state-bypass",))
    assert "access-list CTCP-DIAG-" in text
    assert EVIL not in [line for line in text.splitlines() if "reload" in line and not line.startswith("!")]


def test_a_flow_with_what_is_no_address_is_left_out_and_named() -> None:
    report = dead_between(("192.0.2.10", "198.51.100.1"), (f"1.2.3.4\n{EVIL}", "198.51.100.1"))
    pack = configure(report, Wish(fixes=("udp",)))
    assert pack.changes[0].flows == (1,)
    assert len(pack.left_out) == 1
    assert pack.left_out[0].startswith("flow #2: ")
    assert "\n! left out: flow #2: " in told(report, fixes=("udp",))


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "\x1b", "é", "\u2028", "a\tb"])
def test_a_block_takes_no_line_that_is_not_one_plain_line(text: str) -> None:
    with pytest.raises(ValueError, match="plain text"):
        Block(where="x", lines=(text,))
    with pytest.raises(ValueError, match="plain text"):
        Block(where=text)


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "-x", "<X>", "é", "x" * 49, "a;b", "a!"])
@pytest.mark.parametrize("which", ["outside", "inside", "acl", "acl_back", "policy"])
def test_a_name_that_no_device_takes_is_refused(which: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name on a device"):
        Names(**{which: name})


def test_names_that_are_given_stand_in_every_line() -> None:
    names = Names(outside="wan", inside="lan", acl="WAN_IN", acl_back="LAN_IN", policy="my_policy")
    text = told(together(), fixes=("native-esp", "state-bypass"), names=names) + told(
        together(), captures=True, names=names
    )
    assert {"wan", "lan"} == set(re.findall(r"interface (\S+) packet", text))
    assert "access-list WAN_IN extended permit esp" in text
    assert "access-list LAN_IN extended permit esp" in text
    assert "policy-map my_policy" in text
    assert "<" not in "".join(line for line in text.splitlines() if not line.startswith("!"))
    assert "global_policy" not in text


# --- syntaxes ------------------------------------------------------------------------------------------


def test_ftd_is_given_nothing_to_configure_at_its_command_line() -> None:
    for fix, report in itertools.product(OF_THE_FAILURE, (together(), three_clients())):
        one = change(report, fix, syntax=Syntax.FTD)
        assert not {"configure terminal", "end"} & set(typed((*one.apply, *one.roll_back)))
        for block in (*one.apply, *one.roll_back):
            if any(line.startswith(("class-map", "access-list")) for line in block.lines):
                assert "FlexConfig" in block.where


def test_older_releases_are_spoken_to_in_their_words() -> None:
    lines = typed(change(together(), "tcp-state-bypass", syntax=Syntax.PRE_8_4).apply)
    assert "  set connection timeout tcp 1:00:00" in lines
    failed = of_sample("negotiation-failed.pcap")
    assert "show crypto isakmp sa" in typed(
        change(failed, "check-the-negotiation", syntax=Syntax.PRE_8_4).apply
    )


def test_the_same_report_gives_the_same_json() -> None:
    report = together()
    pack = configure(report, Wish(fixes=("udp",)))
    text = "".join(as_json(pack, report.tool))
    assert text == "".join(as_json(configure(together(), Wish(fixes=("udp",))), report.tool))
    assert msgspec.json.decode(text)["pack"]["changes"][0]["fix"] == "ipsec-over-udp"


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for file, text in SAID.items():
        (GOLDEN / file).write_text(text(), encoding="ascii")
        sys.stdout.write(f"{GOLDEN / file}\n")

"""Beside Wireshark: its own definitions predict its labels, and each difference from ours has its reason."""

from __future__ import annotations

import bz2
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import dpkt
import pytest

from ctcp_forensics.cli import main
from ctcp_forensics.crosscheck import FlowCheck, crosscheck, reasons
from ctcp_forensics.crosscheck.comparing import segments
from ctcp_forensics.crosscheck.labels import By, Seen, labels_of
from ctcp_forensics.crosscheck.reasons import RULES, explanation
from ctcp_forensics.crosscheck.wireshark import Kind
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.pipeline import Options
from tests.public_captures import Stream, reference

ALL_TCP = Options(all_tcp=True)

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

# --- over the shared public captures: definitions, then differences --------------------------------

COUNTED_AS = {
    Kind.DUPLICATE_ACK: ("n_duplicate_ack",),
    Kind.AGAIN: ("n_retransmission", "n_out_of_order"),  # fast and spurious ones are among the first
    Kind.LOST: ("n_lost_segment",),
    Kind.ZERO_WINDOW: ("n_zero_window",),
    Kind.KEEP_ALIVE: ("n_keep_alive",),
    Kind.WINDOW_UPDATE: ("n_window_update",),
}
MALFORMED_OPTION = "OISF+suricata-verify/tests/firewall/tcp-session-decode-malformed-ipv4/input.pcap"
"""Wireshark gives up at an IP option of an impossible length; see public_differences.yml."""
HEADERS_ONLY = "OISF+suricata-verify/tests/telnet/telnet-01/telnet.pcap"
"""Its frames end before their IP lengths say, so that Wireshark sees no data in them; likewise."""


PUBLIC_REASONS = {
    (Kind.DUPLICATE_ACK, By.US, "sack"),
    (Kind.DUPLICATE_ACK, By.US, "window-of-a-syn"),
    (Kind.DUPLICATE_ACK, By.TSHARK, "copy"),
    (Kind.DUPLICATE_ACK, By.TSHARK, "nothing-outstanding"),
    (Kind.DUPLICATE_ACK, By.TSHARK, "window-of-a-syn"),
    (Kind.DUPLICATE_ACK, By.TSHARK, "keep-alive"),
    (Kind.DUPLICATE_ACK, By.TSHARK, "short-frame"),
    (Kind.DUPLICATE_ACK, By.TSHARK, "stray"),
    (Kind.AGAIN, By.US, "ack-before-data"),
    (Kind.AGAIN, By.US, "short-frame"),
    (Kind.AGAIN, By.TSHARK, "copy"),
    (Kind.AGAIN, By.TSHARK, "stray"),
    (Kind.AGAIN, By.TSHARK, "after-reset"),
    (Kind.LOST, By.TSHARK, "told-by-an-ack"),
    (Kind.LOST, By.TSHARK, "after-reset"),
    (Kind.LOST, By.TSHARK, "stray"),
    (Kind.KEEP_ALIVE, By.US, "keep-alive"),
    (Kind.KEEP_ALIVE, By.TSHARK, "copy"),
    (Kind.WINDOW_UPDATE, By.US, "last-or-highest"),
    (Kind.WINDOW_UPDATE, By.TSHARK, "window-of-a-syn"),
}
"""Which rules explain the differences there; *ACKed unseen segment* is left to the stories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Every segment of the public captures, by what tshark, its definitions and we say of it."""

    tshark: dict[tuple[str, int, Kind], int]
    defined: Counter[tuple[str, int, Kind]]
    ours: Counter[tuple[str, int, Kind]]
    both: Counter[tuple[str, Kind]]
    reasons: Counter[tuple[Kind, By, str | None]]


@pytest.fixture(scope="module")
def compared(root: Path) -> Compared:
    shared = root.parent / "shared" / "captures"
    if not shared.is_dir():
        pytest.skip("the shared public captures are absent (../shared/captures)")
    whole = Compared(tshark={}, defined=Counter(), ours=Counter(), both=Counter(), reasons=Counter())
    for path, streams in reference(shared).items():
        seen = followed(shared / "public" / path)
        if len({one.flow for one in seen}) == len(
            streams
        ):  # elsewhere the streams are others, as listed there
            take(whole, path, streams, seen)
    return whole


def followed(path: Path) -> list[Seen]:
    try:
        return list(labels_of(segments(str(path))))
    except CaptureError:
        return []


def take(whole: Compared, path: str, streams: list[Stream], seen: list[Seen]) -> None:
    for place, stream in enumerate(streams):  # the reference leaves out streams that it opened for samples
        for kind, names in COUNTED_AS.items():
            whole.tshark[path, place, kind] = sum(stream.facts[name] for name in names)
    for one in seen:
        whole.defined.update((path, one.flow, kind) for kind in one.sight.labels)
        whole.ours.update((path, one.flow, kind) for kind in one.labels)
        whole.both.update((path, kind) for kind in one.labels & one.sight.labels)
        for kind in (one.labels ^ one.sight.labels) - {Kind.UNSEEN}:
            by = By.US if kind in one.labels else By.TSHARK
            rule = explanation(one, kind, by)
            whole.reasons[kind, by, None if rule is None else rule.slug] += 1


def test_wiresharks_own_definitions_predict_its_counts_stream_by_stream(compared: Compared) -> None:
    """So its duplicate-ACK rule and the rest are what we say they are, and only definitions differ."""
    off = {
        key: (compared.defined[key], theirs)
        for key, theirs in compared.tshark.items()
        if compared.defined[key] != theirs
    }
    assert off == {(MALFORMED_OPTION, 0, Kind.AGAIN): (1, 0)}


@pytest.mark.parametrize(
    ("kind", "bar"), [(Kind.DUPLICATE_ACK, 0.98), (Kind.AGAIN, 0.99)], ids=["duplicate ACK", "again"]
)
def test_the_definitions_agree_with_tshark_beyond_the_bar(compared: Compared, kind: Kind, bar: float) -> None:
    pairs = [(compared.defined[key], theirs) for key, theirs in compared.tshark.items() if key[2] == kind]
    agreement = sum(map(min, pairs)) / sum(map(max, pairs))
    assert agreement >= bar
    assert sum(theirs for _, theirs in pairs) > 250


def test_our_own_repeats_are_tsharks_apart_from_copies(compared: Compared) -> None:
    """Twice what both label, over what each labels; tshark takes a datagram captured twice for one sent again."""
    both = sum(n for (path, kind), n in compared.both.items() if kind == Kind.AGAIN and path != HEADERS_ONLY)
    ours = sum(n for key, n in compared.ours.items() if key[2] == Kind.AGAIN and key[0] != HEADERS_ONLY)
    theirs = sum(n for key, n in compared.tshark.items() if key[2] == Kind.AGAIN and key[0] != HEADERS_ONLY)
    copies = compared.reasons[Kind.AGAIN, By.TSHARK, "copy"]
    assert 2 * (both + copies) / (ours + copies + theirs) >= 0.99


def test_each_difference_on_public_captures_has_its_reason(compared: Compared) -> None:
    assert set(compared.reasons) == PUBLIC_REASONS
    assert compared.reasons.total() > 500


# --- each rule, by a capture that shows it, and the tshark that is installed ------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One segment of a story; numbers are relative to 1,000 (client) and 5,000 (headend)."""

    by: str
    seq: int
    ack: int | None
    length: int = 0
    flags: int = 0
    window: int = 65_535
    ip_id: int | None = None
    ms: int = 100
    """Since the segment before."""
    options: bytes = b""
    missing: int = 0
    """Bytes that the IP header tells and the frame does not hold."""


ISN = {"C": 1_000, "S": 5_000}
ADDRESS = {"C": b"\x0a\x00\x00\x01", "S": b"\x0a\x00\x00\x02"}
FIRST_PORT = 40_000
SYN, FIN, RST, ACK = 2, 1, 4, 16


def c(seq: int, ack: int | None, length: int = 0, **more: int | bytes) -> Line:
    return Line(by="C", seq=seq, ack=ack, length=length, **more)  # type: ignore[arg-type]


def s(seq: int, ack: int | None, length: int = 0, **more: int | bytes) -> Line:
    return Line(by="S", seq=seq, ack=ack, length=length, **more)  # type: ignore[arg-type]


SCALED = b"\x01\x03\x03\x07"
OPENED = (c(0, None, flags=SYN), s(0, 1, flags=SYN), c(1, 1))
SCALE_OPENED = (
    c(0, None, flags=SYN, options=SCALED),
    s(0, 1, flags=SYN, options=SCALED),
    c(1, 1, window=512),
)


def sack(left: int, right: int) -> bytes:
    edges = (ISN["C"] + left).to_bytes(4, "big") + (ISN["C"] + right).to_bytes(4, "big")
    return b"\x01\x01\x05\x0a" + edges


Expected = dict[str, set[tuple[Kind, By, tuple[int, ...]]]]
US, TSHARK = By.US, By.TSHARK

STORIES: dict[str, tuple[tuple[Line, ...], Expected]] = {
    "copy": (
        (*OPENED, c(1, 1, 100), c(1, 1, 100, ip_id=3, ms=1), s(1, 101)),
        {"copy": {(Kind.AGAIN, TSHARK, (5,))}},
    ),
    "keep-alive": (
        (s(1, 201), c(200, 2), s(1, 201)),
        {
            "keep-alive": {(Kind.KEEP_ALIVE, US, (3,)), (Kind.DUPLICATE_ACK, TSHARK, (3,))},
            "mid-stream": {(Kind.UNSEEN, TSHARK, (3,))},
        },
    ),
    "nothing-outstanding": (
        (*OPENED, c(1, 1, 100), s(1, 101), s(1, 101, ms=5000), s(1, 101, ms=5000)),
        {"nothing-outstanding": {(Kind.DUPLICATE_ACK, TSHARK, (6, 7))}},
    ),
    "window-of-a-syn": (
        (*SCALE_OPENED, s(1, 1, window=512)),
        {"window-of-a-syn": {(Kind.WINDOW_UPDATE, TSHARK, (4,))}},
    ),
    "sack": (
        (
            *OPENED,
            c(1, 1, 100),
            s(1, 101),
            c(201, 1, 100),
            s(1, 101, window=60_000, options=sack(201, 301)),
        ),
        {"sack": {(Kind.DUPLICATE_ACK, US, (7,))}},
    ),
    "reset": (
        (*OPENED, c(1, 1, 100), s(1, 301, flags=RST)),
        {"reset": {(Kind.UNSEEN, TSHARK, (5,))}},
    ),
    "after-reset": (
        (*OPENED, c(1, 1, 100), s(1, 101), c(301, 1, 100, flags=RST), c(101, 1, 100)),
        {"after-reset": {(Kind.AGAIN, TSHARK, (7,))}},
    ),
    "stray": (
        (*OPENED, c(1, 1, 100), c(1_500_000_000, 1, 100), s(1, 101)),
        {"stray": {(Kind.LOST, TSHARK, (5,))}},
    ),
    "led-astray": (
        (*OPENED, c(1, 1, 100), c(1_500_000_000, 1, 100), c(101, 1, 100)),
        {"stray": {(Kind.LOST, TSHARK, (5,))}, "led-astray": {(Kind.AGAIN, TSHARK, (6,))}},
    ),
    "last-or-highest": (
        (*OPENED, c(1, 1, 100), c(101, 1, 100), s(1, 201), s(1, 101), c(201, 1, 100), s(1, 101)),
        {"last-or-highest": {(Kind.DUPLICATE_ACK, TSHARK, (9,))}},
    ),
    "own-number": (
        (*OPENED, c(1, 1, 100), s(1, 101), c(101, 1, 100), s(301, 101)),
        {"own-number": {(Kind.DUPLICATE_ACK, US, (7,))}},
    ),
    "ack-before-data": (
        (*OPENED, s(1, 51), c(1, 1, 100)),
        {"ack-before-data": {(Kind.AGAIN, US, (5,))}},
    ),
    "mid-stream": (
        (c(1, 1), s(1, 1), c(501, 1, 100)),
        {"mid-stream": {(Kind.LOST, TSHARK, (3,))}},
    ),
    "told-by-an-ack": (
        (*OPENED, c(1, 1, 100), s(1, 201), c(201, 1, 100)),
        {"told-by-an-ack": {(Kind.LOST, TSHARK, (6,))}},
    ),
    "one-direction": (
        (c(1, 1, 100), c(101, 101, 100), c(201, 201, 100)),
        {"one-direction": {(Kind.UNSEEN, US, (2, 3))}},
    ),
    "jumped-hole": (
        (*OPENED, c(1, 1, 100), c(201, 1, 100), s(1, 301), c(301, 1, 100), s(1, 401)),
        {"jumped-hole": {(Kind.UNSEEN, TSHARK, (6,))}},
    ),
    "zero-window-probe": (
        (*OPENED, c(1, 1, 100), s(1, 101, window=0), c(101, 1, 1, ms=1000), s(1, 102)),
        {"zero-window-probe": {(Kind.UNSEEN, TSHARK, (7,))}},
    ),
    "counted-once": (
        (*OPENED, c(1, 1, 15), s(1, 72, 50), c(1, 1, 15, ms=9000), c(1, 1, 18), s(1, 72, 50, ms=1000)),
        {"counted-once": {(Kind.UNSEEN, TSHARK, (8,))}},
    ),
    "gap-grew": (
        (*OPENED, c(1, 1, 100), s(1, 201), s(1, 301), s(1, 401)),
        {"gap-grew": {(Kind.UNSEEN, US, (6, 7))}},
    ),
    "short-frame": (
        (*OPENED, c(1, 1, 100), s(1, 101, 50, missing=50), c(101, 51)),
        {"short-frame": {(Kind.UNSEEN, TSHARK, (6,))}},
    ),
}


def write_story(path: Path, *stories: Iterable[Line], headend_port: int = 10_000) -> str:
    """Raw IPv4, one story after the other, each from a client port of its own, IP IDs counted per end."""
    at = 1_700_000_000.0
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, linktype=101)
        for place, lines in enumerate(stories):
            ports = {"C": FIRST_PORT + place, "S": headend_port}
            ids = Counter[str]()
            for line in lines:
                ids[line.by] += 1
                at += line.ms / 1000
                writer.writepkt(datagram(line, line.ip_id or ids[line.by], ports), ts=at)
    return str(path)


def datagram(line: Line, ip_id: int, ports: dict[str, int]) -> bytes:
    peer = "S" if line.by == "C" else "C"
    tcp = dpkt.tcp.TCP(
        sport=ports[line.by],
        dport=ports[peer],
        seq=ISN[line.by] + line.seq,
        ack=0 if line.ack is None else ISN[peer] + line.ack,
        flags=line.flags if line.ack is None else line.flags | ACK,
        win=line.window,
        opts=line.options,
        data=bytes(line.length),
    )
    tcp.off = 5 + len(line.options) // 4
    ip = dpkt.ip.IP(src=ADDRESS[line.by], dst=ADDRESS[peer], id=ip_id, p=6, ttl=64, data=tcp)
    ip.len = len(ip)
    return bytes(ip)[: len(ip) - line.missing]


def told(flow: FlowCheck, frames_before: int = 0) -> Expected:
    """Differences by the rule that explains them."""
    by_rule: Expected = {}
    for one in flow.differences:
        frames = tuple(frame - frames_before for frame in one.frames)
        by_rule.setdefault(one.rule, set()).add((one.kind, one.by, frames))
    return by_rule


@pytest.fixture(scope="module")
def stories_told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Expected]:
    """All stories in one capture, so that tshark is asked once."""
    path = tmp_path_factory.mktemp("stories") / "all.pcap"
    checked = crosscheck(write_story(path, *(lines for lines, _ in STORIES.values())), ALL_TCP)
    by_port = {flow.client.port + flow.headend.port - 10_000: flow for flow in checked.flows}
    said, frames_before = {}, 0
    for place, (slug, (lines, _)) in enumerate(STORIES.items()):
        said[slug] = told(by_port[FIRST_PORT + place], frames_before)
        frames_before += len(lines)
    return said


@needs_tshark
@pytest.mark.parametrize("slug", STORIES)
def test_a_difference_is_explained_by_its_rule(slug: str, stories_told: dict[str, Expected]) -> None:
    _, expected = STORIES[slug]
    assert stories_told[slug] == expected
    assert slug in expected


def test_each_rule_has_its_story() -> None:
    assert set(STORIES) == {rule.slug for rule in RULES}


def test_what_no_rule_explains_is_said_to_be_unexplained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    monkeypatch.setattr(reasons, "RULES", ())
    path = write_story(tmp_path / "story.pcap", STORIES["nothing-outstanding"][0])
    assert main(["crosscheck", path]) == 1
    assert "- duplicate ACK, tshark only, 2 frames (6, 7): unexplained: no rule explains it." in (
        capsys.readouterr().out
    )


# --- samples, as a user asks ------------------------------------------------------------------------


@needs_tshark
def test_the_duplicate_acks_of_the_failure_are_wiresharks_too(root: Path) -> None:
    checked = crosscheck(str(root / "samples" / "failure-client.pcap"), Options())
    (flow,) = checked.flows
    tallies = {one.kind: (one.both, one.ours, one.tshark) for one in flow.tallies}
    assert tallies[Kind.DUPLICATE_ACK] == (70, 0, 0)
    assert flow.differences == ()
    assert flow.carries == "cisco-ctcp"
    assert "tcp.port == 10000" in checked.display_filter


@needs_tshark
def test_a_real_tcp_that_sends_again_is_labelled_alike(root: Path) -> None:
    checked = crosscheck(str(root / "samples" / "answered.pcap"), ALL_TCP)
    again = [one for flow in checked.flows for one in flow.tallies if one.kind == Kind.AGAIN]
    assert sum(one.both for one in again) > 0
    assert sum(one.ours + one.tshark for one in again) == 0


@needs_tshark
def test_a_ctcp_receiver_that_jumps_holes_is_no_bad_capture(root: Path) -> None:
    """What Wireshark calls ACKed unseen segments and duplicate ACKs there are its jumps and keep-alives."""
    (flow,) = crosscheck(str(root / "samples" / "loss-tolerated.pcap"), Options()).flows
    assert {(one.kind, one.by, one.rule) for one in flow.differences} == {
        (Kind.UNSEEN, By.TSHARK, "jumped-hole"),
        (Kind.DUPLICATE_ACK, By.TSHARK, "nothing-outstanding"),
    }


@needs_tshark
def test_the_json_holds_every_number_and_is_the_same_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_story(tmp_path / "story.pcap", STORIES["nothing-outstanding"][0])
    printed = []
    for _ in range(2):
        assert main(["crosscheck", "--format", "json", path]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    report = json.loads(printed[0])
    assert report["unexplained"] == 0
    (flow,) = report["flows"]
    assert (flow["client"], flow["frames"]) == ({"address": "10.0.0.1", "port": 40000}, 7)
    nothing: dict[str, tuple[int, int, int]] = dict.fromkeys(Kind, (0, 0, 0))
    counted = {one["kind"]: (one["both"], one["ours"], one["tshark"]) for one in flow["tallies"]}
    assert counted == nothing | {"duplicate ACK": (0, 0, 2)}
    (difference,) = flow["differences"]
    assert (difference["rule"], difference["frames"]) == ("nothing-outstanding", [6, 7])


@needs_tshark
def test_flows_that_are_not_in_question_are_not_compared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_story(tmp_path / "story.pcap", STORIES["nothing-outstanding"][0], headend_port=443)
    assert main(["crosscheck", path]) == 0
    assert "No flow is in question here" in capsys.readouterr().out
    assert main(["crosscheck", "--port", "443", path]) == 0
    assert "10.0.0.1:40000 > 10.0.0.2:443" in capsys.readouterr().out


# --- tshark, and only tshark ------------------------------------------------------------------------


def test_without_tshark_the_message_says_how_to_get_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["crosscheck", str(root / "samples" / "failure-client.pcap")]) == 2
    told_to = capsys.readouterr().err
    assert "crosscheck asks tshark, which is not installed" in told_to
    assert "apt install tshark" in told_to


@needs_tshark
def test_no_preference_of_the_user_and_no_file_beside_the_capture_changes_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Preferences that switch the analysis off, and a config.ini by which pyshark would run another program."""
    path = write_story(tmp_path / "story.pcap", STORIES["nothing-outstanding"][0])
    for folder in (tmp_path / ".config" / "wireshark", tmp_path / ".wireshark"):
        folder.mkdir(parents=True)
        (folder / "preferences").write_text("tcp.analyze_sequence_numbers: FALSE\n")
        (folder / "disabled_protos").write_text("tcp\n")
    (tmp_path / "config.ini").write_text(f"[tshark]\ntshark_path = {tmp_path}/elsewhere\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(tmp_path / ".config" / "wireshark"))
    monkeypatch.chdir(tmp_path)
    assert told(crosscheck(path, ALL_TCP).flows[0]) == STORIES["nothing-outstanding"][1]
    assert os.environ["HOME"] == str(tmp_path)
    assert Path.cwd() == tmp_path


@needs_tshark
def test_a_cut_capture_is_compared_up_to_the_cut_and_tsharks_complaint_is_told(tmp_path: Path) -> None:
    whole = Path(write_story(tmp_path / "whole.pcap", STORIES["nothing-outstanding"][0]))
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(whole.read_bytes()[:-10])
    checked = crosscheck(str(cut), ALL_TCP)
    assert told(checked.flows[0]) == {"nothing-outstanding": {(Kind.DUPLICATE_ACK, By.TSHARK, (6,))}}
    assert checked.complaint.startswith("tshark ended with status 2: ")


@needs_tshark
def test_a_capture_that_tshark_cannot_read_is_refused_in_its_words(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "client.pcap.bz2"
    packed.write_bytes(bz2.compress((root / "samples" / "failure-client.pcap").read_bytes()))
    assert main(["crosscheck", str(packed)]) == 2
    assert "tshark" in capsys.readouterr().err


def test_standard_input_is_refused_because_two_programs_read_the_capture(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["crosscheck", "-"]) == 2
    assert "give it a file, not standard input" in capsys.readouterr().err


def test_a_missing_capture_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crosscheck", str(tmp_path / "absent.pcap")]) == 2
    assert "absent.pcap" in capsys.readouterr().err

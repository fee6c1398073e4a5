"""Annotated captures: the same frames with something said beside them, as other programs read them."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from struct import pack
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctcp_forensics.annotate import ChoiceError, Request, annotate, concerned
from ctcp_forensics.annotate.remarks import ordinal
from ctcp_forensics.capture import open_capture
from ctcp_forensics.clocks import stretch_of
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import Options, Source
from ctcp_forensics.report import ClockPiece, Report
from ctcp_forensics.savefile import Reader
from tests import savefiles as sf

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = sorted((ROOT / "samples").glob("*.pcap*"))
PUBLIC = ROOT.parent / "shared" / "captures" / "public"
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
needs_tcpdump = pytest.mark.skipif(
    shutil.which("tcpdump", path="/usr/bin:/usr/sbin:/sbin") is None, reason="tcpdump is not installed"
)
ALL = Options(all_tcp=True)


class Row(NamedTuple):
    """One frame, as far as no program may change it."""

    time_ns: int
    data: bytes
    original_len: int
    link_type: int


def rows_of(path: Path) -> list[Row]:
    rows = []
    with open_capture(str(path)) as capture:
        for buffer, frames in Reader(capture.chunks()).batches():
            for at in range(len(frames)):
                one = frames[at]
                data = bytes(buffer[one.offset : one.offset + one.captured_len])
                rows.append(Row(one.time_ns, data, one.original_len, one.link_type))
    return rows


def report_on(*sources: Path | Source, options: Options = ALL) -> Report:
    return diagnose([one if isinstance(one, Source) else str(one) for one in sources], options)


def written(path: Path, report: Report, *, chosen: Sequence[str] = (), **more: object) -> Path:
    request = Request(report=report, concerned=concerned(report, chosen), **more)  # type: ignore[arg-type]
    with path.open("wb") as file:
        annotate(request, file.write)
    return path


def tshark(path: Path, *fields: str, only: str = "frame") -> list[list[str]]:
    """Each frame's fields; anything that tshark says beside them is a failure."""
    wanted = [part for field in fields for part in ("-e", field)]
    ran = subprocess.run(
        ["tshark", "-n", "-r", path, "-Y", only, "-T", "fields", "-E", "separator=\x1f", *wanted],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line for line in ran.stderr.splitlines() if "Running as user" not in line] == []
    return [line.split("\x1f") for line in ran.stdout.splitlines()]


def comments(path: Path) -> list[tuple[int, str]]:
    return [
        (int(number), said)
        for number, said in tshark(path, "frame.number", "frame.comment", only="frame.comment")
    ]


# --- nothing is lost and nothing is changed ---------------------------------------------------


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_the_whole_has_every_frame_of_a_sample_untouched(sample: Path, tmp_path: Path) -> None:
    out = written(tmp_path / "out.pcapng", report_on(sample), whole=True)
    assert rows_of(out) == rows_of(sample)


@needs_tshark
@pytest.mark.parametrize("sample", SAMPLES[::4], ids=lambda path: path.name)
def test_tshark_sees_the_same_frames_as_in_the_sample(sample: Path, tmp_path: Path) -> None:
    out = written(tmp_path / "out.pcapng", report_on(sample), whole=True)
    fields = (
        "frame.number",
        "frame.time_epoch",
        "frame.len",
        "frame.cap_len",
        "tcp.seq_raw",
        "tcp.ack_raw",
        "tcp.payload",
    )
    assert tshark(out, *fields) == tshark(sample, *fields)


def public_captures() -> list[Path]:
    """A few hundred of all kinds, the small ones."""
    found = sorted(path for path in PUBLIC.rglob("*") if path.is_file() and path.stat().st_size < 200_000)
    return found[::9]


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the shared public captures are absent")
def test_the_whole_of_public_captures_is_the_same_frame_by_frame(tmp_path: Path) -> None:
    looked = 0
    for path in public_captures():
        report = report_on(path, options=Options())
        if not report.captures or not report.captures[0].frames:
            continue
        out = written(tmp_path / "out.pcapng", report, whole=True)
        assert rows_of(out) == rows_of(path), path
        looked += 1
    assert looked > 100


frames_made = st.lists(
    st.tuples(
        st.integers(0, 2**62),
        st.binary(max_size=60),
        st.integers(0, 2000),
        st.integers(0, 2),
        st.lists(
            st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20), max_size=2
        ),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(frames=frames_made, order=st.sampled_from("<>"), resolution=st.sampled_from([6, 9, 3, 0x94]))
def test_any_frames_on_any_interfaces_come_back(
    frames: list[tuple[int, bytes, int, int, list[str]]], order: str, resolution: int, tmp_path: Path
) -> None:
    content = sf.section(order)
    for link_type in (1, 101, 113):
        content += sf.interface(order, sf.option(order, 9, bytes([resolution])), link_type=link_type)
    for ticks, data, more, interface, said in frames:
        options = b"".join(sf.comment(order, text) for text in said)
        content += sf.enhanced(
            order, data, ticks=ticks, identifier=interface, original_len=len(data) + more, options=options
        )
    source = tmp_path / "made.pcapng"
    source.write_bytes(content)
    out = written(tmp_path / "out.pcapng", report_on(source), whole=True)
    assert rows_of(out) == rows_of(source)
    assert said_in(out) == [text for *_, said in frames for text in said]


def said_in(path: Path) -> list[str]:
    with open_capture(str(path)) as capture:
        reader = Reader(capture.chunks())
        list(reader.batches())
    return [one.text for one in reader.comments if one.frame is not None]


def test_frames_whose_clock_runs_backwards_keep_their_order_and_their_times(tmp_path: Path) -> None:
    source = tmp_path / "back.pcap"
    times = (5, 9, 2, 3, 10)
    source.write_bytes(
        sf.pcap_header() + b"".join(sf.record(data=bytes([at]) * 20, seconds=at) for at in times)
    )
    out = written(tmp_path / "out.pcapng", report_on(source), whole=True)
    assert [row.time_ns // 10**9 for row in rows_of(out)] == list(times)


def test_what_is_damaged_is_written_up_to_the_damage_which_is_told(tmp_path: Path) -> None:
    source = tmp_path / "cut.pcap"
    whole = (ROOT / "samples" / "failure-client.pcap").read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    out = written(tmp_path / "out.pcapng", report_on(source), whole=True)
    assert rows_of(out) == rows_of(source)
    assert b"cut.pcap: damaged: byte " in out.read_bytes()


# --- other programs -----------------------------------------------------------------------------


FAILURE = (
    Source(path="samples/failure-client.pcap", vantage="client"),
    Source(path="samples/failure-asa-outside.pcap", vantage="asa-outside"),
    Source(path="samples/failure-asa-inside.pcap", vantage="asa-inside"),
)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    report = report_on(*(Source(path=str(ROOT / one.path), vantage=one.vantage) for one in FAILURE))
    return written(tmp_path_factory.mktemp("together") / "evidence.pcapng", report)


@needs_tshark
def test_capinfos_reads_it_without_a_warning_and_sees_the_places(together: Path) -> None:
    ran = subprocess.run(["capinfos", together], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    for line in ("Name = client", "Name = asa-outside", "Name = asa-inside", "Number of packets:   801"):
        assert line in ran.stdout
    assert "Strict time order:   True" in ran.stdout
    assert "nanoseconds (9)" in ran.stdout
    assert (
        "Capture comment:     #1 198.51.100.10:60120 to 203.0.113.20:10000: unanswered-duplicate-acks"
        in ran.stdout
    )


@needs_tshark
def test_a_capture_without_a_role_is_named_once_and_a_place_with_its_capture(
    together: Path, tmp_path: Path
) -> None:
    alone = written(tmp_path / "out.pcapng", report_on(ROOT / "samples" / "failure-client.pcap"))
    said = [
        subprocess.run(["capinfos", "-k", path], capture_output=True, text=True, check=True).stdout
        for path in (alone, together)
    ]
    assert "failure-client.pcap; times as captured" in said[0]
    assert "failure-client.pcap: failure-client.pcap" not in said[0]
    assert "client: failure-client.pcap; times as captured" in said[1]


@needs_tcpdump
def test_tcpdump_reads_it_without_a_warning(together: Path) -> None:
    program = shutil.which("tcpdump", path="/usr/bin:/usr/sbin:/sbin")
    ran = subprocess.run([str(program), "-nr", together], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines() == [
        f"reading from file {together}, link-type EN10MB (Ethernet), snapshot length 262144"
    ]
    assert len(ran.stdout.splitlines()) == 801


@needs_tshark
def test_every_decisive_frame_says_what_it_is(tmp_path: Path) -> None:
    out = written(tmp_path / "out.pcapng", report_on(ROOT / "samples" / "failure-client.pcap"))
    byte, of = "byte 3060619500 (relative 12405)", "of failure-client.pcap"
    middle = [
        (frame, f"{ordinal(at)} of 70 duplicate ACKs asking for {byte}; frame {frame} {of}")
        for at, frame in enumerate((187, 190, 191, 196, 197, 199, 203), start=2)
    ]
    assert comments(out) == sorted(
        [
            (180, f"this was the last to move the ACK; frame 180 {of}"),
            (
                183,
                f"the missing segment: it carries {byte} past this point; it is never sent again; "
                f"the receiver lacks it; frame 183 {of}",
            ),
            (
                185,
                f"1st of 70 duplicate ACKs asking for {byte}; the window offers 65535 bytes, the largest segment "
                f"has 1364; no segment after frame 185 carries byte 3060619500; frame 185 {of}",
            ),
            (
                186,
                f"the sender goes on: 69 new segments in the 21.0 s after the first duplicate ACK; frame 186 {of}",
            ),
            *middle,
            (234, f"from here on: in the last 16.5 s no data came back headend to client; frame 234 {of}"),
            (328, f"the last new segment of the sender; frame 328 {of}"),
            (329, f"the end: RST by the client; frame 329 {of}"),
            (
                330,
                f"70th of 70 duplicate ACKs asking for {byte}; the ACK stays at 3060619500 to the end; "
                f"it is still asked for in frame 330; frame 330 {of}",
            ),
        ]
    )


@needs_tshark
def test_a_frame_that_the_next_capture_lacks_says_where_it_was_lost(together: Path) -> None:
    lost = [said for _, said in comments(together) if "lost between" in said]
    assert lost == [
        "the missing segment: it carries byte 3060619500 (relative 12405) past this point; it is never sent again; "
        "the receiver lacks it; not in failure-asa-outside.pcap: lost between client and firewall; "
        "frame 183 of failure-client.pcap"
    ]


@needs_tshark
def test_an_rst_that_a_box_made_is_not_said_to_be_by_the_end_whose_address_it_bears(tmp_path: Path) -> None:
    reset = ROOT / "samples" / "reset-by-middlebox-client.pcap"
    ((frame, said),) = comments(written(tmp_path / "out.pcapng", report_on(reset)))
    assert frame == 163
    assert "the end: RST in the name of the headend; " in said


def test_counts_are_said_as_people_say_them() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 111, 122)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "111th", "122nd",
    ]  # fmt: skip


# --- what pcapng captures say beside their frames -------------------------------------------------


@needs_tshark
@pytest.mark.parametrize("order", ["<", ">"])
def test_options_names_secrets_and_counters_survive_in_either_byte_order(order: str, tmp_path: Path) -> None:
    source = tmp_path / "rich.pcapng"
    source.write_bytes(rich(order))
    out = written(tmp_path / "out.pcapng", report_on(source), whole=True)
    assert rows_of(out) == rows_of(source)
    fields = (
        "frame.packet_flags",
        "frame.comment",
        "frame.drop_count",
        "frame.interface_id",
        "frame.time_epoch",
    )
    assert tshark(out, *fields[:2]) == tshark(source, *fields[:2])
    times = tshark(source, *fields[3:])
    assert times.pop() == ["0", ""], (
        "the simple packet has no time of its own: it is given that of the one before"
    )
    assert tshark(out, *fields[3:]) == [*times, times[-1]]
    names = subprocess.run(
        ["tshark", "-r", out, "-N", "n", "-T", "fields", "-e", "ip.src_host"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "headend.example" in names.stdout
    content = out.read_bytes()
    assert sf.block("<", 10, pack("<II", 0x544C534B, 4) + b"abcd") in content
    assert (
        sf.statistics(
            "<", sf.counter("<", 4, 77) + sf.counter("<", 5, 7) + sf.option("<", 0, b""), identifier=0
        )
        in content
    )
    assert b"Linux 6" in content
    assert b"rich.pcapng was" not in content
    assert b"written by some program" in content
    assert b"a section of old" in content


def rich(order: str) -> bytes:
    """Everything that a capturing program may write."""
    ip = bytes.fromhex("450000280001000040060000c6336414c0000201") + bytes(20)
    frame = bytes(12) + b"\x08\x00" + ip
    end = sf.option(order, 0, b"")
    section = (
        sf.option(order, 3, b"Linux 6")
        + sf.option(order, 4, b"some program")
        + sf.comment(order, "a section of old")
    )
    interface = sf.option(order, 2, b"eth0") + sf.option(order, 8, pack(f"{order}Q", 10**9)) + end
    options = (
        sf.option(order, 2, pack(f"{order}I", 0x1234))
        + sf.comment(order, "first thought")
        + sf.comment(order, "second")
    )
    name = (
        pack(f"{order}HH", 1, 20)
        + bytes([198, 51, 100, 20])
        + b"headend.example\0"
        + pack(f"{order}HH", 0, 0)
    )
    return (
        sf.section(order, section)
        + sf.interface(order, interface)
        + sf.block(order, 4, name)
        + sf.block(order, 10, pack(f"{order}II", 0x544C534B, 4) + b"abcd")
        + sf.enhanced(order, frame, ticks=1_700_000_000_000_000, options=options + end)
        + sf.obsolete(order, frame, ticks=1_700_000_000_000_001, drops=3)
        + sf.simple(order, frame)
        + sf.statistics(order, sf.counter(order, 4, 77) + sf.counter(order, 5, 7) + end)
    )


def test_times_finer_than_nanoseconds_are_cut_and_that_is_said(tmp_path: Path) -> None:
    source = tmp_path / "fine.pcapng"
    source.write_bytes(
        sf.section()
        + sf.interface(options=sf.option("<", 9, b"\x0c"))
        + sf.enhanced(data=b"abc", ticks=5_999)
    )
    out = written(tmp_path / "out.pcapng", report_on(source), whole=True)
    assert [row.time_ns for row in rows_of(out)] == [5]
    assert b"10^-12 s cut to nanoseconds" in out.read_bytes()


# --- what belongs to a flow ------------------------------------------------------------------------


CLIENT, HEADEND = bytes([192, 0, 2, 1]), bytes([198, 51, 100, 20])


def ipv4(
    src: bytes, dst: bytes, payload: bytes, *, protocol: int = 6, ip_id: int = 1, fragment: int = 0
) -> bytes:
    return (
        pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ip_id, fragment, 64, protocol, 0, src, dst)
        + payload
    )


def tcp(sport: int, dport: int, seq: int, flags: int, payload: bytes = b"") -> bytes:
    return pack(">HHIIBBHHH", sport, dport, seq, 0, 0x50, flags, 1000, 0, 0) + payload


def gre(inside: bytes) -> bytes:
    return ipv4(b"\x0a\0\0\1", b"\x0a\0\0\2", b"\0\0\x08\0" + inside, protocol=47)


def savefile(path: Path, *datagrams: bytes) -> Path:
    records = (sf.record(data=one, seconds=at) for at, one in enumerate(datagrams, start=1))
    path.write_bytes(sf.pcap_header(network=101) + b"".join(records))
    return path


def test_errors_fragments_and_tunnels_of_a_flow_belong_to_it_and_nothing_else_does(tmp_path: Path) -> None:
    syn = ipv4(CLIENT, HEADEND, tcp(40000, 10000, 1, 2))
    big = tcp(40000, 10000, 2, 0x18, bytes(40))
    broken = tcp(40000, 10000, 50, 0x18, bytes(40))
    other = ipv4(CLIENT, HEADEND, tcp(40001, 10000, 1, 2))
    other_big = tcp(40001, 443, 2, 0x18, bytes(40))
    source = savefile(
        tmp_path / "mixed.pcap",
        syn,  # 1
        other,
        ipv4(CLIENT, HEADEND, big[32:], ip_id=7, fragment=4),  # 3: the last piece comes first
        ipv4(CLIENT, HEADEND, other_big[:32], ip_id=8, fragment=0x2000),
        ipv4(CLIENT, HEADEND, big[:32], ip_id=7, fragment=0x2000),  # 5
        ipv4(CLIENT, HEADEND, other_big[32:], ip_id=8, fragment=4),
        gre(ipv4(CLIENT, HEADEND, tcp(40000, 10000, 42, 0x18, b"abc"))),  # 7
        gre(other),
        ipv4(CLIENT, HEADEND, broken[:32], ip_id=9, fragment=0x2000),  # 9: its other piece never comes
        ipv4(HEADEND, CLIENT, pack(">BBHI", 3, 13, 0, 0) + syn[:28], protocol=1),  # 10
        ipv4(HEADEND, CLIENT, pack(">BBHI", 3, 13, 0, 0) + other[:28], protocol=1),
    )
    report = report_on(source)
    number = next(at for at, flow in enumerate(report.flows, start=1) if flow.client.port == 40000)
    out = written(tmp_path / "out.pcapng", report, chosen=[f"#{number}"])
    wanted = (1, 3, 5, 7, 9, 10)
    assert [row.time_ns // 10**9 for row in rows_of(out)] == list(wanted)


def test_a_port_that_is_used_again_is_another_flow(tmp_path: Path) -> None:
    first = [ipv4(CLIENT, HEADEND, tcp(40000, 10000, seq, flags)) for seq, flags in ((1, 2), (2, 4))]
    second = [ipv4(CLIENT, HEADEND, tcp(40000, 10000, seq, flags)) for seq, flags in ((900, 2), (901, 4))]
    source = savefile(tmp_path / "again.pcap", *first, *second)
    out = written(tmp_path / "out.pcapng", report_on(source), chosen=["2"])
    assert [row.time_ns // 10**9 for row in rows_of(out)] == [3, 4]


def test_a_flow_that_is_not_there_is_refused_with_those_that_are() -> None:
    report = report_on(ROOT / "samples" / "healthy.pcap")
    with pytest.raises(ChoiceError, match=r"there is no flow #7; there is #1 [0-9a-f]{16}"):
        concerned(report, ["#7"])


# --- clocks -----------------------------------------------------------------------------------------


def piece(**told: object) -> ClockPiece:
    facts = {
        "from_frame": 1,
        "to_frame": 9,
        "at_ns": 10**18,
        "offset_low_ns": 100,
        "offset_high_ns": 300,
        "matches": 30,
    }
    return ClockPiece(**(facts | told))  # type: ignore[arg-type]


def test_a_clock_is_moved_by_the_middle_of_what_causality_allows() -> None:
    stretch = stretch_of(piece())
    assert stretch.nearer(10**18 + 200) == 10**18
    assert stretch.farther(10**18) == 10**18 + 200


def test_a_clock_that_may_be_right_is_left_alone() -> None:
    assert stretch_of(piece(offset_low_ns=-1, offset_high_ns=1000)).is_even
    assert stretch_of(piece(offset_low_ns=None, offset_high_ns=1000)).is_even
    assert stretch_of(piece(offset_low_ns=5, offset_high_ns=None)).offset_ns == 5
    assert stretch_of(piece(offset_low_ns=None, offset_high_ns=-7)).offset_ns == -7


@given(st.integers(-(10**13), 10**13), st.integers(-500_000, 500_000))
def test_there_and_back_is_the_same_time_within_a_nanosecond(since_ns: int, skew_ppb: int) -> None:
    ppm = skew_ppb / 1000
    stretch = stretch_of(piece(skew_ppm=ppm, skew_low_ppm=ppm, skew_high_ppm=ppm))
    assert abs(stretch.nearer(stretch.farther(10**18 + since_ns)) - 10**18 - since_ns) <= 1


def test_several_captures_are_told_by_one_clock_and_each_in_its_own_order(tmp_path: Path) -> None:
    later = tmp_path / "asa.pcap"
    content = (ROOT / "samples" / "failure-asa-outside.pcap").read_bytes()
    later.write_bytes(shifted(content, 3600))
    client = ROOT / "samples" / "failure-client.pcap"
    report = report_on(
        Source(path=str(client), vantage="client"), Source(path=str(later), vantage="asa-outside")
    )
    out = written(tmp_path / "out.pcapng", report)
    times = [row.time_ns for row in rows_of(out)]
    assert times == sorted(times)
    assert times[-1] - times[0] < 60 * 10**9
    assert "asa-outside less client is +59 m 59.999 s ± 0.01" in out.read_bytes().decode(errors="replace")
    assert written(tmp_path / "own.pcapng", report, aligns=False).read_bytes().count(b"not aligned") >= 2
    assert max(row.time_ns for row in rows_of(tmp_path / "own.pcapng")) - times[0] > 3600 * 10**9


def shifted(savefile: bytes, seconds: int) -> bytes:
    """A little-endian pcap with another clock."""
    out, at = bytearray(savefile), 24
    while at < len(out):
        out[at : at + 4] = pack("<I", int.from_bytes(out[at : at + 4], "little") + seconds)
        at += 16 + int.from_bytes(out[at + 8 : at + 12], "little")
    return bytes(out)


# --- from a stored report, compressed, rewritten ----------------------------------------------------


def test_a_compressed_capture_gives_the_same_frames_and_both_hashes(tmp_path: Path) -> None:
    source = ROOT / "samples" / "failure-client.pcap"
    packed = tmp_path / "client.pcap.gz"
    packed.write_bytes(gzip.compress(source.read_bytes(), mtime=0))
    out = written(tmp_path / "out.pcapng", report_on(packed))
    assert rows_of(out) == rows_of(source)
    assert b", unpacked " in out.read_bytes()


def test_a_capture_that_is_another_now_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "client.pcap"
    content = (ROOT / "samples" / "failure-client.pcap").read_bytes()
    source.write_bytes(content)
    report = report_on(source)
    source.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CaptureError, match="is not what it was when it was analyzed"):
        written(tmp_path / "out.pcapng", report, is_stored=True)
    source.write_bytes(content + sf.record(data=b"more", seconds=1_900_000_000))
    with pytest.raises(CaptureError, match="331 frames then, 332 now"):
        written(tmp_path / "out.pcapng", report)


def test_what_rewrites_frames_is_asked_for_each_and_nothing_foreign_is_copied(tmp_path: Path) -> None:
    source = tmp_path / "rich.pcapng"
    source.write_bytes(rich("<"))
    asked: list[int] = []

    def rewrite(data: bytes, link_type: int) -> bytes | None:
        asked.append(link_type)
        return None if len(asked) == 2 else data[:10]

    out = written(tmp_path / "out.pcapng", report_on(source), whole=True, rewrite=rewrite)
    assert asked == [1, 1, 1]
    assert [len(row.data) for row in rows_of(out)] == [10, 10]
    assert [row.original_len for row in rows_of(out)] == [54, 54]
    content = out.read_bytes()
    assert b"MODIFIED" in content
    assert b"(modified)" in content
    for hidden in (
        b"first thought",
        b"headend.example",
        b"abcd",
        b"eth0",
        b"Linux 6",
        b"some program",
        b"section of old",
    ):
        assert hidden not in content


def test_the_same_captures_give_the_same_bytes(tmp_path: Path) -> None:
    report = report_on(*(Source(path=str(ROOT / one.path), vantage=one.vantage) for one in FAILURE))
    one, other = (written(tmp_path / name, report).read_bytes() for name in ("a", "b"))
    assert one == other

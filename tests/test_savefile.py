"""Savefiles: every format and byte order, and for each kind of damage the exact words and the byte."""

from __future__ import annotations

import csv
import gc
import os
import random
import shutil
import subprocess
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from struct import pack
from types import ModuleType
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics import _kernel, savefile
from ctcp_forensics._kernel import plain_walk
from ctcp_forensics._kernel.rows import Frame
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.savefile import Comment, Damage, Interface, Reader
from ctcp_forensics.savefile.account import MAX_COMMENTS, MAX_DAMAGE, MAX_INTERFACE_TEXT
from tests import savefiles as sf
from tests.kernels import COMPILED, WALKS, both_walks, needs_core

SHARED = Path(__file__).parent.parent / ".." / "shared" / "captures"
needs_captures = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/captures is not here")
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


class Seen(NamedTuple):
    """All that a reader says about one savefile."""

    frames: list[Frame]
    """With offset 0: where in a buffer a frame lies depends on the chunks."""
    data: list[bytes]
    reader: Reader
    error: CaptureError | None

    @property
    def damage(self) -> list[tuple[int, str]]:
        return [(damage.offset, damage.reason) for damage in self.reader.damage]

    @property
    def everything(self) -> tuple[object, ...]:
        said = self.reader
        account = (said.format, said.outcome, said.interfaces, said.damage, said.comments, said.notes)
        return (self.frames, self.data, account, str(self.error), said.first_ns, said.last_ns)


def read(
    content: bytes, cuts: tuple[int, ...] = (), kernel: ModuleType = _kernel, first_number: int = 1
) -> Seen:
    """Read `content` in chunks that end at `cuts`; each chunk is wiped when the next one is asked for."""
    reader = Reader(_chunks(content, cuts), source="some.pcap", first_number=first_number, kernel=kernel)
    frames: list[Frame] = []
    data: list[bytes] = []
    error = None
    try:
        for buffer, batch in reader.batches():
            for index in range(len(batch)):
                frame = batch[index]
                data.append(bytes(buffer[frame.offset : frame.offset + frame.captured_len]))
                frames.append(frame._replace(offset=0))
    except CaptureError as raised:
        error = raised
    return Seen(frames, data, reader, error)


def _chunks(content: bytes, cuts: tuple[int, ...]) -> Iterator[bytearray]:
    edges = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    for start, end in pairwise(edges):
        chunk = bytearray(content[start:end])
        yield chunk
        chunk[:] = b"\xee" * len(chunk)


def rejection(content: bytes) -> tuple[int | None, str]:
    seen = read(content)
    assert seen.error is not None
    assert seen.reader.outcome == "rejected"
    return seen.error.offset, seen.error.reason


# --- the second file of a capture ------------------------------------------------------------


COMMENTED = (
    sf.section()
    + sf.interface()
    + sf.enhanced(data=b"abc", options=sf.comment("<", "first"))
    + sf.block("<", 0xBAD, bytes(4))
    + sf.simple(data=b"de")
)


@pytest.mark.parametrize("kernel", WALKS)
def test_numbers_of_the_second_file_go_on_behind_the_first(kernel: ModuleType) -> None:
    first = read(COMMENTED, kernel=kernel)
    assert first.reader.next_number == 4
    second = read(COMMENTED, kernel=kernel, first_number=first.reader.next_number)
    assert [frame.number for frame in first.frames + second.frames] == [1, 3, 4, 6]
    assert second.reader.next_number == 7


@pytest.mark.parametrize("kernel", WALKS)
@pytest.mark.parametrize(
    "content",
    [
        COMMENTED,
        COMMENTED[:-4],
        COMMENTED + sf.enhanced(data=b"abc", identifier=7),
        sf.pcap_header() + sf.record(data=b"abc") * 2 + sf.record(data=b"abc")[:18],
        sf.pcap_header() + sf.record(data=b"abc") + sf.record(captured_len=1 << 30),
    ],
    ids=["whole", "cut block", "no such interface", "cut record", "too long"],
)
def test_what_is_said_of_the_second_file_counts_from_1(kernel: ModuleType, content: bytes) -> None:
    alone, second = read(content, kernel=kernel), read(content, kernel=kernel, first_number=10**6)
    assert second.everything[1:] == alone.everything[1:]
    assert (second.reader.frames, second.damage) == (alone.reader.frames, alone.damage)
    assert [frame._replace(number=frame.number - 10**6 + 1) for frame in second.frames] == alone.frames


# --- pcap ----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("magic", "form", "resolution", "time_ns"),
    [
        (sf.MICRO, "pcap", "10^-6 s", 1_700_000_000_000_123_000),
        (sf.NANO, "nsecpcap", "10^-9 s", 1_700_000_000_000_000_123),
    ],
)
def test_pcap_in_both_resolutions_and_byte_orders(
    order: str, magic: int, form: str, resolution: str, time_ns: int
) -> None:
    seen = read(
        sf.pcap_header(order, magic=magic, snap_len=96, network=sf.RAW_IP)
        + sf.record(order, b"abc", seconds=1_700_000_000, fraction=123, original_len=1500)
    )
    assert seen.reader.format == form
    assert seen.reader.interfaces == (
        Interface(index=0, link_type=sf.RAW_IP, snap_len=96, resolution=resolution),
    )
    assert seen.frames == [Frame(1, time_ns, 0, 3, 1500, 0, sf.RAW_IP, 0)]
    assert seen.data == [b"abc"]
    assert seen.reader.outcome == "complete"
    assert (seen.reader.first_ns, seen.reader.last_ns) == (time_ns, time_ns)


def test_a_pcap_without_frames_is_complete_and_has_no_times() -> None:
    seen = read(sf.pcap_header())
    assert (seen.reader.outcome, seen.reader.frames, seen.reader.first_ns) == ("complete", 0, None)


def test_the_fcs_length_above_the_link_type_is_set_aside() -> None:
    seen = read(sf.pcap_header(network=0x2400_0001) + sf.record(data=b"abc"))
    assert seen.frames[0].link_type == sf.ETHERNET


PATCHED = pack("<IHBB", 3, 0x0800, 0, 0)
NOKIA = pack("<I", 0x9FBFB601)


@pytest.mark.parametrize(
    ("magic", "more_header", "form"),
    [
        (sf.MODIFIED, PATCHED, "modpcap"),
        (sf.MODIFIED, pack("<IHB5s", 3, 0x0800, 0, b"debug"), "suse6_3pcap"),
        (sf.MICRO, PATCHED, "rh6_1pcap"),
        (sf.MICRO, NOKIA, "nokiapcap"),
        (sf.MICRO, b"", "pcap"),
    ],
)
def test_variants_of_one_magic_number_are_told_apart_by_their_records(
    magic: int, more_header: bytes, form: str
) -> None:
    frames = [bytes([number]) * 60 for number in range(5)]
    seen = read(
        sf.pcap_header(magic=magic)
        + b"".join(sf.record(data=data, seconds=1, more_header=more_header) for data in frames)
    )
    assert (seen.reader.format, seen.data, seen.reader.outcome) == (form, frames, "complete")


@pytest.mark.parametrize(("magic", "form"), [(0x1C0001AC, "nsecpcap"), (0x1C0001AB, "pcap")])
def test_ixia_counts_the_bytes_after_the_file_header(magic: int, form: str) -> None:
    seen = read(sf.pcap_header(magic=magic) + pack("<I", 19) + sf.record(data=b"abc"))
    assert (seen.reader.format, seen.data) == (form, [b"abc"])


@pytest.mark.parametrize("version", [(2, 2), (543, 0)])
def test_old_versions_write_the_original_length_first(version: tuple[int, int]) -> None:
    content = sf.pcap_header(version=version) + sf.record(data=b"abc", captured_len=9, original_len=3)
    assert read(content).data == [b"abc"]


@pytest.mark.parametrize(
    ("content", "offset", "reason"),
    [
        (
            sf.pcap_header()[:20],
            20,
            "the pcap file header is cut off after 20 bytes",
        ),
        (sf.pcap_header(version=(1, 9)), 4, "pcap version 1.9 is unknown"),
        (
            sf.pcap_header(network=0x0020_0001),
            20,
            "the reserved bits of the link type are not zero (0x00200001)",
        ),
    ],
)
def test_a_pcap_that_cannot_be_read_at_all(content: bytes, offset: int, reason: str) -> None:
    assert rejection(content) == (offset, reason)


# --- pcapng --------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcapng_with_everything(order: str) -> None:
    options = (
        sf.option(order, 2, b"eth0")
        + sf.option(order, 9, b"\x09")
        + sf.option(order, 11, b"\0tcp port 10000")
        + sf.option(order, 14, pack(f"{order}q", 1000))
        + sf.comment(order, "taken at the client")
    )
    seen = read(
        sf.section(order, sf.comment(order, "case 4711"))
        + sf.interface(order, options, snap_len=96)
        + sf.interface(order, sf.option(order, 9, b"\x94"), link_type=sf.RAW_IP)
        + sf.block(order, 4, bytes(8))
        + sf.enhanced(order, b"abc", ticks=7, original_len=99, options=sf.comment(order, "the lost one"))
        + sf.enhanced(order, b"defgh", ticks=3 << 20, identifier=1)
        + sf.block(order, 0x0BAD, bytes(64))
        + sf.simple(order, b"i", original_len=1)
        + sf.statistics(order, sf.counter(order, 5, 1) + sf.counter(order, 7, 2))
        + sf.statistics(order, sf.counter(order, 5, 10) + sf.counter(order, 7, 20))
        + sf.block(order, 10, bytes(16))
    )
    assert seen.frames == [
        Frame(1, 1_000_000_000_007, 0, 3, 99, 0, sf.ETHERNET, 1),
        Frame(2, 3_000_000_000, 0, 5, 5, 1, sf.RAW_IP, 0),
        Frame(4, 3_000_000_000, 0, 1, 1, 0, sf.ETHERNET, 0),
    ]
    assert seen.data == [b"abc", b"defgh", b"i"]
    assert seen.reader.interfaces == (
        Interface(
            index=0,
            link_type=sf.ETHERNET,
            snap_len=96,
            resolution="10^-9 s",
            name="eth0",
            filter="tcp port 10000",
            dropped=30,
        ),
        Interface(index=1, link_type=sf.RAW_IP, snap_len=0, resolution="2^-20 s"),
    )
    assert seen.reader.comments == (
        Comment(frame=None, text="case 4711"),
        Comment(frame=None, text="taken at the client"),
        Comment(frame=1, text="the lost one"),
    )
    assert (seen.reader.format, seen.reader.outcome) == ("pcapng", "complete")
    assert seen.reader.out_of_order_frames == 1
    assert seen.reader.notes == (
        "1 frames carry no usable time; each is given the time of the frame before",
        "1 records are no packets; they have frame numbers, as in Wireshark",
    )


def test_sections_of_both_byte_orders_in_one_file() -> None:
    one = sf.section("<") + sf.interface("<") + sf.enhanced("<", b"a", ticks=1)
    other = sf.section(">") + sf.interface(">", link_type=sf.RAW_IP) + sf.enhanced(">", b"b", ticks=2)
    seen = read(one + other + one)
    assert [(frame.number, frame.interface, frame.link_type) for frame in seen.frames] == [
        (1, 0, sf.ETHERNET),
        (2, 1, sf.RAW_IP),
        (3, 2, sf.ETHERNET),
    ]
    assert [interface.index for interface in seen.reader.interfaces] == [0, 1, 2]


def test_drops_counted_packet_by_packet_where_no_statistics_say_more() -> None:
    head = sf.section() + sf.interface()
    packets = sf.obsolete(data=b"a", drops=2) + sf.obsolete(data=b"b", drops=3)
    assert read(head + packets).reader.interfaces[0].dropped == 5
    counted = packets + sf.statistics(options=sf.counter("<", 5, 4))
    assert read(head + counted).reader.interfaces[0].dropped == 4
    assert read(head + sf.statistics()).reader.interfaces[0].dropped is None


def test_a_statistics_block_counts_for_the_interface_of_its_own_section() -> None:
    first = sf.section() + sf.interface() + sf.statistics(options=sf.counter("<", 5, 1))
    second = sf.section() + sf.interface() + sf.statistics(options=sf.counter("<", 5, 2))
    assert [one.dropped for one in read(first + second).reader.interfaces] == [1, 2]


def test_version_1_2_is_read_as_1_0() -> None:
    assert read(sf.section(version=(1, 2)) + sf.interface() + sf.enhanced(data=b"a")).data == [b"a"]


def test_a_time_out_of_range_is_given_up_and_said() -> None:
    """A made-up time could prove a silence that never was."""
    seen = read(
        sf.section()
        + sf.interface()
        + sf.enhanced(data=b"a", ticks=5)
        + sf.enhanced(data=b"b", ticks=2**64 - 1)
    )
    assert [frame.time_ns for frame in seen.frames] == [5000, 5000]
    assert seen.reader.last_ns == 5000
    assert seen.reader.notes[1] == "1 of them have a time outside 1970 to 2262"


def test_more_captured_than_sent_is_kept_and_said() -> None:
    seen = read(sf.pcap_header() + sf.record(data=b"abcd", original_len=3))
    assert seen.reader.outcome == "complete"
    assert seen.reader.notes == ("1 frames hold more bytes than they say were on the wire",)


def test_comments_are_capped_and_the_cap_is_said() -> None:
    frame = sf.enhanced(data=b"a", options=sf.comment("<", "x"))
    seen = read(sf.section() + sf.interface() + frame * (MAX_COMMENTS + 7))
    assert len(seen.reader.comments) == MAX_COMMENTS
    assert seen.reader.comment_count == MAX_COMMENTS + 7
    assert f"7 or more comments are not kept beyond the first {MAX_COMMENTS}" in seen.reader.notes


def test_names_of_interfaces_are_kept_up_to_a_sum_and_the_rest_is_counted() -> None:
    named = sf.interface(options=sf.option("<", 2, b"n" * 2000) + sf.option("<", 11, b"\0" + b"f" * 2000))
    kept, more = MAX_INTERFACE_TEXT // 4000, 5
    seen = read(sf.section() + named * (kept + more) + sf.interface())
    names = [len(one.name) + len(one.filter) for one in seen.reader.interfaces]
    assert names == [4000] * kept + [0] * (more + 1)
    assert seen.reader.notes == (
        f"{more} interfaces stand without name and filter, of which {MAX_INTERFACE_TEXT} characters are kept",
    )


def test_hostile_text_is_bounded_and_made_unicode() -> None:
    options = sf.option("<", 2, b"\xff\xfe") + sf.option("<", 1, b"x" * 50_000)
    seen = read(sf.section() + sf.interface(options=options))
    assert seen.reader.interfaces[0].name == "\ufffd\ufffd"
    assert seen.reader.comments[0].text == "x" * 2000 + "…"


# --- damage: the words, the byte, and the frames before it ------------------------------------

PCAP = sf.pcap_header() + sf.record(data=b"abc")
PCAPNG = sf.section() + sf.interface() + sf.enhanced(data=b"abcd")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (
            sf.record(captured_len=0xFFFFFFFF),
            "frame 2 claims 4294967295 captured bytes; more than 262144 are not believed",
        ),
        (sf.record(data=b"abc")[:7], "the savefile ends inside frame 2"),
        (sf.record(data=b"abc")[:-1], "the savefile ends inside frame 2"),
    ],
)
def test_damage_in_pcap(broken: bytes, reason: str) -> None:
    seen = read(PCAP + broken)
    assert seen.data == [b"abc"]
    assert seen.damage == [(len(PCAP), reason)]
    assert seen.reader.outcome == "partial"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (
            sf.enhanced(captured_len=0xFFFFFFFF),
            "frame 2 claims 4294967295 captured bytes; more than 262144 are not believed",
        ),
        (
            sf.enhanced(data=b"abcd", captured_len=5),
            "frame 2 claims 5 captured bytes, more than its enhanced packet block of 36 bytes holds",
        ),
        (
            sf.simple(data=b"abcd", original_len=5),
            "frame 2 claims 5 captured bytes, more than its simple packet block of 20 bytes holds",
        ),
        (
            sf.enhanced(identifier=1),
            "frame 2 names interface 1, which its section has not described",
        ),
        (
            sf.statistics(identifier=3),
            "interface statistics block names interface 3, which its section has not described",
        ),
        (
            sf.block("<", 6, length=7),
            "enhanced packet block claims 7 bytes, too few for its own fields",
        ),
        (sf.block("<", 99, length=7), "block of type 0x63 claims 7 bytes, too few for its own fields"),
        (
            sf.block("<", 1, length=0x0100_0004),
            "interface description block claims 16777220 bytes; more than 16777216 are not believed",
        ),
        (
            sf.block("<", 2, bytes(64), trailer=72),
            "packet block claims 76 bytes at its start and 72 at its end",
        ),
        (
            sf.block("<", 0x0BAD, bytes(64), trailer=0),
            "block of type 0xbad claims 76 bytes at its start and 0 at its end",
        ),
        (sf.section(version=(2, 0)), "pcapng version 2.0 is unknown"),
        (
            sf.section(magic=0x11223344),
            "the byte-order magic of a section header block is not 1a2b3c4d either way",
        ),
        (
            sf.block("<", 0x0A0D0D0A, pack("<I", sf.SECTION_MAGIC), length=16),
            "a section header block cannot have 16 bytes",
        ),
        (
            sf.block("<", 0x0A0D0D0A, pack("<IHHq", sf.SECTION_MAGIC, 1, 0, -1), trailer=4),
            "section header block claims 28 bytes at its start and 4 at its end",
        ),
        (sf.enhanced(data=b"abcd")[:-1], "the savefile ends inside frame 2"),
        (sf.enhanced(data=b"abcd")[:5], "the savefile ends inside frame 2"),
        (b"\x06", "the savefile ends inside a block"),
        (sf.section()[:11], "the savefile ends inside a section header block"),
        (sf.section()[:27], "the savefile ends inside a section header block"),
        (sf.interface()[:-1], "the savefile ends inside an interface description block"),
        (sf.block("<", 99, bytes(64))[:30], "the savefile ends inside a block of type 0x63"),
        (sf.block("<", 99, length=0xFFFFFFFC), "the savefile ends inside a block of type 0x63"),
    ],
)
def test_damage_in_pcapng(broken: bytes, reason: str) -> None:
    seen = read(PCAPNG + broken)
    assert seen.data == [b"abcd"]
    assert seen.damage == [(len(PCAPNG), reason)]
    assert seen.reader.outcome == "partial"
    byte_by_byte = read(PCAPNG + broken, cuts=tuple(range(len(PCAPNG + broken))))
    assert byte_by_byte.everything == seen.everything


def test_nothing_after_the_damage_is_believed() -> None:
    seen = read(PCAPNG + sf.enhanced(identifier=9) + PCAPNG)
    assert (len(seen.frames), len(seen.damage)) == (1, 1)


def test_options_that_break_off_cost_only_themselves() -> None:
    options = sf.comment("<", "kept") + pack("<HH", 2, 400)
    seen = read(sf.section() + sf.interface(options=options) + sf.enhanced(data=b"abcd"))
    assert seen.data == [b"abcd"]
    assert seen.damage == [(28, "option 2 of 400 bytes goes beyond its block")]
    assert [comment.text for comment in seen.reader.comments] == ["kept"]


def test_the_list_of_damage_is_capped_and_the_cap_is_said() -> None:
    broken = sf.interface(options=pack("<HH", 2, 400))
    seen = read(sf.section() + broken * (MAX_DAMAGE + 3))
    assert len(seen.reader.damage) == MAX_DAMAGE
    assert f"3 more places are damaged than the {MAX_DAMAGE} listed" in seen.reader.notes


def test_interfaces_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(savefile.reader, "MAX_INTERFACES", 3)
    seen = read(sf.section() + sf.interface() * 4 + sf.enhanced(data=b"a"))
    assert seen.damage == [(28 + 3 * 20, "more than 3 interfaces")]


FRAMES_IN_WORDS = (
    "is a text file; give the capture that it tells of: tcpdump writes it with -w, an ASA with `copy /pcap`"
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"13:37:00 IP 10.0.0.1 > 10.0.0.2: ESP\n" * 40, FRAMES_IN_WORDS),
        (b"2 packets captured\n\n   1: 13:37:00.5  10.0.0.1.4500 > 10.0.0.2.10000: S\n", FRAMES_IN_WORDS),
        (b"13:37:00 10.0.0.1 logged in\na > b\n", "is a text file"),
        ("13:37:00".encode("utf-16"), "is a text file in UTF-16"),
        (
            b'\xef\xbb\xbf{"schema_version": "1.5",\n',
            "is a report of ctcp-diag; `ctcp-diag render` shows it, and needs no capture",
        ),
        ("naïve".encode() * 103, "is a text file"),
        (
            b'{\n  "schema_version": "1.5",\n',
            "is a report of ctcp-diag; `ctcp-diag render` shows it, and needs no capture",
        ),
        (b'{"schema": 1}', "is a text file"),
        (b"\x7fELF\x02\x01\x01", "is a program (ELF)"),
        (
            b"PK\x03\x04....",
            "is a zip archive; name a capture in it as ARCHIVE!/NAME, or `ctcp-diag scan` all of them",
        ),
        (b"snoop\0\0\0\0\0\0\2", "is a Solaris snoop file; `editcap -F pcap` converts it"),
        (b"\x1f\x8b\x08\0", "is compressed once more (gzip); only one layer is opened"),
        (
            b"a.pcap".ljust(257, b"\0") + b"ustar",
            "is a tar archive; name a capture in it as ARCHIVE!/NAME, or `ctcp-diag scan` all of them",
        ),
        (b"\x01\x02\x03\x04\x05", "is no savefile: it starts with 01 02 03 04"),
        (sf.section()[:9], "the savefile ends inside a section header block"),
        (sf.section(version=(3, 1)), "pcapng version 3.1 is unknown"),
    ],
)
def test_what_is_no_savefile_is_named(content: bytes, reason: str) -> None:
    assert rejection(content) == (0, reason)


def test_an_error_of_the_chunks_is_damage_after_the_frames_before_it() -> None:
    def chunks() -> Iterator[bytes]:
        yield PCAP + sf.record(data=b"abc")[:10]
        raise CaptureError("x.gz", offset=77, reason="the gzip data ends early")

    reader = Reader(chunks())
    assert sum(len(frames) for _, frames in reader.batches()) == 1
    assert reader.damage == (
        Damage(offset=len(PCAP), reason="the gzip data ends early, at byte 77 of the file, inside frame 2"),
    )


def test_an_error_between_two_frames_is_damage_too() -> None:
    def chunks() -> Iterator[bytes]:
        yield PCAP
        raise CaptureError("x.gz", offset=77, reason="the gzip data is damaged (checksum)")

    reader = Reader(chunks())
    assert sum(len(frames) for _, frames in reader.batches()) == 1
    assert [one.reason for one in reader.damage] == [
        "the gzip data is damaged (checksum), at byte 77 of the file"
    ]


def test_an_error_before_the_first_byte_is_an_error() -> None:
    def chunks() -> Iterator[bytes]:
        yield from ()
        raise CaptureError("x", offset=0, reason="cannot be read on: input/output error")

    with pytest.raises(CaptureError, match="x: byte 0: cannot be read on"):
        list(Reader(chunks()).batches())


def test_the_rest_goes_by_after_damage_so_that_a_hash_covers_it() -> None:
    taken: list[bytes] = []

    def chunks() -> Iterator[bytes]:
        for chunk in (PCAP + sf.record(captured_len=0xFFFFFFFF), b"the rest", b"of the file"):
            taken.append(chunk)
            yield chunk

    list(Reader(chunks()).batches())
    assert len(taken) == 3


def test_a_block_larger_than_memory_passes_without_being_held() -> None:
    """Four gigabytes in a block that nobody needs, streamed in one-megabyte chunks of the same memory."""
    megabyte = bytes(1 << 20)
    huge = 1 << 32

    def chunks() -> Iterator[bytes]:
        yield sf.section() + sf.interface() + pack("<II", 0x99, huge - 4)
        for _ in range((huge >> 20) - 1):
            yield megabyte
        yield megabyte[: (1 << 20) - 16] + pack("<I", huge - 4) + sf.enhanced(data=b"after")

    reader = Reader(chunks())
    assert [len(frames) for _, frames in reader.batches()] == [1]
    assert reader.outcome == "complete"


# --- chunks and kernels ------------------------------------------------------------------------

SOUND = [
    PCAP + sf.record(data=bytes(40)) * 3,
    sf.pcap_header(">", magic=sf.NANO) + sf.record(">", b"abc", seconds=5) * 4,
    sf.pcap_header() + sf.record(data=b"nokia", more_header=NOKIA) * 4,
    sf.section("<", sf.comment("<", "c"))
    + sf.interface("<", sf.option("<", 9, b"\x09"))
    + sf.enhanced("<", b"abc", ticks=5, options=sf.comment("<", "d"))
    + sf.block("<", 0x77, bytes(50))
    + sf.section(">")
    + sf.interface(">", link_type=sf.RAW_IP)
    + sf.simple(">", b"e")
    + sf.obsolete(">", b"fgh", ticks=9, drops=1)
    + sf.statistics(">", sf.counter(">", 5, 3)),
]


@pytest.mark.parametrize("kernel", WALKS)
@given(content=st.sampled_from(SOUND), cuts=st.lists(st.integers(0, 500), max_size=12))
def test_frames_do_not_depend_on_where_chunks_end(
    kernel: ModuleType, content: bytes, cuts: list[int]
) -> None:
    whole = read(content, kernel=kernel)
    assert whole.reader.outcome == "complete"
    assert read(content, cuts=tuple(cuts), kernel=kernel).everything == whole.everything


@pytest.mark.parametrize("content", SOUND)
def test_byte_by_byte_gives_the_same_frames(content: bytes) -> None:
    assert read(content, cuts=tuple(range(len(content)))).everything == read(content).everything


@settings(max_examples=300)
@given(
    content=st.sampled_from(SOUND),
    changes=st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), max_size=4),
    cuts=st.lists(st.integers(0, 500), max_size=4),
)
def test_mutated_savefiles_never_raise_and_both_kernels_agree(
    content: bytes, changes: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    mutated = bytearray(content)
    for at, new in changes:
        mutated[at % len(content) : at % len(content) + len(new)] = new
    seen = read(bytes(mutated), cuts=tuple(cuts), kernel=plain_walk)
    assert (seen.error is None) == (seen.reader.outcome in ("complete", "partial"))
    assert (
        read(bytes(mutated), kernel=plain_walk if COMPILED is None else COMPILED).everything
        == seen.everything
    )


# --- public captures -----------------------------------------------------------------------------

REGRESSIONS = "seladb+PcapPlusPlus/Tests/Fuzzers/RegressionTests/regression_samples/"
READ_OTHERWISE = {
    "seladb+PcapPlusPlus/Tests/ExamplesTest/pcap_examples/solaris.snoop": (
        "rejected",
        "snoop is another format, and the message says how to convert it",
    ),
    f"{REGRESSIONS}clusterfuzz-testcase-minimized-FuzzTarget-5766899836387328": (
        "complete",
        "fuzzed; version 2.3, which no variant ever wrote: one record of four bytes",
    ),
    f"{REGRESSIONS}crash-exception-cast-constructed-record": (
        "partial",
        "fuzzed Ethernet of plain pcap; tshark 4.0 guesses Red Hat's variant from fewer fields than later ones",
    ),
    f"{REGRESSIONS}igmplayer": (
        "partial",
        "fuzzed Ethernet of plain pcap; tshark 4.0 guesses Nokia's variant without looking at its own field",
    ),
}
"""Files that capinfos 4.0.17 reads and that are read otherwise here: how, and why."""

NEW_LINK_TYPES = (
    "the-tcpdump-group+tcpdump/tests/brcm-tag-prepend.pcap",
    "the-tcpdump-group+tcpdump/tests/brcm-tag.pcap",
    "the-tcpdump-group+tcpdump/tests/dsa-high-vid.pcap",
    "the-tcpdump-group+tcpdump/tests/dsa.pcap",
    "the-tcpdump-group+tcpdump/tests/edsa-high-vid.pcap",
    "the-tcpdump-group+tcpdump/tests/edsa.pcap",
    "the-tcpdump-group+tcpdump/tests/frf16_magic_ie-oobr.pcap",
    "the-tcpdump-group+tcpdump/tests/hoobr_juniper3.pcap",
    "the-tcpdump-group+tcpdump/tests/juniper_es_oobr.pcap",
    "the-tcpdump-group+tcpdump/tests/juniper_monitor_invalid_cookie_length.pcap",
    "the-tcpdump-group+tcpdump/tests/kday6.pcap",
    "the-tcpdump-group+tcpdump/tests/vtp_asan-2.pcap",
    "the-tcpdump-group+tcpdump/tests/vtp_asan-3.pcap",
    "the-tcpdump-group+tcpdump/tests/vtp_asan.pcap",
)
"""capinfos 4.0.17 gives up on link types that it does not know; their records are sound."""
SNAPPED_SIMPLE_PACKET = "rshk+python-pcapng/test_data/test007.ntar"
"""A simple packet in a block with bytes to spare: capinfos looks for the trailer too early."""


class Known(NamedTuple):
    """One row of the manifest."""

    path: str
    file_type: str
    packets: str

    @property
    def content(self) -> bytes:
        return (SHARED / "public" / self.path).read_bytes()


def manifest() -> list[Known]:
    """Without the compressed one, which is for capture to open."""
    if not SHARED.is_dir():
        return []
    with (SHARED / "manifest.csv").open(newline="") as rows:
        return [
            Known(row["path"], row["file_type"], row["packets"])
            for row in csv.DictReader(rows)
            if not row["compression"]
        ]


@needs_captures
@pytest.mark.parametrize("kernel", WALKS)
def test_frames_of_every_public_capture_as_capinfos_counts_them(kernel: ModuleType) -> None:
    read_alike = [known for known in manifest() if known.file_type != "unreadable"]
    assert len(read_alike) > 2700
    wrong = {}
    for known in read_alike:
        seen = read(known.content, kernel=kernel)
        found = (seen.reader.format, str(seen.reader.frames))
        if found != (known.file_type, known.packets):
            wrong[known.path] = seen.reader.outcome
    assert wrong == {path: outcome for path, (outcome, _) in READ_OTHERWISE.items()}


@needs_captures
def test_every_capture_that_capinfos_cannot_read_has_a_reason() -> None:
    unreadable = [known for known in manifest() if known.file_type == "unreadable"]
    assert len(unreadable) == 35
    without = []
    for known in unreadable:
        seen = read(known.content)
        if seen.error is None and not seen.damage:
            without.append(known.path)
    assert sorted(without) == sorted([*NEW_LINK_TYPES, SNAPPED_SIMPLE_PACKET])


class AsTshark(NamedTuple):
    """One frame in tshark's terms."""

    number: int
    time_ns: int | None
    original_len: int
    captured_len: int


def tshark_frames(path: Path) -> list[AsTshark]:
    """Without the records that are no packets: only packets name an interface."""
    fields = ["frame.number", "frame.time_epoch", "frame.len", "frame.cap_len", "frame.interface_id"]
    selected = [word for field in fields for word in ("-e", field)]
    run = subprocess.run(
        ["tshark", "-n", "-r", str(path), "-T", "fields", *selected],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    )
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    return [
        AsTshark(int(number), _ns(epoch), int(original), int(captured))
        for number, epoch, original, captured, interface in rows
        if interface
    ]


def _ns(epoch: str) -> int | None:
    seconds, _, fraction = epoch.partition(".")
    return int(seconds) * 10**9 + int(fraction.ljust(9, "0")) if epoch else None


MISTIMED = "seladb+PcapPlusPlus/Tests/Pcap++Test/PcapExamples/pcapng-example.pcapng"
"""Its second interface counts from the year 586524."""
MISTIMED_FRAMES = 100


@needs_captures
@needs_tshark
def test_times_lengths_and_numbers_of_all_pcapng_captures_as_tshark_shows_them() -> None:
    sections = [known for known in manifest() if known.file_type == "pcapng"]
    with ThreadPoolExecutor() as pool:
        shown = pool.map(lambda known: tshark_frames(SHARED / "public" / known.path), sections)
        differing = {
            known.path: differences(read(known.content), theirs)
            for known, theirs in zip(sections, shown, strict=True)
        }
    assert {path: count for path, count in differing.items() if count} == {MISTIMED: MISTIMED_FRAMES}
    assert len(differing) > 100


def differences(seen: Seen, shown: list[AsTshark]) -> int:
    """Frames that differ; where tshark shows no time, ours is the time of the frame before."""
    pairs = zip(seen.frames, shown, strict=True)
    return sum(
        (frame.number, frame.original_len, frame.captured_len)
        != (their.number, their.original_len, their.captured_len)
        or their.time_ns not in (None, frame.time_ns)
        for frame, their in pairs
    )


@needs_captures
@needs_core
def test_mutated_public_captures_are_read_alike_by_both_kernels() -> None:
    random_numbers = random.Random(113578)
    small = [known.content for known in manifest() if (SHARED / "public" / known.path).stat().st_size < 3000]
    for _ in range(2000):
        mutated = bytearray(random_numbers.choice(small))
        for _ in range(random_numbers.randint(1, 4)):
            mutated[random_numbers.randrange(len(mutated))] = random_numbers.choice(
                (0, 1, 2, 3, 4, 6, 0x7F, 0x80, 0xFF, random_numbers.randrange(256))
            )
        first, second = [read(bytes(mutated), kernel=kernel).everything for kernel in both_walks()]
        assert first == second


@pytest.mark.parametrize("name", ["failure-client.pcap", "failure-reverse-asa-inside.pcapng"])
def test_a_reader_that_is_done_with_goes_with_its_chunk(name: str) -> None:
    """A worker of a sweep never looks for circles: one that held the chunk would cost it 1 MiB for each capture."""
    content = (Path(__file__).parent.parent / "samples" / name).read_bytes()
    reader = savefile.Reader([content])
    assert sum(len(frames) for _, frames in reader.batches()) > 0
    gone = weakref.ref(reader)
    gc.disable()
    try:
        del reader
        assert gone() is None
    finally:
        gc.enable()

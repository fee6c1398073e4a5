"""Captures: whatever was named on the command line, read to its end in bounded chunks, or refused in one line."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import pickle
import random
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics.capture import Capture, Hashing, files, open_capture, source
from ctcp_forensics.capture.ahead import ahead
from ctcp_forensics.capture.codecs import (
    FEED_LEN,
    HEAD_LEN,
    MAGIC_LEN,
    MAX_RATIO,
    PIECE_LEN,
    RATIO_FROM,
    SKIPPABLE,
    Unpacker,
    codec_of,
)
from ctcp_forensics.capture.digest import HASHES, Digest
from ctcp_forensics.capture.meanwhile import Meanwhile
from ctcp_forensics.capture.source import CHUNK_LEN, Pieces, Rooms, in_chunks, joined
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.savefile import Reader
from tests import savefiles as sf

ONE_FRAME = sf.pcap_header() + sf.record(data=b"abc")
LARGE = sf.pcap_header() + b"".join(sf.record(data=bytes([n % 256]) * 997) for n in range(5000))
"""Five chunks, whose edges fall into records."""


def zstd(data: bytes) -> bytes:
    module = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    return bytes(module.compress(data))


def zstd_in_parts(*parts: bytes) -> bytes:
    """As a program does it that does not know how much will come."""
    compressor = pytest.importorskip(
        "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    ).ZstdCompressor()
    return b"".join(map(compressor.compress, parts)) + bytes(compressor.flush())


def lz4(data: bytes) -> bytes:
    return bytes(pytest.importorskip("lz4.frame").compress(data, content_checksum=True))


COMPRESSIONS = [
    pytest.param("gzip", gzip.compress, id="gzip"),
    pytest.param("bzip2", bz2.compress, id="bzip2"),
    pytest.param("xz", lzma.compress, id="xz"),
    pytest.param("zstd", zstd, id="zstd"),
    pytest.param("lz4", lz4, id="lz4"),
]
Compress = Callable[[bytes], bytes]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def content_of(path: Path) -> tuple[bytes, Capture]:
    with open_capture(str(path)) as capture:
        return b"".join(bytes(chunk) for chunk in capture.chunks()), capture


def no_reader_is_left() -> bool:
    return not any(thread.name == "read-ahead" for thread in threading.enumerate())


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "named-as-one-likes.txt"
        path.write_bytes(content)
        return path

    return write


File = Callable[[bytes], Path]


# --- what is read ----------------------------------------------------------------------------


@pytest.mark.parametrize("content", [ONE_FRAME, LARGE, LARGE[:CHUNK_LEN], LARGE[: CHUNK_LEN + 1]])
def test_a_file_is_read_to_its_end_and_hashed(file: File, content: bytes) -> None:
    found, capture = content_of(file(content))
    assert found == content
    assert capture.digest == capture.content_digest == sha256(content)
    assert (capture.compression, capture.size, capture.position) == (None, len(content), len(content))
    assert no_reader_is_left()


@pytest.mark.parametrize(("name", "compress"), COMPRESSIONS)
@pytest.mark.parametrize("content", [ONE_FRAME, LARGE], ids=["small", "large"])
def test_compression_is_found_by_content(file: File, name: str, compress: Compress, content: bytes) -> None:
    packed = compress(content)
    found, capture = content_of(file(packed))
    assert found == content
    assert (capture.compression, capture.size) == (name, len(packed))
    assert (capture.digest, capture.content_digest) == (sha256(packed), sha256(content))


@pytest.mark.parametrize(("name", "compress"), COMPRESSIONS)
def test_streams_one_after_another_are_one_savefile(file: File, name: str, compress: Compress) -> None:
    packed = b"".join(compress(LARGE[at : at + 100_000]) for at in range(0, len(LARGE), 100_000))
    found, capture = content_of(file(packed))
    assert (found, capture.compression, capture.notes) == (LARGE, name, ())


@pytest.mark.parametrize(("name", "compress"), COMPRESSIONS)
def test_a_savefile_is_cut_into_the_same_chunks_however_it_was_packed(
    file: File, name: str, compress: Compress
) -> None:
    """Frames are put in order chunk by chunk: cuts elsewhere would make another report of the same content."""
    packed = b"".join(compress(LARGE[at : at + 77_777]) for at in range(0, len(LARGE), 77_777))
    lengths = []
    for content in (LARGE, packed):
        with open_capture(str(file(content))) as capture:
            lengths.append([len(chunk) for chunk in capture.chunks()])
    assert lengths[0] == lengths[1] == [CHUNK_LEN] * 4 + [len(LARGE) - 4 * CHUNK_LEN]


@pytest.mark.parametrize(("name", "compress"), COMPRESSIONS)
@pytest.mark.parametrize("length", [PIECE_LEN - 1, PIECE_LEN, PIECE_LEN + 1, 4 * PIECE_LEN, 7 * PIECE_LEN])
def test_a_stream_may_end_where_a_piece_does(file: File, name: str, compress: Compress, length: int) -> None:
    """Nothing is left to be fed then, and the end of the stream has not been seen yet."""
    found, capture = content_of(file(compress(bytes(length))))
    assert (len(found), capture.compression, capture.notes) == (length, name, ())


@pytest.mark.parametrize(("name", "compress"), COMPRESSIONS)
@pytest.mark.parametrize("fed", [1000, 1 << 20])
def test_no_piece_goes_beyond_a_chunk_so_that_most_chunks_need_not_be_copied(
    name: str, compress: Compress, fed: int
) -> None:
    content = LARGE[:500_000]
    packed = compress(content[:123_456]) + compress(content[123_456:])
    codec = codec_of(packed)
    assert codec is not None
    unpacker = Unpacker(codec, 10_000)
    pieces = [piece for at in range(0, len(packed), fed) for piece in unpacker.feed(packed[at : at + fed])]
    unpacker.finish()
    assert b"".join(pieces) == content
    assert unpacker.unpacked == len(content)
    ends = set(accumulate(map(len, pieces)))
    assert ends >= set(range(10_000, len(content) + 1, 10_000))


@given(cuts=st.lists(st.integers(0, 500), max_size=12), broken=st.booleans(), chunk_len=st.integers(1, 600))
def test_pieces_of_any_length_are_those_of_full_chunks_and_one_that_is_a_chunk_is_not_copied(
    cuts: list[int], broken: bool, chunk_len: int
) -> None:
    content = bytes(range(250)) * 2
    edges = [0, *sorted(cuts), len(content)]
    pieces = [content[begin:end] for begin, end in pairwise(edges)]

    def damaged() -> Iterator[bytes]:
        yield from pieces
        if broken:
            raise CaptureError("here", offset=1, reason="as told")

    chunks: list[Pieces] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "CHUNK_LEN", chunk_len)
        with pytest.raises(CaptureError) if broken else contextlib.nullcontext():
            chunks.extend(in_chunks(damaged()))
    lengths = [len(joined(chunk)) for chunk in chunks]
    assert b"".join(map(joined, chunks)) == content
    assert all(length == chunk_len for length in lengths[:-1])
    assert 0 < lengths[-1] <= chunk_len
    for at, piece in zip(edges, pieces, strict=False):
        if len(piece) == chunk_len and at % chunk_len == 0:
            assert any(joined(chunk) is piece for chunk in chunks)


@pytest.mark.parametrize(("name", "compress"), COMPRESSIONS)
def test_other_threads_go_on_while_a_stream_is_unpacked(name: str, compress: Compress) -> None:
    """No thread is made to give way in this test, so the other one runs only if the interpreter lock is let go of."""
    packed = compress(random.Random(5).randbytes(FEED_LEN // 2) * 2)
    codec = codec_of(packed)
    assert codec is not None
    assert codec.name == name
    gate, ran = threading.Lock(), threading.Event()
    gate.acquire()

    def wait() -> None:
        with gate:
            ran.set()

    other = threading.Thread(target=wait)
    other.start()
    usual = sys.getswitchinterval()
    give_up_at = time.monotonic() + 30
    sys.setswitchinterval(1000.0)
    try:
        gate.release()
        while not ran.is_set() and time.monotonic() < give_up_at:
            codec.start().stream.decompress(packed, PIECE_LEN)
    finally:
        sys.setswitchinterval(usual)
    assert ran.is_set()
    other.join()


def test_many_tiny_streams_cost_time_linear_in_the_file(file: File) -> None:
    packed = gzip.compress(b"x") * 50_000
    found, _ = content_of(file(packed))
    assert found == b"x" * 50_000


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_zeros_after_a_stream_are_padding(file: File, compress: Compress) -> None:
    found, capture = content_of(file(compress(ONE_FRAME) + bytes(64) + compress(LARGE) + bytes(4)))
    assert (found, capture.notes) == (ONE_FRAME + LARGE, ())


@pytest.mark.parametrize("tail", [b"X", b"what somebody appended" * 10])
def test_what_follows_the_compressed_data_is_left_alone_and_said(file: File, tail: bytes) -> None:
    packed = gzip.compress(ONE_FRAME) + tail
    found, capture = content_of(file(packed))
    assert found == ONE_FRAME
    assert capture.notes == ("what follows the gzip data is not gzip, and is left alone",)
    assert capture.digest == sha256(packed)


def test_a_skippable_frame_before_the_data_is_skipped(file: File) -> None:
    skippable = bytes.fromhex("502a4d18 04000000") + b"pzst"
    found, capture = content_of(file(skippable + zstd(ONE_FRAME)))
    assert (found, capture.compression) == (ONE_FRAME, "zstd")


@pytest.mark.parametrize(
    ("name", "inner"),
    [("bzip2", bz2.compress(ONE_FRAME)), ("gzip", gzip.compress(bytes(1 << 24)) * 640)],
    ids=["bzip2", "10 GB in gzip"],
)
def test_only_one_layer_is_opened(file: File, name: str, inner: bytes) -> None:
    with open_capture(str(file(gzip.compress(inner)))) as capture:
        reader = Reader(capture.chunks(), source="twice.gz")
        with pytest.raises(CaptureError, match=rf"^twice\.gz: byte 0: is compressed once more \({name}\)"):
            list(reader.batches())


def longest_window(data: bytes) -> bytes:
    """As `zstd --long=27` writes it: more is refused, see below."""
    zstd_module = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    options = {zstd_module.CompressionParameter.window_log: 27}
    compressor = zstd_module.ZstdCompressor(options=options)
    return bytes(compressor.compress(data) + compressor.flush())


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        pytest.param("gzip", gzip.compress, id="gzip"),
        pytest.param("bzip2", bz2.compress, id="bzip2"),
        pytest.param("xz", lzma.compress, id="xz"),
        pytest.param("zstd", longest_window, id="zstd"),
    ],
)
def test_ten_gigabytes_of_zeros_are_not_unpacked(file: File, name: str, compress: Compress) -> None:
    """Sixteen zeros are a frame without bytes, so that only the ratio tells.  lz4 cannot reach it: one byte is 255."""
    packed = compress(sf.pcap_header()) + compress(bytes(1 << 24)) * 640
    tracemalloc.start()
    with open_capture(str(file(packed))) as capture:
        reader = Reader(capture.chunks())
        frames = sum(len(batch) for _, batch in reader.batches())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reader.outcome == "partial"
    (damage,) = reader.damage
    assert damage.reason.startswith(f"the {name} data is made to do harm: ")
    assert f", over {MAX_RATIO} times as many, at byte " in damage.reason
    assert RATIO_FROM - PIECE_LEN <= 24 + 16 * frames <= RATIO_FROM + 4 * PIECE_LEN
    assert capture.digest == sha256(packed)
    assert peak < 24 << 20


def test_a_window_that_is_too_long_is_refused(file: File) -> None:
    """RFC 8878 §3.1.1.1.2: a frame names the memory that it needs, here 2 GiB."""
    frame = bytes.fromhex("28b52ffd 00 a8") + bytes.fromhex("01 00 00")
    with open_capture(str(file(frame))) as capture:  # noqa: SIM117
        with pytest.raises(CaptureError, match=r"zstd data is damaged .*too much memory"):
            list(capture.chunks())


def test_a_small_file_that_unpacks_to_a_gigabyte_is_read_in_bounded_memory(file: File) -> None:
    """As well packed as a capture may be."""
    megabytes = 512
    packed = lzma.compress(bytes(1 << 20) + random.Random(3).randbytes(900)) * megabytes
    path = file(packed)
    tracemalloc.start()
    with open_capture(str(path)) as capture:
        total = sum(len(chunk) for chunk in capture.chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == megabytes * ((1 << 20) + 900)
    assert peak < 16 << 20


@pytest.mark.parametrize(
    ("limit", "is_hashed"), [(len(LARGE) - 1, False), (len(LARGE), True), (None, True), (10, False)]
)
def test_only_files_up_to_a_limit_are_hashed(file: File, limit: int | None, is_hashed: bool) -> None:
    with open_capture(str(file(LARGE)), hashing=Hashing(limit=limit)) as capture:
        assert sum(len(chunk) for chunk in capture.chunks()) == len(LARGE)
    expected = sha256(LARGE) if is_hashed else None
    assert (capture.digest, capture.content_digest) == (expected, expected)


def test_a_small_file_with_a_large_savefile_inside_is_hashed_by_itself(file: File) -> None:
    packed = gzip.compress(bytes(1 << 20))
    with open_capture(str(file(packed)), hashing=Hashing(limit=100_000)) as capture:
        assert sum(len(chunk) for chunk in capture.chunks()) == 1 << 20
    assert (capture.digest, capture.content_digest) == (sha256(packed), None)


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        (b"", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (b"abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
    ],
)
def test_what_a_sweep_takes_is_what_b3sum_says(file: File, content: bytes, digest: str) -> None:
    """Its values as its authors publish them: of the file, and of what is inside."""
    for packed in (content, gzip.compress(content)):
        with open_capture(str(file(packed)), hashing=Hashing("blake3")) as capture:
            assert b"".join(capture.chunks()) == content
        assert capture.content_digest == digest
        assert (capture.digest == digest) == (packed == content)


@pytest.mark.parametrize("length", [1, 255, 256, 257, 65_535, 65_791, 65_792, 1 << 20])
def test_zstd_and_lz4_may_tell_how_much_they_hold(length: int) -> None:
    content = bytes(length)
    frame = pytest.importorskip("lz4.frame")
    for packed in (zstd(content), frame.compress(content, store_size=True)):
        codec = codec_of(packed[:MAGIC_LEN])
        assert codec is not None
        assert codec.told_len((packed + bytes(HEAD_LEN))[:HEAD_LEN]) == length
        assert codec.told_len(packed[: HEAD_LEN - 5]) is None


def test_most_streams_do_not_tell_how_much_they_hold() -> None:
    skippable = SKIPPABLE[0] + bytes(HEAD_LEN)
    streamed = zstd_in_parts(bytes(9), bytes(9))
    frame = pytest.importorskip("lz4.frame")
    for packed in (
        frame.compress(bytes(99), store_size=False),
        skippable,
        streamed,
        gzip.compress(bytes(99)),
    ):
        codec = codec_of(packed[:MAGIC_LEN])
        assert codec is not None
        assert codec.told_len((packed + bytes(HEAD_LEN))[:HEAD_LEN]) is None


def until_broken(capture: Capture) -> Iterator[bytes]:
    with contextlib.suppress(CaptureError):
        yield from map(bytes, capture.chunks())


def test_of_content_that_is_told_to_be_too_long_not_even_the_beginning_is_hashed(file: File) -> None:
    content = random.Random(5).randbytes(300_000)
    cut = zstd(content)[:200_000]
    digests = []
    for limit in (299_999, 300_000):
        with open_capture(str(file(cut)), hashing=Hashing(limit=limit)) as capture:
            held = b"".join(until_broken(capture))
        assert capture.digest == sha256(cut)
        digests.append(capture.content_digest)
    assert digests == [None, sha256(held)]


def test_hashing_is_in_vain_where_even_a_rest_that_unpacks_to_a_fifth_less_makes_it_too_long() -> None:
    hashing = Hashing(limit=1000)
    assert not hashing.is_in_vain(100, 249, 10_000)
    assert not hashing.is_in_vain(100, 250, 475)  # 250, and 750 of 375 bytes more
    assert hashing.is_in_vain(100, 250, 476)
    assert not hashing.is_in_vain(200, 500, 450)  # 500, and 500 of 250
    assert hashing.is_in_vain(200, 500, 451)
    assert not hashing.is_in_vain(100, 250, None)
    assert not Hashing(limit=None).is_in_vain(1, 1 << 40, 1 << 40)
    assert not Hashing(limit=0).is_in_vain(1, 1 << 40, 1 << 40)


@pytest.mark.parametrize("slow", ["_unpack", "update"])
@pytest.mark.parametrize(
    ("airy", "dense", "more", "is_told"),
    [
        pytest.param(0, 10, 5, True, id="fits"),
        pytest.param(20, 0, 0, False, id="does not, as was to be seen early"),
        pytest.param(14, 0, 0, False, id="does not, as was to be seen later"),
        pytest.param(0, 10, 10, False, id="does not, as was not to be seen early"),
        pytest.param(4, 12, 0, False, id="fits, but looked as if it would not"),
        pytest.param(3, 0, 0, True, id="is over before anything can be said"),
    ],
)
def test_of_compressed_content_that_will_be_too_long_only_the_beginning_is_hashed(
    file: File,
    monkeypatch: pytest.MonkeyPatch,
    slow: str,
    airy: int,
    dense: int,
    more: int,
    is_told: bool,
) -> None:
    """Of 100,000 bytes 25,000 are looked at, or more; a report is the same whichever thread is slow."""
    noise = random.Random(9).randbytes(4000)
    blocks = [noise[:2000] + bytes(6000)] * airy + [noise] * dense + [noise[:2000] + bytes(6000)] * more
    content, packed = b"".join(blocks), b"".join(map(gzip.compress, blocks))
    hashed: list[int] = []

    class Counted:
        def __init__(self) -> None:
            self._hash = hashlib.sha256()
            self.hexdigest = self._hash.hexdigest

        def update(self, data: memoryview) -> None:
            hashed.append(len(data))
            self._hash.update(data)

    owner = Unpacker if slow == "_unpack" else Digest
    monkeypatch.setattr(owner, slow, slowly(getattr(owner, slow)))
    monkeypatch.setattr(source, "CHUNK_LEN", 4096)
    monkeypatch.setitem(HASHES, "sha256", Counted)
    with open_capture(str(file(packed)), hashing=Hashing(limit=100_000)) as capture:
        assert b"".join(map(bytes, capture.chunks())) == content
    assert (capture.digest, capture.content_digest) == (sha256(packed), sha256(content) if is_told else None)
    if airy > 3:
        assert sum(hashed) < len(packed) + 90_000


def slowly(work: Callable[..., Any]) -> Callable[..., Any]:
    def slow(*arguments: Any) -> Any:
        threading.Event().wait(0.001)
        return work(*arguments)

    return slow


# --- standard input ----------------------------------------------------------------------------

READ_STDIN = """
import sys
from ctcp_forensics.capture import open_capture
with open_capture("-") as capture:
    total = sum(len(chunk) for chunk in capture.chunks())
print(total, capture.size, capture.compression, capture.content_digest)
"""


def test_a_pipe_is_read_without_seeking(root: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", READ_STDIN],
        input=gzip.compress(LARGE),
        capture_output=True,
        cwd=root,
        check=True,
    )
    assert run.stdout.decode().split() == [str(len(LARGE)), "None", "gzip", sha256(LARGE)]


def test_a_redirected_file_has_a_size(root: Path, file: File) -> None:
    with file(LARGE).open("rb") as stdin:
        run = subprocess.run(
            [sys.executable, "-c", READ_STDIN], stdin=stdin, capture_output=True, cwd=root, check=True
        )
    assert run.stdout.decode().split() == [str(len(LARGE)), str(len(LARGE)), "None", sha256(LARGE)]


def test_standard_input_without_a_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ONE_FRAME)))
    with open_capture("-") as capture:
        assert b"".join(bytes(chunk) for chunk in capture.chunks()) == ONE_FRAME
        assert capture.size is None


def test_a_closed_standard_input_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CaptureError, match=r"^-: standard input is closed$"):
        open_capture("-")


def test_a_terminal_is_no_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    _, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(CaptureError, match="standard input is a terminal; pipe a capture into it"):
            open_capture("-")


# --- what cannot be opened -----------------------------------------------------------------------


def test_a_missing_file(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pcap")
    with pytest.raises(CaptureError) as caught:
        open_capture(missing)
    assert str(caught.value) == f"{missing}: there is no such file"
    assert (caught.value.source, caught.value.offset) == (missing, None)


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(
        CaptureError, match=r": is a directory; name the files in it, or let `ctcp-diag scan`"
    ):
        open_capture(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_no_permission(file: File) -> None:
    path = file(ONE_FRAME)
    path.chmod(0)
    with pytest.raises(CaptureError, match=r": no permission to read it$"):
        open_capture(str(path))


def test_no_permission_as_the_system_says_it(monkeypatch: pytest.MonkeyPatch, file: File) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "FileIO", refuse)
    with pytest.raises(CaptureError, match=r": no permission to read it$"):
        open_capture("some.pcap")


@pytest.mark.parametrize(
    ("source", "reason"), [("a\0b", "embedded null byte"), ("x" * 5000, "file name too long")]
)
def test_what_is_no_file_name(source: str, reason: str) -> None:
    with pytest.raises(CaptureError, match=f": {reason}$"):
        open_capture(source)


# --- what breaks on the way ------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "compress"), COMPRESSIONS)
def test_a_cut_compressed_file_gives_what_came_before(file: File, name: str, compress: Compress) -> None:
    chance = random.Random(
        113578
    )  # one cut in a thousand falls between two frames, and then it is inside none
    noise = b"".join(sf.record(data=chance.randbytes(997)) for _ in range(3000))
    packed = compress(sf.pcap_header() + noise)
    cut = packed[: len(packed) * 2 // 3]
    with open_capture(str(file(cut))) as capture:
        reader = Reader(capture.chunks())
        frames = sum(len(batch) for _, batch in reader.batches())
    assert frames > 500
    assert reader.outcome == "partial"
    (damage,) = reader.damage
    assert damage.offset == 24 + frames * 1013
    assert (
        damage.reason
        == f"the {name} data ends early, at byte {len(cut)} of the file, inside frame {frames + 1}"
    )
    assert capture.digest == sha256(cut)


@pytest.mark.parametrize(("name", "compress"), COMPRESSIONS)
def test_damaged_compressed_data_is_said_and_the_file_still_hashed(
    file: File, name: str, compress: Compress
) -> None:
    packed = bytearray(compress(os.urandom(3_000_000)))
    packed[len(packed) // 2 :] = bytes(len(packed) - len(packed) // 2)
    with open_capture(str(file(bytes(packed)))) as capture:
        with pytest.raises(CaptureError, match=f"the {name} data (is damaged|ends early)"):
            for _ in capture.chunks():
                pass
        assert capture.digest == sha256(bytes(packed))
    assert no_reader_is_left()


def test_memory_that_a_hostile_xz_asks_for_is_refused(file: File) -> None:
    greedy = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
    with open_capture(str(file(lzma.compress(b"x", filters=greedy)))) as capture:  # noqa: SIM117
        with pytest.raises(CaptureError, match=r"xz data is damaged \(Memory usage limit exceeded\)"):
            list(capture.chunks())


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, file: File) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)
    with open_capture(str(file(gzip.compress(ONE_FRAME)))) as capture:  # noqa: SIM117
        with pytest.raises(CaptureError, match="gzip data needs the Python package isal"):
            list(capture.chunks())


class Failing:
    """A file whose disk breaks after so many bytes."""

    def __init__(self, good: int) -> None:
        self._left = good

    def readinto(self, buffer: memoryview, /) -> int:
        if self._left == 0:
            raise OSError(5, "Input/output error")
        count = min(self._left, len(buffer), 65_536)
        buffer[:count] = LARGE[:count]
        self._left -= count
        return count


@pytest.mark.parametrize("size", [None, 1 << 30], ids=["here", "on a thread"])
def test_a_disk_that_fails_is_said_with_its_byte_behind_all_that_it_gave(size: int | None) -> None:
    with Capture("broken.pcap", Failing(3_000_000), size=size) as capture:
        chunks = capture.chunks()
        lengths = [len(next(chunks)), len(next(chunks)), len(next(chunks))]
        assert lengths == [CHUNK_LEN, CHUNK_LEN, 3_000_000 - 2 * CHUNK_LEN]
        with pytest.raises(CaptureError) as caught:
            next(chunks)
    assert str(caught.value) == "broken.pcap: byte 3000000: cannot be read on: input/output error"
    assert no_reader_is_left()


# --- the thread --------------------------------------------------------------------------------


def test_a_small_file_is_read_without_a_thread(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Iterator[object]:
        raise AssertionError("a thread for one chunk")

    monkeypatch.setattr("ctcp_forensics.capture.source.ahead", refuse)
    assert content_of(file(LARGE[:CHUNK_LEN]))[0] == LARGE[:CHUNK_LEN]
    packed = gzip.compress(random.Random(7).randbytes(2 * CHUNK_LEN), compresslevel=1)
    with pytest.raises(AssertionError, match="a thread for one chunk"):
        content_of(file(packed))


def test_a_file_that_is_not_compressed_is_read_by_who_looks_at_it(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Iterator[object]:
        raise AssertionError("a thread for what the system reads ahead of")

    monkeypatch.setattr("ctcp_forensics.capture.source.ahead", refuse)
    assert content_of(file(LARGE))[0] == LARGE


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_one_thread_reads_a_large_file_without_another(
    file: File, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    def refuse(*_: object) -> Iterator[object]:
        raise AssertionError("a thread beside the only one")

    path = file(pack(LARGE))
    with open_capture(str(path)) as capture:
        threaded = [len(chunk) for chunk in capture.chunks()]
    monkeypatch.setattr("ctcp_forensics.capture.source.ahead", refuse)
    with open_capture(str(path)) as capture:
        chunks = [bytes(chunk) for chunk in capture.chunks(threads=1)]
    assert b"".join(chunks) == LARGE
    assert [len(chunk) for chunk in chunks] == threaded
    assert capture.digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_capture_that_is_abandoned_leaves_no_thread(file: File, taken: int) -> None:
    with open_capture(str(file(LARGE))) as capture:
        chunks = capture.chunks()
        for _ in range(taken):
            next(chunks)
    assert no_reader_is_left()
    assert capture.digest is None


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_compressed_capture_that_is_abandoned_leaves_no_thread(file: File, taken: int) -> None:
    packed = gzip.compress(random.Random(7).randbytes(16 * CHUNK_LEN), compresslevel=1)
    with open_capture(str(file(packed))) as capture:
        chunks = capture.chunks()
        for _ in range(taken):
            next(chunks)
        assert not taken or not no_reader_is_left()
    assert no_reader_is_left()
    assert (capture.digest, capture.content_digest) == (None, None)


def test_chunks_stay_good_until_the_next_is_asked_for(file: File) -> None:
    """The reader is ahead by now, in other memory."""
    with open_capture(str(file(LARGE))) as capture:
        start = 0
        for chunk in capture.chunks():
            threading.Event().wait(0.005)
            assert bytes(chunk) == LARGE[start : start + len(chunk)]
            start += len(chunk)


def test_items_made_ahead_come_in_order_and_their_error_after_them() -> None:
    def items() -> Iterator[int]:
        yield from range(100)
        raise RuntimeError("after the last")

    taken: list[int] = []
    with pytest.raises(RuntimeError, match="after the last"):
        taken.extend(ahead(items()))
    assert taken == list(range(100))
    assert no_reader_is_left()


def test_the_maker_is_never_more_than_two_items_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            made.append(number)
            yield number

    for item in ahead(items()):
        threading.Event().wait(0.001)
        assert len(made) <= item + 4
    assert made == list(range(50))


def test_who_waits_for_what_is_made_ahead_does_something_meanwhile() -> None:
    """Both sides: the slow one is waited for by the other."""
    for is_slow_to_make in (True, False):
        done: set[str] = set()
        left = [True] * 20

        def one(done: set[str] = done, left: list[bool] = left) -> bool:
            done.add(threading.current_thread().name)
            return bool(left) and left.pop()

        def items(is_slow: bool = is_slow_to_make) -> Iterator[int]:
            for number in range(10):
                threading.Event().wait(0.002 if is_slow else 0)
                yield number

        for _ in ahead(items(), one):
            threading.Event().wait(0 if is_slow_to_make else 0.002)
        assert (threading.current_thread().name if is_slow_to_make else "read-ahead") in done
        assert not left
    assert no_reader_is_left()


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(0, 30),
    most=st.integers(0, 3),
    is_damaged=st.booleans(),
    slow=st.sampled_from(["maker", "taker", "helper", "nobody"]),
)
def test_items_made_meanwhile_come_once_and_in_order_whoever_makes_them(
    count: int, most: int, is_damaged: bool, slow: str
) -> None:
    def wait(who: str) -> None:
        if who == slow:
            threading.Event().wait(0.0005)

    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(count):
            wait("maker")
            made.append(number)
            yield number
        if is_damaged:
            raise CaptureError("here", offset=1, reason="as told")

    meanwhile = Meanwhile(items(), most)
    is_over = threading.Event()

    def help_out() -> None:
        while not is_over.is_set():
            wait("helper")
            meanwhile.make_one()

    helper = threading.Thread(target=help_out)
    helper.start()
    taken: list[int] = []
    with pytest.raises(CaptureError, match="as told") if is_damaged else contextlib.nullcontext():
        for item in meanwhile:
            taken.append(item)
            assert len(made) <= len(taken) + most + 1
            wait("taker")
    is_over.set()
    helper.join()
    assert taken == made == list(range(count))


def test_who_finds_another_making_a_block_makes_the_next_one() -> None:
    """A hand that waited for what comes of that block would leave all reading and hashing to who unpacks."""
    is_at_it, may_go_on = threading.Event(), threading.Event()
    makers: list[str] = []

    def items() -> Iterator[int]:
        for number in range(2):
            makers.append(threading.current_thread().name)
            is_at_it.set()
            may_go_on.wait()
            yield number

    meanwhile = Meanwhile(items(), 1)
    taker = threading.Thread(target=next, args=(iter(meanwhile),), name="taker")
    helper = threading.Thread(target=meanwhile.make_one, name="helper")
    taker.start()
    is_at_it.wait()
    helper.start()
    helper.join(0.05)  # it would be over by now, had it given up
    may_go_on.set()
    taker.join()
    helper.join()
    assert makers == ["taker", "helper"]


def test_nobody_waits_for_a_block_that_may_not_be_made_ahead() -> None:
    """Of a pipe only its maker reads: that one can be interrupted."""
    is_at_it, may_go_on = threading.Event(), threading.Event()

    def silent() -> Iterator[int]:
        is_at_it.set()
        may_go_on.wait()
        yield 0

    meanwhile = Meanwhile(silent(), 0)
    taker = threading.Thread(target=next, args=(iter(meanwhile),))
    taker.start()
    is_at_it.wait()
    assert not meanwhile.make_one()
    may_go_on.set()
    taker.join()


def test_of_a_pipe_nobody_reads_but_who_unpacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand in a pipe that is silent could not be interrupted."""
    monkeypatch.setattr(source, "CHUNK_LEN", 4096)
    reading, writing = os.pipe()
    os.write(writing, gzip.compress(random.Random(12).randbytes(40_000)))
    with io.FileIO(reading) as pipe, Capture("-", pipe, size=None) as capture:
        next(capture.made(Rooms()))
        assert not capture.read_on()
    os.close(writing)


def test_what_fails_for_whoever_makes_a_block_is_no_end_for_who_takes_them() -> None:
    """The rest of a file that one hand has no memory for is not missing from the file."""

    def items() -> Iterator[int]:
        yield 1
        raise MemoryError

    meanwhile = Meanwhile(items(), 2)
    assert meanwhile.make_one()
    with pytest.raises(MemoryError):
        meanwhile.make_one()
    taken = iter(meanwhile)
    assert next(taken) == 1
    with pytest.raises(MemoryError):
        next(taken)


@pytest.mark.parametrize("is_slow_to_look", [True, False])
def test_blocks_of_a_compressed_file_stay_good_until_they_are_unpacked(
    file: File, monkeypatch: pytest.MonkeyPatch, is_slow_to_look: bool
) -> None:
    """Whether who looks at the content reads ahead, or who unpacks it."""
    monkeypatch.setattr(source, "CHUNK_LEN", 4096)
    if not is_slow_to_look:
        monkeypatch.setattr(Unpacker, "_unpack", slowly(Unpacker._unpack))
    content = random.Random(11).randbytes(200_000)
    packed = gzip.compress(content)
    with open_capture(str(file(packed))) as capture:
        found = []
        for chunk in capture.chunks():
            threading.Event().wait(0.001 if is_slow_to_look else 0)
            found.append(bytes(chunk))
    assert b"".join(found) == content
    assert (capture.digest, capture.content_digest) == (sha256(packed), sha256(content))


def test_where_nothing_is_hashed_no_library_of_hashes_is_loaded(root: Path) -> None:
    """OpenSSL's takes 3.6 MB and 3 ms: a capture too long to be hashed by the way needs neither."""
    code = (
        "import sys; from ctcp_forensics.capture import UNHASHED, open_capture\n"
        "with open_capture(sys.argv[1], hashing=UNHASHED) as capture: assert b''.join(capture.chunks())\n"
        "sys.exit({'_hashlib', 'blake3'} & set(sys.modules) != set())"
    )
    assert (
        subprocess.run([sys.executable, "-c", code, "samples/healthy.pcap"], cwd=root, check=False).returncode
        == 0
    )


# --- the error -----------------------------------------------------------------------------------


def test_an_error_travels_between_processes() -> None:
    error = CaptureError("a.pcap", offset=24, reason="is empty")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (str(again), again.offset) == ("a.pcap: byte 24: is empty", 24)


def test_an_error_without_source_or_byte_says_the_reason_only() -> None:
    assert str(CaptureError("", offset=None, reason="is empty")) == "is empty"

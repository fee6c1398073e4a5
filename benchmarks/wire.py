"""Columns of header fields become the bytes of a pcap savefile, many frames at a time.

Knows Ethernet, IPv4, TCP, UDP and cTCP framing and both checksums.  Does not know TCP's rules: whether
sequence numbers make sense is the business of whoever filled the columns.

The payload is a pure function of place: the byte at position p of a flow is PATTERN[(key + p) mod 2^16].
So a segment sent again carries the same bytes without anybody remembering them, however it is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]
Bytes = NDArray[np.uint8]

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
FULL_SNAPLEN = 262_144
RECORD_LEN = 16
ETHERNET_LEN = 14
SHORTEST_FRAME_LEN = 60  # a tap on Ethernet sees short frames padded to 60 bytes (64 with the FCS)
LONGEST_HEADERS_LEN = 94  # Ethernet, IPv4, TCP with 40 bytes of options: a shorter snaplen would cut headers
CTCP_TRAILER_LEN = 16

_WORD = 0xFFFFFFFF
_PATTERN_LEN = 1 << 16
_LONGEST_PAYLOAD = 1 << 16


class Layout(IntEnum):
    """What stands between the IP header and the payload."""

    PLAIN = 0  # TCP without options
    STAMPS = 1  # TCP timestamps
    SYN_PLAIN = 2
    SYN_STAMPS = 3
    SACK = 4  # one SACK block
    SACK_STAMPS = 5
    SACK_FOUR = 6  # four SACK blocks
    UDP = 7


class Content(IntEnum):
    """What the payload pretends to be."""

    PATTERN = 0
    ESP = 1  # cTCP: SPI, ESP sequence, opaque bytes, trailer
    IKE = 2  # cTCP: UDP 500 header, encrypted ISAKMP, trailer


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """One value per frame and field, in the order of capture; wider than the wire, cut to size on writing."""

    time_us: Column
    source: Column
    target: Column
    source_port: Column
    target_port: Column
    seq: Column
    ack: Column
    flags: Column
    window: Column
    payload_len: Column
    ip_id: Column
    ttl: Column
    layout: Column
    ts_value: Column
    ts_echo: Column
    sack: Column  # (n, 4, 2): left and right edges, as many blocks as the layout carries
    place: Column  # key + stream position of the first payload byte
    window_scale: Column  # announced on SYN segments
    content: Column
    spi: Column
    esp_seq: Column

    def __len__(self) -> int:
        return len(self.time_us)

    def at(self, rows: NDArray[np.intp]) -> Frames:
        return Frames(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


_PER_FRAME = [field.name for field in fields(Frames) if field.name != "sack"]


def frames(count: int, **columns: Any) -> Frames:
    """`count` frames of the given columns; a number stands for every frame, what is not named is 0."""
    told = {name: np.broadcast_to(np.asarray(columns.pop(name, 0), np.int64), count) for name in _PER_FRAME}
    sack = np.broadcast_to(np.asarray(columns.pop("sack", 0), np.int64), (count, 4, 2))
    if columns:
        raise TypeError(f"no such column: {sorted(columns)}")
    return Frames(**told, sack=sack)


def file_header(snaplen: int) -> bytes:
    """pcap, microseconds, little-endian, Ethernet."""
    words = np.array([0xA1B2C3D4, 0x00040002, 0, 0, snaplen, 1], "<u4")
    return words.tobytes()


# ---------------------------------------------------------------------------------------------- the payload


def _pattern() -> Bytes:
    once = np.random.default_rng(0x21456C69).integers(0, 256, _PATTERN_LEN, np.uint8)
    return np.concatenate([once, once[:_LONGEST_PAYLOAD]])


def _running_sums(pattern: Bytes) -> NDArray[np.uint64]:
    """sums[i] = the 16-bit words at i-2, i-4, …: a payload's checksum is then a difference of two of them."""
    words = (pattern[:-1].astype(np.uint64) << np.uint64(8)) | pattern[1:]
    sums = np.zeros(len(pattern) + 1, np.uint64)
    sums[2::2] = np.cumsum(words[0::2])[: len(sums[2::2])]
    sums[3::2] = np.cumsum(words[1::2])[: len(sums[3::2])]
    return sums


PATTERN = _pattern()
_SUMS = _running_sums(PATTERN)


def _pattern_sum(start: Column, length: Column) -> Column:
    """The one's-complement sum, before folding, of PATTERN[start:start+length]."""
    even_len = length & ~1
    words = (_SUMS[start + even_len] - _SUMS[start]).astype(np.int64)
    last = PATTERN[start + np.maximum(length - 1, 0)].astype(np.int64) << 8
    return words + np.where(length & 1, last, 0)


def _runs(source: Bytes, length: int) -> NDArray[np.void]:
    """Every run of `length` bytes in `source`, as one item each: indexing it copies whole runs."""
    return np.ndarray((len(source) - length + 1,), f"V{length}", source.data, strides=(1,))


# ---------------------------------------------------------------------------------------------- the headers

_RECORD = [("sec", "<u4"), ("usec", "<u4"), ("captured_len", "<u4"), ("original_len", "<u4")]
_ETHERNET = [("mac_target", ">u2", 3), ("mac_source", ">u2", 3), ("ethertype", ">u2")]
_IP = [
    ("version_tos", ">u2"),
    ("total_len", ">u2"),
    ("ip_id", ">u2"),
    ("fragment", ">u2"),
    ("ttl_protocol", ">u2"),
    ("ip_sum", ">u2"),
    ("source", ">u4"),
    ("target", ">u4"),
]
TCP = [
    ("source_port", ">u2"),
    ("target_port", ">u2"),
    ("seq", ">u4"),
    ("ack", ">u4"),
    ("offset_flags", ">u2"),
    ("window", ">u2"),
    ("sum", ">u2"),
    ("urgent", ">u2"),
]
_UDP = [("source_port", ">u2"), ("target_port", ">u2"), ("udp_len", ">u2"), ("sum", ">u2")]
_IP_WORD = (RECORD_LEN + ETHERNET_LEN) // 2  # where IP begins, in 16-bit words of a record
_TRANSPORT_WORD = _IP_WORD + 10

Words = Sequence[Column | int]


def _stamps(f: Frames) -> Words:
    return [0x0101080A, f.ts_value, f.ts_echo]


def _sack(f: Frames, blocks: int) -> Words:
    edges = [f.sack[:, block, edge] for block in range(blocks) for edge in range(2)]
    return [0x01010502 + 8 * blocks, *edges]


OPTION_WORDS: dict[Layout, Callable[[Frames], Words]] = {
    Layout.PLAIN: lambda f: [],
    Layout.STAMPS: _stamps,
    Layout.SYN_PLAIN: lambda f: [0x020405B4, 0x01010402, 0x01030300 + f.window_scale],
    Layout.SYN_STAMPS: lambda f: [0x020405B4, 0x0402080A, f.ts_value, f.ts_echo, 0x01030300 + f.window_scale],
    Layout.SACK: lambda f: _sack(f, 1),
    Layout.SACK_STAMPS: lambda f: [*_stamps(f), *_sack(f, 1)],
    Layout.SACK_FOUR: lambda f: _sack(f, 4),
}
_OPTION_WORD_COUNTS = {Layout(k): n for k, n in enumerate([0, 3, 3, 5, 3, 6, 9])}
_TRANSPORT_LEN = np.array([20 + 4 * n for n in _OPTION_WORD_COUNTS.values()] + [8], np.int64)


def _header_type(layout: Layout) -> np.dtype[np.void]:
    transport: list[Any] = [*TCP]
    if layout is Layout.UDP:
        transport = [*_UDP]
    elif _OPTION_WORD_COUNTS[layout]:
        transport.append(("options", ">u4", _OPTION_WORD_COUNTS[layout]))
    return np.dtype([*_RECORD, *_ETHERNET, *_IP, *transport])


_HEADER_TYPES = {layout: _header_type(layout) for layout in Layout}


def _checksum(total: Column) -> Column:
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def _headers(f: Frames, layout: Layout, captured_len: Column, original_len: Column, payload: Column) -> Any:
    """The record and protocol headers of frames that share a layout; `payload` is their checksum share."""
    head = np.zeros(len(f), _HEADER_TYPES[layout])
    head["sec"], head["usec"] = f.time_us // 1_000_000, f.time_us % 1_000_000
    head["captured_len"], head["original_len"] = captured_len, original_len
    head["mac_target"], head["mac_source"] = (0x0200, 0, 1), (0x0200, 0, 2)
    head["ethertype"] = 0x0800
    head["version_tos"] = 0x4500
    head["total_len"] = 20 + _TRANSPORT_LEN[layout] + f.payload_len
    head["ip_id"] = f.ip_id & 0xFFFF
    head["fragment"] = 0x4000
    head["ttl_protocol"] = (f.ttl << 8) | (17 if layout is Layout.UDP else 6)
    head["source"], head["target"] = f.source, f.target
    head["source_port"], head["target_port"] = f.source_port, f.target_port
    if layout is Layout.UDP:
        head["udp_len"] = 8 + f.payload_len
    else:
        _fill_tcp(head, f, layout)
    _fill_checksums(head, payload)
    return head


def _fill_tcp(head: Any, f: Frames, layout: Layout) -> None:
    head["seq"], head["ack"] = f.seq & _WORD, f.ack & _WORD
    head["offset_flags"] = (int(_TRANSPORT_LEN[layout]) // 4 << 12) | f.flags
    head["window"] = f.window
    for place, word in enumerate(OPTION_WORDS[layout](f)):
        head["options"][:, place] = word & _WORD


def _fill_checksums(head: Any, payload: Column) -> None:
    words = head.view(">u2").reshape(len(head), -1)
    head["ip_sum"] = _checksum(words[:, _IP_WORD:_TRANSPORT_WORD].sum(axis=1, dtype=np.int64))
    # RFC 9293 §3.1: the pseudo header is both addresses, the protocol and the TCP length.
    pseudo = words[:, _TRANSPORT_WORD - 4 : _TRANSPORT_WORD].sum(axis=1, dtype=np.int64)
    pseudo += (head["ttl_protocol"] & 0xFF) + (head["total_len"].astype(np.int64) - 20)
    total = pseudo + words[:, _TRANSPORT_WORD:].sum(axis=1, dtype=np.int64) + payload
    checksum = _checksum(total)
    is_udp = (head["ttl_protocol"] & 0xFF) == 17
    head["sum"] = np.where(is_udp & (checksum == 0), 0xFFFF, checksum)  # RFC 768: 0 would mean "none"


# ------------------------------------------------------------------------------------------------- cTCP


def _esp_head(f: Frames) -> Words:
    return [f.spi, f.esp_seq]


def _ike_head(f: Frames) -> Words:
    """UDP 500 to 500 without checksum, then an ISAKMP header that says *encrypted*."""
    udp_len = f.payload_len - CTCP_TRAILER_LEN
    cookies = [f.spi * 3 + 1, f.spi * 5 + 2, f.spi * 7 + 3, f.spi * 11 + 4]
    return [0x01F401F4, udp_len << 16, *cookies, 0x08100601, f.spi ^ f.esp_seq, udp_len - 8]


def _trailer(f: Frames, protocol: int) -> Words:
    return [0, 0, 0x21456C69, 0x10000100 | protocol << 16]


_DISGUISES: dict[Content, tuple[Callable[[Frames], Words], int]] = {
    Content.ESP: (_esp_head, 0x32),
    Content.IKE: (_ike_head, 0x11),
}


def _as_rows(words: Words, count: int) -> NDArray[np.void]:
    table = np.empty((count, len(words)), ">u4")
    for place, word in enumerate(words):
        table[:, place] = word if isinstance(word, int) else word & _WORD
    return table.view(f"V{4 * len(words)}")[:, 0]


def _halves(rows: NDArray[np.void]) -> Column:
    words = rows.view(">u2").reshape(len(rows), -1)
    total: Column = words.sum(axis=1, dtype=np.int64)
    return total


# ---------------------------------------------------------------------------------------------- the whole


def encode(f: Frames, snaplen: int = FULL_SNAPLEN) -> Bytes:
    """The pcap records of these frames."""
    header_len = ETHERNET_LEN + 20 + _TRANSPORT_LEN[f.layout]
    original_len = np.maximum(header_len + f.payload_len, SHORTEST_FRAME_LEN)
    captured_len = np.minimum(original_len, snaplen)
    ends = np.cumsum(captured_len + RECORD_LEN)
    starts = ends - captured_len - RECORD_LEN
    payload_at = starts + RECORD_LEN + header_len
    kept_len = np.minimum(f.payload_len, snaplen - header_len)

    out = np.zeros(int(ends[-1]) if len(f) else 0, np.uint8)
    place = f.place % _PATTERN_LEN
    sums = _pattern_sum(place, f.payload_len)
    _write_payload(out, payload_at, place, kept_len)
    for content in _DISGUISES:
        rows = np.flatnonzero(f.content == content)
        if len(rows):
            sums[rows] = _write_disguise(out, payload_at[rows], kept_len[rows], f.at(rows), content)
    for layout in Layout:
        rows = np.flatnonzero(f.layout == layout)
        if len(rows):
            head = _headers(f.at(rows), layout, captured_len[rows], original_len[rows], sums[rows])
            _runs(out, head.dtype.itemsize)[starts[rows]] = head.view(f"V{head.dtype.itemsize}")
    return out


def _write_payload(out: Bytes, payload_at: Column, place: Column, kept_len: Column) -> None:
    """Frames with the same payload length are copied in one go; a chunk has few distinct lengths."""
    by_len = np.argsort(kept_len, kind="stable")
    lengths, first = np.unique(kept_len[by_len], return_index=True)
    for length, rows in zip(lengths.tolist(), np.split(by_len, first[1:]), strict=True):
        if length > 0:
            _runs(out, length)[payload_at[rows]] = _runs(PATTERN, length)[place[rows]]


def _write_disguise(out: Bytes, payload_at: Column, kept_len: Column, f: Frames, content: Content) -> Column:
    """Overlay the cTCP message's clear-text head and its trailer; returns the payload's checksum share."""
    head_words, protocol = _DISGUISES[content]
    head = _as_rows(head_words(f), len(f))
    trailer = _as_rows(_trailer(f, protocol), len(f))
    head_len = head.dtype.itemsize
    trailer_from = f.payload_len - CTCP_TRAILER_LEN
    _overlay(out, payload_at, kept_len, head)
    _overlay(out, payload_at + trailer_from, kept_len - trailer_from, trailer)
    opaque_len = f.payload_len - head_len - CTCP_TRAILER_LEN  # even, like every part before it
    return _halves(head) + _halves(trailer) + _pattern_sum(f.place % _PATTERN_LEN + head_len, opaque_len)


def _overlay(out: Bytes, at: Column, kept_len: Column, rows: NDArray[np.void]) -> None:
    """Write each row where it belongs, as far as it was kept."""
    size = rows.dtype.itemsize
    is_whole = kept_len >= size
    _runs(out, size)[at[is_whole]] = rows[is_whole]
    is_cut = ~is_whole & (kept_len > 0)
    is_kept = np.arange(size) < kept_len[is_cut, np.newaxis]
    places = at[is_cut, np.newaxis] + np.arange(size)
    out[places[is_kept]] = rows[is_cut].view(np.uint8).reshape(-1, size)[is_kept]


def savefile(batches: Iterator[Frames], snaplen: int = FULL_SNAPLEN) -> Iterator[bytes | memoryview]:
    """A whole savefile in pieces, never held at once."""
    if snaplen < LONGEST_HEADERS_LEN:
        raise ValueError(f"snaplen {snaplen} would cut headers; at least {LONGEST_HEADERS_LEN}")
    yield file_header(snaplen)
    for batch in batches:
        if len(batch):
            yield encode(batch, snaplen).data

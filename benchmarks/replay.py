"""Replay: one stretch of traffic again and again, each time at a later hour and between other hosts.

A generator that computes every byte anew is slower than who reads it; this one changes twelve bytes of each record.
What is added to the client's address is taken from the server's, so that every checksum stays right (RFC 1071 §2).
Knows pcap records of Ethernet and IPv4.  Does not know what they carry.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.traffic import CLIENTS

FILE_HEAD_LEN: Final = 24
SECONDS_AT: Final = 0
SOURCE_AT, TARGET_AT = 16 + 14 + 12, 16 + 14 + 16
"""From the record's beginning: behind its own header, Ethernet's and twelve bytes of IP's."""
GAP_S: Final = 60
HOSTS: Final = 1 << 13
"""So many times are the hosts other ones; then the first are back, hours later."""
PIECE_LEN: Final = 1 << 22

Places = NDArray[np.int64]


def again_and_again(stretch: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    """A savefile without end."""
    content = bytearray().join(stretch)
    yield memoryview(content)[:FILE_HEAD_LEN]
    records = np.frombuffer(content, np.uint8)
    begins = np.array(list(begins_of(content)), np.int64)
    first = [field(records, begins + at, order) for at, order in FIELDS]
    is_sent = first[1] >> 24 == CLIENTS >> 24
    lasts = int(first[0].max() - first[0].min()) + GAP_S
    time = 0
    while True:
        other = np.where(is_sent, 1, -1) * (time % HOSTS)
        for (at, order), value in zip(
            FIELDS, (first[0] + time * lasts, first[1] + other, first[2] - other), strict=True
        ):
            put(records, begins + at, value, order)
        body = memoryview(content)[FILE_HEAD_LEN:]
        yield from (body[at : at + PIECE_LEN] for at in range(0, len(body), PIECE_LEN))
        time += 1


FIELDS: Final = ((SECONDS_AT, "<u4"), (SOURCE_AT, ">u4"), (TARGET_AT, ">u4"))


def begins_of(content: bytearray) -> Iterator[int]:
    at = FILE_HEAD_LEN
    while at < len(content):
        yield at
        at += 16 + int(struct.unpack_from("<I", content, at + 8)[0])


def field(records: NDArray[np.uint8], at: Places, order: str) -> NDArray[np.int64]:
    """A number of four bytes out of each record."""
    raw = records[at[:, None] + np.arange(4)]
    return np.ascontiguousarray(raw).view(order)[:, 0].astype(np.int64)


def put(records: NDArray[np.uint8], at: Places, value: Any, order: str) -> None:
    records[at[:, None] + np.arange(4)] = value.astype(order)[:, None].view(np.uint8)

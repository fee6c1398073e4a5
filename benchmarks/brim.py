"""Brim: one capture, over IPv6, in which a tracker reaches every bound of its memory and stays there.

As many cTCP flows as there are places speak turn by turn, all of them in each turn.  Both ends of each lose something
before every segment, ask for it, change their SPI, reset, and have a clock that runs back.  Such traffic does not
exist; whoever knows the bounds could send it.  Knows IPv6 and TCP headers, and nothing of what is held of a flow.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

import numpy as np

from benchmarks.traffic import STARTED_AT_US
from benchmarks.wire import ACK, FULL_SNAPLEN, PSH, RST, TCP, Column, file_header

FLOWS: Final = 102_400
"""As many as there are places."""
SPIS: Final = 8
"""Of each direction, one after the other: as many associations as are kept of it."""
MESSAGE_LEN: Final = 100
ISN: Final = 0x1000_0000
TURNS: Final = (ACK | PSH, ACK | PSH, ACK, ACK, RST | ACK, RST | ACK)
"""Flags of what both ends send in turn: a message behind a hole, the question for what was there, a reset."""
SET_BACK_TURNS: Final = 3
"""How far the clock runs back with every question, told in turns: less than a second."""

_HEAD: Final[list[Any]] = [
    ("sec", "<u4"),
    ("usec", "<u4"),
    ("captured_len", "<u4"),
    ("original_len", "<u4"),
    ("macs", ">u2", 6),
    ("ethertype", ">u2"),
    ("version", ">u4"),
    ("payload_len", ">u2"),
    ("next_header", "u1"),
    ("hop_limit", "u1"),
    ("source", ">u4", 4),
    ("target", ">u4", 4),
    *TCP,
]
_MESSAGE: Final[list[Any]] = [
    ("spi", ">u4"),
    ("esp_seq", ">u4"),
    ("opaque", ">u4", MESSAGE_LEN // 4 - 6),
    ("trailer", ">u4", 4),
]
_BARE_TYPE: Final = np.dtype(_HEAD)
_MESSAGE_TYPE: Final = np.dtype(_HEAD + _MESSAGE)
_ADDRESS_WORD: Final = (16 + 14 + 8) // 2  # where the addresses begin, in 16-bit words of a record
_TRAILER: Final = (0, 0, 0x21456C69, 0x10320100)


def brim(flows: int = FLOWS) -> Iterator[bytes | memoryview]:
    """A savefile without end."""
    yield file_header(FULL_SNAPLEN)
    for turn in count():
        yield records(turn, flows).view(np.uint8).data


def records(turn: int, flows: int) -> Any:
    """What one end of every flow sends in this turn."""
    cycle, step = divmod(turn, len(TURNS))
    is_message = TURNS[step] & PSH != 0
    made = np.zeros(flows, _MESSAGE_TYPE if is_message else _BARE_TYPE)
    _write_frame(made, turn - SET_BACK_TURNS * (TURNS[step] == ACK))
    _write_ends(made, step % 2)
    made["seq"] = (ISN + (2 * cycle + 1 - is_message) * MESSAGE_LEN) % (1 << 32)
    made["ack"] = ISN
    made["offset_flags"], made["window"] = 5 << 12 | TURNS[step], 0xFFFF
    if is_message:
        made["spi"] = 256 + SPIS * (2 * np.arange(flows) + step % 2) + cycle % SPIS
        made["esp_seq"], made["trailer"] = 1 + cycle, _TRAILER
    _write_checksums(made)
    return made


def _write_frame(made: Any, turn: int) -> None:
    time_us = STARTED_AT_US + (max(0, turn) * len(made) + np.arange(len(made)))
    made["sec"], made["usec"] = time_us // 1_000_000, time_us % 1_000_000
    made["captured_len"] = made["original_len"] = made.dtype.itemsize - 16
    made["macs"], made["ethertype"] = (0x0200, 0, 1, 0x0200, 0, 2), 0x86DD
    made["version"], made["payload_len"] = 6 << 28, made.dtype.itemsize - _BARE_TYPE.itemsize + 20
    made["next_header"] = 6


def _write_ends(made: Any, side: int) -> None:
    """Clients of one network, one headend."""
    client, headend = np.zeros((2, len(made), 4), np.int64)
    client[:, 0] = headend[:, 0] = 0x20010DB8
    client[:, 3], headend[:, 1] = np.arange(len(made)), 1
    made["source"], made["target"] = (headend, client) if side else (client, headend)
    made["source_port"], made["target_port"] = (10_000, 40_000) if side else (40_000, 10_000)
    made["hop_limit"] = 57 if side else 128


def _write_checksums(made: Any) -> None:
    """RFC 8200 §8.1: over both addresses, the length, the protocol and the segment."""
    words = made.view(">u2").reshape(len(made), -1)
    total: Column = words[:, _ADDRESS_WORD:].sum(axis=1, dtype=np.int64) + made["payload_len"] + 6
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    made["sum"] = ~total & 0xFFFF

"""Builds pcap and pcapng savefiles, byte by byte and as wrong as a test wants them.

Every builder takes the byte order first, as struct spells it: `<` or `>`.
"""

from __future__ import annotations

from struct import pack
from typing import Final

MICRO, NANO, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
ETHERNET, RAW_IP = 1, 101
SECTION_MAGIC: Final = 0x1A2B3C4D


# --- pcap ----------------------------------------------------------------------------------


def pcap_header(
    order: str = "<",
    *,
    magic: int = MICRO,
    version: tuple[int, int] = (2, 4),
    snap_len: int = 262_144,
    network: int = ETHERNET,
) -> bytes:
    return pack(f"{order}IHHIIII", magic, *version, 0, 0, snap_len, network)


def record(
    order: str = "<",
    data: bytes = b"",
    *,
    seconds: int = 0,
    fraction: int = 0,
    captured_len: int | None = None,
    original_len: int | None = None,
    more_header: bytes = b"",
) -> bytes:
    """A packet record; the lengths are the data's where they are not said."""
    captured = len(data) if captured_len is None else captured_len
    original = len(data) if original_len is None else original_len
    return pack(f"{order}IIII", seconds, fraction, captured, original) + more_header + data


def halves(savefile: bytes, *, frame: int) -> tuple[bytes, bytes]:
    """A little-endian pcap file cut behind a frame."""
    at = 24
    for _ in range(frame):
        at += 16 + int.from_bytes(savefile[at + 8 : at + 12], "little")
    return savefile[:at], savefile[:24] + savefile[at:]


# --- pcapng --------------------------------------------------------------------------------


def block(
    order: str, kind: int, body: bytes = b"", *, length: int | None = None, trailer: int | None = None
) -> bytes:
    """A block; its length and the copy at its end are right where they are not said."""
    body += bytes(-len(body) % 4)
    at_start = 12 + len(body) if length is None else length
    at_end = at_start if trailer is None else trailer
    return pack(f"{order}II", kind, at_start) + body + pack(f"{order}I", at_end)


def option(order: str, code: int, value: bytes) -> bytes:
    return pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def comment(order: str, text: str) -> bytes:
    return option(order, 1, text.encode())


def section(
    order: str = "<", options: bytes = b"", *, version: tuple[int, int] = (1, 0), magic: int = SECTION_MAGIC
) -> bytes:
    return block(order, 0x0A0D0D0A, pack(f"{order}IHHq", magic, *version, -1) + options)


def interface(
    order: str = "<", options: bytes = b"", *, link_type: int = ETHERNET, snap_len: int = 0
) -> bytes:
    return block(order, 1, pack(f"{order}HHI", link_type, 0, snap_len) + options)


def enhanced(
    order: str = "<",
    data: bytes = b"",
    *,
    ticks: int = 0,
    identifier: int = 0,
    captured_len: int | None = None,
    original_len: int | None = None,
    options: bytes = b"",
) -> bytes:
    """An enhanced packet block."""
    captured = len(data) if captured_len is None else captured_len
    original = len(data) if original_len is None else original_len
    fields = pack(f"{order}IIIII", identifier, ticks >> 32, ticks & 0xFFFFFFFF, captured, original)
    return block(order, 6, fields + data + bytes(-len(data) % 4) + options)


def simple(order: str = "<", data: bytes = b"", *, original_len: int | None = None) -> bytes:
    """A simple packet block: no time, no interface, no captured length."""
    return block(order, 3, pack(f"{order}I", len(data) if original_len is None else original_len) + data)


def obsolete(
    order: str = "<", data: bytes = b"", *, ticks: int = 0, identifier: int = 0, drops: int = 0xFFFF
) -> bytes:
    """A packet block of the first drafts."""
    times = pack(f"{order}HHII", identifier, drops, ticks >> 32, ticks & 0xFFFFFFFF)
    return block(order, 2, times + pack(f"{order}II", len(data), len(data)) + data)


def statistics(order: str = "<", options: bytes = b"", *, identifier: int = 0) -> bytes:
    return block(order, 5, pack(f"{order}III", identifier, 0, 0) + options)


def counter(order: str, code: int, count: int) -> bytes:
    """A 64-bit counter option: isb_ifdrop is 5, isb_osdrop 7."""
    return option(order, code, pack(f"{order}Q", count))

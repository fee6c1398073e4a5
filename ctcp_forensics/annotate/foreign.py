"""Foreign blocks and options: what other programs wrote, in the byte order that is written here.

Knows which values are numbers, draft-ietf-opsawg-pcapng.  Bytes, texts and what nobody knows stay as they are.
What may not be copied (§3.5.1: custom options that say so) or would no longer be true is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct, pack, unpack_from
from typing import Final

from ctcp_forensics._kernel.layouts import LATEST_NS, Clock, padded
from ctcp_forensics._kernel.plain_walk import time_of
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.annotate import blocks
from ctcp_forensics.savefile.pcapng import (
    IF_TSOFFSET,
    STATISTICS_OPTIONS_AT,
    Block,
    Options,
    read_options,
)

NAME_RESOLUTION, JOURNAL, SECRETS, CUSTOM = 4, 9, 10, 0xBAD
"""§4.5, §4.7, and the systemd journal: blocks that are copied whole; other kinds are not."""

CUSTOM_COPIED: Final = (2988, 2989)
CUSTOM_NOT_COPIED: Final = (19372, 19373)
NUMBERS_OF_PACKET: Final[Mapping[int, str]] = {2: "I", 4: "Q", 5: "Q", 6: "I"}
"""§4.3: flags, drop count, packet id, queue."""
NUMBERS_OF_INTERFACE: Final[Mapping[int, str]] = {8: "Q", 10: "i", 16: "Q", 17: "Q"}
"""§4.2: speed, time zone, speeds of sending and receiving."""
NUMBERS_OF_STATISTICS: Final[Mapping[int, str]] = {4: "Q", 5: "Q", 6: "Q", 7: "Q", 8: "Q"}
"""§4.6: received, dropped, accepted, dropped by the system, delivered."""
ISB_STARTTIME, ISB_ENDTIME = 2, 3
OURS_OF_INTERFACE: Final = (blocks.IF_NAME, blocks.IF_DESCRIPTION, blocks.IF_TSRESOL, IF_TSOFFSET)
"""Written anew: time is told in nanoseconds since 1970."""

Pairs = tuple[tuple[int, bytes], ...]


def turned(value: bytes, number: str, order: str) -> bytes:
    """A number of one byte order in ours; what has another length than it should stays as it is."""
    theirs = Struct(order + number)
    return value if len(value) != theirs.size else pack("<" + number, *theirs.unpack(value))


def options_copied(options: Options, numbers: Mapping[int, str], order: str) -> Pairs:
    return tuple(
        (code, value_copied(code, value, numbers, order))
        for code, value in options.pairs
        if code not in CUSTOM_NOT_COPIED
    )


def value_copied(code: int, value: bytes, numbers: Mapping[int, str], order: str) -> bytes:
    """Custom options begin with an enterprise's number, and go on with what that enterprise likes."""
    if code in CUSTOM_COPIED:
        return turned(value[:4], "I", order) + value[4:]
    return turned(value, numbers[code], order) if code in numbers else value


def packet_options(options: Options, order: str) -> Pairs:
    return options_copied(options, NUMBERS_OF_PACKET, order) if options.pairs else ()


def interface_options(options: Options, order: str) -> Pairs:
    copied = options_copied(options, NUMBERS_OF_INTERFACE, order)
    return tuple(pair for pair in copied if pair[0] not in OURS_OF_INTERFACE)


def statistics_of(block: Block, clock: Clock) -> tuple[int, Pairs]:
    """The time and the options of an interface statistics block; times in the interface's own ticks become ours."""
    found = read_options(block.content, STATISTICS_OPTIONS_AT, len(block.content) - 4, block.order)
    counted = options_copied(found, NUMBERS_OF_STATISTICS, block.order)
    pairs = tuple(
        (code, told_ns(value, 0, block.order, clock) if code in (ISB_STARTTIME, ISB_ENDTIME) else value)
        for code, value in counted
        if code not in (ISB_STARTTIME, ISB_ENDTIME) or len(value) == 8
    )
    high, low = unpack_from("<II", told_ns(block.content, 12, block.order, clock))
    return high << 32 | low, pairs


def told_ns(content: bytes, at: int, order: str, clock: Clock) -> bytes:
    """A time of two halves, the higher one first in either byte order (§4.3)."""
    high, low = unpack_from(f"{order}II", content, at)
    found = time_of(high << 32 | low, clock)
    since_1970_ns = 0 if found == NEVER else min(found, LATEST_NS)
    return pack("<II", since_1970_ns >> 32, since_1970_ns & 0xFFFF_FFFF)


def copied(block: Block) -> bytes | None:
    """A whole block in our byte order; None where that cannot be done."""
    body = block.content[8:-4]
    match block.kind:
        case 4:
            return blocks.other_block(block.kind, names_copied(body, block.order))
        case 10:
            return blocks.other_block(block.kind, secrets_copied(body, block.order))
        case 9:
            return blocks.other_block(block.kind, body)
        case _:
            return blocks.other_block(block.kind, body) if block.order == "<" else None


def names_copied(body: bytes, order: str) -> bytes:
    """§4.5: records of addresses and names up to an empty one, then options."""
    out, at = bytearray(), 0
    while at + 4 <= len(body):
        kind, length = unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if len(value) < length or (kind == 0 and length):
            return bytes(out) + bytes(4)
        out += pack("<HH", kind, length) + value + bytes(-length % 4)
        at += 4 + padded(length)
        if kind == 0:
            break
    options = read_options(body, at, len(body), order)
    packed = blocks.options_of(options_copied(options, {}, order))
    return bytes(out) + b"".join(bytes(option) for option in packed)


def secrets_copied(body: bytes, order: str) -> bytes:
    """§4.7: a type, a length, the secrets, options."""
    if len(body) < 8:
        return body
    kind, length = unpack_from(f"{order}II", body)
    secrets = body[8 : 8 + length]
    options = read_options(body, 8 + padded(length), len(body), order)
    packed = blocks.options_of(options_copied(options, {}, order))
    return (
        pack("<II", kind, len(secrets))
        + secrets
        + bytes(-len(secrets) % 4)
        + b"".join(bytes(option) for option in packed)
    )

"""Savefiles as tcpdump and dumpcap write them on this machine: frames out of both forms, and into both.

Knows pcap and pcapng as far as these two programs use them: this byte order, one section, Ethernet.  Does not
know what is in a frame.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .logs import NS

PCAP_FRACTIONS_NS = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
PCAP_HEADER_LEN = 24
SHB, IDB, EPB, ISB = 0x0A0D0D0A, 1, 6, 5
LINKTYPE_ETHERNET = 1
# Options of an interface description and of interface statistics (draft-ietf-opsawg-pcapng §4.2 and §4.6).
END, IF_NAME, IF_TSRESOL, ISB_IFDROP, ISB_OSDROP = 0, 2, 9, 5, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFrame:
    """One captured frame as it lies in a savefile; a pcap has one interface only."""

    time_ns: int
    original_len: int
    frame: bytes
    interface: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedInterface:
    """What a pcapng says about one of its interfaces; `dropped` is None where nobody counted."""

    name: str
    unit_ns: int
    dropped: int | None = None


def saved_frames(savefile: bytes) -> Iterator[SavedFrame]:
    """Every captured frame in the order of the file, whose numbers count from 1."""
    if struct.unpack_from("<I", savefile)[0] in PCAP_FRACTIONS_NS:
        return _frames_of_pcap(savefile)
    return _frames_of_pcapng(savefile)


def saved_interfaces(pcapng: bytes) -> list[SavedInterface]:
    """Name, resolution and drops of each interface, in the order of their numbers."""
    described: list[SavedInterface] = []
    dropped: dict[int, int] = {}
    for kind, body in _blocks(pcapng):
        if kind == IDB:
            described.append(_interface(_options(body[8:])))
        elif kind == ISB:
            options = _options(body[12:])
            counters = [options[code] for code in (ISB_IFDROP, ISB_OSDROP) if code in options]
            dropped[struct.unpack_from("<I", body)[0]] = sum(
                int.from_bytes(value, "little") for value in counters
            )
    return [
        SavedInterface(name=one.name, unit_ns=one.unit_ns, dropped=dropped.get(number))
        for number, one in enumerate(described)
    ]


def to_pcap(frames: Iterable[SavedFrame], link_type: int) -> bytes:
    parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link_type)]
    for one in frames:
        seconds, nanoseconds = divmod(one.time_ns, NS)
        parts.append(struct.pack("<IIII", seconds, nanoseconds, len(one.frame), one.original_len) + one.frame)
    return b"".join(parts)


def to_pcapng(
    frames: Sequence[SavedFrame], interfaces: Sequence[str] = ("",), dropped: int | None = None
) -> bytes:
    """One section whose interfaces have nanosecond resolution; what was dropped is counted on the first.

    An interface may have no name.
    """
    blocks = [_block(SHB, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    for name in interfaces:
        facts = (_option(IF_NAME, name.encode()) if name else b"") + _option(IF_TSRESOL, b"\x09")
        blocks.append(_block(IDB, struct.pack("<HHI", LINKTYPE_ETHERNET, 0, 0) + facts + _option(END, b"")))
    for one in frames:
        head = struct.pack("<III", one.interface, *_halves(one.time_ns))
        lengths = struct.pack("<II", len(one.frame), one.original_len)
        blocks.append(_block(EPB, head + lengths + one.frame))
    if dropped is not None and frames:
        head = struct.pack("<III", 0, *_halves(frames[-1].time_ns))
        count = _option(ISB_IFDROP, struct.pack("<Q", dropped))
        blocks.append(_block(ISB, head + count + _option(END, b"")))
    return b"".join(blocks)


def _frames_of_pcap(pcap: bytes) -> Iterator[SavedFrame]:
    unit_ns = PCAP_FRACTIONS_NS[struct.unpack_from("<I", pcap)[0]]
    at = PCAP_HEADER_LEN
    while at < len(pcap):
        seconds, part, captured_len, original_len = struct.unpack_from("<IIII", pcap, at)
        at += 16 + captured_len
        yield SavedFrame(
            time_ns=seconds * NS + part * unit_ns,
            original_len=original_len,
            frame=pcap[at - captured_len : at],
        )


def _frames_of_pcapng(pcapng: bytes) -> Iterator[SavedFrame]:
    units_ns = [one.unit_ns for one in saved_interfaces(pcapng)]
    for kind, body in _blocks(pcapng):
        if kind == EPB:
            interface, high, low, captured_len, original_len = struct.unpack_from("<IIIII", body)
            yield SavedFrame(
                time_ns=(high << 32 | low) * units_ns[interface],
                original_len=original_len,
                frame=body[20 : 20 + captured_len],
                interface=interface,
            )


def _blocks(pcapng: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(pcapng):
        kind, length = struct.unpack_from("<II", pcapng, at)
        yield kind, pcapng[at + 8 : at + length - 4]
        at += length


def _halves(time_ns: int) -> tuple[int, int]:
    return time_ns >> 32, time_ns & 0xFFFFFFFF


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _options(packed: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(packed) >= 4:
        code, length = struct.unpack_from("<HH", packed)
        if code == 0:
            break
        found[code] = packed[4 : 4 + length]
        packed = packed[4 + length + -length % 4 :]
    return found


def _interface(options: dict[int, bytes]) -> SavedInterface:
    """Without a resolution the unit is the microsecond."""
    digits = options.get(IF_TSRESOL, b"\x06")[0]
    return SavedInterface(name=options.get(IF_NAME, b"").decode(), unit_ns=10 ** (9 - digits))


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length

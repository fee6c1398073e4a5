"""Savefiles as tcpdump and dumpcap write them on this machine: frames out of both forms, and into both.

Knows pcap and pcapng as far as these two programs use them: this byte order, one section, Ethernet.  Does not
know what is in a frame.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

NS = 1_000_000_000
PCAP_FRACTIONS_NS = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
PCAP_HEADER_LEN = 24
SHB, IDB, EPB, ISB = 0x0A0D0D0A, 1, 6, 5
LINKTYPE_ETHERNET = 1
# Options of an interface description and of interface statistics (draft-ietf-opsawg-pcapng §4.2 and §4.6).
IF_NAME, IF_TSRESOL, ISB_IFDROP, ISB_OSDROP = 2, 9, 5, 7


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


def to_pcapng(frames: Iterable[SavedFrame]) -> bytes:
    """One section with one interface of nanosecond resolution."""
    blocks = [
        _block(SHB, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        _block(
            IDB,
            struct.pack("<HHI", LINKTYPE_ETHERNET, 0, 0) + struct.pack("<HHB3xHH", IF_TSRESOL, 1, 9, 0, 0),
        ),
    ]
    for one in frames:
        head = struct.pack(
            "<IIIII", 0, one.time_ns >> 32, one.time_ns & 0xFFFFFFFF, len(one.frame), one.original_len
        )
        blocks.append(_block(EPB, head + one.frame))
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

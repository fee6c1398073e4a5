"""Captures spoilt on purpose after the recording: what capturing itself does wrong.

Knows savefiles as bytes and the truth that belongs to them.  Does not know the network: whatever
happens on a wire is recorded by the laboratory, never made up here.
"""

import struct

from .truth import savefile_records

NS = 1_000_000_000
SHB, IDB, EPB = 0x0A0D0D0A, 1, 6
LINKTYPE_ETHERNET = 1


def to_pcapng(pcap: bytes) -> bytes:
    """The same frames as pcapng with one interface of nanosecond resolution."""
    blocks = [
        _block(SHB, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        _block(IDB, struct.pack("<HHI", LINKTYPE_ETHERNET, 0, 0) + struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)),
    ]
    for time_ns, original_len, frame in savefile_records(pcap):
        head = struct.pack("<IIIII", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, len(frame), original_len)
        blocks.append(_block(EPB, head + frame))
    return b"".join(blocks)


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length

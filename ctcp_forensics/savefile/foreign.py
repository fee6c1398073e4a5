"""What a file is that is no savefile, in words for the one who named it.

Knows a few first bytes.  Only words: no other format is read.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final

PEEKED_LEN: Final = 512
"""Enough for every mark below and for telling text."""

COMPRESSED: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
)
NAME_A_MEMBER: Final = "name a capture in it as ARCHIVE!/NAME, or `ctcp-diag scan` all of them"
OTHER_CAPTURES: Final = (
    (b"snoop\x00\x00\x00", "is a Solaris snoop file; `editcap -F pcap` converts it"),
    (b"RTSS", "is a Microsoft Network Monitor 1 file; `editcap -F pcap` converts it"),
    (b"GMBU", "is a Microsoft Network Monitor 2 file; `editcap -F pcap` converts it"),
    (b"XCP\x00", "is a NetXRay or Sniffer file; `editcap -F pcap` converts it"),
    (b"TRSNIFF data", "is a Sniffer file; `editcap -F pcap` converts it"),
)
MARKS: Final = (
    *OTHER_CAPTURES,
    (b"\x02\x21\x4c\x18", "is lz4 in its legacy format; `lz4 -d` unpacks it"),
    (b"\x1f\x9d", "is compressed with compress (.Z); `gzip -d` unpacks it"),
    (b"PK\x03\x04", f"is a zip archive; {NAME_A_MEMBER}"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"),
    (b"Rar!\x1a\x07", "is a rar archive; unpack it first"),
    (b"\x7fELF", "is a program (ELF)"),
    (b"MZ", "is a Windows program"),
    (b"%PDF-", "is a PDF document"),
    (b"\x89PNG", "is a picture (PNG)"),
    (b"SQLite format 3\x00", "is an SQLite database"),
    *((mark, "is a text file in UTF-16") for mark in (BOM_UTF16_LE, BOM_UTF16_BE)),
)
FRAMES_IN_WORDS: Final = (
    "is a text file; give the capture that it tells of: tcpdump writes it with -w, an ASA with `copy /pcap`"
)
REPORT_MARK: Final = b'"schema_version"'
"""The first name in a report; see report."""
TAR_MARK: Final = (257, b"ustar")
TIME_AND_WHO_TO_WHOM: Final = rb"\d\d:\d\d:\d\d.* > "
CONTROLS_IN_TEXT: Final = frozenset(b"\t\n\r\f\x1b\x08")


def other_capture(head: bytes) -> str | None:
    """The end of the sentence *this file …*, for a capture that another program can make a savefile of."""
    return next((words for mark, words in OTHER_CAPTURES if head.startswith(mark)), None)


def compression(head: bytes) -> str | None:
    """What a file that begins like this was compressed with."""
    return next((name for mark, name in COMPRESSED if head.startswith(mark)), None)


def describe(head: bytes) -> str:
    """The end of the sentence *this file …*."""
    if not head:
        return "is empty"
    packed = compression(head)
    if packed is not None:
        return f"is compressed once more ({packed}); only one layer is opened"
    for mark, words in MARKS:
        if head.startswith(mark):
            return words
    at, mark = TAR_MARK
    if head[at:].startswith(mark):
        return f"is a tar archive; {NAME_A_MEMBER}"
    if is_report(head):
        return "is a report of ctcp-diag; `ctcp-diag render` shows it, and needs no capture"
    if is_text(head):
        return FRAMES_IN_WORDS if tells_of_frames(head) else "is a text file"
    return f"is no savefile: it starts with {head[:4].hex(' ')}"


def is_report(head: bytes) -> bool:
    return head.removeprefix(BOM_UTF8).lstrip().startswith(b"{") and REPORT_MARK in head


def tells_of_frames(head: bytes) -> bool:
    """As tcpdump does on a terminal, and `show capture` of an ASA."""
    return re.search(TIME_AND_WHO_TO_WHOM, head) is not None


def is_text(head: bytes) -> bool:
    """UTF-8, of which the last character may be cut, without control characters."""
    if any(byte < 0x20 and byte not in CONTROLS_IN_TEXT for byte in head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) == PEEKED_LEN and error.start > len(head) - 4
    return True

"""Archives as friends and enemies make them: by the real programs, by Python's modules, and byte by byte."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from struct import pack
from zlib import compressobj, crc32


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return memory.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return memory.getvalue()


def run(*words: str, cwd: Path) -> bytes:
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True).stdout


def deflated(data: bytes) -> bytes:
    packer = compressobj(9, wbits=-15)
    return packer.compress(data) + packer.flush()


# --- a zip archive, byte by byte ---------------------------------------------------------------------------------


def local_header(name: bytes, packed: int, length: int, checksum: int) -> bytes:
    """APPNOTE.TXT §4.3.7, deflated."""
    return pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 33, checksum, packed, length, len(name), 0) + name


def directory_header(name: bytes, packed: int, length: int, checksum: int, at: int) -> bytes:
    """§4.3.12."""
    fields = (20, 20, 0, 8, 0, 33, checksum, packed, length, len(name), 0, 0, 0, 0, 0, at)
    return pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", *fields) + name


def end_of_directory(count: int, length: int, at: int) -> bytes:
    """§4.3.16."""
    return pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, length, at, 0)


def zip_of_one(name: bytes, content: bytes) -> bytes:
    """With any name, which `zipfile` would not write."""
    packed = deflated(content)
    header = local_header(name, len(packed), len(content), crc32(content))
    return _directory(header + packed, [(name, header, len(packed), len(content), crc32(content))])


def quoted_overlap_zip(members: int, kernel: bytes) -> bytes:
    """A better zip bomb (Fifield 2019): every member quotes the next one's header and goes on with its data.

    A deflate block that is stored (RFC 1951 §3.2.4) holds the next local header as data, and behind it stands what
    that one's data are: each member contains all that follow it.
    """
    packed, length, checksum = deflated(kernel), len(kernel), crc32(kernel)
    content = kernel
    pieces: list[tuple[bytes, bytes, int, int, int]] = []
    names = [b"%d.pcap" % at for at in range(members)]
    header = local_header(names[-1], len(packed), length, checksum)
    pieces.append((names[-1], header, len(packed), length, checksum))
    body = header + packed
    for name in reversed(names[:-1]):
        quote = b"\x00" + pack("<HH", len(header), len(header) ^ 0xFFFF)
        content = header + content
        data_len = len(quote) + len(body)
        new = local_header(name, data_len, len(content), crc32(content))
        pieces.append((name, new, data_len, len(content), crc32(content)))
        body, header = new + quote + body, new
    return _directory(body, list(reversed(pieces)))


def _directory(body: bytes, pieces: Iterable[tuple[bytes, bytes, int, int, int]]) -> bytes:
    """The archive: its members, and behind them the directory that tells of them."""
    directory, count = b"", 0
    for name, header, packed, length, checksum in pieces:
        directory += directory_header(name, packed, length, checksum, body.index(header))
        count += 1
    return body + directory + end_of_directory(count, len(directory), len(body))

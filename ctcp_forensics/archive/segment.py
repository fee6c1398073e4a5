"""Segments: results of a few tasks in one file, durable before anybody hears of them.

Each result is one line of JSON, compressed by itself: a segment is a Zstandard file that any tool unpacks, and one
result of it is read without the others.  Knows bytes on disk.  Does not know which results are current: see manifest.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from ctcp_forensics.archive.database import StoreError
from ctcp_forensics.archive.examine import Examined
from ctcp_forensics.report import valid_text

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FOLDER: Final = "segments"
SUFFIX: Final = ".ndjson.zst"
OPTIONS: Final[dict[int, int]] = {
    zstd.CompressionParameter.compression_level: 3,
    zstd.CompressionParameter.checksum_flag: 1,
}
"""With a checksum (RFC 8878 §3.1.1): a bit that a disk turned must not turn a verdict."""
DAMAGED: Final = "a result in the store is damaged"
MEND: Final = "`scan --force` into the same store examines the captures anew"
OURS: Final = re.compile(rf"\d{{9,}}{re.escape(SUFFIX)}|\.\d{{9,}}{re.escape(SUFFIX)}\.part")
"""Segments, and those that are being written."""


def packed(found: Examined) -> bytes:
    """One result.  A name that is no text is kept as its bytes."""
    if valid_text(found.uri) != found.uri:
        found = msgspec.structs.replace(found, uri=valid_text(found.uri), raw_uri=os.fsencode(found.uri))
    return zstd.compress(msgspec.json.encode(found) + b"\n", options=OPTIONS)


def unpacked(frame: bytes) -> Examined:
    """Raises StoreError where the frame is not what was written."""
    try:
        return _examined(zstd.decompress(frame))
    except zstd.ZstdError as error:
        raise StoreError(f"{DAMAGED} ({error}); {MEND}") from error


def _examined(line: bytes) -> Examined:
    try:
        found = msgspec.json.decode(line, type=Examined)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"{DAMAGED} ({error}); {MEND}") from error
    if found.raw_uri is not None:
        found = msgspec.structs.replace(found, uri=os.fsdecode(found.raw_uri), raw_uri=None)
    return found


def lines_of(path: Path) -> Iterator[Examined]:
    """Everything that a segment holds."""
    with zstd.open(path, "rb") as lines:
        try:
            yield from map(_examined, lines)
        except (zstd.ZstdError, EOFError) as error:
            raise StoreError(f"{path}: {DAMAGED} ({error}); {MEND}") from error


def frame_at(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        file.seek(offset)
        return file.read(length)


def name_of(number: int) -> str:
    """Names sort as they were written."""
    return f"{number:09}{SUFFIX}"


def write_durably(path: Path, frames: Sequence[bytes]) -> None:
    """The file is there whole, after a power cut too, when this returns; else it is not there under its name."""
    passing = path.with_name(f".{path.name}.part")
    try:
        with passing.open("wb") as file:
            # Buffered: a raw write to a disk that fills up is short, and no error.
            file.writelines(frames)
            file.flush()
            os.fsync(file.fileno())
        passing.replace(path)
    finally:
        passing.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """A name is durable when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_orphans(folder: Path, acknowledged: set[str]) -> int:
    """Files that were written and never acknowledged: what they hold will be done again.

    What a file system keeps there (snapshots, files that are still open elsewhere) is not ours.
    """
    orphans = [one for one in folder.iterdir() if OURS.fullmatch(one.name) and one.name not in acknowledged]
    for one in orphans:
        one.unlink()
    return len(orphans)

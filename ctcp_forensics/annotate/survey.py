"""The survey: a capture read again for the first time, to mark the frames that are wanted.

Knows what has to be known before the first byte of the new file is written: which frames, and what the sections of a
pcapng file say.  Makes sure that the capture is still the one that the report is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ctcp_forensics._kernel.layouts import SECTION_HEADER
from ctcp_forensics.annotate import blocks
from ctcp_forensics.annotate.marking import Everything, Marker, Marks, Stay
from ctcp_forensics.annotate.strand import check_unchanged
from ctcp_forensics.capture import STDIN, UNHASHED, Access, open_capture
from ctcp_forensics.coverage import hashing_of
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.reading import Progress
from ctcp_forensics.report import Capture
from ctcp_forensics.savefile import Reader
from ctcp_forensics.savefile.pcapng import Block, Options, read_section_header

MAX_SECTION_COMMENTS: Final = 100
"""Kept of one capture; a section comment of the new file counts the rest."""
TWICE: Final = (
    "standard input can be read only once, and this needs a second reading: give the capture as a file"
)


@dataclass(slots=True, kw_only=True)
class Sections:
    """What the sections of one savefile say."""

    comments: list[bytes] = field(default_factory=list)
    beyond: int = 0
    programs: list[str] = field(default_factory=list)

    def take(self, block: Block) -> None:
        if block.kind == SECTION_HEADER:
            self._take(read_section_header(block.content, block.order).options)

    def _take(self, options: Options) -> None:
        room = MAX_SECTION_COMMENTS - len(self.comments)
        comments = options.all(blocks.COMMENT)
        self.comments += comments[:room]
        self.beyond += len(comments[room:])
        program = options.text(blocks.SHB_USERAPPL)
        if program and program not in self.programs and len(self.programs) < MAX_SECTION_COMMENTS:
            self.programs.append(program)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a capture holds of what is wanted."""

    capture: Capture
    marks: Marks
    sections: Sections


def survey(
    capture: Capture,
    stays: Sequence[Stay] | None,
    named: Iterable[int],
    *,
    checks_hash: bool,
    access: Access,
    progress: Progress | None,
) -> Survey:
    """`stays` None wants every frame; the frames `named` are wanted in any case."""
    if capture.source == STDIN:
        raise CaptureError("", offset=None, reason=TWICE)
    sections = Sections()
    marker = Marker(stays=stays or ())
    hashing = hashing_of(capture) if checks_hash else UNHASHED
    with open_capture(capture.source, hashing=hashing, access=access) as opened:
        reader = Reader(opened.chunks(), source=capture.source, on_block=sections.take)
        for buffer, frames in reader.batches():
            if stays:
                marker.take(buffer, frames)
            if progress is not None:
                progress(opened.position, opened.size)
        check_unchanged(capture, reader, opened.content_digest)
    marker.finish()
    for frame in named:
        marker.marks.add(frame)
    return Survey(capture=capture, marks=Everything() if stays is None else marker.marks, sections=sections)

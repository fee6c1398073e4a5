"""Evidence: the captures of a report read again, and one pcapng file written from them.

Knows the order of things: mark, describe, copy.  Does not know which flows matter nor what is said of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctcp_forensics import __version__
from ctcp_forensics.annotate import blocks, section
from ctcp_forensics.annotate.marking import Stay, begun_in, runs_in, stays_in
from ctcp_forensics.annotate.merging import merged
from ctcp_forensics.annotate.output import Output, Write
from ctcp_forensics.annotate.places import Places, places_of
from ctcp_forensics.annotate.remarks import Remarks, remarks_on
from ctcp_forensics.annotate.strand import Rewrite, Strand, kinds_copied
from ctcp_forensics.annotate.survey import Survey, survey
from ctcp_forensics.capture import Access
from ctcp_forensics.reading import Progress
from ctcp_forensics.render.judged import Judged
from ctcp_forensics.render.wording import labels
from ctcp_forensics.report import Capture, Flow, Report

OF_THE_FLOWS = "the frames of the flows told of here, with the ICMP errors about them"
OF_EVERYTHING = "every frame of its captures"
UNTOUCHED = "bytes, lengths and order are those of the captures"
REWRITTEN = (
    "MODIFIED: the bytes of its frames are not those that were captured, and what the captures said beside their "
    "frames is left out"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be written."""

    report: Report
    concerned: tuple[Judged, ...]
    whole: bool = False
    """Every frame, and not only those of the flows concerned."""
    aligns: bool = True
    """Whether the times of several places are told by one clock."""
    is_stored: bool = False
    """The report was made earlier: that the captures are still the same is checked by their hashes as well."""
    access: Access = Access.PUBLIC_ONLY
    rewrite: Rewrite | None = None
    """What is done to the bytes of each frame, for instance to hide addresses.  With it nothing else is copied from
    the captures: no comment, no option, no name and no secret that it has not seen."""
    words: Report | None = None
    """The report that sentences are taken from, where it is another: the same one with pseudonyms."""
    words_concerned: tuple[Judged, ...] | None = None
    """The same flows, as it has them."""
    progress: Callable[[str, str], Progress | None] = lambda _verb, _source: None
    """Asked for each reading of a capture, with what is done there."""

    @property
    def told(self) -> Report:
        return self.words or self.report

    @property
    def told_of(self) -> tuple[Judged, ...]:
        return self.concerned if self.words_concerned is None else self.words_concerned


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What has been written."""

    frames: int
    commented: int
    """By us."""
    frames_left_out: int
    """That could not be rewritten."""
    blocks_left_out: int
    """That are no packets, and of which the new file has no copy."""


def annotate(request: Request, write: Write) -> Written:
    """Read the captures again, and hand over the new file block by block."""
    remarks = remarks_on(request.told, request.told_of)
    surveys = [surveyed(capture, request, remarks) for capture in without_twins(request.report.captures)]
    places = places_of(request.report, reference_of(request), names=request.told, aligns=request.aligns)
    strands = [strand_of(one, request, remarks, places) for one in surveys]
    write(blocks.section_header(section_pairs(request, places, surveys)))
    output = Output(write=write)
    in_order = sorted(strands, key=lambda one: one.place.order)
    for strand in in_order:
        output.announce(strand.first_ports())
    for item in merged(in_order):
        output.take(item)
    return Written(
        frames=output.frames,
        commented=output.commented,
        frames_left_out=output.frames_left_out,
        blocks_left_out=output.blocks_left_out,
    )


def without_twins(captures: Sequence[Capture]) -> list[Capture]:
    """The same content under two names is one capture."""
    first: dict[object, Capture] = {}
    for capture in captures:
        first.setdefault(capture.content_digest or capture.id, capture)
    return list(first.values())


def reference_of(request: Request) -> str:
    """The capture that the worst flow is judged in: the report tells times by its clock."""
    return request.concerned[0].flow.judged_in if request.concerned else ""


def surveyed(capture: Capture, request: Request, remarks: Remarks) -> Survey:
    flows = [one.flow for one in request.concerned]
    stays = None if request.whole else stays_of(capture, flows, request.report)
    progress = request.progress("marking", capture.source)
    named = remarks.frames(capture.id)
    return survey(
        capture,
        stays,
        named,
        checks_hash=request.is_stored,
        access=request.access,
        progress=progress,
    )


def stays_of(capture: Capture, flows: Sequence[Flow], found: Report) -> list[Stay]:
    return stays_in(capture.id, flows, runs_in(found), begun_in(capture.id, found))


def strand_of(found: Survey, request: Request, remarks: Remarks, places: Places) -> Strand:
    capture = found.capture
    name = labels({one.id: one.source for one in request.told.captures})[capture.id]
    return Strand(
        capture=capture,
        marks=found.marks,
        places=places,
        comment=lambda frame: remarks.comment(capture.id, frame, name),
        kinds=frozenset() if request.rewrite else kinds_copied(whole=request.whole),
        rewrite=request.rewrite,
        access=request.access,
        progress=request.progress("copying", capture.source),
    )


def section_pairs(request: Request, places: Places, surveys: Sequence[Survey]) -> list[tuple[int, bytes]]:
    """Ours first: what the sections of the captures said stands behind it, word for word."""
    tool = f"ctcp-diag {__version__}"
    how = (
        f"{OF_EVERYTHING if request.whole else OF_THE_FLOWS}; {REWRITTEN if request.rewrite else UNTOUCHED}."
    )
    programs = {} if request.rewrite else {one.capture.id: one.sections.programs for one in surveys}
    comments = [
        section.verdict_comment(request.told_of).encode(),
        section.origin_comment(request.told, tool, how, places, programs).encode(),
        *(() if request.rewrite else section.comments_kept(surveys)),
    ]
    program = f"{tool} ({section.MODIFIED})" if request.rewrite else tool
    return [*((blocks.COMMENT, one) for one in comments), (blocks.SHB_USERAPPL, program.encode())]

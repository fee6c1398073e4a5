"""Strands: the wanted frames of one capture, in its own order, and what a pcapng file says beside them.

Knows savefiles and interfaces.  Does not know the other captures: see merging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ctcp_forensics import report
from ctcp_forensics._kernel.layouts import (
    INTERFACE_DESCRIPTION,
    INTERFACE_STATISTICS,
    NUMBERED_KINDS,
    SECTION_HEADER,
    Clock,
)
from ctcp_forensics._kernel.rows import Frame
from ctcp_forensics.annotate import blocks, foreign
from ctcp_forensics.annotate.foreign import Pairs
from ctcp_forensics.annotate.marking import Marks
from ctcp_forensics.annotate.places import Place, Places
from ctcp_forensics.capture import UNHASHED, Access, Capture, open_capture
from ctcp_forensics.coverage import is_still
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.reading import Progress
from ctcp_forensics.render.wording import clean
from ctcp_forensics.savefile import Buffer, FrameTable, Reader
from ctcp_forensics.savefile.pcapng import Block, Options, read_description, read_section_header

MAX_HELD_LEN: Final = 1 << 24
"""Bytes of blocks that are no packets, between two batches of frames: more are left out, and counted."""
FINER: Final = 1
"""A clock's divisor above this counts finer than nanoseconds."""

Rewrite = Callable[[bytes, int], bytes | None]
"""The bytes of a frame and its link type → what is written in their place; None: the frame is left out."""


class Port(NamedTuple):
    """An interface as it is written; two that are alike are one."""

    name: str
    link_type: int
    options: Pairs


class Taken(NamedTuple):
    """A frame on its way."""

    port: Port
    time_ns: int
    data: bytes
    original_len: int
    options: Pairs
    is_remarked: bool
    """By us."""


class Counted(NamedTuple):
    """The last statistics of an interface."""

    port: Port
    time_ns: int
    options: Pairs


class Copied(NamedTuple):
    """A whole block."""

    content: bytes


class LeftOut(NamedTuple):
    """What one capture has and the new file has not."""

    frames: int
    """That could not be rewritten."""
    blocks: int
    """That are no packets: of kinds that nobody here knows, or more of them in one place than are held."""


Item = Taken | Counted | Copied | LeftOut
Keyed = tuple[int, Item]
"""With the time that its place among other captures follows from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strand:
    """One capture, and all that is needed to read it again."""

    capture: report.Capture
    marks: Marks
    places: Places
    comment: Callable[[int], str | None]
    """What is said of a frame."""
    kinds: frozenset[int]
    """Of blocks that are copied whole."""
    rewrite: Rewrite | None = None
    access: Access = Access.PUBLIC_ONLY
    progress: Progress | None = None

    @property
    def place(self) -> Place:
        return self.places.of(self.capture.id, 0)

    @property
    def begins_ns(self) -> int:
        return self.place.alignment.told(self.capture.first_ns or 0, self.capture.id, 1)

    def first_ports(self) -> Sequence[Port]:
        """The interfaces that it tells of before its first frame."""
        beside = Beside(strand=self)
        with self._open() as opened:
            reader = Reader(opened.chunks(), source=self.capture.source, on_block=beside.take)
            for _, frames in reader.batches():
                return beside.ports(reader) if frames else ()
        return ()

    def _open(self) -> Capture:
        return open_capture(self.capture.source, hashing=UNHASHED, access=self.access)

    def items(self) -> Iterator[Keyed]:
        """In the capture's own order, whatever its clock does: nothing goes before what stands before it."""
        latest_ns = 0
        for time_ns, item in self._items():
            latest_ns = max(latest_ns, time_ns)
            yield latest_ns, item

    def _items(self) -> Iterator[Keyed]:
        beside = Beside(strand=self)
        with self._open() as opened:
            reader = Reader(opened.chunks(), source=self.capture.source, on_block=beside.take)
            for buffer, frames in reader.batches():
                yield from ((0, Copied(content)) for content in beside.drained())
                yield from self._frames(buffer, frames, reader, beside)
                if self.progress is not None:
                    self.progress(opened.position, opened.size)
            yield from ((0, Copied(content)) for content in beside.drained())
            yield from ((0, counted) for counted in beside.counted.values())
            yield 0, LeftOut(frames=beside.frames_left_out, blocks=beside.blocks_left_out)
        check_unchanged(self.capture, reader)

    def _frames(self, buffer: Buffer, frames: FrameTable, reader: Reader, beside: Beside) -> Iterator[Keyed]:
        view = memoryview(buffer)
        for frame in marked(frames, self.marks):
            data: bytes | None = bytes(view[frame.offset : frame.offset + frame.captured_len])
            if self.rewrite is not None:
                data = self.rewrite(data or b"", frame.link_type)
            if data is None:
                beside.frames_left_out += 1
                continue
            place = self.places.of(self.capture.id, frame.interface)
            time_ns = place.alignment.told(frame.time_ns, self.capture.id, frame.number)
            port = beside.port(frame, reader)
            said = self.comment(frame.number)
            ours: Pairs = () if said is None else ((blocks.COMMENT, said.encode()),)
            options = self._kept(frame, reader) + ours
            yield time_ns, Taken(port, time_ns, data, frame.original_len, options, bool(ours))

    def _kept(self, frame: Frame, reader: Reader) -> Pairs:
        """The frame's own options; of one that is rewritten none can be trusted to be harmless."""
        if self.rewrite is not None:
            return ()
        return foreign.packet_options(reader.packet_options(frame), reader.byte_order)


def marked(frames: FrameTable, marks: Marks) -> Iterator[Frame]:
    """Numbers rise by one from frame to frame, but for records that are no frames."""
    first, last = frames[0].number, frames[len(frames) - 1].number
    passed = last - first + 1 - len(frames)
    for number in marks.between(first, last):
        at = min(number - first, len(frames) - 1)
        frame = frames[at]
        for _ in range(passed if frame.number > number else 0):
            at -= 1
            frame = frames[at]
            if frame.number <= number:
                break
        if frame.number == number:
            yield frame


def check_unchanged(capture: report.Capture, reader: Reader, content: str | None = None) -> None:
    """Frames are found again by their numbers: they must be those that the report is about."""
    if not is_still(capture, reader, content):
        reason = (
            f"is not what it was when it was analyzed ({capture.frames} frames then, {reader.frames} now); "
            f"analyze it again"
        )
        raise CaptureError(capture.source, offset=None, reason=reason)


# --- what stands beside the frames ----------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Beside:
    """Sections, interfaces, statistics and whole blocks of one savefile, as they come."""

    strand: Strand
    counted: dict[int, Counted] = field(default_factory=dict)
    frames_left_out: int = 0
    blocks_left_out: int = 0
    _ports: list[Port] = field(default_factory=list)
    _clocks: list[Clock] = field(default_factory=list)
    _section: Options | None = None
    _pending: list[bytes] = field(default_factory=list)
    _pending_len: int = 0

    def take(self, block: Block) -> None:
        if block.kind == SECTION_HEADER:
            self._section = read_section_header(block.content, block.order).options
        elif block.kind == INTERFACE_DESCRIPTION:
            self._describe(block)
        elif block.kind == INTERFACE_STATISTICS:
            self._count(block)
        else:
            self._keep(block)

    def drained(self) -> list[bytes]:
        pending, self._pending, self._pending_len = self._pending, [], 0
        return pending

    def port(self, frame: Frame, reader: Reader) -> Port:
        return self.ports(reader)[frame.interface]

    def ports(self, reader: Reader) -> Sequence[Port]:
        """All that are known so far."""
        if not self._ports:  # a pcap file, whose only interface is described by its header
            self._ports.append(self._port(0, reader.interfaces[0].link_type, "", ()))
        return self._ports

    def _describe(self, block: Block) -> None:
        described = read_description(block.content, block.order)
        options = self._of_section() + foreign.interface_options(described.options, block.order)
        theirs = described.options.text(blocks.IF_NAME)
        about = described.options.text(blocks.IF_DESCRIPTION)
        if described.clock.divisor > FINER or described.clock.shift >= 0:
            about = "; ".join(filter(None, (about, f"{described.resolution} cut to nanoseconds")))
        port = self._port(len(self._ports), described.link_type, theirs, options, about)
        self._ports.append(port)
        self._clocks.append(described.clock)

    def _of_section(self) -> Pairs:
        """What a section says of its machine, as options of its interfaces: the new file has one section for all."""
        if self._section is None:
            return ()
        codes = ((blocks.SHB_OS, blocks.IF_OS), (blocks.SHB_HARDWARE, blocks.IF_HARDWARE))
        found = ((ours, self._section.last(theirs)) for theirs, ours in codes)
        return tuple((code, value) for code, value in found if value is not None)

    def _port(self, index: int, link_type: int, theirs: str, options: Pairs, about: str = "") -> Port:
        strand = self.strand
        place = strand.places.of(strand.capture.id, index)
        several = len(strand.capture.interfaces) > 1 and not strand.places.is_split(strand.capture.id)
        if strand.rewrite is not None:
            theirs, about, options = "", "", ()
        name = f"{place.name}: {theirs or index}" if several else place.name
        described = "; ".join(
            filter(None, (f"{theirs} of {place.files}" if theirs else place.files, about, place.clock))
        )
        ours = ((blocks.IF_NAME, clean(name).encode()), (blocks.IF_DESCRIPTION, clean(described).encode()))
        return Port(name, link_type, ours + without_repeats(options))

    def _count(self, block: Block) -> None:
        (index,) = (int.from_bytes(block.content[8:12], "little" if block.order == "<" else "big"),)
        at = block.first_interface + index
        if at < len(self._ports):
            time_ns, options = foreign.statistics_of(block, self._clocks[at])
            self.counted[at] = Counted(self._ports[at], time_ns, options)

    def _keep(self, block: Block) -> None:
        content = foreign.copied(block) if block.kind in self.strand.kinds else None
        if content is None or self._pending_len + len(content) > MAX_HELD_LEN:
            self.blocks_left_out += 1
            return
        self._pending.append(content)
        self._pending_len += len(content)


def without_repeats(options: Pairs) -> Pairs:
    """Of the system and the hardware an interface names one: its own, which stands behind the section's."""
    once = {code: value for code, value in options if code in (blocks.IF_OS, blocks.IF_HARDWARE)}
    others = tuple(pair for pair in options if pair[0] not in once)
    return (*others, *once.items())


def kinds_copied(*, whole: bool) -> frozenset[int]:
    """Names and secrets serve every frame; records that are numbered as frames are frames of the whole."""
    always = {foreign.NAME_RESOLUTION, foreign.SECRETS}
    return frozenset(always | (set(NUMBERED_KINDS) if whole else set()))

"""Reader: a savefile's bytes → batches of Frames, and an account of the whole.

Knows the order of things in both formats, and where they break off.  Frames before
the damage are handed over, none after it: in pcap a record's place follows from the
one before, and looking for the next plausible one would invent frames; in pcapng
likewise, since the length of a section is mostly left open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from types import ModuleType
from typing import TYPE_CHECKING, Literal, Protocol

from ctcp_forensics import _kernel
from ctcp_forensics._kernel.layouts import (
    INTERFACE_DESCRIPTION,
    INTERFACE_STATISTICS,
    MAX_INTERFACES,
    NUMBERED_KINDS,
    SECTION_HEADER,
    Stop,
    Totals,
    Walked,
)
from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.savefile import pcap, pcapng, wording
from ctcp_forensics.savefile.account import MAX_COMMENTS, Account, Comment, Damage, Interface
from ctcp_forensics.savefile.foreign import PEEKED_LEN, describe
from ctcp_forensics.savefile.window import Buffer, Window

if TYPE_CHECKING:
    from ctcp_forensics._kernel.rows import Frame

Outcome = Literal["complete", "partial", "rejected"]


class FrameTable(Protocol):
    """A batch of frames, plain or compiled."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame: ...

    def clear(self) -> None: ...

    def pass_over_number(self) -> None: ...

    def interfaces_seen(self) -> list[int]: ...

    def of_interface(self, index: int, /) -> FrameTable: ...

    def hand_over(self, other: _kernel.Frames, /) -> None: ...

    @property
    def next_number(self) -> int: ...

    @property
    def totals(self) -> Totals: ...

    @property
    def out_of_order(self) -> int: ...

    @property
    def commented(self) -> int: ...


Batch = tuple[Buffer, FrameTable]
"""Frames, and the buffer that their offsets point into.  Good until the next batch is asked for."""


class Reader:
    """One pass over one savefile; everything but `batches` is final when that is exhausted.

    Where several files are one capture, the numbers of this one's frames begin at `first_number`; what is said
    about the file, its damage and its comments, counts from 1.  `on_block` is told of every pcapng block that is no
    packet, between the batches where it stands.  `kernel` is for tests that compare the two.
    """

    def __init__(
        self,
        chunks: Iterable[Buffer],
        *,
        source: str = "",
        first_number: int = 1,
        on_block: Callable[[pcapng.Block], None] | None = None,
        kernel: ModuleType = _kernel,
    ) -> None:
        self._window = Window(chunks)
        self._source = source
        self._before = first_number - 1
        """Frames and numbered records of the files before."""
        self._kernel = kernel
        self._frames: FrameTable = kernel.Frames(first_number=first_number)
        self._on_block = on_block
        self._table = kernel.Interfaces(shows_all=on_block is not None)
        self._account = Account()
        self._order = "<"
        self._commented = 0
        """Frames with comments, of the batches before."""
        self._is_open = False
        self._walked = Walked(Stop.MORE, 0, 0)
        """Where the walk stands, while batches are handed over."""
        self._lend: Callable[[_kernel.Belt, int, bool], None]
        """Knows nothing of the reader: a circle would keep the chunk in memory where nobody collects circles."""
        self.format = ""
        """As capinfos names it: pcap, nsecpcap, modpcap, nokiapcap, …, pcapng; empty where it is neither."""

    # --- the account -------------------------------------------------------------------

    @property
    def frames(self) -> int:
        return self._frames.totals.frames

    @property
    def next_number(self) -> int:
        """Of the first frame of the file behind this one."""
        return self._frames.next_number

    @property
    def first_ns(self) -> int | None:
        """Earliest time of any frame."""
        return _unless_never(self._frames.totals.first_ns)

    @property
    def last_ns(self) -> int | None:
        """Latest time of any frame."""
        return _unless_never(self._frames.totals.last_ns)

    @property
    def out_of_order_frames(self) -> int:
        """Frames with an earlier time than the frame before them."""
        return self._frames.out_of_order

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        return tuple(self._account.interfaces)

    @property
    def damage(self) -> tuple[Damage, ...]:
        return tuple(self._account.damage)

    @property
    def comments(self) -> tuple[Comment, ...]:
        """The first MAX_COMMENTS."""
        return tuple(self._account.comments)

    @property
    def comment_count(self) -> int:
        """With those that were not kept."""
        return len(self._account.comments) + self._account.comments_beyond

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual and no damage, and which caps were reached."""
        return self._account.notes(self._frames.totals)

    @property
    def outcome(self) -> Outcome:
        if not self._is_open:
            return "rejected"
        return "partial" if self._account.damage else "complete"

    @property
    def byte_order(self) -> str:
        """`<` or `>`, of the pcapng section that the present batch is of."""
        return self._order

    # --- reading -----------------------------------------------------------------------

    def batches(self) -> Iterator[Batch]:
        """Frames in the order of the savefile.  Raises CaptureError where nothing can be read.

        After damage the rest goes by unread, so that a hash taken on the way covers all of it.
        """
        yield from self._walk(self._open())
        self._add_drops()
        self._window.drain()
        if self._window.broken is not None and not self._account.damage:
            self._end_within("")

    def let_go(self) -> bool:
        """Whether the next batch is looked for in the next chunk.  If so the reader needs the present one no more."""
        return self._walked.stop == Stop.MORE and self._window.let_go()

    def lend(self, belt: _kernel.Belt) -> None:
        """The belt may walk over the next chunks, until it is taken back.  The present one was let go."""
        self._lend(belt, self._walked.value, self._order == ">")

    def take_back(self, belt: _kernel.Belt) -> None:
        """Go on behind the chunks that the belt took, as if they had been walked over here."""
        rest, wanted, passed = belt.take_back()
        if passed:
            self._window.go_by(passed, rest)
            self._walked = Walked(Stop.MORE, 0, wanted)

    def _open(self) -> Callable[[], Walked]:
        """Read what stands before the first frame; how to walk on from there."""
        head = self._window.peek(PEEKED_LEN)
        if head.startswith(pcapng.MAGIC):
            walk = self._open_pcapng()
        elif pcap.byte_order(head) is not None:
            walk = self._open_pcap()
        elif not head and self._window.broken is not None:
            raise self._window.broken
        else:
            raise CaptureError(self._source, offset=0, reason=describe(head))
        self._is_open = True
        return walk

    def _open_pcap(self) -> Callable[[], Walked]:
        header = pcap.read_header(self._window, self._source)
        self.format = header.variant.name
        self._account.add_interface(header.interface)
        window, frames, walk_pcap = self._window, self._frames, self._kernel.walk_pcap
        self._lend = lambda belt, wanted, _: belt.lend_pcap(window.rest(), wanted, frames, header.layout)
        return lambda: walk_pcap(window.buffer, window.start, window.end, header.layout, frames)

    def _open_pcapng(self) -> Callable[[], Walked]:
        self.format = "pcapng"
        if not self._read_section():
            found = self._account.damage.pop()
            raise CaptureError(self._source, offset=found.offset, reason=found.reason)
        window, frames, table, walk_pcapng = self._window, self._frames, self._table, self._kernel.walk_pcapng
        self._lend = lambda belt, wanted, is_big: belt.lend_pcapng(
            window.rest(), wanted, frames, int(is_big), table
        )
        return lambda: walk_pcapng(
            window.buffer, window.start, window.end, int(self._order == ">"), table, frames
        )

    def _walk(self, walk: Callable[[], Walked]) -> Iterator[Batch]:
        """Hand over what was found before the buffer changes, and go on while there is a way."""
        while True:
            self._walked = walk()
            self._window.start = self._walked.position
            if len(self._frames):
                self._collect_comments()
                yield self._window.buffer, self._frames
                self._frames.clear()
            if not self._go_on(self._walked):
                return

    def _go_on(self, walked: Walked) -> bool:
        match walked.stop:
            case Stop.FULL:
                return True
            case Stop.MORE:
                return self._window.reach(walked.value) or self._end()
            case Stop.READ:
                return self._read_section() if walked.value == 0 else self._read_block(walked.value)
            case Stop.SKIP:
                return self._skip_block(walked.value)
            case _:
                return self._give_up(self._say(walked))

    # --- pcapng blocks that have to be read --------------------------------------------

    def _read_section(self) -> bool:
        """Section header block, §4.1.  Its byte order may differ from the section before."""
        window = self._window
        if not window.reach(pcapng.SECTION_HEAD_LEN):
            return self._end()
        head = pcapng.read_section_head(window.peek(pcapng.SECTION_HEAD_LEN))
        if head is None:
            return self._give_up("the byte-order magic of a section header block is not 1a2b3c4d either way")
        if head.complaint is not None:
            return self._give_up(head.complaint)
        if not window.reach(head.length):
            return self._end()
        section = pcapng.read_section_header(window.peek(head.length), head.order)
        if section.trailer != head.length:
            return self._give_up(wording.lengths_differ("section header block", head.length, section.trailer))
        if section.version not in pcapng.VERSIONS:
            return self._give_up("pcapng version {}.{} is unknown".format(*section.version))
        self._note_options(section.options)
        self._order = head.order
        self._table.start_section()
        self._tell(SECTION_HEADER, head.length)
        window.start += head.length
        return True

    def _read_block(self, length: int) -> bool:
        """A whole and sound block that is no packet; but for those of interfaces they are read for `on_block` only."""
        block = self._window.peek(length)
        (kind,) = Struct(f"{self._order}I").unpack_from(block)
        known = True
        if kind == INTERFACE_DESCRIPTION:
            known = self._read_description(block)
        elif kind == INTERFACE_STATISTICS:
            known = self._read_statistics(block)
        elif kind in NUMBERED_KINDS:
            self._frames.pass_over_number()
        if known:
            self._tell(kind, length)
        self._window.start += length
        return known

    def _tell(self, kind: int, length: int) -> None:
        if self._on_block is not None:
            content, first = self._window.peek(length), self._table.section
            self._on_block(pcapng.Block(kind=kind, order=self._order, content=content, first_interface=first))

    def _read_description(self, block: bytes) -> bool:
        index = len(self._account.interfaces)
        if index == MAX_INTERFACES:
            return self._give_up(f"more than {MAX_INTERFACES} interfaces")
        described = pcapng.read_description(block, self._order)
        self._note_options(described.options)
        self._table.add(described.link_type, described.snap_len, described.clock)
        self._account.add_interface(described.as_interface(index))
        return True

    def _read_statistics(self, block: bytes) -> bool:
        counted = pcapng.read_statistics(block, self._order)
        self._note_options(counted.options)
        index = self._table.section + counted.interface
        if index >= len(self._account.interfaces):
            return self._give_up(wording.no_interface("interface statistics block", counted.interface))
        if counted.dropped is not None:
            self._account.set_dropped(index, counted.dropped)
        return True

    def _skip_block(self, span: int) -> bool:
        """A block that nobody needs passes without being held; its trailer is looked at all the same."""
        start = self._window.offset
        kind, length = Struct(f"{self._order}II").unpack(self._window.peek(8))
        name = wording.block_name(kind)
        if not self._window.skip(span - 4) or not self._window.reach(4):
            return self._end_within(f" inside a {name}", start)
        (trailer,) = Struct(f"{self._order}I").unpack(self._window.peek(4))
        if trailer != length:
            return self._give_up(wording.lengths_differ(name, length, trailer), start)
        self._window.start += 4
        if kind in NUMBERED_KINDS:
            self._frames.pass_over_number()
        return True

    def _note_options(self, options: pcapng.Options) -> None:
        """Comments of a section or interface; options that cannot be read cost nothing but themselves."""
        self._account.add_comments(None, options.comments)
        if options.complaint is not None:
            self._account.add_damage(self._window.offset, options.complaint)

    # --- what packet blocks say beside their frames ------------------------------------

    def _collect_comments(self) -> None:
        """Comments of this batch's frames; a mark in the frame says where to look."""
        commented = self._frames.commented - self._commented
        self._commented += commented
        if commented == 0:
            return
        if len(self._account.comments) == MAX_COMMENTS:
            self._account.comments_beyond += commented
            return
        for index in range(len(self._frames)):
            frame = self._frames[index]
            if frame.commented:
                self._account.add_comments(frame.number - self._before, self.packet_options(frame).comments)

    def packet_options(self, frame: Frame) -> pcapng.Options:
        """Of a frame of the present batch; a pcap record has none."""
        if self.format != "pcapng":
            return pcapng.NO_OPTIONS
        return pcapng.options_of_packet(self._window.buffer, frame, self._order)

    def _add_drops(self) -> None:
        """Drops counted by obsolete packet blocks, where no statistics block says more."""
        for index in range(len(self._table)):
            drops = self._table.dropped(index)
            if drops and self._account.interfaces[index].dropped is None:
                self._account.set_dropped(index, drops)

    # --- the end, and damage -----------------------------------------------------------

    def _give_up(self, reason: str, offset: int | None = None) -> bool:
        self._account.add_damage(self._window.offset if offset is None else offset, reason)
        return False

    def _end(self) -> bool:
        """No more bytes: the end of the savefile, or a record or block of which the rest is missing."""
        if self._window.in_sight == 0:
            return False
        return self._end_within(f" inside {self._cut_thing()}")

    def _end_within(self, where: str, offset: int | None = None) -> bool:
        broken = self._window.broken
        if broken is None:
            return self._give_up(f"the savefile ends{where}", offset)
        return self._give_up(
            f"{broken.reason}, at byte {broken.offset} of the file,{where}".rstrip(","), offset
        )

    def _next_frame(self) -> str:
        return f"frame {self._frames.next_number - self._before}"

    def _cut_thing(self) -> str:
        """What the savefile's last bytes are the beginning of."""
        frame = self._next_frame()
        if self.format != "pcapng":
            return frame
        head = self._window.peek(4)
        if len(head) < 4:
            return "a block"
        if head == pcapng.MAGIC:
            return "a section header block"
        (kind,) = Struct(f"{self._order}I").unpack(head)
        return wording.cut_block(kind, frame)

    def _say(self, walked: Walked) -> str:
        """The words for what the walk stopped at."""
        frame = self._next_frame()
        if walked.stop == Stop.FRAME_TOO_LONG:
            return wording.frame_too_long(frame, walked.value)
        kind, length = Struct(f"{self._order}II").unpack(self._window.peek(8))
        return wording.spoilt_block(walked.stop, walked.value, kind, length, frame)


def begins_savefile(head: bytes) -> bool:
    """Whether a file that begins like this is pcap, of any variant, or pcapng."""
    return head.startswith(pcapng.MAGIC) or pcap.byte_order(head) is not None


def _unless_never(time_ns: int) -> int | None:
    return None if time_ns == NEVER else time_ns

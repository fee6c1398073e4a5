"""Account: what is to be said about a savefile beside its frames.

Damage, comments, interfaces: collected while reading, each list with a cap that is
reported when it was reached.  Knows no format.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from ctcp_forensics._kernel.layouts import Totals

MAX_COMMENTS: Final = 1000
MAX_DAMAGE: Final = 64
MAX_INTERFACE_TEXT: Final = 1 << 20
"""Characters of all names and filters together: 65,536 interfaces could bring 250 MB of them."""


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with the savefile at a byte of it, counted after decompression."""

    offset: int
    reason: str


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote into a pcapng file; `frame` is None on a section or an interface."""

    frame: int | None
    text: str


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """Where frames were captured, as far as the savefile says."""

    index: int
    """Over all sections, from 0."""
    link_type: int
    snap_len: int
    """0 where it was not limited."""
    resolution: str
    """Of its clock, as "10^-6 s" or "2^-20 s"."""
    name: str = ""
    filter: str = ""
    dropped: int | None = None
    """By the interface and the operating system, as they counted; None where nobody counted."""


class Account(msgspec.Struct, kw_only=True):
    """The lists, and what went beyond their caps."""

    interfaces: list[Interface] = msgspec.field(default_factory=list)
    comments: list[Comment] = msgspec.field(default_factory=list)
    damage: list[Damage] = msgspec.field(default_factory=list)
    comments_beyond: int = 0
    """At least: one for each frame that has any, once the cap is reached."""
    damage_beyond: int = 0
    interface_text: int = 0
    interfaces_bare: int = 0
    """Those whose name and filter were not kept."""

    def add_damage(self, offset: int, reason: str) -> None:
        if len(self.damage) < MAX_DAMAGE:
            self.damage.append(Damage(offset=offset, reason=reason))
        else:
            self.damage_beyond += 1

    def add_comments(self, frame: int | None, texts: tuple[str, ...]) -> None:
        room = MAX_COMMENTS - len(self.comments)
        self.comments += [Comment(frame=frame, text=text) for text in texts[:room]]
        self.comments_beyond += len(texts[room:])

    def add_interface(self, interface: Interface) -> None:
        text_len = len(interface.name) + len(interface.filter)
        if self.interface_text + text_len > MAX_INTERFACE_TEXT:
            interface = replace(interface, name="", filter="")
            self.interfaces_bare += 1
        else:
            self.interface_text += text_len
        self.interfaces.append(interface)

    def set_dropped(self, index: int, dropped: int) -> None:
        """Counters run on, so the last block of an interface holds them all."""
        self.interfaces[index] = replace(self.interfaces[index], dropped=dropped)

    def notes(self, seen: Totals) -> tuple[str, ...]:
        """What is unusual and no damage, and which caps were reached."""
        counted = (
            (seen.longer_than_original, "frames hold more bytes than they say were on the wire"),
            (seen.untimed, "frames carry no usable time; each is given the time of the frame before"),
            (seen.mistimed, "of them have a time outside 1970 to 2262"),
            (seen.other_records, "records are no packets; they have frame numbers, as in Wireshark"),
            (self.comments_beyond, f"or more comments are not kept beyond the first {MAX_COMMENTS}"),
            (
                self.interfaces_bare,
                f"interfaces stand without name and filter, of which {MAX_INTERFACE_TEXT} characters are kept",
            ),
            (self.damage_beyond, f"more places are damaged than the {MAX_DAMAGE} listed"),
        )
        return tuple(f"{count} {words}" for count, words in counted if count)

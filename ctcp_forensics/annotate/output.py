"""Output: items in their order → blocks of one section; interfaces that turn up later are described when they do.

Knows which interfaces were written.  Does not know where the items come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ctcp_forensics.annotate import blocks
from ctcp_forensics.annotate.strand import Copied, Counted, Item, LeftOut, Port, Taken

Write = Callable[[bytes], object]


@dataclass(slots=True, kw_only=True)
class Output:
    """What has been written so far."""

    write: Write
    frames: int = 0
    commented: int = 0
    frames_left_out: int = 0
    blocks_left_out: int = 0
    _interfaces: dict[Port, int] = field(default_factory=dict)
    _packet: blocks.EnhancedPacket = field(default_factory=blocks.EnhancedPacket)

    def announce(self, ports: Iterable[Port]) -> None:
        """Describe interfaces before any frame: readers tell the places of a file apart there, ctcp-diag for one."""
        for port in ports:
            self._interface(port)

    def take(self, item: Item) -> None:
        match item:
            case Taken():
                self._write_frame(item)
            case Counted():
                self._write_statistics(item)
            case Copied():
                self.write(item.content)
            case LeftOut():
                self.frames_left_out += item.frames
                self.blocks_left_out += item.blocks

    def _write_frame(self, item: Taken) -> None:
        interface = self._interface(item.port)
        packet = self._packet.filled(interface, item.time_ns, item.data, item.original_len, item.options)
        self.write(packet)
        self.frames += 1
        self.commented += item.is_remarked

    def _write_statistics(self, item: Counted) -> None:
        """Of an interface without a frame there is nothing to count."""
        if item.port in self._interfaces:
            self.write(blocks.interface_statistics(self._interfaces[item.port], item.time_ns, item.options))

    def _interface(self, port: Port) -> int:
        if port not in self._interfaces:
            self._interfaces[port] = len(self._interfaces)
            self.write(blocks.interface_description(port.link_type, port.options))
        return self._interfaces[port]

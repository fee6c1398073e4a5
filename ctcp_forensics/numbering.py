"""Numbering: what a frame is called in a sentence.

By its number, as Wireshark shows it; where a capture was rotated into several files, by its number in the file that
holds it, and that file's name.  Knows where each file begins.  Does not know what is in the frame.
"""

from __future__ import annotations

from bisect import bisect_right

import msgspec


class Numbering(msgspec.Struct, frozen=True):
    """The files of one vantage point, in the order in which their frames are counted on."""

    files: tuple[tuple[int, str], ...] = ()
    """How many frames were counted before each, and its name."""

    def tell(self, frame: int) -> str:
        """`frame 137`, or `frame 12 of second.pcap`."""
        if len(self.files) < 2:
            return f"frame {frame}"
        at = bisect_right([before for before, _ in self.files], frame - 1) - 1
        before, name = self.files[max(at, 0)]
        return f"frame {frame - before} of {name}"


FROM_ONE_FILE = Numbering()

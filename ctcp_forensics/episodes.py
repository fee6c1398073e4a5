"""Episodes and holes: what one end asked for again and again, and what never came.

Knows sequence space, frames and time.  Does not know why a hole appeared: see claims.
"""

from __future__ import annotations

import msgspec

from ctcp_forensics._kernel.rows import NEVER, EpisodeRow, HoleRow

DUP_THRESH = 3
"""RFC 5681 §3.2, RFC 6675 §2: three duplicate ACKs are a request to send again."""


def known(value: int) -> int | None:
    """A frame or a time of a row, or None where it is NEVER."""
    return None if value == NEVER else value


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A run of duplicate ACKs that all ask for the same byte.

    The receiver repeats its ACK because it holds data beyond a hole.  The episode is
    answered by the first later segment that carries that byte, and passed by the first
    ACK beyond it, whether or not this capture saw the answer.
    """

    row: EpisodeRow
    wanted_seq: int
    """Absolute, as Wireshark's tcp.ack_raw."""
    wanted_offset: int | None
    """From the ISN, the SYN being 0; None where the SYN was not seen."""
    missing_segment_frame: int | None
    """The frame that carried the wanted byte past this capture, before it was asked for."""
    came_damaged: bool = False
    """Whoever verifies its checksum throws it away: it was as good as lost before it came here."""

    @property
    def is_answered(self) -> bool:
        return self.row.answered_frame != NEVER

    @property
    def is_passed(self) -> bool:
        return self.row.passed_frame != NEVER

    @property
    def is_open(self) -> bool:
        """Still asked for when the capture or the flow ended."""
        return not self.is_answered and not self.is_passed

    @property
    def asks(self) -> int:
        """Duplicate ACKs by RFC 5681 or, with SACK, by RFC 6675."""
        row = self.row
        return max(row.sack_duplicate_acks, row.duplicate_acks)

    @property
    def stuck_ns(self) -> int:
        """From the first duplicate ACK to the last new segment of the sender."""
        return max(0, self.row.new_last_ns - self.row.first_ns)


class Hole(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one direction that this capture did not see, or not in order."""

    row: HoleRow

    @property
    def length(self) -> int:
        return self.row.end_pos - self.row.start_pos

    @property
    def is_filled(self) -> bool:
        return self.row.filled_frame != NEVER

    @property
    def is_acked_past(self) -> bool:
        return self.row.acked_frame != NEVER

    def holds(self, position: int) -> bool:
        return self.row.start_pos <= position < self.row.end_pos

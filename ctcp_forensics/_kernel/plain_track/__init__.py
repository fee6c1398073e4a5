"""Packets → flows in plain Python: sequence space, holes, duplicate ACKs, endings.

The readable twin of track.pxi: the same rules, one short method each.  Every
segment costs constant time and every table is bounded (see rows), so a flow of any
length is followed in linear time and constant memory.  Knows sequence numbers and
clocks.  Does not know roles (client, headend) nor verdicts: see flows and claims.

Two words that must not be mixed: a *hole* is what the receiver lacks, a *gap* is
what the capture lacks.  From one capture both look alike while they are open, so
the rows say only what was not seen; telling them apart is a judgement.
"""

from ctcp_forensics._kernel.plain_track.state import Direction
from ctcp_forensics._kernel.plain_track.tracer import Tracer
from ctcp_forensics._kernel.plain_track.tracker import Tracker

__all__ = ["Direction", "Tracer", "Tracker"]

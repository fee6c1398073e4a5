"""Savefile: pcap and pcapng bytes → Frames, and Damage where they are not what they claim.

Knows the two formats and their variants.  Does no I/O: bytes come in chunks of any
size, see capture.  Does not look into frames: see packets.
"""

from ctcp_forensics.savefile.account import Comment, Damage, Interface
from ctcp_forensics.savefile.foreign import compression, other_capture
from ctcp_forensics.savefile.order import batches_in_order
from ctcp_forensics.savefile.reader import Batch, FrameTable, Reader, begins_savefile
from ctcp_forensics.savefile.window import Buffer

__all__ = [
    "Batch",
    "Buffer",
    "Comment",
    "Damage",
    "FrameTable",
    "Interface",
    "Reader",
    "batches_in_order",
    "begins_savefile",
    "compression",
    "other_capture",
]

"""The kernel: bytes → frames → packets → flows, in arrays; a compiled core and its plain-Python twin.

Both answer the same; the plain one is the reference in tests and the fallback where
the core was not compiled.  `CTCP_DIAG_KERNEL=plain` chooses it on purpose.
Imports nothing of the package outside itself.
"""

from __future__ import annotations

import os

__all__ = [
    "NAME",
    "Belt",
    "Frames",
    "Interfaces",
    "Matching",
    "Packets",
    "Picker",
    "Pile",
    "Tracer",
    "Tracker",
    "Turns",
    "course",
    "decode",
    "sharing",
    "walk_pcap",
    "walk_pcapng",
]


def _refuse_the_core_where_asked() -> None:
    if os.environ.get("CTCP_DIAG_KERNEL") == "plain":
        raise ImportError("the plain kernel was asked for")


try:
    _refuse_the_core_where_asked()
    from ctcp_forensics._kernel.core import (
        NAME,
        Belt,
        Frames,
        Interfaces,
        Matching,
        Packets,
        Picker,
        Pile,
        Tracer,
        Tracker,
        Turns,
        course,
        decode,
        sharing,
        walk_pcap,
        walk_pcapng,
    )
except ImportError:
    from ctcp_forensics._kernel.plain_belt import Belt, Pile, Turns
    from ctcp_forensics._kernel.plain_decode import Packets, decode
    from ctcp_forensics._kernel.plain_match import Matching, course, sharing
    from ctcp_forensics._kernel.plain_pick import Picker
    from ctcp_forensics._kernel.plain_track import Tracer, Tracker
    from ctcp_forensics._kernel.plain_walk import Frames, Interfaces, walk_pcap, walk_pcapng

    NAME = "plain"

"""Caps: every table is bounded, and reaching a bound is counted and reported.

Both kernels go by these numbers, and by the few thresholds of time and number that are here with them.  Knows how
many, and why so many.  Does not know what becomes of the rest: see coverage.
"""

from __future__ import annotations

FRAMES_PER_BATCH = 4096
"""Frames walked, decoded and tracked together: their rows stay in the second-level cache."""

MAX_CAPTURED_LEN = 262_144
"""Longest frame believed: libpcap's MAXIMUM_SNAPLEN, beyond which Wireshark refuses a file too."""

MAX_VLAN_TAGS = 16
MAX_EXTENSION_HEADERS = 16
MAX_MESSAGES_PER_SEGMENT = 64
"""64 KiB is the longest datagram; 64 messages of the 1 KiB that GRO merges fill it."""

FLOW_CAP = 100 << 10
"""Flows followed at once: about 62 MB, and 70 more where every one of them is a tunnel that lost something both ways.
Beyond it those that matter least are given up."""

HALF_OPEN_CAP = 1 << 15
"""Half-open flows of concern that are judged where their places are needed: a flood of SYNs has more, and all say the
same.  The others are given up unjudged."""

ALL_HOLES_KEPT = 1 << 16
ALL_EPISODES_KEPT = 3 << 14
ALL_ASSOCIATIONS_KEPT = 1 << 18
ALL_RESETS_KEPT = 1 << 15
"""Pieces of evidence kept of all flows together: 6, 14, 17 and 1 MB.  100,000 ordinary flows with a little loss keep
11,000 holes and 27,000 questions at once; a full table of tunnels two associations each.  Beyond it the flows that
matter least lose all that is kept of them."""

LIVE_HOLES = 32
"""Holes kept open per direction; beyond it the oldest that nobody waits for is let go."""

HOLES_KEPT = 64
EPISODES_KEPT = 16
"""Holes and episodes kept as evidence per direction: the latest, since the last one kills."""

DUP_ACK_FRAMES_KEPT = 8
IKE_ASKS = 3
"""One IKE message may be a farewell, and two may be those of both ends of a rekey: who asks again has asked."""
CLOSE_ASK_NS = 250_000_000
"""Keep-alive timers run in seconds; two askings closer than this answer data."""
ASSOCIATIONS_KEPT = 8
RESETS_KEPT = 16
"""RSTs of a watched flow: two ends and a box on the path say it a few times each; a storm says nothing more."""

SEGMENT_LOG_CAP = 1 << 20
"""Segments of watched flows kept for evidence, pairing and pictures; the oldest go first."""

SILENCES_KEPT = 1024
"""The longest times without a frame, of each capture: an idle tunnel has no more of 20 s in five hours."""
SET_BACK_NS = 1_000_000_000
"""Frames of several interfaces may stand out of order by less; a clock that goes back by more was set."""

TRACE_CAP = 1 << 21
"""Segments of traced flows kept at one place, evenly shared among the flows; of each the oldest go first."""

STRAYS_KEPT = 4096
"""Segments named one by one that one capture has and another has not, for each direction of a flow; all are counted."""

FASTEST_PPB = 1_000_000_000
"""A clock that gains or loses a second in each is none; up to here a century's drift fits into 64 bits."""

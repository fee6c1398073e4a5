"""The kernel: bytes → frames → packets → flows, in arrays; a compiled core and its plain-Python twin.

Both answer the same; the plain one is the reference in tests and the fallback where
the core was not compiled.  `CTCP_DIAG_KERNEL=plain` chooses it on purpose.
Imports nothing of the package outside itself.
"""

from __future__ import annotations

import os

from ctcp_forensics._kernel.plain_decode import Packets, decode
from ctcp_forensics._kernel.plain_track import Tracker

NAME = "plain"

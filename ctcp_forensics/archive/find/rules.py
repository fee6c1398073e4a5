"""Rules: what is followed, as the user wishes it.

Knows no file.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from ctcp_forensics.capture.access import Access


class Links(Enum):
    """Symbolic links that are met inside a folder; a link that the user names is always followed."""

    PASSED_OVER = "passed over"
    INSIDE = "inside"
    """Followed where they lead to something inside the same folder."""
    ANYWHERE = "anywhere"


class FindOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the user wishes."""

    links: Links = Links.PASSED_OVER
    store: str | None = None
    """The folder of results: what lies there are no captures to be looked at."""
    access: Access = Access.PUBLIC_ONLY


AS_USUAL = FindOptions()

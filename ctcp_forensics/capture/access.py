"""Access: how far a URL may lead, as the user wishes it.

Knows the wish and no address: which addresses are public says remote/hosts.
"""

from __future__ import annotations

from enum import StrEnum


class Access(StrEnum):
    """The hosts that `https` may read from, whatever a list of URLs or a redirect says."""

    PUBLIC_ONLY = "public-only"
    ANYWHERE = "anywhere"
    """Also hosts with private, loopback, link-local and other special addresses."""

"""Remote: captures behind a URL, as streams that never mix two versions of an object.

Knows schemes: `https` is read here, everything else by the file system that fsspec has for it (S3, Google Cloud,
Azure, SFTP).  Nothing here is touched, nor any address, unless a URL was named.  Credentials come from where the
libraries look for them (environment, profiles, the machine's role) and leave by no error, log or name.
"""

from __future__ import annotations

from ctcp_forensics.capture.remote.address import (
    has_secrets,
    is_pattern,
    without_secrets,
)
from ctcp_forensics.capture.remote.listing import PAGE_LEN, Listed, edges, heads, listed
from ctcp_forensics.capture.remote.named import name
from ctcp_forensics.capture.remote.opening import Remote, open_url
from ctcp_forensics.capture.remote.words import ChangedError, RemoteError

__all__ = [
    "PAGE_LEN",
    "ChangedError",
    "Listed",
    "Remote",
    "RemoteError",
    "edges",
    "has_secrets",
    "heads",
    "is_pattern",
    "listed",
    "name",
    "open_url",
    "without_secrets",
]

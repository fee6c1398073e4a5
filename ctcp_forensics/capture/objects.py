"""Objects: what a URL leads to → an open Capture.

Knows what of a URL may be shown.  Does not know how an object is fetched: see remote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.digest import Hashing
from ctcp_forensics.capture.remote import RemoteError, open_url, without_secrets
from ctcp_forensics.capture.source import Capture
from ctcp_forensics.errors import CaptureError

if TYPE_CHECKING:
    from ctcp_forensics.capture.remote import Remote


def open_object(url: str, access: Access, *, hashing: Hashing) -> Capture:
    """What a URL leads to, named without what may be a password, wherever the name goes from here."""
    name = without_secrets(url)
    try:
        remote = open_url(url, access)
    except RemoteError as error:
        raise CaptureError(name, offset=None, reason=str(error.strerror)) from None
    return Capture(
        name,
        remote,
        size=remote.size,
        stamp=remote.stamp,
        check=lambda: _object_is_the_same(name, remote),
        close=remote.close,
        hashing=hashing,
    )


def _object_is_the_same(name: str, remote: Remote) -> tuple[str, ...]:
    try:
        if remote.is_current():
            return ()
        reason = "changed while it was read; read it again"
    except OSError as error:
        reason = f"whether it changed while it was read cannot be told: {error.strerror}"
    raise CaptureError(name, offset=None, reason=reason)

"""Opening: what the user named → an open Capture, wherever it lies.

Knows the forms of a name, and which is tried first.  What few names need is loaded when one needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.digest import BY_THE_WAY, Hashing
from ctcp_forensics.capture.files import Opener, open_file, open_stdin
from ctcp_forensics.capture.names import STDIN, containers_of, scheme_of
from ctcp_forensics.capture.source import Capture, in_words
from ctcp_forensics.errors import CaptureError

if TYPE_CHECKING:
    from ctcp_forensics.capture.stream import AtInterrupt


def open_capture(
    source: str,
    *,
    hashing: Hashing = BY_THE_WAY,
    access: Access = Access.PUBLIC_ONLY,
    opener: Opener | None = None,
    at_interrupt: AtInterrupt | None = None,
) -> Capture:
    """A path, a URL, `container!/member`, or `-` for standard input; `hashing` says what is hashed on the way.

    A URL of the web leads to public addresses only, unless the `access` is wider.  A pipe is waited for, unless the
    `opener` of files does not; it ends at a Ctrl-C, where `at_interrupt` takes word of it.  Raises CaptureError where
    there is nothing to read.
    """
    try:
        if source == STDIN:
            return open_stdin(hashing, at_interrupt)
        return open_file(source, hashing, opener, at_interrupt)
    except (OSError, ValueError) as error:
        return _open_elsewhere(source, hashing, error, access=access)


def _open_elsewhere(source: str, hashing: Hashing, error: OSError | ValueError, *, access: Access) -> Capture:
    """What is no file by that name, or cannot be one: a member's may be longer than any file's.  Rarely needed."""
    if any(containers_of(source)):
        from ctcp_forensics.capture.holder import Holders
        from ctcp_forensics.capture.turn import open_member

        if (holder := Holders(access).of(source)) is not None:
            return open_member(source, holder, hashing=hashing)
    if scheme_of(source) is not None:
        from ctcp_forensics.capture.objects import open_object

        return open_object(source, access, hashing=hashing)
    raise CaptureError(source, offset=None, reason=in_words(error)) from error

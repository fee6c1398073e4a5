"""Named: the URLs with a secret that this run was given, by what of them may be shown.

A report has no password and no signature, and yet its captures are read again, for pictures and annotated captures: by
the name that it shows, the URL is found that was named.  Held in memory and written down nowhere.  Does not know who
named it.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics.capture.remote.address import lacks_a_secret, without_secrets
from ctcp_forensics.capture.remote.words import RemoteError

_NAMED: Final[dict[str, set[str]]] = {}


def name(url: str) -> None:
    """From here on it is found by what is shown of it."""
    shown = without_secrets(url)
    if shown != url:
        _NAMED.setdefault(shown, set()).add(url)


def in_full(url: str) -> str:
    """Raises RemoteError where a part of it was left out, and it is not known which, or which of several."""
    name(url)
    named = _NAMED.get(url, set())
    if len(named) > 1:
        raise RemoteError("several URLs were named of which this is shown; name one of them at a time")
    if not named and lacks_a_secret(url):
        raise RemoteError(
            "a report holds no login and nothing that follows a question mark; name the whole URL with --url"
        )
    return next(iter(named), url)

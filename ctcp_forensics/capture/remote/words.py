"""Words: what went wrong at a distance, without what the other side said.

Knows the errors of the libraries by their kind.  Their texts may quote a request with its signature, a key's name or
whatever a hostile server likes to say, so that nothing but a status or a code of letters and digits is passed on.
"""

from __future__ import annotations

import re
from typing import Final

CODE: Final = re.compile(r"[A-Za-z0-9.]{1,40}", re.ASCII)
CREDENTIALS: Final = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "SSOTokenLoadError",
        "DefaultCredentialsError",
        "ClientAuthenticationError",
        "PermissionDenied",
    }
)
"""Of botocore, google.auth, azure.core and asyncssh, by name: none of them is imported for that."""


class RemoteError(OSError):
    """What a capture's error says."""

    def __init__(self, words: str) -> None:
        super().__init__(None, words)


class AbsentError(RemoteError):
    """Nothing is there."""


class DeniedError(RemoteError):
    """What is there is not for these credentials; some stores say so of what is not there, too."""


class ChangedError(RemoteError):
    """The object is another one by now."""

    def __init__(self, when: str) -> None:
        super().__init__(f"it changed {when}; what was read of two versions is not put together")


def in_words(error: BaseException) -> RemoteError:
    """The error as ours.  Ours stay what they are."""
    if isinstance(error, RemoteError):
        return error
    if type(error).__name__ == "FileExpired":
        return ChangedError("while it was read")
    if type(error).__name__ == "HostKeyNotVerifiable":
        return RemoteError(
            "nobody vouches for the host: its key is not in ~/.ssh/known_hosts; log in by ssh once"
        )
    if isinstance(error, FileNotFoundError):
        return AbsentError("there is nothing at this address")
    if _is_denied(error):
        return DeniedError(
            f"access is denied{_code(error)}; the credentials are missing, have expired or do not allow it"
        )
    if isinstance(error, TimeoutError):
        return RemoteError("the other side does not answer")
    return RemoteError(f"the other side failed{_code(error) or f' ({type(error).__name__})'}")


def _is_denied(error: BaseException) -> bool:
    """By its kind, or by the status of an answer as azure.core has it (RFC 9110 §15.5.2, §15.5.4)."""
    is_known = isinstance(error, PermissionError) or type(error).__name__ in CREDENTIALS
    return is_known or getattr(error, "status_code", None) in (401, 403)


def _code(error: BaseException) -> str:
    """The code of an answer of S3, or the status of any other, in brackets."""
    response = getattr(error.__cause__ or error, "response", None)
    told = (
        response.get("Error", {}).get("Code")
        if isinstance(response, dict)
        else getattr(error, "status", None)
    )
    return f" ({told})" if told is not None and CODE.fullmatch(str(told)) else ""

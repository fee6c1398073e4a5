"""Web: a page of the web as a stream, asked for again from where it broke.

Knows HTTP as far as reading one thing needs: redirects, each to be allowed anew; answers that may be better the next
time; and ranges of the version that was begun (RFC 9110 §13.1.1, §14.2).  The protocol is the standard library's.
"""

from __future__ import annotations

import time
from base64 import b64encode
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection
from typing import IO, Final
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from ctcp_forensics.capture.access import Access
from ctcp_forensics.capture.remote.address import WEB, complaint, login_apart
from ctcp_forensics.capture.remote.hosts import refuse_private, refuse_private_peer
from ctcp_forensics.capture.remote.words import ChangedError, RemoteError

TRIES: Final = 5
"""Without a byte between them, for what may be better the next time; S3's library has five of its own."""
TIMEOUT_S: Final = 30.0
"""Without a byte for so long, nothing comes any more."""
PATIENCE_S: Final = 30.0
"""A server that asks for more patience (Retry-After) is given up."""
FIRST_PAUSE_S: Final = 0.2
AUTHORIZATION: Final = "Authorization"
PASSING: Final = frozenset({429, 500, 502, 503, 504})
"""Statuses that may be better the next time (RFC 9110 §15.6, RFC 6585 §4)."""


class Page:
    """One version of what a URL leads to, or a part of one that is known.

    Opens at once; raises OSError and RemoteError.
    """

    def __init__(
        self, url: str, access: Access, *, etag: str = "", begin: int = 0, end: int | None = None
    ) -> None:
        if (why := complaint(url)) is not None:
            raise RemoteError(why)
        self._url, self._login = login_apart(url)
        self._opener = opener_for(access)
        self.etag, self._position, self._end = etag, begin, end
        self._left = TRIES
        self._answer = self._ask()
        self.size = _length(self._answer)
        self.stamp = _stamp(self._answer.headers)
        self.etag = self._answer.headers.get("ETag", "")
        self.gives_parts = _is_strong(self.etag) and self._answer.headers.get("Accept-Ranges") == "bytes"
        """RFC 9110 §14.3; whoever asks for parts names the version."""

    def close(self) -> None:
        self._answer.close()

    def readinto(self, buffer: memoryview, /) -> int:
        while True:
            try:
                count = self._answer.readinto(buffer)
            except (OSError, HTTPException):
                count = 0
            if count or not len(buffer) or self._is_whole():
                self._position += count
                self._left = TRIES
                return count
            self._go_on()

    def _is_whole(self) -> bool:
        end = self.size if self._end is None else self._end
        return end is None or self._position >= end

    def _go_on(self) -> None:
        """From where it broke, if it is still the same."""
        self._answer.close()
        if not _is_strong(self.etag):
            raise RemoteError(
                f"the connection broke after {self._position} bytes, and the server does not say how to tell a version"
            )
        self._answer = self._ask()

    def _ask(self) -> HTTPResponse:
        """Until there is an answer that will not be better the next time."""
        while True:
            self._left -= 1
            try:
                return self._checked(self._opener.open(self._request(), timeout=TIMEOUT_S))
            except HTTPError as error:
                error.close()
                if error.code not in PASSING or not self._left:
                    raise _refused(error.code) from None
                _pause(TRIES - self._left, error.headers)
            except URLError as error:
                _raise_unless_passing(error.reason, self._left)
                _pause(TRIES - self._left, None)
            except (ConnectionError, HTTPException) as error:
                _raise_unless_passing(error, self._left)
                _pause(TRIES - self._left, None)

    def _request(self) -> Request:
        headers = {"Accept-Encoding": "identity"}
        if self.etag:
            last = "" if self._end is None else self._end - 1
            headers |= {"Range": f"bytes={self._position}-{last}", "If-Match": self.etag}
        request = Request(self._url, headers=headers)  # noqa: S310 - the opener knows no scheme but those of the web
        if self._login:
            request.add_unredirected_header(AUTHORIZATION, _basic(self._login))
        return request

    def _checked(self, answer: HTTPResponse) -> HTTPResponse:
        """As it came, or closed."""
        try:
            self._check(answer)
        except RemoteError:
            answer.close()
            raise
        return answer

    def _check(self, answer: HTTPResponse) -> None:
        """A server that knows no ranges begins again; one that does not know If-Match may send another version."""
        if not self.etag:
            return
        if answer.headers.get("ETag", "") != self.etag:
            raise ChangedError("while it was read")
        if not self._is_the_rest(answer):
            raise RemoteError(f"the server does not send what follows its first {self._position} bytes")

    def _is_the_rest(self, answer: HTTPResponse) -> bool:
        if answer.status == 206:
            return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {self._position}-")
        return self._position == 0 and self._end is None


def _basic(login: str) -> str:
    """RFC 7617 §2, of what stands in a URL (RFC 3986 §3.2.1)."""
    name, _, password = login.partition(":")
    return f"Basic {b64encode(f'{unquote(name)}:{unquote(password)}'.encode()).decode()}"


def _refused(status: int) -> OSError:
    if status in (401, 403, 407):
        return PermissionError()
    if status in (404, 410):
        return FileNotFoundError()
    return ChangedError("while it was read") if status == 412 else RemoteError(f"the server answers {status}")


def _raise_unless_passing(reason: object, left: int) -> None:
    """A refused address, an unknown name or a wrong certificate stays what it is; a broken connection may not."""
    if isinstance(reason, RemoteError):
        raise reason
    if isinstance(reason, ConnectionError | TimeoutError | HTTPException) and left:
        return
    raise RemoteError(f"the server cannot be reached ({type(reason).__name__})")


def _pause(tries: int, headers: Message | None) -> None:
    asked = (headers.get("Retry-After", "") if headers is not None else "").strip()
    wanted = float(asked) if asked.isdecimal() else FIRST_PAUSE_S * 2 ** (tries - 1)
    if wanted > PATIENCE_S:
        raise RemoteError(f"the server asks to come again in {asked} seconds")
    time.sleep(wanted)


def _length(answer: HTTPResponse) -> int | None:
    told = answer.headers.get("Content-Length", "")
    return int(told) if told.isdecimal() else None


def _is_strong(etag: str) -> bool:
    """RFC 9110 §8.8.1: a weak one may be that of other bytes."""
    return bool(etag) and not etag.startswith("W/")


def _stamp(headers: HTTPMessage) -> str:
    return str(headers.get("ETag") or headers.get("Last-Modified") or "")


# --- who may be asked --------------------------------------------------------------------------


def opener_for(access: Access) -> OpenerDirector:
    """Where private addresses are refused no proxy is asked either: it would reach them for us."""
    if access is Access.ANYWHERE:
        return build_opener(_Redirects())
    return build_opener(_Redirects(), _PublicHttp(), _PublicHttps(), ProxyHandler({}))


class _Redirects(HTTPRedirectHandler):
    """To the web only, and never from a protected way to an open one.

    A login goes on to the host that it was named for, and to no other (RFC 9110 §15.4).
    """

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        scheme = urlsplit(newurl).scheme.lower()
        if scheme not in WEB or (req.type == "https" and scheme == "http"):
            raise RemoteError(f"the server leads from {req.type}:// to {scheme or 'nowhere'}://")
        next_one = super().redirect_request(req, fp, code, msg, headers, newurl)
        login = req.get_header(AUTHORIZATION)
        if next_one is not None and login is not None and _origin(next_one) == _origin(req):
            next_one.add_unredirected_header(AUTHORIZATION, login)
        return next_one


def _origin(request: Request) -> tuple[str, str]:
    """RFC 9110 §4.3.1: scheme, host and port."""
    return request.type, request.host.lower()


class _PublicConnection(HTTPConnection):
    """Looks at the name's addresses before, and at the one that answered before anything is sent."""

    def connect(self) -> None:
        refuse_private(self.host, self.port)
        super().connect()
        refuse_private_peer(self.host, self.sock.getpeername())


class _PublicTlsConnection(_PublicConnection, HTTPSConnection):
    """The same in TLS."""


class _PublicHttp(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_PublicConnection, req)


class _PublicHttps(HTTPSHandler):
    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_PublicTlsConnection, req)

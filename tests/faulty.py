"""Faulty: a proxy on the loopback that does to answers what networks and stores do, in the order that a test says."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

HOP_BY_HOP = ("connection", "transfer-encoding", "server", "date")


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Script:
    """What happens to the next answers with a body; then nothing does any more."""

    acts: list[Callable[[Faulty, Answer], None]] = field(default_factory=list)
    listings: Callable[[Faulty, Answer], None] | None = None
    """What happens to every listing."""
    asked: list[str] = field(default_factory=list)
    """Method, path and Range of every request."""


class Faulty(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script
    origin: tuple[str, int]

    def do_GET(self) -> None:
        self.script.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        answer = self._from_origin()
        if "list-type" in self.path and self.script.listings is not None:
            self.script.listings(self, answer)
        elif self.command == "GET" and self.script.acts and "list-type" not in self.path:
            self.script.acts.pop(0)(self, answer)
        else:
            self.send(answer)

    do_HEAD = do_PUT = do_GET  # noqa: N815

    def _from_origin(self) -> Answer:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = HTTPConnection(*self.origin)
        connection.request(self.command, self.path, body or None, dict(self.headers))
        answer = connection.getresponse()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
        told = Answer(answer.status, kept, answer.read())
        connection.close()
        return told

    def send(self, answer: Answer, *, at_most: int | None = None) -> None:
        self.send_response(answer.status)
        names = {name.lower() for name, _ in answer.headers}
        for name, value in answer.headers:
            self.send_header(name, value)
        if "content-length" not in names:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[:at_most])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def refuses(
    status: int, code: str, headers: tuple[tuple[str, str], ...] = ()
) -> Callable[[Faulty, Answer], None]:
    """An error of S3's kind, which quotes what should not be passed on."""
    body = (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>told with AKIAEXAMPLEKEY</Message>"
        "<AWSAccessKeyId>AKIAEXAMPLEKEY</AWSAccessKeyId></Error>"
    ).encode()

    def act(handler: Faulty, _: Answer) -> None:
        handler.send(Answer(status, [("Content-Type", "application/xml"), *headers], body))

    return act


def resets_after(count: int) -> Callable[[Faulty, Answer], None]:
    """The connection is reset (RST, not FIN) in the midst of a body."""

    def act(handler: Faulty, answer: Answer) -> None:
        handler.send(answer, at_most=count)
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True

    return act


def truncates_to(count: int) -> Callable[[Faulty, Answer], None]:
    """Fewer bytes than there are, and a length that agrees with them."""

    def act(handler: Faulty, answer: Answer) -> None:
        kept = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
        handler.send(Answer(answer.status, kept, answer.body[:count]))

    return act


@contextmanager
def faulty_proxy(origin: tuple[str, int]) -> Iterator[tuple[str, Script]]:
    """The address of a proxy before `origin`, and its script."""
    script = Script()
    handler = type("Handler", (Faulty,), {"script": script, "origin": origin})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", script
    finally:
        server.shutdown()
        server.server_close()

"""Ordinary programs over the kernel's own TCP: what must never be taken for cTCP.

Knows sockets in namespaces and four small protocols.  Does not know what the path loses: the kernel
sends again, and that is the point.
"""

import asyncio
import contextlib
import json
import random
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TextIO

from .net import LabError, Namespace

PAGE = b"<html><head><title>Login to Webmin</title></head><body>%s</body></html>"
READ_LEN = 65536
# NDMP: a record mark (last fragment, length), then sequence, timestamp, type, message, reply, error.
NDMP_CONNECT_OPEN, NDMP_NOTIFY_CONNECTED, NDMP_CONNECT_CLOSE = 0x900, 0x502, 0x902

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Application:
    """One conversation between a client and a server; each subclass speaks another language."""

    def __init__(self, rng: random.Random, log: TextIO, size_len: int, folder: Path) -> None:
        self.rng, self.log, self.size_len, self.folder = rng, log, size_len, folder

    def note(self, who: str, event: str, **facts: Any) -> None:
        print(json.dumps({"t_ns": time.time_ns(), "who": who, "event": event} | facts), file=self.log)

    def server_tls(self) -> ssl.SSLContext | None:
        return None

    def client_tls(self) -> ssl.SSLContext | None:
        return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError


class Bulk(Application):
    """A file up, then a file down."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(self.size_len)
        writer.write(self.rng.randbytes(self.size_len))
        await writer.drain()

    async def use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(4):
            writer.write(self.rng.randbytes(self.size_len // 4))
            await writer.drain()
            await asyncio.sleep(0.05)
        await reader.readexactly(self.size_len)


class Web(Application):
    """Webmin-like pages over HTTP on the port of IPsec over TCP."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                body = PAGE % (request.split()[1] * self.rng.randrange(40, 400))
                head = b"HTTP/1.1 200 OK\r\nServer: MiniServ/2.101\r\nContent-Length: %d\r\n\r\n" % len(body)
                writer.write(head + body)
                await writer.drain()

    async def use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(6):
            writer.write(b"GET /page/%d HTTP/1.1\r\nHost: admin.example\r\nUser-Agent: lab\r\n\r\n" % number)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r")[0]))
            await asyncio.sleep(0.2)


class WebTls(Web):
    """The same inside TLS, with a certificate made for the run."""

    def server_tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._certificate())
        return context

    def client_tls(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def _certificate(self) -> tuple[str, str]:
        certificate, key = str(self.folder / "server.crt"), str(self.folder / "server.key")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-nodes", "-days", "3", "-subj", "/CN=admin.example", "-out", certificate, "-keyout", key]
        try:
            subprocess.run(command, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise LabError(f"no certificate for TLS: {error}") from error
        return certificate, key


class Backup(Application):
    """An NDMP-like control connection: the registered user of TCP port 10000."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._record(1, 0, NDMP_NOTIFY_CONNECTED, struct.pack("!III", 0, 4, 0)))
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                mark = struct.unpack("!I", await reader.readexactly(4))[0]
                request = await reader.readexactly(mark & 0x7FFFFFFF)
                sequence, _, _, message = struct.unpack_from("!IIII", request)
                answer = struct.pack("!I", 0) + self.rng.randbytes(4 * self.rng.randrange(0, 60))
                writer.write(self._record(sequence + 1, 1, message, answer, reply_to=sequence))
                await writer.drain()

    async def use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._read(reader)
        messages = [NDMP_CONNECT_OPEN, *(self.rng.choice((0x100, 0x108, 0x300, 0x400)) for _ in range(20))]
        for sequence, message in enumerate([*messages, NDMP_CONNECT_CLOSE], start=1):
            body = self.rng.randbytes(4 * self.rng.randrange(1, 80))
            writer.write(self._record(sequence, 0, message, body))
            await writer.drain()
            await self._read(reader)
            await asyncio.sleep(0.05)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        mark = struct.unpack("!I", await reader.readexactly(4))[0]
        await reader.readexactly(mark & 0x7FFFFFFF)

    def _record(self, sequence: int, kind: int, message: int, body: bytes, reply_to: int = 0) -> bytes:
        head = struct.pack("!IIIIII", sequence, int(time.time()), kind, message, reply_to, 0)
        return struct.pack("!I", 0x80000000 | len(head + body)) + head + body


class Endless(Application):
    """Bursts for ever, until the program is killed; `size_len` is its life in milliseconds."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(READ_LEN):
            pass

    async def use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.size_len / 1000):
                while True:
                    writer.write(self.rng.randbytes(self.rng.randrange(2000, 9000)))
                    await asyncio.sleep(0.15)
        writer.transport.abort()


class SlowReader(Application):
    """A server whose window closes because it reads in long intervals."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left_len = self.size_len
        while left_len > 0:
            await asyncio.sleep(1.2)
            left_len -= len(await reader.readexactly(min(left_len, READ_LEN // 2)))

    async def use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.rng.randbytes(self.size_len))
        await writer.drain()
        await reader.read()


class Silent(Application):
    """A connection that says one word, then lets the kernel keep it alive."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(64))
        await reader.read()

    async def use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = writer.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            opened.setsockopt(socket.IPPROTO_TCP, option, 1)
        writer.write(self.rng.randbytes(64))
        await reader.readexactly(64)
        await asyncio.sleep(14)


APPLICATIONS: dict[str, type[Application]] = {
    "bulk": Bulk,
    "http": Web,
    "tls": WebTls,
    "ndmp": Backup,
    "endless": Endless,
    "slow-reader": SlowReader,
    "silent": Silent,
}


async def converse(
    application: Application, client: Namespace, headend: Namespace, address: tuple[str, int], sport: int
) -> None:
    """Runs one conversation from the first SYN to the last FIN."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    listener = headend.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    server = await asyncio.start_server(
        _closing(application.serve), sock=listener, ssl=application.server_tls()
    )
    async with server:
        reader, writer = await _connected(application, client, family, address, sport)
        application.note("client", "open", local_port=sport)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await application.use(reader, writer)
        application.note("client", "done")
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), 3)


async def _connected(
    application: Application, client: Namespace, family: int, address: tuple[str, int], sport: int
) -> Streams:
    opened = client.socket(family, socket.SOCK_STREAM)
    opened.setblocking(False)
    opened.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", sport))
    await asyncio.get_running_loop().sock_connect(opened, address)
    tls = application.client_tls()
    return await asyncio.open_connection(sock=opened, ssl=tls, server_hostname="" if tls else None)


def _closing(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A server that is still reading when the story ends is cancelled; asyncio would report that.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    return served

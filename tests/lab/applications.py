"""Ordinary programs over the kernel's own TCP: what must never be taken for cTCP.

Knows sockets in namespaces and five small protocols.  Does not know what the path loses: the kernel
sends again, and that is the point.
"""

import asyncio
import contextlib
import itertools
import json
import random
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from .ctcp_endpoint import INNER_LENGTHS, INNER_WEIGHTS
from .ikev2 import DELETE as DELETE_PAYLOAD
from .ikev2 import (
    FROM_INITIATOR,
    ID_INITIATOR,
    ID_RESPONDER,
    IKE_AUTH,
    IKE_SA_INIT,
    INFORMATIONAL,
    IS_RESPONSE,
    LENGTH_LEN,
    NON_ESP_MARKER,
    STREAM_PREFIX,
    exchange_of,
    first_sealed,
    framed,
    is_ike,
    marked,
    sa_init,
    sealed,
    spis_of,
)
from .messages import esp_packet
from .net import LabError, Namespace

PAGE = b"<html><head><title>Login to Webmin</title></head><body>%s</body></html>"
READ_LEN = 65536
LIVENESS_S, FAREWELL_LIMIT_S = 2.5, 3.0
DELETE_LEN = 8  # RFC 7296 §3.11: of the IKE SA itself, so without an SPI
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


@dataclass(slots=True, kw_only=True)
class TunnelEnd:
    """One end of IPsec in TCP: its stream, its numbers, and how it sends more."""

    rng: random.Random
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    flags: int
    spis: tuple[bytes, bytes] = (bytes(8), bytes(8))
    esp_spi: int = 0
    esp_sequence: int = 0

    def __post_init__(self) -> None:
        self.esp_spi = self.rng.randrange(1 << 24, 1 << 32)

    async def read(self) -> bytes:
        (length,) = struct.unpack("!H", await self.reader.readexactly(LENGTH_LEN))
        return await self.reader.readexactly(length - LENGTH_LEN)

    def send_ike(self, ike: bytes) -> None:
        self.writer.write(framed(marked(ike)))

    def send_sealed(self, exchange: int, number: int, first: int = 0, body_len: int = 0) -> None:
        self.send_ike(sealed(self.rng, self.spis, exchange, self.flags, number, first, body_len))

    def send_esp(self) -> None:
        self.esp_sequence += 1
        inner_len = self.rng.choices(INNER_LENGTHS, INNER_WEIGHTS)[0]
        self.writer.write(framed(esp_packet(self.rng, self.esp_spi, self.esp_sequence, inner_len)))


class IpsecInTcp(Application):
    """IKE and ESP over a real TCP (RFC 9329): cTCP's honest neighbour.  `size_len` is its life in milliseconds."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = TunnelEnd(rng=self.rng, reader=reader, writer=writer, flags=IS_RESPONSE)
        await reader.readexactly(len(STREAM_PREFIX))
        while message := await end.read():
            if is_ike(message):
                self._answer(end, message[len(NON_ESP_MARKER) :])
                continue
            for _ in range(self.rng.choice((0, 0, 1, 2))):
                end.send_esp()

    async def use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = TunnelEnd(rng=self.rng, reader=reader, writer=writer, flags=FROM_INITIATOR)
        await self._negotiate(end)
        farewell = asyncio.create_task(self._hear_farewell(end))
        await self._talk(end)
        try:
            await asyncio.wait_for(farewell, FAREWELL_LIMIT_S)
        except TimeoutError:
            writer.transport.abort()

    async def _negotiate(self, end: TunnelEnd) -> None:
        """IKE_SA_INIT and IKE_AUTH (RFC 7296 §1.2), behind the prefix that opens the byte stream once."""
        end.writer.write(STREAM_PREFIX)
        end.send_ike(sa_init(self.rng, (self.rng.randbytes(8), bytes(8)), end.flags))
        end.spis = spis_of((await end.read())[len(NON_ESP_MARKER) :])
        end.send_sealed(IKE_AUTH, 1, ID_INITIATOR, 280)
        await end.read()

    async def _talk(self, end: TunnelEnd) -> None:
        """Bursts of packets; now and then an empty INFORMATIONAL asks for a sign of life (RFC 7296 §2.4)."""
        numbers, loop = itertools.count(2), asyncio.get_running_loop()
        until_s, asks_at_s = loop.time() + self.size_len / 1000, loop.time() + LIVENESS_S
        while loop.time() < until_s:
            for _ in range(self.rng.choice((1, 2, 3, 8))):
                end.send_esp()
            if loop.time() >= asks_at_s:
                end.send_sealed(INFORMATIONAL, next(numbers))
                asks_at_s += LIVENESS_S
            await asyncio.sleep(self.rng.uniform(0.05, 0.4))
        end.send_sealed(INFORMATIONAL, next(numbers), DELETE_PAYLOAD, DELETE_LEN)

    async def _hear_farewell(self, end: TunnelEnd) -> None:
        """The answer to a delete is as long as what announces it; other answers are empty."""
        while message := await end.read():
            if is_ike(message) and first_sealed(message[len(NON_ESP_MARKER) :]) == DELETE_PAYLOAD:
                return

    def _answer(self, end: TunnelEnd, ike: bytes) -> None:
        exchange, number = exchange_of(ike)
        if exchange == IKE_SA_INIT:
            end.spis = (spis_of(ike)[0], self.rng.randbytes(8))
            end.send_ike(sa_init(self.rng, end.spis, end.flags))
        elif exchange == IKE_AUTH:
            end.send_sealed(exchange, number, ID_RESPONDER, 210)
        else:
            first = first_sealed(ike)
            end.send_sealed(exchange, number, first, DELETE_LEN if first else 0)


APPLICATIONS: dict[str, type[Application]] = {
    "bulk": Bulk,
    "http": Web,
    "tls": WebTls,
    "ndmp": Backup,
    "endless": Endless,
    "slow-reader": SlowReader,
    "silent": Silent,
    "rfc8229": IpsecInTcp,
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

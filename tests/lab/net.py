"""Network namespaces joined by veth pairs, with offloads off and everything removed at the end.

Knows ip, ethtool's ioctl, tcpdump and dumpcap.  Does not know what travels: see link and ctcp_endpoint.
A socket stays in the namespace in which it was opened, so one process can hold sockets in all of them.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

NETNS_DIR = Path("/var/run/netns")
CLONE_NEWNET = 0x40000000
NAME_PREFIX = "ctcplab"
NEEDED_PROGRAMS = ("ip", "nft", "tcpdump")
RECORDER_START_S = 10.0
CAPTURE_FILTER = "tcp or icmp or (ip[6:2] & 0x1fff != 0) or (ip6 and tcp)"
SIOCETHTOOL = 0x8946
# ETHTOOL_S* numbers of <linux/ethtool.h>.  With offloads on, a capture shows segments of 64 kB
# and wrong checksums, and a user-space link would hand such frames on.
OFFLOADS = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}

_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """The laboratory cannot work here, and why."""


def missing_programs(programs: Iterable[str]) -> list[str]:
    return [program for program in programs if shutil.which(program) is None]


def what_is_missing(also_needed: Iterable[str] = ()) -> list[str]:
    """Names everything this machine lacks to run the laboratory, or a story that needs more programs."""
    missing = missing_programs((*NEEDED_PROGRAMS, *also_needed))
    if os.geteuid() != 0:
        return [*missing, "root"]
    if missing:
        return missing
    return [] if _can_make_namespaces() else ["network namespaces (ip netns add is refused)"]


def _can_make_namespaces() -> bool:
    name = f"{NAME_PREFIX}-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if made.returncode != 0:
        return False
    try:
        ruleset = ["ip", "netns", "exec", name, "nft", "add", "table", "inet", "probe"]
        return subprocess.run(ruleset, capture_output=True, check=False).returncode == 0
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """One host of the laboratory."""

    name: str

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread works inside the namespace for a moment."""
        with open("/proc/self/ns/net") as home, open(NETNS_DIR / self.name) as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        with self.entered():
            return socket.socket(family, kind, protocol)

    def ip(self, *arguments: str) -> None:
        _run(["ip", "-n", self.name, *arguments])

    def nft(self, ruleset: str) -> None:
        _run(["ip", "netns", "exec", self.name, "nft", "-f", "-"], text=ruleset)

    def sysctl(self, key: str, value: str) -> None:
        with self.entered():
            Path("/proc/sys", *key.split("/")).write_text(value, encoding="ascii")

    def command(self, *arguments: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *arguments]

    def mac(self, interface: str) -> bytes:
        with self.socket(socket.AF_PACKET, socket.SOCK_RAW) as probe:
            probe.bind((interface, 0))
            return bytes(probe.getsockname()[4])

    def offloads_off(self, interface: str) -> None:
        with self.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for command in OFFLOADS.values():
                _ethtool_set(control, interface, command, 0)


@dataclass(slots=True, kw_only=True)
class Network:
    """All namespaces of one run.  Use as a context manager: leaving removes them."""

    run_id: str = field(default_factory=lambda: secrets.token_hex(3))
    namespaces: dict[str, Namespace] = field(default_factory=dict)

    def __enter__(self) -> Self:
        remove_leftovers()
        return self

    def __exit__(self, *_: object) -> None:
        for namespace in self.namespaces.values():
            subprocess.run(["ip", "netns", "del", namespace.name], capture_output=True, check=False)
        self.namespaces.clear()

    def host(self, role: str) -> Namespace:
        namespace = Namespace(name=f"{NAME_PREFIX}-{os.getpid()}-{self.run_id}-{role}")
        _run(["ip", "netns", "add", namespace.name])
        self.namespaces[role] = namespace
        for scope in ("all", "default"):
            namespace.sysctl(f"net/ipv6/conf/{scope}/accept_dad", "0")
            namespace.sysctl(f"net/ipv6/conf/{scope}/router_solicitations", "0")
            namespace.sysctl(f"net/ipv4/conf/{scope}/rp_filter", "0")
        namespace.ip("link", "set", "lo", "up")
        return namespace

    def join(self, left: Namespace, left_if: str, right: Namespace, right_if: str) -> None:
        ends = ["type", "veth", "peer", "name", right_if, "netns", right.name]
        _run(["ip", "link", "add", left_if, "netns", left.name, *ends])
        for namespace, interface in ((left, left_if), (right, right_if)):
            namespace.offloads_off(interface)
            namespace.ip("link", "set", interface, "up")


def remove_leftovers() -> None:
    """Namespaces of runs whose process was killed before it could clean up."""
    for path in NETNS_DIR.glob(f"{NAME_PREFIX}-*"):
        owner = path.name.split("-")[1]
        if owner.isdigit() and not Path("/proc", owner).exists():
            subprocess.run(["ip", "netns", "del", path.name], capture_output=True, check=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """A program that captures, what it writes, and what it says when it is ready and how much it lost.

    `reads_every_s`: what is in its ring when it is stopped it leaves behind.
    """

    program: str
    suffix: str
    arguments: tuple[str, ...]
    is_ready: bytes
    drops: re.Pattern[str]
    nanoseconds: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    reads_every_s: float = 0.0

    def command(self, interfaces: Sequence[str], path: Path, nanoseconds: bool) -> list[str]:
        precision = self.nanoseconds if nanoseconds else ()
        named = [word for interface in interfaces for word in ("-i", interface)]
        return [self.program, *self.arguments, *precision, *named, "-w", str(path), *self.behind]


TCPDUMP = Recorder(
    program="tcpdump",
    suffix=".pcap",
    arguments=("-s", "0", "-B", "8192", "-U", "-n", "-Z", "root", "--immediate-mode"),
    is_ready=b"listening on",
    drops=re.compile(r"^(\d+) packets? dropped by kernel", re.MULTILINE),
    nanoseconds=("--time-stamp-precision=nano",),
    behind=(CAPTURE_FILTER,),
)
# It writes nanoseconds always.  What stands before the first interface holds for all of them.
DUMPCAP = Recorder(
    program="dumpcap",
    suffix=".pcapng",
    arguments=("-q", "-s", "0", "-B", "8", "-f", CAPTURE_FILTER),
    is_ready=b"File: ",
    drops=re.compile(r"received/dropped on interface .*: \d+/(\d+) "),
    reads_every_s=0.5,
)
BY_PROGRAM = {recorder.program: recorder for recorder in (TCPDUMP, DUMPCAP)}


@dataclass(slots=True, kw_only=True)
class Capture:
    """A running recorder: full frames, as its interfaces see them."""

    path: Path
    recorder: Recorder
    interfaces: tuple[str, ...]
    process: asyncio.subprocess.Process
    dropped: int = 0

    async def stop(self) -> None:
        """Ends the recorder so that it writes what it holds and tells its drops."""
        await asyncio.sleep(self.recorder.reads_every_s)
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        _, talk = await self.process.communicate()
        self.dropped = sum(map(int, self.recorder.drops.findall(talk.decode())))


async def start_capture(
    recorder: Recorder, host: Namespace, interfaces: tuple[str, ...], path: Path, *, nanoseconds: bool
) -> Capture:
    process = await asyncio.create_subprocess_exec(
        *host.command(*recorder.command(interfaces, path, nanoseconds)), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    while line := await asyncio.wait_for(process.stderr.readline(), RECORDER_START_S):
        if recorder.is_ready in line:
            return Capture(path=path, recorder=recorder, interfaces=interfaces, process=process)
    raise LabError(f"{recorder.program} did not start in {host.name}")


def _run(command: Sequence[str], text: str | None = None) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise LabError(f"setns: {os.strerror(number)}")


def _ethtool_set(control: socket.socket, interface: str, command: int, value: int) -> None:
    request = ctypes.create_string_buffer(struct.pack("II", command, value), 8)
    name = interface.encode().ljust(16, b"\0")
    with contextlib.suppress(OSError):  # an offload this driver does not have is off already
        fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP16x", name, ctypes.addressof(request)))

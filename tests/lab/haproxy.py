"""haproxy in the firewall's place: a proxy that was written by others and knows bytes, not messages.

Knows its configuration and its process.  Its TCP is the kernel's, as that of the relay in middlebox, but what
it sends on is cut as its buffers were filled: two messages in one segment, or one in two.
"""

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from .middlebox import divert, transparent_listeners
from .net import LabError, Namespace

PROGRAM = "haproxy"
STOP_LIMIT_S = 5.0
# The listeners are inherited, so that they stand before the first SYN comes.  Timeouts are longer than a story.
CONFIGURATION = """\
global
    nbthread 1
    maxconn 64
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
    {splicing}
listen relay
    {binds}
    source {any_address} usesrc client
    server headend {address}:{port}
"""


@dataclass(slots=True, kw_only=True)
class Haproxy:
    """Nature six: as nature three, by haproxy.  With `splices` bytes pass inside the kernel (splice(2))."""

    host: Namespace
    log: TextIO
    headend: str
    port: int
    folder: Path
    splices: bool = False
    process: subprocess.Popen[str] | None = field(default=None)

    def start(self) -> None:
        divert(self.host, self.port)
        listeners = transparent_listeners(self.host)
        descriptors = [listener.fileno() for listener in listeners]
        path = self.folder / "haproxy.cfg"
        path.write_text(self._configuration(descriptors), encoding="ascii")
        command = self.host.command(PROGRAM, "-db", "-f", str(path))
        self.process = subprocess.Popen(command, pass_fds=descriptors, stderr=subprocess.PIPE, text=True)
        for listener in listeners:
            listener.close()

    async def stop(self) -> None:
        if self.process is None:
            return
        gave_up = self.process.poll()
        self.process.terminate()
        _, talk = self.process.communicate(timeout=STOP_LIMIT_S)
        if gave_up is not None:
            raise LabError(f"haproxy ended by itself with status {gave_up}: {talk.strip()}")

    def note_counters(self) -> None:
        """Both sides together, since its sockets are not ours: what the kernel counted in this namespace."""
        entry = {"t_ns": time.time_ns(), "who": "middlebox", "event": "counters", "side": "both"}
        print(json.dumps(entry | {"out_of_order": self._queued_out_of_order()}), file=self.log)

    def _configuration(self, descriptors: list[int]) -> str:
        is_ipv6 = ":" in self.headend
        return CONFIGURATION.format(
            splicing="option splice-auto" if self.splices else "no option splice-auto",
            binds="\n    ".join(f"bind fd@{descriptor}" for descriptor in descriptors),
            any_address="[::]" if is_ipv6 else "0.0.0.0",
            address=f"[{self.headend}]" if is_ipv6 else self.headend,
            port=self.port,
        )

    def _queued_out_of_order(self) -> int:
        """TCPOFOQueue is counted beside tcpi_rcv_ooopack (tcp_data_queue_ofo of net/ipv4/tcp_input.c)."""
        with self.host.entered():
            lines = Path("/proc/thread-self/net/netstat").read_text(encoding="ascii").splitlines()
        names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
        return int(dict(zip(names, values, strict=True))["TCPOFOQueue"])

"""Who is compared: how each program is called, how its answer is asked for, and where it cannot take part.

Knows command lines and the programs' own output.  Does not measure (`compare`) or print (`publish`).
An answer is asked for in a run of its own, outside the measurement; only what two programs define alike is
compared.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TSHARK_QUESTION_BYTES = 100_000_000  # asking tshark for its flows costs as much as measuring it
START_UP_BYTES = 100_000  # where starting is all there is to measure
PYSHARK_BYTES = 10_000_000  # some hundred frames a second
_HERE = Path(__file__).parent

Argv = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a program said about a capture; None where it does not say or defines it otherwise."""

    frames: int | None = None
    tcp_segments: int | None = None
    flows: int | None = None


Listen = Callable[[Argv], str]  # runs a program under the limits; what it printed, empty if it failed
Ask = Callable[[Path, Listen], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One program in one manner of use."""

    name: str
    program: str
    argv: Callable[[Path], Argv]
    version: Argv
    ask: Ask | None = None
    largest_bytes: int | None = None
    takes_many: bool = False  # one call for many files
    is_ours: bool = False
    good_statuses: tuple[int, ...] = (0,)
    needs_module: str | None = None

    def absence(self) -> str | None:
        """Why it cannot run here, or None."""
        if shutil.which(self.program) is None:
            return f"{self.program} is not installed"
        if self.needs_module is not None and _fails([self.program, "-c", f"import {self.needs_module}"]):
            return f"{self.needs_module} is not installed"
        return None

    def refusal(self, capture: Path) -> str | None:
        """Why it is spared this capture, or None."""
        size = total_bytes(capture)
        if self.largest_bytes is not None and size > self.largest_bytes:
            return f"asked only below {self.largest_bytes / 1e6:g} MB"
        return None

    def command(self, capture: Path, scratch: Path) -> Argv:
        """The call for a capture, or for a folder of captures: one call where it can, else a loop."""
        if not capture.is_dir():
            return [word.replace("{scratch}", str(scratch)) for word in self.argv(capture)]
        files = captures_in(capture)
        if self.takes_many:
            together = {str(capture): [str(one) for one in files]}
            return [name for word in self.argv(capture) for name in together.get(word, [word])]
        calls = (shlex.join(self.argv(one)).replace("{scratch}", str(scratch)) for one in files)
        return ["sh", "-c", "\n".join(calls)]


def captures_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pcap"))


def total_bytes(capture: Path) -> int:
    files = captures_in(capture) if capture.is_dir() else [capture]
    return sum(one.stat().st_size for one in files)


def _fails(argv: Argv) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode != 0


# ----------------------------------------------------------------------------------------------- questions


def _number(pattern: str, text: str) -> int | None:
    found = re.search(pattern, text)
    return None if found is None else int(found[1])


def _ask_tcpdump(capture: Path, listen: Listen) -> Answer:
    def count(*expression: str) -> int | None:
        return _number(r"(\d+) packet", listen(["tcpdump", "--count", "-r", str(capture), *expression]))

    return Answer(frames=count(), tcp_segments=count("tcp"))


def _ask_tcptrace(capture: Path, listen: Listen) -> Answer:
    said = listen(["tcptrace", "-n", str(capture)])
    return Answer(
        frames=_number(r"(\d+) packets seen", said),
        tcp_segments=_number(r"(\d+) TCP packets traced", said),
        flows=len(re.findall(r"^ *\d+: \S+:\d+ - \S+:\d+", said, re.MULTILINE)) if said else None,
    )


def _ask_nfpcapd(capture: Path, listen: Listen) -> Answer:
    """Its flows have one direction and end at timeouts: only packets can be compared."""
    with tempfile.TemporaryDirectory() as folder:
        listen(["nfpcapd", "-r", str(capture), "-w", folder])
        said = listen(["nfdump", "-R", folder, "-I"])
    return Answer(
        frames=_number(r"\nPackets: (\d+)", said), tcp_segments=_number(r"Packets_tcp: (\d+)", said)
    )


def _ask_tshark(capture: Path, listen: Listen) -> Answer:
    if total_bytes(capture) > TSHARK_QUESTION_BYTES:
        return Answer()
    streams = listen(
        ["tshark", "-n", "-r", str(capture), "-Y", "tcp", "-T", "fields", "-e", "tcp.stream"]
    ).split()
    return Answer(tcp_segments=len(streams), flows=len(set(streams)))


def _ask_script(script: str) -> Ask:
    def ask(capture: Path, listen: Listen) -> Answer:
        said = listen([sys.executable, str(_HERE / script), str(capture)])
        return Answer(**json.loads(said)) if said else Answer()

    return ask


def _ask_ours(program: str) -> Ask:
    def ask(capture: Path, listen: Listen) -> Answer:
        said = listen([program, "analyze", str(capture), "--all-tcp", "--format", "json"])
        if not said:
            return Answer()
        report = json.loads(said)
        return Answer(
            frames=sum(one["frames"] for one in report["captures"]),
            tcp_segments=sum(one["tcp_segments"] for one in report["captures"]),
            flows=report["coverage"]["flows_judged"],
        )

    return ask


# -------------------------------------------------------------------------------------------------- calls

_TCP_ONLY = ["--disable-protocol", "ALL"] + [
    word for protocol in ("eth", "ip", "tcp") for word in ("--enable-protocol", protocol)
]


def _ours(program: str) -> list[Peer]:
    def analyze(*more: str) -> Callable[[Path], Argv]:
        return lambda capture: [
            program,
            "analyze",
            str(capture),
            *more,
            "--format",
            "json",
            "-o",
            "/dev/null",
        ]

    def peer(name: str, argv: Callable[[Path], Argv], **more: Any) -> Peer:
        return Peer(
            name=name,
            program=program,
            argv=argv,
            version=[program, "--version"],
            takes_many=True,
            is_ours=True,
            good_statuses=(0, 1, 3),
            **more,
        )

    return [
        peer("ctcp-diag", analyze(), ask=_ask_ours(program)),
        peer("ctcp-diag --all-tcp", analyze("--all-tcp")),
        peer("ctcp-diag --version", lambda capture: [program, "--version"], largest_bytes=START_UP_BYTES),
    ]


def _module_version(name: str) -> Argv:
    return [sys.executable, "-c", f"from importlib.metadata import version; print(version('{name}'))"]


def beside_python(name: str) -> str:
    """The program of the environment that runs this, even where the environment is not activated."""
    sibling = Path(sys.executable).with_name(name)
    return str(sibling) if sibling.exists() else name


def everyone(ours: str) -> list[Peer]:
    """In the order in which they take turns."""
    return [
        *_ours(ours),
        Peer(
            name="cat",
            program="cat",
            argv=lambda capture: ["cat", str(capture)],
            version=["cat", "--version"],
            takes_many=True,
        ),
        Peer(
            name="tcpdump, counting",
            program="tcpdump",
            argv=lambda capture: ["tcpdump", "--count", "-r", str(capture)],
            version=["tcpdump", "--version"],
            ask=_ask_tcpdump,
        ),
        Peer(
            name="nfpcapd",
            program="nfpcapd",
            argv=lambda capture: ["nfpcapd", "-r", str(capture), "-w", "{scratch}"],
            version=["nfpcapd", "-V"],
            ask=_ask_nfpcapd,
        ),
        Peer(
            name="tcptrace -l",
            program="tcptrace",
            argv=lambda capture: ["tcptrace", "-n", "-l", str(capture)],
            version=["tcptrace", "-v"],
            ask=_ask_tcptrace,
        ),
        Peer(
            name="tshark, TCP only",
            program="tshark",
            argv=lambda capture: ["tshark", "-n", "-r", str(capture), *_TCP_ONLY, "-Y", "tcp.analysis.flags"],
            version=["tshark", "--version"],
            ask=_ask_tshark,
        ),
        Peer(
            name="tshark, as installed",
            program="tshark",
            argv=lambda capture: ["tshark", "-n", "-r", str(capture)],
            version=["tshark", "--version"],
        ),
        Peer(
            name="dpkt in a loop",
            program=sys.executable,
            argv=lambda capture: [sys.executable, str(_HERE / "dpkt_loop.py"), str(capture)],
            version=_module_version("dpkt"),
            ask=_ask_script("dpkt_loop.py"),
            needs_module="dpkt",
        ),
        Peer(
            name="pyshark in a loop",
            program=sys.executable,
            argv=lambda capture: [sys.executable, str(_HERE / "pyshark_loop.py"), str(capture)],
            version=_module_version("pyshark"),
            ask=_ask_script("pyshark_loop.py"),
            largest_bytes=PYSHARK_BYTES,
            needs_module="pyshark",
        ),
    ]


def version_of(peer: Peer) -> str:
    """The program's name and the first dotted number, wherever it prints that."""
    done = subprocess.run(peer.version, capture_output=True, check=False)
    said = (done.stdout + b"\n" + done.stderr).decode(errors="replace")
    number = re.search(r"\d+(\.\d+)+", said)
    name = peer.needs_module or Path(peer.program).name
    return f"{name} {'of unknown version' if number is None else number[0]}"


def sum_of(answers: Sequence[Answer]) -> Answer:
    """A folder's answer: what every file told, added up."""

    def total(values: list[int | None]) -> int | None:
        told = [value for value in values if value is not None]
        return sum(told) if len(told) == len(values) else None

    return Answer(
        frames=total([one.frames for one in answers]),
        tcp_segments=total([one.tcp_segments for one in answers]),
        flows=total([one.flows for one in answers]),
    )

"""tshark, asked through pyshark: which frames of some flows it labels, and how.

The only part that runs a program.  tshark runs without a shell, in an empty folder that is its home as
well, so that no preference of the user and no file beside the capture changes its answer.
"""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ctcp_forensics.crosscheck.wireshark import Kind
from ctcp_forensics.errors import CtcpError

HOW_TO_INSTALL: Final = (
    "crosscheck asks tshark, which is not installed (Debian, Ubuntu: apt install tshark; Fedora, RHEL: "
    "dnf install wireshark-cli; macOS: brew install wireshark)"
)
FIELDS: Final = {
    "analysis_duplicate_ack": Kind.DUPLICATE_ACK,
    "analysis_retransmission": Kind.AGAIN,
    "analysis_fast_retransmission": Kind.AGAIN,
    "analysis_spurious_retransmission": Kind.AGAIN,
    "analysis_out_of_order": Kind.AGAIN,
    "analysis_lost_segment": Kind.LOST,
    "analysis_ack_lost_segment": Kind.UNSEEN,
    "analysis_zero_window": Kind.ZERO_WINDOW,
    "analysis_keep_alive": Kind.KEEP_ALIVE,
    "analysis_window_update": Kind.WINDOW_UPDATE,
}
PREFERENCES: Final = {
    "tcp.analyze_sequence_numbers": "TRUE",
    "tcp.check_checksum": "FALSE",  # a capturing host with checksum offload writes wrong ones
    "ip.check_checksum": "FALSE",
}
ONLY_TCP: Final = ["-J", "tcp"]
"""What tshark prints of a frame: its TCP layer, which is a third of the work."""
PROBE_SECONDS: Final = 60

Labels = dict[int, frozenset[Kind]]


class NoTsharkError(CtcpError):
    """There is no tshark to ask."""


class TsharkFailedError(CtcpError):
    """tshark could not read the capture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """tshark's labels by frame number; frames that it gives none are absent."""

    version: str
    display_filter: str
    labels: Labels
    complaint: str
    """What tshark said where it could not read the capture to its end."""


def ask(source: str, flows: str) -> Answer:
    """Ask about the frames that the display filter `flows` lets pass."""
    program = shutil.which("tshark")
    if program is None:
        raise NoTsharkError(HOW_TO_INSTALL)
    path = Path(source).absolute()
    display_filter = f"({flows}) && tcp.analysis.flags" if flows else "tcp.analysis.flags"
    with empty_home():
        try_first_frame(program, path)
        version = version_of(program)
        labels, complaint = labelled(program, path, display_filter)
    return Answer(version=version, display_filter=display_filter, labels=labels, complaint=complaint)


@contextmanager
def empty_home() -> Iterator[None]:
    """For the time of the question: an empty folder as home and working folder, and no Wireshark variables."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="ctcp-diag-") as folder, chdir(folder):
        for name in [name for name in os.environ if name.startswith(("WIRESHARK_", "XDG_"))]:
            del os.environ[name]
        os.environ["HOME"] = folder
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def try_first_frame(program: str, path: Path) -> None:
    """An error in tshark's words where it cannot read the capture at all, which pyshark would hide."""
    look = subprocess.run(  # noqa: S603  # the program is tshark, by its full name, and there is no shell
        [program, "-n", "-r", str(path), "-c", "1"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=PROBE_SECONDS,
    )
    complaints = [line for line in look.stderr.splitlines() if line.startswith("tshark:")]
    if look.returncode and complaints and not look.stdout:
        raise TsharkFailedError(complaints[-1])


@functools.cache
def version_of(program: str) -> str:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return told.stdout.partition("\n")[0].rstrip(".")


def labelled(program: str, path: Path, display_filter: str) -> tuple[Labels, str]:
    """Frame by frame through pyshark: hundreds in a second, so only labelled frames are asked for.

    The second is what tshark complained of at its end; empty where it read the capture to its end.
    """
    loop = asyncio.new_event_loop()
    try:
        with patient_capture()(
            str(path),
            keep_packets=False,
            display_filter=display_filter,
            tshark_path=program,
            override_prefs=PREFERENCES,
            custom_parameters=ONLY_TCP,
            eventloop=loop,
        ) as frames:
            labels = {int(frame.number): kinds_of(frame) for frame in frames}
        return labels, frames.complaint
    finally:
        loop.close()


def patient_capture() -> Any:
    """pyshark's FileCapture, which waits for tshark to end.

    pyshark kills a tshark that has written all and is about to end, loses its exit status by that, and
    then takes the lost status for a crash.
    """
    import pyshark

    class PatientCapture(pyshark.FileCapture):  # type: ignore[misc]  # pyshark has no types
        complaint = ""

        async def _cleanup_subprocess(self, process: asyncio.subprocess.Process) -> None:
            if process.returncode is None and not self._eof_reached:
                process.kill()
            if await process.wait():
                self.complaint = f"tshark ended with status {process.returncode}: {self._last_error_line}"

    return PatientCapture


def kinds_of(frame: Any) -> frozenset[Kind]:
    """The labels of one frame; a tunnel's frame may hold TCP more than once, of which the last counts."""
    layers = [layer for layer in frame.layers if layer.layer_name == "tcp"]
    names = layers[-1].field_names if layers else ()
    return frozenset(FIELDS[name] for name in names if name in FIELDS)

"""The command as its users run it: real processes, real pipes, a real terminal.

Knows how it is started and what it said.  Does not know what it should say: see test_cli*.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import ctcp_forensics

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
FAILURE, HEALTHY = str(SAMPLES / "failure-client.pcap"), str(SAMPLES / "healthy.pcap")
COMMAND = [sys.executable, "-m", "ctcp_forensics"]
# Child processes import the very package that these tests import, installed or not.
PACKAGE_FOLDER = str(Path(ctcp_forensics.__file__).parent.parent)
BARE = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
ENVIRONMENT = BARE | {"PYTHONPATH": PACKAGE_FOLDER, "TERM": "xterm"}
RED = "\x1b[1;31m"


def run(*arguments: str, stdin: bytes = b"", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    told_ = subprocess.run(
        [*COMMAND, *arguments], input=stdin, capture_output=True, env=ENVIRONMENT, cwd=cwd, check=False
    )
    return subprocess.CompletedProcess(
        told_.args, told_.returncode, told_.stdout.decode(), told_.stderr.decode()
    )


def on_terminal(*arguments: str, **environment: str) -> str:
    """What a terminal of 100 columns gets on standard output and standard error."""
    keeper, terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=terminal,
        stderr=terminal,
        env=ENVIRONMENT | {"COLUMNS": "100"} | environment,
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(keeper, 65536):
            shown += piece
    except OSError:  # Linux ends a terminal whose other side is gone with EIO
        pass
    finally:
        os.close(keeper)
        process.wait()
    return shown.decode()

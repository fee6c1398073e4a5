"""A crowd: a generated capture of very many flows, and what is told of it, of all at length and of a few.

The module that asks for these fixtures says how large it is, FRAMES and FLOWS, and of how FEW all is told.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from benchmarks import generate
from ctcp_forensics.pipeline import Options, diagnose
from ctcp_forensics.report import Report

ALL = Options(max_in_full=None)


def towards_the_headend(capture: bytes) -> bytes:
    """What a generated capture shows of one direction.  It is Ethernet, IPv4 without options, to port 10000."""
    kept, at = [capture[:24]], 24
    while at < len(capture):
        end = at + 16 + struct.unpack_from("<I", capture, at + 8)[0]
        if capture[at + 16 + 36 : at + 16 + 38] == (10_000).to_bytes(2, "big"):
            kept.append(capture[at:end])
        at = end
    return b"".join(kept)


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "made.pcap"
    frames, flows = str(request.module.FRAMES), str(request.module.FLOWS)
    generate.main(["ctcp", "-o", str(path), "--frames", frames, "--flows", flows])
    return path


@pytest.fixture(scope="module")
def whole(made: Path) -> Report:
    return diagnose([str(made)], ALL)


@pytest.fixture(scope="module")
def short(request: pytest.FixtureRequest, made: Path) -> Report:
    return diagnose([str(made)], request.module.FEW)

"""The two kernels, for tests that hold them side by side."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ctcp_forensics._kernel import plain_decode, plain_match, plain_track, plain_walk


def _compiled() -> ModuleType | None:
    try:
        return import_module("ctcp_forensics._kernel.core")
    except ImportError:
        return None


COMPILED: Any = _compiled()
PLAIN: Any = SimpleNamespace(
    Frames=plain_walk.Frames,
    Interfaces=plain_walk.Interfaces,
    walk_pcap=plain_walk.walk_pcap,
    walk_pcapng=plain_walk.walk_pcapng,
    Packets=plain_decode.Packets,
    decode=plain_decode.decode,
    Tracker=plain_track.Tracker,
    Tracer=plain_track.Tracer,
    Matching=plain_match.Matching,
    course=plain_match.course,
    sharing=plain_match.sharing,
)
"""The plain kernel under one name, as the compiled one has it."""
needs_core = pytest.mark.skipif(COMPILED is None, reason="the compiled core is not built")

each_kernel = pytest.mark.parametrize(
    "kernel", [pytest.param(PLAIN, id="plain"), pytest.param(COMPILED, id="compiled", marks=needs_core)]
)
WALKS = [
    pytest.param(plain_walk, id="plain"),
    pytest.param(COMPILED, id="compiled", marks=needs_core),
]
"""The record walk, which both kernels have under the same names."""


def both_walks() -> tuple[ModuleType, ModuleType]:
    """Plain and compiled, for tests that need the two at once."""
    assert COMPILED is not None
    return plain_walk, COMPILED

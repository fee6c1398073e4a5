"""The two kernels, for tests that hold them side by side."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import pytest

from ctcp_forensics._kernel import plain_walk


def _compiled() -> ModuleType | None:
    try:
        return import_module("ctcp_forensics._kernel.core")
    except ImportError:
        return None


compiled = _compiled()
needs_core = pytest.mark.skipif(compiled is None, reason="the compiled core is not built")

WALKS = [
    pytest.param(plain_walk, id="plain"),
    pytest.param(compiled, id="compiled", marks=needs_core),
]
"""The record walk, which both kernels have under the same names."""


def both_walks() -> tuple[ModuleType, ModuleType]:
    """Plain and compiled, for tests that need the two at once."""
    assert compiled is not None
    return plain_walk, compiled

"""Where things are, and what a test needs: `@pytest.mark.needs("tshark", "root")` skips, saying why."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "needs(*names): programs by name, `root`, or `shared` (the public captures beside the project)",
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if reason := why_missing(name):
                pytest.skip(reason)


def why_missing(name: str) -> str | None:
    match name:
        case "root":
            return None if os.geteuid() == 0 else "needs root"
        case "shared":
            return (
                None if (SHARED / "captures").is_dir() else "needs the public captures in ../shared/captures"
            )
        case program:
            return None if shutil.which(program) else f"needs {program}, which is not installed"


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's own folder."""
    return ROOT


@pytest.fixture(scope="session")
def samples() -> Path:
    return ROOT / "samples"


@pytest.fixture(scope="session")
def captures() -> Path:
    """The public captures; a test that asks for them is skipped where they are not."""
    if reason := why_missing("shared"):
        pytest.skip(reason)
    return SHARED / "captures"

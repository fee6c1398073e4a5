"""Where the project lies, what every test may rely on, and which kernel joins logs that tests wrote down."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from ctcp_forensics._kernel import plain_match
from ctcp_forensics.vantage import acquaintance, crossing, pairing

# No test is timed: a busy machine is no defect.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# A shell lets its background jobs ignore Ctrl-C, and whatever they start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's own folder."""
    return Path(__file__).parent.parent


@pytest.fixture
def plain_join(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs that are lists of rows are joined by the plain kernel, which takes them as they are."""
    monkeypatch.setattr(pairing, "Matching", plain_match.Matching)
    monkeypatch.setattr(acquaintance, "sharing", plain_match.sharing)
    monkeypatch.setattr(crossing, "course", plain_match.course)

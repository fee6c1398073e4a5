"""Where the project lies, what every test may rely on, which kernel joins logs that tests wrote down, and a browser."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ctcp_forensics._kernel import plain_match
from ctcp_forensics.vantage import acquaintance, crossing, pairing

# No test is timed: a busy machine is no defect.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# A shell lets its background jobs ignore Ctrl-C, and whatever they start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

BROWSER_ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright; what it opens is told no network."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs Playwright, which the test extra brings"
    )
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs Chromium (apt install chromium)")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=BROWSER_ARGUMENTS.split())
        yield chromium
        chromium.close()

# ruff: noqa: INP001 - a script beside the page that shows its picture
"""Takes docs/report.png of the page that `ctcp-diag demo --report` makes, in the system's Chromium.

    python docs/report_picture.py

Needs the test extra (Playwright) and Chromium.  Fonts are the machine's, so the picture is not compared in tests.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parent / "report.png"
WIDTH, HEIGHT, SCALE = 1040, 1340, 0.72
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu"]


def main() -> None:
    with TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        subprocess.run(  # noqa: S603
            [sys.executable, "-m", "ctcp_forensics", "demo", "-q", "--report", page], check=False
        )
        take(page)


def take(page: Path) -> None:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE)
        tab.goto(page.as_uri())
        tab.wait_for_selector(".legend button")
        tab.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()

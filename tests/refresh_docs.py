"""What the documents show, run and written down anew: commands and their output, tables, the picture.

    python -m tests.refresh_docs

Knows which documents there are; the picture is drawn by its own script.  Does not judge what comes out: read the
difference before you commit it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.console_blocks import ROOT, Shell, rewritten
from tests.tables_of_docs import with_tables

DOCUMENTS: Final = (
    "README.md",
    "docs/ARCHITECTURE.md",
    "docs/ARCHIVE.md",
    "docs/HANDOVER.md",
    "docs/METHOD.md",
    "docs/decisions/README.md",
)
PICTURE: Final = "docs/time-sequence.svg"
PICTURE_SCRIPT: Final = "docs/time_sequence.py"


def picture() -> str:
    drawn = subprocess.run(
        [sys.executable, PICTURE_SCRIPT],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return drawn.stdout


def main() -> None:
    (ROOT / PICTURE).write_text(picture(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(Path(folder))
        for name in DOCUMENTS:
            path = ROOT / name
            before = path.read_text(encoding="utf-8")
            after = with_tables(rewritten(before, shell))
            path.write_text(after, encoding="utf-8")
            print(f"{name}: {'changed' if after != before else 'current'}")


if __name__ == "__main__":
    main()

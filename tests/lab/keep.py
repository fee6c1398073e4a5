"""Keeps one capture of a recorded run in tests/recorded/, so that accuracy is tested where nothing can be recorded.

    python -m tests.lab.keep RUN_FOLDER VANTAGE

Knows only what to copy: the capture, packed, and the truth about it.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from .scenarios import ASA, CLIENT, INSIDE, OUTSIDE
from .truth import truth_again

KEPT = Path(__file__).resolve().parents[1] / "recorded"


def keep(run: Path, vantage: str) -> Path:
    truth = truth_again(run)
    truth["captures"] = [one for one in truth["captures"] if one["vantage"] == vantage]
    folder = KEPT / f"{truth['scenario']}-{vantage}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    for capture in truth["captures"]:
        packed = gzip.compress((run / capture["file"]).read_bytes(), mtime=0)
        (folder / f"{capture['file']}.gz").write_bytes(packed)
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.keep", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("vantage", choices=(CLIENT, OUTSIDE, INSIDE, ASA))
    options = parser.parse_args(arguments)
    print(keep(options.run, options.vantage))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The last lines of `tests/run`: what pytest ran, and each reason for which it skipped something.

Reads pytest's JUnit file.  Knows nothing of the tests themselves.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree


def summary(results: ElementTree.Element) -> list[str]:
    cases = list(results.iter("testcase"))
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    skips = Counter(skip.get("message", "no reason given") for skip in results.iter("skipped"))
    passed = len(cases) - failed - skips.total()
    return [
        *(f"{'skipped':18} {count} x {reason}" for reason, count in sorted(skips.items())),
        f"tests: {passed} passed, {failed} failed, {skips.total()} skipped",
    ]


def main() -> int:
    path = Path(sys.argv[1])
    if not path.exists():
        print("tests: pytest ended before it ran any")
        return 1
    results = ElementTree.parse(path).getroot()  # noqa: S314  # pytest wrote it a moment ago
    print(*summary(results), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

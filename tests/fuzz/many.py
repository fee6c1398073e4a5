"""Many: a million small mutated inputs to one target, in one process.

    CTCP_FORENSICS_BOUNDSCHECK=1 pip install --editable .
    python -m tests.fuzz.many --target whole --count 1000000 --seed 1

Where the campaign asks much of each input (both kernels, reports, joins), this asks little of very many.  What breaks
is kept in a file and named: also what cannot be raised where it happens, and which Python would only tell of on
standard error.  The input at work lies in a file as well, for in the middle of the core a check that goes off, as a
sanitizer does, ends the process.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest import mock

from ctcp_forensics import _kernel
from tests.fuzz.targets import Target, targets

TOLD_EVERY: Final = 20_000


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        known = targets(Path(folder))
        asked = arguments(list(known))
        print(f"{_kernel.NAME} kernel, {asked.target}, seed {asked.seed}", flush=True)
        return many(known[asked.target](), asked)


def arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Send very many small mutated inputs to one target.")
    parser.add_argument("--target", choices=names, default="kernel")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("culprits"), help="folder for what breaks")
    parser.add_argument(
        "--go-on", type=int, default=0, metavar="N", help="after so many culprits, not at the first"
    )
    return parser.parse_args()


def many(target: Target, asked: argparse.Namespace) -> int:
    chance, began, culprits = random.Random(asked.seed), time.monotonic(), 0
    asked.keep.mkdir(parents=True, exist_ok=True)
    at_work = asked.keep / f"{asked.target}-{asked.seed}-at-work"
    for number, data in zip(range(1, asked.count + 1), target.inputs(chance), strict=False):
        at_work.write_bytes(data)
        try:
            with nothing_untold():
                target.follow(data, chance, number)
        except Exception as error:  # noqa: BLE001  # any at all is what is looked for
            culprits += 1
            keep(data, asked.keep / f"{asked.target}-{asked.seed}-{number}", error)
            if culprits > asked.go_on:
                return 1
        if number % TOLD_EVERY == 0:
            print(f"{number} in {time.monotonic() - began:.0f} s", flush=True)
    at_work.unlink(missing_ok=True)
    print(f"{asked.count} executions, {culprits or 'nothing'} found")
    return 1 if culprits else 0


@contextmanager
def nothing_untold() -> Iterator[None]:
    """Raises behind what was done the first of what could not be raised in it."""
    untold: list[str] = []

    def note(one: sys.UnraisableHookArgs) -> None:
        if one.exc_type is not KeyboardInterrupt:  # a target sends them itself, at any moment
            untold.append(f"{one.exc_type.__name__} in {one.object}: {one.exc_value}")

    with mock.patch.object(sys, "unraisablehook", note):
        yield
    if untold:
        raise RuntimeError(untold[0])


def keep(data: bytes, place: Path, error: Exception) -> None:
    place.write_bytes(data)
    print(f"{place}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

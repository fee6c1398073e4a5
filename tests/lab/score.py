"""Holds the analyzer's verdicts against the truth of recorded runs.

    python -m tests.lab.score DIR [DIR ...] [--all-tcp] [--verbose]

Knows truth.json and the analyzer's JSON report, which it asks of the command in a process of its own.
Each capture is judged alone.  Prints a confusion matrix, precision and recall of the flagship verdict,
and every case that is wrong: a verdict not in `expect`, a wrong direction, byte, count or frame.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .scenarios import FLAGSHIP
from .truth import Entry

ROOT = Path(__file__).resolve().parents[2]
JOBS = 2
RUN_LIMIT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One flow in one capture: what it is, what the analyzer says, and what of that is wrong."""

    where: str
    expect: tuple[str, ...]
    said: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def is_accused(self) -> bool:
        return FLAGSHIP in self.said

    @property
    def is_missed(self) -> bool:
        return self.expect[0] == FLAGSHIP and not self.is_accused

    @property
    def is_right(self) -> bool:
        accusation_fits = not self.is_accused or FLAGSHIP in self.expect
        return accusation_fits and any(one in self.expect for one in self.said)


def cases_of(run: Path, options: Sequence[str]) -> list[Case]:
    truth: Entry = json.loads((run / "truth.json").read_text(encoding="utf-8"))
    return [case for capture in truth["captures"] for case in _cases_in(run, truth, capture, options)]


def _cases_in(run: Path, truth: Entry, capture: Entry, options: Sequence[str]) -> Iterator[Case]:
    report = _report(run / capture["file"], options)
    vantage = capture["vantage"]
    for flow in truth["flows"]:
        found = [one for one in report["flows"] if _is_same(one, flow)]
        said = tuple(one["verdict"] for one in found) or ("no flow",)
        expect = tuple(flow["expect"][vantage])
        accused = [one for one in found if one["verdict"] == FLAGSHIP]
        yield Case(
            where=f"{run} {capture['file']} client port {flow['client']['port']}",
            expect=expect,
            said=said,
            wrong=tuple(_mistakes(flow, vantage, accused[0])) if accused and FLAGSHIP in expect else (),
        )


def _report(capture: Path, options: Sequence[str]) -> Entry:
    command = [sys.executable, "-m", "ctcp_forensics", "analyze", "--format", "json", *options, str(capture)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=RUN_LIMIT_S, check=False)
    if done.returncode not in (0, 1, 3):
        raise SystemExit(f"{capture}: {done.stderr.decode(errors='replace')}")
    report: Entry = json.loads(done.stdout)
    return report


def _is_same(found: Entry, flow: Entry) -> bool:
    places = [flow["client"], *flow["client_seen_by_asa"]]
    # Without a handshake the analyzer may take the roles the other way round.
    return any(end in places for end in (found["client"], found["headend"]))


def _mistakes(flow: Entry, vantage: str, found: Entry) -> Iterator[str]:
    """What a true accusation gets wrong in its particulars."""
    episode, seen = flow["episode"], flow["episode"]["seen"].get(vantage)
    asked = [one for one in found["episodes"] if episode["wanted_seq"] in one["wanted_seq"].values()]
    if found["direction"] != episode["direction"]:
        yield f"direction {found['direction']}, not {episode['direction']}"
    if not asked:
        yield f"wanted byte {episode['wanted_seq']} is in no episode"
    elif seen is not None:
        yield from _miscounts(asked[-1], seen)


def _miscounts(found: Entry, seen: Entry) -> Iterator[str]:
    before_close = seen["duplicate_acks"] - seen["duplicate_acks_after_close"]
    if not before_close <= found["duplicate_acks"] <= seen["duplicate_acks"]:
        yield f"{found['duplicate_acks']} duplicate ACKs, not {before_close} to {seen['duplicate_acks']}"
    for key in ("first_duplicate_ack_frame", "missing_segment_frame"):
        frame = next(iter(found[key].values()), None)
        if frame != seen[key]:
            yield f"{key} {frame}, not {seen[key]}"


def print_score(cases: Sequence[Case], *, verbose: bool) -> int:
    matrix = Counter((case.expect[0], said) for case in cases for said in case.said)
    for (best, said), count in sorted(matrix.items()):
        print(f"{count:5}  {best:28} {said}")
    accused = [case for case in cases if case.is_accused]
    rightly = sum(FLAGSHIP in case.expect for case in accused)
    due = [case for case in cases if case.expect[0] == FLAGSHIP]
    missed = sum(case.is_missed for case in due)
    mistaken = [case for case in cases if not case.is_right or case.wrong]
    print(f"\n{len(cases)} cases; verdict allowed in {sum(case.is_right for case in cases)}")
    print(f"{FLAGSHIP}: precision {rightly}/{len(accused)}, recall {len(due) - missed}/{len(due)}")
    print(f"wrong particulars in {sum(bool(case.wrong) for case in cases)} accusations")
    for case in mistaken if verbose else mistaken[:40]:
        print(
            f"  {case.where}: said {', '.join(case.said)}; right {', '.join(case.expect)}; {'; '.join(case.wrong)}"
        )
    return 0 if not mistaken else 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.score", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--all-tcp", action="store_true")
    parser.add_argument(
        "--verbose", action="store_true", help="every case that is wrong, not the first forty"
    )
    options = parser.parse_args(arguments)
    runs = sorted({path.parent for folder in options.folders for path in folder.rglob("truth.json")})
    extra = ["--all-tcp"] if options.all_tcp else []
    with ThreadPoolExecutor(max_workers=JOBS) as pool:
        cases = [case for some in pool.map(lambda run: cases_of(run, extra), runs) for case in some]
    return print_score(cases, verbose=options.verbose)


if __name__ == "__main__":
    sys.exit(main())

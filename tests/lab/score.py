"""Measures the analyzer: records stories, asks it about every capture, and counts where it is wrong.

    python -m tests.lab.score --corpus DIR                                  what lies in DIR already
    python -m tests.lab.score --corpus DIR --seeds 1-5 failure tolerated    records first what DIR lacks
    python -m tests.lab.score --corpus DIR --distortions all --json FILE
    python -m tests.lab.score --corpus DIR --together --sets client+inside,all --disagreements all

Each capture is judged alone, as it was recorded and, with --distortions, as it would look to a spoilt
capture.  Prints a confusion matrix, precision and recall of the flagship verdict wherever the capture can
show the failure, the particulars of true accusations that are wrong, how often the other verdicts are
right, and every error with its reasons.  Exit status: 0 no error, 1 errors, 3 nothing to measure.

With --together two or three captures of each run are one case: prints how many questions of each kind were
answered rightly, by set of captures and by what is wrong with the set.

Knows numbers.  What is right to say of a capture is known to scenarios, what was said to cases and together.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from .cases import RECORDED, Case, cases_of
from .corpus import record_all, seeds_of
from .distort import BY_NAME as DISTORTIONS
from .distort import Distortion
from .net import what_is_missing
from .scenarios import BY_NAME, FLAGSHIP
from .together import Check, checks_of, disagreements_named, sets_named, truth_in
from .truth import truth_again

RECORDERS = 24
"""A run waits most of its time.  On two cores, with 28 at once, 99 of 100 packets left a user-space link less than
6 ms late, against 12 ms of latency on the path; being late is part of what the logs tell."""
DEFAULT_CORPUS = Path(tempfile.gettempdir()) / "ctcp-diag-corpus"
CHUNK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What all cases add up to."""

    cases: int
    due: int
    """Cases whose capture shows the failure."""
    accused: int
    accused_rightly: int
    found: int
    """Accusations where they were due."""
    half_hidden: int
    """Cases in which the failure is there and insufficient evidence is right as well."""
    found_half_hidden: int
    wrong_particulars: dict[str, int]
    others: int
    """Cases in which another verdict than the flagship is the best."""
    others_best: int
    others_acceptable: int

    @property
    def precision(self) -> float:
        return self.accused_rightly / self.accused if self.accused else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.due if self.due else 1.0

    @property
    def wrong_accusations(self) -> int:
        return self.accused - self.accused_rightly


def score_of(cases: Sequence[Case]) -> Score:
    accused = [case for case in cases if case.is_accused]
    others = [case for case in cases if FLAGSHIP not in case.expect]
    half_hidden = [case for case in cases if case.is_half_hidden]
    return Score(
        cases=len(cases),
        due=sum(case.is_due for case in cases),
        accused=len(accused),
        accused_rightly=sum(not case.is_wrongly_accused for case in accused),
        found=sum(case.is_due and case.is_accused for case in cases),
        half_hidden=len(half_hidden),
        found_half_hidden=sum(case.is_accused for case in half_hidden),
        wrong_particulars=dict(Counter(kind for case in cases for kind, _ in case.wrong)),
        others=len(others),
        others_best=sum(case.is_best for case in others),
        others_acceptable=sum(case.is_acceptable for case in others),
    )


def is_error(case: Case) -> bool:
    """Not the best word but one that is right is no error."""
    return not case.is_acceptable or case.is_missed or bool(case.wrong)


# --- in words ---------------------------------------------------------------------------------


def summary(cases: Sequence[Case]) -> Iterator[str]:
    score = score_of(cases)
    yield f"{score.cases} cases ({len({case.capture for case in cases})} captures)"
    yield (
        f"{FLAGSHIP}: precision {score.precision:.4f} ({score.accused_rightly} of {score.accused}), "
        f"recall {score.recall:.4f} ({score.found} of {score.due} whose capture shows it)"
    )
    yield f"  besides, found {share(score.found_half_hidden, score.half_hidden)} where the capture hides part of it"
    wrong = ", ".join(f"{kind} {number}" for kind, number in sorted(score.wrong_particulars.items()))
    yield f"wrong particulars in true accusations: {wrong or 'none'}"
    yield (
        f"other verdicts: best word {share(score.others_best, score.others)}, "
        f"right {share(score.others_acceptable, score.others)}"
    )


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.4f})" if whole else "0 of 0"


def confusion(cases: Iterable[Case]) -> Iterator[str]:
    """Rows: the best word; columns: what was said."""
    matrix = Counter((case.expect[0], said) for case in cases for said in set(case.said))
    for (best, said), number in sorted(matrix.items()):
        yield f"{number:6}  {best:28} {'' if best == said else said}"


def by_distortion(cases: Sequence[Case]) -> Iterator[str]:
    for name in (RECORDED, *DISTORTIONS):
        some = [case for case in cases if case.distortion == name]
        if some:
            score = score_of(some)
            yield (
                f"{name:18} {score.cases:6} cases  due {score.due:5}  found {score.found:5}  "
                f"half hidden {score.half_hidden:5}  found {score.found_half_hidden:5}  "
                f"wrongly accused {score.wrong_accusations:3}  others right {score.others_acceptable} of {score.others}"
            )


def told(case: Case) -> Iterator[str]:
    """One error, with the reasons."""
    said, right = ", ".join(case.said), ", ".join(case.expect)
    again = f", connection {case.connection + 1} of this client" if case.connection else ""
    yield f"{case.capture} [{case.distortion}] client port {case.client_port}{again}"
    yield f"    said {said} ({case.confidence}); right {right}"
    yield from (f"    wrong {kind}: {values}" for kind, values in case.wrong)
    if not case.wrong:
        yield from (f"      {reason}" for reason in case.why)


def as_json(cases: Sequence[Case]) -> str:
    score = score_of(cases)
    figures = asdict(score) | {"precision": score.precision, "recall": score.recall}
    errors = [asdict(case) for case in cases if is_error(case)]
    matrix = Counter((case.expect[0], said) for case in cases for said in set(case.said))
    confused = [
        {"best": best, "said": said, "cases": number} for (best, said), number in sorted(matrix.items())
    ]
    return json.dumps({"score": figures, "confusion": confused, "errors": errors}, indent=1) + "\n"


# --- several captures in words ----------------------------------------------------------------


def by_kind(checks: Sequence[Check], of: Callable[[Check], str]) -> Iterator[str]:
    """Rows: kinds of questions; columns: what `of` tells apart; cells: right of asked."""
    columns = list(dict.fromkeys(of(one) for one in checks))
    asked = Counter((one.kind, of(one)) for one in checks)
    right = Counter((one.kind, of(one)) for one in checks if one.is_right)
    yield f"{'':18}" + "".join(f"{column:>18}" for column in columns)
    for kind in dict.fromkeys(one.kind for one in checks):
        cells = [f"{right[kind, one]} of {asked[kind, one]}" if asked[kind, one] else "" for one in columns]
        yield f"{kind:18}" + "".join(f"{cell:>18}" for cell in cells)


def by_disagreement(checks: Sequence[Check]) -> Iterator[str]:
    """One row for each: what was answered rightly, and of what kinds the errors are."""
    for name in dict.fromkeys(one.disagreement for one in checks):
        some = [one for one in checks if one.disagreement == name]
        wrong = Counter(one.kind for one in some if not one.is_right)
        kinds = ", ".join(f"{kind} {number}" for kind, number in wrong.most_common())
        yield f"{name:20} {share(sum(one.is_right for one in some), len(some)):28} {kinds or 'no error'}"


def checks_as_json(checks: Sequence[Check]) -> str:
    asked = Counter((one.kind, one.captures, one.disagreement) for one in checks)
    right = Counter((one.kind, one.captures, one.disagreement) for one in checks if one.is_right)
    figures = [
        {
            "kind": kind,
            "set": captures,
            "disagreement": name,
            "asked": number,
            "right": right[kind, captures, name],
        }
        for (kind, captures, name), number in sorted(asked.items())
    ]
    errors = [asdict(one) for one in checks if not one.is_right]
    return json.dumps({"figures": figures, "errors": errors}, indent=1) + "\n"


# --- measuring --------------------------------------------------------------------------------


def runs_in(corpus: Path, names: Sequence[str], seeds: Sequence[int]) -> list[Path]:
    """Recorded runs CORPUS/SCENARIO/SEED; without names or seeds all of them."""
    runs = {path.parent for path in corpus.rglob("truth.json")}
    return sorted(
        run
        for run in runs
        if (not names or run.parent.name in names)
        and (not seeds or (run.name.isdigit() and int(run.name) in seeds))
    )


def record_missing(corpus: Path, names: Sequence[str], seeds: Sequence[int], jobs: int) -> list[str]:
    """What went wrong while the runs that the corpus lacks were recorded."""
    complaints: list[str] = []
    for seed in seeds:
        lacking = [name for name in names if not (corpus / name / str(seed) / "truth.json").exists()]
        if lacking:
            complaints += asyncio.run(record_all(lacking, [seed], corpus, jobs))
    return complaints


def is_as_planned(run: Path) -> bool:
    """A story that did not happen as it is told says nothing about its verdict."""
    return bool(json.loads((run / "truth.json").read_text(encoding="utf-8"))["as_planned"])


def measured(runs: Sequence[Path], distortions: Sequence[Distortion]) -> list[Case]:
    names = [distortion.name for distortion in distortions]
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        return [case for some in pool.map(partial(_cases, names), runs, chunksize=CHUNK) for case in some]


def _cases(names: Sequence[str], run: Path) -> list[Case]:
    """By names, because what a distortion does cannot be sent to another process."""
    _tell_anew(run)
    return cases_of(run, [DISTORTIONS[name] for name in names])


def measured_together(runs: Sequence[Path], sets: Sequence[str], disagreements: Sequence[str]) -> list[Check]:
    """Each run's partner, for captures that do not belong together, is the next one with a tunnel in it."""
    tunnels = [run for run in runs if truth_in(run)["flows"][0]["kind"] == "cisco-ctcp"]
    partners = [next((one for one in tunnels if one > run), tunnels[0] if tunnels else None) for run in runs]
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        found = pool.map(partial(_checks, sets, disagreements), runs, partners, chunksize=1)
        return [check for some in found for check in some]


def _checks(
    sets: Sequence[str], disagreements: Sequence[str], run: Path, partner: Path | None
) -> list[Check]:
    what = disagreements_named(",".join(disagreements))
    return checks_of(run, sets, what, partner if partner != run else None)


def told_anew(runs: Sequence[Path]) -> None:
    """Every truth from its logs, as this version tells it."""
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(_tell_anew, runs, chunksize=CHUNK))


def _tell_anew(run: Path) -> None:
    (run / "truth.json").write_text(json.dumps(truth_again(run), indent=1) + "\n", encoding="utf-8")


def distortions_named(text: str) -> list[Distortion]:
    names = list(DISTORTIONS) if text == "all" else [name for name in text.split(",") if name]
    return [DISTORTIONS[name] for name in names]


def arguments_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.score", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("scenarios", nargs="*", choices=[[], *BY_NAME], metavar="SCENARIO")
    parser.add_argument("--corpus", type=Path, default=DEFAULT_CORPUS, metavar="DIR")
    parser.add_argument("--seeds", default="", help="as 1-20 or 1,5,9; those that are missing are recorded")
    parser.add_argument("--distortions", type=distortions_named, default=[], metavar="NAME[,NAME] or all")
    parser.add_argument("--together", action="store_true", help="judge sets of captures as one case")
    parser.add_argument("--sets", type=sets_named, default=sets_named("every"), metavar="SET[,SET]")
    parser.add_argument("--disagreements", type=disagreements_named, default=[], metavar="NAME[,NAME] or all")
    parser.add_argument("--jobs", type=int, default=RECORDERS, help="recorders at once")
    parser.add_argument("--json", type=Path, metavar="FILE", help="figures and errors for programs")
    parser.add_argument("--errors", type=int, default=40, help="how many errors are told (default 40)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = arguments_of(arguments)
    seeds = list(seeds_of(options.seeds)) if options.seeds else []
    if seeds and not what_is_missing():
        for complaint in record_missing(
            options.corpus, options.scenarios or list(BY_NAME), seeds, options.jobs
        ):
            print(complaint, file=sys.stderr)
    recorded = runs_in(options.corpus, options.scenarios, seeds)
    runs = [run for run in recorded if is_as_planned(run)]
    if not runs:
        print(f"no recorded run in {options.corpus}; to record: {' '.join(what_is_missing()) or '--seeds'}")
        return 3
    print(f"{len(runs)} runs; {len(recorded) - len(runs)} more did not go as planned and are left out")
    if options.together:
        return main_together(runs, options)
    cases = measured(runs, options.distortions)
    print_all(cases, options.errors)
    if options.json is not None:
        options.json.write_text(as_json(cases), encoding="utf-8")
    return 1 if any(map(is_error, cases)) else 0


def main_together(runs: Sequence[Path], options: argparse.Namespace) -> int:
    told_anew(runs)
    names = [one.name for one in options.disagreements]
    checks = measured_together(runs, options.sets, names)
    errors = [one for one in checks if not one.is_right]
    recorded = [one for one in checks if one.disagreement == "none"]
    for part in (by_kind(recorded, lambda one: one.captures), by_disagreement(checks)):
        print("\n".join(part), end="\n\n")
    print(f"{len(checks)} questions, {len(errors)} errors")
    for one in errors[: options.errors]:
        print(f"{one.run} {one.captures} [{one.disagreement}] {one.kind}\n    {one.told}")
    if options.json is not None:
        options.json.write_text(checks_as_json(checks), encoding="utf-8")
    return 1 if errors else 0


def print_all(cases: Sequence[Case], at_most: int) -> None:
    errors = [case for case in cases if is_error(case)]
    for part in (confusion(cases), by_distortion(cases), summary(cases)):
        print("\n".join(part), end="\n\n")
    print(f"{len(errors)} errors" + (f", of which {at_most} are told" if len(errors) > at_most else ""))
    for case in errors[:at_most]:
        print("\n".join(told(case)))


if __name__ == "__main__":
    sys.exit(main())

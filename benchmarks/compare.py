"""Everyone on the same captures in the same run: `python -m benchmarks.compare [KIND or FILE or FOLDER …]`.

Knows turns, limits and whether the answers agree.  Peers take turns: one run each, then the next round, so
that whatever else the machine does falls on all alike.  The first round warms up and is not counted, but a
program that needs longer than `--patience` is run once only, and that run counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.peers import (
    Answer,
    Argv,
    Listen,
    Peer,
    beside_python,
    captures_in,
    everyone,
    sum_of,
    total_bytes,
    version_of,
)
from benchmarks.publish import Account, Result, Run, as_json, markdown, picture, plain

LAUNCHER = Path(__file__).parent / "launch.py"
USUAL = ("ordinary", "tiny")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a run may take, and when it is too slow to be repeated."""

    memory_bytes: int
    seconds: int
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A capture, or a folder of them, and what is known about it."""

    name: str
    says: str
    path: Path
    truth: Answer

    @property
    def files(self) -> list[Path]:
        return captures_in(self.path) if self.path.is_dir() else [self.path]


# ----------------------------------------------------------------------------------------------- measuring


def measure(command: Argv, limits: Limits, output: Path, errors: Path) -> Run:
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(output), str(errors)]
    done = subprocess.run(
        [*launcher, str(limits.memory_bytes), str(limits.seconds), *command],
        capture_output=True,
        check=True,
    )
    return Run(**json.loads(done.stdout))


def _listener(limits: Limits, scratch: Path) -> Listen:
    """A question has the same limits as a measurement; who fails says nothing."""

    def listen(command: Argv) -> str:
        output = scratch / "answer"
        run = measure(command, limits, output, scratch / "errors")
        return "" if run.timed_out or run.status < 0 else output.read_text(errors="replace")

    return listen


def _trouble(peer: Peer, run: Run, limits: Limits, errors: Path) -> str | None:
    if run.timed_out:
        return f"stopped after {limits.seconds} s"
    if run.status in peer.good_statuses:
        return None
    lines = errors.read_text(errors="replace").strip().splitlines()
    return f"exit status {run.status}" + (f": {lines[-1][:80]}" if lines else "")


def _one_turn(result: Result, peer: Peer, subject: Subject, limits: Limits, is_warm_up: bool) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        command = peer.command(subject.path, scratch)
        run = measure(command, limits, Path(os.devnull), scratch / "errors")
        trouble = _trouble(peer, run, limits, scratch / "errors")
    counts = not is_warm_up or trouble is not None or run.seconds > limits.patience_s
    shown = tuple("FOLDER" if word == folder else word for word in command)
    return replace(result, command=shown, runs=(*result.runs, run) if counts else (), failed=trouble)


def take_turns(subject: Subject, peers: Sequence[Peer], limits: Limits, rounds: int) -> list[Result]:
    results = {peer.name: _entry(peer, subject) for peer in peers}
    for turn in range(rounds + 1):
        for peer in peers:
            before = results[peer.name]
            is_done = before.skipped is not None or before.failed is not None
            was_slow = any(run.seconds > limits.patience_s for run in before.runs)
            if not is_done and not was_slow:
                results[peer.name] = _one_turn(before, peer, subject, limits, turn == 0)
                _tell(f"{subject.name}, round {turn}: {peer.name}")
    return list(results.values())


def _entry(peer: Peer, subject: Subject) -> Result:
    return Result(
        program=peer.name, is_ours=peer.is_ours, skipped=peer.absence() or peer.refusal(subject.path)
    )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------------------- answers


def _answers(subject: Subject, peer: Peer, limits: Limits) -> Answer:
    if peer.ask is None or peer.absence() is not None or peer.refusal(subject.path) is not None:
        return Answer()
    with tempfile.TemporaryDirectory() as folder:
        listen = _listener(limits, Path(folder))
        return sum_of([peer.ask(one, listen) for one in subject.files])


def _disagreements(truth: Answer, results: Sequence[Result]) -> Iterator[str]:
    """Against the generator where it made the capture, else against the first who answered."""
    for name in asdict(truth):
        told = [("the generator", getattr(truth, name))]
        told += [(result.program, getattr(result.answer, name)) for result in results]
        known = [(who, value) for who, value in told if value is not None]
        for who, value in known[1:]:
            if value != known[0][1]:
                yield f"{name}: {value} by {who}, {known[0][1]} by {known[0][0]}"


def account_for(subject: Subject, peers: Sequence[Peer], limits: Limits, rounds: int) -> Account:
    results = take_turns(subject, peers, limits, rounds)
    asked = [
        result if result.failed is not None else replace(result, answer=_answers(subject, peer, limits))
        for result, peer in zip(results, peers, strict=True)
    ]
    frames = [subject.truth.frames, *(result.answer.frames for result in asked)]
    return Account(
        capture=subject.name,
        says=subject.says,
        size_bytes=total_bytes(subject.path),
        frames=next((count for count in frames if count is not None), None),
        results=tuple(asked),
        disagreements=tuple(_disagreements(subject.truth, asked)),
    )


# ------------------------------------------------------------------------------------------------ captures


def _generated(kind: str, says: str, folder: Path, frames: int | None, seed: int) -> Subject:
    """Made once and kept; a capture that was not finished has no truth beside it and is made again."""
    name = f"{kind}-{'usual' if frames is None else frames}-{seed}"
    path = folder / (name if kind == "small-files" else f"{name}.pcap")
    truth = folder / f"{name}.json"
    if not truth.exists():
        _tell(f"generating {path}")
        size = [] if frames is None else ["--frames", str(frames)]
        command = [sys.executable, "-m", "benchmarks.generate", kind, "-o", str(path), "--truth", str(truth)]
        subprocess.run([*command, *size, "--seed", str(seed)], check=True)
    known = json.loads(truth.read_text())
    answer = Answer(**{field: known[field] for field in asdict(Answer())})
    return Subject(name=kind, says=says, path=path, truth=answer)


def _subject(word: str, folder: Path, frames: int | None, seed: int) -> Subject:
    kinds = _kinds()
    if word in kinds:
        return _generated(word, kinds[word], folder, frames, seed)
    return Subject(name=Path(word).name, says="given", path=Path(word), truth=Answer())


def _kinds() -> dict[str, str]:
    """Asked of a process of its own: NumPy stays out of this one."""
    ask = (
        "import json; from benchmarks.generate import KINDS; "
        "print(json.dumps({name: kind.says for name, kind in KINDS.items()}))"
    )
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, check=True).stdout
    kinds: dict[str, str] = json.loads(told)
    return kinds


# ------------------------------------------------------------------------------------------------- setting


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as info:
            names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def setting(peers: Sequence[Peer], limits: Limits, rounds: int) -> dict[str, str]:
    versions = {version_of(peer) for peer in peers if peer.absence() is None}
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory_bytes() / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "programs": "; ".join(sorted(versions)),
        "rounds": f"{rounds} after a warm-up; once only for who needs more than {limits.patience_s:g} s",
        "limits": f"{limits.memory_bytes / 2**30:.1f} GB of address space, {limits.seconds} s",
    }


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__.splitlines()[0])
    parser.add_argument(
        "captures", nargs="*", default=USUAL, help="kinds of benchmarks.generate, files, folders"
    )
    parser.add_argument("--ours", default=beside_python("ctcp-diag"), metavar="PROGRAM")
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="only programs whose name contains NAME"
    )
    parser.add_argument("--without", action="append", default=[], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--patience", type=float, default=15.0, metavar="SECONDS")
    parser.add_argument("--time-limit", type=int, default=300, metavar="SECONDS")
    parser.add_argument("--memory-limit", type=float, default=0.75 * _memory_bytes() / 2**30, metavar="GB")
    parser.add_argument("--frames", type=int, metavar="N", help="instead of the kind's usual number")
    parser.add_argument("--seed", type=int, default=1)
    kept = Path(tempfile.gettempdir()) / "ctcp-benchmarks"
    parser.add_argument("--keep", type=Path, default=kept, metavar="FOLDER", help="where captures are made")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="a picture of the first capture")
    return parser.parse_args(argv)


def _invited(options: argparse.Namespace) -> list[Peer]:
    def is_wanted(peer: Peer) -> bool:
        named = options.only is None or any(part in peer.name for part in options.only)
        return named and not any(part in peer.name for part in options.without)

    return [peer for peer in everyone(options.ours) if is_wanted(peer)]


def main(argv: Sequence[str] | None = None) -> int:
    options = _arguments(argv)
    limits = Limits(
        memory_bytes=int(options.memory_limit * 2**30),
        seconds=options.time_limit,
        patience_s=options.patience,
    )
    options.keep.mkdir(parents=True, exist_ok=True)
    peers = _invited(options)
    accounts = []
    for word in options.captures:
        subject = _subject(word, options.keep, options.frames, options.seed)
        accounts.append(account_for(subject, peers, limits, options.rounds))
    about = setting(peers, limits, options.rounds)
    print(plain(accounts, about), end="")
    for target, render in ((options.json, as_json), (options.markdown, markdown)):
        if target is not None:
            target.write_text(render(accounts, about))
    if options.svg is not None:
        options.svg.write_text(picture(accounts[0], about))
    return 1 if any(account.disagreements for account in accounts) else 0


if __name__ == "__main__":
    sys.exit(main())

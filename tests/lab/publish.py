"""Records the captures of samples/ anew and writes the table in samples/README.md.

    python -m tests.lab.publish [RUN ...]

Knows which run becomes which sample.  A new recording has other times and frame numbers, because the
kernel's timers are real; the stories stay the same.  Truth goes to samples/truth/RUN.json.
"""

import asyncio
import gzip
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .distort import to_pcapng
from .net import what_is_missing
from .record import record
from .scenarios import BY_NAME
from .truth import Entry

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
ORDER = ("client", "asa-outside", "asa-inside")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One recording and the names under which its captures are kept."""

    name: str
    scenario: str
    seed: int
    files: dict[str, str]


RUNS = (
    Run(
        name="failure",
        scenario="failure",
        seed=5,
        files={vantage: f"failure-{vantage}.pcap" for vantage in ORDER},
    ),
    Run(
        name="failure-reverse",
        scenario="failure-reverse",
        seed=1,
        files={"client": "failure-reverse-client.pcap.gz", "asa-inside": "failure-reverse-asa-inside.pcapng"},
    ),
    Run(name="loss-tolerated", scenario="tolerated", seed=1, files={"client": "loss-tolerated.pcap"}),
    Run(name="healthy", scenario="healthy", seed=4, files={"client": "healthy.pcap"}),
    Run(name="answered", scenario="answered", seed=1, files={"client": "answered.pcap"}),
    Run(name="app-port-10000", scenario="app-on-10000", seed=1, files={"asa-outside": "app-port-10000.pcap"}),
)


def publish(run: Run) -> None:
    """Records until the story went as planned, then keeps what the run is to show."""
    with tempfile.TemporaryDirectory() as folder:
        truth = asyncio.run(record(BY_NAME[run.scenario], run.seed, Path(folder)))
        if not truth["as_planned"]:
            raise SystemExit(f"{run.name}: {truth['problems']}")
        truth["captures"] = [one for one in truth["captures"] if one["vantage"] in run.files]
        for capture in truth["captures"]:
            keep(Path(folder) / capture["file"], SAMPLES / run.files[capture["vantage"]])
            capture["file"] = run.files[capture["vantage"]]
            del capture["sha256"]
    (SAMPLES / "truth").mkdir(exist_ok=True)
    text = json.dumps(truth, indent=1) + "\n"
    (SAMPLES / "truth" / f"{run.name}.json").write_text(text, encoding="utf-8")


def keep(recorded: Path, sample: Path) -> None:
    """The name's ending says the form: pcap, pcapng, or gzip around pcap."""
    if sample.suffix == ".gz":
        sample.write_bytes(gzip.compress(recorded.read_bytes(), mtime=0))
    elif sample.suffix == ".pcapng":
        sample.write_bytes(to_pcapng(recorded.read_bytes()))
    else:
        shutil.copyfile(recorded, sample)


def table() -> str:
    """One row per sample that exists, with what its truth says."""
    rows = ["| Capture | Story | Recorded by | Expected verdict |", "|---|---|---|---|"]
    for run in RUNS:
        path = SAMPLES / "truth" / f"{run.name}.json"
        if path.exists():
            truth = json.loads(path.read_text(encoding="utf-8"))
            rows += [_row(truth, capture) for capture in truth["captures"]]
    return "\n".join(rows)


def _row(truth: Entry, capture: Entry) -> str:
    best, *others = truth["flows"][0]["expect"][capture["vantage"]]
    verdict = f"`{best}`" + (f" (also right: {', '.join(f'`{one}`' for one in others)})" if others else "")
    story = f"{truth['story']} Seen at {capture['vantage']}, {capture['frames']} frames."
    return f"| `{capture['file']}` | {story} | `{truth['scenario']}` seed {truth['seed']} | {verdict} |"


def proofs() -> str:
    """For each failure: the wanted byte, its duplicate ACKs and the frames that show them."""
    rows = [
        "| Capture | Direction | Wanted byte (relative) | Missing segment | Duplicate ACKs | First, last | Close |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in RUNS:
        path = SAMPLES / "truth" / f"{run.name}.json"
        truth = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        episode = None if truth is None else truth["flows"][0]["episode"]
        if truth is not None and episode is not None:
            rows += [
                _proof(capture, episode)
                for capture in truth["captures"]
                if capture["vantage"] in episode["seen"]
            ]
    return "\n".join(rows)


def _proof(capture: Entry, episode: Entry) -> str:
    seen = episode["seen"][capture["vantage"]]
    missing = seen["missing_segment_frame"]
    where = "never seen here" if missing is None else f"frame {missing}"
    late = seen["duplicate_acks_after_close"]
    count = f"{seen['duplicate_acks']}" + (f" ({late} behind the close)" if late else "")
    frames = f"{seen['first_duplicate_ack_frame']}, {seen['last_duplicate_ack_frame']}"
    return (
        f"| `{capture['file']}` | {episode['direction']} | {episode['wanted_seq']} ({episode['wanted_offset']}) "
        f"| {where} | {count} | {frames} | {seen['close_frame'] or 'none'} |"
    )


def write_readme() -> None:
    readme = SAMPLES / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name, content in (("samples", table()), ("proofs", proofs())):
        before, rest = text.split(f"<!-- {name} -->\n", 1)
        _, after = rest.split(f"<!-- end of {name} -->", 1)
        text = f"{before}<!-- {name} -->\n{content}\n<!-- end of {name} -->{after}"
    readme.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    missing = what_is_missing()
    if missing:
        print(f"the laboratory cannot run here; missing: {', '.join(missing)}", file=sys.stderr)
        return 3
    for run in RUNS:
        if not arguments or run.name in arguments:
            publish(run)
    write_readme()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

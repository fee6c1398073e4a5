"""Records the captures of samples/ anew and writes the table in samples/README.md.

    python -m tests.lab.publish [RUN ...]
    python -m tests.lab.publish --expectations

Knows which run becomes which sample.  A new recording has other times and frame numbers, because the
kernel's timers are real; the stories stay the same.  Truth goes to samples/truth/RUN.json.
"""

import asyncio
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .distort import BY_NAME as DISTORTION_BY_NAME
from .distort import distort, expected
from .logs import Entry
from .net import what_is_missing
from .record import record
from .savefile import saved_frames, to_pcapng
from .scenarios import BY_NAME, TOGETHER

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
JOBS = 4
ORDER = ("client", "asa-outside", "asa-inside")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One recording and the names under which its captures are kept."""

    name: str
    scenario: str
    seed: int
    files: dict[str, str]
    distortion: str | None = None


def only(name: str, scenario: str, seed: int, *vantages: str, distortion: str | None = None) -> Run:
    """A run whose captures are called after it, or after it and the vantage point where there are several."""
    several = len(vantages) > 1
    files = {vantage: f"{name}-{vantage}.pcap" if several else f"{name}.pcap" for vantage in vantages}
    return Run(name=name, scenario=scenario, seed=seed, files=files, distortion=distortion)


RUNS = (
    only("failure", "failure", 5, *ORDER),
    Run(
        name="failure-reverse",
        scenario="failure-reverse",
        seed=1,
        files={"client": "failure-reverse-client.pcap.gz", "asa-inside": "failure-reverse-asa-inside.pcapng"},
    ),
    only("failure-capture-full", "failure", 8, "client", distortion="full"),
    only("loss-tolerated", "tolerated", 1, "client"),
    only("healthy", "healthy", 4, "client"),
    only("orderly-close", "orderly-close", 2, "client"),
    only("path-mtu", "path-mtu", 2, "client", "asa-outside"),
    only("idle-timeout", "idle-timeout", 2, "client", "asa-inside"),
    only("peer-vanished", "peer-vanished", 2, "client"),
    only("link-down", "link-down", 2, "client", "asa-outside"),
    only("firewall-drop", "firewall-drop", 2, "asa-outside", "asa-inside"),
    only("nat-rebinding", "nat-rebinding", 2, "asa-outside"),
    only("reset-by-middlebox", "reset-by-middlebox", 2, "client", "asa-inside"),
    only("reset-by-endpoint", "reset-by-endpoint", 2, "client"),
    only("window-stall", "window-stall", 2, "asa-outside"),
    only("handshake-failed", "handshake-failed", 2, "client"),
    only("negotiation-failed", "negotiation-failed", 2, "client"),
    only("answered", "answered", 1, "client"),
    only("never-arrives", "never-arrives-no-sack", 2, "asa-outside"),
    only("app-port-10000", "app-on-10000", 1, "asa-outside"),
)


def publish(run: Run) -> None:
    """Records until the story went as planned, then keeps what the run is to show."""
    with tempfile.TemporaryDirectory() as folder:
        recorded = Path(folder)
        truth = asyncio.run(record(BY_NAME[run.scenario], run.seed, recorded))
        if not truth["as_planned"]:
            raise SystemExit(f"{run.name}: {truth['problems']}")
        if run.distortion is not None:
            truth = distort(recorded, DISTORTION_BY_NAME[run.distortion], recorded / "distorted")
            recorded /= "distorted"
        truth["captures"] = [one for one in truth["captures"] if one["vantage"] in run.files]
        for capture in truth["captures"]:
            keep(recorded / capture["file"], SAMPLES / run.files[capture["vantage"]])
            capture["file"] = run.files[capture["vantage"]]
            capture.pop("sha256", None)  # of the recording; the sample may be compressed
    (SAMPLES / "truth").mkdir(exist_ok=True)
    text = json.dumps(truth, indent=1) + "\n"
    (SAMPLES / "truth" / f"{run.name}.json").write_text(text, encoding="utf-8")


def keep(recorded: Path, sample: Path) -> None:
    """The name's ending says the form: pcap, pcapng, or gzip around pcap."""
    if sample.suffix == ".gz":
        sample.write_bytes(gzip.compress(recorded.read_bytes(), mtime=0))
    elif sample.suffix == ".pcapng":
        sample.write_bytes(to_pcapng(list(saved_frames(recorded.read_bytes()))))
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
            rows += [_together(truth)] if len(truth["captures"]) > 1 else []
    return "\n".join(rows)


def _verdict(truth: Entry, place: str) -> str:
    best, *others = truth["flows"][0]["expect"][place]
    return f"`{best}`" + (f" (also right: {', '.join(f'`{one}`' for one in others)})" if others else "")


def _together(truth: Entry) -> str:
    names = " and ".join(f"`{capture['file']}`" for capture in truth["captures"])
    return f"| {names} together | | | {_verdict(truth, TOGETHER)} |"


def _row(truth: Entry, capture: Entry) -> str:
    verdict = _verdict(truth, capture["vantage"])
    spoilt = truth.get("distortion_story", "")
    story = f"{truth['story']} {spoilt} Seen at {capture['vantage']}, {capture['frames']} frames."
    command = f"`{truth['scenario']}` seed {truth['seed']}"
    return f"| `{capture['file']}` | {' '.join(story.split())} | {command} | {verdict} |"


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


def refresh_expectations() -> None:
    """Takes over what the scenarios now call right, without recording anything anew."""
    for run in RUNS:
        path = SAMPLES / "truth" / f"{run.name}.json"
        truth = json.loads(path.read_text(encoding="utf-8"))
        spoilt = None if run.distortion is None else DISTORTION_BY_NAME[run.distortion]
        expect = BY_NAME[run.scenario].expect
        for flow in truth["flows"]:
            flow["expect"] = expect if spoilt is None else expected(expect, spoilt)
        path.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    write_readme()


def publish_all(names: Sequence[str]) -> int:
    """Each run in a process of its own: one that prepares its hosts would hold up another's packets."""

    def one(name: str) -> int:
        command = [sys.executable, "-m", f"{__package__}.publish", "--only", name]
        return subprocess.run(command, cwd=SAMPLES.parent, check=False).returncode

    with ThreadPoolExecutor(max_workers=JOBS) as pool:
        worst = max(pool.map(one, names))
    write_readme()
    return worst


def main(arguments: list[str]) -> int:
    missing = what_is_missing()
    if missing:
        print(f"the laboratory cannot run here; missing: {', '.join(missing)}", file=sys.stderr)
        return 3
    by_name = {run.name: run for run in RUNS}
    if arguments[:1] == ["--only"]:
        publish(by_name[arguments[1]])
        return 0
    if arguments == ["--expectations"]:
        refresh_expectations()
        return 0
    return publish_all(arguments or list(by_name))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The samples: each is given the verdict that its README row expects, in words that are reviewed like code.

`python -m tests.test_samples` rewrites the golden outputs; read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ctcp_forensics import _kernel

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
GOLDEN = Path(__file__).parent / "golden" / "samples"
ROW = re.compile(r"^\| `(?P<name>[^`]+)` \|.*\| (?P<verdicts>`[^|]+) \|$", re.MULTILINE)
TOGETHER = re.compile(r"^\| (?P<names>`[^|]+`) together \|.*\| (?P<verdicts>`[^|]+) \|$", re.MULTILINE)
FLAGSHIP = "unanswered-duplicate-acks"


def expected() -> dict[str, list[str]]:
    """Capture → the verdicts that an honest reader may give, the best first."""
    rows = ROW.finditer((SAMPLES / "README.md").read_text().partition("<!-- end of samples -->")[0])
    return {row["name"]: re.findall(r"`([^`]+)`", row["verdicts"]) for row in rows}


def expected_together() -> dict[tuple[str, ...], list[str]]:
    """The same for captures of one run that are read as one case."""
    rows = TOGETHER.finditer((SAMPLES / "README.md").read_text().partition("<!-- end of samples -->")[0])
    return {
        tuple(re.findall(r"`([^`]+)`", row["names"])): re.findall(r"`([^`]+)`", row["verdicts"])
        for row in rows
    }


def run_of(names: tuple[str, ...]) -> str:
    """`failure` of `failure-client.pcap` and the others."""
    return re.sub(r"-(client|asa-outside|asa-inside)\..*", "", names[0])


CASES = [pytest.param(*item, id=run_of(item[0])) for item in expected_together().items()]


def ctcp_diag(*arguments: str, kernel: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ctcp_forensics", "analyze", *arguments]
    environment = {**os.environ, "CTCP_DIAG_KERNEL": kernel, "COLUMNS": "120"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def told(name: str) -> str:
    return ctcp_diag(f"samples/{name}", "-vv").stdout


def told_together(names: tuple[str, ...]) -> str:
    return ctcp_diag(*with_roles(names), "-vv").stdout


def with_roles(names: tuple[str, ...]) -> list[str]:
    """Each sample under the role that its name tells: that two captures are of one firewall, somebody has to say."""
    roles = ("client", "asa-outside", "asa-inside")
    return [
        word for name in names for role in roles if role in name for word in (f"--{role}", f"samples/{name}")
    ]


def test_every_capture_in_the_folder_has_a_row() -> None:
    captures = {path.name for path in SAMPLES.iterdir() if ".pcap" in path.name}
    assert captures == set(expected())


@pytest.mark.parametrize(("name", "verdicts"), expected().items())
def test_the_verdict_is_the_expected_one(name: str, verdicts: list[str]) -> None:
    done = ctcp_diag(f"samples/{name}", "--format", "json")
    first = json.loads(done.stdout)["flows"][0]  # the story's flow; what follows it are its consequences
    assert first["verdict"] in verdicts
    assert done.returncode == (1 if FLAGSHIP in verdicts else 0)
    assert done.stderr == ""


@pytest.mark.parametrize("name", expected())
def test_it_is_told_in_the_reviewed_words(name: str) -> None:
    assert told(name) == (GOLDEN / f"{name}.txt").read_text()


@pytest.mark.parametrize(("names", "verdicts"), CASES)
def test_captures_of_one_run_are_one_case_with_the_expected_verdict(
    names: tuple[str, ...], verdicts: list[str]
) -> None:
    done = ctcp_diag(*with_roles(names), "--format", "json")
    report = json.loads(done.stdout)
    assert [len(path["places"]) for path in report["paths"]] == [len(names)]
    assert report["flows"][0]["verdict"] in verdicts
    assert done.stderr == ""


@pytest.mark.parametrize(("names", "verdicts"), CASES)
def test_a_case_is_told_in_the_reviewed_words(names: tuple[str, ...], verdicts: list[str]) -> None:
    assert told_together(names) == (GOLDEN / f"{run_of(names)}-together.txt").read_text()


@pytest.mark.skipif(_kernel.NAME != "compiled", reason="the compiled core is not built")
@pytest.mark.parametrize(("names", "verdicts"), CASES)
def test_both_kernels_tell_the_same_of_a_case(names: tuple[str, ...], verdicts: list[str]) -> None:
    paths = [f"samples/{name}" for name in names]
    compiled, plain = (ctcp_diag(*paths, "--format", "json", kernel=kernel) for kernel in ("", "plain"))
    assert json.loads(compiled.stdout) == json.loads(plain.stdout)


@pytest.mark.skipif(_kernel.NAME != "compiled", reason="the compiled core is not built")
@pytest.mark.parametrize("name", expected())
def test_both_kernels_tell_the_same(name: str) -> None:
    compiled = ctcp_diag(f"samples/{name}", "--format", "json", "--all-tcp")
    plain = ctcp_diag(f"samples/{name}", "--format", "json", "--all-tcp", kernel="plain")
    assert json.loads(compiled.stdout) == json.loads(plain.stdout)


@pytest.mark.skipif(_kernel.NAME != "compiled", reason="the compiled core is not built")
@pytest.mark.parametrize("seed", range(3))
def test_both_kernels_tell_the_same_of_damaged_captures(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    for name in sorted(expected()):
        if name.endswith((".pcap", ".pcapng")):
            (tmp_path / name).write_bytes(mutated((SAMPLES / name).read_bytes(), chance))
    mutants = [str(path) for path in sorted(tmp_path.iterdir())]
    compiled = ctcp_diag(*mutants, "--format", "json", "--all-tcp")
    plain = ctcp_diag(*mutants, "--format", "json", "--all-tcp", kernel="plain")
    assert json.loads(compiled.stdout) == json.loads(plain.stdout)
    assert compiled.stderr == plain.stderr
    assert "Traceback" not in compiled.stderr


def mutated(capture: bytes, chance: random.Random) -> bytes:
    """A handful of bytes changed anywhere behind the file header, and the tail cut off."""
    spoiled = bytearray(capture[: chance.randrange(len(capture) // 2, len(capture))])
    for _ in range(20):
        spoiled[chance.randrange(24, len(spoiled))] = chance.randrange(256)
    return bytes(spoiled)


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for sample in expected():
        (GOLDEN / f"{sample}.txt").write_text(told(sample))
    for run in expected_together():
        (GOLDEN / f"{run_of(run)}-together.txt").write_text(told_together(run))

"""Spoilt captures through the whole path, for a few seconds; `tests/fuzz/run` does it for hours.

No exception but CaptureError, both kernels alike whatever the chunks, and a report that survives its JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from ctcp_forensics import _kernel, batches
from ctcp_forensics._kernel.caps import ASSOCIATIONS_KEPT, EPISODES_KEPT, HOLES_KEPT, LIVE_HOLES
from ctcp_forensics._kernel.rows import DirectionRow, Packet, Trailer
from ctcp_forensics.capture import source
from ctcp_forensics.packets import Decoder
from tests import streams
from tests.fuzz import campaign, documents, hands, many, mutate, path, seeds, targets
from tests.kernels import PLAIN

ROOT = Path(__file__).parent.parent
PUBLIC = ROOT.parent / "shared" / "captures" / "public"
IS_FAST = _kernel.NAME == "compiled"
EXECUTIONS = 120 if IS_FAST else 30
STREAM = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# --- seeds: what is not in them is hardly ever found ----------------------------------------------


def test_seeds_fill_every_table() -> None:
    told = [path.facts(seed, 4096) for seed in seeds.made()]
    directions = [row for facts in told for row in facts.flows if isinstance(row, DirectionRow)]
    assert max(row.holes_opened for row in directions) > HOLES_KEPT + LIVE_HOLES
    assert max(row.holes_forgotten for row in directions) > 0
    assert max(row.episodes for row in directions) > EPISODES_KEPT
    assert max(row.associations for row in directions) > ASSOCIATIONS_KEPT
    assert max(row.copies for row in directions) > 0
    assert max(row.ike_messages for row in directions) > 0


def test_seeds_are_refused_for_every_reason() -> None:
    reasons = {reason for seed in seeds.made() for reason in undecoded(path.facts(seed, 4096))}
    assert reasons >= {
        "IP fragment whose datagram was never complete",
        "IP tunnel without an IP datagram",
        "ends inside its TCP header",
        "malformed IP header",
        "malformed TCP header",
    }


def undecoded(facts: path.Facts) -> set[str]:
    counts = facts.account["undecoded"]
    assert isinstance(counts, dict)
    return set(counts)


def test_seeds_share_messages_with_what_is_spoilt_of_them() -> None:
    chance = random.Random(3)
    shared = [path.joins_agree(seed, mutate.spoilt(seed, chance)) for seed in seeds.made()]
    assert max(shared) >= 2, "both directions of a flow"
    assert sum(map(bool, shared)) >= len(shared) // 4


# --- spoilt captures --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_spoilt_seeds_break_nothing(seed: int, tmp_path: Path) -> None:
    chance, made = random.Random(seed), list(seeds.made())
    outcomes = {
        execute(mutate.spoilt(chance.choice(made), chance), chance, tmp_path) for _ in range(EXECUTIONS)
    }
    assert outcomes >= {"complete", "partial"}, "mutations that damage all or none test little"


def test_spoilt_public_captures_break_nothing(tmp_path: Path) -> None:
    if not PUBLIC.is_dir():
        pytest.skip("no captures at ../shared/captures/public")
    chance, found = random.Random(7), seeds.read(PUBLIC)
    drawn = chance.sample(found, min(EXECUTIONS, len(found)))
    outcomes = {execute(mutate.spoilt(file.read_bytes(), chance), chance, tmp_path) for file in drawn}
    assert outcomes >= {"complete", "partial"}


def execute(data: bytes, chance: random.Random, folder: Path) -> str:
    """As a campaign does it; what became of the capture."""
    work = folder / "input"
    work.write_bytes(data)
    campaign.execute(data, chance, work)
    return str(path.facts(data, 1 << 20).account["outcome"])


@STREAM
@given(stream=streams.packets())
def test_any_stream_makes_a_report(stream: list[Packet]) -> None:
    data = seeds.pcap("<", [seeds.frame_of(packet) for packet in stream])
    path.twins_agree(data, 100)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stream.pcap"
        file.write_bytes(data)
        report = path.report_on(file)
    assert report.coverage.frames == len(stream)
    assert report.coverage.flows_judged == len(report.flows) == len(report.findings)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("kernel", 200),
        ("hands", 60),
        ("delays", 90),
        ("whole", 100),
        ("archives", 100),
        ("reports", 40),
        ("stores", 12),
    ],
)
def test_a_few_inputs_of_each_target_break_nothing(name: str, inputs: int, tmp_path: Path) -> None:
    target, chance = targets.targets(tmp_path)[name](), random.Random(9)
    for number, data in zip(range(1, inputs + 1), target.inputs(chance), strict=False):
        target.follow(data, chance, number)


class Untold:
    """As a check may do in the middle of the core: it cannot raise there, and Python tells of it on standard error."""

    def __del__(self) -> None:
        raise OverflowError("value too large")


def test_what_could_not_be_raised_is_found_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def follow(data: bytes, _chance: random.Random, _number: int) -> None:
        if data == b"bad":
            Untold()

    asked = argparse.Namespace(target="any", seed=1, count=3, keep=tmp_path, go_on=0)
    good = targets.Target(inputs=lambda _: iter([b"good"] * 3), follow=follow)
    bad = targets.Target(inputs=lambda _: iter([b"good", b"bad", b"good"]), follow=follow)
    assert (many.many(good, asked), many.many(bad, asked)) == (0, 1)
    assert (tmp_path / "any-1-2").read_bytes() == b"bad"
    assert "value too large" in capsys.readouterr().err


def test_the_input_at_work_lies_there_when_the_process_ends(tmp_path: Path) -> None:
    found = list[list[bytes]]()

    def follow(_data: bytes, _chance: random.Random, _number: int) -> None:
        found.append([file.read_bytes() for file in tmp_path.iterdir()])

    inputs = [b"one", b"another"]
    target = targets.Target(inputs=lambda _: iter(inputs), follow=follow)
    asked = argparse.Namespace(target="any", seed=1, count=2, keep=tmp_path, go_on=0)
    assert many.many(target, asked) == 0
    assert found == [[b"one"], [b"another"]]
    assert not [*tmp_path.iterdir()], "nothing was found"


@pytest.mark.skipif(not IS_FAST, reason="the plain belt takes nothing by itself")
def test_what_two_hands_are_given_comes_by_the_belt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were all of it done by hand, the belt would be tested by nobody; were none, the way back would."""
    segments = list[int]()
    monkeypatch.setattr(Decoder, "add_segments", lambda _, count: segments.append(count))
    work = tmp_path / "input"
    monkeypatch.setattr(batches, "WORTH_SHARING", 0)
    monkeypatch.setattr(source, "CHUNK_LEN", hands.CHUNK_LENS[-1])
    for seed in seeds.made():
        work.write_bytes(seed)
        hands.told(work, 2, is_all=True)
    assert 0 in segments
    assert max(segments) > 10


def test_a_spoilt_document_is_json_and_another_one() -> None:
    whole = next(targets.report_seeds())
    spoilt = [documents.spoilt(whole, random.Random(seed)) for seed in range(20)]
    assert sum(json.loads(one) != json.loads(whole) for one in spoilt) > 15


# --- what was found -----------------------------------------------------------------------------------


def test_before_the_first_head_no_head_is_like_it() -> None:
    """Four bytes captured of a payload show no SPI, although one of SPI 0 is known."""
    first = next(iter(streams.long_stream(0, 10)))._replace(flags=0x10, messages=(), sacks=(), trailer=0)
    whole = first._replace(payload_len=100, captured_payload_len=100, frame=1)
    cut = whole._replace(
        seq=(whole.seq + 100) % (1 << 32),
        frame=2,
        trailer=Trailer.CUT_OFF,
        captured_payload_len=4,
        head=(0, 0),
        ip_id=9,
        print64=5,
    )
    for kernel in (PLAIN, _kernel):
        packets, tracker = kernel.Packets(), kernel.Tracker()
        packets.append(streams.with_cargo(whole, "esp", 0, 7))
        packets.append(cut)
        tracker.feed(packets)
        assert tracker.direction(0, 0).esp_messages == 1


# --- sanitizers -----------------------------------------------------------------------------------------


def sanitizers_missing() -> str | None:
    if not IS_FAST:
        return "the compiled core is not built here"
    if shutil.which("gcc") is None:
        return "there is no gcc to build the core with sanitizers"
    for library in ("libasan.so", "libubsan.so"):
        found = subprocess.run(
            ["gcc", f"-print-file-name={library}"], capture_output=True, text=True, check=True
        )
        if not Path(found.stdout.strip()).is_absolute():
            return f"gcc has no {library} here"
    return None


def test_a_few_seconds_under_sanitizers_find_nothing(tmp_path: Path) -> None:
    """The script as anybody runs it; two seconds of it, once the core is built."""
    if (reason := sanitizers_missing()) is not None:
        pytest.skip(reason)
    asked = {"PYTHON": sys.executable, "FUZZ_KEEP": str(tmp_path), "FUZZ_OPTIMIZE": "-O0"}
    answer = subprocess.run(
        [ROOT / "tests" / "fuzz" / "run", "0.03", "11"],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert answer.stdout.splitlines()[1].startswith("compiled kernel, ")
    assert answer.stdout.splitlines()[-1].endswith(" executions, nothing found")

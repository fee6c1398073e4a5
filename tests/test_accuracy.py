"""Accuracy: every recorded capture, as it is and spoilt in every way, held against the truth of its logs.

Runs wherever the analyzer runs.  The recordings are those of samples/ and of tests/recorded/; how many more
are measured, and what came of it, is in docs/ACCURACY.md.
"""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.cases import Case, asked, cases_in, cases_of
from tests.lab.distort import DISTORTIONS
from tests.lab.keep import KEPT
from tests.lab.scenarios import FLAGSHIP, UNSURE
from tests.lab.score import Score, is_error, score_of, told

SAMPLES = Path(__file__).parent.parent / "samples"
PUBLISHED = sorted((SAMPLES / "truth").glob("*.json"))
RECORDED = sorted(KEPT.glob("*/truth.json"))
AS_PCAP = [path for path in RECORDED if any(path.parent.glob("*.pcap.gz"))]
AS_PCAPNG = [path for path in RECORDED if any(path.parent.glob("*.pcapng.gz"))]

CANNOT_BE_TOLD = {
    # Over IPv6 nothing tells an ACK that was captured twice from two ACKs of one burst.
    ("mirrored-twice", "failure-ipv6"),
    # Where the client's second SYN is not seen, its second connection begins no flow.
    ("only-headend", "failure-twice"),
    ("only-headend", "failure-again-refused"),
}


@pytest.mark.parametrize("truth", PUBLISHED, ids=lambda path: path.stem)
def test_of_a_sample_everything_that_is_said_is_true(truth: Path) -> None:
    cases = list(cases_in(SAMPLES, json.loads(truth.read_text(encoding="utf-8"))))
    assert cases
    assert complaints(cases) == []


@pytest.mark.parametrize("truth", [*PUBLISHED, *AS_PCAP], ids=lambda path: path.parent.name + path.stem)
def test_of_a_spoilt_capture_nothing_is_said_that_is_not_true(truth: Path, tmp_path: Path) -> None:
    cases = cases_of(unpacked(truth, tmp_path), DISTORTIONS)
    assert {case.distortion for case in cases} >= {one.name for one in DISTORTIONS} - {"only-headend"}
    assert complaints(cases) == []


@pytest.mark.parametrize("truth", AS_PCAPNG, ids=lambda path: path.parent.name)
def test_of_a_pcapng_everything_that_is_said_is_true(truth: Path, tmp_path: Path) -> None:
    """As dumpcap wrote it; how it would look spoilt is told of pcap alone."""
    assert complaints(cases_of(unpacked(truth, tmp_path, suffix=".pcapng"), ())) == []


@pytest.mark.parametrize("truth", sorted(KEPT.glob("rfc8229*/truth.json")), ids=lambda path: path.parent.name)
def test_ipsec_in_a_real_tcp_is_called_by_its_name(truth: Path, tmp_path: Path) -> None:
    run = unpacked(truth, tmp_path)
    told_ = json.loads((run / "truth.json").read_text(encoding="utf-8"))
    for capture in told_["captures"]:
        flows = asked(run / capture["file"], told_).flows
        assert [flow.encapsulation.kind for flow in flows] == ["rfc8229"]


def test_connections_from_one_port_are_judged_one_by_one(tmp_path: Path) -> None:
    """Both died; each has its own wanted byte, held against its own truth."""
    run = unpacked(KEPT / "failure-twice-client" / "truth.json", tmp_path)
    cases = cases_of(run, ())
    assert [(case.connection, case.said, case.wrong) for case in cases] == [
        (0, (FLAGSHIP,), ()),
        (1, (FLAGSHIP,), ()),
    ]
    assert len({case.client_port for case in cases}) == 1


def unpacked(truth: Path, folder: Path, suffix: str = ".pcap") -> Path:
    """A run folder as the laboratory leaves it, of those captures that are kept in this form."""
    told_ = json.loads(truth.read_text(encoding="utf-8"))
    beside = truth.parent if truth.name == "truth.json" else SAMPLES
    told_["captures"] = [one for one in told_["captures"] if one["file"].endswith(suffix)]
    for capture in told_["captures"]:
        packed = beside / f"{capture['file']}.gz"
        if packed.exists():
            (folder / capture["file"]).write_bytes(gzip.decompress(packed.read_bytes()))
        else:
            shutil.copyfile(beside / capture["file"], folder / capture["file"])
    if not told_["captures"]:
        pytest.skip(f"none of its captures is kept as {suffix}")
    (folder / "truth.json").write_text(json.dumps(told_), encoding="utf-8")
    return folder


def complaints(cases: list[Case]) -> list[str]:
    errors = [
        case for case in cases if is_error(case) and (case.distortion, case.scenario) not in CANNOT_BE_TOLD
    ]
    return ["\n".join(told(case)) for case in errors]


# --- the instrument itself ----------------------------------------------------------------------

ACCUSED = Case(
    capture="one.pcap",
    scenario="failure",
    seed=1,
    distortion="as recorded",
    vantage="client",
    client_port=1,
    expect=(FLAGSHIP,),
    said=(FLAGSHIP,),
    confidence="strong",
    why=(),
)


def test_a_true_accusation_counts_for_precision_and_recall() -> None:
    score = score_of([ACCUSED])
    assert (score.accused, score.accused_rightly, score.due, score.found) == (1, 1, 1, 1)
    assert (score.precision, score.recall) == (1.0, 1.0)
    assert not is_error(ACCUSED)


def test_a_missed_failure_lowers_recall_alone() -> None:
    missed = replace(ACCUSED, said=(UNSURE,))
    score = score_of([ACCUSED, missed])
    assert (score.precision, score.recall) == (1.0, 0.5)
    assert is_error(missed)


def test_a_wrong_accusation_lowers_precision_even_beside_a_right_word() -> None:
    wrong = replace(ACCUSED, expect=("healthy",), said=("healthy", FLAGSHIP))
    score = score_of([ACCUSED, wrong])
    assert (score.precision, score.recall, score.wrong_accusations) == (0.5, 1.0, 1)
    assert (score.others, score.others_best, score.others_acceptable) == (1, 0, 0)
    assert is_error(wrong)


def test_where_doubt_is_right_too_an_accusation_is_neither_due_nor_wrong() -> None:
    half_hidden = replace(ACCUSED, expect=(FLAGSHIP, UNSURE))
    doubted = replace(half_hidden, said=(UNSURE,))
    score = score_of([half_hidden, doubted])
    assert (score.due, score.half_hidden, score.found_half_hidden, score.accused_rightly) == (0, 2, 1, 1)
    assert not is_error(half_hidden)
    assert not is_error(doubted)


def test_wrong_particulars_are_errors_by_kind() -> None:
    imprecise = replace(ACCUSED, wrong=(("direction", "client-to-headend, not headend-to-client"),))
    assert score_of([imprecise]).wrong_particulars == {"direction": 1}
    assert is_error(imprecise)
    assert "    wrong direction: client-to-headend, not headend-to-client" in list(told(imprecise))


def test_the_second_best_word_is_right_and_not_the_best() -> None:
    second = replace(ACCUSED, expect=("orderly-close", "healthy"), said=("healthy",))
    score: Score = score_of([second])
    assert (score.others, score.others_best, score.others_acceptable) == (1, 0, 1)
    assert not is_error(second)

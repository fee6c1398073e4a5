"""What may be named on the command line: standard input, patterns, the demonstration, and captures of one path."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from ctcp_forensics.report import Report
from tests.command_line import COMMAND, ENVIRONMENT, FAILURE, HEALTHY, ROOT, SAMPLES, run
from tests.savefiles import halves
from tests.wire import pcap_of, told


def test_standard_input_is_a_capture() -> None:
    answer = run("analyze", "-q", "-", stdin=Path(FAILURE).read_bytes())
    assert (answer.returncode, answer.stderr) == (1, "")


def test_a_pattern_that_the_shell_left_alone_is_expanded(tmp_path: Path) -> None:
    for name in ("b.pcap", "a.pcap"):
        (tmp_path / name).write_bytes(Path(HEALTHY).read_bytes())
    answer = run("analyze", "--format", "json", "*.pcap", cwd=tmp_path)
    assert [one["source"] for one in json.loads(answer.stdout)["captures"]] == ["a.pcap", "b.pcap"]


def test_a_file_whose_name_is_a_pattern_is_that_file(tmp_path: Path) -> None:
    for name in ("[a].pcap", "a.pcap"):
        (tmp_path / name).write_bytes(Path(HEALTHY).read_bytes())
    answer = run("analyze", "--format", "json", "[a].pcap", cwd=tmp_path)
    assert [one["source"] for one in json.loads(answer.stdout)["captures"]] == ["[a].pcap"]


def test_a_pattern_that_matches_nothing_is_a_missing_file(tmp_path: Path) -> None:
    answer = run("analyze", "-q", "*.pcap", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith("ctcp-diag: *.pcap: ")


def test_the_demonstration_shows_the_failure_and_keeps_its_captures_where_wished(tmp_path: Path) -> None:
    passing = run("demo", "--format", "json")
    assert passing.returncode == 1
    assert {one["source"] for one in json.loads(passing.stdout)["captures"]} == {
        "demo-client.pcap",
        "demo-asa-outside.pcap",
        "demo-asa-inside.pcap",
    }
    assert [one["confidence"] for one in json.loads(passing.stdout)["findings"]] == ["proven", "strong"]
    kept = run("demo", "-q", "--keep", str(tmp_path / "here"))
    assert kept.returncode == 1
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == [
        "demo-asa-inside.pcap",
        "demo-asa-outside.pcap",
        "demo-client.pcap",
    ]


def test_files_of_the_demonstration_are_named_from_where_the_user_stands(tmp_path: Path) -> None:
    answer = run("demo", "-f", "json", "-o", "report.json", "--report", "report.html", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (1, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_a_demonstration_is_not_kept_in_a_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.touch()
    answer = run("demo", "-q", "--keep", str(target))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"ctcp-diag: cannot write the captures into {target}: File exists\n"


def test_a_demonstration_that_finds_no_room_says_where(tmp_path: Path) -> None:
    """A limit on the length of files stands for a disk that is full: neither tells the name of the file."""
    ask = ["bash", "-c", 'ulimit -f 1; exec "$@"', "bash", *COMMAND, "demo", "-q", "--keep", str(tmp_path)]
    answer = subprocess.run(ask, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == f"ctcp-diag: cannot write the captures into {tmp_path}: File too large\n"


def test_who_gives_a_report_for_a_capture_is_told_of_render(tmp_path: Path) -> None:
    stored = tmp_path / "report.json"
    assert run("analyze", "--json", "-o", str(stored), HEALTHY).returncode == 0
    told_ = run("analyze", str(stored))
    assert told_.returncode == 2
    assert "is a report of ctcp-diag; `ctcp-diag render` shows it" in told_.stderr


# --- several captures of one path -------------------------------------------------------------------------

OUTSIDE, INSIDE = (str(SAMPLES / f"failure-asa-{side}.pcap") for side in ("outside", "inside"))
NOT_THE_PATH = str(SAMPLES / "peer-vanished.pcap")


def case(*arguments: str, cwd: Path = ROOT) -> tuple[Report, str]:
    """The report on what was named, and what was said on standard error."""
    answer = run("analyze", "--format", "json", *arguments, cwd=cwd)
    return Report.from_json(answer.stdout.encode()), answer.stderr


def places(report: Report) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(one.vantage, one.captures, one.is_told) for path in report.paths for one in path.places]


def test_three_captures_of_one_failure_are_one_case_and_prove_it() -> None:
    answer = run("analyze", "--client", FAILURE, "--asa-outside", OUTSIDE, "--asa-inside", INSIDE)
    assert (answer.returncode, answer.stderr) == (1, "")
    assert answer.stdout.startswith(
        "1 of 1 flow: unanswered duplicate ACKs (TAC 113578), client-to-headend, proven\n"
    )
    assert (
        "\npath       client (c1) → asa-outside (c2) → asa-inside (c3), by the times of what passed both\n"
    ) in answer.stdout
    assert (
        "\n    where      lost between client and firewall (client-asa); "
        "duplicate ACKs made in the firewall (asa); RST made by the client\n"
    ) in answer.stdout


def test_plain_captures_are_put_in_order_and_named_by_what_they_show() -> None:
    report, errors = case(INSIDE, OUTSIDE, FAILURE)
    assert errors == ""
    assert places(report) == [
        ("client", ("c3",), False),
        ("asa-outside", ("c2",), False),
        ("asa-inside", ("c1",), False),
    ]
    assert [one.vantage for one in report.captures] == ["asa-inside", "asa-outside", "client"]


def test_what_is_named_and_what_is_not_can_be_mixed() -> None:
    report, _ = case("--asa", INSIDE, FAILURE)
    assert places(report) == [("client", ("c2",), False), ("asa", ("c1",), True)]
    assert report.findings[0].confidence == "proven"


def test_labels_that_contradict_the_captures_are_noticed() -> None:
    report, errors = case("--client", INSIDE, "--asa-inside", FAILURE)
    assert places(report) == [("client", ("c2",), True), ("asa-inside", ("c1",), True)]
    assert "the labels contradict the captures" in report.paths[0].notes[0]
    assert errors == f"ctcp-diag: {report.paths[0].notes[0]}\n"
    assert report.findings[0].confidence == "proven"
    flow = report.flows[0]
    assert (flow.loss_location, flow.ack_author, flow.rst_author) == (
        "client-headend",
        "client-headend",
        None,
    )


def test_a_pattern_names_the_files_of_a_rotated_capture(tmp_path: Path) -> None:
    rotated(tmp_path)
    report, errors = case("--client", "part-*.pcap", "--asa-inside", INSIDE, cwd=tmp_path)
    whole, _ = case("--client", FAILURE, "--asa-inside", INSIDE)
    assert places(report)[0] == ("client", ("c1", "c2"), True)
    assert report.findings[0].confidence == whole.findings[0].confidence == "proven"
    assert report.notes == (
        "part-2.pcap (c2) goes on where the file before it ends: sentences count its frames from 201, "
        "lists of frames from 1",
    )
    assert errors == f"ctcp-diag: {report.notes[0]}\n"


@pytest.mark.parametrize("way", ["twice", "link", "copy", "compressed"])
@pytest.mark.parametrize(
    "role", [(), ("--client",), ("--asa-inside",)], ids=["plain", "client", "asa-inside"]
)
def test_the_same_capture_twice_adds_nothing_and_says_so(
    way: str, role: tuple[str, ...], tmp_path: Path
) -> None:
    again = Path(FAILURE) if way == "twice" else tmp_path / "again.pcap"
    if way == "link":
        again.symlink_to(FAILURE)
    elif way in ("copy", "compressed"):
        content = Path(FAILURE).read_bytes()
        again.write_bytes(gzip.compress(content) if way == "compressed" else content)
    report, errors = case("--client", FAILURE, *role, str(again))
    note = f"{again} (c2) is the same capture as {FAILURE} (c1): it adds nothing"
    assert (report.notes, errors) == ((note,), f"ctcp-diag: {note}\n")
    assert [(one.seen[0].capture, one.confidence) for one in report.flows] == [("c1", "strong")]
    assert (report.paths, report.coverage.flows_seen) == ((), 1)


def test_captures_of_unrelated_paths_are_judged_alone_and_that_is_said_in_one_line() -> None:
    answer = run("analyze", "--client", FAILURE, "--asa-inside", NOT_THE_PATH)
    said = "the captures share no connection: each is judged alone"
    assert answer.stderr.startswith(f"ctcp-diag: {said}")
    assert answer.stderr.count("\n") == 1
    assert f"\nnote       {said}" in answer.stdout
    assert "1 unanswered-duplicate-acks, 1 peer-vanished" in answer.stdout


def test_a_stranger_among_captures_of_one_path_is_named() -> None:
    report, errors = case("--client", FAILURE, "--asa-inside", INSIDE, "--asa", NOT_THE_PATH)
    (note,) = report.notes
    assert note.startswith(f"{NOT_THE_PATH} (c3) shares no connection with the others")
    assert errors == f"ctcp-diag: {note}\n"
    assert report.findings[0].confidence == "proven"


def test_captures_whose_clocks_share_no_moment_and_nothing_else_are_told_so(tmp_path: Path) -> None:
    report, _ = case("--client", FAILURE, "--asa-inside", str(later(NOT_THE_PATH, tmp_path, seconds=86_400)))
    assert report.notes == (
        "the captures share no connection: each is judged alone; by their clocks they share no moment either",
    )


def test_files_of_a_rotated_capture_that_are_given_one_by_one_are_told_how_to_be_given(
    tmp_path: Path,
) -> None:
    first, second = rotated(tmp_path)
    report, errors = case(first, second)
    assert report.notes == (
        f"{second} (c2) begins where {first} (c1) ends, and the same two ends talk in both: the files of a capture "
        "that was rotated are given with the same option, such as --client FILE --client FILE",
    )
    assert errors == f"ctcp-diag: {report.notes[0]}\n"
    assert [one.verdict for one in case("--client", first, "--client", second)[0].findings] == [
        "unanswered-duplicate-acks"
    ]


def test_two_captures_of_the_same_ends_an_hour_apart_are_no_rotated_capture(tmp_path: Path) -> None:
    first, second = rotated(tmp_path)
    report, _ = case(first, str(later(second, tmp_path, seconds=3_600)))
    assert report.notes == (
        "the captures share no connection: each is judged alone; by their clocks they share no moment either",
    )


def rotated(folder: Path) -> tuple[str, str]:
    """The failure in two files."""
    for number, content in enumerate(halves(Path(FAILURE).read_bytes(), frame=200), start=1):
        (folder / f"part-{number}.pcap").write_bytes(content)
    return str(folder / "part-1.pcap"), str(folder / "part-2.pcap")


def test_an_hour_between_the_clocks_changes_nothing(tmp_path: Path) -> None:
    report, errors = case("--client", FAILURE, "--asa-inside", str(later(INSIDE, tmp_path, seconds=3_600)))
    assert (report.findings[0].confidence, report.notes, errors) == ("proven", (), "")
    (piece,) = report.paths[0].clocks[0].pieces
    hour_ns = 3_600 * 10**9
    assert piece.offset_low_ns is not None
    assert piece.offset_high_ns is not None
    assert piece.offset_low_ns < hour_ns < piece.offset_high_ns < hour_ns + 10**9


def later(source: str, folder: Path, *, seconds: int) -> Path:
    """The capture by a clock that is ahead."""
    savefile, at = bytearray(Path(source).read_bytes()), 24
    while at < len(savefile):
        moved = int.from_bytes(savefile[at : at + 4], "little") + seconds
        savefile[at : at + 4] = moved.to_bytes(4, "little")
        at += 16 + int.from_bytes(savefile[at + 8 : at + 12], "little")
    (folder / "later.pcap").write_bytes(savefile)
    return folder / "later.pcap"


def test_a_capture_without_a_frame_is_named_and_the_other_is_judged(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pcap"
    empty.write_bytes(Path(INSIDE).read_bytes()[:24])
    report, errors = case("--client", FAILURE, "--asa-inside", str(empty))
    assert errors == f"ctcp-diag: {empty} (c2) holds no frame: there is nothing to compare\n"
    assert [one.confidence for one in report.findings] == ["strong"]


def test_the_inside_of_a_firewall_that_is_the_headend_shows_no_tunnel(tmp_path: Path) -> None:
    """What was decrypted holds no flow of it: there is no other side to capture, and a bypass does nothing."""
    decrypted = tmp_path / "inside.pcap"
    decrypted.write_bytes(pcap_of(told("other\n+1s  other\n")))
    report, errors = case("--asa-outside", FAILURE, "--asa-inside", str(decrypted))
    assert "holds no flow to judge" in errors
    assert "where this firewall is itself the headend" in errors
    assert [one.confidence for one in report.findings] == ["strong"]


def test_a_capture_that_is_cut_does_not_lend_its_silence_as_proof(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(Path(INSIDE).read_bytes()[:20_000])
    report, errors = case("--client", FAILURE, "--asa-inside", str(cut))
    assert errors.startswith(f"ctcp-diag: {cut}: byte ")
    assert len(report.paths) == 1
    assert [one.confidence for one in report.findings] == ["strong"]


def test_each_capture_has_the_filter_that_finds_the_flow_in_it() -> None:
    report, _ = case("--client", FAILURE, "--asa-inside", INSIDE)
    (finding,) = report.findings
    assert set(finding.display_filters) == {"c1", "c2"}
    assert finding.display_filters["c1"] == finding.display_filter


def test_no_capture_of_a_role_is_overwritten(tmp_path: Path) -> None:
    capture = tmp_path / "inside.pcap"
    capture.write_bytes(Path(INSIDE).read_bytes())
    answer = run("analyze", "-o", str(capture), "--asa-inside", str(capture), FAILURE)
    assert answer.returncode == 2
    assert "is one of the captures" in answer.stderr
    assert capture.read_bytes() == Path(INSIDE).read_bytes()


def test_nothing_named_is_told_what_to_name() -> None:
    answer = run("analyze")
    assert answer.returncode == 2
    assert "--client, --asa-outside, --asa-inside or --asa" in " ".join(answer.stderr.split())

"""Commands on stored reports, as their users run them: the same bytes as the analysis, one line where it cannot be."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ctcp_forensics.render import FORMATS
from ctcp_forensics.report import Endpoint, Flow
from ctcp_forensics.verdict import VERDICTS
from tests.command_line import FAILURE, HEALTHY, run
from tests.test_compare import lived, report_of

LOSS = str(Path(HEALTHY).with_name("loss-tolerated.pcap"))
REVERSE = str(Path(HEALTHY).with_name("failure-reverse-asa-inside.pcapng"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports as `analyze --format json` writes them."""
    made = tmp_path_factory.mktemp("reports")
    for name, capture in {"failure": FAILURE, "healthy": HEALTHY, "loss": LOSS, "reverse": REVERSE}.items():
        run("analyze", "--format", "json", "-o", str(made / f"{name}.json"), capture)
    (made / "mended.json").write_bytes(report_of(mended()).to_json())
    return made


def mended() -> Flow:
    """No sample shows loss on the way to a firewall that does not mind it: a flow of the failure's site, by hand."""
    return lived(
        client=Endpoint(address="198.51.100.99", port=1), headend=Endpoint(address="203.0.113.20", port=10000)
    )


# --- render ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_a_stored_report_is_rendered_in_the_bytes_of_the_analysis(form: str, folder: Path) -> None:
    for capture, name in ((FAILURE, "failure"), (LOSS, "loss")):
        fresh = run("analyze", "--format", form, capture)
        kept = run("render", "--format", form, str(folder / f"{name}.json"))
        assert (kept.stdout, kept.returncode, kept.stderr) == (fresh.stdout, fresh.returncode, "")


def test_a_page_is_that_of_the_analysis_while_the_captures_are_there(folder: Path, tmp_path: Path) -> None:
    direct, again = tmp_path / "direct.html", tmp_path / "again.html"
    run("analyze", "--report", str(direct), FAILURE)
    run("render", str(folder / "failure.json"), "--report", str(again))
    assert again.read_bytes() == direct.read_bytes()


def test_a_page_shows_the_pictures_of_its_report_where_the_captures_are_gone(tmp_path: Path) -> None:
    capture, report, page = tmp_path / "c.pcap", tmp_path / "r.json", tmp_path / "p.html"
    capture.write_bytes(Path(FAILURE).read_bytes())
    run("analyze", "--pictures", "--format", "json", "-o", str(report), str(capture))
    capture.unlink()
    told = run("render", "-q", str(report), "--report", str(page))
    assert (told.returncode, told.stderr) == (
        1,
        f"ctcp-diag: no diagram of {capture}: there is no such file\n",
    )
    shown = page.read_text()
    assert "Only the decisive seconds are drawn" in shown
    assert "diagram needs the captures" not in shown


def test_a_report_comes_through_a_pipe_and_goes_as_deep_as_asked(folder: Path) -> None:
    piped = run("render", "-vv", "-", stdin=(folder / "failure.json").read_bytes())
    assert piped.stdout == run("analyze", "-vv", FAILURE).stdout
    assert piped.returncode == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_report_that_a_shell_or_an_editor_put_a_mark_before_is_the_same_report(
    encoding: str, folder: Path, tmp_path: Path
) -> None:
    """`ctcp-diag … > report.json` in Windows PowerShell, and saving it in an editor."""
    whole = (folder / "failure.json").read_bytes()
    marked = tmp_path / "report.json"
    marked.write_bytes(whole.decode().replace("\n", "\r\n").encode(encoding))
    answer = run("render", "--format", "json", str(marked))
    assert (answer.returncode, answer.stderr) == (1, "")
    assert json.loads(answer.stdout) == json.loads(whole)
    assert run("render", "-q", "-", stdin=marked.read_bytes()).stdout.startswith("1 of 1 flow: unanswered")


def test_a_rendering_never_takes_the_place_of_its_report(folder: Path) -> None:
    target = str(folder / "failure.json")
    answer = run("render", target, "-o", target)
    assert answer.returncode == 2
    assert json.loads(Path(target).read_bytes())["tool"]["name"] == "ctcp-diag"


BAD = {
    "newer": (b'{"schema_version": "2.0"', "report has schema version 2.0, this program reads 1."),
    "not-json": (b"<html>", "not a ctcp-diag report: JSON is malformed"),
    "another-json": (b'{"a": 1}', "not a ctcp-diag report: Object missing required field"),
    "empty": (b"", "not a ctcp-diag report: it is empty; "),
    "cut": (b'{"schema_version": "1.5", "too', "not a ctcp-diag report: it breaks off at its end; "),
    "no-text": (b"\xff\xfe\x00", "not a ctcp-diag report"),
    "deep": (b"[" * 100_000, "not a ctcp-diag report"),
}


@pytest.mark.parametrize("command", [["render"], ["fix"], ["compare", "{good}"]], ids=lambda some: some[0])
@pytest.mark.parametrize("name", BAD)
def test_what_is_no_report_is_one_clear_line(
    command: list[str], name: str, folder: Path, tmp_path: Path
) -> None:
    start, says = BAD[name]
    bad = tmp_path / "bad.json"
    whole = (folder / "failure.json").read_bytes()
    bad.write_bytes(whole.replace(b'{\n  "schema_version": "1.5"', start, 1) if name == "newer" else start)
    good = str(folder / "failure.json")
    answer = run(*(word.format(good=good) for word in command), str(bad))
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr.startswith(f"ctcp-diag: {bad}: ")
    assert says in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command", [["render"], ["fix"], ["compare", "{good}"], ["annotate", "-o", "-", "--from"]]
)
@pytest.mark.parametrize("capture", ["healthy.pcap", "failure-reverse-asa-inside.pcapng"])
def test_who_gives_a_capture_for_a_report_is_told_of_analyze(
    command: list[str], capture: str, folder: Path
) -> None:
    named = str(Path(HEALTHY).with_name(capture))
    answer = run(*(word.format(good=folder / "failure.json") for word in command), named)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        f"ctcp-diag: {named}: is a capture, not a report of one; "
        "`ctcp-diag analyze --format json CAPTURE...` writes one\n"
    )


def test_what_is_compressed_may_be_a_report_or_a_capture(folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "report.json.gz"
    packed.write_bytes(gzip.compress((folder / "failure.json").read_bytes()))
    answer = run("render", str(packed))
    assert answer.returncode == 2
    assert answer.stderr.startswith(
        f"ctcp-diag: {packed}: is compressed (gzip). Unpack a report into -; of a capture "
    )
    assert run("render", "-", stdin=gzip.decompress(packed.read_bytes())).returncode == 1


def test_a_capture_through_a_pipe_is_told_apart_as_well() -> None:
    answer = run("render", "-", stdin=Path(HEALTHY).read_bytes())
    assert (answer.returncode, answer.stderr.split(";")[0]) == (
        2,
        "ctcp-diag: -: is a capture, not a report of one",
    )


# --- JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        ["render", "{good}"],
        ["fix", "{good}"],
        ["fix", "{good}", "--fix", "udp"],
        ["compare", "{good}", "{good}"],
        ["explain"],
        ["explain", "healthy"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_whatever_answers_does_so_in_json_under_both_names(asked: list[str], folder: Path) -> None:
    words = [word.format(good=folder / "failure.json") for word in asked]
    short, long = run(*words, "--json"), run(*words, "--format", "json")
    assert short.stdout == long.stdout
    assert json.loads(short.stdout)
    assert short.returncode == run(*words).returncode


def test_a_verdict_in_json_says_all_that_the_text_says() -> None:
    (told,) = json.loads(run("explain", "unanswered-duplicate-acks", "--json").stdout)
    text = run("explain", "unanswered-duplicate-acks").stdout
    said = [told["title"], told["means"], told["looks_like"]]
    for claims in (told["requires"], told["less_sure_unless"], told["refuted_by"], told["proven_by"]):
        assert claims
        said += [f"{one['claim']}: {one['says']}" for one in claims]
    assert [one for one in said if one not in text] == []


def test_every_verdict_is_in_the_json_once_in_the_order_of_the_judgement() -> None:
    assert [one["verdict"] for one in json.loads(run("explain", "--json").stdout)] == [
        row.slug for row in VERDICTS
    ]


def test_a_report_from_before_a_name_was_added_is_read(tmp_path: Path) -> None:
    """Within one major version names are only added: what was stored last year has to be readable."""
    places = [
        word
        for place in ("client", "asa-outside")
        for word in (f"--{place}", FAILURE.replace("client", place))
    ]
    report = json.loads(run("analyze", "--format", "json", *places).stdout)
    for path in report["paths"]:
        for crossing in path["crossings"]:
            del crossing["damaged"]
        for box in path["firewalls"]:
            del box["step_to_headend"], box["step_to_client"]
    (tmp_path / "older.json").write_text(json.dumps(report))
    answer = run("render", "--format", "note", str(tmp_path / "older.json"))
    assert (answer.returncode, answer.stderr) == (1, "")


def test_a_finding_on_no_flow_is_one_clear_line(folder: Path, tmp_path: Path) -> None:
    report = json.loads((folder / "failure.json").read_bytes())
    report["findings"][0]["flow"] = "\x1b[31mnowhere"
    (tmp_path / "odd.json").write_text(json.dumps(report))
    answer = run("render", str(tmp_path / "odd.json"))
    assert answer.returncode == 2
    assert r"is on flow \x1b[31mnowhere, which the report does not have" in answer.stderr


def test_a_report_that_is_not_there_is_one_clear_line() -> None:
    answer = run("render", "/nowhere/report.json")
    assert (answer.returncode, answer.stderr) == (
        2,
        "ctcp-diag: cannot read /nowhere/report.json: No such file or directory\n",
    )


# --- fix ---------------------------------------------------------------------------------------------


def test_a_fix_is_printed_for_the_flow_of_the_report(folder: Path) -> None:
    answer = run("fix", str(folder / "failure.json"), "--fix", "state-bypass")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "\n  set connection advanced-options tcp-state-bypass\n" in answer.stdout


def test_a_pack_as_json_is_one_object(folder: Path) -> None:
    answer = run("fix", str(folder / "failure.json"), "--capture", "--format", "json")
    pack = json.loads(answer.stdout)
    assert pack["type"] == "configuration"
    assert [change["fix"] for change in pack["pack"]["changes"]] == ["take-captures"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--fix", "queue-limit"],
            "no flow of this report is offered 'queue-limit'; offered: ipsec-over-udp",
        ),
        (["--flow", "#7", "--fix", "udp"], "no flow #7: the report has 1"),
        (["--acl", "a\nreload", "--fix", "udp"], "is no name on a device"),
    ],
)
def test_what_cannot_be_printed_is_one_clear_line(arguments: list[str], says: str, folder: Path) -> None:
    answer = run("fix", str(folder / "failure.json"), *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert says in answer.stderr
    assert answer.stderr.count("\n") == 1


# --- compare -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "status", "outcome"),
    [
        ("failure", "mended", 0, "fixed"),
        ("failure", "failure", 1, "not-fixed"),
        ("failure", "healthy", 3, "not-tested"),
        ("healthy", "failure", 3, "cannot-be-told"),
    ],
)
def test_a_comparison_has_a_status_of_its_own(
    before: str, after: str, status: int, outcome: str, folder: Path
) -> None:
    paths = [str(folder / f"{name}.json") for name in (before, after)]
    answer = run("compare", *paths)
    assert answer.returncode == status
    assert answer.stdout.startswith(f"{outcome}: ")
    assert json.loads(run("compare", "--format", "json", *paths).stdout)["outcome"] == outcome


def test_after_may_come_through_a_pipe(folder: Path) -> None:
    answer = run("compare", str(folder / "reverse.json"), "-", stdin=(folder / "loss.json").read_bytes())
    assert answer.returncode == 3

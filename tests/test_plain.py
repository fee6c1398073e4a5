"""The plain path makes of the words what Typer makes of them, or leaves them to it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from ctcp_forensics.archive.scan import Wanted
from ctcp_forensics.cli import _plain_answer, _understood_by_typer, analysis, sweeping
from ctcp_forensics.cli.analysis import Request
from ctcp_forensics.cli.ends import Refused
from ctcp_forensics.cli.plain import plain_request
from ctcp_forensics.cli.plain_scan import plain_sweep
from ctcp_forensics.cli.sweeping import Telling
from ctcp_forensics.render.look import Depth
from tests.wire import HOSTS, pcap_of, told

ROOT = Path(__file__).parent.parent

PLAIN_SCANS = (
    "scan --store s a",
    "scan a b --store s -q",
    "scan --quiet --store s --workers 3 --force a",
    "scan a --store s --all-tcp --parquet --ndjson -",
    "scan --store first --store s --shard 3/16 --ndjson lines a",
)
SCANS_LEFT_TO_TYPER = (
    "scan",
    "scan a",
    "scan --store s",
    "scan --help",
    "scan --store s -h a",
    "scan --store=s a",
    "scan --store s --workers 0 a",
    "scan --store s --workers two a",
    "scan --store s --workers -1 a",
    "scan --store s --port 4433 a",
    "scan --store s --engine inline a",
    "scan --store s --watch a",
    "scan --store s --siem ecs --ndjson - a",
    "scan --store s -0 --files-from - a",
    "scan --store s -- a",
    "analyze --store s a",
)
PLAIN = (
    "analyze a.pcap",
    "analyze a.pcap b.pcap -",
    "analyze samples/failure-*.pcap",
    "analyze --client a --client b --asa-outside c --asa-inside d --asa e f",
    "analyze f --asa e --client a",
    "analyze -f json -o out.json a.pcap",
    "analyze a.pcap --format csv --output -",
    "analyze -v a.pcap",
    "analyze -v -v a.pcap",
    "analyze -vv --verbose a.pcap",
    "analyze --all-tcp a.pcap",
    "analyze -f table -f markdown a.pcap",
)
LEFT_TO_TYPER = (
    "",
    "analyze",
    "analyze --help",
    "analyze -h a.pcap",
    "analyze -f xml a.pcap",
    "analyze -f",
    "analyze --client",
    "analyze --client=a",
    "analyze -fjson a.pcap",
    "analyze -q a.pcap",
    "analyze --port 4433 a.pcap",
    "analyze --color always a.pcap",
    "analyze --debug a.pcap",
    "analyze -- -v",
    "analyze -vvv a.pcap",
    "analyze -o -x a.pcap",
    "analyze --all a.pcap",
    "demo a.pcap",
    "--version",
)


def by_typer(words: list[str], monkeypatch: pytest.MonkeyPatch) -> Request:
    made: list[Request] = []

    def keep(request: Request) -> int:
        made.append(request)
        return 0

    monkeypatch.setattr(analysis, "answer", keep)
    _understood_by_typer(words)
    (request,) = made
    return request


@pytest.mark.parametrize("line", PLAIN)
def test_both_understand_the_same(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = line.split()
    assert plain_request(words) == by_typer(words, monkeypatch)


@pytest.mark.parametrize("line", LEFT_TO_TYPER)
def test_whatever_is_not_plain_is_left_to_typer(line: str) -> None:
    assert plain_request(line.split()) is None


@pytest.mark.parametrize("line", PLAIN_SCANS)
def test_both_understand_the_same_sweep(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def keep(wanted: Wanted, telling: Telling, *, watches: bool) -> int:
        made.append((list(wanted.places), msgspec.structs.replace(wanted, places=()), telling, watches))
        return 0

    monkeypatch.setattr(sweeping, "answer", keep)
    words = line.split()
    _understood_by_typer(words)
    assert _plain_answer(words) == 0
    by_typer, plain = made
    assert plain == by_typer


@pytest.mark.parametrize("line", SCANS_LEFT_TO_TYPER)
def test_whatever_is_no_plain_sweep_is_left_to_typer(line: str) -> None:
    assert plain_sweep(line.split()) is None


def test_a_wrong_shard_is_refused_in_the_same_words() -> None:
    with pytest.raises(Refused, match="--shard 17/16: is not like 3/16"):
        plain_sweep(["scan", "--store", "s", "--shard", "17/16", "a"])


def test_a_plain_sweep_loads_neither_typer_nor_what_reads_archives(tmp_path: Path) -> None:
    loaded = modules_loaded(
        "scan", "-q", "--store", str(tmp_path / "store"), str(ROOT / "samples" / "healthy.pcap")
    )
    assert not loaded & NOT_FOR_A_SWEEP


NOT_FOR_A_SWEEP = {
    *("typer", "click", "rich", "tabulate", "jinja2", "dpkt", "pyshark", "duckdb", "dataclasses"),
    *("typing_extensions", "inspect", "shutil"),
    *("tarfile", "zipfile", "subprocess", "tempfile", "argparse", "json", "logging", "isal", "bz2", "lzma"),
}


def test_what_is_asked_for_is_in_the_request() -> None:
    request = plain_request(["analyze", "-v", "--client", "a", "-f", "json", "b"])
    assert request is not None
    assert [(one.path, one.vantage) for one in request.sources] == [("a", "client"), ("b", None)]
    assert (request.form, request.output, request.depth) == ("json", "-", Depth.WHERE)


def test_a_plain_command_does_not_load_typer() -> None:
    code = (
        "import sys; from ctcp_forensics.cli import main; status = main(sys.argv[1:]);"
        "sys.exit(4 if 'typer' in sys.modules else status)"
    )
    words = ["analyze", "samples/healthy.pcap", "-f", "json"]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0


def test_what_was_hidden_from_msgspec_can_be_had_behind_it() -> None:
    code = (
        "import sys; from ctcp_forensics.cli import main; main(sys.argv[1:]);"
        "import typing_extensions, typer; sys.exit(typing_extensions is not sys.modules['typing_extensions'])"
    )
    words = ["analyze", "samples/healthy.pcap", "-f", "json", "-o", os.devnull]
    assert subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, check=False).returncode == 0


ROOMS_OF_A_CAPTURE_WITHOUT_CTCP = {
    "_kernel", "_kernel.caps", "_kernel.core", "_kernel.layouts", "_kernel.row", "_kernel.rows",
    "batches",
    "capture", "capture.access", "capture.ahead", "capture.codecs", "capture.cores", "capture.digest", "capture.files",
    "capture.names",
    "capture.opening", "capture.source", "capture.stamp",
    "cli", "cli.analysis", "cli.ends", "cli.lean", "cli.output", "cli.plain", "cli.words",
    "company", "coverage", "errors", "kept", "numbering",
    "packets", "packets.decoder", "packets.fragments", "packets.icmp", "packets.tray",
    "pipeline", "reading", "reading.course", "reading.intake", "reading.readings",
    "render", "render.look",
    "report", "report.captures", "report.findings", "report.flows", "report.paths", "report.pictures", "report.whole",
    "report.words",
    "savefile", "savefile.account", "savefile.foreign", "savefile.order", "savefile.pcap", "savefile.pcapng",
    "savefile.reader", "savefile.window", "savefile.wording", "surroundings",
}  # fmt: skip
"""Each costs a fraction of a millisecond.  Judging, pairing, pages and pictures are not among them."""
NOT_FOR_A_SMALL_CAPTURE = {
    "typer", "click", "rich", "tabulate", "jinja2", "dpkt", "pyshark",
    "typing_extensions", "inspect", "ast", "dis", "tokenize",
    "dataclasses", "pathlib", "glob", "shutil", "tempfile", "argparse", "importlib.metadata",
    "hashlib", "_hashlib", "platform", "textwrap", "datetime", "signal", "ipaddress", "msgspec.inspect",
    "threading", "queue", "subprocess", "bz2", "lzma", "zlib", "isal", "json", "logging",
}  # fmt: skip


def modules_loaded(*words: str) -> set[str]:
    """The modules of a process that has run the command, whatever it answered."""
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LOADED, *sys.path, "--", *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(told.stderr.split())


LOADED = """
import sys
end = sys.argv.index("--")
sys.path, sys.argv = sys.argv[1:end], ["ctcp-diag", *sys.argv[end + 1 :]]
before = set(sys.modules)
from ctcp_forensics.cli import main
main()
print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""


def rooms(modules: set[str]) -> set[str]:
    return {name.removeprefix("ctcp_forensics.") for name in modules if name.startswith("ctcp_forensics.")}


def test_a_small_capture_without_ctcp_loads_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    """Where nothing is judged, starting is most of the time; what is loaded is counted, since time cannot be tested."""
    plain_http = tmp_path / "http.pcap"
    web_server = replace(HOSTS["S"], port=80)
    plain_http.write_bytes(pcap_of(told("C > S  +100\nS > C  +100", carries="tcp", hosts={"S": web_server})))
    loaded = modules_loaded("analyze", str(plain_http), "--format", "json", "-o", str(tmp_path / "out.json"))
    assert rooms(loaded) == ROOMS_OF_A_CAPTURE_WITHOUT_CTCP
    assert not loaded & NOT_FOR_A_SMALL_CAPTURE


def test_the_version_loads_two_rooms_and_no_library() -> None:
    loaded = modules_loaded("--version")
    assert rooms(loaded) == {"cli", "cli.ends"}
    assert not loaded & {*NOT_FOR_A_SMALL_CAPTURE, "msgspec", "hashlib", "datetime"}


def test_a_capture_that_is_judged_loads_neither_typer_nor_the_table(tmp_path: Path) -> None:
    sample = str(ROOT / "samples" / "failure-client.pcap")
    loaded = modules_loaded("analyze", sample, "-f", "json", "-o", str(tmp_path / "out.json"))
    assert not loaded & {
        "typer",
        "click",
        "rich",
        "tabulate",
        "jinja2",
        "dpkt",
        "pyshark",
        "json",
        "dataclasses",
    }
    assert not loaded & {
        "hashlib",
        "_hashlib",
        "platform",
        "textwrap",
        "datetime",
        "signal",
        "msgspec.inspect",
    }
    assert {"retrace", "picture", "annotate", "_kernel.plain_match", "_kernel.codes"}.isdisjoint(
        rooms(loaded)
    )
    assert {"vantage.names", "conclude.path", "conclude.stations", "conclude.brief"}.isdisjoint(rooms(loaded))
    assert {"_kernel.rows_of_frames", "_kernel.rows_of_pairs", "_kernel.columns"}.isdisjoint(rooms(loaded))
    assert "_kernel.rows_of_flows" in rooms(loaded)

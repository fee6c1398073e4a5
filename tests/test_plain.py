"""The plain path makes of the words what Typer makes of them, or leaves them to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ctcp_forensics.cli import _understood_by_typer, analysis
from ctcp_forensics.cli.analysis import Request
from ctcp_forensics.cli.plain import plain_request
from ctcp_forensics.render.look import Depth

ROOT = Path(__file__).parent.parent

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

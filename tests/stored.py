"""Reports of the samples, as an engineer has stored them.

Knows the samples.  Each is read once in a run of the tests.
"""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

from ctcp_forensics.pipeline import diagnose
from ctcp_forensics.reading import Options, Source
from ctcp_forensics.report import Report

FOLDER = Path(__file__).parent.parent / "samples"
SAMPLES = sorted(path.name for path in FOLDER.iterdir() if ".pcap" in path.name)
PLACES = ("client", "asa-outside", "asa-inside")


@functools.cache
def of_sample(name: str) -> Report:
    return renamed(diagnose([Source(path=str(FOLDER / name))], Options()))


@functools.cache
def together() -> Report:
    sources = [Source(path=str(FOLDER / f"failure-{place}.pcap"), vantage=place) for place in PLACES]
    return renamed(diagnose(sources, Options()))


def renamed(report: Report) -> Report:
    """Without this machine's folders."""
    captures = tuple(
        msgspec.structs.replace(one, source=one.source.rpartition("/")[2]) for one in report.captures
    )
    return msgspec.structs.replace(report, captures=captures)

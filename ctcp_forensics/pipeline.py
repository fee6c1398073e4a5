"""The stages composed: sources → report.

Knows the order of the rooms.  Does not know what happens in any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctcp_forensics import __version__, report
from ctcp_forensics._kernel import Tracker
from ctcp_forensics.capture import HASH_LIMIT, open_capture
from ctcp_forensics.case import Case, assemble
from ctcp_forensics.coverage import Account, account_of, coverage_of
from ctcp_forensics.errors import CaptureError
from ctcp_forensics.evidence import RULES_VERSION
from ctcp_forensics.flows import build_flow
from ctcp_forensics.packets import Decoder
from ctcp_forensics.savefile import Reader, batches_in_order

CTCP_PORT = 10000
"""The default of VPN 3000, ASA and IOS; `--port` names others.  It only adds flows to the table."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for."""

    ports: frozenset[int] = frozenset({CTCP_PORT})
    all_tcp: bool = False
    hash_limit: int | None = HASH_LIMIT
    """Captures longer than this are not hashed; None hashes all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One capture, read to its end or to its damage."""

    account: Account
    tracker: Tracker
    decoder: Decoder


def diagnose(sources: Sequence[str], options: Options, progress: Progress | None = None) -> report.Report:
    """Read every source and judge its flows; what cannot be read is in the report's coverage."""
    readings: list[Reading] = []
    failed: list[CaptureError] = []
    for number, source in enumerate(sources, start=1):
        try:
            readings.append(read(source, f"c{number}", options, progress))
        except CaptureError as error:
            failed.append(error)
    cases = [(case, reading.account) for reading in readings for case in cases_of(reading, options)]
    flows, findings = concluded(cases) if cases else ((), ())
    return report.Report(
        tool=report.Tool(version=__version__, rules_version=RULES_VERSION),
        captures=tuple(reading.account.capture for reading in readings),
        flows=flows,
        findings=findings,
        coverage=coverage_of([reading.account for reading in readings], failed, flows_judged=len(cases)),
    )


def concluded(
    cases: Sequence[tuple[Case, Account]],
) -> tuple[tuple[report.Flow, ...], tuple[report.Finding, ...]]:
    """Judge every case.  The judgement is loaded here: most captures of an archive have nothing to judge."""
    from ctcp_forensics.conclude import finding_of, flow_of
    from ctcp_forensics.verdict import judge

    judged = [(case, judge(case), account) for case, account in cases]
    return (
        tuple(flow_of(case, judgement, account) for case, judgement, account in judged),
        tuple(finding_of(case, judgement, account) for case, judgement, account in judged),
    )


def read(source: str, name: str, options: Options, progress: Progress | None) -> Reading:
    """One pass over one capture: bytes to frames to packets to flows, batch by batch."""
    decoder, tracker = Decoder(), Tracker()
    with open_capture(source, hash_limit=options.hash_limit) as capture:
        reader = Reader(capture.chunks(), source=source)
        for buffer, frames in batches_in_order(reader):
            tracker.feed(decoder.decode(buffer, frames))
            if progress is not None:
                progress(capture.position, capture.size)
        decoder.finish()
        account = account_of(name, capture, reader, decoder, tracker.tallies())
    return Reading(account=account, tracker=tracker, decoder=decoder)


def cases_of(reading: Reading, options: Options) -> list[Case]:
    """The flows to be judged, each with what bears on it."""
    tracker = reading.tracker
    wanted = range(tracker.tallies().flows) if options.all_tcp else tracker.suspects(options.ports)
    around = reading.account.surroundings
    flows = [
        build_flow(tracker, index, ports=options.ports, capture_last_ns=around.last_ns) for index in wanted
    ]
    return assemble(flows, around, reading.decoder.icmp_errors)

"""Told: a crosscheck as a table, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from ctcp_forensics.crosscheck.comparing import Crosscheck, Differing, FlowCheck
from ctcp_forensics.flows import Endpoint

HEADERS = ("fact", "both", "ctcp-diag only", "tshark only")
FRAMES_SHOWN = 8


def as_table(checked: Crosscheck) -> Iterator[str]:
    """One table for each flow, and below it each reason for a difference."""
    yield f"{checked.source} beside {checked.tshark}\n"
    if checked.complaint:
        yield f"{checked.complaint}\n"
    if not checked.flows:
        yield "No flow is in question here; --all-tcp compares every TCP flow.\n"
    for flow in checked.flows:
        yield from flow_lines(flow)
    differing = sum(one.count for flow in checked.flows for one in flow.differences)
    yield f"\n{differing} labels differ, {checked.unexplained} of them unexplained.\n"


def flow_lines(flow: FlowCheck) -> Iterator[str]:
    from tabulate import tabulate

    ends = f"{end_text(flow.client)} > {end_text(flow.headend)}"
    yield f"\n{ends}  {flow.carries}, {flow.frames} segments\n"
    rows = [(one.kind.value, one.both, one.ours, one.tshark) for one in flow.tallies]
    yield tabulate(rows, headers=HEADERS, tablefmt="simple") + "\n"
    for one in flow.differences:
        yield difference_line(one)


def difference_line(one: Differing) -> str:
    shown = ", ".join(map(str, one.frames[:FRAMES_SHOWN]))
    more = ", …" if one.count > FRAMES_SHOWN else ""
    frames = f"frame {shown}" if one.count == 1 else f"{one.count} frames ({shown}{more})"
    return f"- {one.kind}, {one.by} only, {frames}: {one.rule}: {one.because}.\n"


def end_text(end: Endpoint) -> str:
    return f"[{end.address}]:{end.port}" if ":" in end.address else f"{end.address}:{end.port}"


def as_json(checked: Crosscheck) -> Iterator[str]:
    import msgspec

    whole = msgspec.json.encode({"unexplained": checked.unexplained, **msgspec.to_builtins(checked)})
    yield msgspec.json.format(whole, indent=2).decode() + "\n"

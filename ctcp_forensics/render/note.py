"""The case note: what goes into a customer's ticket, never longer than MAX_LINES lines of ASCII.

Knows the four parts of Cisco's own capture guide (TAC 215092): symptom, capture analysis, recommended action and
possible causes.  Tells the worst flow and counts the others.  Does not know how lines are fitted: see sheet.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ctcp_forensics.brief import counts_of
from ctcp_forensics.render.basis import NAME_LEN, basis
from ctcp_forensics.render.causes import causes
from ctcp_forensics.render.judged import Judged, headline, links, tally_of_all, worst_first
from ctcp_forensics.render.path import lost_where, made_by
from ctcp_forensics.render.sheet import MAX_LINES, Paragraph, Part, fitted, shortened
from ctcp_forensics.render.wording import (
    Names,
    count,
    duration,
    ended,
    endpoint,
    frames,
    labels,
    utc,
    utc_second,
)
from ctcp_forensics.report import (
    FLAGSHIP,
    Episode,
    Finding,
    Flow,
    Recommendation,
    Report,
)

__all__ = ["MAX_LINES", "note"]

LINKS_IN_A_NOTE = 4  # the three links of the flagship, and who made the ACKs
RUNS_IN_A_NOTE = 2  # runs of frame numbers of one capture
FIXES_NAMED = 4  # beside the one that is told

UNDO = "undo"
WEIGHTY, WEIGHTIEST = 2, 3  # evidence stays longer than prose, commands stay whole
SHORT_BLOCK = 130  # characters: two lines

# Links of the proof, as a note has room for them.
SAID = {
    "it was asked for, and nobody answered": "asked for, not answered",
    "the flow stalled and died while its sender was still sending": "stalled and died",
}
# Claims of a link that the others make plain, or that stand among the causes that are ruled out.
TOLD_BY_OTHERS = frozenset(
    {
        "the-window-had-room",
        "the-asking-follows-the-data",
        "the-sender-never-repeats",
        "the-ack-never-moved-again",
        "the-capture-outlasts-the-stall",
    }
)


def note(report: Report) -> Iterator[str]:
    """The lines of the note, each with its end."""
    for line in fitted([*_parts(report), basis(report)]):
        yield line + "\n"


def _parts(report: Report) -> list[Part]:
    judged = worst_first(report)
    if not judged:
        return _nothing_judged(report)
    worst = judged[0]
    names = _names(report, _home_of(worst.flow))
    return [
        Part("SYMPTOM", tuple(_symptom(report, judged, worst))),
        Part(f"CAPTURE ANALYSIS{_whose_frames(report, names)}", tuple(_analysis(worst, names))),
        Part("RECOMMENDED ACTION", tuple(_action(worst))),
        Part("POSSIBLE CAUSES RULED OUT", tuple(causes(worst))),
    ]


# --- the four parts ---------------------------------------------------------------------------


def _symptom(report: Report, judged: list[Judged], one: Judged) -> Iterator[Paragraph]:
    flow = one.flow
    yield Paragraph("verdict", f"{one.finding.title}: {one.finding.confidence}", weight=WEIGHTY)
    if len(judged) > 1:
        flows = len(report.flows) + counts_of(report.brief).total()
        others = f"this is flow {one.number} of {flows}, the worst; all: {tally_of_all(report, judged)}"
        yield Paragraph("", others, weight=WEIGHTY)
    found = flow.encapsulation
    ends = f"{endpoint(flow.client)} to {endpoint(flow.headend)}"
    yield Paragraph("flow", f"{ends}, {found.kind} ({found.grade})", weight=WEIGHTY)
    span = f"{utc_second(flow.first_ns)} to {utc_second(flow.last_ns)}"
    lasted = duration(flow.last_ns - flow.first_ns)
    yield Paragraph("time", f"{span}, {lasted}, {ended(flow)}", weight=WEIGHTY)
    yield Paragraph("what", _what(one), weight=WEIGHTY)


def _what(one: Judged) -> str:
    """What the user saw; the proof of it comes in the next part."""
    asked = _decisive(one.flow)
    if one.finding.verdict != FLAGSHIP or asked is None or asked.first_ns is None:
        return one.finding.summary
    after = duration(asked.first_ns - one.flow.first_ns)
    return (
        f"From {utc(asked.first_ns)} on, {after} after the first frame, what was sent {one.flow.direction} was "
        "acknowledged no further."
    )


def _decisive(flow: Flow) -> Episode | None:
    """The question that was left open, the longest where there are several."""
    left_open = [one for one in flow.episodes if one.answered is False and one.direction == flow.direction]
    return max(left_open, key=lambda one: one.duplicate_acks, default=None)


def _home_of(flow: Flow) -> str:
    """Reports of one capture may leave it unsaid."""
    return flow.judged_in or next((seen.capture for seen in flow.seen), "")


def _whose_frames(report: Report, names: Names) -> str:
    if len(report.captures) < 2 or names.home not in names.labels:
        return ""
    return f" (frames of {names.of(names.home)}, where no other is named)"


def _analysis(one: Judged, names: Names) -> Iterator[Paragraph]:
    told = links(_in_short(one.finding))
    for link in told[:LINKS_IN_A_NOTE]:
        shown = frames(link.frames, runs_at_most=RUNS_IN_A_NOTE, names=names)
        says = SAID.get(link.says, link.says)
        told_at = f"{says} [{shown}]" if shown else says
        yield Paragraph(link.outcome, f"{told_at}: {link.because}", weight=WEIGHTY)
    if len(told) > LINKS_IN_A_NOTE:
        yield Paragraph("", f"and {count(len(told) - LINKS_IN_A_NOTE, 'claim')} more")
    if where := _whereabouts(one.flow):
        yield Paragraph("where", where, weight=WEIGHTY)


def _in_short(finding: Finding) -> Finding:
    """Of a link that holds, the claims that carry it; of one that does not, those by which it does not."""
    weak = {one.link for one in finding.evidence if one.link and one.outcome != "holds"}
    told = [
        one
        for one in finding.evidence
        if not one.link or (one.outcome != "holds" if one.link in weak else one.claim not in TOLD_BY_OTHERS)
    ]
    return msgspec.structs.replace(finding, evidence=tuple(told))


def _whereabouts(flow: Flow) -> str:
    """Where it was lost and who made the ACKs; with one capture that is not known, which is said."""
    known = (lost_where(flow), made_by("duplicate ACKs", flow.ack_author), made_by("RST", flow.rst_author))
    told = [part for part in known if part]
    if flow.verdict == FLAGSHIP and flow.ack_author is None:
        told.append("who made the duplicate ACKs is not shown")
    return "; ".join(told)


def _action(one: Judged) -> Iterator[Paragraph]:
    if not one.finding.recommendations:
        yield Paragraph("do", _no_action(one))
        return
    best, *others = one.finding.recommendations
    yield Paragraph("do", f"{best.title}.")
    if best.commands:
        yield _commands("by", best, best.commands)
    yield Paragraph("cost", best.cost)
    if best.verify:
        yield Paragraph("verify", best.verify[0], weight=WEIGHTY)
    if best.roll_back:
        yield _commands(UNDO, best, best.roll_back)
    if others:
        more = f" and {len(others) - FIXES_NAMED} more" if len(others) > FIXES_NAMED else ""
        yield Paragraph("or", ", ".join(fix.fix for fix in others[:FIXES_NAMED]) + more)


def _no_action(one: Judged) -> str:
    if one.finding.verdict == FLAGSHIP:
        return "The report holds no fix for this flow."
    return (
        "Nothing has to change for what these captures show. If the VPN failed all the same, it failed outside "
        "them: capture again, from before the client connects until 10 s after the failure."
    )


def _commands(label: str, fix: Recommendation, lines: tuple[str, ...]) -> Paragraph:
    """All commands in one breath; where they do not fit, the first block whole: half a one would mislead."""
    printed_by = f"all by: ctcp-diag fix REPORT.json --fix {fix.fix}"
    first, *others = _blocks(lines)
    told = " / ".join(map(_in_one_breath, (first, *others)))
    if label == UNDO or len(_in_one_breath(first)) > SHORT_BLOCK:
        instead = f"{count(len(lines), 'line')}; {printed_by}"
    else:
        instead = f"{_in_one_breath(first)}. {count(sum(map(len, others)), 'more line')}"
    return Paragraph(label, told, instead=instead, weight=WEIGHTIEST)


def _blocks(lines: tuple[str, ...]) -> list[list[str]]:
    """Lines under the comment that says where they are typed."""
    blocks: list[list[str]] = []
    for line in lines:
        if line.startswith("!") or not blocks:
            blocks.append([])
        blocks[-1].append(line.strip())
    return blocks


def _in_one_breath(block: list[str]) -> str:
    first, *rest = block
    if not first.startswith("!"):
        return "; ".join(block)
    says = first.removeprefix("!").strip()
    return f"{says}: {'; '.join(rest)}" if rest else says


# --- where nothing was judged -----------------------------------------------------------------


def _nothing_judged(report: Report) -> list[Part]:
    told = report.coverage
    is_unread = not told.complete + told.partial
    what = (
        "nothing was read" if is_unread else f"{count(told.frames, 'frame')}, {told.tcp_segments} of them TCP"
    )
    return [
        Part("SYMPTOM", (Paragraph("verdict", f"none: {headline(report, [])}"),)),
        Part("CAPTURE ANALYSIS", (Paragraph("seen", f"{what}; no flow was judged"),)),
        Part("RECOMMENDED ACTION", (Paragraph("do", _read_again() if is_unread else _look_elsewhere()),)),
        Part(
            "POSSIBLE CAUSES RULED OUT",
            (Paragraph("out", "none"), Paragraph("open", "NOT ruled out: any of them")),
        ),
    ]


def _read_again() -> str:
    return (
        "Send the captures again, as pcap or pcapng: what is said of each below is why it could not be read."
    )


def _look_elsewhere() -> str:
    return (
        "Make sure that the capture is of the VPN's own interface and minutes. cTCP is found on any port; for "
        "headends of which no trailer was captured name the port (--port), or judge all TCP (--all-tcp)."
    )


# --- whose frames -------------------------------------------------------------------------------


def _names(report: Report, home: str) -> Names:
    """Short names of files; ids, which the evidence lists, where two would look alike."""
    called = labels({capture.id: capture.source for capture in report.captures})
    short = {capture: shortened(name, NAME_LEN) for capture, name in called.items()}
    if len(set(short.values())) < len(short):
        short = {capture: capture for capture in short}
    return Names(labels=short, home=home)

"""The case note: what goes into a customer's ticket, never longer than MAX_LINES lines of ASCII.

Knows the four parts of Cisco's own capture guide (TAC 215092): symptom, capture analysis, recommended action and
possible causes.  Tells the worst flow and counts the others.  Does not know how lines are fitted: see sheet.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ctcp_forensics.brief import counts_of
from ctcp_forensics.render.judged import DECISIVE, Judged, headline, links, tally_of_all, worst_first
from ctcp_forensics.render.path import lost_where, made_by
from ctcp_forensics.render.sheet import MAX_LINES, Paragraph, Part, fitted, shortened
from ctcp_forensics.render.wording import (
    Names,
    at,
    clean,
    count,
    duration,
    endpoint,
    frames,
    labels,
    utc,
    utc_second,
)
from ctcp_forensics.report import (
    FLAGSHIP,
    WELL,
    Capture,
    Episode,
    Evidence,
    Finding,
    Flow,
    Recommendation,
    Report,
)

__all__ = ["MAX_LINES", "note"]

LINKS_IN_A_NOTE = 4  # the three links of the flagship, and who made the ACKs
RUNS_IN_A_NOTE = 2  # runs of frame numbers of one capture
FIXES_NAMED = 4  # beside the one that is told
NAME_LEN = 26  # of a file, beside frame numbers…
LISTED_NAME_LEN = 38  # …and beside its hash
CAPTURES_IN_FULL = 3  # client and both sides of the firewall, each with its whole SHA-256
CAPTURES_IN_A_NOTE = 6  # of more than three, a line each
HASH_START_LEN = 16  # of a SHA-256 that is shortened

UNDO = "undo"
WEIGHTY, WEIGHTIEST = 2, 3  # evidence stays longer than prose, commands stay whole
SHORT_BLOCK = 130  # characters: two lines

# Links of the proof, as a note has room for them.
SAID = {
    "it was asked for, and nobody answered": "asked for, not answered",
    "the flow stalled and died while its sender was still sending": "stalled and died",
    DECISIVE: "the ACKs were made in between",
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

# What the failure is called where nobody is heard asking: one capture, on the wrong side.
LOOKS_LIKE_IT = frozenset({"peer-vanished", "insufficient-evidence"})

# What a claim rules out where it holds.
EXCLUDES = {
    "carries-ctcp": "another protocol on this port",
    "nobody-answered": "a late answer",
    "the-sender-never-repeats": "an ordinary TCP, which sends again",
    "the-window-had-room": "a closed window",
    "the-asking-follows-the-data": "keep-alives taken for duplicate ACKs",
    "the-capture-outlasts-the-stall": "a capture that ends too early",
    "the-capture-is-whole": "loss in the capture alone",
    "the-receiver-had-followed": "an ACK that never moved",
    "away-from-the-wrap": "the wrap of sequence numbers",
    "both-ends-went-on": "a flow that stalled",
}
# What a refutation would be, ruled out where it fails.
REFUTES = {
    "is-something-else": "something other than cTCP",
    "only-one-direction-was-seen": "one direction captured alone",
    "an-answer-is-in-another-capture": "an answer in another capture",
    "a-question-is-left-open": "a question that this place shows unanswered",
}


def note(report: Report) -> Iterator[str]:
    """The lines of the note, each with its end."""
    for line in fitted([*_parts(report), _evidence(report)]):
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
        Part("POSSIBLE CAUSES RULED OUT", tuple(_causes(worst))),
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
    yield Paragraph("time", f"{span}, {lasted}, {_ended(flow)}", weight=WEIGHTY)
    yield Paragraph("what", _what(one), weight=WEIGHTY)


def _ended(flow: Flow) -> str:
    return flow.ending.kind if flow.ending.by is None else f"{flow.ending.kind} by {flow.ending.by}"


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
        says = SAID.get(link.says) or link.says.replace("-", " ")
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


def _causes(one: Judged) -> Iterator[Paragraph]:
    finding = one.finding
    excluded = [text for claim in finding.evidence if (text := _excluded(claim))]
    if finding.verdict in WELL:
        excluded.insert(0, "unanswered duplicate ACKs in this flow")
    yield Paragraph("out", "; ".join(dict.fromkeys(excluded)) or "none")
    doubts = "; ".join(dict.fromkeys(_doubts(one))) or "what lies outside these captures"
    yield Paragraph("open", f"NOT ruled out: {doubts}")
    if finding.missing_evidence:
        yield Paragraph("", f"would settle it: {'; '.join(finding.missing_evidence)}")


def _excluded(one: Evidence) -> str:
    if one.role == "refutation":
        return REFUTES.get(one.claim, "") if one.outcome == "fails" else ""
    return EXCLUDES.get(one.claim, "") if one.outcome == "holds" else ""


def _doubts(one: Judged) -> Iterator[str]:
    """Other verdicts that fit as well, and what would exclude something and does not."""
    finding = one.finding
    for other in finding.also_possible:
        yield f"{other.verdict}: {other.because}"
    for claim in finding.evidence:
        sentence = (REFUTES if claim.role == "refutation" else EXCLUDES).get(claim.claim)
        if sentence and claim.outcome == "unknown":
            yield f"{sentence} ({claim.because})"
    if finding.verdict == FLAGSHIP:
        yield "a box that is no ASA: packets do not show the make"
    if finding.verdict == "reset-by-middlebox" and finding.confidence != "proven":
        yield "the end itself, where it came up anew or its RSTs have another TTL than its data"
    if finding.verdict in LOOKS_LIKE_IT and len(one.flow.seen) < 2:
        yield "unanswered duplicate ACKs, which look like this from behind the loss"


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


# --- what it rests on -------------------------------------------------------------------------


def _evidence(report: Report) -> Part:
    tool = f"{report.tool.name} {report.tool.version}, rules {report.tool.rules_version}"
    key = report.redacted_with
    made = Paragraph("made by", tool if key is None else f"{tool}; pseudonyms by key {clean(key)}")
    lines = [*_captures(report), *_coverage(report), made]
    return Part("EVIDENCE", tuple(lines))


def _captures(report: Report) -> Iterator[Paragraph]:
    if len(report.captures) <= CAPTURES_IN_FULL:
        for capture in report.captures:
            yield Paragraph(capture.id, _capture(capture))
            yield _hash(capture)
        return
    for capture in report.captures[:CAPTURES_IN_A_NOTE]:
        yield Paragraph(
            capture.id, f"{shortened(_file(capture), LISTED_NAME_LEN)}: {_start_of_hash(capture)}"
        )
    left = len(report.captures) - CAPTURES_IN_A_NOTE
    more = f"and {count(left, 'capture')} more; " if left > 0 else ""
    yield Paragraph("", f"{more}hashes are shortened here: --format json has them whole")


def _capture(capture: Capture) -> str:
    where = f", {capture.vantage}" if capture.vantage != "unknown" else ""
    facts = f"{count(capture.frames, 'frame')}, {capture.outcome}{where}"
    return f"{shortened(_file(capture), NAME_LEN)}: {facts}"


def _hash(capture: Capture) -> Paragraph:
    if capture.digest is None:
        return Paragraph("SHA-256", _not_hashed(capture))
    return Paragraph(capture.digest.title, capture.digest.value)


def _start_of_hash(capture: Capture) -> str:
    digest = capture.digest
    return "not hashed" if digest is None else f"{digest.title} {digest.value[:HASH_START_LEN]}..."


def _not_hashed(capture: Capture) -> str:
    return (
        "none: not read"
        if capture.outcome == "rejected"
        else "not taken: larger than 256 MiB (--sha256 takes it)"
    )


def _file(capture: Capture) -> str:
    return capture.source.rpartition("/")[2] or capture.source


def _coverage(report: Report) -> Iterator[Paragraph]:
    """What was not looked at, where something was not."""
    told = report.coverage
    if told.is_complete:
        return
    parts = [f"{told.partial} read in part, {told.rejected} not at all"]
    parts += [f"{shortened(bad.source, NAME_LEN)}: {at(bad.offset)}{bad.reason}" for bad in told.failed[:1]]
    parts += [
        f"{capture.id}: {at(damage.offset)}{damage.reason}"
        for capture in report.captures
        for damage in capture.damage[:1]
    ][:1]
    parts += [f"limit reached: {cap.cap} {cap.limit}" for cap in told.caps[:1]]
    yield Paragraph("lacking", "; ".join(parts))


def _names(report: Report, home: str) -> Names:
    """Short names of files; ids, which the evidence lists, where two would look alike."""
    called = labels({capture.id: capture.source for capture in report.captures})
    short = {capture: shortened(name, NAME_LEN) for capture, name in called.items()}
    if len(set(short.values())) < len(short):
        short = {capture: capture for capture in short}
    return Names(labels=short, home=home)

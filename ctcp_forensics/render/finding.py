"""One finding as labelled lines at three depths, and what was not looked at.

Knows which line belongs to which depth.  Does not choose the findings: see table.
"""

from collections.abc import Iterator, Mapping
from textwrap import wrap

from ctcp_forensics.render.judged import Judged, links, title
from ctcp_forensics.render.look import Depth, Look
from ctcp_forensics.render.path import (
    ALWAYS_TOLD,
    Matrix,
    alone,
    crossings_of,
    details,
    matrices,
    whereabouts,
)
from ctcp_forensics.render.wording import (
    RUNS_AT_A_GLANCE,
    Names,
    at,
    claim_words,
    clean,
    count,
    duration,
    ended,
    endpoint,
    frames,
    utc,
)
from ctcp_forensics.report import (
    FLAGSHIP,
    Capture,
    DirectionFacts,
    Episode,
    Evidence,
    Flow,
    Recommendation,
    Report,
    Seen,
)

INDENT = " " * 4
LABEL_LEN = 11
DETAIL_LEN = 10  # labels inside a fix
SPACE_BETWEEN = 2  # columns of a matrix
NARROWEST = 40  # folding narrower than this helps nobody


def finding(report: Report, one: Judged, look: Look) -> Iterator[str]:
    """The lines of one finding."""
    role = "alarm" if one.finding.verdict == FLAGSHIP else "title"
    yield look.pen.mark(role, f"#{one.number}  {title(one)}")
    yield from _paragraph(one.finding.summary, look)
    if where := whereabouts(one.flow):
        yield from labelled("where", where, look)
    if look.depth >= Depth.WHERE:
        yield from _where(report, one, look)
    yield from _evidence(one, look)
    yield from _open_questions(one, look)
    for number, fix in enumerate(one.finding.recommendations, start=1):
        yield from labelled(f"fix {number}", fix.title, look)
        if look.depth >= Depth.WHERE:
            yield from _fix(fix, look)
    yield from _filters(one, look)
    if look.depth >= Depth.WHERE:
        yield from _verbatim("ids", f"finding {one.finding.id}, flow {one.flow.id}", look)


def coverage(report: Report, look: Look) -> Iterator[str]:
    """What was read and what was not: told when something is missing, or when asked."""
    told = report.coverage
    remarks = [remark for capture in report.captures for remark in _remarks(capture)]
    if look.depth < Depth.WHERE and told.is_complete and not remarks:
        return
    yield ""
    yield look.pen.mark("title", "Coverage")
    yield from _paragraph(_extent(report), look)
    for label, text in remarks:
        yield from labelled(label, text, look)
    for failed in told.failed:
        yield from labelled("not read", f"{failed.source}: {at(failed.offset)}{failed.reason}", look)
    for cap in told.caps:
        yield from labelled("limit", f"{cap.cap}: {cap.limit}, reached by {cap.reached_by}", look)
    for unknown in told.undecoded:
        yield from labelled("undecoded", f"{count(unknown.frames, 'frame')}: {unknown.reason}", look)


def missing_segment(episode: Episode, names: Names) -> str:
    """Where the segment that the episode asks for is, in the captures that could show it."""
    shown = _frame_of_each(episode.missing_segment_frame, names)
    if shown:
        return f"the missing segment is {shown}"
    if episode.missing_segment_frame:
        return "the missing segment is in no capture"
    return "which frame carried the missing segment was not kept"


def wanted(episode: Episode, names: Names) -> str:
    """The byte that the duplicate ACKs ask for: relative where the SYN was seen, and absolute.

    Captures of two sides may number their bytes differently.
    """
    numbers = episode.wanted_seq
    differ = len(set(numbers.values())) > 1
    absolute = ", ".join(
        dict.fromkeys(
            f"{number} in {names.of(name)}" if differ else str(number) for name, number in numbers.items()
        )
    )
    if episode.wanted_offset is None:
        return f"byte {absolute} (absolute; the SYN was not seen)"
    return f"byte {episode.wanted_offset} (absolute {absolute})"


def answer(episode: Episode, names: Names) -> str:
    """What became of the request."""
    if episode.answered is None:
        return "whether it was answered cannot be decided from here"
    if not episode.answered:
        return "unanswered"
    by = _frame_of_each(episode.answered_frame, names)
    return f"answered in {by}" if by else "answered"


def ending(one: Judged) -> str:
    """How the flow ended, by whom, when, and how that is known."""
    end = one.flow.ending
    parts = [ended(one.flow)]
    if end.frame:
        parts.append("in " + _frame_of_each(end.frame, one.names))
    if end.at_ns is not None:
        parts.append("at " + utc(end.at_ns))
    return " ".join(parts) + (f": {end.because}" if end.because else "")


def _frame_of_each(by_capture: Mapping[str, int | None], names: Names) -> str:
    """One frame of each capture that has it."""
    shown = {name: (frame,) for name, frame in by_capture.items() if frame is not None}
    return frames(shown, runs_at_most=None, names=names)


def _sight(report: Report, flow: Flow, look: Look) -> Iterator[str]:
    """Where and when it was seen, whose it is, and what it carries."""
    sources = {capture.id: capture.source for capture in report.captures}
    for seen in flow.seen:
        yield from labelled("seen", _seen(seen, sources.get(seen.capture, "")), look)
    if flow.roles_because:
        yield from labelled("client", flow.roles_because, look)
    lasted = duration(flow.last_ns - flow.first_ns)
    yield from labelled("time", f"{utc(flow.first_ns)} to {utc(flow.last_ns)}, {lasted}", look)
    found = flow.encapsulation
    yield from labelled("carries", f"{found.kind}, {found.grade}: {found.because}", look)


def _where(report: Report, one: Judged, look: Look) -> Iterator[str]:
    flow = one.flow
    yield from _sight(report, flow, look)
    yield from labelled("ended", ending(one), look)
    yield from labelled("counts", f"client-to-headend: {_facts(flow.directions.client_to_headend)}", look)
    yield from labelled("", f"headend-to-client: {_facts(flow.directions.headend_to_client)}", look)
    yield from _crossings(report, one, look)
    for told in alone(flow, one.names):
        yield from labelled("alone", told, look)
    for episode in flow.episodes:
        yield from labelled("episode", _episode(episode, one.names), look)
    if flow.episodes_total > len(flow.episodes):
        yield from labelled("", f"{flow.episodes_total - len(flow.episodes)} more episodes", look)


def _crossings(report: Report, one: Judged, look: Look) -> Iterator[str]:
    """What became of the segments between two captures: a small table for each direction."""
    for path, some in crossings_of(report, one.flow):
        for matrix in matrices(path, some):
            yield from _matrix(matrix, look)
        for told in details(path, some, one.names):
            yield from labelled("", told, look)


def _matrix(matrix: Matrix, look: Look) -> Iterator[str]:
    lines = _aligned([(matrix.direction, *matrix.links), *((row.says, *row.cells) for row in matrix.rows)])
    if look.width is not None and max(map(len, lines)) + len(INDENT) > look.width:
        yield from _matrix_in_words(matrix, look)
        return
    yield from (INDENT + line for line in lines)


def _aligned(table: list[tuple[str, ...]]) -> list[str]:
    """Words to the left, numbers to the right; closer than tabulate would put them."""
    first, *others = ([clean(cell) for cell in column] for column in zip(*table, strict=True))
    widths = [max(map(len, column)) for column in (first, *others)]
    lines = zip(
        (cell.ljust(widths[0]) for cell in first),
        *([cell.rjust(width) for cell in column] for column, width in zip(others, widths[1:], strict=True)),
        strict=True,
    )
    return [(" " * SPACE_BETWEEN).join(line).rstrip() for line in lines]


def _matrix_in_words(matrix: Matrix, look: Look) -> Iterator[str]:
    """Where the screen is too narrow for the table."""
    for link, *cells in zip(matrix.links, *(row.cells for row in matrix.rows), strict=True):
        told = [
            f"{row.says} {cell}"
            for row, cell in zip(matrix.rows, cells, strict=True)
            if cell not in ("", "0") or row.says in ALWAYS_TOLD
        ]
        yield from labelled("crossing", f"{matrix.direction}, {link}: {', '.join(told)}", look)


def _seen(seen: Seen, source: str) -> str:
    return (
        f"{seen.capture} {source}: frames {seen.first_frame} to {seen.last_frame}, {seen.frames} of them; "
        f"{endpoint(seen.client)} to {endpoint(seen.headend)}"
    )


def _facts(facts: DirectionFacts) -> str:
    """Every count that is not zero, under its name in the report."""
    counts = ((name, getattr(facts, name)) for name in facts.__struct_fields__)
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in counts if number) or "nothing"


def _episode(episode: Episode, names: Names) -> str:
    asked = count(episode.duplicate_acks, "duplicate ACK")
    if episode.sack_duplicate_acks:
        asked += f" ({episode.sack_duplicate_acks} by RFC 6675, with new SACK blocks)"
    shown = _frame_of_each(episode.first_duplicate_ack_frame, names) or "no capture"
    return (
        f"{episode.direction} wants {wanted(episode, names)}: {asked}, the first in {shown}, "
        f"{utc(episode.first_ns)} to {utc(episode.last_ns)}; {missing_segment(episode, names)}; "
        f"{answer(episode, names)}"
    )


def _evidence(one: Judged, look: Look) -> Iterator[str]:
    if look.depth >= Depth.WHY:
        for evidence in one.finding.evidence:
            yield from _claim(evidence, one.names, look)
        return
    for link in links(one.finding):
        shown = frames(link.frames, runs_at_most=RUNS_AT_A_GLANCE, names=one.names)
        yield from _stated(link.outcome, f"{link.says}: {link.because}", shown, look)


def _claim(evidence: Evidence, names: Names, look: Look) -> Iterator[str]:
    role = "" if evidence.role == "proof" else f"({evidence.role}) "
    shown = frames(evidence.frames, runs_at_most=None, names=names)
    yield from _stated(
        evidence.outcome, f"{role}{claim_words(evidence.claim)}: {evidence.because}", shown, look
    )
    if evidence.would_refute:
        yield from labelled("", f"would refute it: {evidence.would_refute}", look)
    if evidence.outcome == "unknown" and evidence.settled_by:
        yield from labelled("", f"settled by: {evidence.settled_by}", look)


def _stated(outcome: str, sentence: str, shown: str, look: Look) -> Iterator[str]:
    yield from labelled(outcome, f"{sentence} [{shown}]" if shown else sentence, look, role=outcome)


def _open_questions(one: Judged, look: Look) -> Iterator[str]:
    for other in one.finding.also_possible:
        why = f" ({other.because})" if look.depth >= Depth.WHY else ""
        how = f"; settled by: {other.settled_by}" if other.settled_by else ""
        yield from labelled("also fits", f"{other.verdict}{why}{how}", look)
    for missing in one.finding.missing_evidence:
        yield from labelled("lacking", missing, look)


def _fix(fix: Recommendation, look: Look) -> Iterator[str]:
    yield from _detail("change", fix.change, look)
    yield from _commands("commands", fix.commands)
    yield from _detail("cost", fix.cost, look)
    for step in fix.verify:
        yield from _detail("verify", step, look)
    yield from _commands("roll back", fix.roll_back)
    for caveat in fix.caveats:
        yield from _detail("caveat", caveat, look)
    yield from _detail("source", fix.source, look)


def _filters(one: Judged, look: Look) -> Iterator[str]:
    """One filter; deeper, those of the other captures, where addresses or numbers are others there."""
    home = one.finding.display_filter
    yield from _verbatim("filter", home, look)
    if look.depth < Depth.WHERE:
        return
    for capture, text in one.finding.display_filters.items():
        if text != home:
            yield from _verbatim("", f"{one.names.of(capture)}: {text}", look)


def _extent(report: Report) -> str:
    """Captures of one path show one connection several times."""
    told = report.coverage
    judged = f"{told.flows_judged} of {count(told.flows_seen, 'flow')} judged"
    if report.paths:
        judged = f"{count(told.flows_judged, 'connection')} judged, of {count(told.flows_seen, 'flow')} in all captures"
    return (
        f"{told.complete} of {count(told.captures, 'capture')} read to the end, {told.partial} in part, "
        f"{told.rejected} not at all; {count(told.frames, 'frame')}, "
        f"{count(told.tcp_segments, 'TCP segment')}; {judged}"
    )


def _remarks(capture: Capture) -> Iterator[tuple[str, str]]:
    """Labels and texts of what a capture lacks."""
    for damage in capture.damage:
        yield "damage", f"{capture.source}: {at(damage.offset)}{damage.reason}"
    for note in capture.notes:
        yield "note", f"{capture.source}: {note}"


def _paragraph(text: str, look: Look) -> Iterator[str]:
    yield from (INDENT + line for line in _folded(clean(text), look, len(INDENT)))


def labelled(
    label: str, text: str, look: Look, *, role: str = "label", indent: str = INDENT
) -> Iterator[str]:
    """A label beside a text; folded lines stand under the text."""
    margin = indent + look.pen.mark(role, clean(label)) + " " * max(LABEL_LEN - len(label), 1)
    for line in _folded(clean(text), look, len(indent) + LABEL_LEN):
        yield margin + line
        margin = indent + " " * LABEL_LEN


def _detail(label: str, text: str, look: Look) -> Iterator[str]:
    margin = INDENT + " " * LABEL_LEN
    label = label.ljust(DETAIL_LEN)
    for line in _folded(clean(text), look, len(margin) + DETAIL_LEN):
        yield margin + label + line
        label = " " * DETAIL_LEN


def _commands(label: str, commands: tuple[str, ...]) -> Iterator[str]:
    """Commands are copied, so they are never folded."""
    for command in commands:
        yield INDENT + " " * LABEL_LEN + label.ljust(DETAIL_LEN) + clean(command)
        label = ""


def _verbatim(label: str, text: str, look: Look) -> Iterator[str]:
    if text:
        yield INDENT + look.pen.mark("label", label) + " " * (LABEL_LEN - len(label)) + clean(text)


def _folded(text: str, look: Look, used: int) -> list[str]:
    if look.width is None:
        return [text]
    return wrap(text, max(look.width - used, NARROWEST), break_on_hyphens=False) or [""]

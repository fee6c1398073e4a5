"""Comparing: one capture, read by us and by tshark, frame by frame.

Reads it twice (which flows, then each of their segments) and asks tshark once.  Knows how the parts go together.  Does
not know why two labels differ: see reasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ctcp_forensics._kernel.rows import Packet, Status
from ctcp_forensics.capture import UNHASHED, open_capture
from ctcp_forensics.cases import cases_of
from ctcp_forensics.crosscheck.labels import By, Seen, labels_of
from ctcp_forensics.crosscheck.reasons import explanation
from ctcp_forensics.crosscheck.tshark import Answer, ask
from ctcp_forensics.crosscheck.wireshark import Kind
from ctcp_forensics.errors import CtcpError
from ctcp_forensics.flows import Conversation, Endpoint, conversation, endpoint
from ctcp_forensics.packets import Decoder
from ctcp_forensics.reading import Options, read
from ctcp_forensics.savefile import Reader

MAX_IN_FILTER = 64
"""Connections named in one display filter; beyond it tshark is asked about all, and the others are left out."""
FRAMES_LISTED = 20
UNEXPLAINED = "unexplained"
STDIN = "-"


class NotAFileError(CtcpError):
    """The capture has to be read several times, by two programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How often one label was given in one flow, and by whom."""

    kind: Kind
    both: int
    ours: int
    tshark: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """Frames that only one of the two labels so, all for the same reason."""

    kind: Kind
    by: By
    rule: str
    because: str
    count: int
    frames: tuple[int, ...]
    """The first FRAMES_LISTED."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCheck:
    """One connection, compared; one port pair that was used twice counts as one."""

    client: Endpoint
    headend: Endpoint
    carries: str
    frames: int
    tallies: tuple[Tally, ...]
    differences: tuple[Differing, ...]

    @property
    def unexplained(self) -> int:
        return sum(one.count for one in self.differences if one.rule == UNEXPLAINED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crosscheck:
    """Every flow in question, beside Wireshark."""

    source: str
    tshark: str
    display_filter: str
    complaint: str
    """What tshark said where it could not read the capture to its end; empty otherwise."""
    flows: tuple[FlowCheck, ...]

    @property
    def unexplained(self) -> int:
        return sum(flow.unexplained for flow in self.flows)


@dataclass(slots=True)
class Comparison:
    """The labels of one conversation, as they come in."""

    frames: int = 0
    counts: dict[tuple[Kind, bool, bool], int] = field(default_factory=dict)
    differing: dict[tuple[Kind, By, str, str], list[int]] = field(default_factory=dict)

    def take(self, seen: Seen, theirs: frozenset[Kind]) -> None:
        self.frames += 1
        ours = seen.labels
        for kind in ours | theirs:
            given = (kind, kind in ours, kind in theirs)
            self.counts[given] = self.counts.get(given, 0) + 1
            if (kind in ours) != (kind in theirs):
                self.explain(seen, kind, By.US if kind in ours else By.TSHARK)

    def explain(self, seen: Seen, kind: Kind, by: By) -> None:
        rule = explanation(seen, kind, by)
        reason = (UNEXPLAINED, "no rule explains it") if rule is None else (rule.slug, rule.says)
        self.differing.setdefault((kind, by, *reason), []).append(seen.packet.frame)


def crosscheck(source: str, options: Options) -> Crosscheck:
    """Compare the flows in question of one capture with tshark's view of them."""
    if source == STDIN:
        raise NotAFileError("crosscheck reads the capture several times: give it a file, not standard input")
    wanted = flows_in_question(source, options)
    answer = ask(source, "" if options.all_tcp else display_filter(list(wanted)))
    compared = compare(source, wanted, answer)
    return Crosscheck(
        source=source,
        tshark=answer.version,
        display_filter=answer.display_filter,
        complaint=answer.complaint,
        flows=tuple(flow_check(*wanted[key], one) for key, one in compared.items()),
    )


def flows_in_question(source: str, options: Options) -> dict[Conversation, tuple[Endpoint, Endpoint, str]]:
    """Client, headend and what the flow carries, by conversation; the first flow of each names it."""
    reading = read(source, options)
    found: dict[Conversation, tuple[Endpoint, Endpoint, str]] = {}
    for case in cases_of(reading, options):
        row = case.flow.row
        key = conversation(row.src, row.sport, row.dst, row.dport)
        found.setdefault(key, (case.flow.client, case.flow.headend, case.encapsulation.kind))
    return found


def key_of(packet: Packet) -> Conversation:
    return conversation(packet.src, packet.sport, packet.dst, packet.dport)


def display_filter(conversations: list[Conversation]) -> str:
    """Wireshark's words for these conversations; none where they are too many to name."""
    if len(conversations) > MAX_IN_FILTER:
        return ""
    return " || ".join(map(filter_of, conversations)) or "frame.number == 0"


def filter_of(key: Conversation) -> str:
    one, other = endpoint(key[0], key[1]), endpoint(key[2], key[3])
    field_ = "ip.addr" if len(key[0]) == 4 else "ipv6.addr"
    return (
        f"({field_} == {one.address} && {field_} == {other.address} && "
        f"tcp.port == {one.port} && tcp.port == {other.port})"
    )


def compare(
    source: str, wanted: dict[Conversation, tuple[Endpoint, Endpoint, str]], answer: Answer
) -> dict[Conversation, Comparison]:
    compared = {key: Comparison() for key in wanted}
    in_question = (one for one in segments(source) if key_of(one[0]) in wanted)
    for seen in labels_of(in_question):
        theirs = answer.labels.get(seen.packet.frame, frozenset())
        compared[key_of(seen.packet)].take(seen, theirs)
    return compared


def segments(source: str) -> Iterator[tuple[Packet, int]]:
    """Each TCP segment with its payload as far as its frame reaches, as Wireshark takes it."""
    decoder = Decoder()
    with open_capture(source, hashing=UNHASHED) as capture:
        reader = Reader(capture.chunks(), source=source)
        for buffer, frames in reader.batches():
            packets = decoder.decode(buffer, frames)
            for index in range(len(packets)):
                packet = packets[index]
                if packet.status == Status.TCP:
                    frame = frames[index]
                    is_whole = frame.captured_len == frame.original_len
                    yield packet, packet.captured_payload_len if is_whole else packet.payload_len


def flow_check(client: Endpoint, headend: Endpoint, carries: str, one: Comparison) -> FlowCheck:
    return FlowCheck(
        client=client,
        headend=headend,
        carries=carries,
        frames=one.frames,
        tallies=tuple(tally_of(kind, one) for kind in Kind),
        differences=tuple(differences_of(one)),
    )


def tally_of(kind: Kind, one: Comparison) -> Tally:
    return Tally(
        kind=kind,
        both=one.counts.get((kind, True, True), 0),
        ours=one.counts.get((kind, True, False), 0),
        tshark=one.counts.get((kind, False, True), 0),
    )


def differences_of(one: Comparison) -> Iterator[Differing]:
    """By kind, with the first of their frames."""
    for (kind, by, rule, because), frames in sorted(one.differing.items()):
        yield Differing(
            kind=kind,
            by=by,
            rule=rule,
            because=because,
            count=len(frames),
            frames=tuple(frames[:FRAMES_LISTED]),
        )

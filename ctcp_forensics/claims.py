"""Claims: the checks, one sentence each, that verdicts are made of.

Each takes a case and answers holds, fails or unknown, with a because and frames.
The guards of ctcp-protocol §5 are named by their numerals.  Knows facts and
thresholds.  Does not know which claims make which verdict: see verdict.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.ctcp import ESP_LIKE, Grade
from ctcp_forensics.ctcp import UNKNOWN as PAYLOAD_UNKNOWN
from ctcp_forensics.episodes import DUP_THRESH, Episode, Hole
from ctcp_forensics.evidence import Answer, Outcome, claim
from ctcp_forensics.flows import Direction, EndingKind, Flow

HOLDS, FAILS, UNKNOWN = Outcome.HOLDS, Outcome.FAILS, Outcome.UNKNOWN

SECOND: Final = 1_000_000_000
STUCK_NS: Final = 4 * SECOND
"""Guard iv, and the ASA's default time to wait for a missing segment (tcp-map queue-limit timeout, 4 s)."""
NEW_SEGMENTS: Final = 3
"""Guard iv: the sender went on with at least so many new segments."""
OUTLAST_NS: Final = 10 * SECOND
"""Guard vi: the capture runs on for so long after the first duplicate ACK, or to the FIN or RST."""
WRAP_MARGIN: Final = 1 << 16
"""Guard vii: QuickSec compares ACKs as plain numbers, so an ACK may freeze within one window of 2³²."""
TIMER_NS: Final = SECOND
"""Keep-alive timers run in seconds (IOS cTCP default: 5 s); an ACK that answers data comes at once."""
TIMER_JITTER: Final = 0.1
"""Guard iii: 5 ± 0.5 s."""
PEER_SILENT_NS: Final = 4 * SECOND
IDLE_NS: Final = 60 * SECOND
"""The shortest idle timeout that a stateful box is commonly given for TCP; ASA's default is one hour."""
REPLY_NS: Final = 5 * SECOND
VANISHED_NS: Final = 10 * SECOND
LINK_DOWN_SILENCE: Final = 10
"""A silence ten times longer than any before is not the rhythm of the flow."""
FAREWELL_NS: Final = 2 * SECOND
"""An ISAKMP informational (a delete) this close before the close announces it."""
MTU_HOLES: Final = 3
IKE_INFORMATIONAL: Final = 5
SPACE: Final = 1 << 32

NO_QUESTION: Answer = (FAILS, "no duplicate ACK with outstanding data was left open")


def seconds(ns: int) -> str:
    return f"{ns / SECOND:.1f} s"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def way(direction: Direction) -> str:
    return direction.name.replace("-", " ")


# --- identity -----------------------------------------------------------------------------


@claim(
    would_refute="full payloads without the trailer, or the opening bytes of another protocol",
    settled_by="a capture with full frames (snap length 0 or packet-length 1522)",
)
def carries_ctcp(case: Case) -> Answer:
    """The flow carries Cisco's IPsec over TCP (guard i)."""
    found = case.encapsulation
    if found.is_ctcp:
        return HOLDS, found.because
    if found.kind in (ESP_LIKE, PAYLOAD_UNKNOWN) or found.grade == Grade.POSSIBLE:
        return UNKNOWN, found.because
    return FAILS, found.because


@claim(would_refute="a trailer of IPsec over TCP at the end of the payloads")
def is_something_else(case: Case) -> Answer:
    """The flow carries something other than IPsec over TCP."""
    outcome = carries_ctcp.check(case)[0]
    opposite = {HOLDS: FAILS, FAILS: HOLDS, UNKNOWN: UNKNOWN}[outcome]
    return opposite, case.encapsulation.because


@claim(would_refute="a frame of the other direction", settled_by="a capture of both directions of the flow")
def only_one_direction_was_seen(case: Case) -> Answer:
    """The capture shows one direction only, though the other was there."""
    absent = [d for d in case.flow.directions if d.row.frames == 0]
    if not absent:
        return FAILS, "both directions were captured"
    present = case.flow.opposite(absent[0])
    if present.row.data_segments or present.row.pure_acks:
        because = f"no frame went {way(absent[0])}, though the other end acknowledges and sends"
        return HOLDS, because, [present.row.first_frame]
    return FAILS, "nothing shows that the other end ever answered"


# --- link 1: a segment is missing ---------------------------------------------------------


@claim(
    would_refute="the missing bytes, in any later frame",
    settled_by="a capture at the other side of the loss",
)
def a_segment_is_missing(case: Case) -> Answer:
    """A segment is missing at the receiver: the byte that its ACKs ask for."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    hole = hole_at(direction, episode.row.wanted_pos)
    if hole is not None:
        return HOLDS, hole_sentence(direction, hole), [hole.row.before_frame, hole.row.opened_frame]
    if episode.missing_segment_frame is not None:
        because = (
            f"frame {episode.missing_segment_frame} carries byte {episode.wanted_seq} past this capture point; "
            f"the ACKs behind it still ask for that byte, so it was lost further on"
        )
        return HOLDS, because, [episode.missing_segment_frame, episode.row.first_frame]
    if episode.row.wanted_seen:
        because = f"byte {episode.wanted_seq} passed this capture point before it was asked for"
        return HOLDS, because, [episode.row.first_frame]
    return UNKNOWN, f"byte {episode.wanted_seq} lies before what this capture shows"


def hole_at(direction: Direction, position: int) -> Hole | None:
    for hole in reversed(direction.holes):
        if hole.holds(position) and not hole.is_filled:
            return hole
    return None


def hole_sentence(direction: Direction, hole: Hole) -> str:
    start, end = direction.absolute(hole.row.start_pos), direction.absolute(hole.row.end_pos)
    sentence = f"bytes {start} to {end} ({hole.length} bytes, {way(direction)}) are in no frame of this capture"
    if hole.row.esp_missing:
        sentence += f"; the ESP sequence skips {count(hole.row.esp_missing, 'number')} there"
    return sentence


# --- link 2: it was asked for, and nobody answered ---------------------------------------------


@claim(
    would_refute="fewer than three duplicate ACKs, or nothing outstanding when they were sent",
    settled_by="a longer capture, or one nearer to the receiver of the ACKs",
)
def it_was_asked_for(case: Case) -> Answer:
    """Three or more duplicate ACKs ask for it while data is outstanding (guard ii, RFC 5681 §2)."""
    episode = case.episode
    if episode is None:
        return NO_QUESTION
    row = episode.row
    asks = f"{count(episode.asks, 'duplicate ACK')} for byte {episode.wanted_seq}"
    because = f"{asks} in {seconds(row.last_ns - row.first_ns)}, {row.outstanding} bytes outstanding at the first"
    frames = (*row.frames, row.last_frame)
    if episode.asks >= DUP_THRESH:
        return HOLDS, because, frames
    return UNKNOWN, f"only {because}; three make a request (DupThresh, RFC 5681 §3.2)", frames


@claim(
    would_refute="ACKs at a fixed period of seconds, whether or not data was sent between them",
    settled_by="a capture at the ASA, where the data that prompts each ACK is seen next to it",
)
def the_asking_follows_the_data(case: Case) -> Answer:
    """The duplicate ACKs follow data; they are not a keep-alive timer (guard iii)."""
    episode = case.episode
    if episode is None:
        return NO_QUESTION
    row = episode.row
    prompted = f"{row.prompted} of {episode.asks} came after a new data segment"
    if is_timer_like(episode):
        period = seconds(row.shortest_interval_ns)
        return FAILS, f"they come every {period} like a keep-alive; {prompted}", row.frames
    if row.prompted >= min(DUP_THRESH, episode.asks) and row.prompted * 2 >= episode.asks:
        return HOLDS, prompted, row.frames
    return UNKNOWN, f"only {prompted}", row.frames


def is_timer_like(episode: Episode) -> bool:
    """A steady period of a second or more, while the data kept another rhythm."""
    row = episode.row
    if episode.asks < DUP_THRESH or row.shortest_interval_ns < TIMER_NS:
        return False
    steady = row.longest_interval_ns - row.shortest_interval_ns <= 2 * TIMER_JITTER * row.longest_interval_ns
    one_to_one = abs(row.new_segments - episode.asks) <= 1
    return steady and not one_to_one


@claim(
    would_refute="a later segment that carries the wanted byte",
    settled_by="a capture without drops at the sender's side",
)
def nobody_answered(case: Case) -> Answer:
    """No later segment carries the wanted byte (guard v)."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    row = episode.row
    if episode.is_answered:
        return FAILS, f"frame {row.answered_frame} carries byte {episode.wanted_seq} again", [row.answered_frame]
    if not direction.row.data_segments:
        return UNKNOWN, f"this capture shows no data {way(direction)}, so an answer would not be seen"
    because = f"no segment after frame {row.first_frame} carries byte {episode.wanted_seq}"
    if row.rewritten_frame != NEVER:
        because += f"; frame {row.rewritten_frame} puts another ESP message at its place, which is no answer"
    return HOLDS, because, [row.first_frame]


@claim(would_refute="one segment of this direction sent twice")
def the_sender_never_repeats(case: Case) -> Answer:
    """The sender sent nothing twice, anywhere in the flow: it is no real TCP."""
    direction = case.direction
    if direction is None:
        return NO_QUESTION
    row = direction.row
    if row.retransmissions:
        return FAILS, f"{count(row.retransmissions, 'retransmission')} {way(direction)}: this sender does send again"
    if row.undecided_repeats:
        return UNKNOWN, f"{count(row.undecided_repeats, 'segment')} may be late originals or retransmissions"
    return HOLDS, f"none of {row.data_segments} data segments {way(direction)} repeats another"


# --- link 3: stalled, and died while its sender was still sending -------------------------------


@claim(would_refute="an ACK beyond the wanted byte")
def the_ack_never_moved_again(case: Case) -> Answer:
    """No ACK ever went beyond the wanted byte."""
    episode = case.episode
    if episode is None:
        passed = [one for d in case.flow.directions for one in d.episodes if one.is_passed]
        if not passed:
            return NO_QUESTION
        last = passed[-1].row
        return FAILS, f"the ACK went on in frame {last.passed_frame}", [last.passed_frame]
    return HOLDS, f"the ACK stays at {episode.wanted_seq} to the end", [episode.row.last_frame]


@claim(
    would_refute="a stall shorter than 4 s, or a sender that stopped",
    settled_by="a capture that runs until the connection has been given up",
)
def the_sender_went_on(case: Case) -> Answer:
    """The sender went on for 4 s or more with three or more new segments (guard iv)."""
    episode = case.episode
    if episode is None:
        return NO_QUESTION
    row = episode.row
    frames = [row.new_first_frame, row.new_last_frame]
    because = f"{count(row.new_segments, 'new segment')} in the {seconds(episode.stuck_ns)} after the first duplicate ACK"
    if row.new_segments >= NEW_SEGMENTS and episode.stuck_ns >= STUCK_NS:
        return HOLDS, because, frames
    outcome = UNKNOWN if case.closed_after is None else FAILS
    return outcome, f"only {because}", frames


@claim(
    would_refute="a capture that stops within 10 s of the first duplicate ACK",
    settled_by="a longer capture; on an ASA a larger or circular buffer",
)
def the_capture_outlasts_the_stall(case: Case) -> Answer:
    """The capture runs 10 s past the first duplicate ACK, or to the FIN or RST (guard vi)."""
    episode = case.episode
    if episode is None:
        return NO_QUESTION
    since = case.surroundings.last_ns - episode.row.first_ns
    ending = case.flow.ending
    if ending.frame is not None and ending.at_ns >= episode.row.first_ns:
        return HOLDS, ending.because, [ending.frame]
    if since >= OUTLAST_NS:
        return HOLDS, f"the capture runs on for {seconds(since)} after the first duplicate ACK"
    return UNKNOWN, f"the capture ends {seconds(since)} after the first duplicate ACK"


@claim(
    would_refute="data of the peer until the end: the connection works although its ACK is stuck",
    settled_by="a capture that runs until the connection has been given up",
)
def the_flow_is_dead(case: Case) -> Answer:
    """The connection no longer worked: closed, silent, or its peer said nothing more."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    end_ns = max(case.flow.row.last_ns, episode.row.new_last_ns)
    peer = case.flow.opposite(direction)
    spoke_ns = max(episode.row.piggybacked_last_ns, episode.row.first_ns)
    silent_ns = end_ns - spoke_ns
    frames = [frame for frame in (case.flow.ending.frame, peer.row.data_last_frame) if frame is not None]
    if silent_ns >= PEER_SILENT_NS:
        return HOLDS, f"in the last {seconds(silent_ns)} no data came back {way(peer)}", frames
    if case.flow.ending.kind in (EndingKind.FIN, EndingKind.RST, EndingKind.SILENCE):
        if dpd_unanswered(direction, peer, episode):
            return HOLDS, "IKE messages of the sender stayed without an answer until it closed", frames
        return UNKNOWN, f"{case.flow.ending.because}, but data came back {way(peer)} until then", frames
    return FAILS, f"data still came back {way(peer)} when the capture ended", frames


def dpd_unanswered(direction: Direction, peer: Direction, episode: Episode) -> bool:
    """The sender's last IKE message came after the stall began, and none of the peer's did."""
    asked = direction.row.last_ike_ns >= episode.row.first_ns and direction.row.last_ike_ns != NEVER
    return asked and peer.row.last_ike_ns < episode.row.first_ns


# --- doubts: they lower the confidence -----------------------------------------------------------


@claim(
    would_refute="a wanted byte within 64 KiB of the wrap",
    settled_by="a second failure at another sequence number",
)
def away_from_the_wrap(case: Case) -> Answer:
    """The wanted byte is not near the 2³² wrap, where an ACK may freeze by itself (guard vii)."""
    episode = case.episode
    if episode is None:
        return NO_QUESTION
    distance = min(episode.wanted_seq, SPACE - episode.wanted_seq)
    if distance < WRAP_MARGIN:
        return FAILS, f"byte {episode.wanted_seq} lies {distance} bytes from the wrap"
    return HOLDS, f"byte {episode.wanted_seq} lies {distance} bytes from the wrap"


@claim(
    would_refute="a capture that ends during the stall",
    settled_by="a capture that runs until the connection has been given up",
)
def the_end_was_seen(case: Case) -> Answer:
    """The flow was closed, or fell silent while the capture went on."""
    ending = case.flow.ending
    if ending.kind == EndingKind.CAPTURE_ENDED:
        return FAILS, ending.because
    return HOLDS, ending.because, [ending.frame] if ending.frame is not None else []


@claim(
    would_refute="an ACK that never moved from the start",
    settled_by="a capture that begins before the connection",
)
def the_receiver_had_followed(case: Case) -> Answer:
    """Before the stall the ACK had followed the data."""
    direction, episode = case.direction, case.episode
    if direction is None or episode is None:
        return NO_QUESTION
    moved_frame = direction.row.acked_frame
    beyond_syn = episode.row.wanted_pos > 1 if direction.row.isn_known else True
    if beyond_syn and moved_frame != NEVER and direction.row.acked_ns <= episode.row.first_ns:
        return HOLDS, f"frame {moved_frame} was the last to move it, to {episode.wanted_seq}", [moved_frame]
    return FAILS, "the ACK never moved: the first message itself is the one asked for"


@claim(
    would_refute="a drop counter above zero, or damage in the savefile",
    settled_by="a capture without drops",
)
def the_capture_is_whole(case: Case) -> Answer:
    """The capture itself lost nothing that could have been the answer."""
    around = case.surroundings
    if around.dropped_frames:
        return FAILS, f"the capturing host admits {count(around.dropped_frames, 'dropped frame')}: an answer may be among them"
    if around.is_damaged:
        return FAILS, "the savefile is damaged; what it lost is not known"
    return HOLDS, "no drop counter is above zero and the savefile is whole"


# --- other explanations ----------------------------------------------------------------------------


@claim(would_refute="no duplicate ACK with outstanding data, or one that was passed")
def a_question_is_left_open(case: Case) -> Answer:
    """Duplicate ACKs were left open at the end, in a flow that may be IPsec over TCP."""
    episode = case.episode
    if episode is None or episode.is_answered:
        return NO_QUESTION
    if case.encapsulation.is_ctcp or carries_ctcp.check(case)[0] == UNKNOWN:
        because = f"{count(episode.asks, 'duplicate ACK')} for byte {episode.wanted_seq} were still open at the end"
        return HOLDS, because, episode.row.frames
    return FAILS, "this sender is an ordinary TCP; why it did not answer is told by how the flow ended"


@claim(would_refute="an episode that nobody answered")
def questions_were_answered(case: Case) -> Answer:
    """Duplicate ACKs were asked and the sender sent again."""
    answered = [one for d in case.flow.directions for one in d.episodes if one.is_answered]
    resent = sum(d.row.retransmissions for d in case.flow.directions)
    if not case.episode_count:
        return FAILS, "there was no duplicate ACK to answer"
    if not answered or not resent:
        return FAILS, "no answer to a duplicate ACK was seen"
    first = answered[0]
    asks = count(first.asks, "duplicate ACK")
    because = f"after {asks} for byte {first.wanted_seq} frame {first.row.answered_frame} carries it again"
    if len(answered) > 1:
        because += f"; {count(len(answered) - 1, 'more question')} answered likewise"
    return HOLDS, because, [*first.row.frames, first.row.answered_frame]


@claim(would_refute="no hole and no skipped ESP number in either direction")
def loss_was_seen(case: Case) -> Answer:
    """Segments are missing in this capture: holes that nothing filled, or skipped ESP numbers."""
    losing = [d for d in case.flow.directions if d.shows_loss]
    if not losing:
        return FAILS, "no hole stayed open and no ESP sequence number is missing"
    because = "; ".join(loss_sentence(d) for d in losing)
    frames = [hole.row.opened_frame for d in losing for hole in d.unfilled[:4]]
    return HOLDS, because, frames


def loss_sentence(direction: Direction) -> str:
    holes = direction.row.holes_opened - direction.row.holes_filled
    sentence = f"{way(direction)}: {count(holes, 'hole')} never filled"
    if direction.row.esp_missing:
        sentence += f", {count(direction.row.esp_missing, 'ESP number')} never seen"
    return sentence


@claim(would_refute="a direction that said nothing more after the loss")
def both_ends_went_on(case: Case) -> Answer:
    """Both ends went on after the loss: ACKs passed over it, or data kept coming both ways."""
    losing = [d for d in case.flow.directions if d.shows_loss]
    if not losing:
        return FAILS, "there was no loss to go on after"
    for direction in losing:
        frames = went_on_frames(case.flow, direction)
        if not frames:
            return UNKNOWN, f"nothing shows that the loss {way(direction)} was overcome"
    return HOLDS, "the ACKs pass over the missing bytes and data goes on", frames


def went_on_frames(flow: Flow, direction: Direction) -> list[int]:
    """Frames that show it: an ACK beyond a hole, or later data of both ends."""
    passed = [hole.row.acked_frame for hole in direction.unfilled if hole.is_acked_past]
    if passed:
        return passed[-2:]
    last_loss = max((hole.row.opened_frame for hole in direction.unfilled), default=0)
    latest = [d.row.data_last_frame for d in flow.directions]
    return latest if min(latest) > last_loss else []


@claim(would_refute="a SYN-ACK", settled_by="a capture at the headend's side")
def the_handshake_failed(case: Case) -> Answer:
    """A SYN was sent and the connection was never established."""
    flow = case.flow.row
    if flow.syn_frame == NEVER:
        return FAILS, "no SYN was captured"
    if flow.syn_ack_frame != NEVER:
        return FAILS, f"frame {flow.syn_ack_frame} is the SYN-ACK", [flow.syn_ack_frame]
    if any(d.row.data_segments or d.row.pure_acks for d in case.flow.directions):
        return FAILS, "segments after the handshake were seen, so the SYN-ACK passed elsewhere"
    tried = f"{count(flow.syns, 'SYN')} and no SYN-ACK"
    refusals = [d.row.rst_frame for d in case.flow.directions if d.row.rst_frame != NEVER]
    if refusals:
        return HOLDS, f"{tried}; refused by the RST in frame {refusals[0]}", [flow.syn_frame, *refusals]
    return HOLDS, tried, [flow.syn_frame, flow.last_frame]


@claim(would_refute="an ESP message", settled_by="the headend's IKE log for this client")
def ike_never_completed(case: Case) -> Answer:
    """IKE messages were exchanged or repeated, and no ESP ever followed."""
    ike = sum(d.row.ike_messages for d in case.flow.directions)
    repeats = sum(d.row.ike_repeats for d in case.flow.directions)
    if case.has_esp or not ike:
        return FAILS, "ESP messages were seen" if case.has_esp else "no IKE message was seen"
    because = f"{count(ike, 'IKE message')}, {repeats} of them repeated, and no ESP"
    last = [d.row.last_ike_frame for d in case.flow.directions]
    if repeats >= 2 or case.flow.ending.kind != EndingKind.CAPTURE_ENDED:
        return HOLDS, because, last
    return UNKNOWN, f"{because} before the capture ended", last


@claim(would_refute="a small segment missing too", settled_by="ping with DF set, in steps of size")
def only_large_segments_vanish(case: Case) -> Answer:
    """Segments above a size are lost and smaller ones are not: a path MTU black hole."""
    for error in case.icmp_errors:
        if error.kind == "fragmentation-needed":
            return HOLDS, f"ICMP fragmentation needed, MTU {error.mtu}, quotes this flow", [error.frame]
    for direction in case.flow.directions:
        row, lost = direction.row, direction.unfilled
        if len(lost) >= MTU_HOLES and row.smallest_missing_len > row.max_payload_len:
            because = (
                f"{way(direction)}: {len(lost)} segments of {row.smallest_missing_len} bytes or more are missing, "
                f"all up to {row.max_payload_len} bytes arrive"
            )
            return HOLDS, because, [hole.row.opened_frame for hole in lost[:8]]
    return FAILS, "the missing segments are not the large ones"


@claim(would_refute="no ICMP error about this flow", settled_by="an asp-drop capture on the firewall")
def a_firewall_says_no(case: Case) -> Answer:
    """A box on the path says that it drops this flow (ICMP administratively prohibited)."""
    for error in case.icmp_errors:
        if error.kind == "prohibited":
            return HOLDS, "ICMP administratively prohibited quotes this flow", [error.frame]
    return FAILS, "no ICMP error of a filter quotes this flow"


@claim(would_refute="a SYN on the later flow, or another SPI", settled_by="the translation log of the NAT")
def its_spi_goes_on_elsewhere(case: Case) -> Answer:
    """The same SPI goes on from another address or port, without a SYN."""
    later = case.rebound_to
    if later is None:
        return FAILS, "no other flow goes on with its SPI"
    client = f"{later.client.address}:{later.client.port}"
    return HOLDS, f"frame {later.row.first_frame} goes on with its SPI from {client}", [later.row.first_frame]


@claim(would_refute="a window above zero later on", settled_by="a capture at the receiver")
def the_window_stayed_closed(case: Case) -> Answer:
    """The receiver closed its window and never opened it again; the sender obeyed."""
    for direction in case.flow.directions:
        receiver = case.flow.opposite(direction).row
        probed = direction.row.keep_alives + direction.row.zero_window_probes
        if receiver.last_window == 0 and receiver.zero_windows >= 2 and probed:
            because = (
                f"{count(receiver.zero_windows, 'segment')} with window 0, the last of its sender among them; "
                f"{count(probed, 'probe')} {way(direction)}"
            )
            return HOLDS, because, [receiver.last_frame, direction.row.last_frame]
    return FAILS, "no window stayed at zero"


@claim(would_refute="data or keep-alives within the silence", settled_by="the connection's timeout on the firewall")
def it_did_not_survive_a_silence(case: Case) -> Answer:
    """After a long silence of both ends the first segment had no answer, or a RST."""
    row = case.flow.row
    if row.longest_silence_ns < IDLE_NS:
        return FAILS, f"the longest silence was {seconds(row.longest_silence_ns)}"
    speaker = case.flow.sent_by(row.silence_to_direction)
    other = case.flow.opposite(speaker).row
    silence = f"{seconds(row.longest_silence_ns)} of silence, then frame {row.silence_to_frame}"
    frames = [row.silence_from_frame, row.silence_to_frame]
    if other.last_frame < row.silence_to_frame:
        return HOLDS, f"{silence} had no answer", frames
    only_reset = other.rst_frame > row.silence_to_frame and other.data_last_frame < row.silence_to_frame
    if only_reset and other.rst_frame == other.last_frame:
        return HOLDS, f"{silence} was answered by the RST in frame {other.rst_frame}", [*frames, other.rst_frame]
    return FAILS, f"{silence} was answered"


@claim(
    would_refute="a RST with the TTL of its alleged sender",
    settled_by="a capture at the side of the alleged sender: the RST is absent there",
)
def the_reset_came_from_elsewhere(case: Case) -> Answer:
    """The RST was not made by the end whose address it bears."""
    author = reset_author(case)
    if author is None:
        return FAILS, "there was no RST that ended the flow"
    row = author.row
    if row.ttl_min == NEVER:
        return UNKNOWN, "nothing else of its alleged sender was captured to compare the RST with", [row.rst_frame]
    because = f"its TTL is {row.rst_ttl}, other segments of its alleged sender have {ttl_range(author)}"
    if row.ttl_min <= row.rst_ttl <= row.ttl_max:
        return FAILS, because, [row.rst_frame]
    return HOLDS, because, [row.rst_frame]


def reset_author(case: Case) -> Direction | None:
    """The direction in which the ending RST went."""
    ending = case.flow.ending
    if ending.kind != EndingKind.RST:
        return None
    return next(d for d in case.flow.directions if d.name == ending.direction)


def ttl_range(direction: Direction) -> str:
    low, high = direction.row.ttl_min, direction.row.ttl_max
    return str(low) if low == high else f"{low} to {high}"


@claim(would_refute="no RST, or one with another TTL than its alleged sender's")
def an_end_reset_it(case: Case) -> Answer:
    """One end closed the flow with a RST of its own."""
    author = reset_author(case)
    if author is None:
        return FAILS, "there was no RST that ended the flow"
    outcome = the_reset_came_from_elsewhere.check(case)[0]
    opposite = {HOLDS: FAILS, FAILS: HOLDS, UNKNOWN: UNKNOWN}[outcome]
    return opposite, f"frame {author.row.rst_frame} is a RST that went {way(author)}", [author.row.rst_frame]


@claim(would_refute="a RST in the middle of a burst, or no close at all")
def it_was_closed_in_order(case: Case) -> Answer:
    """The flow was closed in order: by FIN, or by a RST that an IKE informational announced."""
    ending = case.flow.ending
    if ending.kind == EndingKind.FIN:
        return HOLDS, ending.because, [ending.frame or 0]
    if ending.kind != EndingKind.RST:
        return FAILS, ending.because
    for direction in case.flow.directions:
        row = direction.row
        said_goodbye = row.last_ike_exchange == IKE_INFORMATIONAL and 0 <= ending.at_ns - row.last_ike_ns <= FAREWELL_NS
        if said_goodbye and peer_was_alive(case, ending.at_ns):
            because = f"an IKE informational in frame {row.last_ike_frame}, then {ending.because}"
            return HOLDS, because, [row.last_ike_frame, ending.frame or 0]
    return FAILS, f"{ending.because}, and no IKE informational announced it"


def peer_was_alive(case: Case, at_ns: int) -> bool:
    """Both ends had sent within the last seconds before the close."""
    return all(at_ns - d.row.last_ns <= VANISHED_NS for d in case.flow.directions)


@claim(
    would_refute="any frame of the silent end",
    settled_by="a capture at the silent end's side: did it send, did it receive?",
)
def one_end_fell_silent(case: Case) -> Answer:
    """One end said nothing more while the other went on sending."""
    return frames_without_reply(case) or messages_without_reply(case) or (FAILS, "neither end went on alone for long")


def frames_without_reply(case: Case) -> Answer | None:
    """Not even a bare ACK came back."""
    row = case.flow.row
    speaker = case.flow.sent_by(row.tail_direction)
    silent, alone_ns = case.flow.opposite(speaker), speaker.row.last_ns - row.tail_first_ns
    if row.tail_data_segments < NEW_SEGMENTS or alone_ns < VANISHED_NS or not silent.row.frames:
        return None
    because = (
        f"the last {count(row.tail_frames, 'frame')} in {seconds(alone_ns)} all go {way(speaker)}, "
        f"{row.tail_data_segments} of them with data; nothing comes back"
    )
    return HOLDS, because, [silent.row.last_frame, row.tail_first_frame, row.last_frame]


def messages_without_reply(case: Case) -> Answer | None:
    """Bare ACKs may still come back, made by a box on the path; IPsec messages do not."""
    row = case.flow.row
    if not case.may_be_ctcp or row.data_tail_direction == NEVER:
        return None
    speaker = case.flow.sent_by(row.data_tail_direction)
    silent = case.flow.opposite(speaker)
    since_ns = row.last_ns - silent.row.data_last_ns
    if row.data_tail_segments < NEW_SEGMENTS or since_ns < VANISHED_NS or not silent.row.data_segments:
        return None
    because = (
        f"frame {silent.row.data_last_frame} is the last message {way(silent)}; {row.data_tail_segments} more go "
        f"{way(speaker)}, and in {seconds(since_ns)} nothing but bare ACKs comes back"
    )
    return HOLDS, because, [silent.row.data_last_frame, row.data_tail_first_frame, speaker.row.data_last_frame]


@claim(
    would_refute="any later frame of the flow",
    settled_by="a capture of the link itself, or the interface log",
)
def both_ends_fell_silent_at_once(case: Case) -> Answer:
    """Both ends fell silent at once in the middle of their work, while the capture went on."""
    ending, row = case.flow.ending, case.flow.row
    if ending.kind != EndingKind.SILENCE:
        return FAILS, ending.because
    silent_ns = case.surroundings.last_ns - row.last_ns
    busy = row.longest_silence_ns * LINK_DOWN_SILENCE <= silent_ns and row.frames >= 20
    waiting = any(d.row.next_pos > d.row.acked_pos >= 0 for d in case.flow.directions)
    if busy and waiting:
        because = f"{ending.because}; until then it was never silent for more than {seconds(row.longest_silence_ns)}"
        return HOLDS, because, [row.last_frame]
    return FAILS, "the flow had been as silent before, or owed nothing"


@claim(would_refute="trouble of any kind")
def nothing_is_wrong(case: Case) -> Answer:
    """Nothing of what this capture shows needs an explanation."""
    open_questions = [d for d in case.flow.directions if d.fatal is not None and d.fatal.is_open]
    if open_questions:
        return FAILS, "a question was left open"
    if any(d.shows_loss for d in case.flow.directions) and case.may_be_ctcp:
        return FAILS, "segments are missing"
    return HOLDS, "no loss, no open question, no unexplained end"


@claim(would_refute="a payload whose end was captured", settled_by="a capture with full frames")
def what_it_carries_was_not_captured(case: Case) -> Answer:
    """The capture does not show what the flow carries."""
    if case.encapsulation.kind in (PAYLOAD_UNKNOWN, ESP_LIKE):
        return HOLDS, case.encapsulation.because
    return FAILS, case.encapsulation.because

"""Silences: a flow that was forgotten in one, an end that fell silent, and both ends at once.

Knows who spoke last, for how long alone, and how long is long.  Does not know how a flow was closed: see closes.
"""

from __future__ import annotations

from typing import Final

from ctcp_forensics._kernel.rows import NEVER
from ctcp_forensics.case import Case
from ctcp_forensics.claims.identity import is_something_else
from ctcp_forensics.claims.passage import link_is_cut
from ctcp_forensics.claims.words import FAILS, HOLDS, OPPOSITE, SECOND, UNKNOWN, count, seconds, way
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import SPLICED_NS, Direction, EndingKind

IDLE_NS: Final = 60 * SECOND
"""The shortest idle timeout that a stateful box is commonly given for TCP; ASA's default is one hour."""
REPLY_NS: Final = 5 * SECOND
ALONE_SEGMENTS: Final = 3
VANISHED_NS: Final = 10 * SECOND
"""Three segments and ten seconds without a reply: longer than any round trip with its retransmissions."""
IKE_TRANSACTION: Final = 6
"""The exchange type of mode config and XAUTH (draft-dukes-ike-mode-cfg), in clear in the ISAKMP header."""
LINK_DOWN_SILENCE: Final = 10
"""A silence ten times longer than any before is not the rhythm of the flow."""
BUSY_FRAMES: Final = 20
RHYTHM_NS: Final = 60 * SECOND
"""A flow must have lived so long before a silence can break its rhythm: a user who stops after a few busy
seconds is no broken link."""
OUT_OF_ORDER: Final = (
    "one end seems to go on alone, but the capture is not in the order of its times, and frames go"
)


@claim(
    would_refute="data or keep-alives within the silence",
    settled_by="the connection's timeout on the firewall",
)
def it_did_not_survive_a_silence(case: Case) -> Answer:
    """After a long silence of both ends the first segment had no answer, or an RST."""
    row = case.flow.row
    if row.longest_silence_ns < IDLE_NS:
        return FAILS, f"the longest silence was {seconds(row.longest_silence_ns)}"
    if row.longest_silence_ns >= SPLICED_NS:
        return UNKNOWN, f"{seconds(row.longest_silence_ns)} between two frames is a jump of the clock"
    speaker = case.flow.sent_by(row.silence_to_direction)
    other = case.flow.opposite(speaker).row
    silence = f"{seconds(row.longest_silence_ns)} of silence, then {case.frame(row.silence_to_frame)}"
    frames = [row.silence_from_frame, row.silence_to_frame]
    if speaker.row.rst_frame == row.silence_to_frame:
        return FAILS, f"{silence}, an RST, which asks for no answer", frames
    if lacks_what_was_said(case):
        return (
            UNKNOWN,
            f"{silence}; what was said meanwhile is missing: the capture was silent, and not the ends",
            frames,
        )
    if other.last_frame < row.silence_to_frame:
        return no_answer(case, silence, frames)
    only_reset = other.rst_frame > row.silence_to_frame and other.data_last_frame < row.silence_to_frame
    if only_reset and other.rst_frame == case.flow.ending.frame:  # a box may send it twice
        return (
            HOLDS,
            f"{silence} was answered by the RST in {case.frame(other.rst_frame)}",
            [*frames, other.rst_frame],
        )
    return FAILS, f"{silence} was answered"


def blind_ns(case: Case) -> int:
    """The longest silence, where it is the capture's: nobody knows what came meanwhile."""
    return case.flow.row.longest_silence_ns if lacks_what_was_said(case) else 0


def lacks_what_was_said(case: Case) -> bool:
    """Bytes are missing that were sent between the last frame before the silence and the first behind it."""
    row = case.flow.row
    return any(
        hole.row.before_frame <= row.silence_from_frame and hole.row.opened_frame >= row.silence_to_frame
        for direction in case.flow.directions
        for hole in direction.unfilled
    )


def no_answer(case: Case, silence: str, frames: list[int]) -> Answer:
    """An answer is missing only if there was time for it."""
    row = case.flow.row
    speaker = case.flow.sent_by(row.silence_to_direction)
    began_ns = row.tail_first_ns
    if row.tail_first_frame < row.silence_to_frame:  # the same end had spoken last before the silence
        began_ns += row.longest_silence_ns
    closed = speaker.row.rst_frame != NEVER
    over_ns = speaker.row.rst_ns if closed else case.surroundings.last_ns
    waited_ns = over_ns - began_ns
    if row.tail_frames >= ALONE_SEGMENTS and waited_ns >= REPLY_NS:
        alone = f"the last {count(row.tail_frames, 'frame')} all go {way(speaker)}"
        return HOLDS, f"{silence} had no answer; {alone}", frames
    return UNKNOWN, f"{silence}; the capture is over before an answer could be missed", frames


@claim(
    would_refute="any frame of the silent end",
    settled_by="a capture at the silent end's side: did it send, did it receive?",
)
def one_end_fell_silent(case: Case) -> Answer:
    """One end said nothing more while the other went on sending."""
    if waits_for_its_user(case):
        return UNKNOWN, "the headend asks who the user is, and the capture ended before the answer"
    return (
        frames_without_reply(case)
        or messages_without_reply(case)
        or (FAILS, "neither end went on alone for long")
    )


@claim(
    would_refute="an end that goes on by itself at the end of the capture, for longer than an answer takes",
    settled_by="a capture that goes on until somebody answers, or gives up",
    takes_time=True,
)
def nobody_is_left_waiting(case: Case) -> Answer:
    """No end goes on by itself when the capture ends: a stream that goes one way, or an end that is gone already."""
    answer = one_end_fell_silent.answer(case)
    if answer[0] is FAILS and is_unheard_behind_a_silence(case):
        answer = it_did_not_survive_a_silence.answer(case)
    return OPPOSITE[answer[0]], *answer[1:]


def is_unheard_behind_a_silence(case: Case) -> bool:
    """One end is heard last before the longest silence, and behind it only the other."""
    row = case.flow.row
    if row.longest_silence_ns < IDLE_NS:
        return False
    return (
        case.flow.opposite(case.flow.sent_by(row.silence_to_direction)).row.last_frame < row.silence_to_frame
    )


def waits_for_its_user(case: Case) -> bool:
    """XAUTH asks for a password by a transaction exchange, and repeats the question while somebody types."""
    asked, answered = case.flow.to_client.row, case.flow.to_headend.row
    is_open = asked.last_ike_exchange == IKE_TRANSACTION and asked.last_ike_ns > answered.last_ike_ns
    return is_open and not case.has_esp and case.flow.ending.kind == EndingKind.CAPTURE_ENDED


def had_closed(case: Case, silent: Direction, since_frame: int) -> Answer | None:
    """Who has closed owes no answer, though the other end may not have heard of it."""
    ending = case.flow.ending
    if ending.frame is None or ending.frame > since_frame or ending.direction != silent.name:
        return None
    return FAILS, f"{ending.because}: the other end went on towards one that had closed", [ending.frame]


def frames_without_reply(case: Case) -> Answer | None:
    """Not even a bare ACK came back."""
    row = case.flow.row
    speaker = case.flow.sent_by(row.tail_direction)
    silent, alone_ns = case.flow.opposite(speaker), speaker.row.last_ns - row.tail_first_ns
    if row.tail_data_segments < ALONE_SEGMENTS or alone_ns < VANISHED_NS or not silent.row.frames:
        return None
    closed = had_closed(case, silent, row.tail_first_frame)
    if closed is not None:
        return closed
    if silent.row.last_ns - row.tail_first_ns >= REPLY_NS:
        return (
            UNKNOWN,
            f"{OUT_OF_ORDER} {way(silent)} meanwhile",
            [silent.row.last_frame, row.tail_first_frame],
        )
    because = (
        f"the last {count(row.tail_frames, 'frame')} in {seconds(alone_ns)} all go {way(speaker)}, "
        f"{row.tail_data_segments} of them with data; nothing comes back"
    )
    frames = [silent.row.last_frame, row.tail_first_frame, row.last_frame]
    if is_content(case, speaker):
        return UNKNOWN, f"{because}, and yet nothing is sent twice: its ACKs may pass elsewhere", frames
    if may_be_one_way(case, speaker, silent.row.last_ns):
        return UNKNOWN, f"{because}; a stream that goes one way looks the same so far", frames
    return HOLDS, because, frames


def may_be_one_way(case: Case, speaker: Direction, silent_since_ns: int) -> bool:
    """A tunnel may carry a stream that needs no answer; only a close, a silence or IKE in vain shows more."""
    asked_in_vain = speaker.row.last_ike_ns > silent_since_ns
    return case.may_be_ctcp and case.flow.ending.kind == EndingKind.CAPTURE_ENDED and not asked_in_vain


def is_content(case: Case, speaker: Direction) -> bool:
    """A TCP without ACKs sends again (RFC 6298 §5.4); one that does not had them, out of this capture's sight."""
    return is_something_else.answer(case)[0] == HOLDS and not speaker.row.retransmissions


def messages_without_reply(case: Case) -> Answer | None:
    """Bare ACKs may still come back, made by a box on the path; IPsec messages do not."""
    row, since_ns = case.flow.row, waited_ns(case, case.flow.ended_ns)
    if not case.may_be_ctcp or since_ns < VANISHED_NS:
        return None
    speaker = case.flow.sent_by(row.data_tail_direction)
    silent = case.flow.opposite(speaker)
    closed = had_closed(case, silent, row.data_tail_first_frame)
    if closed is not None:
        return closed
    because = (
        f"{case.frame(silent.row.data_last_frame)} is the last message {way(silent)}; {row.data_tail_segments} more go "
        f"{way(speaker)}, and in {seconds(since_ns)} nothing but bare ACKs comes back"
    )
    frames = [silent.row.data_last_frame, row.data_tail_first_frame, speaker.row.data_last_frame]
    if may_be_one_way(case, speaker, silent.row.data_last_ns):
        return UNKNOWN, f"{because}; a stream that goes one way looks the same so far", frames
    return HOLDS, because, frames


def waited_ns(case: Case, until_ns: int) -> int:
    """How long three messages or more of one end had waited for one of the other by then; 0 where they did not.

    Counted from the first of them: who says goodbye after a long silence has waited for nothing.
    """
    row = case.flow.row
    if row.data_tail_direction == NEVER or row.data_tail_segments < ALONE_SEGMENTS:
        return 0
    silent = case.flow.opposite(case.flow.sent_by(row.data_tail_direction)).row
    if not silent.data_segments or silent.data_last_ns - row.data_tail_first_ns >= REPLY_NS:
        return 0
    return until_ns - max(silent.data_last_ns, row.data_tail_first_ns) - blind_ns(case)


@claim(
    would_refute="three messages of one end, the first of them five seconds or more before the close, and none back",
    settled_by="the headend's log: did it still know this client when it was closed?",
)
def nobody_waited_when_it_closed(case: Case) -> Answer:
    """No end had waited for an answer when it was closed: a failure that a user cuts short looks like a close."""
    ending, row = case.flow.ending, case.flow.row
    alone_ns = waited_ns(case, min(ending.at_ns, case.flow.ended_ns))
    if ending.frame is None or alone_ns < REPLY_NS:
        return HOLDS, "no three messages of one end had waited for any of the other when it was closed"
    speaker = case.flow.sent_by(row.data_tail_direction)
    because = (
        f"the last {count(row.data_tail_segments, 'message')} all go {way(speaker)}, the first of them "
        f"{seconds(alone_ns)} before the close: a stream that goes one way, or a failure that was not waited for"
    )
    outcome = UNKNOWN if alone_ns < VANISHED_NS else FAILS
    return outcome, because, [row.data_tail_first_frame, ending.frame]


@claim(
    would_refute="any later frame of the flow, or, with captures at two places, one that passed from one to the other",
    settled_by="a capture of the link itself, or the interface log",
    looks_beyond=True,
)
def both_ends_fell_silent_at_once(case: Case) -> Answer:
    """The flow stopped in the middle of its work while the capture went on, or a link between two passes nothing."""
    cut = link_is_cut(case)
    if cut is not None and one_end_fell_silent.answer(case)[0] == HOLDS:
        return cut
    ending, row = case.flow.ending, case.flow.row
    if ending.kind != EndingKind.SILENCE:
        return FAILS, ending.because
    silent_ns = case.surroundings.last_ns - row.last_ns
    busy = row.longest_silence_ns * LINK_DOWN_SILENCE <= silent_ns and row.frames >= BUSY_FRAMES
    busy = busy and row.last_ns - row.first_ns >= RHYTHM_NS
    waiting = any(d.row.next_pos > d.row.acked_pos >= 0 for d in case.flow.directions)
    if busy and waiting:
        because = f"{ending.because}; until then it was never silent for more than {seconds(row.longest_silence_ns)}"
        return HOLDS, because, [row.last_frame]
    return FAILS, "the flow had been as silent before, or owed nothing"

"""Loss: questions that were left open or answered, and loss that nobody minded."""

from __future__ import annotations

from ctcp_forensics.case import Case
from ctcp_forensics.claims.closes import it_was_closed_in_order
from ctcp_forensics.claims.endings import ike_never_completed, the_handshake_failed
from ctcp_forensics.claims.identity import carries_ctcp
from ctcp_forensics.claims.passage import it_entered_and_never_left, was_only_not_captured
from ctcp_forensics.claims.words import FAILS, HOLDS, NO_QUESTION, OPPOSITE, UNKNOWN, count, way
from ctcp_forensics.evidence import Answer, claim
from ctcp_forensics.flows import Direction, EndingKind, Flow


@claim(would_refute="no duplicate ACK with outstanding data, or one that was passed")
def a_question_is_left_open(case: Case) -> Answer:
    """Duplicate ACKs were left open at the end, in a flow that may be IPsec over TCP."""
    episode = case.episode
    if episode is None or episode.is_answered:
        return NO_QUESTION
    if case.encapsulation.is_ctcp or carries_ctcp.answer(case)[0] == UNKNOWN:
        because = (
            f"{count(episode.asks, 'duplicate ACK')} for byte {episode.wanted_seq} were still open at the end"
        )
        return HOLDS, because, episode.row.frames
    return FAILS, "this sender is an ordinary TCP; why it did not answer is told by how the flow ended"


@claim(would_refute="an episode that nobody answered")
def questions_were_answered(case: Case) -> Answer:
    """Duplicate ACKs were asked and the sender sent again."""
    answered = [one for d in case.flow.directions if d.repeats_data for one in d.episodes if one.is_answered]
    if not case.episode_count:
        return FAILS, "there was no duplicate ACK to answer"
    if not answered:
        return FAILS, "no answer to a duplicate ACK was seen"
    first = answered[0]
    asks = count(first.asks, "duplicate ACK")
    because = f"{asks} for byte {first.wanted_seq}; {case.frame(first.row.answered_frame)} carries it again"
    if len(answered) > 1:
        because += f"; {count(len(answered) - 1, 'more question')} answered likewise"
    return HOLDS, because, [*first.row.frames, first.row.answered_frame]


@claim(would_refute="no hole in either direction", looks_beyond=True)
def loss_was_seen(case: Case) -> Answer:
    """Segments are missing in this capture: holes that nothing filled."""
    losing = losing_directions(case)
    if not losing:
        skipped = sum(direction.esp_missing for direction in case.flow.directions)
        unsent = f"; {count(skipped, 'ESP number')} never seen were not sent here, since no byte is missing"
        because = "no hole stayed open, or another capture has what is missing"
        return FAILS, because + (unsent if skipped else "")
    because = "; ".join(loss_sentence(d) for d in losing)
    frames = [hole.row.opened_frame for d in losing for hole in d.unfilled[:4]]
    return HOLDS, because, frames


def losing_directions(case: Case) -> list[Direction]:
    """What a capture lacks and other captures of the path show to have passed was not lost."""
    return [d for d in case.flow.directions if d.shows_loss and not was_only_not_captured(case, d)]


def loss_sentence(direction: Direction) -> str:
    holes = max(direction.row.holes_opened - direction.row.holes_filled, len(direction.unfilled))
    sentence = f"{way(direction)}: {count(holes, 'hole')} never filled"
    if direction.esp_missing:
        sentence += f", {count(direction.esp_missing, 'ESP number')} never seen"
    return sentence


@claim(
    would_refute="a direction that said nothing more after the loss",
    settled_by="a capture that goes on for some seconds after the loss",
    looks_beyond=True,
    takes_time=True,
)
def both_ends_went_on(case: Case) -> Answer:
    """Both ends went on after the loss: ACKs passed over it, or data kept coming both ways."""
    losing = losing_directions(case)
    if not losing:
        return FAILS, "there was no loss to go on after"
    for direction in losing:
        frames = [] if direction.is_bared else went_on_frames(case.flow, direction)
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


@claim(
    would_refute="trouble of any kind",
    settled_by="a capture that does not end with the first frames, or of fewer connections at once",
    looks_beyond=True,
)
def nothing_is_wrong(case: Case) -> Answer:
    """Nothing of what this capture shows needs an explanation."""
    if any(question.is_open for _, question in case.flow.questions):
        return FAILS, "a question was left open"
    if any(direction.is_bared for direction in case.flow.directions):
        return (
            UNKNOWN,
            "what was kept of this flow was let go, for want of room: what was wrong with it is not known",
        )
    if losing_directions(case) and case.may_be_ctcp:
        return FAILS, "segments are missing"
    if case.flow.ending.kind == EndingKind.RST and it_was_closed_in_order.answer(case)[0] != HOLDS:
        return FAILS, f"{case.flow.ending.because}, and nothing announced it"
    never_stood, because, *_ = the_handshake_failed.answer(case)
    if never_stood != FAILS:
        return OPPOSITE[never_stood], because
    if case.connection is not None:
        held_back = it_entered_and_never_left(case)
        if held_back.outcome == UNKNOWN and (held_back.frames or held_back.elsewhere):
            return UNKNOWN, held_back.because, held_back.frames
    came_to_nothing = ike_never_completed.answer(case)[0]
    if came_to_nothing == HOLDS:
        return FAILS, "IKE never brought up a tunnel"
    if came_to_nothing == UNKNOWN and any(d.row.ike_opened for d in case.flow.directions):
        return UNKNOWN, "IKE is not seen to bring up a tunnel"
    return HOLDS, "no loss, no open question, no unexplained end"

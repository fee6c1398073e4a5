"""Claims: the checks, one sentence each, that verdicts are made of.

Each takes a case and answers holds, fails or unknown, with a because and frames.
Knows facts and thresholds.  Does not know which claims make which verdict: see verdict.
"""

from ctcp_forensics.claims.closes import (
    a_farewell_would_be_seen,
    an_end_reset_it,
    it_was_closed_in_order,
    the_farewell_was_one,
    the_reset_came_from_elsewhere,
    the_reset_has_a_ttl_of_its_own,
)
from ctcp_forensics.claims.death import the_flow_is_dead
from ctcp_forensics.claims.doubts import (
    a_question_would_be_seen,
    away_from_the_wrap,
    it_was_followed_to_its_end,
    nothing_took_its_place,
    the_end_was_seen,
    the_receiver_had_followed,
)
from ctcp_forensics.claims.endings import (
    a_firewall_drops_it,
    ike_never_completed,
    it_took_no_other_way,
    its_spi_goes_on_elsewhere,
    only_large_segments_vanish,
    the_handshake_failed,
    the_syn_was_tried_again,
    the_window_stayed_closed,
)
from ctcp_forensics.claims.identity import (
    carries_ctcp,
    is_something_else,
    looks_like_ctcp,
    only_one_direction_was_seen,
    the_directions_stand_apart,
    the_frames_are_shuffled,
    two_places_are_mixed,
)
from ctcp_forensics.claims.loss import (
    a_question_is_left_open,
    both_ends_went_on,
    loss_was_seen,
    nothing_is_wrong,
    questions_were_answered,
)
from ctcp_forensics.claims.passage import (
    it_entered_and_never_left,
    it_went_on_elsewhere,
    the_next_capture_went_on,
    the_two_sides_are_confirmed,
    what_was_said_last_never_arrived,
)
from ctcp_forensics.claims.path import (
    an_answer_is_in_another_capture,
    nothing_passed_behind_the_hole,
    the_acks_were_made_in_between,
    the_reset_was_made_in_between,
)
from ctcp_forensics.claims.proof import (
    a_segment_is_missing,
    it_was_asked_for,
    nobody_answered,
    the_asking_follows_the_data,
    the_sender_never_repeats,
    the_window_had_room,
)
from ctcp_forensics.claims.silences import (
    both_ends_fell_silent_at_once,
    it_did_not_survive_a_silence,
    nobody_is_left_waiting,
    nobody_waited_when_it_closed,
    one_end_fell_silent,
)
from ctcp_forensics.claims.stall import (
    the_ack_never_moved_again,
    the_asking_is_heard_to_the_end,
    the_capture_outlasts_the_stall,
    the_sender_went_on,
)
from ctcp_forensics.claims.wholeness import the_capture_is_whole

__all__ = [
    "a_farewell_would_be_seen",
    "a_firewall_drops_it",
    "a_question_is_left_open",
    "a_question_would_be_seen",
    "a_segment_is_missing",
    "an_answer_is_in_another_capture",
    "an_end_reset_it",
    "away_from_the_wrap",
    "both_ends_fell_silent_at_once",
    "both_ends_went_on",
    "carries_ctcp",
    "ike_never_completed",
    "is_something_else",
    "it_did_not_survive_a_silence",
    "it_entered_and_never_left",
    "it_took_no_other_way",
    "it_was_asked_for",
    "it_was_closed_in_order",
    "it_was_followed_to_its_end",
    "it_went_on_elsewhere",
    "its_spi_goes_on_elsewhere",
    "looks_like_ctcp",
    "loss_was_seen",
    "nobody_answered",
    "nobody_is_left_waiting",
    "nobody_waited_when_it_closed",
    "nothing_is_wrong",
    "nothing_passed_behind_the_hole",
    "nothing_took_its_place",
    "one_end_fell_silent",
    "only_large_segments_vanish",
    "only_one_direction_was_seen",
    "questions_were_answered",
    "the_ack_never_moved_again",
    "the_acks_were_made_in_between",
    "the_asking_follows_the_data",
    "the_asking_is_heard_to_the_end",
    "the_capture_is_whole",
    "the_capture_outlasts_the_stall",
    "the_directions_stand_apart",
    "the_end_was_seen",
    "the_farewell_was_one",
    "the_flow_is_dead",
    "the_frames_are_shuffled",
    "the_handshake_failed",
    "the_next_capture_went_on",
    "the_receiver_had_followed",
    "the_reset_came_from_elsewhere",
    "the_reset_has_a_ttl_of_its_own",
    "the_reset_was_made_in_between",
    "the_sender_never_repeats",
    "the_sender_went_on",
    "the_syn_was_tried_again",
    "the_two_sides_are_confirmed",
    "the_window_had_room",
    "the_window_stayed_closed",
    "two_places_are_mixed",
    "what_was_said_last_never_arrived",
]

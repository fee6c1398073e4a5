"""Two captures of one path: which message is which, when it passed, and what of one is not in the other.

Both kernels are held to exact answers, and on generated pairs of captures to each other: with losses, reordering,
translated addresses, shifted numbers, copies, other contents and logs that ran over.
"""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel import caps, plain_match, rows
from ctcp_forensics._kernel.rows import (
    NEVER,
    Checksum,
    CourseRow,
    DelayRow,
    Kind,
    Packet,
    PairRow,
    StrayRow,
    Tcp,
)
from tests import streams
from tests.kernels import COMPILED, PLAIN, each_kernel, needs_core
from tests.streams import MS

SOME = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(SOME, max_examples=30)
LATE_NS = 1 << 62


def tracked(kernel: Any, stream: Sequence[Packet], **watching: Any) -> Any:
    packets, tracker = kernel.Packets(), kernel.Tracker(**watching)
    for packet in stream:
        packets.append(packet)
    tracker.feed(packets)
    return tracker


# --- exact answers -----------------------------------------------------------------------------------------


def esp(frame: int, offset: int, seq: int, *, length: int = 100, side: int = 0, **fields: Any) -> Packet:
    """One ESP message, 10 ms behind the frame before, under a number of its own."""
    segment = streams.said(frame, offset, length, side=side)
    return streams.with_cargo(segment, "esp", 1 + side, seq)._replace(**fields)


def elsewhere(packet: Packet, *, delay_ns: int = 5 * MS, shift: int = 0) -> Packet:
    """The same segment behind a box that counts from another number and translates the client's address."""
    return packet._replace(
        frame=packet.frame + 100,
        time_ns=packet.time_ns + delay_ns,
        src=b"\x05\x05\x05\x05",
        seq=(packet.seq + shift) % (1 << 32),
    )


@each_kernel
def test_directions_that_share_messages_are_paired_with_the_shift_of_most(kernel: Any) -> None:
    sent = [esp(n, 100 * n, n) for n in range(1, 6)]
    seen = [elsewhere(one, shift=7000) for one in sent[:4]] + [elsewhere(sent[4], shift=7500)]
    matching = kernel.Matching(tracked(kernel, sent), tracked(kernel, seen))
    assert matching.pairs() == [PairRow(0, 0, 0, 0, matches=5, shift=0, agreeing=4)]


@each_kernel
def test_the_pair_with_more_matches_comes_first(kernel: Any) -> None:
    sent = [esp(n, 100 * n, n) for n in range(1, 4)] + [esp(n, 100 * n, n, side=1) for n in range(4, 9)]
    here, there = tracked(kernel, sent), tracked(kernel, sent[::-1])
    pairs = kernel.Matching(here, there).pairs()
    assert [(row.here_side, row.there_side, row.matches) for row in pairs] == [(1, 0, 5), (0, 1, 3)]


@each_kernel
def test_logs_without_a_common_message_have_no_pairs(kernel: Any) -> None:
    ours, theirs = [esp(n, 100 * n, n) for n in range(9)], [esp(n, 100 * n, n + 50) for n in range(9)]
    here, there, empty = tracked(kernel, ours), tracked(kernel, theirs), kernel.Tracker()
    for one, other in ((here, there), (here, empty), (empty, here), (empty, empty)):
        matching = kernel.Matching(one, other)
        assert (matching.pairs(), matching.delays([(0, 0, 0, 0, 0, 1)], 4, 0)) == ([], [])


@each_kernel
def test_a_log_is_matched_with_itself(kernel: Any) -> None:
    one = tracked(kernel, [esp(n, 100 * n, n) for n in range(1, 9)])
    assert kernel.Matching(one, one).pairs() == [PairRow(0, 0, 0, 0, 8, 0, 8)]


@each_kernel
def test_delays_are_told_stretch_by_stretch(kernel: Any) -> None:
    sent = [esp(n, 100 * n, n) for n in range(1, 9)]
    seen = [
        elsewhere(one, delay_ns=delay * MS) for one, delay in zip(sent, (5, 3, 4, 6, 9, 9, 8, 7), strict=True)
    ]
    matching = kernel.Matching(tracked(kernel, sent), tracked(kernel, seen))
    assert matching.delays([(0, 0, 0, 0, 0, 77)], 2, 0) == [
        DelayRow(77, 0, 4, 1, 4, 101, 104, 3 * MS, 20 * MS, 6 * MS, 40 * MS),
        DelayRow(77, 1, 4, 5, 8, 105, 108, 7 * MS, 80 * MS, 9 * MS, 50 * MS),
    ]
    assert matching.delays([(0, 0, 0, 0, 1, 77), (0, 1, 0, 0, 0, 77)], 2, 0) == []


@each_kernel
def test_the_drift_is_taken_out_before_delays_are_compared(kernel: Any) -> None:
    """The clock there gains 10 % of a second each second: its 1 ms in 10 are no delay."""
    sent = [esp(n, 100 * n, n) for n in range(1, 9)]
    seen = [elsewhere(one, delay_ns=one.frame * MS - (one.frame == 6) * 10_000) for one in sent]
    matching = kernel.Matching(tracked(kernel, sent), tracked(kernel, seen))
    (row,) = matching.delays([(0, 0, 0, 0, 0, 1)], 1, 100_000_000)
    assert (row.least_ns, row.least_at_ns) == (6 * MS - 10_000, 60 * MS)
    assert (row.most_ns, row.most_at_ns) == (1 * MS, 10 * MS)


@each_kernel
def test_messages_sent_again_tell_no_delay(kernel: Any) -> None:
    sent = [esp(n, 100 * n, n) for n in range(1, 6)]
    again = sent[2]._replace(frame=30, ip_id=900, time_ns=900 * MS)
    seen = [elsewhere(one) for one in (*sent, sent[3]._replace(ip_id=901, time_ns=950 * MS, frame=40))]
    matching = kernel.Matching(tracked(kernel, [*sent, again]), tracked(kernel, seen))
    assert matching.pairs()[0].matches == 5
    assert matching.delays([(0, 0, 0, 0, 0, 1)], 1, 0)[0].matches == 3


@each_kernel
def test_what_became_of_each_segment(kernel: Any) -> None:
    """Of nine there is one before, one sent too often, one missing, one altered, one covered, and two come after."""
    sent = [esp(n, 100 * n, n) for n in range(1, 10)]
    sent.insert(4, sent[3]._replace(frame=20, ip_id=900, time_ns=45 * MS))
    seen = [elsewhere(one) for one in sent if one.frame not in (1, 3, 4, 7, 8, 9)]
    seen[-1] = seen[-1]._replace(messages=(seen[-1].messages[0]._replace(esp_seq=1000),))
    seen.append(elsewhere(esp(7, 700, 7, length=60)))
    seen.append(elsewhere(esp(8, 760, 8, length=40)))
    here, there = tracked(kernel, sent), tracked(kernel, seen)
    first = here.segments(0)[0].pos
    told, strays = kernel.course(here, (0, 0), there, (0, 0), shift_of(here, there, 5), NEVER, 85 * MS)
    assert told == CourseRow(
        segments=10,
        same=3,
        covered=1,
        altered=1,
        missing=1,
        repeated=1,
        before=1,
        before_last_frame=1,
        before_last_ns=10 * MS,
        after=1,
        after_first_frame=8,
        after_first_ns=80 * MS,
        after_last_frame=8,
        after_last_ns=80 * MS,
        beyond=1,
        largest_arrived=100,
    )
    assert strays == [
        StrayRow(3, 30 * MS, first + 200, 100, 1, 3, is_altered=0, was_repeated=0, is_damaged=0),
        StrayRow(4, 40 * MS, first + 300, 100, 1, 4, is_altered=0, was_repeated=1, is_damaged=0),
        StrayRow(6, 60 * MS, first + 500, 100, 1, 6, is_altered=1, was_repeated=0, is_damaged=0),
    ]


@each_kernel
def test_a_segment_that_is_damaged_at_one_place_only_is_altered(kernel: Any) -> None:
    """Also where the damage lies between what prints are made of.  What came damaged and is missing is told so."""
    sent = [esp(n, 100 * n, n)._replace(checksum=int(Checksum.RIGHT)) for n in range(1, 12)]
    seen = [elsewhere(one) for one in sent]
    seen[7] = seen[7]._replace(checksum=int(Checksum.WRONG))
    here, there = tracked(kernel, sent), tracked(kernel, seen)
    further = tracked(kernel, [one for one in sent if one is not sent[7]])
    told, strays = kernel.course(here, (0, 0), there, (0, 0), shift_of(here, there, 5), NEVER, 1 << 62)
    assert (told.same, told.altered, told.missing) == (10, 1, 0)
    assert [(one.esp_seq, one.is_altered, one.is_damaged) for one in strays] == [(8, 1, 0)]
    told, strays = kernel.course(there, (0, 0), further, (0, 0), shift_of(there, further, 5), NEVER, 1 << 62)
    assert (told.same, told.altered, told.missing) == (10, 0, 1)
    assert [(one.esp_seq, one.is_altered, one.is_damaged) for one in strays] == [(8, 0, 1)]


def shift_of(here: Any, there: Any, seq: int) -> int:
    """Position there less position here of one message."""
    at: list[int] = [
        next(row.pos for row in tracker.segments(0) if row.esp_seq == seq) for tracker in (here, there)
    ]
    return at[1] - at[0]


@each_kernel
def test_captures_that_share_messages_are_found_by_them(kernel: Any) -> None:
    """Each counts once, however often it was sent; another content under one number counts as well."""
    sent = [esp(n, 100 * n, n) for n in range(1, 10)]
    again = sent[2]._replace(frame=30, ip_id=900, time_ns=900 * MS)
    other = sent[8]._replace(messages=(sent[8].messages[0]._replace(print64=5),))
    logs = [
        [*sent[:5], again],
        sent[5:8],
        [*map(elsewhere, sent[2:7]), again],
        [],
        [other, *sent[:1]],
        sent[8:],
    ]
    trackers = [tracked(kernel, one) for one in logs]
    assert kernel.sharing(trackers) == [(0, 2, 3), (0, 4, 1), (1, 2, 2), (4, 5, 1)]
    assert kernel.sharing([]) == kernel.sharing(trackers[:1]) == kernel.sharing(trackers[:2]) == []
    assert kernel.sharing(trackers[:1] * 2) == [(0, 1, 5)], "a log and itself"


@needs_core
def test_the_core_takes_nothing_for_a_tracker_that_is_none() -> None:
    for wrong in ([None], [PLAIN.Tracker()], [1]):
        with pytest.raises(TypeError):
            COMPILED.sharing(wrong)


# --- both kernels alike --------------------------------------------------------------------------------------


def assert_same_matching(here: Sequence[Any], there: Sequence[Any]) -> list[PairRow]:
    """`here` and `there` are each a plain and a compiled tracker; the pairs that all agree upon."""
    reference, compiled = (
        kernel.Matching(here[at], there[at]) for at, kernel in enumerate((PLAIN, COMPILED))
    )
    pairs: list[PairRow] = reference.pairs()
    assert pairs == compiled.pairs()
    ways = [(*row[:4], row.shift, at // 2) for at, row in enumerate(pairs[:40])]
    for stretches, drift_ppb in (
        (1, 0),
        (3, 1000),
        (64, -100_000_000),
        (10**6, 999_999_999),
        (-2, 7),
        (0, 1),
    ):
        told = reference.delays(ways, stretches, drift_ppb)
        assert told == compiled.delays(ways, stretches, drift_ppb)
    for row in pairs[:10]:
        assert_same_course(here, row[:2], there, row[2:4], row.shift)
        assert_same_course(there, row[2:4], here, row[:2], -row.shift)
    return pairs


def assert_same_course(
    here: Sequence[Any], half: tuple[int, ...], there: Sequence[Any], their_half: tuple[int, ...], shift: int
) -> None:
    times = [row.time_ns for row in here[0].segments(half[0])] or [0]
    starts = [row.pos for row in there[0].segments(their_half[0])] or [0]
    until, floors = times[len(times) // 2], (NEVER, starts[len(starts) // 3], 0)
    for floor, until_ns, by in product(floors, (LATE_NS, until), (0, 1)):
        asked = (half, shift + by, floor, until_ns)
        answers = [
            kernel.course(here[at], half, there[at], their_half, shift + by, floor, until_ns)
            for at, kernel in enumerate((PLAIN, COMPILED))
        ]
        assert answers[0] == answers[1], asked


def both(stream: Sequence[Packet], **watching: Any) -> list[Any]:
    trackers = [tracked(kernel, stream, **watching) for kernel in (PLAIN, COMPILED)]
    assert trackers[0].log() == trackers[1].log()
    return trackers


@needs_core
@SOME
@given(stream=streams.packets(), seed=st.integers(0, 1 << 20), everything=st.booleans())
def test_both_kernels_match_any_two_captures_alike(stream: list[Packet], seed: int, everything: bool) -> None:
    here, there = both(stream, everything=everything), streams.elsewhere(stream, random.Random(seed))
    assert_same_matching(here, both(there, everything=everything))


@needs_core
@FEW
@given(one=streams.packets(), other=streams.packets())
def test_both_kernels_match_strangers_alike(one: list[Packet], other: list[Packet]) -> None:
    assert_same_matching(both(one, everything=True), both(other, everything=True))


@needs_core
@pytest.mark.parametrize("seed", range(24))
def test_both_kernels_match_a_long_conversation_alike(seed: int) -> None:
    stream = list(streams.long_stream(seed, 2500))
    pairs = assert_same_matching(both(stream), both(streams.elsewhere(stream, random.Random(seed))))
    assert pairs, "the captures were meant to share something"


@needs_core
def test_long_conversations_show_every_fate() -> None:
    fates = dict.fromkeys(CourseRow._fields, 0)
    for seed in range(8):
        stream = list(streams.long_stream(seed, 1200))
        here = tracked(COMPILED, stream)
        there = tracked(COMPILED, streams.elsewhere(stream, random.Random(seed)))
        for row in COMPILED.Matching(here, there).pairs()[:2]:
            middle = stream[len(stream) // 2].time_ns
            told, _ = COMPILED.course(here, row[:2], there, row[2:4], row.shift, NEVER, middle)
            fates = {name: fates[name] + getattr(told, name) for name in fates}
    assert all(fates.values()), fates


@needs_core
def test_both_kernels_match_logs_that_ran_over_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (caps, importlib.import_module("ctcp_forensics._kernel.plain_track.tracker")):
        monkeypatch.setattr(module, "SEGMENT_LOG_CAP", 400)
    stream = list(streams.long_stream(7, 2500))
    here, there = both(stream), both(streams.elsewhere(stream[400:], random.Random(2)))
    assert here[0].tallies().segments_unlogged > there[0].tallies().segments_unlogged > 0
    assert assert_same_matching(here, there)


@needs_core
def test_a_log_that_grew_is_matched_anew() -> None:
    stream = list(streams.long_stream(8, 600))
    for kernel in (PLAIN, COMPILED):
        here, there = tracked(kernel, stream), tracked(kernel, stream[:300])
        before = kernel.Matching(here, there)
        shared = before.pairs()
        packets = kernel.Packets()
        for packet in stream[300:]:
            packets.append(packet)
        there.feed(packets)
        assert before.pairs() == shared
        assert kernel.Matching(here, there).pairs()[0].matches > shared[0].matches


# --- hostile captures ------------------------------------------------------------------------------------------


@needs_core
def test_more_pairs_than_the_first_table_holds() -> None:
    """Each message in a flow of its own here, all in one there."""
    count = 1500
    sent = [esp(n, 100 * n, n, sport=n, ip_id=1) for n in range(1, count)]
    pairs = assert_same_matching(both(sent), both([esp(n, 100 * n, n) for n in range(1, count)]))
    assert len(pairs) == count - 1


@needs_core
def test_one_message_without_end() -> None:
    sent = [esp(n, 100 * n, 7) for n in range(1, 3000)]
    pairs = assert_same_matching(both(sent), both(sent[::-1]))
    assert [(row.matches, row.agreeing) for row in pairs] == [(1, 1)]


@needs_core
def test_one_place_sent_without_end() -> None:
    sent = [esp(n, 100, n) for n in range(1, 1500)]
    here, there = both(sent), both(sent[:700])
    assert_same_course(here, (0, 0), there, (0, 0), 0)
    told, _ = COMPILED.course(here[1], (0, 0), there[1], (0, 0), 0, NEVER, LATE_NS)
    assert (told.segments, told.repeated) == (1499, 799)


@needs_core
def test_bytes_in_any_order_and_a_great_many_stretches() -> None:
    offsets = random.Random(5).sample(range(1 << 14), 3000)
    sent = [esp(n, 200 * offset, n) for n, offset in enumerate(offsets, 1)]
    seen = [esp(n, 200 * offset + n % 3, n, length=90 + n % 20) for n, offset in enumerate(offsets, 1)]
    assert assert_same_matching(both(sent), both(seen))


@needs_core
def test_strays_beyond_the_cap_are_counted_and_the_first_are_named() -> None:
    sent = [esp(n, 100 * n, n) for n in range(1, caps.STRAYS_KEPT + 200)]
    here, there = both(sent), both([sent[0], sent[-1]])
    assert_same_course(here, (0, 0), there, (0, 0), 0)
    told, strays = COMPILED.course(here[1], (0, 0), there[1], (0, 0), 0, NEVER, LATE_NS)
    assert told.missing == len(sent) - 2
    assert [row.frame for row in strays] == list(range(2, caps.STRAYS_KEPT + 2))


@needs_core
def test_times_from_1970_to_2262_are_compared_alike() -> None:
    edges = [0, 1, 10**9 - 1, 9_223_372_035 * 10**9, 9_223_372_035 * 10**9 - 1, 4 * 10**18]
    chance = random.Random(3)
    sent = [esp(n, 100 * n, n, time_ns=chance.choice(edges)) for n in range(1, 60)]
    seen = [one._replace(time_ns=chance.choice(edges)) for one in sent]
    here, there = both(sent), both(seen)
    reference, compiled = PLAIN.Matching(here[0], there[0]), COMPILED.Matching(here[1], there[1])
    for drift_ppb in (0, 1, -1, 10**9, -(10**9), 123_456_789, -999_999_999, 10**9 + 1, 10**30, -(10**30)):
        for stretches in (1, 2, 7):
            asked = ([(0, 0, 0, 0, 0, 1)], stretches, drift_ppb)
            assert reference.delays(*asked) == compiled.delays(*asked)


@needs_core
def test_keys_that_look_alike_are_told_apart() -> None:
    """An IKE message and an ESP message of the same numbers; prints apart and alike; nothing captured."""
    messages = [
        (Kind.IKE, 5, 6, 1), (Kind.IKE, 5, 6, 2), (Kind.ESP, 5, 6, 1), (Kind.AH, 5, 6, 2), (Kind.NONE, 0, 0, 1),
        (Kind.IKE, 0, 0, 0), (Kind.ESP, 0, 0, 0), (Kind.ESP, 0, 1, 0), (Kind.ESP, 1, 0, 0), (Kind.IKE, 0, 0, 1),
    ]  # fmt: skip
    for seed in range(40):
        chance = random.Random(seed)
        made = [[_message(n, *chance.choice(messages)) for n in range(1, 30)] for _ in range(2)]
        assert_same_matching(*(both(one, everything=True) for one in made))


def _message(n: int, kind: int, spi: int, esp_seq: int, print64: int) -> Packet:
    message = rows.Message(kind, 0, 100, spi, esp_seq, 0, 0, print64)
    flags = Tcp.SYN if n % 10 == 7 else Tcp.ACK
    return esp(n, 100 * (n % 20), 1, messages=(message,), flags=int(flags))


@needs_core
def test_ways_that_nobody_goes_and_ways_named_twice() -> None:
    sent = [esp(n, 100 * n, n) for n in range(1, 30)]
    here, there = both(sent), both([elsewhere(one) for one in sent])
    ways = [
        (0, 0, 0, 0, 0, 5), (0, 0, 0, 0, 0, 6), (0, 0, 0, 0, 9, 7), (9, 0, 0, 0, 0, 8), (-1, 0, 0, 0, 0, 9),
        (1 << 40, 0, 0, 0, 0, 9), (0, 2, 0, 0, 0, 9), (0, 0, 0, -1, 0, 9), (0, 0, 0, 0, 9, 6),
    ]  # fmt: skip
    reference, compiled = PLAIN.Matching(here[0], there[0]), COMPILED.Matching(here[1], there[1])
    for _ in range(2):
        told = compiled.delays(ways, 3, 0)
        assert told == reference.delays(ways, 3, 0)
        assert [(row.way, row.matches) for row in told] == [(6, 10), (6, 10), (6, 9)]
    assert compiled.delays([], 3, 0) == []


@needs_core
def test_directions_that_are_not_there_are_refused() -> None:
    one = tracked(COMPILED, [esp(1, 100, 1)])
    with pytest.raises(IndexError):
        COMPILED.course(one, (1, 0), one, (0, 0), 0, NEVER, 0)
    with pytest.raises(IndexError):
        COMPILED.course(one, (0, 0), one, (0, 2), 0, NEVER, 0)
    with pytest.raises(TypeError):
        COMPILED.Matching(one, None)


WITHOUT_MEMORY = """
import resource
from ctcp_forensics._kernel import core
from ctcp_forensics._kernel.plain_decode import NO_PACKET

packets, tracker = core.Packets(), core.Tracker(everything=True)
for batch in range(50):
    packets.clear()
    for n in range(batch * 2000, batch * 2000 + 2000):
        packets.append(NO_PACKET._replace(
            status=0, src=bytes(4), dst=bytes(4), seq=9 * n, payload_len=9, head=(1, n + 1), ip_id=n & 0xFFFF
        ))
    tracker.feed(packets)
assert core.Matching(tracker, tracker).pairs()[0].matches == 100_000
assert core.course(tracker, (0, 0), tracker, (0, 0), 0, -1, 0)[0].same == 100_000
in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for room in (0, 1 << 20, 5 << 20):
    resource.setrlimit(resource.RLIMIT_AS, (in_use + room, -1))
    for ask, arguments in ((core.Matching, ()), (core.course, ((0, 0), tracker, (0, 0), 0, -1, 0))):
        try:
            ask(tracker, *arguments or (tracker,))
        except MemoryError:
            print("refused")
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
print(core.Matching(tracker, tracker).pairs()[0].matches)
"""


@needs_core
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits a process's addresses so")
def test_without_memory_nothing_is_matched_and_the_logs_stay() -> None:
    root = Path(rows.__file__).parents[2]
    command = [sys.executable, "-c", WITHOUT_MEMORY]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert answer.stdout.split()[-1] == "100000", answer.stderr
    assert "refused" in answer.stdout


@needs_core
@FEW
@given(parts=st.lists(streams.packets(), min_size=2, max_size=6), everything=st.booleans())
def test_both_kernels_find_what_is_shared_and_so_does_each_two_beside_each_other(
    parts: list[list[Packet]], everything: bool
) -> None:
    trackers = [both(part, everything=everything, ports=(10000,)) for part in parts]
    found = PLAIN.sharing([plain for plain, _ in trackers])
    assert found == COMPILED.sharing([core for _, core in trackers])
    keys = [{plain_match.key_of(row) for _, row in plain.log()} - {None} for plain, _ in trackers]
    assert found == [
        (one, other, len(keys[one] & keys[other]))
        for one, other in combinations(range(len(keys)), 2)
        if keys[one] & keys[other]
    ]

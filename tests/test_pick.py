"""Picking packets between given ends, and being shown every block: the two kernels, and a slow obvious way."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics._kernel import plain_decode, plain_pick
from ctcp_forensics._kernel.plain_decode import NO_PACKET
from ctcp_forensics._kernel.rows import Packet, Status
from ctcp_forensics.savefile import Reader
from ctcp_forensics.savefile.pcapng import Block
from tests import savefiles as sf
from tests.kernels import COMPILED, WALKS, needs_core

V4 = st.sampled_from([bytes([10, 0, 0, n]) for n in range(3)])
V6 = st.sampled_from([bytes(15) + bytes([n]) for n in range(3)])
PORT = st.integers(1, 3)
ENDS = st.one_of(st.tuples(V4, PORT, V4, PORT), st.tuples(V6, PORT, V6, PORT))
PACKETS = st.lists(st.tuples(ENDS, st.sampled_from([Status.TCP, Status.TCP, Status.NOT_TCP])), max_size=40)


def packets_of(made: list[tuple[tuple[bytes, int, bytes, int], Status]]) -> list[Packet]:
    return [
        NO_PACKET._replace(status=status, frame=at, src=ends[0], sport=ends[1], dst=ends[2], dport=ends[3])
        for at, (ends, status) in enumerate(made, start=1)
    ]


@needs_core
@settings(max_examples=200, deadline=None)
@given(st.lists(ENDS, max_size=30), PACKETS)
def test_the_packets_between_wanted_ends_are_picked_whichever_way_they_go(
    wanted: list[tuple[bytes, int, bytes, int]], made: list[tuple[tuple[bytes, int, bytes, int], Status]]
) -> None:
    plain, core = plain_pick.Picker(), COMPILED.Picker()
    assert [plain.want(*ends) for ends in wanted] == [core.want(*ends) for ends in wanted]
    rows, plain_rows, core_rows = packets_of(made), plain_decode.Packets(), COMPILED.Packets()
    for row in rows:
        plain_rows.append(row)
        core_rows.append(row)
    keys = [{(one[0], one[1]), (one[2], one[3])} for one in wanted]
    slowly = [
        row.frame
        for row in rows
        if row.status == Status.TCP and {(row.src, row.sport), (row.dst, row.dport)} in keys
    ]
    assert plain.picked(plain_rows) == core.picked(core_rows)
    assert [frame for frame, _ in core.picked(core_rows)] == slowly


@needs_core
def test_ends_of_two_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="both alike"):
        COMPILED.Picker().want(bytes(4), 1, bytes(16), 2)


@pytest.mark.parametrize("kernel", WALKS)
@pytest.mark.parametrize("cut", range(1, 200, 7))
def test_who_asks_is_shown_every_block_that_is_no_packet_in_its_place(kernel: ModuleType, cut: int) -> None:
    content = (
        sf.section()
        + sf.interface()
        + sf.block("<", 4, b"names")
        + sf.enhanced(data=b"abc")
        + sf.block("<", 0xBAD, bytes(4))
        + sf.simple(data=b"de")
        + sf.statistics()
        + sf.section(">")
        + sf.interface(">")
        + sf.block(">", 10, b"secrets!")
    )
    shown: list[Block] = []
    chunks = [content[at : at + cut] for at in range(0, len(content), cut)]
    reader = Reader(chunks, on_block=shown.append, kernel=kernel)
    numbers = [frames[at].number for _, frames in reader.batches() for at in range(len(frames))]
    assert numbers == [1, 3]
    assert [(one.kind, one.order, one.first_interface) for one in shown] == [
        (0x0A0D0D0A, "<", 0),
        (1, "<", 0),
        (4, "<", 0),
        (0xBAD, "<", 0),
        (5, "<", 0),
        (0x0A0D0D0A, ">", 1),
        (1, ">", 1),
        (10, ">", 1),
    ]
    assert shown[2].content == sf.block("<", 4, b"names")
    assert reader.damage == ()

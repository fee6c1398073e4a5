"""Large flows: what does not fit where the compiled tracker keeps it stands elsewhere, and nothing is lost of it.

The plain tracker has numbers of any size, and says what is right.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from ctcp_forensics._kernel.plain_decode import NO_PACKET
from ctcp_forensics._kernel.rows import NEVER, Packet, Tcp
from tests.test_kernel import assert_same_flows, core, plain

CLIENT, SERVER = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"
SYN, FIN, ACK, RST = Tcp.SYN, Tcp.FIN, Tcp.ACK, Tcp.RST
FAR = 1 << 33
"""More frames than 32 bits count."""


class Talk:
    """Segments of one flow, in the order in which they were captured."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self._numbers = count(1)

    def says(self, flags: Tcp, *, of_server: bool = False, **fields: Any) -> None:
        ends: dict[str, Any] = {"src": CLIENT, "sport": 40_000, "dst": SERVER, "dport": 443}
        if of_server:
            ends = {"src": SERVER, "sport": 443, "dst": CLIENT, "dport": 40_000}
        number = next(self._numbers)
        told = {
            "frame": number,
            "time_ns": number * 10**6,
            "ip_id": number % 0xFFFF + 1,
            "window": 65_535,
            "ttl": 64,
        }
        self.packets.append(NO_PACKET._replace(status=0, flags=int(flags), **(ends | told | fields)))

    def opens(self) -> None:
        self.says(SYN, seq=99)
        self.says(SYN | ACK, of_server=True, seq=199, ack=100)
        self.says(ACK, seq=100, ack=200, payload_len=10)

    def followed(self) -> Any:
        """By the compiled tracker, which has to agree with the plain one."""
        trackers = []
        for kernel in (plain, core):
            tracker = kernel.Tracker()
            for begin in range(0, len(self.packets), 4096):
                batch = kernel.Packets()
                for one in self.packets[begin : begin + 4096]:
                    batch.append(one)
                tracker.feed(batch)
            trackers.append(tracker)
        assert_same_flows(*trackers)
        return trackers[1]


def test_sixty_five_thousand_questions_are_counted() -> None:
    talk = Talk()
    talk.opens()
    for _ in range(65_538):
        talk.says(ACK, of_server=True, seq=200, ack=100)
    client = talk.followed().direction(0, 0)
    assert client.duplicate_acks == 65_538
    assert client.episodes == 1


def test_sixty_five_thousand_retransmissions_are_counted_and_given_up_with_their_flow() -> None:
    talk = Talk()
    talk.opens()
    for _ in range(65_536):
        talk.says(ACK, seq=100, ack=200, payload_len=10)
    talk.says(SYN, seq=5_000_000)  # of the same ends: another flow
    tracker = talk.followed()
    assert tracker.direction(0, 0).retransmissions == 65_536
    assert tracker.direction(1, 0).retransmissions == 0


def test_frames_of_a_flow_may_lie_further_apart_than_32_bits_count() -> None:
    talk = Talk()
    talk.says(SYN, seq=99, frame=1)
    talk.says(SYN | ACK, of_server=True, seq=199, ack=100, frame=FAR)
    talk.says(ACK, seq=100, ack=200, payload_len=10, frame=2 * FAR, time_ns=10**12)
    talk.says(ACK, of_server=True, seq=200, ack=110, payload_len=10, frame=3 * FAR, time_ns=2 * 10**12)
    talk.says(FIN | ACK, seq=110, ack=210, frame=4 * FAR, time_ns=2 * 10**12 + 1)
    talk.says(RST, of_server=True, seq=210, frame=5 * FAR, time_ns=2 * 10**12 + 2)
    tracker = talk.followed()
    flow, client, server = tracker.flow(0), tracker.direction(0, 0), tracker.direction(0, 1)
    assert (flow.syn_frame, flow.syn_ack_frame) == (1, FAR)
    assert (flow.silence_from_frame, flow.silence_to_frame) == (2 * FAR, 3 * FAR)
    assert (client.first_frame, client.data_first_frame, client.fin_frame) == (1, 2 * FAR, 4 * FAR)
    assert (server.first_frame, server.data_first_frame, server.fin_frame) == (FAR, 3 * FAR, NEVER)
    assert server.rst_frame == 5 * FAR


def test_the_last_distance_that_fits_and_the_first_that_does_not() -> None:
    for distance in (0xFFFF_FFFD, 0xFFFF_FFFE, 0xFFFF_FFFF, 0x1_0000_0000):
        talk = Talk()
        talk.says(SYN, seq=99, frame=7)
        talk.says(SYN | ACK, of_server=True, seq=199, ack=100, frame=7 + distance)
        assert talk.followed().flow(0).syn_ack_frame == 7 + distance


def test_three_hundred_syns_of_one_flow_carry_no_payload() -> None:
    talk = Talk()
    for _ in range(300):
        talk.says(SYN, seq=99)
    talk.says(SYN | ACK, of_server=True, seq=199, ack=100)
    talk.says(ACK, seq=100, ack=200, payload_len=10)
    assert talk.followed().direction(0, 0).payload_bytes == 10


def test_what_is_skipped_may_come_to_more_than_4_gib() -> None:
    """ACKs alone that move on by a gigabyte each, in a flow of which the beginning was not seen: no hole, no byte."""
    talk = Talk()
    step = (1 << 30) - 1
    for number in range(10):
        talk.says(ACK, seq=number * step % (1 << 32), ack=200)
    client = talk.followed().direction(0, 0)
    assert client.new_bytes == 0
    assert client.next_pos == (1 << 32) + 9 * step


def test_a_clock_that_runs_back_and_payloads_of_64_kib() -> None:
    talk = Talk()
    talk.opens()
    talk.says(ACK, seq=110, ack=200, payload_len=0xFFFF, time_ns=10**9)
    talk.says(ACK, seq=110 + 0xFFFF, ack=200, payload_len=200_000, time_ns=10**8)
    tracker = talk.followed()
    assert tracker.flow(0).last_ns == 10**9
    assert tracker.direction(0, 0).max_payload_len == 200_000

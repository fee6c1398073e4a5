"""Pairs: two captures of one path that are hard to join: equal messages, strays, clocks set, nothing in common.

The first stands at the client, the second behind a translation of its address.  Each is two formulas over the number
of the frame; what a formula does not answer, that capture lacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.oddities import ACK, BACK, CTCP_PORT, SYN, Clock, Datagram, esp, in_step, ip, tcp

TRANSLATED: Final = bytes((192, 0, 2, 1))
LATE_US: Final = 90
FLOW_LEN: Final = 8
MESSAGE_LEN: Final = len(esp(0, 0))
SETS: Final = 1_000
"""Frames between two times at which the clock is set."""

Place = Callable[[int], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What the frames are, at the client and at the firewall, and the two clocks."""

    near: Place
    far: Place
    far_clock: Clock = lambda n: in_step(n) + LATE_US


def flow_of(n: int) -> tuple[int, int, tuple[int, int]]:
    """The number of the flow, the place in it, and its ports; each has eight segments."""
    flow, step = divmod(n, FLOW_LEN)
    return flow, step, (1_024 + flow % 60_000, CTCP_PORT)


def message(n: int, spi: int, number: int, *, isn: int = 0) -> bytes:
    _, step, ports = flow_of(n)
    if step == 0:
        return ip(tcp(isn, flags=SYN, ports=ports), n)
    return ip(tcp(isn + 1 + (step - 1) * MESSAGE_LEN, esp(spi, number), ports=ports), n)


def isn_of(n: int) -> int:
    return n // FLOW_LEN * 1_000_003


def equal_spis(n: int) -> bytes:
    """Every flow has the same SPI and the same numbers."""
    return message(n, 7, n % FLOW_LEN, isn=isn_of(n))


def ordinary(n: int) -> bytes:
    return message(n, 0x10000 + n // FLOW_LEN, n % FLOW_LEN, isn=isn_of(n))


def long_flow(n: int) -> bytes:
    """One flow of messages that all differ."""
    return ip(tcp(1 + n * MESSAGE_LEN, esp(7, n)), n)


def equal_messages(n: int) -> bytes:
    """One flow that carries one message for ever."""
    return ip(tcp(1 + n * MESSAGE_LEN, esp(7, 1)), n)


def repeated(n: int) -> bytes:
    """One flow that sends the same thousand segments for ever."""
    return ip(tcp(1 + n % 1_000 * MESSAGE_LEN, esp(7, n % 1_000)), n)


def asked_for(n: int) -> bytes:
    """Again and again a segment is lost, asked for three times and sent again; see `oddities.episodes`."""
    turn, step = divmod(n, 6)
    base, first, second = 1 + turn * 2 * MESSAGE_LEN, esp(7, 2 * turn), esp(7, 2 * turn + 1)
    match step:
        case 0:
            return ip(tcp(base + MESSAGE_LEN, second), n)
        case 4:
            return ip(tcp(base, first), n)
        case 5:
            return ip(tcp(1, ack=base + 2 * MESSAGE_LEN, ports=BACK, flags=ACK), n, back=True)
    return ip(tcp(1, ack=base, ports=BACK, flags=ACK), n, back=True)


def without(place: Datagram, turn: int) -> Place:
    """A capture that lacks every third."""
    return lambda n: None if n % 3 == turn else place(n)


def far_of(place: Datagram) -> Datagram:
    return lambda n: translated(place(n))


def translated(datagram: bytes) -> bytes:
    """Translated at the end that is the client's."""
    if datagram[22:24] == CTCP_PORT.to_bytes(2, "big"):
        return datagram[:12] + TRANSLATED + datagram[16:]
    return datagram[:16] + TRANSLATED + datagram[20:]


def scattered(n: int) -> bytes:
    """The messages of `long_flow`, each in a flow of its own."""
    ports = (1_024 + n % 60_000, CTCP_PORT)
    return ip(tcp(1 + n // 60_000 * 1_000_003, esp(7, n), ports=ports), n)


def shifting(n: int) -> bytes:
    """The messages of `long_flow`, each at another distance from where it was."""
    return ip(tcp(1 + n * MESSAGE_LEN + n % 1_009, esp(7, n)), n)


def set_often(n: int) -> int:
    """A clock that is set forth and back by an hour."""
    return in_step(n) + LATE_US + n // SETS % 2 * 3_600_000_000


PAIRS: Final[dict[str, Pair]] = {
    "equal-spis": Pair(near=equal_spis, far=far_of(equal_spis)),
    "equal-messages": Pair(near=equal_messages, far=far_of(equal_messages)),
    "repeated": Pair(near=repeated, far=far_of(repeated)),
    "asked-for": Pair(near=asked_for, far=far_of(asked_for)),
    "strays": Pair(near=without(long_flow, 0), far=without(far_of(long_flow), 1)),
    "strays-of-many": Pair(near=without(ordinary, 0), far=without(far_of(ordinary), 1)),
    "strangers": Pair(
        near=ordinary, far=far_of(lambda n: message(n, 0x900000 + n // FLOW_LEN, 9, isn=isn_of(n) + 5))
    ),
    "one-to-many": Pair(near=long_flow, far=far_of(scattered)),
    "shifting": Pair(near=long_flow, far=far_of(shifting)),
    "clock-set": Pair(near=long_flow, far=far_of(long_flow), far_clock=set_often),
}

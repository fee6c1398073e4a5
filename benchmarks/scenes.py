"""Scenes: short exchanges between two TCP endpoints, told step by step as a tap near the client sees them.

Knows how TCP numbers bytes, acknowledges, loses and repeats.  Does not know addresses, initial sequence
numbers or the time of day: a scene counts from where its flow stands, begins and ends with nothing
outstanding, and so any scene may follow any other.  `traffic` multiplies scenes into captures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random
from typing import NamedTuple

from benchmarks.wire import ACK, FIN, PSH, RST, SYN, Content

CLIENT, SERVER = 0, 1
MSS = 1448  # 1500 less IP, TCP and timestamps
SERIAL_US = 12  # 1514 bytes at 1 Gbit/s
TURN_US = 60  # an endpoint's time to answer


class Role(IntEnum):
    """What the generator knows about a segment's data."""

    NEW = 0
    REPEAT = 1  # every byte was in the capture before
    LATE = 2  # sent again, the first copy was lost before the tap
    PROBE = 3  # keep-alive or window probe


class Step(NamedTuple):
    """One frame.  `seq` and `ack` count from what each side had sent when the scene began."""

    side: int
    at_rtts: float
    at_us: int
    seq: int
    ack: int
    payload_len: int
    flags: int
    sack: tuple[int, int] | None = None
    closes_window: bool = False
    role: Role = Role.NEW
    refreshes_stamp: bool = True
    content: Content = Content.PATTERN
    message: int = 0


@dataclass(slots=True)
class Scene:
    """Two endpoints and what the tap writes down about them."""

    steps: list[Step] = field(default_factory=list)
    sent: list[int] = field(default_factory=lambda: [0, 0])
    received: list[int] = field(default_factory=lambda: [0, 0])
    told: list[int] = field(default_factory=lambda: [0, 0])  # the last ACK each side sent
    messages: list[int] = field(default_factory=lambda: [0, 0])  # cTCP: ESP packets each side made
    rtts: float = 0.0
    us: int = 0
    is_fatal: bool = False

    def wait(self, rtts: float = 0.0, us: int = 0) -> None:
        self.rtts += rtts
        self.us += us

    def frame(
        self,
        side: int,
        payload_len: int = 0,
        flags: int = ACK,
        *,
        seq: int | None = None,
        sack: tuple[int, int] | None = None,
        closes_window: bool = False,
        role: Role = Role.NEW,
        is_lost: bool = False,
        content: Content = Content.PATTERN,
    ) -> None:
        """The tap sees a frame; what the other side makes of it is told by `deliver`."""
        at_seq = self.sent[side] if seq is None else seq
        # RFC 7323 §4.3: TS.Recent is taken from the segment that covers the last ACK sent.
        refreshes = not is_lost and at_seq <= self.told[1 - side]
        self.steps.append(
            Step(
                side, self.rtts, self.us, at_seq, self.received[side], payload_len, flags, sack,
                closes_window, role, refreshes, content, self.messages[side],
            )
        )  # fmt: skip
        self.told[side] = self.received[side]
        self.sent[side] = max(self.sent[side], at_seq + payload_len + bool(flags & (SYN | FIN)))
        self.us += SERIAL_US if payload_len else 1

    def deliver(self, side: int) -> None:
        """Everything that `side` sent has reached the other side."""
        self.received[1 - side] = self.sent[side]

    def say(self, side: int, payload_len: int, flags: int = ACK) -> None:
        self.frame(side, payload_len, flags)
        self.deliver(side)


def turn_round(scene: Scene, side: int) -> None:
    """The time until `side` answers, as the tap near the client sees it."""
    scene.wait(rtts=0.0 if side == CLIENT else 1.0, us=TURN_US)


# -------------------------------------------------------------------------------------- opening and closing


def opened() -> Scene:
    scene = Scene()
    scene.frame(CLIENT, flags=SYN)
    scene.deliver(CLIENT)
    turn_round(scene, SERVER)
    scene.say(SERVER, 0, SYN | ACK)
    scene.wait(us=TURN_US)
    scene.say(CLIENT, 0)
    return scene


def closed_by(side: int) -> Scene:
    """Three frames, as when the other side closes at once."""
    scene, other = Scene(), 1 - side
    scene.say(side, 0, FIN | ACK)
    turn_round(scene, other)
    scene.say(other, 0, FIN | ACK)
    turn_round(scene, side)
    scene.say(side, 0)
    return scene


def reset_by(side: int) -> Scene:
    scene = Scene()
    scene.say(side, 0, RST | ACK)
    return scene


def left_open() -> Scene:
    return Scene()


# -------------------------------------------------------------------------------------- ordinary exchanges


def flight(scene: Scene, side: int, sizes: list[int]) -> None:
    """Data one way; the receiver acknowledges every second segment and the last (RFC 9293 §3.8.6.3)."""
    if side == SERVER:
        _flight_to_tap(scene, sizes)
    else:
        _flight_from_tap(scene, sizes)


def _flight_to_tap(scene: Scene, sizes: list[int]) -> None:
    """The client is next door: its ACKs stand between the server's segments."""
    for place, size in enumerate(sizes, start=1):
        scene.say(SERVER, size, ACK | PSH if place == len(sizes) else ACK)
        if place % 2 == 0 or place == len(sizes):
            scene.wait(us=TURN_US)
            scene.frame(CLIENT)


def _flight_from_tap(scene: Scene, sizes: list[int]) -> None:
    """The server is a round trip away: its ACKs come after the client's whole window."""
    ends = []
    for place, size in enumerate(sizes, start=1):
        scene.frame(CLIENT, size, ACK | PSH if place == len(sizes) else ACK)
        if place % 2 == 0 or place == len(sizes):
            ends.append(scene.sent[CLIENT])
    turn_round(scene, SERVER)
    for end in ends:
        scene.received[SERVER] = end
        scene.frame(SERVER)
        scene.wait(us=2 * SERIAL_US)


def segments(random: Random, count: int) -> list[int]:
    return [MSS] * (count - 1) + [random.randrange(1, MSS + 1)]


def download(random: Random) -> Scene:
    """A request, and an answer of many full segments."""
    scene = Scene()
    scene.say(CLIENT, random.randrange(80, 700), PSH | ACK)
    turn_round(scene, SERVER)
    flight(scene, SERVER, segments(random, random.randrange(8, 41)))
    return scene


def upload(random: Random) -> Scene:
    scene = Scene()
    flight(scene, CLIENT, segments(random, random.randrange(6, 25)))
    scene.wait(us=TURN_US)
    scene.say(SERVER, random.randrange(40, 400), PSH | ACK)
    scene.wait(us=TURN_US)
    scene.say(CLIENT, 0)
    return scene


def question(random: Random) -> Scene:
    """A small request and a small answer, as of an API or a database."""
    scene = Scene()
    scene.say(CLIENT, random.randrange(60, 900), PSH | ACK)
    turn_round(scene, SERVER)
    flight(scene, SERVER, segments(random, random.randrange(1, 4)))
    return scene


def typing(random: Random) -> Scene:
    """Key strokes and their echoes; each answer carries the ACK."""
    scene = Scene()
    for _ in range(random.randrange(1, 7)):
        scene.say(CLIENT, random.randrange(1, 65), PSH | ACK)
        turn_round(scene, SERVER)
        scene.say(SERVER, random.randrange(1, 129), PSH | ACK)
        scene.wait(us=TURN_US)
    scene.say(CLIENT, 0)
    return scene


# ------------------------------------------------------------------------------------------ loss and repair


def loss(random: Random, *, seen_at_tap: bool) -> Scene:
    """One segment of an answer is lost; duplicate ACKs with SACK; a fast retransmission follows."""
    scene = Scene()
    scene.say(CLIENT, random.randrange(80, 700), PSH | ACK)
    turn_round(scene, SERVER)
    flight(scene, SERVER, [MSS] * (2 * random.randrange(1, 5)))
    hole = scene.sent[SERVER]
    if seen_at_tap:
        scene.frame(SERVER, MSS, is_lost=True)
    scene.sent[SERVER] = hole + MSS
    for _ in range(random.randrange(3, 12)):
        scene.frame(SERVER, MSS)
        scene.wait(us=TURN_US)
        scene.frame(CLIENT, sack=(hole + MSS, scene.sent[SERVER]))
    scene.wait(rtts=1.2)
    scene.frame(SERVER, MSS, seq=hole, role=Role.REPEAT if seen_at_tap else Role.LATE)
    scene.deliver(SERVER)
    scene.wait(us=TURN_US)
    scene.frame(CLIENT)
    return scene


def loss_after_tap(random: Random) -> Scene:
    return loss(random, seen_at_tap=True)


def loss_before_tap(random: Random) -> Scene:
    return loss(random, seen_at_tap=False)


def tail_loss(random: Random) -> Scene:
    """The last segment is lost: no duplicate ACK tells of it, only the timer (RFC 6298) does."""
    scene = Scene()
    scene.frame(CLIENT, size := random.randrange(200, MSS), PSH | ACK, is_lost=True)
    scene.wait(rtts=1.0, us=200_000)
    scene.frame(CLIENT, size, PSH | ACK, seq=0, role=Role.REPEAT)
    scene.deliver(CLIENT)
    turn_round(scene, SERVER)
    flight(scene, SERVER, segments(random, 2))
    return scene


def needless_repeat(random: Random) -> Scene:
    """The ACK was lost beyond the tap: the sender repeats what has arrived; D-SACK (RFC 2883) says so."""
    scene = Scene()
    size = random.randrange(200, MSS)
    scene.say(SERVER, size, PSH | ACK)
    scene.wait(us=TURN_US)
    scene.frame(CLIENT)
    scene.wait(rtts=1.0, us=250_000)
    scene.frame(SERVER, size, PSH | ACK, seq=0, role=Role.REPEAT)
    scene.wait(us=TURN_US)
    scene.frame(CLIENT, sack=(0, size))
    return scene


# ------------------------------------------------------------------------------------------- quieter things


def keep_alive(random: Random) -> Scene:
    """RFC 9293 §3.8.4: a segment one byte below SND.NXT, without data, and the ACK it draws."""
    scene = Scene()
    scene.wait(us=5_000_000)
    scene.frame(CLIENT, seq=-1, role=Role.PROBE)
    turn_round(scene, SERVER)
    scene.frame(SERVER)
    return scene


def slow_reader(random: Random) -> Scene:
    """The client closes its window and opens it again; the server probes with one byte (§3.8.6.1)."""
    scene = Scene()
    flight(scene, SERVER, [MSS] * 4)
    scene.wait(us=30)
    scene.frame(CLIENT, closes_window=True)
    scene.wait(rtts=1.0, us=300_000)
    scene.frame(SERVER, 1, role=Role.PROBE)
    scene.sent[SERVER] -= 1  # the receiver had no room: the byte is sent again as data
    scene.wait(us=TURN_US)
    scene.frame(CLIENT, closes_window=True)
    scene.wait(us=random.randrange(20_000, 200_000))
    scene.frame(CLIENT)
    scene.wait(rtts=1.0)
    flight(scene, SERVER, [MSS, random.randrange(100, MSS)])
    return scene


# ----------------------------------------------------------------------------------------------------- cTCP


def esp_len(random: Random, full: bool) -> int:
    """SPI, sequence, IV, whole cipher blocks, ICV, and the cTCP trailer."""
    blocks = 80 if full else random.randrange(3, 40)
    return 8 + 16 + 16 * blocks + 12 + 16


def message(scene: Scene, side: int, payload_len: int, content: Content = Content.ESP) -> None:
    scene.frame(side, payload_len, content=content)
    scene.messages[side] += content is Content.ESP
    scene.deliver(side)  # a cTCP receiver acknowledges the highest byte it saw, hole or not


def negotiation(random: Random) -> Scene:
    """Nothing but ACK flags, no timestamps, six encrypted IKE messages."""
    scene = opened()
    for _ in range(3):
        message(scene, CLIENT, 8 + 28 + 8 * random.randrange(8, 60) + 16, Content.IKE)
        turn_round(scene, SERVER)
        message(scene, SERVER, 8 + 28 + 8 * random.randrange(8, 40) + 16, Content.IKE)
        scene.wait(us=TURN_US)
    return scene


def tunnel(random: Random) -> Scene:
    """ESP both ways: no pure ACK answers data."""
    scene = Scene()
    for _ in range(random.randrange(1, 4)):
        message(scene, CLIENT, esp_len(random, full=False))
        turn_round(scene, SERVER)
        for _ in range(random.randrange(1, 9)):
            message(scene, SERVER, esp_len(random, full=random.random() < 0.6))
        scene.wait(us=400)
    message(scene, CLIENT, esp_len(random, full=False))
    return scene


def tolerated_loss(random: Random) -> Scene:
    """The headend's message is lost before the tap; the client acknowledges past the hole."""
    scene = tunnel(random)
    scene.wait(rtts=1.0)
    scene.sent[SERVER] += esp_len(random, full=True)
    scene.messages[SERVER] += 1
    message(scene, SERVER, esp_len(random, full=True))
    scene.wait(us=TURN_US)
    message(scene, CLIENT, esp_len(random, full=False))
    scene.wait(rtts=1.0)
    message(scene, SERVER, esp_len(random, full=False))
    return scene


def idle(random: Random) -> Scene:
    """cTCP's own keep-alive: a bare ACK with nothing outstanding."""
    scene = Scene()
    scene.wait(us=5_000_000)
    scene.frame(CLIENT)
    scene.wait(rtts=1.0)
    scene.frame(SERVER)
    return scene


def death(random: Random) -> Scene:
    """TAC 113578: a message is lost beyond the tap, each later one draws a duplicate ACK, none repeats it."""
    scene = Scene(is_fatal=True)
    scene.frame(CLIENT, esp_len(random, full=True), is_lost=True, content=Content.ESP)
    scene.messages[CLIENT] += 1
    for _ in range(random.randrange(12, 20)):
        scene.wait(us=450_000)
        scene.frame(CLIENT, esp_len(random, full=False), content=Content.ESP)
        scene.messages[CLIENT] += 1
        scene.wait(rtts=1.0)
        scene.frame(SERVER)
    return scene


# ------------------------------------------------------------------------------------------------ libraries


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Scenes to draw from, and how often; `long` and `short` are mixed until frames are as long as wished."""

    openings: tuple[tuple[float, Scene], ...]
    short: tuple[tuple[float, Scene], ...]
    long: tuple[tuple[float, Scene], ...]
    endings: tuple[tuple[float, Scene], ...]


_Kind = tuple[float, int, Callable[[Random], Scene]]  # weight, how many variants, how to make one


def _variants(random: Random, kinds: list[_Kind]) -> tuple[tuple[float, Scene], ...]:
    return tuple((weight / count, make(random)) for weight, count, make in kinds for _ in range(count))


def ordinary_library(random: Random) -> Library:
    """About one exchange in twenty-five loses something: some 0.2 % of the data segments."""
    troubles: list[_Kind] = [
        (0.012, 24, loss_after_tap),
        (0.008, 24, loss_before_tap),
        (0.008, 8, tail_loss),
        (0.004, 8, needless_repeat),
        (0.004, 1, keep_alive),
        (0.004, 4, slow_reader),
    ]
    endings = [(0.6, closed_by(CLIENT)), (0.2, closed_by(SERVER)), (0.05, reset_by(CLIENT))]
    return Library(
        openings=((1.0, opened()),),
        short=_variants(random, [(0.6, 40, question), (0.36, 20, typing), *troubles]),
        long=_variants(random, [(0.7, 40, download), (0.26, 30, upload), *troubles]),
        endings=(*endings, (0.05, reset_by(SERVER)), (0.1, left_open())),
    )


def ctcp_library(random: Random) -> Library:
    """One flow in fifty dies as TAC 113578 tells; one exchange in fifty loses a message harmlessly."""
    quiet: list[_Kind] = [(0.02, 16, tolerated_loss), (0.01, 1, idle)]
    return Library(
        openings=_variants(random, [(1.0, 24, negotiation)]),
        short=_variants(random, [(0.97, 60, tunnel), *quiet]),
        long=_variants(random, [(0.97, 60, tunnel), *quiet]),
        endings=((0.7, closed_by(CLIENT)), (0.28, left_open()), *_variants(random, [(0.02, 12, death)])),
    )

"""Delays: a capture by several hands that are held up by chance at every step, failed, or interrupted.

What one thread finds they find too, however they meet; an error of any step on any thread surfaces, and nobody is left
waiting.  Where everybody waits for ever, the process ends with the place at which each thread does.
"""

from __future__ import annotations

import faulthandler
import gzip
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import sleep
from types import FrameType
from typing import Any, Final
from unittest import mock

from ctcp_forensics import batches
from ctcp_forensics.capture import Capture, source
from ctcp_forensics.capture.codecs import Unpacker
from ctcp_forensics.capture.copies import Copies
from ctcp_forensics.capture.hands import Hands
from ctcp_forensics.capture.line import Line
from ctcp_forensics.capture.meanwhile import Meanwhile
from tests.fuzz import hands
from tests.test_capture import lz4, zstd

STEPS: Final[tuple[tuple[Any, str], ...]] = (
    (Capture, "_fill"),
    (Capture, "block_at"),
    (Capture, "read_on"),
    (Unpacker, "_unpack"),
    (Meanwhile, "_make_next"),
    (Line, "_make_one"),
    (Line, "_is_far_ahead"),
    (Line, "_next"),
    (Line, "_take"),
    (Copies, "_collect"),
    (batches.Sharing, "collect"),
    (batches.Sharing, "follow"),
    (Hands, "_follow"),
    (source.Rooms, "give_back"),
)
PACKINGS: Final[tuple[Callable[[bytes], bytes], ...]] = (bytes, bytes, gzip.compress, zstd, lz4)
HELD_UP: Final = 0.03
"""Of all steps; nearly all chunks then meet a hand that is late."""
LONGEST_S: Final = 0.003
"""Three times as long as the maker of chunks waits for a turn."""
LATEST_FAULT: Final = 120
"""Steps of all threads together, of some hundred that most inputs take."""
FOR_EVER_S: Final = 60.0
LATE_S: Final = 1.0
"""A thread that was interrupted in its start begins when nobody waits for it any more, and ends at once."""


class FaultError(Exception):
    """Raised in one step."""


def delayed(folder: Path) -> Callable[[bytes, random.Random, int], None]:
    """Held up only, failed as well, and interrupted as well, one after the other."""
    work = folder / "input.pcap"

    def follow(data: bytes, chance: random.Random, number: int) -> None:
        work.write_bytes(chance.choice(PACKINGS)(data))
        with ExitStack() as patches:
            hands.in_short_chunks(patches, chance.choice(hands.CHUNK_LENS))
            if chance.random() < hands.COME_IN_LINE:
                patches.enter_context(mock.patch.object(Capture, "is_read_anywhere", False))
            expected = hands.told(work, 1, is_all=True)
            faults = Faults(chance, (None, FaultError(), KeyboardInterrupt())[number % 3])
            for owner, step in STEPS:
                patches.enter_context(mock.patch.object(owner, step, faults.before(getattr(owner, step))))
            patches.enter_context(nobody_is_left())
            found = faults.outcome(lambda: hands.told(work, chance.choice((2, 2, 3)), is_all=True))
        assert found in (expected, faults.raised), "hands that were late come to something else than one"

    return follow


class Faults:
    """When a step is held up, and which one fails; an interrupt comes at any moment to the thread that was there."""

    def __init__(self, chance: random.Random, error: BaseException | None) -> None:
        self._seed = chance.random()
        self._chance = random.Random(self._seed)
        self._error = error
        self._left = chance.randrange(LATEST_FAULT)
        self.raised: BaseException | None = None

    def before(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def late(*given: Any) -> Any:
            if self._chance.random() < HELD_UP:
                sleep(self._chance.random() * LONGEST_S)
            self._left -= 1
            if self._left == 0 and isinstance(self._error, FaultError):
                self.raised = self._error
                raise self._error
            return step(*given)

        return late

    def outcome(self, work: Callable[[], object]) -> object:
        """What it comes to, or what it ends in; a fault that was raised is never lost."""
        try:
            with interrupted_after(self._seed * 0.03 if isinstance(self._error, KeyboardInterrupt) else 0):
                found = work()
        except FaultError as error:
            return error
        except KeyboardInterrupt as error:
            self.raised = error
            return error
        assert self.raised is None, "an error is lost"
        return found


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """As by Ctrl-C, unless it is done by then; never where it is 0."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def nobody_is_left() -> Iterator[None]:
    faulthandler.dump_traceback_later(FOR_EVER_S, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
    left = [thread for thread in threading.enumerate() if thread.name in ("hand", "read-ahead")]
    for thread in left:
        if thread.ident is not None:
            thread.join(LATE_S)
    assert not any(thread.is_alive() for thread in left), f"still at work: {left}"

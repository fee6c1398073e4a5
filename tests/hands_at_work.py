"""Work for several hands that takes a while now and then, and may fail at a step."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from time import sleep
from typing import Any


def nobody_is_left() -> bool:
    return not any(thread.name in ("hand", "read-ahead") for thread in threading.enumerate())


class Load(list[bytes | bytearray | memoryview]):
    """What a hand collected; decoding it takes a while now and then."""

    chance = random.Random(0)

    def decode(self) -> None:
        dawdle(self.chance)


def dawdle(chance: random.Random) -> None:
    if chance.random() < 0.1:
        sleep(chance.random() * 0.002)


class Reading:
    """Takes one chunk at a turn, or as many as `greed` says; looks at the bytes only when it follows."""

    def __init__(self, chunks: Iterator[Any], chance: random.Random, greed: float = 0) -> None:
        self.chunks, self.chance, self.greed = chunks, chance, greed
        self.collected: list[int] = []
        self.content = b""
        self.told: list[int] = []
        self.threads: set[str] = set()
        self.fails_at: dict[str, int] = {}
        self.error: BaseException = RuntimeError("as told")

    def tell(self, position: int) -> None:
        self.told.append(position)

    def collect(self, load: Load) -> bool:
        self.alone("collect")
        for chunk in self.chunks:
            load.append(chunk)
            self.collected.append(len(chunk))
            if self.chance.random() >= self.greed:
                return True
        return False

    def follow(self, load: Load) -> None:
        self.alone("follow")
        self.content += b"".join(load)
        load.clear()

    def alone(self, step: str) -> None:
        self.threads.add(threading.current_thread().name)
        before = self.fails_at.get(step, -1)
        if before == 0:
            raise self.error
        self.fails_at[step] = before - 1
        dawdle(self.chance)

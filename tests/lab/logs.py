"""The logs of one run, or of one flow in it: what every link carried, what both ends and the firewall noted.

Knows how to read and to ask them.  Does not know what follows from them: see truth and sides.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .link import TO_CLIENT, TO_HEADEND
from .segment import SEQ_SPACE

NS = 1_000_000_000
GONE = ("drop", "corrupt", "swallowed")
# What a segment passes on its way, and the captures that stand there: each in front of the link or box of its row.
WAYS = {TO_HEADEND: ("outer", "asa", "inner"), TO_CLIENT: ("inner", "asa", "outer")}
TAPS: dict[str, dict[str, tuple[str, ...]]] = {
    TO_HEADEND: {"outer": ("client",), "asa": ("asa-outside",), "inner": ("asa-inside",)},
    TO_CLIENT: {"inner": (), "asa": ("asa-inside",), "outer": ("asa-outside",)},
}
SENDER = {TO_HEADEND: "client", TO_CLIENT: "headend"}
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAddress:
    """Where one client lives, how it looks behind a NAT (in the order of its lives there), whence it comes again."""

    own: tuple[str, int]
    public: tuple[tuple[str, int], ...]
    later: tuple[tuple[str, int], ...] = ()

    @property
    def places(self) -> frozenset[tuple[str, int]]:
        return frozenset((self.own, *self.public))

    @property
    def connects_from(self) -> tuple[tuple[str, int], ...]:
        """The place of each of its connections, in the order in which it opens them."""
        return (self.own, *self.later)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """All that was logged in one run, or of one connection in it."""

    links: Sequence[Entry]
    journal: Sequence[Entry]
    clients: Sequence[ClientAddress]

    def on(self, link: str, direction: str | None = None) -> list[Entry]:
        return [
            entry for entry in self.links if entry["link"] == link and direction in (None, entry["direction"])
        ]

    def isn(self, link: str, direction: str) -> int | None:
        """The last ISN that passed: a client that tries again draws a new one."""
        syns = [entry["seq"] for entry in self.on(link, direction) if "S" in entry["flags"]]
        return syns[-1] if syns else None

    def offset(self, entry: Entry) -> int:
        """Counted from the ISN on the same link: the same on both sides of a box that renumbers."""
        isn = self.isn(entry["link"], entry["direction"])
        return int(entry["seq"] - (0 if isn is None else isn)) % SEQ_SPACE

    def events(self, who: str, event: str) -> list[Entry]:
        return [entry for entry in self.journal if entry["who"] == who and entry["event"] == event]


def read_logs(folder: Path, clients: Sequence[ClientAddress]) -> Logs:
    return Logs(
        links=_lines(folder / "links.jsonl"), journal=_lines(folder / "endpoints.jsonl"), clients=clients
    )


def _lines(path: Path) -> list[Entry]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]

"""Both sides of the firewall: what crossed each stretch of the way, where the loss was, who spoke.

Knows the logs of one flow.  Stretches are named as the report names places: `client-asa` and `asa-headend`
are the links, `asa` is between the firewall's two sides.  Does not know captures.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .link import TO_CLIENT, TO_HEADEND
from .logs import GONE, SENDER, WAYS, Entry, Logs

STRETCH = {"outer": "client-asa", "asa": "asa", "inner": "asa-headend"}
HELD = ("queued", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The data segments that went into a stretch and those that came out, by offset; and their lengths."""

    entered: dict[int, int]
    left: dict[int, int]
    gone_copies: int
    """Every copy that did not come out: a TCP proxy sends again what its link loses."""
    gone: frozenset[int]
    """What these copies carried."""
    altered: int = 0
    dropped: int = 0
    """Of those, what was not withheld by a box that waits for something else."""

    @property
    def lost(self) -> dict[int, int]:
        return {offset: length for offset, length in self.entered.items() if offset not in self.left}

    def told(self) -> Entry:
        return {
            "sent": len(self.entered),
            "arrived": len(self.left),
            "lost": len(self.lost),
            "gone_copies": self.gone_copies,
            "altered": self.altered,
            "lost_offsets": sorted(self.lost),
            "gone_offsets": sorted(self.gone),
            "last_offset": max(self.left, default=None),
            "smallest_lost_len": min(self.lost.values(), default=None),
            "largest_arrived_len": max(self.left.values(), default=None),
        }


def sides_of(logs: Logs, asker: str | None, is_proxied: bool, episode: Entry | None) -> Entry:
    """`asker` is what orders the stream: the firewall or a box on a link."""
    resets = sorted(_resets(logs, is_proxied), key=lambda one: int(one["t_ns"]))
    passages = {direction: _passages(logs, direction, is_proxied) for direction in WAYS}
    losses = _losses(passages, asker)
    return {
        "at": _endpoints(logs),
        "crossings": {
            direction: {STRETCH[link]: one.told() for link, one in way.items()}
            for direction, way in passages.items()
        },
        "in_common": _in_common(passages),
        "loss_location": _loss_location(episode, losses),
        "losses": {f"{stretch} {direction}": number for (stretch, direction), number in losses.items()},
        "ack_author": STRETCH[asker] if asker is not None and episode is not None else None,
        "asks_are_made_at": None if asker is None else STRETCH[asker],
        "rst_author": resets[0]["author"] if resets else None,
        "resets": resets,
    }


def _endpoints(logs: Logs) -> Entry:
    """The flow's two ends as each capture shows them; several where a NAT forgot one."""
    client = logs.clients[0]
    outer_out, outer_back = logs.on("outer", TO_HEADEND), logs.on("outer", TO_CLIENT)
    inner_out, inner_back = logs.on("inner", TO_HEADEND), logs.on("inner", TO_CLIENT)
    public = _those(outer_back, "dst", "dport") | _those(inner_out, "src", "sport") or {client.public[0]}
    near = _those(outer_out, "dst", "dport")
    far = _those(inner_out, "dst", "dport") | _those(inner_back, "src", "sport") or near
    return {
        "client": {"client": _places({client.own}), "headend": _places(near)},
        "asa-outside": {"client": _places(public), "headend": _places(near)},
        "asa-inside": {"client": _places(public), "headend": _places(far)},
    }


def _those(entries: Sequence[Entry], address: str, port: str) -> set[tuple[str, int]]:
    return {(entry[address], entry[port]) for entry in entries}


def _places(places: set[tuple[str, int]]) -> list[Entry]:
    return [{"address": address, "port": port} for address, port in sorted(places)]


# --- what crossed -----------------------------------------------------------------------------


def _passages(logs: Logs, direction: str, is_proxied: bool) -> dict[str, Passage]:
    """Of each stretch, in the order of the way."""
    first, _, last = WAYS[direction]
    before, behind = _through(logs, first, direction), _through(logs, last, direction)
    return {first: before, "asa": _inside(logs, before, behind, direction, is_proxied), last: behind}


def _through(logs: Logs, link: str, direction: str) -> Passage:
    """A link, with the box that may stand on it."""
    data = [entry for entry in logs.on(link, direction) if entry["len"] and entry["did"] != "made"]
    isn = logs.isn(link, direction) or 0
    left = [entry for entry in data if entry["did"] not in (*GONE, *HELD)]
    released = [one for entry in data for one in entry.get("released", ())]
    return Passage(
        entered=_by_offset(data, isn),
        left=_by_offset([*left, *released], isn),
        gone_copies=len(data) - len(left) - len(released),
        gone=frozenset(_by_offset([one for one in data if one["did"] in (*GONE, *HELD)], isn)),
        altered=sum(entry["did"] == "corrupt" for entry in data),
        dropped=sum(entry["did"] in GONE for entry in data),
    )


def _by_offset(segments: Sequence[Entry], isn: int) -> dict[int, int]:
    return {(one["seq"] - isn) % (1 << 32): one["len"] for one in segments}


def _inside(logs: Logs, before: Passage, behind: Passage, direction: str, is_proxied: bool) -> Passage:
    """Between the firewall's two sides.  A proxy may cut a message in two, but its stream has no holes."""
    entered = before.left
    if is_proxied:
        forwarded_to = max((offset + length for offset, length in behind.entered.items()), default=0)
        left = {offset: length for offset, length in entered.items() if offset + length <= forwarded_to}
    else:
        left = {offset: length for offset, length in entered.items() if offset in behind.entered}
    dropped = sum(entry["did"] in GONE for entry in logs.on("asa", direction) if entry["len"])
    gone = frozenset(entered) - frozenset(left)
    return Passage(entered=entered, left=left, gone_copies=len(gone), gone=gone, dropped=dropped)


def _in_common(passages: dict[str, dict[str, Passage]]) -> Entry:
    """How many messages two captures both hold."""
    out, back = passages[TO_HEADEND], passages[TO_CLIENT]
    through = len(out["asa"].left), len(back["asa"].left)
    return {
        "client asa-outside": len(out["outer"].left) + len(back["outer"].left),
        "asa-outside asa-inside": sum(through),
        "client asa-inside": through[0] + min(through[1], len(back["outer"].left)),
    }


def _losses(passages: dict[str, dict[str, Passage]], asker: str | None) -> Counter[tuple[str, str]]:
    """What never arrived, by stretch and direction.  What a box withholds because it waits is not lost there."""
    losses: Counter[tuple[str, str]] = Counter()
    for direction, way in passages.items():
        for link, passage in way.items():
            number = passage.dropped if link == asker else len(passage.lost)
            if number:
                losses[STRETCH[link], direction] += number
    return losses


def _loss_location(episode: Entry | None, losses: Counter[tuple[str, str]]) -> str | None:
    """Of the segment that killed, or where most were lost."""
    if episode is not None:
        return STRETCH[episode["link"]]
    counted: Counter[str] = Counter()
    for (stretch, _), number in losses.items():
        counted[stretch] += number
    return counted.most_common(1)[0][0] if counted else None


# --- who spoke --------------------------------------------------------------------------------


def _resets(logs: Logs, is_proxied: bool) -> Iterator[Entry]:
    """Every RST with its author: an end where it came onto a link from an end, or had done so before."""
    for direction, (first, _, last) in WAYS.items():
        own = [entry for entry in logs.on(first, direction) if "R" in entry["flags"]]
        yield from (_reset(entry, SENDER[direction]) for entry in own)
        passed = [] if is_proxied else [entry for entry in own if entry["did"] not in (*GONE, *HELD)]
        for entry in logs.on(last, direction):
            if "R" in entry["flags"]:
                if passed and passed[0]["t_ns"] <= entry["t_ns"]:
                    passed.pop(0)
                else:
                    yield _reset(entry, "asa")


def _reset(entry: Entry, author: str) -> Entry:
    return {"author": author, "direction": entry["direction"], "t_ns": entry["t_ns"], "seq": entry["seq"]}

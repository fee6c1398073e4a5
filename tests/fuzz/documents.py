"""Documents: JSON with other values of the same kinds in it.

What has another kind is refused at once, and shows no more than that.  Everything is drawn from the seeded `chance`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, Final

NUMBERS: Final = (
    0,
    1,
    -1,
    2,
    255,
    65_536,
    1 << 31,
    1 << 32,
    1 << 53,
    (1 << 63) - 1,
    1 << 63,
    -(1 << 63),
    1 << 64,
    10**30,
)
FRACTIONS: Final = (0.0, -0.0, -1.5, 1e-300, 1e300, 0.1)
TEXTS: Final = (
    "",
    "#1",
    "x" * 3_000,
    "a\nb\x1b[2J\u202e",
    "10.0.0.256",
    "::",
    "\x00",
    "<script>",
    "../../etc",
    "%s{0}",
    "1.3",
)
KINDS_KEPT: Final = 0.85


def spoilt(document: bytes, chance: random.Random) -> bytes:
    root = json.loads(document)
    places = list(places_in(root))
    for _ in range(chance.choice((1, 1, 2, 4, 10))):
        holder, key = chance.choice(places)
        change(holder, key, places, chance)
    return json.dumps(root).encode()


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everything that can be put in the place of something else."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from places_in(value[key])


def change(holder: Any, key: Any, places: list[tuple[Any, Any]], chance: random.Random) -> None:
    try:
        old = holder[key]
    except LookupError:  # it went with an earlier change
        return
    if chance.random() > KINDS_KEPT:
        holder[key] = chance.choice((None, 0, "", [], {}, True, 1.5, [[]]))
    elif isinstance(old, list):
        holder[key] = list_like(old, chance)
    elif isinstance(old, dict):
        holder[key] = one_like(old, places, chance)
    else:
        holder[key] = value_like(old, places, chance)


def list_like(old: list[Any], chance: random.Random) -> list[Any]:
    """Shorter, longer, another order."""
    if not old:
        return old
    return chance.choice((old[1:], old[:-1], old * 2, old[::-1], [], [chance.choice(old)] * 5))


def one_like(old: Any, places: list[tuple[Any, Any]], chance: random.Random) -> Any:
    """Another of its kind from elsewhere in the document, else itself."""
    for _ in range(20):
        holder, key = chance.choice(places)
        try:
            found = holder[key]
        except LookupError:
            continue
        if type(found) is type(old) and found is not old and not is_within(found, old):
            return json.loads(json.dumps(found))
    return old


def is_within(whole: Any, part: Any) -> bool:
    return isinstance(whole, (dict, list)) and any(holder[key] is part for holder, key in places_in(whole))


def value_like(old: Any, places: list[tuple[Any, Any]], chance: random.Random) -> Any:
    if chance.random() < 0.4:
        return one_like(old, places, chance)
    if isinstance(old, bool):
        return not old
    if isinstance(old, int):
        return chance.choice((*NUMBERS, old + 1, old - 1, -old, old * 1_000_003))
    if isinstance(old, float):
        return chance.choice((*FRACTIONS, -old, old * 1e9))
    if isinstance(old, str):
        return chance.choice((*TEXTS, old + old, old[:-1], old.upper()))
    return chance.choice((0, "", old))

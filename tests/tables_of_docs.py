"""Tables of the documents, read from the code: bounds, claims, verdicts, rooms, decisions, constants.

`<!-- generated: NAME -->` to `<!-- end -->` holds one.  Knows where the code says what.  Does not run anything.
"""

from __future__ import annotations

import importlib
import pkgutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import ctcp_forensics
from ctcp_forensics.archive.schema import described
from ctcp_forensics.evidence import Claim
from ctcp_forensics.verdict import FLAGSHIP, LINKS, VERDICTS
from tests.bounds import CAPS

ROOT: Final = Path(__file__).resolve().parents[1]


def caps_table() -> Iterator[str]:
    yield "| Bound | Value | Of what | Beyond it |"
    yield "|---|--:|---|---|"
    for cap in CAPS:
        value = value_in(cap.module, cap.name)
        yield f"| `{cap.module}.{cap.name}` | {spelled(cap.name, value)} | {cap.bounds} | {cap.beyond} |"


def claims_table() -> Iterator[str]:
    """The accusation, claim by claim, as the table of verdicts has it."""
    yield "| | Claim | Says | Would refute it |"
    yield "|---|---|---|---|"
    for number, (link, claims) in enumerate(LINKS.items(), start=1):
        for claim in claims:
            yield claim_row(f"link {number}: {link}" if claim is claims[0] else "", claim)
    for claim in FLAGSHIP.doubts:
        yield claim_row("less sure without" if claim is FLAGSHIP.doubts[0] else "", claim)
    for claim in FLAGSHIP.refuted_by:
        yield claim_row("refuted by" if claim is FLAGSHIP.refuted_by[0] else "", claim)


def claim_row(heading: str, claim: Claim) -> str:
    return f"| {heading} | `{claim.name}` | {claim.sentence} | {claim.would_refute} |"


def verdicts_table() -> Iterator[str]:
    """Every verdict in the order of the judgement; what has no requirement comes last."""
    yield "| Verdict | Means | Required | Refuted by |"
    yield "|---|---|---|---|"
    for row in VERDICTS:
        required, refuting = (
            [f"`{claim.name}`" for claim in some] for some in (row.requires, row.refuted_by)
        )
        if row is FLAGSHIP:
            required, refuting = ["the three links above"], ["see above"]
        yield f"| `{row.slug}` | {row.means} | {', '.join(required)} | {', '.join(refuting)} |"


def rooms_table() -> Iterator[str]:
    """Every module that has a place in the import contract, from the top down, with its first sentence."""
    yield "| Room | Is |"
    yield "|---|---|"
    for layer in layers():
        for name in layer:
            docstring = importlib.import_module(f"ctcp_forensics.{name}").__doc__ or ""
            yield f"| `{name}` | {' '.join(docstring.strip().partition(chr(10) * 2)[0].split())} |"


def decisions_list() -> Iterator[str]:
    """Every decision under its own heading, which begins with its number."""
    for path in sorted((ROOT / "docs/decisions").glob("0*.md")):
        heading = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        number, _, title = heading.partition(". ")
        assert int(number) == int(path.name[:4]), path
        yield f"{number}. [{title}]({path.name})"


def layers() -> list[list[str]]:
    """The layers of the import contract that exist."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    written = next(one["layers"] for one in contracts["contracts"] if one["type"] == "layers")
    named = [[name.strip(" ()") for name in layer.split("|")] for layer in written]
    there = [[name for name in layer if has_module(name)] for layer in named]
    return [layer for layer in there if layer]


def has_module(name: str) -> bool:
    path = ROOT / "ctcp_forensics" / name
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


TABLES: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "caps": caps_table,
    "claims": claims_table,
    "verdicts": verdicts_table,
    "rooms": rooms_table,
    "decisions": decisions_list,
    "archive": described,
}


def with_tables(text: str) -> str:
    """The document, with the tables as the code has them now."""
    for name, table in TABLES.items():
        before, mark, rest = text.partition(f"<!-- generated: {name} -->\n")
        if mark:
            _, end, after = rest.partition("<!-- end -->")
            text = "\n".join([before + mark.rstrip("\n"), *table(), end + after])
    return text


# --- constants ---------------------------------------------------------------------------------


def value_in(module: str, name: str) -> int:
    value = getattr(importlib.import_module(f"ctcp_forensics.{module}"), name)
    assert isinstance(value, int), f"{module}.{name} is no whole number"
    return value


def spelled(name: str, value: float) -> str:
    """A constant as the documents write it: times in the unit that suits them, numbers in groups of three."""
    if not name.endswith("_NS"):
        return f"{value:,}"
    for length, unit in ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")):
        if value >= length and value % length == 0:
            return f"{value // length:,.0f} {unit}"
    return f"{value:,} ns"


def constants() -> dict[str, set[str]]:
    """Every numeric constant of the package, as the documents write it; a name may stand for several."""
    found: dict[str, set[str]] = {}
    for module in pkgutil.walk_packages(ctcp_forensics.__path__, "ctcp_forensics."):
        if module.name.endswith(("__main__", "_kernel.core")):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.isupper() and isinstance(value, int | float) and not isinstance(value, bool):
                found.setdefault(name, set()).add(spelled(name, value))
    return found

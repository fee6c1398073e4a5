"""The document: the parts of the overview in their order.

Knows what is told at all.  Does not know SQL (see asked) nor how bars stand (see timeline).  Every text from a capture,
a file name or a manifest passes `_printable` and the templates' own escaping on its way in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import islice
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

from ctcp_forensics import RULES_VERSION, __version__
from ctcp_forensics.archive.answers import plain
from ctcp_forensics.archive.overview import asked
from ctcp_forensics.archive.overview.timeline import timeline_of
from ctcp_forensics.archive.questions import Manifest
from ctcp_forensics.archive.store import REFUSED, SAME, SKIPPED
from ctcp_forensics.archive.tables import Tables
from ctcp_forensics.capture.names import shown
from ctcp_forensics.render.judged import FLAGSHIP_TITLE
from ctcp_forensics.render.page.assets import Assets, policy
from ctcp_forensics.render.page.assets import text_of as page_text
from ctcp_forensics.render.page.templates import environment
from ctcp_forensics.render.wording import clean, count, sized
from ctcp_forensics.report import CONFIDENCE_WORDS

if TYPE_CHECKING:
    from jinja2 import Environment

    from ctcp_forensics.archive.store import StoreCoverage

MAX_HITS: Final = 2_000
"""Rows of the table: half a megabyte; `query hits --format csv` has them all."""
MAX_TROUBLES: Final = 200
LOOKED_AT: Final = ("analyzed", "partial", SAME)
SAYS: Final = {
    "analyzed": "read to the end",
    "partial": "read in part",
    "rejected": "no capture that can be read",
    "failed": "given up",
    "waiting": "not looked at yet",
    REFUSED: "found and not followed",
    SKIPPED: "files that are no captures",
    SAME: "the same content as another",
}


def overview(tables: Tables, store: Manifest) -> Iterator[str]:
    """The page, piece by piece; the same store gives the same bytes."""
    return _templates().get_template("overview.html.j2").generate(_content(tables, store))


def _content(tables: Tables, store: Manifest) -> dict[str, Any]:
    total = asked.total(tables)
    coverage = store.coverage()
    hits = [asked.Hit(*row) for row in asked.hits(tables, MAX_HITS)]
    troubles = list(islice(store.troubles(), MAX_TROUBLES))
    return {
        "assets": _assets(),
        "version": __version__,
        "rules": RULES_VERSION,
        "product": "ctcp-diag",
        "failure": FLAGSHIP_TITLE,
        "total": total,
        "sureness": _sureness(asked.sureness(tables)),
        "headline": _headline(total, coverage),
        "timeline": timeline_of(tables),
        "tops": asked.tops(tables),
        "hits": hits,
        "hits_left": total.hits - len(hits),
        "commands": _commands(hits),
        "coverage": [(SAYS.get(one.status, one.status), one) for one in coverage.counts],
        "is_complete": coverage.is_complete,
        "troubles": troubles,
        "troubles_left": _troubled(coverage) - len(troubles),
    }


def _headline(total: asked.Total, coverage: StoreCoverage) -> str:
    captures = sum(coverage.files(word) for word in LOOKED_AT)
    if not captures:
        return "Nothing could be read"
    found = f"{total.hits:,} of {count(total.flows, 'flow')}: {FLAGSHIP_TITLE}"
    if not total.hits:
        found = f"No {FLAGSHIP_TITLE} in {count(total.flows, 'flow')}"
    told = f"{found}; {count(captures, 'capture')} looked at"
    return told if coverage.is_complete else f"{told}; coverage is incomplete"


def _sureness(counts: Mapping[str, int]) -> str:
    """`3 proven, 1 consistent`: not every hit says that a connection died of it."""
    return ", ".join(f"{counts[word]:,} {word}" for word in CONFIDENCE_WORDS if word in counts)


def _commands(hits: list[asked.Hit]) -> tuple[str, ...]:
    """For the first row; the script puts another's in their place."""
    if not hits:
        return ()
    uri = quote(hits[0].uri)
    return (f"ctcp-diag analyze {uri}", f"ctcp-diag annotate {uri} --flow {hits[0].flow} -o evidence.pcapng")


def _troubled(coverage: StoreCoverage) -> int:
    return sum(coverage.files(word) for word in ("partial", "rejected", "failed", "waiting", REFUSED))


# --- templates and assets --------------------------------------------------------------------------


@cache
def _assets() -> Assets:
    """The style of the report's page, and a script of our own behind two of its parts."""
    style = page_text("page.css") + "\n" + _text("overview.css")
    script = "\n".join((page_text("elements.js"), page_text("copy.js"), _text("overview.js")))
    script = '(() => {\n"use strict";\n' + script + "})();\n"
    return Assets(policy=policy(style, script), style=style, library="", script=script)


@cache
def _templates() -> Environment:
    return environment(
        lambda name: _text(name) if name == "overview.html.j2" else page_text(name),
        _printable,
        {"sized": sized, "shown": shown, "count": count, "number": "{:,}".format},
    )


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _printable(value: Any) -> Any:
    """A text without power over a line or the order of its letters; markup of the templates stays as it is."""
    value = "–" if value is None else plain(value) if not hasattr(value, "__html__") else value
    return clean(value) if type(value) is str else value

"""Questions: what engineers ask an archive again and again, as SQL over its three tables.

Knows SQL and the tables' columns.  Does not know how an answer looks: see answers.

What a user gives is a parameter of the SQL and never a part of it.  A capture that lies in five places has its flows
and findings five times, under the same ids: whatever is counted is counted by id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from ctcp_forensics.archive.tables import Answer, QueryError, Tables
from ctcp_forensics.report import FLAGSHIP, NEEDS_NO_READING

if TYPE_CHECKING:
    from ctcp_forensics.archive.store import StoreCoverage, Trouble

NOT_KNOWN: Final = "not known"
DRILL: Final = ("uri", "flow")
"""Columns by which a row leads back to its capture."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One that is ready to be asked; what stands in braces depends on what the user chooses."""

    name: str
    says: str
    sql: str
    by: Mapping[str, str]
    """How its rows may be put together, and the SQL for it; the first one unless something is said."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question as somebody asked it."""

    sql: str
    given: Mapping[str, Any]


BY_PLACE: Final = {
    "headend": "headend",
    "client-network": "client_network",
    "firewall": f"coalesce(firewall, '{NOT_KNOWN}')",
    "month": f"coalesce(month, '{NOT_KNOWN}')",
}
BY_TIME: Final = {
    "month": f"coalesce(month, '{NOT_KNOWN}')",
    "week": f"coalesce(strftime(date_trunc('week', first_time), '%Y-%m-%d'), '{NOT_KNOWN}')",
    "day": f"coalesce(strftime(first_time, '%Y-%m-%d'), '{NOT_KNOWN}')",
}

WHO_ELSE: Final = Question(
    name="who-else",
    says="Who else is hit: flows with the failure, by headend, client network, firewall or month.",
    by=BY_PLACE,
    sql="""\
SELECT place AS "{name}", hits, clients, captures, first_seen, last_seen, latest.uri AS uri, latest.flow AS flow
FROM (
  SELECT {by} AS place,
    count(DISTINCT finding) AS hits,
    count(DISTINCT client) AS clients,
    count(DISTINCT uri) AS captures,
    min(first_time) AS first_seen,
    max(last_time) AS last_seen,
    max(struct_pack(at := first_ns, uri := uri, flow := flow)) AS latest
  FROM findings
  WHERE {which}
  GROUP BY place
)
ORDER BY {order}""",
)

TREND: Final = Question(
    name="trend",
    says="Whether it gets worse: flows, those that lost segments and those with the failure, by month, week or day.",
    by=BY_TIME,
    sql="""\
SELECT time AS "{name}", judged AS flows, lossy, failed AS unanswered,
  round(100 * lossy / judged, 2) AS lossy_percent, round(100 * failed / judged, 2) AS unanswered_percent, captures
FROM (
  SELECT {by} AS time,
    count(DISTINCT flow) AS judged,
    count(DISTINCT flow) FILTER (is_lossy) AS lossy,
    count(DISTINCT flow) FILTER ({which}) AS failed,
    count(DISTINCT uri) AS captures
  FROM flows
  WHERE verdict <> 'not-ctcp'
  GROUP BY time
)
ORDER BY time""",
)

HITS: Final = Question(
    name="hits",
    says="Every flow with the failure, oldest first, with the capture that shows it.",
    by={},
    sql="""\
SELECT first_time, confidence, direction, client, client_port, headend, headend_port, firewall, duplicate_acks,
  flow, uri
FROM findings
WHERE {which}
QUALIFY row_number() OVER (PARTITION BY finding ORDER BY uri) = 1
ORDER BY first_ns NULLS LAST, uri, flow""",
)

IN_SQL: Final = {one.name: one for one in (WHO_ELSE, TREND, HITS)}
OF_THE_MANIFEST: Final = {
    "coverage": "What was looked at and what was not, in files and bytes.",
    "unreadable": "Every capture that was not wholly read, and everything that was refused, with the reason.",
    "skipped": "What is no capture, and what is never opened: other files, pipes, sockets, links, with the reason.",
}
OVERVIEW: Final = "overview"
ALL: Final = {name: one.says for name, one in IN_SQL.items()} | OF_THE_MANIFEST
PAGES: Final = {OVERVIEW: "All of it on one HTML page, for a browser without a network."}

ALIKE: Final = """\
WITH alike AS (
  SELECT DISTINCT verdict, headend, client_network
  FROM findings
  WHERE $like IN (flow, finding, community_id, client, headend)
)
"""
IS_ALIKE: Final = (
    "verdict IN (SELECT verdict FROM alike)\n    AND (headend IN (SELECT headend FROM alike) "
    "OR client_network IN (SELECT client_network FROM alike))"
)


def asked(name: str, *, by: str | None = None, like: str | None = None, verdict: str | None = None) -> Asked:
    """The SQL of a ready question and its parameters."""
    question = IN_SQL[name]
    which, given = _which(like, verdict)
    chosen = by or next(iter(question.by), "")
    if chosen and chosen not in question.by:
        may_be = ", ".join(question.by) or "nothing"
        raise QueryError(f"{name} is not put together by {chosen}: {may_be} is possible")
    order = "place" if chosen in BY_TIME else "hits DESC, place"
    by_sql, title = question.by.get(chosen, ""), chosen.replace("-", "_")
    sql = question.sql.format(by=by_sql, name=title, which=which, order=order)
    return Asked(sql=(ALIKE if like is not None else "") + sql, given=given)


def _which(like: str | None, verdict: str | None) -> tuple[str, dict[str, str]]:
    """The findings that are meant."""
    parts, given = [], {}
    if like is not None:
        parts, given = [IS_ALIKE], {"like": like}
    if like is None or verdict is not None:
        parts = ["verdict = $verdict", *parts]
        given["verdict"] = verdict or FLAGSHIP
    else:
        well = ", ".join(f"'{word}'" for word in sorted(NEEDS_NO_READING))
        parts.append(f"verdict NOT IN ({well})")
    return "\n    AND ".join(parts), given


def insist_on_somebody_alike(tables: Tables, like: str) -> None:
    """A name that nothing bears gives no empty answer: it was mistyped."""
    sql = "SELECT 1 FROM findings WHERE $like IN (flow, finding, community_id, client, headend) LIMIT 1"
    found = tables.ask(sql, {"like": like})
    if next(found.rows, None) is None:
        raise QueryError(
            f"no finding of this store is of {like}: give a flow or finding by its id, a Community ID, or an address"
        )


# --- what the manifest answers -------------------------------------------------------------------


class Manifest(Protocol):
    """What is needed of a store."""

    def coverage(self) -> StoreCoverage: ...

    def troubles(self) -> Iterator[Trouble]: ...

    def passed_over(self) -> Iterator[Trouble]: ...


def of_the_manifest(name: str, store: Manifest) -> Answer:
    match name:
        case "coverage":
            return coverage(store)
        case "skipped":
            return _reasons(store.passed_over())
        case _:
            return _reasons(store.troubles())


def coverage(store: Manifest) -> Answer:
    counts = store.coverage().counts
    files, size = sum(one.files for one in counts), sum(one.bytes for one in counts)
    rows = [(one.status, one.files, one.bytes, _percent(one.bytes, size)) for one in counts]
    rows.append(("all", files, size, _percent(size, size)))
    return Answer(("status", "files", "bytes", "percent_of_bytes"), iter(rows))


def _reasons(troubles: Iterator[Trouble]) -> Answer:
    return Answer(("uri", "status", "reason"), ((one.uri, one.status, one.reason) for one in troubles))


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None

"""Asking: a question to a store, from its files to the text of the answer.

Knows the store's folder and where answers go.  Does not know SQL: see archive.questions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from ctcp_forensics.archive import questions
from ctcp_forensics.archive.answers import JSON_FORMS, ROWS_AT_A_GLANCE, written
from ctcp_forensics.archive.database import sound
from ctcp_forensics.archive.overview import overview
from ctcp_forensics.archive.parquet import Parquet, as_it_is, refreshed
from ctcp_forensics.archive.store import Store
from ctcp_forensics.archive.tables import Answer, Tables
from ctcp_forensics.cli.ends import Refused, say
from ctcp_forensics.cli.explain import insist_on_verdict
from ctcp_forensics.cli.output import STANDARD_OUTPUT, destination, write, write_utf8
from ctcp_forensics.errors import CtcpError

if TYPE_CHECKING:
    from collections.abc import Iterable


NOTHING_LOOKED_AT: Final = (
    "no capture was looked at, so that nothing is found means nothing; `ctcp-diag query unreadable` and "
    "`ctcp-diag query skipped` tell what was found there"
)


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """What the user wants to know, and how."""

    question: str | None
    sql: str | None
    store: str
    by: str | None
    like: str | None
    verdict: str | None
    form: str
    output: str
    is_verbose: bool


def list_questions(output: str) -> int:
    told = questions.ALL | questions.PAGES
    width = max(map(len, told))
    with destination(output, ()) as text:
        write(text, (f"{name:<{width}}  {says}{_ways(name)}\n" for name, says in told.items()))
    return 0


def answer(inquiry: Inquiry) -> int:
    """Write the answer; what DuckDB or the store cannot do is one line."""
    _insist_on_question(inquiry)
    try:
        with sound(Path(inquiry.store)), destination(inquiry.output, ()) as text:
            put = write_utf8 if inquiry.form in JSON_FORMS else write
            put(text, _told(inquiry, Store.open(inquiry.store)))
    except CtcpError as error:
        raise Refused(str(error)) from error
    return 0


def _told(inquiry: Inquiry, store: Store) -> Iterator[str]:
    if inquiry.question in questions.OF_THE_MANIFEST:
        yield from _text(questions.of_the_manifest(inquiry.question, store), inquiry)
        return
    if store.is_empty:
        say(f"{inquiry.store}: {NOTHING_LOOKED_AT}")
    with Tables(tables_of(store, Path(inquiry.store))) as tables:
        if inquiry.question == questions.OVERVIEW:
            yield from overview(tables, store)
        else:
            yield from _text(_ask(tables, inquiry), inquiry)


def overview_of(parquet: Parquet, store: Store) -> Iterator[str]:
    """The page of a store."""
    with Tables(parquet) as tables:
        yield from overview(tables, store)


def tables_of(store: Store, folder: Path) -> Parquet:
    """The store's tables, brought up to date where the folder may be written to."""
    try:
        return refreshed(store, folder)
    except OSError as error:
        say(f"{folder}: {error.strerror or error}: the tables are used as they are, without newer results")
        return as_it_is(folder)


def _ask(tables: Tables, inquiry: Inquiry) -> Answer:
    if inquiry.sql is not None:
        return tables.ask(inquiry.sql)
    if inquiry.like is not None:
        questions.insist_on_somebody_alike(tables, inquiry.like)
    asked = questions.asked(inquiry.question or "", by=inquiry.by, like=inquiry.like, verdict=inquiry.verdict)
    if inquiry.is_verbose:
        say(f"asked with {dict(asked.given)}:")
        _show(asked.sql.splitlines())
    return tables.ask(asked.sql, asked.given)


def _show(lines: Iterable[str]) -> None:
    for line in lines:
        say(f"  {line}")


def _text(found: Answer, inquiry: Inquiry) -> Iterator[str]:
    return written(found, inquiry.form, rows_at_most=None if inquiry.is_verbose else ROWS_AT_A_GLANCE)


def _insist_on_question(inquiry: Inquiry) -> None:
    known = questions.ALL | questions.PAGES
    if inquiry.question is not None and inquiry.question not in known:
        raise Refused(f"no question is called {inquiry.question}: {', '.join(known)}")
    if inquiry.question not in questions.IN_SQL and (inquiry.by or inquiry.like or inquiry.verdict):
        raise Refused("--by, --like and --verdict belong to " + ", ".join(questions.IN_SQL))
    if inquiry.verdict is not None:
        insist_on_verdict(inquiry.verdict)
    if inquiry.question == questions.OVERVIEW and inquiry.output == STANDARD_OUTPUT:
        raise Refused("the overview is a page: name a file with -o")


def _ways(name: str) -> str:
    ways = questions.IN_SQL[name].by if name in questions.IN_SQL else ()
    return f" (--by {', '.join(ways)})" if ways else ""

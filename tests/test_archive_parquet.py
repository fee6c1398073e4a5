"""The tables on the disk: what is in them, that nothing is in them twice, and that they can be lost."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ctcp_forensics.archive import parquet
from ctcp_forensics.archive.columns import TABLES, Row
from ctcp_forensics.archive.examine import Examined
from ctcp_forensics.archive.parquet import FOLDER, INDEX, refreshed
from ctcp_forensics.archive.rows import rows_of
from ctcp_forensics.archive.schema import columns
from ctcp_forensics.archive.tables import QueryError, Tables
from tests.made_stores import DAY_NS, MadeStore, analyzed, dead, healthy, rejected

pytest.importorskip("duckdb", reason="needs DuckDB, which the extra `archive` brings")


def asked(made: MadeStore, sql: str) -> list[tuple[Any, ...]]:
    with Tables(refreshed(made.store, made.folder)) as tables:
        return [tuple(row) for row in tables.ask(sql).rows]


def files(made: MadeStore) -> list[str]:
    folder = made.folder / FOLDER
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet"))


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    return MadeStore(tmp_path / "store")


BY_URI = "SELECT uri, status, hits FROM captures ORDER BY uri"


def test_each_table_has_a_file_for_each_day(made: MadeStore) -> None:
    later = analyzed("/b.pcap", healthy(2, days=1), days=1)
    made.add(analyzed("/a.pcap", dead(1)), later, rejected("/c.pcap"))
    assert asked(made, BY_URI) == [
        ("/a.pcap", "analyzed", 1),
        ("/b.pcap", "analyzed", 0),
        ("/c.pcap", "rejected", 0),
    ]
    assert files(made) == [
        "captures/day=2026-03-02/000001-00001.parquet",
        "captures/day=2026-03-03/000001-00002.parquet",
        "captures/day=unknown/000001-00003.parquet",
        "findings/day=2026-03-02/000001-00006.parquet",
        "findings/day=2026-03-03/000001-00007.parquet",
        "flows/day=2026-03-02/000001-00004.parquet",
        "flows/day=2026-03-03/000001-00005.parquet",
    ]


def test_a_finding_says_what_who_else_asks_for(made: MadeStore) -> None:
    made.add(analyzed("/a.pcap", dead(1, client="2001:db8:1:2::3", headend="2001:db8::1")))
    sql = "SELECT day, client_network, headend, month, first_time::VARCHAR, duplicate_acks, uri, flow FROM findings"
    assert asked(made, sql) == [
        (
            "2026-03-02",
            "2001:db8:1::/48",
            "2001:db8::1",
            "2026-03",
            "2026-03-02 09:14:05.123456",
            5,
            "/a.pcap",
            "f1",
        )
    ]


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_as_the_documents_have_them(made: MadeStore, table: str) -> None:
    made.add()
    told = {column.name: column.type for column in columns(table)}
    for _ in ("empty", "filled"):
        assert {name: kind for name, kind, *_ in asked(made, f"DESCRIBE {table}")} == told
        made.add(analyzed("/a.pcap", dead(1)))
    assert all(column.says for column in columns(table))


def test_only_what_is_new_is_read(made: MadeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made.add(analyzed("/a.pcap", dead(1)))
    asked(made, BY_URI)
    made.add(analyzed("/b.pcap", dead(2)))
    read: list[str] = []

    def noted(one: Examined) -> Iterator[Row]:
        read.append(one.uri)
        return rows_of(one)

    monkeypatch.setattr(parquet, "rows_of", noted)
    assert [uri for uri, *_ in asked(made, BY_URI)] == ["/a.pcap", "/b.pcap"]
    assert [uri for uri, *_ in asked(made, BY_URI)] == ["/a.pcap", "/b.pcap"]
    assert read == ["/b.pcap"]


def test_the_newer_result_of_a_capture_takes_the_place_of_the_older(made: MadeStore) -> None:
    made.add(analyzed("/a.pcap", dead(1), healthy(2)), analyzed("/b.pcap", dead(3)))
    asked(made, BY_URI)
    made.add(analyzed("/a.pcap", healthy(4)))
    assert asked(made, BY_URI) == [("/a.pcap", "analyzed", 0), ("/b.pcap", "analyzed", 1)]
    assert asked(made, "SELECT flow FROM flows ORDER BY flow") == [("f3",), ("f4",)]
    assert asked(made, "SELECT finding FROM findings ORDER BY 1") == [("x3",), ("x4",)]


def test_of_two_new_results_of_one_capture_the_later_counts(made: MadeStore) -> None:
    made.add(analyzed("/a.pcap", dead(1)))
    made.add(analyzed("/a.pcap", healthy(2)))
    assert asked(made, BY_URI) == [("/a.pcap", "analyzed", 0)]
    assert asked(made, "SELECT finding FROM findings") == [("x2",)]


def test_a_copy_is_a_capture_of_its_own_and_says_of_what(made: MadeStore) -> None:
    made.add(analyzed("/b.pcap", dead(1)))
    asked(made, BY_URI)
    made.add(copies={"/c.pcap": "/b.pcap"})
    sql = "SELECT uri, same_as, hits FROM captures ORDER BY uri"
    assert asked(made, sql) == [("/b.pcap", None, 1), ("/c.pcap", "/b.pcap", 1)]
    made.add(copies={"/a.pcap": "/b.pcap"})
    assert asked(made, sql) == [("/a.pcap", None, 1), ("/b.pcap", "/a.pcap", 1), ("/c.pcap", "/a.pcap", 1)]
    assert asked(made, "SELECT finding, uri FROM findings ORDER BY uri") == [
        ("x1", "/a.pcap"),
        ("x1", "/b.pcap"),
        ("x1", "/c.pcap"),
    ]


def test_a_capture_that_became_a_copy_of_another_loses_what_was_found_in_it(made: MadeStore) -> None:
    made.add(analyzed("/a.pcap", dead(1)), analyzed("/b.pcap", healthy(2)))
    asked(made, BY_URI)
    made.add(copies={"/a.pcap": "/b.pcap"})
    assert asked(made, BY_URI) == [("/a.pcap", "analyzed", 0), ("/b.pcap", "analyzed", 0)]


def test_a_day_whose_last_capture_changed_its_day_leaves_no_file(made: MadeStore) -> None:
    made.add(analyzed("/a.pcap", dead(1)))
    asked(made, BY_URI)
    made.add(analyzed("/a.pcap", dead(2, days=1), days=1))
    assert asked(made, "SELECT day, uri FROM captures") == [("2026-03-03", "/a.pcap")]
    assert all("2026-03-03" in name for name in files(made))


@pytest.mark.parametrize("harm", ["folder", "file", "cut", "index", "garbage", "layout"])
def test_tables_that_are_lost_are_made_anew(made: MadeStore, harm: str) -> None:
    made.add(analyzed("/a.pcap", dead(1)))
    made.add(analyzed("/b.pcap", healthy(2, days=1), days=1))
    asked(made, BY_URI)
    index = made.folder / FOLDER / INDEX
    one = next((made.folder / FOLDER / "findings").rglob("*.parquet"))
    match harm:
        case "folder":
            shutil.rmtree(made.folder / FOLDER)
        case "file":
            one.unlink()
        case "cut":
            one.chmod(0o600)
            one.write_bytes(one.read_bytes()[:-4])
        case "index":
            index.unlink()
        case "garbage":
            index.write_bytes(b"\xff{")
        case "layout":
            told = msgspec.json.decode(index.read_bytes())
            index.write_bytes(msgspec.json.encode(told | {"layout": 0}))
    assert asked(made, BY_URI) == [("/a.pcap", "analyzed", 1), ("/b.pcap", "analyzed", 0)]
    assert asked(made, "SELECT finding FROM findings ORDER BY 1") == [("x1",), ("x2",)]
    assert len(files(made)) == 6


@pytest.mark.parametrize("at", ["_write_rows", "_join_small_files", "_commit"])
def test_a_writer_that_dies_leaves_the_tables_of_before(
    made: MadeStore, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    made.add(analyzed("/a.pcap", dead(1)))
    before = refreshed(made.store, made.folder).index
    made.add(analyzed("/a.pcap", healthy(2)), analyzed("/b.pcap", dead(3)))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(parquet._Step, at, die)
        with pytest.raises(KeyboardInterrupt):
            refreshed(made.store, made.folder)
    assert parquet.as_it_is(made.folder).index == before
    with Tables(parquet.as_it_is(made.folder)) as tables:
        assert list(tables.ask(BY_URI).rows) == [("/a.pcap", "analyzed", 1)]
    assert asked(made, BY_URI) == [("/a.pcap", "analyzed", 0), ("/b.pcap", "analyzed", 1)]
    named = refreshed(made.store, made.folder).index.files
    assert files(made) == sorted(name for some in named.values() for name in some)


def test_many_small_additions_to_a_day_become_one_file(made: MadeStore) -> None:
    for number in range(parquet.MAX_FILES_OF_A_DAY + 2):
        made.add(analyzed(f"/{number:02d}.pcap", dead(number)))
        refreshed(made.store, made.folder)
    assert len(list((made.folder / FOLDER / "captures").rglob("*.parquet"))) == 2
    assert asked(made, "SELECT count(*), count(DISTINCT uri) FROM captures") == [(18, 18)]


def test_steps_of_a_few_rows_and_one_large_step_give_the_same_tables(
    made: MadeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        made.add(analyzed(f"/{number % 7}.pcap", dead(number), healthy(number + 100)))
    sql = "SELECT * FROM findings ORDER BY ALL"
    at_once = asked(made, sql)
    shutil.rmtree(made.folder / FOLDER)
    monkeypatch.setattr(parquet, "ROWS_PER_STEP", 3)
    assert asked(made, sql) == at_once
    assert parquet.as_it_is(made.folder).index.generation == 7
    assert len(at_once) == 14


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    told = []
    for name in ("one", "other"):
        made = MadeStore(tmp_path / name)
        made.add(analyzed("/a.pcap", dead(1)), analyzed("/b.pcap", dead(2)))
        refreshed(made.store, made.folder)
        told.append({path.name: path.read_bytes() for path in made.folder.rglob("*.parquet")})
    assert told[0] == told[1]


def test_a_store_without_a_finding_has_empty_tables(made: MadeStore) -> None:
    made.add()
    assert asked(made, "SELECT count(*) FROM findings") == [(0,)]
    made.add(rejected("/a"))
    assert asked(made, "SELECT count(*) FROM findings") == [(0,)]


def test_a_name_that_is_no_text_is_kept_in_letters(made: MadeStore) -> None:
    name = b"/a'\xff\n;--.pcap".decode("utf-8", "surrogateescape")
    made.add(analyzed(name, dead(1)))
    assert asked(made, "SELECT uri FROM findings") == [("/a'\\xff\\u000a;--.pcap",)]
    made.add(analyzed(name, healthy(2)))
    assert asked(made, "SELECT hits FROM captures") == [(0,)]


def test_a_folder_with_a_quote_in_its_name_is_a_folder(tmp_path: Path) -> None:
    made = MadeStore(tmp_path / "it's ours")
    made.add(analyzed("/a.pcap", dead(1)))
    assert asked(made, BY_URI) == [("/a.pcap", "analyzed", 1)]


def test_a_time_that_nothing_holds_is_no_time(made: MadeStore) -> None:
    made.add(analyzed("/a.pcap", dead(1, days=2**40), days=2**40))
    assert asked(made, "SELECT day, first_ns, first_time FROM findings") == [("unknown", None, None)]
    assert DAY_NS * 2**40 > 2**63


@pytest.mark.parametrize("seed", range(5))
def test_tables_kept_in_step_are_those_made_anew_from_the_store(
    made: MadeStore, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """The slow and obvious way: every row of the newest result of every entry."""
    draw = random.Random(seed)
    monkeypatch.setattr(parquet, "MAX_FILES_OF_A_DAY", 2)
    monkeypatch.setattr(parquet, "ROWS_PER_STEP", draw.choice([1, 5, 1_000]))
    known = ["/0.pcap"]
    made.add(analyzed("/0.pcap", dead(0)))
    for number in range(1, 9):
        uri = draw.choice([f"/{number}.pcap", f"/{draw.choice('abc')}.pcap", *known])
        days = draw.randrange(3)
        if draw.random() < 0.3 and uri != known[0]:
            made.add(copies={uri: known[0]})
        else:
            made.add(
                analyzed(
                    uri, *[dead(10 * number + n, days=days) for n in range(draw.randrange(3))], days=days
                )
            )
        known.append(uri)
        if draw.random() < 0.6:
            refreshed(made.store, made.folder)
    expected = [row for one in made.store.current() for row in rows_of(one)]
    for table, kind in TABLES.items():
        names = kind.__struct_fields__
        rows = asked(made, f"SELECT {', '.join(names)} FROM {table}")  # noqa: S608  # names of ours
        wanted = [tuple(getattr(row, name) for name in names) for row in expected if type(row) is kind]
        assert sorted(rows, key=str) == sorted(wanted, key=str)


# --- free SQL -----------------------------------------------------------------------------------


WRITING = (
    "COPY (SELECT 1) TO '{file}' (FORMAT parquet, USE_TMP_FILE false)",
    "WITH x AS (COPY (SELECT 1 AS z) TO '{file}' (FORMAT parquet, USE_TMP_FILE false)) SELECT 1",
    "SELECT * FROM query('WITH x AS (COPY (SELECT 1) TO ''{file}'' (USE_TMP_FILE false)) SELECT 1')",
    "SELECT * FROM (WITH x AS (COPY (SELECT 1 AS z) TO '{file}' (USE_TMP_FILE false)) SELECT 1)",
    "CREATE TABLE t AS SELECT 1",
    "DROP VIEW findings",
    "INSERT INTO findings SELECT * FROM findings",
    "SELECT 1; COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "EXPORT DATABASE '{folder}/stolen'",
    "ATTACH '{folder}/new.db'",
    "SET enable_external_access = true",
    "PRAGMA enable_profiling",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CALL pragma_version()",
)
READING_ELSEWHERE = (
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_csv('/proc/self/environ')",
    "SELECT * FROM read_parquet('{folder}/other.parquet')",
    "SELECT * FROM 'https://192.0.2.1/x.parquet'",
    "SELECT * FROM sqlite_scan('x.db', 't')",
)


@pytest.mark.parametrize("sql", [*WRITING, *READING_ELSEWHERE])
def test_free_sql_reads_the_tables_and_nothing_else(made: MadeStore, tmp_path: Path, sql: str) -> None:
    made.add(analyzed("/a.pcap", dead(1)))
    parquet_now = refreshed(made.store, made.folder)
    (file,) = parquet_now.paths("findings")
    shutil.copy(file, tmp_path / "other.parquet")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with Tables(parquet_now) as tables:
        with pytest.raises(QueryError):
            list(tables.ask(sql.format(file=file, folder=tmp_path)).rows)
        assert list(tables.ask("SELECT finding FROM findings").rows) == [("x1",)]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_duckdb_says_is_told_in_one_line_without_its_drawing(made: MadeStore) -> None:
    made.add(analyzed("/a.pcap", dead(1)))
    with Tables(refreshed(made.store, made.folder)) as tables, pytest.raises(QueryError) as found:
        tables.ask("SELECT endin FROM flows")
    assert re.fullmatch(
        r'Binder Error: .*"endin" not found.* Candidate bindings: [^\n]*"ending"[^\n]*', str(found.value)
    )
    assert "LINE 1" not in str(found.value)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM findings;",
        "FROM findings",
        "DESCRIBE findings",
        "SUMMARIZE flows",
        "WITH x AS (SELECT * FROM flows) SELECT count(*) FROM x UNION ALL SELECT 2",
        "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 5) SELECT max(n) FROM x",
        "SELECT first_time::DATE AS day, count(*) FROM findings GROUP BY ALL ORDER BY ALL",
        "SELECT 'COPY_QUERY_NODE' AS type",
    ],
)
def test_whatever_reads_is_answered(made: MadeStore, sql: str) -> None:
    made.add(analyzed("/a.pcap", dead(1)))
    with Tables(refreshed(made.store, made.folder)) as tables:
        assert list(tables.ask(sql).rows)

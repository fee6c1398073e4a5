"""The tables on the disk: what is in them, that nothing is in them twice, and that they can be lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ctcp_forensics.archive import parquet
from ctcp_forensics.archive.examine import Examined
from ctcp_forensics.archive.parquet import FOLDER, INDEX, refreshed
from ctcp_forensics.archive.store import SegmentRef
from ctcp_forensics.archive.tables import QueryError, Tables
from tests.archives import DAY_NS, MadeStore, analyzed, dead, healthy, rejected

pytest.importorskip("duckdb", reason="needs DuckDB, which the extra `archive` brings")


def asked(store: MadeStore, folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with Tables(refreshed(store, folder)) as tables:
        return [tuple(row) for row in tables.ask(sql).rows]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder / FOLDER)) for path in folder.rglob("*.parquet"))


BY_URI = "SELECT uri, status, hits FROM captures ORDER BY uri"


def test_each_table_has_a_file_for_each_day(tmp_path: Path) -> None:
    store = MadeStore(
        [analyzed("/a.pcap", dead(1)), analyzed("/b.pcap", healthy(2, days=1), days=1), rejected("/c.pcap")]
    )
    refreshed(store, tmp_path)
    assert files(tmp_path) == [
        "captures/day=2026-03-02/000001-00001.parquet",
        "captures/day=2026-03-03/000001-00002.parquet",
        "captures/day=unknown/000001-00003.parquet",
        "findings/day=2026-03-02/000001-00006.parquet",
        "findings/day=2026-03-03/000001-00007.parquet",
        "flows/day=2026-03-02/000001-00004.parquet",
        "flows/day=2026-03-03/000001-00005.parquet",
    ]
    assert asked(store, tmp_path, BY_URI) == [
        ("/a.pcap", "analyzed", 1),
        ("/b.pcap", "analyzed", 0),
        ("/c.pcap", "rejected", 0),
    ]


def test_a_finding_says_what_who_else_asks_for(tmp_path: Path) -> None:
    store = MadeStore([analyzed("/a.pcap", dead(1, client="2001:db8:1:2::3", headend="2001:db8::1"))])
    sql = "SELECT day, client_network, headend, month, first_time::VARCHAR, duplicate_acks, uri, flow FROM findings"
    assert asked(store, tmp_path, sql) == [
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


def test_only_new_segments_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MadeStore([analyzed("/a.pcap", dead(1))])
    refreshed(store, tmp_path)
    store.add(analyzed("/b.pcap", dead(2)))
    read: list[str] = []
    results = store.results

    def noted(segment: SegmentRef) -> Iterator[Examined]:
        read.append(segment.name)
        return results(segment)

    monkeypatch.setattr(store, "results", noted)
    assert [uri for uri, *_ in asked(store, tmp_path, BY_URI)] == ["/a.pcap", "/b.pcap"]
    assert read == ["000002"]


def test_the_newer_result_of_a_capture_takes_the_place_of_the_older(tmp_path: Path) -> None:
    store = MadeStore([analyzed("/a.pcap", dead(1), healthy(2)), analyzed("/b.pcap", dead(3))])
    refreshed(store, tmp_path)
    store.add(analyzed("/a.pcap", healthy(4), stamp="2:1"))
    assert asked(store, tmp_path, BY_URI) == [("/a.pcap", "analyzed", 0), ("/b.pcap", "analyzed", 1)]
    assert asked(store, tmp_path, "SELECT flow FROM flows ORDER BY flow") == [("f3",), ("f4",)]
    assert asked(store, tmp_path, "SELECT finding FROM findings ORDER BY 1") == [("x3",), ("x4",)]


def test_of_two_new_results_of_one_capture_the_later_counts(tmp_path: Path) -> None:
    store = MadeStore([analyzed("/a.pcap", dead(1))], [analyzed("/a.pcap", healthy(2), stamp="2:1")])
    assert asked(store, tmp_path, BY_URI) == [("/a.pcap", "analyzed", 0)]
    assert asked(store, tmp_path, "SELECT finding FROM findings") == [("x2",)]


def test_a_day_whose_last_capture_changed_its_day_leaves_no_file(tmp_path: Path) -> None:
    store = MadeStore([analyzed("/a.pcap", dead(1))])
    refreshed(store, tmp_path)
    store.add(analyzed("/a.pcap", dead(2, days=1), days=1))
    assert asked(store, tmp_path, "SELECT day, uri FROM captures") == [("2026-03-03", "/a.pcap")]
    assert all("2026-03-03" in name for name in files(tmp_path))


@pytest.mark.parametrize("harm", ["folder", "file", "cut", "index", "garbage", "layout", "segment"])
def test_tables_that_are_lost_are_made_anew(tmp_path: Path, harm: str) -> None:
    store = MadeStore([analyzed("/a.pcap", dead(1))], [analyzed("/b.pcap", healthy(2, days=1), days=1)])
    refreshed(store, tmp_path)
    index = tmp_path / FOLDER / INDEX
    one = next((tmp_path / FOLDER / "findings").rglob("*.parquet"))
    match harm:
        case "folder":
            shutil.rmtree(tmp_path / FOLDER)
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
        case "segment":
            store.kept = {"000009": (*store.kept["000001"], *store.kept["000002"])}
    assert asked(store, tmp_path, BY_URI) == [("/a.pcap", "analyzed", 1), ("/b.pcap", "analyzed", 0)]
    assert asked(store, tmp_path, "SELECT finding FROM findings ORDER BY 1") == [("x1",), ("x2",)]
    assert len(files(tmp_path)) == 6


@pytest.mark.parametrize("at", ["rows", "files", "index"])
def test_a_writer_that_dies_leaves_the_tables_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    store = MadeStore([analyzed("/a.pcap", dead(1))])
    before = refreshed(store, tmp_path).index
    store.add(analyzed("/a.pcap", healthy(2), stamp="2:1"), analyzed("/b.pcap", dead(3)))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    step = parquet._Step
    name = {"rows": "_write_rows", "files": "_join_small_files", "index": "_commit"}[at]
    with monkeypatch.context() as dying:
        dying.setattr(step, name, die)
        with pytest.raises(KeyboardInterrupt):
            refreshed(store, tmp_path)
    assert parquet.as_it_is(tmp_path).index == before
    with Tables(parquet.as_it_is(tmp_path)) as tables:
        assert list(tables.ask(BY_URI).rows) == [("/a.pcap", "analyzed", 1)]
    assert asked(store, tmp_path, BY_URI) == [("/a.pcap", "analyzed", 0), ("/b.pcap", "analyzed", 1)]
    named = refreshed(store, tmp_path).index.files
    assert files(tmp_path) == sorted(name for some in named.values() for name in some)


def test_many_small_additions_to_a_day_become_one_file(tmp_path: Path) -> None:
    store = MadeStore()
    for number in range(parquet.MAX_FILES_OF_A_DAY + 2):
        store.add(analyzed(f"/{number:02d}.pcap", dead(number)))
        refreshed(store, tmp_path)
    assert len(list((tmp_path / FOLDER / "captures").rglob("*.parquet"))) == 2
    assert asked(store, tmp_path, "SELECT count(*), count(DISTINCT uri) FROM captures") == [(18, 18)]


def test_steps_of_a_few_rows_and_one_large_step_give_the_same_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = [
        [analyzed(f"/{number % 7}.pcap", dead(number), healthy(number + 100))] for number in range(20)
    ]
    whole, few = tmp_path / "whole", tmp_path / "few"
    whole.mkdir()
    few.mkdir()
    sql = "SELECT * FROM findings ORDER BY ALL"
    at_once = asked(MadeStore(*segments), whole, sql)
    monkeypatch.setattr(parquet, "ROWS_PER_STEP", 3)
    assert asked(MadeStore(*segments), few, sql) == at_once
    assert len(at_once) == 14


def test_the_same_segments_give_the_same_bytes(tmp_path: Path) -> None:
    told = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        refreshed(MadeStore([analyzed("/a.pcap", dead(1)), analyzed("/b.pcap", dead(2))]), tmp_path / name)
        told.append({path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.parquet")})
    assert told[0] == told[1]


def test_a_store_without_a_result_has_empty_tables(tmp_path: Path) -> None:
    assert asked(MadeStore(), tmp_path, "SELECT count(*) FROM findings") == [(0,)]
    assert asked(MadeStore([rejected("/a")]), tmp_path, "SELECT count(*) FROM findings") == [(0,)]


def test_a_name_that_is_no_text_is_kept_in_letters(tmp_path: Path) -> None:
    name = b"/a'\xff\n;--.pcap".decode("utf-8", "surrogateescape")
    store = MadeStore([analyzed(name, dead(1))])
    assert asked(store, tmp_path, "SELECT uri FROM findings") == [("/a'\\udcff\n;--.pcap",)]
    store.add(analyzed(name, healthy(2), stamp="2:1"))
    assert asked(store, tmp_path, "SELECT hits FROM captures") == [(0,)]


def test_a_folder_with_a_quote_in_its_name_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "it's ours"
    folder.mkdir()
    assert asked(MadeStore([analyzed("/a.pcap", dead(1))]), folder, BY_URI) == [("/a.pcap", "analyzed", 1)]


def test_a_time_that_nothing_holds_is_no_time(tmp_path: Path) -> None:
    store = MadeStore([analyzed("/a.pcap", dead(1, days=2**40), days=2**40)])
    assert asked(store, tmp_path, "SELECT day, first_ns, first_time FROM findings") == [
        ("unknown", None, None)
    ]
    assert DAY_NS * 2**40 > 2**63


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
def test_free_sql_reads_the_tables_and_nothing_else(tmp_path: Path, sql: str) -> None:
    parquet_now = refreshed(MadeStore([analyzed("/a.pcap", dead(1))]), tmp_path)
    (file,) = parquet_now.paths("findings")
    shutil.copy(file, tmp_path / "other.parquet")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with Tables(parquet_now) as tables:
        with pytest.raises(QueryError):
            list(tables.ask(sql.format(file=file, folder=tmp_path)).rows)
        assert list(tables.ask("SELECT finding FROM findings").rows) == [("x1",)]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


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
def test_whatever_reads_is_answered(tmp_path: Path, sql: str) -> None:
    with Tables(refreshed(MadeStore([analyzed("/a.pcap", dead(1))]), tmp_path)) as tables:
        assert list(tables.ask(sql).rows)

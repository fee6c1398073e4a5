"""Questions to a store, as their users ask them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from ctcp_forensics.archive import answers
from ctcp_forensics.archive.entry import Refusal
from ctcp_forensics.archive.find import shown, unshown
from ctcp_forensics.cli import main
from tests.made_stores import MadeStore, analyzed, dead, healthy, rejected

pytest.importorskip("duckdb", reason="needs DuckDB, which the extra `archive` brings")

HOSTILE = "/=cmd|' /C calc'!A0\x1b[31m|<script>\u202e.pcap"


@pytest.fixture
def made(tmp_path: Path) -> MadeStore:
    """Two headends, three clients, two months; one capture lies in two places."""
    made = MadeStore(tmp_path / "store")
    made.add(
        analyzed("/case1/a.pcap", dead(1), healthy(2)),
        analyzed("/case1/b.pcap", dead(3, client="192.0.2.77", days=1), days=1),
    )
    made.add(
        analyzed("/case2/c.pcap", dead(4, client="203.0.113.9", headend="198.51.100.2", days=30), days=30),
        rejected("/case3/setup.exe"),
        copies={"/case3/copy-of-c.pcap": "/case2/c.pcap"},
    )
    return made


@pytest.fixture
def ask(made: MadeStore, capsys: pytest.CaptureFixture[str]) -> Any:
    """Ask like a user; standard output where all went well."""

    def asking(*words: str, status: int = 0) -> str:
        store = () if "--store" in words else ("--store", str(made.folder))
        assert main(["query", *words, *store]) == status
        told = capsys.readouterr()
        return told.out if status == 0 and "-v" not in words else told.out + told.err

    return asking


def test_who_else_by_headend(ask: Any) -> None:
    assert [line.rstrip() for line in ask("who-else").splitlines()] == [
        "headend         hits    clients    captures  first_seen            last_seen             "
        "uri                    flow",
        "------------  ------  ---------  ----------  --------------------  --------------------  "
        "---------------------  ------",
        "198.51.100.1       2          2           2  2026-03-02T09:14:05Z  2026-03-03T09:16:19Z  "
        "/case1/b.pcap          f3",
        "198.51.100.2       1          1           2  2026-04-01T09:14:05Z  2026-04-01T09:16:19Z  "
        "/case3/copy-of-c.pcap  f4",
        "",
        "2 rows.",
        "For one of them: ctcp-diag analyze URI; ctcp-diag annotate URI --flow FLOW -o evidence.pcapng",
    ]


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("client-network", {"192.0.2.0/24": 2, "203.0.113.0/24": 1}),
        ("firewall", {"not known": 3}),
        ("month", {"2026-03": 2, "2026-04": 1}),
    ],
)
def test_who_else_by_something_else(ask: Any, by: str, groups: dict[str, int]) -> None:
    told = json.loads(ask("who-else", "--by", by, "--format", "json"))
    assert {row[by.replace("-", "_")]: row["hits"] for row in told} == groups


def test_months_come_one_after_the_other_and_places_with_the_worst_first(ask: Any, made: MadeStore) -> None:
    made.add(*(analyzed(f"/more{n}.pcap", dead(20 + n, days=30), days=30) for n in range(4)))
    assert [row["month"] for row in json.loads(ask("who-else", "--by", "month", "-f", "json"))] == [
        "2026-03",
        "2026-04",
    ]
    told = json.loads(ask("who-else", "-f", "json"))
    assert [(row["headend"], row["hits"]) for row in told] == [("198.51.100.1", 6), ("198.51.100.2", 1)]


@pytest.mark.parametrize(
    ("like", "hits"),
    [("f1", {"198.51.100.1": 2}), ("192.0.2.77", {"198.51.100.1": 2}), ("x4", {"198.51.100.2": 1})],
)
def test_who_else_is_like_this_one(ask: Any, like: str, hits: dict[str, int]) -> None:
    told = json.loads(ask("who-else", "--like", like, "--format", "json"))
    assert {row["headend"]: row["hits"] for row in told} == hits


def test_like_nobody_is_a_slip_of_the_pen(ask: Any) -> None:
    assert "no finding of this store is of f99" in ask("who-else", "--like", "f99", status=2)
    assert "no finding of this store is of ' OR 1=1 --" in ask("who-else", "--like", "' OR 1=1 --", status=2)


def test_trend_by_month_counts_a_capture_in_two_places_once(ask: Any) -> None:
    assert json.loads(ask("trend", "--format", "json")) == [
        {
            "month": "2026-03",
            "flows": 3,
            "lossy": 2,
            "unanswered": 2,
            "lossy_percent": 66.67,
            "unanswered_percent": 66.67,
            "captures": 2,
        },
        {
            "month": "2026-04",
            "flows": 1,
            "lossy": 1,
            "unanswered": 1,
            "lossy_percent": 100.0,
            "unanswered_percent": 100.0,
            "captures": 2,
        },
    ]


def test_hits_lead_back_to_their_captures(ask: Any) -> None:
    told = [json.loads(line) for line in ask("hits", "--format", "ndjson").splitlines()]
    assert [(row["flow"], row["uri"]) for row in told] == [
        ("f1", "/case1/a.pcap"),
        ("f3", "/case1/b.pcap"),
        ("f4", "/case2/c.pcap"),
    ]
    assert told[0]["first_time"] == "2026-03-02T09:14:05.123456Z"


def test_another_verdict_can_be_asked_for(ask: Any) -> None:
    told = json.loads(ask("hits", "--verdict", "healthy", "--format", "json"))
    assert [row["flow"] for row in told] == ["f2"]


def test_coverage_and_what_could_not_be_read_come_from_the_manifest(ask: Any, made: MadeStore) -> None:
    made.refuse(Refusal(uri="/case4", reason="permission", is_trouble=True))
    assert [line.split() for line in ask("coverage").splitlines()[2:]] == [
        ["analyzed", "3", "654912", "75.0"],
        ["rejected", "1", "7", "0.0"],
        ["same-as-another", "1", "218304", "25.0"],
        ["refused", "1", "0", "0.0"],
        ["all", "6", "873223", "100.0"],
        [],
        ["5", "rows."],
    ]
    assert json.loads(ask("unreadable", "--format", "json")) == [
        {"uri": "/case3/setup.exe", "status": "rejected", "reason": "not a capture: it begins with 'MZ'"},
        {"uri": "/case4", "status": "refused", "reason": "permission"},
    ]


def test_what_is_never_opened_is_listed_with_its_reason(ask: Any, made: MadeStore) -> None:
    made.refuse(
        Refusal(uri="/case4/fifo.pcap", reason="fifo", detail="a pipe is never opened", is_trouble=False),
        Refusal(uri="/case4/locked", reason="permission", is_trouble=True),
    )
    assert json.loads(ask("skipped", "--format", "json")) == [
        {"uri": "/case4/fifo.pcap", "status": "skipped", "reason": "fifo: a pipe is never opened"}
    ]


def test_verbose_shows_the_sql_and_it_gives_the_same(ask: Any) -> None:
    told = ask("hits", "-v", "--verdict", "healthy")
    sql = "\n".join(
        line.removeprefix("ctcp-diag:   ") for line in told.splitlines() if "ctcp-diag:   " in line
    )
    assert "$verdict" in sql
    assert "{'verdict': 'healthy'}" in told
    again = ask("--sql", sql.replace("$verdict", "'healthy'"), "--format", "csv")
    assert again == ask("hits", "--verdict", "healthy", "--format", "csv")


def test_the_questions_are_listed_with_a_sentence_each(ask: Any) -> None:
    lines = ask("--list").splitlines()
    assert [line.split()[0] for line in lines] == [
        "who-else",
        "trend",
        "hits",
        "coverage",
        "unreadable",
        "skipped",
        "overview",
    ]
    assert "(--by month, week, day)" in lines[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name a question"),
        (("hits", "--sql", "SELECT 1"), "name a question"),
        (("who",), "no question is called who"),
        (("who-else", "--by", "week"), "who-else is not put together by week"),
        (("coverage", "--by", "week"), "belong to"),
        (
            ("hits", "--verdict", "idle-timeouts"),
            "no verdict is called idle-timeouts; did you mean idle-timeout?",
        ),
        (("--sql", "SELECT nothing FROM findings"), 'Referenced column "nothing" not found'),
        (("--sql", "SELEC 1"), "syntax error"),
        (("--sql", "DROP VIEW findings"), "--sql takes one SELECT over captures, flows and findings"),
        (("--sql", "COPY flows TO '/tmp/flows.csv'"), "nothing that writes or sets"),
        (("overview",), "name a file with -o"),
        (
            ("hits", "--store", "/no where"),
            "/no where: there is no store; `ctcp-diag scan PLACE --store '/no where'` makes one",
        ),
        (
            ("hits", "--store", "samples"),
            "samples: is a folder without a store; `ctcp-diag scan samples --store DIR` makes one of its captures",
        ),
        (
            ("hits", "--store", "samples/healthy.pcap"),
            "samples/healthy.pcap: is a file, and a store is a folder; "
            "`ctcp-diag scan samples/healthy.pcap --store DIR` makes one of a capture",
        ),
    ],
)
def test_what_cannot_be_asked_is_one_line(ask: Any, words: tuple[str, ...], says: str) -> None:
    told = ask(*words, status=2)
    assert says in told
    assert "Traceback" not in told


def test_that_nothing_was_looked_at_is_said_beside_an_answer_of_nothing(
    made: MadeStore, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(made.folder)
    MadeStore(made.folder).add(rejected("/case3/setup.exe"))
    told = f"ctcp-diag: {made.folder}: no capture was looked at, so that nothing is found means nothing; "
    for question, is_told in (("hits", True), ("trend", True), ("unreadable", False), ("coverage", False)):
        assert main(["query", question, "--store", str(made.folder)]) == 0
        assert capsys.readouterr().err.startswith(told) == is_told


def test_without_duckdb_the_manifest_answers_and_the_rest_says_what_is_missing(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask("hits")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert "analyzed" in ask("coverage")
    assert "/case3/setup.exe" in ask("unreadable")
    for words in (("hits",), ("--sql", "SELECT 1"), ("overview", "-o", "/dev/null")):
        assert "this needs DuckDB: pip install 'ctcp-forensics[archive]'" in ask(*words, status=2)


# --- hostile names ------------------------------------------------------------------------------


def test_a_hostile_name_has_no_power_in_any_format(ask: Any, made: MadeStore) -> None:
    shutil.rmtree(made.folder)
    MadeStore(made.folder).add(analyzed(HOSTILE, dead(1)), analyzed("=1+1", dead(2)))
    table = ask("hits")
    assert "\x1b" not in table
    assert "\u202e" not in table
    assert "\\u001b[31m" in table
    cells = list(csv.reader(io.StringIO(ask("hits", "--format", "csv"))))
    assert [row[-1] for row in cells[1:]] == [shown(HOSTILE), "'=1+1"]
    markdown = ask("hits", "--format", "markdown")
    assert "<script>" not in markdown.replace("\\<script\\>", "")
    assert "\\|" in markdown
    told = [json.loads(line)["uri"] for line in ask("hits", "--format", "ndjson").splitlines()]
    assert [unshown(uri) for uri in told] == [HOSTILE, "=1+1"]


def test_a_formula_in_a_name_of_sql_is_harmless_too(ask: Any) -> None:
    assert ask("--sql", "SELECT 1 AS \"=2+2\", '@x' AS b, -3 AS c, -0.5 AS d", "--format", "csv") == (
        "'=2+2,b,c,d\n1,'@x,-3,-0.5\n"
    )


def test_any_value_of_sql_is_json(ask: Any) -> None:
    sql = (
        "SELECT 1.5::DECIMAL(4,2) AS a, [1, 2] AS b, {'x': DATE '2026-03-02'} AS c, NULL AS d, 'ab'::BLOB AS e, "
        "INTERVAL 3 DAY AS f, 2::HUGEINT ** 70 AS g, 'nan'::DOUBLE AS h, TIMESTAMPTZ '2026-03-02 10:00:00+01' AS i, "
        "true AS j"
    )
    (row,) = json.loads(ask("--sql", sql, "--format", "json"))
    assert row["a"] == 1.5
    assert (row["b"], row["c"], row["d"], row["e"]) == ([1, 2], {"x": "2026-03-02"}, None, "6162")
    assert (row["h"], row["i"], row["j"]) == (None, "2026-03-02T09:00:00Z", True)
    assert ask("--sql", "SELECT 1 AS a WHERE false", "--format", "json") == "[]\n"


def test_two_columns_of_one_name_are_both_told(ask: Any) -> None:
    assert json.loads(ask("--sql", "SELECT 1 AS a, 2 AS a", "--format", "json")) == [{"a": 1, "a_2": 2}]


def test_a_long_table_is_cut_and_says_so(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctcp_forensics.cli.asking.ROWS_AT_A_GLANCE", 2)
    assert "1 more row: -v shows them" in ask("hits")
    assert "3 rows." in ask("hits")
    assert ask("hits", "--format", "csv").count("\n") == 4
    assert "more row" not in ask("hits", "-v")
    assert answers.ROWS_AT_A_GLANCE == 200


def test_a_store_that_cannot_be_written_is_answered_from_what_is_there(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ask("hits", "--format", "csv")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ctcp_forensics.cli.asking.refreshed", refuse)
    assert ask("hits", "--format", "csv") == before

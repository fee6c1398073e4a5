"""Questions to an archive: `python -m benchmarks.archive_query [--findings N] [--rounds N]`.

Makes the tables of a store that holds so many findings, of as many flows in a tenth as many captures on 600 days, and
asks every ready question in a process of its own: wall time, CPU and peak memory, of Python, DuckDB and all.  DuckDB
draws the rows; one in twelve is a flow that died.  Figures are medians, the first round is not counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import msgspec
from tabulate import tabulate

from ctcp_forensics import RULES_VERSION
from ctcp_forensics.archive.columns import TABLES
from ctcp_forensics.archive.examine import Terms
from ctcp_forensics.archive.manifest import Manifest
from ctcp_forensics.archive.parquet import FOLDER, INDEX, Index, connected
from ctcp_forensics.archive.scan import prepared
from ctcp_forensics.archive.schema import DERIVED, Column, columns, derived
from ctcp_forensics.archive.store import Store

LAUNCHER = Path(__file__).with_name("launch.py")
DAYS = 600
FIRST_NS = 1_740_000_000 * 10**9
QUESTIONS = (
    ("who-else",),
    ("who-else", "--by", "client-network"),
    ("who-else", "--by", "month"),
    ("who-else", "--like", "198.51.100.7"),
    ("trend",),
    ("hits", "--format", "csv"),
    ("overview",),
    ("--sql", "SELECT ending, count(*) FROM flows GROUP BY ALL"),
)
DRAWN = {
    "entry": "i // 10",
    "segment": "i // 4000",
    "place": "i * 700",
    "first_entry": "i // 10",
    "uri": "'/cases/' || (i // 5000) || '/capture-' || (i // 10) || '.pcap'",
    "same_as": "NULL",
    "status": "'analyzed'",
    "flow": "printf('%016x', hash(i))",
    "finding": "printf('%016x', hash(i + 1000000000))",
    "community_id": "'1:' || base64(encode(printf('%020d', i)))",
    "verdict": "CASE WHEN i % 12 = 0 THEN 'unanswered-duplicate-acks' WHEN i % 5 = 0 THEN 'loss-tolerated' "
    "ELSE 'healthy' END",
    "client": "'10.' || hash(i) % 200 || '.' || hash(i + 1) % 250 || '.' || hash(i + 2) % 250",
    "client_network": "'10.' || hash(i) % 200 || '.' || hash(i + 1) % 250 || '.0/24'",
    "headend": "'198.51.100.' || hash(i // 3) % 40",
    "firewall": "CASE WHEN i % 3 = 0 THEN 'asa' END",
    "first_ns": f"{FIRST_NS} + (i // 10 % {DAYS}) * 86400000000000 + hash(i) % 80000000000000",
    "last_ns": f"{FIRST_NS} + (i // 10 % {DAYS}) * 86400000000000 + hash(i) % 80000000000000 + 60000000000",
    "summary": "'A segment was lost at byte ' || hash(i) || '; 70 duplicate ACKs asked for it, and nobody answered.'",
}
MADE_LATER = {"day", *(column.name for column in DERIVED)}
BY_TYPE = {"VARCHAR": "'word'", "BIGINT": "i % 1000", "BOOLEAN": "i % 7 = 0"}


def drawn(column: Column) -> str:
    return f"({DRAWN.get(column.name, BY_TYPE[column.type])})::{column.type} AS {column.name}"


def make(folder: Path, findings: int) -> None:
    """A store without a segment, whose tables are there all the same."""
    manifest = Manifest(prepared(folder), terms=Terms().key, rules=RULES_VERSION)
    manifest.finish()
    manifest.close()
    tables = folder / FOLDER
    tables.mkdir()
    files: dict[str, dict[str, int]] = {}
    with connected() as base:
        for table in TABLES:
            step = 10 if table == "captures" else 1
            listed = ", ".join(drawn(column) for column in columns(table) if column.name not in MADE_LATER)
            rows = f"SELECT {listed} FROM (SELECT range AS i FROM range(0, {findings}, {step}))"
            base.execute(
                f"COPY (SELECT strftime(make_timestamp(first_ns // 1000), '%Y-%m-%d') AS day, *, {derived()} "
                f"FROM ({rows})) TO '{tables / table}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (day))"
            )
            made = sorted((tables / table).rglob("*.parquet"))
            files[table] = {str(path.relative_to(tables)): path.stat().st_size for path in made}
    index = Index(generation=1, seen=Store.open(folder).fingerprint(), files=files)
    (tables / INDEX).write_bytes(msgspec.json.encode(index))


def measured(folder: Path, question: tuple[str, ...]) -> dict[str, float]:
    command = (sys.executable, "-m", "ctcp_forensics", "query", *question, "--store", str(folder))
    if question == ("overview",):
        command += ("-o", str(folder / "overview.html"))
    words = (
        sys.executable,
        "-I",
        "-S",
        str(LAUNCHER),
        "/dev/null",
        str(folder / "errors"),
        str(1 << 40),
        "120",
    )
    told = subprocess.run([*words, *command], capture_output=True, check=True)
    found: dict[str, float] = json.loads(told.stdout)
    if found["status"] != 0:
        raise SystemExit(f"{question}: {(folder / 'errors').read_text()}")
    return found


def row_of(folder: Path, question: tuple[str, ...], rounds: int) -> tuple[str, ...]:
    runs = [measured(folder, question) for _ in range(rounds + 1)][1:]
    return (
        " ".join(question),
        f"{median(run['seconds'] for run in runs):.2f} s",
        f"{median(run['cpu_seconds'] for run in runs):.2f} s",
        f"{max(run['peak_kb'] for run in runs) / 1024:.0f} MB",
    )


def main() -> None:
    wishes = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wishes.add_argument("--findings", type=int, default=1_000_000)
    wishes.add_argument("--rounds", type=int, default=5)
    wishes.add_argument("--only", help="questions that begin with this word")
    wishes.add_argument("--keep", type=Path, help="a folder to make the store in, or to use it again")
    wished = wishes.parse_args()
    with tempfile.TemporaryDirectory(prefix="ctcp-archive-query-") as place:
        folder = (wished.keep or Path(place)) / f"store-{wished.findings}"
        if not folder.exists():
            make(folder, wished.findings)
        size = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
        print(f"{wished.findings:,} findings, {size / 1e6:.0f} MB of Parquet")
        asked = [question for question in QUESTIONS if wished.only in (None, question[0])]
        rows = [row_of(folder, question, wished.rounds) for question in asked]
        print(tabulate(rows, ("question", "wall", "CPU", "peak"), tablefmt="github"))


if __name__ == "__main__":
    main()

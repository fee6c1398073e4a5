"""Parquet: the rows of a store as files that DuckDB, pandas or Spark read, partitioned by day.

Knows which results are in the files, and keeps these in step with the manifest: a new result is added, one that another
superseded is taken out.  Does not know where results come from nor what is asked of the tables: see store, tables.

The files are a copy: the truth is in the segments, and a folder that is gone, cut or of another version is made anew.
`index.json` names the files that count.  It is replaced as a whole, after the files that it names are on the disk and
before those that it no longer names are removed: whoever dies in between leaves the tables of before.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from ctcp_forensics.archive.columns import TABLES, CaptureRow, Row
from ctcp_forensics.archive.rows import rows_of
from ctcp_forensics.archive.schema import LAYOUT, derived, json_columns, nothing
from ctcp_forensics.errors import CtcpError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from ctcp_forensics.archive.examine import Examined
    from ctcp_forensics.archive.store import Pointer

FOLDER: Final = "parquet"
INDEX: Final = "index.json"
LOCK: Final = ".lock"
PASSING: Final = ".passing"
"""What is being written; swept away by the next writer."""
ROWS_PER_STEP: Final = 1_000_000
"""Rows between two commits: some 400 MB of JSON on the disk meanwhile, and not in memory."""
READ_ONLY: Final = 0o444
"""A file is never altered once it is named, by a user's SQL least of all."""
MAX_FILES_OF_A_DAY: Final = 16
"""Behind it they become one: each file costs a query an `open` and a footer."""
WRITER_MEMORY: Final = "1GB"
"""DuckDB's own bound; beyond it, it goes to the disk."""
MAX_ROW_LEN: Final = 16 * 1_048_576
"""Bytes of JSON: a path has at most 4,096, a nested member a few of these; a summary or filter is shorter."""
ENTRIES_AT_ONCE: Final = 2_048
POINTERS: Final = "pointers.csv"
POINTED: Final = "entry, segment, place, first_entry, rules_version"
POINTER_COLUMNS: Final = (
    "{entry: 'BIGINT', segment: 'BIGINT', place: 'BIGINT', first_entry: 'BIGINT', rules_version: 'VARCHAR'}"
)

Names = dict[str, dict[str, int]]
"""Table by table the files that count, below the folder, with their sizes."""


class NoDuckDBError(CtcpError):
    """The extra that brings it is not installed."""


class Results(Protocol):
    """What is needed of a store."""

    def fingerprint(self) -> str: ...

    def pointers(self) -> Iterator[Pointer]: ...

    def results_of(self, entries: Iterable[int]) -> Iterator[tuple[Pointer, Examined]]: ...


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the folder."""

    layout: int = LAYOUT
    generation: int = 0
    """Counts the commits, and gives new files their names."""
    seen: str = ""
    """The fingerprint of the manifest that the files agree with; empty: they are on the way there."""
    files: Names = {}


class Parquet(msgspec.Struct, frozen=True, kw_only=True):
    """The tables on the disk: where, and what belongs to them."""

    folder: Path
    index: Index

    def paths(self, table: str) -> list[str]:
        return [str(self.folder / name) for name in sorted(self.index.files.get(table, {}))]


def refreshed(store: Results, store_folder: Path) -> Parquet:
    """The tables as the manifest has them now: what is new is added, what is no more is taken out."""
    folder = store_folder / FOLDER
    folder.mkdir(exist_ok=True)
    with _only_writer(folder):
        index = _index_for(folder)
        seen = store.fingerprint()
        while index.seen != seen:
            index = _Step(folder, index).reconcile(store, seen)
        return Parquet(folder=folder, index=index)


def as_it_is(store_folder: Path) -> Parquet:
    """The tables without a look at the segments: of a store that cannot be written to."""
    folder = store_folder / FOLDER
    return Parquet(folder=folder, index=_read_index(folder))


def connected(**settings: Any) -> DuckDBPyConnection:
    """A DuckDB in memory that fetches nothing from anywhere."""
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise NoDuckDBError("this needs DuckDB: pip install 'ctcp-forensics[archive]'") from error
    return duckdb.connect(
        ":memory:",
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False, **settings},
    )


# --- the index ------------------------------------------------------------------------------------


def _index_for(folder: Path) -> Index:
    """The index as it stands, or an empty one where it does not tell of the files that are there."""
    index = _read_index(folder)
    if index.layout != LAYOUT or not _is_whole(folder, index.files):
        index = Index(generation=index.generation)
    _sweep(folder, index)
    return index


def _read_index(folder: Path) -> Index:
    try:
        return msgspec.json.decode((folder / INDEX).read_bytes(), type=Index)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return Index()


def _is_whole(folder: Path, files: Names) -> bool:
    try:
        return all(
            (folder / name).stat().st_size == size for some in files.values() for name, size in some.items()
        )
    except OSError:
        return False


def _sweep(folder: Path, index: Index) -> None:
    """What no index names: of a writer that died, or of tables that are made anew."""
    shutil.rmtree(folder / PASSING, ignore_errors=True)
    for table in TABLES:
        named = index.files.get(table, {})
        for path in (folder / table).glob("day=*/*.parquet"):
            if str(path.relative_to(folder)) not in named:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    """One at a time; the system lets go of the lock with the process that holds it."""
    with (folder / LOCK).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- one step ------------------------------------------------------------------------------------


class _Step:
    """From what the manifest says to an index that says the same, or a part of the way."""

    def __init__(self, folder: Path, index: Index) -> None:
        self._folder = folder
        self._index = index
        self._passing = folder / PASSING
        self._files = {table: dict(index.files.get(table, {})) for table in TABLES}
        self._made = 0

    def reconcile(self, store: Results, seen: str) -> Index:
        self._passing.mkdir()
        try:
            with connected(memory_limit=WRITER_MEMORY, temp_directory=str(self._passing / "spilled")) as base:
                self._compare(base, store)
                is_all = self._write_rows(store, _numbers(base))
                for table in TABLES:
                    self._take_out(base, table)
                    self._put_in(base, table)
                    self._join_small_files(base, table)
            return self._commit(seen if is_all else "")
        finally:
            shutil.rmtree(self._passing, ignore_errors=True)

    def _compare(self, base: DuckDBPyConnection, store: Results) -> None:
        """`fresh`: entries whose result is not in the tables yet; `gone`: those whose rows there are of another."""
        with (self._passing / POINTERS).open("w", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(store.pointers())
        names = {name: self._folder / name for name in self._files["captures"]}
        have = (
            f"SELECT {POINTED} FROM {_parquet(list(names.values()))}"
            if names
            else f"SELECT {POINTED} FROM ({nothing('captures')})"
        )
        base.execute(f"CREATE TABLE have AS {have}")
        base.execute(
            f"CREATE TABLE wanted AS FROM read_csv({_quoted(self._passing / POINTERS)}, header=false, "
            "auto_detect=false, delim=',', quote='\"', "
            f"columns={POINTER_COLUMNS})"
        )
        same = f"USING ({POINTED})"
        base.execute(f"CREATE TABLE fresh AS SELECT entry, segment, place FROM wanted ANTI JOIN have {same}")
        base.execute(f"CREATE TABLE gone AS SELECT entry FROM have ANTI JOIN wanted {same}")

    def _write_rows(self, store: Results, entries: Iterator[int]) -> bool:
        """Rows as JSON, which DuckDB reads without another library; False: some entries are left for another step."""
        rows, encode = 0, msgspec.json.Encoder().encode
        with contextlib.ExitStack() as stack:
            files = {row: stack.enter_context(self._json(name).open("wb")) for name, row in TABLES.items()}
            for pointer, one in store.results_of(entries):
                for row in rows_of(one):
                    files[type(row)].write(_marked(pointer, row, encode(row)))
                    rows += 1
                if rows >= ROWS_PER_STEP:
                    return next(entries, None) is None
        return True

    def _json(self, table: str) -> Path:
        return self._passing / f"{table}.ndjson"

    def _take_out(self, base: DuckDBPyConnection, table: str) -> None:
        """Files that hold rows of what is gone are written again without them."""
        for name in self._touched(base, table):
            kept = f"SELECT * FROM {_parquet([self._folder / name])} ANTI JOIN gone USING (entry)"
            self._replace(base, table, [name], kept)

    def _touched(self, base: DuckDBPyConnection, table: str) -> list[str]:
        if not self._files[table]:
            return []
        paths = [self._folder / name for name in self._files[table]]
        source = _parquet(paths, "filename=true")
        found = base.execute(
            f"SELECT DISTINCT filename FROM {source} SEMI JOIN gone USING (entry)"
        ).fetchall()
        return sorted(str(Path(name).relative_to(self._folder)) for (name,) in found)

    def _put_in(self, base: DuckDBPyConnection, table: str) -> None:
        target = self._passing / table
        select = f"SELECT *, {derived()} FROM {self._rows(table)} ORDER BY ALL"
        base.execute(
            f"COPY ({select}) TO {_quoted(target)} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (day))"
        )
        for path in sorted(target.glob("day=*/*.parquet")):
            self._move_in(table, path, path.parent.name)

    def _join_small_files(self, base: DuckDBPyConnection, table: str) -> None:
        days: dict[str, list[str]] = {}
        for name in sorted(self._files[table]):
            days.setdefault(Path(name).parent.name, []).append(name)
        for some in days.values():
            if len(some) > MAX_FILES_OF_A_DAY:
                paths = [self._folder / name for name in some]
                self._replace(base, table, some, f"SELECT * FROM {_parquet(paths)} ORDER BY ALL")

    def _replace(self, base: DuckDBPyConnection, table: str, names: Sequence[str], select: str) -> None:
        """One file in the place of some of one day; none where no row is left."""
        made = self._passing / "replaced.parquet"
        copied = base.execute(
            f"COPY ({select}) TO {_quoted(made)} (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone()
        for name in names:
            del self._files[table][name]
        if copied != (0,):
            self._move_in(table, made, Path(names[0]).parent.name)

    def _move_in(self, table: str, path: Path, day: str) -> None:
        self._made += 1
        name = f"{table}/{day}/{self._index.generation + 1:06d}-{self._made:05d}.parquet"
        final = self._folder / name
        final.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(READ_ONLY)
        _reach_disk(path)
        path.rename(final)
        self._files[table][name] = final.stat().st_size

    def _commit(self, seen: str) -> Index:
        index = Index(generation=self._index.generation + 1, seen=seen, files=self._files)
        passing = self._passing / INDEX
        passing.write_bytes(msgspec.json.encode(index))
        _reach_disk(passing)
        passing.rename(self._folder / INDEX)
        _reach_disk(self._folder)
        _sweep(self._folder, index)
        return index

    def _rows(self, table: str) -> str:
        columns = f"{{{json_columns(table)}}}"
        return (
            f"read_json({_quoted(self._json(table))}, format='newline_delimited', columns={columns}, "
            f"maximum_object_size={MAX_ROW_LEN})"
        )


def _numbers(base: DuckDBPyConnection) -> Iterator[int]:
    """Entries whose results are to be read, in the order in which these lie on the disk."""
    asked = base.cursor().execute("SELECT entry FROM fresh ORDER BY segment, place, entry")
    while some := asked.fetchmany(ENTRIES_AT_ONCE):
        yield from (number for (number,) in some)


def _marked(pointer: Pointer, row: Row, text: bytes) -> bytes:
    """The row with what tells it from those of older results in front."""
    if isinstance(row, CaptureRow):
        mark = b'{"entry":%d,"segment":%d,"place":%d,"first_entry":%d,' % pointer[:4]
    else:
        mark = b'{"entry":%d,' % pointer.entry
    return mark + text[1:] + b"\n"


def parquet_source(paths: Sequence[str]) -> str:
    """The files as one table of SQL, with the day that their folders are named by."""
    return f"read_parquet([{', '.join(map(_quoted, paths))}], hive_partitioning=true, hive_types={{'day': VARCHAR}})"


def _parquet(paths: Sequence[Path | str], *more: str) -> str:
    return (
        f"read_parquet([{', '.join(map(_quoted, paths))}], {', '.join(('hive_partitioning=false', *more))})"
    )


def _quoted(path: Path | str) -> str:
    """A text of SQL.  Paths cannot be parameters of COPY."""
    return "'" + str(path).replace("'", "''") + "'"


def _reach_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

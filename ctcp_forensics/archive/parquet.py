"""Parquet: the rows of a store as files that DuckDB, pandas or Spark read, partitioned by day.

Knows which segments are in the files, and keeps them so: new segments are added, a result that another superseded is
taken out.  Does not know what a segment is made of nor what is asked of the tables: see store, rows, tables.

The files are a copy: the truth is in the segments, and a folder that is gone, cut or of another version is made anew.
`index.json` names the files that count.  It is replaced as a whole, after the files that it names are on the disk and
before those that it no longer names are removed: whoever dies in between leaves the tables of before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from ctcp_forensics.archive.rows import TABLES, rows_of
from ctcp_forensics.archive.schema import LAYOUT, derived, json_columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from ctcp_forensics.archive.examine import Examined
    from ctcp_forensics.archive.store import SegmentRef

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
PLACE: Final = "_place"
"""Of a result among those that are added together: the last one of a capture counts."""

Names = dict[str, dict[str, int]]
"""Table by table the files that count, below the folder, with their sizes."""


class Results(Protocol):
    """What is needed of a store."""

    def segments(self) -> Iterator[SegmentRef]: ...

    def results(self, segment: SegmentRef) -> Iterator[Examined]: ...


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the folder."""

    layout: int = LAYOUT
    generation: int = 0
    """Counts the commits, and gives new files their names."""
    segments: tuple[str, ...] = ()
    files: Names = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parquet:
    """The tables on the disk: where, and what belongs to them."""

    folder: Path
    index: Index

    def paths(self, table: str) -> list[str]:
        return [str(self.folder / name) for name in sorted(self.index.files.get(table, {}))]


def refreshed(store: Results, store_folder: Path) -> Parquet:
    """The tables of all acknowledged segments; what is not in the files yet is added first."""
    folder = store_folder / FOLDER
    folder.mkdir(exist_ok=True)
    with _only_writer(folder):
        index = _index_for(folder, store)
        for segments in _steps(store, index):
            index = _Step(folder, index).add(store, segments)
        return Parquet(folder=folder, index=index)


def as_it_is(store_folder: Path) -> Parquet:
    """The tables without a look at the segments: of a store that cannot be written to."""
    folder = store_folder / FOLDER
    return Parquet(folder=folder, index=_read_index(folder))


def connected(**settings: Any) -> DuckDBPyConnection:
    """A DuckDB in memory that fetches nothing from anywhere."""
    import duckdb

    return duckdb.connect(
        ":memory:",
        config={"autoinstall_known_extensions": False, "autoload_known_extensions": False, **settings},
    )


# --- the index ------------------------------------------------------------------------------------


def _index_for(folder: Path, store: Results) -> Index:
    """The index as it stands, or an empty one where the files are not those of this store."""
    index = _read_index(folder)
    known = {segment.name for segment in store.segments()}
    if index.layout != LAYOUT or not known.issuperset(index.segments) or not _is_whole(folder, index.files):
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


def _steps(store: Results, index: Index) -> Iterator[Iterator[SegmentRef]]:
    """New segments, oldest first; who takes them stops where a step is full."""
    known = frozenset(index.segments)
    fresh = _Peekable(segment for segment in store.segments() if segment.name not in known)
    while fresh.has_more():
        yield fresh


class _Peekable:
    """An iterator that knows whether it is at its end."""

    def __init__(self, segments: Iterable[SegmentRef]) -> None:
        self._left = list(segments)[::-1]

    def has_more(self) -> bool:
        return bool(self._left)

    def __iter__(self) -> Iterator[SegmentRef]:
        return self

    def __next__(self) -> SegmentRef:
        if not self._left:
            raise StopIteration
        return self._left.pop()


# --- one step: some segments added ----------------------------------------------------------------


class _Step:
    """Segments become files, from the first row to the index that names them."""

    def __init__(self, folder: Path, index: Index) -> None:
        self._folder = folder
        self._index = index
        self._passing = folder / PASSING
        self._files = {table: dict(index.files.get(table, {})) for table in TABLES}
        self._made = 0

    def add(self, store: Results, segments: Iterator[SegmentRef]) -> Index:
        self._passing.mkdir()
        try:
            names = self._write_rows(store, segments)
            with connected(memory_limit=WRITER_MEMORY, temp_directory=str(self._passing / "spilled")) as base:
                base.execute(
                    f"CREATE TEMP TABLE newest AS SELECT uri, max({PLACE}) AS {PLACE} "
                    f"FROM {self._rows('captures')} GROUP BY uri"
                )
                for table in TABLES:
                    self._take_out_superseded(base, table)
                    self._put_in(base, table)
                    self._join_small_files(base, table)
            return self._commit(names)
        finally:
            shutil.rmtree(self._passing, ignore_errors=True)

    def _write_rows(self, store: Results, segments: Iterator[SegmentRef]) -> tuple[str, ...]:
        """Rows as JSON, which DuckDB reads without another library; the segments that they are of."""
        names, rows, place = [], 0, 0
        encode = msgspec.json.Encoder().encode
        with contextlib.ExitStack() as stack:
            files = {row: stack.enter_context(self._json(name).open("wb")) for name, row in TABLES.items()}
            for segment in segments:
                names.append(segment.name)
                for one in store.results(segment):
                    place += 1
                    mark = b'{"%b":%d,' % (PLACE.encode(), place)
                    for row in rows_of(one):
                        files[type(row)].write(mark + encode(row)[1:] + b"\n")
                        rows += 1
                if rows >= ROWS_PER_STEP:
                    break
        return tuple(names)

    def _json(self, table: str) -> Path:
        return self._passing / f"{table}.ndjson"

    def _take_out_superseded(self, base: DuckDBPyConnection, table: str) -> None:
        """Files that hold rows of a capture which has a newer result are written again without them."""
        for name in self._touched(base, table):
            kept = f"SELECT * FROM {_parquet([self._folder / name])} ANTI JOIN newest USING (uri)"
            self._replace(base, table, [name], kept)

    def _touched(self, base: DuckDBPyConnection, table: str) -> list[str]:
        if not self._files[table]:
            return []
        paths = [self._folder / name for name in self._files[table]]
        source = _parquet(paths, "filename=true")
        found = base.execute(
            f"SELECT DISTINCT filename FROM {source} SEMI JOIN newest USING (uri)"
        ).fetchall()
        return sorted(str(Path(name).relative_to(self._folder)) for (name,) in found)

    def _put_in(self, base: DuckDBPyConnection, table: str) -> None:
        target = self._passing / table
        select = (
            f"SELECT * EXCLUDE ({PLACE}), {derived()} FROM {self._rows(table)} "
            f"SEMI JOIN newest USING (uri, {PLACE}) ORDER BY ALL"
        )
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

    def _commit(self, names: tuple[str, ...]) -> Index:
        index = Index(
            generation=self._index.generation + 1,
            segments=(*self._index.segments, *names),
            files=self._files,
        )
        passing = self._passing / INDEX
        passing.write_bytes(msgspec.json.encode(index))
        _reach_disk(passing)
        passing.rename(self._folder / INDEX)
        _reach_disk(self._folder)
        _sweep(self._folder, index)
        return index

    def _rows(self, table: str) -> str:
        columns = f"{{{PLACE}: 'BIGINT', {json_columns(table)}}}"
        return (
            f"read_json({_quoted(self._json(table))}, format='newline_delimited', columns={columns}, "
            f"maximum_object_size={MAX_ROW_LEN})"
        )


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

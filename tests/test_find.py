"""Find: every capture that the user's words lead to, once, in the same order every time, and nothing that does harm."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics.archive.entry import Entry, Found, Refusal
from ctcp_forensics.archive.find import (
    FindOptions,
    Links,
    find,
    names_in,
    open_entry,
    opened_entries,
    shown,
    unshown,
)
from ctcp_forensics.archive.find.listed import ListError
from ctcp_forensics.archive.identity import UNREADABLE, quick_key
from ctcp_forensics.capture import Capture
from ctcp_forensics.errors import CaptureError
from tests import savefiles as sf
from tests.archives import quoted_overlap_zip, run, tarred, zipped
from tests.test_capture import COMPRESSIONS, Compress

CAPTURE = sf.pcap_header() + sf.record(data=b"abc")


def told(root: Path, found: Iterator[Found]) -> list[str]:
    """`name` of an entry, `name: reason` of a refusal, below the folder."""
    names = []
    for one in found:
        name = one.uri.removeprefix(f"{root}/")
        names.append(name if isinstance(one, Entry) else f"{name}: {one.reason}")
    return names


def found_in(folder: Path, **options: object) -> list[str]:
    return told(folder, find([str(folder)], FindOptions(**options)))  # type: ignore[arg-type]


def put(path: Path, content: bytes = CAPTURE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# --- what a file is ----------------------------------------------------------------------------------------------

SAVEFILES = [
    pytest.param(CAPTURE, id="pcap"),
    pytest.param(sf.pcap_header(order=">"), id="big-endian"),
    pytest.param(sf.section(), id="pcapng"),
]


@pytest.mark.parametrize("content", SAVEFILES)
def test_a_savefile_is_an_entry_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path / "readme.txt", content)
    status = path.stat()
    stamp = f"{status.st_mtime_ns}:{status.st_ino}"
    assert list(find([str(path)])) == [Entry(uri=str(path), size=len(content), stamp=stamp)]


@pytest.mark.parametrize(("_name", "compress"), COMPRESSIONS)
def test_what_is_compressed_is_told_by_what_is_inside(tmp_path: Path, _name: str, compress: Compress) -> None:
    incompressible = os.urandom(1_500_000)  # of which bzip2 gives nothing before it has 900 kB
    put(tmp_path / "a", compress(CAPTURE + incompressible))
    put(tmp_path / "b", compress(b"a text" * 1000))
    put(tmp_path / "c", compress(CAPTURE))
    put(tmp_path / "d", compress(compress(CAPTURE)))
    put(tmp_path / "e", compress(CAPTURE)[:12])
    put(tmp_path / "f", compress(b""))
    assert found_in(tmp_path) == [
        "a",
        "b: not-a-capture",
        "c",
        "d: compressed-twice",
        "e: damaged",
        "f: empty",
    ]


def test_what_is_no_capture_says_what_it_is(tmp_path: Path) -> None:
    put(tmp_path / "empty", b"")
    put(tmp_path / "rar", b"Rar!\x1a\x07\x01\x00" + bytes(100))
    put(tmp_path / "snoop", b"snoop\x00\x00\x00" + bytes(100))
    put(tmp_path / "text", b"a text")
    put(tmp_path / "zz", b"\x1f\x8b\x08" + b"\xff" * 100)
    found = list(find([str(tmp_path)]))
    assert told(tmp_path, iter(found)) == [
        "empty: empty",
        "rar: archive-unsupported",
        "snoop: other-capture",
        "text: not-a-capture",
        "zz: damaged",
    ]
    assert [one.is_trouble for one in found if isinstance(one, Refusal)] == [False, True, True, False, True]


def test_captures_in_archives_are_entries_with_names_that_open(tmp_path: Path) -> None:
    put(
        tmp_path / "case.zip",
        zipped({"dir/a.pcap": CAPTURE, "notes.txt": b"text", "b.tar": tarred({"c": CAPTURE})}),
    )
    found = list(find([str(tmp_path)]))
    assert told(tmp_path, iter(found)) == [
        "case.zip!/dir/a.pcap",
        "case.zip!/notes.txt: not-a-capture",
        "case.zip!/b.tar!/c",
    ]
    for entry in found:
        if isinstance(entry, Entry):
            with open_entry(entry) as capture:
                assert b"".join(map(bytes, capture.chunks())) == CAPTURE
    assert told(tmp_path, find([f"{tmp_path}/case.zip!/dir"])) == ["case.zip!/dir/a.pcap"]
    assert told(tmp_path, find([f"{tmp_path}/case.zip!/b.tar"])) == ["case.zip!/b.tar!/c"]
    assert told(tmp_path, find([f"{tmp_path}/case.zip!/none"])) == ["case.zip!/none: missing"]


def test_a_bomb_is_one_refusal_beside_its_neighbours(tmp_path: Path) -> None:
    put(tmp_path / "a.pcap")
    put(tmp_path / "b.zip", quoted_overlap_zip(50, CAPTURE))
    put(tmp_path / "c.pcap")
    assert found_in(tmp_path) == ["a.pcap", "b.zip: archive-overlap", "c.pcap"]


# --- places ------------------------------------------------------------------------------------------------------


def test_a_folder_is_told_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("b/2.pcap", "b/10.pcap", "a.pcap", "b.pcap", "c/d/e/f.pcap", ".hidden/g.pcap"):
        put(tmp_path / name)
    (tmp_path / "nothing").mkdir()
    assert found_in(tmp_path) == [
        ".hidden/g.pcap",
        "a.pcap",
        "b/10.pcap",
        "b/2.pcap",
        "b.pcap",
        "c/d/e/f.pcap",
    ]


def test_a_path_is_found_once(tmp_path: Path) -> None:
    put(tmp_path / "d/a.pcap")
    put(tmp_path / "d/b.pcap")
    a, folder = f"{tmp_path}/d/a.pcap", f"{tmp_path}/d"
    assert told(tmp_path, find([a, folder, a, f"{folder}/../d/a.pcap", f"{folder}/", f"{folder}/*"])) == [
        "d/a.pcap",
        "d/b.pcap",
    ]
    os.link(a, tmp_path / "d/c.pcap")
    assert found_in(tmp_path) == ["d/a.pcap", "d/b.pcap", "d/c.pcap"]  # one content, which the manifest sees


def test_patterns_are_followed_and_names_go_first(tmp_path: Path) -> None:
    for name in ("x/a1.pcap", "x/a2.pcap", "x/y/a3.pcap", "x/b.pcap", "x/[a].pcap"):
        put(tmp_path / name)
    assert told(tmp_path, find([f"{tmp_path}/x/a*.pcap"])) == ["x/a1.pcap", "x/a2.pcap"]
    assert told(tmp_path, find([f"{tmp_path}/**/a?.pcap"])) == ["x/a1.pcap", "x/a2.pcap", "x/y/a3.pcap"]
    assert told(tmp_path, find([f"{tmp_path}/x/[a].pcap"])) == ["x/[a].pcap"]
    assert told(tmp_path, find([f"{tmp_path}/x/c*"])) == ["x/c*: no-match"]


def test_what_is_not_there_and_what_is_not_read_is_trouble(tmp_path: Path) -> None:
    found = list(find([f"{tmp_path}/none", "nowhere://a.pcap", f"{tmp_path}/none.zip!/a", "", "a\0b"]))
    assert [(one.uri, one.reason, one.is_trouble) for one in found if isinstance(one, Refusal)] == [
        (f"{tmp_path}/none", "missing", True),
        ("nowhere://a.pcap", "unreachable", True),
        (f"{tmp_path}/none.zip!/a", "missing", True),
        ("", "missing", True),
        ("a\0b", "missing", True),
    ]


def test_relative_and_dashed_names_are_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "-rf.pcap")
    monkeypatch.chdir(tmp_path)
    assert told(tmp_path, find(["-rf.pcap"])) == ["-rf.pcap"]


def test_the_folder_of_results_is_left_alone(tmp_path: Path) -> None:
    put(tmp_path / "a.pcap")
    put(tmp_path / "results/b.pcap")
    assert found_in(tmp_path, store=f"{tmp_path}/results") == ["a.pcap", "results: store"]


def test_lists_of_names(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/a\n\xff.pcap"
    lines = b"one\n\n -two \nthr\xe9e"
    assert list(names_in(io.BytesIO(lines))) == ["one", " -two ", "thr\udce9e"]
    assert list(names_in(io.BytesIO(odd + b"\0two\0"), b"\0")) == [os.fsdecode(odd), "two"]
    assert list(names_in(io.BytesIO("one\ntwo".encode("utf-8-sig")))) == ["one", "two"]
    marked = "one".encode("utf-8-sig")
    assert list(names_in(io.BytesIO(marked), b"\0")) == [os.fsdecode(marked)]
    with pytest.raises(ListError, match="the list of files is UTF-16, as `>` of PowerShell writes"):
        list(names_in(io.BytesIO("one\r\ntwo".encode("utf-16"))))
    with pytest.raises(ListError, match="--null"):
        list(names_in(io.BytesIO(b"a\0" * 100_000)))


@given(names=st.lists(st.binary(min_size=1, max_size=200).filter(lambda name: b"\0" not in name)))
def test_every_name_comes_through_a_list(names: list[bytes]) -> None:
    listed = names_in(io.BytesIO(b"".join(name + b"\0" for name in names)), b"\0")
    assert [os.fsencode(name) for name in listed] == names


# --- what is no file ---------------------------------------------------------------------------------------------


def test_pipes_sockets_and_devices_are_never_opened(tmp_path: Path) -> None:
    run("mkfifo", "a-pipe", cwd=tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "b-socket"))
        assert found_in(tmp_path) == ["a-pipe: fifo", "b-socket: socket"]
    assert told(Path("/dev"), find(["/dev/zero"])) == ["zero: device"]


def test_links_are_passed_over_unless_asked_for(tmp_path: Path) -> None:
    put(tmp_path / "tree/real/a.pcap")
    put(tmp_path / "elsewhere/b.pcap")
    links = {
        "file": "real/a.pcap",
        "folder": "real",
        "broken": "none",
        "self": "self",
        "up": "..",
        "out": "../elsewhere",
    }
    for name, target in links.items():
        (tmp_path / "tree" / name).symlink_to(target)
    (tmp_path / "tree/real/loop").symlink_to("../../tree")
    tree = tmp_path / "tree"
    assert set(found_in(tree)) == {f"{name}: symlink" for name in [*links, "real/loop"]} | {"real/a.pcap"}
    assert found_in(tree, links=Links.INSIDE) == [
        "broken: symlink-broken",
        "file",
        "folder/a.pcap",
        "folder/loop: symlink-loop",
        "out: symlink-outside",
        "real/a.pcap",
        "real/loop: symlink-again",
        "self: symlink-loop",
        "up: symlink-outside",
    ]
    everywhere = found_in(tree, links=Links.ANYWHERE)
    assert "out/b.pcap" in everywhere
    assert len(everywhere) == len(set(everywhere)) < 30


def test_a_link_that_is_named_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "real/a.pcap")
    put(tmp_path / "real/b.zip", zipped({"c": CAPTURE}))
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "file").symlink_to("real/a.pcap")
    (tmp_path / "zip").symlink_to("real/b.zip")
    places = [f"{tmp_path}/{name}" for name in ("file", "folder", "zip")]
    found = list(find(places))
    assert told(tmp_path, iter(found)) == ["file", "folder/a.pcap", "folder/b.zip!/c", "zip!/c"]
    assert [type(opened) for _, opened in opened_entries(found)] != []  # type: ignore[arg-type]  # all are entries


def test_a_hundred_links_to_one_another_end(tmp_path: Path) -> None:
    for folder in range(12):
        (tmp_path / f"{folder}").mkdir()
        for other in range(12):
            (tmp_path / f"{folder}/to-{other}").symlink_to(f"../{other}")
    assert len(found_in(tmp_path, links=Links.INSIDE)) < 12 * 12 * 3


def test_a_tree_deeper_than_the_stack_is_walked(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(1500):
        deep = deep / "d"
        deep.mkdir()
    put(deep / "a.pcap")
    try:
        assert found_in(tmp_path) == ["d/" * 1500 + "a.pcap"]
    finally:  # pytest tidies up a few runs later, and Python's rmtree is no deeper than its stack
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


# --- between finding and reading ---------------------------------------------------------------------------------


def entry_of(path: Path) -> Entry:
    (entry,) = find([str(path)])
    assert isinstance(entry, Entry)
    return entry


def test_what_was_replaced_or_has_vanished_is_not_read_as_what_was_found(tmp_path: Path) -> None:
    path = put(tmp_path / "a.pcap")
    entry = entry_of(path)
    put(tmp_path / "new").replace(path)
    with pytest.raises(CaptureError, match="changed since it was found"):
        open_entry(entry)
    entry = entry_of(path)
    path.unlink()
    with pytest.raises(CaptureError, match="there is no such file"):
        open_entry(entry)


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody writes into it: who opened it in the usual way would wait for ever."""
    entries = [entry_of(put(tmp_path / name)) for name in ("a.pcap", "b.pcap")]
    archive = put(tmp_path / "c.zip", zipped({"d.pcap": CAPTURE}))
    (inside,) = find([str(archive)])
    assert isinstance(inside, Entry)
    for name in ("a.pcap", "c.zip"):
        (tmp_path / name).unlink()
        os.mkfifo(tmp_path / name)
    told = [opened for _, opened in opened_entries([*entries, inside])]
    assert isinstance(told[0], CaptureError)
    assert told[0].reason == "is no regular file"
    assert isinstance(told[1], Capture)
    assert isinstance(told[2], CaptureError)
    with pytest.raises(CaptureError, match="is no regular file"):
        open_entry(entries[0])
    assert quick_key(entries[0]) == UNREADABLE


def test_what_was_cut_since_it_was_found_is_not_read_and_what_has_grown_is(tmp_path: Path) -> None:
    path = put(tmp_path / "a.pcap")
    entry = entry_of(path)
    os.utime(path, (1, 1))
    with pytest.raises(CaptureError, match="changed since it was found"):
        open_entry(entry)
    entry = entry_of(path)
    with path.open("ab") as file:
        file.write(sf.record())
    with open_entry(entry) as capture:
        assert b"".join(map(bytes, capture.chunks())) == CAPTURE + sf.record()
        assert capture.notes == ("was still being written when it was found; what is there now is told",)


def test_entries_are_opened_in_turn_and_a_changed_one_is_an_error_among_them(tmp_path: Path) -> None:
    put(tmp_path / "a.pcap")
    put(tmp_path / "b.tar.gz", gzip.compress(tarred({"c": CAPTURE, "d": CAPTURE})))
    put(tmp_path / "e.pcap")
    entries = [one for one in find([str(tmp_path)]) if isinstance(one, Entry)]
    os.utime(tmp_path / "e.pcap", (1, 1))
    became = {}
    for entry, opened in opened_entries(entries):
        name = entry.uri.removeprefix(f"{tmp_path}/")
        became[name] = (
            opened.reason if isinstance(opened, CaptureError) else b"".join(map(bytes, opened.chunks()))
        )
    assert became == {
        "a.pcap": CAPTURE,
        "b.tar.gz!/c": CAPTURE,
        "b.tar.gz!/d": CAPTURE,
        "e.pcap": "changed since it was found; scan it again",
    }


# --- names -------------------------------------------------------------------------------------------------------


@given(st.binary().map(os.fsdecode))
def test_a_shown_name_is_harmless_and_comes_back(uri: str) -> None:
    text = shown(uri)
    assert text.isprintable()
    assert text.encode().decode() == text
    assert unshown(text) == uri


@given(st.text(st.characters(exclude_categories=[])))
def test_a_name_out_of_an_archive_comes_back_as_well(name: str) -> None:
    assert unshown(shown(name)) == name
    assert shown(name).isprintable()


def test_how_names_are_shown() -> None:
    assert shown("/cases/été.pcap") == "/cases/été.pcap"
    assert shown("a\nb\x1b[31m\\\udcff\u202e") == r"a\u000ab\u001b[31m\\\xff\u202e"


def test_a_name_that_is_no_text_is_found_and_analyzed(tmp_path: Path, root: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\n\x1b[2J.pcap"
    sample = (root / "samples/failure-client.pcap").read_bytes()
    with open(raw, "wb") as file:
        file.write(sample)
    (entry,) = find([str(tmp_path)])
    assert isinstance(entry, Entry)
    assert os.fsencode(entry.uri) == raw
    words = [sys.executable, "-m", "ctcp_forensics", "analyze"]
    for form in ("json", "table", "ndjson", "note", "csv", "markdown"):
        answer = subprocess.run([*words, raw, "--format", form], capture_output=True, check=False)
        assert answer.returncode == 1, answer.stderr
        answer.stdout.decode("utf-8")
        assert b"\x1b" not in answer.stdout
    answer = subprocess.run([*words, raw, "--format", "json"], capture_output=True, check=False)
    assert json.loads(answer.stdout)["captures"][0]["source"].endswith("/\\udcff\n\x1b[2J.pcap")


# --- many --------------------------------------------------------------------------------------------------------


@given(
    tree=st.recursive(
        st.binary(max_size=4),
        lambda inside: st.dictionaries(st.sampled_from(["a", "a.b", "b", "B", "-", "é"]), inside, max_size=4),
        max_leaves=12,
    )
)
@settings(max_examples=50, deadline=None)
def test_every_file_is_told_once_and_always_in_the_same_order(
    tmp_path_factory: pytest.TempPathFactory, tree: object
) -> None:
    root = tmp_path_factory.mktemp("tree")
    _plant(root / "t", tree)
    names = found_in(root)
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert {name.partition(":")[0] for name in names} == files
    assert len(names) == len(files)
    assert names == found_in(root)


def _plant(path: Path, tree: object) -> None:
    if isinstance(tree, bytes):
        path.write_bytes(tree)
    elif isinstance(tree, dict):
        path.mkdir()
        for name, below in tree.items():
            _plant(path / name, below)


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    """A hundred folders cost what one of them costs."""
    for folder in range(100):
        (tmp_path / f"{folder:02d}").mkdir()
        for name in range(100):
            (tmp_path / f"{folder:02d}/{name:02d}.pcap").write_bytes(CAPTURE)
    found = find([str(tmp_path)])
    tracemalloc.start()
    assert sum(1 for _ in islice(found, 200)) == 200
    early = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    assert sum(1 for _ in found) == 9_800
    late = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert late < early + 20_000

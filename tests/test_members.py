"""Members: what lies in an archive is read as if it had been unpacked, and what is made to do harm is told and left."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import subprocess
import tarfile
import tracemalloc
import zipfile
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcp_forensics.capture import Capture, codecs, open_capture
from ctcp_forensics.capture.members import Member, Refused, limits, walk
from ctcp_forensics.capture.source import CHUNK_LEN
from ctcp_forensics.capture.turn import opened_in_turn
from ctcp_forensics.errors import CaptureError
from tests import savefiles as sf
from tests.archives import quoted_overlap_zip, run, tarred, zip_of_one, zipped
from tests.test_capture import lz4, no_reader_is_left, sha256, zstd

SMALL = sf.pcap_header() + sf.record(data=b"abc")
LARGE = sf.pcap_header() + b"".join(sf.record(data=bytes([n % 251]) * 997) for n in range(3000))
"""Three chunks of the reader."""
TEXT = b"a text beside captures\n" * 40
FILES = {"a.pcap": SMALL, "dir/large.pcap": LARGE, "dir/notes.txt": TEXT, "empty.pcap": b""}


def content_of(capture: Capture) -> bytes:
    return b"".join(bytes(chunk) for chunk in capture.chunks())


def read(uri: str) -> bytes:
    with open_capture(uri) as capture:
        return content_of(capture)


def refusal_of(uri: str) -> str:
    with pytest.raises(CaptureError) as raised:
        read(uri)
    assert raised.value.source == uri
    return raised.value.reason


def walked(path: Path) -> tuple[list[str], dict[str, str]]:
    """The members and the reasons of refusals."""
    members, refused = [], {}
    for found in walk(str(path)):
        if isinstance(found, Member):
            members.append(found.uri.removeprefix(f"{path}"))
        else:
            refused[found.uri.removeprefix(f"{path}")] = found.reason
    return members, refused


# --- what is read ------------------------------------------------------------------------------------------------

TARS = [
    pytest.param("", lambda data: data, id="tar"),
    pytest.param(".gz", gzip.compress, id="gz"),
    pytest.param(".bz2", bz2.compress, id="bz2"),
    pytest.param(".xz", lzma.compress, id="xz"),
    pytest.param(".zst", zstd, id="zst"),
    pytest.param(".lz4", lz4, id="lz4"),
]


@pytest.mark.parametrize(("ending", "compress"), TARS)
def test_a_member_of_a_tar_is_what_was_put_in(
    tmp_path: Path, ending: str, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"case.tar{ending}"
    path.write_bytes(compress(tarred(FILES)))
    assert walked(path) == ([f"!/{name}" for name in FILES], {})
    assert {name: read(f"{path}!/{name}") for name in FILES} == FILES
    assert no_reader_is_left()


@pytest.mark.parametrize(
    "method",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2],
    ids=["stored", "deflated", "bzip2"],
)
def test_a_member_of_a_zip_is_what_was_put_in(tmp_path: Path, method: int) -> None:
    path = tmp_path / "case.zip"
    path.write_bytes(zipped(FILES, method))
    assert walked(path) == ([f"!/{name}" for name in FILES], {})
    assert {name: read(f"{path}!/{name}") for name in FILES} == FILES


def test_members_are_what_zip_and_tar_unpack(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "dir").mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    run("zip", "-q", "-r", "../case.zip", ".", cwd=folder)
    run("tar", "caf", "../case.tar.gz", "a.pcap", "dir", "empty.pcap", cwd=folder)
    for name in FILES:
        assert read(f"{tmp_path}/case.zip!/{name}") == run("unzip", "-p", "case.zip", name, cwd=tmp_path)
        assert read(f"{tmp_path}/case.tar.gz!/{name}") == run("tar", "xOf", "case.tar.gz", name, cwd=tmp_path)


def test_a_member_is_described_like_a_file(tmp_path: Path) -> None:
    path = tmp_path / "case.zip"
    path.write_bytes(zipped({"a.pcap.gz": gzip.compress(LARGE, mtime=0)}))
    with open_capture(f"{path}!/a.pcap.gz") as capture:
        assert content_of(capture) == LARGE
        assert capture.source == f"{path}!/a.pcap.gz"
        assert capture.compression == "gzip"
        assert capture.size == capture.position == len(gzip.compress(LARGE, mtime=0))
        assert capture.digest == sha256(gzip.compress(LARGE, mtime=0))
        assert capture.content_digest == sha256(LARGE)
    assert no_reader_is_left()


def test_archives_in_archives_are_followed(tmp_path: Path) -> None:
    inner = zipped({"c.pcap": LARGE})
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tarred({"b.zip": inner, "d.tar": tarred({"e.pcap": SMALL})})))
    assert walked(path) == (["!/b.zip!/c.pcap", "!/d.tar!/e.pcap"], {})
    assert read(f"{path}!/b.zip!/c.pcap") == LARGE
    assert read(f"{path}!/d.tar!/e.pcap") == SMALL
    assert read(f"{path}!/b.zip") == inner


def test_a_file_whose_name_looks_like_a_member_goes_first(tmp_path: Path) -> None:
    (tmp_path / "case.zip").write_bytes(zipped({"a.pcap": SMALL}))
    assert read(f"{tmp_path}/case.zip!/a.pcap") == SMALL
    (tmp_path / "case.zip!").mkdir()
    (tmp_path / "case.zip!/a.pcap").write_bytes(LARGE)
    assert read(f"{tmp_path}/case.zip!/a.pcap") == LARGE
    assert [type(opened) for _, opened in opened_in_turn([f"{tmp_path}/case.zip!/a.pcap"])] == [Capture]


def test_members_of_one_name_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "case.tar"
    with tarfile.open(path, "w") as archive:
        for content in (SMALL, LARGE):
            header = tarfile.TarInfo("../a.pcap")
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    assert walked(path) == (["!/../a.pcap", "!2/../a.pcap"], {})
    assert read(f"{path}!/../a.pcap") == SMALL
    assert read(f"{path}!2/../a.pcap") == LARGE


@given(names=st.permutations(["a", "b/c", "n.zip!/x", "n.zip!/y", "absent", "n.zip!/absent"]))
@settings(max_examples=30, deadline=None)
def test_what_is_opened_in_turn_is_what_is_opened_by_itself(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    path = tmp_path_factory.mktemp("turn") / "case.tar"
    inner = zipped({"x": SMALL, "y": LARGE})
    path.write_bytes(tarred({"a": LARGE, "n.zip": inner, "b/c": SMALL}))
    expected = {"a": LARGE, "b/c": SMALL, "n.zip!/x": SMALL, "n.zip!/y": LARGE}
    found: dict[str, object] = {}
    for uri, opened in opened_in_turn([f"{path}!/{name}" for name in names]):
        found[uri.removeprefix(f"{path}!/")] = (
            opened.reason if isinstance(opened, CaptureError) else content_of(opened)
        )
    missing = "there is no such member in it"
    assert found == expected | {"absent": missing, "n.zip!/absent": missing}


def test_in_turn_a_compressed_tar_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, plain = tmp_path / "case.tar.gz", tmp_path / "plain.pcap"
    plain.write_bytes(SMALL)
    names = [f"{n:03d}.pcap" for n in range(50)]
    path.write_bytes(gzip.compress(tarred(dict.fromkeys(names, SMALL))))
    opened_files = []
    from ctcp_forensics.capture.members import walk as module_level_walk

    def counted(*arguments: object) -> object:
        opened_files.append(arguments[0])
        return module_level_walk(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("ctcp_forensics.capture.holder.walk", counted)
    uris = [*(f"{path}!/{name}" for name in names), str(plain)]
    contents = []
    for _, opened in opened_in_turn(uris):
        assert isinstance(opened, Capture)
        contents.append(content_of(opened))
    assert contents == [SMALL] * 51
    assert opened_files == [str(path)]


def test_the_one_who_stops_early_leaves_nothing_open(tmp_path: Path) -> None:
    path = tmp_path / "case.tar.gz"
    path.write_bytes(gzip.compress(tarred({"a": LARGE, "b": LARGE})))
    turn = opened_in_turn([f"{path}!/a", f"{path}!/b"])
    _, opened = next(turn)
    assert isinstance(opened, Capture)
    next(opened.chunks())
    turn.close()
    assert no_reader_is_left()
    assert not [link for link in Path("/proc/self/fd").iterdir() if _target(link) == str(path)]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


@pytest.mark.parametrize("make", [zipped, tarred])
def test_names_that_no_file_can_have_open_their_members(
    tmp_path: Path, make: Callable[[dict[str, bytes]], bytes]
) -> None:
    names = ["n" * 300, "d/" * 3000 + "x", "/etc/passwd", "../../x", "a!/b", " ", "C:\\x"]
    path = tmp_path / "case"
    path.write_bytes(make({name: SMALL + name.encode() for name in names}))
    assert walked(path) == ([f"!/{name}" for name in names], {})
    assert {name: read(f"{path}!/{name}") for name in names} == {
        name: SMALL + name.encode() for name in names
    }


def test_a_member_without_a_name_is_a_member(tmp_path: Path) -> None:
    path = tmp_path / "case.zip"
    path.write_bytes(zip_of_one(b"", SMALL))
    assert walked(path) == (["!/"], {})
    assert read(f"{path}!/") == SMALL


# --- what is refused ---------------------------------------------------------------------------------------------


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    path = tmp_path / "case.zip"
    path.write_bytes(zipped(FILES))
    assert refusal_of(f"{path}!/b.pcap") == "there is no such member in it"
    assert refusal_of(f"{tmp_path}/none.zip!/b.pcap") == "there is no such file"
    (tmp_path / "text.zip").write_bytes(TEXT)
    assert refusal_of(f"{tmp_path}/text.zip!/b.pcap") == "is no zip or tar archive"


def test_an_encrypted_member_is_refused_and_its_neighbour_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(SMALL)
    (tmp_path / "b.pcap").write_bytes(LARGE)
    run("zip", "-q", "-P", "secret", "case.zip", "a.pcap", cwd=tmp_path)
    run("zip", "-q", "case.zip", "b.pcap", cwd=tmp_path)
    assert walked(tmp_path / "case.zip") == (["!/b.pcap"], {"!/a.pcap": "encrypted"})
    assert refusal_of(f"{tmp_path}/case.zip!/a.pcap") == "it is encrypted; unpack it with its password"


def test_a_bomb_is_told_by_its_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "RATIO_FROM", 1 << 20)
    bomb = SMALL + bytes(1 << 24)
    (tmp_path / "zip").write_bytes(zipped({"a.pcap": bomb, "b.pcap": SMALL}))
    with pytest.raises(CaptureError, match="times as many"):
        read(f"{tmp_path}/zip!/a.pcap")
    assert read(f"{tmp_path}/zip!/b.pcap") == SMALL
    (tmp_path / "tar").write_bytes(zstd(tarred({"0": bomb, "a.pcap": SMALL})))
    members, refused = walked(tmp_path / "tar")
    assert (members, refused) == (["!/0"], {"": "archive-bomb-ratio"})
    assert "times as many" in refusal_of(f"{tmp_path}/tar!/a.pcap")


def test_a_bzip2_bomb_in_a_zip_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "zip"
    path.write_bytes(zipped({"a.pcap": bytes(1 << 27)}, zipfile.ZIP_BZIP2))
    assert path.stat().st_size < 1000
    tracemalloc.start()
    with open_capture(f"{path}!/a.pcap") as capture, pytest.raises(CaptureError, match="times as many"):
        deque(capture.chunks(), maxlen=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000


def test_members_that_share_bytes_are_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    path.write_bytes(quoted_overlap_zip(200, SMALL + bytes(1 << 20)))
    with zipfile.ZipFile(path) as real:
        told = sum(info.file_size for info in real.infolist())
    assert told > 10_000 * path.stat().st_size  # it would come out, and no member of it is much too large
    assert walked(path) == ([], {"": "archive-overlap"})
    assert "share bytes" in refusal_of(f"{path}!/0.pcap")


def test_only_so_many_archives_in_one_another_are_opened(tmp_path: Path) -> None:
    data, uri = SMALL, ""
    for _ in range(limits.MAX_DEPTH):
        data, uri = zipped({"in": data}), uri + "!/in"
    path = tmp_path / "deep.zip"
    path.write_bytes(data)
    assert walked(path) == ([uri], {})
    path.write_bytes(zipped({"in": data}))
    assert walked(path) == ([], {uri: "archive-too-deep"})


def test_only_so_many_members_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MEMBERS", 3)
    path = tmp_path / "many.tar"
    path.write_bytes(tarred({"a": SMALL, "n.zip": zipped({"x": SMALL, "y": SMALL}), "b": SMALL}))
    assert walked(path) == (
        ["!/a", "!/n.zip!/x"],
        {"!/n.zip": "archive-too-many-members", "": "archive-too-many-members"},
    )


def test_a_zip_inside_something_else_is_held_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_HELD", 1000)
    large = zipped({"x": random.Random(1).randbytes(2000)})
    path = tmp_path / "a.tar"
    path.write_bytes(
        tarred({"large.zip": large, "small.zip": zipped({"y": SMALL}), "z.zip": zipped({"z": SMALL})})
    )
    members, refused = walked(path)
    assert members == ["!/small.zip!/y", "!/z.zip!/z"]
    assert refused == {"!/large.zip": "archive-nested-zip-too-large"}


def test_a_directory_too_large_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "many.zip"
    path.write_bytes(zipped({f"{n}": b"" for n in range(100)}))
    monkeypatch.setattr("ctcp_forensics.capture.members.zips.MAX_DIRECTORY", 4000)
    assert walked(path) == ([], {"": "archive-too-many-members"})


def test_a_header_that_claims_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 31
    path = tmp_path / "pax.tar.zst"
    path.write_bytes(zstd(header.tobuf() + bytes(1 << 26)))
    tracemalloc.start()
    assert walked(path) == ([], {"": "damaged"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_cut_tar_gives_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "cut.tar"
    path.write_bytes(tarred({"a": SMALL, "b": LARGE, "c": SMALL})[: 512 * 200])
    assert walked(path) == (["!/a", "!/b"], {"": "damaged"})
    with open_capture(f"{path}!/b") as capture:
        chunks = capture.chunks()
        with pytest.raises(CaptureError, match="unexpected end of data"):
            for _ in chunks:
                pass


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    data = bytearray(tarred({"a": SMALL, "b": SMALL}))
    data[1024 + 20] ^= 0xFF  # in the name of b, which the header's checksum covers
    path = tmp_path / "damaged.tar"
    path.write_bytes(data)
    assert walked(path) == (["!/a"], {"": "damaged"})


def test_a_member_that_is_not_what_its_checksum_says_is_damaged(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.pcap": LARGE}, zipfile.ZIP_STORED))
    data[2000] ^= 1
    path = tmp_path / "case.zip"
    path.write_bytes(data)
    with pytest.raises(CaptureError, match=r"its checksum is [0-9a-f]{8} where [0-9a-f]{8} is told"):
        read(f"{path}!/a.pcap")


def test_a_cut_zip_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "case.zip"
    path.write_bytes(zipped(FILES)[:-30])
    assert walked(path) == ([], {"": "damaged"})


@pytest.mark.parametrize("make", [zipped, tarred])
def test_mutated_archives_never_do_more_than_refuse(
    tmp_path: Path, make: Callable[[dict[str, bytes]], bytes]
) -> None:
    whole = make({"a": SMALL, "in.zip": zipped({"b": SMALL}), "in.tar": tarred({"c": SMALL})})
    path = tmp_path / "mutated"
    chance = random.Random(7)
    for _ in range(600):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        for found in walk(str(path)):
            if isinstance(found, Refused):
                assert found.reason
                continue
            with suppress(limits.ContainerError):
                while found.content.read(65536):
                    pass


def test_names_that_are_no_text_open_their_members(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9\n\x1b[31m.pcap")
    path = tmp_path / "case.tar"
    (tmp_path / name).write_bytes(SMALL)
    subprocess.run(["tar", "cf", path, "--", os.fsencode(name)], cwd=tmp_path, check=True)
    assert walked(path) == ([f"!/{name}"], {})
    assert read(f"{path}!/{name}") == SMALL


# --- what changes under the reader's hands -----------------------------------------------------------------------


def test_a_container_that_is_rewritten_while_it_is_read_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "case.zip"
    path.write_bytes(zipped({"a.pcap": LARGE + bytes(8 * CHUNK_LEN)}, zipfile.ZIP_STORED))
    with open_capture(f"{path}!/a.pcap") as capture:
        chunks = capture.chunks()
        next(chunks)
        os.utime(path, (1, 1))
        with pytest.raises(CaptureError, match="changed while it was read"):
            for _ in chunks:
                pass


def test_a_savefile_that_grows_is_told_and_one_that_is_rewritten_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "growing.pcap"
    path.write_bytes(SMALL)
    with open_capture(str(path)) as capture:
        with path.open("ab") as file:
            file.write(sf.record(data=b"more"))
        assert content_of(capture) == SMALL + sf.record(data=b"more")
        assert capture.notes == ("was still being written while it was read; what was there is told",)
    with open_capture(str(path)) as capture:
        path.write_bytes(SMALL)
        os.utime(path, (1, 1))
        with pytest.raises(CaptureError, match="changed while it was read; read it again"):
            content_of(capture)

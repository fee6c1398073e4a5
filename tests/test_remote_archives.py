"""Archives behind URLs: read where they lie, by the parts that are wanted, of one version, and as local ones are."""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import json
import lzma
import random
import re
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from backports import zstd
from fsspec.implementations import memory

from ctcp_forensics.archive.entry import Entry, Found, Refusal
from ctcp_forensics.archive.find import FindOptions, find, opened_entries
from ctcp_forensics.archive.store import Store
from ctcp_forensics.capture import Access, codecs, open_capture
from ctcp_forensics.capture.members import limits
from ctcp_forensics.capture.remote import ChangedError, RemoteError, heads, open_url
from ctcp_forensics.capture.remote import hosts as hosts_module
from ctcp_forensics.capture.remote.container import open_container
from ctcp_forensics.capture.remote.parts import FIRST_LEN, LONGEST_LEN, Parts
from ctcp_forensics.capture.remote.web import Page
from ctcp_forensics.errors import CaptureError
from tests.archives import tarred, zipped
from tests.faulty import Script, refuses, resets_after, truncates_to
from tests.test_remote import content, moto, put_object, store, swept

__all__ = ["moto", "store"]

SAMPLE = Path("samples/failure-client.pcap").read_bytes()
HEALTHY = Path("samples/healthy.pcap").read_bytes()
MANY_FRAMES = HEALTHY + HEALTHY[24:] * ((8 << 20) // len(HEALTHY))
NOISE = random.Random(7).randbytes(3 << 20)
ANYWHERE = FindOptions(access=Access.ANYWHERE)


def long_capture(seed: int = 1, length: int = 3 << 20) -> bytes:
    """What begins as a savefile does, and cannot be packed."""
    return SAMPLE[:24] + random.Random(seed).randbytes(length)


def entries(place: str) -> list[Entry]:
    found = list(find([place], ANYWHERE))
    assert not [one for one in found if isinstance(one, Refusal) and one.is_trouble]
    return [one for one in found if isinstance(one, Entry)]


def refusals(found: list[Found]) -> list[tuple[str, str]]:
    return [(one.uri, one.reason) for one in found if isinstance(one, Refusal)]


def read(found: list[Entry]) -> dict[str, bytes | str]:
    """What each of them holds, or why it cannot be had."""
    told: dict[str, bytes | str] = {}
    for entry, opened in opened_entries(found, access=Access.ANYWHERE):
        try:
            if isinstance(opened, CaptureError):
                raise opened
            told[entry.uri] = b"".join(bytes(chunk) for chunk in opened.chunks())
        except CaptureError as error:
            told[entry.uri] = error.reason
    return told


# --- parts ----------------------------------------------------------------------------------------------------


def parts_of(body: bytes, at_most: int | None = None) -> tuple[Parts, list[tuple[int, int]]]:
    asked: list[tuple[int, int]] = []

    def ask(begin: int, end: int) -> bytes:
        asked.append((begin, end))
        return body[begin:end][:at_most]

    return Parts(ask, len(body)), asked


def test_parts_are_a_file() -> None:
    parts, asked = parts_of(NOISE)
    twin, chance = io.BytesIO(NOISE), random.Random(3)
    for _ in range(500):
        place, whence = chance.choice(
            [(chance.randrange(len(NOISE) + 9), 0), (-chance.randrange(999), 2), (7, 1)]
        )
        assert parts.seek(place, whence) == twin.seek(place, whence)
        size = chance.choice([0, 1, 30, 4096, 1 << 17, -1 if chance.random() < 0.05 else 5])
        assert parts.read(size) == twin.read(size)
        assert parts.tell() == twin.tell()
    assert all(end <= len(NOISE) for _, end in asked)


def test_who_jumps_asks_for_little_and_who_reads_on_for_more_and_more() -> None:
    parts, asked = parts_of(bytes(1 << 25))
    parts.seek(1 << 24)
    parts.read(512)
    assert asked == [(1 << 24, (1 << 24) + FIRST_LEN)]
    parts.seek(0)
    while parts.tell() < 1 << 24:
        parts.read(1 << 16)
    lengths = [end - begin for begin, end in asked[1:]]
    assert lengths == [*(FIRST_LEN << step for step in range(8)), LONGEST_LEN]


def test_the_end_is_asked_for_with_what_lies_before_it() -> None:
    """A directory of zip is read backwards: the end record, then the directory."""
    body = zipped({f"{number}.pcap": NOISE[:70_000] for number in range(20)})
    parts, asked = parts_of(body)
    assert len(zipfile.ZipFile(parts).namelist()) == 20
    assert asked == [(len(body) - FIRST_LEN, len(body))]


def test_answers_in_pieces_are_put_together_and_an_end_before_the_end_is_none() -> None:
    parts, _ = parts_of(NOISE, at_most=999)
    assert parts.read(5000) == NOISE[:5000]
    parts = Parts(lambda begin, end: NOISE[begin:end] if end < 10 else b"", 100)
    with pytest.raises(RemoteError, match="it ends after 0 of 100 bytes"):
        parts.read(50)


# --- a store --------------------------------------------------------------------------------------------------

Bucket = tuple[str, Script]
Moto = tuple[str, int]
FORMATS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": lambda members: zipped(members, zipfile.ZIP_STORED),
    "deflated.zip": zipped,
    "tar": tarred,
    "tar.gz": lambda members: gzip.compress(tarred(members)),
    "tar.bz2": lambda members: bz2.compress(tarred(members)),
    "tar.xz": lambda members: lzma.compress(tarred(members)),
    "tar.zst": lambda members: zstd.compress(tarred(members)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_an_archive_in_a_store_is_read_as_the_file_is(
    name: str, moto: Moto, store: Bucket, tmp_path: Path
) -> None:
    """The slow twin is the local one: the same entries but for the version, the same bytes."""
    members = {
        "notes.txt": b"it dies at noon",
        "dir/a.pcap": SAMPLE,
        "long.pcap": long_capture(),
        "inner.zip": zipped(
            {"b.pcap": HEALTHY, "deep.tar.gz": gzip.compress(tarred({"c.pcap.gz": gzip.compress(SAMPLE)}))}
        ),
    }
    body = FORMATS[name](members)
    (tmp_path / name).write_bytes(body)
    put_object(moto, f"{store[0]}/{name}", body)
    far, near = f"{store[0]}/{name}", str(tmp_path / name)
    found = {place: list(find([place], ANYWHERE)) for place in (far, near)}
    for here, there in zip(found[near], found[far], strict=True):
        assert there.uri == here.uri.replace(near, far)
        if isinstance(here, Refusal):
            assert isinstance(there, Refusal)
            assert (there.reason, there.detail) == (here.reason, here.detail)
        else:
            assert isinstance(there, Entry)
            assert (there.size, there.length) == (here.size, here.length)
            assert there.stamp.partition("/")[2] == here.stamp.partition("/")[2]
    both = [read([one for one in found[place] if isinstance(one, Entry)]) for place in (near, far)]
    assert list(both[0].values()) == list(both[1].values())
    assert [uri.removeprefix(far) for uri in both[1]] == [
        "!/dir/a.pcap", "!/long.pcap", "!/inner.zip!/b.pcap", "!/inner.zip!/deep.tar.gz!/c.pcap.gz",
    ]  # fmt: skip
    assert content(f"{far}!/inner.zip!/deep.tar.gz!/c.pcap.gz") == SAMPLE


def test_of_a_zip_only_the_directory_and_what_is_wanted_is_asked_for(moto: Moto, store: Bucket) -> None:
    bucket, script = store
    body = zipped({f"{number}.bin": NOISE for number in range(10)} | {"a.pcap": SAMPLE}, zipfile.ZIP_STORED)
    put_object(moto, f"{bucket}/case.zip", body)
    script.asked.clear()
    assert content(f"{bucket}/case.zip!/a.pcap") == SAMPLE
    assert asked_bytes(script) < 5 * FIRST_LEN < len(body) // 90


def asked_bytes(script: Script) -> int:
    ranges = [re.search(r"bytes=(\d+)-(\d+)", one) for one in script.asked if one.startswith("GET")]
    assert all(ranges), script.asked
    return sum(int(one[2]) - int(one[1]) + 1 for one in ranges if one is not None)


def test_a_member_breaks_off_and_is_read_on(moto: Moto, store: Bucket) -> None:
    bucket, script = store
    capture = long_capture()
    for name, body in {
        "a.zip": zipped({"l.pcap": capture}),
        "a.tar.gz": gzip.compress(tarred({"l.pcap": capture})),
    }.items():
        put_object(moto, f"{bucket}/{name}", body)
        (found,) = entries(f"{bucket}/{name}")
        script.acts[:] = [refuses(503, "SlowDown"), resets_after(100), truncates_to(5000), resets_after(0)]
        assert read([found]) == {found.uri: capture}
        assert script.acts == []


@contextmanager
def a_fault_behind(script: Script, count: int, fault: Callable[..., None]) -> Iterator[None]:
    """From the given answer on, for good."""
    script.acts[:] = [lambda handler, answer: handler.send(answer)] * count + [fault] * 500
    yield
    script.acts.clear()


@pytest.mark.parametrize("name", ["zip", "tar", "tar.gz"])
def test_what_is_out_of_reach_is_no_damage_and_waited_for_once(name: str, moto: Moto, store: Bucket) -> None:
    """The credentials expire in the middle of the first member; nobody asks again for each of the others."""
    bucket, script = store
    members = {f"{number}.pcap": long_capture(number) for number in range(5)}
    put_object(moto, f"{bucket}/a.{name}", FORMATS[name](members))
    found = entries(f"{bucket}/a.{name}")
    script.asked.clear()
    with a_fault_behind(script, 5, refuses(403, "ExpiredToken")):
        told = read(found)
    assert len(told) == 5
    for uri, reason in told.items():
        assert isinstance(reason, str), uri
        assert "access is denied (ExpiredToken); the credentials are missing" in reason
        assert "damaged" not in reason
        assert "AKIA" not in reason
    assert len(script.asked) < 20


@pytest.mark.parametrize("name", ["zip", "tar", "tar.gz"])
def test_an_archive_that_changes_is_never_put_together_of_two_versions(
    name: str, moto: Moto, store: Bucket
) -> None:
    bucket, _ = store
    first, *others = (long_capture(seed, 20 << 20) for seed in range(3))
    put_object(moto, f"{bucket}/a.{name}", FORMATS[name]({"a.pcap": first, "b.pcap": HEALTHY}))
    found = entries(f"{bucket}/a.{name}")
    with open_capture(found[0].uri) as capture:
        chunks = capture.chunks()
        assert bytes(next(chunks)) == first[: 1 << 20]
        put_object(
            moto, f"{bucket}/a.{name}", FORMATS[name](dict(zip(["a.pcap", "b.pcap"], others, strict=True)))
        )
        with pytest.raises(CaptureError, match="it changed while it was read"):
            list(chunks)
    told = read(found)
    assert set(told.values()) == {"changed since it was found; scan it again"}


def test_a_listing_finds_the_archives_and_what_is_called_like_a_member(moto: Moto, store: Bucket) -> None:
    import s3fs

    bucket, _ = store
    put_object(moto, f"{bucket}/a.zip", zipped({"b.pcap": SAMPLE}))
    s3fs.S3FileSystem().pipe({f"{bucket}/a.zip!/own.pcap": HEALTHY, f"{bucket}/bang!/in.pcap": HEALTHY})
    found = entries(bucket)
    assert [one.uri.removeprefix(bucket) for one in found] == [
        "/a.zip!/b.pcap",
        "/a.zip!/own.pcap",
        "/bang!/in.pcap",
    ]
    assert list(read(found).values()) == [SAMPLE, HEALTHY, HEALTHY]
    assert content(f"{bucket}/a.zip!/own.pcap") == HEALTHY
    assert [one.uri for one in entries(f"{bucket}/a.zip!/own.pcap")] == [f"{bucket}/a.zip!/own.pcap"]
    with pytest.raises(CaptureError, match="there is no such member in it"):
        open_capture(f"{bucket}/a.zip!/none.pcap")
    with pytest.raises(CaptureError, match="there is nothing at this address"):
        open_capture(f"{bucket}/none.zip!/none.pcap")


def test_a_long_block_hides_nothing(moto: Moto, store: Bucket) -> None:
    """Nothing comes out of the first 8 KiB of a block of bzip2; that is no damage."""
    bucket, _ = store
    put_object(moto, f"{bucket}/a.pcap.bz2", bz2.compress(long_capture()))
    put_object(moto, f"{bucket}/cut.pcap.bz2", bz2.compress(long_capture())[:20_000])
    found = list(find([bucket], ANYWHERE))
    assert [one.uri for one in found if isinstance(one, Entry)] == [f"{bucket}/a.pcap.bz2"]
    assert refusals(found) == [(f"{bucket}/cut.pcap.bz2", "damaged")]


def test_what_local_archives_are_refused_for_is_refused_of_far_ones(
    moto: Moto, store: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, _ = store
    deep = SAMPLE
    for _ in range(limits.MAX_DEPTH + 1):
        deep = zipped({"in": deep})
    overlapping = bytearray(zipped({"a": NOISE[:100], "b": NOISE[:100]}))
    second = overlapping.rindex(b"PK\x01\x02")
    overlapping[second + 42 : second + 46] = bytes(4)
    bomb = gzip.compress(tarred({"zero.pcap": SAMPLE[:24] + bytes(codecs.RATIO_FROM * 2)}))
    made = {
        "deep": deep,
        "overlap": bytes(overlapping),
        "bomb": bomb,
        "seven": b"7z\xbc\xaf\x27\x1c" + bytes(99),
        "many": zipped({str(number): b"" for number in range(5)}),
    }
    for name, body in made.items():
        put_object(moto, f"{bucket}/{name}", body)
    told = {name: list(find([f"{bucket}/{name}"], ANYWHERE)) for name in ("deep", "overlap", "seven")}
    assert {reason for _, reason in refusals(told["deep"])} == {"archive-too-deep"}
    assert refusals(told["overlap"]) == [(f"{bucket}/overlap", "archive-overlap")]
    assert refusals(told["seven"]) == [(f"{bucket}/seven", "archive-unsupported")]
    monkeypatch.setattr(limits, "MAX_MEMBERS", 3)
    assert (f"{bucket}/many", "archive-too-many-members") in refusals(
        list(find([f"{bucket}/many"], ANYWHERE))
    )
    monkeypatch.setattr(codecs, "MAX_RATIO", 500)
    with pytest.raises(CaptureError, match="unpack to"):
        content(f"{bucket}/bomb!/zero.pcap")


def test_memory_is_bounded_whatever_the_archive_holds(moto: Moto, store: Bucket) -> None:
    bucket, _ = store
    put_object(
        moto,
        f"{bucket}/a.zip",
        zipped({f"{number}.pcap": SAMPLE[:24] + bytes(1 << 24) for number in range(4)}),
    )
    uris = [one.uri for one in entries(f"{bucket}/a.zip")]
    tracemalloc.start()
    with open_capture(uris[-1]) as capture:
        assert sum(len(chunk) for chunk in capture.chunks()) == 24 + (1 << 24)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * LONGEST_LEN


def test_a_sweep_looks_into_archives_and_goes_on(moto: Moto, store: Bucket, tmp_path: Path) -> None:
    bucket, script = store
    put_object(
        moto, f"{bucket}/7/case.zip", zipped({"a.pcap": SAMPLE, "b.pcap": HEALTHY, "copy.pcap": SAMPLE})
    )
    put_object(moto, f"{bucket}/7/day.tar.gz", gzip.compress(tarred({"c.pcap": HEALTHY})))
    script.acts[:] = [refuses(503, "SlowDown"), resets_after(100)]
    status, said = swept([f"{bucket}/7/"], tmp_path / "store")
    assert status == 1, said
    results = {one.uri.removeprefix(f"{bucket}/7/"): one for one in Store.open(tmp_path / "store").current()}
    assert {name: one.status for name, one in results.items()} == dict.fromkeys(
        ["case.zip!/a.pcap", "case.zip!/b.pcap", "case.zip!/copy.pcap", "day.tar.gz!/c.pcap"], "analyzed"
    )
    assert sum(one.same_as is not None for one in results.values()) == 2
    script.asked.clear()
    again = swept([f"{bucket}/7/"], tmp_path / "store")
    assert again[0] == 1
    assert {name: one.uri for name, one in results.items()} == {
        one.uri.removeprefix(f"{bucket}/7/"): one.uri for one in Store.open(tmp_path / "store").current()
    }


def test_what_was_out_of_reach_is_read_by_the_next_run_and_what_is_damaged_is_not(
    moto: Moto, store: Bucket, tmp_path: Path
) -> None:
    """The credentials expire behind the listing; somebody renews them, and gives the same command."""
    bucket, script = store
    put_object(moto, f"{bucket}/7/a.pcap", SAMPLE)
    put_object(moto, f"{bucket}/7/case.zip", zipped({"b.pcap": HEALTHY}))
    put_object(moto, f"{bucket}/7/cut.pcap", HEALTHY[:-5])
    put_object(moto, f"{bucket}/7/torn.zip", with_torn_middle(zipped({"c.pcap": MANY_FRAMES})))
    put_object(moto, f"{bucket}/7/torn.tar.gz", with_torn_middle(gzip.compress(tarred({"d.pcap": SAMPLE}))))
    with a_fault_behind(script, 5, refuses(403, "ExpiredToken")):
        said = swept([f"{bucket}/7/"], tmp_path / "store")[1]
    assert "access is denied (ExpiredToken)" in said
    status, said = swept([f"{bucket}/7/"], tmp_path / "store")
    assert status == 1, said
    found = {
        one.uri.removeprefix(f"{bucket}/7/"): one.status for one in Store.open(tmp_path / "store").current()
    }
    assert found == {
        "a.pcap": "analyzed",
        "case.zip!/b.pcap": "analyzed",
        "cut.pcap": "partial",
        "torn.zip!/c.pcap": "partial",
        "torn.tar.gz!/d.pcap": "partial",
    }
    written = sorted((tmp_path / "store" / "segments").iterdir())
    script.asked.clear()
    assert swept([f"{bucket}/7/"], tmp_path / "store")[0] == 1
    assert not [one for one in script.asked if "cut.pcap" in one and one.startswith("HEAD")]
    assert sorted((tmp_path / "store" / "segments").iterdir()) == written, "nothing was examined again"


def with_torn_middle(packed: bytes) -> bytes:
    """Half of it can be unpacked, and neither its length nor its directory says so."""
    middle = len(packed) // 2
    return packed[:middle] + bytes(32) + packed[middle + 32 :]


# --- the web --------------------------------------------------------------------------------------------------


class Depot(BaseHTTPRequestHandler):
    """Bodies by path, each with an ETag; the path says what its server cannot or will not do."""

    protocol_version = "HTTP/1.1"
    bodies: dict[str, bytes]
    etags: dict[str, str]
    asked: list[str]
    faults: list[str]
    signed: dict[str, str]
    """What the query has to be."""
    breaks_off: list[str]

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
        if path == "/to":
            self._answer(302, b"", {"Location": query})
        elif path not in self.bodies:
            self._answer(404, b"", {})
        elif self.signed.get(path, query) != query:
            self._answer(403, b"", {})
        elif path == "/rude.pcap":  # knows ranges and no If-Match
            self._answer(206, self.bodies[path], {"ETag": '"v1"', "Content-Range": "bytes 5-9/10"})
        else:
            self._send_body(path, self.bodies[path])

    def _send_body(self, path: str, body: bytes) -> None:
        etag, wanted = self.etags.get(path, '"v1"'), self.headers.get("Range")
        if wanted is None or path.startswith("/plain"):
            more = {} if path.startswith("/plain") else {"Accept-Ranges": "bytes"}
            fault = "breaks" if path in self.breaks_off else ""
            self._answer(200, body, {**({} if fault else {"ETag": etag}), **more}, fault)
        elif self.headers.get("If-Match") != etag:
            self._answer(412, b"", {})
        else:
            begin, end = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted).groups()  # type: ignore[union-attr]
            last = int(end or len(body) - 1)
            fault = self.faults.pop(0) if self.faults else ""
            told = {"ETag": etag, "Content-Range": f"bytes {begin}-{last}/{len(body)}"}
            self._answer(206, body[int(begin) : last + 1], told, fault)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], fault: str = "") -> None:
        if fault == "503":
            status, body = 503, b""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault == "breaks":
            body, self.close_connection = body[: len(body) // 2], True
        with suppress(ConnectionError):  # whoever sees that it is a zip archive hangs up, and asks for parts
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def depot() -> Iterator[tuple[str, Any]]:
    empty: dict[str, Any] = {
        "bodies": {},
        "etags": {},
        "signed": {},
        "asked": [],
        "faults": [],
        "breaks_off": [],
    }
    shelf = type("Shelf", (Depot,), empty)
    server = ThreadingHTTPServer(("127.0.0.1", 0), shelf)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", shelf
    server.shutdown()
    server.server_close()


def test_an_archive_on_the_web_is_read_by_its_parts(depot: tuple[str, Any]) -> None:
    address, shelf = depot
    shelf.bodies["/a.zip"] = zipped({"x.bin": NOISE, "a.pcap": SAMPLE, "l.pcap": long_capture()})
    shelf.bodies["/a.tar"] = tarred({"x.bin": NOISE, "a.pcap": SAMPLE})
    assert content(f"{address}/a.zip!/a.pcap", access=Access.ANYWHERE) == SAMPLE
    assert content(f"{address}/to?{address}/a.zip!/l.pcap", access=Access.ANYWHERE) == long_capture()
    assert content(f"{address}/a.tar!/a.pcap", access=Access.ANYWHERE) == SAMPLE
    assert [one.uri for one in entries(f"{address}/a.zip")] == [
        f"{address}/a.zip!/a.pcap",
        f"{address}/a.zip!/l.pcap",
    ]
    shelf.faults[:] = ["503", "breaks", "", "breaks", "503"]
    assert content(f"{address}/a.zip!/l.pcap", access=Access.ANYWHERE) == long_capture()
    assert shelf.faults == []


def test_a_signature_opens_a_member_and_is_not_shown(depot: tuple[str, Any]) -> None:
    address, shelf = depot
    shelf.bodies["/a.zip"] = zipped({"a.pcap": SAMPLE, "bad.pcap": SAMPLE})
    with open_capture(f"{address}/a.zip?sig=hunter2!/a.pcap", access=Access.ANYWHERE) as capture:
        assert capture.source == f"{address}/a.zip?…!/a.pcap"
        assert b"".join(bytes(chunk) for chunk in capture.chunks()) == SAMPLE
    with pytest.raises(CaptureError) as raised:
        open_capture(f"{address}/a.zip?sig=hunter2!/none.pcap", access=Access.ANYWHERE)
    assert "hunter2" not in f"{raised.value}{raised.value.__cause__}"


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ctcp_forensics", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_reading_again_asks_who_was_allowed(depot: tuple[str, Any], tmp_path: Path) -> None:
    """`annotate`, pictures and pages open a capture once more, in the same inner network."""
    address, shelf = depot
    shelf.bodies["/case.zip"] = zipped({"a.pcap": SAMPLE})
    url, allowed = f"{address}/case.zip!/a.pcap", "--allow-private-addresses"
    svg, page, report, evidence = (tmp_path / name for name in ("a.svg", "a.html", "a.json", "a.pcapng"))
    done = run("analyze", url, allowed, "--format", "json", "-o", report, "--plot", svg, "--report", page)
    assert (done.returncode, done.stderr) == (1, "")
    assert "<svg " in svg.read_text()
    for more in ([url], ["--from", report]):
        refused = run("annotate", *more, "-o", evidence)
        assert refused.returncode == 2
        assert f"{allowed} lets it be read" in refused.stderr
        assert not evidence.exists()
        done = run("annotate", *more, allowed, "-o", evidence)
        assert done.returncode == 0, done.stderr
        assert evidence.read_bytes()[:4] == b"\n\r\r\n"
        evidence.unlink()
    kept = json.loads(report.read_text()) | {"pictures": []}
    report.write_text(json.dumps(kept))
    svg.unlink()
    assert f"{allowed} lets it be read; it is not drawn" in run("render", report, "--plot", svg).stderr
    assert run("render", report, "--plot", svg, allowed).stderr == ""
    assert svg.exists()


def test_a_server_that_sends_no_parts_is_read_from_beginning_to_end(
    depot: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, shelf = depot
    shelf.bodies["/plain.zip"] = zipped({"a.pcap": SAMPLE})
    assert content(f"{address}/plain.zip!/a.pcap", access=Access.ANYWHERE) == SAMPLE
    assert all("bytes" not in one for one in shelf.asked)
    monkeypatch.setattr(limits, "MAX_HELD", 1000)
    with pytest.raises(CaptureError, match=r"held in memory, at most 1000 bytes; .*download it"):
        content(f"{address}/plain.zip!/a.pcap", access=Access.ANYWHERE)


def test_a_page_that_changes_between_two_parts_is_told(depot: tuple[str, Any]) -> None:
    address, shelf = depot
    shelf.bodies["/a.zip"] = zipped({"a.pcap": long_capture(1, 20 << 20)})
    with open_capture(f"{address}/a.zip!/a.pcap", access=Access.ANYWHERE) as capture:
        chunks = capture.chunks()
        next(chunks)
        shelf.etags["/a.zip"] = '"v2"'
        with pytest.raises(CaptureError, match="it changed while it was read"):
            list(chunks)


def test_private_addresses_stay_refused_for_every_part(
    depot: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.1 plays the public web, 127.0.0.2 the inside; a redirect leads there once the archive is open."""
    address, shelf = depot
    shelf.bodies["/a.zip"] = zipped({"a.pcap": SAMPLE})
    with pytest.raises(CaptureError, match="is no public address; --allow-private-addresses"):
        open_capture(f"{address}/a.zip!/a.pcap")
    assert shelf.asked == []
    monkeypatch.setattr(hosts_module, "is_public", lambda one: one == "127.0.0.1")
    assert content(f"{address}/a.zip!/a.pcap") == SAMPLE
    inside = address.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(CaptureError, match=r"127\.0\.0\.2 is no public address"):
        open_capture(f"{address}/to?{inside}/a.zip!/a.pcap")
    found = list(find([f"{address}/to%3F{inside}/a.zip"], FindOptions()))
    assert [one.reason for one in found if isinstance(one, Refusal)] == ["unreachable"]


def test_a_signed_url_is_read_again_and_written_down_nowhere(depot: tuple[str, Any], tmp_path: Path) -> None:
    """By the run that it was named to; by another one, where it is named again."""
    address, shelf = depot
    shelf.bodies["/a.pcap"], shelf.signed["/a.pcap"] = SAMPLE, "sig=hunter2"
    shelf.bodies["/case.zip"], shelf.signed["/case.zip"] = zipped({"a.pcap": SAMPLE}), "sig=hunter2"
    allowed, evidence, page = "--allow-private-addresses", tmp_path / "e.pcapng", tmp_path / "p.html"
    for whole, member in (
        (f"{address}/a.pcap?sig=hunter2", ""),
        (f"{address}/case.zip?sig=hunter2", "!/a.pcap"),
    ):
        url, report = whole + member, tmp_path / "r.json"
        done = run("analyze", url, allowed, "--format", "json", "-o", report, "--report", page)
        assert (done.returncode, done.stderr) == (1, "")
        assert run("annotate", url, allowed, "-o", evidence).returncode == 0
        evidence.unlink()
        refused = run("annotate", "--from", report, allowed, "-o", evidence)
        assert (refused.returncode, evidence.exists()) == (2, False)
        assert "?…" in refused.stderr
        assert "nothing that follows a question mark; name the whole URL with --url" in refused.stderr
        done = run("annotate", "--from", report, allowed, "--url", whole, "-o", evidence)
        assert (done.returncode, evidence.read_bytes()[:4]) == (0, b"\n\r\r\n")
        assert run("render", report, allowed, "--url", whole, "--report", page).returncode == 1
        assert page.read_text().count("<svg") or "canvas" in page.read_text()
        twice = run(
            *("annotate", "--from", report, allowed, "-o", evidence),
            *("--url", whole, "--url", f"{address}{whole.removeprefix(address).partition('?')[0]}?sig=other"),
        )
        assert "several URLs were named of which this is shown" in twice.stderr
        assert not any(b"hunter2" in path.read_bytes() for path in tmp_path.iterdir())
        evidence.unlink(missing_ok=True)


# --- nothing stays open -----------------------------------------------------------------------------------------


def sockets() -> set[str]:
    """What this process has open."""
    found = set()
    for one in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(one.readlink()))
    return {one for one in found if one.startswith("socket:")}


def test_nothing_stays_open_behind_an_answer_that_is_not_taken(depot: tuple[str, Any]) -> None:
    """A page that breaks while its first bytes are looked at; a part of another version than was asked for."""
    address, shelf = depot
    shelf.bodies["/plain-broken"] = NOISE
    shelf.breaks_off.append("/plain-broken")
    shelf.bodies["/rude.pcap"] = NOISE
    before = sockets()
    gc.disable()  # which would close them by and by
    try:
        (head,) = heads([f"{address}/plain-broken"], Access.ANYWHERE, 1 << 21)
        assert isinstance(head, RemoteError)
        with pytest.raises(ChangedError) as raised:
            Page(f"{address}/rude.pcap", Access.ANYWHERE, etag='"v0"', begin=5)
        for _ in range(100):  # the server's own end needs a moment
            if sockets() <= before:
                break
            threading.Event().wait(0.05)
        assert sockets() <= before, raised
    finally:
        gc.enable()


def test_a_store_that_tells_nothing_of_an_object_has_it_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As libraries do whose open file knows no details: they are asked for, and fail."""
    closed: list[str] = []

    class Without(memory.MemoryFileSystem):  # type: ignore[misc]
        def open(self, path: str, *_: Any, **__: Any) -> Any:
            return SimpleNamespace(close=lambda: closed.append(path))

        def info(self, path: str, **_: Any) -> Any:
            raise TimeoutError

    monkeypatch.setattr("ctcp_forensics.capture.remote.opening.file_system", lambda _: Without())
    monkeypatch.setattr("ctcp_forensics.capture.remote.container.file_system", lambda _: Without())
    for opens in (open_url, open_container):
        with pytest.raises(RemoteError, match="does not answer"):
            opens("gs://bucket/a.zip", Access.ANYWHERE)
    assert closed == ["gs://bucket/a.zip"] * 2

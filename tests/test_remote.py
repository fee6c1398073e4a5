"""Captures behind URLs: a real server of S3 on the loopback, a proxy with faults before it, and a web server."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ctcp_forensics.archive.entry import Entry, Refusal
from ctcp_forensics.archive.find import find, open_entry
from ctcp_forensics.archive.store import Store
from ctcp_forensics.capture import Access, open_capture
from ctcp_forensics.capture.remote import (
    ChangedError,
    Remote,
    has_secrets,
    listed,
    open_url,
    without_secrets,
)
from ctcp_forensics.capture.remote import hosts as hosts_module
from ctcp_forensics.capture.remote import web as web_module
from ctcp_forensics.capture.remote.address import complaint
from ctcp_forensics.capture.remote.hosts import is_public
from ctcp_forensics.cli import analysis, main
from ctcp_forensics.errors import CaptureError
from tests.faulty import Script, faulty_proxy, refuses, resets_after, truncates_to

SAMPLE = Path("samples/failure-client.pcap")
HERE = Access.ANYWHERE
BODY = bytes(range(256)) * 4096  # 1 MiB
SECRET = "wJalrXUtnFEMIEXAMPLESECRET"  # noqa: S105


# --- a store --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moto() -> Iterator[tuple[str, int]]:
    """moto_server, of the package moto: the S3 that AWS's own client libraries are tested against."""
    program = shutil.which(
        "moto_server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    assert program is not None, "moto[server] is in the extra 'test'"
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int) -> None:
    for _ in range(300):
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start")


@pytest.fixture
def store(moto: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Script]]:
    """A new bucket's URL, and what the proxy before it is to do."""
    with faulty_proxy(moto) as (address, script):
        for name, value in {
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLEKEY",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
        }.items():
            monkeypatch.setenv(name, value)
        bucket = f"captures-{script.asked.__len__()}-{time.monotonic_ns()}"
        put(moto, f"/{bucket}", b"")
        yield f"s3://{bucket}", script
        forget_file_systems()


def forget_file_systems() -> None:
    """fsspec keeps one for each set of wishes, with the endpoint that it was made for."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def put(moto: tuple[str, int], path: str, body: bytes) -> None:
    connection = HTTPConnection(*moto)
    connection.request(
        "PUT",
        path,
        body,
        {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request"},
    )
    assert connection.getresponse().status == 200
    connection.close()


def put_object(moto: tuple[str, int], url: str, body: bytes) -> None:
    put(moto, "/" + url.removeprefix("s3://"), body)


def content(url: str, **more: Any) -> bytes:
    with open_capture(url, **more) as capture:
        return b"".join(bytes(chunk) for chunk in capture.chunks())


def test_a_capture_in_a_store_is_analyzed_as_the_file_is(
    moto: tuple[str, int], store: tuple[str, Script]
) -> None:
    bucket, _ = store
    put_object(moto, f"{bucket}/case/7/failure-client.pcap", SAMPLE.read_bytes())
    reports = [
        json.loads(subprocess.run(
            [sys.executable, "-m", "ctcp_forensics", "analyze", name, "--format", "json"],
            capture_output=True, check=False,
        ).stdout)
        for name in (f"{bucket}/case/7/failure-client.pcap", str(SAMPLE))
    ]  # fmt: skip
    far, near = reports
    assert far["captures"][0].pop("source") == f"{bucket}/case/7/failure-client.pcap"
    assert near["captures"][0].pop("source") == str(SAMPLE)
    assert far["findings"][0]["verdict"] == "unanswered-duplicate-acks"
    assert far == near


def test_everything_below_a_prefix_is_listed_page_by_page(
    moto: tuple[str, int], store: tuple[str, Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctcp_forensics.capture.remote.listing.PAGE_LEN", 10)
    bucket, script = store
    names = [f"many/{number:02d}.pcap" for number in range(25)]
    for name in [*names, "many-more/0.pcap", "beside.pcap"]:
        put_object(moto, f"{bucket}/{name}", b"x")
    assert [one.url for one in listed(f"{bucket}/many", HERE)] == [f"{bucket}/{name}" for name in names]
    assert sum("max-keys=10" in one for one in script.asked) == 3
    assert len(list(listed(bucket, HERE))) == 27
    assert [one.url for one in listed(f"{bucket}/many/?7.pcap", HERE)] == [
        f"{bucket}/many/{tens}7.pcap" for tens in range(2)
    ]


def test_one_object_is_listed_with_its_size_and_its_etag(
    moto: tuple[str, int], store: tuple[str, Script]
) -> None:
    bucket, _ = store
    put_object(moto, f"{bucket}/a.pcap", b"12345")
    (one,) = listed(f"{bucket}/a.pcap", HERE)
    assert (one.url, one.size, one.stamp) == (f"{bucket}/a.pcap", 5, '"827ccb0eea8a706c4c34a16891f84e7b"')


def test_a_key_is_taken_as_it_is(store: tuple[str, Script]) -> None:
    import s3fs

    bucket, _ = store
    keys = ["a//b", "p%41.pcap", "q?x=1#f.pcap", "bang!/in.pcap", "../up", "-dash", "\x1b[31mred", "ü"]
    for key in keys:
        s3fs.S3FileSystem().pipe(f"{bucket}/{key}", key.encode())
    found = list(listed(bucket, HERE))
    assert {one.url for one in found} == {f"{bucket}/{key}" for key in keys}
    for one in found:
        assert content(one.url) == one.url.removeprefix(f"{bucket}/").encode()


# --- faults ---------------------------------------------------------------------------------------


@pytest.fixture(params=[1 << 23, 1 << 18], ids=["in one", "in ranges beside each other"])
def block_len(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much is asked for at once, of an object of 1 MiB."""
    monkeypatch.setattr("ctcp_forensics.capture.remote.opening.BLOCK_LEN", request.param)


@pytest.mark.parametrize(
    "fault",
    [
        refuses(500, "InternalError"),
        refuses(503, "SlowDown"),
        resets_after(1000),
        resets_after(0),
    ],
    ids=["500", "503", "reset within the body", "reset before it"],
)
@pytest.mark.usefixtures("block_len")
def test_what_passes_is_tried_again(fault: Any, moto: tuple[str, int], store: tuple[str, Script]) -> None:
    bucket, script = store
    put_object(moto, f"{bucket}/a.pcap", BODY)
    script.acts[:] = [fault, fault]
    assert content(f"{bucket}/a.pcap") == BODY
    assert script.acts == []


def test_an_object_that_changes_is_never_put_together_of_two_versions(
    moto: tuple[str, int], store: tuple[str, Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctcp_forensics.capture.remote.opening.BLOCK_LEN", 1 << 18)
    bucket, _ = store
    put_object(moto, f"{bucket}/a.pcap", BODY * 4)
    remote = open_url(f"{bucket}/a.pcap", HERE)
    assert remote.readinto(memoryview(bytearray(1000))) == 1000
    put_object(moto, f"{bucket}/a.pcap", BODY * 4 + b"!")
    with pytest.raises(ChangedError, match="changed while it was read"):
        read_on(remote)


def read_on(remote: Remote) -> None:
    while remote.readinto(memoryview(bytearray(1 << 20))):
        """To the end."""


def test_an_object_that_changed_since_it_was_found_is_not_read(
    moto: tuple[str, int], store: tuple[str, Script]
) -> None:
    bucket, _ = store
    put_object(moto, f"{bucket}/a.pcap", b"old")
    (found,) = listed(f"{bucket}/a.pcap", HERE)
    put_object(moto, f"{bucket}/a.pcap", b"new")
    with pytest.raises(CaptureError, match="changed since it was found"):
        open_entry(Entry(uri=found.url, size=found.size, stamp=found.stamp))


@pytest.mark.usefixtures("block_len")
def test_an_object_that_comes_in_pieces_is_put_together(
    moto: tuple[str, int], store: tuple[str, Script]
) -> None:
    bucket, script = store
    put_object(moto, f"{bucket}/a.pcap", BODY)
    script.acts[:] = [truncates_to(1000)] * 5
    assert content(f"{bucket}/a.pcap") == BODY


@pytest.mark.usefixtures("block_len")
def test_an_object_that_comes_in_part_is_no_whole_one(
    moto: tuple[str, int], store: tuple[str, Script]
) -> None:
    bucket, script = store
    put_object(moto, f"{bucket}/a.pcap", BODY)
    script.acts[:] = [truncates_to(1000), *[truncates_to(0)] * 50]
    with pytest.raises(CaptureError, match=r"cannot be read on: it ends after 1000 of 1048576 bytes"):
        content(f"{bucket}/a.pcap")


@pytest.mark.usefixtures("block_len")
def test_expired_credentials_are_told_and_not_shown(moto: tuple[str, int], store: tuple[str, Script]) -> None:
    bucket, script = store
    put_object(moto, f"{bucket}/a.pcap", BODY)
    script.acts[:] = [refuses(403, "ExpiredToken")] * 20
    with pytest.raises(CaptureError) as raised:
        content(f"{bucket}/a.pcap")
    text = f"{raised.value} {raised.value.__cause__} {raised.value.__context__}"
    assert "access is denied (ExpiredToken); the credentials are missing, have expired" in str(raised.value)
    assert "AKIA" not in text
    assert SECRET not in text


def test_an_absent_object_and_an_absent_library_say_what_to_do(
    store: tuple[str, Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, _ = store
    with pytest.raises(CaptureError, match="there is nothing at this address"):
        open_capture(f"{bucket}/none.pcap")
    monkeypatch.setattr("fsspec.filesystem", lambda scheme, **_: __import__("no_such_library"))
    with pytest.raises(CaptureError, match=r"reads gs://; pip install 'ctcp-forensics\[gcs\]'"):
        open_capture("gs://bucket/a.pcap")
    with pytest.raises(CaptureError, match="file:// is no place that captures are read from"):
        open_capture("file:///etc/passwd")
    with pytest.raises(
        CaptureError, match="ftp:// is not read; name the file by https:// or sftp://, or fetch it"
    ):
        open_capture("ftp://host/a.pcap")


# --- a sweep ----------------------------------------------------------------------------------------


def swept(places: Sequence[str], folder: Path) -> tuple[int, str]:
    """The whole command, with workers."""
    done = subprocess.run(
        [sys.executable, "-m", "ctcp_forensics", "scan", *places, "--store", str(folder), "--workers", "2"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr + done.stdout


def test_a_bucket_is_swept_whatever_happens_on_the_way(
    moto: tuple[str, int], store: tuple[str, Script], tmp_path: Path
) -> None:
    bucket, script = store
    for name in ("failure-client", "healthy", "failure-client-again"):
        put_object(
            moto, f"{bucket}/7/{name}.pcap", Path(f"samples/{name.removesuffix('-again')}.pcap").read_bytes()
        )
    put_object(moto, f"{bucket}/7/notes.txt", b"the customer says that it dies at noon")
    put_object(moto, f"{bucket}/7/cases.zip", b"PK\x03\x04" + bytes(100))
    script.acts[:] = [refuses(503, "SlowDown"), resets_after(100)]
    status, said = swept([f"{bucket}/7/"], tmp_path / "store")
    results = {one.uri.rpartition("/")[2]: one for one in Store.open(tmp_path / "store").current()}
    assert status == 1, said
    assert {name: one.status for name, one in results.items()} == {
        "failure-client.pcap": "analyzed",
        "failure-client-again.pcap": "analyzed",
        "healthy.pcap": "analyzed",
    }
    assert results["failure-client.pcap"].same_as == f"{bucket}/7/failure-client-again.pcap"
    assert "cases.zip: refused: damaged: its directory cannot be read" in said
    assert SECRET not in said
    assert not any(SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_expired_credentials_end_a_sweep_with_their_reason(store: tuple[str, Script], tmp_path: Path) -> None:
    bucket, script = store
    script.acts[:] = []
    script.listings = refuses(403, "ExpiredToken")
    status, said = swept([f"{bucket}/7/"], tmp_path / "store")
    assert status == 2
    assert "access is denied (ExpiredToken)" in said
    assert "AKIA" not in said


def test_a_url_with_a_password_is_not_kept(tmp_path: Path) -> None:
    status, said = swept(["https://user:hunter2@example.org/a.pcap?token=hunter2"], tmp_path / "store")
    assert status == 2
    assert "secret-in-url" in said
    assert "hunter2" not in said
    assert not any(b"hunter2" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


# --- the web ----------------------------------------------------------------------------------------


LOGIN = "Basic " + b64encode(b"us er:p@ss").decode()


class Shelf(BaseHTTPRequestHandler):
    """One file with an ETag and ranges; it breaks, changes and leads elsewhere as its path says."""

    protocol_version = "HTTP/1.1"
    asked: list[str]

    def do_GET(self) -> None:
        first = not any(self.path == one.split()[0] for one in self.asked)
        self.asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
        if self.path == "/locked" and self.headers.get("Authorization") != LOGIN:
            self._send(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="cases"'})
        elif self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to?"))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/busy" and first:
            self._send(503, b"busy", {"Retry-After": "0"})
        elif self.path == "/later":
            self._send(503, b"busy", {"Retry-After": "3600"})
        elif self.path == "/secret":
            self._send(403, b"no", {})
        else:
            self._send_file(first)

    def _send_file(self, first: bool) -> None:
        etag = '"new"' if self.path == "/changes" and not first else '"v1"'
        begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if begin and self.headers.get("If-Match") != etag:
            self._send(412, b"", {})
            return
        headers = {"ETag": etag} if self.path != "/nameless" else {}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(BODY) - 1}/{len(BODY)}"
        breaks = first and self.path in ("/breaks", "/changes", "/nameless")
        self._send(206 if begin else 200, BODY[begin:], headers, at_most=300_000 if breaks else None)

    def _send(self, status: int, body: bytes, headers: dict[str, str], at_most: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:at_most])
        if at_most is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Shelf", (Shelf,), {"asked": asked}))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


def test_a_page_is_read(web: tuple[str, list[str]]) -> None:
    assert content(f"{web[0]}/a.pcap", access=Access.ANYWHERE) == BODY
    assert content(f"{web[0]}/to?/a.pcap", access=Access.ANYWHERE) == BODY
    assert content(f"{web[0]}/busy", access=Access.ANYWHERE) == BODY


def test_a_page_that_breaks_is_read_on_from_there(web: tuple[str, list[str]]) -> None:
    assert content(f"{web[0]}/breaks", access=Access.ANYWHERE) == BODY
    assert web[1] == ["/breaks", "/breaks bytes=300000-"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/changes", "changed while it was read"),
        ("/nameless", "broke after 300000 bytes, and the server does not say how to tell a version"),
    ],
)
def test_a_page_is_never_put_together_of_two_versions(
    path: str, words: str, web: tuple[str, list[str]]
) -> None:
    with pytest.raises(CaptureError, match=words):
        content(web[0] + path, access=Access.ANYWHERE)


def test_a_login_of_a_url_opens_its_host_and_is_sent_to_no_other(
    web: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was sent to no server, but to whoever translates names: the login was taken for a part of the host."""
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def listening(host: str, *more: Any, **rest: Any) -> Any:
        asked.append(host)
        return look_up(host, *more, **rest)

    monkeypatch.setattr(socket, "getaddrinfo", listening)
    known, other = known_to(web[0]), web[0].replace("127.0.0.1", "localhost")
    assert content(f"{known}/locked", access=Access.ANYWHERE) == BODY
    assert content(f"{known}/to?/locked", access=Access.ANYWHERE) == BODY
    with pytest.raises(CaptureError, match="access is denied") as raised:
        content(f"{known}/to?{other}/locked", access=Access.ANYWHERE)
    assert raised.value.source == f"{web[0].replace('://', '://…@')}/to?…"
    assert set(asked) == {"127.0.0.1", "localhost"}


def test_a_login_goes_only_to_the_url_that_it_was_named_for(web: tuple[str, list[str]]) -> None:
    """The URL without it was read with it, where both were named."""
    assert content(f"{known_to(web[0])}/locked", access=Access.ANYWHERE) == BODY
    with pytest.raises(CaptureError, match="access is denied"):
        content(f"{web[0]}/locked", access=Access.ANYWHERE)
    as_a_report_names_it = web[0].replace("://", "://…@")
    assert content(f"{as_a_report_names_it}/locked", access=Access.ANYWHERE) == BODY
    with pytest.raises(CaptureError, match="a report holds no login"):
        content(f"{as_a_report_names_it}/a.pcap", access=Access.ANYWHERE)


def known_to(address: str) -> str:
    return address.replace("://", "://us%20er:p%40ss@")


def test_what_will_not_be_better_is_said_at_once(web: tuple[str, list[str]]) -> None:
    with pytest.raises(CaptureError, match="asks to come again in 3600 seconds"):
        content(f"{web[0]}/later", access=Access.ANYWHERE)
    with pytest.raises(CaptureError, match="access is denied"):
        content(f"{web[0]}/secret", access=Access.ANYWHERE)
    with pytest.raises(CaptureError, match="leads from http:// to ftp://"):
        content(f"{web[0]}/to?ftp://127.0.0.1/a", access=Access.ANYWHERE)
    with pytest.raises(CaptureError, match="the server answers 302"):
        content(f"{web[0]}/to?file:///etc/passwd", access=Access.ANYWHERE)
    assert len(web[1]) == 4


def test_private_addresses_are_refused_unless_allowed(web: tuple[str, list[str]]) -> None:
    with pytest.raises(CaptureError, match=r"pcap: 127\.0\.0\.1 is no public address; --allow-private"):
        content(f"{web[0]}/a.pcap")
    assert web[1] == []


def test_a_redirect_to_a_private_address_is_refused(
    web: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.1 plays the public web here, and 127.0.0.2 the inside."""
    monkeypatch.setattr(hosts_module, "is_public", lambda address: address == "127.0.0.1")
    inside = web[0].replace("127.0.0.1", "127.0.0.2")
    assert content(f"{web[0]}/a.pcap") == BODY
    with pytest.raises(CaptureError, match=r": 127\.0\.0\.2 is no public address"):
        content(f"{web[0]}/to?{inside}/a.pcap")


def test_a_name_that_stands_for_another_address_by_then_is_refused(
    web: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when it is looked at, private when it is asked."""
    monkeypatch.setattr(web_module, "refuse_private", lambda host, port: None)
    with pytest.raises(CaptureError, match="no public address"):
        content(f"{web[0]}/a.pcap")
    assert web[1] == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "fe80::1%eth0", "fd00:ec2::254", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe",
     "2002:7f00:1::"],
)  # fmt: skip
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_the_rest_is(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@host:8443/a.pcap?X-Amz-Signature=abc#f", "https://…@host:8443/a.pcap?…"),
        ("https://host/a.pcap", "https://host/a.pcap"),
        ("sftp://user:pw@host/a.pcap", "sftp://…@host/a.pcap"),
        ("sftp://user@host:22/a?b#c", "sftp://user@host:22/a?b#c"),
        ("s3://key:secret@bucket/a?b#c", "s3://…@bucket/a?b#c"),
        ("s3://bucket/a@b?c", "s3://bucket/a@b?c"),
        ("https://u:p@[::1/a.pcap?sig=abc#f", "https://…@[::1/a.pcap?…"),
        ("HTTPS://u:p@h\u2100/a?#f", "https://…@h\u2100/a"),
        ("http://[x", "http://[x"),
        ("https://u:p/w@host/a@b.pcap", "https://…@b.pcap"),
        ("https://u:p#w@host/a.pcap?sig=abc", "https://…@host/a.pcap"),
        ("https://u:p?w@host/a.pcap", "https://…@host/a.pcap"),
        ("sftp://user:p/w@host/a.pcap", "sftp://…@host/a.pcap"),
        ("https://host:8443/a@b.pcap", "https://host:8443/a@b.pcap"),
        ("https://[::1]:8443/a@b.pcap", "https://[::1]:8443/a@b.pcap"),
    ],
)
def test_what_may_be_a_secret_is_not_shown(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
    assert has_secrets(url) == (url != shown)


def test_a_broken_url_is_named_without_its_secrets() -> None:
    with pytest.raises(CaptureError) as raised:
        open_capture("https://user:hunter2@localhost:1/a.pcap?token=hunter2", access=Access.ANYWHERE)
    assert "hunter2" not in str(raised.value)
    assert raised.value.source == "https://…@localhost:1/a.pcap?…"


def test_what_is_no_capture_is_named_without_its_secrets(
    web: tuple[str, list[str]], capfd: pytest.CaptureFixture[str]
) -> None:
    """It was opened by its whole URL, and what is wrong with its first bytes was told under that name."""
    url = f"{web[0]}/a.pcap?token=hunter2"
    for words in (["-f", "json", url], ["--client", url, "--client", f"{url}b"]):
        assert main(["analyze", *words, "--allow-private-addresses"]) == 2
    said, complained = capfd.readouterr()
    assert "hunter2" not in said + complained
    assert f"{web[0]}/a.pcap?…: byte 0: " in complained


def test_the_line_that_shows_how_far_it_is_shows_no_signature() -> None:
    assert analysis._last_part("https://u:p@host/b/a.pcap?sig=abc/d&e=f") == "a.pcap?…"
    assert analysis._last_part("/b/a.pcap?sig=abc") == "a.pcap?sig=abc"


def test_what_is_no_url_at_all_is_refused_and_ends_no_sweep(tmp_path: Path) -> None:
    """`urlsplit` raises a ValueError, of which nobody thought; one line of a long list may be such."""
    with pytest.raises(CaptureError, match=r"https://\[::1/a\.pcap: its host or its port cannot be read"):
        open_capture("https://[::1/a.pcap")
    capture = Path("samples/healthy.pcap").absolute()
    status, said = swept(["https://[::1/a.pcap", "https://u:p@[::1/a.pcap", str(capture)], tmp_path / "store")
    assert status == 3
    assert "https://[::1/a.pcap: refused: " in said
    assert "1 analyzed" in said


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://", r"names no bucket; the form is s3://BUCKET/KEY"),
        ("s3:///key.pcap", r"names no bucket"),
        ("s3://*/", None),
        ("gs://", r"names no bucket; the form is gs://BUCKET/KEY"),
        ("az://", r"names no container; the form is az://CONTAINER/BLOB"),
        ("sftp:///a.pcap", r"names no host; the form is sftp://HOST/PATH"),
        ("sftp://user@/a.pcap", r"names no host"),
        ("https:///a.pcap", r"names no host; the form is https://HOST/PATH"),
        ("https://user:hun/ter2@host/a.pcap", r"they are written %2F %3F %23"),
        ("https://user:hun#ter2@host/a.pcap", r"they are written %2F %3F %23"),
        ("https://user:hunter2@/a.pcap", r"names no host"),
        ("https://host:port/a.pcap", r"its host or its port cannot be read"),
        ("https://host:99999/a.pcap", r"its host or its port cannot be read"),
        ("https://host/a b.pcap", r"a blank is written %20"),
        ("https://host/a\n.pcap", r"a blank is written %20"),
        ("https://host/\u00fc.pcap", r"has to be percent-encoded"),
    ],
)
def test_a_url_that_nobody_can_be_asked_for_is_told_how_it_is_written(url: str, says: str | None) -> None:
    """The other side failed, said the tool, where nobody had been asked."""
    assert (complaint(url) is None) == (says is None)
    if says is None:
        return
    with pytest.raises(CaptureError, match=says) as raised:
        open_capture(url)
    assert "ter2" not in str(raised.value)
    (found,) = find([url])
    assert isinstance(found, Refusal)
    assert re.search(says, found.detail) or found.reason == "secret-in-url"


@pytest.mark.parametrize(
    "url",
    [
        "https://us%20er:p%2Fw@host:8443/a%20b.pcap?sig=a%2Fb",
        "https://[::1]:8443/a.pcap",
        "https://b\u00fccher.example/a.pcap",
        "s3://bucket/\u00fc b#c?d",
        "sftp://user@host:22/a b",
        "az://container/a",
    ],
)
def test_a_url_that_somebody_can_be_asked_for_is_not_complained_of(url: str) -> None:
    assert complaint(url) is None

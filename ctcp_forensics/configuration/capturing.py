"""Captures on the firewall that would settle what is still open, in buffers that suffice.

Knows the `capture` command (ASA general operations guide 9.1, "Capturing Packets"; bounds of its numbers from the
command's own help).  Does not know what is open: the advice says which sides are lacking.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ctcp_forensics.advice.capturing import (
    CAPTURE_TOWARDS_CLIENT,
    CAPTURE_TOWARDS_HEADEND,
    NAME_THE_DROP,
    TAKE_CAPTURES,
)
from ctcp_forensics.advice.step import Step
from ctcp_forensics.configuration.change import Change, blanks_for, blocks_of, change_of, typed
from ctcp_forensics.configuration.subject import Pair, Subject
from ctcp_forensics.configuration.wish import ConfigurationError, Names, Wish

MIB = 1 << 20
SMALLEST_BUFFER, LARGEST_BUFFER = MIB, 32 * MIB
"""Bytes.  The default, 512 KiB, holds some 340 full packets; the command takes at most 33554432."""
KEPT_S = 600
"""Seconds that have to be in a circular buffer: a client gives up after 90, and somebody has to come and copy it."""
BURST = 4
"""How much busier than on average a flow may be in those seconds."""
PACKET_LEN = 1522
"""A full Ethernet frame with a VLAN tag: the trailer of cTCP is the end of each packet."""
MAX_HEADENDS = 4
"""Each has three captures of its own, and each of those its buffer."""

BOTH_SIDES = frozenset({"client", "headend"})
LACKING: dict[Step, frozenset[str]] = {
    TAKE_CAPTURES: BOTH_SIDES,
    CAPTURE_TOWARDS_HEADEND: frozenset({"headend"}),
    CAPTURE_TOWARDS_CLIENT: frozenset({"client"}),
    NAME_THE_DROP: frozenset(),  # the asp-drop capture alone
}
NOTHING_OPEN = (
    "Nothing about these flows is open that a capture on this firewall would settle. These are for the next failure, "
    "or to verify a change: give captures from before and after to `ctcp-diag compare`."
)
ANYBODY = "Several clients are affected, so the captures take every client of that headend and port."
NO_RATE = "The report does not show how fast these flows were: the buffer is the largest that there is."


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """One capture: its name, what it is attached to, and what it takes."""

    name: str
    attached: str
    match: str

    def line(self, buffer_len: int) -> str:
        return (
            f"capture {self.name} {self.attached} packet-length {PACKET_LEN} buffer {buffer_len} circular-buffer "
            f"match {self.match}"
        )


def captures_of(subjects: Sequence[Subject], wish: Wish) -> tuple[Change, ...]:
    """One change: the captures for all these flows."""
    if not subjects:
        raise ConfigurationError("no flow of this report has addresses to capture")
    sides, is_open = _lacking(subjects)
    taps = list(_taps(subjects, sides, wish.names))
    buffer_len = buffer_for(subjects)
    plain = change_of(TAKE_CAPTURES, subjects, wish)
    return (
        replace(
            plain,
            title="Capture on the firewall, until it fails again",
            cost=_cost(len(taps), buffer_len, subjects),
            apply=blocks_of(_lines(taps, buffer_len, subjects, wish), wish),
            verify=(
                "`show capture` lists all of them as capturing, and those of interfaces grow.",
                plain.verify[1],
            ),
            looks=("show capture",),
            roll_back=blocks_of(_undone(taps), wish),
            caveats=(*_remarks(subjects, is_open=is_open), *plain.caveats),
        ),
    )


def buffer_for(subjects: Sequence[Subject]) -> int:
    """Bytes for KEPT_S seconds at BURST times the rate that was seen, in whole MiB."""
    rate = rate_of(subjects)
    if rate is None:
        return LARGEST_BUFFER
    needed = int(rate * BURST * KEPT_S)
    return min(max(SMALLEST_BUFFER, -(-needed // MIB) * MIB), LARGEST_BUFFER)


def rate_of(subjects: Sequence[Subject]) -> float | None:
    """Bytes in a second of all of them; of several connections of the same hosts, the fastest."""
    rates: dict[tuple[str, str, int], float] = {}
    for one in subjects:
        if one.bytes_per_s is None:
            return None
        rates[one.hosts] = max(one.bytes_per_s, rates.get(one.hosts, 0.0))
    return sum(rates.values())


def _lacking(subjects: Sequence[Subject]) -> tuple[frozenset[str], bool]:
    """The sides to capture on, and whether that is to settle something."""
    asked = [LACKING[step] for one in subjects for step in one.steps if step in LACKING]
    return (frozenset().union(*asked), True) if asked else (BOTH_SIDES, False)


def _taps(subjects: Sequence[Subject], sides: frozenset[str], names: Names) -> Iterator[Tap]:
    near, far = _interfaces(subjects[0], names)
    if "client" in sides:
        yield from _on_interface(near, [one.towards_client for one in subjects], names)
    if "headend" in sides:
        yield from _on_interface(far, [one.towards_headend for one in subjects], names)
    pairs = [one.towards_client for one in subjects]
    for number, (match, _) in enumerate(_matches(pairs), start=1):
        yield Tap(name=_name("DROP", number), attached="type asp-drop all", match=match)


def _interfaces(subject: Subject, names: Names) -> tuple[str, str]:
    """The interfaces that face the client and the headend; the outside faces the client unless it was seen not to."""
    if subject.client_side == "asa-inside" or subject.headend_side == "asa-outside":
        return names.inside, names.outside
    return names.outside, names.inside


def _on_interface(interface: str, pairs: list[Pair], names: Names) -> Iterator[Tap]:
    short = "OUT" if interface == names.outside else "IN"
    for number, (match, port) in enumerate(_matches(pairs), start=1):
        attached = f"type raw-data interface {interface}"
        yield Tap(name=_name(short, number), attached=attached, match=f"{match} eq {port}")


def _matches(pairs: list[Pair]) -> list[tuple[str, int]]:
    """What to take, for each headend and port: one client by its address, several as `any`."""
    clients: dict[tuple[str, int], set[str]] = {}
    for pair in pairs:
        clients.setdefault((pair.headend, pair.port), set()).add(pair.client)
    return [
        (f"tcp {f'host {next(iter(some))}' if len(some) == 1 else 'any'} host {headend}", port)
        for (headend, port), some in list(clients.items())[:MAX_HEADENDS]
    ]


def _name(short: str, number: int) -> str:
    return f"CTCP_DIAG_{short}" if number == 1 else f"CTCP_DIAG_{short}_{number}"


def _lines(taps: Sequence[Tap], buffer_len: int, subjects: Sequence[Subject], wish: Wish) -> tuple[str, ...]:
    shown = typed(
        (
            "show asp drop",
            "show service-policy flow tcp host {client} host {headend} eq {port}",
            "! on the firewall, after the failure and before the buffers are overwritten",
            "show conn address {client}",
            "show asp drop",
            "show capture",
        ),
        blanks_for(subjects, wish),
        wish,
    )
    return (
        f"! on the firewall, before the failure; {wish.names.outside} and {wish.names.inside} are names of its "
        "interfaces (show nameif)",
        *(tap.line(buffer_len) for tap in taps),
        *shown,
        *(f"copy /pcap capture:{tap.name} disk0:{tap.name}.pcap" for tap in taps),
        "! on the client, at the same time: Wireshark or tcpdump on the physical adapter, whole packets",
    )


def _undone(taps: Sequence[Tap]) -> tuple[str, ...]:
    return (
        "! on the firewall, once the files are copied away",
        *(f"no capture {tap.name}" for tap in reversed(taps)),
        *(f"delete /noconfirm disk0:{tap.name}.pcap" for tap in reversed(taps)),
    )


def _cost(taps: int, buffer_len: int, subjects: Sequence[Subject]) -> str:
    memory = (
        f"{taps} buffers of {buffer_len // MIB} MiB of the firewall's memory, and some work for each packet."
    )
    rate = rate_of(subjects)
    if rate is None:
        return f"{memory} {NO_RATE}"
    holds_s = int(buffer_len / rate)
    return (
        f"{memory} At the {rate / 1000:.1f} kB/s that the flows had on average each holds {holds_s} s, in a "
        f"burst {holds_s // BURST} s; then it overwrites the oldest. The files hold users' traffic: ESP is "
        "encrypted, addresses are not."
    )


def _remarks(subjects: Sequence[Subject], *, is_open: bool) -> Iterator[str]:
    if not is_open:
        yield NOTHING_OPEN
    pairs = [one.towards_client for one in subjects]
    clients = {pair.client for pair in pairs}
    headends = {(pair.headend, pair.port) for pair in pairs}
    if len(clients) > 1:
        yield ANYBODY
    if len(headends) > MAX_HEADENDS:
        yield f"Limit: {MAX_HEADENDS} of {len(headends)} headends; take the others with --flow."

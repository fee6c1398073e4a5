"""A step of advice: texts with blanks, and how the blanks are filled for one flow.

Knows addresses, ports and names.  Does not know which step suits which verdict: see offers.
Addresses come from captures and end up in commands that somebody pastes into a firewall, so nothing
gets into a command that `ipaddress` has not read and written again.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import accumulate, pairwise
from typing import Final

import msgspec

HIGHEST_PORT = 65535
BLANK: Final = re.compile(r"\{(\w+)\}")
LINE_END: Final = "\0"
"""No line contains it, and nothing that fills a blank."""
STEPS_REMEMBERED: Final = 512
"""Some 4 KB each: of seventy pairs of hosts."""
ADDRESSES_REMEMBERED: Final = 256
"""Many flows have one headend, and the clients that fail do so again and again."""

# IPv6 routers never fragment, so its ping needs no Don't Fragment (-f); the client runs on Windows.
# Wireshark's names of IPv6's fields are others than IPv4's.
FAMILY_WORDS = {
    4: {"ping": "ping -f -l", "icmp": "icmp", "too_big": "unreachable", "ip": "ip", "ttl": "ip.ttl"},
    6: {"ping": "ping -l", "icmp": "icmp6", "too_big": "packet-too-big", "ip": "ipv6", "ttl": "ipv6.hlim"},
}

WAYS = {
    "client-to-headend": "from the client to the headend",
    "headend-to-client": "from the headend to the client",
    None: "between the client and the headend",
}

# Where several captures find something, by the words of the report; "the firewall" is the one that was captured at.
PLACES = {
    "client": "at the client",
    "client-asa": "between the client and the firewall",
    "asa": "in the firewall",
    "asa-headend": "between the firewall and the headend",
    "client-asa-or-asa": "between the client and the firewall, or in it",
    "asa-or-asa-headend": "in the firewall, or between it and the headend",
    "client-headend": "between the client and the headend",
    "headend": "at the headend",
}
BEYOND = {
    "client-to-headend": "on the headend's side of it",
    "headend-to-client": "on the client's side of it",
    None: "beyond it",
}

AT_CLIENT, TOWARDS_CLIENT, TOWARDS_HEADEND, AT_FIREWALL = "client", "towards-client", "towards-headend", "asa"
"""Vantage points of which there is a capture: at the client, on either side of the firewall, or on one of the two."""


MIXED, UNSORTED = "two-places-are-mixed", "the-directions-stand-apart"
SHUFFLED = "the-frames-are-shuffled"
"""Claims by which nothing else that a capture shows can be believed."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What advice needs to know of a judged flow.

    `loss_size_dependent` is true where only large packets were lost and null where nobody can tell.
    `firewall_suspected` is true where the capture itself points at a device on the path, for example
    by duplicate ACKs whose TTL is not the headend's.  With several captures, `captured_at` says where they
    were taken, `loss_location` and `ack_author` what they settle, in the report's words; and
    `firewall_cleared` is true where the duplicate ACKs passed the firewall, so that another device made them.
    `misled_by` is MIXED, UNSORTED or SHUFFLED where the capture shows that.
    """

    verdict: str
    confidence: str
    client_address: str
    client_port: int
    headend_address: str
    headend_port: int
    direction: str | None = None
    encapsulation_kind: str = "cisco-ctcp"
    loss_size_dependent: bool | None = None
    firewall_suspected: bool = False
    captured_at: frozenset[str] = frozenset()
    loss_location: str | None = None
    ack_author: str | None = None
    firewall_cleared: bool = False
    misled_by: str | None = None


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do, ready to read: what changes, what it costs, how to check it, how to take it back."""

    fix: str
    title: str
    change: str
    commands: tuple[str, ...]
    cost: str
    verify: tuple[str, ...]
    roll_back: tuple[str, ...]
    source: str
    caveats: tuple[str, ...]


Condition = Callable[[Situation], bool]


def always(_: Situation) -> bool:
    return True


class Caveat(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence that holds only in some situations."""

    text: str
    when: Condition


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A recommendation with blanks, such as {client} and {port}: see `blanks_of`."""

    fix: str
    title: str
    change: str
    commands: tuple[str, ...] = ()
    cost: str
    verify: tuple[str, ...] = ()
    roll_back: tuple[str, ...] = ()
    source: str
    caveats: tuple[str | Caveat, ...] = ()


class Draft:
    """A step with the caveats that go with it, taken apart: for all flows that differ in their ends only.

    Its lines with blanks are filled as one text: for each flow there are sixty of them.
    """

    def __init__(self, step: Step, caveats: Sequence[str]) -> None:
        self.step = step
        groups = ((step.title, step.change, step.cost), step.commands, step.verify, step.roll_back, caveats)
        self._spans = [slice(*ends) for ends in pairwise((0, *accumulate(map(len, groups))))]
        self._lines = [line for group in groups for line in group]
        self._places = [at for at, line in enumerate(self._lines) if BLANK.search(line)]
        pieces = BLANK.split(LINE_END.join(self._lines[at] for at in self._places))
        self._texts, self._names = pieces[0::2], [*map(sys.intern, pieces[1::2])]
        self.names = tuple(dict.fromkeys(self._names))

    def groups(self, blanks: Mapping[str, str]) -> list[tuple[str, ...]]:
        """The three texts, commands, ways to verify and to roll back, and caveats."""
        lines = self._lines.copy()
        for at, line in zip(self._places, self._filled(blanks).split(LINE_END), strict=False):
            lines[at] = line
        return [tuple(lines[span]) for span in self._spans]

    def _filled(self, blanks: Mapping[str, str]) -> str:
        pieces = [""] * (len(self._texts) + len(self._names))
        pieces[0::2] = self._texts
        pieces[1::2] = [blanks[name] for name in self._names]
        return "".join(pieces)


def filled(draft: Draft, blanks: Mapping[str, str]) -> Recommendation:
    """The step for one flow."""
    return filled_with(draft, tuple([blanks[name] for name in draft.names]))


@lru_cache(maxsize=STEPS_REMEMBERED)
def filled_with(draft: Draft, words: tuple[str, ...]) -> Recommendation:
    """By what its blanks stand for: a client that fails does so again and again."""
    groups = draft.groups(dict(zip(draft.names, words, strict=True)))
    (title, change, cost), commands, verify, roll_back, caveats = groups
    return Recommendation(
        fix=draft.step.fix,
        title=title,
        change=change,
        commands=commands,
        cost=cost,
        verify=verify,
        roll_back=roll_back,
        source=draft.step.source,
        caveats=caveats,
    )


def blanks_of(situation: Situation) -> Mapping[str, str]:
    """What fills the blanks.  ValueError where an address or a port is none."""
    ends = addresses_of(situation.client_address, situation.headend_address)
    client, headend = map(str, ends)
    port = str(checked_port(situation.headend_port))
    return {
        **FAMILY_WORDS[ends[1].version],
        "client": client,
        "client_port": str(checked_port(situation.client_port)),
        "headend": headend,
        "port": port,
        "name": configuration_name(client, headend, port),
        "way": WAYS.get(situation.direction, WAYS[None]),
        "loss_place": PLACES.get(situation.loss_location or "", "on the way"),
        "ack_place": PLACES.get(situation.ack_author or "", "on the way"),
        "beyond": BEYOND.get(situation.direction, BEYOND[None]),
    }


Address = IPv4Address | IPv6Address


def addresses_of(client_text: str, headend_text: str) -> tuple[Address, Address]:
    client, headend = checked_address(client_text), checked_address(headend_text)
    if client.version != headend.version:
        raise ValueError(f"{client} and {headend} are not of one address family")
    return client, headend


def configuration_name(client: str, headend: str, port: str) -> str:
    """Names for access list and class: the same for the same flow, and most unlikely to be taken.

    One name per pair of hosts, so that rolling back one flow's change leaves another's alone.
    """
    return f"CTCP-DIAG-{zlib.crc32(f'{client} {headend} {port}'.encode()):08X}"


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def checked_address(text: str) -> Address:
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        # ipaddress lets a scope be any text, even a line break: none of it belongs in a command.
        raise ValueError("an address with a scope has no place in a firewall's configuration")
    return address


def checked_port(port: int) -> int:
    if not 0 <= port <= HIGHEST_PORT:
        raise ValueError(f"{port} is not a TCP port")
    return int(port)


def applying(caveats: tuple[str | Caveat, ...], situation: Situation) -> list[str]:
    """The sentences, with their blanks, that hold in this situation."""
    held = [one for one in caveats if isinstance(one, str) or one.when(situation)]
    return [one if isinstance(one, str) else one.text for one in held]

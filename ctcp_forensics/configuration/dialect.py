"""Dialects: how older releases and FTD say what an ASA of 8.4 or later is told.

Knows spellings.  Does not know what is changed.  Sources: the ASA guides for 8.2 to 9.2 as
far as they were read, and TAC 211628 for FTD; what stands in none of them is said in the caveats.
"""

from __future__ import annotations

from collections.abc import Iterator

from ctcp_forensics.configuration.block import Block
from ctcp_forensics.configuration.wish import Syntax

OLDER = (
    # Up to 8.3 IKEv1 had no number: `isakmp ipsec-over-tcp`, `show crypto isakmp …`.
    ("crypto ikev1 ipsec-over-tcp", "isakmp ipsec-over-tcp"),
    ("show crypto ikev1", "show crypto isakmp"),
    ("debug crypto ikev1", "debug crypto isakmp"),
    # 8.2's guide on connection settings has `tcp` where later ones have `idle` (not confirmed; said in the caveat).
    ("set connection timeout idle", "set connection timeout tcp"),
)

CAVEATS: dict[Syntax, tuple[str, ...]] = {
    Syntax.ASA: (),
    Syntax.PRE_8_4: (
        "Spelled for releases before 8.4. Before 8.3 access lists name the addresses that each interface has on "
        "the wire, so where the firewall translates both spellings of a pair are listed; on 8.3 itself only the "
        "real ones count, and the others do nothing.",
    ),
    Syntax.FTD: (
        "FTD takes no configuration at its command line. From FMC 6.3.0 on TCP state bypass is a setting of "
        "FMC's own (Threat Defense Service Policy); before it, a FlexConfig object (TAC 211628). Which menu of "
        "your release it stands in is not confirmed by the sources read.",
        "A prefilter rule with the action Fastpath takes traffic out of inspection (Cisco's guides name VPN traffic "
        "that passes through the device as a use of it). That it also ends the ordering of TCP segments is not "
        "confirmed by the sources read.",
        "`show`, `clear` and `capture` are typed at the device, after `system support diagnostic-cli`.",
    ),
}


CONFIGURES, ENDS = "configure terminal", "end"
OURS = "access-list CTCP-DIAG-"


def in_dialect(line: str, syntax: Syntax) -> str:
    """One command, as this device spells it."""
    if syntax == Syntax.PRE_8_4:
        for newer, older in OLDER:
            line = line.replace(newer, older)
    return line


def deployed(block: Block) -> Iterator[Block]:
    """A block for an ASA as FTD takes it: what FMC deploys apart from what is typed at the device."""
    configured, typed = _apart(block.lines)
    rules = tuple(line for line in configured if "access-list " in line and OURS not in line)
    objects = tuple(line for line in configured if line not in rules)
    for rule in rules:
        yield Block(where=f"{block.where}; on FTD a rule of FMC's access control policy: {rule.strip()}")
    if objects:
        yield Block(
            where=f"{block.where}; on FTD a FlexConfig object that FMC deploys (TAC 211628)", lines=objects
        )
    if typed or not configured:
        yield Block(where=block.where, lines=typed)


def _apart(lines: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lines between `configure terminal` and `end`, and the others."""
    configured: list[str] = []
    typed: list[str] = []
    is_inside = False
    for line in lines:
        if line in (CONFIGURES, ENDS):
            is_inside = line == CONFIGURES
        else:
            (configured if is_inside else typed).append(line)
    return tuple(configured), tuple(typed)

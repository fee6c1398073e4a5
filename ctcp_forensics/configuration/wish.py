"""Wishes: what the user wants configured, how the device speaks, and what things are called on it.

Knows which names a device takes.  Does not know what is changed: see change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from enum import StrEnum

from ctcp_forensics.errors import CtcpError

DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,47}")
"""Of an interface, access list or policy: a word without anything that a command line gives a meaning to."""


class ConfigurationError(CtcpError):
    """What was asked for cannot be drawn up from this report; the message says what can."""


class Syntax(StrEnum):
    """Whose commands are wanted."""

    PRE_8_4 = "pre-8.4"
    ASA = "8.4"
    FTD = "ftd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What is called how on the device.  In angle brackets, which a device refuses: nobody said it."""

    outside: str = "outside"
    inside: str = "inside"
    acl: str = "<ACL-TOWARDS-HEADEND>"
    acl_back: str = "<ACL-TOWARDS-CLIENT>"
    policy: str = "global_policy"

    def __post_init__(self) -> None:
        for field in fields(self):
            name = getattr(self, field.name)
            if name != field.default and not DEVICE_NAME.fullmatch(name):
                raise ConfigurationError(
                    f"{name!r} is no name on a device: letters, digits, '_', '.', '-' and at most 48"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asked for.  Without a fix and without captures: what may be asked."""

    fixes: tuple[str, ...] = ()
    captures: bool = False
    flows: tuple[str, ...] = ()
    """Ids, or numbers in the order of the report, as `#3` or `3`; none: all."""
    syntax: Syntax = Syntax.ASA
    names: Names = Names()

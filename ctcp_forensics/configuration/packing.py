"""Packing: the flows of a report and what was wished → one pack of changes, or the choices that there are.

Knows which flows are offered what, and how the lines of several flows become one.  Does not know how a line is
printed: see render.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctcp_forensics.advice.step import Step
from ctcp_forensics.configuration.capturing import LACKING, captures_of
from ctcp_forensics.configuration.change import Change, Choice, Pack, blanks_for, change_of, spoken
from ctcp_forensics.configuration.subject import Subject, subjects_of
from ctcp_forensics.configuration.wish import ConfigurationError, Wish
from ctcp_forensics.report import FLAGSHIP, Report

MAX_PAIRS = 64
"""Pairs of hosts in one change: two lines each in an access list are what a person can still read before pasting."""

ALIASES = {"state-bypass": "tcp-state-bypass", "udp": "ipsec-over-udp"}
"""Short names, as people say them."""


def configure(report: Report, wish: Wish) -> Pack:
    """The changes that were asked for; where nothing was, what may be."""
    subjects, left_out = subjects_of(report, wish)
    if wish.captures:
        some = _to_capture(subjects)
        changes, beyond = captures_of(_within(some), wish), _beyond(some)
    else:
        asked = [
            _asked(fix, subjects, left_out)
            for fix in dict.fromkeys(ALIASES.get(name, name) for name in wish.fixes)
        ]
        changes = tuple(change for fix, some in asked for change in _changes(fix, _within(some), wish))
        beyond = tuple(line for _, some in asked for line in _beyond(some))
    choices = () if changes else tuple(_choices(subjects, wish))
    return Pack(
        syntax=wish.syntax,
        changes=changes,
        choices=choices,
        left_out=(*left_out, *dict.fromkeys(beyond)),
        redacted_with=report.redacted_with,
    )


def _asked(fix: str, subjects: list[Subject], left_out: Sequence[str]) -> tuple[str, list[Subject]]:
    some = [one for one in subjects if fix in one.fixes]
    if some:
        return fix, some
    known = ", ".join(_steps(subjects)) or "nothing"
    raise ConfigurationError(
        f"no flow of this report is offered {fix!r}; offered: {known}{_told_left_out(left_out)}"
    )


def _told_left_out(lines: Sequence[str]) -> str:
    """What nothing is offered for, though it may be what somebody asks about: the first, and how many more."""
    if not lines:
        return ""
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return f"; left out: {lines[0]}{more}"


def _changes(fix: str, subjects: Sequence[Subject], wish: Wish) -> Iterator[Change]:
    """One for each variant of the step: what was captured where may change what it says."""
    variants: dict[Step, list[Subject]] = {}
    for one in subjects:
        for step in one.steps:
            if step.fix == fix:
                variants.setdefault(step, []).append(one)
    for step, some in variants.items():
        yield change_of(step, some, wish)


def _choices(subjects: list[Subject], wish: Wish) -> Iterator[Choice]:
    for fix, step in _steps(subjects).items():
        some = [one for one in subjects if fix in one.fixes]
        blanks = blanks_for(some, wish)
        yield Choice(
            fix=fix,
            title=spoken(step.title, blanks, wish),
            cost=spoken(step.cost, blanks, wish),
            flows=tuple(one.number for one in some),
        )


def _steps(subjects: list[Subject]) -> dict[str, Step]:
    """What is offered, by its name, in the order of the advice."""
    found: dict[str, Step] = {}
    for one in subjects:
        for step in one.steps:
            found.setdefault(step.fix, step)
    return found


def _to_capture(subjects: list[Subject]) -> list[Subject]:
    """Flows of which something is open; else those that failed; else all."""
    is_open = [one for one in subjects if any(step in LACKING for step in one.steps)]
    failed = [one for one in subjects if one.situation.verdict == FLAGSHIP]
    return is_open or failed or subjects


def _within(subjects: list[Subject]) -> list[Subject]:
    """Every flow of the first pairs of hosts."""
    kept = set(list(dict.fromkeys(one.hosts for one in subjects))[:MAX_PAIRS])
    return [one for one in subjects if one.hosts in kept]


def _beyond(subjects: list[Subject]) -> tuple[str, ...]:
    left = len({one.hosts for one in subjects}) - MAX_PAIRS
    if left <= 0:
        return ()
    return (
        f"limit: {MAX_PAIRS} pairs of hosts in one change; {left} more are left out: take them with --flow",
    )

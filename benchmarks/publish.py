"""Results as a table, Markdown, JSON and a picture.  Knows nothing of how they were measured."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from html import escape
from statistics import median
from typing import Any

from benchmarks.peers import Answer

NO_ANSWER = Answer()
HEADINGS = ("program", "seconds", "runs", "× cat", "ours is faster", "frames/s", "peak memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process from start to end."""

    seconds: float
    cpu_seconds: float
    peak_kb: int
    floor_kb: int
    status: int
    timed_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One program on one capture.  `skipped` says why there is no run, `failed` why the runs do not count."""

    program: str
    command: tuple[str, ...] = ()
    is_ours: bool = False
    runs: tuple[Run, ...] = ()
    answer: Answer = NO_ANSWER
    skipped: str | None = None
    failed: str | None = None

    @property
    def seconds(self) -> float | None:
        if not self.runs or self.failed is not None:
            return None
        return median(run.seconds for run in self.runs)

    @property
    def peak(self) -> str:
        if not self.runs:
            return ""
        peak_kb, floor_kb = max(run.peak_kb for run in self.runs), max(run.floor_kb for run in self.runs)
        if peak_kb <= floor_kb * 1.05:
            return f"< {floor_kb / 1024 * 1.05:.0f} MB"
        return f"{peak_kb / 1024:.0f} MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Everyone on one capture."""

    capture: str
    says: str
    size_bytes: int
    frames: int | None
    results: tuple[Result, ...]
    disagreements: tuple[str, ...]

    def named(self, program: str) -> Result | None:
        return next((result for result in self.results if result.program == program), None)

    @property
    def title(self) -> str:
        frames = "" if self.frames is None else f", {self.frames:,} frames"
        return f"{self.capture}: {self.says} ({self.size_bytes / 1e6:,.1f} MB{frames})"


def significant(value: float) -> str:
    """Three digits, never an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.0995 else f"{value:.3f}"


def _ratio(upper: float | None, lower: float | None) -> str:
    return "" if upper is None or lower is None else f"{significant(upper / lower)}×"


def _row(account: Account, result: Result) -> tuple[str, ...]:
    if result.skipped is not None:
        return (result.program, f"skipped: {result.skipped}", *[""] * 5)
    if result.seconds is None:
        return (result.program, result.failed or "no run", str(len(result.runs)), "", "", "", result.peak)
    cat, ours = account.named("cat"), next((one for one in account.results if one.is_ours), None)
    rate = "" if account.frames is None else f"{account.frames / result.seconds:,.0f}"
    return (
        result.program,
        significant(result.seconds),
        str(len(result.runs)),
        _ratio(result.seconds, cat.seconds if cat else None),
        "" if result.is_ours else _ratio(result.seconds, ours.seconds if ours else None),
        rate,
        result.peak,
    )


def table(account: Account, style: str) -> str:
    from tabulate import tabulate

    rows = [_row(account, result) for result in account.results]
    align = ("left", "right", "right", "right", "right", "right", "right")
    return tabulate(rows, HEADINGS, tablefmt=style, colalign=align, disable_numparse=True)


def _told(answer: Answer) -> list[str]:
    return [name for name, value in asdict(answer).items() if value is not None]


def agreement(account: Account) -> str:
    if account.disagreements:
        return "\n".join(f"Disagreement: {one}." for one in account.disagreements)
    asked = [
        f"{result.program} ({', '.join(_told(result.answer))})"
        for result in account.results
        if result.answer != NO_ANSWER
    ]
    return f"Same answers from: {'; '.join(asked)}." if asked else "Nobody was asked for answers."


def plain(accounts: list[Account], setting: dict[str, str]) -> str:
    parts = [f"{name}: {value}" for name, value in setting.items()]
    for account in accounts:
        parts += ["", account.title, table(account, "simple"), agreement(account)]
    return "\n".join(parts) + "\n"


def markdown(accounts: list[Account], setting: dict[str, str]) -> str:
    """For docs/PERFORMANCE.md."""
    parts = [
        "Whole processes, warm cache, medians of runs taken in turn; peak memory of the largest process.",
        "",
        *[f"- {name}: {value}" for name, value in setting.items()],
    ]
    for account in accounts:
        parts += ["", f"### {account.title}", "", table(account, "github"), "", agreement(account), ""]
        parts += [
            f"- {one.program}: `{_short(one.command)}`" for one in account.results if one.command and one.runs
        ]
    return "\n".join(parts) + "\n"


def _short(command: tuple[str, ...]) -> str:
    text = shlex.join(command)
    return text if len(text) <= 300 else f"{text[:297]}…"


def as_json(accounts: list[Account], setting: dict[str, str]) -> str:
    told: dict[str, Any] = {"setting": setting, "accounts": [asdict(account) for account in accounts]}
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


# ---------------------------------------------------------------------------------------------- the picture

_BAR_LEFT, _BAR_WIDTH, _ROW_HEIGHT, _TOP = 170, 480, 26, 44
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .note { fill: #57606a; font-size: 11px }
  .peer { fill: #afb8c1 } .ours { fill: #1a7f37 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #8d96a0 } .peer { fill: #484f58 } .ours { fill: #3fb950 }
  }
"""


def _bar(place: int, result: Result, longest: float) -> str:
    seconds = result.seconds or 0.0
    y = _TOP + place * _ROW_HEIGHT
    width = max(2.0, _BAR_WIDTH * seconds / longest)
    look = "ours" if result.is_ours else "peer"
    return (
        f'  <text x="{_BAR_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(result.program)}</text>\n'
        f'  <rect class="{look}" x="{_BAR_LEFT}" y="{y}" width="{width:.1f}" height="18" rx="2"/>\n'
        f'  <text x="{_BAR_LEFT + width + 6:.1f}" y="{y + 14}">{significant(seconds)} s</text>'
    )


def picture(account: Account, setting: dict[str, str]) -> str:
    """Bars on one linear scale: nothing is cut and nothing is squeezed."""
    measured = sorted(
        (result for result in account.results if result.seconds is not None),
        key=lambda result: result.seconds or 0,
    )
    longest = max((result.seconds or 0 for result in measured), default=1.0)
    height = _TOP + len(measured) * _ROW_HEIGHT + 26
    spoken = "; ".join(f"{one.program} {significant(one.seconds or 0)} s" for one in measured)
    bars = "\n".join(_bar(place, result, longest) for place, result in enumerate(measured))
    size = f'width="740" height="{height}" viewBox="0 0 740 {height}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">
  <title>{escape(account.title)}</title>
  <desc>Seconds for the whole process, shorter is better: {escape(spoken)}</desc>
  <style>{_STYLE}</style>
  <text class="title" x="8" y="20">{escape(account.title)}</text>
  <text class="note" x="8" y="36">seconds for the whole process, shorter is better</text>
{bars}
  <text class="note" x="8" y="{height - 8}">{escape(setting.get("machine", ""))}</text>
</svg>
"""

"""Sets of captures that disagree: clocks, lengths, labels, and captures that do not belong together.

    python -m tests.lab.disagree RUN_FOLDER --out DIR [--set client+inside] [NAME ...]

Knows what is done to a set after the recording, and keeps the truth about it: what each clock reads at each
true moment, which recorded frame each new one is, and what the user says of each file.  What a single
capture does wrong is in distort.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .distort import Record, records_of
from .logs import NS, Entry
from .savefile import LINKTYPE_ETHERNET, to_pcap, to_pcapng
from .scenarios import ASA, CLIENT, INSIDE, OUTSIDE

ASA_TAPS = (OUTSIDE, INSIDE)
PLACES_OF = {CLIENT: (CLIENT,), OUTSIDE: (OUTSIDE,), INSIDE: (INSIDE,), ASA: ASA_TAPS}
BUFFER_LEN = 48_000  # an ASA's is 512 KB; so is its traffic larger than that of a story
RECORD_HEADER_LEN = 16
DAY_NS = 86_400 * NS
SETS = {
    "client+outside": (CLIENT, OUTSIDE),
    "outside+inside": (OUTSIDE, INSIDE),
    "client+inside": (CLIENT, INSIDE),
    "all": (CLIENT, OUTSIDE, INSIDE),
    "asa": (ASA,),
}
"""Which captures of a run are given together.  `asa` is one that has both sides of the firewall in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueClock:
    """What a clock shows at each true moment: it drifts from `from_ns` on, and is set at each step."""

    ppm: float = 0.0
    from_ns: int = 0
    steps: tuple[tuple[int, int], ...] = ()
    """True moment, and by how much it was set then; the first may have been long ago."""

    def reads(self, true_ns: int) -> int:
        stepped = sum(by_ns for at_ns, by_ns in self.steps if true_ns >= at_ns)
        return true_ns + stepped + round(self.ppm * 1e-6 * (true_ns - self.from_ns))

    def moment(self, reads_ns: int, near_ns: int) -> int:
        """The true moment of a reading; a clock that was set back shows some times twice."""
        found = [
            true_ns
            for count in range(len(self.steps) + 1)
            if self.reads(true_ns := self._moment(reads_ns, count)) == reads_ns
        ]
        return min(found or [self._moment(reads_ns, len(self.steps))], key=lambda one: abs(one - near_ns))

    def _moment(self, reads_ns: int, steps_done: int) -> int:
        rate = self.ppm * 1e-6
        even_ns = reads_ns - sum(by_ns for _, by_ns in self.steps[:steps_done])
        true_ns = self.from_ns + round((even_ns - self.from_ns) / (1 + rate))
        # Rounding leaves it off by one at most.
        return true_ns + (even_ns - true_ns - round(rate * (true_ns - self.from_ns)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One file of a set, before it is written: its records in true time, each with where it was taken.

    `vantages` are its interfaces, in order.  `told_drops` makes it pcapng with a counter.  `kept_len` cuts the
    file there.  `run` tells captures of another run apart.  `recording` is set where one recording has
    several interfaces: its vantage in the truth.
    """

    vantages: tuple[str, ...]
    records: tuple[tuple[str, Record], ...]
    label: str | None
    clock: TrueClock = field(default_factory=TrueClock)
    told_drops: int | None = None
    torn: bool = False
    run: int = 0
    recording: str | None = None

    @property
    def first_ns(self) -> int:
        return self.records[0][1].time_ns if self.records else 0

    @property
    def middle_ns(self) -> int:
        return (self.first_ns + self.records[-1][1].time_ns) // 2 if self.records else 0

    def with_clock(self, **facts: object) -> "Taken":
        return replace(self, clock=TrueClock(**facts))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One file as the analyzer gets it, and what is true of it.

    `frames` says of each frame where it was taken, when in truth, and which frame of the recording it is.
    """

    path: Path
    label: str | None
    vantages: tuple[str, ...]
    clock: TrueClock
    frames: tuple[tuple[str, int, int], ...]
    run: int
    recording: str | None = None

    def recorded_in(self, vantage: str) -> str:
        """The capture in which the truth counts the frames of a place."""
        return self.recording or vantage


Captures = Mapping[str, Taken]
Change = Callable[[Captures, random.Random, Captures], list[Taken] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """What is wrong with a set, and what may no longer be asked of the analyzer.

    `spoils` names captures whose own proof may be hidden now.  `pairs` is false where the flows need not be
    joined.  `labels_lie`: what the user says of the places is not true, and that has to be noticed.
    """

    name: str
    story: str
    change: Change
    spoils: tuple[str, ...] = ()
    pairs: bool = True
    labels_lie: bool = False
    labels_lack: bool = False
    needs_partner: bool = False


def same(captures: Captures, _: random.Random, __: Captures) -> list[Taken]:
    return list(captures.values())


# --- clocks -----------------------------------------------------------------------------------


def clock_of(*vantages: str, **facts: float) -> Change:
    """`offset_s`: wrong all the time.  `ppm`: drifts.  `step_s`: set in the middle."""

    def change(captures: Captures, _: random.Random, __: Captures) -> list[Taken] | None:
        concerned = [one for one in captures.values() if one.vantages[0] in vantages]
        if not concerned or len(concerned) == len(captures):
            return None
        began_ns, middle_ns = concerned[0].first_ns, concerned[0].middle_ns  # one box has one clock
        steps = (
            (0, round(facts.get("offset_s", 0.0) * NS)),
            (middle_ns, round(facts.get("step_s", 0.0) * NS)),
        )
        clock = TrueClock(
            ppm=facts.get("ppm", 0.0), from_ns=began_ns, steps=tuple(one for one in steps if one[1])
        )
        return [replace(one, clock=clock) if one in concerned else one for one in captures.values()]

    return change


def since_1970(captures: Captures, rng: random.Random, _: Captures) -> list[Taken] | None:
    """A clock that was never set: it began when the machine did."""
    if CLIENT not in captures:
        return None
    by_ns = rng.randrange(20, 400) * NS - captures[CLIENT].first_ns
    return list({**captures, CLIENT: captures[CLIENT].with_clock(steps=((0, by_ns),))}.values())


def without_dates(captures: Captures, _: random.Random, __: Captures) -> list[Taken] | None:
    """The firewall tells the time of the day only, and midnight comes in the middle."""
    concerned = [one for one in captures.values() if one.vantages[0] in ASA_TAPS]
    if not concerned:
        return None
    midnight_ns = concerned[0].middle_ns
    steps = ((0, DAY_NS - midnight_ns), (midnight_ns, -DAY_NS))
    return [one.with_clock(steps=steps) if one in concerned else one for one in captures.values()]


# --- what a capture lacks ---------------------------------------------------------------------


def snapped(snaplen: int) -> Change:
    def change(captures: Captures, _: random.Random, __: Captures) -> list[Taken] | None:
        return _with(captures, CLIENT, lambda one: _cut_to(one, snaplen))

    return change


def _cut_to(taken: Taken, snaplen: int) -> Taken:
    cut = [(where, replace(one, frame=one.frame[:snaplen])) for where, one in taken.records]
    return replace(taken, records=tuple(cut))


def _with(captures: Captures, vantage: str, change: Callable[[Taken], Taken]) -> list[Taken] | None:
    if vantage not in captures:
        return None
    return [change(one) if name == vantage else one for name, one in captures.items()]


def small_buffer(captures: Captures, _: random.Random, __: Captures) -> list[Taken] | None:
    """An ASA's capture ends when its buffer is full."""
    if not set(captures) & set(ASA_TAPS):
        return None
    return [_until_full(one) if name in ASA_TAPS else one for name, one in captures.items()]


def _until_full(taken: Taken) -> Taken:
    kept, used = [], 0
    for where, one in taken.records:
        used += RECORD_HEADER_LEN + len(one.frame)
        if used > BUFFER_LEN:
            break
        kept.append((where, one))
    return replace(taken, records=tuple(kept))


def drops(vantages: tuple[str, ...], *, told: bool) -> Change:
    """One to five frames in a hundred are not in one capture; its counters say so or say nothing."""

    def change(captures: Captures, rng: random.Random, _: Captures) -> list[Taken] | None:
        vantage = next((one for one in vantages if one in captures), None)
        if vantage is None:
            return None
        rate = rng.uniform(0.01, 0.05)
        records = captures[vantage].records
        kept = tuple(one for one in records if rng.random() >= rate)
        lacking = len(records) - len(kept)
        changed = replace(captures[vantage], records=kept, told_drops=lacking if told else None)
        return list({**captures, vantage: changed}.values())

    return change


def empty(captures: Captures, rng: random.Random, _: Captures) -> list[Taken]:
    vantage = rng.choice(list(captures))
    return list({**captures, vantage: replace(captures[vantage], records=())}.values())


def torn(captures: Captures, rng: random.Random, _: Captures) -> list[Taken]:
    """One file ends in the middle of a frame, late in the story."""
    vantage = rng.choice(list(captures))
    whole = captures[vantage]
    kept = whole.records[: len(whole.records) * 4 // 5]
    return list({**captures, vantage: replace(whole, records=kept, torn=True)}.values())


# --- files and labels -------------------------------------------------------------------------


def rotated(captures: Captures, rng: random.Random, _: Captures) -> list[Taken] | None:
    if CLIENT not in captures:
        return None
    whole = captures[CLIENT]
    at = len(whole.records) * rng.randint(30, 70) // 100
    parts = [replace(whole, records=whole.records[:at]), replace(whole, records=whole.records[at:])]
    return [*parts, *(one for name, one in captures.items() if name != CLIENT)]


def merged(captures: Captures, _: random.Random, __: Captures) -> list[Taken]:
    """Two captures in one pcapng with an interface for each; of the firewall where both are there."""
    vantages = ASA_TAPS if set(ASA_TAPS) <= set(captures) else tuple(captures)[:2]
    records = [one for vantage in vantages for one in captures[vantage].records]
    one_file = Taken(
        vantages=vantages,
        records=tuple(sorted(records, key=lambda one: one[1].time_ns)),
        label=ASA if vantages == ASA_TAPS else None,
    )
    return [*(one for name, one in captures.items() if name not in vantages), one_file]


def swapped(first: str, second: str) -> Change:
    """The user mixed up two files."""

    def change(captures: Captures, _: random.Random, __: Captures) -> list[Taken] | None:
        if first not in captures or second not in captures:
            return None
        labels = {first: second, second: first}
        return [replace(one, label=labels.get(name, name)) for name, one in captures.items()]

    return change


def labelled(labels: Mapping[str, str | None]) -> Change:
    def change(captures: Captures, _: random.Random, __: Captures) -> list[Taken] | None:
        return [replace(one, label=labels[name]) for name, one in captures.items()]

    return change


def first_again(captures: Captures, _: random.Random, __: Captures) -> list[Taken]:
    return [*captures.values(), next(iter(captures.values()))]


def first_as_second(captures: Captures, _: random.Random, __: Captures) -> list[Taken]:
    """One file under two labels."""
    first, second = list(captures.values())[:2]
    return [first, replace(first, label=second.label)]


# --- captures that do not belong together -----------------------------------------------------


def unrelated(captures: Captures, _: random.Random, others: Captures) -> list[Taken]:
    """The first capture is of this run, and the rest of another one."""
    first = next(iter(captures))
    return [captures[first], *(replace(others[name], run=1) for name in captures if name != first)]


def without_overlap(captures: Captures, rng: random.Random, _: Captures) -> list[Taken]:
    """The first capture has the first half of the talk, the others the second, and its clock is days away."""
    first, *others = captures.values()
    middle_ns = first.middle_ns
    early = replace(first, records=tuple(one for one in first.records if one[1].time_ns < middle_ns - NS))
    late = [
        replace(one, records=tuple(taken for taken in one.records if taken[1].time_ns >= middle_ns + NS))
        for one in others
    ]
    return [early.with_clock(steps=((0, rng.choice((-3, 2, 5)) * DAY_NS),)), *late]


DISAGREEMENTS = (
    Disagreement(name="none", story="As recorded, and labelled rightly.", change=same),
    Disagreement(
        name="hour-off",
        story="The client's clock is an hour ahead.",
        change=clock_of(CLIENT, offset_s=3600.0),
    ),
    Disagreement(name="since-1970", story="The client's clock was never set.", change=since_1970),
    Disagreement(
        name="day-off",
        story="The firewall's captures carry another day.",
        change=clock_of(*ASA_TAPS, offset_s=-86400.0),
    ),
    Disagreement(
        name="midnight",
        story="The firewall tells no date, and midnight comes.",
        change=without_dates,
        spoils=ASA_TAPS,
    ),
    *(
        Disagreement(
            name=f"drift{ppm:+}ppm",
            story=f"The client's clock drifts by {ppm} ppm.",
            change=clock_of(CLIENT, ppm=float(ppm)),
        )
        for ppm in (50, -50, 500, -500)
    ),
    Disagreement(
        name="set-forward",
        story="The client's clock is set two seconds ahead in the middle.",
        change=clock_of(CLIENT, step_s=2.0),
        spoils=(CLIENT,),
    ),
    Disagreement(
        name="set-back",
        story="The client's clock is set an hour back in the middle.",
        change=clock_of(CLIENT, step_s=-3600.0),
        spoils=(CLIENT,),
    ),
    *(
        Disagreement(
            name=f"client-snaplen-{snaplen}",
            story=f"The client's capture has {snaplen} bytes of each frame.",
            change=snapped(snaplen),
            spoils=(CLIENT,),
        )
        for snaplen in (64, 96, 128)
    ),
    Disagreement(
        name="asa-buffer",
        story="The firewall's captures stop when their buffers are full.",
        change=small_buffer,
        spoils=ASA_TAPS,
    ),
    Disagreement(
        name="client-drops",
        story="The client's capture lacks some frames and does not say so.",
        change=drops((CLIENT,), told=False),
        spoils=(CLIENT,),
    ),
    Disagreement(
        name="client-drops-told",
        story="The client's capture lacks some frames and counts them.",
        change=drops((CLIENT,), told=True),
        spoils=(CLIENT,),
    ),
    Disagreement(
        name="outside-drops",
        story="The capture outside the firewall lacks some frames and does not say so.",
        change=drops((OUTSIDE,), told=False),
        spoils=(OUTSIDE,),
    ),
    Disagreement(
        name="inside-drops",
        story="The capture inside the firewall lacks some frames and does not say so.",
        change=drops((INSIDE,), told=False),
        spoils=(INSIDE,),
    ),
    Disagreement(
        name="inside-drops-told",
        story="The capture inside the firewall lacks some frames and counts them.",
        change=drops((INSIDE,), told=True),
        spoils=(INSIDE,),
    ),
    Disagreement(name="rotated", story="The client's capture is two files.", change=rotated),
    Disagreement(
        name="merged", story="Two captures are one file with two interfaces.", change=merged, labels_lack=True
    ),
    Disagreement(
        name="swapped-client",
        story="The user mixed up client and outside.",
        change=swapped(CLIENT, OUTSIDE),
        labels_lie=True,
    ),
    Disagreement(
        name="swapped-sides",
        story="The user mixed up outside and inside.",
        change=swapped(OUTSIDE, INSIDE),
        labels_lie=True,
    ),
    Disagreement(
        name="unlabelled",
        story="The user says nothing of any file.",
        change=labelled(dict.fromkeys((CLIENT, OUTSIDE, INSIDE))),
        labels_lack=True,
    ),
    Disagreement(
        name="asa-only",
        story="The user knows the firewall's files and not their sides.",
        change=labelled({CLIENT: None, OUTSIDE: ASA, INSIDE: ASA}),
        labels_lack=True,
    ),
    Disagreement(
        name="one-empty",
        story="One capture has no frame.",
        change=empty,
    ),
    Disagreement(
        name="one-torn",
        story="One file ends in the middle of a frame.",
        change=torn,
        spoils=(CLIENT, OUTSIDE, INSIDE),
    ),
    Disagreement(name="same-file-twice", story="The first file is named twice.", change=first_again),
    Disagreement(
        name="same-file-as-both",
        story="One file is named as two places.",
        change=first_as_second,
        labels_lie=True,
    ),
    Disagreement(
        name="unrelated",
        story="The captures are of two runs.",
        change=unrelated,
        needs_partner=True,
    ),
    Disagreement(
        name="no-overlap",
        story="The captures share no message, and their clocks are days apart.",
        change=without_overlap,
        spoils=(CLIENT, OUTSIDE, INSIDE),
        pairs=False,
    ),
)
BY_NAME = {disagreement.name: disagreement for disagreement in DISAGREEMENTS}


# --- savefiles --------------------------------------------------------------------------------


def savefile_of(taken: Taken) -> bytes:
    """The bytes of the file, its frames with the times that its clock showed."""
    shown = [(where, replace(one, time_ns=taken.clock.reads(one.time_ns))) for where, one in taken.records]
    if len(taken.vantages) == 1 and taken.told_drops is None:
        whole = to_pcap([one for _, one in shown], LINKTYPE_ETHERNET)
    else:
        numbered = [replace(one, interface=taken.vantages.index(where)) for where, one in shown]
        names = [f"eth{number}" for number in range(len(taken.vantages))]
        whole = to_pcapng(numbered, names, taken.told_drops)
    return whole[:-7] if taken.torn else whole


def given(taken: Taken, path: Path) -> Given:
    path.write_bytes(savefile_of(taken))
    records = taken.records[:-1] if taken.torn else taken.records
    return Given(
        path=path,
        label=taken.label,
        vantages=taken.vantages,
        clock=taken.clock,
        frames=tuple((where, one.time_ns, one.sources[0]) for where, one in records),
        run=taken.run,
        recording=taken.recording,
    )


def taken_in(run: Path, vantages: Sequence[str]) -> dict[str, Taken]:
    """The captures of a run at these places, as far as it has them, as recorded and rightly labelled."""
    truth: Entry = json.loads((run / "truth.json").read_text(encoding="utf-8"))
    captures = {one["vantage"]: one for one in truth["captures"]}
    return {vantage: _recorded(run, captures[vantage]) for vantage in vantages if vantage in captures}


def _recorded(run: Path, capture: Entry) -> Taken:
    places = tuple(one["vantage"] for one in capture.get("interfaces", [capture]))
    records = records_of((run / capture["file"]).read_bytes())
    return Taken(
        vantages=places,
        records=tuple((places[one.interface], one) for one in records),
        label=capture["vantage"],
        recording=capture["vantage"] if len(places) > 1 else None,
    )


def disagreed(
    run: Path, vantages: Sequence[str], what: Disagreement, out: Path, partner: Path | None = None
) -> list[Given] | None:
    """The files of a set, written anew; None where this cannot happen to this set."""
    captures = taken_in(run, vantages)
    is_alone = len(vantages) == 1 and what.change is not same  # one file cannot disagree
    if is_alone or len(captures) < len(vantages) or (what.needs_partner and partner is None):
        return None
    others = {} if partner is None else taken_in(partner, vantages)
    rng = random.Random(f"{run.parent.name}/{run.name}/{what.name}/{'+'.join(vantages)}")
    changed = what.change(captures, rng, others)
    if changed is None:
        return None
    out.mkdir(parents=True, exist_ok=True)
    return [
        given(one, out / f"{number}-{'-'.join(one.vantages)}.pcap{'' if is_plain(one) else 'ng'}")
        for number, one in enumerate(changed, start=1)
    ]


def is_plain(taken: Taken) -> bool:
    return len(taken.vantages) == 1 and taken.told_drops is None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.disagree", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("run", type=Path, metavar="RUN_FOLDER")
    parser.add_argument("disagreements", nargs="*", choices=[[], *BY_NAME], metavar="NAME")
    parser.add_argument("--set", choices=SETS, default="all", dest="vantages")
    parser.add_argument("--partner", type=Path, metavar="RUN_FOLDER", help="for captures of two runs")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    for name in options.disagreements or BY_NAME:
        files = disagreed(
            options.run, SETS[options.vantages], BY_NAME[name], options.out / name, options.partner
        )
        for one in files or ():
            print(f"{one.path}  {one.label or 'unlabelled'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Two or three captures of one run, judged as one case: what is due of them, what was said, what of that is wrong.

Knows truth.json, what was done to the set (disagree), and the analyzer's report.  Every question that can be
right or wrong becomes a Check.  Does not know how often: see score.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from ctcp_forensics import pipeline, report

from .cases import extent_of, last_question, reasons
from .disagree import BY_NAME, PLACES_OF, SETS, Disagreement, Given, disagreed
from .distort import records_of
from .fairness import was_running_after
from .link import TO_HEADEND
from .logs import NS, Entry
from .scenarios import CLIENT, FLAGSHIP, INSIDE, OUTSIDE, PROXIES, TOGETHER, UNSURE
from .segment import ETHERNET_LEN, Segment, from_bytes

PLACES = (CLIENT, OUTSIDE, INSIDE)
STRETCHES = ("client-asa", "asa", "asa-headend")
# What each word of the report covers: the stretches between client and headend, and both ends.
COVERS: Mapping[str, frozenset[str]] = {
    "client": frozenset({"client"}),
    "client-asa": frozenset({"client-asa"}),
    "asa": frozenset({"asa"}),
    "asa-headend": frozenset({"asa-headend"}),
    "client-asa-or-asa": frozenset({"client-asa", "asa"}),
    "asa-or-asa-headend": frozenset({"asa", "asa-headend"}),
    "client-headend": frozenset(STRETCHES),
    "headend": frozenset({"headend"}),
    "capture": frozenset(),
}
CONFIDENCE = ("undetermined", "consistent", "strong", "proven")
# Stories whose losses are of one kind by their plot.
PATTERNS = {
    "lost-in-box-often": "random",
    "lost-in-box-randomised": "random",
    "lost-in-box-burst": "burst",
    "lost-outside": "random",
    "lost-outside-burst": "burst",
    "lost-inside": "random",
    "lost-inside-burst": "burst",
}
ENOUGH_MESSAGES = 20
ENOUGH_S = 60.0
SKEW_TOLERANCE_PPM = 5.0
NOTICEABLE_STEP_NS = NS
# What a capture that lacks something may make of a flow that has nothing to do with the failure.
WITH_LESS = (UNSURE, "healthy", "orderly-close", "reset-by-endpoint", "loss-tolerated", "peer-vanished")


# --- the analyzer -----------------------------------------------------------------------------


def ask_together(files: Sequence[Given], ports: frozenset[int]) -> report.Report:
    """The one place that knows how several captures and their labels are handed over."""
    sources = [pipeline.Source(path=str(one.path), vantage=one.label) for one in files]
    return pipeline.diagnose(sources, pipeline.Options(ports=ports))


def ask_alone(file: Given, ports: frozenset[int]) -> report.Report:
    return pipeline.diagnose([str(file.path)], pipeline.Options(ports=ports))


def accounted(crossing: report.Crossing) -> int:
    """All that the report says did not come through unharmed, or that it cannot tell."""
    return crossing.lost + crossing.withheld + crossing.undecided + crossing.beyond + crossing.altered


# --- one case ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to the analyzer whose answer is known: what it was about, whether it was right, in words."""

    run: str
    captures: str
    disagreement: str
    kind: str
    is_right: bool
    told: str = ""


Outcome = tuple[str, bool, str]  # kind, is right, in words


@dataclass(frozen=True, kw_only=True)
class Told:
    """A report on a set of files, with what is true of them."""

    vantages: tuple[str, ...]
    what: Disagreement
    files: Sequence[Given]
    truths: Sequence[Entry]
    """Of the run, and of the partner's run where there is one."""
    found: report.Report

    @cached_property
    def given_by_capture(self) -> dict[str, Given]:
        """Captures are told apart by their paths; one that was named twice is there twice."""
        by_path = {str(one.path): one for one in self.files}
        return {capture.id: by_path[capture.source] for capture in self.found.captures}

    @cached_property
    def flows(self) -> list[Entry]:
        """Those of the run, and of the partner's; each knows which."""
        return [flow | {"run": run} for run, truth in enumerate(self.truths) for flow in truth["flows"]]

    def taps(self, flow: Entry) -> tuple[str, ...]:
        """Where captures with frames in them stood, in the run that this flow is of."""
        there = {where for file in self.files if file.run == flow["run"] for where, _, _ in file.frames}
        return tuple(place for place in PLACES if place in there)

    def owners(self, seen: report.Seen) -> set[int]:
        """The flows of the truth that this could be: by its addresses at that place, and its time."""
        file = self.given_by_capture[seen.capture]
        return {
            number
            for number, flow in enumerate(self.flows)
            if flow["run"] == file.run
            and any(is_at(seen, flow["sides"]["at"][one]) for one in self.taken_at(seen))
            and is_of_its_time(seen, flow, file)
        }

    def taken_at(self, seen: report.Seen) -> tuple[str, ...]:
        """Of a file with several interfaces the one that saw the flow."""
        file = self.given_by_capture[seen.capture]
        return tuple(where for where, _, _ in file.frames[seen.first_frame - 1 : seen.first_frame])

    def of(self, number: int) -> list[report.Flow]:
        """The report's flows that show this flow of the truth."""
        return [one for one in self.found.flows if any(number in self.owners(seen) for seen in one.seen)]

    def vantages_of(self, flow: report.Flow) -> set[str]:
        return {vantage for seen in flow.seen for vantage in self.taken_at(seen)}

    def place(self, path: report.Path, number: int) -> tuple[Sequence[Given], str]:
        """The files of one place, and where they were taken in truth."""
        place = path.places[number]
        files = [self.given_by_capture[one] for one in place.captures]
        return files, files[0].vantages[place.interface or 0]


def is_at(seen: report.Seen, ends: Entry) -> bool:
    """Without a handshake the analyzer may take the roles the other way round."""
    clients = {(one["address"], one["port"]) for one in ends["client"]}
    return any((end.address, end.port) in clients for end in (seen.client, seen.headend))


def is_of_its_time(seen: report.Seen, flow: Entry, file: Given) -> bool:
    """Several connections may have one 4-tuple; it is the one in whose frames it begins."""
    where, _, frame = file.frames[seen.first_frame - 1]
    extent = extent_of(flow, file.recorded_in(where))
    return extent is None or (extent != [] and extent[0] <= frame <= extent[-1])


def checks_of(
    run: Path, sets: Sequence[str], disagreements: Sequence[Disagreement], partner: Path | None
) -> list[Check]:
    """Every set of a run, as recorded and with each of these disagreements."""
    checks: list[Check] = []
    for name in sets:
        for what in disagreements:
            with tempfile.TemporaryDirectory() as folder:
                told = told_of(run, name, what, Path(folder), partner)
                if told is not None:
                    checks += [
                        Check(
                            run=f"{run.parent.name}/{run.name}",
                            captures=name,
                            disagreement=what.name,
                            kind=kind,
                            is_right=is_right,
                            told=words,
                        )
                        for kind, is_right, words in outcomes(told)
                    ]
    return checks


def told_of(run: Path, set_name: str, what: Disagreement, folder: Path, partner: Path | None) -> Told | None:
    files = disagreed(run, SETS[set_name], what, folder, partner)
    if files is None:
        return None
    runs = [run, partner] if what.needs_partner and partner is not None else [run]
    truths = [truth_in(one) for one in runs]
    return Told(
        vantages=tuple(place for vantage in SETS[set_name] for place in PLACES_OF[vantage]),
        what=what,
        files=files,
        truths=truths,
        found=ask_together(files, ports_of(truths)),
    )


def truth_in(run: Path) -> Entry:
    truth: Entry = json.loads((run / "truth.json").read_text(encoding="utf-8"))
    return truth | {"folder": str(run)}


def ports_of(truths: Sequence[Entry]) -> frozenset[int]:
    """A snapped payload shows no trailer, so its user names the port."""
    known = {flow["headend"]["port"] for truth in truths for flow in truth["flows"] if flow["headend"]}
    return frozenset({pipeline.CTCP_PORT, *known})


def outcomes(told: Told) -> Iterator[Outcome]:
    yield from pairing(told)
    for number, flow in enumerate(told.flows):
        found = told.of(number)
        if told.taps(flow):
            yield from verdicts(told, flow, found)
            yield from authors(told, flow, found)
    for path in told.found.paths:
        yield from clocks(told, path)
        yield from crossings(told, path)
    yield from labels(told)
    if told.what.name == "none" and len(told.files) > 1:
        yield from monotony(told)


# --- what is due ------------------------------------------------------------------------------


def shows(flow: Entry, vantage: str) -> bool:
    """This capture alone shows the failure."""
    words = flow["expect"][vantage]
    return words[0] == FLAGSHIP and UNSURE not in words


def may_be_shown(flow: Entry, vantages: Sequence[str]) -> bool:
    places = (*vantages, *((TOGETHER,) if set(vantages) == set(PLACES) else ()))
    return any(FLAGSHIP in flow["expect"][one] for one in places)


def is_due(told: Told, flow: Entry) -> bool:
    """A capture of the set that nothing was done to shows the failure."""
    whole = [one for one in told.taps(flow) if one not in told.what.spoils]
    all_of_them = set(whole) == set(PLACES) and shows(flow, TOGETHER)
    return all_of_them or any(shows(flow, one) for one in whole)


def right_words(told: Told, flow: Entry) -> tuple[str, ...]:
    """What may be said of a flow that is not due to be accused."""
    expect = flow["expect"]
    taps = told.taps(flow)
    if set(taps) == set(PLACES) and told.what.pairs and not told.what.spoils:
        return tuple(expect[TOGETHER])
    words = [word for vantage in taps for word in expect[vantage]]
    first = [word for word in expect[TOGETHER] if word in words]
    less = WITH_LESS if told.what.spoils else ()
    return tuple(dict.fromkeys((*first, *words, *less)))


def cells(vantages: Sequence[str]) -> list[frozenset[str]]:
    """How finely a set cuts the way: the stretches between its neighbouring places."""
    cut: list[set[str]] = [set()]
    for place, stretch in zip(PLACES, STRETCHES, strict=True):
        if place in vantages and cut[-1]:
            cut.append(set())
        cut[-1].add(stretch)
    return [frozenset(one) for one in cut if one]


def names_rightly(word: str | None, truth: str, vantages: Sequence[str]) -> bool:
    """The word covers the truth, and is no vaguer than this set of captures is."""
    if word is None or truth not in COVERS[word]:
        return False
    if truth in ("client", "headend"):
        return True
    cell = next(one for one in cells(vantages) if truth in one)
    return COVERS[word] <= cell


def taps_or_any(told: Told, flow: Entry) -> tuple[str, ...]:
    """Where nobody says which place is which, a word need not be as fine as the places would allow."""
    return () if told.what.labels_lack else told.taps(flow)


def both_sides(flow: Entry, vantages: Sequence[str]) -> bool:
    """A capture on either side of the box that asks: who made the ACKs is seen."""
    author = flow["sides"]["ack_author"]
    return author is not None and has_both_sides(author, vantages)


def has_both_sides(author: str, vantages: Sequence[str]) -> bool:
    at = STRETCHES.index(author)
    return any(one in vantages for one in PLACES[: at + 1]) and any(
        one in vantages for one in PLACES[at + 1 :]
    )


# --- verdicts ---------------------------------------------------------------------------------


def verdicts(told: Told, flow: Entry, found: Sequence[report.Flow]) -> Iterator[Outcome]:
    accused = [one for one in found if one.verdict == FLAGSHIP]
    said = ", ".join(f"{one.verdict} ({one.confidence})" for one in found) or "no flow"
    right = right_words(told, flow)
    is_true = may_be_shown(flow, told.taps(flow))
    if accused:
        yield "precision", is_true, f"said {said}; right {', '.join(right)}"
    if is_due(told, flow):
        yield "recall", bool(accused), f"said {said}; {why(told, found)}"
    if accused and is_true:
        yield from certainty(told, flow, accused)
        yield from particulars(told, flow, accused[0])
        yield from located(told, flow, accused[0])
        return
    if not is_due(told, flow):
        words = (*right, *((FLAGSHIP, UNSURE) if is_true else ()))
        is_right = any(one.verdict in words for one in found)
        yield (
            "other verdicts",
            is_right or not found,
            f"said {said}; right {', '.join(words)}; {why(told, found)}",
        )
    for one in found[:1]:
        yield from located(told, flow, one)


def why(told: Told, found: Sequence[report.Flow]) -> str:
    return "; ".join(reasons(told.found, found[0].id)) if found else ""


def certainty(told: Told, flow: Entry, accused: Sequence[report.Flow]) -> Iterator[Outcome]:
    """Proven needs a capture on both sides of the author, and then it is due."""
    sides = both_sides(flow, told.taps(flow))
    is_proven = any(one.confidence == "proven" for one in accused)
    words = f"{accused[0].confidence}; the author is {flow['sides']['ack_author']}"
    if not sides:
        yield "not proven", not is_proven, words
    elif is_due(told, flow) and not told.what.spoils and not told.what.labels_lie:
        yield "proven", is_proven, f"{words}; {why(told, accused)}"


def particulars(told: Told, flow: Entry, accused: report.Flow) -> Iterator[Outcome]:
    """Direction, wanted byte, number of questions and frames, in each capture whose frames are as recorded."""
    episode = flow["episode"]
    as_recorded = {
        capture: file.recorded_in(file.vantages[0])
        for capture, file in told.given_by_capture.items()
        if is_as_recorded(told, file)
    }
    if told.what.spoils or len(as_recorded) < len(told.files):
        return
    wrong = [] if accused.direction == episode["direction"] else [f"direction {accused.direction}"]
    asked_for = [one for one in accused.episodes if episode["wanted_seq"] in one.wanted_seq.values()]
    if not asked_for or asked_for[-1] is not last_question(accused):
        wrong.append(
            f"wanted byte {[one.wanted_seq for one in accused.episodes]}, not {episode['wanted_seq']}"
        )
    else:
        wrong += miscounted(asked_for[-1], episode, as_recorded)
    yield "particulars", not wrong, "; ".join(wrong)


def is_as_recorded(told: Told, file: Given) -> bool:
    """Frame numbers of the truth are those of this file."""
    numbers = [number for _, _, number in file.frames]
    is_one = file.recording is not None or len(file.vantages) == 1
    whole = is_one and len(numbers) == frames_recorded(told, file.recorded_in(file.vantages[0]), file.run)
    return whole and numbers == list(range(1, len(numbers) + 1))


def miscounted(found: report.Episode, episode: Entry, vantages: Mapping[str, str]) -> Iterator[str]:
    seen = episode["seen"]
    counts = [
        (one["duplicate_acks"] - one["duplicate_acks_after_close"], one["duplicate_acks"])
        for vantage, one in seen.items()
        if vantage in vantages.values()
    ]
    if not any(low <= found.duplicate_acks <= high for low, high in counts):
        yield f"{found.duplicate_acks} duplicate ACKs, not {counts}"
    for key, frames in (
        ("first_duplicate_ack_frame", found.first_duplicate_ack_frame),
        ("missing_segment_frame", found.missing_segment_frame),
    ):
        for capture, frame in frames.items():
            right = seen.get(vantages[capture], {}).get(key)
            if frame != right:
                yield f"{key} of {vantages[capture]}: {frame}, not {right}"


def located(told: Told, flow: Entry, found: report.Flow) -> Iterator[Outcome]:
    """Where the loss was, where a capture of the set can show it."""
    truth, said = flow["sides"]["loss_location"], found.loss_location
    if told.what.labels_lie or not told.what.pairs or flow["kind"] != "cisco-ctcp":
        return
    if truth is None:
        is_right = (
            said is None or (said == "capture" and bool(told.what.spoils)) or is_withheld(told, flow, said)
        )
        yield "loss location", is_right, f"said {said}; nothing was lost"
    elif said is not None or (len(told.taps(flow)) > 1 and is_visible(told, flow) and not told.what.spoils):
        all_of_them = (
            {one.split()[0] for one in flow["sides"]["losses"]} if flow["episode"] is None else {truth}
        )
        is_right = any(names_rightly(said, one, taps_or_any(told, flow)) for one in all_of_them)
        is_right |= said == "capture" and bool(told.what.spoils) and flow["episode"] is None
        yield "loss location", is_right, f"said {said}; lost on {truth} {flow['sides']['losses']}"


def is_withheld(told: Told, flow: Entry, said: str) -> bool:
    """Nothing was lost, but a box does not pass on what it has, as a full window makes it."""
    box = flow["sides"]["asks_are_made_at"]
    return (
        box is not None
        and names_rightly(said, box, taps_or_any(told, flow))
        and any(one[box]["lost"] for one in flow["sides"]["crossings"].values())
    )


def is_visible(told: Told, flow: Entry) -> bool:
    """A capture stands behind the loss, and it has a hole there, or another one shows what does not arrive."""
    if flow["episode"] is not None:
        return is_due(told, flow)
    return any(loss_shows(told, flow, *loss.split()) for loss in flow["sides"]["losses"])


def loss_shows(told: Told, flow: Entry, stretch: str, direction: str) -> bool:
    at = STRETCHES.index(stretch) + 1
    behind, before = (PLACES[at:], PLACES[:at]) if direction == TO_HEADEND else (PLACES[:at], PLACES[at:])
    sent_ns = [at_ns for place in before for at_ns in lost_ones_at(told, flow, stretch, direction, place)]
    if any(place in told.taps(flow) for place in before):
        return any(
            missing_at(flow, direction, (stretch,), place)
            or was_running_after(sent_ns, frames_at(told, place))
            for place in behind
            if place in told.taps(flow)
        )
    seen_from = [place for place in behind if place in told.taps(flow)]
    return any(missing_at(flow, direction, (stretch,), place) for place in seen_from)


def frames_at(told: Told, place: str) -> list[int]:
    """True times of what the run's captures there hold, of any flow."""
    return [at_ns for file in told.files if not file.run for where, at_ns, _ in file.frames if where == place]


def lost_ones_at(told: Told, flow: Entry, stretch: str, direction: str, place: str) -> list[int]:
    """When the segments that a stretch lost passed a place before it."""
    lost = set(flow["sides"]["crossings"][direction][stretch]["lost_offsets"])
    base = base_of(flow, direction, place)
    found = []
    for file in told.files:
        numbers = [
            at for at, (where, _, _) in enumerate(file.frames, start=1) if where == place and not file.run
        ]
        carried = segments_of(told, file, numbers) if numbers and base is not None else {}
        found += [
            file.frames[number - 1][1]
            for number, one in carried.items()
            if one is not None and one.payload and (one.seq - (base or 0)) % (1 << 32) in lost
        ]
    return found


def base_of(flow: Entry, direction: str, place: str) -> int | None:
    """The initial sequence number of a direction as a place shows it."""
    base: int | None = flow["isn"]["inner" if place == INSIDE else "outer"][
        "client" if direction == TO_HEADEND else "headend"
    ]
    return base


def missing_at(flow: Entry, direction: str, stretches: Sequence[str], place: str) -> int:
    """How many that these stretches lost leave a hole at a place: something came there that was sent later."""
    crossed = flow["sides"]["crossings"][direction]
    at = PLACES.index(place)
    last = crossed[STRETCHES[at - 1] if direction == TO_HEADEND and at else STRETCHES[at]]["last_offset"]
    lost = {offset for one in stretches for offset in crossed[one]["lost_offsets"]}
    return sum(last is not None and offset < last for offset in lost)


def authors(told: Told, flow: Entry, found: Sequence[report.Flow]) -> Iterator[Outcome]:
    sides = flow["sides"]
    if told.what.labels_lie or not told.what.pairs or flow["kind"] != "cisco-ctcp":
        return
    for one in found[:1]:
        if one.ack_author is not None or (one.verdict == FLAGSHIP and both_sides(flow, told.taps(flow))):
            truth = sides["ack_author"] or sides["asks_are_made_at"]
            is_right = truth is not None and names_rightly(one.ack_author, truth, taps_or_any(told, flow))
            yield "ACK author", is_right, f"said {one.ack_author}; made by {truth}"
        if one.rst_author is not None:
            made_by = {reset["author"] for reset in sides["resets"]}
            is_right = any(names_rightly(one.rst_author, truth, taps_or_any(told, flow)) for truth in made_by)
            yield "RST author", is_right, f"said {one.rst_author}; made by {sorted(made_by)}"
        elif one.verdict in ("reset-by-middlebox", "reset-by-endpoint") and not told.what.spoils:
            author = sides["rst_author"]
            is_seen = author in told.taps(flow) or (
                author in STRETCHES and has_both_sides(author, told.taps(flow))
            )
            yield "RST author", not is_seen, f"said nothing; made by {author}"


# --- pairing ----------------------------------------------------------------------------------


def pairing(told: Told) -> Iterator[Outcome]:
    for one in told.found.flows:
        owners = [told.owners(seen) for seen in one.seen]
        together = set.intersection(*owners) if owners else set()
        words = f"{one.id}: {[(seen.capture, seen.client.address, seen.client.port) for seen in one.seen]}"
        yield "joined rightly", bool(together), words
    if not told.what.pairs or told.what.labels_lie:
        return
    for number, flow in enumerate(told.flows):
        if flow["kind"] == "cisco-ctcp":
            yield from joined(told, number, flow)


def joined(told: Told, number: int, flow: Entry) -> Iterator[Outcome]:
    """Every two neighbouring captures that hold enough of the same messages show one flow."""
    found = [told.vantages_of(one) for one in told.of(number)]
    for first, second in pairwise(told.taps(flow)):
        if held_in_common(told, flow, first, second) >= ENOUGH_MESSAGES:
            is_joined = any({first, second} <= vantages for vantages in found)
            yield "pairing", is_joined, f"{first} and {second}: {[sorted(one) for one in found]}"


def held_in_common(told: Told, flow: Entry, first: str, second: str) -> int:
    """In a capture that lacks a part of its frames, a like part of its messages."""
    whole: int = flow["sides"]["in_common"][f"{first} {second}"]
    parts = [
        sum(where == vantage for file in told.files for where, _, _ in file.frames)
        / max(1, frames_recorded(told, vantage, flow["run"]))
        for vantage in (first, second)
    ]
    return whole if min(parts) >= 1 else int(whole * min(parts) / 2)


def frames_recorded(told: Told, vantage: str, run: int) -> int:
    return sum(one["frames"] for one in told.truths[run]["captures"] if one["vantage"] == vantage)


# --- clocks -----------------------------------------------------------------------------------


def clocks(told: Told, path: report.Path) -> Iterator[Outcome]:
    for clock in path.clocks:
        files, where = told.place(path, clock.place)
        others, other = told.place(path, clock.reference)
        if clock.is_shared:
            is_right = files[0].clock == others[0].clock
            yield "shared clock", is_right, f"{where} and {other}: {clock.because}"
        for piece in clock.pieces:
            yield from timed(told, piece, files, where, others[0])
        yield from resets(clock, files, where, others)


def timed(
    told: Told, piece: report.ClockPiece, files: Sequence[Given], where: str, other: Given
) -> Iterator[Outcome]:
    first_ns, last_ns = true_span(piece, files, where)
    moment_ns = other.clock.moment(piece.at_ns, (first_ns + last_ns) // 2)
    offset_ns = files[0].clock.reads(moment_ns) - piece.at_ns
    low, high = piece.offset_low_ns, piece.offset_high_ns
    contains = (low is None or low <= offset_ns) and (high is None or offset_ns <= high)
    words = f"{where}: {low} to {high}, not {offset_ns} at {piece.at_ns}"
    yield "clock offset", contains, words
    is_long = (last_ns - first_ns) / NS >= ENOUGH_S and piece.matches >= ENOUGH_MESSAGES
    if not is_long:
        return
    truth = files[0].clock.ppm - other.clock.ppm
    words = f"{where}: {piece.skew_ppm} ppm of {piece.skew_low_ppm} to {piece.skew_high_ppm}, not {truth}"
    yield "skew told", piece.skew_ppm is not None, words
    if piece.skew_ppm is not None:
        yield "clock skew", abs(piece.skew_ppm - truth) <= SKEW_TOLERANCE_PPM, words
    if piece.skew_low_ppm is not None and piece.skew_high_ppm is not None:
        yield "skew range", piece.skew_low_ppm <= truth <= piece.skew_high_ppm, words


def true_span(piece: report.ClockPiece, files: Sequence[Given], where: str) -> tuple[int, int]:
    """The true times of the first and last frame of a piece; of a rotated capture all of them."""
    times = [true_ns for file in files for _, true_ns, _ in file.frames]
    if len(files) == 1 and 1 <= piece.from_frame <= piece.to_frame <= len(times):
        times = times[piece.from_frame - 1 : piece.to_frame]
    return min(times, default=0), max(times, default=0)


def resets(
    clock: report.Clock, files: Sequence[Given], where: str, others: Sequence[Given]
) -> Iterator[Outcome]:
    """Where one of two clocks was set, one stretch of even running ends."""
    times = sorted(true_ns for file in files for _, true_ns, _ in file.frames)
    steps = set(files[0].clock.steps) ^ set(others[0].clock.steps)
    for at_ns, by_ns in steps:
        before = sum(one < at_ns for one in times)
        if min(before, len(times) - before) < ENOUGH_MESSAGES or abs(by_ns) < NOTICEABLE_STEP_NS:
            continue
        over = [one for one in clock.pieces if strictly_over(one, files, where, at_ns)]
        yield "clock reset", bool(clock.pieces) and not over, f"{where}: set by {by_ns} ns: {clock.pieces}"


def strictly_over(piece: report.ClockPiece, files: Sequence[Given], where: str, at_ns: int) -> bool:
    """A piece goes on well beyond the reset: a frame or two on either side may belong to either."""
    first_ns, last_ns = true_span(piece, files, where)
    return len(files) == 1 and first_ns < at_ns - NS and last_ns > at_ns + NS


# --- crossings --------------------------------------------------------------------------------


def crossings(told: Told, path: report.Path) -> Iterator[Outcome]:
    if told.what.labels_lie:
        return
    flows = {one.id: one for one in told.found.flows}
    for crossing in path.crossings:
        near = placed(told, path, crossing.sent_from)
        _, far = told.place(path, crossing.towards)
        owners = [number for number in range(len(told.flows)) if flows[crossing.flow] in told.of(number)]
        if len(owners) == 1 and told.flows[owners[0]]["kind"] == "cisco-ctcp":
            flow = told.flows[owners[0]]
            yield from counted(told, crossing, flow, near, far)


Near = tuple[Sequence[Given], str] | None
"""The files of the place nearer to the sender, and where it is; None is the sender itself."""


def placed(told: Told, path: report.Path, number: int | None) -> Near:
    return None if number is None else told.place(path, number)


def between(direction: str, near: Near, far: str) -> tuple[str, ...]:
    at = PLACES.index(far)
    if near is None:
        return STRETCHES[:at] if direction == TO_HEADEND else STRETCHES[at:]
    first, last = sorted((PLACES.index(near[1]), at))
    return STRETCHES[first:last]


def counted(told: Told, crossing: report.Crossing, flow: Entry, near: Near, far: str) -> Iterator[Outcome]:
    """Never more is lost than was, and nothing that a capture alone lacks."""
    stretches = between(crossing.direction, near, far)
    crossed = [flow["sides"]["crossings"][crossing.direction][one] for one in stretches]
    at_most = sum(one["gone_copies"] for one in crossed)
    for_ever = sum(one["lost"] for one in crossed)
    if near is None:  # nobody saw it leave: it is missed where something came behind it
        for_ever = missing_at(flow, crossing.direction, stretches, far) - sum(
            one["altered"] for one in crossed
        )
    words = (
        f"{crossing.direction} {near[1] if near else 'the sender'} to {far}: lost {crossing.lost}, "
        f"undecided {crossing.undecided}, beyond {crossing.beyond}; in truth {for_ever} to {at_most}"
    )
    yield "loss counted", crossing.lost <= at_most, words
    if not told.what.spoils and told.what.pairs:
        under_way = 0 if flow["sides"]["resets"] else 1  # when the captures of a living flow end
        yield "loss found", accounted(crossing) >= for_ever - under_way, words
    if near is not None:
        yield from frames_lost(told, crossing, flow, near, stretches)
    if crossing.depends_on_size is not None and len(stretches) == 1 and not told.what.spoils:
        smallest, largest = crossed[0]["smallest_lost_len"], crossed[0]["largest_arrived_len"]
        depends = None not in (smallest, largest) and smallest > largest
        yield "loss by size", crossing.depends_on_size == depends, f"{words}; {smallest}, {largest}"
    scenario = told.truths[flow["run"]]["scenario"]
    if scenario in PATTERNS and crossing.pattern not in (None, "too-few") and not told.what.spoils:
        is_right = crossing.pattern == PATTERNS[scenario]
        yield "loss pattern", is_right, f"{crossing.pattern}, {crossed[-1]['lost_offsets']}"


def frames_lost(
    told: Told,
    crossing: report.Crossing,
    flow: Entry,
    near: tuple[Sequence[Given], str],
    stretches: Sequence[str],
) -> Iterator[Outcome]:
    """Each frame that is called lost carries a segment that a link or the firewall did not pass."""
    files, where = near
    cuts_anew = flow["middlebox"] in PROXIES and len(stretches) > 1 and crossing.direction != TO_HEADEND
    base = base_of(flow, crossing.direction, where)
    if len(files) != 1 or cuts_anew or base is None or not crossing.lost_frames:
        return
    lost = {
        offset
        for one in stretches
        for offset in flow["sides"]["crossings"][crossing.direction][one]["gone_offsets"]
    }
    carried = segments_of(told, files[0], crossing.lost_frames)
    innocent = [
        number for number, one in carried.items() if one is None or (one.seq - base) % (1 << 32) not in lost
    ]
    yield "lost frames", not innocent, f"{crossing.direction} from {where}: not lost: frames {innocent}"


def segments_of(told: Told, file: Given, frames: Sequence[int]) -> dict[int, Segment | None]:
    """The recorded segments behind these frames of a file: a snapped frame has its whole one there."""
    vantage = file.recorded_in(file.frames[0][0])
    recording = next(one for one in told.truths[file.run]["captures"] if one["vantage"] == vantage)
    packets = records_of((Path(told.truths[file.run]["folder"]) / recording["file"]).read_bytes())
    return {
        number: from_bytes(packets[file.frames[number - 1][2] - 1].frame[ETHERNET_LEN:])
        if 0 < number <= len(file.frames)
        else None
        for number in frames
    }


# --- labels -----------------------------------------------------------------------------------


def labels(told: Told) -> Iterator[Outcome]:
    """Places in the order of the way, and a word where the user's labels cannot be true."""
    if told.what.labels_lie:
        said = [note for path in told.found.paths for note in path.notes]
        said += [note for capture in told.found.captures for note in capture.notes]
        yield "labels doubted", bool(said), "no note"
        return
    if not told.what.pairs:
        return
    for path in told.found.paths:
        order = [told.place(path, number)[1] for number in range(len(path.places))]
        sure = all(one.is_sure for one in path.places)
        in_order = order == sorted(order, key=PLACES.index)
        yield "order of places", in_order or not sure, f"{order}, {'sure' if sure else 'a guess'}"
        for place, where in zip(path.places, order, strict=True):
            fits = place.vantage in (where, "unknown", *(("asa",) if where != CLIENT else ()))
            yield "roles", fits or not place.is_sure, f"{place.vantage}, not {where}: {place.because}"


# --- monotony ---------------------------------------------------------------------------------


def monotony(told: Told) -> Iterator[Outcome]:
    """With one more capture no claim that held fails without a frame, and the accusation is only surer."""
    smaller = [tuple(one for one in told.vantages if one != without) for without in told.vantages]
    ports = ports_of(told.truths)
    for vantages in smaller:
        files = [one for one in told.files if one.vantages[0] in vantages]
        before = ask_alone(files[0], ports) if len(files) == 1 else ask_together(files, ports)
        fewer = Told(vantages=vantages, what=told.what, files=files, truths=told.truths, found=before)
        for number, flow in enumerate(told.flows):
            yield from rises(told, fewer, number, flow)


def rises(told: Told, fewer: Told, number: int, flow: Entry) -> Iterator[Outcome]:
    now, before = told.of(number), fewer.of(number)
    if len(now) != 1 or len(before) != 1:  # several connections of one pair of ends: nothing to compare by
        return
    added = "+".join(one for one in told.vantages if one not in fewer.vantages)
    if before[0].verdict == FLAGSHIP and may_be_shown(flow, fewer.taps(flow)):
        sure, surer = CONFIDENCE.index(before[0].confidence), CONFIDENCE.index(now[0].confidence)
        is_right = now[0].verdict == FLAGSHIP and surer >= sure
        words = f"{before[0].confidence}, and with {added} {now[0].verdict} {now[0].confidence}"
        yield "confidence rises", is_right, words
    held = {key for key, one in claims(fewer.found, before[0].id).items() if one.outcome == "holds"}
    after = claims(told.found, now[0].id)
    fallen = [key for key in held if key in after and after[key].outcome == "fails" and not after[key].frames]
    yield "claims stand", not fallen, f"with {added}: {[(key[0], after[key].because) for key in fallen]}"


def claims(found: report.Report, flow: str) -> dict[tuple[str, str], report.Evidence]:
    """A claim may be made in several links of a proof; each stands for itself."""
    return {
        (one.claim, one.link): one
        for finding in found.findings
        if finding.flow == flow
        for one in finding.evidence
    }


def disagreements_named(text: str) -> list[Disagreement]:
    names = list(BY_NAME) if text == "all" else [name for name in text.split(",") if name]
    return [BY_NAME[name] for name in dict.fromkeys(("none", *names))]


def sets_named(text: str) -> list[str]:
    names = list(SETS) if text == "every" else [name for name in text.split(",") if name]
    if unknown := set(names) - set(SETS):
        raise ValueError(f"no such set of captures: {', '.join(sorted(unknown))}")
    return names

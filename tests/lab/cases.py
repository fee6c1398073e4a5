"""Cases: each flow of a recorded run in one capture, what is true of it, and what the analyzer says.

Knows truth.json and the analyzer's report, and asks the analyzer in this process.  Does not know how often
it is right: see score.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctcp_forensics import pipeline, report

from .distort import Distortion, distort
from .logs import Entry
from .scenarios import FLAGSHIP, UNSURE

NO_FLOW = "no flow"
RECORDED = "as recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One flow in one capture: what is right to say of it, what was said, and what of that is wrong.

    `expect` has the best verdict first.  `said` has one verdict for each flow that the analyzer sees in it: each
    SYN that is tried with a new ISN is one.
    """

    capture: str
    scenario: str
    seed: int
    distortion: str
    vantage: str
    client_port: int
    expect: tuple[str, ...]
    said: tuple[str, ...]
    confidence: str
    why: tuple[str, ...]
    wrong: tuple[tuple[str, str], ...] = ()
    """Particulars of a true accusation that are not true: what kind, and the two values."""
    connection: int = 0
    """Which of those that one client opened one after another."""

    @property
    def is_due(self) -> bool:
        """The capture shows the failure: not to see it is an error."""
        return self.expect[0] == FLAGSHIP and UNSURE not in self.expect

    @property
    def is_half_hidden(self) -> bool:
        """The failure is there, and the capture may not hold all that proves it."""
        return FLAGSHIP in self.expect and not self.is_due

    @property
    def is_accused(self) -> bool:
        return FLAGSHIP in self.said

    @property
    def is_wrongly_accused(self) -> bool:
        return self.is_accused and FLAGSHIP not in self.expect

    @property
    def is_missed(self) -> bool:
        return self.is_due and not self.is_accused

    @property
    def is_best(self) -> bool:
        return self.expect[0] in self.said and not self.is_wrongly_accused

    @property
    def is_acceptable(self) -> bool:
        """One of its connections is called by a word that is right, and none is accused wrongly."""
        return any(one in self.expect for one in self.said) and not self.is_wrongly_accused


def cases_of(run: Path, distortions: Sequence[Distortion]) -> list[Case]:
    """Every capture of a run as it was recorded, and spoilt in each of these ways."""
    truth: Entry = json.loads((run / "truth.json").read_text(encoding="utf-8"))
    found = list(cases_in(run, truth))
    for distortion in distortions:
        with tempfile.TemporaryDirectory() as folder:
            found += cases_in(Path(folder), distort(run, distortion, Path(folder)), run)
    return found


def cases_in(folder: Path, truth: Entry, known_as: Path | None = None) -> Iterator[Case]:
    for capture in truth["captures"]:
        if not capture["frames"]:  # nothing was left of it, so nothing can be said
            continue
        said = asked(folder / capture["file"], truth)
        name = str((known_as or folder) / capture["file"])
        for flow in truth["flows"]:
            if extent_of(flow, capture["vantage"]) == []:  # nothing of it comes by here
                continue
            yield case_of(name, truth, capture["vantage"], flow, said)


def asked(capture: Path, truth: Entry) -> report.Report:
    """The analyzer's report.  Where the payload was spoilt or is no cTCP, its user names the port."""
    ports = {pipeline.CTCP_PORT}
    for flow in truth["flows"]:
        if flow["headend"] is not None and ("distortion" in truth or flow["kind"] != "cisco-ctcp"):
            ports.add(flow["headend"]["port"])
    return pipeline.diagnose([str(capture)], pipeline.Options(ports=frozenset(ports)))


def case_of(name: str, truth: Entry, vantage: str, flow: Entry, told: report.Report) -> Case:
    found = [one for one in told.flows if is_same(one, flow, vantage)]
    expect = tuple(flow["expect"][vantage])
    accused = [one for one in found if one.verdict == FLAGSHIP]
    shown = (accused or found)[:1]
    return Case(
        capture=name,
        scenario=truth["scenario"],
        seed=truth["seed"],
        distortion=truth.get("distortion", RECORDED),
        vantage=vantage,
        client_port=flow["client"]["port"],
        expect=expect,
        said=tuple(one.verdict for one in found) or (NO_FLOW,),
        confidence=shown[0].confidence if shown else "",
        why=tuple(reasons(told, shown[0].id)) if shown else (),
        wrong=tuple(mistakes(flow, vantage, accused[0])) if accused and FLAGSHIP in expect else (),
        connection=flow.get("connection", 0),
    )


def extent_of(flow: Entry, vantage: str) -> list[int] | None:
    """First and last frame of the flow in this capture, none at all, or None where the truth is silent about it."""
    extent: list[int] | None = flow.get("frames", {}).get(vantage)
    return extent


def is_same(found: report.Flow, flow: Entry, vantage: str) -> bool:
    """The places are those of the flow, and it is the connection of its time: several may have one 4-tuple."""
    places = {(one["address"], one["port"]) for one in (flow["client"], *flow["client_seen_by_asa"])}
    # Without a handshake the analyzer may take the roles the other way round.
    if not any((end.address, end.port) in places for end in (found.client, found.headend)):
        return False
    extent = extent_of(flow, vantage)
    return extent is None or extent[0] <= found.seen[0].first_frame <= extent[-1]


def reasons(told: report.Report, flow_id: str) -> Iterator[str]:
    """Each claim that was weighed, its outcome and its because."""
    for finding in told.findings:
        if finding.flow == flow_id:
            yield finding.summary
            for one in finding.evidence:
                yield f"{one.claim} {one.outcome}: {one.because}"


def mistakes(flow: Entry, vantage: str, found: report.Flow) -> Iterator[tuple[str, str]]:
    """What a true accusation gets wrong in its particulars."""
    episode = flow["episode"]
    if found.direction != episode["direction"]:
        yield "direction", f"{found.direction}, not {episode['direction']}"
    asked_for = [one for one in found.episodes if episode["wanted_seq"] in one.wanted_seq.values()]
    if not asked_for or asked_for[-1] is not last_question(found):
        said = [sorted(one.wanted_seq.values()) for one in found.episodes]
        yield "wanted byte", f"{said}, not {episode['wanted_seq']}"
    elif vantage in episode["seen"]:
        yield from miscounts(asked_for[-1], episode, episode["seen"][vantage])


def last_question(found: report.Flow) -> report.Episode | None:
    """The question that the accusation is about: the last of its direction."""
    asked_for = [one for one in found.episodes if one.direction == found.direction]
    return asked_for[-1] if asked_for else None


def miscounts(found: report.Episode, episode: Entry, seen: Entry) -> Iterator[tuple[str, str]]:
    if found.wanted_offset is not None and found.wanted_offset != episode["wanted_offset"]:
        yield "wanted offset", f"{found.wanted_offset}, not {episode['wanted_offset']}"
    before_close = seen["duplicate_acks"] - seen["duplicate_acks_after_close"]
    if not before_close <= found.duplicate_acks <= seen["duplicate_acks"]:
        yield "duplicate ACKs", f"{found.duplicate_acks}, not {before_close} to {seen['duplicate_acks']}"
    for key, frames in (
        ("first_duplicate_ack_frame", found.first_duplicate_ack_frame),
        ("missing_segment_frame", found.missing_segment_frame),
    ):
        # Without an entry the frame is not known; with None it is in no frame of the capture.
        if frames and next(iter(frames.values())) != seen[key]:
            yield key.replace("_", " "), f"{frames}, not {seen[key]}"

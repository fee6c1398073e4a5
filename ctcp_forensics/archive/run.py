"""Run: what was found is examined, task by task, and every answer acknowledged when it is durable.

Knows the order of the work: newer rules first, then what is found, then what looks like something that was found.
Does not know what a capture is nor where tasks run.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from ctcp_forensics.archive import segment
from ctcp_forensics.archive.database import StoreError
from ctcp_forensics.archive.engine import Ended, Engine, Job
from ctcp_forensics.archive.entry import Entry, Refusal, Trail
from ctcp_forensics.archive.examine import Terms, failed
from ctcp_forensics.archive.identity import UNREADABLE
from ctcp_forensics.archive.manifest import Kept, Manifest, Placed, Todo
from ctcp_forensics.archive.notary import Notary
from ctcp_forensics.archive.planner import CONTAINER_MEMBERS, Deal, Planner, container
from ctcp_forensics.archive.search import Search
from ctcp_forensics.archive.tally import Aside, Tally, Watch
from ctcp_forensics.archive.task import Answer, Kind, Task, answer_of, answered, item_of, payload_of
from ctcp_forensics.capture.access import Access

FOUND_FIRST: Final = 16
FOUND_AT_ONCE: Final = 64
"""The first few are noted by themselves, so that the workers have something to do; then more, but never so many that a
worker who is done waits for more than a millisecond or two."""
PAUSE_S: Final = 0.2
"""So long is waited for a worker before the watcher hears again."""
ALIKE_AT_ONCE: Final = 4096
ALIKE_SHARE: Final = 4
"""Entries of one length are told apart when so many wait for it, or a quarter of all, so that no result waits for the
end of the search.  Each time all that was noted may be looked through: hence a share, and not a number alone."""
TOGETHER_S: Final = 0.1
"""Answers that come within so long are made durable together: it takes milliseconds, however many they are."""
KEYS_AT_ONCE: Final = 512
JUDGED_AT_ONCE: Final = 64


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes one task."""

    kind: Kind
    todos: Sequence[Todo]
    kept: Sequence[Kept] = ()
    """The results that are judged again, one for each."""

    def part(self, places: Sequence[int]) -> Batch:
        return Batch(
            kind=self.kind,
            todos=[self.todos[at] for at in places],
            kept=[self.kept[at] for at in places] if self.kept else (),
        )


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How a run goes about it."""

    terms: Terms
    time_limit_s: float | None
    access: Access = Access.PUBLIC_ONLY
    most_tries: int
    anew: bool = False
    """What is done is done again."""


Hear = Callable[[Sequence[bytes]], None]
"""Told the frames of results as soon as they are acknowledged."""


def nobody(_frames: Sequence[bytes]) -> None:
    """Who hears nothing."""


class Sweep:
    """One run over one store."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        engine: Engine,
        rules: Rules,
        watch: Watch,
        hear: Hear = nobody,
    ) -> None:
        self.tally = Tally()
        self.is_stopping = False
        self.is_finished = False
        """All that was found is done: who asked it to stop did so too late for anything to be left."""
        self._segments = folder / segment.FOLDER
        self._manifest = manifest
        self._engine = engine
        self._rules = rules
        self._watch = watch
        self._hear = hear
        self._planner = Planner(engine.workers)
        self._keyed = Deal()
        """By members; from one comparison to the next, as each goes on behind the members of the one before."""
        self._again: deque[Batch] = deque()
        self._flying: dict[int, Batch] = {}
        self._number = 0
        self._found_at_once = FOUND_FIRST
        self._taken_s = time.monotonic()
        self._noted = 0
        self._aside = Aside()
        self._notary = Notary(self._segments, manifest)

    def stop(self) -> None:
        """Begin nothing more; what runs is finished."""
        self.is_stopping = self.tally.is_stopping = True

    def run(self, trails: Iterable[Trail]) -> None:
        """Raises StoreError where the store cannot be written: all that was acknowledged is there."""
        try:
            with closing(self._notary):
                self._run(trails)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"{self._segments.parent}: cannot be written: {error}; what was acknowledged is safe, "
                "and the same command goes on from there"
            ) from error

    def _run(self, trails: Iterable[Trail]) -> None:
        self._manifest.stamp_unjudged()
        self._pump(self._old_judgements())
        with closing(Search(trails)) as search:
            while not (self.tally.is_all_found or self.is_stopping):
                self._examine(search)
                self._settle_lookalikes()
        is_all_done = self.tally.is_all_found and not self._manifest.has_unfinished()
        self.is_finished = is_all_done or not self.is_stopping
        if self.is_finished:
            self._manifest.finish()

    # --- what is to be done ------------------------------------------------------------------

    def _old_judgements(self) -> Iterator[Batch]:
        old = self._manifest.to_judge_again()
        while some := list(islice(old, JUDGED_AT_ONCE)):
            yield Batch(kind="judge", todos=[Todo(entry=one.entry) for one in some], kept=some)

    def _examine(self, search: Search) -> None:
        """More is looked for while the workers are busy."""
        self._pump(self._examinations(search), lambda: self._look_for_more(search))

    def _examinations(self, search: Search) -> Iterator[Batch | None]:
        """Tasks as soon as enough is known for one; None while nothing is."""
        while not (self._planner.is_empty and self._has_looked_enough):
            if not self._planner.is_ready:
                self._look_for_more(search)
            is_ready = self._planner.is_ready or (self._has_looked_enough and not self._planner.is_empty)
            yield self._planned() if is_ready else None

    def _planned(self) -> Batch:
        return Batch(kind="examine", todos=self._planner.take())

    def _look_for_more(self, search: Search) -> bool:
        """Whether there is more to look for at once."""
        if self.tally.is_all_found or self._planner.is_full or self._waits_for_comparison or self.is_stopping:
            return False
        some = search.some(self._found_at_once)
        self.tally.is_all_found = search.is_over
        self._found_at_once = min(2 * self._found_at_once, FOUND_AT_ONCE)
        if some:
            self._note([one for one in some if isinstance(one, Entry)])
            self._manifest.take_refused([one for one in some if isinstance(one, Refusal)])
        return not self.tally.is_all_found

    @property
    def _has_looked_enough(self) -> bool:
        """Nothing more is found before what is known has been worked on."""
        return self.tally.is_all_found or self._waits_for_comparison

    @property
    def _waits_for_comparison(self) -> bool:
        """So many were set aside that they are told apart before more is looked for."""
        return self._aside.files >= max(ALIKE_AT_ONCE, self._noted // ALIKE_SHARE)

    def _note(self, entries: Sequence[Entry]) -> None:
        self._noted += len(entries)
        at_once, aside = self._manifest.take_found(entries, anew=self._rules.anew)
        for todo in at_once:
            self._planner.add(todo)
        for todo in aside:
            self._aside.add(todo.entry.size)
        self.tally.found += len(at_once) + len(aside)
        self.tally.found_bytes += sum(todo.entry.size or 0 for todo in (*at_once, *aside))

    def _settle_lookalikes(self) -> None:
        """Entries of the size of another: by their edges, then by all their bytes, told apart or found the same."""
        if self.is_stopping or not self._manifest.alike.set_aside():
            return
        self._pump(keys("quick-key", self._manifest.alike.without_quick_key(), Deal()))
        if not self.is_stopping:
            self._manifest.alike.release_unlike()
            self._pump(keys("whole-key", self._manifest.alike.without_whole_key(), self._keyed))
        while not self.is_stopping:
            self._manifest.alike.settle_alike()
            if next(self._manifest.waiting(), None) is None:
                self._count_copies()
                return
            self._pump(self._rest())

    def _count_copies(self) -> None:
        """Who was set aside and is not to be examined is done with who has the same content."""
        self.tally.done += self._aside.files
        self.tally.done_bytes += self._aside.bytes
        self._aside = Aside()
        self._look()

    def _rest(self) -> Iterator[Batch]:
        rest = self._manifest.waiting()
        while True:
            self._plan_until_ready(rest)
            if self._planner.is_empty:
                return
            yield self._planned()

    def _plan_until_ready(self, rest: Iterator[Todo]) -> None:
        while some := list(islice(rest, FOUND_AT_ONCE)):
            for todo in some:
                self._planner.add(todo)
                self._aside.take(todo.entry.size)
            if self._planner.is_ready:
                return

    # --- doing it ----------------------------------------------------------------------------

    def _pump(
        self, batches: Iterator[Batch | None], look_for_more: Callable[[], bool] = lambda: False
    ) -> None:
        """Keep the workers busy until there is nothing more to do, or no more may be begun.

        Who has ended a task has the next one while its answers are made durable.
        """
        is_exhausted, ended = False, list[Ended]()
        while True:
            is_exhausted = self._feed(batches) or is_exhausted
            if self._is_due(ended):
                self._take(ended)
                ended = []
            self._tell(self._notary.acknowledged())
            nothing_more = self.is_stopping or (is_exhausted and not self._again)
            if nothing_more and not self._flying:
                self._settle()
                return
            is_at_rest = bool(self._flying) and not self._goes_on_at_once and not look_for_more()
            ended += self._engine.wait((TOGETHER_S if ended else PAUSE_S) if is_at_rest else 0)
            self._look()

    @property
    def _goes_on_at_once(self) -> bool:
        """Something goes again, and there is a worker for it: who waits for one is not looked after without a pause."""
        return bool(self._again) and self._engine.room > 0 and not self.is_stopping

    def _is_due(self, ended: Sequence[Ended]) -> bool:
        """A death is seen to at once; so is what nobody would add to; the rest when the disk has what was before."""
        if any(one.death is not None for one in ended) or len(ended) == len(self._flying):
            return True
        return not self._notary.is_busy and time.monotonic() - self._taken_s >= TOGETHER_S

    def _feed(self, batches: Iterator[Batch | None]) -> bool:
        """Whether there are no more batches."""
        while self._engine.room > 0 and not self.is_stopping:
            if self._again:
                self._submit(self._again.popleft())
                continue
            batch = next(batches, END)
            if batch is END:
                return True
            if batch is None:
                return False
            self._submit(batch)
        return False

    def _submit(self, batch: Batch) -> None:
        self._number += 1
        self._flying[self._number] = batch
        stored = [self._frame_of(one) for one in batch.kept] or [b""] * len(batch.todos)
        items = [item_of(todo.entry, frame) for todo, frame in zip(batch.todos, stored, strict=True)]
        task = Task(
            kind=batch.kind,
            items=tuple(items),
            terms=self._rules.terms,
            hash_name=self._manifest.hash_name,
            time_limit_s=self._rules.time_limit_s,
            access=self._rules.access,
        )
        self._engine.submit(Job(number=self._number, payload=payload_of(task)))

    def _frame_of(self, kept: Kept) -> bytes:
        return segment.frame_at(self._segments / kept.segment, kept.offset, kept.length)

    def _look(self) -> None:
        running = max(self._engine.running(), key=lambda one: one.since_s, default=None)
        self.tally.slowest, self.tally.slowest_s = "", 0.0
        if running is not None and running.number in self._flying:
            todos = self._flying[running.number].todos
            self.tally.slowest = todos[min(running.answered, len(todos) - 1)].entry.uri
            self.tally.slowest_s = running.since_s
        self._watch(self.tally)

    # --- what came of it ---------------------------------------------------------------------

    def _take(self, ended: Sequence[Ended]) -> None:
        """Everything that has come is made durable together; then it is acknowledged."""
        self._settle()
        self._taken_s = time.monotonic()
        placed: list[Placed] = []
        for one in ended:
            batch = self._flying.pop(one.number, None)
            if batch is None:  # the worker had nothing to do when it died
                continue
            answers = [answer_of(data) for data in one.answers]
            if one.death is not None:
                answers += self._mourn(batch, {answer.at for answer in answers}, one)
            if batch.kind in ("examine", "judge"):
                placed += self._results(batch, answers)
            else:
                self._take_keys(batch, answers)
        if placed:
            self._notary.take(placed)

    def _settle(self) -> None:
        """Nothing waits for the disk behind this."""
        for acknowledged in self._notary.settled():
            self._tell(acknowledged)

    def _tell(self, acknowledged: Sequence[Placed]) -> None:
        if acknowledged:
            self._count(acknowledged)
            self._hear([one.answer.frame for one in acknowledged])

    def _results(self, batch: Batch, answers: Sequence[Answer]) -> Iterator[Placed]:
        for answer in answers:
            again = batch.kept[answer.at].id if batch.kept else None
            yield Placed(entry=batch.todos[answer.at].entry, answer=answer, offset=0, judged_again=again)

    def _take_keys(self, batch: Batch, answers: Sequence[Answer]) -> None:
        pairs = [(batch.todos[answer.at].entry, answer.key) for answer in answers]
        if batch.kind == "quick-key":
            self._manifest.alike.take_quick_keys(pairs)
        else:
            self._manifest.alike.take_whole_keys(pairs)

    def _mourn(self, batch: Batch, answered_to: set[int], ended: Ended) -> Iterator[Answer]:
        """Whose fault it may be has had a try, and goes alone from now on; who was not begun goes again.

        Gives the answers of those that have had their last try.
        """
        left = [at for at in range(len(batch.todos)) if at not in answered_to]
        blamed, innocent = (left[:1], left[1:]) if ended.is_exact else (left, [])
        if innocent:
            self._again.append(batch.part(innocent))
        for at in blamed:
            entry = batch.todos[at].entry
            tries = self._manifest.note_try(entry)
            if tries < self._rules.most_tries:
                self._again.append(batch.part([at]))
            elif batch.kind != "judge":  # which stays as it was judged
                yield given_up(entry, at, f"{ended.death}, {tries} times")

    def _count(self, placed: Sequence[Placed]) -> None:
        for one in placed:
            if one.judged_again is None:
                self.tally.done += 1
                self.tally.done_bytes += one.entry.size or 0
            self.tally.hits += one.answer.exit_status == 1
            self.tally.failed += one.answer.status == "failed"


def given_up(entry: Entry, at: int, reason: str) -> Answer:
    """What is said of an entry for whom nobody could answer: it failed, and is like no other."""
    answer = answered(failed(entry, reason), 0.0)
    return msgspec.structs.replace(answer, at=at, key=UNREADABLE)


def keys(kind: Kind, entries: Iterator[Entry], deal: Deal) -> Iterator[Batch]:
    """Of members more and more at once, as the planner does it: each batch reads their archive from its beginning."""
    while some := list(islice(entries, max(KEYS_AT_ONCE, min(deal.share, CONTAINER_MEMBERS)))):
        deal.turn_to(container(some[-1].uri))
        deal.count(len(some))
        yield Batch(kind=kind, todos=[Todo(entry=entry) for entry in some])


END: Final = Batch(kind="examine", todos=())
"""No batch: there are no more."""

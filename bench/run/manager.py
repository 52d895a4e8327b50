"""Asks turn after turn, and has each on disk before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import BenchError
from firstpacket.bench.metrics.until import Stop
from firstpacket.bench.record.beside import Beside
from firstpacket.bench.record.schema import Delivery, LabelFacts, Manifest, Outcome, Segment, Turn, TurnResult
from firstpacket.bench.record.store import RunWriter
from firstpacket.bench.run.commit import commit
from firstpacket.bench.run.executor import Executor, TurnConfig
from firstpacket.bench.run.plan import PlannedTurn, after_idle, measured
from firstpacket.bench.run.profiling import patient, profiled_turns
from firstpacket.bench.run.until import Goal, in_words
from firstpacket.bench.run.warmup import warm_labels
from firstpacket.bench.run.watch import NoWatch, Watch
from firstpacket.bench.timing.clock import Clock, MonotonicClock


class Progress(Protocol):
    """Is told what goes on."""

    def loading(self, label: str) -> None:
        """A label is being loaded."""
        ...

    def begins(self, ask: PlannedTurn, done: int, total: int) -> None:
        """A turn is about to be asked; `done` of `total` measured turns are over."""
        ...

    def ended(self, turn: Turn, done: int, total: int) -> None:
        """A turn is on disk."""
        ...

    def idling(self, seconds: float) -> None:
        """Nothing will be asked of anyone for so long."""
        ...

    def looked(self, said: str) -> None:
        """It was looked whether enough is known."""
        ...


class Manager:
    """Runs one segment: from a start of the labels to the end of the plan."""

    def __init__(
        self,
        manifest: Manifest,
        writer: RunWriter,
        executors: Mapping[str, Executor],
        utterances: Sequence[Utterance],
        progress: Progress,
        watch: Watch | None = None,
        clock: Clock | None = None,
        profiling: Mapping[str, Executor] | None = None,
        spent_ns: int = 0,
    ) -> None:
        self._manifest = manifest
        self._writer = writer
        self._executors = dict(executors)
        self._profiling = profiling or {}
        self._utterances = {utterance.id: utterance for utterance in utterances}
        self._progress = progress
        self._watch = watch or NoWatch()
        self._clock = clock or MonotonicClock()
        self._config = TurnConfig(manifest.input, round(manifest.deadline_ms * 1e6), manifest.audible)
        self._labels = [plan.label for plan in manifest.labels]
        self._plan = list(measured(self._labels, list(self._utterances), manifest.turns, manifest.seed))
        rule = manifest.until
        self._goal = Goal(rule, self._labels, len(self._utterances), spent_ns) if rule is not None else None
        self._next_extra = len(self._plan) + 1
        self._segment = 0
        self._done = 0

    def run(
        self,
        already: Iterable[Turn],
        segment: Callable[[int, tuple[LabelFacts, ...]], Segment],
        segments_before: int = 0,
    ) -> None:
        """Start all labels, warm them up, and ask what has not been answered for yet.

        `already` are the turns of the `segments_before` earlier starts; `segment` describes this one, given its number
        and what the labels said. Raises `BenchError` when a label
        cannot be loaded or the disk is full; `KeyboardInterrupt` passes once the turn in flight has been recorded.
        """
        earlier = list(already)
        committed = {turn.turn for turn in earlier}
        rounds = self._rounds_left(earlier)
        self._next_extra = max([*committed, len(self._plan)]) + 1
        self._done = sum(ask.turn in committed for ask in self._plan)
        self._segment = segments_before
        try:
            facts = tuple(self._start(label) for label in self._labels)
            described = segment(self._segment, facts)
            self._writer.segment(described)
            if self._goal is not None:
                self._goal.begin(earlier, described.monotonic_ns)
            unasked = [ask for ask in self._plan if ask.turn not in committed]
            wanted = bool(unasked) and not self._enough(unasked[0])
            if rounds or wanted:
                self._warm_up(self._labels)
            if wanted:
                self._measure(unasked)
            for asks in rounds:
                self._ask_after_idle(asks)
            for label in self._profiling:
                if left := profiled_turns(label, list(self._utterances), self._manifest.seed, earlier):
                    self._profile(left)
        finally:
            self._stop_all()

    def _stop_all(self) -> None:
        """Stop every label, also when the user presses Ctrl-C again on the way."""
        interrupted = False
        for executor in self._executors.values():
            try:
                executor.stop()
            except KeyboardInterrupt:
                interrupted = True
        if interrupted:
            raise KeyboardInterrupt

    def _start(self, label: str) -> LabelFacts:
        self._progress.loading(label)
        facts = self._executors[label].start()
        self._watch.started(facts)
        return facts

    def _warm_up(self, labels: Sequence[str]) -> None:
        manifest = self._manifest
        clips = list(self._utterances.values())
        warm_labels(labels, manifest, clips, manifest.seed + self._segment, self._clock, self._put_if_ready)

    def _put_if_ready(self, ask: PlannedTurn) -> Turn | None:
        return self._put(ask) if self._executors[ask.label].ready else None

    def _measure(self, asks: Sequence[PlannedTurn]) -> None:
        for ask in asks:
            if self._enough(ask):
                return
            self._put(ask, self._warm_again(ask.label))
            self._done += 1

    def _enough(self, ask: PlannedTurn) -> bool:
        """Whether a turn is not wanted any more: enough is known, or the time is used up."""
        if self._goal is None:
            return False
        decision = self._goal.before(ask)
        if decision is not None:
            self._progress.looked(in_words(decision, self._goal.rule))
        return isinstance(decision, Stop) or self._goal.out_of_time(ask)

    def _warm_again(self, label: str) -> tuple[str, ...]:
        """Start and warm up a label whose process is gone; the flags of its next turn."""
        if self._executors[label].ready:
            return ()
        self._start(label)
        self._warm_up([label])
        if self._executors[label].ready:
            return ()
        # It died again while it was warming up: ask cold rather than for ever.
        self._start(label)
        return ("not_warmed_up",)

    def _rounds_left(self, already: Iterable[Turn]) -> list[list[PlannedTurn]]:
        """The turns after idleness, round by round, but for those that are on record."""
        manifest = self._manifest
        if not manifest.idle_s:
            return []
        there = {(turn.block, turn.label) for turn in already if turn.phase == "idle" and turn.outcome != "interrupted"}
        rounds = after_idle(self._labels, list(self._utterances), manifest.idle_turns, manifest.seed)
        left = [[ask for ask in asks if (ask.block, ask.label) not in there] for asks in rounds]
        return [asks for asks in left if asks]

    def _ask_after_idle(self, asks: Sequence[PlannedTurn]) -> None:
        """Let all labels have nothing to do for a while, then ask one after the other.

        Those that come after the first are flagged: their own process was idle, the machine was not.
        """
        flags = {ask.label: self._warm_again(ask.label) for ask in asks}
        self._progress.idling(self._manifest.idle_s)
        self._clock.sleep_until_ns(self._clock.now_ns() + round(self._manifest.idle_s * 1e9))
        for place, ask in enumerate(asks):
            self._put(ask, (*flags[ask.label], *(("machine_awake",) if place else ())))

    def _profile(self, asks: Sequence[PlannedTurn]) -> None:
        """Run a label's turns under the profiler, in its process for that; the one that measured makes room for it."""
        label = asks[0].label
        self._executors[label].stop()
        executor = self._executors[label] = self._profiling[label]
        try:
            self._start(label)
        except BenchError as error:  # what was measured stands; that there is no profile is on record
            self._commit(asks[-1], self._not_run("failed", str(error)), ())
        for ask in asks:
            if executor.ready:
                self._put(ask, ("not_warmed_up",) if ask.block < 0 else ())
        executor.stop()

    def _put(self, ask: PlannedTurn, flags: tuple[str, ...] = ()) -> Turn:
        self._progress.begins(ask, self._done, len(self._plan))
        number = ask.turn or self._extra_number()
        executor = self._executors[ask.label]
        config = patient(self._config) if ask.phase == "profiled" else self._config
        self._watch.before()
        try:
            result = executor.run(number, self._utterances[ask.utterance], config, self._audio_path(number))
        except KeyboardInterrupt:
            # Under a number of its own: the turn itself is run again when the run is resumed.
            self._commit(ask, self._not_run("interrupted", "the run was stopped"), flags)
            raise
        return self._commit(ask, result, flags, self._watch.after())

    def _not_run(self, outcome: Outcome, reason: str) -> TurnResult:
        now_ns = self._clock.now_ns()
        return TurnResult(self._extra_number(), outcome, delivery=Delivery(now_ns, now_ns, now_ns, ()), reason=reason)

    def _extra_number(self) -> int:
        self._next_extra += 1
        return self._next_extra - 1

    def _audio_path(self, number: int) -> str:
        if not self._manifest.keep_audio:
            return ""
        folder = self._writer.path / "audio"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise BenchError(f"Cannot make {folder}: {error.strerror}.") from error
        return str((folder / f"turn-{number:06d}.flac").resolve())

    def _commit(
        self, ask: PlannedTurn, result: TurnResult, flags: tuple[str, ...], beside: Beside | None = None
    ) -> Turn:
        if result.audio:
            result = replace(result, audio=str(Path("audio") / Path(result.audio).name))
        turn = commit(
            self._writer, self._manifest, self._segment, ask, self._utterances[ask.utterance], result, flags, beside
        )
        if self._goal is not None:
            self._goal.ended(turn, result.delivery.t0_ns)
        self._progress.ended(turn, self._done + (ask.phase == "measured"), len(self._plan))
        return turn

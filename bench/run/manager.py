"""Runs the turns of a schedule, and writes each to disk before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import BenchError, explained
from firstpacket.bench.metrics.late_microphone import too_many
from firstpacket.bench.record.schema import (
    Delivery,
    LabelFacts,
    Manifest,
    Phase,
    Segment,
    Turn,
    TurnResult,
)
from firstpacket.bench.record.store import RunWriter
from firstpacket.bench.record.telemetry import Telemetry
from firstpacket.bench.run.commit import commit
from firstpacket.bench.run.executor import Executor, TurnConfig
from firstpacket.bench.run.profiling import patient, profiled_turns
from firstpacket.bench.run.schedule.base import Ended, Paced, Plan, PlannedTurn, Schedule, Wait
from firstpacket.bench.run.schedule.full_run import full_schedule, warm_up
from firstpacket.bench.run.schedule.orders import start_order
from firstpacket.bench.run.usage_meter import OverLimit, UsageMeter
from firstpacket.bench.run.watch import NoWatch, Watch
from firstpacket.bench.timing.clock import NS_PER_MS, Clock, MonotonicClock
from firstpacket.bench.vocabulary import Flag, Outcome

EARLY_TURNS = 20
"""Measured turns after which a user is warned of a late microphone."""


class Progress(Protocol):
    """Receives the progress of a run."""

    def loading(self, label: str) -> None:
        """A system is being loaded."""
        ...

    def begins(self, planned: PlannedTurn, done: int, total: int) -> None:
        """A turn is about to start; `done` of `total` measured turns are finished."""
        ...

    def ended(self, turn: Turn, done: int, total: int) -> None:
        """A turn is on disk."""
        ...

    def idling(self, seconds: float) -> None:
        """Nothing will be run for this many seconds."""
        ...

    def checked(self, said: str) -> None:
        """The stopping rule was checked, with this result."""
        ...

    def warned(self, said: str) -> None:
        """The run so far has a problem that the user can still remove."""
        ...

    def left_running(self, label: str, processes: Sequence[str]) -> None:
        """These processes of a system were still running after it was closed, and have been ended."""
        ...


class Manager:
    """Runs one segment: starts the systems, then runs the schedule to its end, one turn at a time."""

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
        schedule: Callable[..., Schedule] = full_schedule,
        pairs: int | None = None,
    ) -> None:
        """`pairs` are the measured turns of every system in this start, for progress; by default all."""
        self._manifest = manifest
        self._writer = writer
        self._executors = dict(executors)
        self._profiling = profiling or {}
        self._utterances = {utterance.id: utterance for utterance in utterances}
        self._progress = progress
        self._watch = watch or NoWatch()
        self._clock = clock or MonotonicClock()
        options = manifest.options
        self._config = TurnConfig(options.input, round(options.deadline * 1e9), options.leave_after)
        self._pause_ns = round(options.pace_ms * 1e6)
        self._spent_ns = spent_ns
        self._schedule = schedule
        self._planned = self._total = manifest.turns * len(manifest.labels)
        self._pairs = pairs
        self._next_extra = self._planned + 1
        self._segment = 0
        self._done = 0
        self._ended: list[Ended] = []
        self._late_turns = 0
        self._meter = UsageMeter(None, {})
        self._revived: dict[str, tuple[Flag, ...]] = {}
        """Flags for the next turn of systems that were restarted."""

    def run(
        self,
        already: Iterable[Turn],
        segment: Callable[[int, tuple[LabelFacts, ...]], Segment],
        segments_before: int = 0,
    ) -> None:
        """Start all systems, and run those turns of the manifest that are not recorded yet.

        `already` are the turns of the `segments_before` earlier starts; `segment` describes this one, given its number
        and the facts of the workers. A usage limit may end it early, and is then recorded. Raises `BenchError` if
        a system cannot be loaded or the disk is full; `KeyboardInterrupt` is passed on once the turn in flight has been
        recorded.
        """
        earlier = list(already)
        self._segment = segments_before
        self._next_extra = max([self._planned, *(turn.turn for turn in earlier)]) + 1
        self._done = sum(0 < turn.turn <= self._planned for turn in earlier)
        if self._pairs is not None:
            self._total = self._done + self._pairs * len(self._manifest.labels)
        try:
            labels = [system.label for system in self._manifest.labels]
            started = {label: self._start(label) for label in self._start_order(labels)}
            facts = tuple(started[label] for label in labels)
            described = segment(self._segment, facts)
            self._writer.segment(described)
            lengths_ns = {name: clip.duration_ms * NS_PER_MS for name, clip in self._utterances.items()}
            self._meter = UsageMeter(described.usage_limits, lengths_ns, earlier)
            self._drive(
                self._schedule(
                    self._manifest,
                    self._clips,
                    earlier,
                    self._segment,
                    described.monotonic_ns,
                    self._spent_ns,
                    self._progress.checked,
                )
            )
            for label in self._profiling:
                seed = self._manifest.options.seed
                self._profile(label, profiled_turns(label, list(self._utterances), seed, earlier))
        except OverLimit as end:
            self._writer.limit(end.reached)
        finally:
            self._stop_all()

    def _start_order(self, labels: Sequence[str]) -> Sequence[str]:
        """As planned; at random where two versions of the code are measured, so that neither is always the first."""
        compares = any(system.source for system in self._manifest.labels)
        return start_order(labels, self._manifest.options.seed, self._segment) if compares else labels

    @property
    def _clips(self) -> list[Utterance]:
        return list(self._utterances.values())

    def _drive(self, schedule: Schedule) -> None:
        paced = Paced(schedule, self._pause_ns)
        while (step := paced.next(self._ended, self._clock.now_ns())) is not None:
            if isinstance(step, Wait):
                self._wait(step)
            else:
                self._ended.append(self._run(step))

    def _wait(self, wait: Wait) -> None:
        for label in wait.ready:
            self._revive(label)
        if not wait.silent:
            self._progress.idling(wait.ns / 1e9)
        self._clock.sleep_until_ns(self._clock.now_ns() + wait.ns)

    def _run(self, planned: PlannedTurn) -> Ended:
        """Run a turn and write it to disk. A dead worker is restarted for a measured turn, not for a warm-up turn."""
        self._meter.require_room(planned)
        if planned.phase == "measured":
            self._revive(planned.label)
        elif planned.phase != "idle" and not self._executors[planned.label].ready:
            return Ended(planned, None)
        flags = (*self._revived.pop(planned.label, ()), *planned.flags)
        turn, t0_ns = self._put(replace(planned, turn=planned.turn or self._extra_number(), flags=flags))
        self._done += planned.phase == "measured"
        return Ended(planned, turn, t0_ns)

    def _revive(self, label: str) -> None:
        """Restart and warm up a system whose process is gone."""
        if self._executors[label].ready:
            return
        self._start(label)
        self._drive(warm_up([label], self._manifest, self._clips, self._segment))
        if not self._executors[label].ready:
            # It died again during warm-up: run it cold rather than restart it forever.
            self._start(label)
            self._revived[label] = (Flag.NOT_WARMED_UP,)

    def _profile(self, label: str, turns: Sequence[PlannedTurn]) -> None:
        """Run a system's turns under the profiler, in a separate process that replaces the measured one."""
        if not turns:
            return
        self._stop(label)
        self._executors[label] = self._profiling[label]
        try:
            self._start(label)
        except BenchError as error:  # measured turns remain valid; the missing profile is recorded
            self._commit(turns[-1], self._not_run("failed", str(error)))
        self._drive(Plan(turns))
        self._stop(label)

    def _start(self, label: str) -> LabelFacts:
        self._progress.loading(label)
        facts = self._executors[label].start()
        self._watch.started(facts)
        return facts

    def _stop(self, label: str) -> None:
        if left := self._executors[label].stop():
            self._progress.left_running(label, left)

    def _stop_all(self) -> None:
        """Stop every system, even if the user presses Ctrl-C again meanwhile."""
        interrupted = False
        for label in self._executors:
            try:
                self._stop(label)
            except KeyboardInterrupt:
                interrupted = True
        if interrupted:
            raise KeyboardInterrupt

    def _put(self, planned: PlannedTurn) -> tuple[Turn, int]:
        """Run a numbered turn; returns its record and its t0."""
        self._meter.require_room(planned)  # again: a restarted system may have used it up to warm up
        self._clock.sleep_until_ns(self._meter.start_ns(planned.label, self._clock.now_ns()))
        self._progress.begins(planned, self._done, self._total)
        executor, utterance = self._executors[planned.label], self._utterances[planned.utterance]
        config, audio = self._config_of(planned.phase), self._audio_path(planned.turn)
        self._watch.before()
        try:
            result = executor.run(planned.turn, utterance, config, audio)
        except KeyboardInterrupt:
            # With a separate number: the turn itself is run again when the run is resumed.
            self._commit(planned, self._not_run("interrupted", "the run was stopped"))
            raise
        return self._commit(planned, result, self._watch.after()), result.delivery.t0_ns

    def _config_of(self, phase: Phase) -> TurnConfig:
        """Cold turns are always whole: they show whether a system answers audibly, where other turns end early."""
        if phase == "profiled":
            return patient(self._config)
        return replace(self._config, leave_after="reply") if phase == "cold" else self._config

    def _not_run(self, outcome: Outcome, reason: str) -> TurnResult:
        now_ns = self._clock.now_ns()
        return TurnResult(self._extra_number(), outcome, delivery=Delivery(now_ns, now_ns, now_ns, ()), reason=reason)

    def _extra_number(self) -> int:
        self._next_extra += 1
        return self._next_extra - 1

    def _audio_path(self, number: int) -> str:
        if not self._manifest.options.keep_audio:
            return ""
        folder = self._writer.path / "audio"
        with explained(f"Cannot create {folder}", kind=BenchError):
            folder.mkdir(exist_ok=True)
        return str((folder / f"turn-{number:06d}.flac").resolve())

    def _commit(self, planned: PlannedTurn, result: TurnResult, telemetry: Telemetry | None = None) -> Turn:
        if result.audio:
            result = replace(result, audio=str(Path("audio") / Path(result.audio).name))
        clip = self._utterances[planned.utterance]
        turn = commit(self._writer, self._manifest, self._segment, planned, clip, result, telemetry)
        self._meter.count(turn)
        self._progress.ended(turn, self._done + (planned.phase == "measured"), self._total)
        if turn.is_measured:
            self._late_turns += Flag.LATE_MICROPHONE in turn.flags
            self._check_microphone(self._done + 1)
        return turn

    def _check_microphone(self, turns: int) -> None:
        """Warn early, and once, that the run is becoming invalid."""
        if turns == EARLY_TURNS and too_many(self._late_turns, turns):
            self._progress.warned(
                f"The microphone was late in {self._late_turns} of the first {turns} measured turns. With more "
                "than 1 in 20 the run is invalid: stop other work on this machine, or start again with a higher "
                "--microphone-limit-ms."
            )

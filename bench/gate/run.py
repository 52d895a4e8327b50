"""Measures a candidate and its baseline, start after start, until every check is decided or time is up.

reports/gate-DATE/
  run/          an ordinary run folder; every start of the processes is a segment
  state.json    how far the gate is, to continue after an interruption
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from firstpacket.bench import registry
from firstpacket.bench.errors import BenchError, NotComparable, RunError, Stopped, UnknownName, UsageError
from firstpacket.bench.gate.advice import ended_by_limit, noise_seen
from firstpacket.bench.gate.change import LEAST_STARTS, Look
from firstpacket.bench.gate.checks import ANSWERS, refused
from firstpacket.bench.gate.evaluate import evaluate
from firstpacket.bench.gate.forecast import forecast, noise
from firstpacket.bench.gate.limits import Limit, Limits
from firstpacket.bench.gate.plan import Plan, adapted, after_look, after_start
from firstpacket.bench.gate.references import BaselineSource, Concurrent, Stored
from firstpacket.bench.gate.resolve_version import ITSELF, other_version, working_tree
from firstpacket.bench.gate.result import Check, GateResult
from firstpacket.bench.gate.state import FILE, SCHEMA, Reference, State, read, save
from firstpacket.bench.metrics.definitions import metric
from firstpacket.bench.options import Options
from firstpacket.bench.record.rules import LimitReached
from firstpacket.bench.record.store import Run
from firstpacket.bench.run.manager import Progress
from firstpacket.bench.run.replicates import Replicates, reopened, replicates

COMMAND = ("bench", "gate")
RUN = "run"


def run_gate(
    options: Options,
    limits: Limits,
    reference: Reference,
    progress: Progress,
    folder: Path | None = None,
    command: Sequence[str] = COMMAND,
) -> tuple[GateResult, Path]:
    """Measure and decide; returns the result, and the folder with the run.

    Raises `BenchError` if the candidate cannot be measured. A baseline that cannot be measured is a verdict.
    """
    _check_labels(options, limits)
    with _baseline_source(reference) as source:
        if source.source is not None and _ends_turns_early(options, limits):
            options = replace(options, leave_after="first_packet")
        place = _new_folder(folder)
        plan = Plan(60 * limits.max_minutes)
        state = State(SCHEMA, reference, limits, source.name, working_tree(), plan)
        gate = Gate(source, progress, place, state, [choice.label for choice in options.pipelines])
        with _interrupted(place), replicates(options, command, progress, place / RUN, source.source) as run:
            return gate.result(run), place


def resume_gate(folder: Path, progress: Progress) -> GateResult:
    """Continue a gate that was interrupted. Raises `BenchError` if it cannot be continued."""
    state = read(folder)
    with _baseline_source(state.reference) as source:
        _check_unchanged(state, source)
        with reopened(progress, folder / RUN, source.source) as replicates:
            run = replicates.run()
            _check_belongs(run, state, source)
            labels = [system.label for system in run.manifest.labels if not system.source]
            with _interrupted(folder):
                return Gate(source, progress, folder, state, labels).result(replicates)


class Gate:
    """Measures start after start, looks as planned, and remembers what is decided."""

    def __init__(
        self, source: BaselineSource, progress: Progress, folder: Path, state: State, labels: Sequence[str]
    ) -> None:
        self._source = source
        self._progress = progress
        self._folder = folder
        self._state = state
        self._labels = labels
        self._checks: dict[tuple[str, Limit], Check] = {}
        self._limit: LimitReached | None = None
        """The usage limit that ended the run."""

    def result(self, replicates: Replicates) -> GateResult:
        """Measure until every check is decided or time is up, or the versions turn out not to be comparable."""
        try:
            self._measure(replicates)
        except NotComparable as error:
            shown = (check for check in self._checks.values() if check.verdict == "regressed")
            refusals = (refused(label, "not comparable", str(error)) for label in self._labels)
            return self._result((*shown, *refusals))
        return self._result(tuple(self._checks.values()))

    def _measure(self, replicates: Replicates) -> None:
        plan = self._replayed(replicates.run())
        while not plan.looks or (not self._is_decided and plan.has_time):
            self._save(plan)
            cost = replicates.start(plan.pairs, plan.seconds)
            plan = after_start(plan, cost, limit_reached=replicates.run().limit is not None)
            plan = self._updated(plan, replicates.run())
        self._limit = replicates.run().limit
        self._save(plan, ended=True)

    @property
    def _is_decided(self) -> bool:
        return not any(map(self._needs_more, self._checks.values()))

    def _needs_more(self, check: Check) -> bool:
        """Whether more starts are worth making for a check: not where none so far has given a pair with a value."""
        is_hopeless = check.change is not None and not check.change.pairs
        return not self._is_final(check) and not is_hopeless

    def _is_final(self, check: Check) -> bool:
        once = self._source.single_look and check.limit.ceiling_ms is None
        return once or check.verdict != "inconclusive"

    def _replayed(self, run: Run) -> Plan:
        """The plan after the starts that were made before an interruption, with what was decided at their looks."""
        plan = self._state.plan
        for number, count in enumerate(plan.looks, 1):
            final = count == plan.looks[-1] and not plan.has_time
            self._look(Look(plan.looks[:number], max(plan.most_starts, count), final), run)
        for _ in range(len(run.segments) - len(plan.costs)):
            plan = self._updated(after_start(plan, plan.mean_cost, run.limit is not None), run)
        return plan

    def _updated(self, plan: Plan, run: Run) -> Plan:
        """The plan after a start: adapted to the noise, and after a look if one is due."""
        count = len(plan.costs)
        if count >= LEAST_STARTS and not plan.look:
            return plan
        seen = evaluate(
            run, self._labels, self._state.limits, self._source, Look((count,), max(plan.most_starts, count))
        )
        if len(plan.known_costs) == 1 or plan.look:
            plan = adapted(plan, *noise(seen))
        if look := plan.look:
            self._look(look, run)
            plan = after_look(plan, look)
        open_checks = [check for check in seen if self._is_open(check) and check.limit != ANSWERS]
        if open_checks and plan.known_costs and plan.has_time and not self._source.single_look:
            self._progress.checked(forecast(plan, open_checks, self._state.limits.resolution))
        return plan

    def _look(self, look: Look, run: Run) -> None:
        """Decide what can be decided; what was decided earlier stays so."""
        for check in evaluate(run, self._labels, self._state.limits, self._source, look):
            if self._is_open(check):
                self._checks[check.label, check.limit] = check

    def _is_open(self, check: Check) -> bool:
        known = self._checks.get((check.label, check.limit))
        return known is None or not self._is_final(known) or (known.limit == ANSWERS and known.verdict == "same")

    def _save(self, plan: Plan, ended: bool = False) -> None:
        self._state = replace(self._state, plan=plan, ended=ended)
        save(self._state, self._folder)

    def _result(self, checks: tuple[Check, ...]) -> GateResult:
        notices = tuple(dict.fromkeys((*self._source.notices, *noise_seen(checks))))
        plan, limits = self._state.plan, self._state.limits
        if self._limit is not None:
            checks = tuple(ended_by_limit(check, self._limit) for check in checks)
        return GateResult(
            self._source.name,
            checks,
            limits.allow,
            notices,
            plan.spent_s / 60,
            limits.resolution,
            plan.looks,
            self._limit,
        )


@contextmanager
def _baseline_source(reference: Reference) -> Iterator[BaselineSource]:
    if reference.itself:
        yield Concurrent(ITSELF)
    elif reference.against:
        with other_version(reference.against, reference.folders) as source:
            yield Concurrent(source)
    else:
        yield Stored(reference.baseline)


@contextmanager
def _interrupted(folder: Path) -> Iterator[None]:
    """Tell the user how to continue a gate that ends early."""
    how = f"Every finished turn is kept; continue with: bench gate --resume {folder}"
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if not _can_continue(folder):
            raise
        raise Stopped(" ".join(("Stopped", *map(str, interrupt.args))) + f". {how}") from None
    except BenchError as error:
        if not _can_continue(folder):
            raise
        error.args = (f"{error} {how}",)
        raise


def _can_continue(folder: Path) -> bool:
    """Whether there is something to continue; if nothing was begun, the folder is removed."""
    if (folder / RUN).exists() and (folder / FILE).exists():
        return True
    with suppress(OSError):
        folder.rmdir()
    return False


def _check_labels(options: Options, limits: Limits) -> None:
    """Raises `UsageError` with a stopping rule, `UnknownName` if a limit names a label that is not measured."""
    if options.precision is not None:
        raise UsageError("A gate measures until it can decide: remove precision, and use --max-minutes.")
    labels = [choice.label for choice in options.pipelines]
    for limit in limits.limits:
        if limit.label and limit.label not in labels:
            raise UnknownName("label", limit.label, labels, f"(in the limit '{limit.name}')")


def _ends_turns_early(options: Options, limits: Limits) -> bool:
    """Whether turns may end with their first packet: no limit needs more, and no server is left half-way."""
    local = not any(registry.check_options(each.name, each.options)[0].needs_server for each in options.pipelines)
    return local and all(metric(limit.metric).known_at_first_packet for limit in limits.limits)


def _check_unchanged(state: State, source: BaselineSource) -> None:
    """Raises `RunError` if the code on either side is not what was measured so far."""
    if source.name != state.baseline:
        raise RunError(f"The gate compared with {state.baseline}, which is now {source.name}. Start a new gate.")
    if working_tree() != state.candidate:
        raise RunError("The code of this version has changed since the gate began. Start a new gate.")


def _check_belongs(run: Run, state: State, source: BaselineSource) -> None:
    """Raises `RunError` if the run is not the one that the state describes."""
    versions = {system.source for system in run.manifest.labels if system.source}
    expected = {source.source.name} if source.source is not None else set()
    if len(run.segments) < len(state.plan.costs) or versions != expected:
        raise RunError(f"{run.path} is not the run that this gate began. Restore it from a copy, or start a new gate.")


def _new_folder(folder: Path | None) -> Path:
    """A new folder for the gate. Raises `RunError`."""
    made = folder or Path("reports") / f"gate-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    try:
        made.mkdir(parents=True)
    except FileExistsError as error:
        raise RunError(f"{made} exists already. Choose another --out.") from error
    except OSError as error:
        raise RunError(f"Cannot create {made}: {error.strerror}. Choose another folder with --out.") from error
    return made

"""Measures a candidate, compares it with its baseline, and measures again what fails.

reports/gate-DATE/
  round-1/     an ordinary run folder
  round-2/     the labels that failed in round 1, in fresh processes, so that an unlucky memory layout of one
               process does not affect both
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.errors import NotComparable, RunError, UnknownName, UsageError
from firstpacket.bench.gate.checks import check_answers, check_ceiling, check_change, refused, to_measure_again
from firstpacket.bench.gate.limits import Limit, Limits
from firstpacket.bench.gate.noise import Finding, save_noise
from firstpacket.bench.gate.references import AUTO, BaselineSource, Concurrent, Stored
from firstpacket.bench.gate.resolve_version import ITSELF, other_version
from firstpacket.bench.gate.result import Check, GateResult
from firstpacket.bench.metrics.definitions import metric
from firstpacket.bench.options import Options
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.run import session
from firstpacket.bench.run.code_version import CodeVersion
from firstpacket.bench.run.manager import Progress
from firstpacket.bench.run.matching import SWITCH
from firstpacket.bench.summary.values import shown_value

COMMAND = ("bench", "gate")


@dataclass(frozen=True, slots=True)
class Reference:
    """What the candidate is compared with: `against`, if given, otherwise `baseline`."""

    against: str = ""
    """A git revision, or the Python command of an environment with another version."""
    folders: tuple[str, ...] = ()
    """Folders with the packages of that revision, if not the repository's root or `src`."""
    baseline: str = AUTO
    """A run folder, the name of a saved baseline, or `auto`."""


def run_gate(
    options: Options,
    limits: Limits,
    reference: Reference,
    progress: Progress,
    folder: Path | None = None,
    command: Sequence[str] = COMMAND,
) -> tuple[GateResult, Path]:
    """Measure, judge, and measure again what fails; returns the result, and the folder of the rounds.

    Raises `BenchError` if the candidate cannot be measured. A baseline that cannot be measured is a verdict.
    """
    options = _with_pairs(options, limits)
    with _baseline_source(reference) as baseline_source:
        place = _made(folder)
        return _Gate(options, limits, baseline_source, progress, place, tuple(command)).result(), place


def run_aa(
    options: Options, limits: Limits, progress: Progress, folder: Path | None = None, command: Sequence[str] = COMMAND
) -> tuple[dict[str, Finding], Path]:
    """An A/A run: this version against itself in two rounds of fresh processes; the noise is saved for later gates.

    Returns findings by key of the conditions, and the folder of the rounds.
    """
    options = _with_pairs(options, limits)
    place = _made(folder)
    rounds = [_measure(options, place, number, ITSELF, progress, command) for number in (1, 2)]
    return save_noise(rounds), place


@dataclass(frozen=True, slots=True)
class _Gate:
    options: Options
    limits: Limits
    baseline_source: BaselineSource
    progress: Progress
    folder: Path
    command: tuple[str, ...]
    notices: list[str] = field(default_factory=list)

    def result(self) -> GateResult:
        labels = [choice.label for choice in self.options.pipelines]
        try:
            first = self._round(1, labels)
            checks = {label: self._checks(label, [first]) for label in labels}
            again = to_measure_again([check for each in checks.values() for check in each])
            if again:
                second = self._round(2, again)
                checks |= {label: self._checks(label, [first, second]) for label in again}
        except NotComparable as error:
            checks = {label: (refused(label, "not comparable", str(error)),) for label in labels}
        every = tuple(check for each in checks.values() for check in each)
        notices = tuple(dict.fromkeys([*self.notices, *self.baseline_source.notices]))
        return GateResult(self.baseline_source.name, every, self.limits.allow, notices)

    def _round(self, number: int, labels: Sequence[str]) -> Run:
        every = self.options.pipelines
        matched = self.options.matched or any(choice.options.get(SWITCH) for choice in every)
        # A matched label needs the label that it is matched to.
        chosen = every if matched else tuple(choice for choice in every if choice.label in labels)
        options = replace(self.options, pipelines=chosen)
        return _measure(options, self.folder, number, self.baseline_source.source, self.progress, self.command)

    def _checks(self, label: str, rounds: Sequence[Run]) -> tuple[Check, ...]:
        limits = [limit for limit in self.limits.limits if limit.label in ("", label)]
        ceilings = tuple(_ceiling(label, limit, rounds) for limit in limits if limit.ceiling_ms is not None)
        changes = [limit for limit in limits if limit.ceiling_ms is None]
        if not changes and self.baseline_source.source is None:
            return ceilings
        if (refusal := self.baseline_source.refusal(rounds[-1], label)) is not None:
            return (*ceilings, refusal)
        noise = self.baseline_source.noise(rounds[0], label)
        self.notices.append(f"{label}: {noise.source}")
        held = tuple(
            check_change(label, limit, self._pairs(label, limit.metric, rounds), noise, self.limits.resolution)
            for limit in changes
        )
        return (*ceilings, *held, check_answers(label, self._pairs(label, Limit().metric, rounds)))

    def _pairs(self, label: str, name: str, rounds: Sequence[Run]) -> list[Pairs]:
        return [self.baseline_source.pairs(run, label, metric(name)) for run in rounds]


@contextmanager
def _baseline_source(reference: Reference) -> Iterator[BaselineSource]:
    if not reference.against:
        yield Stored(reference.baseline)
        return
    with other_version(reference.against, reference.folders) as source:
        yield Concurrent(source)


def _with_pairs(options: Options, limits: Limits) -> Options:
    """The options with the number of pairs as turns.

    Raises `UsageError` with a stopping rule, `UnknownName` if a limit names a label that is not measured.
    """
    if options.precision is not None:
        raise UsageError("A gate measures a fixed number of pairs: remove precision, and use --pairs or --turns.")
    labels = [choice.label for choice in options.pipelines]
    for limit in limits.limits:
        if limit.label and limit.label not in labels:
            raise UnknownName("label", limit.label, labels, f"(in the limit '{limit.name}')")
    return replace(options, turns=options.turns or limits.pairs)


def _measure(
    options: Options, folder: Path, number: int, source: CodeVersion | None, progress: Progress, command: Sequence[str]
) -> Run:
    return read_run(session.start(replace(options, out=str(folder / f"round-{number}")), command, progress, source))


def _ceiling(label: str, limit: Limit, rounds: Sequence[Run]) -> Check:
    turns = [turn for run in rounds for turn in run.measured(label)]
    values = [shown_value(turn, metric(limit.metric)) for turn in turns]
    unanswered = sum(not turn.is_answered for turn in turns)
    return check_ceiling(label, limit, [value for value in values if value is not None], unanswered, len(rounds))


def _made(folder: Path | None) -> Path:
    """A new folder for the rounds. Raises `RunError`."""
    made = folder or Path("reports") / f"gate-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    try:
        made.mkdir(parents=True)
    except FileExistsError as error:
        raise RunError(f"{made} exists already. Choose another --out.") from error
    except OSError as error:
        raise RunError(f"Cannot create {made}: {error.strerror}. Choose another folder with --out.") from error
    return made

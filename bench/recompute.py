"""Derives a run's figures again from its raw evidence and compares them with the stored ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from firstpacket.bench import registry
from firstpacket.bench.errors import BenchError
from firstpacket.bench.format import counted
from firstpacket.bench.metrics.definitions import TURN_METRICS, versions
from firstpacket.bench.metrics.figures import FLAGS, TurnFigures, turn_figures
from firstpacket.bench.pipeline import Pipeline
from firstpacket.bench.record.schema import Evidence, System, Turn, UtteranceFacts
from firstpacket.bench.record.store import Run
from firstpacket.bench.sanitize import clean, described, reason
from firstpacket.bench.timing.spans import Mark, TurnTrace

Value = int | float | str


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure whose stored value is not the derived one, bit for bit; `None` where there is none."""

    turn: int
    label: str
    figure: str
    stored: Value | None
    derived: Value | None

    def __str__(self) -> str:
        return (
            f"turn {self.turn} ({self.label}), {clean(self.figure)}: stored {self.stored!r}, derived {self.derived!r}"
        )


@dataclass(frozen=True, slots=True)
class Redefined:
    """A definition that changed since turns were written; their figures of that name are not comparable.

    `before` is `None` for a metric that is new since then, `now` for one that is no longer defined.
    """

    name: str
    before: int | None
    now: int | None
    turns: int

    def __str__(self) -> str:
        change = f"{_version(self.before)} → {_version(self.now)}"
        return f"{clean(self.name)}: {change} (not compared in {counted(self.turns, 'turn')})"


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The result of recomputing a whole run; `figures` counts those that were compared."""

    turns: int
    turns_equal: int
    figures: int
    figures_equal: int
    differences: tuple[Difference, ...]
    redefined: tuple[Redefined, ...]
    problems: tuple[str, ...]
    """Turns for which nothing could be derived, with reasons."""
    notices: tuple[str, ...]
    turns_replayed: int = 0
    """Turns in which stages, marks, texts and the server's figures were derived from the messages again."""

    @property
    def equal(self) -> bool:
        """Whether everything could be derived, and nothing that is comparable differs."""
        return not self.differences and not self.problems


def recompute(run: Run) -> Recomputed:
    """Derive every figure of every turn again. Never raises: a damaged trace becomes one of the `problems`."""
    now = versions()
    before = {segment.segment: segment.metrics for segment in run.segments}
    compared: list[_Compared] = []
    problems: list[str] = []
    clips = {utterance.id: utterance for utterance in run.manifest.utterances}
    replays, turns_replayed = _Replays(run), 0
    for turn in run.turns:
        try:
            evidence = run.evidence(turn)
            stored, derived = _stored(turn), _derived(evidence, clips.get(turn.utterance))
            if (replayed := replays.of(evidence)) is not None:
                stored, derived = stored | _of_trace(evidence.trace), derived | _of_trace(replayed)
                turns_replayed += 1
        except BenchError as error:
            problems.append(str(error))
        except Exception as error:  # what stands in a run folder may make no sense at all
            problems.append(f"turn {turn.turn} ({turn.label}): cannot derive figures: {reason(error)}")
        else:
            if run.manifest.redacted:
                stored, derived = _without_texts(stored), _without_texts(derived)
            compared.append(_compared(turn, stored, derived, before.get(turn.segment, {}), now))
    redefined = Counter(each for one in compared for each in one.redefined)
    differences = tuple(difference for one in compared for difference in one.differences)
    figures = sum(one.figures for one in compared)
    return Recomputed(
        turns=len(run.turns),
        turns_equal=sum(not one.differences for one in compared),
        figures=figures,
        figures_equal=figures - len(differences),
        differences=differences,
        redefined=tuple(Redefined(*which, turns) for which, turns in sorted(redefined.items(), key=str)),
        problems=tuple(problems),
        notices=(*run.notices, *_unversioned(run), *_redacted(run), *replays.notes),
        turns_replayed=turns_replayed,
    )


def lines(found: Recomputed) -> Iterator[str]:
    """The result for people: every difference by name, then the counts."""
    yield from (f"differs: {difference}" for difference in found.differences)
    yield from (f"not derived: {problem}" for problem in found.problems)
    yield from (f"definition changed: {each}" for each in found.redefined)
    yield from (f"note: {notice}" for notice in found.notices)
    yield f"turns:   {found.turns_equal} of {found.turns} equal"
    yield f"figures: {found.figures_equal} of {found.figures} equal, bit for bit"
    if found.turns_replayed:
        yield f"replay:  {found.turns_replayed} of {found.turns} turns derived again from their messages"


_Definition = tuple[str, int | None, int | None]
"""A definition's name, the version the run followed, and today's."""


@dataclass(frozen=True, slots=True)
class _Compared:
    """One turn: how many figures were compared, which differ, and which could not be."""

    figures: int
    differences: tuple[Difference, ...]
    redefined: frozenset[_Definition]


def _compared(
    turn: Turn,
    stored: dict[str, Value],
    derived: dict[str, Value],
    before: Mapping[str, int],
    now: Mapping[str, int],
) -> _Compared:
    redefined = _redefined(stored | derived, before, now)
    names = [name for name in stored | derived if name not in redefined]
    differences = tuple(
        Difference(turn.turn, turn.label, name, stored.get(name), derived.get(name))
        for name in names
        if not _same(stored.get(name), derived.get(name))
    )
    return _Compared(len(names), differences, frozenset(redefined.values()))


def _derived(evidence: Evidence, clip: UtteranceFacts | None) -> dict[str, Value]:
    return _named(turn_figures(evidence, clip), _whose(evidence))


def _stored(turn: Turn) -> dict[str, Value]:
    return _named(turn, _whose(turn))


def _whose(line: Turn | Evidence) -> str:
    """Which turn a line is of, and its outcome: both of a turn's lines say so."""
    return f"turn {line.turn} of {line.label}, {clean(line.utterance)}, {line.outcome}"


def _named(found: Turn | TurnFigures, whose: str) -> dict[str, Value]:
    """Everything that is compared, by name."""
    parts = ", ".join(f"{part.stage or 'none'} {part.kind} {part.ns}" for part in found.path)
    return {
        **found.figures,
        **{f"hidden.{stage}": ns for stage, ns in found.hidden.items()},
        "path": clean(parts),
        "path.error": found.path_error_ns,
        "flags": " ".join(flag for flag in found.flags if flag in FLAGS),
        "lateness": " ".join(map(str, found.lateness)),
        "turn": whose,
    }


REPLAYED_TEXTS = "replayed texts"


class _Replays:
    """Derives traces from their messages again, by the plugins that made them; `notes` say why some cannot."""

    def __init__(self, run: Run) -> None:
        self._systems = {system.label: system for system in run.manifest.labels}
        self._plugins: dict[str, type[Pipeline] | None] = {}
        self.notes: list[str] = []

    def of(self, evidence: Evidence) -> TurnTrace | None:
        """None without messages, and for a pipeline that derives nothing from them."""
        if not evidence.trace.messages:
            return None
        system = self._systems[evidence.label]
        if system.label not in self._plugins:
            self._plugins[system.label] = self._plugin(system)
        plugin = self._plugins[system.label]
        try:
            return plugin.replay(system.options, evidence.trace) if plugin else None
        except BenchError as error:
            self._not_replayed(system, described(error))
            return None

    def _not_replayed(self, system: System, why: str) -> None:
        self.notes.append(f"Messages of {system.label} were not replayed. {why}")
        self._plugins[system.label] = None

    def _plugin(self, system: System) -> type[Pipeline] | None:
        """Imported only when the first turn with messages needs it."""
        if system.source:
            self._not_replayed(system, f"It ran from {clean(system.source)}.")
            return None
        try:
            plugin = registry.pipeline(system.pipeline)
        except BenchError as error:
            self._not_replayed(system, described(error))
            return None
        derives_nothing = plugin.replay.__func__ is Pipeline.replay.__func__  # type: ignore[attr-defined]
        return None if derives_nothing else plugin


def _of_trace(trace: TurnTrace) -> dict[str, Value]:
    """What follows from a turn's messages, by name."""
    spans = sorted((span.start_ns, span.end_ns, span.stage) for span in trace.spans)
    said = sorted((figure.name, figure.ns) for figure in trace.server_figures)
    return {
        "replayed stages": clean(", ".join(f"{stage} {start_ns} to {end_ns}" for start_ns, end_ns, stage in spans)),
        "replayed marks": clean(", ".join(f"{each.name} {each.at_ns}" for each in sorted(trace.marks, key=_place))),
        REPLAYED_TEXTS: clean("; ".join(f"{each.kind} {each.at_ns}: {each.text}" for each in trace.texts)),
        "replayed server figures": clean(", ".join(f"{name} {ns}" for name, ns in said)),
    }


def _place(mark: Mark) -> tuple[int, str]:
    return mark.at_ns, mark.name


def _redefined(names: Iterable[str], before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, _Definition]:
    """The names whose definition is another one now. A run that names no versions is taken to follow today's."""
    found = {name: (definition := _definition(name), before.get(definition), now.get(definition)) for name in names}
    return {name: each for name, each in found.items() if before and each[1] != each[2]}


def _definition(name: str) -> str:
    """The name under which `versions` knows what is compared under this one."""
    first, *rest = name.split(".")
    if first in ("path", "hidden", "server"):
        return first
    return f"stage.{rest[-1]}" if first == "stage" and rest else name


def _same(stored: Value | None, derived: Value | None) -> bool:
    """Whether two values are the same to the bit; a whole number is never the same as a fraction."""
    return type(stored) is type(derived) and repr(stored) == repr(derived)


def _unversioned(run: Run) -> tuple[str, ...]:
    if all(segment.metrics for segment in run.segments):
        return ()
    return (
        "This run does not record the versions of its metrics, so figures whose definition has changed since are "
        "reported as differences.",
    )


FROM_TEXTS = {REPLAYED_TEXTS, *(known.name for known in TURN_METRICS if known.needs_texts)}


def _without_texts(found: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in found.items() if name not in FROM_TEXTS}


def _redacted(run: Run) -> tuple[str, ...]:
    if not run.manifest.redacted:
        return ()
    return ("This run is a redacted copy: figures that follow from texts are as stored, and not derived again.",)


def _version(number: int | None) -> str:
    return "not defined" if number is None else f"v{number}"

"""The first screen: the result in a sentence, what it was measured on, and the warnings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from firstpacket.bench.analysis.early_start import outlook
from firstpacket.bench.analysis.quality import quality_notices
from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.compare.conditions import conditions, under
from firstpacket.bench.compare.findings import Question, of_runs
from firstpacket.bench.compare.headline import headline
from firstpacket.bench.compare.sentences import CAVEAT
from firstpacket.bench.errors import RunError
from firstpacket.bench.format import amount, counted, number
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.schema import System
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS
from firstpacket.bench.summary.contents import Figure, LabelSummary, Summary

MACHINE = ("cpu", "gpu0", "cores_usable", "memory_mib", "os")
"""Facts of a segment's environment on the first screen, where they are known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first screen says about a run."""

    headlines: tuple[str, ...]
    attribution: str
    """The parts of the first headline's difference, in a sentence; empty where it is not known."""
    measured_on: str
    made_of: tuple[str, ...]
    """Each system's stages, their engines, and the language model with its size and origin; or its server."""
    notices: tuple[str, ...]

    @property
    def first_lines(self) -> tuple[str, ...]:
        """What a terminal shows: the headlines and the systems."""
        return (*(f"{each}." for each in self.headlines), *self.made_of)


def answer(
    run: Run,
    summary: Summary,
    packet: tuple[Comparison, ...],
    audible: tuple[Comparison, ...],
    attribution: str = "",
) -> Answer:
    """The first screen of one run, from comparisons of the same labels on first packet and first audible sample.

    `audible` is empty if turns ended after their first packet.
    """
    return Answer(
        headlines=_invalid(summary) or tuple(_headlines(run, summary, packet, audible)),
        attribution=attribution,
        measured_on=_measured_on(run, summary),
        made_of=tuple(
            _served(run, system) if system.kind == "remote" else _made_of(system, label.weights, _traced(label))
            for system, label in zip(run.manifest.labels, summary.labels, strict=True)
        ),
        notices=(*_quality(summary), *summary.notices, *_notices(run, summary)),
    )


def _headlines(
    run: Run, summary: Summary, packet: tuple[Comparison, ...], audible: tuple[Comparison, ...]
) -> Iterator[str]:
    """Each with the sizes of the language models and the machine, so that it can be quoted alone."""
    for of, heard in zip_longest(packet, audible):
        yield under(conditions(run, (of.base, of.other)), headline(of, heard))
    if not packet:
        yield from (under(conditions(run, (label.label,)), alone(label)) for label in summary.labels)


def _invalid(summary: Summary) -> tuple[str, ...]:
    """What is shown instead of results, where a run has none."""
    if not summary.invalid:
        return ()
    return (
        "This run is invalid: do not use its figures",
        *(each[:1].upper() + each[1:] for each in summary.invalid),
    )


def alone(label: LabelSummary) -> str:
    """One system's headline in a sentence, for a run with nothing to compare."""
    packet, audible = label.figures[HEADLINE], label.figures[FIRST_AUDIBLE]
    if packet.p50 is None:
        return f"{label.label} sent no first packet in {label.measured} measured turns"
    text = f"{label.label} sends its first packet after {_median(packet)}"
    if not label.left_early:
        text += f", its first audible sample after {_median(audible)}" if audible.p50 else ", but no audible sample"
    text += f": {_basis(packet)}" if audible.n in (0, packet.n) else f": {_basis(packet)} and {_basis(audible)}"
    return f"{text} [{CAVEAT}]" if label.dummy else text


def _median(figure: Figure) -> str:
    """`635 ms (95 % CI 610 to 660 ms)`, or the value alone."""
    assert figure.p50 is not None
    value = amount(figure.p50.value, figure.unit)
    bounds = figure.p50.interval
    if bounds is None:
        return value
    return f"{value} (95 % CI {number(bounds.low, figure.unit)} to {amount(bounds.high, figure.unit)})"


def _basis(figure: Figure) -> str:
    """`medians of 40 turns on 40 clips`, and where it applies, why there is no interval."""
    assert figure.p50 is not None
    text = f"medians of {counted(figure.n, 'turn')} on {counted(figure.p50.clusters, 'clip')}"
    return text if figure.p50.interval else f"{text} (no interval: at least {MIN_CLUSTERS} clips are needed)"


def between_runs(runs: tuple[Run, ...]) -> tuple[str, ...]:
    """Every later run against the first, label by label; or why they cannot be compared."""
    first, *others = runs
    said: list[str] = []
    for other in others:
        try:
            said += (found.statement for found in of_runs(first, other, Question()).findings)
        except RunError as error:
            said.append(str(error).removesuffix("."))
    return tuple(said)


def _quality(summary: Summary) -> tuple[str, ...]:
    """These come first: a fast reply that nobody can understand is no reply."""
    return tuple(notice for label in summary.labels for notice in quality_notices(label))


def _measured_on(run: Run, summary: Summary) -> str:
    clips = counted(len({turn.utterance for turn in run.turns if turn.is_measured}), "clip")
    turns = sum(label.measured for label in summary.labels)
    known = run.segments[0].environment if run.segments else {}
    units = {"cores_usable": " cores", "memory_mib": " MiB"}
    machine = ", ".join(f"{known[name]}{units.get(name, '')}" for name in MACHINE if known.get(name))
    what = f"{counted(turns, 'measured turn')} on {clips} of {run.manifest.corpus}, input {run.manifest.options.input}"
    return f"{what}; {machine}" if machine else what


def _made_of(system: System, weights: Sequence[Weights], traced: Collection[str]) -> str:
    """`cascade: asr faster-whisper → llm transformers (Llama, 3.2 M, demo) → tts espeak`: the stages that ran."""
    parts: list[str] = []
    stages = [stage for stage in system.stages if stage.id in traced] or system.stages
    for kind, group in groupby(stages, lambda stage: stage.kind):
        if kind == "other":
            parts += [stage.id for stage in group]
        else:
            model = _language_model(weights) if kind == "llm" else ""
            parts.append(" ".join(filter(None, (kind, system.engines.get(kind), model))))
    return f"{system.label}: {' → '.join(parts)}"


def _served(run: Run, system: System) -> str:
    """`realtime: speech-to-speech 1.1.0, dialect hf, at ws://127.0.0.1:8765/v1/realtime`: what is known of a server."""
    loaded = [facts.facts for segment in run.segments for facts in segment.labels if facts.label == system.label]
    known = {name: str(value) for facts in loaded for name, value in facts.items() if value not in (None, "")}
    parts = [known.get("server", "a server")]
    parts += [f"dialect {known['dialect']}"] if "dialect" in known else []
    parts += [f"at {system.options['url']}"] if system.options.get("url") else []
    return f"{system.label}: {', '.join(parts)}"


def _traced(label: LabelSummary) -> frozenset[str]:
    """The ids of stages that ran."""
    timed = (name.removeprefix("stage.").rpartition(".")[0] for name in label.figures)
    return frozenset((*timed, *(part.stage for part in label.path.parts)))


def _language_model(weights: Sequence[Weights]) -> str:
    """`(Llama, 3.2 M, demo)`; empty where no weights are declared as the language model's."""
    found = next((each for each in weights if each.part == "llm"), None)
    if found is None:
        return ""
    if found.origin == "none":  # a server's, which alone knows what it has
        return f"({found.source})"
    name = found.source if found.origin == "published" else found.detail
    return f"({', '.join(filter(None, (name, found.size, found.origin)))})"


def _notices(run: Run, summary: Summary) -> list[str]:
    said = list(_dummies(summary))
    for label in summary.labels:
        name = label.label
        said += _black_box(label)
        if label.measured < label.planned and summary.stopping is None:  # whose notice says so
            said.append(
                f"{name} has {label.measured} of {label.planned} planned measured turns: the run is unfinished."
            )
        if label.false_endpoints:
            said.append(
                f"{name} detected the end of the user's turn too early in {label.false_endpoints} of {label.measured} "
                "measured turns: it answered only part of the question, but its latencies count from the end of it all."
            )
        failed = {outcome: n for outcome, n in label.outcomes["measured"].items() if n and outcome != "answered"}
        if failed:
            counts = ", ".join(f"{n} {outcome}" for outcome, n in failed.items())
            said.append(
                f"{name}: {counts} of {label.measured} measured turns; figures cover only the turns that have them."
            )
    segments = {turn.segment for turn in run.turns}  # resuming a finished run adds one without turns
    if len(segments) > 1 and not run.manifest.replicated:
        said.append(f"The run was interrupted and resumed: it has {len(segments)} segments.")
    if predicted := outlook(run, summary):
        said.append(f"{predicted}.")
    return said


def _black_box(label: LabelSummary) -> Iterator[str]:
    """What a system that cannot be looked into, or a part of it, is no evidence for."""
    opaque = ", ".join(stage.id for stage in label.stages if stage.role == "opaque")
    if label.kind == "remote":
        yield (
            f"{label.label} cannot be looked into: it is compared by its latency, and is evidence for neither "
            "architecture, cascade or direct."
        )
    elif label.is_black_box:
        yield (
            f"A part of {label.label} cannot be looked into ({opaque}): how long it listens, thinks and speaks is not "
            "known."
        )


def _dummies(summary: Summary) -> Iterator[str]:
    """One notice for all systems with the same random values."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for label in summary.labels:
        if label.dummy:
            by_source[_dummy_sources(label)].append(label.label)
    for source, labels in by_source.items():
        use = "uses" if len(labels) == 1 else "use"
        yield f"{', '.join(labels)} {use} dummy weights ({source}; random values): {CAVEAT}."


def _dummy_sources(label: LabelSummary) -> str:
    """Where the random values come from, each source once: it names the size."""
    return "; ".join(dict.fromkeys(weights.source for weights in label.weights if weights.origin == "dummy"))

"""From a run to its summary, system by system."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from firstpacket.bench import notices
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.metrics.server import server
from firstpacket.bench.overhead import overhead
from firstpacket.bench.quality.record import Line, read_quality
from firstpacket.bench.record.schema import Phase, System, Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.sequential import sampling_of
from firstpacket.bench.summary.contents import PHASES, Cold, LabelSummary, Reason, Summary
from firstpacket.bench.summary.figures import continuity, figure, metric_names
from firstpacket.bench.summary.gpu import label_gpu
from firstpacket.bench.summary.licences import licences
from firstpacket.bench.summary.microphone import microphone
from firstpacket.bench.summary.path import hidden_work, mean_path, work_during_speech
from firstpacket.bench.summary.quality import label_quality
from firstpacket.bench.summary.stopping import StoppingResult, notice, stopping_result
from firstpacket.bench.summary.values import definition, label_weights, started
from firstpacket.bench.summary.warmth import LabelWarmth, warmth
from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.bench.vocabulary import OUTCOMES, Outcome

MOST_REASONS = 20
"""Of a system: servers may put something new into every message."""


def summarise(run: Run) -> Summary:
    """The summary of a run. Raises `RunError` if a turn holds a figure that has no definition."""
    manifest = run.manifest
    judged = read_quality(run)
    warm = warmth(run)
    stopping = stopping_result(run)
    labels = tuple(_label(run, plan, judged.lines, warm[plan.label], stopping) for plan in manifest.labels)
    return Summary(
        run=manifest.run,
        created=manifest.created,
        input=manifest.options.input,
        t0=manifest.t0,
        seed=manifest.options.seed,
        corpus=manifest.corpus,
        corpus_sha256=manifest.corpus_sha256,
        notices=(*manifest.notices, *run.notices, *judged.notices, *_said(run, warm, stopping), *_of_servers(labels)),
        labels=labels,
        microphone=microphone(run),
        stopping=stopping,
        licences=licences(manifest),
    )


def _said(run: Run, warm: Mapping[str, LabelWarmth], stopping: StoppingResult | None) -> Iterator[str]:
    """All notices about how the run was made."""
    if stopping is not None:
        yield notice(stopping)
    yield from (notice.text for notice in notices.of_run(run))
    for label, each in warm.items():
        found = notices.of_warmth(label, each.warm_ups, each.drift, each.carry_over, each.same_clip, each.order)
        yield from (notice.text for notice in found)


def _of_servers(labels: Iterable[LabelSummary]) -> Iterator[str]:
    for label in labels:
        if label.server is not None:
            silence = label.figures.get("leading_silence")
            found = notices.of_server(label.label, label.server, silence.p50 if silence else None)
            yield from (notice.text for notice in found)


def _label(
    run: Run, plan: System, judged: Sequence[Line], warm: LabelWarmth, stopping: StoppingResult | None
) -> LabelSummary:
    turns = [turn for turn in run.turns if turn.label == plan.label]
    measured = [turn for turn in turns if turn.is_measured]
    rule = run.manifest.stopping_rule
    sampling = sampling_of(rule.blocks if rule else None)
    ended_by_itself = (
        run.manifest.replicated or run.limit is not None or (stopping is not None and stopping.ended != "unfinished")
    )
    on_path = [turn for turn in measured if turn.path and turn.is_answered and started(turn)]
    return LabelSummary(
        label=plan.label,
        pipeline=plan.pipeline,
        kind=plan.kind,
        is_black_box=plan.is_black_box,
        stages=plan.stages,
        device=plan.device,
        dtype=plan.dtype,
        planned=len(measured) if ended_by_itself else run.manifest.turns,
        weights=label_weights(run, plan.label),
        outcomes=_outcomes(turns),
        figures={name: figure(definition(name), measured, sampling) for name in metric_names(measured)},
        continuity=continuity(measured),
        path=mean_path(on_path, plan),
        hidden=hidden_work(on_path),
        during_speech=work_during_speech(on_path),
        cold=_cold(run, plan.label, turns),
        instrument=overhead(run, plan.label, [turn for turn in measured if turn.is_answered]),
        flags=dict(sorted(Counter(flag for turn in measured for flag in turn.flags).items())),
        quality=label_quality(run, plan.label, judged),
        warmth=warm,
        gpu=label_gpu(turns, plan),
        server=server(turns, plan.kind == "remote"),
        reasons=_reasons(measured),
    )


def _outcomes(turns: Iterable[Turn]) -> dict[Phase, dict[Outcome, int]]:
    counted = Counter((turn.phase, turn.outcome) for turn in turns)
    return {phase: {outcome: counted[phase, outcome] for outcome in OUTCOMES} for phase in PHASES}


def _reasons(measured: Iterable[Turn]) -> tuple[Reason, ...]:
    counts = Counter((turn.outcome, turn.reason) for turn in measured if not turn.is_answered)
    return tuple(Reason(*which, n) for which, n in counts.most_common(MOST_REASONS))


def _cold(run: Run, label: str, turns: Iterable[Turn]) -> Cold:
    loads = [facts.load_ns for segment in run.segments for facts in segment.labels if facts.label == label]
    cold = [turn for turn in turns if turn.phase == "cold" and started(turn)]
    firsts = [turn.figures[HEADLINE] for turn in cold if HEADLINE in turn.figures]
    return Cold(tuple(ns / NS_PER_MS for ns in loads), tuple(ns / NS_PER_MS for ns in firsts))

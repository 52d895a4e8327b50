"""The median turn of every label, stage by stage along time from t0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.compare.words import amount
from bench.errors import RunError
from bench.metrics.definitions import HEADLINE
from bench.metrics.starts import start_ns
from bench.record.schema import Evidence, LabelPlan, Turn
from bench.record.store import Run
from bench.report.bars import Bar
from bench.report.scale import Scale
from bench.stats.quantiles import median
from bench.summary.values import NS_PER_MS, measured_turns

AFTER = 1.2
"""The picture ends at this multiple of the latest first packet: what follows it is not what is asked."""
BEFORE = 0.3
"""At most this share of the latest first packet is shown before t0, for pipelines that work while the user speaks."""
JOIN_PERCENT = 0.15
"""Stretches nearer to each other than this are drawn as one: nobody could see the gap."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stage's work on the host and on the GPU, and the moments (in per cent) at which it handed something on."""

    stage: str
    role: str
    host: tuple[Bar, ...]
    gpu: tuple[Bar, ...]
    hand_offs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """One turn laid out; positions in per cent of the scale."""

    label: str
    turn: int
    utterance: str
    first_packet_ms: float
    t0: float
    first_packet: float
    rows: tuple[Row, ...]
    packets: tuple[float, ...]
    clock_error_ms: float


@dataclass(frozen=True, slots=True)
class Timelines:
    """All labels' median turns on one scale; `problems` says why one is missing."""

    scale: Scale | None
    turns: tuple[Timeline, ...]
    problems: tuple[str, ...]


def median_turn(run: Run, label: str) -> Turn | None:
    """The measured turn whose first packet is nearest to the label's median, the earliest of several; None without."""
    turns = [turn for turn in measured_turns(run, label) if HEADLINE in turn.figures]
    if not turns:
        return None
    middle = median([turn.figures[HEADLINE] for turn in turns])
    return min(turns, key=lambda turn: (abs(turn.figures[HEADLINE] - middle), turn.turn))


def timelines(run: Run) -> Timelines:
    """The median turn of every label; one whose evidence is damaged is left out and named."""
    found: list[tuple[LabelPlan, Turn, Evidence]] = []
    problems = []
    for plan in run.manifest.labels:
        turn = median_turn(run, plan.label)
        if turn is None:
            problems.append(f"{plan.label} has no turn with a first packet.")
            continue
        try:
            found.append((plan, turn, run.evidence(turn)))
        except RunError as error:
            problems.append(str(error))
    scale = _scale([(turn, evidence) for _, turn, evidence in found])
    if scale is None:
        return Timelines(None, (), tuple(problems))
    return Timelines(scale, tuple(_timeline(*each, scale) for each in found), tuple(problems))


def _scale(turns: Sequence[tuple[Turn, Evidence]]) -> Scale | None:
    """From the first work (not too long before t0) to a little after the latest first packet."""
    latest = max((turn.figures[HEADLINE] / NS_PER_MS for turn, _ in turns), default=0.0)
    if latest <= 0:
        return None
    starts = [span.start_ns - start_ns(seen) for _, seen in turns for span in seen.trace.spans]
    earliest = min(starts, default=0) / NS_PER_MS
    return Scale(max(min(0.0, earliest), -BEFORE * latest), AFTER * latest)


def _timeline(plan: LabelPlan, turn: Turn, evidence: Evidence, scale: Scale) -> Timeline:
    trace, t0_ns = evidence.trace, start_ns(evidence)

    def ms(at_ns: int) -> float:
        return (at_ns - t0_ns) / NS_PER_MS

    roles = {stage.id: stage.role for stage in plan.stages}
    stages = dict.fromkeys([*roles, *(span.stage for span in trace.spans)])
    rows = []
    for stage in stages:
        spans = [span for span in trace.spans if span.stage == stage]
        host = _bars(
            ((ms(span.start_ns), ms(span.end_ns)) for span in spans), scale, stage, roles.get(stage, ""), "host"
        )
        on_gpu = ((ms(span.gpu.start_ns), ms(span.gpu.end_ns)) for span in spans if span.gpu is not None)
        gpu = _bars(on_gpu, scale, stage, roles.get(stage, ""), "gpu")
        hand_offs = _moments((ms(item.at_ns) for item in trace.hand_offs if item.stage == stage), scale)
        if host or gpu or hand_offs:
            rows.append(Row(stage, roles.get(stage, ""), host, gpu, hand_offs))
    first_ms = turn.figures[HEADLINE] / NS_PER_MS
    return Timeline(
        label=plan.label,
        turn=turn.turn,
        utterance=turn.utterance,
        first_packet_ms=first_ms,
        t0=scale.at(0),
        first_packet=scale.at(first_ms),
        rows=tuple(rows),
        packets=_moments((ms(packet.at_ns) for packet in trace.packets), scale),
        clock_error_ms=turn.path_error_ns / NS_PER_MS,
    )


def _bars(stretches: Iterable[tuple[float, float]], scale: Scale, stage: str, role: str, kind: str) -> tuple[Bar, ...]:
    """Stretches (start and end in ms) as bars; what lies wholly outside is left out, near neighbours become one."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if end < scale.start_ms or start > scale.end_ms:
            continue
        if joined and scale.at(start) - scale.at(joined[-1][1]) < JOIN_PERCENT:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(
        Bar(
            scale.at(start),
            scale.at(end) - scale.at(start),
            role,
            kind,
            stage,
            f"{stage}, {kind}: {amount(start, 'ms')} to {amount(end, 'ms')}",
        )
        for start, end in joined
    )


def _moments(moments: Iterable[float], scale: Scale) -> tuple[float, ...]:
    """Moments (ms) within the scale, in per cent, without those too near to the one before to be seen."""
    shown: list[float] = []
    for ms in sorted(moments):
        if scale.start_ms <= ms <= scale.end_ms and (not shown or scale.at(ms) - shown[-1] >= JOIN_PERCENT):
            shown.append(scale.at(ms))
    return tuple(shown)

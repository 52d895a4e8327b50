"""How a run was made: what a reader needs to judge or repeat it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from firstpacket.bench.calibration import NEVER, ruler
from firstpacket.bench.format import counted
from firstpacket.bench.host.listeners import LocalServer
from firstpacket.bench.metrics import carry_over, drift
from firstpacket.bench.metrics.audible_onset import Audible
from firstpacket.bench.overhead import overhead
from firstpacket.bench.record.schema import Manifest, Segment
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, RESAMPLES
from firstpacket.bench.stats.paired import DIFFERENCE, RATIO
from firstpacket.bench.stats.quantiles import INTERPOLATION, values_needed
from firstpacket.bench.stats.sequential import check_level
from firstpacket.bench.summary.figures import PERCENTILES
from firstpacket.bench.timing.clock import NS_PER_MS

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Method:
    """Named facts, group by group."""

    groups: tuple[tuple[str, Facts], ...]


def method(run: Run) -> Method:
    """Everything that the manifest and the segments record about how the run was made."""
    alike = [list(group) for _, group in groupby(run.segments, key=_lasting)]
    segments = [(f"Machine, {_which(group)}", _facts(group[0].environment)) for group in alike]
    packages = {name: version for segment in run.segments for name, version in segment.packages.items()}
    labels = [(f"System {plan.label}", _label_facts(run, plan.label)) for plan in run.manifest.labels]
    groups = (
        ("Run", _run_facts(run)),
        ("Corpus", _corpus_facts(run)),
        ("Statistics", _statistics()),
        *labels,
        *segments,
        ("Packages", _facts(packages)),
    )
    return Method(tuple(group for group in groups if group[1]))


def _lasting(segment: Segment) -> dict[str, object]:
    """What is the same in every start on a machine that is left alone."""
    return {name: value for name, value in segment.environment.items() if name != "memory_available_mib"}


def _which(alike: Sequence[Segment]) -> str:
    """The segments on a machine in one state, for people."""
    first, last = alike[0], alike[-1]
    numbers = f"segment {first.segment}" if first is last else f"segments {first.segment} to {last.segment}"
    return f"{numbers} ({first.started})"


def _run_facts(run: Run) -> Facts:
    manifest = run.manifest
    error_ns = max((turn.path_error_ns for turn in run.turns), default=0)
    return (
        ("command", shlex.join(manifest.command)),
        ("created", manifest.created),
        ("t0", manifest.t0),
        ("audible", str(Audible.of(manifest.options))),
        ("input", _input(manifest)),
        *(
            [("NVTX ranges", "around every stage; their cost is part of the measurement overhead")]
            if manifest.options.nvtx
            else []
        ),
        ("order", f"seeded random blocks, seed {manifest.options.seed}; systems interleaved in each block"),
        *([("workers pinned to CPU", manifest.options.pin)] if manifest.options.pin else []),
        ("turns per system", _turns(run)),
        *([("turns end", "once their first packet has come")] if manifest.leaves_early else []),
        *([("pause between turns", f"{manifest.options.pace_ms:g} ms")] if manifest.options.pace_ms else []),
        ("deadline", f"{1000 * manifest.options.deadline:g} ms to the first packet"),
        (
            "clock error",
            f"at most {error_ns / NS_PER_MS:.3f} ms where a boundary is a GPU event" if error_ns else "host clock only",
        ),
        ("measurement error", "; ".join(dict.fromkeys(ruler(each.environment) for each in run.segments)) or NEVER),
    )


def _turns(run: Run) -> str:
    manifest, options, rule = run.manifest, run.manifest.options, run.manifest.warmup_rule
    idle = f", and {options.idle_turns} after idling for {options.idle:g} s" if options.idle else ""
    measured = f"{manifest.turns} measured"
    if manifest.replicated:
        turns = len(run.measured()) // len(manifest.labels)
        measured = f"{turns} measured in {counted(len(run.segments), 'start')} of fresh processes"
    if stopping := manifest.stopping_rule:
        measured = (
            f"measured until the interval is within {stopping}, checked after 1, 2, 4, ... passes over the corpus; "
        )
        most = f"{stopping.blocks} passes ({counted(manifest.turns, 'turn')}) and {stopping.minutes:g} minutes"
        level = f"{100 * check_level(stopping.blocks):.2f} %"
        measured += f"at most {most}; each check uses {level} intervals, so that all checks together cover 95 %"
    if not rule:
        return f"{measured} after {manifest.warmup} to warm up{idle}"
    return (
        f"{measured}{idle}, after a warm-up on {rule.clip} until, among the last {rule.window} first "
        f"packets, the newer half was at most {100 * rule.step:.0f} % faster and all but two were within "
        f"{100 * rule.band:.0f} % (or "
        f"{rule.floor_ms:g} ms); at most {rule.most} turns, none started after {rule.budget_s:g} s"
    )


def _input(manifest: Manifest) -> str:
    options = manifest.options
    late = f"; frames may come {options.microphone_limit_ms:g} ms late" if options.input == "realtime" else ""
    return options.input + late


def _corpus_facts(run: Run) -> Facts:
    manifest = run.manifest
    seconds = sum(utterance.duration_ms for utterance in manifest.utterances) / 1000
    return (
        ("name", manifest.corpus),
        ("sha256", manifest.corpus_sha256),
        ("clips", f"{len(manifest.utterances)}, {seconds:.1f} s in total"),
        ("end of speech", _counts(utterance.speech_end_source for utterance in manifest.utterances)),
        ("licences", _counts(utterance.licence or "not stated" for utterance in manifest.utterances)),
    )


def _statistics() -> Facts:
    needed = ", ".join(f"{name} {values_needed(q)}" for name, q in PERCENTILES.items())
    return (
        (
            "intervals",
            f"95 %, expanded percentile bootstrap over clips, {RESAMPLES} resamples; none below {MIN_CLUSTERS} clips",
        ),
        ("difference", DIFFERENCE),
        ("ratio", RATIO),
        ("quantiles", INTERPOLATION),
        ("turns needed", needed),
        (
            "early drift",
            f"rank test, first fifth of a system's turns against the rest; reported at p ≤ {drift.ALPHA:g}",
        ),
        (
            "carry-over",
            f"turns grouped by the preceding system, against {carry_over.REDRAWS} re-randomised orders; Holm-corrected "
            f"over the systems, reported at p ≤ {carry_over.ALPHA:g}",
        ),
    )


def _label_facts(run: Run, label: str) -> Facts:
    plan = run.plan(label)
    told = [facts.facts for segment in run.segments for facts in segment.labels if facts.label == label]
    loaded = {name: value for facts in told for name, value in facts.items()}
    fixed = (("pipeline", plan.pipeline), ("device", plan.device), ("dtype", plan.dtype))
    used = [
        server for segment in run.segments for each in segment.labels if each.label == label for server in each.servers
    ]
    servers = {f"processes of {each.url}": _processes(each) for each in used}
    return (
        *fixed,
        *_facts(plan.options),
        *_facts(loaded),
        *_facts(servers),
        ("measurement overhead", _tax(run, label)),
    )


def _processes(server: LocalServer) -> str:
    ids = ", ".join(map(str, server.pids))
    return f"{', '.join(server.names)} ({ids}): they count as the system's own" if ids else "not visible to this user"


def _tax(run: Run, label: str) -> str:
    cost = overhead(run, label, [turn for turn in run.measured(label) if turn.is_answered])
    if cost is None:
        return "not measured"
    return (
        f"at most {100 * cost.share:.2f} % of the time to first packet, {100 * cost.largest_share:.2f} % in the "
        f"worst turn "
        f"({cost.recordings:.0f} trace records of at most {cost.event_cost_us:.1f} µs)"
    )


def _facts(values: Mapping[str, object]) -> Facts:
    return tuple((name, str(value)) for name, value in values.items() if value not in (None, ""))


def _counts(names: Iterable[str]) -> str:
    """How often each name occurs, the most frequent first."""
    counted = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} ({n})" for name, n in counted)

"""Whether a run continues a series: the rules of `bench/compare` for one label over time."""

from __future__ import annotations

from firstpacket.bench.compare.comparable import over_time
from firstpacket.bench.metrics.definitions import Metric
from firstpacket.bench.record.store import Run


def mismatches(base: Run, other: Run, label: str, known: Metric) -> tuple[str, ...]:
    """Why two runs of a label must not be joined. Two rules are relaxed, so that a series follows changes of the code:

    an option that only one run knows was added or removed with the code, and only the metric's own definition counts.
    Since a history shows medians, not pairs, the clips must be the same too.
    """
    excused = set()
    if _shared_options_match(base, other, label):
        excused.add("options")
    if _version(base, known) == _version(other, known):
        excused.add("definitions")
    found = [each.reason for each in over_time(base, other, label) if each.rule not in excused]
    return (*found, *_clips(base, other))


def _shared_options_match(base: Run, other: Run, label: str) -> bool:
    a, b = base.plan(label).options, other.plan(label).options
    return all(a[name] == b[name] for name in a.keys() & b.keys())


def _version(run: Run, known: Metric) -> int | None:
    """The version of the metric's definition in a run; all stages share one."""
    name = f"stage.{known.name.rpartition('.')[2]}" if known.name.startswith("stage.") else known.name
    return next((segment.metrics[name] for segment in run.segments if name in segment.metrics), None)


def _clips(base: Run, other: Run) -> tuple[str, ...]:
    a, b = ({(each.id, each.sha256, each.speech_end_ms) for each in run.manifest.utterances} for run in (base, other))
    if a == b:
        return ()
    return (f"the clips differ ({len(a)} and {len(b)}, of which {len(a & b)} are the same)",)

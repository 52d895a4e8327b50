"""The turns of a system in a run, and their figures in display units."""

from __future__ import annotations

from firstpacket.bench.errors import RunError
from firstpacket.bench.metrics.definitions import Metric, metric
from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.contents import Unit
from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.bench.vocabulary import Flag


def label_weights(run: Run, label: str) -> tuple[Weights, ...]:
    """All weights that a system used in any segment, each once."""
    facts = [facts for segment in run.segments for facts in segment.labels if facts.label == label]
    return tuple(dict.fromkeys(weights for each in facts for weights in each.weights))


def definition(name: str) -> Metric:
    """A metric's definition. Raises `RunError` for a name this version does not know."""
    try:
        return metric(name)
    except KeyError:
        raise RunError(
            f"The run has the figure '{name}', which this version does not define. "
            "Read the run with the version that wrote it, or a newer one."
        ) from None


def shown_value(turn: Turn, known: Metric) -> float | None:
    """A turn's figure in the unit that summaries show (ns become ms); None where the turn has none.

    Only answered turns have figures to show: packets of silence, or packets before a failure, are no answer. Figures
    that count from t0 are shown only if the chosen event occurred, so that figures from different clocks never mix.
    """
    value = turn.figures.get(known.name) if turn.is_answered else None
    if value is None or (known.start == "t0" and not started(turn)):
        return None
    return value / NS_PER_MS if known.unit == "ns" else float(value)


def started(turn: Turn) -> bool:
    """Whether the event chosen as t0 occurred in a turn."""
    return Flag.NO_SUCH_START not in turn.flags


def shown_unit(known: Metric) -> Unit:
    """The unit that summaries show a metric in."""
    return "ms" if known.unit == "ns" else known.unit

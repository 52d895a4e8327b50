"""One metric over a system's measured turns. Figures come from answered turns; the others are counted as missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE, TURN_METRICS, Metric
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.stats.bootstrap import SAMPLING, Sampling, estimate
from firstpacket.bench.stats.quantiles import Quantile, censored_quantile, supported_quantile
from firstpacket.bench.summary.contents import Figure
from firstpacket.bench.summary.values import definition, shown_unit, shown_value

PERCENTILES = {"p90": 0.90, "p95": 0.95, "p99": 0.99}
DEFICIT_LIMITS_MS = (50, 100, 200)


def metric_names(turns: Iterable[Turn]) -> list[str]:
    """The headline, the audible latency and whatever else any turn has, in the order of the definitions."""
    found = {name for turn in turns for name in turn.figures} | {HEADLINE, FIRST_AUDIBLE}
    listed = [known.name for known in TURN_METRICS if known.name in found]
    return listed + sorted(found.difference(listed))


def figure(known: Metric, turns: Sequence[Turn], sampling: Sampling = SAMPLING) -> Figure:
    """One metric over `turns`, all of one system and measured."""
    values, clips, missing = [], [], Counter[str]()
    for turn in turns:
        value = shown_value(turn, known)
        if value is None:
            missing[turn.outcome] += 1
        else:
            values.append(value)
            clips.append(turn.utterance)
    unknown = not known.known_at_first_packet and any(turn.left_early for turn in turns)
    return Figure(
        metric=known.name,
        title=known.title,
        unit=shown_unit(known),
        version=known.version,
        n=len(values),
        missing=dict(sorted(missing.items())),
        p50=estimate(values, clips, sampling=sampling) if values else None,
        mean=sum(values) / len(values) if values else None,
        percentiles={name: supported_quantile(values, q) for name, q in PERCENTILES.items()},
        counting_all=_counting_all(values, missing.total()) if known.is_answer and not unknown else {},
    )


def _counting_all(values: Sequence[float], unanswered: int) -> dict[str, Quantile]:
    return {name: censored_quantile(values, unanswered, q) for name, q in ({"p50": 0.5} | PERCENTILES).items()}


def continuity(turns: Sequence[Turn]) -> dict[str, float | None]:
    """Replies of one packet cannot stall and are left out; None if there are no others."""
    deficits = [shown_value(turn, definition("underrun_max")) for turn in turns]
    known = [deficit for deficit in deficits if deficit is not None]
    return {
        f"C{limit}": sum(deficit <= limit for deficit in known) / len(known) if known else None
        for limit in DEFICIT_LIMITS_MS
    }

"""A label's warmth as plain JSON values: `labels.LABEL.warmth` of `bench show --json`. Absent figures are null."""

from __future__ import annotations

from typing import Any

from firstpacket.bench.metrics.carry_over import CarryOver
from firstpacket.bench.metrics.drift import Drift
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.summary.warmth import LabelWarmth


def warmth_json(found: LabelWarmth) -> dict[str, Any]:
    """What is known of the label's warmth, times in ms.

    classes.CLASS    asked n p50 p50_low p50_high over_warm over_warm_low over_warm_high: first packets of the classes
                     cold, warmup, measured, idle, idle_first; over_warm against measured turns of the same clip
    warm_ups[]       segment turns state last used: those that were looked at while they went on
    drift            n_early n_later excess excess_low excess_high later_p50 p by_clip notable
    carry_over       n p adjusted_p significant
      .after.LABEL   n difference difference_low difference_high: right after that label, against after all others
    """
    return {
        "classes": {
            name: {
                "asked": each.asked,
                "n": each.first_packet.n if each.first_packet else 0,
                **_estimate(each.first_packet, "p50"),
                **_estimate(each.over_warm, "over_warm"),
            }
            for name, each in found.classes.items()
        },
        "warm_ups": [
            {
                "segment": each.segment,
                "turns": each.turns,
                "state": each.state,
                "last": list(each.last_ms),
                "used": each.used,
            }
            for each in found.warm_ups
        ],
        "drift": _drift(found.drift) if found.drift else None,
        "carry_over": _carry_over(found.carry_over) if found.carry_over else None,
    }


def _drift(found: Drift) -> dict[str, Any]:
    return {
        "n_early": found.early,
        "n_later": found.later,
        **_estimate(found.excess, "excess"),
        "later_p50": found.later_ms,
        "p": found.p,
        "by_clip": found.by_clip,
        "notable": found.notable,
    }


def _carry_over(found: CarryOver) -> dict[str, Any]:
    return {
        "n": found.n,
        "p": found.p,
        "adjusted_p": found.adjusted_p,
        "significant": found.significant,
        "after": {
            each.predecessor: {"n": each.difference.n, **_estimate(each.difference, "difference")}
            for each in found.after
        },
    }


def _estimate(found: Estimate | None, name: str) -> dict[str, float | None]:
    interval = found.interval if found else None
    return {
        name: found.value if found else None,
        f"{name}_low": interval.low if interval else None,
        f"{name}_high": interval.high if interval else None,
    }

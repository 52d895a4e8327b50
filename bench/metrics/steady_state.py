"""When a label counts as warm: seen in its latencies on one and the same clip, asked again and again.

A label has settled when, of its last `window` answered turns,

- the median of the newer half lies at most `step` under that of the older half: it is not getting faster any more; and
- all but the highest and the lowest lie within `band` of the median: that can be told from noise.

Both are shares of the median, or `floor_ms`, whichever is more. Medians and the two that are left out keep a single
stall from deciding. Where nothing ever settles the search ends politely, as in nvbench's `stdrel` criterion: after
`most` turns, after `budget_s`, or at once for a label that gives no answer twice running.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from firstpacket.bench.metrics.latency import first_packet_ms
from firstpacket.bench.record.rules import WarmupRule
from firstpacket.bench.record.schema import Turn

State = Literal["settled", "open", "limit", "silent"]
"""`open`: not yet; `limit`: not within `most` turns; `silent`: no answer twice running."""
GIVE_UP = 2
"""Turns without an answer, one after another, after which a label is not warmed up any further."""


def state(latencies_ms: Sequence[float | None], rule: WarmupRule) -> State:
    """How a label stands after these turns on the rule's clip, None for one without an answer."""
    answered = [latency for latency in latencies_ms if latency is not None]
    if is_steady(answered[-rule.window :], rule):
        return "settled"
    if len(latencies_ms) >= rule.most:
        return "limit"
    if len(latencies_ms) >= GIVE_UP and not any(latency is not None for latency in latencies_ms[-GIVE_UP:]):
        return "silent"
    return "open"


def is_steady(latencies_ms: Sequence[float], rule: WarmupRule) -> bool:
    """Whether so many latencies, oldest first, meet both conditions of the rule; never with fewer than its window."""
    if len(latencies_ms) < max(rule.window, 4):
        return False
    half = len(latencies_ms) // 2
    older, newer, middle = median(latencies_ms[:half]), median(latencies_ms[-half:]), median(latencies_ms)
    _, *inner, _ = sorted(latencies_ms)
    step, band = (max(share * abs(middle), rule.floor_ms) for share in (rule.step, rule.band))
    return older - newer <= step and inner[-1] - inner[0] <= band


@dataclass(frozen=True, slots=True)
class WarmUp:
    """One warm-up of a label, after one cold turn: how many turns of the rule's clip it took, and how it ended."""

    label: str
    segment: int
    turns: int
    state: State
    last_ms: tuple[float, ...]
    """The first packets that the rule looked at last."""
    used: bool
    """Whether anything was measured after it."""


def warm_ups(turns: Sequence[Turn], rule: WarmupRule) -> tuple[WarmUp, ...]:
    """Every warm-up of one label, from its turns in the order of the record."""
    found: list[list[Turn]] = []
    for turn in turns:
        if turn.phase == "cold":
            found.append([])
        if found:
            found[-1].append(turn)
    return tuple(_warm_up(each, rule) for each in found)


def _warm_up(turns: Sequence[Turn], rule: WarmupRule) -> WarmUp:
    looked_at = [turn for turn in turns if turn.phase == "warmup" and turn.utterance == rule.clip]
    seen = [first_packet_ms(turn) for turn in looked_at]
    last = [value for value in seen if value is not None][-rule.window :]
    first, used = turns[0], any(turn.phase in ("measured", "idle") for turn in turns)
    return WarmUp(first.label, first.segment, len(seen), state(seen, rule), tuple(last), used)

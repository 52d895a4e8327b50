"""Whether warm-up is over: decided by a system's latencies on one clip that it answers again and again.

A system is steady if, of its last `window` answered turns,

- the median of the newer half is at most `step` below that of the older half (it is no longer getting faster), and
- all but the highest and the lowest are within `band` of the median (what remains is noise).

Both are shares of the median, or `floor_ms` if that is more. Medians and the two left out prevent a single stall from
deciding. A system that never becomes steady stops after `most` turns or after `budget_s`, like nvbench's `stdrel`
criterion, and at once if it fails two turns in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from firstpacket.bench.metrics.latency import first_packet_ms
from firstpacket.bench.record.rules import WarmupRule
from firstpacket.bench.record.schema import Turn

State = Literal["steady", "unsteady", "limit", "silent"]
"""`open`: not yet; `limit`: not within `most` turns; `silent`: no answer twice running."""
GIVE_UP = 2
"""Turns without an answer in a row after which the warm-up of a system ends."""


def state(latencies_ms: Sequence[float | None], rule: WarmupRule) -> State:
    """The state of a system's warm-up after these turns on the rule's clip; None is a turn without an answer."""
    answered = [latency for latency in latencies_ms if latency is not None]
    if is_steady(answered[-rule.window :], rule):
        return "steady"
    if len(latencies_ms) >= rule.most:
        return "limit"
    if len(latencies_ms) >= GIVE_UP and not any(latency is not None for latency in latencies_ms[-GIVE_UP:]):
        return "silent"
    return "unsteady"


def is_steady(latencies_ms: Sequence[float], rule: WarmupRule) -> bool:
    """Whether the latencies, oldest first, meet both conditions of the rule; never with fewer than its window."""
    if len(latencies_ms) < max(rule.window, 4):
        return False
    half = len(latencies_ms) // 2
    older, newer, middle = median(latencies_ms[:half]), median(latencies_ms[-half:]), median(latencies_ms)
    _, *inner, _ = sorted(latencies_ms)
    step, band = (max(share * abs(middle), rule.floor_ms) for share in (rule.step, rule.band))
    return older - newer <= step and inner[-1] - inner[0] <= band


@dataclass(frozen=True, slots=True)
class WarmUp:
    """One warm-up of a system, from its cold turn on: how many turns of the rule's clip it took, and how it ended."""

    label: str
    segment: int
    turns: int
    state: State
    last_ms: tuple[float, ...]
    """The first packets that the rule was last applied to."""
    used: bool
    """Whether anything was measured after it."""


def warm_ups(turns: Sequence[Turn], rule: WarmupRule) -> tuple[WarmUp, ...]:
    """Every warm-up of one system, from its turns in recorded order."""
    by_start: list[list[Turn]] = []
    for turn in turns:
        if turn.phase == "cold":
            by_start.append([])
        if by_start:
            by_start[-1].append(turn)
    return tuple(_warm_up(each, rule) for each in by_start)


def _warm_up(turns: Sequence[Turn], rule: WarmupRule) -> WarmUp:
    on_clip = [turn for turn in turns if turn.phase == "warmup" and turn.utterance == rule.clip]
    latencies_ms = [first_packet_ms(turn) for turn in on_clip]
    last = [latency for latency in latencies_ms if latency is not None][-rule.window :]
    first, used = turns[0], any(turn.phase in ("measured", "idle") for turn in turns)
    return WarmUp(first.label, first.segment, len(latencies_ms), state(latencies_ms, rule), tuple(last), used)

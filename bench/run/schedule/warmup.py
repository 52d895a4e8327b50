"""Warm-up turns until every system's latency is stable."""

from __future__ import annotations

from collections.abc import Sequence

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.metrics.latency import first_packet_ms
from firstpacket.bench.metrics.warmup_decision import state
from firstpacket.bench.record.rules import WarmupRule
from firstpacket.bench.run.schedule.base import Ended, Plan, PlannedTurn, Step
from firstpacket.bench.run.schedule.orders import opening


def warmup_rule(clips: Sequence[Utterance]) -> WarmupRule:
    """The rule for a corpus.

    It uses one of the shorter clips (the lower quartile): with realtime input a turn takes as long as its clip, and the
    very shortest may be atypical.
    """
    ordered = _by_length(clips)
    return WarmupRule(clip=ordered[(len(ordered) - 1) // 4].id)


class UntilSteady:
    """Opening turns, then turns on the rule's clip, round by round, of every system that is not stable yet."""

    def __init__(self, labels: Sequence[str], rule: WarmupRule, clips: Sequence[Utterance]) -> None:
        self._rule = rule
        self._opening = Plan(opening(labels, rule.clip, _by_length(clips)[-1].id))
        self._latencies_ms: dict[str, list[float | None]] = {label: [] for label in labels}
        self._unsteady = list(labels)
        self._round: list[str] = []
        self._running = ""
        self._deadline_ns: int | None = None

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        """The next warm-up turn; None once all are stable, or the limits of the rule are reached."""
        if self._deadline_ns is None:
            self._deadline_ns = now_ns + round(self._rule.budget_s * 1e9)
        if (step := self._opening.next(ended, now_ns)) is not None:
            return step
        if self._running:
            self._judge(self._running, ended[-1], late=now_ns > self._deadline_ns)
        self._round = self._round or list(self._unsteady)
        self._running = self._round.pop(0) if self._round else ""
        return PlannedTurn(0, -1, "warmup", self._running, self._rule.clip) if self._running else None

    def _judge(self, label: str, last: Ended, late: bool) -> None:
        latencies_ms = self._latencies_ms[label]
        latencies_ms.append(first_packet_ms(last.turn) if last.turn else None)
        if (late and len(latencies_ms) >= self._rule.window) or state(latencies_ms, self._rule) != "unsteady":
            self._unsteady.remove(label)


def _by_length(clips: Sequence[Utterance]) -> list[Utterance]:
    return sorted(clips, key=lambda clip: (clip.speech_end_ms, clip.id))

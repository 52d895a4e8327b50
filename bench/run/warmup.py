"""Before the measured turns: a cold turn of every label, then so many as were asked for, or until each is seen warm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.metrics.latency import first_packet_ms
from firstpacket.bench.metrics.settling import state
from firstpacket.bench.record.schema import Manifest, Turn
from firstpacket.bench.record.settling import Settling
from firstpacket.bench.run.plan import PlannedTurn, opening, warm_up
from firstpacket.bench.timing.clock import Clock

Put = Callable[[PlannedTurn], Turn | None]
"""Asks a turn and gives its record; None where the label's process is gone."""


def settling(clips: Sequence[Utterance]) -> Settling:
    """The rule for a corpus.

    It looks on one of the shorter clips (the lower quartile): with realtime input a turn takes as long as its clip, and
    the very shortest may be an oddity.
    """
    ordered = _by_length(clips)
    return Settling(clip=ordered[(len(ordered) - 1) // 4].id)


def warm_labels(
    labels: Sequence[str], manifest: Manifest, clips: Sequence[Utterance], seed: int, clock: Clock, put: Put
) -> None:
    """Run the cold turn and the warm-up turns of `labels`, interleaved, as the manifest says."""
    rule = manifest.settling
    if rule is None:
        for ask in warm_up(labels, [clip.id for clip in clips], manifest.warmup, seed):
            put(ask)
        return
    until_ns = clock.now_ns() + round(rule.budget_s * 1e9)
    for ask in opening(labels, rule.clip, _by_length(clips)[-1].id):
        put(ask)
    seen: dict[str, list[float | None]] = {label: [] for label in labels}
    unsettled = list(labels)
    while unsettled:
        for label in tuple(unsettled):
            turn = put(PlannedTurn(0, -1, "warmup", label, rule.clip))
            seen[label].append(first_packet_ms(turn) if turn else None)
            late = len(seen[label]) >= rule.window and clock.now_ns() > until_ns
            if late or state(seen[label], rule) != "open":
                unsettled.remove(label)


def _by_length(clips: Sequence[Utterance]) -> list[Utterance]:
    return sorted(clips, key=lambda clip: (clip.speech_end_ms, clip.id))

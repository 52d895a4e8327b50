"""A stored turn's headline figure, for analyses of many turns."""

from __future__ import annotations

from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.bench.vocabulary import Flag


def first_packet_ms(turn: Turn) -> float | None:
    """First packet latency; None unless the turn was answered."""
    return turn.figures[HEADLINE] / NS_PER_MS if turn.is_answered and HEADLINE in turn.figures else None


def comparable_ms(turn: Turn) -> float | None:
    """The same, but also None if the declared t0 did not happen, so that it counts from another start."""
    return None if Flag.NO_SUCH_START in turn.flags else first_packet_ms(turn)

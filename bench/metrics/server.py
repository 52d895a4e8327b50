"""A system's server, as its client sees it: connections, round trips, pace of the audio, rate limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from firstpacket.bench.contract import computed
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.metrics.latency import first_packet_ms
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.stats.bootstrap import Estimate, estimate
from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.bench.vocabulary import Flag

E2E = "e2e"
"""Name of the server-reported figure for a whole turn."""
END_TO_END = f"server.{E2E}"
PACED = 0.10
"""Audio whose speed is within this share of playback is paced..."""
MOST = 0.75
"""... if at least this share of the replies is."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Connections opened before turns of any phase; `setup` in ms."""

    made: int
    setup: Estimate
    renewed: tuple[int, ...]
    """Numbers of the turns before which the connection had ended and was reopened."""


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Pings outside the turns' time, the fastest around each measured turn, ms."""

    median: Estimate
    fastest: float
    jitter: float
    """Mean change from one turn to the next."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the audio of answered turns arrived."""

    replies: int
    one_packet: int
    """Replies in one packet, which have no pace."""
    rtf: Estimate | None
    """First to last packet, divided by the audio after the first packet: 1 is the speed of playback."""
    as_played: int
    """Replies that arrived at the speed of playback."""

    @computed
    def paced(self) -> bool:
        """Whether most replies arrived at the speed of playback: how fast they were generated is then unknown."""
        return bool(self.rtf) and self.as_played >= MOST * (self.replies - self.one_packet)


@dataclass(frozen=True, slots=True)
class Server:
    """What is known about a system's server; None for what did not occur."""

    sessions: Sessions | None
    round_trips: RoundTrips | None
    pace: Pace | None
    rate_limit_left: float | None
    """The lowest remaining share of any of its limits in any turn."""
    over_e2e: Estimate | None
    """First packet minus the server's figure for the whole turn, turn by turn, ms."""


def server(turns: Sequence[Turn], is_remote: bool) -> Server | None:
    """From all turns of a system; None if it is not remote and no turn has figures of a server."""
    shows = {"session_setup", "round_trip", "rate_limit_left"}
    if not is_remote and not any(
        name in shows or name.startswith("server.") for turn in turns for name in turn.figures
    ):
        return None
    measured = [turn for turn in turns if turn.is_measured]
    left = [turn.figures["rate_limit_left"] for turn in turns if "rate_limit_left" in turn.figures]
    return Server(
        sessions=_sessions(turns),
        round_trips=_round_trips(measured),
        pace=_pace([turn for turn in measured if turn.is_answered and not turn.left_early]),
        rate_limit_left=min(left, default=None),
        over_e2e=_over_e2e(measured),
    )


def _sessions(turns: Sequence[Turn]) -> Sessions | None:
    having = [turn for turn in turns if "session_setup" in turn.figures]
    renewed = tuple(turn.turn for turn in having if Flag.SESSION_RENEWED in turn.flags)
    return Sessions(len(having), _median_ms(having, "session_setup"), renewed) if having else None


def _round_trips(turns: Sequence[Turn]) -> RoundTrips | None:
    having = [turn for turn in turns if "round_trip" in turn.figures]
    if not having:
        return None
    values = [turn.figures["round_trip"] / NS_PER_MS for turn in having]
    changes = [abs(b - a) for a, b in pairwise(values)]
    return RoundTrips(_median_ms(having, "round_trip"), min(values), fmean(changes) if changes else 0.0)


def _pace(answered: Sequence[Turn]) -> Pace | None:
    if not answered:
        return None
    having = [turn for turn in answered if "rtf_steady" in turn.figures]
    values = [turn.figures["rtf_steady"] for turn in having]
    return Pace(
        replies=len(answered),
        one_packet=sum(turn.figures.get("packets") == 1 for turn in answered),
        rtf=estimate(values, [turn.utterance for turn in having]) if having else None,
        as_played=sum(abs(value - 1) <= PACED for value in values),
    )


def _over_e2e(turns: Sequence[Turn]) -> Estimate | None:
    having = [turn for turn in turns if END_TO_END in turn.figures and first_packet_ms(turn) is not None]
    values = [(turn.figures[HEADLINE] - turn.figures[END_TO_END]) / NS_PER_MS for turn in having]
    return estimate(values, [turn.utterance for turn in having]) if having else None


def _median_ms(turns: Sequence[Turn], name: str) -> Estimate:
    return estimate([turn.figures[name] / NS_PER_MS for turn in turns], [turn.utterance for turn in turns])

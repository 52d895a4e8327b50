"""How much a run has used its servers, and whether that reaches the user's limits; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.format import counted
from firstpacket.bench.options import MAX_TURNS, Options, about, flag
from firstpacket.bench.record.rules import LimitReached, UsageLimits
from firstpacket.bench.record.schema import Turn

NS_PER_MINUTE = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Turns of all phases and outcomes, and the audio of their clips and replies, ns."""

    turns: int = 0
    audio_ns: float = 0

    def after(self, turn: Turn, limits: UsageLimits, clips_ns: Mapping[str, float]) -> Usage:
        """The usage after one more turn, which counts if its system uses servers."""
        if turn.label not in limits.systems:
            return self
        heard_ns = turn.figures.get("reply_audio", 0)
        return Usage(self.turns + 1, self.audio_ns + clips_ns.get(turn.utterance, 0) + heard_ns)

    def exceeded_by(self, turns: int, clip_ns: float, limits: UsageLimits) -> LimitReached | None:
        """The limit that this many more turns on a clip would exceed, or None."""
        sent_ns = self.audio_ns + turns * clip_ns
        minutes = self.audio_ns / NS_PER_MINUTE
        if limits.turns is not None and self.turns + turns > limits.turns:
            return LimitReached("max_turns", limits, self.turns, minutes)
        if limits.audio_minutes is not None and sent_ns > limits.audio_minutes * NS_PER_MINUTE:
            return LimitReached("max_audio_minutes", limits, self.turns, minutes)
        return None


def in_force(options: Options, with_server: Iterable[str], is_remote: bool) -> UsageLimits | None:
    """The limits of a start, None without any. `with_server`: systems that use servers; `is_remote`: one is remote."""
    by_default = options.max_turns is None and is_remote
    limits = UsageLimits(
        tuple(with_server),
        MAX_TURNS if by_default else options.max_turns,
        options.max_audio_minutes,
        options.max_turns_per_minute,
        by_default,
    )
    return None if (limits.turns, limits.audio_minutes, limits.turns_per_minute) == (None, None, None) else limits


def explain(reached: LimitReached) -> str:
    """Which limit ended a run and why, without a full stop."""
    limits, given = reached.limits, flag(reached.option)
    so_far = f"{', '.join(limits.systems)} had {counted(reached.turns, 'turn')} in all phases"
    if reached.option == "max_audio_minutes":
        limit = f"{limits.audio_minutes:g} minutes of audio"
        so_far += f", with {reached.audio_minutes:.1f} minutes of speech and replies"
    else:
        limit = counted(limits.turns or 0, "turn")
        given += ", the default if a server is not on this machine" if limits.turns_by_default else ""
    return f"the run ended at its limit of {limit} ({given}): {so_far}, and the next would have exceeded it"


def explain_unused(options: Options) -> str:
    """A notice that the chosen limits apply to no system."""
    given = [flag(name) for name, known in about().items() if known.on_resume and getattr(options, name) is not None]
    return f"no system of the run uses a server, so {', '.join(given)} has no effect"


def what_to_do(reached: LimitReached, path: Path | None = None) -> str:
    """How to measure more: by resuming the run at `path`, or with a new gate."""
    if path is None:
        return f"Start a new gate with a higher {flag(reached.option)}."
    return f"To measure more: bench run --resume {path} {flag(reached.option)} N, with a higher N."

"""Stamps taken by the scripted pipeline itself, outside the harness."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from firstpacket.bench.errors import WorkerError
from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.bench.timing.spans import TurnTrace

TEXT = "stamps"
_SLEEPS_NOT = {"hear", "send", "take", "packet", "silence"}


@dataclass(frozen=True, slots=True)
class OwnStep:
    """One step of a script as it was executed: its words, start and end in ns."""

    words: tuple[str, ...]
    began_ns: int
    ended_ns: int

    @property
    def ns(self) -> int:
        """How long it took."""
        return self.ended_ns - self.began_ns

    @property
    def oversleep_ns(self) -> int | None:
        """How much longer it took than scripted; None for a step without a duration."""
        if self.words[0] in _SLEEPS_NOT:
            return None
        return self.ns - round(float(self.words[1]) * NS_PER_MS)


@dataclass(frozen=True, slots=True)
class OwnStamps:
    """All steps of one turn by name, those of one name in the script's order, lane after lane."""

    steps: dict[str, tuple[OwnStep, ...]]
    packets: tuple[OwnStep, ...]
    """The steps `packet` and `silence`, in order."""

    def step(self, name: str, number: int = 0) -> OwnStep:
        """The `number`-th step of a name, counted from 0."""
        return self.steps[name][number]

    def stages(self) -> dict[str, int]:
        """Working time of each stage in ns."""
        total: Counter[str] = Counter()
        for name, steps in self.steps.items():
            if name not in _SLEEPS_NOT and name != "rest":
                total[name] += sum(step.ns for step in steps)
        return dict(total)

    def heard_ns(self) -> int:
        """When the pipeline had received all of the user's speech."""
        return self.step("hear").ended_ns

    def stall_ns(self) -> int:
        """How long a player without pre-roll stalls: the largest lag of a packet behind the audio before it."""
        lag_ns = media_ns = 0
        for packet, following in pairwise(self.packets):
            media_ns += round(float(packet.words[1]) * NS_PER_MS)
            lag_ns = max(lag_ns, following.ended_ns - self.packets[0].ended_ns - media_ns)
        return lag_ns


def own_stamps(script: str, trace: TurnTrace) -> OwnStamps:
    """The stamps of the scripted pipeline in one turn of `script`. Raises `WorkerError` if there are none."""
    lanes = [[tuple(step.split()) for step in lane.split(";")] for lane in script.split("|")]
    written = [text.text for text in trace.texts if text.kind == TEXT]
    try:
        (stamps,) = map(json.loads, written)
        lived = [OwnStep(lanes[lane][step], began, ended) for lane, step, began, ended in sorted(stamps)]
    except (ValueError, TypeError, IndexError) as error:
        raise WorkerError(f"The stamps of the scripted pipeline cannot be read ({error}).") from error
    steps: dict[str, tuple[OwnStep, ...]] = {}
    for each in lived:
        steps[each.words[0]] = (*steps.get(each.words[0], ()), each)
    return OwnStamps(steps, tuple(each for each in lived if each.words[0] in ("packet", "silence")))

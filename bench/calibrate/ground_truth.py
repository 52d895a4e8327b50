"""The stamps that the scripted pipeline takes itself, outside the harness."""

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
    """One step of a script as the pipeline lived it: its words, and its beginning and end in ns."""

    words: tuple[str, ...]
    began_ns: int
    ended_ns: int

    @property
    def ns(self) -> int:
        """How long it took."""
        return self.ended_ns - self.began_ns

    @property
    def oversleep_ns(self) -> int | None:
        """How much longer it took than the script says; None for a step that is not asked to take time."""
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
        """Time in ns that each stage worked."""
        total: Counter[str] = Counter()
        for name, steps in self.steps.items():
            if name not in _SLEEPS_NOT and name != "rest":
                total[name] += sum(step.ns for step in steps)
        return dict(total)

    def heard_ns(self) -> int:
        """When the user had been heard to the end."""
        return self.step("hear").ended_ns

    def stall_ns(self) -> int:
        """What a player without pre-roll waits for audio: the largest lag of a packet behind the audio before it."""
        lag_ns = media_ns = 0
        for packet, following in pairwise(self.packets):
            media_ns += round(float(packet.words[1]) * NS_PER_MS)
            lag_ns = max(lag_ns, following.ended_ns - self.packets[0].ended_ns - media_ns)
        return lag_ns


def own_stamps(script: str, trace: TurnTrace) -> OwnStamps:
    """What the scripted pipeline wrote down in one turn of `script`. Raises `WorkerError` if it did not."""
    lanes = [[tuple(step.split()) for step in lane.split(";")] for lane in script.split("|")]
    written = [text.text for text in trace.texts if text.kind == TEXT]
    try:
        (stamps,) = map(json.loads, written)
        lived = [OwnStep(lanes[lane][step], began, ended) for lane, step, began, ended in sorted(stamps)]
    except (ValueError, TypeError, IndexError) as error:
        raise WorkerError(f"The scripted pipeline gave no stamps of its own that could be read ({error}).") from error
    steps: dict[str, tuple[OwnStep, ...]] = {}
    for each in lived:
        steps[each.words[0]] = (*steps.get(each.words[0], ()), each)
    return OwnStamps(steps, tuple(each for each in lived if each.words[0] in ("packet", "silence")))

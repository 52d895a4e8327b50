"""How far apart the possible t0 events are, and how certain the end of speech is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from firstpacket.bench.corpus.estimates import FAR_APART_MS, spread_ms
from firstpacket.bench.format import counted
from firstpacket.bench.metrics.t0 import DELAYS, STARTS
from firstpacket.bench.record.schema import Manifest, Start, Turn, UtteranceFacts
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import Estimate, estimate
from firstpacket.bench.timing.clock import NS_PER_MS

TITLES: dict[Start, str] = {
    "speech_end": "end of speech",
    "last_frame": "last frame delivered",
    "endpoint": "endpoint decided",
    "request": "request sent",
}


@dataclass(frozen=True, slots=True)
class StartRow:
    """From one start to each later one: median with interval, ms; None for earlier starts, or if there is none."""

    label: str
    start: str
    to: dict[str, Estimate | None]


@dataclass(frozen=True, slots=True)
class T0Table:
    """Every difference between two starts, label by label, and how the end of speech is known."""

    t0: str
    columns: tuple[str, ...]
    rows: tuple[StartRow, ...]
    end_of_speech: tuple[str, ...]


def t0_table(run: Run) -> T0Table:
    """The differences in a run's answered, measured turns."""
    return T0Table(
        t0=run.manifest.t0,
        columns=tuple(TITLES[start] for start in STARTS[1:]),
        rows=tuple(row for label in run.labels for row in _rows(label, run.measured(label))),
        end_of_speech=tuple(_end_of_speech(run.manifest)),
    )


def _rows(label: str, turns: Sequence[Turn]) -> list[StartRow]:
    answered = [turn for turn in turns if turn.is_answered]
    rows = []
    for place, start in enumerate(STARTS[:-1]):
        later = STARTS[place + 1 :]
        to = {TITLES[end]: _difference(answered, start, end) if end in later else None for end in STARTS[1:]}
        if any(to.values()):
            rows.append(StartRow(label, TITLES[start], to))
    return rows


def _difference(turns: Sequence[Turn], start: Start, end: Start) -> Estimate | None:
    """From `start` to `end` in the turns that have both; each is stored as a delay after the end of speech."""
    both = [turn for turn in turns if _delay(turn, start) is not None and _delay(turn, end) is not None]
    values = [((_delay(turn, end) or 0) - (_delay(turn, start) or 0)) / NS_PER_MS for turn in both]
    return estimate(values, [turn.utterance for turn in both]) if both else None


def _delay(turn: Turn, start: Start) -> int | float | None:
    return 0 if start == "speech_end" else turn.figures.get(DELAYS[start])


def _end_of_speech(manifest: Manifest) -> list[str]:
    clips = manifest.utterances
    if not clips:
        return []
    estimated = sum(clip.speech_end_source == "estimated" for clip in clips)
    share = f"estimated in {estimated} of {_clips(len(clips))} ({100 * estimated / len(clips):.0f} %)"
    share += ", annotated in the others"
    checked = [clip for clip in clips if clip.speech_end_estimates_ms]
    if not checked:
        return [share, "not checked by detectors (see bench corpus check)"]
    return [share, *_differences_of_detectors(checked)]


def _differences_of_detectors(checked: Sequence[UtteranceFacts]) -> list[str]:
    spreads = {clip.id: spread_ms(clip.speech_end_ms, clip.speech_end_estimates_ms) for clip in checked}
    detectors = ", ".join(dict.fromkeys(name for clip in checked for name in clip.speech_end_estimates_ms))
    heard = {clip: spread for clip, spread in spreads.items() if math.isfinite(spread)}
    said = [f"checked in {_clips(len(checked))} by {detectors}"]
    if heard:
        worst = max(heard, key=lambda clip: heard[clip])
        far = sum(spread > FAR_APART_MS for spread in heard.values())
        said.append(f"largest difference {heard[worst]:.1f} ms ({worst}); over {FAR_APART_MS:g} ms in {_clips(far)}")
    if len(heard) < len(spreads):
        said.append(f"a detector found no speech in {_clips(len(spreads) - len(heard))}")
    return said


def _clips(n: int) -> str:
    return counted(n, "clip")

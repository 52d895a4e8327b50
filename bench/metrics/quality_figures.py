"""Quality figures from a turn's texts and the levels of its reply, without any audio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from firstpacket.bench.metrics.audible_onset import THRESHOLD_DBFS, WINDOW_MS
from firstpacket.bench.quality.answers import is_right
from firstpacket.bench.quality.wer import LONGEST, edits, words
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.vocabulary import AnswerRule

FLOOR_DB = -140.0
"""Levels are rounded to 7 decimals; this is the smallest."""

END_WINDOWS = 3
"""Of the end of a reply. The quietest counts: a click lasts one or two, a sound that was cut off lasts all three."""
LOUD_END_DB = -18.0
"""A reply that ends above this, relative to its audible parts, was cut off or never ends (docs/quality.md)."""

Figures = dict[str, int | float]


class Reference(Protocol):
    """What a corpus says of a clip: an utterance of a corpus, or what a run's manifest kept of it."""

    @property
    def text(self) -> str | None:
        """What is said in it."""

    @property
    def answers(self) -> tuple[str, ...]:
        """Right answers."""

    @property
    def answer_rule(self) -> AnswerRule:
        """When a reply is one of them."""


def transcript_figures(trace: TurnTrace, said: str | None) -> Figures:
    """Word error rate of the last transcript against `said`, the corpus' text; nothing where either is missing."""
    heard = [text.text for text in trace.texts if text.kind == "transcript"]
    reference = words(said or "")
    transcript = words(heard[-1]) if heard else ()
    if not heard or not reference or max(len(reference), len(transcript)) > LONGEST:
        return {}
    return {"transcript_wer": edits(reference, transcript) / len(reference), "transcript_words": len(reference)}


def answer_figures(trace: TurnTrace, asked: Reference) -> Figures:
    """Whether the reply is right by the clip's rule (1 or 0), and its words; nothing without a reply text."""
    if not any(text.kind == "reply" for text in trace.texts):
        return {}
    reply = reply_text(trace)
    right = is_right(asked.answer_rule, reply, asked.answers, asked.text or "")
    return {} if right is None else {"answer_accuracy": int(right), "answer_words": len(words(reply))}


def reply_text(trace: TurnTrace) -> str:
    """All that the reply says, as text; empty where the pipeline gave none."""
    return "".join(text.text for text in trace.texts if text.kind == "reply")


def reply_figures(trace: TurnTrace, levels: Sequence[float]) -> Figures:
    """How fast, how loud and how silent the reply is, and how it ends; `levels` are its 10 ms windows, linear."""
    if not levels:
        return {}
    threshold = 10 ** (THRESHOLD_DBFS / 20)
    audible = [index for index, level in enumerate(levels) if level > threshold]
    figures: Figures = {
        "reply_silence": 1 - len(audible) / len(levels),
        "reply_level": _decibels(math.sqrt(math.fsum(level * level for level in levels) / len(levels))),
    }
    if audible:
        active = math.sqrt(math.fsum(levels[index] ** 2 for index in audible) / len(audible))
        figures["reply_end_level"] = _decibels(min(levels[-END_WINDOWS:]) / active)
    characters = sum(map(len, words(reply_text(trace))))
    if audible and characters:
        seconds = (audible[-1] - audible[0] + 1) * WINDOW_MS / 1000
        figures["reply_pace"] = characters / seconds
    return figures


def _decibels(level: float) -> float:
    """dB over full scale, to two decimals: logarithms may differ in their last bit between machines."""
    return round(20 * math.log10(level), 2) if level > 10 ** (FLOOR_DB / 20) else FLOOR_DB

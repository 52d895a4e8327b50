"""A loaded and checked corpus: utterances that any pipeline can be measured on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from firstpacket.bench.corpus.audio import Mark
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.bench.vocabulary import AnswerRule

EndMark = Literal["no-speech", "doubtful-end"]
"""What the estimate of the end of speech says of itself, where it is the end that counts."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording, decoded: samples `(n,)` float32 mono at 16 kHz, its text, and where speech ends in it."""

    id: str
    samples: Samples
    sha256: str
    """Hash of the recording's file as it was read."""
    speech_end_ms: float
    """End of the user's speech, from the beginning of the clip."""
    speech_end_source: Literal["annotated", "estimated"]
    text: str | None = None
    language: str = "en"
    voice: str = ""
    licence: str = ""
    answers: tuple[str, ...] = ()
    """Right answers; empty if unknown."""
    speech_end_estimates_ms: dict[str, float | None] = field(default_factory=dict)
    """Ends of speech by detector, from `bench corpus check` (`firstpacket.bench.corpus.estimates`)."""
    answer_rule: AnswerRule = "equals"
    """When a reply is one of the answers."""
    speaker: str = ""
    category: str = ""
    dialogue: str = ""
    """The dialogue that it opens; empty for a single question."""

    marks: tuple[Mark | EndMark, ...] = ()
    """What is notable about the recording, as the corpus' notices explain it."""

    @property
    def duration_ms(self) -> float:
        """Length of the clip."""
        return len(self.samples) * 1000 / SAMPLE_RATE

    def speech(self) -> Samples:
        """The clip cut at the end of its speech, in memory: those of a large corpus are kept in a file."""
        return np.array(self.samples[: round(self.speech_end_ms * SAMPLE_RATE / 1000)])


@dataclass(frozen=True, slots=True)
class Corpus:
    """A named set of utterances; `sha256` covers ids, recordings, texts and ends of speech."""

    name: str
    source: str
    utterances: tuple[Utterance, ...]
    sha256: str
    notices: tuple[str, ...] = ()

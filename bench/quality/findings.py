"""What is known of a label's quality: values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from firstpacket.bench.contract import computed
from firstpacket.bench.stats.binomial import Share
from firstpacket.bench.stats.bootstrap import Estimate


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """All word edits over all words of the references; where there is none, `why_none` says why."""

    rate: Estimate | None
    words: int = 0
    why_none: str = ""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of the turns that gave an answer which the corpus accepts; where it says nothing, `why_none` says why."""

    share: Share | None
    why_none: str = ""


@dataclass(frozen=True, slots=True)
class HeardBy:
    """What one recogniser made of the replies, and of known speech: its own errors are part of the first figure."""

    recogniser: str
    reply: ErrorRate
    """Against the reply's text."""
    own: ErrorRate
    """Of the corpus' clips, against their texts."""
    words_heard: int
    """In all replies: few where there is noise, many where the recogniser does not know the voice."""


@dataclass(frozen=True, slots=True)
class ScoredBy:
    """The mean of a scorer's values, and the scale they lie on; higher is better."""

    scorer: str
    mean: Estimate
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the replies are spoken, letters and digits per second, and how many turns lie outside the plausible."""

    median: Estimate
    implausible: int


@dataclass(frozen=True, slots=True)
class AudioFindings:
    """Means over the replies whose audio `bench quality` looked at."""

    clipped_share: Estimate
    offset: Estimate
    """Of the sizes of the offsets."""


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """Quality of one label's measured turns; what was not looked at is None."""

    transcript: ErrorRate
    answers: Accuracy
    heard: tuple[HeardBy, ...] = ()
    """The recogniser that was asked last stands last."""
    scores: tuple[ScoredBy, ...] = ()
    pace: Pace | None = None
    figures: dict[str, Estimate] = field(default_factory=dict)
    """By metric: those that are a figure of quality just by pooling turns (`Metric.quality`)."""
    ends_loud: float | None = None
    """Share of the replies whose last 10 ms are audible: cut off, or without an end."""
    audio: AudioFindings | None = None

    @computed
    def reply(self) -> ErrorRate:
        """What the recogniser that was asked last made of the replies."""
        return self.heard[-1].reply if self.heard else ErrorRate(None, why_none="not looked at: bench quality RUN")

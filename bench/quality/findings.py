"""The quality of a system's replies, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

from firstpacket.bench.contract import Omitted, computed
from firstpacket.bench.stats.binomial import Share
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.vocabulary import AnswerRule

NOT_EXAMINED = "not examined; run: bench quality RUN"


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """All word errors over all words of the references; if there is no rate, `reason` says why."""

    rate: Estimate | None
    words: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of the turns with a right answer; if there is none, `reason` says why."""

    share: Share | None
    reason: str = ""
    rules: tuple[AnswerRule, ...] = ()
    """When a reply is right (`firstpacket.bench.quality.answers`): the rules of the corpus' clips."""
    reply_words: Estimate | None = None
    """Median length of the judged replies: a long one contains more answers."""


@dataclass(frozen=True, slots=True)
class HeardBy:
    """Word errors by one recogniser, on the replies and on known speech: the former include its own errors."""

    recogniser: str
    reply: ErrorRate
    """Against the reply's text."""
    clips: ErrorRate
    """Of the corpus' clips, against their texts."""
    words_heard: int
    """In all replies: few for noise, many for a voice that the recogniser cannot handle."""


@dataclass(frozen=True, slots=True)
class ScoredBy:
    """The mean of a scorer's values, and their scale; higher is better."""

    scorer: str
    mean: Estimate
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Pace:
    """Speaking pace of the replies in letters and digits per second, and the number of implausible turns."""

    median: Estimate
    implausible: int


@dataclass(frozen=True, slots=True)
class AudioFindings:
    """Means over the replies whose audio `bench quality` examined."""

    clipped_share: Estimate
    offset: Estimate
    """Mean size of the offset from zero."""


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """Quality of one system's measured turns; what was not examined is None."""

    transcript: ErrorRate
    answers: Accuracy
    recognisers: tuple[HeardBy, ...] = ()
    """The recogniser that was used last comes last."""
    scores: tuple[ScoredBy, ...] = ()
    pace: Pace | None = None
    figures: dict[str, Estimate] = field(default_factory=dict)
    """By metric: those pooled over turns (`Metric.quality`)."""
    audible_end: float | None = None
    """Share of the replies that end loud, as if cut off (`reply_end_level` above -18 dB)."""
    audio: AudioFindings | None = None
    unexamined: Omitted[str] = NOT_EXAMINED
    """Why no recogniser has heard its replies, if none has."""

    @computed
    def reply(self) -> ErrorRate:
        """Word errors of the replies, by the recogniser that was used last."""
        return self.recognisers[-1].reply if self.recognisers else ErrorRate(None, reason=self.unexamined)

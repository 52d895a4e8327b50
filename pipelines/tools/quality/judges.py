"""Recognisers and scorers as they judge one reply."""

from __future__ import annotations

import math
from dataclasses import dataclass

from firstpacket.bench.errors import BenchError, UsageError
from firstpacket.bench.pipeline import OptionValue, Samples
from firstpacket.bench.quality.record import Judge
from firstpacket.bench.quality.scores import Scorer
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.sanitize import clean, reason
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import ASR


@dataclass(frozen=True, slots=True)
class RecogniserJudge:
    """A recogniser of the cascade, asked outside of it."""

    engine: ASR
    packages: dict[str, str]
    options: dict[str, OptionValue]

    def load(self) -> Judge:
        """Load it, and say who it is. Raises `UsageError` for dummy weights, which cannot transcribe."""
        self.engine.load()
        judge = Judge(self.engine.declaration.name, self.options, self.packages, self.engine.weights())
        if any(weights.origin == "dummy" for weights in judge.weights):
            raise UsageError(
                f"The recogniser {judge.name} has dummy weights and cannot transcribe. Choose a model, for example "
                f"--recogniser {judge.name},model=FOLDER, or use another recogniser (pocketsphinx includes its model)."
            )
        return judge

    def transcript(self, samples: Samples, language: str, what: str) -> str:
        """What is said in mono float32 `(n,)` at 16 kHz. Raises `BenchError` if the recogniser fails on it."""
        clock = MonotonicClock()
        speech = HeardSpeech(clock, language)
        speech.hear(samples)
        speech.end()
        try:
            return clean(self.engine.transcribe(speech, Trace(clock)))
        except BenchError:
            raise
        except Exception as error:
            raise _failed(self.engine.declaration.name, what, error) from error

    def close(self) -> None:
        """Release it."""
        self.engine.close()


@dataclass(frozen=True, slots=True)
class ScorerJudge:
    """A scorer."""

    scorer: Scorer
    packages: dict[str, str]
    options: dict[str, OptionValue]

    def load(self) -> Judge:
        """Load it, and say who it is."""
        self.scorer.load()
        return Judge(self.scorer.declaration.name, self.options, self.packages, self.scorer.weights())

    def score(self, samples: Samples, rate: int, what: str) -> float:
        """The score. Raises `BenchError` if the scorer fails, or leaves its scale."""
        name = self.scorer.declaration.name
        try:
            score = float(self.scorer.score(samples, rate))
        except BenchError:
            raise
        except Exception as error:
            raise _failed(name, what, error) from error
        if not (math.isfinite(score) and self.scorer.least <= score <= self.scorer.most):
            raise BenchError(
                f"The scorer {name} gave {score} for {what}; its scale is {self.scorer.least:g} to "
                f"{self.scorer.most:g}. Fix the scorer, or remove --score."
            )
        return score

    @property
    def scale(self) -> tuple[float, float]:
        """Least and most."""
        return self.scorer.least, self.scorer.most

    def close(self) -> None:
        """Release it."""
        self.scorer.close()


def _failed(name: str, what: str, error: Exception) -> BenchError:
    return BenchError(
        f"{name} failed on {what}: {reason(error)}. Results so far are saved; run the same command to resume."
    )

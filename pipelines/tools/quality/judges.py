"""Recognisers and scorers as they judge one reply."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

from firstpacket.bench.errors import BenchError, UsageError
from firstpacket.bench.pipeline import OptionValue, Samples
from firstpacket.bench.quality.record import Judge
from firstpacket.bench.quality.scores import Scorer
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.sanitize import clean, reason
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import ASR

Engine = TypeVar("Engine", ASR, Scorer)


@dataclass(frozen=True, slots=True)
class _Judging(Generic[Engine]):
    engine: Engine
    packages: dict[str, str]
    options: dict[str, OptionValue]

    def load(self) -> Judge:
        """Load it, and say who it is."""
        self.engine.load()
        return Judge(self.engine.declaration.name, self.options, self.packages, self.engine.weights())

    def close(self) -> None:
        """Release it."""
        self.engine.close()


class RecogniserJudge(_Judging[ASR]):
    """A recogniser of the cascade, asked outside of it."""

    def load(self) -> Judge:
        """Load it, and say who it is. Raises `UsageError` for dummy weights, which cannot transcribe."""
        judge = super().load()
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


class ScorerJudge(_Judging[Scorer]):
    """A scorer."""

    def score(self, samples: Samples, rate: int, what: str) -> float:
        """The score. Raises `BenchError` if the scorer fails, or leaves its scale."""
        name = self.engine.declaration.name
        try:
            score = float(self.engine.score(samples, rate))
        except BenchError:
            raise
        except Exception as error:
            raise _failed(name, what, error) from error
        if not (math.isfinite(score) and self.engine.least <= score <= self.engine.most):
            raise BenchError(
                f"The scorer {name} gave {score} for {what}; its scale is {self.engine.least:g} to "
                f"{self.engine.most:g}. Fix the scorer, or remove --score."
            )
        return score

    @property
    def scale(self) -> tuple[float, float]:
        """Least and most."""
        return self.engine.least, self.engine.most


def _failed(name: str, what: str, error: Exception) -> BenchError:
    return BenchError(
        f"{name} failed on {what}: {reason(error)}. Results so far are saved; run the same command to resume."
    )

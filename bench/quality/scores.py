"""The plugin interface of speech scorers: a scorer listens to a reply and returns one number, such as a predicted MOS.

A scorer is a class derived from `Scorer` and an entry point of the group `firstpacket.scores`. None is included: the
known ones (UTMOS, NISQA) need weights, which come with the plugin or are named in its options, and are never downloaded
at run time.

    class Loudness(Scorer):
        declaration = Declaration(name="loudness", summary="Peak of the reply.")
        least, most = 0.0, 1.0

        def score(self, samples: Samples, rate: int) -> float:
            return float(abs(samples).max())
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from firstpacket.bench.pipeline import Declaration, Samples, Settings, Weights


class Scorer(ABC):
    """One number per reply; higher is better. Its module must not import model libraries before `load`."""

    declaration: ClassVar[Declaration]
    """Its dependencies are in `requires`; its options are set with `--score NAME,key=value`."""
    least: ClassVar[float]
    most: ClassVar[float]
    """The ends of its scale."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def load(self) -> None:  # noqa: B027 (an empty default is meant: many scorers hold nothing)
        """Load the model. Raises `UsageError`, `MissingDependency` or `WeightsError` with a message for people."""

    @abstractmethod
    def score(self, samples: Samples, rate: int) -> float:
        """The score of mono float32 samples `(n,)` in [-1, 1] at `rate` Hz, within `least` and `most`."""

    def close(self) -> None:  # noqa: B027 (see `load`)
        """Release what `load` acquired; called once, also after failures."""

    def weights(self) -> tuple[Weights, ...]:
        """Origins of the weights in use; valid after `load`."""
        return ()

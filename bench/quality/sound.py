"""Figures of a reply's samples, beyond the levels that every turn keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

VERSION = 1
"""Version of these definitions; raise it if the same samples give other figures."""
FULL_SCALE = 0.999
CLIPPED_RUN = 3
"""At least this many neighbouring samples at full scale are a clipped wave; fewer are a peak normalised to full
scale."""
SENSITIVITY = 10 ** (-100 / 20)


@dataclass(frozen=True, slots=True)
class Sound:
    """Figures of one reply's samples; levels are relative to full scale."""

    rate: int
    """Hz."""
    samples: int
    clipped_share: float
    """Share of the samples at full scale in runs of at least `CLIPPED_RUN`."""
    offset: float
    """Mean of the samples (DC), linear; 0 in speech."""
    peak: float


def sound(samples: npt.NDArray[np.float32], rate: int) -> Sound:
    """Figures of mono float32 samples `(n,)` at `rate` Hz. Raises `ValueError` without samples."""
    if not len(samples):
        raise ValueError("there are no samples")
    level = np.abs(samples)
    offset = float(np.mean(samples, dtype=np.float64))
    return Sound(
        rate,
        len(samples),
        round(_in_runs(level >= FULL_SCALE) / len(samples), 9),
        round(offset, 9) if abs(offset) >= SENSITIVITY else 0.0,
        round(float(level.max()), 7),
    )


def _in_runs(at_full_scale: npt.NDArray[np.bool_]) -> int:
    """The number of marked samples in runs of at least `CLIPPED_RUN`."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], at_full_scale, [False]))))
    lengths = edges[1::2] - edges[::2]
    return int(lengths[lengths >= CLIPPED_RUN].sum())

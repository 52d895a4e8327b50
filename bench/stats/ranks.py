"""Ranks from 1, with mean ranks for ties: as `scipy.stats.rankdata`, which takes longer to import than most commands
run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def average_ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The rank of every value, `(n,)`; NaN is not allowed."""
    _, place, ties = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(ties) - (ties - 1) / 2)[place], dtype=np.float64)

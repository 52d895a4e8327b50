"""Quantiles, and the number of values that each needs to be shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

INTERPOLATION = "linear (type 7 of Hyndman and Fan, 1996)"
CONFIDENCE = 0.99
"""The confidence that a quantile is supported by enough values to be shown."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """A quantile of `n` values; `value` is None if `n` is below `needs`."""

    q: float
    n: int
    needs: int
    value: float | None

    @property
    def shortfall(self) -> str:
        """Why there is no number: `n=50 < 662`; empty if there is one."""
        return "" if self.value is not None else f"n={self.n} < {self.needs}"


def quantile(values: Sequence[float], q: float) -> float:
    """The `q`-quantile by linear interpolation between order statistics (type 7), in the unit of the values.

    Raises `ValueError` without values, or for `q` outside [0, 1].
    """
    if len(values) == 0:
        raise ValueError("A quantile needs at least one value.")
    return float(np.quantile(np.asarray(values, dtype=np.float64), q, method="linear"))


def median(values: Sequence[float]) -> float:
    """The 0.5-quantile. Raises `ValueError` without values."""
    return quantile(values, 0.5)


def supported_quantile(values: Sequence[float], q: float) -> Quantile:
    """The `q`-quantile if there are enough values; otherwise only how many it would need."""
    needs = values_needed(q)
    return Quantile(q, len(values), needs, quantile(values, q) if len(values) >= needs else None)


def censored_quantile(values: Sequence[float], never: int, q: float) -> Quantile:
    """The `q`-quantile of `values` and `never` further values that are infinite, if so many together support it.

    It is infinite if it falls among the infinite values, or between the last finite value and the first of them.
    """
    n, needs = len(values) + never, values_needed(q)
    if n < needs:
        return Quantile(q, n, needs, None)
    if (n - 1) * q > len(values) - 1:
        return Quantile(q, n, needs, math.inf)
    known = np.pad(np.sort(np.asarray(values, dtype=np.float64)), (0, never), mode="edge")
    return Quantile(q, n, needs, float(np.quantile(known, q, method="linear")))


@cache
def values_needed(q: float) -> int:
    """The number of values from which the `q`-quantile is shown: 11 for p50, 64 for p90, 130 for p95, 662 for p99.

    The smallest n for which at least two values lie beyond the true quantile with probability `CONFIDENCE` (binomial);
    with fewer, the estimate may depend on a single extreme value. This is the rule of MLPerf's early stopping with one
    late query. Raises `ValueError` for `q` outside (0, 1).
    """
    if not 0 < q < 1:
        raise ValueError(f"A quantile lies strictly between 0 and 1, not {q}.")
    tail = min(q, 1 - q)
    n = 2
    while (1 - tail) ** n + n * tail * (1 - tail) ** (n - 1) > 1 - CONFIDENCE:
        n += 1
    return n

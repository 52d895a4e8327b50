"""Multiple tests with a bound on the probability of any false positive."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p values in the order given (Holm, 1979): reject those that are at most alpha.

    The probability of rejecting any true null hypothesis is then at most alpha, however the tests depend on each other.
    Raises `ValueError` for a p outside [0, 1].
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise ValueError(f"A p value lies between 0 and 1: {tuple(p_values)}.")
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = least
    return tuple(adjusted)

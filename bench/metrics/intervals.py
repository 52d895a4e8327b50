"""Time intervals that may overlap."""

from __future__ import annotations

from collections.abc import Iterable


def covered_ns(stretches: Iterable[tuple[int, int]]) -> int:
    """Length of the union of intervals `(start, end)`; one that ends before it starts is empty."""
    total, reached = 0, None
    for start, end in sorted(stretches):
        if reached is None or start > reached:
            total += max(0, end - start)
            reached = max(start, end)
        elif end > reached:
            total += end - reached
            reached = end
    return total

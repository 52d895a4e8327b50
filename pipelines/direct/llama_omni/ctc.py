"""Greedy CTC: from a label per frame to units."""

from __future__ import annotations

from collections.abc import Sequence


class Collapse:
    """Merges repeats and drops blanks, across any number of pieces of one label sequence."""

    def __init__(self, blank: int) -> None:
        self._blank = blank
        self._last = blank

    def push(self, labels: Sequence[int]) -> list[int]:
        """Units that these further labels add. The last raw label is carried, so a repeat over a border adds none."""
        units = []
        for label in labels:
            if label not in (self._last, self._blank):
                units.append(label)
            self._last = label
        return units

"""Stretches on as few lanes as it takes for those of one lane to be nested or apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def lanes(stretches: Iterable[T], border: Callable[[T], tuple[int, int]]) -> list[list[T]]:
    """Share stretches out so that no two of one lane overlap in part; `border` gives a stretch's start and end.

    Each lane is in order of start, the longer first. A stretch goes to the first lane that can take it, so that what is
    nested stays with what it is nested in. Touching stretches do not overlap.
    """
    found: list[list[T]] = []
    open_ends: list[list[int]] = []
    for stretch in sorted(stretches, key=lambda stretch: (border(stretch)[0], -border(stretch)[1])):
        start, end = border(stretch)
        for lane, ends in zip(found, open_ends, strict=True):
            while ends and ends[-1] <= start:
                ends.pop()
            if not ends or end <= ends[-1]:
                lane.append(stretch)
                ends.append(end)
                break
        else:
            found.append([stretch])
            open_ends.append([end])
    return found

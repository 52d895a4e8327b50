"""Latencies of two groups of turns, made comparable across clips, whose own latencies differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def levelled(
    latencies: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_], clips: Sequence[str]
) -> tuple[list[float], list[bool], list[str]]:
    """Present latencies (not NaN), whether they are in the group, and their clips, after subtracting the clips' levels.

    A clip's level is the mean of the medians within and without the group, so that how many of its turns fell into the
    group does not move it; clips without turns of both take no part. Where there is no other, levels stay as they are.
    """
    present = np.isfinite(latencies)
    names = np.array(clips)
    values = latencies.copy()
    has_both = np.zeros(len(values), bool)
    for clip in dict.fromkeys(clips):
        rows = present & (names == clip)
        if (inside & rows).any() and (~inside & rows).any():
            values[rows] -= (np.median(latencies[rows & inside]) + np.median(latencies[rows & ~inside])) / 2
            has_both |= rows
    kept = has_both if has_both.any() else present
    return values[kept].tolist(), inside[kept].tolist(), names[kept].tolist()

"""Change points: runs at which the level of a series shifts.

PELT (Killick, Fearnhead and Eckley, 2012) with the cost of absolute deviations from a segment's median, by the library
ruptures, on the logarithms of the runs' medians in units of their noise. Medians, because one stalled run is no
change of level; logarithms, because noise grows with the time measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from firstpacket.bench.errors import MissingDependency, install_command
from firstpacket.bench.history.series import Change, Series
from firstpacket.bench.stats.quantiles import median

MIN_RUNS = 8
"""With fewer, noise and change cannot be distinguished."""
SHORTEST = 2
"""Minimum runs on either side of a change. With two, a single slow run never counts as a change, since their median
fits no better than the level around them. With three, two could outvote the third, and the change be misdated."""
PENALTY = 9.0
"""The improvement a change must bring, in units of noise; `docs/evidence.md` has the resulting false alarm rate."""
FINEST = 0.002
"""Minimum noise assumed, relative to the level."""


def changes(series: Series) -> tuple[Change, ...]:
    """Changes in the order of time; none with fewer than `MIN_RUNS` runs. Raises `MissingDependency`."""
    pelt = _pelt()
    values = [point.median.value for point in series.points]
    if len(values) < MIN_RUNS:
        return ()
    ends = pelt.fit(_in_units_of_noise(values)).predict(PENALTY)
    borders = [0, *(int(end) for end in ends)]
    levels = [median(values[start:end]) for start, end in pairwise(borders)]
    return tuple(
        Change(series.points[at], before, after)
        for at, (before, after) in zip(borders[1:-1], pairwise(levels), strict=True)
    )


def _pelt() -> Any:
    try:
        from ruptures import Pelt
    except ImportError as error:
        raise MissingDependency(
            f"Change points need ruptures, which is not installed. Install it with: {install_command('history')}"
        ) from error
    return Pelt(model="l1", min_size=SHORTEST, jump=1)


def _in_units_of_noise(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Noise is estimated from run-to-run differences (median, assuming normality), which few changes do not affect."""
    data = np.asarray(values, dtype=np.float64)
    data = np.log(data) if (data > 0).all() else data / max(float(np.abs(data).max()), 1e-300)
    noise = 1.4826 * float(np.median(np.abs(np.diff(data)))) / np.sqrt(2)
    return np.asarray(data / max(noise, FINEST))

"""When the reply becomes audible: levels in short windows, and a documented detector.

The detector is that of Pipecat's benchmark, RMS above -40 dBFS sustained for 50 ms, unless a run sets another level or
duration. Windows are 10 ms without overlap, so the onset is known to 10 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firstpacket.bench.options import Options
from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.clock import NS_PER_MS

WINDOW_MS = 10


@dataclass(frozen=True, slots=True)
class Audible:
    """What counts as audible: RMS above `dbfs`, sustained for `sustained_ms`, in windows of 10 ms."""

    dbfs: float = Options().audible_dbfs
    sustained_ms: int = Options().audible_ms

    @classmethod
    def of(cls, options: Options) -> Audible:
        """What counts in a run."""
        return cls(options.audible_dbfs, options.audible_ms)

    def __str__(self) -> str:
        return f"RMS over {self.dbfs:g} dBFS sustained for {self.sustained_ms} ms, in windows of {WINDOW_MS} ms"


AUDIBLE = Audible()
THRESHOLD_DBFS = AUDIBLE.dbfs
"""The default threshold, which quality figures of replies always use, whatever a run sets."""


def reply_levels(packets: Sequence[tuple[Samples, int]]) -> tuple[float, ...]:
    """RMS of a reply in successive 10 ms windows, linear; packets `(samples, rate in Hz)` of one rate joined gaplessly.

    A window may span two packets; the last one may be shorter. Rounded to 7 decimals (-140 dBFS).
    """
    if not packets:
        return ()
    rate = packets[0][1]
    samples = np.concatenate([samples for samples, _ in packets]).astype(np.float64)
    if not len(samples):
        return ()
    windows = -(-len(samples) * 1000 // (rate * WINDOW_MS))
    starts = np.unique(np.arange(windows) * rate * WINDOW_MS // 1000)
    sums = np.add.reduceat(samples**2, starts)
    counts = np.diff(np.append(starts, len(samples)))
    return tuple(round(float(level), 7) for level in np.sqrt(sums / counts))


def audible_onset_ns(levels: Sequence[float], audible: Audible) -> int | None:
    """Media time of the first audible sample (the beginning of its window); `None` if no sample is audible.

    A reply that ends while loud counts as sustained from where it became loud.
    """
    threshold = 10 ** (audible.dbfs / 20)
    needed = max(1, audible.sustained_ms // WINDOW_MS)
    run = 0
    for index, level in enumerate(levels):
        run = run + 1 if level > threshold else 0
        if run == needed or (run and index == len(levels) - 1):
            return (index - run + 1) * WINDOW_MS * NS_PER_MS
    return None

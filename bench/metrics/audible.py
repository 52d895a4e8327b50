"""When the reply becomes audible: levels in short windows, and a stated detector on them.

The detector is that of Pipecat's benchmark, RMS over -40 dBFS sustained for 50 ms, unless a run asks for another level
or length; windows here are 10 ms without overlap, so the onset is known to 10 ms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firstpacket.bench.pipeline import Samples
from firstpacket.bench.record.schema import AUDIBLE, Audible
from firstpacket.bench.timing.clock import NS_PER_MS

WINDOW_MS = 10
THRESHOLD_DBFS = AUDIBLE.dbfs
"""The usual threshold, at which figures of a reply's quality stay whatever a run asks for."""


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
    """Media time of the first audible sample (the beginning of its window); `None` for a reply without any.

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

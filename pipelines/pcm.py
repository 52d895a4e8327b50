"""Samples as 16-bit PCM, the form in which recognisers and servers take sound."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from firstpacket.bench.pipeline import Samples


def pcm16(samples: Samples) -> npt.NDArray[np.int16]:
    """Samples `(n,)` in [-1, 1] as the nearest of 65,535 little-endian values; louder ones are clipped."""
    return np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2")

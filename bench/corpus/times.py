"""Times of speech in a manifest, which are milliseconds from the clip's beginning: which ones can be meant."""

from __future__ import annotations

import math
from pathlib import Path

from firstpacket.bench.errors import CorpusError

SHORTEST_MS = 20.0
"""Nothing that is said is shorter."""
EARLIEST_END_MS, OF_MS = 100.0, 1000.0
"""An earlier end in a clip of at least this length is one in seconds: clips are at most 60 s long."""
_ROUNDING_MS = 1.0
"""A time may lie this far beyond the clip: times are often rounded to whole milliseconds."""


def check_times(where: str, start_ms: float | None, end_ms: float | None) -> None:
    """Raises `CorpusError` for times that no clip can have."""
    for name, value in (("speech_start_ms", start_ms), ("speech_end_ms", end_ms)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise CorpusError(f"{where}: {name} is {value:g}. Give milliseconds from the beginning of the clip.")
    if end_ms is None:
        return
    start = start_ms or 0
    if end_ms <= start:
        raise CorpusError(f"{where}: speech ends at {end_ms:g} ms but begins at {start:g} ms. Correct the times.")
    if end_ms - start < SHORTEST_MS:
        raise CorpusError(
            f"{where}: speech lasts only {end_ms - start:g} ms, from {start:g} to {end_ms:g}. Times are in"
            f" milliseconds{_seconds(end_ms, 60_000)}. Correct them."
        )


def check_against_length(clip: Path, clip_ms: float, start_ms: float | None, end_ms: float | None) -> None:
    """Raises `CorpusError` for times that this clip cannot have."""
    for name, value in (("speech_start_ms", start_ms), ("speech_end_ms", end_ms)):
        if value is not None and value > clip_ms + _ROUNDING_MS:
            raise CorpusError(
                f"{name} is {value:.10g}, but {clip} is only {clip_ms:.1f} ms long. Correct {name}, whose unit is"
                " milliseconds."
            )
    if end_ms is not None and end_ms < EARLIEST_END_MS and clip_ms >= OF_MS:
        raise CorpusError(
            f"speech_end_ms is {end_ms:g}, but {clip} is {clip_ms:.0f} ms long. The unit is milliseconds"
            f"{_seconds(end_ms, clip_ms)}. Correct speech_end_ms, or cut the clip if its speech really ends there."
        )


def _seconds(end: float, longest_ms: float) -> str:
    """What a time would be if it were in seconds, unless no clip is so long."""
    return f" ({end:g} seconds are {1000 * end:g})" if 1000 * end <= longest_ms + _ROUNDING_MS else ""

"""When pending units are vocoded: the chunk size Ω (paper, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence

from firstpacket.bench.errors import UsageError

SMALLEST_CHUNK = 10


def parse_chunk_units(text: str) -> int | None:
    """Ω from an option: a whole number of units from 10 on, or `inf` (None). Raises `UsageError`."""
    if text == "inf":
        return None
    if text.isdecimal() and int(text) >= SMALLEST_CHUNK:
        return int(text)
    raise UsageError(
        f"chunk-units is '{text}', but it must be a whole number of at least {SMALLEST_CHUNK}, or 'inf' (speak only "
        "when the reply is complete). The paper streams with chunk-units=10."
    )


class Chunker:
    """Collects units and says which to vocode now: all pending ones as soon as there are at least Ω."""

    def __init__(self, chunk_units: int | None) -> None:
        self._chunk_units = chunk_units
        self.units: list[int] = []
        self.borders: list[tuple[int, int]] = []
        """Chunks given out so far, as ranges over `units`."""

    def push(self, units: Sequence[int]) -> None:
        """Add units to the pending ones."""
        self.units.extend(units)

    def due(self, ended: bool) -> list[int]:
        """The chunk to vocode now, empty if none is due; once the reply has `ended` that is whatever is left."""
        start, end = self.borders[-1][1] if self.borders else 0, len(self.units)
        enough = self._chunk_units is not None and end - start >= self._chunk_units
        if not enough and not (ended and end > start):
            return []
        self.borders.append((start, end))
        return self.units[start:end]

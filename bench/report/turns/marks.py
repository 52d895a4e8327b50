"""Intervals and moments of a time axis as SVG path data: integer units, 1000 across the width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from firstpacket.bench.report.scale import Scale

WIDTH = 1000
NARROWEST = 2
"""Smallest width of an interval, so that it stays visible."""

Stretch = tuple[float, float]
"""Start and end, ms."""


def at(scale: Scale, ms: float) -> int:
    """Position of a moment; moments outside the scale are put on its edge."""
    return round(scale.at(ms) * WIDTH / 100)


def blocks(scale: Scale, stretches: Iterable[Stretch], top: int, height: int) -> str:
    """Intervals as rectangles; those wholly outside are left out, touching ones are merged."""
    return "".join(
        f"M{left} {top}h{right - left}v{height}h{left - right}z" for left, right in _joined(scale, stretches)
    )


def ticks(scale: Scale, moments: Iterable[float], top: int, height: int) -> str:
    """Moments (ms) as vertical lines; those at the same position are drawn once."""
    places = dict.fromkeys(at(scale, ms) for ms in sorted(moments) if scale.start_ms <= ms <= scale.end_ms)
    return "".join(f"M{place} {top}v{height}" for place in places)


def area(scale: Scale, points: Sequence[tuple[float, float]], top: int, height: int) -> str:
    """A line through (ms, value), filled below; the highest value reaches `top`."""
    highest = max((value for _, value in points), default=0.0)
    if highest <= 0:
        return ""
    floor = top + height
    drawn = dict.fromkeys((at(scale, ms), round(floor - height * value / highest)) for ms, value in points)
    line = "L".join(f"{x} {y}" for x, y in drawn)
    first, last = next(iter(drawn))[0], next(reversed(drawn))[0]
    return f"M{first} {floor}L{line}L{last} {floor}z"


def _joined(scale: Scale, stretches: Iterable[Stretch]) -> Iterator[tuple[int, int]]:
    """Left and right ends of intervals in order; touching ones are merged."""
    left = right = -1
    for start, end in sorted(stretches):
        if end < scale.start_ms or start > scale.end_ms:
            continue
        begins, ends = at(scale, start), at(scale, end)
        ends = max(ends, begins + NARROWEST)
        if left >= 0 and begins <= right:
            right = max(right, ends)
            continue
        if left >= 0:
            yield left, right
        left, right = begins, ends
    if left >= 0:
        yield left, right

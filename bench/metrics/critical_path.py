"""For every nanosecond between t0 and the first packet: the stage that was being waited for.

The path is walked back from the first packet. On a host thread it goes through the innermost stage span at work; at
the beginning of a span that names a hand-off it jumps to the hand-off (the time between is `queued`, a part of the
stage that received the item), otherwise it continues with what the same thread did before. From a span that did
nothing but wait for an item, it jumps to the hand-off of that item. Kernel launches return at once, so where a host
thread did nothing but wait for the GPU, the path continues on the device: with the GPU span that ended last before the
wait did, then with the work that delayed that span: the span before it on its stream, or the GPU work behind the
hand-off that it came from. Where the device was idle when a stage began, nothing on the device delayed it, and the
path returns to the host that launched it.

Parts are cut at t0 and add up to the first-packet latency to the nanosecond, by construction: the cursor only moves
back, and every move adds exactly one part.

    host           a stage worked on a host thread
    gpu            a stage worked on the device, and the host had nothing else to wait for
    launch         the host side of a stage that works on the device: it had not yet launched everything
    queued         an item waited between a hand-off and the beginning of the stage that received it
    unattributed   none of these
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from firstpacket.bench.metrics.intervals import covered_ns
from firstpacket.bench.timing.spans import DeviceWait, GpuSpan, HandOff, PacketStamp, StageSpan, TurnTrace

Kind = Literal["host", "gpu", "queued", "launch", "unattributed"]

DELIVERY = "delivery"
"""Stage of the time between the last hand-off and the harness."""
NO_STAGE = ""
"""Stage of time that no stage accounts for."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the path, `start_ns` to `end_ns` on the host's clock, and the stage to which it belongs."""

    stage: str
    kind: Kind
    start_ns: int
    end_ns: int
    error_ns: int = 0

    @property
    def ns(self) -> int:
        """Length of the stretch."""
        return self.end_ns - self.start_ns


def critical_path(trace: TurnTrace, t0_ns: int) -> tuple[Part, ...]:
    """The path from t0 to the first packet, in order of time; empty without a packet after t0."""
    if not trace.packets or trace.packets[0].at_ns <= t0_ns:
        return ()
    walk = _Walk(trace, t0_ns)
    walk.from_packet(trace.packets[0])
    return tuple(reversed(walk.parts))


def summed(parts: Iterable[Part]) -> dict[tuple[str, Kind], int]:
    """Total ns by stage and kind, in the order in which stages first appear on the path."""
    totals: dict[tuple[str, Kind], int] = defaultdict(int)
    for part in parts:
        totals[part.stage, part.kind] += part.ns
    return dict(totals)


def hidden(trace: TurnTrace, t0_ns: int, path: Iterable[Part]) -> dict[str, int]:
    """Per stage: ns in which it worked (on host or GPU) between t0 and the first packet without being on the path."""
    if not trace.packets:
        return {}
    until_ns = trace.packets[0].at_ns
    owned: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for part in path:
        if part.kind in ("host", "gpu", "launch"):
            owned[part.stage].append((part.start_ns, part.end_ns))
    result = {}
    for stage, stretches in stretches_by_stage(trace.spans).items():
        stretches = [(max(start, t0_ns), min(end, until_ns)) for start, end in stretches]
        total = covered_ns(stretches)
        off_path = covered_ns(stretches + owned[stage]) - covered_ns(owned[stage])
        if total and off_path:
            result[stage] = off_path
    return result


def stretches_by_stage(spans: Iterable[StageSpan]) -> dict[str, list[tuple[int, int]]]:
    """When each stage worked, on the host or on the GPU, as `(start_ns, end_ns)`; these may overlap."""
    worked: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for span in spans:
        worked[span.stage].append((span.start_ns, span.end_ns))
        if span.gpu is not None:
            worked[span.stage].append((span.gpu.start_ns, span.gpu.end_ns))
    return worked


class _Walk:
    """A cursor that moves back in time, and the parts of the path that it has passed, latest first."""

    def __init__(self, trace: TurnTrace, t0_ns: int) -> None:
        self.parts: list[Part] = []
        self._t0_ns = t0_ns
        self._now_ns = 0
        self._followed: set[int] = set()
        self._hand_offs = {hand_off.id: hand_off for hand_off in trace.hand_offs}
        self._threads: dict[int, list[_Piece]] = defaultdict(list)
        by_thread: dict[int, list[StageSpan]] = defaultdict(list)
        # Work that began after the packet cannot have delayed it, and the path does not enter what was over before t0;
        # skipping both keeps long replies cheap, and systems that take speech in by small blocks.
        until_ns = trace.packets[0].at_ns
        spans = [span for span in trace.spans if span.start_ns < until_ns]
        for span in spans:
            if span.end_ns > t0_ns:
                by_thread[span.thread].append(span)
        waits: dict[int, list[DeviceWait]] = defaultdict(list)
        for wait in trace.waits:
            if t0_ns < wait.end_ns and wait.start_ns < until_ns:
                waits[wait.thread].append(wait)
        for thread in by_thread.keys() | waits.keys():
            self._threads[thread] = _flatten(by_thread[thread], waits[thread])
        self._gpu = [span for span in spans if span.gpu is not None]

    def from_packet(self, packet: PacketStamp) -> None:
        """Walk from the packet's arrival back to t0."""
        self._now_ns = packet.at_ns
        thread = packet.thread
        if packet.after is not None and packet.after in self._hand_offs:
            hand_off = self._hand_offs[packet.after]
            self._assign(hand_off.at_ns, DELIVERY, "queued")
            thread = hand_off.thread
        self._walk_host(thread)
        self._assign(self._t0_ns, NO_STAGE, "unattributed")

    def _assign(self, back_to_ns: int, stage: str, kind: Kind, error_ns: int = 0) -> None:
        """Assign the time from `back_to_ns` to the cursor to a stage, and move the cursor there."""
        back_to_ns = max(back_to_ns, self._t0_ns)
        if back_to_ns < self._now_ns:
            self.parts.append(Part(stage, kind, back_to_ns, self._now_ns, error_ns))
            self._now_ns = back_to_ns

    def _walk_host(self, thread: int) -> None:
        while self._now_ns > self._t0_ns:
            piece = _piece_before(self._threads[thread], self._now_ns)
            if piece is None:
                return
            self._assign(piece.end_ns, NO_STAGE, "unattributed")
            if self._now_ns <= self._t0_ns:
                return
            release = self._released_by(piece)
            if release is not None:
                self._assign(release.at_ns, piece.span.stage, "queued")
                thread = release.thread
                continue
            if piece.waits:
                reached_ns = self._now_ns
                thread = self._walk_device(piece, thread)
                if self._now_ns == reached_ns:
                    self._assign(piece.start_ns, piece.span.stage, "unattributed")
                continue
            self._assign(piece.start_ns, piece.span.stage, "launch" if piece.span.gpu is not None else "host")
            thread = self._before_span(piece, thread)

    def _released_by(self, piece: _Piece) -> HandOff | None:
        """The hand-off that ended a wait, if the path comes to its end."""
        if not piece.ends or piece.span.released_by is None:
            return None
        hand_off = self._hand_offs.get(piece.span.released_by)
        if hand_off is None or hand_off.at_ns > self._now_ns or id(piece.span) in self._followed:
            return None
        self._followed.add(id(piece.span))  # an inconsistent trace could lead in a circle
        return hand_off

    def _before_span(self, piece: _Piece, thread: int) -> int:
        """At the beginning of a span that received an item: jump to the hand-off. Returns the thread to continue on."""
        if not piece.begins or piece.span.after is None:
            return thread
        hand_off = self._hand_offs.get(piece.span.after)
        if hand_off is None or hand_off.at_ns > self._now_ns:
            return thread
        self._assign(hand_off.at_ns, piece.span.stage, "queued")
        return hand_off.thread

    def _walk_device(self, wait: _Piece, thread: int) -> int:
        """Divide a wait for the device among GPU spans. Returns the thread to continue on."""
        current = self._span_waited_for(wait, thread)
        if current is None or _gpu(current).end_ns <= wait.start_ns:
            # No known GPU span ended within the wait: the time stays with the stage that waited.
            self._assign(wait.start_ns, wait.span.stage, "unattributed")
            return thread
        self._assign(_gpu(current).end_ns, wait.span.stage, "unattributed", _gpu(current).error_ns)
        while (blocker := self._blocked_by(current)) is not None:
            gpu, before = _gpu(current), _gpu(blocker)
            self._assign(max(gpu.start_ns, before.end_ns), current.stage, "gpu", gpu.error_ns)
            self._assign(before.end_ns, NO_STAGE, "unattributed", gpu.error_ns)
            if self._now_ns <= self._t0_ns:
                return current.thread
            current = blocker
        # The device was idle when this stage began: it was waited for only after the host had launched everything.
        launched_ns = min(current.end_ns, wait.start_ns)
        self._assign(max(launched_ns, _gpu(current).start_ns), current.stage, "gpu", _gpu(current).error_ns)
        self._assign(launched_ns, current.stage, "launch", _gpu(current).error_ns)
        return current.thread

    def _span_waited_for(self, wait: _Piece, thread: int) -> StageSpan | None:
        """The GPU span, launched from this thread or handed to it, that ended last before the wait did.

        A span that encloses the wait is still open then; it counts as ending with the wait.
        """
        source = self._hand_offs.get(wait.span.after) if wait.span.after is not None else None
        candidates = [
            span
            for span in self._gpu
            if (span.thread == thread or _may_release(span, source))
            and span.start_ns <= wait.end_ns
            and _gpu(span).start_ns < self._now_ns
            and (_gpu(span).end_ns <= self._now_ns + _gpu(span).error_ns or wait.end_ns <= span.end_ns)
        ]
        return max(candidates, key=lambda span: (min(_gpu(span).end_ns, self._now_ns), span.start_ns), default=None)

    def _blocked_by(self, span: StageSpan) -> StageSpan | None:
        """The GPU work that `span` had to wait for; None if the device was idle when the host began the span."""
        gpu = _gpu(span)
        source = self._hand_offs.get(span.after) if span.after is not None else None
        candidates = [
            other
            for other in self._gpu
            if other is not span
            and span.start_ns + gpu.error_ns < _gpu(other).end_ns <= gpu.start_ns + gpu.error_ns
            and _gpu(other).start_ns < gpu.start_ns
            and (_gpu(other).stream == gpu.stream or _may_release(other, source))
        ]
        return max(candidates, key=lambda other: _gpu(other).end_ns, default=None)


def _may_release(span: StageSpan, hand_off: HandOff | None) -> bool:
    """Whether the hand-off may pass on this span's result."""
    return hand_off is not None and span.stage == hand_off.stage and span.start_ns <= hand_off.at_ns


def _gpu(span: StageSpan) -> GpuSpan:
    assert span.gpu is not None
    return span.gpu


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a thread's timeline in which one span is the innermost."""

    start_ns: int
    end_ns: int
    span: StageSpan
    begins: bool = False
    ends: bool = False
    waits: bool = False


_NO_SPAN = StageSpan(NO_STAGE, 0, 0, 0)


def _flatten(spans: list[StageSpan], waits: list[DeviceWait]) -> list[_Piece]:
    """Cut a thread's nested spans and waits into disjoint pieces in order of time, the innermost owning each."""
    borders = {ns for span in spans for ns in (span.start_ns, span.end_ns)}
    borders |= {ns for wait in waits for ns in (wait.start_ns, wait.end_ns)}
    pieces = []
    ordered = sorted(spans, key=lambda span: (span.start_ns, -span.end_ns))
    for start_ns, end_ns in pairwise(sorted(borders)):
        over = [span for span in ordered if span.start_ns <= start_ns and end_ns <= span.end_ns]
        waiting = any(wait.start_ns <= start_ns and end_ns <= wait.end_ns for wait in waits)
        if over:
            span = over[-1]
            pieces.append(_Piece(start_ns, end_ns, span, span.start_ns == start_ns, span.end_ns == end_ns, waiting))
        elif waiting:
            pieces.append(_Piece(start_ns, end_ns, _NO_SPAN, waits=True))
    return pieces


def _piece_before(pieces: list[_Piece], now_ns: int) -> _Piece | None:
    """The last piece that begins before `now_ns`, cut to end there."""
    index = bisect_left(pieces, now_ns, key=lambda piece: piece.start_ns) - 1
    if index < 0:
        return None
    piece = pieces[index]
    if piece.end_ns <= now_ns:
        return piece
    return _Piece(piece.start_ns, now_ns, piece.span, piece.begins, waits=piece.waits)

"""One turn as trace-event JSON for ui.perfetto.dev and chrome://tracing.

    turn N of LABEL   critical path · microphone · moments (starts, marks, first outputs, texts)
    host              per thread: a track per stage, waits for the GPU, hand-offs outside of their stage
    GPU               a track per stream
    reply             packets · player

Perfetto requires slices of a track to be nested or disjoint: partly overlapping slices go to further tracks of the same
name. An arrow leads from every hand-off to the stage or packet that began with its item, and to the end of the wait
that it ended. Perfetto attaches the ends of an arrow to the slice that began last on their track, so each end is placed
where that is the right one: in the stage's slice, or in one of zero length on the thread's track of hand-offs.

Times are microseconds from the turn's first moment: with file input that is t0 unless work began before it, with
realtime input the beginning of speech. t0 is an instant across all tracks, and every slice has `from_t0_us`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from firstpacket.bench.analysis.turn_trace import OneTurn, playback, speech_delivered, timed_texts
from firstpacket.bench.metrics.t0 import all_starts
from firstpacket.bench.sanitize import clean
from firstpacket.bench.timing.spans import HandOff, StageSpan

T = TypeVar("T")

Event = dict[str, Any]
Slice = tuple[str, int, int, dict[str, Any]]
"""Name, start and end in ns, and arguments."""

PROCESSES = ("turn", "host", "GPU", "reply")
HAND_OFF, BEGINNING = range(2)
"""Order within a nanosecond: running work first hands an item over, then other work begins with it."""


def perfetto(one: OneTurn) -> dict[str, Any]:
    """The turn as a JSON object with `traceEvents`; every `ts` and `dur` is a number of microseconds, none negative."""
    drawing = _Drawing(one)
    drawing.turn()
    drawing.host()
    drawing.gpu()
    drawing.reply()
    return {
        "displayTimeUnit": "ms",
        "baseTimeNanoseconds": one.wall_ns(one.begins_ns),
        "otherData": {
            "run": clean(one.run.manifest.run),
            "turn": one.turn.turn,
            "label": one.turn.label,
            "utterance": clean(one.turn.utterance),
            "outcome": one.turn.outcome,
            "t0": one.evidence.options.t0,
            "t0_us": microseconds(one.t0_ns - one.begins_ns),
        },
        "traceEvents": drawing.events(),
    }


def microseconds(ns: int) -> float:
    """Nanoseconds as the least number of microseconds from which a reader that multiplies and truncates gets them back.

    Perfetto does: the nearest float may lie below, and would then be a nanosecond less.
    """
    nearest = ns / 1000
    return nearest if int(nearest * 1000.0) >= ns else math.nextafter(nearest, math.inf)


class _Drawing:
    """Collects events, each with its time and its rank within a nanosecond."""

    def __init__(self, one: OneTurn) -> None:
        self._one = one
        self._metadata: list[Event] = []
        self._timed: list[tuple[int, int, list[Event]]] = []
        self._threads: dict[int, int] = {}
        self._hand_offs = {hand_off.id: hand_off for hand_off in one.trace.hand_offs}
        self._tracks = self._arrows = 0
        self._anchor_tracks: dict[int, Event] = {}
        self._lane_of: dict[StageSpan, tuple[Event, list[StageSpan]]] = {}
        for pid, name in enumerate(PROCESSES, start=1):
            title = f"turn {one.turn.turn} of {one.turn.label}" if name == "turn" else name
            self._name("process", title, {"pid": pid})

    def events(self) -> list[Event]:
        """Names first, then all events in time order."""
        self._timed.sort(key=lambda each: each[:2])
        return self._metadata + [event for _, _, group in self._timed for event in group]

    def turn(self) -> None:
        """The critical path, the delivered speech, and moments."""
        one = self._one
        path = (
            (f"{part.stage or 'none'} · {part.kind}", part.start_ns, part.end_ns, {"error_us": part.error_ns / 1000})
            for part in one.path
        )
        self._slices("turn", "critical path", path)
        delivered = speech_delivered(one.evidence)
        if delivered is not None:
            self._slices("turn", "microphone", [("speech", *delivered, {})])
        track = self._track("turn", "moments")
        self._at(one.t0_ns, {"name": "t0", "ph": "i", "s": "g", **track})
        moments: list[tuple[str, int, dict[str, Any]]] = [
            (f"start: {start}", at_ns, {}) for start, at_ns in all_starts(one.evidence).items()
        ]
        moments += [(mark.name, mark.at_ns, {}) for mark in one.trace.marks]
        moments += [(text.kind, text.at_ns, {"text": clean(text.text)}) for text in timed_texts(one.trace)]
        moments += [
            (f"first output of {span.stage}", span.first_output_ns, {})
            for span in one.trace.spans
            if span.first_output_ns is not None
        ]
        for name, at_ns, said in moments:
            self._at(at_ns, {"name": clean(name), "ph": "i", "s": "t", "args": said, **track})

    def host(self) -> None:
        """Stages and waits by thread, and the arrows between stages."""
        trace = self._one.trace
        for thread, stage in dict.fromkeys((span.thread, span.stage) for span in trace.spans):
            spans = [span for span in trace.spans if (span.thread, span.stage) == (thread, stage)]
            for lane in lanes(spans, lambda span: (span.start_ns, span.end_ns)):
                track = self._track("host", self._of_thread(stage, thread))
                for span in lane:
                    self._lane_of[span] = track, lane
        for thread in dict.fromkeys(wait.thread for wait in trace.waits):
            waits: list[Slice] = [
                ("wait", each.start_ns, each.end_ns, {}) for each in trace.waits if each.thread == thread
            ]
            self._slices("host", self._of_thread("waiting for the GPU", thread), waits)
        for span in sorted(trace.spans, key=lambda span: (span.start_ns, -span.end_ns)):
            track, _ = self._lane_of[span]
            said = {"thread": span.thread}
            arriving = self._arrow(span.after, span.start_ns, track)
            self._at(span.start_ns, self._slice((span.stage, span.start_ns, span.end_ns, said), track), *arriving)
            if span.released_by is not None:
                self._released(span)

    def gpu(self) -> None:
        """The work on each stream."""
        spans = [span for span in self._one.trace.spans if span.gpu is not None]
        for stream in dict.fromkeys(span.gpu.stream for span in spans if span.gpu is not None):
            ran = [
                (span.stage, span.gpu.start_ns, span.gpu.end_ns, {"error_us": span.gpu.error_ns / 1000})
                for span in spans
                if span.gpu is not None and span.gpu.stream == stream
            ]
            self._slices("GPU", f"stream {stream}", ran)

    def reply(self) -> None:
        """Packets as they arrived, and playback."""
        trace = self._one.trace
        if not trace.packets:
            return
        track = self._track("reply", "packets")
        for number, packet in enumerate(trace.packets, start=1):
            said = {"samples": packet.samples, "sample_rate": packet.sample_rate}
            arriving = self._arrow(packet.after, packet.at_ns, track)
            self._at(
                packet.at_ns, self._slice((f"packet {number}", packet.at_ns, packet.at_ns, said), track), *arriving
            )
        self._slices("reply", "player", ((name, start, end, {}) for name, start, end in playback(self._one.evidence)))

    def _released(self, span: StageSpan) -> None:
        """The arrow to the end of a wait, marked by a slice of zero length, since the wait's own may have begun too
        early."""
        track = self._anchors(span.thread)
        arriving = self._arrow(span.released_by, span.end_ns, track)
        if arriving:
            end = self._slice((f"{span.stage} goes on", span.end_ns, span.end_ns, {}), track)
            self._at(span.end_ns, end, *arriving, order=HAND_OFF)

    def _arrow(self, hand_off_id: int | None, at_ns: int, track: Event) -> list[Event]:
        """Begin an arrow at a hand-off; returns its other end, which belongs after the slice it leads to, or
        nothing."""
        hand_off = self._hand_offs.get(hand_off_id) if hand_off_id is not None else None
        if hand_off is None or hand_off.at_ns > at_ns:
            return []
        self._arrows += 1
        flow = {"name": "hand-off", "cat": "hand-off", "id": self._arrows}
        self._begin_arrow(hand_off, flow)
        return [{**flow, "ph": "f", "bp": "e", "ts": self._ts(at_ns), **track}]

    def _begin_arrow(self, hand_off: HandOff, flow: Event) -> None:
        start = {**flow, "ph": "s", "ts": self._ts(hand_off.at_ns)}
        span = self._one.let_go_in(hand_off)
        if span is not None and span == self._begun_last(span, hand_off.at_ns):
            self._at(hand_off.at_ns, {**start, **self._lane_of[span][0]}, order=HAND_OFF)
            return
        track = self._anchors(hand_off.thread)
        leaves = self._slice((f"{hand_off.stage} lets go", hand_off.at_ns, hand_off.at_ns, {}), track)
        self._at(hand_off.at_ns, leaves, {**start, **track}, order=HAND_OFF)

    def _begun_last(self, span: StageSpan, before_ns: int) -> StageSpan | None:
        """The last slice on a span's track that began earlier, finished or not."""
        _, lane = self._lane_of[span]
        return next((each for each in reversed(lane) if each.start_ns < before_ns), None)

    def _anchors(self, thread: int) -> Event:
        if thread not in self._anchor_tracks:
            self._anchor_tracks[thread] = self._track("host", self._of_thread("hand-offs", thread))
        return self._anchor_tracks[thread]

    def _of_thread(self, what: str, thread: int) -> str:
        number = self._threads.setdefault(thread, len(self._threads) + 1)
        return f"{what} (thread {number})"

    def _slices(self, process: str, name: str, slices: Iterable[Slice]) -> None:
        """Slices on a track, or on several of one name if they overlap partly."""
        for lane in lanes(slices, lambda each: (each[1], each[2])):
            track = self._track(process, name)
            for each in lane:
                self._at(each[1], self._slice(each, track))

    def _slice(self, each: Slice, track: Event) -> Event:
        name, start_ns, end_ns, said = each
        args = {"from_t0_us": (start_ns - self._one.t0_ns) / 1000, **said}
        return {
            "name": clean(name),
            "ph": "X",
            "ts": self._ts(start_ns),
            "dur": microseconds(end_ns - start_ns),
            "args": args,
            **track,
        }

    def _track(self, process: str, name: str) -> Event:
        """A new track: its place and its name."""
        self._tracks += 1
        track = {"pid": PROCESSES.index(process) + 1, "tid": self._tracks}
        self._name("thread", name, track)
        return track

    def _name(self, kind: str, name: str, track: Event) -> None:
        place = track.get("tid", track["pid"])
        self._metadata += [
            {"name": f"{kind}_name", "ph": "M", "args": {"name": clean(name)}, **track},
            {"name": f"{kind}_sort_index", "ph": "M", "args": {"sort_index": place}, **track},
        ]

    def _ts(self, at_ns: int) -> float:
        return microseconds(at_ns - self._one.begins_ns)

    def _at(self, at_ns: int, *events: Event, order: int = BEGINNING) -> None:
        """Add events that belong together at one moment."""
        self._timed.append((at_ns, order, [{"ts": self._ts(at_ns), **event} for event in events]))


def lanes(stretches: Iterable[T], border: Callable[[T], tuple[int, int]]) -> list[list[T]]:
    """Distribute intervals over lanes so that no two of a lane overlap partly; `border` gives an interval's start and
    end.

    Each lane is ordered by start, longer intervals first. An interval goes to the first lane that can take it, so
    nested intervals stay together. Touching intervals do not overlap.
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

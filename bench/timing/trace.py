"""The live side of a turn's trace: what a pipeline calls while it works.

    with trace.stage("tts", after=phrase.hand_off) as span:
        ...
        span.first_output()
    packet = Packet(samples, rate, after=trace.hand_off("tts"))

Every call appends one record to a list (atomic in CPython), so stages may run in any number of threads. Nothing here
waits, locks or synchronises a GPU.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from operator import index
from threading import get_ident
from types import TracebackType
from typing import TYPE_CHECKING

from firstpacket.bench.sanitize import clean
from firstpacket.bench.timing.cancellation import Cancellation
from firstpacket.bench.timing.clock import Clock
from firstpacket.bench.timing.spans import (
    DeviceWait,
    HandOff,
    Mark,
    Message,
    PacketStamp,
    ServerFigure,
    Session,
    StageSpan,
    Text,
    TurnTrace,
    Usage,
)

if TYPE_CHECKING:
    from firstpacket.bench.timing.cuda import GpuRecorder, PendingSpan

__all__ = ["HandOff", "OpenHop", "OpenStage", "Range", "Ranges", "Trace"]

LONGEST_TEXT = 1_000_000
Range = AbstractContextManager[object]
Ranges = Callable[[str], Range]
"""Tells a profiler which stage is at work on the calling thread, from entering to leaving."""


class OpenStage:
    """A stage at work; a context manager made by `Trace.stage`."""

    __slots__ = (
        "_after", "_discarded", "_end_ns", "_first_output_ns", "_gpu", "_range", "_released_by", "_stage", "_start_ns",
        "_thread", "_trace",
    )  # fmt: skip

    def __init__(
        self, trace: Trace, stage: str, after: HandOff | None, gpu: PendingSpan | None, shown: Range | None = None
    ) -> None:
        self._trace = trace
        self._stage = stage
        self._after = after
        self._gpu = gpu
        self._range = shown
        self._first_output_ns: int | None = None
        self._discarded = False
        self._released_by: HandOff | None = None

    def first_output(self) -> None:
        """Note that the stage's first output exists now; later calls change nothing."""
        if self._first_output_ns is None:
            self._first_output_ns = self._trace._now_ns()

    def discard(self) -> None:
        """Drop the record when the stage is left, because no work was done in it. `keep` undoes this."""
        self._discarded = True

    def released(self, hand_off: HandOff | None) -> None:
        """Note that this hand-off's item ended this wait: its time belongs to whatever produced the item."""
        self._released_by = hand_off

    def keep(self) -> None:
        """Record a stage that was left and discarded after all."""
        if self._discarded:
            self._discarded = False
            self._trace._stages.append(self)

    def __enter__(self) -> OpenStage:
        self._thread = get_ident()
        if self._range is not None:
            self._range.__enter__()
        self._start_ns = self._trace._now_ns()
        if self._gpu is not None:
            self._gpu.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._gpu is not None:
            self._gpu.end()
        self._end_ns = self._trace._now_ns()
        if self._range is not None:
            self._range.__exit__(None, None, None)
        if not self._discarded:
            self._trace._stages.append(self)

    def _closed(self) -> StageSpan:
        return StageSpan(
            stage=self._stage,
            thread=self._thread,
            start_ns=self._start_ns,
            end_ns=self._end_ns,
            after=self._after.id if self._after is not None else None,
            first_output_ns=self._first_output_ns,
            gpu=self._gpu.resolved() if self._gpu is not None else None,
            released_by=self._released_by.id if self._released_by is not None else None,
        )


class OpenHop:
    """A round trip to another process; a context manager made by `Trace.hop`."""

    __slots__ = ("_stage", "_start_ns", "_trace", "_worked")

    def __init__(self, trace: Trace, stage: str) -> None:
        self._trace = trace
        self._stage = stage
        self._worked: tuple[int, int] | None = None

    def worked(self, start_ns: int, end_ns: int) -> None:
        """Note when the other process worked, by its own stamps: that time is not part of the hop."""
        self._worked = index(start_ns), index(end_ns)

    def __enter__(self) -> OpenHop:
        self._start_ns = self._trace._now_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        end_ns = self._trace._now_ns()
        left_ns, returned_ns = self._worked or (end_ns, end_ns)
        left_ns = min(max(left_ns, self._start_ns), end_ns)
        returned_ns = min(max(returned_ns, left_ns), end_ns)
        thread = get_ident()
        self._trace._hops += [
            StageSpan(self._stage, thread, from_ns, to_ns)
            for from_ns, to_ns in ((self._start_ns, left_ns), (returned_ns, end_ns))
            if from_ns < to_ns
        ]


class _OpenWait:
    __slots__ = ("_start_ns", "_trace")

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __enter__(self) -> None:
        self._start_ns = self._trace._now_ns()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._trace._waits.append(DeviceWait(get_ident(), self._start_ns, self._trace._now_ns()))


_NO_WAIT = nullcontext()


class Trace:
    """Records one turn. Pipelines get one per turn and pass it along explicitly."""

    def __init__(
        self,
        clock: Clock,
        gpu: GpuRecorder | None = None,
        ranges: Ranges | None = None,
        cancellation: Cancellation | None = None,
    ) -> None:
        self.clock = clock
        self.cancellation = cancellation or Cancellation()
        self._now_ns = clock.now_ns
        self._gpu = gpu
        self._ranges = ranges
        self._ids = itertools.count()
        self._stages: list[OpenStage] = []
        self._hops: list[StageSpan] = []
        self._hand_offs: list[HandOff] = []
        self._waits: list[DeviceWait] = []
        self._marks: list[Mark] = []
        self._texts: list[Text] = []
        self._packets: list[PacketStamp] = []
        self._causes: list[HandOff] = []
        self._usages: list[Usage] = []
        self._recorded: list[StageSpan] = []
        self._messages: list[Message] = []
        self._session: Session | None = None
        self._server_figures: list[ServerFigure] = []
        self._round_trips_ns: list[int] = []

    def stage(self, stage: str, *, after: HandOff | None = None, gpu: bool = False) -> OpenStage:
        """Time the body of a `with` as work of `stage`.

        `after` is the hand-off that brought the item worked on. `gpu=True` says that the body launches work on the
        current CUDA stream: an event is recorded there before and after it (not during a graph capture, and not at all
        when the pipeline runs on the CPU). Raises `TypeError` for a name that is not text.
        """
        stage = _text(stage, "a stage's name")
        pending = self._gpu.pending_span() if gpu and self._gpu is not None else None
        return OpenStage(self, stage, after, pending, self._ranges(stage) if self._ranges is not None else None)

    def hop(self, stage: str) -> OpenHop:
        """Time the body of a `with`, a request to another process on this machine, as `stage`.

        The work that process reports (`OpenHop.worked`) is attributed to the enclosing stage. Its stamps are on the
        same clock and are clamped to the body.
        """
        return OpenHop(self, stage)

    def hand_off(self, stage: str) -> HandOff:
        """Note that an item leaves `stage` now; pass the result on to whatever processes the item next."""
        hand_off = HandOff(next(self._ids), _text(stage, "a stage's name"), get_ident(), self._now_ns())
        self._hand_offs.append(hand_off)
        return hand_off

    def device_wait(self) -> AbstractContextManager[None]:
        """Mark the body of a `with` as nothing but a wait for the GPU (a blocking copy, `.item()`, an event).

        The critical path then divides that time among the GPU's spans instead of giving it to the waiting stage.
        On the CPU there is nothing to wait for, and nothing is recorded.
        """
        return _OpenWait(self) if self._gpu is not None else _NO_WAIT

    def record(self, stage: str, start_ns: int, end_ns: int) -> None:
        """Time work of `stage` that is known only afterwards, such as a wait for a server, as work of this thread."""
        span = StageSpan(_text(stage, "a stage's name"), get_ident(), index(start_ns), max(index(end_ns), start_ns))
        self._recorded.append(span)

    def mark(self, name: str, at_ns: int | None = None) -> None:
        """Note a named moment, now or at `at_ns`. Raises `TypeError` for a name that is not text."""
        at_ns = self._now_ns() if at_ns is None else index(at_ns)
        self._marks.append(Mark(_text(name, "a mark's name"), at_ns))

    def message(self, message: Message) -> None:
        """Record a message exchanged with a server."""
        self._messages.append(message)

    def session(self, session: Session) -> None:
        """Record the set-up of a connection for this turn; of several, from the first one's beginning to the last."""
        known = self._session
        self._session = session if known is None else known.joined(session)

    def server_says(self, name: str, ns: int) -> None:
        """Record a time that a server states about its own work. Raises `TypeError` for anything but text and int."""
        self._server_figures.append(ServerFigure(_text(name, "a server figure's name"), index(ns)))

    def round_trip(self, ns: int) -> None:
        """Record the time of a ping to the server and back, measured outside the turn's time."""
        self._round_trips_ns.append(index(ns))

    def text(self, kind: str, text: str, at_ns: int | None = None) -> None:
        """Keep a text of this turn, as of now or `at_ns`.

        `kind` is `partial` (a hypothesis while the user is speaking), `transcript` (the recognised text), `reply` (the
        assistant's answer) or `shortcoming` (why there is no answer, or not all of it: the turn's reason).
        Raises `TypeError` for anything but text.
        """
        at_ns = self._now_ns() if at_ns is None else index(at_ns)
        self._texts.append(Text(_text(kind, "a text's kind"), _text(text, f"the {kind}"), at_ns))

    def usage(self, prompt_tokens: int, reply_tokens: int, cached_tokens: int | None = None) -> None:
        """Record how many tokens the language model read and wrote in this turn; the last call wins.

        `cached_tokens` of the prompt came from a prefix cache, if that is known. Raises `TypeError` for anything but
        whole numbers.
        """
        cached = None if cached_tokens is None else index(cached_tokens)
        self._usages.append(Usage(index(prompt_tokens), index(reply_tokens), self._now_ns(), cached))

    def packet(self, samples: int, sample_rate: int, after: HandOff | None, at_ns: int | None = None) -> PacketStamp:
        """Record a packet's arrival, now or at `at_ns`; called by the harness alone."""
        arrived_ns = self._now_ns() if at_ns is None else at_ns
        stamp = PacketStamp(arrived_ns, samples, sample_rate, get_ident(), after.id if after else None)
        self._packets.append(stamp)
        if after is not None:
            self._causes.append(after)
        return stamp

    def finish(self) -> TurnTrace:
        """Everything seen so far; GPU spans are read now, so the turn must be over (and the recorder's turn ended).

        Raises `TypeError` or `ValueError` for records that cannot be connected.
        """
        self._check_hand_offs()
        if len(set(map(id, self._stages))) != len(self._stages):
            raise ValueError("a stage was entered more than once; call trace.stage() for every piece of its work")
        closed = [*(stage._closed() for stage in list(self._stages)), *self._hops, *self._recorded]
        spans = sorted(closed, key=lambda span: (span.start_ns, -span.end_ns))
        first_outputs = sum(span.first_output_ns is not None for span in spans)
        gpu_events = 2 * sum(span.gpu is not None for span in spans)
        return TurnTrace(
            spans=tuple(spans),
            hand_offs=tuple(self._hand_offs),
            waits=tuple(self._waits),
            marks=tuple(self._marks),
            texts=tuple(self._texts),
            packets=tuple(self._packets),
            usage=self._usages[-1] if self._usages else None,
            messages=tuple(sorted(self._messages, key=lambda message: message.at_ns)),
            session=self._session,
            server_figures=tuple(self._server_figures),
            round_trips_ns=tuple(self._round_trips_ns),
            events=len(spans) * 2
            + first_outputs
            + gpu_events
            + len(self._hand_offs)
            + len(self._waits) * 2
            + len(self._marks)
            + len(self._texts)
            + len(self._usages)
            + len(self._messages)
            + len(self._packets),
        )

    def _check_hand_offs(self) -> None:
        """A hand-off of an earlier turn may have the id of another one of this turn."""
        known = set(self._hand_offs)
        named: list[tuple[str, HandOff | None]] = [("a packet", cause) for cause in self._causes]
        for stage in list(self._stages):
            named += [(f"stage '{stage._stage}'", stage._after), (f"stage '{stage._stage}'", stage._released_by)]
        for who, hand_off in named:
            if hand_off is not None and not (isinstance(hand_off, HandOff) and hand_off in known):
                raise ValueError(
                    f"{who} names {str(hand_off)[:80]} as its hand-off, which is none of this turn: pass on what "
                    "trace.hand_off() returned"
                )


def _text(given: object, what: str) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{what} must be text (str), but is {type(given).__name__}")
    if len(given) > LONGEST_TEXT:
        raise ValueError(f"{what} has {len(given):,} characters; at most {LONGEST_TEXT:,} can be recorded")
    return clean(given)

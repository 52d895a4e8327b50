"""A trace of torch.profiler (Kineto's Chrome JSON) → when the device worked, and for which stage.

Each piece of work (kernel, copy, fill) carries the correlation id of the host's call that launched it, and all kernels
of a replayed graph that of the one launch. The call belongs to the innermost stage that was marked on its thread then.
Work launched from a library's own thread is attributed to the stage running at that moment if there is exactly one;
work that cannot be attributed is kept under the empty name.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from firstpacket.bench.record.gpu import DeviceWork, GpuProfile

MARK = "stage:"
"""Before a stage's name in the trace; the libraries' own annotations have other names."""
SETTLING = "(settling)"
"""Marks work that exists only for the profiler and is excluded."""
WORK = frozenset({"kernel", "gpu_memcpy", "gpu_memset"})
CALLS = frozenset({"cuda_runtime", "cuda_driver"})


@dataclass(frozen=True, slots=True)
class _Mark:
    stage: str
    thread: Any
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    thread: Any
    at_ns: int
    end_ns: int
    correlation: Any

    @property
    def launches(self) -> bool:
        """Whether work of the device must follow."""
        return "Launch" in self.name and "HostFunc" not in self.name


@dataclass(frozen=True, slots=True)
class _Piece:
    start_ns: int
    end_ns: int
    correlation: Any


def read_trace(file: Path) -> Mapping[str, Any]:
    """The trace without loss: microseconds since 1970 have more digits than a float. Raises `ValueError`, `OSError`."""
    content: Mapping[str, Any] = json.loads(file.read_text("utf-8", "replace"), parse_float=Decimal)
    return content


def profile_of(trace: Mapping[str, Any], device: int) -> GpuProfile:
    """Work on the device with CUDA's number `device`, by stage in the order in which they began.

    Raises `KeyError`, `TypeError` or `ValueError` if it is not such a trace.
    """
    events = [event for event in trace["traceEvents"] if event.get("ph") == "X"]
    marks = [_mark(event) for event in events if str(event["name"]).startswith(MARK) and _on_host(event)]
    calls = [_call(event) for event in events if event.get("cat") in CALLS and "correlation" in event["args"]]
    pieces = [_piece(event) for event in events if event.get("cat") in WORK and _on_device(event, device)]
    stages = _stages_of(calls, marks)
    return GpuProfile(_by_stage(pieces, stages), _lost(calls, pieces, stages))


def _by_stage(pieces: Iterable[_Piece], stages: Mapping[Any, str]) -> tuple[DeviceWork, ...]:
    wanted = (piece for piece in pieces if stages.get(piece.correlation) != SETTLING)
    ordered = sorted(wanted, key=lambda piece: (piece.start_ns, piece.end_ns))
    begin_ns = ordered[0].start_ns if ordered else 0
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for piece in ordered:
        stage = stages.get(piece.correlation, "")
        found[stage].append((piece.start_ns - begin_ns, piece.end_ns - begin_ns))
    return tuple(DeviceWork(stage, len(own), tuple(_joined(own))) for stage, own in found.items())


def _joined(stretches: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Intervals sorted by start, with touching or overlapping ones merged."""
    start_ns, end_ns = stretches[0]
    for next_start_ns, next_end_ns in stretches[1:]:
        if next_start_ns > end_ns:
            yield start_ns, end_ns
            start_ns, end_ns = next_start_ns, next_end_ns
        end_ns = max(end_ns, next_end_ns)
    yield start_ns, end_ns


def _stages_of(calls: Sequence[_Call], marks: Sequence[_Mark]) -> dict[Any, str]:
    """The stage of each call by its correlation id, in one sweep along time."""
    begins = sorted(marks, key=lambda mark: (mark.start_ns, -mark.end_ns))
    at_work: dict[Any, list[_Mark]] = defaultdict(list)
    found: dict[Any, str] = {}
    reached = 0
    for call in sorted(calls, key=lambda call: call.at_ns):
        while reached < len(begins) and begins[reached].start_ns <= call.at_ns:
            at_work[begins[reached].thread].append(begins[reached])
            reached += 1
        for thread in at_work:
            at_work[thread] = [mark for mark in at_work[thread] if mark.end_ns > call.at_ns]
        own = at_work.get(call.thread)
        anywhere = {each[-1].stage for each in at_work.values() if each}
        if own:
            found[call.correlation] = own[-1].stage
        elif len(anywhere) == 1:
            found[call.correlation] = next(iter(anywhere))
    return found


def _lost(calls: Iterable[_Call], pieces: Iterable[_Piece], stages: Mapping[Any, str]) -> int:
    """Launches by stages without matching work: CUPTI drops records silently when its buffers are full."""
    seen = {piece.correlation for piece in pieces}
    wanted = [call for call in calls if call.launches and stages.get(call.correlation, SETTLING) != SETTLING]
    return sum(not any(call.correlation in seen for call in nested) for nested in _nested(wanted))


def _nested(calls: Iterable[_Call]) -> Iterator[list[_Call]]:
    """Calls with those that they make inside: a runtime's launch may hold a driver's, and one of the two is named."""
    group: list[_Call] = []
    for call in sorted(calls, key=lambda call: (str(call.thread), call.at_ns, -call.end_ns)):
        if group and (call.thread != group[0].thread or call.at_ns >= group[0].end_ns):
            yield group
            group = []
        group.append(call)
    if group:
        yield group


def _on_host(event: Mapping[str, Any]) -> bool:
    """Annotations are drawn a second time on the device's tracks."""
    return event.get("cat") == "user_annotation"


def _on_device(event: Mapping[str, Any], device: int) -> bool:
    return int(event["args"].get("device", device)) == device


def _mark(event: Mapping[str, Any]) -> _Mark:
    return _Mark(str(event["name"]).removeprefix(MARK), event["tid"], _start_ns(event), _end_ns(event))


def _call(event: Mapping[str, Any]) -> _Call:
    return _Call(str(event["name"]), event["tid"], _start_ns(event), _end_ns(event), event["args"]["correlation"])


def _piece(event: Mapping[str, Any]) -> _Piece:
    return _Piece(_start_ns(event), _end_ns(event), event["args"].get("correlation"))


def _start_ns(event: Mapping[str, Any]) -> int:
    return int(event["ts"] * 1000)


def _end_ns(event: Mapping[str, Any]) -> int:
    return int((event["ts"] + event["dur"]) * 1000)

"""From a profiler's trace to the device's work per stage; on constructed traces, and on marks of the real profiler."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.gpu.kineto import MARK, SETTLING, profile_of, read_trace
from firstpacket.bench.record.gpu import DeviceWork, GpuProfile

Event = dict[str, Any]


def event(cat: str, name: str, thread: int, start_us: float, end_us: float, **args: object) -> Event:
    return {"ph": "X", "cat": cat, "name": name, "tid": thread, "ts": start_us, "dur": end_us - start_us, "args": args}


def mark(stage: str, start_us: float, end_us: float, thread: int = 1) -> Event:
    return event("user_annotation", MARK + stage, thread, start_us, end_us)


def launch(number: int, at_us: float, thread: int = 1, name: str = "cudaLaunchKernel") -> Event:
    return event("cuda_runtime", name, thread, at_us, at_us + 1, correlation=number)


def kernel(number: int, start_us: float, end_us: float, device: int = 0, cat: str = "kernel") -> Event:
    return event(cat, "gemm", 7, start_us, end_us, correlation=number, device=device, stream=7)


def profile(*events: Event, device: int = 0) -> GpuProfile:
    return profile_of({"traceEvents": [{"ph": "M", "name": "process_name"}, *events]}, device)


def stretches(found: GpuProfile) -> dict[str, tuple[tuple[int, int], ...]]:
    return {work.stage: work.stretches for work in found.work}


def test_work_belongs_to_the_stage_that_launched_it_whenever_it_is_done() -> None:
    """Both launches return immediately; the device runs the second long after its stage has ended."""
    found = profile(
        *(mark("encoder", 0, 10), launch(1, 5), kernel(1, 100, 150)),
        *(mark("adaptor", 10, 20), launch(2, 15), kernel(2, 150, 160)),
    )
    assert found == GpuProfile(
        (DeviceWork("encoder", 1, ((0, 50_000),)), DeviceWork("adaptor", 1, ((50_000, 60_000),)))
    )


def test_the_innermost_stage_of_the_launching_thread_owns_the_work() -> None:
    found = profile(
        *(mark("llm.decode", 0, 100), mark("speech_decoder", 10, 20), mark("tts", 0, 100, thread=2)),
        *(launch(1, 5), launch(2, 12), launch(3, 30), launch(4, 12, thread=2)),
        *(kernel(1, 40, 41), kernel(2, 41, 42), kernel(3, 42, 43), kernel(4, 43, 44)),
    )
    assert stretches(found) == {
        "llm.decode": ((0, 1000), (2000, 3000)),
        "speech_decoder": ((1000, 2000),),
        "tts": ((3000, 4000),),
    }


def test_stretches_that_touch_or_overlap_are_one_and_gaps_stay() -> None:
    found = profile(
        *(mark("vocoder", 0, 10), launch(1, 1), launch(2, 2), launch(3, 3), launch(4, 4)),
        *(kernel(1, 20, 30), kernel(2, 25, 28), kernel(3, 30, 31), kernel(4, 33, 34)),
    )
    assert stretches(found) == {"vocoder": ((0, 11_000), (13_000, 14_000))}
    assert found.work[0].pieces == 4


def test_a_replayed_graph_is_one_launch_of_many_kernels() -> None:
    found = profile(
        *(mark("llm.decode", 0, 10), launch(9, 5, name="cudaGraphLaunch")),
        *(kernel(9, 20, 21), kernel(9, 22, 25), kernel(9, 25, 26)),
    )
    assert stretches(found) == {"llm.decode": ((0, 1000), (2000, 6000))}
    assert found.lost == 0


def test_copies_and_fills_are_work_and_marks_on_the_device_are_not() -> None:
    found = profile(
        *(mark("copy", 0, 10), launch(1, 1, name="cudaMemcpyAsync"), launch(2, 2, name="cudaMemsetAsync")),
        *(kernel(1, 20, 21, cat="gpu_memcpy"), kernel(2, 30, 32, cat="gpu_memset")),
        event("gpu_user_annotation", MARK + "copy", 7, 20, 500),
    )
    assert stretches(found) == {"copy": ((0, 1000), (10_000, 12_000))}


def test_work_of_a_library_thread_belongs_to_the_only_active_stage() -> None:
    found = profile(
        *(mark("asr", 0, 10), mark("tts", 5, 20, thread=2)),
        *(launch(1, 3, thread=99), launch(2, 7, thread=99), launch(3, 15, thread=99), launch(4, 50, thread=99)),
        *(kernel(number, 60 + number, 60.5 + number) for number in (1, 2, 3, 4)),
    )
    assert {stage: len(own) for stage, own in stretches(found).items()} == {"asr": 1, "": 2, "tts": 1}


def test_work_without_a_launch_is_unassigned_and_a_launch_without_work_lost() -> None:
    found = profile(
        *(mark("tts", 0, 10), launch(1, 1), launch(2, 2), launch(3, 3, name="cudaLaunchHostFunc")),
        *(launch(4, 4, name="cudaEventRecord"), launch(5, 90), kernel(1, 20, 21), kernel(77, 30, 31)),
    )
    assert stretches(found) == {"tts": ((0, 1000),), "": ((10_000, 11_000),)}
    assert found.lost == 1, "the second alone: host functions, events and other people's launches leave no work"


def test_a_runtime_launch_around_a_driver_launch_is_matched() -> None:
    outer = event("cuda_runtime", "cudaLaunchKernelExC", 1, 1, 5, correlation=1)
    inner = event("cuda_driver", "cuLaunchKernelEx", 1, 2, 4, correlation=2)
    for named in (1, 2):
        found = profile(mark("tts", 0, 10), outer, inner, kernel(named, 20, 21))
        assert stretches(found) == {"tts": ((0, 1000),)}
        assert found.lost == 0


def test_other_devices_and_the_profilers_warm_up_are_ignored() -> None:
    found = profile(
        *(mark(SETTLING, 0, 5), launch(1, 1), launch(2, 2), kernel(1, 3, 4)),
        *(mark("tts", 10, 20), launch(3, 11), kernel(3, 30, 31, device=1), launch(4, 12), kernel(4, 40, 41, device=0)),
        device=1,
    )
    assert stretches(found) == {"tts": ((0, 1000),)}


def test_nanoseconds_survive_stamps_since_1970(tmp_path: Path) -> None:
    """Microseconds since 1970 in a float stand a quarter of a microsecond apart, or more."""
    text = json.dumps({"traceEvents": [mark("tts", 0, 10), launch(1, 1), kernel(1, 0, 0)]})
    text = text.replace('"ts": 0, "dur": 0', '"ts": 1790857026000000.123, "dur": 0.017')
    (tmp_path / "trace.json").write_text(text)
    trace = read_trace(tmp_path / "trace.json")
    assert trace["traceEvents"][2]["ts"] == Decimal("1790857026000000.123")
    assert stretches(profile_of(trace, 0)) == {"tts": ((0, 17),)}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=25))
def test_total_work_is_preserved_to_the_nanosecond(drawn: list[tuple[int, int, int]]) -> None:
    """Stages one after another on a thread, launches in them, work at any time later."""
    marks = [mark(f"stage {number}", 10 * number, 10 * number + 9) for number in range(4)]
    calls = [launch(number, 10 * stage + 5) for number, (stage, _, _) in enumerate(drawn)]
    work = [kernel(number, 100 + start, 100 + start + length) for number, (_, start, length) in enumerate(drawn)]
    found = profile(*marks, *calls, *work)
    begin = min(start for _, start, _ in drawn)
    for each in found.work:
        own = [(start, length) for stage, start, length in drawn if f"stage {stage}" == each.stage]
        covered = {ns for start, length in own for ns in range((start - begin) * 1000, (start + length - begin) * 1000)}
        assert {ns for start, end in each.stretches for ns in range(start, end)} == covered
        assert each.pieces == len(own)
        assert all(first[1] < second[0] for first, second in zip(each.stretches, each.stretches[1:], strict=False))


@pytest.mark.parametrize(
    "nonsense", [{}, {"traceEvents": [{"ph": "X"}]}, {"traceEvents": [{"ph": "X", "cat": "kernel"}]}]
)
def test_malformed_traces_are_refused(nonsense: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        profile_of(nonsense, 0)


def test_the_real_profiler_writes_marks_in_the_form_that_is_read(tmp_path: Path) -> None:
    """On the CPU it sees no kernels, but stages in any thread: that much of its form is known here."""
    torch = pytest.importorskip("torch")
    from torch._C._profiler import _ExperimentalConfig

    activity = torch.profiler.ProfilerActivity
    session = torch.profiler.profile(
        activities=[activity.CPU], experimental_config=_ExperimentalConfig(profile_all_threads=True)
    )
    numbers: list[int] = []

    def work() -> None:
        with torch.profiler.record_function(MARK + "tts"):
            torch.zeros(4) + 1
        numbers.append(threading.get_native_id())

    session.start()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    with torch.profiler.record_function(MARK + "asr"):
        work()
    session.stop()
    session.export_chrome_trace(str(tmp_path / "trace.json"))
    trace = read_trace(tmp_path / "trace.json")
    marks = [each for each in trace["traceEvents"] if str(each.get("name", "")).startswith(MARK)]
    assert {each["cat"] for each in marks} == {"user_annotation"}
    (asr,) = (each for each in marks if each["name"] == MARK + "asr")
    inside = {each["tid"]: each for each in marks if each["name"] == MARK + "tts"}
    assert sorted(inside) == sorted(numbers)
    nested = inside[asr["tid"]]
    assert asr["ts"] <= nested["ts"] <= nested["ts"] + nested["dur"] <= asr["ts"] + asr["dur"]
    # A launch made up within each is given to the right stage.
    made = [launch(tid, 0, tid) | {"ts": each["ts"], "dur": Decimal(0)} for tid, each in inside.items()]
    done = [kernel(tid, 10 * tid, 10 * tid + 1) for tid in inside]
    assert stretches(profile_of({"traceEvents": [*trace["traceEvents"], *made, *done]}, 0)).keys() == {"tts"}

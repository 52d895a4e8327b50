"""The cost of one stage span, compared with other tracers. `make bench` prints the table; the test guards a ratio."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace

SPANS = 1000


def ours() -> None:
    trace = Trace(MonotonicClock())
    for _ in range(SPANS):
        with trace.stage("tts"):
            pass


def bare_clock_reads() -> None:
    stamps: list[tuple[int, int]] = []
    for _ in range(SPANS):
        start = time.monotonic_ns()
        stamps.append((start, time.monotonic_ns()))


def opentelemetry() -> Callable[[], None]:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("benchmark")

    def work() -> None:
        exporter.clear()
        for _ in range(SPANS):
            with tracer.start_as_current_span("tts"):
                pass

    return work


def record_function() -> Callable[[], None]:
    torch = pytest.importorskip("torch")

    def work() -> None:
        for _ in range(SPANS):
            with torch.profiler.record_function("tts"):
                pass

    return work


@pytest.mark.parametrize(
    "way", ["firstpacket stage", "bare clock reads", "OpenTelemetry SDK span", "torch record_function"]
)
def test_cost_of_1000_spans(benchmark: BenchmarkFixture, way: str) -> None:
    work = {
        "firstpacket stage": lambda: ours,
        "bare clock reads": lambda: bare_clock_reads,
        "OpenTelemetry SDK span": opentelemetry,
        "torch record_function": record_function,
    }[way]()
    benchmark.extra_info["goal"] = "3 ms per 1,000 stages, that is 3 µs each"
    benchmark.pedantic(work, rounds=30, warmup_rounds=3)


@pytest.mark.alone
def test_a_stage_costs_a_fraction_of_an_opentelemetry_span() -> None:
    """Interleaved in one run, so that whatever slows the machine slows both."""
    theirs = opentelemetry()
    ratios = []
    for _ in range(15):
        start = time.perf_counter()
        ours()
        middle = time.perf_counter()
        theirs()
        ratios.append((middle - start) / (time.perf_counter() - middle))
    assert statistics.median(ratios) < 0.25

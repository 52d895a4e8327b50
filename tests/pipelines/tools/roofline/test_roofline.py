from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.command import here, write_clips  # noqa: E402

from firstpacket.bench.errors import BenchError  # noqa: E402
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE  # noqa: E402
from firstpacket.bench.metrics.figures import TurnFigures  # noqa: E402
from firstpacket.bench.pipeline import Work  # noqa: E402
from firstpacket.bench.record.schema import PathPart  # noqa: E402
from firstpacket.bench.run.speech import HeardSpeech  # noqa: E402
from firstpacket.bench.timing.clock import VirtualClock  # noqa: E402
from firstpacket.pipelines.direct.llama_omni import dummy  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.work import Listening, Remaining, first_packet_work  # noqa: E402
from firstpacket.pipelines.tools.roofline import machine, measurement  # noqa: E402
from firstpacket.pipelines.tools.roofline.estimate import Load, Repetition, Spread, SystemRoofline, roofline  # noqa: E402
from firstpacket.pipelines.tools.roofline.machine import Machine, checked  # noqa: E402
from firstpacket.pipelines.tools.roofline.operators import OperatorCounter  # noqa: E402
from firstpacket.pipelines.tools.roofline.turns import PatientMicrophone  # noqa: E402


def whole(size: str) -> Remaining:
    """A prompt of 366 positions, nothing of which was taken in before."""
    return Remaining.of(dummy.config(size), Listening("full", None, head=0, text=66), 3.0)


def test_the_published_size_counts_as_the_specification_says() -> None:
    """8.03 G weights of the LLM (7.5 G without the embedding), read once per token, in two bytes each."""
    work = {each.stage: each for each in first_packet_work(dummy.config("8b"), whole("8b"), 10, 2)}
    assert work["llm.prefill"].bytes == pytest.approx(2 * 7.505e9, rel=0.001)
    assert work["llm.decode"].bytes == work["llm.prefill"].bytes
    assert work["speech_decoder"].bytes == pytest.approx(2 * 2 * 425.65e6, rel=0.001)
    assert work["encoder"].bytes == pytest.approx(2 * 635e6, rel=0.01)
    assert work["adaptor"].bytes == pytest.approx(2 * 21.5e6, rel=0.01)
    # Twice the weights per position, and the attention: about 5.5 TFLOP.
    assert work["llm.prefill"].operations == pytest.approx(2 * 6.98e9 * 366, rel=0.02)


def test_on_an_h200_the_floor_is_what_the_issue_of_the_field_says() -> None:
    """Two passes over 15 GB at 4.3 TB/s and 750 TFLOP/s: 16 to 20 ms to the first packet."""
    h200 = Machine("NVIDIA H200", 4.3e12, 750e12)
    work = first_packet_work(dummy.config("8b"), whole("8b"), 10, 2)
    floor_s = sum(h200.floor_s(each.bytes, each.operations) for each in work)
    assert 0.012 < floor_s < 0.022


def test_a_larger_chunk_is_more_work() -> None:
    small, large = (
        {each.stage: each for each in first_packet_work(dummy.config("tiny"), whole("tiny"), units, 4)}
        for units in (10, 40)
    )
    for stage in ("llm.decode", "speech_decoder", "vocoder"):
        assert large[stage].operations > small[stage].operations
    assert large["encoder"] == small["encoder"]


@pytest.mark.parametrize(
    ("context", "block_ms", "speech_s", "expected"),
    [
        ("full", None, 3.0, (300, 1500, 0, 300 + 10, 56)),
        ("full", None, 40.0, (3000, 1500, 0, 300 + 10, 56)),
        ("trimmed", None, 2.91, (300, 150, 0, 30 + 10, 56)),
        ("streaming", None, 3.0, (300, 150, 0, 30 + 10, 56)),
        ("streaming", 500, 3.0, (50, 25, 125, 5 + 10, 56 + 25)),
        ("streaming", 500, 3.01, (10, 5, 150, 1 + 10, 56 + 30)),
        ("streaming", 500, 2.71, (30, 15, 125, 3 + 10, 56 + 25)),
        ("streaming", 100, 2.71, (10, 5, 135, 1 + 10, 56 + 27)),
        ("streaming", 2000, 0.0, (10, 5, 0, 1 + 10, 56)),
    ],
)
def test_what_is_left_after_the_end_of_speech(
    context: Any, block_ms: int | None, speech_s: float, expected: tuple[int, ...]
) -> None:
    """56 tokens before the speech, 10 after it; of blocks the last one, which is at most as long as the others."""
    listening = Listening(context, block_ms * 16 if block_ms else None, head=56, text=66)
    assert astuple(Remaining.of(dummy.config("8b"), listening, speech_s)) == expected


def test_with_blocks_both_models_read_their_weights_once_and_compute_little() -> None:
    """The formula of a listener: one pass over the weights of each, whatever the length of a block."""
    config = dummy.config("8b")
    left = {ms: Remaining.of(config, Listening("streaming", ms * 16, 56, 66), 3.95) for ms in (100, 2000)}
    work = {ms: {each.stage: each for each in first_packet_work(config, some, 10, 2)} for ms, some in left.items()}
    for stage, weights in (("encoder", 2 * 635e6), ("llm.prefill", 2 * 7.505e9)):
        assert work[100][stage].bytes == pytest.approx(weights, rel=0.03)
        assert work[2000][stage].bytes == pytest.approx(work[100][stage].bytes, rel=0.02)
        assert work[100][stage].operations < work[2000][stage].operations
    assert work[100]["features"].operations == work[2000]["features"].operations / 20


def test_implausible_figures_of_a_known_chip_are_refused() -> None:
    with pytest.raises(BenchError, match="another process is using the GPU"):
        checked(Machine("NVIDIA H200", 2.0e12, 750e12), torch.bfloat16)
    checked(Machine("NVIDIA H200", 4.3e12, 750e12), torch.bfloat16)
    checked(Machine("CPU", 1e9, 1e9), torch.bfloat16)


def test_this_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEAST_S", 0.01)
    seen = machine.measure(torch.device("cpu"), torch.float32)
    assert seen.bandwidth > 1e8
    assert seen.rate > 1e8
    assert all(1e-8 < cost < 1e-2 for cost in seen.launch_s.values())
    assert machine.reading(torch.device("cpu"), 2**20) > 1e8


MACHINE = Machine("machine", 1e9, 1e9, {"matrix": 2e-3, "view": 1e-3, "other": 3e-3})
"""1 ms per MB or million operations."""
WORK = (Work("encoder", 4_000_000, 1), Work("llm", 1, 6_000_000))


def turn(encoder_ms: int, llm_ms: int, audible_ms: int = 0) -> TurnFigures:
    path = (PathPart("encoder", "host", encoder_ms * 1_000_000), PathPart("llm", "host", llm_ms * 1_000_000))
    first_ms = encoder_ms + llm_ms
    figures = {HEADLINE: first_ms * 1_000_000, FIRST_AUDIBLE: (first_ms + audible_ms) * 1_000_000}
    return TurnFigures(figures, path, 0, {}, ())


def test_ratios_are_of_the_same_repetition() -> None:
    """A machine that is half as fast in one repetition takes twice as long for the turns, and the ratio stays."""
    slow = Machine("machine", 0.5e9, 0.5e9)
    seen = [Repetition(MACHINE, [turn(8, 12)] * 3), Repetition(slow, [turn(16, 24)] * 3)]
    found = roofline(Load("system", [WORK] * 3, {}), seen, seen)
    assert found.total.floor_ms == Spread(15, 10, 20)
    assert found.total.measured_ms == Spread(30, 20, 40)
    assert found.total.ratio == Spread(2, 2, 2)
    assert [row.ratio for row in found.stages] == [Spread(2, 2, 2)] * 2
    assert found.total.operators is found.total.launching_ratio is None


def launching(system: SystemRoofline) -> list[float]:
    return [row.launching_floor_ms.median for row in (*system.stages, system.total) if row.launching_floor_ms]


def test_launching_adds_to_the_floor_where_the_host_does_the_work() -> None:
    """Encoder: 4 ms and 2 + 1 ms of launching; llm: 6 ms and 9 ms."""
    operators = {"encoder": {"matrix": 1, "view": 1}, "llm": {"other": 3}}
    seen = [Repetition(MACHINE, [turn(7, 15)])]
    on_cpu = roofline(Load("system", [WORK], operators), seen, seen)  # type: ignore[arg-type]
    assert launching(on_cpu) == pytest.approx([7, 15, 22])
    assert [row.operators for row in (*on_cpu.stages, on_cpu.total)] == [2, 3, 5]
    assert on_cpu.total.launching_ratio is not None
    assert on_cpu.total.launching_ratio.median == pytest.approx(1)
    on_gpu = roofline(Load("system", [WORK], operators, launching_overlaps=True), seen, seen)  # type: ignore[arg-type]
    assert launching(on_gpu) == pytest.approx([4, 9, 13])


def test_a_system_is_compared_with_the_first_within_each_repetition() -> None:
    first = [Repetition(MACHINE, [turn(8, 12)]), Repetition(MACHINE, [turn(80, 120)])]
    other = [Repetition(MACHINE, [turn(1, 4, 5)]), Repetition(MACHINE, [turn(10, 40, 10)])]
    found = roofline(Load("system", [WORK], {}), other, first)
    assert found.first_packet is not None
    assert found.first_packet.of_first == Spread(0.25, 0.25, 0.25)
    assert found.first_audible is not None
    assert found.first_audible.ms == Spread(35, 10, 60)
    assert found.first_audible.of_first == Spread(0.4, 0.3, 0.5)


def test_operators_are_counted_between_the_end_of_speech_and_the_first_packet() -> None:
    counter, one = OperatorCounter(), torch.ones(2, 2)
    with counter, torch.inference_mode():
        with counter.stage("encoder"):
            one + one
            counter.speech_over()
            one.view(4)
            torch.nn.functional.linear(one, one, one[0])
        with counter.stage("llm"):
            torch.nn.functional.scaled_dot_product_attention(*[one.view(1, 1, 2, 2)] * 3)
        one + one
        counter.first_packet()
        with counter.stage("llm"):
            one + one
    assert counter.counts == {"encoder": {"view": 2, "matrix": 1}, "llm": {"view": 1, "matrix": 1}, "": {"other": 1}}


@pytest.mark.parametrize("length", [0, 1, 320, 321, 1000])
def test_the_microphone_waits_for_the_pipeline_and_then_stamps_the_end_of_speech(length: int) -> None:
    clock, samples = VirtualClock(), np.arange(length, dtype=np.float32)
    waited: list[int] = []
    microphone = PatientMicrophone(clock, samples, lambda: waited.append(clock.now_ns()))
    heard, at_ns = [], []
    for frame in HeardSpeech(clock, "en", microphone).frames():
        heard.append(frame)
        at_ns.append(clock.now_ns())
        clock.sleep_until_ns(clock.now_ns() + 1_000_000)  # the pipeline works, and nothing is late
    assert np.array_equal(np.concatenate(heard), samples)
    assert waited == [microphone.t0_ns] == at_ns[-1:]


@pytest.mark.alone
def test_full_and_streaming_are_measured_in_one_call(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "WARM_UP", 0)
    monkeypatch.setattr(measurement, "measure", lambda device, dtype: MACHINE)
    monkeypatch.setattr(measurement, "reading", lambda device, size: 2e9)
    model = "direct,weights=dummy,max-new-tokens=3"
    asked = ("-p", f"full={model}", "-p", f"streaming={model},encoder-context=streaming")
    corpus = write_clips(tmp_path / "clips")
    done = here("roofline", *asked, "--turns", "1", "--repetitions", "2", "--corpus", corpus, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["copy_gb_s"]["median"] == 1
    full, streaming = (found["systems"][label] for label in ("full", "streaming"))
    assert full["bandwidth_gb_s"]["median"] == 2, "weights in a cache are read faster than memory"
    for system in (full, streaming):
        total = system["total"]
        assert total["measured_ms"]["median"] > 0
        assert total["launching_floor_ms"]["median"] > total["floor_ms"]["median"] > 0
        for stage in ("encoder", "llm.prefill", "speech_decoder", "vocoder"):
            assert system["stages"][stage]["operators"] > 5
    assert full["first_packet"]["of_first"] == {"median": 1, "low": 1, "high": 1}
    of_full = streaming["first_packet"]["of_first"]
    assert 0 < of_full["low"] <= of_full["median"] <= of_full["high"]
    assert of_full["low"] < 1, "30 s of silence are not encoded"
    assert streaming["total"]["floor_ms"]["median"] < full["total"]["floor_ms"]["median"] / 2


def test_the_floor_of_a_published_machine_needs_no_measurement() -> None:
    """LLaMA-Omni at its published size on an L40, before the first token: 82 ms, and 20 ms with blocks."""
    asked = ("-p", "full=direct,size=8b", "-p", "streaming=direct,size=8b,encoder-context=streaming")
    done = here("roofline", *asked, "--machine", "l40", "--json")
    assert done.returncode == 0, done.stderr
    systems = json.loads(done.stdout)["systems"]
    listening = {
        label: sum(system["stages"][stage]["floor_ms"]["median"] for stage in ("encoder", "adaptor", "llm.prefill"))
        for label, system in systems.items()
    }
    assert listening["full"] == pytest.approx(82, rel=0.1)
    assert listening["streaming"] == pytest.approx(20, rel=0.1)
    assert systems["full"]["total"]["measured_ms"] is None
    table = here("roofline", *asked, "--machine", "l40").stdout
    assert "NVIDIA L40" in table
    assert "nothing was measured" in table


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-p", "direct", "-p", "direct,size=8b"), "Label 'direct' is used twice"),
        (("-p", "direct", "--machine", "abacus"), "expected h200 or l40"),
        (("-p", "direct", "--machine", "l40", "--dtype", "float32"), "known in 16 bit only"),
        (("-p", "direct", "--machine", "l40", "--device", "cuda"), "takes no --device"),
        (("-p", "direct,endpoint=vad"), "must find the end of speech itself"),
        (("-p", "scripted"), "no roofline"),
    ],
)
def test_what_has_no_roofline_is_refused(options: tuple[str, ...], message: str) -> None:
    done = here("roofline", *options)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())

from __future__ import annotations

from dataclasses import astuple
from importlib import import_module
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from support.command import here  # noqa: E402

from firstpacket.bench.errors import BenchError  # noqa: E402
from firstpacket.pipelines.direct.llama_omni import dummy  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.work import Remaining, first_packet_work  # noqa: E402
from firstpacket.pipelines.tools.roofline.machine import Machine, checked  # noqa: E402


def whole(size: str) -> Remaining:
    """A prompt of 366 positions, nothing of which was taken in before."""
    return Remaining.of(dummy.config(size), "full", None, 0, 366)


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
    machine = Machine("NVIDIA H200", 4.3e12, 750e12)
    work = first_packet_work(dummy.config("8b"), whole("8b"), 10, 2)
    floor_s = sum(machine.floor_s(each.bytes, each.operations) for each in work)
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
    ("context", "block_ms", "expected"),
    [
        ("full", None, (1500, 0, 300 + 10, 56)),
        ("trimmed", None, (150, 0, 30 + 10, 56)),
        ("streaming", None, (150, 0, 30 + 10, 56)),
        ("streaming", 500, (15, 135, 3 + 10, 56 + 27)),
        ("streaming", 100, (5, 145, 1 + 10, 56 + 29)),
    ],
)
def test_what_is_left_after_3_s_of_speech(context: Any, block_ms: int | None, expected: tuple[int, ...]) -> None:
    """56 tokens before the speech, 10 after it; of a block, half."""
    block = block_ms * 16 if block_ms else None
    assert astuple(Remaining.of(dummy.config("8b"), context, block, 56, 366)) == expected


def test_with_blocks_both_models_read_their_weights_once_and_compute_little() -> None:
    """The formula of a listener: one pass over the weights of each, whatever the length of a block."""
    config = dummy.config("8b")
    left = {ms: Remaining.of(config, "streaming", ms * 16, 56, 366) for ms in (100, 2000)}
    work = {ms: {each.stage: each for each in first_packet_work(config, some, 10, 2)} for ms, some in left.items()}
    for stage, weights in (("encoder", 2 * 635e6), ("llm.prefill", 2 * 7.505e9)):
        assert work[100][stage].bytes == pytest.approx(weights, rel=0.03)
        assert work[2000][stage].bytes == pytest.approx(work[100][stage].bytes, rel=0.01)
        assert work[100][stage].operations < work[2000][stage].operations
    assert work[100]["features"].operations == work[2000]["features"].operations / 10


def test_implausible_figures_of_a_known_chip_are_refused() -> None:
    with pytest.raises(BenchError, match="another process is using the GPU"):
        checked(Machine("NVIDIA H200", 2.0e12, 750e12), torch.bfloat16)
    checked(Machine("NVIDIA H200", 4.3e12, 750e12), torch.bfloat16)
    checked(Machine("CPU", 1e9, 1e9), torch.bfloat16)


@pytest.mark.alone
def test_the_command_prints_measured_over_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("firstpacket.pipelines.tools.roofline.command"), "WARM_UP", 1)
    done = here("roofline", "--pipeline", "direct,weights=dummy", "--turns", "1")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line.strip()}
    measured, floor, ratio = map(float, lines["total"])
    assert measured > floor > 0
    assert ratio == pytest.approx(measured / floor, rel=0.05)
    for stage in ("encoder", "llm.prefill", "speech_decoder", "vocoder"):
        assert float(lines[stage][0]) > 0


def test_a_pipeline_without_known_work_is_refused() -> None:
    done = here("roofline", "--pipeline", "scripted")
    assert done.returncode == 2
    assert "no roofline" in done.stderr

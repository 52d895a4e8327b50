"""Defaults of the command line are the settings that the published weights were trained with."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers", exc_type=ImportError)

from typer.testing import CliRunner

from firstpacket.bench.errors import UsageError
from firstpacket.pipelines.tools.training import command

WHERE = ("--data", "DATA", "--work", "WORK")


def asked(monkeypatch: pytest.MonkeyPatch, step: str, *options: str) -> list[Any]:
    """All that the step is called with."""
    module, calls = importlib.import_module(f"firstpacket.pipelines.tools.training.{step}"), []

    def run(*given: Any, **named: Any) -> dict[str, object]:
        calls.append([*given, *named.values()])
        return {}

    monkeypatch.setattr(module, "run", run)
    result = CliRunner().invoke(command, [step, *WHERE, *options])
    assert result.exit_code == 0, result.output
    ((data, work, *rest),) = calls
    assert (data, work) == (Path("DATA"), Path("WORK"))
    return rest


@pytest.mark.parametrize("step", ["llm", "listening", "vocoder", "speaking"])
def test_each_step_has_its_own_batch_size_and_schedule(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    module = importlib.import_module(f"firstpacket.pipelines.tools.training.{step}")
    schedule, *rest = asked(monkeypatch, step, "--seed", "1")
    assert schedule == module.SCHEDULE
    assert module.BATCH in rest
    schedule, *rest = asked(monkeypatch, step, "--steps", "7", "--batch", "3", "--accumulate", "2", "--seed", "5")
    assert (schedule.steps, schedule.accumulate, schedule.seed) == (7, 2, 5)
    assert 3 in rest


def test_each_step_has_its_own_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    speaking, listening, units = (
        importlib.import_module(f"firstpacket.pipelines.tools.training.{step}")
        for step in ("speaking", "listening", "units")
    )
    own = [speaking.SIZES, speaking.BATCH, False, speaking.FRAMES_PER_TOKEN, speaking.BEGINNING.steps]
    assert asked(monkeypatch, "speaking")[1:] == own
    other = ("--layers", "2", "4096", "32", "11008", "--frames", "30", "--beginning", "0", "--unpaired")
    assert asked(monkeypatch, "speaking", *other)[1:] == [(2, 4096, 32, 11008), speaking.BATCH, True, 30, 0]
    assert asked(monkeypatch, "listening")[1].inner == listening.INNER
    assert asked(monkeypatch, "listening", "--inner", "2048")[1].inner == 2048
    assert asked(monkeypatch, "units")[1:] == [units.UnitSizes(), False]
    assert asked(monkeypatch, "units", "--count", "50")[1:] == [units.UnitSizes(units=50), False]
    assert asked(monkeypatch, "units", "--untrimmed")[1:] == [units.UnitSizes(), True]


@pytest.mark.parametrize(
    ("step", "options", "start", "step_written", "source"),
    [
        ("speaking", ("--start", "OMNI"), "OMNI", "speaking", "listening"),
        ("streaming-speaking", (), "WORK/speaking", "streaming-speaking", "streaming-listening"),
        ("streaming-speaking", ("--start", "OMNI"), "OMNI", "streaming-speaking", "streaming-listening"),
    ],
)
def test_a_speech_decoder_is_trained_further_from_a_folder(
    monkeypatch: pytest.MonkeyPatch, step: str, options: tuple[str, ...], start: str, step_written: str, source: str
) -> None:
    speaking = importlib.import_module("firstpacket.pipelines.tools.training.speaking")
    calls: list[inspect.BoundArguments] = []

    def tune(*given: Any, **named: Any) -> dict[str, object]:
        calls.append(inspect.signature(real).bind(*given, **named))
        calls[-1].apply_defaults()
        return {}

    real = speaking.tune
    monkeypatch.setattr(speaking, "tune", tune)
    result = CliRunner().invoke(command, [step, *WHERE, *options, "--seed", "3"])
    assert result.exit_code == 0, result.output
    (call,) = (one.arguments for one in calls)
    assert call["start"] == Path(start)
    assert (call["step"], call["source"].step) == (step_written, source)
    assert call["schedule"] == replace(speaking.TUNING, seed=3)
    assert call["batch"] == speaking.BATCH


def test_sizes_are_refused_where_a_trained_decoder_has_its_own() -> None:
    result = CliRunner().invoke(command, ["speaking", *WHERE, "--start", "OMNI", "--frames", "30"])
    assert isinstance(result.exception, UsageError)
    assert "Leave out --layers, --frames, --beginning and --unpaired" in str(result.exception)

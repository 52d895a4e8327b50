from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from firstpacket.bench import registry
from firstpacket.bench.errors import UnknownName, UsageError
from firstpacket.bench.metrics.critical_path import critical_path, summed
from firstpacket.bench.pipeline import Samples, Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade import Cascade
from firstpacket.pipelines.cascade.asr.faster_whisper import FasterWhisper
from firstpacket.pipelines.cascade.asr.pocketsphinx import PocketSphinx


def option_names(**chosen: Any) -> set[str]:
    return {option.name for option in Cascade.declare({"weights": "dummy", **chosen}).options}


def test_the_options_are_those_of_the_chosen_engines() -> None:
    assert {"asr", "chain", "asr-fast", "llm-size", "tts-voice"} <= option_names()
    assert "asr-beam" in option_names(asr="faster-whisper")
    assert "asr-fast" not in option_names(asr="faster-whisper")


def test_the_class_declares_the_defaults() -> None:
    assert Cascade.declare({}) == Cascade.declaration
    stages = [stage.id for stage in Cascade.declaration.stages]
    assert stages == ["endpoint", "asr", "llm.prefill", "llm.decode", "tts"]
    dummies = Cascade.declare({"weights": "dummy"}).requires
    assert {need.extra for need in dummies} == {"pocketsphinx", "transformers", "espeak"}


def test_it_starts_before_speech_ends_if_chain_and_recogniser_do() -> None:
    assert PocketSphinx.declaration.starts_before_speech_ends
    assert Cascade.declare({}).starts_before_speech_ends
    assert not Cascade.declare({"chain": "streamed"}).starts_before_speech_ends


def test_a_requested_voice_activity_detector_is_a_requirement() -> None:
    assert not Cascade.declaration.finds_speech_end
    listening = Cascade.declare({"endpoint": "vad"})
    assert listening.finds_speech_end
    assert "faster-whisper" in {need.extra for need in listening.requires}


def test_a_voice_in_another_environment_needs_nothing_here() -> None:
    here = {need.extra for need in Cascade.declare({"tts": "coqui"}).requires}
    there = {need.extra for need in Cascade.declare({"tts": "coqui", "tts-python": "/other/bin/python"}).requires}
    assert "coqui" in here
    assert "coqui" not in there


@pytest.mark.parametrize("rule", ["0", "51", "2.5", "phrase", ""])
def test_a_rule_for_the_first_phrase_that_does_not_exist(rule: str) -> None:
    _, options = registry.check_options("cascade", {"first-phrase": rule})
    with pytest.raises(UsageError, match="must be clause, sentence, or a number from 1 to 50"):
        Cascade(Settings(options=options))


@pytest.mark.parametrize("role", ["asr", "llm", "tts"])
def test_options_begin_with_the_engines_role(role: str) -> None:
    for name in registry.names(role):
        for option in registry.engine(role, name).declaration.options:
            assert option.name.startswith(f"{role}-")


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(UnknownName, match=r"Unknown asr engine 'whisperr'"):
        Cascade.declare({"asr": "whisperr"})


def test_importing_the_cascade_loads_no_model_library() -> None:
    heavy = ("torch", "transformers", "tokenizers", "pocketsphinx", "faster_whisper", "espeakng_loader")
    code = (
        "import sys, firstpacket.pipelines.cascade as c; c.Cascade.declare({'asr': 'faster-whisper'}); "
        f"sys.exit(str([name for name in {heavy} if name in sys.modules]) if set({heavy}) & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


class Silent:
    sample_rate = 16_000
    language = "en"

    def whole(self) -> Samples:
        return np.zeros(4_000, np.float32)

    def frames(self) -> Iterator[Samples]:
        yield self.whole()

    microphone = frames


@pytest.fixture(scope="module")
def cascade() -> Iterator[Cascade]:
    for module in ("pocketsphinx", "torch", "transformers", "espeakng_loader"):
        pytest.importorskip(module)
    _, options = registry.check_options("cascade", {"weights": "dummy", "asr-fast": "true"})
    made = Cascade(Settings(options=options))
    made.load()
    yield made
    made.close()


def test_silence_has_no_packets(cascade: Cascade) -> None:
    trace = Trace(MonotonicClock())
    assert list(cascade.respond(Silent(), trace)) == []
    assert [text.kind for text in trace.finish().texts] == ["transcript"]


def test_real_engines_answer_with_sound(cascade: Cascade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PocketSphinx, "transcribe", _understood)
    trace = Trace(MonotonicClock())
    t0_ns = trace.clock.now_ns()
    loudest = 0.0
    for packet in cascade.respond(Silent(), trace):
        trace.packet(len(packet.samples), packet.sample_rate, packet.after)
        loudest = max(loudest, float(np.abs(packet.samples).max()))
    seen = trace.finish()
    assert loudest > 0.1
    assert sum(packet.samples / packet.sample_rate for packet in seen.packets) > 3.0
    path = critical_path(seen, t0_ns)
    assert sum(part.ns for part in path) == seen.packets[0].at_ns - t0_ns
    assert {stage for stage, _ in summed(path)} >= {"asr", "llm.prefill", "llm.decode", "tts"}
    assert {weights.part: weights.origin for weights in cascade.weights()} == {
        "asr": "bundled",
        "llm": "dummy",
        "tts": "bundled",
    }
    assert cascade.facts()["llm_parameters"] > 0


def test_the_declared_engines_are_registered() -> None:
    assert registry.engine("asr", "faster-whisper") is FasterWhisper
    assert registry.pipeline("cascade") is Cascade


def _understood(self: PocketSphinx, speech: Any, trace: Trace) -> str:
    with trace.stage("asr"):
        return "how can i improve my time management skills"


def test_every_engine_is_closed_even_if_another_fails_to(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Cascade(Settings(options=registry.check_options("cascade", {})[1]))
    closed: list[object] = []

    def close(engine: object) -> None:
        closed.append(engine)
        raise RuntimeError("busy")

    for engine in made._all():
        monkeypatch.setattr(type(engine), "close", close)
    with pytest.raises(RuntimeError, match="busy"):
        made.close()
    assert len(closed) == 3

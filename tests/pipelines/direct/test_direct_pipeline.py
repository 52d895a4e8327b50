"""The pipeline as the harness uses it: declaration, whole turns on dummy and published weights, errors."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from firstpacket.bench.corpus.audio import read_clip
from firstpacket.bench.errors import CorpusError, UsageError, WeightsError
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct import Direct
from firstpacket.pipelines.models.dummy_text import REPLIES

Make = Callable[..., Settings]
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def tiny() -> Direct:
    """The dummy model with every other option at its default."""
    options = {option.name: option.default for option in Direct.declaration.options}
    pipeline = Direct(Settings(options={**options, "weights": "dummy"}))
    pipeline.load()
    return pipeline


@pytest.fixture(scope="module")
def answered(tiny: Direct, ask: Ask) -> Any:
    """Its answer to 2 s of noise."""
    return ask(tiny)


def test_reading_the_declaration_imports_no_model_library() -> None:
    code = "import sys, firstpacket.pipelines.direct as d; d.Direct.declaration; print(*sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "firstpacket.pipelines.direct.plugin" in modules
    assert not {"torch", "transformers", "tokenizers", "safetensors"} & set(modules)


def test_a_turn_runs_encoder_model_and_vocoder(tiny: Direct, answered: Any) -> None:
    declared = {stage.id for stage in tiny.declaration.stages}
    assert {span.stage for span in answered.trace.spans} == declared
    assert answered.reply in REPLIES
    assert all(packet.after is not None and packet.after.stage == "copy" for packet in answered.packets)
    prefill = next(span for span in answered.trace.spans if span.stage == "llm.prefill")
    assert prefill.first_output_ns is not None
    assert prefill.start_ns < prefill.first_output_ns <= prefill.end_ns


def test_the_first_packet_leaves_after_the_second_token(answered: Any) -> None:
    assert answered.spans_before_first_packet("speech_decoder") == 2
    assert answered.spans_before_first_packet("llm.decode") == 1
    assert answered.spans_before_first_packet("vocoder") == 1
    assert answered.spans("vocoder") == answered.spans("copy") == len(answered.packets) > 5


def test_dummy_speech_is_audible_and_of_ordinary_length(answered: Any) -> None:
    for packet in answered.packets:
        assert packet.samples.dtype == np.float32
        assert packet.samples.ndim == 1
        assert len(packet.samples) % 320 == 0
        assert 20 * np.log10(np.sqrt(np.mean(packet.samples**2))) == pytest.approx(-20, abs=1)
    seconds_per_token = len(answered.samples) / 16_000 / answered.spans("speech_decoder")
    assert seconds_per_token == pytest.approx(7 * 1.7 * 0.02, rel=0.25)


def test_turns_are_independent(tiny: Direct, ask: Ask) -> None:
    first = ask(tiny, seconds=2.0)
    other = ask(tiny, seconds=1.6)
    again = ask(tiny, seconds=2.0)
    assert other.reply == first.reply == again.reply, "dummy weights give every clip the same work"
    np.testing.assert_array_equal(first.samples, again.samples)


def test_a_turn_given_up_leaves_nothing_behind(
    tiny: Direct, ask: Ask, answered: Any, clip: Callable[[float], Any]
) -> None:
    before = answered.samples
    given_up = tiny.respond(clip(3.0), Trace(MonotonicClock()))
    next(given_up)
    given_up.close()
    np.testing.assert_array_equal(ask(tiny).samples, before)


def test_dummy_weights_are_declared_as_such(tiny: Direct) -> None:
    assert {(weights.origin, weights.source) for weights in tiny.weights()} == {("dummy", "seed 0, size tiny")}
    parts = ["speech encoder", "adaptor", "llm", "speech decoder", "vocoder"]
    assert [weights.part for weights in tiny.weights()] == parts
    assert tiny.facts()["prompt_tokens"] > 360


def test_offline_everything_is_one_packet(settings: Make, ask: Ask) -> None:
    answer = ask(loaded(settings(chunk_units="inf")))
    assert len(answer.packets) == answer.spans("vocoder") == 1
    assert answer.spans_before_first_packet("speech_decoder") == answer.spans("speech_decoder") > 20


def test_larger_chunks_wait_for_more_tokens(settings: Make, ask: Ask, answered: Any) -> None:
    small, large = answered, ask(loaded(settings(chunk_units="40")))
    assert 5 <= large.spans_before_first_packet("speech_decoder") <= 8
    assert len(large.samples) == len(small.samples)


def test_the_reply_is_cut_at_the_longest_allowed(settings: Make, ask: Ask, answered: Any) -> None:
    answer = ask(loaded(settings(max_new_tokens=5)))
    assert answer.spans("speech_decoder") == 5
    whole = answered.reply
    assert whole.startswith(answer.reply)
    assert answer.reply != whole


def test_speech_longer_than_the_encoder_hears_is_refused(tiny: Direct, ask: Ask) -> None:
    with pytest.raises(CorpusError, match=r"lasts 30\.1 s, but the speech encoder takes 30 s.*overlong=cut"):
        ask(tiny, seconds=30.1)


def test_speech_beyond_the_encoders_window_is_trimmed_on_request(settings: Make, ask: Ask) -> None:
    cutting = loaded(settings(overlong="cut", max_new_tokens=2))
    np.testing.assert_array_equal(ask(cutting, seconds=31.0).samples, ask(cutting, seconds=30.0).samples)


@pytest.mark.parametrize(
    ("option", "value"),
    [("chunk_units", "5"), ("max_new_tokens", 0), ("temperature", -0.1), ("top_p", 0.0), ("top_p", 1.1)],
)
def test_impossible_options_are_refused_by_name(settings: Make, option: str, value: Any) -> None:
    with pytest.raises(UsageError, match=rf"{option.replace('_', '-')} is '?{value}'?, but it must be"):
        Direct(settings(**{option: value})).load()


@pytest.mark.parametrize("changed", [{"weights": "somewhere", "size": "8b"}, {"vocoder": "somewhere"}], ids=str)
def test_options_that_would_be_ignored_are_refused(settings: Make, changed: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="Remove"):
        Direct(settings(**changed)).load()


def test_a_folder_that_is_not_there_is_named(settings: Make) -> None:
    with pytest.raises(WeightsError, match=r"weights is 'nowhere', which is not 'demo', 'dummy', a folder"):
        Direct(settings(weights="nowhere")).load()


def test_published_weights_are_not_overridden(settings: Make, ask: Ask, published: Any) -> None:
    """Nothing is overridden: a decoder that knows only the blank is silent, which the dummy's fixed work never is."""
    published.write_tokenizer()
    folder = str(published.write())
    first = loaded(settings(weights=folder, max_new_tokens=6, chunk_units="inf"))
    assert {weights.origin for weights in first.weights()} == {"published"}
    assert first.facts()["unused_tensors"] == "decoder.* (1), model.speech_encoder.* (1)"
    assert "model.speech_encoder.conv1.bias" in str(first.facts()["weights_notice"])
    answer = ask(first, seconds=1.0)
    assert answer.reply not in REPLIES
    assert len(answer.packets) == 1
    published.shards["speech_generator.output_proj.bias"][20] = 1e4  # every frame is blank now
    published.write()
    assert ask(loaded(settings(weights=folder, max_new_tokens=6)), seconds=1.0).packets == ()


SECOND = np.linspace(0, 1, 44_100, endpoint=False)
ODD_RECORDINGS = {
    "silence": np.zeros((44_100, 2)),
    "noise": np.random.default_rng(1).normal(0, 0.3, (44_100, 2)),
    "clipped": np.clip(4 * np.sin(2 * np.pi * 220 * SECOND), -1, 1)[:, None].repeat(2, axis=1),
    "one sample of it": np.zeros((3, 2)),
}


@pytest.mark.parametrize("kind", ODD_RECORDINGS)
def test_empty_short_and_silent_recordings_are_answered(
    settings: Make, published: Any, tmp_path: Path, kind: str, clip: Callable[[float], Any]
) -> None:
    """44.1 kHz in stereo, decoded as for a run; the model's own choices, from scores that are numbers."""
    import soundfile

    soundfile.write(tmp_path / "odd.wav", ODD_RECORDINGS[kind], 44_100)
    heard = type(clip(1.0))(read_clip(tmp_path / "odd.wav").samples)
    published.write_tokenizer()
    model = loaded(settings(weights=str(published.write()), max_new_tokens=3, chunk_units="inf"))
    trace = Trace(MonotonicClock())
    (packet,) = model.respond(heard, trace)
    assert np.isfinite(packet.samples).all()
    assert {span.stage for span in trace.finish().spans} == {stage.id for stage in model.declaration.stages}


def test_published_weights_without_a_tokenizer_say_what_to_copy(settings: Make, published: Any) -> None:
    with pytest.raises(WeightsError, match=r"no tokenizer\.json.*Copy"):
        Direct(settings(weights=str(published.write()))).load()


def test_a_hub_name_works_like_a_folder(
    settings: Make, ask: Ask, published: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `hf download`: the encoder and the vocoder are no part of the repository."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    published.write_tokenizer()
    commit, cached = "ab" * 20, tmp_path / "hub" / "models--owner--omni"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "v1").write_text(commit)
    shutil.copytree(published.write(), cached / "snapshots" / commit)
    encoder, vocoder = tmp_path / "models/speech_encoder/small.pt", tmp_path / "vocoder"
    named = {"weights": "owner/omni@v1", "encoder": str(encoder), "vocoder": str(vocoder)}
    pipeline = loaded(settings(**named, max_new_tokens=4, chunk_units="inf"))
    sources = {weights.part: weights.source for weights in pipeline.weights()}
    hub = f"owner/omni@{commit}"
    assert sources == {
        "speech encoder": str(encoder),
        "adaptor": hub,
        "llm": hub,
        "speech decoder": hub,
        "vocoder": str(vocoder),
    }
    assert len(ask(pipeline, seconds=1.0).packets) == 1


def test_a_small_encoder_hears_less(settings: Make, ask: Ask, published: Any) -> None:
    published.write_tokenizer()
    pipeline = loaded(settings(weights=str(published.write()), max_new_tokens=2))
    with pytest.raises(CorpusError, match=r"lasts 2\.5 s, but the speech encoder takes 2 s"):
        ask(pipeline, seconds=2.5)


def loaded(settings: Settings) -> Direct:
    pipeline = Direct(settings)
    pipeline.load()
    return pipeline


def test_sound_in_bfloat16_lasts_as_long_and_is_nearly_the_same(
    settings: Make, ask: Ask, tiny: Direct, answered: Any
) -> None:
    pipeline = loaded(settings(vocoder_dtype="bfloat16"))
    assert (pipeline.facts()["vocoder_dtype"], tiny.facts()["vocoder_dtype"]) == ("bfloat16", "float32")
    single, half = answered.samples, ask(pipeline).samples
    assert len(half) == len(single)
    assert half.dtype == np.float32
    assert np.sqrt(np.mean((half - single) ** 2)) < 0.05 * np.sqrt(np.mean(single**2))


@pytest.mark.parametrize(("context", "listening"), [("trimmed", 2), ("streaming", 1)])
def test_steps_of_a_small_model_take_one_thread(settings: Make, ask: Ask, context: str, listening: int) -> None:
    pipeline = loaded(
        settings(encoder_context=context, encoder_block="500" if context == "streaming" else "", max_new_tokens=3)
    )
    model = pipeline._ready().assistant.model
    parts = {"adaptor": model.adaptor, "llm": model.llm, "speech_decoder": model.speech_decoder}
    parts["vocoder"] = model.vocoder.dur_predictor
    seen: dict[str, set[int]] = {name: set() for name in parts}
    for name, module in parts.items():
        module.register_forward_hook(lambda *_, name=name: seen[name].add(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ask(pipeline)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == {"adaptor": {listening}, "llm": {listening, 1}, "speech_decoder": {1}, "vocoder": {1}}
    assert pipeline.facts()["threads_per_step"] == 1


def test_a_trimmed_encoder_is_named_in_the_facts(settings: Make, ask: Ask, tiny: Direct, answered: Any) -> None:
    pipeline = loaded(settings(encoder_context="trimmed"))
    assert pipeline.facts()["encoder_context"] == "trimmed to the speech"
    assert tiny.facts()["encoder_context"] == "full"
    assert tiny.facts()["threads"] >= 1
    assert ask(pipeline).reply == answered.reply, "fixed work says the same whatever was heard"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"compile": True}, "compile has no effect on cpu"),
        ({"overlap": True}, "overlap has no effect on cpu"),
    ],
)
def test_options_for_a_gpu_are_refused_without_one(settings: Make, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Direct(settings(**changed)).load()

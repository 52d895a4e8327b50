"""Whisper folders whose settings do not describe their weights: refused in one message, before anything is built."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from firstpacket.bench.errors import UsageError, WeightsError

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from support import tiny_whisper as made  # noqa: E402 (needs torch)

from firstpacket.pipelines.cascade.asr.whisper import Whisper  # noqa: E402


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.write(tmp_path_factory.mktemp("whisper"))


@pytest.fixture
def copied(whisper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that may be changed, with its own cache."""
    monkeypatch.setenv("FIRSTPACKET_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(whisper, tmp_path / "copied"))


def engine(name: str) -> type[Whisper]:
    if name == "transformers":
        pytest.importorskip("transformers")
        from firstpacket.pipelines.cascade.asr.transformers import TransformersWhisper

        return TransformersWhisper
    if name == "faster-whisper":
        pytest.importorskip("faster_whisper")
        pytest.importorskip("transformers")
        from firstpacket.pipelines.cascade.asr.faster_whisper import FasterWhisper

        return FasterWhisper
    pytest.importorskip("whisper")
    from firstpacket.pipelines.cascade.asr.openai_whisper import OpenAIWhisper

    return OpenAIWhisper


ENGINES = ("transformers", "faster-whisper", "openai-whisper")


def change(path: Path, **changed: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"encoder_layers": 10**9}, "encoder_layers is 1000000000, but 1 are there"),
        ({"vocab_size": 51866}, r"embed_tokens.weight should have the shape \(51866, 64\), but has \(51865, 64\)"),
        ({"num_mel_bins": 10**9}, "conv1.weight should have the shape"),
        ({"d_model": "64"}, "d_model is '64', but it should be a whole number"),
        ({"encoder_attention_heads": 0}, "encoder_attention_heads is 0, but it should be a whole number"),
        ({"decoder_attention_heads": 7}, "decoder_attention_heads, 7, does not divide"),
        ({"max_source_positions": 10}, "embed_positions.weight should have the shape"),
    ],
)
def test_sizes_that_are_not_those_of_the_weights(copied: Path, name: str, changed: dict[str, Any], said: str) -> None:
    change(copied / "config.json", **changed)
    with pytest.raises(WeightsError, match=said):
        made.asked(engine(name), copied)


@pytest.mark.parametrize("name", ["transformers", "faster-whisper"])
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sampling_rate": 8000}, "sampling_rate is 8000, but only 16000"),
        ({"hop_length": 0}, "hop_length is 0, but only 160"),
        ({"feature_size": 128}, r"feature_size is 128, but num_mel_bins of config.json is 80"),
        ({"feature_size": "many"}, "feature_size is 'many'"),
    ],
)
def test_features_of_another_kind(copied: Path, name: str, changed: dict[str, Any], said: str) -> None:
    change(copied / "preprocessor_config.json", **changed)
    with pytest.raises(WeightsError, match=said):
        made.asked(engine(name), copied)


@pytest.mark.parametrize("name", ["transformers", "faster-whisper"])
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"suppress_tokens": [1, 10**9]}, "suppress_tokens goes up to 1000000000"),
        ({"no_timestamps_token_id": "x"}, "no_timestamps_token_id is 'x'"),
        ({"lang_to_id": 5}, "lang_to_id is 5, but it should be an object"),
        ({"lang_to_id": {"<|en|>": 70_000}}, "lang_to_id goes up to 70000"),
    ],
)
def test_settings_of_another_model(copied: Path, name: str, changed: dict[str, Any], said: str) -> None:
    change(copied / "generation_config.json", is_multilingual=True, **changed)
    with pytest.raises(WeightsError, match=said):
        made.asked(engine(name), copied)


def test_settings_without_the_beginning_of_a_text(copied: Path) -> None:
    settings = json.loads((copied / "generation_config.json").read_text())
    (copied / "generation_config.json").write_text(
        json.dumps({name: value for name, value in settings.items() if name != "decoder_start_token_id"})
    )
    with pytest.raises(WeightsError, match="has no decoder_start_token_id"):
        made.asked(engine("transformers"), copied)


@pytest.mark.parametrize("name", ENGINES)
def test_a_file_that_was_cut_off(copied: Path, name: str) -> None:
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"model\.safetensors cannot be read"):
        made.asked(engine(name), copied)


@pytest.mark.parametrize("name", ENGINES)
def test_options_that_no_folder_can_satisfy_are_refused(whisper: Path, name: str) -> None:
    with pytest.raises(UsageError, match="Whisper does not support the language 'english'"):
        made.asked(engine(name), whisper, asr_language="english")
    with pytest.raises(UsageError, match="asr-beam is 100000, but it must lie between 1 and 50"):
        made.asked(engine(name), whisper, asr_beam=100_000)
    with pytest.raises(UsageError, match="only dummy weights come in several sizes"):
        made.asked(engine(name), whisper, asr_size="base")


@pytest.mark.parametrize("name", ENGINES)
def test_a_recording_in_a_language_that_whisper_does_not_know(whisper: Path, name: str) -> None:
    from firstpacket.bench.timing.clock import VirtualClock
    from firstpacket.bench.timing.trace import Trace

    with pytest.raises(UsageError, match=r"language 'tlh'.*asr-language=en"):
        made.asked(engine(name), whisper).transcribe(made.Clip(made.tones(300), language="tlh"), Trace(VirtualClock()))

"""Where a recogniser's model is searched for, and the errors for folders that hold something else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from firstpacket.bench.errors import MissingDependency, WeightsError
from firstpacket.pipelines.cascade.asr.whisper_folders import Layout, WhisperCheckpoint, find
from firstpacket.pipelines.models.cache import CACHE

LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "faster-whisper": ("ctranslate2", "transformers"),
    "openai-whisper": ("openai", "transformers"),
    "transformers": ("transformers",),
}


def found(model: Path | str, engine: str = "transformers") -> WhisperCheckpoint:
    return find(str(model), engine, LAYOUTS[engine])


def folder(path: Path, config: object, *files: str) -> Path:
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in files:
        (path / name).touch()
    return path


def test_each_layout_is_recognised(tmp_path: Path) -> None:
    whisper, converted = tmp_path / "whisper", tmp_path / "converted"
    for path in (whisper, converted):
        path.mkdir()
    folder(whisper, {"model_type": "whisper"}, "tokenizer.json", "model.safetensors")
    folder(converted, {"alignment_heads": []}, "tokenizer.json", "model.bin")
    (tmp_path / "small.pt").touch()
    assert found(whisper).layout == found(whisper, "faster-whisper").layout == "transformers"
    assert found(converted, "faster-whisper").layout == "ctranslate2"
    assert found(tmp_path / "small.pt", "openai-whisper").layout == "openai"
    with pytest.raises(WeightsError, match="ctranslate2 layout, which the recogniser transformers does not read"):
        found(converted)
    with pytest.raises(WeightsError, match="openai layout, which the recogniser faster-whisper does not read"):
        found(tmp_path / "small.pt", "faster-whisper")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "llama"}, "contains a model of type 'llama', not a Whisper"),
        ({"model": "vits"}, "contains a model of type 'vits', not a Whisper"),
        ({}, "has a config.json without a model_type"),
        ([], "is not a JSON object"),
    ],
)
def test_a_folder_of_another_kind(tmp_path: Path, config: object, said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        found(folder(tmp_path, config))


def test_a_folder_without_a_model_is_described(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(WeightsError, match=r"no config\.json, only holiday\.jpg"):
        found(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeightsError, match="cannot be read as JSON"):
        found(tmp_path)


@pytest.mark.parametrize("model", ["~nobody-has-this-name/whisper", "x" * 300, "/" + "x/" * 3000])
def test_an_impossible_path_is_reported_as_a_missing_folder(model: str) -> None:
    with pytest.raises(WeightsError, match="no such folder"):
        found(model)


def test_a_configuration_nested_without_end(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(WeightsError, match="cannot be read as JSON"):
        found(tmp_path)


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(WeightsError, match="cannot be read: Permission denied"):
        found(tmp_path)
    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(WeightsError, match=r"Cannot access .*: Permission denied"):
        found(tmp_path)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    with pytest.raises(WeightsError, match=r"not an openai-whisper \.pt file"):
        found(tmp_path / "model.onnx")


def test_a_whisper_without_its_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"missing tokenizer\.json\."):
        found(folder(tmp_path, {"model_type": "whisper"}, "model.safetensors"))


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"missing model\.safetensors\."):
        found(folder(tmp_path, {"model_type": "whisper"}, "tokenizer.json", "pytorch_model.bin"))


def test_what_is_neither_a_folder_nor_a_published_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no such folder: .*nowhere.* published name: tiny"):
        found(tmp_path / "nowhere")
    with pytest.raises(WeightsError, match="no such folder: smal"):
        found("smal")


@pytest.mark.parametrize(
    ("engine", "model", "command"),
    [
        ("faster-whisper", "small.en", "hf download Systran/faster-whisper-small.en"),
        ("faster-whisper", "turbo", "hf download mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
        ("transformers", "large", "hf download openai/whisper-large-v3"),
        ("transformers", "someone/whisper@main", "hf download someone/whisper --revision main"),
        ("openai-whisper", "tiny", "python -c \"import whisper; whisper.load_model('tiny')\""),
    ],
)
def test_a_published_name_that_was_not_fetched(
    engine: str, model: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("firstpacket.pipelines.cascade.asr.whisper_folders.hub.cached", lambda repository: None)
    with pytest.raises(WeightsError, match="nothing is downloaded during a run") as raised:
        found(model, engine)
    assert f"run: {command}." in str(raised.value)


def test_a_published_name_that_was_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from firstpacket.pipelines.models.hub import Folder

    (tmp_path / "whisper").mkdir()
    snapshot = folder(tmp_path / "whisper", {"model_type": "whisper"}, "tokenizer.json", "model.safetensors")
    fetched = {"openai/whisper-base": Folder(snapshot, "openai/whisper-base@1")}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("firstpacket.pipelines.cascade.asr.whisper_folders.hub.cached", fetched.get)
    for engine in LAYOUTS:
        assert found("base", engine).path == snapshot, "all engines read the layout of transformers"
    (tmp_path / "whisper" / "base.pt").touch()
    assert found("base", "openai-whisper").layout == "openai", "its own layout comes first"


def with_tokenizer(path: Path, vocab: int, start: int) -> WhisperCheckpoint:
    """The published tokenizer of 51865 words with a configuration that may belong to another model."""
    from support import tiny_whisper as made

    made.vocabulary().save(str(path / "tokenizer.json"))
    config = {"model_type": "whisper", "vocab_size": vocab, "decoder_start_token_id": start, "eos_token_id": 50257}
    return found(folder(path, config, "model.safetensors"))


@pytest.mark.parametrize(
    ("vocab", "start", "said"),
    [
        (51864, 50257, "its ids go up to 51864, but the model's vocabulary has 51864"),
        (51865, 50257, "startoftranscript|> is 50258, but the model's decoder_start_token_id is 50257"),
    ],
)
def test_a_tokenizer_of_another_model(tmp_path: Path, vocab: int, start: int, said: str) -> None:
    pytest.importorskip("tokenizers")
    pytest.importorskip("torch")
    from firstpacket.pipelines.cascade.asr.whisper_vocabulary import check_folder

    wrong = with_tokenizer(tmp_path, vocab, start)
    with pytest.raises(WeightsError, match="does not belong to this model") as raised:
        check_folder(wrong)
    assert said in str(raised.value)
    check_folder(with_tokenizer(tmp_path, 51865, 50258))


def test_a_converted_model_with_another_tokenizer(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from firstpacket.pipelines.cascade.asr.whisper_vocabulary import check_converted

    given = with_tokenizer(tmp_path, 51865, 50258)
    words = sorted(vocabulary := _vocabulary(tmp_path), key=vocabulary.__getitem__)
    (tmp_path / "vocabulary.json").write_text(json.dumps(words))
    check_converted(given)
    (tmp_path / "vocabulary.json").write_text(json.dumps(words[1:]))
    with pytest.raises(WeightsError, match="in the model's vocabulary it is 50257"):
        check_converted(given)
    (tmp_path / "vocabulary.json").unlink()
    with pytest.raises(WeightsError, match=r"vocabulary\.json, cannot be read"):
        check_converted(given)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsError, match="is not a readable tokenizer"):
        check_converted(given)


def _vocabulary(path: Path) -> dict[str, int]:
    from tokenizers import Tokenizer

    words: dict[str, int] = Tokenizer.from_file(str(path / "tokenizer.json")).get_vocab()
    return words


def test_an_openai_model_whose_vocabulary_the_package_does_not_have(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("whisper")
    from support import tiny_whisper as made

    from firstpacket.pipelines.cascade.asr.openai_whisper import OpenAIWhisper

    sizes = ("n_mels", "n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer")
    dims = dict.fromkeys((*sizes, "n_text_ctx", "n_text_state", "n_text_head", "n_text_layer"), 8)
    torch.save({"dims": {**dims, "n_vocab": 4096}, "model_state_dict": {}}, tmp_path / "odd.pt")
    with pytest.raises(WeightsError, match="a vocabulary of 4096, which none of openai-whisper's own tokenizers fits"):
        made.asked(OpenAIWhisper, tmp_path / "odd.pt")
    torch.save({"dims": {**dims, "n_vocab": 51865}, "model_state_dict": {}}, tmp_path / "empty.pt")
    with pytest.raises(WeightsError, match="the weights do not match the configuration"):
        made.asked(OpenAIWhisper, tmp_path / "empty.pt")
    torch.save({"weights": 1}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="dims or model_state_dict is missing"):
        made.asked(OpenAIWhisper, tmp_path / "other.pt")


def test_converting_needs_transformers_and_using_what_was_converted_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers", exc_type=ImportError)
    pytest.importorskip("ctranslate2", exc_type=ImportError)
    from support import tiny_whisper as made

    from firstpacket.pipelines.cascade.asr.converted import converted

    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    whisper = found(made.write(tmp_path), "faster-whisper")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "transformers", None)
        with pytest.raises(MissingDependency, match=r"To convert .* pip install .*\[transformers\]'"):
            converted(whisper)
    once = converted(whisper)
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert converted(whisper) == once

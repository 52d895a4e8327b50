"""The speech encoder in its three published forms: all of them give the same model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from firstpacket.bench.errors import UsageError, WeightsError
from firstpacket.bench.pipeline import Settings
from firstpacket.pipelines.direct import Direct
from firstpacket.pipelines.direct.llama_omni import files, parity
from firstpacket.pipelines.direct.llama_omni.checkpoint import Checkpoint
from firstpacket.pipelines.direct.llama_omni.model import Loaded
from firstpacket.pipelines.models.whisper_names import openai_name

CPU = torch.device("cpu")
SHARDS = "checkpoint/model.safetensors"
PT = "models/speech_encoder/whisper.pt"
EMBEDDED = "model.speech_encoder."


def load(folder: Path, **paths: str) -> Loaded:
    return Checkpoint(files.find(str(folder / "checkpoint"), **paths)).load(CPU, torch.float32)


def whisper(folder: Path) -> dict[str, torch.Tensor]:
    """The encoder's tensors by openai's names, without a prefix."""
    state = torch.load(folder / PT, weights_only=True)["model_state_dict"]
    return {name.removeprefix("encoder."): tensor for name, tensor in state.items()}


def embed(folder: Path, **changed: torch.Tensor) -> None:
    """Put a copy of the encoder among the shards, as the published ones have it."""
    copy = {f"{EMBEDDED}{name}": tensor for name, tensor in whisper(folder).items()}
    save_file({**load_file(folder / SHARDS), **copy, **changed}, folder / SHARDS)


def same_encoder(loaded: Loaded, folder: Path) -> bool:
    expected = whisper(folder)
    state = loaded.model.encoder.state_dict()
    return state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in expected)


@pytest.fixture
def transformers_folder(copied: Path) -> Path:
    """The recorded encoder as transformers saves a whole Whisper: names with `model.`, and a decoder beside it."""
    transformers = pytest.importorskip("transformers", exc_type=ImportError)
    from support.plain_omni import Sizes, whisper_config

    config = whisper_config(Sizes())
    config.update({"decoder_layers": 1, "decoder_attention_heads": 1, "decoder_ffn_dim": 8, "vocab_size": 60_000})
    config.update({"pad_token_id": 0, "max_target_positions": 8})
    whole = transformers.WhisperForConditionalGeneration(config)
    named = {openai_name(name): tensor for name, tensor in whole.model.encoder.state_dict().items()}
    for name, tensor in whisper(copied).items():
        named[name].copy_(tensor)
    whole.save_pretrained(copied / "whisper")
    return copied / "whisper"


def test_a_whisper_of_transformers_is_the_same_encoder(copied: Path, transformers_folder: Path) -> None:
    (copied / PT).rename(copied / "kept.pt")
    loaded = load(copied, encoder=str(transformers_folder))
    (copied / "kept.pt").rename(copied / PT)
    assert same_encoder(loaded, copied)
    assert loaded.weights[0].source == str(transformers_folder)
    assert {name.split(".")[1] for name in loaded.unused} == {"decoder"}


def test_a_file_named_by_the_user_comes_first(copied: Path, tmp_path: Path) -> None:
    content = torch.load(copied / PT, weights_only=True)
    content["model_state_dict"]["encoder.conv1.bias"] += 1
    torch.save(content, tmp_path / "other.pt")
    loaded = load(copied, encoder=str(tmp_path / "other.pt"))
    assert torch.equal(loaded.model.encoder.conv1.bias, content["model_state_dict"]["encoder.conv1.bias"])
    with pytest.raises(WeightsError, match=r"no such file or folder: absent\.pt"):
        load(copied, encoder="absent.pt")


def test_the_cache_of_openai_whisper_is_searched(copied: Path, tmp_path: Path) -> None:
    cached = tmp_path / "cache" / "whisper" / "whisper.pt"
    cached.parent.mkdir(parents=True)
    shutil.move(copied / PT, cached)
    assert load(copied).weights[0].source == str(cached)


def test_without_a_file_the_copy_in_the_shards_is_used(copied: Path) -> None:
    embed(copied)
    (copied / PT).rename(copied / "kept.pt")
    loaded = load(copied)
    assert [line for line in parity.compare(copied) if not line.holds] == []
    (copied / "kept.pt").rename(copied / PT)
    assert same_encoder(loaded, copied)
    assert loaded.model.config == load(copied).model.config
    assert loaded.unused == ()
    assert loaded.weights[0].source == str(copied / "checkpoint")
    assert "The speech encoder is the copy inside" in loaded.notices[0]
    assert "models/speech_encoder/whisper.pt" in loaded.notices[0]


def test_only_a_differing_copy_gives_a_notice(copied: Path) -> None:
    embed(copied)
    assert load(copied).notices == ()
    embed(copied, **{f"{EMBEDDED}ln_post.bias": torch.ones(64)})
    assert f"{EMBEDDED}ln_post.bias" in load(copied).notices[0]


def test_a_copy_with_a_tensor_missing_names_it(copied: Path) -> None:
    embed(copied)
    (copied / PT).unlink()
    tensors = load_file(copied / SHARDS)
    del tensors[f"{EMBEDDED}blocks.1.attn.out.bias"]
    save_file(tensors, copied / SHARDS)
    with pytest.raises(WeightsError, match=r"lacks tensor model\.speech_encoder\.blocks\.1\.attn\.out\.bias"):
        load(copied)


def test_a_copy_with_an_unknown_number_of_heads_is_refused(copied: Path) -> None:
    embed(copied, **{f"{EMBEDDED}conv1.weight": torch.zeros(60, 80, 3)})
    (copied / PT).unlink()
    with pytest.raises(WeightsError, match=r"60 wide.*encoder=PATH"):
        load(copied)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("activation_function", "relu", "activation_function is 'relu'"),
        ("encoder_ffn_dim", 100, "encoder_ffn_dim is 100"),
        ("model_type", "wav2vec2", "model_type is 'wav2vec2'"),
        ("max_source_positions", None, "no field 'max_source_positions'"),
        ("encoder_layers", 3, "lacks tensors encoder.blocks.2"),
    ],
)
def test_another_whisper_is_refused(copied: Path, transformers_folder: Path, field: str, value: Any, said: str) -> None:
    config = json.loads((transformers_folder / "config.json").read_text())
    (transformers_folder / "config.json").write_text(json.dumps({**config, field: value}))
    with pytest.raises(WeightsError) as raised:
        load(copied, encoder=str(transformers_folder))
    assert said in str(raised.value)


def test_a_whisper_of_another_width_than_the_checkpoints_is_refused(copied: Path) -> None:
    config = json.loads((copied / "checkpoint/config.json").read_text())
    (copied / "checkpoint/config.json").write_text(json.dumps({**config, "speech_encoder_hidden_size": 1280}))
    with pytest.raises(
        WeightsError, match="speech_encoder_hidden_size is 1280, but the width of the speech encoder is 64"
    ):
        load(copied)


@pytest.mark.parametrize("content", [{"dims": {}}, {"dims": 3, "model_state_dict": {}}], ids=str)
def test_a_pickle_that_is_not_a_whisper_checkpoint_is_refused(copied: Path, content: Any) -> None:
    torch.save(content, copied / PT)
    with pytest.raises(WeightsError, match="not an openai-whisper checkpoint"):
        load(copied)


def test_a_checkpoint_from_before_torch_1_6_is_read(copied: Path) -> None:
    content = torch.load(copied / PT, weights_only=True)
    torch.save(content, copied / PT, _use_new_zipfile_serialization=False)
    assert same_encoder(load(copied), copied)


def test_dummy_weights_bring_their_own_encoder(settings: Callable[..., Settings]) -> None:
    with pytest.raises(UsageError, match="Remove encoder"):
        Direct(settings(encoder="some.pt")).load()

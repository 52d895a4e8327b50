"""Published files: every tensor is used or named, and every fault is reported by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.direct.llama_omni import checkpoint, dummy, files
from firstpacket.pipelines.direct.llama_omni.model import Loaded

CPU = torch.device("cpu")


def load(folder: Path, dtype: torch.dtype = torch.float32, **paths: str) -> Loaded:
    return checkpoint.Checkpoint(files.find(str(folder), **paths)).load(CPU, dtype)


def test_weights_arrive_unchanged_and_say_where_they_are_from(published: Any) -> None:
    loaded = load(published.write())
    model = loaded.model
    assert torch.equal(model.llm.lm_head.weight, published.shards["lm_head.weight"])
    assert torch.equal(model.encoder.conv1.weight, published.whisper["model_state_dict"]["encoder.conv1.weight"])
    assert torch.equal(model.vocoder.dict.weight, published.vocoder["dict.weight"])
    sources = {weights.part: weights.source for weights in loaded.weights}
    assert {weights.origin for weights in loaded.weights} == {"published"}
    assert sources["speech encoder"].endswith("small.pt")
    assert sources["llm"] == str(published.checkpoint)


def test_the_requested_precision_is_used_except_in_the_vocoder(published: Any) -> None:
    model = load(published.write(), torch.bfloat16).model
    assert {parameter.dtype for parameter in model.llm.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in model.vocoder.parameters()} == {torch.float32}


def test_what_is_not_used_is_named(published: Any) -> None:
    assert load(published.write()).unused == ("decoder.ln.weight", "model.speech_encoder.conv1.bias")


def test_another_encoder_inside_the_checkpoint_is_noticed_and_ignored(published: Any) -> None:
    loaded = load(published.write())
    assert "model.speech_encoder.conv1.bias" in loaded.notices[0]
    trusted = published.whisper["model_state_dict"]["encoder.conv1.bias"]
    assert torch.equal(loaded.model.encoder.conv1.bias, trusted)
    published.shards["model.speech_encoder.conv1.bias"] = trusted.half()
    assert load(published.write()).notices == ()


def test_shards_are_read_through_their_index(published: Any) -> None:
    folder = published.write()
    (folder / "model.safetensors").unlink()
    names = sorted(published.shards)
    files = {name: f"model-0000{1 + index % 2}-of-00002.safetensors" for index, name in enumerate(names)}
    for file in set(files.values()):
        save_file({name: published.shards[name] for name in names if files[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    assert torch.equal(load(folder).model.llm.lm_head.weight, published.shards["lm_head.weight"])
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"names model-00002-of-00002\.safetensors, which is not there"):
        load(folder)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("shards", "model.layers.0.self_attn.k_proj.weight"),
        ("shards", "model.speech_projector.linear2.bias"),
        ("shards", "speech_generator.output_proj.weight"),
        ("whisper", "encoder.blocks.0.mlp_ln.weight"),
        ("vocoder", "dur_predictor.proj.weight"),
        ("vocoder", "ups.1.weight_g"),
        ("vocoder", "resblocks.1.convs2.2.weight_v"),
    ],
)
class TestATensorAtFault:
    """Whatever is wrong with one tensor of any file, the message names it."""

    def test_missing(self, published: Any, place: str, name: str) -> None:
        del tensors_of(published, place)[name]
        with pytest.raises(WeightsError, match=rf"lacks tensor {name}"):
            load(published.write())

    def test_misshapen(self, published: Any, place: str, name: str) -> None:
        tensors = tensors_of(published, place)
        tensors[name] = torch.zeros(3, *tensors[name].shape[1:])
        if name.endswith("weight_v"):
            tensors[name.replace("weight_v", "weight_g")] = torch.ones(3, 1, 1)
        with pytest.raises(
            WeightsError,
            match=rf"tensor {name.removesuffix('_v')} has shape \(3,.*(configuration says|but it should be)",
        ):
            load(published.write())

    def test_not_a_number(self, published: Any, place: str, name: str) -> None:
        tensors_of(published, place)[name].view(-1)[0] = float("nan")
        with pytest.raises(WeightsError, match=rf"tensor {name.removesuffix('_g').removesuffix('_v')} has \d+ value"):
            load(published.write())


def tensors_of(published: Any, place: str) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {
        "shards": published.shards,
        "whisper": published.whisper["model_state_dict"],
        "vocoder": published.vocoder,
    }[place]
    return tensors


def test_values_outside_the_precisions_range_are_detected(published: Any) -> None:
    published.shards["model.norm.weight"][2] = 1e6
    folder = published.write()
    load(folder, torch.bfloat16)
    with pytest.raises(WeightsError, match=r"model\.norm\.weight has 1 values.* as torch\.float16"):
        load(folder, torch.float16)


def test_folding_weight_norm_is_what_torch_does() -> None:
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.ConvTranspose1d(4, 3, 5))
    halves = layer.parametrizations.weight
    halves.original0.data.mul_(1.7)
    stored = {"up.bias": layer.bias.data, "up.weight_g": halves.original0.data, "up.weight_v": halves.original1.data}
    folded = checkpoint.fold_weight_norm(stored, "vocoder")
    assert set(folded) == {"up.weight", "up.bias"}
    torch.testing.assert_close(folded["up.weight"], layer.weight.data)


@pytest.mark.parametrize("field", ["hidden_size", "ctc_decoder_config", "eos_token_id", "unit_vocab_size"])
def test_a_missing_field_is_named(published: Any, field: str) -> None:
    del published.config[field]
    with pytest.raises(WeightsError, match=field):
        load(published.write())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("speech_projector_type", "mlp"),
        ("speech_normalize", True),
        ("rope_scaling", {"rope_type": "yarn"}),
        ("ctc_decoder_config", "(1,2)"),
        ("hidden_act", "gelu"),
        ("attention_bias", True),
        ("mlp_bias", True),
        ("quantization_config", {"quant_method": "awq"}),
        ("unit_vocab_size", 21),
        ("unit_vocab_size", "many"),
        ("ctc_upsample_factor", 0),
        ("eos_token_id", [1, None]),
    ],
    ids=str,
)
def test_a_model_of_another_kind_is_refused(published: Any, field: str, value: Any) -> None:
    published.config[field] = value
    with pytest.raises(WeightsError) as raised:
        load(published.write())
    assert f"{published.checkpoint / 'config.json'}" in str(raised.value)
    assert ("yarn" if field == "rope_scaling" else field) in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resblock", "2"),
        ("f0", True),
        ("multispkr", "from_input_file"),
        ("sampling_rate", 22_050),
        ("code_hop_size", 160),
        ("upsample_rates", [20, 8]),
        ("upsample_kernel_sizes", [40]),
        ("model_in_dim", 260),
        ("num_embeddings", 100),
        ("resblock_dilation_sizes", 3),
        ("dur_predictor_params", {"var_pred_hidden_dim": 4, "var_pred_kernel_size": 5}),
    ],
    ids=str,
)
def test_a_vocoder_of_another_kind_is_refused(published: Any, field: str, value: Any) -> None:
    published.vocoder_config[field] = value
    with pytest.raises(WeightsError) as raised:
        load(published.write())
    assert ("var_pred_kernel_size" if isinstance(value, dict) else field) in str(raised.value)


def test_fields_that_are_null_count_as_absent(published: Any) -> None:
    published.config |= {"attention_bias": None, "quantization_config": None, "speech_encoder_hidden_size": 8}
    published.vocoder_config |= {"f0": None, "multispkr": "", "resblock": 1, "sampling_rate": 16_000}
    assert load(published.write()).model.config.eos == (1, 5)


def test_ends_of_sequence_may_be_in_either_file(published: Any) -> None:
    folder = published.write()
    generation = folder / "generation_config.json"
    generation.write_text(json.dumps({"eos_token_id": None}))
    assert load(folder).model.config.eos == (1, 5)
    del published.config["eos_token_id"]
    published.write()
    generation.write_text(json.dumps({"eos_token_id": 7}))
    assert load(folder).model.config.eos == (7,)


def test_the_encoders_positions_give_the_longest_speech(published: Any) -> None:
    assert load(published.write()).model.config.encoder.seconds == 2.0
    assert dummy.config("8b").encoder.seconds == 30.0


def test_integer_tensors_are_refused_as_weights(published: Any) -> None:
    published.shards["model.norm.weight"] = torch.ones(16, dtype=torch.int8)
    with pytest.raises(WeightsError, match=r"model\.norm\.weight is torch\.int8\. Quantised"):
        load(published.write())


def test_loaded_weights_do_not_depend_on_the_files(published: Any) -> None:
    """Mapped weights would be read again from a file that has changed, or has gone."""
    folder = published.write()
    model = load(folder).model
    shards = folder / "model.safetensors"
    with shards.open("r+b") as file:
        file.seek(shards.stat().st_size - 4096)
        file.write(b"\xff" * 4096)
    assert torch.equal(model.llm.lm_head.weight, published.shards["lm_head.weight"])
    for name, tensor in published.shards.items():
        if name.startswith("speech_generator"):
            assert torch.equal(model.speech_decoder.state_dict()[name.partition(".")[2]], tensor)


@pytest.mark.parametrize("file", ["checkpoint/config.json", "vocoder/config.json", "vocoder/g_00500000"])
def test_a_damaged_file_is_named(published: Any, file: str) -> None:
    published.write()
    (published.root / file).write_bytes(b"\x80\x02damaged")
    with pytest.raises(WeightsError, match=rf"{file.split('/')[1]} cannot be read"):
        load(published.checkpoint)


def test_a_damaged_shard_is_named(published: Any) -> None:
    (published.write() / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"model\.safetensors cannot be read"):
        load(published.checkpoint)


class Dangerous:
    """Unpickled carelessly, it would run code."""

    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('code in a checkpoint was run')",))


def test_code_in_a_checkpoint_is_not_run(published: Any) -> None:
    published.write()
    torch.save({"generator": Dangerous()}, published.root / "vocoder" / "g_00500000")
    with pytest.raises(WeightsError, match="g_00500000 cannot be read as tensors"):
        load(published.checkpoint)


def test_a_missing_encoder_error_lists_the_searched_places(published: Any) -> None:
    published.write()
    (published.root / "models" / "speech_encoder" / "small.pt").unlink()
    with pytest.raises(
        WeightsError, match=r"speech encoder .*: looked for .*checkpoint/models/speech_encoder/small\.pt"
    ):
        load(published.checkpoint)


def test_the_vocoder_may_be_in_another_folder(published: Any, tmp_path: Path) -> None:
    folder = published.write()
    (published.root / "vocoder").rename(tmp_path / "voice")
    with pytest.raises(WeightsError, match=r"vocoder=FOLDER"):
        load(folder)
    loaded = load(folder, vocoder=str(tmp_path / "voice"))
    assert loaded.weights[-1].source == str(tmp_path / "voice")

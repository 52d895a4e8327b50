"""Parity with recorded answers, of the published code and of a plain model, and that every deviation is detected.

The published code's answers lie outside the repository; the plain model's are made here, from a checkpoint of other
sizes, with an ordinary end of sequence and a shorter recording.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.direct.llama_omni import parity
from firstpacket.pipelines.direct.llama_omni.streaming import Turn

TENSORS = {"mel", "encoder_out", "speech_embeds", "inputs_embeds", "dec_hidden", "ctc_logits", "log_dur", "wav"}
IDS = {"gen_ids", "units", "units_per_step", "stream_chunks", "dur", "eos_ids", "eos_ctc", "ctc_pred"}
SHARDS = "checkpoint/model.safetensors"


def off(folder: Path) -> set[str]:
    return {line.name for line in parity.compare(folder) if not line.holds}


@pytest.mark.parametrize(
    "which", ["recorded", pytest.param("golden_folder", marks=pytest.mark.golden)], ids=["plain", "published"]
)
def test_all_reference_answers_are_reproduced(which: str, request: pytest.FixtureRequest) -> None:
    lines = list(parity.compare(request.getfixturevalue(which)))
    assert [str(line) for line in lines if not line.holds] == []
    assert TENSORS | IDS | {"stream_wav"} == {line.name for line in lines}


def test_the_plain_model_ends_by_itself_in_several_chunks(recorded: Path) -> None:
    record = json.loads((recorded / "golden.json").read_text())
    generation = json.loads((recorded / "checkpoint/generation_config.json").read_text())
    assert record["gen_ids"][0][-1] in generation["eos_token_id"]
    assert len(record["chunks"]) > 1
    assert len(set(record["units"])) > 10
    early = load_file(recorded / "golden.safetensors")["eos_ids"]
    assert 4 < early.numel() < len(record["gen_ids"][0])


def change(folder: Path, file: str, name: str, by: float) -> None:
    """Add to the middle value of a tensor, in whichever kind of file it is."""
    path = folder / file
    if path.suffix == ".safetensors":
        content = tensors = load_file(path)
    else:
        content = torch.load(path, weights_only=True)
        tensors = next(value for key, value in content.items() if key != "dims")
    flat = tensors[name].view(-1)
    flat[len(flat) // 2] += by
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(content, path)


@pytest.mark.parametrize(
    ("file", "name", "by", "found", "untouched"),
    [
        ("models/speech_encoder/whisper.pt", "encoder.ln_post.bias", 0.01, "encoder_out", {"mel"}),
        ("models/speech_encoder/whisper.pt", "encoder.positional_embedding", 0.1, "encoder_out", {"mel"}),
        (SHARDS, "model.speech_projector.linear2.weight", 0.01, "speech_embeds", {"encoder_out"}),
        (SHARDS, "model.embed_tokens.weight", 9.0, "dec_hidden", {"speech_embeds"}),
        (SHARDS, "model.layers.1.mlp.down_proj.weight", 0.05, "dec_hidden", {"inputs_embeds"}),
        (SHARDS, "model.norm.weight", 0.01, "dec_hidden", {"inputs_embeds"}),
        (SHARDS, "speech_generator.input_proj.weight", 0.01, "ctc_logits", {"dec_hidden", "gen_ids"}),
        (SHARDS, "speech_generator.layers.1.self_attn.k_proj.weight", 0.1, "ctc_logits", {"dec_hidden"}),
        (SHARDS, "speech_generator.output_proj.bias", 0.01, "ctc_logits", {"dec_hidden", "gen_ids"}),
        ("vocoder/g_00500000", "dur_predictor.proj.bias", 0.01, "log_dur", {"units", "stream_chunks"}),
        ("vocoder/g_00500000", "conv_post.weight_g", 0.01, "stream_wav", {"units", "log_dur", "dur"}),
        ("vocoder/g_00500000", "resblocks.7.convs2.1.weight_v", 0.1, "wav", {"units", "log_dur", "dur"}),
    ],
)
def test_one_changed_weight_is_noticed_where_it_is(
    copied: Path, file: str, name: str, by: float, found: str, untouched: set[str]
) -> None:
    if name == "model.embed_tokens.weight":  # the value must belong to a token that was said
        said = json.loads((copied / "golden.json").read_text())["gen_ids"][0][0]
        tensors = load_file(copied / file)
        tensors[name][said] += by
        save_file(tensors, copied / file)
    else:
        change(copied, file, name, by)
    noticed = off(copied)
    assert found in noticed
    assert not noticed & untouched


@pytest.mark.parametrize(
    ("file", "field", "value", "found"),
    [
        ("checkpoint/config.json", "rope_theta", 10_000.0, "dec_hidden"),
        ("checkpoint/config.json", "rms_norm_eps", 1e-2, "dec_hidden"),
        ("checkpoint/config.json", "tokenizer_model_max_length", 20, "dec_hidden"),
        ("checkpoint/generation_config.json", "eos_token_id", 0, "gen_ids"),
    ],
)
def test_one_changed_field_is_noticed(copied: Path, file: str, field: str, value: Any, found: str) -> None:
    content = json.loads((copied / file).read_text())
    (copied / file).write_text(json.dumps({**content, field: value}))
    assert found in off(copied)


def test_an_earlier_end_of_sequence_is_noticed(copied: Path) -> None:
    ids = json.loads((copied / "golden.json").read_text())["gen_ids"][0]
    (copied / "checkpoint/generation_config.json").write_text(json.dumps({"eos_token_id": [ids[5]]}))
    assert {"gen_ids", "units_per_step", "dec_hidden"} <= off(copied)


def test_a_wrong_record_is_noticed(copied: Path) -> None:
    record = json.loads((copied / "golden.json").read_text())
    record["chunks"][0][1] += 1
    (copied / "golden.json").write_text(json.dumps(record))
    assert off(copied) == {"stream_chunks"}


def past_the_end(decode: Callable[..., bool]) -> Callable[..., bool]:
    """A turn that knows no end of sequence, only the longest reply."""

    def patched(turn: Turn, *args: Any) -> bool:
        decode(turn, *args)
        return len(turn.ids) == turn._plan.max_new_tokens

    return patched


def test_running_past_the_end_is_noticed(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Turn, "_decode_speech", past_the_end(Turn._decode_speech))
    assert {"gen_ids", "eos_ids"} <= off(recorded)


def test_the_command_prints_and_says_whether_all_is_equal(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["parity", str(copied)])
    assert parity.main() == 0
    assert capsys.readouterr().out.endswith("all equal\n")
    change(copied, SHARDS, "model.layers.1.mlp.down_proj.weight", 0.05)
    assert parity.main() == 1
    printed = capsys.readouterr().out
    assert "OFF  dec_hidden" in printed
    assert "ok   speech_embeds" in printed
    (copied / SHARDS).unlink()
    assert parity.main() == 1
    assert "has neither model.safetensors" in capsys.readouterr().err


def test_a_folder_without_records_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"golden\.safetensors not found\. Pass the folder"):
        list(parity.compare(tmp_path))

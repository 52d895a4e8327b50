"""Parity with recorded answers of the published code, and that it notices when something is off."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.errors import WeightsError
from bench.timing.clock import MonotonicClock
from bench.timing.trace import Trace
from pipelines.direct.llama_omni import checkpoint, parity
from pipelines.direct.llama_omni.choosing import Choices, Sampling
from pipelines.direct.llama_omni.prompt import SPEECH_TOKEN, Prompt
from pipelines.direct.llama_omni.streaming import Assistant, Plan, Turn

pytestmark = pytest.mark.golden


@pytest.fixture
def copied(golden_folder: Path, tmp_path: Path) -> Path:
    """A copy of the golden folder that may be changed."""
    folder = tmp_path / "golden"
    shutil.copytree(golden_folder, folder, copy_function=shutil.copyfile)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        path.chmod(0o755)
    return folder


def off(folder: Path) -> set[str]:
    return {line.name for line in parity.compare(folder) if not line.holds}


def change_tensor(path: Path, name: str, index: tuple[int, ...], by: float) -> None:
    tensors = load_file(path)
    tensors[name][index] += by
    save_file(tensors, path)


def test_everything_the_reference_answered_is_answered_alike(golden_folder: Path) -> None:
    lines = list(parity.compare(golden_folder))
    assert [str(line) for line in lines if not line.holds] == []
    tensors = {"encoder_out", "speech_embeds", "dec_hidden", "ctc_logits", "log_dur", "wav", "stream_wav"}
    ids = {"gen_ids", "units", "units_per_step", "stream_chunks", "dur", "eos_ids", "eos_ctc"}
    assert tensors | ids <= {line.name for line in lines}


def test_a_perturbed_llm_is_noticed(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change_tensor(copied / "checkpoint" / "model.safetensors", "model.layers.1.mlp.down_proj.weight", (3, 5), 0.05)
    monkeypatch.setattr(sys, "argv", ["parity", str(copied)])
    assert parity.main() == 1
    printed = capsys.readouterr().out
    assert "OFF  dec_hidden" in printed
    assert "ok   speech_embeds" in printed


def test_a_perturbed_speech_decoder_is_noticed_where_it_is(copied: Path) -> None:
    change_tensor(copied / "checkpoint" / "model.safetensors", "speech_generator.output_proj.bias", (7,), 0.1)
    found = off(copied)
    assert "ctc_logits" in found
    assert not found & {"encoder_out", "speech_embeds", "dec_hidden", "gen_ids"}


def test_a_perturbed_vocoder_is_noticed_where_it_is(copied: Path) -> None:
    path = copied / "vocoder" / "g_00500000"
    content = torch.load(path, weights_only=True)
    content["generator"]["conv_post.weight_g"] *= 1.01
    torch.save(content, path)
    assert off(copied) == {"wav", "stream_wav"}


def test_another_end_of_sequence_is_noticed(copied: Path) -> None:
    ids = json.loads((copied / "golden.json").read_text())["gen_ids"][0]
    generation = copied / "checkpoint" / "generation_config.json"
    generation.write_text(json.dumps({"eos_token_id": [ids[5]]}))
    assert {"gen_ids", "units", "units_per_step", "dec_hidden"} <= off(copied)


def test_a_wrong_record_is_noticed(copied: Path) -> None:
    record = json.loads((copied / "golden.json").read_text())
    record["chunks"][0][1] += 1
    (copied / "golden.json").write_text(json.dumps(record))
    assert off(copied) == {"stream_chunks"}


def test_a_folder_without_records_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"golden\.safetensors is not there\. Give the folder"):
        list(parity.compare(tmp_path))


def record(folder: Path, input_ids: list[int], seconds: float) -> None:
    """Write what the model of `folder` itself answers as if the reference had."""
    model = checkpoint.load(folder / "checkpoint", None, parity.CPU, torch.float32).model
    audio = torch.randn(round(16_000 * seconds), generator=torch.Generator().manual_seed(0)) * 0.1
    choices = Choices(Sampling(), parity.CPU)
    plan = Plan(Prompt(input_ids, parity.CPU), choices, frozenset(model.config.eos), 40, parity.CHUNK_UNITS)
    turn = Assistant(model, plan).turn(Trace(MonotonicClock()))
    packets = [torch.from_numpy(packet.samples) for packet in turn.packets(audio.numpy())]
    ids = {"input_ids": torch.tensor([input_ids]), "gen_ids": torch.tensor([turn.ids])}
    save_file({"audio": audio, "stream_wav": torch.cat(packets), **ids}, folder / "golden.safetensors")
    (folder / "golden.json").write_text(json.dumps({"units": turn.chunker.units, "chunks": turn.chunker.borders}))


def past_the_end(decode: Callable[..., bool]) -> Callable[..., bool]:
    """A turn that knows no end of sequence, only the longest reply."""

    def patched(turn: Turn, *args: Any) -> bool:
        decode(turn, *args)
        return len(turn.ids) == turn._plan.max_new_tokens

    return patched


def test_folders_of_other_sizes_that_end_by_themselves_are_read(
    published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, prompt = published.write().parent, [0, 7, SPEECH_TOKEN, 9]
    record(folder, prompt, seconds=1.3)
    ids = load_file(folder / "golden.safetensors")["gen_ids"][0].tolist()
    published.config["eos_token_id"] = [ids[3]]
    published.write()
    record(folder, prompt, seconds=1.3)
    assert load_file(folder / "golden.safetensors")["gen_ids"].shape[1] <= 4
    assert off(folder) == set()
    monkeypatch.setattr(Turn, "_decode_speech", past_the_end(Turn._decode_speech))
    assert "gen_ids" in off(folder)

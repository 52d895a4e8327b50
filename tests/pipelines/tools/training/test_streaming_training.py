"""The steps that make a streaming model: what each trains, and from what it begins."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", exc_type=ImportError)
pytest.importorskip("accelerate", exc_type=ImportError)

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.direct.llama_omni.adaptor import SpeechAdaptor
from firstpacket.pipelines.direct.llama_omni.config import AdaptorConfig
from firstpacket.pipelines.direct.llama_omni.prompt import SPEECH_TOKEN, Prompt
from firstpacket.pipelines.models.kv_cache import KVCache
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes
from firstpacket.pipelines.tools.training import (
    data,
    folders,
    speaking_states,
    streaming_encoder,
    streaming_listening,
    tokenizer,
)
from firstpacket.pipelines.tools.training.block_features import SpokenFeatures
from firstpacket.pipelines.tools.training.listening_model import BlockListener
from firstpacket.pipelines.tools.training.llm import write as write_llm
from firstpacket.pipelines.tools.training.llm_model import TrainableLlama
from firstpacket.pipelines.tools.training.teacher import Teacher
from firstpacket.pipelines.tools.training.whisper import TrainableWhisper

CPU = torch.device("cpu")
SIZES = WhisperSizes(state=16, heads=2, layers=2, decoder_layers=1, positions=100)
LLAMA = LlamaConfig(24, 2, 4, 2, 6, 48, 40, tied=True)
TONES = {"Low.": (300, "It was low."), "High.": (2500, "It was high.")}
TAUGHT = replace(streaming_encoder.SCHEDULE, steps=20, warmup=2, learning_rate=3e-3, precision="no", validate_every=0)
QUICK = replace(streaming_listening.SCHEDULE, steps=80, warmup=5, learning_rate=1e-2, precision="no", validate_every=0)


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language of two words, each with its own tone; speech ends before the clip does."""
    soundfile = pytest.importorskip("soundfile")
    folder, random, lines = tmp_path_factory.mktemp("tones"), np.random.default_rng(0), []
    for number in range(16):
        text, (hertz, answer) = list(TONES.items())[number % 2]
        time = np.arange(4800 + int(random.integers(0, 3200))) / 16000
        sound = np.pad(0.3 * np.sin(2 * np.pi * hertz * (1 + number / 200) * time), (0, 1600))
        soundfile.write(folder / f"{number}.flac", sound, 16000)
        line = {"id": f"t{number}", "audio": f"{number}.flac", "text": text, "answers": [answer]}
        line |= {"split": "validation" if number > 11 else "train", "speech_end_ms": len(time) / 16}
        lines.append(line | {"speech_end_source": "annotated"})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def work(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher that has learnt nothing, and both steps after it."""
    folder = tmp_path_factory.mktemp("work")
    torch.manual_seed(1)
    whisper = TrainableWhisper(SIZES, torch.arange(5), 28)
    whisper.encoder.positional_embedding.data.mul_(0.1)
    folders.save(folder / "asr", whisper.state_dict(), asdict(SIZES), {})
    words = tokenizer.learnt([*TONES, *(answer for _, answer in TONES.values())])
    llm = TrainableLlama.fresh(replace(LLAMA, vocab=len(words)))
    write_llm(folder / "listening", llm, words, {})
    adaptor = SpeechAdaptor(AdaptorConfig(5, SIZES.state, 24, 20)).state_dict()
    state = llm.llama.state_dict() | {f"model.speech_projector.{name}": part for name, part in adaptor.items()}
    folders.save(folder / "listening", state, folders.config(folder, "listening"), {})
    streaming_encoder.run(tones, folder, TAUGHT, batch=6)
    streaming_listening.run(tones, folder, QUICK, batch=6)
    return folder


def test_the_student_comes_near_its_teacher(tones: Path, work: Path) -> None:
    figures = json.loads((work / "streaming-encoder" / "figures.json").read_text())
    assert {name for name in figures if name.startswith("distance")} == {
        f"distance_{name}" for name in ("100_ms", "200_ms", "500_ms", "1000_ms", "2000_ms", "whole")
    }
    learnt = streaming_encoder.read(work).state_dict()
    before = Teacher(work).speech_encoder.state_dict()
    assert not torch.equal(learnt["conv1.weight"], before["conv1.weight"])
    assert torch.equal(learnt["positional_embedding"], before["positional_embedding"])
    log = [json.loads(line) for line in (work / "streaming-encoder" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["seconds"] >= 0 and figures["distance_whole"] < 0.5
    kept = folders.tensors(work, "streaming-encoder")
    assert kept["ctc_head.weight"].shape == (29, SIZES.state) and not any("adaptor" in name for name in kept)


def test_the_model_answers_what_it_hears_in_blocks(tones: Path, work: Path) -> None:
    figures = json.loads((work / "streaming-listening" / "figures.json").read_text())
    accuracies = {name: value for name, value in figures.items() if name.startswith("accuracy")}
    assert len(accuracies) == 6 and set(accuracies.values()) == {1.0}
    config = folders.config(work, "streaming-listening")
    assert config["speech_encoder_context"] == "streaming"
    listener, _ = streaming_listening.trained(work)
    heard = streaming_encoder.read(work).state_dict()
    assert all(torch.equal(heard[name], part) for name, part in listener.encoder.state_dict().items()), "frozen"
    kept = folders.tensors(work, "streaming-listening")
    assert not any("encoder" in name or "blank" in name for name in kept)


@torch.no_grad()
def test_a_row_is_what_one_turn_computes(work: Path) -> None:
    """Prompt, speech and reply at the positions that they have in use, with a cache and no batch."""
    listener, words = streaming_listening.trained(work)
    assert isinstance(listener, BlockListener)
    prompt = streaming_listening.streaming_prompt(words)
    assert prompt.index(SPEECH_TOKEN) > len(prompt) // 2, "the instruction comes before the speech"
    heard = SpokenFeatures(torch.randn(SIZES.mels, 30, generator=torch.Generator().manual_seed(0)).half())
    reply = (7, 8, 9)
    batch = streaming_listening.batched(
        [streaming_listening.Example(heard, (7,), reply)], 20, 5, np.random.default_rng(0)
    )
    embeddings = listener.speech(batch)[0]
    assert len(embeddings) == 3
    llama = listener.llm.llama
    row = Prompt(prompt, CPU).splice(llama.embed, embeddings)
    cache = KVCache(llama.config, len(row) + len(reply), CPU, torch.float32)
    states = [llama(row, cache)] + [llama(llama.embed(torch.tensor([word])), cache) for word in reply[:-1]]
    torch.testing.assert_close(listener.states(batch), torch.cat(states), rtol=0, atol=1e-4)


@torch.no_grad()
def test_the_speech_decoder_learns_from_the_states_of_each_clip_heard_alone(
    tones: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = data.clips(tones, "train")
    monkeypatch.setattr(speaking_states, "drawn_block", lambda random: 5)
    found = speaking_states.STREAMING.states(clips, work)
    listener, words = streaming_listening.trained(work)
    examples = streaming_listening.examples_of(clips, words, listener, work)
    assert len({example.heard.groups for example in examples}) > 1, "they are heard by length, and put back in order"
    for example, states in zip(examples, found, strict=True):
        alone = streaming_listening.batched([example], listener.extent.embeddings, 5, np.random.default_rng(0))
        torch.testing.assert_close(states.float(), listener.states(alone), rtol=0, atol=0.05)


def test_missing_steps_are_named_with_their_commands(work: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="bench train asr"):
        assert Teacher(tmp_path).mels
    with pytest.raises(WeightsError, match="bench train listening"):
        Teacher(tmp_path).adaptor()
    with pytest.raises(WeightsError, match="bench train streaming-encoder"):
        streaming_encoder.read(tmp_path)
    with pytest.raises(WeightsError, match="bench train streaming-listening"):
        streaming_listening.trained(tmp_path)

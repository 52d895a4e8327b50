"""Stage 1: batches with drawn silence compared with inference, and which parts are trained."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("transformers", exc_type=ImportError)
pytest.importorskip("accelerate", exc_type=ImportError)

from firstpacket.bench.errors import WeightsError
from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.direct.llama_omni.adaptor import SpeechAdaptor
from firstpacket.pipelines.direct.llama_omni.config import AdaptorConfig, EncoderConfig
from firstpacket.pipelines.direct.llama_omni.encoder import SpeechEncoder
from firstpacket.pipelines.direct.llama_omni.prompt import SPEECH_TOKEN, Prompt
from firstpacket.pipelines.models.kv_cache import KVCache
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes
from firstpacket.pipelines.tools.training import folders, tokenizer
from firstpacket.pipelines.tools.training.asr import trained as trained_whisper
from firstpacket.pipelines.tools.training.features import features, whole
from firstpacket.pipelines.tools.training.listening import SCHEDULE, Parts, losses, run, trained
from firstpacket.pipelines.tools.training.listening_model import Batch, Example, Extent, Listener
from firstpacket.pipelines.tools.training.llm import write as write_llm
from firstpacket.pipelines.tools.training.llm_model import TrainableLlama
from firstpacket.pipelines.tools.training.whisper import Encoder, TrainableWhisper

CPU = torch.device("cpu")
SIZES = WhisperSizes(state=16, heads=2, layers=2, decoder_layers=1, positions=100)
EXTENT = Extent(SIZES.positions, 5)
PROMPT = [3, 3, 9, 11, SPEECH_TOKEN, 12, 13, 14]
LLAMA = LlamaConfig(24, 2, 4, 2, 6, 48, 40, tied=True)
REPLIES = ((20, 21, 22, 5), (23, 5))


@pytest.fixture(scope="module")
def listener() -> Listener:
    torch.manual_seed(3)
    llm = TrainableLlama.fresh(LLAMA)
    adaptor = SpeechAdaptor(AdaptorConfig(5, SIZES.state, 24, 20))
    return Listener(Encoder(SIZES), adaptor, llm, PROMPT).eval()


def speech(seconds: float, seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.1, int(16000 * seconds)).astype(np.float32)


def in_use(listener: Listener, embeddings: Tensor, reply: tuple[int, ...]) -> Tensor:
    """States from which a reply is predicted, by the code that answers: one turn, no batch, a cache."""
    llama = listener.llm.llama
    prompt = Prompt(PROMPT, CPU).splice(llama.embed, embeddings)
    cache = KVCache(llama.config, len(prompt) + len(reply), CPU, torch.float32)
    states = [llama(prompt, cache)]
    states += [llama(llama.embed(torch.tensor([word])), cache) for word in reply[:-1]]
    return torch.cat(states)


@torch.no_grad()
def test_with_all_silence_drawn_training_equals_inference(listener: Listener) -> None:
    said = [speech(0.5, 1), speech(0.9, 2)]
    examples = [Example(features(one, SIZES.mels), (7, 8), reply) for one, reply in zip(said, REPLIES, strict=True)]
    batch = Batch.of(examples, EXTENT, EXTENT.embeddings, np.random.default_rng(0))
    heard = listener.speech(batch)
    encoder = SpeechEncoder(EncoderConfig(SIZES.mels, SIZES.positions, SIZES.state, SIZES.heads, SIZES.layers))
    encoder.load_state_dict(listener.encoder.state_dict())
    for example, embeddings in zip(examples, heard, strict=True):
        wanted = listener.adaptor(encoder(whole(example.heard, SIZES.positions)[0]))
        # The window's last frame lies beside no silence but beside nothing, which the drawn ones do not know.
        torch.testing.assert_close(embeddings[:-1], wanted[:-1], rtol=0, atol=0.01 * float(wanted.abs().max()))
    states = torch.cat([in_use(listener, *one) for one in zip(heard, REPLIES, strict=True)])
    torch.testing.assert_close(listener.states(batch), states, rtol=0, atol=1e-4)


@torch.no_grad()
def test_drawn_silence_keeps_its_position_and_has_more_weight(listener: Listener) -> None:
    """Equal keys: one that stands for three is three. So only the places of the drawn ones can tell."""
    batch = Batch.of(
        [Example(features(speech(0.5, 1), SIZES.mels), (7,), REPLIES[0])], EXTENT, 4, np.random.default_rng(0)
    )
    positions, weights = listener._places(batch)
    head, spoken = PROMPT.index(SPEECH_TOKEN), batch.mel.shape[2] // 2 // 5
    drawn = positions[head + spoken : head + spoken + 4] - head
    assert drawn.tolist() == (batch.silence.positions[::5] // 5).tolist()
    text = len(PROMPT) - 1 - head + len(REPLIES[0])
    assert positions[-text:].tolist() == list(range(head + EXTENT.embeddings, head + EXTENT.embeddings + text))
    assert weights.exp().sum().item() == pytest.approx(head + EXTENT.embeddings + text)


def test_drawn_silence_is_whole_groups_with_the_weight_of_all() -> None:
    drawn = EXTENT.silence(4, 3, np.random.default_rng(0))
    groups = drawn.positions.view(3, 5)
    assert (groups == groups[:, :1] + torch.arange(5)).all() and (groups[:, 0] % 5 == 0).all()
    assert groups.min() >= 4 * 5 and groups.max() < SIZES.positions
    assert 3 * np.exp(drawn.log_weight) == pytest.approx(EXTENT.embeddings - 4)


TONES = {"Low.": (300, "It was low."), "High.": (2500, "It was high.")}
QUICK = replace(SCHEDULE, steps=100, warmup=5, learning_rate=1e-2, precision="no", validate_every=0)


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language of two words, each with its own tone."""
    soundfile = pytest.importorskip("soundfile")
    folder, random, lines = tmp_path_factory.mktemp("tones"), np.random.default_rng(0), []
    for number in range(16):
        text, (hertz, answer) = list(TONES.items())[number % 2]
        time = np.arange(4800 + int(random.integers(0, 3200))) / 16000
        soundfile.write(folder / f"{number}.flac", 0.3 * np.sin(2 * np.pi * hertz * (1 + number / 200) * time), 16000)
        split = "validation" if number > 11 else "train"
        lines.append({"id": f"t{number}", "audio": f"{number}.flac", "text": text, "answers": [answer], "split": split})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def parts_before(work: Path) -> None:
    """What the steps before leave: here, models that have learnt nothing."""
    torch.manual_seed(1)
    whisper = TrainableWhisper(SIZES, torch.arange(5), 28)
    whisper.encoder.positional_embedding.data.mul_(0.1)  # an encoder that was not trained hears little beside it
    folders.save(work / "asr", whisper.state_dict(), asdict(SIZES), {})
    words = tokenizer.learnt([*TONES, *(answer for _, answer in TONES.values())])
    write_llm(work / "llm", TrainableLlama.fresh(replace(LLAMA, vocab=len(words))), words, {})


@pytest.fixture(scope="module")
def work(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    parts_before(folder)
    run(tones, folder, QUICK, batch=6)
    return folder


def test_the_trained_model_answers_the_training_questions(work: Path) -> None:
    figures = json.loads((work / "listening" / "figures.json").read_text())
    assert figures["accuracy"] == figures["accuracy_whole"] == 1.0
    assert figures["clips"] == 12
    listener, _ = trained(work)
    kept = folders.tensors(work, "listening")
    assert torch.equal(listener.adaptor.linear1.weight, kept["model.speech_projector.linear1.weight"])
    assert torch.equal(listener.llm.llama.model.norm.weight, kept["model.norm.weight"])
    before = trained_whisper(work)[0].encoder.state_dict()
    assert all(torch.equal(before[name], tensor) for name, tensor in listener.encoder.state_dict().items())
    assert not any("encoder" in name or "blank" in name for name in kept), "one copy of the encoder; no crutch"


def test_only_the_encoder_is_frozen(listener: Listener) -> None:
    heard = features(speech(0.5, 1), SIZES.mels)
    batch = Batch.of([Example(heard, (7, 8), REPLIES[0])], EXTENT, 3, np.random.default_rng(0))
    losses(listener, batch)["loss"].backward()
    learning = {name for name, part in listener.named_parameters() if part.grad is not None}
    assert learning == {name for name, _ in listener.named_parameters() if not name.startswith("encoder.")}
    assert not any(part.requires_grad for part in listener.encoder.parameters()), "so that no process exchanges them"
    listener.zero_grad()


def test_an_interrupted_training_gives_the_same_weights(
    tones: Path, work: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    class Stop(Exception):
        pass

    calls = iter(range(1000))

    def stopping(*given: Any) -> Batch:
        if next(calls) == 6:
            raise Stop
        return original(*given)

    original = Batch.of
    parts_before(tmp_path)
    monkeypatch.setattr(Batch, "of", stopping)
    with pytest.raises(Stop):
        run(tones, tmp_path, replace(QUICK, keep_every_s=0), batch=6)
    monkeypatch.setattr(Batch, "of", original)
    run(tones, tmp_path, QUICK, batch=6)
    whole, resumed = folders.tensors(work, "listening"), folders.tensors(tmp_path, "listening")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_training_starts_from_a_published_encoder(work: Path, tmp_path: Path) -> None:
    wanted = trained_whisper(work)[0].encoder.state_dict()
    dims = {"n_mels": SIZES.mels, "n_audio_ctx": SIZES.positions, "n_audio_state": SIZES.state}
    dims |= {"n_audio_head": SIZES.heads, "n_audio_layer": SIZES.layers}
    state = {f"encoder.{name}": tensor for name, tensor in wanted.items()}
    torch.save({"dims": dims, "model_state_dict": state}, tmp_path / "whisper.pt")
    listener, _ = Parts(work, tmp_path / "whisper.pt").fresh()
    assert all(torch.equal(wanted[name], tensor) for name, tensor in listener.encoder.state_dict().items())
    assert not any(part.requires_grad for part in listener.encoder.parameters())


def test_missing_steps_are_named_with_their_commands(work: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="bench train asr"):
        Parts(tmp_path).fresh()
    with pytest.raises(WeightsError, match="bench train llm"):
        assert Parts(tmp_path, tmp_path / "whisper.pt").of_llm
    with pytest.raises(WeightsError, match="bench train listening"):
        trained(tmp_path)
    with pytest.raises(WeightsError, match=r"nothing\.pt not found"):
        Parts(work, tmp_path / "nothing.pt").fresh()

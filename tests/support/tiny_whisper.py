"""A tiny Whisper that listens: random, but with cross-attention so strong that its text depends on the sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from firstpacket.bench.pipeline import Samples, Settings
from firstpacket.pipelines.cascade.asr.whisper import Whisper
from firstpacket.pipelines.models import whisper_dummy, whisper_tokens
from firstpacket.pipelines.models.whisper_names import openai_name
from firstpacket.pipelines.models.whisper_sizes import TEXT_POSITIONS, WhisperSizes

SIZES = WhisperSizes(state=64, heads=1, layers=1, decoder_layers=1)
WORDS = (
    "the a day time way good start morning what how when is it can you my work about new long first think make house "
    "water light people small great old word place right same help line turn cause much mean before move boy follow"
)
LONGEST = 8
"""Words after which the end is written."""

STRENGTH = 6.0
"""How much stronger than random the cross-attention is."""


class Clip:
    """Speech that comes in frames of some size; 0 is one frame for all."""

    sample_rate = 16_000

    def __init__(self, samples: Samples, frame: int = 0, language: str = "en-US") -> None:
        self._samples = samples
        self._frame = frame or max(1, len(samples))
        self.language = language

    def frames(self) -> Iterator[Samples]:
        for start in range(0, len(self._samples), self._frame):
            yield self._samples[start : start + self._frame]

    def whole(self) -> Samples:
        return self._samples


def tones(*hertz: float, seconds: float = 1.0) -> Samples:
    """Tones one after the other, with a little noise."""
    time_s = np.arange(int(16_000 * seconds)) / 16_000
    noise = np.random.default_rng(0).standard_normal(len(hertz) * len(time_s)) * 0.01
    sound = np.concatenate([np.sin(2 * np.pi * pitch * time_s) * 0.3 for pitch in hertz]) + noise
    return sound.astype(np.float32)


Change = Callable[[whisper_dummy.Tensors, Tokenizer], None]
"""What a test does to the weights before they are written."""


def write(folder: Path, seed: int = 0, change: Change = lambda made, words: None) -> Path:
    """Write it in transformers' layout, float32."""
    words, made = vocabulary(), tensors(seed)
    change(made, words)
    whisper_dummy.write(folder, SIZES, made, words, torch.float32)
    return folder


def tensors(seed: int = 0) -> whisper_dummy.Tensors:
    """Its weights by transformers' names."""
    words = vocabulary()
    made = whisper_dummy.weights(SIZES, seed, words)
    generator = torch.Generator().manual_seed(seed)
    end, said = whisper_tokens.place(words, whisper_tokens.END), word_ids(words)
    embedding = made["model.decoder.embed_tokens.weight"]
    # Only whole words and the end can win.
    embedding.mul_(0.01)
    embedding[said] = torch.randn((len(said), SIZES.state), generator=generator)
    embedding[end] = torch.randn(SIZES.state, generator=generator)
    positions = torch.randn((TEXT_POSITIONS, SIZES.state), generator=generator)
    positions[whisper_dummy.PROMPT - 1 + LONGEST :] = 50 * embedding[end]
    made["model.decoder.embed_positions.weight"] = positions
    for part in ("q_proj", "k_proj", "out_proj"):
        made[f"model.decoder.layers.0.encoder_attn.{part}.weight"] *= STRENGTH
    return made


@cache
def vocabulary() -> Tokenizer:
    """Its words."""
    return whisper_tokens.tokenizer(SIZES.vocab)


def word_ids(words: Tokenizer) -> list[int]:
    """The words that it can write, one id each."""
    return [ids[0] for word in WORDS.split() if len(ids := words.encode(f" {word}").ids) == 1]


def unsure(made: whisper_dummy.Tensors, words: Tokenizer) -> None:
    """Every word is about as likely as any other."""
    made["model.decoder.embed_tokens.weight"][word_ids(words)] *= 0.02


def unsure_of_speech(made: whisper_dummy.Tensors, words: Tokenizer) -> None:
    """The same, and the mark for no speech is certain."""
    unsure(made, words)
    mark = whisper_tokens.place(words, whisper_tokens.NO_SPEECH)
    embedding = made["model.decoder.embed_tokens.weight"]
    embedding[mark] = torch.randn(SIZES.state, generator=torch.Generator().manual_seed(1))
    made["model.decoder.embed_positions.weight"][0] = 50 * embedding[mark]


def openai_file(folder: Path, path: Path) -> Path:
    """The same model as openai-whisper publishes it."""
    tensors = {openai_name(name): tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    dims = {
        "n_mels": SIZES.mels,
        "n_vocab": SIZES.vocab,
        "n_audio_ctx": SIZES.positions,
        "n_audio_state": SIZES.state,
        "n_audio_head": SIZES.heads,
        "n_audio_layer": SIZES.layers,
        "n_text_ctx": TEXT_POSITIONS,
        "n_text_state": SIZES.state,
        "n_text_head": SIZES.heads,
        "n_text_layer": SIZES.decoder_layers,
    }
    torch.save({"dims": dims, "model_state_dict": tensors}, path)
    return path


def asked(engine: type[Whisper], model: Path | str = "", dtype: str = "float32", **options: object) -> Whisper:
    """An engine with its defaults and these options (`asr_beam=2`), loaded; without a model, a dummy."""
    defaults = {option.name: option.default for option in engine.declaration.options}
    chosen = {name.replace("_", "-"): value for name, value in options.items()}
    given = {"asr-weights": "dummy", "asr-model": str(model), **chosen}
    made = engine(Settings(dtype=dtype, options={**defaults, **given}))
    made.load()
    return made

"""Seeded random weights in Whisper's architecture that write a known text: a checkpoint in transformers' layout.

Engines load it as they load a published one. The text stands in the weights: the decoder's embedding of position p is
eight times the embedding of the word that shall follow there, which outweighs whatever the random rest adds to it, at
unchanged shapes and cost. Such a model ignores its input: it always writes its text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from firstpacket.pipelines.models import whisper_tokens as tokens
from firstpacket.pipelines.models.cache import cached
from firstpacket.pipelines.models.whisper_sizes import TEXT_POSITIONS, WhisperSizes

TEXT = " What is a good way to start the day tomorrow morning?"
"""What every dummy transcribes: a question of ordinary length."""

PROMPT = 4
"""Marks before the text: start, language, task, no timestamps. The last one's position decides the first word."""

SCRIPT_WEIGHT = 8.0
VERSION = 1
"""Changes with whatever is written, so that older folders in the cache are not taken for new ones."""

Tensors = dict[str, Tensor]


def folder(sizes: WhisperSizes, name: str, seed: int) -> Path:
    """The folder of the dummy, made at the first call and kept in the cache. Raises `WeightsError`."""
    vocabulary = "published" if tokens.published_file() else "learnt"

    def build(empty: Path) -> None:
        words = tokens.tokenizer(sizes.vocab)
        write(empty, sizes, weights(sizes, seed, words), words, torch.float16)

    return cached(f"whisper-dummy-{VERSION}-{name}-{vocabulary}-words-seed-{seed}", build)


def weights(sizes: WhisperSizes, seed: int, words: Tokenizer, text: str = TEXT) -> Tensors:
    """Tensors by transformers' names, float32; after `text` comes the end, at every further position."""
    generator = torch.Generator().manual_seed(seed)
    made = {name: _random(name, shape, generator) for name, shape in shapes(sizes)}
    embedding, positions = made["model.decoder.embed_tokens.weight"], made["model.decoder.embed_positions.weight"]
    script = torch.full((TEXT_POSITIONS,), tokens.place(words, tokens.END))
    spoken = torch.tensor(words.encode(text).ids)
    script[PROMPT - 1 : PROMPT - 1 + len(spoken)] = spoken
    positions.copy_(SCRIPT_WEIGHT * embedding[script])
    return made


def shapes(sizes: WhisperSizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor's name and shape."""
    state = sizes.state
    yield from _convolution("model.encoder.conv1", state, sizes.mels)
    yield from _convolution("model.encoder.conv2", state, state)
    yield "model.encoder.embed_positions.weight", (sizes.positions, state)
    for layer in range(sizes.layers):
        yield from _block(f"model.encoder.layers.{layer}", state, ("self_attn",))
    yield "model.decoder.embed_tokens.weight", (sizes.vocab, state)
    yield "model.decoder.embed_positions.weight", (TEXT_POSITIONS, state)
    for layer in range(sizes.decoder_layers):
        yield from _block(f"model.decoder.layers.{layer}", state, ("self_attn", "encoder_attn"))
    for half in ("encoder", "decoder"):
        yield from _norm(f"model.{half}.layer_norm", state)


def write(into: Path, sizes: WhisperSizes, made: Tensors, words: Tokenizer, dtype: torch.dtype) -> None:
    """Write tensors, configuration and vocabulary into an empty folder."""
    save_file({name: tensor.to(dtype) for name, tensor in made.items()}, into / "model.safetensors", {"format": "pt"})
    words.save(str(into / "tokenizer.json"))
    for name, content in _settings(sizes, words, str(dtype).removeprefix("torch.")).items():
        (into / name).write_text(json.dumps(content, indent=2), encoding="utf-8")


def _convolution(name: str, out: int, into: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (out, into, 3)
    yield f"{name}.bias", (out,)


def _norm(name: str, state: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (state,)
    yield f"{name}.bias", (state,)


def _block(name: str, state: int, attentions: tuple[str, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for attention in attentions:
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield f"{name}.{attention}.{part}.weight", (state, state)
            if part != "k_proj":
                yield f"{name}.{attention}.{part}.bias", (state,)
        yield from _norm(f"{name}.{attention}_layer_norm", state)
    for part, out, into in (("fc1", 4 * state, state), ("fc2", state, 4 * state)):
        yield f"{name}.{part}.weight", (out, into)
        yield f"{name}.{part}.bias", (out,)
    yield from _norm(f"{name}.final_layer_norm", state)


def _random(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Embeddings of variance one, matrices that keep it (std = fan_in^-1/2), norms at one, biases at zero."""
    if len(shape) == 1:
        return torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
    scale = 1.0 if ".embed_" in name else torch.Size(shape[1:]).numel() ** -0.5
    return torch.randn(shape, generator=generator) * scale


def _settings(sizes: WhisperSizes, words: Tokenizer, dtype: str) -> dict[str, dict[str, object]]:
    """The JSON files of the folder."""
    place = partial(tokens.place, words)
    end, start = place(tokens.END), place(tokens.START)
    ends = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start}
    config = {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "d_model": sizes.state,
        "encoder_layers": sizes.layers,
        "encoder_attention_heads": sizes.heads,
        "encoder_ffn_dim": 4 * sizes.state,
        "decoder_layers": sizes.decoder_layers,
        "decoder_attention_heads": sizes.heads,
        "decoder_ffn_dim": 4 * sizes.state,
        "num_mel_bins": sizes.mels,
        "max_source_positions": sizes.positions,
        "max_target_positions": TEXT_POSITIONS,
        "vocab_size": sizes.vocab,
        "dtype": dtype,
        **ends,
    }
    marks = tokens.marks(sizes.vocab)
    generation = {
        **ends,
        "is_multilingual": True,
        "lang_to_id": {mark: place(mark) for mark in marks[2 : marks.index(tokens.TRANSLATE)]},
        "task_to_id": {"translate": place(tokens.TRANSLATE), "transcribe": place(tokens.TRANSCRIBE)},
        "no_timestamps_token_id": place(tokens.NO_TIMESTAMPS),
        "max_length": TEXT_POSITIONS,
        "suppress_tokens": [place(mark) for mark in tokens.NEVER_SAID],
        "begin_suppress_tokens": [*words.encode(" ").ids, end],
        "return_timestamps": False,
    }
    return {
        "config.json": config,
        "generation_config.json": generation,
        "preprocessor_config.json": {
            "feature_extractor_type": "WhisperFeatureExtractor",
            "feature_size": sizes.mels,
            "sampling_rate": 16000,
            "hop_length": 160,
            "n_fft": 400,
            "chunk_length": 30,
            "padding_value": 0.0,
        },
        "tokenizer_config.json": {"tokenizer_class": "WhisperTokenizer"},
    }

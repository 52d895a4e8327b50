"""What the steps of a training leave behind, with random values at tiny sizes: the Whisper among it listens."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from firstpacket.pipelines.direct.llama_omni.adaptor import SpeechAdaptor
from firstpacket.pipelines.direct.llama_omni.config import AdaptorConfig, SpeechDecoderConfig, VocoderConfig
from firstpacket.pipelines.direct.llama_omni.speech_decoder import SpeechDecoder
from firstpacket.pipelines.direct.llama_omni.vocoder import Vocoder
from firstpacket.pipelines.models import dummy_llama, whisper_tokens
from firstpacket.pipelines.models.chat import BEGIN, END_OF_TURN, SPECIAL_TOKENS
from firstpacket.pipelines.models.dummy_text import learnt_tokenizer
from firstpacket.pipelines.models.llama import Llama
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.models.whisper_embedding import sinusoids
from firstpacket.pipelines.models.whisper_names import openai_name
from firstpacket.pipelines.tools.training import folders
from firstpacket.pipelines.tools.training.asr import LETTERS
from support import tiny_whisper

UNITS = 20
SIZES = tiny_whisper.SIZES
LOUD = 8.0
"""Times as much as at random, so that the sound outweighs the fixed positions."""


def made(work: Path, seed: int = 0) -> Path:
    """All steps that are packed."""
    generator = torch.Generator().manual_seed(seed)
    _asr(work, seed)
    words = learnt_tokenizer()
    config = LlamaConfig(64, 2, 2, 1, 32, 96, words.get_vocab_size(), rope_theta=10_000.0, tied=True)
    _save(work, "llm", Llama(config), _llama_json(config), generator)
    words.save(str(work / "llm" / "tokenizer.json"))
    ends = {"eos_token_id": [SPECIAL_TOKENS.index(END_OF_TURN)]}
    (work / "llm" / "generation_config.json").write_text(json.dumps(ends))
    adaptor = SpeechAdaptor(AdaptorConfig(joined=5, state=SIZES.state, hidden=64, inner=32))
    state = _random(Llama(config), "", generator) | _random(adaptor, "model.speech_projector.", generator)
    sizes = _llama_json(config) | {"speech_encoder_ds_rate": 5, "speech_projector_inner": 32}
    folders.save(work / "listening", state, sizes, {})
    layers = LlamaConfig(64, 1, 2, 2, 32, 96, config.vocab, rope_theta=10_000.0)
    speaking = {"ctc_decoder_config": "(1,64,2,96)", "ctc_upsample_factor": 25, "unit_vocab_size": UNITS}
    decoder = SpeechDecoder(SpeechDecoderConfig(state=64, layers=layers, units=UNITS, frames_per_token=25))
    _save(work, "speaking", decoder, speaking, generator)
    _vocoder(work, generator)
    _streaming(work, sizes, state, speaking, decoder, generator)
    words.save(str(work / "streaming-listening" / "tokenizer.json"))
    return work


def _streaming(
    work: Path,
    sizes: dict[str, Any],
    listening: dict[str, Tensor],
    speaking: dict[str, Any],
    decoder: SpeechDecoder,
    generator: torch.Generator,
) -> None:
    """The steps of a model that hears speech in blocks: the encoder is the Whisper's, the rest differs."""
    heard = folders.tensors(work, "asr")
    encoder = {name: tensor for name, tensor in heard.items() if name.startswith("encoder.")}
    head = _random(nn.Linear(SIZES.state, len(LETTERS) + 1), "ctc_head.", generator)
    dims = {"mels": SIZES.mels, "positions": SIZES.positions, "state": SIZES.state}
    dims |= {"heads": SIZES.heads, "layers": SIZES.layers}
    folders.save(work / "streaming-encoder", encoder | head, dims | {"letters": LETTERS}, {})
    other = {name: tensor.roll(1, 0) for name, tensor in listening.items()}
    told = {"speech_encoder_context": "streaming", "speech_encoder": "models/of/the/teacher.pt", "dtype": "float32"}
    folders.save(work / "streaming-listening", other, sizes | told, {})
    _save(work, "streaming-speaking", decoder, speaking, generator)


def _asr(work: Path, seed: int) -> None:
    """The Whisper of `tiny_whisper`, whose rare words share one vector."""
    published = tiny_whisper.tensors(seed)
    words = tiny_whisper.vocabulary()
    marks = (
        whisper_tokens.START,
        "<|en|>",
        whisper_tokens.TRANSCRIBE,
        whisper_tokens.NO_TIMESTAMPS,
        whisper_tokens.END,
    )
    ids = sorted({*tiny_whisper.word_ids(words), *(whisper_tokens.place(words, mark) for mark in marks)})
    state = {openai_name(name): tensor for name, tensor in published.items()}
    state["encoder.conv2.weight"] *= LOUD
    embedding = state.pop("decoder.token_embedding.weight")
    state |= {
        "decoder.token_embedding.rows": embedding[ids],
        "decoder.token_embedding.ids": torch.tensor(ids),
        "decoder.token_embedding.other": torch.zeros(SIZES.state),
        "encoder.positional_embedding": sinusoids(SIZES.positions, SIZES.state),
    }
    folders.save(work / "asr", state, asdict(SIZES), {})


def _vocoder(work: Path, generator: torch.Generator) -> None:
    config = {
        "resblock": "1",
        "upsample_rates": [5, 4, 4, 2, 2],
        "upsample_kernel_sizes": [11, 8, 8, 4, 4],
        "upsample_initial_channel": 32,
        "resblock_kernel_sizes": [3],
        "resblock_dilation_sizes": [[1, 3, 5]],
        "num_embeddings": UNITS,
        "embedding_dim": 8,
        "model_in_dim": 8,
        "code_hop_size": 320,
        "f0": False,
        "sampling_rate": 16_000,
        "dur_predictor_params": {"encoder_embed_dim": 8, "var_pred_hidden_dim": 8, "var_pred_kernel_size": 3},
    }
    sizes = VocoderConfig(UNITS, 8, 8, 3, 32, (5, 4, 4, 2, 2), (11, 8, 8, 4, 4), (3,), ((1, 3, 5),))
    _save(work, "vocoder", Vocoder(sizes), config, generator)


def _llama_json(config: LlamaConfig) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "intermediate_size": config.intermediate,
        "vocab_size": config.vocab,
        "max_position_embeddings": 2048,
        "rms_norm_eps": config.rms_eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": config.tied,
        "bos_token_id": SPECIAL_TOKENS.index(BEGIN),
        "eos_token_id": SPECIAL_TOKENS.index(END_OF_TURN),
    }


def _save(work: Path, step: str, module: nn.Module, config: dict[str, Any], generator: torch.Generator) -> None:
    folders.save(work / step, _random(module, "", generator), config, {})


def _random(module: nn.Module, prefix: str, generator: torch.Generator) -> dict[str, Tensor]:
    dummy_llama.randomise(module, generator)
    return {prefix + name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

"""Tiny voices in Coqui's published layouts, made of random values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE

from firstpacket.pipelines.cascade.tts.coqui.stand_ins import importable

with importable():
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.vits import Vits
    from TTS.tts.models.xtts import Xtts
    from TTS.vocoder.models.hifigan_generator import HifiganGenerator  # noqa: F401 (for tests)

LETTERS = "abcdefghijklmnopqrstuvwxyz,.?!' "


def tiny_vits(folder: Path, speakers: tuple[str, ...] = (), trims: bool = False, seed: int = 1) -> Path:
    """A VITS of 0.4 M values: config.json and model_file.pth."""
    config = VitsConfig()
    sizes: dict[str, Any] = {
        "hidden_channels": 32,
        "hidden_channels_ffn_text_encoder": 32,
        "num_layers_text_encoder": 1,
        "num_layers_flow": 1,
        "num_layers_posterior_encoder": 1,
        "upsample_initial_channel_decoder": 32,
        "init_discriminator": False,
    }
    for field, value in sizes.items():
        setattr(config.model_args, field, value)
    config.audio.do_trim_silence = trims
    if speakers:
        config.model_args.use_speaker_embedding = config.use_speaker_embedding = True
        config.speakers = list(speakers)
    torch.manual_seed(seed)
    model = Vits(config)
    louder(model.waveform_decoder)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_json(folder / "config.json")
    torch.save({"model": model.state_dict(), "config": config.to_dict(), "step": 0}, folder / "model_file.pth")
    return folder


def tiny_xtts(folder: Path, speakers: tuple[str, ...] = ("Ana",), seed: int = 2, objects: bool = False) -> Path:
    """An XTTS with a tiny language model: config.json, model.pth, vocab.json and speakers_xtts.pth.

    `objects` keeps the configuration in model.pth as an object of Coqui's, as the published file does.
    """
    config = XttsConfig()
    sizes: dict[str, Any] = {
        "gpt_layers": 1,
        "gpt_n_model_channels": 64,
        "gpt_n_heads": 2,
        "gpt_num_audio_tokens": 34,
        "gpt_start_audio_token": 32,
        "gpt_stop_audio_token": 33,
        "gpt_max_audio_tokens": 26,
        "gpt_max_text_tokens": 120,
        "decoder_input_dim": 64,
        "d_vector_dim": 16,
    }
    for field, value in sizes.items():
        setattr(config.model_args, field, value)
    folder.mkdir(parents=True, exist_ok=True)
    _vocabulary().save(str(folder / "vocab.json"))
    torch.manual_seed(seed)
    model = Xtts(config)
    model.tokenizer = type(model.tokenizer)(vocab_file=str(folder / "vocab.json"))
    model.init_models()
    louder(model.hifigan_decoder.waveform_decoder)
    model.gpt.mel_head.bias.data[config.model_args.gpt_stop_audio_token] = -1e9
    config.save_json(folder / "config.json")
    torch.save({"model": model.state_dict(), "config": config if objects else config.to_dict()}, folder / "model.pth")
    voices = {
        name: {"gpt_cond_latent": torch.randn(1, 32, 64), "speaker_embedding": torch.randn(1, 16, 1)}
        for name in speakers
    }
    torch.save(voices, folder / "speakers_xtts.pth")
    return folder


def louder(generator: Any) -> None:
    """Random vocoders whisper; scaled weights make differences show."""
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.mul_(1.5)


def _vocabulary() -> Tokenizer:
    """Letters as tokens, and the marks that XTTS writes into a text."""
    marks = ["[STOP]", "[UNK]", "[SPACE]", "[START]", "[en]", "[de]"]
    words = {word: number for number, word in enumerate([*marks, *LETTERS])}
    tokenizer = Tokenizer(BPE(words, [], unk_token="[UNK]"))
    tokenizer.add_special_tokens(marks)
    return tokenizer

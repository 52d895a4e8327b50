"""A VITS of seeded random values, kept in Coqui's own layout and read by the ordinary loader.

Random weights would give each phrase another length and a sound that nobody hears. So two things are fixed, in the
checkpoint's own weights and in no other: the duration predictor's last layer outweighs what comes before it, so that
every character and every blank lasts three frames, and the vocoder's last layer is scaled to -20 dBFS without offset.
The arithmetic stays whole.
"""

from __future__ import annotations

import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from firstpacket.bench.pipeline import OptionValue
from firstpacket.pipelines.cascade.tts.coqui.folder import CoquiCheckpoint
from firstpacket.pipelines.cascade.tts.coqui.stand_ins import importable
from firstpacket.pipelines.models.cache import cached

FRAMES = 3
"""Frames of 256 samples for each character and each blank next to it: 14 characters a second."""
LEVEL_DBFS = -20.0
LAYOUT = 1
"""Counts changes of what is built, so that older files are not taken for it."""

FACTS: dict[str, OptionValue] = {
    "tts_work": f"{FRAMES} frames for each character and blank, {LEVEL_DBFS:.0f} dBFS, by the dummy's own weights",
    "tts_text": "characters, without a phonemizer",
}

_SMALL: dict[str, Any] = {
    "hidden_channels": 64,
    "hidden_channels_ffn_text_encoder": 128,
    "num_layers_text_encoder": 2,
    "num_layers_flow": 2,
    "num_layers_posterior_encoder": 2,
    "upsample_initial_channel_decoder": 64,
    "init_discriminator": False,
}
SIZES: dict[str, dict[str, Any]] = {"small": _SMALL, "published": {}}
"""What differs from the sizes of the published models, which are Coqui's defaults."""

_CALIBRATION = "The quick brown fox jumps over the lazy dog."
_OUTWEIGHING = 12.0


def found(size: str, seed: int) -> CoquiCheckpoint:
    """The dummy of a size; it is made at first and then found in the cache."""
    name = f"coqui-{version('coqui-tts')}-vits-{size}-seed{seed}-{LAYOUT}"
    folder = cached(name, lambda at: _build(at, size, seed))
    return CoquiCheckpoint(
        "vits", folder, folder / "config.json", folder / "model_file.pth", f"seed {seed}, size {size}"
    )


def _build(folder: Path, size: str, seed: int) -> None:
    with importable():
        from TTS.tts.configs.vits_config import VitsConfig
        from TTS.tts.models.vits import Vits
    config = VitsConfig()
    config.audio.do_trim_silence = False
    for field, value in SIZES[size].items():
        setattr(config.model_args, field, value)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        model = Vits(config).eval()
        _fix_durations(model.duration_predictor)
        _fix_level(model)
    torch.save({"model": model.state_dict(), "config": config.to_dict(), "step": 0}, folder / "model_file.pth")
    config.save_json(folder / "config.json")


def _fix_durations(predictor: Any) -> None:
    """Let the last flow, `(x - translation) / exp(log_scale)`, give the logarithm of just under `FRAMES`."""
    last = predictor.flows[0]
    last.log_scale.fill_(_OUTWEIGHING)
    last.translation.fill_(-math.log(FRAMES - 0.5) * math.exp(_OUTWEIGHING))


def _fix_level(model: Any) -> None:
    """Take the offset from the vocoder's last layer and scale it, by what it gives for one sentence."""
    last = model.waveform_decoder.conv_post
    heard: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda _, inputs, output: heard.extend((inputs[0], output)))
    model.inference(torch.tensor([model.tokenizer.text_to_ids(_CALIBRATION)]))
    hook.remove()
    means = heard[0].mean(dim=(0, 2))[None, :, None].expand_as(last.weight)
    without = last.weight - means * ((last.weight * means).sum() / means.square().sum())
    sound = torch.nn.functional.conv1d(heard[0], without, padding=last.padding[0])
    last.weight.copy_(without * (10 ** (LEVEL_DBFS / 20) / sound.std()))

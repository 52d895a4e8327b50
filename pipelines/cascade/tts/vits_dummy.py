"""A VITS of seeded random values in transformers' own layout, read by the ordinary loader.

As random weights would give each phrase another length and a sound that nobody hears, two things are fixed, in the
checkpoint's own weights: the duration predictor's last layer outweighs what comes before it, so that every character
and every blank lasts three frames, and the vocoder's last layer is scaled to -20 dBFS. The arithmetic stays whole.
"""

from __future__ import annotations

import json
import math
import string
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import VitsConfig, VitsModel, VitsTokenizer

from firstpacket.bench.pipeline import OptionValue
from firstpacket.pipelines.models.cache import cached

FRAMES = 3
"""Frames of 256 samples for each character and each blank next to it."""
LEVEL_DBFS = -20.0
FACTS: dict[str, OptionValue] = {
    "tts_work": f"{FRAMES} frames for each character and blank, {LEVEL_DBFS:.0f} dBFS, by the dummy's own weights",
    "tts_text": "characters, without a phonemizer",
}
LAYOUT = 1
"""Counts changes of what is built, so that older files are not taken for it."""

SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "ffn_dim": 128,
    "flow_size": 64,
    "spectrogram_bins": 65,
    "prior_encoder_num_flows": 2,
    "posterior_encoder_num_wavenet_layers": 2,
    "upsample_initial_channel": 64,
}
SIZES: dict[str, dict[str, Any]] = {"small": SMALL, "published": {}}
"""What differs from transformers' defaults, which are the published sizes of MMS."""

_SIGNS = string.ascii_lowercase + string.digits + "' -"
_CALIBRATION = "the quick brown fox jumps over the lazy dog"
_OUTWEIGHING = 12.0


def folder(size: str, seed: int) -> Path:
    """The dummy of a size; it is made at first and then found in the cache."""
    name = f"transformers-{transformers.__version__}-vits-{size}-seed{seed}-{LAYOUT}"
    return cached(name, lambda at: _build(at, size, seed))


def _build(at: Path, size: str, seed: int) -> None:
    vocabulary = {"_": 0} | {sign: place for place, sign in enumerate(_SIGNS, start=1)} | {"<unk>": len(_SIGNS) + 1}
    (at / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = VitsTokenizer(str(at / "vocab.json"), pad_token="_", phonemize=False)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        model = VitsModel(VitsConfig(**SIZES[size], vocab_size=len(vocabulary))).eval()
        _fix_durations(model.duration_predictor)
        _fix_level(model, torch.tensor([tokenizer(_CALIBRATION).input_ids]))
    model.save_pretrained(at)
    tokenizer.save_pretrained(at)


def _fix_durations(predictor: Any) -> None:
    """Let the last flow, `(x - translate) / exp(log_scale)`, give the logarithm of just under `FRAMES`."""
    last = predictor.flows[0]
    last.log_scale.fill_(_OUTWEIGHING)
    last.translate.fill_(-math.log(FRAMES - 0.5) * math.exp(_OUTWEIGHING))


def _fix_level(model: Any, ids: torch.Tensor) -> None:
    """Take the offset from the vocoder's last layer and scale it, by what it gives for one sentence."""
    heard: list[torch.Tensor] = []
    hook = model.decoder.conv_post.register_forward_hook(lambda _, inputs, output: heard.append(inputs[0]))
    model(ids)
    hook.remove()
    make_audible(model.decoder.conv_post, heard[0], LEVEL_DBFS)


def make_audible(last: nn.Conv1d, heard: torch.Tensor, level_dbfs: float) -> None:
    """Scale a vocoder's last layer so that what it makes of `heard` `(1, channels, n)` has this RMS, and no offset."""
    means = heard.mean(dim=(0, 2))[None, :, None].expand_as(last.weight)
    without = last.weight - means * ((last.weight * means).sum() / means.square().sum())
    sound = nn.functional.conv1d(heard, without, padding=last.padding[0])
    last.weight.copy_(without * (10 ** (level_dbfs / 20) / sound.std()))

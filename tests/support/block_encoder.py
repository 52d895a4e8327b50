"""The streaming encoder as it is defined, over whole utterances: written out, with a mask in the place of caches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.direct.llama_omni.features import mel_filters
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni


def defined_mel(speech: Samples, mels: int = 80) -> Tensor:
    """The causal features as they are defined, frame by frame in double precision."""
    padded = np.concatenate((speech, np.zeros(-len(speech) % 1600)))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    past = np.concatenate((np.zeros(240), padded))
    frames = np.stack([past[160 * t : 160 * t + 400] * window for t in range(len(padded) // 160)])
    power = np.abs(np.fft.rfft(frames)) ** 2
    logs = np.log10(np.maximum(mel_filters(mels).astype(np.float64) @ power.T, 1e-10))
    return torch.from_numpy((np.maximum(logs, 1.5 - 8) + 4) / 4).float()


@torch.inference_mode()
def defined_embeddings(model: LlamaOmni, mel: Tensor, block: int | None) -> Tensor:
    """The adaptor's output for whole features, with a mask in the place of the cache."""
    encoder, length = model.encoder, mel.shape[1]
    size = block // 160 if block else length
    starts = [*range(0, length, size), length]
    x = torch.cat([_defined_convolutions(model, mel, start, end) for start, end in pairwise(starts)])
    x = x + encoder.positional_embedding[: len(x)]
    number = torch.arange(len(x)) // (size // 2)
    seen = number[None, :] <= number[:, None]
    for layer in encoder.blocks:
        normed, attn = layer.attn_ln(x), layer.attn
        split = (part(normed).unflatten(1, (attn.heads, -1)) for part in (attn.query, attn.key, attn.value))
        queries, keys, values = (part.transpose(0, 1) for part in split)
        scores = queries @ keys.transpose(1, 2) / queries.shape[-1] ** 0.5
        mixed = scores.masked_fill(~seen, -torch.inf).softmax(dim=-1) @ values
        x = x + attn.out(mixed.transpose(0, 1).flatten(1))
        x = x + layer.mlp(layer.mlp_ln(x))
    out: Tensor = model.adaptor(encoder.ln_post(x)[None])
    return out


def _defined_convolutions(model: LlamaOmni, mel: Tensor, start: int, end: int) -> Tensor:
    """Of mel frames [start, end): two frames of the past are seen, and a zero after the last."""
    first, second = model.encoder.conv1, model.encoder.conv2
    heard = functional.pad(mel[:, max(0, start - 2) : end], (0 if start else 1, 1))
    once = functional.gelu(functional.conv1d(heard, first.weight, first.bias))
    once = once if start else functional.pad(once, (1, 0))
    return functional.gelu(functional.conv1d(once, second.weight, second.bias, stride=2)).T

"""The memory that a model of given sizes takes."""

from __future__ import annotations

import torch

from firstpacket.pipelines.direct.llama_omni.config import OmniConfig
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni, parameters
from firstpacket.pipelines.models.room import Room
from firstpacket.pipelines.models.tensors import Uninitialised


def room_of(config: OmniConfig, device: torch.device, dtype: torch.dtype, text: int, new: int, options: str) -> Room:
    """Of a model with a prompt of `text` text tokens and replies of up to `new`; no weights are allocated."""
    with Uninitialised():
        model = LlamaOmni.without_weights(config, torch.device("cpu"), dtype)
    speech = config.encoder.positions // config.adaptor.joined
    positions = min(text + speech, config.longest_prompt) + new
    return Room(
        weights=sum(parameters(part) * kind.itemsize for part, kind in model.parts().values()),
        caches=positions * model.text_cache(1).nbytes + new * model.speech_cache(1).nbytes,
        device=device,
        options=options,
    )

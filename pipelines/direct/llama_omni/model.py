"""The parts of the model, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import nn

from firstpacket.bench.pipeline import Origin, Weights
from firstpacket.pipelines.direct.llama_omni.adaptor import SpeechAdaptor
from firstpacket.pipelines.direct.llama_omni.config import OmniConfig
from firstpacket.pipelines.direct.llama_omni.encoder import SpeechEncoder
from firstpacket.pipelines.direct.llama_omni.features import LogMel
from firstpacket.pipelines.direct.llama_omni.speech_decoder import SpeechDecoder
from firstpacket.pipelines.direct.llama_omni.vocoder import Vocoder
from firstpacket.pipelines.models.kv_cache import KVCache
from firstpacket.pipelines.models.llama import Llama

FAMILIES = {"llm": "Llama"}
"""Model family of a part whose name does not say it."""


@dataclass(frozen=True, slots=True)
class LlamaOmni:
    """All parts on one device. The vocoder is float32 whatever `dtype` is, as in the published demo."""

    config: OmniConfig
    device: torch.device
    dtype: torch.dtype
    features: LogMel
    encoder: SpeechEncoder
    adaptor: SpeechAdaptor
    llm: Llama
    speech_decoder: SpeechDecoder
    vocoder: Vocoder

    @classmethod
    def without_weights(cls, config: OmniConfig, device: torch.device, dtype: torch.dtype) -> LlamaOmni:
        """The parts with shapes but no storage (on torch's `meta` device), to be filled by a loader."""
        features = LogMel(config.encoder.mels, 2 * config.encoder.positions, device)
        with torch.device("meta"):
            model = cls(
                config=config,
                device=device,
                dtype=dtype,
                features=features,
                encoder=SpeechEncoder(config.encoder),
                adaptor=SpeechAdaptor(config.adaptor),
                llm=Llama(config.llm),
                speech_decoder=SpeechDecoder(config.speech_decoder),
                vocoder=Vocoder(config.vocoder),
            )
        for part, _ in model.parts().values():
            part.eval().requires_grad_(False)
        return model

    def parts(self) -> dict[str, tuple[nn.Module, torch.dtype]]:
        """Every part that has weights, by the name reports give it, with the precision it runs in."""
        return {
            "speech encoder": (self.encoder, self.dtype),
            "adaptor": (self.adaptor, self.dtype),
            "llm": (self.llm, self.dtype),
            "speech decoder": (self.speech_decoder, self.dtype),
            "vocoder": (self.vocoder, torch.float32),
        }

    def text_cache(self, length: int) -> KVCache:
        """A cache for the LLM."""
        return KVCache(self.config.llm, length, self.device, self.dtype)

    def speech_cache(self, tokens: int) -> KVCache:
        """A cache for the speech decoder, long enough for so many text tokens."""
        frames = tokens * self.config.speech_decoder.frames_per_token
        return KVCache(self.config.speech_decoder.layers, frames, self.device, self.dtype)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model with weights, and where they came from."""

    model: LlamaOmni
    weights: tuple[Weights, ...]
    unused: tuple[str, ...] = ()
    """Tensors in the files that the model does not use."""
    notices: tuple[str, ...] = ()
    """Notes about these weights for readers of the results."""


def weights(
    model: LlamaOmni, origin: Origin, source: str, sources: Mapping[str, str] = MappingProxyType({})
) -> tuple[Weights, ...]:
    """Those of every part; `sources` are of parts that came from elsewhere."""
    return tuple(
        Weights(name, origin, sources.get(name, source), FAMILIES.get(name, ""), parameters(part))
        for name, (part, _) in model.parts().items()
    )


def parameters(module: nn.Module) -> int:
    """Number of weights of a part."""
    return sum(parameter.numel() for parameter in module.parameters())

"""The streaming speech decoder: from LLM states to CTC labels (paper, section 2.4)."""

from __future__ import annotations

from torch import Tensor, nn

from pipelines.direct.llama_omni.config import SpeechDecoderConfig
from pipelines.models.kv_cache import KVCache
from pipelines.models.llama import Layers


class SpeechDecoder(nn.Module):
    """Copies each LLM state λ times and runs Llama layers over the copies; there is no final norm.

    The mask is causal and states never change, so a key/value cache gives what running over all frames again would.
    """

    def __init__(self, config: SpeechDecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.input_proj = nn.Linear(config.state, config.layers.hidden)
        self.layers = Layers(config.layers)
        self.output_proj = nn.Linear(config.layers.hidden, config.units + 1)

    def forward(self, states: Tensor, cache: KVCache) -> Tensor:
        """The next text tokens' states `(m, state)` to CTC logits `(λ · m, units + 1)`; the last class is the blank."""
        # Copies of a state have one projection: it is made once, before copying.
        frames = self.input_proj(states).repeat_interleave(self.config.frames_per_token, dim=0)
        out: Tensor = self.output_proj(self.layers(frames, cache))
        return out

"""The streaming speech decoder: from LLM states to CTC labels (paper, section 2.4)."""

from __future__ import annotations

from torch import Tensor, nn

from firstpacket.pipelines.direct.llama_omni.config import SpeechDecoderConfig
from firstpacket.pipelines.models.kv_cache import KVCache, Window
from firstpacket.pipelines.models.llama import Layers


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
        out: Tensor = self.output_proj(self.layers(self._frames(states), cache))
        return out

    def step(self, states: Tensor, cache: KVCache, window: Window) -> tuple[Tensor]:
        """The same at the positions of `window`."""
        return (self.output_proj(self.layers.run(self._frames(states), cache, window)),)

    def _frames(self, states: Tensor) -> Tensor:
        """`(m, state)` to `(λ · m, hidden)`. Copies of a state have one projection: it is made before copying."""
        projected: Tensor = self.input_proj(states)
        copies = projected[:, None].expand(-1, self.config.frames_per_token, -1)
        return copies.reshape(-1, projected.shape[-1])

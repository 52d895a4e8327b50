"""The adaptor from speech frames to LLM embeddings (paper, section 2.2)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.config import AdaptorConfig


class SpeechAdaptor(nn.Module):
    """Joins k frames into one, then Linear, ReLU, Linear."""

    def __init__(self, config: AdaptorConfig) -> None:
        super().__init__()
        self.joined = config.joined
        self.linear1 = nn.Linear(config.state * config.joined, config.inner)
        self.linear2 = nn.Linear(config.inner, config.hidden)

    def forward(self, frames: Tensor) -> Tensor:
        """`(1, frames, state)` to `(frames // k, hidden)`; frames that do not fill a last group are dropped."""
        whole = frames.shape[1] - frames.shape[1] % self.joined
        grouped = frames[0, :whole].reshape(whole // self.joined, -1)
        out: Tensor = self.linear2(functional.relu(self.linear1(grouped)))
        return out

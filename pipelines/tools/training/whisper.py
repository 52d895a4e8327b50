"""A Whisper that can be trained, by openai's tensor names (Radford et al. 2022).

The published encoder always hears 30 s. Short speech is followed by silence, of which all positions are alike but for
their place, so here a few of them, drawn anew for every batch, stand for all: each key of theirs weighs as much in
attention as those that it stands for. With all of them drawn this is the published computation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.encoder import SelfAttention
from firstpacket.pipelines.models.whisper_embedding import sinusoids
from firstpacket.pipelines.models.whisper_sizes import TEXT_POSITIONS, WhisperSizes


@dataclass(frozen=True, slots=True)
class Silence:
    """Positions after the speech that stand for all of them: `(s,)` int64, and the log of each one's weight."""

    positions: Tensor
    log_weight: float

    @classmethod
    def drawn(cls, speech: int, positions: int, count: int, random: np.random.Generator) -> Silence:
        """`count` of the positions from `speech` on; all of them if there are no more."""
        every = positions - speech
        count = min(count, every)
        chosen = np.sort(random.choice(every, count, replace=False)) + speech
        return cls(torch.from_numpy(chosen), math.log(every / count) if count else 0.0)

    def bias(self, speech: int) -> Tensor:
        """What is added to attention's scores, `(speech + s,)`."""
        return torch.cat((torch.zeros(speech), torch.full((len(self.positions),), self.log_weight)))


class Attention(SelfAttention):
    """Attention to itself or to `source`, for whole batches and with what a backward pass needs."""

    def forward(self, x: Tensor, source: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """`(b, n, state)` to the same; `bias` is added to the scores `(b, heads, n, keys)`.

        Written out: on CPUs the fused kernel's backward pass takes twice as long.
        """
        source = x if source is None else source
        queries, keys, values = (
            self._split(self.query(x)),
            self._split(self.key(source)),
            self._split(self.value(source)),
        )
        scores = queries * (queries.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
        if bias is not None:
            scores = scores + bias.to(scores.dtype)
        mixed = scores.softmax(-1) @ values
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


def look_nearby(attention: Attention, strength: float = 0.7, noise: float = 0.3) -> None:
    """Begin with queries and keys that are alike, so that places attend to their like and, by their sinusoids, nearby.

    Mimetic initialisation (Trockman and Kolter 2023, arXiv 2305.09828): what trained attention looks like. Small
    corpora do not teach it from random values.
    """
    state = attention.query.in_features
    for part in (attention.query, attention.key):
        part.weight.data.mul_(noise).add_(strength * torch.eye(state))


class Block(nn.Module):
    """One pre-norm block; those of the decoder also attend to the encoder's output."""

    def __init__(self, state: int, heads: int, crossing: bool) -> None:
        super().__init__()
        self.attn = Attention(state, heads)
        self.attn_ln = nn.LayerNorm(state)
        self.cross_attn = Attention(state, heads) if crossing else None
        self.cross_attn_ln = nn.LayerNorm(state) if crossing else None
        self.mlp = nn.Sequential(nn.Linear(state, 4 * state), nn.GELU(), nn.Linear(4 * state, state))
        self.mlp_ln = nn.LayerNorm(state)

    def forward(
        self, x: Tensor, bias: Tensor | None, heard: Tensor | None = None, quiet: Tensor | None = None
    ) -> Tensor:
        """`(b, n, state)` to the same; `heard` `(b, m, state)` comes from the encoder, with `quiet` as its bias."""
        x = x + self.attn(self.attn_ln(x), bias=bias)
        if self.cross_attn is not None and self.cross_attn_ln is not None:
            x = x + self.cross_attn(self.cross_attn_ln(x), heard, quiet)
        out: Tensor = x + self.mlp(self.mlp_ln(x))
        return out


class Encoder(nn.Module):
    """Two convolutions, the second halving the frame rate, sinusoids (fixed), blocks, a last norm."""

    def __init__(self, sizes: WhisperSizes) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(sizes.mels, sizes.state, 3, padding=1)
        self.conv2 = nn.Conv1d(sizes.state, sizes.state, 3, stride=2, padding=1)
        for convolution in (self.conv1, self.conv2):
            # As loud as the positions that are added; torch's own values would leave a tenth of that to be heard.
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        self.positional_embedding = nn.Parameter(sinusoids(sizes.positions, sizes.state), requires_grad=False)
        blocks = [Block(sizes.state, sizes.heads, crossing=False) for _ in range(sizes.layers)]
        for block in blocks:
            look_nearby(block.attn)
        self.blocks = nn.ModuleList(blocks)
        self.ln_post = nn.LayerNorm(sizes.state)

    def forward(self, mel: Tensor, silence: Silence | None = None) -> Tensor:
        """Features `(b, mels, 2 · n)` to `(b, n, state)`.

        With `silence`, the last four features are silence and the rest are those of `n - 2` positions; what comes out
        is `(b, n - 2 + s, state)`.
        """
        x = functional.gelu(self.conv1(mel))
        x = functional.gelu(self.conv2(x)).transpose(1, 2)
        if silence is None:
            x = x + self.positional_embedding[: x.shape[1]]
            bias = None
        else:
            speech = x.shape[1] - 2
            quiet = x[:, speech : speech + 1] + self.positional_embedding[silence.positions]
            x = torch.cat((x[:, :speech] + self.positional_embedding[:speech], quiet), dim=1)
            bias = silence.bias(speech)
        for block in self.blocks:
            x = block(x, bias)
        out: Tensor = self.ln_post(x)
        return out


class Words(nn.Module):
    """The vocabulary's embedding: rows of the words in use, and one row that all other words share."""

    def __init__(self, ids: Tensor, vocab: int, state: int) -> None:
        super().__init__()
        self.vocab = vocab
        self.register_buffer("ids", ids)
        self.rows = nn.Parameter(torch.randn(len(ids), state) * 0.02)
        self.other = nn.Parameter(torch.zeros(state))

    def forward(self, places: Tensor) -> Tensor:
        """Places among `ids`, int64, to embeddings."""
        return self.rows[places]

    def logits(self, x: Tensor) -> Tensor:
        """`(..., state)` to `(..., len(ids) + 1)`: last, all other words together."""
        others = self.vocab - len(self.rows)
        bias = torch.zeros(len(self.rows) + 1)
        bias[-1] = math.log(others) if others else -math.inf
        return functional.linear(x, torch.cat((self.rows, self.other[None]))).float() + bias.to(x.device)


class Decoder(nn.Module):
    """Writes what was heard."""

    def __init__(self, sizes: WhisperSizes, ids: Tensor) -> None:
        super().__init__()
        self.token_embedding = Words(ids, sizes.vocab, sizes.state)
        self.positional_embedding = nn.Parameter(torch.randn(TEXT_POSITIONS, sizes.state) * 0.01)
        self.blocks = nn.ModuleList(Block(sizes.state, sizes.heads, crossing=True) for _ in range(sizes.decoder_layers))
        self.ln = nn.LayerNorm(sizes.state)

    def forward(self, places: Tensor, heard: Tensor, quiet: Tensor | None) -> Tensor:
        """Words so far `(b, n)`, as places among the words in use, to logits `(b, n, words + 1)` of the next ones."""
        count = places.shape[1]
        x = self.token_embedding(places) + self.positional_embedding[:count]
        causal = torch.full((count, count), -math.inf, device=x.device).triu(1)
        for block in self.blocks:
            x = block(x, causal, heard, quiet)
        return self.token_embedding.logits(self.ln(x))


class TrainableWhisper(nn.Module):
    """Encoder and decoder; and, in training alone, letters read off the encoder's frames (CTC, Graves 2006)."""

    def __init__(self, sizes: WhisperSizes, ids: Tensor, letters: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.encoder = Encoder(sizes)
        self.decoder = Decoder(sizes, ids)
        self.letters = nn.Linear(sizes.state, letters + 1)
        """The last class is the blank."""

    def forward(self, mel: Tensor, silence: Silence | None, places: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the next words `(b, n, words + 1)`, and of the letters `(b, frames, letters + 1)`, float32."""
        heard = self.encoder(mel, silence)
        quiet = None if silence is None else silence.bias(heard.shape[1] - len(silence.positions))
        return self.decoder(places, heard, quiet), self.letters(heard).float()

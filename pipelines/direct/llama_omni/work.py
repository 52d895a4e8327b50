"""The least work of the first packet, counted from the model's dimensions.

Bytes are weights read once per use plus caches; activations stay in fast memory in the best case and are not counted.
Operations count a multiply-add as two. Counted per stage as docs/accuracy.md defines them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from firstpacket.bench.pipeline import SAMPLE_RATE, Work
from firstpacket.pipelines.direct.llama_omni.config import HOP, EncoderContext, OmniConfig, VocoderConfig
from firstpacket.pipelines.models.llama_config import LlamaConfig

UNITS_PER_TOKEN = 7
FRAMES_PER_UNIT = 1.7
"""What dummy weights give on average; real replies have about 11 units per token."""

MEL_FRAME_OPERATIONS = 10_000
"""A real transform of 400 points (5/2 N log2 N), and its filters, of which nearly all weights are zero."""


@dataclass(frozen=True, slots=True)
class Listening:
    """How a model takes speech in: its encoder's context, samples per block if there are blocks, and its prompt."""

    context: EncoderContext
    block: int | None
    head: int
    """Text positions before the speech, taken in when the model is loaded."""
    text: int
    """All text positions of the prompt."""


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left to take in once the user has finished: frames of the encoder, and positions of the LLM."""

    mels: int
    """Mel frames of speech; those of silence are the same in every turn."""
    frames: int
    frames_before: int
    """Encoded while the user spoke: these are attended to, from kept keys and values."""
    positions: int
    positions_before: int
    """The same for the LLM, with the text before the speech."""

    @classmethod
    def of(cls, config: OmniConfig, listening: Listening, speech_s: float) -> Remaining:
        """After so many seconds of speech, padded to whole embeddings.

        With blocks the last one is left, of the length r = D - B (⌈D / B⌉ - 1) for D of speech in blocks of B.
        """
        joined, most = config.adaptor.joined, config.encoder.positions // config.adaptor.joined
        # In whole samples: 3 s is 30 embeddings of 100 ms, whatever floats say.
        samples, step = round(speech_s * SAMPLE_RATE), 2 * HOP * joined
        spoken = min(most, max(1, math.ceil(samples / step)))
        heard = most if listening.context == "full" else spoken
        left = heard if listening.block is None else (heard - 1) % (listening.block // step) + 1
        tail = listening.text - listening.head
        mels = 2 * joined * min(left, spoken)
        return cls(mels, left * joined, (heard - left) * joined, left + tail, listening.head + heard - left)


def first_packet_work(config: OmniConfig, left: Remaining, chunk_units: int, value_bytes: int) -> tuple[Work, ...]:
    """Work by stage for a first chunk of `chunk_units`; the vocoder computes in float32 whatever the rest does."""
    tokens = math.ceil(chunk_units / UNITS_PER_TOKEN)
    frames = round(chunk_units * FRAMES_PER_UNIT)
    llm, decoder = config.llm, config.speech_decoder
    state, seen = config.encoder.state, left.frames + left.frames_before
    encoder_weights = config.encoder.layers * 12 * state**2 + 3 * state * (config.encoder.mels + state)
    attention = config.encoder.layers * 4 * left.frames * seen * state
    kept_frames = 2 * config.encoder.layers * left.frames_before * state * value_bytes
    speech = left.frames // config.adaptor.joined
    adaptor_weights = (config.adaptor.joined * config.adaptor.state + config.adaptor.hidden) * config.adaptor.inner
    body, head = _body_weights(llm), llm.hidden * llm.vocab
    prefill_attention = llm.layers * 2 * left.positions * (left.positions + 2 * left.positions_before) * _width(llm)
    kept_positions = 2 * llm.layers * left.positions_before * llm.kv_heads * llm.head_dim * value_bytes
    decoder_weights = _body_weights(decoder.layers) + decoder.state * decoder.layers.hidden
    unit_head = decoder.layers.hidden * (decoder.units + 1)
    spoken = tokens * decoder.frames_per_token
    vocoder_weights, vocoder_operations = _vocoder(config.vocoder, frames)
    samples = frames * math.prod(config.vocoder.up_rates)
    return (
        Work("features", 4 * left.mels * HOP, left.mels * MEL_FRAME_OPERATIONS),
        Work("encoder", encoder_weights * value_bytes + kept_frames, 2 * encoder_weights * left.frames + attention),
        Work("adaptor", adaptor_weights * value_bytes, 2 * adaptor_weights * speech),
        Work(
            "llm.prefill",
            (body + head) * value_bytes + kept_positions,
            2 * (body * left.positions + head) + prefill_attention,
        ),
        Work("llm.decode", (tokens - 1) * (body + head) * value_bytes, (tokens - 1) * 2 * (body + head)),
        Work(
            "speech_decoder",
            tokens * (decoder_weights + unit_head) * value_bytes,
            2 * spoken * (decoder_weights + unit_head),
        ),
        Work("vocoder", vocoder_weights * 4, vocoder_operations),
        Work("copy", 2 * 4 * samples, 0),
    )


def _width(config: LlamaConfig) -> int:
    return config.heads * config.head_dim


def _body_weights(config: LlamaConfig) -> int:
    """Weights of the layers that every position passes."""
    width = _width(config)
    narrow = config.kv_heads * config.head_dim
    return config.layers * (config.hidden * (2 * width + 2 * narrow) + 3 * config.hidden * config.intermediate)


def _vocoder(config: VocoderConfig, frames: int) -> tuple[int, int]:
    """Weights, and operations for `frames` frames."""
    channels, length = config.channels, frames
    weights = config.embedding * channels[0] * 7
    operations = 2 * weights * length
    for wide, narrow, kernel, rate in zip(channels, channels[1:], config.up_kernels, config.up_rates, strict=False):
        up = wide * narrow * kernel
        operations += 2 * up * length
        length *= rate
        blocks = sum(2 * len(d) * narrow**2 * k for k, d in zip(config.res_kernels, config.res_dilations, strict=True))
        weights += up + blocks
        operations += 2 * blocks * length
    last = channels[-1] * 7
    return weights + last, operations + 2 * last * length

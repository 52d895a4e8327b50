"""The least work of the first packet, counted from the model's dimensions.

Bytes are weights read once per use plus caches; activations stay in fast memory in the best case and are not counted.
Operations count a multiply-add as two. Counted per stage as docs/accuracy.md defines them.
"""

from __future__ import annotations

import math

from firstpacket.bench.pipeline import Work
from firstpacket.pipelines.direct.llama_omni.config import OmniConfig, VocoderConfig
from firstpacket.pipelines.models.llama_config import LlamaConfig

UNITS_PER_TOKEN = 7
FRAMES_PER_UNIT = 1.7
"""What dummy weights give on average; real replies have about 11 units per token."""

MEL_FRAME_OPERATIONS = 50_000
"""A 400-point transform and its filters, generously; the features never decide."""


def first_packet_work(config: OmniConfig, prompt_tokens: int, chunk_units: int, value_bytes: int) -> tuple[Work, ...]:
    """Work by stage for a first chunk of `chunk_units`; the vocoder computes in float32 whatever the rest does."""
    tokens = math.ceil(chunk_units / UNITS_PER_TOKEN)
    frames = round(chunk_units * FRAMES_PER_UNIT)
    llm, decoder = config.llm, config.speech_decoder
    positions, state = config.encoder.positions, config.encoder.state
    encoder_weights = config.encoder.layers * 12 * state**2 + 3 * state * (config.encoder.mels + state)
    attention = config.encoder.layers * 4 * positions**2 * state
    speech = positions // config.adaptor.joined
    adaptor_weights = (config.adaptor.joined * config.adaptor.state + config.adaptor.hidden) * config.adaptor.inner
    body, head = _body_weights(llm), llm.hidden * llm.vocab
    prefill_attention = llm.layers * 2 * prompt_tokens**2 * llm.heads * llm.head_dim
    decoder_weights = _body_weights(decoder.layers) + decoder.state * decoder.layers.hidden
    unit_head = decoder.layers.hidden * (decoder.units + 1)
    spoken = tokens * decoder.frames_per_token
    vocoder_weights, vocoder_operations = _vocoder(config.vocoder, frames)
    samples = frames * math.prod(config.vocoder.up_rates)
    return (
        Work("features", 4 * 2 * positions * 160, 2 * positions * MEL_FRAME_OPERATIONS),
        Work("encoder", encoder_weights * value_bytes, 2 * encoder_weights * positions + attention),
        Work("adaptor", adaptor_weights * value_bytes, 2 * adaptor_weights * speech),
        Work("llm.prefill", (body + head) * value_bytes, 2 * (body * prompt_tokens + head) + prefill_attention),
        Work("llm.decode", (tokens - 1) * (body + head) * value_bytes, (tokens - 1) * 2 * (body + head)),
        Work(
            "speech_decoder",
            tokens * (decoder_weights + unit_head) * value_bytes,
            2 * spoken * (decoder_weights + unit_head),
        ),
        Work("vocoder", vocoder_weights * 4, vocoder_operations),
        Work("copy", 2 * 4 * samples, 0),
    )


def _body_weights(config: LlamaConfig) -> int:
    """Weights of the layers that every position passes."""
    width = config.heads * config.head_dim
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

"""Sizes of every part of the model, parsed from the files of a published checkpoint."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, replace
from typing import Literal, cast

from firstpacket.bench.errors import WeightsError
from firstpacket.bench.pipeline import SAMPLE_RATE
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.llama_config import LlamaConfig

EncoderContext = Literal["full", "trimmed", "streaming"]
"""What the encoder hears: 30 s, padded with silence; the speech alone; or the speech block by block, as it comes."""

N_FFT = 400
"""Samples in a window of the features."""

HOP = 160
"""Samples from one mel frame to the next: 10 ms."""

FRAME_S = 0.02
"""Seconds of speech in one frame of the encoder: two mel frames of 10 ms."""

SAMPLES_PER_FRAME = 320
"""Samples per frame of the vocoder at 16 kHz: units are 20 ms apart too."""


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Sizes of the speech encoder; it hears at most `2 · positions` mel frames of 10 ms."""

    mels: int
    positions: int
    state: int
    heads: int
    layers: int

    @property
    def seconds(self) -> float:
        """How much speech it hears: 30 s with the published 1500 positions."""
        return self.positions * FRAME_S

    @classmethod
    def from_dims(cls, dims: Fields) -> EncoderConfig:
        """Parse `dims` of an openai-whisper checkpoint. Raises `WeightsError`."""
        return cls(
            mels=dims.whole("n_mels"),
            positions=dims.whole("n_audio_ctx"),
            state=dims.whole("n_audio_state"),
            heads=dims.whole("n_audio_head"),
            layers=dims.whole("n_audio_layer"),
        )

    @classmethod
    def from_transformers(cls, fields: Fields) -> EncoderConfig:
        """Parse the config.json of a Whisper in transformers' layout. Raises `WeightsError`."""
        state = fields.whole("d_model")
        fields.only(model_type="whisper", activation_function="gelu", encoder_ffn_dim=4 * state)
        return cls(
            mels=fields.whole("num_mel_bins"),
            positions=fields.whole("max_source_positions"),
            state=state,
            heads=fields.whole("encoder_attention_heads"),
            layers=fields.whole("encoder_layers"),
        )


@dataclass(frozen=True, slots=True)
class AdaptorConfig:
    """Sizes of the adaptor: `joined` frames of `state` become one embedding of `hidden`."""

    joined: int
    state: int
    hidden: int
    inner: int


@dataclass(frozen=True, slots=True)
class SpeechDecoderConfig:
    """Sizes of the speech decoder; the CTC blank is class `units`."""

    state: int
    layers: LlamaConfig
    units: int
    frames_per_token: int


@dataclass(frozen=True, slots=True)
class VocoderConfig:
    """Sizes of the unit vocoder."""

    units: int
    embedding: int
    duration_inner: int
    duration_kernel: int
    first_channels: int
    up_rates: tuple[int, ...]
    up_kernels: tuple[int, ...]
    res_kernels: tuple[int, ...]
    res_dilations: tuple[tuple[int, ...], ...]

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels before the first and after each upsampling: every step halves them."""
        return tuple(self.first_channels >> step for step in range(len(self.up_rates) + 1))

    @classmethod
    def from_json(cls, fields: Fields) -> VocoderConfig:
        """Parse the vocoder's config.json. Raises `WeightsError` for missing fields and for other kinds of vocoder."""
        embedding = fields.whole("embedding_dim")
        fields.only(resblock="1", f0=False, multispkr=False, sampling_rate=SAMPLE_RATE, model_in_dim=embedding)
        fields.only(code_hop_size=SAMPLES_PER_FRAME)
        predictor = fields.inner("dur_predictor_params")
        predictor.only(encoder_embed_dim=embedding, var_pred_kernel_size=3)
        config = cls(
            units=fields.whole("num_embeddings"),
            embedding=embedding,
            duration_inner=predictor.whole("var_pred_hidden_dim"),
            duration_kernel=predictor.whole("var_pred_kernel_size"),
            first_channels=fields.whole("upsample_initial_channel"),
            up_rates=fields.wholes("upsample_rates"),
            up_kernels=fields.wholes("upsample_kernel_sizes"),
            res_kernels=fields.wholes("resblock_kernel_sizes"),
            res_dilations=fields.lists("resblock_dilation_sizes"),
        )
        if math.prod(config.up_rates) != SAMPLES_PER_FRAME:
            raise fields.unlike(
                "upsample_rates", list(config.up_rates), f"factors whose product is {SAMPLES_PER_FRAME}"
            )
        if len(config.up_kernels) != len(config.up_rates) or len(config.res_dilations) != len(config.res_kernels):
            raise WeightsError(
                f"{fields.where}: the lists upsample_kernel_sizes and upsample_rates, or resblock_dilation_sizes and "
                "resblock_kernel_sizes, differ in length. Download the file again."
            )
        return config


@dataclass(frozen=True, slots=True)
class OmniConfig:
    """Sizes of the whole model, and the ids with which text begins and ends."""

    encoder: EncoderConfig
    adaptor: AdaptorConfig
    llm: LlamaConfig
    speech_decoder: SpeechDecoderConfig
    vocoder: VocoderConfig
    bos: int
    eos: tuple[int, ...]
    longest_prompt: int = 2048
    """The prompt, speech included, is cut to so many positions (`tokenizer_model_max_length`)."""
    trained_context: EncoderContext = "full"
    """What the encoder was trained to hear (`speech_encoder_context`, which published models do not have)."""

    @classmethod
    def from_json(
        cls,
        fields: Fields,
        generation: Fields,
        encoder: EncoderConfig,
        adaptor_inner: int,
        vocoder: VocoderConfig,
    ) -> OmniConfig:
        """Parse the checkpoint's config.json and generation_config.json.

        Raises `WeightsError` for missing fields, for models of another kind, and for parts that do not fit together.
        """
        fields.only(
            speech_encoder_type="whisper",
            speech_projector_type="linear",
            speech_generator_type="ctc",
            speech_normalize=False,
            hidden_act="silu",
            attention_bias=False,
            mlp_bias=False,
            quantization_config=False,
        )
        fields.agree("speech_encoder_hidden_size", encoder.state, "the width of the speech encoder is")
        fields.agree("unit_vocab_size", vocoder.units, "the vocoder's num_embeddings is")
        llm = LlamaConfig.from_json(fields.json, fields.where)
        ending = generation if generation.json.get("eos_token_id") is not None else fields
        return cls(
            encoder=encoder,
            adaptor=AdaptorConfig(fields.whole("speech_encoder_ds_rate"), encoder.state, llm.hidden, adaptor_inner),
            llm=llm,
            speech_decoder=SpeechDecoderConfig(
                state=llm.hidden,
                layers=_decoder_layers(llm, fields),
                units=fields.whole("unit_vocab_size"),
                frames_per_token=fields.whole("ctc_upsample_factor"),
            ),
            vocoder=vocoder,
            bos=fields.whole("bos_token_id", least=0),
            eos=ending.wholes("eos_token_id", least=0),
            longest_prompt=fields.whole("tokenizer_model_max_length", 2048),
            trained_context=_trained_context(fields),
        )


def _trained_context(fields: Fields) -> EncoderContext:
    context = fields.json.get("speech_encoder_context") or "full"
    if context in ("full", "streaming"):
        return cast(EncoderContext, context)
    raise fields.unlike("speech_encoder_context", context, "'full' or 'streaming'")


def _decoder_layers(llm: LlamaConfig, fields: Fields) -> LlamaConfig:
    """The speech decoder's layers from "(layers, width, heads, intermediate)"; the rest is the LLM's."""
    text = fields.value("ctc_decoder_config")
    try:
        layers, width, heads, intermediate = (int(number) for number in ast.literal_eval(str(text)))
    except (ValueError, SyntaxError, TypeError) as error:
        raise fields.unlike("ctc_decoder_config", text, "'(layers, width, heads, intermediate)'") from error
    return replace(
        llm,
        layers=layers,
        hidden=width,
        heads=heads,
        kv_heads=heads,
        # A config written by a newer transformers carries the LLM's own head_dim, which is not this decoder's.
        head_dim=width // heads,
        intermediate=intermediate,
    )

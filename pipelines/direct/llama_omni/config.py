"""Sizes of every part of the model, parsed from the files of a published checkpoint."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.errors import WeightsError
from pipelines.models.llama import LlamaConfig

ADAPTOR_INNER = 2048
"""Width of the published adaptor; no config file states it."""

SUPPORTED = {"speech_encoder_type": "whisper", "speech_projector_type": "linear", "speech_generator_type": "ctc"}


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Sizes of the speech encoder; it always hears `2 · positions` mel frames of 10 ms."""

    mels: int
    positions: int
    state: int
    heads: int
    layers: int

    @classmethod
    def from_dims(cls, dims: Mapping[str, int], where: str) -> EncoderConfig:
        """Parse `dims` of an openai-whisper checkpoint. Raises `WeightsError`."""
        try:
            return cls(
                mels=dims["n_mels"],
                positions=dims["n_audio_ctx"],
                state=dims["n_audio_state"],
                heads=dims["n_audio_head"],
                layers=dims["n_audio_layer"],
            )
        except KeyError as error:
            raise WeightsError(f"{where} has no {error} among its dims. Is it an openai-whisper checkpoint?") from error


@dataclass(frozen=True, slots=True)
class AdaptorConfig:
    """Sizes of the adaptor: `joined` frames of `state` become one embedding of `hidden`."""

    joined: int
    state: int
    hidden: int
    inner: int = ADAPTOR_INNER


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
    def from_json(cls, json: Mapping[str, Any], where: str) -> VocoderConfig:
        """Parse the vocoder's config.json. Raises `WeightsError` for missing fields and for other kinds of vocoder."""
        if str(json.get("resblock", "1")) != "1" or json.get("f0") or json.get("multispkr"):
            raise WeightsError(
                f"{where} describes another vocoder: only resblock type 1 without f0 and speakers is built here."
            )
        try:
            predictor = json["dur_predictor_params"]
            return cls(
                units=json["num_embeddings"],
                embedding=json["embedding_dim"],
                duration_inner=predictor["var_pred_hidden_dim"],
                duration_kernel=predictor["var_pred_kernel_size"],
                first_channels=json["upsample_initial_channel"],
                up_rates=tuple(json["upsample_rates"]),
                up_kernels=tuple(json["upsample_kernel_sizes"]),
                res_kernels=tuple(json["resblock_kernel_sizes"]),
                res_dilations=tuple(tuple(dilations) for dilations in json["resblock_dilation_sizes"]),
            )
        except KeyError as error:
            raise WeightsError(f"{where} has no field {error}, which the unit vocoder needs.") from error


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

    @classmethod
    def from_json(
        cls,
        json: Mapping[str, Any],
        generation: Mapping[str, Any],
        encoder: EncoderConfig,
        vocoder: VocoderConfig,
        where: str,
    ) -> OmniConfig:
        """Parse the checkpoint's config.json and generation_config.json. Raises `WeightsError`."""
        for field, supported in SUPPORTED.items():
            if json.get(field, supported) != supported:
                raise WeightsError(f"{where}: {field} is '{json[field]}', but only '{supported}' is built here.")
        llm = LlamaConfig.from_json(json, where)
        try:
            eos = generation.get("eos_token_id", json["eos_token_id"])
            return cls(
                encoder=encoder,
                adaptor=AdaptorConfig(json["speech_encoder_ds_rate"], encoder.state, llm.hidden),
                llm=llm,
                speech_decoder=SpeechDecoderConfig(
                    state=llm.hidden,
                    layers=_decoder_layers(llm, str(json["ctc_decoder_config"]), where),
                    units=json["unit_vocab_size"],
                    frames_per_token=json["ctc_upsample_factor"],
                ),
                vocoder=vocoder,
                bos=json["bos_token_id"],
                eos=tuple(eos) if isinstance(eos, list) else (eos,),
                longest_prompt=json.get("tokenizer_model_max_length", 2048),
            )
        except KeyError as error:
            raise WeightsError(f"{where} has no field {error}. Is it a LLaMA-Omni checkpoint's?") from error


def _decoder_layers(llm: LlamaConfig, text: str, where: str) -> LlamaConfig:
    """The speech decoder's layers from "(layers, width, heads, intermediate)"; the rest is the LLM's."""
    try:
        layers, width, heads, intermediate = (int(number) for number in ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError) as error:
        raise WeightsError(
            f"{where}: ctc_decoder_config is '{text}', but should read '(layers, width, heads, intermediate)'."
        ) from error
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

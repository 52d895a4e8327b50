"""Loading the published layout: a Hugging Face folder, a Whisper encoder, and a fairseq vocoder (see `files`)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from firstpacket.bench.errors import WeightsError
from firstpacket.bench.pipeline import Weights
from firstpacket.pipelines.direct.llama_omni.config import OmniConfig, VocoderConfig
from firstpacket.pipelines.direct.llama_omni.files import Files
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni, Loaded, weights
from firstpacket.pipelines.direct.llama_omni.whisper_files import EncoderFile, compare_embedded, open_encoder
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.tensors import (
    LoadedTensors,
    SafetensorsFolder,
    Uninitialised,
    fill,
    read_json,
    read_pickle,
)

VOCODER_FILE = "g_00500000"
ADAPTOR = "model.speech_projector."


class Checkpoint:
    """A checkpoint whose configuration is known and whose weights are not read yet.

    Raises `WeightsError` naming the file or field at fault.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._shards = SafetensorsFolder(files.checkpoint)
        self._encoder = open_encoder(files, self._shards)
        self.config = _config(files, self._shards, self._encoder)

    def load(self, device: torch.device, dtype: torch.dtype) -> Loaded:
        """Read the weights, in `dtype` (the vocoder in float32). Raises `WeightsError` naming the tensor at fault."""
        with Uninitialised():
            model = LlamaOmni.without_weights(self.config, device, dtype)
        encoder, shards = self._encoder, self._shards
        units = read_vocoder(self._files.vocoder)
        used = fill(model.encoder, encoder.tensors, encoder.prefix, device, dtype)
        used_of_units = fill(model.vocoder, units, "", device, torch.float32)
        used_of_shards = (
            fill(model.llm, shards, "", device, dtype)
            | fill(model.adaptor, shards, ADAPTOR, device, dtype)
            | fill(model.speech_decoder, shards, "speech_generator.", device, dtype)
            | (used & shards.names())
        )
        unused = (shards.names() - used_of_shards) | encoder.unused(used) | (units.names() - used_of_units)
        return Loaded(
            model=model,
            weights=_origins(model, self._files, encoder),
            unused=tuple(sorted(unused)),
            notices=encoder.notices + compare_embedded(shards, encoder),
        )


def _config(files: Files, shards: SafetensorsFolder, encoder: EncoderFile) -> OmniConfig:
    width = f"{ADAPTOR}linear1.weight"
    if width not in shards.names():
        raise WeightsError(f"{shards.where} lacks tensor {width}. The files are incomplete or belong to another model.")
    generation = files.checkpoint / "generation_config.json"
    vocoder = files.vocoder / "config.json"
    return OmniConfig.from_json(
        Fields(read_json(files.checkpoint / "config.json"), str(files.checkpoint / "config.json")),
        Fields(read_json(generation) if generation.is_file() else {}, str(generation)),
        encoder.config,
        # No configuration states it (2048 as published).
        shards.shape(width)[0],
        VocoderConfig.from_json(Fields(read_json(vocoder), str(vocoder))),
    )


def read_vocoder(folder: Path) -> LoadedTensors:
    """The tensors of fairseq's vocoder in a folder, weight norm folded. Raises `WeightsError`."""
    path = folder / VOCODER_FILE
    content = read_pickle(path)
    if not isinstance(content.get("generator"), dict):
        raise WeightsError(f"{path} is not a fairseq vocoder: it has no 'generator'.")
    return LoadedTensors(fold_weight_norm(content["generator"], str(path)), str(path))


def fold_weight_norm(state: dict[str, Tensor], where: str) -> dict[str, Tensor]:
    """Replace each pair weight_g, weight_v by weight = g · v / ||v||, the norm over all dimensions but the first.

    Raises `WeightsError` naming a pair's missing or misshapen half.
    """
    folded = {name: tensor for name, tensor in state.items() if not name.endswith(("weight_g", "weight_v"))}
    for stem in sorted({name[:-2] for name in state.keys() - folded.keys()}):
        for half in (f"{stem}_g", f"{stem}_v"):
            if half not in state:
                raise WeightsError(f"{where} lacks tensor {half}. The file is incomplete or belongs to another model.")
        gain, direction = state[f"{stem}_g"].float(), state[f"{stem}_v"].float()
        shape = (direction.shape[0], *[1] * (direction.dim() - 1))
        if gain.shape != shape:
            raise WeightsError(f"{where}: tensor {stem}_g has shape {tuple(gain.shape)}, but it should be {shape}.")
        norm = torch.linalg.vector_norm(direction, dim=tuple(range(1, direction.dim())), keepdim=True)
        folded[stem] = direction * (gain / norm)
    return folded


def _origins(model: LlamaOmni, files: Files, encoder: EncoderFile) -> tuple[Weights, ...]:
    sources = {"speech encoder": encoder.source, "vocoder": str(files.vocoder)} if files.origin == "published" else {}
    return weights(model, files.origin, files.source, sources)

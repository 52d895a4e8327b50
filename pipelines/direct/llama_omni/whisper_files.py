"""The speech encoder's weights, in the three forms in which they are published.

- openai-whisper's `.pt`: `dims`, and tensors `encoder.*` under `model_state_dict`; what the published code uses.
- A folder in transformers' layout: config.json and safetensors with names of its own.
- The copy among the checkpoint's shards, `model.speech_encoder.*`, which the published code overwrites.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.direct.llama_omni.config import EncoderConfig
from firstpacket.pipelines.direct.llama_omni.files import Files, listed_paths
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.tensors import (
    CPU,
    LoadedTensors,
    SafetensorsFolder,
    TensorSource,
    listed,
    read_json,
    read_pickle,
)
from firstpacket.pipelines.models.whisper_names import HEAD_DIM, Renamed, openai_name

EMBEDDED = "model.speech_encoder."


@dataclass(frozen=True, slots=True)
class EncoderFile:
    """An encoder that can be read: its sizes, and its tensors as `prefix` + openai's names."""

    config: EncoderConfig
    tensors: TensorSource
    prefix: str
    source: str
    """Its name in reports."""
    notices: tuple[str, ...] = ()

    def unused(self, used: set[str]) -> frozenset[str]:
        """Names in the file that the model has no place for; those of the shards are counted with the shards."""
        return frozenset() if self.prefix == EMBEDDED else self.tensors.names() - used


def open_encoder(files: Files, shards: SafetensorsFolder) -> EncoderFile:
    """The encoder of a checkpoint: from its own file if there is one, else the copy among the shards.

    Raises `WeightsError` when there is neither, or when it is no Whisper.
    """
    if files.encoder is None:
        return _embedded(files, shards)
    return open_file(files.encoder)


def open_file(path: Path) -> EncoderFile:
    """An encoder of its own: openai-whisper's `.pt`, or a folder in transformers' layout. Raises `WeightsError`."""
    return _from_transformers(path) if path.is_dir() else _from_openai(path)


def _from_openai(path: Path) -> EncoderFile:
    content = read_pickle(path)
    if not all(isinstance(content.get(part), dict) for part in ("dims", "model_state_dict")):
        raise WeightsError(f"{path} is not an openai-whisper checkpoint: dims or model_state_dict is missing.")
    config = EncoderConfig.from_dims(Fields(content["dims"], str(path)))
    return EncoderFile(config, LoadedTensors(content["model_state_dict"], str(path)), "encoder.", str(path))


def _from_transformers(folder: Path) -> EncoderFile:
    config = EncoderConfig.from_transformers(Fields(read_json(folder / "config.json"), str(folder / "config.json")))
    tensors = SafetensorsFolder(folder)
    ours = re.compile(r"(?:model\.)?encoder\.")
    names = {openai_name(name): name for name in tensors.names() if ours.match(name)}
    return EncoderFile(config, Renamed(tensors, names), "encoder.", str(folder))


def _embedded(files: Files, shards: SafetensorsFolder) -> EncoderFile:
    looked = f"looked for {listed_paths(files.encoder_looked_for)}"
    if f"{EMBEDDED}conv1.weight" not in shards.names():
        raise WeightsError(
            f"The speech encoder of {files.source} was not found: {looked}, and for a copy in the checkpoint. Put "
            "openai-whisper's .pt file in one of these places, or set the option encoder=PATH."
        )
    notice = f"The speech encoder is the copy inside {files.source}; the published code uses a file ({looked})."
    return EncoderFile(_sizes_of_shapes(shards), shards, EMBEDDED, files.source, (notice,))


def _sizes_of_shapes(shards: SafetensorsFolder) -> EncoderConfig:
    names = shards.names()
    position = f"{EMBEDDED}positional_embedding"
    if position not in names:
        raise WeightsError(
            f"{shards.where} lacks tensor {position}. The files are incomplete or belong to another model."
        )
    state, mels, _ = shards.shape(f"{EMBEDDED}conv1.weight")
    if state % HEAD_DIM:
        raise WeightsError(
            f"The encoder inside {shards.where} is {state} wide, which is not a multiple of Whisper's {HEAD_DIM} "
            "channels per head, so its number of heads is unknown. Set the option encoder=PATH to its .pt file."
        )
    blocks = {name.split(".")[3] for name in names if name.startswith(f"{EMBEDDED}blocks.")}
    return EncoderConfig(mels, shards.shape(position)[0], state, state // HEAD_DIM, len(blocks))


def compare_embedded(shards: TensorSource, encoder: EncoderFile) -> tuple[str, ...]:
    """Say so if the shards hold a copy of the encoder that differs from the one in use, at the lower precision."""
    if encoder.prefix == EMBEDDED:
        return ()
    differing = []
    for name in sorted(name for name in shards.names() if name.startswith(EMBEDDED)):
        original = encoder.prefix + name.removeprefix(EMBEDDED)
        known = original in encoder.tensors.names()
        if not known or not _same(shards.read(name, CPU), encoder.tensors.read(original, CPU)):
            differing.append(name)
    if not differing:
        return ()
    return (
        f"The encoder inside {shards.where} is not the one in {encoder.source}, which is used: {listed(differing)}.",
    )


def _same(copy: Tensor, original: Tensor) -> bool:
    lower = min((copy.dtype, original.dtype), key=lambda dtype: dtype.itemsize)
    return copy.shape == original.shape and torch.equal(copy.to(lower), original.to(lower))

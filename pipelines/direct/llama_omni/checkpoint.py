"""Loading the published layout: a Hugging Face folder, an openai-whisper `.pt`, and a fairseq vocoder.

checkpoint/          config.json, generation_config.json, *.safetensors, tokenizer.json
models/speech_encoder/large-v3.pt     where config.json's `speech_encoder` says
vocoder/             g_00500000, config.json
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from bench.errors import WeightsError
from bench.pipeline import Weights
from pipelines.direct.llama_omni.config import EncoderConfig, OmniConfig, VocoderConfig
from pipelines.direct.llama_omni.model import LlamaOmni, Loaded, parameters
from pipelines.models.tensors import (
    LoadedTensors,
    SafetensorsFolder,
    TensorSource,
    fill,
    listed,
    read_json,
    read_pickle,
)

VOCODER_FILE = "g_00500000"
EMBEDDED_ENCODER = "model.speech_encoder."


def load(folder: Path, vocoder: Path | None, device: torch.device, dtype: torch.dtype) -> Loaded:
    """Load a checkpoint and its encoder and vocoder.

    `vocoder` is its folder; None looks for `vocoder/` in and beside the checkpoint. Raises `WeightsError` naming the
    file, field or tensor at fault.
    """
    json = read_json(folder / "config.json")
    encoder_path = _beside(
        folder, str(json.get("speech_encoder", "models/speech_encoder/large-v3.pt")), "speech encoder"
    )
    vocoder_folder = vocoder or _beside(folder, "vocoder", "unit vocoder (option vocoder=FOLDER)")
    dims, encoder = _read_whisper(encoder_path)
    config = OmniConfig.from_json(
        json,
        read_json(folder / "generation_config.json") if (folder / "generation_config.json").is_file() else {},
        dims,
        VocoderConfig.from_json(read_json(vocoder_folder / "config.json"), str(vocoder_folder / "config.json")),
        str(folder / "config.json"),
    )
    model = LlamaOmni.without_weights(config, device, dtype)
    shards = SafetensorsFolder(folder)
    units = _read_vocoder(vocoder_folder / VOCODER_FILE)
    used_of_shards = (
        fill(model.llm, shards, "", device, dtype)
        | fill(model.adaptor, shards, "model.speech_projector.", device, dtype)
        | fill(model.speech_decoder, shards, "speech_generator.", device, dtype)
    )
    used_of_encoder = fill(model.encoder, encoder, "encoder.", device, dtype)
    used_of_vocoder = fill(model.vocoder, units, "", device, torch.float32)
    unused = sorted(
        (shards.names() - used_of_shards) | (encoder.names() - used_of_encoder) | (units.names() - used_of_vocoder)
    )
    return Loaded(
        model=model,
        weights=_origins(model, folder, encoder_path, vocoder_folder),
        unused=tuple(unused),
        notices=_compare_embedded_encoder(shards, encoder),
    )


def _beside(folder: Path, relative: str, what: str) -> Path:
    """A file named by the checkpoint: in its folder, beside it, or in the current folder as the reference has it."""
    candidates = [base / relative for base in (folder, folder.resolve().parent, Path())]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise WeightsError(f"The {what} of {folder} is not there: looked for {looked}. Put it into one of these places.")


def _read_whisper(path: Path) -> tuple[EncoderConfig, LoadedTensors]:
    content = read_pickle(path)
    if not {"dims", "model_state_dict"} <= content.keys():
        raise WeightsError(f"{path} is not an openai-whisper checkpoint: it has no dims and model_state_dict.")
    return EncoderConfig.from_dims(content["dims"], str(path)), LoadedTensors(content["model_state_dict"], str(path))


def _read_vocoder(path: Path) -> LoadedTensors:
    content = read_pickle(path)
    if "generator" not in content:
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
                raise WeightsError(f"{where} lacks tensor {half}. The file is incomplete or of another model.")
        gain, direction = state[f"{stem}_g"].float(), state[f"{stem}_v"].float()
        shape = (direction.shape[0], *[1] * (direction.dim() - 1))
        if gain.shape != shape:
            raise WeightsError(f"{where}: tensor {stem}_g has shape {tuple(gain.shape)}, but it should be {shape}.")
        norm = torch.linalg.vector_norm(direction, dim=tuple(range(1, direction.dim())), keepdim=True)
        folded[stem] = direction * (gain / norm)
    return folded


def _compare_embedded_encoder(shards: TensorSource, encoder: TensorSource) -> tuple[str, ...]:
    """The shards hold a copy of the encoder that the published code never uses; say so if it is another one."""
    cpu = torch.device("cpu")
    differing = []
    for name in sorted(name for name in shards.names() if name.startswith(EMBEDDED_ENCODER)):
        original = "encoder." + name.removeprefix(EMBEDDED_ENCODER)
        copy = shards.read(name, cpu)
        if original not in encoder.names() or not _same(copy, encoder.read(original, cpu)):
            differing.append(name)
    if not differing:
        return ()
    return (
        f"The encoder inside {shards.where} is not the one in {encoder.where}, which is used: {listed(differing)}.",
    )


def _same(copy: Tensor, original: Tensor) -> bool:
    """Whether two tensors are equal at the lower of their precisions."""
    lower = min((copy.dtype, original.dtype), key=lambda dtype: dtype.itemsize)
    return copy.shape == original.shape and torch.equal(copy.to(lower), original.to(lower))


def _origins(model: LlamaOmni, folder: Path, encoder: Path, vocoder: Path) -> tuple[Weights, ...]:
    sources = {"speech encoder": encoder, "vocoder": vocoder}
    return tuple(
        Weights(name, "published", str(sources.get(name, folder)), f"{parameters(part) / 1e6:.1f} M parameters")
        for name, (part, _) in model.parts().items()
    )

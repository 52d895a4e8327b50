"""The small Whisper in the layouts in which Whispers are published."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.models import whisper_dummy, whisper_tokens
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.tensors import listed
from firstpacket.pipelines.models.whisper_embedding import full_embedding, sinusoids
from firstpacket.pipelines.models.whisper_names import HEAD_DIM, openai_name
from firstpacket.pipelines.models.whisper_sizes import (
    MULTILINGUAL,
    SIZES,
    TEXT_POSITIONS,
    EncoderSizes,
    WhisperSizes,
)
from firstpacket.pipelines.weights import store
from firstpacket.pipelines.weights.store import Content

FILES = store.FILES["whisper"]
EMBEDDING = "decoder.token_embedding."
SINUSOIDS = "encoder.positional_embedding"
PT = "whisper.pt"
LARGEST = SIZES["large-v3"]
VOCABULARIES = (MULTILINGUAL, LARGEST.vocab)


def transformers(content: Content, into: Path) -> None:
    """A folder in transformers' layout, float16. Raises `WeightsError`."""
    found, tensors = sizes(content), published(content)
    words = whisper_tokens.tokenizer(found.vocab, content.files["whisper.tiktoken"].decode("ascii"))
    named = {name: tensors[openai_name(name)] for name, _ in whisper_dummy.shapes(found)}
    whisper_dummy.write(into, found, named, words, torch.float16)


def openai(content: Content, into: Path) -> None:
    """openai-whisper's `.pt`, float16. Raises `WeightsError`."""
    save_pt(content, into / PT)


def save_pt(content: Content, path: Path) -> None:
    """openai-whisper's dictionary of dimensions and tensors. Raises `WeightsError`."""
    found = sizes(content)
    dims = _encoder_dims(found) | {
        "n_vocab": found.vocab,
        "n_text_ctx": TEXT_POSITIONS,
        "n_text_state": found.state,
        "n_text_head": found.heads,
        "n_text_layer": found.decoder_layers,
    }
    state = {name: tensor.half() for name, tensor in published(content).items()}
    torch.save({"dims": dims, "model_state_dict": state}, path)


def save_encoder(found: EncoderSizes, tensors: dict[str, Tensor], path: Path) -> None:
    """The same with an encoder alone, by openai's names without sinusoids; `whisper.load_model` refuses such a file."""
    state = {**tensors, SINUSOIDS: sinusoids(found.positions, found.state).half()}
    torch.save({"dims": _encoder_dims(found), "model_state_dict": state}, path)


def _encoder_dims(found: EncoderSizes) -> dict[str, int]:
    return {
        "n_mels": found.mels,
        "n_audio_ctx": found.positions,
        "n_audio_state": found.state,
        "n_audio_head": found.heads,
        "n_audio_layer": found.layers,
    }


def sizes(content: Content) -> WhisperSizes:
    """Its sizes. Raises `WeightsError` for those of no Whisper."""
    fields = Fields(content.json("whisper"), str(content.folder / "whisper.json"))
    found = WhisperSizes(**{name: fields.whole(name) for name in asdict(LARGEST)})
    return checked(found, fields.where)


def checked(found: WhisperSizes, where: str) -> WhisperSizes:
    """Sizes that a Whisper can have. Raises `WeightsError` for others."""
    fits = found.state == found.heads * HEAD_DIM and found.vocab in VOCABULARIES
    if not fits or any(size > asdict(LARGEST)[name] for name, size in asdict(found).items()):
        raise WeightsError(f"{where}: not the sizes of a Whisper: {found}.")
    return found


def published(content: Content) -> dict[str, Tensor]:
    """Every tensor of the published model, float32, by openai's names.

    Raises `WeightsError` if one is missing, misshapen, or has no place in it.
    """
    found, stored, where = sizes(content), content.tensors("whisper"), content.folder / "whisper.safetensors"
    shared = {part: stored.pop(f"{EMBEDDING}{part}", None) for part in ("rows", "ids", "other")}
    rows, ids, other = (_there(part, f"{EMBEDDING}{name}", where) for name, part in shared.items())
    if not (len(ids) == len(rows) and int(ids.min()) >= 0 and int(ids.max()) < found.vocab):
        raise WeightsError(f"{where}: {EMBEDDING}ids are not the words of {EMBEDDING}rows.")
    stored[f"{EMBEDDING}weight"] = full_embedding(rows.float(), ids.long(), other.float(), found.vocab)
    stored[SINUSOIDS] = sinusoids(found.positions, found.state)
    wanted = {openai_name(name): shape for name, shape in whisper_dummy.shapes(found)}
    if strange := wanted.keys() ^ stored.keys():
        raise WeightsError(f"{where}: {listed(strange)} missing, or not part of a Whisper of these sizes.")
    for name, shape in wanted.items():
        if tuple(stored[name].shape) != shape:
            raise WeightsError(f"{where}: tensor {name} has shape {tuple(stored[name].shape)}, not {shape}.")
    return {name: tensor.float() for name, tensor in stored.items()}


def _there(tensor: Tensor | None, name: str, where: Path) -> Tensor:
    if tensor is None or not tensor.numel():
        raise WeightsError(f"{where} lacks tensor {name}.")
    return tensor

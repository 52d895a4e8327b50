"""The small direct models as LLaMA-Omni was published: checkpoint, Whisper's `.pt`, and fairseq's vocoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes
from firstpacket.pipelines.weights import llama, store, whisper
from firstpacket.pipelines.weights.store import Content

_SHARED = (*store.FILES["vocoder"], "tokenizer.json")
FILES = (*store.FILES["direct"], *whisper.FILES, *_SHARED)
STREAMING_FILES = (*store.FILES["streaming"], *_SHARED)
ENCODER = f"models/speech_encoder/{whisper.PT}"
CTC_HEAD = "models/speech_encoder/ctc_head.safetensors"
"""weight (letters + 1, state) and bias: from the encoder's frames to letters and, last, the blank. `letters` is in its
metadata. The direct model does not read it."""
VOCODER = "vocoder/g_00500000"
_NORMED = ("conv_pre.", "conv_post.", "ups.", "resblocks.")


def llama_omni(content: Content, into: Path) -> None:
    """The folder; the checkpoint's config.json names its encoder. Raises `WeightsError`."""
    _write(content, content.tensors("direct"), content.json("direct"), into)
    whisper.save_pt(content, into / ENCODER)


def streaming(content: Content, into: Path) -> None:
    """The same of the model that hears speech in blocks. Its `.pt` has no decoder: none was trained on this encoder.

    Raises `WeightsError`.
    """
    config, tensors = content.json("streaming"), content.tensors("streaming")
    fields = Fields(config, str(content.folder / "streaming.json")).inner("encoder")
    dims = {name: fields.whole(name) for name in ("mels", "positions", "state", "heads", "layers")}
    sizes = whisper.checked(WhisperSizes(decoder_layers=1, **dims), fields.where)
    encoder, head = _taken("encoder.", tensors), _taken("ctc_head.", tensors)
    _write(content, tensors, {name: value for name, value in config.items() if name != "encoder"}, into)
    whisper.save_encoder(sizes, encoder, into / ENCODER)
    named = {name.removeprefix("ctc_head."): tensor for name, tensor in head.items()}
    save_file(named, into / CTC_HEAD, {"format": "pt", "letters": str(fields.value("letters"))})


def _taken(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensors.pop(name) for name in sorted(tensors) if name.startswith(prefix)}


def _write(content: Content, tensors: dict[str, Tensor], config: dict[str, Any], into: Path) -> None:
    """All but the encoder."""
    named = {**config, "speech_encoder": ENCODER}
    llama.write(tensors, named, content.files["tokenizer.json"], into)
    for file in (ENCODER, VOCODER):
        (into / file).parent.mkdir(parents=True, exist_ok=True)
    torch.save({"generator": unfolded(content.tensors("vocoder"))}, into / VOCODER)
    llama.write_json(into / "vocoder" / "config.json", content.json("vocoder"))


def unfolded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with weight norm as fairseq writes it: g = ||v||, v = weight (Salimans and Kingma 2016, equation 2)."""
    made: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.startswith(_NORMED) and name.endswith(".weight"):
            direction = tensor.float()
            gain = torch.linalg.vector_norm(direction, dim=tuple(range(1, tensor.dim())), keepdim=True)
            made |= {f"{name}_v": direction, f"{name}_g": gain}
        else:
            made[name] = tensor.float()
    return made

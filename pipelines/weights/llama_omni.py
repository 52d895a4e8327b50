"""The small direct model as LLaMA-Omni was published: checkpoint, Whisper's `.pt`, and fairseq's vocoder."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from firstpacket.pipelines.weights import llama, whisper
from firstpacket.pipelines.weights.store import Content

FILES = ("direct.safetensors", "direct.json", "vocoder.safetensors", "vocoder.json", *whisper.FILES, "tokenizer.json")
ENCODER = f"models/speech_encoder/{whisper.PT}"
VOCODER = "vocoder/g_00500000"
_NORMED = ("conv_pre.", "conv_post.", "ups.", "resblocks.")


def llama_omni(content: Content, into: Path) -> None:
    """The folder; the checkpoint's config.json names its encoder. Raises `WeightsError`."""
    llama.write(content, "direct", into)
    llama.write_json(into / "config.json", {**content.json("direct"), "speech_encoder": ENCODER, "dtype": "float16"})
    for file in (ENCODER, VOCODER):
        (into / file).parent.mkdir(parents=True, exist_ok=True)
    whisper.save_pt(content, into / ENCODER)
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

"""The small language model as a folder in Hugging Face's layout, with its tokenizer and conversation format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from firstpacket.pipelines.models.chat import BEGIN, CHAT_TEMPLATE, END_OF_TURN
from firstpacket.pipelines.weights import store
from firstpacket.pipelines.weights.store import Content

FILES = store.FILES["llm"]

TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": BEGIN,
    "eos_token": END_OF_TURN,
    "chat_template": CHAT_TEMPLATE,
    "clean_up_tokenization_spaces": False,
}


def llama(content: Content, into: Path) -> None:
    """The folder, float16. Raises `WeightsError`."""
    write(content.tensors("llm"), content.json("llm"), content.files["tokenizer.json"], into)


def write(tensors: dict[str, Tensor], config: dict[str, Any], tokenizer: bytes, into: Path) -> None:
    """Tensors and sizes of a language model, or of a model that contains one, with its tokenizer.json."""
    save_file(tensors, into / "model.safetensors", {"format": "pt"})
    write_json(into / "config.json", {**config, "dtype": "float16"})
    write_json(into / "generation_config.json", {name: config.get(name) for name in ("bos_token_id", "eos_token_id")})
    write_json(into / "tokenizer_config.json", TOKENIZER)
    (into / "tokenizer.json").write_bytes(tokenizer)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """A file of settings."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

"""The weights as stored in the repository: each tensor once, in float16, with the hashes of all files.

whisper.safetensors   encoder and decoder by openai's names; of the vocabulary only the rows in use, their ids, and
                      one row for all other words; no sinusoids
llm.safetensors       the cascade's language model, by Hugging Face's names
direct.safetensors    the direct model's adaptor, language model and speech decoder, by the published names
vocoder.safetensors   the unit vocoder, weight norm folded
streaming.safetensors a second direct model, which hears speech in blocks: encoder (openai's names, no sinusoids) with a
                      CTC head, adaptor, language model and speech decoder; a store may lack it
*.json                each one's sizes; tokenizer.json of both language models
whisper.tiktoken      Whisper's vocabulary as it was published
SHA256SUMS            what `sha256sum --check` reads
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from firstpacket.bench.errors import WeightsError
from firstpacket.bench.paths import DATASETS

NAME = Path("weights", "demo")
SUMS = "SHA256SUMS"
FILES = {
    "whisper": ("whisper.safetensors", "whisper.json", "whisper.tiktoken"),
    "llm": ("llm.safetensors", "llm.json", "tokenizer.json"),
    "direct": ("direct.safetensors", "direct.json"),
    "vocoder": ("vocoder.safetensors", "vocoder.json"),
    "streaming": ("streaming.safetensors", "streaming.json"),
}
"""The files of each part; what people read (README.md, training/) is not among them."""

OPTIONAL = ("streaming",)
"""Parts that a store may lack."""

REQUIRED_FILES = frozenset(name for part in FILES if part not in OPTIONAL for name in FILES[part])

LARGEST = 64 << 20
"""Bytes of one file; none of ours has half of it."""

_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[\w.]+)")
_RESTORE = (
    "Bring the files back (git checkout -- datasets/weights, or reinstall firstpacket), or run with --weights dummy."
)


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of such files, and the sha256 that each must have."""

    folder: Path
    digests: dict[str, str]

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that it has."""
        return tuple(part for part, names in FILES.items() if self.digests.keys() >= set(names))

    def source(self, names: Iterable[str]) -> str:
        """What reports call a model made of these files: a hash that changes with any file that a store must have,
        and with these."""
        return f"sha256 {self.key(REQUIRED_FILES.union(names))}"

    def key(self, names: Iterable[str]) -> str:
        """A short hash that changes with the content of any of these files."""
        listed = "\n".join(f"{self.digests[name]}  {name}" for name in sorted(names))
        return hashlib.sha256(listed.encode()).hexdigest()[:16]

    def read(self, names: Iterable[str]) -> Content:
        """Read files and check each against its hash: the bytes checked are the bytes used. Raises `WeightsError`."""
        return Content(self.folder, {name: self._read(name) for name in names})

    def _read(self, name: str) -> bytes:
        path = self.folder / name
        if name not in self.digests:
            raise WeightsError(
                f"The weights in {self.folder} have no part '{path.stem}'. Train it and add it (bench weights pack "
                f"--part {path.stem}), or measure times alone with weights=dummy."
            )
        content = read_bytes(path)
        if hashlib.sha256(content).hexdigest() != self.digests[name]:
            raise WeightsError(f"{path} is truncated or modified: its sha256 differs from {SUMS}. {_RESTORE}")
        return content


@dataclass(frozen=True, slots=True)
class Content:
    """Files of a store in memory."""

    folder: Path
    files: dict[str, bytes]

    def tensors(self, part: str) -> dict[str, Tensor]:
        """The tensors of a part. Raises `WeightsError`."""
        name = f"{part}.safetensors"
        try:
            tensors: dict[str, Tensor] = load(self.files[name])
        except SafetensorError as error:
            raise WeightsError(f"{self.folder / name} contains no tensors: {error}. {_RESTORE}") from error
        return tensors

    def json(self, part: str) -> dict[str, Any]:
        """The sizes of a part. Raises `WeightsError`."""
        name = f"{part}.json"
        try:
            content = json.loads(self.files[name])
        except (ValueError, RecursionError) as error:
            raise WeightsError(f"{self.folder / name} cannot be read as JSON: {error}. {_RESTORE}") from error
        if not isinstance(content, dict):
            raise WeightsError(f"{self.folder / name} is not a JSON object. {_RESTORE}")
        return content


def find() -> Store:
    """The store that comes with this installation. Raises `WeightsError`."""
    folder = DATASETS / NAME
    if (folder / SUMS).is_file():
        return opened(folder)
    raise WeightsError(f"The demo weights were not found: no {SUMS} in {folder}. {_RESTORE}")


def opened(folder: Path) -> Store:
    """The store in a folder; no file but the list of hashes is read yet. Raises `WeightsError`."""
    path = folder / SUMS
    try:
        lines = read_bytes(path).decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise WeightsError(f"{path} is not a list of hashes. {_RESTORE}") from error
    found = [_LINE.fullmatch(line) for line in lines]
    digests = {match["name"]: match["digest"] for match in found if match}
    optional = {name for part in OPTIONAL if digests.keys() & set(FILES[part]) for name in FILES[part]}
    if len(digests) != len(lines) or digests.keys() != REQUIRED_FILES | optional:
        names = ", ".join(sorted(REQUIRED_FILES | optional))
        raise WeightsError(f"{path} must list exactly {names}, each with its sha256. {_RESTORE}")
    return Store(folder, digests)


def read_bytes(path: Path) -> bytes:
    """A plain file of bounded size. Raises `WeightsError`."""
    try:
        if not path.is_file():
            raise WeightsError(f"{path} does not exist or is not a file. {_RESTORE}")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}. {_RESTORE}") from error
    if len(content) > LARGEST:
        raise WeightsError(
            f"{path} is larger than {LARGEST >> 20} MiB, larger than any of these files should be. {_RESTORE}"
        )
    return content

"""Filling a model from files of tensors: nothing is taken on trust, and nothing is left out in silence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from bench.errors import WeightsError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"


class TensorSource(Protocol):
    """Named tensors, read one at a time."""

    where: str
    """The file or folder, for messages."""

    def names(self) -> frozenset[str]:
        """Names of all tensors."""
        ...

    def read(self, name: str, device: torch.device) -> Tensor:
        """One tensor, on the device if that saves a copy."""
        ...


class LoadedTensors:
    """Tensors already in memory."""

    def __init__(self, tensors: Mapping[str, Tensor], where: str) -> None:
        self.where = where
        self._tensors = tensors

    def names(self) -> frozenset[str]:
        """Names of all tensors."""
        return frozenset(self._tensors)

    def read(self, name: str, device: torch.device) -> Tensor:
        """The tensor as it is; `fill` moves it."""
        return self._tensors[name]


class SafetensorsFolder:
    """A Hugging Face folder: `model.safetensors`, or shards with their index.

    Raises `WeightsError` when there is neither, or a file is missing or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.where = str(folder)
        self._folder = folder
        self._open: dict[tuple[str, str], Any] = {}
        self._files = self._read_index() if (folder / INDEX).is_file() else self._read_single()

    def names(self) -> frozenset[str]:
        """Names of all tensors."""
        return frozenset(self._files)

    def read(self, name: str, device: torch.device) -> Tensor:
        """One tensor, read straight to the device. Raises `WeightsError` when the file does not hold it."""
        file = self._files[name]
        try:
            tensor: Tensor = self._handle(file, device).get_tensor(name)
        except SafetensorError as error:
            raise WeightsError(
                f"{self._folder / file} does not hold tensor {name}: {error}. Fetch it again."
            ) from error
        return tensor

    def _read_index(self) -> dict[str, str]:
        path = self._folder / INDEX
        files: dict[str, str] = read_json(path).get("weight_map", {})
        for file in sorted(set(files.values())):
            if not (self._folder / file).is_file():
                raise WeightsError(f"{path} names {file}, which is not there. Fetch the missing shard.")
        return files

    def _read_single(self) -> dict[str, str]:
        if not (self._folder / SINGLE).is_file():
            raise WeightsError(f"{self._folder} has neither {SINGLE} nor {INDEX}. Is it the folder of a checkpoint?")
        return dict.fromkeys(self._handle(SINGLE, torch.device("cpu")).keys(), SINGLE)

    def _handle(self, file: str, device: torch.device) -> Any:
        key = (file, str(device))
        if key not in self._open:
            try:
                self._open[key] = safe_open(self._folder / file, framework="pt", device=str(device))
            except (SafetensorError, OSError) as error:
                raise WeightsError(f"{self._folder / file} cannot be read: {error}. Fetch it again.") from error
        return self._open[key]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises `WeightsError` when it is missing or is not one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is not there. Is {path.parent} the folder of a checkpoint?") from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read as JSON: {error}. Fetch it again.") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} does not hold a JSON object. Fetch it again.")
    return content


def read_pickle(path: Path) -> dict[str, Any]:
    """A dictionary saved by torch, on the CPU, without running any code in it. Raises `WeightsError`."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is not there. Put the file that was published under this name there.") from error
    except Exception as error:  # torch raises half a dozen kinds for a damaged or unsafe file
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path} cannot be read as tensors: {first}. Fetch it again.") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} does not hold a dictionary of tensors.")
    return content


def fill(module: nn.Module, source: TensorSource, prefix: str, device: torch.device, dtype: torch.dtype) -> set[str]:
    """Give a module built on `meta` its weights: tensor `prefix + name` for every parameter. Returns the names used.

    Raises `WeightsError` naming the tensors that are missing or misshapen, or the first that holds NaN or infinities
    (after the change to `dtype`, which may itself overflow).
    """
    wanted = {name: parameter.shape for name, parameter in module.named_parameters()}
    missing = sorted(prefix + name for name in wanted if prefix + name not in source.names())
    if missing:
        raise WeightsError(f"{source.where} lacks {listed(missing)}. The files are incomplete or of another model.")
    state: dict[str, Tensor] = {}
    for name, shape in wanted.items():
        tensor = source.read(prefix + name, device)
        if tensor.shape != shape:
            raise WeightsError(
                f"{source.where}: tensor {prefix + name} has shape {tuple(tensor.shape)}, but by the configuration it "
                f"should be {tuple(shape)}. The configuration and the weights do not belong together."
            )
        state[name] = _checked(tensor.to(device=device, dtype=dtype), prefix + name, source.where)
    module.load_state_dict(state, assign=True)
    module.requires_grad_(False)
    return {prefix + name for name in wanted}


def _checked(tensor: Tensor, name: str, where: str) -> Tensor:
    bad = int(tensor.numel() - tensor.isfinite().sum())
    if bad:
        raise WeightsError(
            f"{where}: tensor {name} has {bad} values that are NaN or infinite as {tensor.dtype}. "
            "The file is damaged, or this precision cannot hold it."
        )
    return tensor


def listed(names: Iterable[str], most: int = 3) -> str:
    """Names for a message: the first few, and how many more there are."""
    every = sorted(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return f"{'tensor' if len(every) == 1 else 'tensors'} {', '.join(every[:most])}{more}"

"""Loads a model from tensor files, with strict checks: nothing missing, misshapen or unused goes unreported."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from firstpacket.bench.errors import WeightsError

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
CPU = torch.device("cpu")


class TensorSource(Protocol):
    """Named tensors, read one at a time."""

    where: str
    """The file or folder, for messages."""

    def names(self) -> frozenset[str]:
        """Names of all tensors."""
        ...

    def shape(self, name: str) -> torch.Size:
        """A tensor's shape, without reading its values."""
        ...

    def read(self, name: str, device: torch.device) -> Tensor:
        """One tensor, on the device if that saves a copy; on the CPU it may lie in the mapped file."""
        ...


class LoadedTensors:
    """Tensors already in memory or mapped. Raises `WeightsError` for what is not a tensor."""

    def __init__(self, tensors: Mapping[str, Tensor], where: str) -> None:
        for name, tensor in tensors.items():
            if not isinstance(tensor, Tensor):
                raise WeightsError(
                    f"{where}: {name} is a {type(tensor).__name__}, not a tensor. Download the file again."
                )
        self.where = where
        self._tensors = tensors

    def names(self) -> frozenset[str]:
        """Names of all tensors."""
        return frozenset(self._tensors)

    def shape(self, name: str) -> torch.Size:
        """A tensor's shape."""
        return self._tensors[name].shape

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
        self._files = self._index() if (folder / INDEX).is_file() else self._single()

    def names(self) -> frozenset[str]:
        """Names of all tensors."""
        return frozenset(self._files)

    def shape(self, name: str) -> torch.Size:
        """A tensor's shape, from its file's header. Raises `WeightsError`."""
        with self._opened(name) as file:
            return torch.Size(file.get_slice(name).get_shape())

    def read(self, name: str, device: torch.device) -> Tensor:
        """One tensor, read straight to the device. Raises `WeightsError` when the file does not hold it.

        The file is opened anew for each: its mapping then ends with the tensor, and the pages read do not add to the
        memory of the weights.
        """
        with self._opened(name, device) as file:
            tensor: Tensor = file.get_tensor(name)
        return tensor

    def _index(self) -> dict[str, str]:
        path = self._folder / INDEX
        files = read_json(path).get("weight_map")
        if not isinstance(files, dict):
            raise WeightsError(f"{path} has no weight_map. Download it again.")
        for file in sorted(set(files.values())):
            if not (self._folder / file).is_file():
                raise WeightsError(f"{path} names {file}, which is not there. Download the missing shard.")
        return files

    def _single(self) -> dict[str, str]:
        path = self._folder / SINGLE
        if not path.is_file():
            raise WeightsError(
                f"{self._folder} has neither {SINGLE} nor {INDEX}. Check that it is a checkpoint folder."
            )
        with _safetensors(path) as file:
            return dict.fromkeys(file.keys(), SINGLE)

    @contextmanager
    def _opened(self, name: str, device: torch.device = CPU) -> Iterator[Any]:
        """The file that holds a tensor."""
        path = self._folder / self._files[name]
        with _safetensors(path, device) as file:
            if name not in file.keys():  # noqa: SIM118 (it is no dictionary)
                raise WeightsError(f"{path} lacks tensor {name}, although {INDEX} lists it. Download it again.")
            yield file


@contextmanager
def _safetensors(path: Path, device: torch.device = CPU) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} cannot be read: {error}. Download it again.") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises `WeightsError` when it is missing or is not one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{path} not found. Check that {path.parent} is a checkpoint folder.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} cannot be read as JSON: {error}. Download it again.") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is not a JSON object. Download it again.")
    return content


def read_pickle(path: Path) -> dict[str, Any]:
    """A dictionary saved by torch, on the CPU, without running any code in it. Raises `WeightsError`.

    The tensors are mapped: only those that are used are read. Files from before torch 1.6 are read whole.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except FileNotFoundError as error:
        raise WeightsError(f"{path} not found. Put the published file of this name there.") from error
    except Exception as error:  # torch raises half a dozen kinds for a damaged or unsafe file
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path} cannot be read as tensors: {first}. Download it again.") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is not a dictionary of tensors.")
    return content


class Uninitialised(TorchFunctionMode):
    """While it is entered, new modules draw no first values.

    On `meta` there is nothing to draw them into, and torch would import its compiler to find that out: seconds.
    """

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Torch's own hook: functions of `torch.nn.init` give the tensor back as it is."""
        given = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def fill(module: nn.Module, source: TensorSource, prefix: str, device: torch.device, dtype: torch.dtype) -> set[str]:
    """Give a module built on `meta` its weights: tensor `prefix + name` for every parameter. Returns the names used.

    They become copies of their own in `dtype`, one at a time. Raises `WeightsError` naming the tensors that are missing
    or misshapen, or the first that holds NaN or infinities (after the change to `dtype`, which may itself overflow).
    """
    wanted = {prefix + name: parameter.shape for name, parameter in module.named_parameters()}
    _check_shapes(wanted, source)
    state = {name.removeprefix(prefix): _placed(source, name, device, dtype) for name in wanted}
    module.load_state_dict(state, assign=True)
    module.requires_grad_(False)
    return set(wanted)


def _check_shapes(wanted: Mapping[str, torch.Size], source: TensorSource) -> None:
    missing = wanted.keys() - source.names()
    if missing:
        raise WeightsError(
            f"{source.where} lacks {listed(missing)}. The files are incomplete or belong to another model."
        )
    for name, shape in wanted.items():
        if source.shape(name) != shape:
            raise WeightsError(
                f"{source.where}: tensor {name} has shape {tuple(source.shape(name))}, but the configuration says "
                f"{tuple(shape)}. The configuration does not belong to these weights."
            )


def _placed(source: TensorSource, name: str, device: torch.device, dtype: torch.dtype) -> Tensor:
    tensor = source.read(name, device)
    if not tensor.is_floating_point():
        raise WeightsError(f"{source.where}: tensor {name} is {tensor.dtype}. Quantised weights are not supported.")
    # On the CPU always copy: pages of a mapped file could be evicted and read again during a run.
    placed = tensor.to(device=device, dtype=dtype, copy=device.type == "cpu").contiguous()
    if not is_finite(placed):
        bad = int(placed.numel() - placed.isfinite().sum())
        raise WeightsError(
            f"{source.where}: tensor {name} has {bad} values that are NaN or infinite as {dtype}. "
            "The file is damaged, or its values are out of range for this precision."
        )
    return placed


def is_finite(tensor: Tensor) -> bool:
    """Whether no value is NaN or infinite: in one pass, and without a second tensor of that size."""
    if not tensor.numel():
        return True
    lowest, highest = tensor.aminmax()
    return bool(lowest.isfinite() & highest.isfinite())


def listed(names: Iterable[str], most: int = 3, what: str = "tensor") -> str:
    """Names for a message: the first few, and how many more there are."""
    every = sorted(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return f"{what}{'' if len(every) == 1 else 's'} {', '.join(every[:most])}{more}"

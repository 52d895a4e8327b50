"""Checks that a model fits into memory before loading it: on the CPU the OOM killer would end the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from firstpacket.bench.errors import WeightsError

ALLOWANCE = 1.1
"""Allowance for loading and a turn's activations on top of weights and caches, as a factor."""

CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """The memory a model needs, in bytes, and what a user can change about it."""

    weights: int
    caches: int
    device: torch.device
    options: str

    @property
    def needed(self) -> int:
        """Weights, caches, and an allowance for the work itself."""
        return round(ALLOWANCE * (self.weights + self.caches))

    def require(self) -> None:
        """Raises `WeightsError` if the device has less free; other processes may still take it before it is used."""
        free = free_bytes(self.device)
        if free is not None and free < self.needed:
            raise WeightsError(f"The model does not fit on {self.device}: {self._account(free)}")

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turn an allocation that fails while `doing` something into a `WeightsError` with the sizes."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not _is_out_of_memory(error):
                raise
            account = self._account(free_bytes(self.device))
            raise WeightsError(f"Out of memory on {self.device} while {doing}: {account}") from error

    def _account(self, free: int | None) -> str:
        known = "" if free is None else f" {_gb(free)} are free."
        return (
            f"about {_gb(self.needed)} are needed (weights {_gb(self.weights)}, caches {_gb(self.caches)}, the rest "
            f"for the work itself).{known} To reduce this, use {self.options}."
        )


def free_bytes(device: torch.device) -> int | None:
    """Free memory of a device, in bytes; None if not known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    limits = (psutil.virtual_memory().available, _left_in_cgroup(CGROUP))
    return min(limit for limit in limits if limit is not None)


def _left_in_cgroup(cgroup: Path) -> int | None:
    """Memory left under a container's limit (cgroup v2). Cached files are not counted: they can be evicted."""
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return None if limit == "max" else max(0, int(limit) - int(stat["anon"]))
    except (OSError, ValueError, KeyError):
        return None


def _is_out_of_memory(error: RuntimeError) -> bool:
    """The CPU's allocator has no exception type, only these messages."""
    said = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in said or "not enough memory" in said


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"

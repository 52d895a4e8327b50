"""Stages as NVTX ranges, for Nsight Systems and other tools that read them."""

from __future__ import annotations

from functools import cache
from typing import Any

from firstpacket.bench.errors import MissingDependency, install_command
from firstpacket.bench.timing.trace import Range, Ranges

DOMAIN = "firstpacket"


def nvtx_ranges() -> Ranges:
    """Ranges through the package `nvtx` or, without it, through torch. Raises `MissingDependency` without either.

    With no tool attached a range is cheap but not free; the worker's event cost includes it.
    """
    found = _of_the_package() or _of_torch()
    if found is None:
        raise MissingDependency(
            "--nvtx needs the package nvtx, or a CUDA build of torch. "
            f"Install it with: {install_command('nvtx')}, or leave --nvtx out."
        )
    return found


def _of_the_package() -> Ranges | None:
    try:
        import nvtx
    except ImportError:
        return None
    return cache(lambda stage: nvtx.annotate(stage, domain=DOMAIN))


def _of_torch() -> Ranges | None:
    try:
        _TorchRange(DOMAIN).__enter__()
        _TorchRange(DOMAIN).__exit__()
    except (ImportError, RuntimeError):  # builds without CUDA have the functions and refuse the call
        return None
    return cache(_TorchRange)


class _TorchRange(Range):
    """A range on the calling thread; reusable."""

    def __init__(self, stage: str) -> None:
        from torch.cuda import nvtx

        self._stage = stage
        self._nvtx: Any = nvtx

    def __enter__(self) -> None:
        self._nvtx.range_push(self._stage)

    def __exit__(self, *_: object) -> None:
        self._nvtx.range_pop()

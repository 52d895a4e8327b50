"""What this machine can do: copy bandwidth and matrix rate, measured, and checked against what is known of the chip."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from firstpacket.bench.errors import BenchError

LEAST_PLAUSIBLE = {"NVIDIA H200": (4.0e12, 700e12)}
"""Bytes per second read plus written, and bf16 operations per second, that a healthy chip gives at least."""

ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Machine:
    """`bandwidth` in bytes per second (read plus written), `rate` in operations per second at the given precision."""

    name: str
    bandwidth: float
    rate: float

    def floor_s(self, bytes_: int, operations: int) -> float:
        """Seconds that so much work takes at least: whichever of memory and arithmetic is slower."""
        return max(bytes_ / self.bandwidth, operations / self.rate)


def measure(device: torch.device, dtype: torch.dtype) -> Machine:
    """Measure the device. Raises `BenchError` when a known chip gives implausible figures."""
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else "CPU"
    return checked(Machine(name, _bandwidth(device, 2**32 if on_gpu else 2**28), _rate(device, dtype, on_gpu)), dtype)


def checked(machine: Machine, dtype: torch.dtype) -> Machine:
    """The machine, if its figures are plausible. Raises `BenchError`."""
    bandwidth, rate = LEAST_PLAUSIBLE.get(machine.name, (0.0, 0.0))
    if dtype not in (torch.bfloat16, torch.float16):
        rate = 0.0
    if machine.bandwidth < bandwidth or machine.rate < rate:
        raise BenchError(
            f"{machine.name} gave {machine.bandwidth / 1e12:.2f} TB/s and {machine.rate / 1e12:.0f} TFLOP/s, where "
            f"{bandwidth / 1e12:.1f} and {rate / 1e12:.0f} are expected at least: another process is using the GPU, "
            "or it is throttled. Check with `nvidia-smi`; a floor from these figures would flatter the pipeline."
        )
    return machine


def _bandwidth(device: torch.device, size: int) -> float:
    source = torch.empty(size, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    return 2 * size / _fastest_s(device, lambda: target.copy_(source))


def _rate(device: torch.device, dtype: torch.dtype, on_gpu: bool) -> float:
    side = 8192 if on_gpu else 1536
    # Random values: zeros would let the chip clock higher than real work does.
    left = torch.randn(side, side, device=device).to(dtype)
    right = torch.randn(side, side, device=device).to(dtype)
    out = torch.empty(side, side, device=device, dtype=dtype)
    return 2 * side**3 / _fastest_s(device, lambda: torch.mm(left, right, out=out))


def _fastest_s(device: torch.device, work: Callable[[], object]) -> float:
    """Seconds of the fastest of several rounds: a ceiling is wanted, not a typical value."""
    times = []
    for _ in range(ROUNDS):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        times.append(time.perf_counter() - start)
    return min(times[2:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

"""What a machine can do: bandwidth, matrix rate and the cost of launching an operator, measured here or published."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from firstpacket.bench.errors import BenchError
from firstpacket.bench.stats.quantiles import median
from firstpacket.pipelines.tools.roofline.operators import KINDS, Kind

LEAST_PLAUSIBLE = {"NVIDIA H200": (4.0e12, 700e12)}
"""Bytes per second read plus written, and bf16 operations per second, that a healthy chip gives at least."""

ROUNDS, LEAST_S = 7, 0.2
"""So many rounds at least, and for so long: short ones need more until one was not disturbed."""
LARGEST = 2**32
"""Bytes of the largest buffer that is read."""
LAUNCHES, BATCHES = 200, 9


@dataclass(frozen=True, slots=True)
class Machine:
    """`rate` is in operations per second at one precision."""

    name: str
    bandwidth: float
    """Bytes per second: read plus written by a copy of more than any cache keeps, or what `reading` gave if faster."""
    rate: float
    launch_s: Mapping[Kind, float] = field(default_factory=dict)
    """Median seconds from Python to Python of the smallest operator of each kind; empty where it was not measured."""

    def floor_s(self, bytes_: int, operations: int) -> float:
        """Seconds that so much work takes at least: whichever of memory and arithmetic is slower."""
        return max(bytes_ / self.bandwidth, operations / self.rate)

    def launching_s(self, operators: Mapping[Kind, int]) -> float:
        """Seconds that launching so many operators takes."""
        return sum(count * self.launch_s[kind] for kind, count in operators.items())

    def reading(self, bytes_per_second: float) -> Machine:
        """The machine as a model sees it whose weights can be read this fast: part of them may be in a cache."""
        return replace(self, bandwidth=max(self.bandwidth, bytes_per_second))


PUBLISHED = {
    "h200": Machine("NVIDIA H200", 4.3e12, 989e12 / 2),
    "l40": Machine("NVIDIA L40", 800e9, 181e12 / 2),
}
"""From the data sheets, 4.8 TB/s and 989 TFLOP/s (H200), 864 GB/s and 181 TFLOP/s (L40), dense, in 16 bit: nine tenths
of the bandwidth and half of the rate, which is about what good kernels reach."""


def measure(device: torch.device, dtype: torch.dtype) -> Machine:
    """Measure the device. Raises `BenchError` when a known chip gives implausible figures."""
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else "CPU"
    bandwidth = _copying(device, LARGEST if on_gpu else 2**28)
    return checked(Machine(name, bandwidth, _rate(device, dtype, on_gpu), _launching(device)), dtype)


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


def reading(device: torch.device, size: int) -> float:
    """Bytes per second when `size` bytes are read again and again, as a turn reads the weights of the one before.

    If they fit into a cache, that is faster than memory.
    """
    values = torch.ones(min(size, LARGEST) // 4, device=device)
    return 4 * len(values) / _fastest_s(device, values.sum)


def _copying(device: torch.device, size: int) -> float:
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


@torch.inference_mode()
def _launching(device: torch.device) -> dict[Kind, float]:
    """Seconds per operator of each kind, on one value; on a GPU until the host is free again."""
    one = torch.ones(1, 1, device=device)
    return {kind: _launch_s(device, partial(smallest, one)) for kind, smallest in KINDS.items()}


def _launch_s(device: torch.device, work: Callable[[], object]) -> float:
    times = []
    for _ in range(BATCHES):
        _wait(device)
        start = time.perf_counter()
        for _ in range(LAUNCHES):
            work()
        times.append((time.perf_counter() - start) / LAUNCHES)
    return median(times)


def _fastest_s(device: torch.device, work: Callable[[], object]) -> float:
    """Seconds of the fastest of several rounds: a ceiling is wanted, not a typical value."""
    times: list[float] = []
    while len(times) < ROUNDS or sum(times) < LEAST_S:
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        times.append(time.perf_counter() - start)
    return min(times[2:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

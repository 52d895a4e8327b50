"""Readings of a real GPU before and after its work (`make gpu`)."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace

import pytest

from firstpacket.bench.gpu.identity import identity
from firstpacket.bench.gpu.nvml import Nvml
from firstpacket.bench.metrics.gpu_figures import throttled_by
from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.run.gpu_watch import GpuWatch

pytestmark = pytest.mark.cuda
LIMIT_MS = 50
"""Readings lie outside of turns, but a run should not be made of them."""


def test_the_gpu_under_cuda_0_is_found_and_read_on_both_sides_of_its_work() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    gpu = identity("cuda:0")
    assert gpu is not None
    assert torch.cuda.get_device_name(0) in (gpu.name, "")
    watch = GpuWatch()
    watch.started(LabelFacts("direct", 0, os.getpid(), (), gpu=gpu))
    matrix = torch.randn(4096, 4096, device="cuda")
    watch.before()
    until_s = time.monotonic() + 0.5
    while time.monotonic() < until_s:
        matrix @ matrix
        torch.cuda.synchronize()
    began_s = time.perf_counter()
    (seen,) = watch.after()
    cost_ms = (time.perf_counter() - began_s) * 1000
    sys.stdout.write(f"\n{seen}\na reading takes {cost_ms:.2f} ms; throttled by {throttled_by(seen) or 'nothing'}\n")
    if seen.problem:
        pytest.skip(seen.problem)
    assert seen.before is not None
    assert seen.after is not None
    assert gpu.uuid in seen.uuid.lower()
    assert cost_ms < LIMIT_MS
    if seen.after.memory_used_bytes is not None:
        assert seen.after.memory_used_bytes > matrix.nbytes
    if seen.before.energy_mj is not None and seen.after.energy_mj is not None:
        assert seen.after.energy_mj > seen.before.energy_mj
    assert seen.after.sm_mhz is None or seen.after.sm_mhz > 0


def test_a_card_is_found_by_its_pci_address_too() -> None:
    torch = pytest.importorskip("torch")
    gpu = identity("cuda:0") if torch.cuda.is_available() else None
    nvml = Nvml.load()
    if gpu is None or isinstance(nvml, str):
        pytest.skip("no CUDA device, or no NVML")
    by_uuid, by_address = nvml.find(gpu), nvml.find(replace(gpu, uuid=""))
    assert not isinstance(by_uuid, str), by_uuid
    assert not isinstance(by_address, str), by_address
    assert by_uuid.index == by_address.index

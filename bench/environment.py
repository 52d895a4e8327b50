"""Facts about this machine. Imports no model library."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firstpacket import __version__
from firstpacket.bench import calibration
from firstpacket.bench.host.machine import machine_facts
from firstpacket.bench.pipeline import OptionValue

Facts = dict[str, OptionValue | None]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "KMP_BLOCKTIME")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as the driver's management library sees it."""

    index: int
    name: str
    memory_mib: int
    driver: str


def gpus() -> tuple[Gpu, ...]:
    """All GPUs that NVML reports; none without a driver."""
    try:
        import pynvml
    except ImportError:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        driver = str(pynvml.nvmlSystemGetDriverVersion())
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(
            Gpu(
                index, str(pynvml.nvmlDeviceGetName(handle)), pynvml.nvmlDeviceGetMemoryInfo(handle).total >> 20, driver
            )
            for index, handle in enumerate(handles)
        )
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def cuda_usable() -> bool:
    """Whether torch, in a process of its own, can use a GPU; not tried if the driver reports none."""
    if not gpus():
        return False
    question = "import torch; print(torch.cuda.is_available())"
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-c", question], capture_output=True, text=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.stdout.strip() == "True"


def facts(worker_environment: Mapping[str, str]) -> Facts:
    """The machine as it is now, for the record; `worker_environment` are the variables of the workers."""
    found: Facts = {
        "bench": __version__,
        "git_revision": git_revision(),
        "code_revision": _revision(Path.cwd()),
        "python": platform.python_version(),
        "os": platform.platform(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_mib": _memory_mib(),
        "load_1min": round(os.getloadavg()[0], 2),
        **machine_facts(),
    }
    found.update(calibration.facts(cpu_name()))
    for name in THREAD_VARIABLES:
        found[name.lower()] = worker_environment.get(name)
    for gpu in gpus():
        found[f"gpu{gpu.index}"] = gpu.name
        found[f"gpu{gpu.index}_memory_mib"] = gpu.memory_mib
        found["gpu_driver"] = gpu.driver
    return found


def _memory_mib() -> int | None:
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().total >> 20)


def cpu_name() -> str:
    """The processor's name."""
    for line in (_text(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def git_revision() -> str | None:
    """Revision of the checkout that this code runs from, with `+` if it has changes; `None` for an installed wheel."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    return _revision(root)


def _revision(folder: Path) -> str | None:
    """Revision of the repository that contains a folder, with `+` if it has changes; `None` if there is none."""
    revision = _git(folder, "rev-parse", "--short=12", "HEAD")
    if not revision:
        return None
    return revision + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def _git(root: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None

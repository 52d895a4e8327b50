"""Facts of the machine that affect timing: clocks, virtualisation, what a container may use."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from firstpacket.bench.host.cgroup import cpu_groups, quota_cores
from firstpacket.bench.host.files import number, text

CPU = Path("sys/devices/system/cpu")
CONTAINER_MARKS = {".dockerenv": "docker", "run/.containerenv": "podman"}
CONTAINER_GROUPS = {"kubepods": "kubernetes", "docker": "docker", "lxc": "lxc", "libpod": "podman"}


def machine_facts(root: Path = Path("/")) -> dict[str, str | int | float | bool | None]:
    """Facts by name; `None` for those that this system does not report. Never raises."""
    return {
        "governor": text(root / CPU / "cpu0/cpufreq/scaling_governor"),
        "boost": _boost(root),
        "smt": _switch(number(root / CPU / "smt/active")),
        "virtual_machine": _virtual_machine(root),
        "container": _container(root),
        "cpu_quota_cores": quota_cores(cpu_groups(root)),
        "on_battery": _on_battery(),
        "memory_available_mib": _available_mib(),
        "memory_pressure_percent": _pressure_percent(root),
    }


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may keep busy: those in its affinity mask, or fewer if a CPU quota is lower."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = quota_cores(cpu_groups(root))
    return cores if quota is None else max(1, min(cores, int(quota)))


def _boost(root: Path) -> bool | None:
    """Whether clocks may go beyond the base rate."""
    off = _switch(number(root / CPU / "intel_pstate/no_turbo"))
    return not off if off is not None else _switch(number(root / CPU / "cpufreq/boost"))


def _virtual_machine(root: Path) -> bool | None:
    """Whether a hypervisor shows itself: a flag of the processor on x86, a file elsewhere."""
    if (root / "sys/hypervisor/type").exists() or (root / "proc/device-tree/hypervisor").exists():
        return True
    flags = next((line for line in (text(root / "proc/cpuinfo") or "").splitlines() if line.startswith("flags")), None)
    return None if flags is None else "hypervisor" in flags.split()


def _container(root: Path) -> str | None:
    for mark, kind in CONTAINER_MARKS.items():
        if (root / mark).exists():
            return kind
    groups = text(root / "proc/self/cgroup") or ""
    return next((kind for name, kind in CONTAINER_GROUPS.items() if name in groups), None)


def _on_battery() -> bool | None:
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError, RuntimeError, ValueError):  # not every system has the call, nor sound files
        return None
    return None if battery is None or battery.power_plugged is None else not battery.power_plugged


def _available_mib() -> int | None:
    try:
        return int(psutil.virtual_memory().available >> 20)
    except (psutil.Error, OSError, ValueError):
        return None


def _pressure_percent(root: Path) -> float | None:
    """Share of the last ten seconds in which some process waited for memory: `some avg10=1.23 …`."""
    first, _, _ = (text(root / "proc/pressure/memory") or "").partition("\n")
    _, found, rest = first.partition("avg10=")
    try:
        return float(rest.split()[0]) if found else None
    except (IndexError, ValueError):
        return None


def _switch(found: int | None) -> bool | None:
    return None if found is None else bool(found)

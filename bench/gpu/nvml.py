"""NVML, the driver's management library, queried from the manager: it needs no CUDA context and disturbs no kernel.

Nothing here raises: cards, drivers and containers differ in what they report, and a missing value is `None`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firstpacket.bench.record.gpu import GpuIdentity, GpuReading
from firstpacket.bench.sanitize import reason

REASONS = {
    0x01: "idle",
    0x02: "applications_clocks",
    0x04: "sw_power_cap",
    0x08: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal",
    0x40: "hw_thermal",
    0x80: "power_brake",
    0x100: "display_clock",
}
"""NVML's bits of why clocks are where they are (nvml.h, clocks event reasons)."""
COUNTERS = {74: "sw_power_cap", 76: "sync_boost", 269: "sw_thermal", 270: "hw_thermal", 271: "power_brake"}
"""NVML's fields that count for how long, in ns (nvml.h, clocks event reason counters)."""
WHOLE = {1: "uiVal", 2: "ulVal", 3: "ullVal"}
"""Where a field's value lies, by its type (nvml.h, nvmlValueType_t): the whole numbers without a sign."""
SUCCESS = 0
FIRST_PROCESS_IDS = "pid:[4026531836]"
"""Inode of the initial PID namespace (PROC_PID_INIT_INO), in which all processes are visible."""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU that was found: clocks come from `card`, memory and processes from `part` (`None`: not available)."""

    card: Any
    part: Any
    uuid: str
    index: int | None
    mig: bool


class Nvml:
    """NVML through the module `library` (pynvml)."""

    def __init__(self, library: Any, sees_all_processes: bool) -> None:
        self._library = library
        self._sees_all_processes = sees_all_processes
        self._refusal = ""

    @classmethod
    def load(cls) -> Nvml | str:
        """NVML on this machine, or the reason why it is not available."""
        try:
            import pynvml

            pynvml.nvmlInit()
        except Exception as error:  # no package, no driver, no permission
            return reason(error)
        return cls(pynvml, sees_all_processes())

    def find(self, identity: GpuIdentity) -> Device | str:
        """The GPU with that identity, or the reason why it was not found."""
        nvml = self._library
        names = [prefix + identity.uuid for prefix in ("GPU-", "MIG-", "")] if identity.uuid else []
        found = next((each for name in names if (each := self._ask(nvml.nvmlDeviceGetHandleByUUID, name))), None)
        if found is None and identity.pci_bus_id:
            found = self._ask(nvml.nvmlDeviceGetHandleByPciBusId, identity.pci_bus_id)
        if found is None:
            return self._refusal or "it reports neither a UUID nor a PCI address"
        is_part = bool(self._ask(nvml.nvmlDeviceIsMigDeviceHandle, found))
        card = self._ask(nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle, found) if is_part else found
        divided = self._ask(nvml.nvmlDeviceGetMigMode, card)
        mig = is_part or bool(divided and divided[0])
        index = self._ask(nvml.nvmlDeviceGetIndex, card)
        uuid = self._ask(nvml.nvmlDeviceGetUUID, found)
        return Device(card, found if is_part or not mig else None, str(uuid or identity.uuid), index, mig)

    def read(self, device: Device, workers: Collection[int], ours: Callable[[int], bool], at_ns: int) -> GpuReading:
        """Read the device now. `workers` are the run's processes expected on it; `ours` knows all of the run's."""
        nvml, card, part = self._library, device.card, device.part
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, part) if part is not None else None
        found = GpuReading(
            at_ns,
            sm_mhz=self._ask(nvml.nvmlDeviceGetClockInfo, card, nvml.NVML_CLOCK_SM),
            memory_mhz=self._ask(nvml.nvmlDeviceGetClockInfo, card, nvml.NVML_CLOCK_MEM),
            reasons=self._reasons(card),
            held_back_ns=self._held_back_ns(card),
            temperature_c=self._ask(nvml.nvmlDeviceGetTemperature, card, nvml.NVML_TEMPERATURE_GPU),
            memory_used_bytes=int(memory.used) if memory is not None else None,
            foreign_processes=self._foreign(part, workers, ours) if part is not None else None,
        )
        if device.mig:
            return found
        power_mw = self._ask(nvml.nvmlDeviceGetPowerUsage, card)
        return replace(found, power_mw=power_mw, energy_mj=self._ask(nvml.nvmlDeviceGetTotalEnergyConsumption, card))

    @property
    def refusal(self) -> str:
        """What NVML said when it last refused."""
        return self._refusal

    def _ask(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return ask(*arguments)
        except Exception as error:  # NVMLError; from unlike versions of library and driver also others
            self._refusal = reason(error)
            return None

    def _reasons(self, card: Any) -> tuple[str, ...] | None:
        nvml = self._library
        bits = self._ask(nvml.nvmlDeviceGetCurrentClocksEventReasons, card)
        if bits is None:  # drivers before 535 know them by their first name
            bits = self._ask(nvml.nvmlDeviceGetCurrentClocksThrottleReasons, card)
        return None if bits is None else tuple(name for bit, name in REASONS.items() if bits & bit)

    def _held_back_ns(self, card: Any) -> dict[str, int] | None:
        values = self._ask(self._library.nvmlDeviceGetFieldValues, card, list(COUNTERS))
        known = {
            COUNTERS[value.fieldId]: int(getattr(value.value, WHOLE[value.valueType]))
            for value in values or ()
            if value.fieldId in COUNTERS and value.valueType in WHOLE and value.nvmlReturn == SUCCESS
        }
        return known or None

    def _foreign(self, part: Any, workers: Collection[int], ours: Callable[[int], bool]) -> int | None:
        """Process ids are trusted only where the run's own are among them: NVML may count in another namespace."""
        running = self._ask(self._library.nvmlDeviceGetComputeRunningProcesses, part)
        pids = {process.pid for process in running or ()}
        if not pids & set(workers):
            return None
        foreign = sum(not ours(pid) for pid in pids)
        return foreign if foreign or self._sees_all_processes else None


def sees_all_processes() -> bool:
    """Whether this process sees every process of the machine; one in a container does not."""
    try:
        return str(Path("/proc/self/ns/pid").readlink()) == FIRST_PROCESS_IDS
    except OSError:
        return False

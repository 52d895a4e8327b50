"""The driver's library as a made machine has it: cards, instances of a divided card, and what they refuse to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

NOT_SUPPORTED, NOT_FOUND, NO_PERMISSION, GPU_IS_LOST = "Not Supported", "Not Found", "Insufficient Permissions", "lost"


class NVMLError(Exception):
    """What pynvml raises for every refusal."""


@dataclass(eq=False)
class Card:
    """One card or, with `parent`, one instance of it; `refused` are the functions that it does not support."""

    uuid: str
    pci: str = ""
    index: int = 0
    sm_mhz: int = 1980
    memory_mhz: int = 2619
    bits: int = 0
    counters: dict[int, int] = field(default_factory=dict)
    temperature_c: int = 40
    power_mw: int = 90_000
    energy_mj: int = 1000
    used: int = 1 << 30
    pids: tuple[int, ...] = ()
    divided: bool = False
    parent: Card | None = None
    refused: dict[str, str] = field(default_factory=dict)


class FakeNvml:
    """As much of the module pynvml as is asked; give it in the module's place."""

    NVMLError = NVMLError
    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    def __init__(self, *cards: Card) -> None:
        self.cards = cards
        self.asked: list[str] = []

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Card:
        return self._find("uuid", uuid)

    def nvmlDeviceGetHandleByPciBusId(self, pci: str) -> Card:
        return self._find("pci", pci)

    def nvmlDeviceIsMigDeviceHandle(self, card: Card) -> int:
        return int(card.parent is not None)

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, card: Card) -> Card:
        assert card.parent is not None
        return card.parent

    def nvmlDeviceGetMigMode(self, card: Card) -> list[int]:
        self._allow(card, "mig")
        return [int(card.divided), int(card.divided)]

    def nvmlDeviceGetIndex(self, card: Card) -> int:
        return card.index

    def nvmlDeviceGetUUID(self, card: Card) -> str:
        return card.uuid

    def nvmlDeviceGetMemoryInfo(self, card: Card) -> Any:
        self._allow(card, "memory")
        return SimpleNamespace(used=card.used)

    def nvmlDeviceGetClockInfo(self, card: Card, kind: int) -> int:
        self._allow(card, "clocks")
        return card.sm_mhz if kind == self.NVML_CLOCK_SM else card.memory_mhz

    def nvmlDeviceGetCurrentClocksEventReasons(self, card: Card) -> int:
        self._allow(card, "reasons")
        return card.bits

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, card: Card) -> int:
        self._allow(card, "old reasons")
        return card.bits

    def nvmlDeviceGetFieldValues(self, card: Card, fields: list[int]) -> list[Any]:
        self._allow(card, "fields")
        return [self._field(card, number) for number in fields]

    def nvmlDeviceGetTemperature(self, card: Card, sensor: int) -> int:
        self._allow(card, "temperature")
        return card.temperature_c

    def nvmlDeviceGetPowerUsage(self, card: Card) -> int:
        self._allow(card, "power")
        return card.power_mw

    def nvmlDeviceGetTotalEnergyConsumption(self, card: Card) -> int:
        self._allow(card, "energy")
        return card.energy_mj

    def nvmlDeviceGetComputeRunningProcesses(self, card: Card) -> list[Any]:
        self._allow(card, "processes")
        return [SimpleNamespace(pid=pid) for pid in card.pids]

    def _find(self, name: str, value: str) -> Card:
        for card in self.cards:
            if getattr(card, name) == value:
                return card
        raise NVMLError(NOT_FOUND)

    def _allow(self, card: Card, what: str) -> None:
        self.asked.append(what)
        refusal = card.refused.get(what) or card.refused.get("everything")
        if refusal:
            raise NVMLError(refusal)

    @staticmethod
    def _field(card: Card, number: int) -> Any:
        if number not in card.counters:
            return SimpleNamespace(fieldId=number, valueType=0, nvmlReturn=3, value=SimpleNamespace())
        value = SimpleNamespace(ullVal=card.counters[number])
        return SimpleNamespace(fieldId=number, valueType=3, nvmlReturn=0, value=value)

"""The GPU is read before and after turns: the right one, outside the turn, and what it does not report is absent."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.fake_nvml import GPU_IS_LOST, NO_PERMISSION, NOT_SUPPORTED, Card, FakeNvml

from firstpacket.bench.codec import decode, encode
from firstpacket.bench.gpu import nvml
from firstpacket.bench.gpu.identity import identity_of
from firstpacket.bench.gpu.nvml import Nvml
from firstpacket.bench.host.listeners import LocalServer
from firstpacket.bench.record.gpu import GpuIdentity, GpuTelemetry
from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.run.gpu_watch import GpuWatch

A = GpuIdentity("aaaa", "00000000:65:00.0")
WORKER, STRANGER = 4711, 99


def watch(*cards: Card, sees_all: bool = True) -> GpuWatch:
    library = FakeNvml(*cards)
    return GpuWatch(lambda: Nvml(library, sees_all), lambda: 5, lambda pid: pid == WORKER)


def beside(watching: GpuWatch, gpu: GpuIdentity | None = A) -> GpuTelemetry:
    watching.started(LabelFacts("direct", 1, WORKER, (), gpu=gpu))
    watching.before()
    (found,) = watching.after()
    return found


def test_every_gpu_counter_is_read_before_and_after_the_turn() -> None:
    card = Card("GPU-aaaa", index=3, pids=(WORKER,), counters={74: 10, 269: 0})
    watching = watch(Card("GPU-bbbb", index=0), card)
    watching.started(LabelFacts("direct", 1, WORKER, (), gpu=A))
    watching.before()
    card.energy_mj, card.sm_mhz, card.bits, card.counters[74] = 9000, 1410, 0x04 | 0x40, 5_000_010
    (seen,) = watching.after()
    assert (seen.uuid, seen.index, seen.labels, seen.mig, seen.problem) == ("GPU-aaaa", 3, ("direct",), False, "")
    assert seen.before is not None
    assert seen.after is not None
    assert (seen.before.sm_mhz, seen.after.sm_mhz) == (1980, 1410)
    assert (seen.before.energy_mj, seen.after.energy_mj) == (1000, 9000)
    assert (seen.before.reasons, seen.after.reasons) == ((), ("sw_power_cap", "hw_thermal"))
    assert seen.before.held_back_ns == {"sw_power_cap": 10, "sw_thermal": 0}
    assert seen.after.held_back_ns == {"sw_power_cap": 5_000_010, "sw_thermal": 0}
    assert (seen.after.temperature_c, seen.after.power_mw, seen.after.memory_used_bytes) == (40, 90_000, 1 << 30)
    assert seen.after.foreign_processes == 0
    assert decode(GpuTelemetry, encode(seen)) == seen


def test_a_server_of_the_system_is_no_other_process() -> None:
    watching = watch(Card("GPU-aaaa", pids=(WORKER, os.getpid(), STRANGER)))
    server = LocalServer("http://localhost", (os.getppid(),))
    watching.started(LabelFacts("direct", 1, WORKER, (), gpu=A, servers=(server,)))
    watching.before()
    (seen,) = watching.after()
    assert seen.after is not None and seen.after.foreign_processes == 1, "the stranger"


def test_the_gpu_is_found_by_its_identity_not_its_cuda_index() -> None:
    """cuda:0 of the worker is the machine's last card; its number says nothing."""
    cards = [Card(f"GPU-{letter * 4}", f"00000000:{65 + n}:00.0", n) for n, letter in enumerate("cba")]
    assert beside(watch(*cards)).index == 2
    assert beside(watch(*cards), GpuIdentity("", "00000000:66:00.0")).uuid == "GPU-bbbb"
    assert beside(watch(*cards), GpuIdentity("no such", "00000000:66:00.0")).uuid == "GPU-bbbb"


def test_torch_properties_identify_the_gpu() -> None:
    properties = SimpleNamespace(uuid="AAAA", pci_domain_id=0, pci_bus_id=0x65, pci_device_id=0, name="H200")
    assert identity_of(properties) == GpuIdentity("aaaa", "00000000:65:00.0", "H200")
    assert identity_of(SimpleNamespace(uuid="GPU-aaaa", name="H200")) == GpuIdentity("aaaa", "", "H200")
    assert identity_of(SimpleNamespace(name="H200")) is None


@pytest.mark.parametrize(
    ("what", "field"),
    [
        ("clocks", "sm_mhz"),
        ("fields", "held_back_ns"),
        ("temperature", "temperature_c"),
        ("power", "power_mw"),
        ("energy", "energy_mj"),
        ("memory", "memory_used_bytes"),
        ("processes", "foreign_processes"),
    ],
)
def test_a_failing_counter_is_absent_and_the_rest_is_read(what: str, field: str) -> None:
    found = beside(watch(Card("GPU-aaaa", pids=(WORKER,), counters={74: 0}, refused={what: NOT_SUPPORTED}))).after
    assert found is not None
    assert getattr(found, field) is None
    others = {"sm_mhz", "temperature_c", "power_mw", "energy_mj", "memory_used_bytes", "foreign_processes"} - {field}
    assert all(getattr(found, each) is not None for each in others)


def test_throttle_reasons_are_read_by_their_old_name_too() -> None:
    found = beside(watch(Card("GPU-aaaa", bits=0x81, refused={"reasons": "Function Not Found"}))).after
    assert found is not None
    assert found.reasons == ("idle", "power_brake")


@pytest.mark.parametrize(
    ("pids", "sees_all", "foreign"),
    [
        ((WORKER,), True, 0),
        ((WORKER, STRANGER), True, 1),
        ((WORKER, STRANGER), False, 1),
        ((WORKER,), False, None),  # in a container, others may be hidden
        ((STRANGER,), True, None),  # the run's own worker is missing: these are the ids of another namespace
        ((), True, None),
    ],
)
def test_other_processes_are_counted_only_if_all_are_visible(
    pids: tuple[int, ...], sees_all: bool, foreign: int | None
) -> None:
    found = beside(watch(Card("GPU-aaaa", pids=pids), sees_all=sees_all)).after
    assert found is not None
    assert found.foreign_processes == foreign


def test_an_instance_of_a_card_has_its_own_memory_and_the_cards_clocks() -> None:
    card = Card("GPU-cccc", index=1, divided=True, sm_mhz=1000, refused={"memory": NO_PERMISSION})
    refused = dict.fromkeys(("clocks", "temperature", "power", "energy"), NOT_SUPPORTED)
    found = beside(watch(card, Card("MIG-aaaa", used=7, pids=(WORKER,), parent=card, refused=refused)))
    assert found.mig
    assert (found.uuid, found.index) == ("MIG-aaaa", 1)
    assert found.after is not None
    assert (found.after.sm_mhz, found.after.memory_used_bytes, found.after.foreign_processes) == (1000, 7, 0)
    assert (found.after.energy_mj, found.after.power_mw) == (None, None), "the card's are not the instance's"


def test_of_an_unknown_mig_instance_only_gpu_wide_counters_are_read() -> None:
    found = beside(watch(Card("GPU-aaaa", divided=True, pids=(WORKER, STRANGER)))).after
    assert found is not None
    assert found.sm_mhz == 1980
    assert (found.memory_used_bytes, found.foreign_processes, found.energy_mj) == (None, None, None)


def test_a_gpu_that_vanishes_between_the_readings_is_reported() -> None:
    card = Card("GPU-aaaa")
    watching = watch(card)
    watching.started(LabelFacts("direct", 1, WORKER, (), gpu=A))
    watching.before()
    card.refused["everything"] = GPU_IS_LOST
    (found,) = watching.after()
    assert found.before is not None
    assert found.after is None
    assert GPU_IS_LOST in found.problem


def test_without_driver_or_gpu_the_run_continues_with_a_notice() -> None:
    no_driver = GpuWatch(lambda: "NVMLError: Driver Not Loaded")
    assert "Driver Not Loaded" in beside(no_driver).problem
    assert "Not Found" in beside(watch(Card("GPU-bbbb"))).problem


def test_on_the_cpu_the_driver_is_not_loaded() -> None:
    def never() -> Nvml:
        raise AssertionError

    watching = GpuWatch(never)
    watching.started(LabelFacts("cascade", 1, WORKER, ()))
    watching.before()
    assert watching.after() == ()


def test_labels_on_one_gpu_share_a_reading_even_after_a_restart() -> None:
    card = Card("GPU-aaaa", pids=(WORKER, 5, STRANGER))
    library = FakeNvml(card)
    watching = GpuWatch(lambda: Nvml(library, True), belongs=lambda pid: pid in (WORKER, 5, 6))
    watching.started(LabelFacts("direct", 1, WORKER, (), gpu=A))
    watching.started(LabelFacts("cascade", 1, 5, (), gpu=A))
    watching.started(LabelFacts("cascade", 1, 6, (), gpu=A))
    watching.before()
    card.pids = (6, STRANGER)
    (found,) = watching.after()
    assert found.labels == ("direct", "cascade")
    assert found.after is not None
    assert found.after.foreign_processes == 1


def test_processes_that_this_one_started_are_its_own() -> None:
    from firstpacket.bench.run import gpu_watch

    assert gpu_watch._descends_from_here(os.getpid())
    assert not gpu_watch._descends_from_here(1)
    assert not gpu_watch._descends_from_here(2**22 + 1)


def test_the_kernel_tells_whether_all_processes_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "readlink", lambda path: Path("pid:[4026532999]"))
    assert not nvml.sees_all_processes()
    monkeypatch.setattr(Path, "readlink", lambda path: Path(nvml.FIRST_PROCESS_IDS))
    assert nvml.sees_all_processes()


def test_the_real_library_has_every_function_that_is_used() -> None:
    """The made library must not promise what the real one does not have."""
    pynvml = pytest.importorskip("pynvml")
    promised = [name for name in dir(FakeNvml) if name.lower().startswith("nvml")]
    assert [name for name in promised if not hasattr(pynvml, name)] == []
    assert {name: getattr(FakeNvml, name) for name in promised if name.startswith("NVML_")} == {
        name: getattr(pynvml, name) for name in promised if name.startswith("NVML_")
    }
    names = {74: "SW_POWER_CAP", 76: "SYNC_BOOST", 269: "SW_THERM_SLOWDOWN", 270: "HW_THERM_SLOWDOWN"}
    for number, name in (names | {271: "HW_POWER_BRAKE_SLOWDOWN"}).items():
        known = getattr(pynvml, f"NVML_FI_DEV_CLOCKS_EVENT_REASON_{name}", number)
        assert known == number
    assert nvml.COUNTERS.keys() == {74, 76, 269, 270, 271}

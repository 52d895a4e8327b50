"""Measures machine and turns in alternation, in one process, so that both see the same other work on the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch

from firstpacket.bench import registry
from firstpacket.bench.contract import Keyed
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.metrics.figures import TurnFigures
from firstpacket.bench.record.schema import System
from firstpacket.pipelines.tools.roofline.estimate import Load, Repetition, Spread, SystemRoofline, roofline
from firstpacket.pipelines.tools.roofline.machine import Machine, measure, reading
from firstpacket.pipelines.tools.roofline.turns import LoadedSystem, declared

WARM_UP = 5
"""Turns of each system before the first repetition."""


@dataclass(frozen=True, slots=True)
class Roofline:
    """What was measured on which machine, and the systems in the order in which they were given."""

    machine: str
    dtype: str
    repetitions: int
    """0: nothing was measured, the figures of the machine are published ones."""
    turns: int
    """Per repetition and system."""
    copy_gb_s: Spread
    """Bandwidth of memory, read plus written."""
    rate_tflop_s: Spread
    launch_us: dict[str, Spread]
    """Cost of launching an operator, by kind: `matrix`, `view` and `other`."""
    systems: Annotated[tuple[SystemRoofline, ...], Keyed("label")]


def measured(systems: Sequence[System], clips: Sequence[Utterance], repetitions: int) -> Roofline:
    """Load the systems, and measure the machine and one turn per clip and system, again and again.

    All systems have the same device and precision. Raises `UsageError` if the floor of one is not known, or it does not
    answer.
    """
    loaded: list[LoadedSystem] = []
    try:
        loaded += (LoadedSystem(system) for system in systems)
        loads = [_load(system, clips) for system in loaded]
        for system in loaded:
            for number in range(WARM_UP):
                system.turn(clips[number % len(clips)])
        device, dtype = torch.device(systems[0].device), getattr(torch, systems[0].dtype)
        seen = [_repetition(number, loaded, loads, clips, device, dtype) for number in range(repetitions)]
    finally:
        for system in loaded:
            system.close()
    machines = [machine for machine, _ in seen]
    by_system = [[turns[place] for _, turns in seen] for place in range(len(loaded))]
    return _roofline(machines, systems[0].dtype, repetitions, len(clips), loads, by_system)


def by_arithmetic(systems: Sequence[System], clips: Sequence[Utterance], machine: Machine) -> Roofline:
    """The floors on a machine whose figures are known; nothing is loaded. Raises `UsageError` as `measured` does."""
    loads = []
    for system in systems:
        pipeline = registry.pipeline(system.pipeline)(system.settings)
        loads.append(Load(system.label, [declared(pipeline, system, clip) for clip in clips], {}))
    by_system = [[Repetition(machine, ())] for _ in loads]
    return _roofline([machine], systems[0].dtype, 0, len(clips), loads, by_system)


def _load(system: LoadedSystem, clips: Sequence[Utterance]) -> Load:
    works = [system.work(clip) for clip in clips]
    system.turn(clips[0])  # what runs only once is not counted
    return Load(system.label, works, system.operators(clips[len(clips) // 2]), system.on_gpu)


def _repetition(
    number: int,
    loaded: Sequence[LoadedSystem],
    loads: Sequence[Load],
    clips: Sequence[Utterance],
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[Machine, list[Repetition]]:
    """The machine, then the systems turn by turn in alternating order, after a turn each that fills caches again."""
    machine = measure(device, dtype)
    machines = [machine.reading(reading(device, load.read_bytes)) for load in loads]
    turns: list[list[TurnFigures]] = [[] for _ in loaded]
    for system in loaded:
        system.turn(clips[0])
    for place, clip in enumerate(clips):
        order = range(len(loaded))
        for index in order if (place + number) % 2 else reversed(order):
            turns[index].append(loaded[index].turn(clip))
    return machine, [Repetition(own, seen) for own, seen in zip(machines, turns, strict=True)]


def _roofline(
    machines: Sequence[Machine],
    dtype: str,
    repetitions: int,
    turns: int,
    loads: Sequence[Load],
    by_system: Sequence[Sequence[Repetition]],
) -> Roofline:
    return Roofline(
        machines[0].name,
        dtype,
        repetitions,
        turns,
        Spread.of([each.bandwidth / 1e9 for each in machines]),
        Spread.of([each.rate / 1e12 for each in machines]),
        {kind: Spread.of([each.launch_s[kind] * 1e6 for each in machines]) for kind in machines[0].launch_s},
        tuple(roofline(load, seen, by_system[0]) for load, seen in zip(loads, by_system, strict=True)),
    )

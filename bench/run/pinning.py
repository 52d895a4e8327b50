"""The CPUs that workers are pinned to."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from firstpacket.bench.errors import UsageError
from firstpacket.bench.options import parse_pin


def pinned_cpus(pin: str | None) -> frozenset[int]:
    """The CPUs that the option names; empty without it. Raises `UsageError` for CPUs that this process may not use."""
    if pin is None:
        return frozenset()
    cpus = parse_pin(pin)
    if not hasattr(os, "sched_getaffinity"):
        raise UsageError(f"--pin {pin}: this system cannot pin processes to CPUs, Linux can. Remove the option.")
    usable = os.sched_getaffinity(0)
    if not cpus <= usable:
        raise UsageError(
            f"--pin {pin}: this process may not use CPU {listed(cpus - usable)}. Choose from {listed(usable)}."
        )
    return cpus


def listed(cpus: Collection[int]) -> str:
    """CPUs as text, ordered: the same for the same CPUs."""
    return ",".join(map(str, sorted(cpus)))


@contextmanager
def pinned(cpus: Collection[int]) -> Iterator[None]:
    """Processes that the body starts run on these CPUs only, before they load anything; on any if there are none given.

    A new process inherits the CPUs of the thread that starts it, so this thread moves to them meanwhile.
    """
    if not cpus:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

"""Wakes a waiting thread at once although every core is busy, where Linux can (6.12 and later).

A thread with a short time slice need not wait, when it is woken, until another has used up a longer one
(`sched_setattr(2)`, `sched_runtime`). So it waits with a short slice, and gets its own back before it does anything
else: what it then does is scheduled as ever.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial

SLICE_NS = 500_000
"""Shorter than the kernel's default, which is at least 0.7 ms, and longer than it takes to pass the clip on."""
_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275)}
"""Numbers of sched_setattr and sched_getattr: C libraries may have no functions for them."""
_FAIR = (0, 3)
"""SCHED_OTHER and SCHED_BATCH; under other policies `runtime` means something else."""


class _Attributes(ctypes.Structure):
    """`struct sched_attr` in its first version."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


@contextmanager
def prompt_wake_up() -> Iterator[None]:
    """Meanwhile this thread has a short time slice; nothing changes where the system cannot or does not permit that."""
    attributes = _own_attributes()
    before_ns = attributes.runtime if attributes is not None and attributes.policy in _FAIR else 0
    if attributes is None or before_ns <= SLICE_NS:  # 0 before Linux 6.12
        yield
        return
    attributes.runtime = SLICE_NS
    _set(attributes)
    attributes.runtime = before_ns
    try:
        yield
    finally:
        _set(attributes)


def _own_attributes() -> _Attributes | None:
    attributes, calls = _Attributes(), _calls()
    if calls is None or calls[1](0, ctypes.byref(attributes), ctypes.sizeof(attributes), 0) != 0:
        return None
    return attributes


def _set(attributes: _Attributes) -> None:
    calls = _calls()
    if calls is not None:
        calls[0](0, ctypes.byref(attributes), 0)


@cache
def _calls() -> tuple[partial[int], partial[int]] | None:
    """sched_setattr and sched_getattr; None where their numbers are not known."""
    if not sys.platform.startswith("linux") or platform.machine() not in _CALLS:
        return None
    syscall = ctypes.PyDLL(None).syscall  # keeps the GIL: another thread must not get it in between
    write, read = _CALLS[platform.machine()]
    return partial(syscall, write), partial(syscall, read)

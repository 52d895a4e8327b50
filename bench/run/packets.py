"""What a pipeline yields, made safe to keep: samples that nobody else can change, or an error for the plugin's author.

This runs after a packet's arrival was stamped and before the pipeline continues, so the pipeline may use its buffer
again for the next packet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any

import numpy as np

from firstpacket.bench.pipeline import Packet, Samples
from firstpacket.bench.timing.spans import HandOff

RATES = range(1000, 768_001)
LOUDEST = 1.5
"""Synthesis may overshoot full scale a little; integers mistaken for floats overshoot a lot."""
LONGEST_S, MOST_PACKETS = 600, 200_000
"""Of a reply: a longer one never ends, and would fill the memory before the deadline."""
DUE = "a packet needs a float32 NumPy array of shape (n,), mono, in [-1, 1]"


def packets_of(answer: object) -> Iterator[object]:
    """What `respond` returned, as an iterator. Raises `TypeError` if it is none."""
    if isinstance(answer, Iterable) and not isinstance(answer, (str, bytes)):
        return iter(answer)
    hint = "It must be `def`, not `async def`, and yield." if hasattr(answer, "__aiter__") else "It must yield them."
    raise TypeError(f"respond() returned {_described(answer)} instead of an iterator of packets. {hint}")


def checked(given: object, first_rate: int | None) -> Packet:
    """The packet with its own copy of the samples, as float32 of shape `(n,)`, and its rate as int.

    Floats of any width, whole numbers of any type as the rate, and axes of length 1 are converted: no sample changes.
    `first_rate` is that of the reply's first packet. Raises `TypeError` or `ValueError` with what came and what is due.
    """
    if not isinstance(given, Packet):
        raise TypeError(f"respond() yielded {_described(given)}; it must yield Packet objects")
    if not (given.after is None or isinstance(given.after, HandOff)):
        raise TypeError(
            f"a packet's `after` is {_described(given.after)}; it must be what trace.hand_off() returned, or None"
        )
    return Packet(_samples(given.samples), _rate(given.sample_rate, first_rate), given.after)


def check_length(packets: int, samples: int, rate: int) -> None:
    """Raises `ValueError` for a reply that is too long by now."""
    if samples > LONGEST_S * rate or packets > MOST_PACKETS:
        raise ValueError(f"the reply does not end: it has more than {LONGEST_S} s or {MOST_PACKETS:,} packets")


def _rate(given: Any, first_rate: int | None) -> int:
    number = given.item() if isinstance(given, np.ndarray) and given.size == 1 else given
    is_whole = not isinstance(number, bool) and isinstance(number, Real) and float(number).is_integer()
    if not is_whole or int(number) not in RATES:
        raise ValueError(
            f"a packet has sample rate {_described(given)}; it must be a whole number of Hz from {RATES[0]} to "
            f"{RATES[-1]}"
        )
    if first_rate not in (None, int(number)):
        raise ValueError(f"a packet has sample rate {int(number)} Hz, but the first one had {first_rate} Hz")
    return int(number)


def _samples(given: object) -> Samples:
    if not isinstance(given, np.ndarray) or isinstance(given, np.ma.MaskedArray):
        raise TypeError(f"a packet has {_described(given)} as samples; {DUE}.{_conversion(given)}")
    if given.dtype.kind != "f":
        raise TypeError(f"a packet has {given.dtype} samples; {DUE}.{_conversion(given)}")
    if not given.size:
        raise ValueError("a packet has no samples; yield nothing where there is no sound")
    if given.size != max(given.shape, default=0):
        raise ValueError(f"a packet has samples of shape {given.shape}; {DUE}. Mix the channels before yielding it.")
    peak = float(np.abs(given).max())
    if not math.isfinite(peak):
        raise ValueError("a packet has NaN or infinite samples")
    if peak > LOUDEST:
        raise ValueError(f"a packet has samples up to {peak:.3g}; they must be in [-1, 1]")
    return np.array(given, np.float32).reshape(-1)


def _conversion(given: object) -> str:
    """How to make an array of the usual other things that have samples, as a sentence after a space."""
    if type(given).__module__.partition(".")[0] == "torch":
        return " Convert it with .detach().float().cpu().numpy(), inside `with trace.device_wait():`."
    if isinstance(given, (bytes, bytearray)):
        return " Convert 16-bit PCM with np.frombuffer(pcm, np.int16) / np.float32(32768)."
    if isinstance(given, np.ndarray):
        return f" Divide by np.float32({2 ** (8 * given.dtype.itemsize - 1)})." if given.dtype.kind == "i" else ""
    return " Convert it with np.asarray(samples, np.float32)." if isinstance(given, (list, tuple, memoryview)) else ""


def _described(given: object) -> str:
    """The type, and what else is short and safe to print."""
    kind = type(given)
    if given is None:
        return "None"
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    if isinstance(given, (str, Real)):
        return f"{given if isinstance(given, Real) else repr(given[:40])} ({name})"
    shape = getattr(given, "shape", None)
    return f"{name} of shape {tuple(shape)}" if isinstance(shape, tuple) else name

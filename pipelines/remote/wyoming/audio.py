"""Audio in events: 16-bit PCM, checked, since the format is whatever a server says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.remote.wyoming.protocol import Event, WyomingError

WIDTH = 2
RATES = range(4000, 192_001)
MOST_CHANNELS = 2


def format_of(rate: int) -> dict[str, Any]:
    """The fields of an event that describe mono 16-bit audio."""
    return {"rate": rate, "width": WIDTH, "channels": 1}


@dataclass(frozen=True, slots=True)
class Format:
    """The format of a server's audio."""

    rate: int
    channels: int


def read_format(event: Event) -> Format:
    """The format that an event states. Raises `WyomingError` for one that is impossible, or not 16-bit."""
    rate, width, channels = (_whole(event, name) for name in ("rate", "width", "channels"))
    if rate not in RATES or width != WIDTH or channels not in range(1, MOST_CHANNELS + 1):
        raise WyomingError(
            f"its audio has {str(rate)[:12]} Hz, {str(width)[:12]} bytes per sample and {str(channels)[:12]} channels; "
            f"this takes {RATES[0]} to {RATES[-1]} Hz, {WIDTH} bytes, and mono or stereo"
        )
    return Format(rate, channels)


def _whole(event: Event, name: str) -> int:
    value = event.data.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise WyomingError(f"its event {event.type} does not say the {name} of its audio")
    return value


class Audio:
    """The audio of one reply, from its events; a sample may be split between two of them."""

    def __init__(self) -> None:
        self._format: Format | None = None
        self._rest = b""

    def take(self, event: Event) -> tuple[Samples, int] | None:
        """Samples `(n,)` and their rate, if the event brings any.

        Raises `WyomingError` for an impossible format, one that changes, and audio that ends within a sample.
        """
        if event.type == "audio-stop":
            if self._rest:
                raise WyomingError("its audio ends in the middle of a sample")
            return None
        form = read_format(event)
        if self._format not in (None, form):
            raise WyomingError(f"its audio changes from {_words(self._format)} to {_words(form)}")
        self._format = form
        return self._samples(event.payload, form) if event.type == "audio-chunk" else None

    def _samples(self, payload: bytes, form: Format) -> tuple[Samples, int] | None:
        data = self._rest + payload
        whole = len(data) - len(data) % (WIDTH * form.channels)
        self._rest = data[whole:]
        if not whole:
            return None
        frames = np.frombuffer(data[:whole], "<i2").reshape(-1, form.channels)
        return (frames.mean(axis=1) / 32768).astype(np.float32), form.rate


def _words(form: Format | None) -> str:
    return "nothing" if form is None else f"{form.rate} Hz ({'mono' if form.channels == 1 else 'stereo'})"

"""Messages between a voice's process and its parent (see `firstpacket.bench.ipc`).

    parent → voice   load · speak · next · stop
    voice → parent   ready · refused · chunk · done · failed

The voice answers `load` and every `next` with one message, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firstpacket.bench.pipeline import OptionValue, Weights


@dataclass(frozen=True, slots=True)
class Load:
    """Create this engine and load it."""

    engine: str
    device: str
    dtype: str
    seed: int
    options: Mapping[str, OptionValue]


@dataclass(frozen=True, slots=True)
class Speak:
    """Begin a phrase."""

    text: str


@dataclass(frozen=True, slots=True)
class Next:
    """Give the phrase's next chunk."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Abandon the phrase; no answer follows."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Loaded, with the engine's facts."""

    weights: tuple[Weights, ...]
    facts: Mapping[str, OptionValue]


@dataclass(frozen=True, slots=True)
class Refused:
    """Not loaded; `kind` is the class in `firstpacket.bench.errors`."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: number of float32 bytes that follow, rate in Hz, and when the engine worked on it."""

    size: int
    rate: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Done:
    """End of the phrase, and when the engine worked to find that out."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The engine raised something while speaking."""

    message: str


MESSAGES: dict[str, type] = {
    "load": Load,
    "speak": Speak,
    "next": Next,
    "stop": Stop,
    "ready": Ready,
    "refused": Refused,
    "chunk": Chunk,
    "done": Done,
    "failed": Failed,
}

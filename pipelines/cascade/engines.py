"""The interfaces of the cascade's three engines.

An engine is a class derived from `ASR`, `LLM` or `TTS` and an entry point of the group `firstpacket.asr`, `.llm` or
`.tts`. Its module must import no model library before `load`. The names of its options begin with its role
(`asr-model`), since all options of a cascade share one namespace.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from firstpacket.bench.pipeline import Declaration, OptionValue, Samples, Settings, Speech, Weights
from firstpacket.bench.timing.trace import Trace


class Engine(ABC):
    """What all three have in common. `settings` are those of the whole cascade, the engine's options among them."""

    declaration: ClassVar[Declaration]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def on_gpu(self) -> bool:
        """Whether its work may run on the run's device and should be timed there."""
        return self.declaration.gpu != "none"

    @abstractmethod
    def load(self) -> None:
        """Load models. Raises `UsageError`, `MissingDependency` or `WeightsError` with a message for people."""

    def prepare(self, trace: Trace) -> None:  # noqa: B027 (deliberately empty: most engines have nothing to prepare)
        """Get ready for a turn, outside its time, as in `Pipeline.prepare`: make the connection that it will use."""

    def close(self) -> None:  # noqa: B027 (deliberately empty: many engines have nothing to release)
        """Release what `load` acquired; called once, even after failures."""

    def weights(self) -> tuple[Weights, ...]:
        """Origins of the weights in use; valid after `load`."""
        return ()

    def facts(self) -> Mapping[str, OptionValue]:
        """Further facts for the manifest; valid after `load`."""
        return {}

    def servers(self) -> tuple[str, ...]:
        """URLs of the servers that do its work, as in `Pipeline.servers`; valid after `load`."""
        return ()

    def notices(self) -> tuple[str, ...]:
        """What a reader of its figures should know, as in `Pipeline.notices`; valid after `load`."""
        return ()


class ASR(Engine):
    """Speech to text."""

    @abstractmethod
    def transcribe(self, speech: Speech, trace: Trace) -> str:
        """The transcript; empty if nothing was recognised.

        The engine opens its own `asr` spans, around its work and not around the wait for the next frame.
        Lets `TurnCancelled` pass.
        """


class LLM(Engine):
    """Text to text."""

    @abstractmethod
    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        """Yield the answer in pieces, one per token, each computed on demand.

        A piece may be empty (an incomplete character); joined, they are the whole answer. The calling chain opens the
        spans `llm.prefill` and `llm.decode`; the engine marks where it waits for its device.
        """


class TTS(Engine):
    """Text to sound."""

    @abstractmethod
    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        """Chunks of mono float32 samples `(n,)` in [-1, 1] with their rate in Hz, each as soon as it exists.

        Threads must have ended when the iterator is exhausted or closed. The calling chain opens the span `tts`.
        """


def cause(error: BaseException) -> str:
    """The first line of a library's error as a sentence; with the second line if the first one ends in a colon."""
    lines = [line.strip()[:200] for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    said = " ".join(lines[: 2 if lines[0].endswith(":") else 1])
    # The text of a KeyError is the bare key.
    return (f"KeyError {said}" if isinstance(error, KeyError) else said).rstrip(".:!") + "."

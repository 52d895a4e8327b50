"""What the cascade asks of its three engines.

An engine is a class derived from `ASR`, `LLM` or `TTS` and an entry point of the group `firstpacket.asr`, `.llm` or
`.tts`. Its module must import no model library before `load`. The names of its options begin with its role
(`asr-model`), since all options of a cascade stand side by side in one label.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from firstpacket.bench.errors import MissingDependency, install_command
from firstpacket.bench.pipeline import Declaration, OptionValue, Samples, Settings, Speech, Weights
from firstpacket.bench.timing.trace import Trace


class Engine(ABC):
    """What all three have in common. `settings` are those of the whole cascade, the engine's options among them."""

    declaration: ClassVar[Declaration]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def on_gpu(self) -> bool:
        """Whether its work may be on the run's device, and is to be timed there."""
        return self.declaration.gpu != "none"

    @abstractmethod
    def load(self) -> None:
        """Get ready. Raises `UsageError`, `MissingDependency` or `WeightsError` with a message for people."""

    def close(self) -> None:  # noqa: B027 (an empty default is meant: many engines hold nothing)
        """Release what `load` took; called once, also after failures."""

    def weights(self) -> tuple[Weights, ...]:
        """Origins of the weights in use; valid after `load`."""
        return ()

    def facts(self) -> Mapping[str, OptionValue]:
        """Further facts for the manifest; valid after `load`."""
        return {}


class ASR(Engine):
    """Speech to text."""

    @abstractmethod
    def transcribe(self, speech: Speech, trace: Trace) -> str:
        """What was said; empty when nothing was heard.

        The engine opens its own `asr` spans, around its work and not around the wait for the next frame.
        Lets `TurnCancelled` pass.
        """


class LLM(Engine):
    """Text to text."""

    @abstractmethod
    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        """The answer piece by piece: one piece per token, computed when it is asked for.

        A piece may be empty (half a character); joined they are the whole answer. The chain that asks opens the spans
        `llm.prefill` and `llm.decode`; the engine marks where it waits for its device.
        """


class TTS(Engine):
    """Text to sound."""

    @abstractmethod
    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        """Chunks of mono float32 samples `(n,)` in [-1, 1] with their rate in Hz, each as soon as it exists.

        Threads must have ended when the iterator is exhausted or closed. The chain that asks opens the span `tts`.
        """


def imported(module: str, extra: str, user: str) -> Any:
    """The module. Raises `MissingDependency` with the pip command for the `extra` that brings it; `user` needs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependency(
            f"{user} needs {module}, which cannot be imported: {error}. Install it with: {install_command(extra)}"
        ) from error


def cause(error: BaseException) -> str:
    """The first line of what a library said, as a sentence; with the second if the first announces it."""
    lines = [line.strip()[:200] for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    said = " ".join(lines[: 2 if lines[0].endswith(":") else 1])
    # The text of a KeyError is the bare key.
    return (f"KeyError {said}" if isinstance(error, KeyError) else said).rstrip(".:!") + "."

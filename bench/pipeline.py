"""The contract that pipelines meet.

A pipeline is a class with a `declaration` (readable without importing any model library) and four methods. It is
registered as an entry point of the group `firstpacket.pipelines`; nothing in this tree has to change to add one:

    class Echo(Pipeline):
        declaration = Declaration(
            name="echo", kind="direct", summary="Says back what it heard.", stages=(Stage("encoder", "listen"),)
        )

        def load(self) -> None: ...

        def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
            with trace.stage("encoder"):
                samples = speech.whole()
            yield Packet(samples, speech.sample_rate, after=trace.hand_off("encoder"))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from firstpacket.bench.errors import UsageError
from firstpacket.bench.timing.trace import HandOff, Trace
from firstpacket.bench.vocabulary import Architecture, StageKind

Samples = npt.NDArray[np.float32]
Role = Literal["wait", "listen", "think", "speak", "move"]
Origin = Literal["published", "dummy", "demo", "bundled", "none"]
"""Of weights: from the hub or a folder, random, trained in this project, brought by a package, or not loaded here."""
OptionValue = str | int | float | bool

SAMPLE_RATE = 16_000
"""Rate at which every pipeline hears the user, in Hz."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A named part of a pipeline; the role lays unlike pipelines side by side, the kind says which figures it has."""

    id: str
    role: Role
    kind: StageKind = "other"


@dataclass(frozen=True, slots=True)
class Option:
    """One option that a label may set: `name=value` after the pipeline's name.

    The type of `default` is the type of the option. `choices`, if any, are the only values allowed;
    `engines` names an entry-point group (`asr`, `llm`, `tts`) whose members are the choices. `chooses` says that the
    value names the engine of all stages of that kind.
    """

    name: str
    default: OptionValue
    help: str
    choices: tuple[OptionValue, ...] = ()
    engines: str = ""
    chooses: StageKind | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something that must be importable, and the extra of this distribution that brings it."""

    module: str
    extra: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a pipeline (or an engine of one) says of itself before anything is loaded."""

    name: str
    summary: str
    kind: Architecture = "other"
    """Of a pipeline; engines have none."""
    stages: tuple[Stage, ...] = ()
    options: tuple[Option, ...] = ()
    requires: tuple[Requirement, ...] = ()
    starts_before_speech_ends: bool = False
    overlaps: bool = False
    """Whether every stage works on what the one before has ready while that one goes on with the rest."""
    finds_speech_end: bool = False
    """Whether it listens for the end of speech by itself: then it gets silence after it, and needs realtime input."""
    gpu: Literal["none", "optional", "required"] = "none"
    install: str = ""
    """Command that installs it, for plugins from elsewhere; empty means the extras of `requires`."""

    def engines(self, values: Mapping[str, OptionValue]) -> dict[StageKind, str]:
        """By kind of stage, the engine that these values of its options name."""
        return {option.chooses: str(values[option.name]) for option in self.options if option.chooses}


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked of one label: where it runs and with which options (checked, defaults filled in)."""

    device: str = "cpu"
    dtype: str = "float32"
    seed: int = 0
    options: Mapping[str, OptionValue] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The option as text."""
        return str(self.options[name])

    def whole(self, name: str) -> int:
        """The option as a whole number."""
        return int(self.options[name])

    def number(self, name: str) -> float:
        """The option as a number."""
        return float(self.options[name])

    def switch(self, name: str) -> bool:
        """The option as true or false."""
        return bool(self.options[name])


@dataclass(frozen=True, slots=True)
class Weights:
    """Where one set of weights came from; printed by every report."""

    part: str
    """What they are of; those of the language model are of the part `llm`, whatever the pipeline."""
    origin: Origin
    source: str
    detail: str = ""
    """What else people should know, such as the family of the model: `Llama`."""
    parameters: int | None = None
    """How many numbers they are; None where that is not known."""

    @property
    def size(self) -> str:
        """`parameters` for people, `3.2 M` or `8.0 B`; empty where they are not known."""
        if self.parameters is None:
            return ""
        return f"{self.parameters / 1e9:.1f} B" if self.parameters >= 1e9 else f"{self.parameters / 1e6:.1f} M"


@dataclass(frozen=True, slots=True)
class Packet:
    """A piece of the spoken answer in host memory.

    `samples` is mono float32 in [-1, 1] at `sample_rate` Hz, shape `(n,)`. `after` is the hand-off that caused it; the
    critical path is walked back from there.
    """

    samples: Samples
    sample_rate: int
    after: HandOff | None = None


class Speech(Protocol):
    """The user's speech as it is heard: 16 kHz mono float32."""

    @property
    def sample_rate(self) -> int:
        """Always `SAMPLE_RATE`."""
        ...

    @property
    def language(self) -> str:
        """Language of the recording as the corpus gives it, for example `en`."""
        ...

    def frames(self) -> Iterator[Samples]:
        """Frames in the order of delivery, blocking until the next one is due; ends where speech ends.

        With realtime input a frame is 20 ms (the last may be shorter); with file input everything comes at once.
        Raises `TurnCancelled` when the turn was called off.
        """
        ...

    def whole(self) -> Samples:
        """All of the user's speech, shape `(n,)`; blocks until it has ended. Raises `TurnCancelled`."""
        ...

    def microphone(self) -> Iterator[Samples]:
        """Frames of 20 ms as a microphone delivers them: speech, then silence, until the turn is over.

        For pipelines whose declaration says `finds_speech_end`; others hear nothing after the end of speech.
        Raises `TurnCancelled`.
        """
        ...


class TurnCancelled(Exception):
    """Raised inside `respond` when the harness called the turn off; let it pass."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one stage must at least do for the first packet: bytes to read and write, and arithmetic operations.

    A multiplication and an addition count as two operations.
    """

    stage: str
    bytes: int
    operations: int


@dataclass(frozen=True, slots=True)
class Match:
    """How a pipeline is made like another one, so that a difference between them is one of architecture."""

    options: Mapping[str, OptionValue]
    """What to set."""
    same: tuple[str, ...]
    """What is then the same in both, for people."""
    different: tuple[str, ...]
    """What stays different, for people."""


class Pipeline(ABC):
    """A voice assistant: hears one utterance, answers with audio packets."""

    declaration: ClassVar[Declaration]

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; a subclass may refuse values here with a `UsageError`, importing no model library."""
        self.settings = settings

    @classmethod
    def declare(cls, chosen: Mapping[str, OptionValue]) -> Declaration:
        """The declaration that holds for the options a user chose.

        Pipelines made of engines add those of the chosen ones here; it must import no model library.
        Raises `UnknownName` for an engine that does not exist.
        """
        return cls.declaration

    @classmethod
    def match(cls, chosen: Mapping[str, OptionValue], other: str, others: Mapping[str, OptionValue]) -> Match:
        """How this pipeline with the options `chosen` is made like the pipeline `other` with all options `others`.

        Asked of pipelines that have an option `matched`. Raises `UsageError` if it cannot be.
        """
        raise UsageError(f"'{cls.declaration.name}' cannot be matched with '{other}'.")

    @abstractmethod
    def load(self) -> None:
        """Load weights and start engines. Called once in the worker, before the first turn; timed as the cold start.

        Raises `MissingDependency` or `WeightsError` with a message for people.
        """

    @abstractmethod
    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Answer one utterance; yield each packet as soon as it could be played.

        Turns are independent: nothing of an earlier turn may change the answer. Threads started here must have ended
        when the iterator is exhausted or closed.
        """

    def close(self) -> None:  # noqa: B027 (an empty default is meant: many pipelines hold nothing)
        """Release what `load` took. Called once, also after failures."""

    def weights(self) -> tuple[Weights, ...]:
        """Origins of all weights in use; valid after `load`."""
        return ()

    def work(self) -> tuple[Work, ...]:
        """The work of the first packet by stage, for the roofline; valid after `load`. Empty if it is not known."""
        return ()

    def facts(self) -> Mapping[str, OptionValue]:
        """Further facts for the manifest, valid after `load`: sizes, kernels chosen, threads."""
        return {}

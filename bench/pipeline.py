"""The interface that pipelines implement.

A pipeline is a class with a `declaration` (readable without importing any model library) and four methods. It is
registered as an entry point of the group `firstpacket.pipelines`; nothing in this tree has to change to add one:

    class Echo(Pipeline):
        declaration = Declaration(
            name="echo", kind="direct", summary="Repeats what it heard.", stages=(Stage("encoder", "listen"),)
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
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import HandOff, Trace
from firstpacket.bench.vocabulary import Architecture, Outcome, StageKind

Samples = npt.NDArray[np.float32]
Role = Literal["wait", "listen", "think", "speak", "move", "opaque"]
"""What a stage does, so that pipelines can be compared. `opaque` is work that cannot be looked into: a server's, all of
it."""
Origin = Literal["published", "dummy", "demo", "bundled", "none"]
"""Where weights come from: the hub or a folder, random values, this project's training, a package, or not loaded "
"here."""
OptionValue = str | int | float | bool

SAMPLE_RATE = 16_000
"""Sample rate of the user's speech, in Hz, for every pipeline."""


class TurnEnded(Exception):
    """Raise it in `prepare` or `respond` where a turn ended neither with an answer nor with an error of the pipeline.

    `outcome` is one of `firstpacket.bench.vocabulary.OUTCOMES`; `reason` says why in a sentence, for people.
    """

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Stage:
    """A named part of a pipeline; roles make pipelines comparable, the kind decides which metrics it has."""

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
    """A module that must be importable, and the extra of this distribution that installs it."""

    module: str
    extra: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a pipeline (or an engine of one) declares about itself before anything is loaded."""

    name: str
    summary: str
    kind: Architecture = "other"
    """For a pipeline; engines have none."""
    stages: tuple[Stage, ...] = ()
    options: tuple[Option, ...] = ()
    requires: tuple[Requirement, ...] = ()
    starts_before_speech_ends: bool = False
    overlaps: bool = False
    """Whether each stage starts on partial output of the previous one while that one is still working."""
    finds_speech_end: bool = False
    """Whether it detects the end of speech itself: it then receives the silence that follows, and needs realtime "
    "input."""
    speech_end_given: str = ""
    """The option with which it would not, such as `endpoint=oracle`: it is told when the user has finished."""
    gpu: Literal["none", "optional", "required"] = "none"
    needs_server: bool = False
    """Whether it works only with a server that the user runs."""
    details: tuple[str, ...] = ()
    """More that `bench list` says of it, a line each."""
    install: str = ""
    """Command that installs it, for third-party plugins; empty means the extras of `requires`."""

    def engines(self, values: Mapping[str, OptionValue]) -> dict[StageKind, str]:
        """The engine chosen by these option values, by kind of stage."""
        return {option.chooses: str(values[option.name]) for option in self.options if option.chooses}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one system: where it runs, and its options (checked, defaults filled in)."""

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
    """The part they belong to; the language model is the part `llm` in every pipeline."""
    origin: Origin
    source: str
    detail: str = ""
    """Anything else worth reporting, such as the model family: `Llama`."""
    parameters: int | None = None
    """Number of parameters; None if not known."""

    @property
    def size(self) -> str:
        """`parameters` for people, `3.2 M` or `8.0 B`; empty if not known."""
        if self.parameters is None:
            return ""
        return f"{self.parameters / 1e9:.1f} B" if self.parameters >= 1e9 else f"{self.parameters / 1e6:.1f} M"


@dataclass(frozen=True, slots=True)
class Packet:
    """A piece of the spoken answer in host memory.

    `samples` is mono float32 in [-1, 1] at `sample_rate` Hz, shape `(n,)`; the harness copies them before it asks for
    the next packet. `after` is the hand-off that caused it; the critical path is traced back from there.
    """

    samples: Samples
    sample_rate: int
    after: HandOff | None = None


class Speech(Protocol):
    """The user's speech as it arrives: 16 kHz mono float32."""

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

        With realtime input a frame is 20 ms (the last may be shorter); with file input there is a single frame. Raises
        `TurnCancelled` when the turn was cancelled.
        """
        ...

    def whole(self) -> Samples:
        """All of the user's speech, shape `(n,)`; blocks until it has ended. Raises `TurnCancelled`."""
        ...

    @property
    def over(self) -> bool:
        """Whether the frame given last came after the end of the user's speech, and is silence."""
        ...

    def microphone(self) -> Iterator[Samples]:
        """Frames of 20 ms as a microphone delivers them: speech, then the room's noise, until the turn is over.

        For pipelines that declare `finds_speech_end`; others receive nothing after the end of speech.
        Raises `TurnCancelled`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """The least work one stage must do for the first packet: bytes read and written, and arithmetic operations.

    A multiplication and an addition count as two operations.
    """

    stage: str
    bytes: int
    operations: int


@dataclass(frozen=True, slots=True)
class Match:
    """How to match a pipeline to another one, so that the remaining difference is one of architecture."""

    options: Mapping[str, OptionValue]
    """Options to set."""
    same: tuple[str, ...]
    """What both pipelines then share, for people."""
    different: tuple[str, ...]
    """What still differs, for people."""


class Pipeline(ABC):
    """A voice assistant: takes one utterance, answers with audio packets."""

    declaration: ClassVar[Declaration]

    def __init__(self, settings: Settings) -> None:
        """Store the settings; a subclass may raise `UsageError` for them, but must not import a model library."""
        self.settings = settings

    @classmethod
    def declare(cls, chosen: Mapping[str, OptionValue]) -> Declaration:
        """The declaration for the options a user chose.

        Pipelines made of engines add those of the chosen ones here; it must import no model library.
        Raises `UnknownName` for an engine that does not exist.
        """
        return cls.declaration

    @classmethod
    def match(cls, chosen: Mapping[str, OptionValue], other: str, others: Mapping[str, OptionValue]) -> Match:
        """How to match this pipeline, with the options `chosen`, to the pipeline `other`, whose options are `others`.

        Called for pipelines that have an option `matched`. Raises `UsageError` if they cannot be matched.
        """
        raise UsageError(f"'{cls.declaration.name}' cannot be matched with '{other}'.")

    @abstractmethod
    def load(self) -> None:
        """Load weights and start engines. Called once in the worker, before the first turn; timed as the cold start.

        Raises `MissingDependency` or `WeightsError` with a message for people.
        """

    def prepare(self, trace: Trace) -> None:  # noqa: B027 (deliberately empty: most pipelines have nothing to prepare)
        """Get ready for a turn, outside its time: make the connection that it will use.

        Called before every `respond`, with the same trace, before the user begins to speak. What it raises is the
        turn's outcome: `TurnEnded`, or an error. Within 25 s; then the process is killed.
        """

    @abstractmethod
    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Answer one utterance; yield each packet as soon as it could be played.

        Turns are independent: no earlier turn may affect the answer. Threads started here must have ended when the
        iterator is exhausted or closed. A cancelled turn (`trace.cancellation`) is given up within two seconds by
        raising `TurnCancelled`, or the process is killed and the turn's trace with it.
        """

    @classmethod
    def replay(cls, options: Mapping[str, OptionValue], trace: TurnTrace) -> TurnTrace:
        """The trace with what follows from its messages derived again: stages, marks, texts, the server's figures.

        `bench recompute` calls it for turns that have messages, and compares; `options` are those of the system. It
        depends on nothing else: no network, no clock, nothing loaded. In a redacted run, texts in the messages are
        placeholders, and the texts that follow from them are not compared.
        """
        return trace

    def close(self) -> None:  # noqa: B027 (deliberately empty: many pipelines have nothing to release)
        """Release what `load` acquired. Called once, even if `load` failed, unless the process died.

        If `respond` or `load` does not end when the run wants to stop, this is called from another thread meanwhile,
        and the process ends after it. Within 5 s; then it is killed, with all processes that it started.
        """

    def weights(self) -> tuple[Weights, ...]:
        """Origins of all weights in use; valid after `load`."""
        return ()

    def servers(self) -> tuple[str, ...]:
        """URLs of the servers that do a part of its work; valid after `load`.

        Processes of those on this machine count as the system's own, not as other work on the machine.
        """
        return ()

    def notices(self) -> tuple[str, ...]:
        """What a reader of its figures should know of how it was loaded, in a sentence or two each; after `load`."""
        return ()

    def work(self, speech_s: float) -> tuple[Work, ...]:
        """Work that is left for the first packet once the user has spoken for so many seconds, by stage.

        For the roofline. Empty if not known; some pipelines know it only after `load`.
        """
        return ()

    def facts(self) -> Mapping[str, OptionValue]:
        """Further facts for the manifest, valid after `load`: sizes, kernels chosen, threads."""
        return {}

"""What the manager expects of whatever answers for a label: a process of its own, or one in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.pipeline import OptionValue
from firstpacket.bench.record.beside import Collections
from firstpacket.bench.record.gpu import GpuProfile
from firstpacket.bench.record.schema import AUDIBLE, Audible, Delivery, InputMode, LabelFacts, Outcome
from firstpacket.bench.run.protocol import Instrument
from firstpacket.bench.timing.spans import TurnTrace


@dataclass(frozen=True, slots=True)
class LabelRequest:
    """One label as it was asked for: options are checked, defaults filled in."""

    label: str
    pipeline: str
    device: str
    dtype: str
    seed: int
    options: dict[str, OptionValue]
    finds_speech_end: bool = False
    """Whether silence is to follow the end of speech."""
    instruments: tuple[Instrument, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """How turns are put: input mode, deadline for the first packet (ns after t0), and what counts as an answer."""

    input: InputMode
    deadline_ns: int
    audible: Audible = AUDIBLE


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one turn."""

    outcome: Outcome
    delivery: Delivery
    trace: TurnTrace
    reply_levels: tuple[float, ...] = ()
    audio: str = ""
    reason: str = ""
    flags: tuple[str, ...] = ()
    collections: Collections | None = None
    """Garbage collections of the label's process, where it has one of its own."""
    profile: GpuProfile | None = None


class Respondent(Protocol):
    """Answers for one label. A failing pipeline is a `Reply`, not an exception."""

    @property
    def ready(self) -> bool:
        """Whether a turn can be asked without starting first."""
        ...

    def start(self) -> LabelFacts:
        """Load the pipeline. Raises `BenchError` with the reason if it cannot be."""
        ...

    def ask(self, turn: int, utterance: Utterance, rules: Rules, keep_audio: str) -> Reply:
        """Put one utterance and wait until the turn is over, one way or another."""
        ...

    def stop(self) -> None:
        """End it; may be called at any time, more than once."""
        ...

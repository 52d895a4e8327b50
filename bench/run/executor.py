"""The interface of executors, which run turns on one system: in this process, or in a worker of any version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.options import LeaveAfter
from firstpacket.bench.record.schema import InputMode, LabelFacts, TurnResult

NO_PACKET = "no packet by the deadline"
"""The reason of a turn that timed out."""


@dataclass(frozen=True, slots=True)
class TurnConfig:
    """How turns are run: input mode, the deadline for the first packet, ns after t0, and when they are over."""

    input: InputMode
    deadline_ns: int
    leave_after: LeaveAfter = "reply"


class Executor(Protocol):
    """Runs turns on one system. A failing pipeline is a `TurnResult`, not an exception."""

    @property
    def ready(self) -> bool:
        """Whether a turn can be run without starting first."""
        ...

    def start(self) -> LabelFacts:
        """Load the pipeline. Raises `BenchError` with the reason if it cannot be loaded."""
        ...

    def run(self, turn: int, utterance: Utterance, config: TurnConfig, keep_audio: str = "") -> TurnResult:
        """Play one utterance and wait until the turn is over, however it ends.

        `turn` is its number, which is also in the result. The reply is written to the file `keep_audio`, if given.
        """
        ...

    def stop(self) -> tuple[str, ...]:
        """Stop the system; may be called at any time, more than once.

        Returns the names of processes that it had started and left running; they have been ended.
        """
        ...

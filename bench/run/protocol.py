"""The messages between manager and worker (`firstpacket.bench.ipc`).

    manager → worker   hello · prepare · frame · speech_over · cancel · close
    worker → manager   loaded · refused · prepared · first_packet · result

Messages of a turn carry its number: a worker ignores messages for any turn but the one in flight, and the manager
rejects them. `hello` carries the protocol version; a worker of another version refuses. The worker's standard output
and error go to a log, so nothing that a library prints can disturb the protocol.
"""

from __future__ import annotations

import base64
import signal
from dataclasses import dataclass
from typing import Literal

import numpy as np

from firstpacket.bench.options import LeaveAfter
from firstpacket.bench.pipeline import Samples
from firstpacket.bench.record.schema import LabelFacts, System, TurnResult

VERSION = 4
REPORT = signal.SIGUSR1
"""On this signal a worker writes to its log where all its threads are."""
Instrument = Literal["nvtx", "profiler"]
"""Instrumentation besides the trace: stages as NVTX ranges, or every turn under the GPU profiler."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Start: which system. Its stages are left out: the worker declares them itself."""

    version: int
    system: System
    instruments: tuple[Instrument, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepare:
    """Get ready for a turn. With file input the speech comes along and is released by `SpeechOver`."""

    turn: int
    language: str
    speech: str = ""
    keep_audio: str = ""
    """File to write the reply to; empty for none."""
    leave_after: LeaveAfter = "reply"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of the user's speech, base64 of little-endian float32."""

    turn: int
    samples: str


@dataclass(frozen=True, slots=True)
class SpeechOver:
    """The user has finished speaking; with file input, the whole clip is handed over by this.

    Frames that follow are silence, sent to pipelines that find the end of speech by themselves.
    """

    turn: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class Close:
    """Release everything and end."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The pipeline cannot be loaded, and why, for people."""

    message: str
    unexpected: bool = False
    """Whether it is an error of the plugin, whose traceback is in the log, rather than one it explains."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Ready for the turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class FirstPacket:
    """Sent right after the first packet was stamped, so that it is known even if the worker then fails."""

    turn: int
    at_ns: int
    samples: int
    sample_rate: int


MESSAGES: dict[str, type] = {
    "hello": Hello,
    "prepare": Prepare,
    "frame": Frame,
    "speech_over": SpeechOver,
    "cancel": Cancel,
    "close": Close,
    "loaded": LabelFacts,
    "refused": Refused,
    "prepared": Prepared,
    "first_packet": FirstPacket,
    "result": TurnResult,
}


def pack_samples(samples: Samples) -> str:
    """Samples as text."""
    return base64.b64encode(samples.astype("<f4").tobytes()).decode("ascii")


def unpack_samples(text: str) -> Samples:
    """Text as samples."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)

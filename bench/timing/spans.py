"""What the instrumentor saw in one turn, as plain frozen values.

All `_ns` fields are stamps on the host's monotonic clock. GPU spans have been put on that same line, each with the
error that doing so may have made.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HandOff:
    """The moment at which an item left `stage`, on the thread that let go of it."""

    id: int
    stage: str
    thread: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class GpuSpan:
    """The window between two events on one stream, on the host's line; `error_ns` bounds each border's error."""

    stream: int
    start_ns: int
    end_ns: int
    error_ns: int


@dataclass(frozen=True, slots=True)
class StageSpan:
    """One interval of a stage's work on one host thread, with its GPU span if it has one.

    `after` is the id of the hand-off whose item this work began with; `released_by` is that of the one for which it did
    nothing but wait.
    """

    stage: str
    thread: int
    start_ns: int
    end_ns: int
    after: int | None = None
    first_output_ns: int | None = None
    gpu: GpuSpan | None = None
    released_by: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceWait:
    """An interval in which a host thread did nothing but wait for the GPU."""

    thread: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A named moment."""

    name: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text produced during the turn, and when: `kind` is `partial`, `transcript`, `reply` or `shortcoming`."""

    kind: str
    text: str
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one turn, as counted by the language model's engine or server."""

    prompt_tokens: int
    reply_tokens: int
    at_ns: int = 0
    cached_tokens: int | None = None
    """Tokens of the prompt that were taken from a prefix cache; None if not reported."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message exchanged with a server. `at_ns`: when it was read, before it was parsed, or began to be written."""

    sent: bool
    type: str
    """As the server names it."""
    at_ns: int
    bytes: int
    """Length as it was on the line, without framing."""
    done_ns: int = 0
    """When a message that was sent had been written."""
    due_ns: int = 0
    """When a message that was sent was due: audio is due once the microphone has delivered it."""
    id: str = ""
    """The id that the server gave it, or its response or item."""
    audio_bytes: int = 0
    """Bytes of audio in it, decoded."""
    position_ns: int = 0
    """For audio that was sent: where it begins on the connection's own audio time line."""
    body: str = ""
    """What it says: its JSON without audio. For audio that was sent: `silence` if it came after the user's speech."""


@dataclass(frozen=True, slots=True)
class Session:
    """A connection to a server (or several) that was made for this turn, before the user began to speak."""

    begun_ns: int
    open_ns: int
    """The connection stood: TCP, TLS and the upgrade to the protocol."""
    ready_ns: int
    """The server was ready for speech."""
    renewed: bool = False
    """Whether it replaced one that was to be used for this turn, but had ended."""

    def joined(self, other: Session) -> Session:
        """Both as one, for systems that connect to several servers: ready when the last one is."""
        return Session(
            min(self.begun_ns, other.begun_ns),
            max(self.open_ns, other.open_ns),
            max(self.ready_ns, other.ready_ns),
            self.renewed or other.renewed,
        )


@dataclass(frozen=True, slots=True)
class ServerFigure:
    """A time that a server states about its own work: by its own clock, from and to events of its own choice."""

    name: str
    ns: int


@dataclass(frozen=True, slots=True)
class PacketStamp:
    """A packet's arrival at the harness; `thread` is the one that received it."""

    at_ns: int
    samples: int
    sample_rate: int
    thread: int
    after: int | None = None


@dataclass(frozen=True, slots=True)
class TurnTrace:
    """Everything seen in one turn, in order of time within each field."""

    spans: tuple[StageSpan, ...] = ()
    hand_offs: tuple[HandOff, ...] = ()
    waits: tuple[DeviceWait, ...] = ()
    marks: tuple[Mark, ...] = ()
    texts: tuple[Text, ...] = ()
    packets: tuple[PacketStamp, ...] = ()
    usage: Usage | None = None
    """None if the engine reported no counts."""
    messages: tuple[Message, ...] = ()
    session: Session | None = None
    """None if the turn used a connection that was there, or none."""
    server_figures: tuple[ServerFigure, ...] = ()
    round_trips_ns: tuple[int, ...] = ()
    """Times to the server and back, of pings outside the turn's time."""
    events: int = 0
    """Number of recorded events; multiplied by the cost of one, this is the instrumentation overhead of the turn."""

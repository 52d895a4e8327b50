"""The pipeline `realtime`: any server that speaks OpenAI's Realtime API, over a WebSocket.

One thread sends the user's speech as it comes; the library's thread stamps what arrives; the turn itself parses,
decodes, and hands over packets.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from threading import Event as Flag
from typing import ClassVar

from firstpacket.bench.pipeline import (
    Declaration,
    OptionValue,
    Packet,
    Pipeline,
    Requirement,
    Settings,
    Speech,
    Stage,
    TurnEnded,
    Weights,
)
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import Clock, MonotonicClock
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import KnownMark
from firstpacket.pipelines.optional import imported
from firstpacket.pipelines.remote.problems import ServerError
from firstpacket.pipelines.remote.realtime.audio import decode
from firstpacket.pipelines.remote.realtime.connection import Connection
from firstpacket.pipelines.remote.realtime.dialect import dialects, load_dialect
from firstpacket.pipelines.remote.realtime.options import OPTIONS, address_from, config_from, turns_of
from firstpacket.pipelines.remote.realtime.session import output_rate
from firstpacket.pipelines.remote.realtime.sessions import Sessions
from firstpacket.pipelines.remote.realtime.timeline import (
    AUDIO,
    ENDPOINT,
    REPLY,
    UPLINK,
    WAIT,
    build_timeline,
    replayed,
)
from firstpacket.pipelines.remote.realtime.turn import Turn
from firstpacket.pipelines.remote.transport import Connect

PING_TIMEOUT_S = 1.0
LONGEST_LISTENING_S = 10.0
"""How long the next turn of a conversation waits at most for the reply to be played."""
READ_LATE_NS = 5_000_000
"""How long a message may wait to be read before the turn is flagged."""
SEND_STOP_S = 1.0
"""How long to wait for a blocked write once the turn is over."""


class Realtime(Pipeline):
    """Sends speech to a server and plays its reply."""

    declaration = Declaration(
        name="realtime",
        kind="remote",
        summary="Any server with OpenAI's Realtime API or a dialect of it; keys come from the environment only.",
        stages=(
            Stage(UPLINK, "move"),
            Stage(ENDPOINT, "wait", "endpoint"),
            Stage(WAIT, "opaque"),
            Stage(REPLY, "move"),
        ),
        options=OPTIONS,
        requires=(Requirement("websockets", "realtime"),),
        finds_speech_end=True,
        needs_server=True,
        details=tuple(f"dialect {each.name}  {each.summary}; checked: {each.checked}" for each in dialects().values()),
    )
    connect: ClassVar[Connect | None] = None
    """The transport; None: a WebSocket."""
    clock: ClassVar[Callable[[], Clock]] = MonotonicClock
    """The clock at loading; turns have their trace's."""

    @classmethod
    def declare(cls, chosen: Mapping[str, OptionValue]) -> Declaration:
        """The declaration; with manual turns, the end of speech is given and not detected."""
        dialect = load_dialect(str(chosen.get("dialect", "openai")))
        manual_option = "turns=manual" if "manual" in dialect.turns else ""
        if turns_of(str(chosen.get("turns", "")), dialect) != "manual":
            return replace(cls.declaration, speech_end_given=manual_option)
        stages = tuple(stage for stage in cls.declaration.stages if stage.id != ENDPOINT)
        return replace(cls.declaration, stages=stages, finds_speech_end=False, speech_end_given=manual_option)

    @classmethod
    def replay(cls, options: Mapping[str, OptionValue], trace: TurnTrace) -> TurnTrace:
        """What follows from a turn's messages, derived again. Raises `UsageError` if the dialect no longer exists."""
        return replayed(trace, load_dialect(str(options["dialect"])))

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for options that do not fit the dialect, and for secrets in the address."""
        super().__init__(settings)
        self._dialect = load_dialect(settings.text("dialect"))
        self._config = config_from(settings, self._dialect)
        self._address = address_from(settings, self._dialect)
        self._sessions: Sessions | None = None
        self._current: tuple[Connection, Turn] | None = None
        self._plays_until_ns = 0
        self._facts: dict[str, OptionValue] = {}
        self._notices: tuple[str, ...] = ()

    def load(self) -> None:
        """Open a session, to see whether the server allows it. Raises `ServerError` or `MissingDependency`."""
        imported("websockets", "realtime", "The pipeline realtime")
        from firstpacket.pipelines.remote.websocket import open_websocket

        one_for_each_turn = self.settings.text("conversation") == "turn"
        self._sessions = Sessions(self._address, self._config, one_for_each_turn, type(self).connect or open_websocket)
        try:
            connection = self._sessions.try_out(type(self).clock())
        except TurnEnded as ended:
            raise ServerError(
                f"{self._address.target.url}: {str(ended).rstrip('.')}. Check that the server is running, and check "
                f"url, dialect, model and the key{self._without_key()}."
            ) from ended
        self._facts = self._about(connection)
        if connection.not_applied:
            self._notices = (
                f"its server did not apply all requested settings: {'; '.join(connection.not_applied)}. Compare it "
                "only with systems that have the same settings.",
            )

    def _without_key(self) -> str:
        """What to say where a server that needs a key got none."""
        variable = self.settings.text("key-env") or self._dialect.key_variable
        return f" ({variable} is not set)" if variable and not self._address.has_key else ""

    def prepare(self, trace: Trace) -> None:
        """Open a session, or keep that of the run. Raises `TurnEnded` with the server's reason."""
        clock = trace.clock
        if self.settings.text("conversation") == "run":
            clock.sleep_until_ns(min(self._plays_until_ns, clock.now_ns() + int(LONGEST_LISTENING_S * 1e9)))
        turn = Turn(self._dialect, self._config.turns == "manual")
        connection = self._loaded.begin_turn(turn, trace)
        round_trip_ns = connection.transport.ping_ns(PING_TIMEOUT_S)
        if round_trip_ns is not None:
            trace.round_trip(round_trip_ns)
        self._current = connection, turn

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Send the speech, and yield the reply as it arrives. Raises `TurnEnded` or `TurnCancelled`."""
        if self._current is None:
            raise RuntimeError("call prepare() first")
        connection, turn = self._current
        stop, finished = Flag(), trace.clock.inbox()

        def send() -> None:
            self._send(connection, turn, speech, trace, stop)
            finished.put(None)

        sending = trace.clock.spawn(send, UPLINK)
        try:
            with trace.cancellation.on_cancel(
                lambda: connection.inbox.put(TurnCancelled("waiting for the server's reply"))
            ):
                yield from self._reply(connection, turn, trace)
        finally:
            stop.set()
            try:
                finished.get_until(trace.clock.now_ns() + int(SEND_STOP_S * 1e9))
            except queue.Empty:
                connection.transport.abort()  # a blocked write would not end
            trace.clock.join(sending)
            self._record(connection, trace)
            self._loaded.end_turn(trace.clock)
        shortcoming = turn.judge()
        self._loaded.keep()
        if shortcoming:
            trace.text("shortcoming", self._address.hidden(shortcoming))

    def close(self) -> None:
        """Close the session."""
        if self._sessions is not None:
            self._sessions.close()

    def weights(self) -> tuple[Weights, ...]:
        """The requested model; only the server knows what it is."""
        return (
            Weights(
                "all", "none", f"{self._config.model or 'a model'}, served by {self._address.url}", "not loaded here"
            ),
        )

    def facts(self) -> Mapping[str, OptionValue]:
        """The dialect and how it was checked, the session as the server confirms it, and what it did not apply."""
        return self._facts

    def servers(self) -> tuple[str, ...]:
        """The server."""
        return (self._address.url,)

    def notices(self) -> tuple[str, ...]:
        """What the server did not apply."""
        return self._notices

    @property
    def _loaded(self) -> Sessions:
        if self._sessions is None:
            raise RuntimeError("call load() first")
        return self._sessions

    def _send(self, connection: Connection, turn: Turn, speech: Speech, trace: Trace, stop: Flag) -> None:
        """Send the speech, then the messages that end the turn, or silence until it is over. An error ends the turn."""
        try:
            if self._config.turns == "manual":
                for message in self._dialect.start_of_turn:
                    connection.send(message)
                for frame in speech.frames():
                    if stop.is_set():
                        return
                    connection.send_audio(frame, trace.clock.now_ns())
                due_ns = trace.clock.now_ns()
                turn.speech_over = True  # a server may be done before this thread has gone on
                for message in self._dialect.end_of_turn:
                    connection.send(message, due_ns)
            else:
                for frame in speech.microphone():
                    if stop.is_set():
                        return
                    turn.speech_over |= speech.over
                    connection.send_audio(frame, trace.clock.now_ns(), silence=speech.over)
        except ServerError as error:
            connection.inbox.put(TurnEnded("failed", str(error)))
        except BaseException as error:
            connection.inbox.put(error)

    def _reply(self, connection: Connection, turn: Turn, trace: Trace) -> Iterator[Packet]:
        remainder, done_ns, begun_ns, is_late = b"", 0, trace.clock.now_ns(), False
        while not turn.over:
            event, at_ns = connection.next()
            if not is_late and trace.clock.now_ns() - max(at_ns, begun_ns) > READ_LATE_NS:
                is_late = True
                trace.mark(KnownMark.READ_LATE)
            turn.received(event)
            if event.name != AUDIO or not event.audio:
                continue
            data = remainder + event.audio
            complete = len(data) // 2 * 2 if self._config.format == "pcm" else len(data)
            data, remainder = data[:complete], data[complete:]
            rate = event.rate or output_rate(self._config.format, self._dialect)
            samples = decode(data, self._config.format)
            free_ns, done_ns = max(at_ns, done_ns), trace.clock.now_ns()
            self._plays_until_ns = max(self._plays_until_ns, at_ns) + len(samples) * 1_000_000_000 // rate
            trace.record(REPLY, free_ns, done_ns)
            yield Packet(samples, rate, trace.hand_off(REPLY))

    def _record(self, connection: Connection, trace: Trace) -> None:
        """Write what follows from the turn's messages into the trace."""
        connection.end_turn()
        timeline = build_timeline(sorted(connection.messages, key=lambda message: message.at_ns), self._dialect)
        for stage, start_ns, end_ns in timeline.stages:
            trace.record(stage, start_ns, end_ns)
        if timeline.endpoint_ns is not None:
            trace.mark(KnownMark.ENDPOINT, timeline.endpoint_ns)
        for kind, text, at_ns in timeline.texts:
            trace.text(kind, self._address.hidden(text), at_ns)
        for name, ns in timeline.figures:
            trace.server_says(name, ns)

    def _about(self, connection: Connection) -> dict[str, OptionValue]:
        effective = self._address.hidden(json.dumps(connection.effective, ensure_ascii=False))
        return {
            "dialect": self._dialect.name,
            "dialect_checked": self._dialect.checked,
            "turns": self._config.turns,
            "input_rate": connection.encoder.rate,
            "output_rate": output_rate(self._config.format, self._dialect),
            "input_delay_ms": connection.encoder.delay_ns / 1e6,
            "session": effective if len(effective) < 8_000 else "too long to be recorded",
            "not_applied": "; ".join(connection.not_applied) or "nothing"
            if self._dialect.confirms_session
            else "not known",
            "first_session_ms": (connection.setup.ready_ns - connection.setup.begun_ns) / 1e6,
        }

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
from firstpacket.pipelines.remote.http.problems import ServerError
from firstpacket.pipelines.remote.line import Connect
from firstpacket.pipelines.remote.realtime.audio import decode
from firstpacket.pipelines.remote.realtime.connection import Connection
from firstpacket.pipelines.remote.realtime.dialect import dialect, dialects
from firstpacket.pipelines.remote.realtime.options import OPTIONS, address_from, turns_of, wanted_from
from firstpacket.pipelines.remote.realtime.session import output_rate
from firstpacket.pipelines.remote.realtime.sessions import Sessions
from firstpacket.pipelines.remote.realtime.timeline import AUDIO, ENDPOINT, REPLY, UPLINK, WAIT, replayed, timeline
from firstpacket.pipelines.remote.realtime.turn import Turn

PING_S = 1.0
LISTEN_S = 10.0
"""How long the user listens at most before the next turn of a conversation, where the server was faster than real
time."""
LATE_NS = 5_000_000
"""How long a message may wait for this side before the turn is flagged."""
STOP_S = 1.0
"""How long a turn that is over waits for a write that blocks."""


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
        """The declaration; with manual turns, the end of speech is found by nobody."""
        known = dialect(str(chosen.get("dialect", "openai")))
        told = "turns=manual" if "manual" in known.turns else ""
        if turns_of(str(chosen.get("turns", "")), known) != "manual":
            return replace(cls.declaration, speech_end_given=told)
        stages = tuple(stage for stage in cls.declaration.stages if stage.id != ENDPOINT)
        return replace(cls.declaration, stages=stages, finds_speech_end=False, speech_end_given=told)

    @classmethod
    def replay(cls, options: Mapping[str, OptionValue], trace: TurnTrace) -> TurnTrace:
        """What follows from a turn's messages, derived again. Raises `UsageError` for a dialect that is gone."""
        return replayed(trace, dialect(str(options["dialect"])))

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for options that do not fit the dialect, and for secrets in the address."""
        super().__init__(settings)
        self._dialect = dialect(settings.text("dialect"))
        self._wanted = wanted_from(settings, self._dialect)
        self._address = address_from(settings, self._dialect)
        self._sessions: Sessions | None = None
        self._under_way: tuple[Connection, Turn] | None = None
        self._plays_until_ns = 0
        self._facts: dict[str, OptionValue] = {}
        self._notices: tuple[str, ...] = ()

    def load(self) -> None:
        """Open a session, to see whether the server grants it. Raises `ServerError` or `MissingDependency`."""
        imported("websockets", "realtime", "The pipeline realtime")
        from firstpacket.pipelines.remote.websocket import open_websocket

        alone = self.settings.text("conversation") == "turn"
        self._sessions = Sessions(self._address, self._wanted, alone, type(self).connect or open_websocket)
        try:
            made = self._sessions.try_out(type(self).clock())
        except TurnEnded as ended:
            raise ServerError(
                f"{self._address.target.url}: {str(ended).rstrip('.')}. Check that the server is running, and check "
                "url, dialect, model and the key."
            ) from ended
        self._facts = self._about(made)
        if made.not_applied:
            self._notices = (
                f"its server did not apply what was asked for: {'; '.join(made.not_applied)}. Compare it only with "
                "systems that were asked for what it has.",
            )

    def prepare(self, trace: Trace) -> None:
        """Have a session ready, a new one if each turn has its own. Raises `TurnEnded` with the server's reason."""
        clock = trace.clock
        if self.settings.text("conversation") == "run":
            clock.sleep_until_ns(min(self._plays_until_ns, clock.now_ns() + int(LISTEN_S * 1e9)))
        turn = Turn(self._dialect, self._wanted.turns == "manual")
        made = self._loaded.begin_turn(turn, trace)
        round_trip_ns = made.line.ping_ns(PING_S)
        if round_trip_ns is not None:
            trace.round_trip(round_trip_ns)
        self._under_way = made, turn

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Send the speech, and yield the reply as it arrives. Raises `TurnEnded` or `TurnCancelled`."""
        if self._under_way is None:
            raise RuntimeError("call prepare() first")
        made, turn = self._under_way
        stopped, sent = Flag(), trace.clock.inbox()

        def send() -> None:
            self._send(made, turn, speech, trace, stopped)
            sent.put(None)

        sending = trace.clock.spawn(send, UPLINK)
        try:
            with trace.cancellation.on_cancel(lambda: made.inbox.put(TurnCancelled("waiting for the server's reply"))):
                yield from self._reply(made, turn, trace)
        finally:
            stopped.set()
            try:
                sent.get_until(trace.clock.now_ns() + int(STOP_S * 1e9))
            except queue.Empty:
                made.line.abort()  # a blocked write would not end
            trace.clock.join(sending)
            self._record(made, trace)
            self._loaded.end_turn(trace.clock)
        shortcoming = turn.judge()
        self._loaded.keep()
        if shortcoming:
            trace.text("shortcoming", self._address.hidden(shortcoming))

    def close(self) -> None:
        """Leave the session."""
        if self._sessions is not None:
            self._sessions.close()

    def weights(self) -> tuple[Weights, ...]:
        """The model that was asked for; only the server knows what it is."""
        return (
            Weights(
                "all", "none", f"{self._wanted.model or 'a model'}, served by {self._address.url}", "not loaded here"
            ),
        )

    def facts(self) -> Mapping[str, OptionValue]:
        """The dialect and how it was checked, the session as the server says it is, and what it did not apply."""
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

    def _send(self, made: Connection, turn: Turn, speech: Speech, trace: Trace, stopped: Flag) -> None:
        """Send speech, then what ends the turn, or silence until it is over. What goes wrong ends the turn."""
        try:
            if self._wanted.turns == "manual":
                for message in self._dialect.start_of_turn:
                    made.send(message)
                for frame in speech.frames():
                    if stopped.is_set():
                        return
                    made.send_audio(frame, trace.clock.now_ns())
                due_ns = trace.clock.now_ns()
                turn.speech_over = True  # a server may be done before this thread has gone on
                for message in self._dialect.end_of_turn:
                    made.send(message, due_ns)
            else:
                for frame in speech.microphone():
                    if stopped.is_set():
                        return
                    turn.speech_over |= speech.over
                    made.send_audio(frame, trace.clock.now_ns(), silence=speech.over)
        except ServerError as error:
            made.inbox.put(TurnEnded("failed", str(error)))
        except BaseException as error:
            made.inbox.put(error)

    def _reply(self, made: Connection, turn: Turn, trace: Trace) -> Iterator[Packet]:
        rest, done_ns, begun_ns, is_late = b"", 0, trace.clock.now_ns(), False
        while not turn.over:
            event, at_ns = made.next()
            if not is_late and trace.clock.now_ns() - max(at_ns, begun_ns) > LATE_NS:
                is_late = True
                trace.mark(KnownMark.READ_LATE)
            turn.received(event)
            if event.name != AUDIO or not event.audio:
                continue
            data = rest + event.audio
            whole = len(data) // 2 * 2 if self._wanted.format == "pcm" else len(data)
            data, rest = data[:whole], data[whole:]
            rate = event.rate or output_rate(self._wanted.format, self._dialect)
            samples = decode(data, self._wanted.format)
            free_ns, done_ns = max(at_ns, done_ns), trace.clock.now_ns()
            self._plays_until_ns = max(self._plays_until_ns, at_ns) + len(samples) * 1_000_000_000 // rate
            trace.record(REPLY, free_ns, done_ns)
            yield Packet(samples, rate, trace.hand_off(REPLY))

    def _record(self, made: Connection, trace: Trace) -> None:
        """Write what the turn's messages say of it into the trace."""
        made.end_turn()
        found = timeline(sorted(made.messages, key=lambda message: message.at_ns), self._dialect)
        for stage, start_ns, end_ns in found.stages:
            trace.record(stage, start_ns, end_ns)
        if found.endpoint_ns is not None:
            trace.mark(KnownMark.ENDPOINT, found.endpoint_ns)
        for kind, text, at_ns in found.texts:
            trace.text(kind, self._address.hidden(text), at_ns)
        for name, ns in found.figures:
            trace.server_says(name, ns)

    def _about(self, made: Connection) -> dict[str, OptionValue]:
        effective = self._address.hidden(json.dumps(made.effective, ensure_ascii=False))
        return {
            "dialect": self._dialect.name,
            "dialect_checked": self._dialect.checked,
            "turns": self._wanted.turns,
            "input_rate": made.encoder.rate,
            "output_rate": output_rate(self._wanted.format, self._dialect),
            "input_delay_ms": made.encoder.delay_ns / 1e6,
            "session": effective if len(effective) < 8_000 else "too long to be kept",
            "not_applied": "; ".join(made.not_applied) or "nothing" if self._dialect.confirms_session else "not known",
            "first_session_ms": (made.setup.ready_ns - made.setup.begun_ns) / 1e6,
        }

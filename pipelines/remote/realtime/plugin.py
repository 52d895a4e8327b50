"""The pipeline `realtime`: any server that speaks OpenAI's Realtime API, over a WebSocket.

One thread sends the user's speech as it comes; the library's thread stamps what arrives; the turn itself parses,
decodes, and hands over packets.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from threading import Event as Flag
from threading import Thread
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
from firstpacket.pipelines.remote.realtime.connection import Connection, open_session
from firstpacket.pipelines.remote.realtime.dialect import dialect, dialects
from firstpacket.pipelines.remote.realtime.options import OPTIONS, address_from, turns_of, wanted_from
from firstpacket.pipelines.remote.realtime.session import output_rate
from firstpacket.pipelines.remote.realtime.timeline import AUDIO, ENDPOINT, REPLY, UPLINK, WAIT, replayed, timeline
from firstpacket.pipelines.remote.realtime.turn import Turn

LEAVE_S = 10.0
"""How long a session whose reply was left is waited for before it is closed: servers refuse others until then."""
BUSY_S, BUSY_STEP_S = 15.0, 0.5
"""How long a busy server is asked again before a turn, and how often."""
MARGIN_S = 120.0
"""A session is replaced so long before it would end."""
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
        self._one_turn_each = settings.text("conversation") == "turn"
        self._connection: Connection | None = None
        self._leaving: Thread | None = None
        """A session that is being closed after its turn, so that other systems find the server free."""
        self._turn: Turn | None = None
        self._unusable = False
        self._plays_until_ns = 0
        self._facts: dict[str, OptionValue] = {}
        self._notices: tuple[str, ...] = ()

    def load(self) -> None:
        """Open a session, to see whether the server grants it. Raises `ServerError` or `MissingDependency`."""
        imported("websockets", "realtime", "The pipeline realtime")
        try:
            made = self._granted(type(self).clock())
        except TurnEnded as ended:
            raise ServerError(
                f"{self._address.target.url}: {str(ended).rstrip('.')}. Check that the server is running, and check "
                "url, dialect, model and the key."
            ) from ended
        self._facts = self._about(made)
        if self._one_turn_each:
            made.close()  # the server may have no room for other systems
        else:
            self._connection = made
        if made.not_applied:
            self._notices = (
                f"its server did not apply what was asked for: {'; '.join(made.not_applied)}. Compare it only with "
                "systems that were asked for what it has.",
            )

    def prepare(self, trace: Trace) -> None:
        """Have a session ready, a new one if each turn has its own. Raises `TurnEnded` with the server's reason."""
        clock = trace.clock
        if self._leaving is not None:
            clock.join(self._leaving)
        if not self._one_turn_each:
            clock.sleep_until_ns(min(self._plays_until_ns, clock.now_ns() + int(LISTEN_S * 1e9)))
        renewed = self._leave(clock)
        made = self._connection
        if made is None:
            made = self._connection = self._granted(clock, trace, renewed)
        if not made.turns:
            trace.session(made.setup)
        made.begin_turn(trace)
        round_trip_ns = made.line.ping_ns(PING_S)
        if round_trip_ns is not None:
            trace.round_trip(round_trip_ns)
        self._turn = Turn(self._dialect, self._wanted.turns == "manual")

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Send the speech, and yield the reply as it arrives. Raises `TurnEnded` or `TurnCancelled`."""
        made, turn = self._ready()
        stopped, sent = Flag(), trace.clock.inbox()

        def send() -> None:
            self._send(made, turn, speech, trace, stopped)
            sent.put(None)

        sending = trace.clock.spawn(send, UPLINK)
        self._unusable = True  # unless the turn ends as it should: more of it could reach the next one
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
            if self._one_turn_each:
                self._leaving = trace.clock.spawn(partial(self._leave_now, trace.clock), "leave")
        shortcoming = turn.judge()
        self._unusable = False
        if shortcoming:
            trace.text("shortcoming", self._address.hidden(shortcoming))

    def close(self) -> None:
        """Leave the session."""
        made, self._connection, self._unusable = self._connection, None, False
        if made is not None:
            made.close()

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

    def _open(self, clock: Clock, trace: Trace | None = None, renewed: bool = False) -> Connection:
        from firstpacket.pipelines.remote.websocket import open_websocket

        connect = type(self).connect or open_websocket
        return open_session(self._address, self._wanted, clock, connect, trace, renewed)

    def _granted(self, clock: Clock, trace: Trace | None = None, renewed: bool = False) -> Connection:
        """A new session; a busy server is asked again for a while, since it may still be leaving the last one."""
        until_ns = clock.now_ns() + int(BUSY_S * 1e9)
        while True:
            try:
                return self._open(clock, trace, renewed)
            except TurnEnded as ended:
                if ended.outcome != "busy" or clock.now_ns() >= until_ns:
                    raise
            clock.sleep_until_ns(clock.now_ns() + int(BUSY_STEP_S * 1e9))

    def _leave(self, clock: Clock) -> bool:
        """Close a session that the next turn cannot use; returns whether it was to be used, but had ended."""
        made = self._connection
        if made is None:
            return False
        if self._unusable:
            self._await_end(made, clock)
        made.skip(clock.now_ns())
        lost = made.ended or self._unusable
        age_s = (clock.now_ns() - made.setup.begun_ns) / 1e9
        limit_s = self._dialect.minutes * 60 - MARGIN_S
        due = self._one_turn_each or (self._dialect.minutes > 0 and age_s > limit_s)
        if not (lost or due):
            return False
        self.close()
        return lost and not self._one_turn_each

    def _leave_now(self, clock: Clock) -> None:
        """After a turn, while nobody waits for this system."""
        self._leave(clock)

    def _await_end(self, made: Connection, clock: Clock) -> None:
        """Read on until the reply that was left is over."""
        until_ns = clock.now_ns() + int(LEAVE_S * 1e9)
        try:
            while not made.ended and self._turn is not None and self._turn.replying:
                event, _ = made.next(until_ns)
                self._turn.received(event)
        except (queue.Empty, TurnEnded, TurnCancelled):
            pass

    def _ready(self) -> tuple[Connection, Turn]:
        if self._connection is None or self._turn is None:
            raise RuntimeError("call load() and prepare() first")
        return self._connection, self._turn

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

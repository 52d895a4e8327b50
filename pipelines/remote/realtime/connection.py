"""An open session: connecting, configuring it, sending audio, and a record of every message."""

from __future__ import annotations

import base64
import json
import queue
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from firstpacket.bench.pipeline import Samples, TurnEnded
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import Clock, TimedInbox
from firstpacket.bench.timing.spans import Message, Session
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote.credentials import SecretFilter, Secrets
from firstpacket.pipelines.remote.problems import OUTCOMES, ServerError
from firstpacket.pipelines.remote.realtime.audio import Encoder
from firstpacket.pipelines.remote.realtime.dialect import Dialect
from firstpacket.pipelines.remote.realtime.events import Event, parse
from firstpacket.pipelines.remote.realtime.session import SessionConfig, not_applied, session_update
from firstpacket.pipelines.remote.realtime.timeline import APPEND, AUDIO, SILENCE
from firstpacket.pipelines.remote.realtime.turn import MAX_EVENTS, outcome_of_close, outcome_of_error
from firstpacket.pipelines.remote.transport import Closed, Connect, Received, Target, Transport

MAX_SAMPLES = 16_000
"""Samples in one message: a whole clip is sent in pieces of a second."""
NO_SECRETS = Secrets("")
MAX_BODY_CHARACTERS = 8_000_000
"""Recorded of all messages of a turn: 20,000 pieces of text."""
NEW_IDS = ("response.created", "input_audio_buffer.speech_started", "input_audio_buffer.committed")
"""Messages whose id is new, even if the server has used it in an earlier turn."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, its dialect and the credentials, which are in `headers` and `secrets` alone."""

    url: str
    model: str
    dialect: Dialect
    headers: tuple[tuple[str, str], ...] = ()
    """Including the key's."""
    secrets: Secrets = NO_SECRETS
    timeout_s: float = 10.0

    @property
    def has_key(self) -> bool:
        """Whether a key is sent."""
        return any(name == self.dialect.key_header for name, _ in self.headers)

    @property
    def target(self) -> Target:
        """What a transport connects to."""
        dialect = self.dialect
        url = self.url.removesuffix("/v1") if dialect.path.startswith("/v1") else self.url
        full = url if url.endswith(dialect.path) else f"{url}{dialect.path}"
        parameters = dict(dialect.parameters)
        if dialect.model_parameter and self.model:
            parameters[dialect.model_parameter] = self.model
        full += f"?{urlencode(parameters, quote_via=quote, safe='')}" if parameters else ""
        return Target(full, self.headers, timeout_s=self.timeout_s, hidden=self.secrets.hidden)

    def hidden(self, text: str) -> str:
        """A text of the server without the secrets, which it may repeat."""
        return self.secrets.hidden(text)


@dataclass(slots=True)
class Connection:
    """An open session. Its messages are recorded in the trace of the current turn, if there is one."""

    address: Address
    config: SessionConfig
    clock: Clock
    transport: Transport
    inbox: TimedInbox
    setup: Session
    encoder: Encoder
    effective: dict[str, Any] = field(default_factory=dict)
    """The session as the server confirms it."""
    not_applied: tuple[str, ...] = ()
    position_ns: int = 0
    """Audio sent since connecting."""
    ended: bool = False
    turns: int = 0
    trace: Trace | None = None
    messages: list[Message] = field(default_factory=list)
    """Those of this turn."""
    _body_characters: int = 0
    """Of these messages."""
    _earlier: set[str] = field(default_factory=set)
    """Responses and items of turns that are over."""
    _secret_filters: dict[str, SecretFilter] = field(default_factory=dict)
    """By kind of message: removes secrets from texts that come in pieces."""

    def begin_turn(self, trace: Trace) -> None:
        """Record messages in this trace from now on."""
        self._earlier |= {message.id for message in self.messages if message.id and not message.sent}
        self.turns += 1
        self.trace, self.messages, self._body_characters, self._secret_filters = trace, [], 0, {}

    def end_turn(self) -> None:
        """Stop recording: what still arrives belongs to no turn."""
        self.trace = None

    def send(self, message: dict[str, Any], due_ns: int = 0) -> None:
        """Send a message without audio. Raises `ServerError`."""
        raw, begun_ns = json.dumps(message), self.clock.now_ns()
        self.transport.send(raw)
        done_ns = self.clock.now_ns()
        body = self.address.hidden(raw)
        self._keep(Message(True, str(message["type"]), begun_ns, len(raw), done_ns, due_ns or begun_ns, body=body))

    def send_audio(self, samples: Samples, due_ns: int, silence: bool = False) -> None:
        """Send audio `(n,)` that was due at `due_ns`. Raises `ServerError`."""
        for begin in range(0, len(samples), MAX_SAMPLES):
            data = self.encoder.push(samples[begin : begin + MAX_SAMPLES])
            raw = f'{{"type": "{APPEND}", "audio": "{base64.b64encode(data).decode("ascii")}"}}'
            begun_ns, position_ns = self.clock.now_ns(), self.position_ns
            self.transport.send(raw)
            done_ns = self.clock.now_ns()
            self.position_ns += self.encoder.media_ns(len(data))
            body = SILENCE if silence else ""
            self._keep(Message(True, APPEND, begun_ns, len(raw), done_ns, due_ns, "", len(data), position_ns, body))

    def next(self, until_ns: int | None = None) -> tuple[Event, int]:
        """The next message of this turn, and when it was read.

        Raises `TurnEnded`, any error of the sending thread, and `queue.Empty` if none arrives in time.
        """
        while True:
            event, at_ns, size = self._take(until_ns)
            if event.name in NEW_IDS:
                self._earlier.discard(event.id)
            if event.id not in self._earlier:
                break
        body = event.recorded_body if event.name != AUDIO else ""
        self._body_characters += len(body)
        body = body if self._body_characters <= MAX_BODY_CHARACTERS else ""
        self._keep(Message(False, event.type, at_ns, size, id=event.id, audio_bytes=len(event.audio), body=body))
        return event, at_ns

    def _take(self, until_ns: int | None) -> tuple[Event, int, int]:
        """The next message, when it was read, and its length."""
        item = self.inbox.get() if until_ns is None else self.inbox.get_until(until_ns)
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, Closed):
            self.ended = True
            raise TurnEnded(*outcome_of_close(item.code, self.address.hidden(item.reason)))
        assert isinstance(item, Received)
        event = parse(item.raw, self.address.dialect, self.address.hidden)
        if isinstance(piece := event.body.get("delta"), str):
            secret_filter = self._secret_filters.setdefault(event.name, self.address.secrets.filter())
            event.body["delta"] = secret_filter.push(piece)
        return event, item.at_ns, len(item.raw)

    def skip(self, now_ns: int) -> None:
        """Discard what has arrived since the last turn: a late transcript, the session's end."""
        for _ in range(MAX_EVENTS):
            try:
                self.next(now_ns)
            except queue.Empty:
                return
            except (TurnEnded, TurnCancelled):
                if self.ended:
                    return

    def close(self) -> None:
        """Close the session properly."""
        self.transport.close()
        self.ended = True

    def _keep(self, message: Message) -> None:
        self.messages.append(message)
        if self.trace is not None:
            self.trace.message(message)


def open_session(
    address: Address,
    config: SessionConfig,
    clock: Clock,
    connect: Connect,
    trace: Trace | None = None,
    renewed: bool = False,
) -> Connection:
    """Connect, and configure the session. Raises `TurnEnded` with the reason if the server refuses."""
    inbox, begun_ns = clock.inbox(), clock.now_ns()
    try:
        transport = connect(address.target, clock, inbox)
    except ServerError as error:
        raise TurnEnded(OUTCOMES.get(error.status, "failed"), str(error)) from error
    open_ns = clock.now_ns()
    dialect = address.dialect
    encoder = Encoder(config.format, dialect.input_rate)
    session = Session(begun_ns, open_ns, open_ns, renewed)
    connection = Connection(address, config, clock, transport, inbox, session, encoder, trace=trace)
    until_ns = begun_ns + int(address.timeout_s * 1e9)
    try:
        if dialect.opens_with:
            _wait(connection, dialect.opens_with, until_ns)
        request = session_update(config, dialect)
        connection.send(request)
        if dialect.confirms_session:
            _wait(connection, ("session.updated",), until_ns)
            connection.not_applied = not_applied(request.get("session", {}), connection.effective)
    except ServerError as error:
        transport.abort()
        raise TurnEnded("failed", str(error)) from error
    except BaseException:
        transport.abort()
        raise
    connection.setup = Session(begun_ns, open_ns, clock.now_ns(), renewed)
    return connection


def _wait(connection: Connection, names: tuple[str, ...], until_ns: int) -> None:
    """Wait for a message with one of these names. Raises `TurnEnded`."""
    while True:
        try:
            event, _ = connection.next(until_ns)
        except queue.Empty as error:
            missing = f"the server did not send {' or '.join(names)} within {connection.address.timeout_s:g} s"
            raise TurnEnded("failed", missing) from error
        if event.name == "error":
            outcome, reason = outcome_of_error(event.body.get("error"))
            raise TurnEnded("refused" if outcome == "failed" else outcome, reason)
        session = event.body.get("session")
        if event.name in ("session.created", "session.updated") and isinstance(session, dict):
            connection.effective = session
        if event.name in names:
            return

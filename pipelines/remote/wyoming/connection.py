"""Events over a transport: what is sent and received is recorded in the turn's trace."""

from __future__ import annotations

import json
import queue
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firstpacket.bench.sanitize import clean
from firstpacket.bench.timing.spans import Message
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote.wyoming.protocol import Decoder, Event, WyomingError, encode, shown
from firstpacket.pipelines.remote.wyoming.transport import Arrival, Closed, Transport

MOST_EVENTS = 50_000
"""In one answer: over eight minutes of audio in chunks of 10 ms."""
MOST_OF_A_BODY = 10_000
MOST_OF_ALL_BODIES = 1 << 22
"""Characters of one message, and of all messages of a request, that are recorded."""


class ConnectionEnded(WyomingError):
    """Raised when the server has ended the connection, or it broke."""


class ServerSilent(WyomingError):
    """Raised when the server sends nothing for too long, or does not read."""


@dataclass(frozen=True, slots=True)
class Received:
    """An event, and when its last byte was received."""

    event: Event
    at_ns: int


class Connection:
    """One connection. All methods but `close` belong to one thread at a time."""

    def __init__(self, transport: Transport, timeout_s: float) -> None:
        self.clock = transport.clock
        self.answers = 0
        """How many requests it has served."""
        self._transport = transport
        self._timeout_s = timeout_s
        self._decoder = Decoder()
        self._ready: deque[Received] = deque()
        self._events = self._recorded = 0
        self._end: str | None = None

    def begin(self) -> None:
        """A request begins: events and what is recorded of them are counted from here."""
        self._events = self._recorded = 0

    def send(self, event: Event, trace: Trace, due_ns: int = 0, position_ns: int = 0) -> None:
        """Write an event, and record it. Raises `ConnectionEnded` or `ServerSilent`."""
        data = encode(event)
        begun_ns = self.clock.now_ns()
        self._write(data)
        trace.message(
            Message(
                True,
                event.type,
                begun_ns,
                len(data),
                done_ns=self.clock.now_ns(),
                due_ns=due_ns,
                audio_bytes=len(event.payload),
                position_ns=position_ns,
                body="" if event.payload else self._body(event.data),
            )
        )

    def receive(self, trace: Trace) -> Received:
        """The next event; waits for it. Raises `WyomingError`: an event that is none, an error that the server reports,
        too many events, or nothing for as long as the timeout."""
        until_ns = self.clock.now_ns() + round(self._timeout_s * 1e9)
        return self._checked(self._next(until_ns, f"no event came for {self._timeout_s:g} s"), trace)

    def arrived(self, trace: Trace) -> list[Received]:
        """The events that are there; does not wait. Raises as `receive` does."""
        found = []
        while True:
            try:
                found.append(self._checked(self._next(self.clock.now_ns(), ""), trace))
            except ServerSilent:
                return found

    def describe(self, timeout_s: float, begun_ns: int | None = None) -> Event:
        """Ask the server to describe itself; gives its `info`, however much else it was still sending.

        The timeout counts from now, or from `begun_ns`. Raises `WyomingError`.

        That it answers shows that it is there, and free, and has nothing left to say of the turn before.
        """
        self.begin()
        self._write(encode(Event("describe")))
        until_ns = (self.clock.now_ns() if begun_ns is None else begun_ns) + round(timeout_s * 1e9)
        while True:
            found = self._next(until_ns, f"it did not describe itself within {timeout_s:g} s")
            if found.event.type == "info":
                return found.event

    def select(self, program: str) -> None:
        """Let this program answer, where a server has several."""
        self._write(encode(Event("select-program", {"name": program})))

    def close(self) -> None:
        """End it, from any thread; a thread that waits for it gets `ConnectionEnded`."""
        self._transport.close()

    def _write(self, data: bytes) -> None:
        try:
            self._transport.write(data)
        except TimeoutError as error:
            raise ServerSilent(str(error)) from error
        except OSError as error:
            raise ConnectionEnded(self._why_ended(error)) from error

    def _why_ended(self, error: OSError) -> str:
        """The reading side knows better why a write failed; it may hold an error that the server reported before."""
        try:
            while not self._ready and self._end is None:
                self._read(self.clock.now_ns())
        except queue.Empty:
            pass
        reported = next((found.event for found in self._ready if found.event.type == "error"), None)
        if reported is not None:
            raise _reported(reported)
        return self._end or f"the connection broke: {error.strerror or error}"

    def _next(self, until_ns: int, if_silent: str) -> Received:
        while not self._ready:
            if self._end is not None:
                raise ConnectionEnded(self._end)
            try:
                self._read(until_ns)
            except queue.Empty:
                raise ServerSilent(if_silent) from None
        self._events += 1
        if self._events > MOST_EVENTS:
            raise WyomingError(f"it sent more than {MOST_EVENTS:,} events without coming to an end")
        return self._ready.popleft()

    def _read(self, until_ns: int) -> None:
        """Take one arrival. Raises `queue.Empty` if there is none in time, and `WyomingError`."""
        arrived = self._transport.arrivals.get_until(until_ns)
        if isinstance(arrived, Closed):
            cut = " in the middle of an event" if self._decoder.in_the_middle else ""
            self._end = arrived.reason + cut
        elif isinstance(arrived, Arrival):
            self._transport.took(len(arrived.data))
            self._ready.extend(Received(event, arrived.at_ns) for event in self._decoder.feed(arrived.data))

    def _checked(self, found: Received, trace: Trace) -> Received:
        event = found.event
        trace.message(
            Message(
                False,
                event.type,
                found.at_ns,
                event.size,
                audio_bytes=len(event.payload) if event.type == "audio-chunk" else 0,
                body=self._body(event.data),
            )
        )
        if event.type == "error":
            raise _reported(event)
        return found

    def _body(self, data: Mapping[str, Any]) -> str:
        try:
            text = clean(json.dumps(data, ensure_ascii=False)) if data else ""
        except RecursionError:
            return ""
        text = text if len(text) <= MOST_OF_A_BODY else f"{text[:MOST_OF_A_BODY]}…"
        self._recorded += len(text)
        return text if self._recorded <= MOST_OF_ALL_BODIES else ""


def _reported(event: Event) -> WyomingError:
    text, code = event.data.get("text"), event.data.get("code")
    said = shown(text) if isinstance(text, str) else "without saying which"
    return WyomingError(f"it reported an error: {said}{f' ({shown(code)})' if isinstance(code, str) and code else ''}")

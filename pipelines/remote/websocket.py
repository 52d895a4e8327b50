"""A line over a WebSocket. The library's own thread reads; it stamps a message as soon as its last frame is there.

Without compression, which doubles the time per message; without a limit on unread messages, since a reader that stops
makes the server look slow; without automatic pings. TLS is verified; the usual variables (SSL_CERT_FILE, HTTPS_PROXY)
apply, proxies not to servers on this machine.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from firstpacket.bench.addresses import is_this_machine
from firstpacket.bench.sanitize import clean
from firstpacket.bench.timing.clock import Clock, Inbox
from firstpacket.pipelines.remote.http.problems import ServerError, body_text, short
from firstpacket.pipelines.remote.line import Arrived, Ended, Target

LARGEST = 16 << 20
"""Bytes of one message: 6 minutes of 24 kHz PCM, as base64, in one piece are just allowed."""
CLOSE_S = 2.0
MOST_OF_A_REFUSAL = 1 << 16
"""Bytes."""


class _Stamping(ClientConnection):
    """A connection that passes messages on from the thread that reads them, instead of queueing them."""

    def __init__(self, *arguments: Any, clock: Clock, inbox: Inbox, **options: Any) -> None:
        self._clock = clock
        self._inbox = inbox
        self._parts: list[bytes] = []
        self._is_text = True
        super().__init__(*arguments, **options)

    def process_event(self, event: Any) -> None:
        """Stamp a message with its last frame; everything else is the library's."""
        if not (isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)):
            super().process_event(event)
            return
        at_ns = self._clock.now_ns()
        if event.opcode is not Opcode.CONT:
            self._is_text = event.opcode is Opcode.TEXT
        self._parts.append(bytes(event.data))
        if event.fin:
            whole, self._parts = b"".join(self._parts), []
            self._inbox.put(Arrived(at_ns, whole.decode("utf-8", "replace") if self._is_text else whole))

    def recv_events(self) -> None:
        """Read until the connection ends, and say so."""
        try:
            super().recv_events()
        finally:
            code, reason = self.close_code, self.close_reason
            self._inbox.put(Ended(self._clock.now_ns(), code or 1006, clean(reason or "")))


class WebSocketLine:
    """An open WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def send(self, text: str) -> None:
        """Write a message. Raises `ServerError` if the connection has ended, or the server stops reading."""
        try:
            self._connection.send(text)
        except (OSError, WebSocketException) as error:
            raise ServerError(f"the connection has ended: {_line(error)}") from error

    def ping_ns(self, timeout_s: float) -> int | None:
        """The time of a ping and its answer; None if none comes."""
        began_ns = time.monotonic_ns()
        try:
            answered = self._connection.ping().wait(timeout_s)
        except (OSError, WebSocketException):
            return None
        return time.monotonic_ns() - began_ns if answered else None

    def close(self) -> None:
        """Say goodbye, and wait for the server's."""
        with suppress(OSError, WebSocketException):
            self._connection.close()

    def abort(self) -> None:
        """Shut the socket down."""
        with suppress(OSError):
            # The class's own method: that of a TLS socket would first drop the object that the reader is using.
            socket.socket.shutdown(self._connection.socket, socket.SHUT_RDWR)


def open_websocket(target: Target, clock: Clock, inbox: Inbox) -> WebSocketLine:
    """Connect. Raises `ServerError` with the reason in one line."""

    def stamping(*arguments: Any, **options: Any) -> _Stamping:
        return _Stamping(*arguments, clock=clock, inbox=inbox, **options)

    nearby = is_this_machine(urlsplit(target.url).hostname or "")
    try:
        options: dict[str, Any] = {
            "additional_headers": dict(target.headers),
            "subprotocols": [Subprotocol(name) for name in target.subprotocols] or None,
            "user_agent_header": "firstpacket",
            "compression": None,
            "proxy": None if nearby else True,
            "open_timeout": target.timeout_s,
            "close_timeout": CLOSE_S,
            "ping_interval": None,
            "max_size": LARGEST,
            "create_connection": stamping,
        }
        connection = connect(target.url, **options)
    except InvalidStatus as error:
        status = error.response.status_code
        said = body_text((error.response.body or b"")[:MOST_OF_A_REFUSAL].decode("utf-8", "replace"))
        raise ServerError(f"it refused the connection ({status}){f': {said}' if said else ''}", status) from error
    except TimeoutError as error:
        raise ServerError(f"no connection within {target.timeout_s:g} s") from error
    except (OSError, WebSocketException, ValueError) as error:
        raise ServerError(f"no connection: {_line(error)}") from error
    return WebSocketLine(connection)


def _line(error: BaseException) -> str:
    return clean(short(str(error) or type(error).__name__))

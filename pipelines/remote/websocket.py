"""A line over a WebSocket. The library's own thread reads; it stamps a message as soon as its last frame is there.

Without compression, which doubles the time per message; without waiting for messages to be taken, since a reader that
stops makes the server look slow; without automatic pings. TLS is verified; the usual variables (SSL_CERT_FILE,
HTTPS_PROXY) apply, proxies not to servers on this machine.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import InvalidProxy, InvalidStatus, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from firstpacket.bench.addresses import is_this_machine
from firstpacket.bench.sanitize import clean
from firstpacket.bench.timing.clock import Clock, Inbox
from firstpacket.pipelines.remote.http.problems import ServerError, body_text, short
from firstpacket.pipelines.remote.line import Arrived, Ended, Target

LARGEST = 16 << 20
"""Bytes of one message: 4 minutes of 24 kHz PCM, as base64, in one piece are just allowed."""
MOST = 512 << 20
"""Bytes of all messages of a connection: those that nobody has read yet are in memory. 2 hours of 24 kHz PCM fit."""
COST = 200
"""Bytes that a message takes in memory besides its own."""
WRITE_S = 5.0
"""How long a write may wait for a server that does not read; over TLS, Python waits on until the turn's deadline."""
CLOSE_S = 2.0
MOST_OF_A_REFUSAL = 1 << 16
"""Bytes."""
PATIENCE = struct.pack("ll", int(WRITE_S), 0)
"""A `timeval`."""


class _Stamping(ClientConnection):
    """A connection that passes messages on from the thread that reads them, instead of queueing them."""

    def __init__(self, sock: Any, *arguments: Any, clock: Clock, inbox: Inbox, **options: Any) -> None:
        self._clock = clock
        self._inbox = inbox
        self._parts: list[bytes] = []
        self._is_text = True
        self._has_ended = False
        self._taken = 0
        # The library writes with its lock taken, which reading needs, too: a write that blocks would block everything.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, PATIENCE)
        super().__init__(sock, *arguments, **options)

    def handshake(self, *arguments: Any, **options: Any) -> None:
        """Raise a refusal here: the library would follow a redirect, and send the key along."""
        try:
            super().handshake(*arguments, **options)
        except InvalidStatus as error:
            raise _Refused(error.response) from None

    def process_event(self, event: Any) -> None:
        """Stamp a message with its last frame; everything else is the library's."""
        if not isinstance(event, Frame) or event.opcode in (Opcode.PING, Opcode.PONG):
            super().process_event(event)
            return
        at_ns = self._clock.now_ns()
        if event.opcode is Opcode.CLOSE:
            self._end()  # some servers leave the connection open after it
            return
        self._taken += len(event.data) + COST
        if self._taken > MOST:
            self._end()
            with suppress(OSError):
                _shut_down(self.socket)
        if self._has_ended:
            return
        if event.opcode is not Opcode.CONT:
            self._is_text = event.opcode is Opcode.TEXT
        self._parts.append(bytes(event.data))
        if event.fin:
            whole, self._parts = b"".join(self._parts), []
            self._inbox.put(Arrived(at_ns, whole.decode("utf-8", "replace") if self._is_text else whole))

    def send_data(self) -> None:
        """Write; what is no WebSocket ends the connection at once, since its sender may never close it."""
        super().send_data()
        if self.protocol.parser_exc is not None:
            with suppress(OSError):
                _shut_down(self.socket)

    def recv_events(self) -> None:
        """Read until the connection ends, and say so."""
        try:
            super().recv_events()
        finally:
            self._end()

    def _end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            closed = self.protocol.close_rcvd
            code, reason = (closed.code, closed.reason) if closed is not None else (1006, self._why())
            self._inbox.put(Ended(self._clock.now_ns(), code, clean(reason)))

    def _why(self) -> str:
        """Why it broke off, as far as this side knows."""
        if self._taken > MOST:
            return f"the server sent more than {MOST >> 20} MiB"
        wrong: BaseException | None = self.protocol.parser_exc
        if wrong is None or isinstance(wrong, EOFError):
            wrong = self.connection_exc
        if isinstance(wrong, BlockingIOError):
            return f"the server has not read for {WRITE_S:g} s"
        return _line(wrong) if wrong is not None else ""


class _Refused(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class WebSocketLine:
    """An open WebSocket."""

    def __init__(self, connection: ClientConnection, hidden: Callable[[str], str] = str) -> None:
        self._connection = connection
        self._hidden = hidden

    def send(self, text: str) -> None:
        """Write a message. Raises `ServerError` if the connection has ended, or the server stops reading."""
        try:
            self._connection.send(text)
        except (OSError, WebSocketException) as error:
            raise ServerError(f"the connection has ended: {_line(error, self._hidden)}") from None

    def ping_ns(self, timeout_s: float) -> int | None:
        """The time of a ping and its answer; None if none comes."""
        began_ns = time.monotonic_ns()
        try:
            answered = self._connection.ping().wait(timeout_s)
        except (OSError, WebSocketException):
            return None
        return time.monotonic_ns() - began_ns if answered else None

    def close(self) -> None:
        """Say goodbye, and wait for the server's; not for a write that blocks in another thread."""
        impatient = threading.Timer(2 * CLOSE_S, self.abort)
        impatient.daemon = True
        impatient.start()
        with suppress(OSError, WebSocketException):
            self._connection.close()
        impatient.cancel()

    def abort(self) -> None:
        """Shut the socket down."""
        with suppress(OSError):
            _shut_down(self._connection.socket)


def open_websocket(target: Target, clock: Clock, inbox: Inbox) -> WebSocketLine:
    """Connect. Raises `ServerError` with the reason in one line.

    No redirect is followed: it would be sent the key.
    """

    def stamping(*arguments: Any, **options: Any) -> _Stamping:
        return _Stamping(*arguments, clock=clock, inbox=inbox, **options)

    host = urlsplit(target.url).hostname or ""
    options: dict[str, Any] = {
        "additional_headers": dict(target.headers),
        "subprotocols": [Subprotocol(name) for name in target.subprotocols] or None,
        "user_agent_header": "firstpacket",
        "compression": None,
        "proxy": None if is_this_machine(host) else True,
        "open_timeout": target.timeout_s,
        "close_timeout": CLOSE_S,
        "ping_interval": None,
        "max_size": LARGEST,
        "create_connection": stamping,
    }
    # Without their causes: those repeat what the server said.
    try:
        connection = connect(target.url, **options)
    except _Refused as refused:
        raise _refusal(refused.response, target) from None
    except TimeoutError:
        raise ServerError(f"no connection within {target.timeout_s:g} s") from None
    except (InvalidProxy, ImportError):
        raise ServerError(
            "the environment's proxy cannot be used, which is no HTTP proxy (http:// or https://). Set HTTPS_PROXY to "
            f"one, or add {host} to NO_PROXY"
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise ServerError(
            f"its certificate is not accepted: {error.verify_message}. If its authority is one of your own, name that "
            "authority's file in SSL_CERT_FILE"
        ) from None
    except (OSError, WebSocketException, ValueError) as error:
        raise ServerError(f"no connection: {_line(error, target.hidden)}") from None
    connection.pending_legacy_warning = False
    return WebSocketLine(connection, target.hidden)


def _refusal(response: Response, target: Target) -> ServerError:
    status = response.status_code
    if status in range(300, 400):
        to = short(target.hidden(response.headers.get("Location", "")))
        return ServerError(f"it redirects to {clean(to)} ({status}), which is not followed; set url to that", status)
    body = target.hidden((response.body or b"")[:MOST_OF_A_REFUSAL].decode("utf-8", "replace"))
    said = clean(body_text(body))
    return ServerError(f"it refused the connection ({status}){f': {said}' if said else ''}", status)


def _shut_down(connection: socket.socket) -> None:
    # The class's own method: that of a TLS socket would first drop the object that the reader is using.
    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _line(error: BaseException, hidden: Callable[[str], str] = str) -> str:
    return clean(short(hidden(str(error)) or type(error).__name__))

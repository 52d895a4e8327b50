"""A transport over a WebSocket. The library's own thread reads, and stamps a message once its last frame is there.

There is no compression, which doubles the time per message; no backpressure, since a reader that stops makes the server
look slow; and no automatic pings. TLS is verified; the usual variables (SSL_CERT_FILE, HTTPS_PROXY) apply, but servers
on this machine are reached without a proxy.
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
from firstpacket.pipelines.remote.problems import ServerError, body_text, short
from firstpacket.pipelines.remote.transport import Closed, Received, Target

MAX_SIZE = 16 << 20
"""Bytes of one message: just enough for 4 minutes of 24 kHz PCM as base64."""
MAX_TOTAL = 512 << 20
"""Bytes of all messages of a connection, since unread ones are in memory: 2 hours of 24 kHz PCM fit."""
MESSAGE_OVERHEAD = 200
"""Bytes that a message takes in memory besides its content."""
WRITE_S = 5.0
"""How long a write may wait for a server that does not read; over TLS, Python waits until the turn's deadline."""
CLOSE_S = 2.0
LONGEST_REFUSAL = 1 << 16
"""Bytes."""
WRITE_TIMEOUT = struct.pack("ll", int(WRITE_S), 0)
"""A `timeval`."""


class _StampedConnection(ClientConnection):
    """A connection that passes messages on from the thread that reads them, instead of queueing them."""

    def __init__(self, sock: Any, *arguments: Any, clock: Clock, inbox: Inbox, **options: Any) -> None:
        self._clock = clock
        self._inbox = inbox
        self._parts: list[bytes] = []
        self._is_text = True
        self._has_ended = False
        self._received_bytes = 0
        # The library writes with its lock taken, which reading needs, too: a write that blocks would block everything.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, WRITE_TIMEOUT)
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
        self._received_bytes += len(event.data) + MESSAGE_OVERHEAD
        if self._received_bytes > MAX_TOTAL:
            self._end()
            with suppress(OSError):
                _shut_down(self.socket)
        if self._has_ended:
            return
        if event.opcode is not Opcode.CONT:
            self._is_text = event.opcode is Opcode.TEXT
        self._parts.append(bytes(event.data))
        if event.fin:
            message, self._parts = b"".join(self._parts), []
            self._inbox.put(Received(at_ns, message.decode("utf-8", "replace") if self._is_text else message))

    def send_data(self) -> None:
        """Write; after a protocol error, close at once, since the server may never do so."""
        super().send_data()
        if self.protocol.parser_exc is not None:
            with suppress(OSError):
                _shut_down(self.socket)

    def recv_events(self) -> None:
        """Read until the connection ends, then report it."""
        try:
            super().recv_events()
        finally:
            self._end()

    def _end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            closed = self.protocol.close_rcvd
            code, reason = (closed.code, closed.reason) if closed is not None else (1006, self._why())
            self._inbox.put(Closed(self._clock.now_ns(), code, clean(reason)))

    def _why(self) -> str:
        """Why it broke off, as far as the client can tell."""
        if self._received_bytes > MAX_TOTAL:
            return f"the server sent more than {MAX_TOTAL >> 20} MiB"
        error: BaseException | None = self.protocol.parser_exc
        if error is None or isinstance(error, EOFError):
            error = self.connection_exc
        if isinstance(error, BlockingIOError):
            return f"the server has not read for {WRITE_S:g} s"
        return _one_line(error) if error is not None else ""


class _Refused(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class WebSocketTransport:
    """An open WebSocket."""

    def __init__(self, connection: ClientConnection, hidden: Callable[[str], str] = str) -> None:
        self._connection = connection
        self._hidden = hidden

    def send(self, text: str) -> None:
        """Write a message. Raises `ServerError` if the connection has ended, or the server stops reading."""
        try:
            self._connection.send(text)
        except (OSError, WebSocketException) as error:
            raise ServerError(f"the connection has ended: {_one_line(error, self._hidden)}") from None

    def ping_ns(self, timeout_s: float) -> int | None:
        """The round-trip time of a ping; None if it is not answered."""
        begun_ns = time.monotonic_ns()
        try:
            answered = self._connection.ping().wait(timeout_s)
        except (OSError, WebSocketException):
            return None
        return time.monotonic_ns() - begun_ns if answered else None

    def close(self) -> None:
        """Send a close frame, and wait for the server's; a write that blocks in another thread is aborted."""
        watchdog = threading.Timer(2 * CLOSE_S, self.abort)
        watchdog.daemon = True
        watchdog.start()
        with suppress(OSError, WebSocketException):
            self._connection.close()
        watchdog.cancel()

    def abort(self) -> None:
        """Shut the socket down."""
        with suppress(OSError):
            _shut_down(self._connection.socket)


def open_websocket(target: Target, clock: Clock, inbox: Inbox) -> WebSocketTransport:
    """Connect. Raises `ServerError` with a one-line reason.

    Redirects are not followed, since they would be sent the key.
    """

    def stamping(*arguments: Any, **options: Any) -> _StampedConnection:
        return _StampedConnection(*arguments, clock=clock, inbox=inbox, **options)

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
        "max_size": MAX_SIZE,
        "create_connection": stamping,
    }
    # `from None`: the causes repeat what the server said.
    try:
        connection = connect(target.url, **options)
    except _Refused as refused:
        raise _refusal(refused.response, target) from None
    except TimeoutError:
        raise ServerError(f"no connection within {target.timeout_s:g} s") from None
    except (InvalidProxy, ImportError):
        raise ServerError(
            "the proxy set in the environment is not an HTTP proxy (http:// or https://). Set HTTPS_PROXY to one, or "
            f"add {host} to NO_PROXY"
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise ServerError(
            f"its certificate is not trusted: {error.verify_message}. If your own authority signed it, set "
            "SSL_CERT_FILE to that authority's file"
        ) from None
    except (OSError, WebSocketException, ValueError) as error:
        raise ServerError(f"no connection: {_one_line(error, target.hidden)}") from None
    connection.pending_legacy_warning = False
    return WebSocketTransport(connection, target.hidden)


def _refusal(response: Response, target: Target) -> ServerError:
    status = response.status_code
    if status in range(300, 400):
        location = short(target.hidden(response.headers.get("Location", "")))
        return ServerError(
            f"it redirects to {clean(location)} ({status}), which is not followed. Set url to that address", status
        )
    body = target.hidden((response.body or b"")[:LONGEST_REFUSAL].decode("utf-8", "replace"))
    reason = clean(body_text(body))
    return ServerError(f"it refused the connection ({status}){f': {reason}' if reason else ''}", status)


def _shut_down(connection: socket.socket) -> None:
    # The class's own method: that of a TLS socket would first drop the object that the reader is using.
    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _one_line(error: BaseException, hidden: Callable[[str], str] = str) -> str:
    return clean(short(hidden(str(error)) or type(error).__name__))

"""The transport to a server: bytes go out, and bytes come in with the time at which they were received.

A thread of its own does nothing but receive, stamp and queue, so that neither a busy consumer nor the parsing of what
came before delays a stamp, and the server never waits for us. What one read returns has one stamp: messages that arrive
in one segment share it.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from firstpacket.bench.timing.cancellation import Cancellation
from firstpacket.bench.timing.clock import Clock, MonotonicClock, TimedInbox
from firstpacket.pipelines.remote.wyoming.address import Address

READ = 1 << 16
"""Bytes that one read takes at most; it returns what is there."""
MOST_WAITING = 1 << 26
"""Bytes that may wait to be parsed: a server that sends more would fill the memory."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Bytes from one read."""

    data: bytes
    at_ns: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The last item in a transport's inbox: why nothing more comes."""

    reason: str
    at_ns: int


class Transport(Protocol):
    """A connection to a server; fakes put one on a virtual clock."""

    @property
    def clock(self) -> Clock:
        """The clock of its stamps, and of its inbox."""
        ...

    @property
    def arrivals(self) -> TimedInbox:
        """Everything received, as `Arrival`, then one `LineEnd`."""
        ...

    def write(self, data: bytes) -> None:
        """Write all of it; blocks while the server does not read. Raises `OSError`."""
        ...

    def took(self, count: int) -> None:
        """So many bytes of the arrivals have been parsed."""
        ...

    def close(self) -> None:
        """End it, from any thread: a blocked `write` returns, and a `LineEnd` arrives. Does not block."""
        ...


Dial = Callable[[Address, float, Cancellation], Transport]
"""Connects within so many seconds. Raises `OSError`, and `TurnCancelled`."""


def dial(address: Address, timeout_s: float, cancellation: Cancellation) -> Transport:
    """A transport over a new socket. Raises `OSError`, and `TurnCancelled`."""
    return cancellation.abandonable(
        lambda: SocketTransport(_connected(address, timeout_s)), SocketTransport.close, "connecting"
    )


def _connected(address: Address, timeout_s: float) -> socket.socket:
    if not address.path or address.host:
        connected = socket.create_connection((address.host, address.port), timeout_s)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        connected = socket.socket(socket.AF_UNIX)
        try:
            connected.settimeout(timeout_s)
            connected.connect(address.path)
        except BaseException:
            connected.close()
            raise
    # Python's own timeout would apply to the reading thread, which waits for as long as the connection lives.
    connected.settimeout(None)
    whole = int(timeout_s)
    limit = struct.pack("ll", whole, int((timeout_s - whole) * 1e6))
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    return connected


class SocketTransport:
    """A transport over a connected socket."""

    def __init__(self, connected: socket.socket) -> None:
        self.clock = MonotonicClock()
        self.arrivals = self.clock.inbox()
        self._socket = connected
        self._writing = threading.Lock()
        self._received = self._taken = 0
        threading.Thread(target=self._receive, name="wyoming", daemon=True).start()

    def write(self, data: bytes) -> None:
        """Write all of it."""
        try:
            with self._writing:
                self._socket.sendall(data)
        except BlockingIOError as error:
            raise TimeoutError("it does not read what is sent to it") from error

    def took(self, count: int) -> None:
        """So many bytes have been parsed."""
        self._taken += count

    def close(self) -> None:
        """Shut the socket down, which ends the reading thread; that one closes it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _receive(self) -> None:
        reason = "it closed the connection"
        try:
            while data := self._socket.recv(READ):
                self.arrivals.put(Arrival(data, self.clock.now_ns()))
                self._received += len(data)
                if self._received - self._taken > MOST_WAITING:
                    reason = f"it sent more than {MOST_WAITING >> 20} MiB faster than they can be used"
                    break
        except OSError as error:
            reason = f"the connection broke: {error.strerror or error}"
        self.arrivals.put(Closed(reason, self.clock.now_ns()))
        self.close()
        with self._writing:  # or the descriptor might be another connection's by the time that a write goes on
            self._socket.close()

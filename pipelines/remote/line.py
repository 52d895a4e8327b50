"""One open connection to a server, as protocols see it: messages go out, stamped messages come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from firstpacket.bench.timing.clock import Clock, Inbox


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message, and when it was read: before it was parsed, in the thread that reads."""

    at_ns: int
    raw: str | bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The connection has ended, and why: `code` is the WebSocket's, 1006 if it broke off."""

    at_ns: int
    code: int
    reason: str


class Line(Protocol):
    """An open connection. What arrives is put into the inbox that it was opened with: `Arrived`, at last `Ended`."""

    def send(self, text: str) -> None:
        """Write a message; returns once it is written. Raises `ServerError` if the connection has ended."""
        ...

    def ping_ns(self, timeout_s: float) -> int | None:
        """The time of a ping to the server and back; None if no answer comes."""
        ...

    def close(self) -> None:
        """End it as the protocol wants it, from any thread: say goodbye, and wait a little for the server's."""
        ...

    def abort(self) -> None:
        """End it at once, from any thread; what blocks on it returns."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect: the address, and the headers, which may hold keys and are never recorded."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    timeout_s: float = 10.0
    hidden: Callable[[str], str] = str
    """Removes secrets from what the server says: it may repeat them."""

    def __repr__(self) -> str:
        return f"Target({self.url})"


class Connect(Protocol):
    """Opens a line."""

    def __call__(self, target: Target, clock: Clock, inbox: Inbox) -> Line:
        """Connect; returns once messages can be sent. Raises `ServerError`."""
        ...

"""An open connection to a server, as protocols see it: messages go out, stamped messages come in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from firstpacket.bench.timing.clock import Clock, Inbox


@dataclass(frozen=True, slots=True)
class Received:
    """A message, and when it was read: stamped in the reading thread, before it is parsed."""

    at_ns: int
    raw: str | bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection has ended, and why: `code` is the WebSocket close code, 1006 if it broke off."""

    at_ns: int
    code: int
    reason: str


class Transport(Protocol):
    """An open connection. What arrives is put into the inbox that was passed in: `Received`, finally `Closed`."""

    def send(self, text: str) -> None:
        """Write a message; returns once it is written. Raises `ServerError` if the connection has ended."""
        ...

    def ping_ns(self, timeout_s: float) -> int | None:
        """The round-trip time of a ping; None if it is not answered."""
        ...

    def close(self) -> None:
        """Close it properly, from any thread: send a close frame, and wait briefly for the server's."""
        ...

    def abort(self) -> None:
        """Close it at once, from any thread; blocked reads and writes return."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect: the address, and the headers, which may hold keys and are never recorded."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    timeout_s: float = 10.0
    hidden: Callable[[str], str] = str
    """Removes secrets from texts of the server, which may repeat them."""

    def __repr__(self) -> str:
        return f"Target({self.url})"


class Connect(Protocol):
    """Opens a connection."""

    def __call__(self, target: Target, clock: Clock, inbox: Inbox) -> Transport:
        """Connect; returns once messages can be sent. Raises `ServerError`."""
        ...

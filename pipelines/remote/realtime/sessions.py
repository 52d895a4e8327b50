"""The sessions of a run, one for each turn or one for all: opened before a turn, and closed properly."""

from __future__ import annotations

import queue
from collections.abc import Callable
from functools import partial

from firstpacket.bench.pipeline import TurnEnded
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import Clock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote.realtime.connection import Address, Connection, open_session
from firstpacket.pipelines.remote.realtime.session import SessionConfig
from firstpacket.pipelines.remote.realtime.turn import Turn
from firstpacket.pipelines.remote.transport import Connect

DRAIN_S = 10.0
"""How long to read the rest of a reply that was left early: until it is over, servers refuse another session."""
BUSY_S, BUSY_RETRY_S = 15.0, 0.5
"""How long to retry a busy server before a turn, and how often."""
RENEW_BEFORE_END_S = 120.0
"""How long before its limit a session is replaced."""


class Sessions:
    """At most one is open at a time."""

    def __init__(self, address: Address, config: SessionConfig, one_for_each_turn: bool, connect: Connect) -> None:
        self._address = address
        self._config = config
        self._one_for_each_turn = one_for_each_turn
        self._connect = connect
        self._connection: Connection | None = None
        self._turn: Turn | None = None
        """The last turn, unless it ended normally: messages of it could still arrive during the next one."""
        self._wait_until_closed: Callable[[], None] = _nothing
        """Waits for the thread that closes the session after its turn. It runs at once, to free the server for other
        systems."""

    def try_out(self, clock: Clock) -> Connection:
        """Open a session, to see whether the server allows it. Raises `TurnEnded` with its reason."""
        connection = self._open(clock)
        if self._one_for_each_turn:
            connection.close()  # the server may have no room for other systems
        else:
            self._connection = connection
        return connection

    def begin_turn(self, turn: Turn, trace: Trace) -> Connection:
        """The session for a turn. Raises `TurnEnded` with the server's reason if it refuses one."""
        self._wait_until_closed()
        renewed = self._close_unusable(trace.clock)
        connection = self._connection
        if connection is None:
            connection = self._connection = self._open(trace.clock, trace, renewed)
        if not connection.turns:
            trace.session(connection.setup)
        connection.begin_turn(trace)
        self._turn = turn
        return connection

    def end_turn(self, clock: Clock) -> None:
        """The turn is over, or was left early; a session for this turn alone is closed in a thread."""

        def close() -> None:
            self._close_unusable(clock)

        if self._one_for_each_turn:
            self._wait_until_closed = partial(clock.join, clock.spawn(close, "leave"))

    def keep(self) -> None:
        """The turn ended normally, so the next one may use its session."""
        self._turn = None

    def close(self) -> None:
        """Close the open session, if any; returns once it is closed, so the process may end."""
        self._close()
        self._wait_until_closed()

    def _close(self) -> None:
        connection, self._connection, self._turn = self._connection, None, None
        if connection is not None:
            connection.close()

    def _open(self, clock: Clock, trace: Trace | None = None, renewed: bool = False) -> Connection:
        """A new session; a busy server is retried for a while, since it may still be closing the last one."""
        until_ns = clock.now_ns() + int(BUSY_S * 1e9)
        while True:
            try:
                return open_session(self._address, self._config, clock, self._connect, trace, renewed)
            except TurnEnded as ended:
                if ended.outcome != "busy" or clock.now_ns() >= until_ns:
                    raise
            clock.sleep_until_ns(clock.now_ns() + int(BUSY_RETRY_S * 1e9))

    def _close_unusable(self, clock: Clock) -> bool:
        """Close a session that the next turn cannot use; returns whether that turn should have used it."""
        connection, unfinished = self._connection, self._turn
        if connection is None:
            return False
        if unfinished is not None:
            _read_to_end(connection, unfinished, clock)
        connection.skip(clock.now_ns())
        unusable = connection.ended or unfinished is not None
        if not (unusable or self._one_for_each_turn or self._ends_soon(connection, clock)):
            return False
        self._close()
        return unusable and not self._one_for_each_turn

    def _ends_soon(self, connection: Connection, clock: Clock) -> bool:
        minutes = self._address.dialect.minutes
        return minutes > 0 and (clock.now_ns() - connection.setup.begun_ns) / 1e9 > minutes * 60 - RENEW_BEFORE_END_S


def _nothing() -> None:
    """No session is being closed."""


def _read_to_end(connection: Connection, unfinished: Turn, clock: Clock) -> None:
    """Read the rest of a reply that was left early."""
    until_ns = clock.now_ns() + int(DRAIN_S * 1e9)
    try:
        while not connection.ended and unfinished.replying:
            event, _ = connection.next(until_ns)
            unfinished.received(event)
    except (queue.Empty, TurnEnded, TurnCancelled):
        pass

"""The sessions of a run, one for each turn or one for all: made before a turn, and left as a server expects it."""

from __future__ import annotations

import queue
from collections.abc import Callable
from functools import partial

from firstpacket.bench.pipeline import TurnEnded
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import Clock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote.line import Connect
from firstpacket.pipelines.remote.realtime.connection import Address, Connection, open_session
from firstpacket.pipelines.remote.realtime.session import Wanted
from firstpacket.pipelines.remote.realtime.turn import Turn

LEAVE_S = 10.0
"""How long a session whose reply was left is waited for before it is closed: servers refuse others until then."""
BUSY_S, BUSY_STEP_S = 15.0, 0.5
"""How long a busy server is asked again before a turn, and how often."""
MARGIN_S = 120.0
"""A session is replaced so long before it would end."""


class Sessions:
    """At most one is open at a time."""

    def __init__(self, address: Address, wanted: Wanted, one_for_each_turn: bool, connect: Connect) -> None:
        self._address = address
        self._wanted = wanted
        self._one_for_each_turn = one_for_each_turn
        self._connect = connect
        self._connection: Connection | None = None
        self._turn: Turn | None = None
        """The last turn, unless it ended as it should: more of it could reach the next one."""
        self._leaving: Callable[[], None] = _nothing
        """Waits for the thread that closes a session after its turn, so that other systems find the server free."""

    def try_out(self, clock: Clock) -> Connection:
        """A session, to see whether the server grants one. Raises `TurnEnded` with its reason."""
        made = self._granted(clock)
        if self._one_for_each_turn:
            made.close()  # the server may have no room for other systems
        else:
            self._connection = made
        return made

    def begin_turn(self, turn: Turn, trace: Trace) -> Connection:
        """The session for a turn. Raises `TurnEnded` with the server's reason if it grants none."""
        self._leaving()
        renewed = self._leave(trace.clock)
        made = self._connection
        if made is None:
            made = self._connection = self._granted(trace.clock, trace, renewed)
        if not made.turns:
            trace.session(made.setup)
        made.begin_turn(trace)
        self._turn = turn
        return made

    def end_turn(self, clock: Clock) -> None:
        """The turn is over, or was left; its session is closed meanwhile if it was for this turn alone."""

        def leave() -> None:
            self._leave(clock)

        if self._one_for_each_turn:
            self._leaving = partial(clock.join, clock.spawn(leave, "leave"))

    def keep(self) -> None:
        """The turn ended as it should, so the next one may use its session."""
        self._turn = None

    def close(self) -> None:
        """Leave the session that is open, if one is; when this returns it is left, so the process may end."""
        self._close()
        self._leaving()

    def _close(self) -> None:
        made, self._connection, self._turn = self._connection, None, None
        if made is not None:
            made.close()

    def _granted(self, clock: Clock, trace: Trace | None = None, renewed: bool = False) -> Connection:
        """A new session; a busy server is asked again for a while, since it may still be leaving the last one."""
        until_ns = clock.now_ns() + int(BUSY_S * 1e9)
        while True:
            try:
                return open_session(self._address, self._wanted, clock, self._connect, trace, renewed)
            except TurnEnded as ended:
                if ended.outcome != "busy" or clock.now_ns() >= until_ns:
                    raise
            clock.sleep_until_ns(clock.now_ns() + int(BUSY_STEP_S * 1e9))

    def _leave(self, clock: Clock) -> bool:
        """Close a session that the next turn cannot use; returns whether it was to be used, but had ended."""
        made, left = self._connection, self._turn
        if made is None:
            return False
        if left is not None:
            _await_end(made, left, clock)
        made.skip(clock.now_ns())
        lost = made.ended or left is not None
        if not (lost or self._one_for_each_turn or self._ends_soon(made, clock)):
            return False
        self._close()
        return lost and not self._one_for_each_turn

    def _ends_soon(self, made: Connection, clock: Clock) -> bool:
        minutes = self._address.dialect.minutes
        return minutes > 0 and (clock.now_ns() - made.setup.begun_ns) / 1e9 > minutes * 60 - MARGIN_S


def _nothing() -> None:
    """No session is being left."""


def _await_end(made: Connection, left: Turn, clock: Clock) -> None:
    """Read on until the reply that was left is over."""
    until_ns = clock.now_ns() + int(LEAVE_S * 1e9)
    try:
        while not made.ended and left.replying:
            event, _ = made.next(until_ns)
            left.received(event)
    except (queue.Empty, TurnEnded, TurnCancelled):
        pass

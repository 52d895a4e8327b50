"""One server through a run: described at loading, connected before every turn, left when a turn breaks off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import TurnEnded
from firstpacket.bench.timing.cancellation import Cancellation, TurnCancelled
from firstpacket.bench.timing.spans import Session
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote.wyoming import transport
from firstpacket.pipelines.remote.wyoming.address import Address
from firstpacket.pipelines.remote.wyoming.connection import Connection, ConnectionEnded
from firstpacket.pipelines.remote.wyoming.info import Program, Service, read_info
from firstpacket.pipelines.remote.wyoming.protocol import Event, WyomingError

LONGEST_WAIT_S = 3600
LONGEST_SET_UP_S = 10.0
"""For connecting, and for the server to describe itself: a turn has 25 s to be prepared."""
LONGEST_CHECK_S = 3.0
"""For a connection of an earlier turn to show that it is alive."""


class Client:
    """Keeps the connection of a server that leaves it open, and makes a new one for every turn where it does not.

    `role` is the engine's: marks begin with it.
    """

    def __init__(self, address: Address, role: str, timeout_s: float) -> None:
        """Raises `UsageError` for a timeout that is none."""
        if not 0 < timeout_s <= LONGEST_WAIT_S:
            raise UsageError(
                f"{role}-timeout is {timeout_s:g} s, but it must be above 0 s and at most {LONGEST_WAIT_S} s."
            )
        self.address = address
        self._role = role
        self._timeout_s = timeout_s
        self._set_up_s = min(timeout_s, LONGEST_SET_UP_S)
        self._selected = ""
        """The program to select, where it is not the server's first one."""
        self._connection: Connection | None = None
        self._keeps_open = False
        """Whether a connection has outlived a turn."""
        self._ends_after_answer = False
        """Whether the server has ended a connection after one answer."""

    def load(self, services: Iterable[Service], model: str = "", option: str = "") -> Program:
        """The server's program for one of these services, which every turn will use; see `Info.program`.

        Raises `WyomingError` if the server is not there, or does not speak Wyoming, and `UsageError` if it has no such
        program.
        """
        try:
            program = read_info(self._described()).program(services, model, option)
        except WyomingError as error:
            raise WyomingError(
                f"{self._problem(error)} Check that the server is running, and check {self._role}-uri."
            ) from error
        except UsageError as error:
            raise UsageError(f"The server {self.address}: {error}.") from error
        self._selected = "" if program.is_first else program.name
        return program

    def prepare(self, trace: Trace) -> None:
        """Have a connection to a server that answers, before the turn; a new one is recorded as the turn's session.

        Raises `WyomingError` and `TurnCancelled`.
        """
        with self._explained(trace.cancellation, "for it to describe itself"):
            renewed = False
            if self._connection is not None:
                if self._is_alive(self._connection, trace.cancellation):
                    self._keeps_open = True
                    return
                renewed, self._ends_after_answer = self._keeps_open, not self._keeps_open
                self._leave()
            self._connect(trace, renewed)

    @contextmanager
    def request(self, trace: Trace, waiting_for: str) -> Iterator[Connection]:
        """A connection for one request; the body has read the whole answer when it ends without an error.

        If it does not, the connection is ended: what the server still sends must not reach the next request. Raises
        `TurnEnded` if the server ends the connection, `WyomingError` and `TurnCancelled`.
        """
        with self._explained(trace.cancellation, waiting_for):
            if self._connection is None:
                # The server ends its connections, and this is another phrase of the same turn.
                self._connection = self._opened(trace.cancellation)
                trace.mark(f"{self._role}.connected")
            connection = self._connection
            complete = False
            try:
                with trace.cancellation.on_cancel(connection.close):
                    connection.begin()
                    yield connection
                complete = True
            except ConnectionEnded as error:
                self._ends_after_answer |= connection.answers > 0
                raise TurnEnded("session_ended", str(self._problem(error, f", while waiting {waiting_for}"))) from error
            finally:
                connection.answers += complete
                if not complete or self._ends_after_answer:
                    self._leave()

    def close(self) -> None:
        """End the connection."""
        self._leave()

    def _described(self) -> Event:
        connection = self._dialled(Cancellation())
        try:
            return connection.describe(self._set_up_s)
        finally:
            connection.close()

    def _is_alive(self, connection: Connection, cancellation: Cancellation) -> bool:
        try:
            with cancellation.on_cancel(connection.close):
                connection.describe(min(self._timeout_s, LONGEST_CHECK_S))
        except WyomingError:
            return False
        return True

    def _connect(self, trace: Trace, renewed: bool) -> None:
        begun_ns = trace.clock.now_ns()
        connection = self._opened(trace.cancellation)
        open_ns = trace.clock.now_ns()
        self._connection = connection
        try:
            with trace.cancellation.on_cancel(connection.close):
                connection.describe(self._set_up_s, begun_ns)
        except BaseException:
            self._leave()
            raise
        trace.session(Session(begun_ns, open_ns, trace.clock.now_ns(), renewed))

    def _opened(self, cancellation: Cancellation) -> Connection:
        connection = self._dialled(cancellation)
        if self._selected:
            connection.select(self._selected)
        return connection

    def _dialled(self, cancellation: Cancellation) -> Connection:
        try:
            return Connection(transport.dial(self.address, self._set_up_s, cancellation), self._timeout_s)
        except TimeoutError as error:
            raise WyomingError(f"it did not accept a connection within {self._set_up_s:g} s") from error
        except OSError as error:
            raise WyomingError(f"cannot connect: {error.strerror or error}") from error

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _explained(self, cancellation: Cancellation, waiting_for: str) -> Iterator[None]:
        """Raises errors with the server's address, and `TurnCancelled` for those of a turn that was cancelled."""
        try:
            yield
        except (WyomingError, TurnEnded, TurnCancelled) as error:
            if cancellation.cancelled:
                raise TurnCancelled(f"waiting {waiting_for} ({self.address})") from error
            if isinstance(error, WyomingError):
                raise self._problem(error) from error
            raise

    def _problem(self, error: WyomingError, more: str = "") -> WyomingError:
        return WyomingError(f"The server {self.address}: {error}{more}.")

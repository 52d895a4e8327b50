"""Messages between two processes over a private socket: the channel, starting the process, ending it.

The parent starts the other process with `spawn`; that one finds its parent with `parent`, and ends when it does. One
message is one line, a JSON object of its name and its fields; bytes that need not be text may follow it as they are.
"""

from __future__ import annotations

import binascii
import contextlib
import faulthandler
import io
import json
import mmap
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.errors import WorkerError

MAX_LINE = 64 * 1024 * 1024
"""A longer line cannot be a message."""
PADDING = "FIRSTPACKET_PADDING"
POINTER_BYTES = 8


class Closed(Exception):
    """Raised when the other side has gone."""


class Channel:
    """One end of the connection. `send` may be called from any thread, `receive` from one at a time.

    `messages` are the dataclasses that may be sent and received, by their names on the wire.
    """

    def __init__(self, connection: socket.socket, messages: Mapping[str, type]) -> None:
        self._socket = connection
        self._messages = messages
        self._names = {kind: name for name, kind in messages.items()}
        self._sending = threading.Lock()
        self._buffer = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)

    def send(self, message: Any, raw: bytes = b"") -> None:
        """Send one message and the bytes that follow it; the message must state their number.

        Raises `Closed`, or `WorkerError` when the other side does not read it.
        """
        body = {self._names[type(message)]: encode(message)}
        line = json.dumps(body, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            with self._sending:
                self._socket.sendall(line + raw)
        except TimeoutError as error:
            raise WorkerError("The other process is not reading: a message could not be delivered in time.") from error
        except OSError as error:
            raise Closed from error

    def receive(self, timeout_s: float | None = None) -> Any:
        """The next message, or `None` after `timeout_s`. Raises `Closed`, or `WorkerError` for anything else."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_LINE:
                raise WorkerError(
                    "The other process sent a line that is too long to be a message: something else may "
                    "be writing to its socket."
                )
            if timeout_s is not None and not self._selector.select(timeout_s):
                return None
            self._read()
        return self._message(self._taken(end + 1))

    def wait(self) -> None:
        """Block until there is something to read, or the other side has gone."""
        self._selector.select()

    @contextmanager
    def others_asleep(self) -> Iterator[None]:
        """Meanwhile nothing that arrives wakes a thread that blocks in `wait`; the thread in the body reads."""
        self._selector.unregister(self._socket)
        try:
            yield
        finally:
            self._selector.register(self._socket, selectors.EVENT_READ)

    def receive_raw(self, count: int) -> bytes:
        """The `count` bytes that follow the last message. Raises `Closed`."""
        while len(self._buffer) < count:
            self._read()
        return self._taken(count)

    def close(self) -> None:
        """Close the connection."""
        self._selector.close()
        self._socket.close()

    def _read(self) -> None:
        try:
            content = self._socket.recv(1 << 20)
        except OSError as error:
            raise Closed from error
        if not content:
            raise Closed
        self._buffer += content

    def _taken(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _message(self, line: bytes) -> Any:
        try:
            raw = json.loads(line)
            ((name, body),) = raw.items()
            return decode(self._messages[name], body, name)
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError, DecodeError, binascii.Error) as error:
            raise WorkerError(
                f"The other process sent something that is not a message: {line[:80]!r} ({error})."
            ) from error


def module_command(python: Sequence[str], module: str) -> list[str]:
    """The command that runs a module of ours.

    Python must not look for libraries in the current folder: there, a file of the user's may be called numpy.py.
    """
    return [*python, "-P", "-m", module]


def spawn(
    command: Sequence[str], output: int | BinaryIO, environment: Mapping[str, str], own_group: bool = False
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start `command`, and return the process and this end of the line to it. Raises `OSError`.

    The descriptor of its own end is its last argument. All that it prints goes to `output`. With `own_group` it is the
    head of a process group, and `kill_group` takes with it whatever it started.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = [*command, str(theirs.fileno())]
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=padded(environment, arguments),
                pass_fds=(theirs.fileno(),),
                start_new_session=own_group,
            )
        except OSError:
            ours.close()
            raise
    return process, ours


def padded(environment: Mapping[str, str], arguments: Sequence[str]) -> dict[str, str]:
    """`environment` with one more variable, so that variables and arguments together fill whole pages of memory.

    They are at the top of a process's stack, so their length decides where in a page its own data begins, and that
    alone can change its speed (Mytkowicz et al., "Producing wrong data without doing anything obviously wrong!",
    ASPLOS 2009). With padding, the length of a label or of a path does not.
    """
    variables = {**environment, PADDING: ""}
    texts = [arguments[0], *arguments, *(f"{name}={value}" for name, value in variables.items())]
    size = sum(len(os.fsencode(text)) + 1 + POINTER_BYTES for text in texts)
    return variables | {PADDING: "x" * (-size % mmap.PAGESIZE)}


def parent(messages: Mapping[str, type]) -> Channel:
    """In a process that `spawn` started: the channel to its parent. From then on the process dies with its parent.

    Whatever it prints can be printed: in a locale that is not UTF-8, a library's message would be an error. If it
    crashes in native code, it prints the Python stack.
    """
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    _die_with_parent()
    line = socket.socket(fileno=int(sys.argv[-1]))
    os.register_at_fork(after_in_child=line.close)  # or a forked helper would hide that this process has ended
    return Channel(line, messages)


def how_it_ended(process: subprocess.Popen[bytes], grace_s: float) -> str:
    """How a process ended whose connection was closed, for people; waits up to `grace_s` for it to end."""
    try:
        code = process.wait(grace_s)
    except subprocess.TimeoutExpired:
        return "it closed the connection"
    if code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}" + (", possibly out of memory" if name == "SIGKILL" else "")
    return f"exit code {code}"


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and everything it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies (elsewhere the closed socket ends it)."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)

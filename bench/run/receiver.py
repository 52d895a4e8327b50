"""The worker's end of the line: who reads the manager's messages, and how a clip is handed over with one wake-up.

A thread of its own reads, so that cancellations arrive while the pipeline works. If it also read the message that
releases a clip, two threads would have to be woken one after the other: this one, then the one in which the pipeline
waits. On busy cores each may have to wait for its turn. So the waiting thread reads that message itself.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from firstpacket.bench.ipc import Channel
from firstpacket.bench.run.prompt_wake_up import prompt_wake_up


class Receiver:
    """Passes every message to `handle`, one at a time, whichever thread read it.

    `gone` is called when there will be no more, since the manager has gone or sent something that is no message.
    """

    def __init__(self, channel: Channel, handle: Callable[[Any], None], gone: Callable[[], None]) -> None:
        self._channel = channel
        self._handle = handle
        self._gone = gone
        self._reading = threading.Lock()

    def listen(self) -> None:
        """Read until the manager has gone."""
        try:
            while True:
                self._channel.wait()
                with self._reading:
                    # Nothing is left if a thread that waited for its clip was faster.
                    while (message := self._channel.receive(0)) is not None:
                        self._handle(message)
        except Exception:
            self._gone()

    def read_one(self, unless: Callable[[], bool]) -> None:
        """Read the next message in this thread; the one that listens sleeps on. Not if `unless` is true by then."""
        try:
            with self._reading:
                if unless():
                    return
                with self._channel.others_asleep(), prompt_wake_up():
                    message = self._channel.receive()
                self._handle(message)
        except Exception:
            self._gone()


class ClipInbox:
    """An inbox for a clip: a thread that finds it empty reads the next message itself."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, item: Any) -> None:
        """Add an item; never blocks."""
        self._items.put(item)

    def get(self) -> Any:
        """Take the oldest item; blocks until there is one."""
        if self._items.empty():
            self._receiver.read_one(unless=lambda: not self._items.empty())
        return self._items.get()

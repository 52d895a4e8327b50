"""A fake Realtime server in a process of its own, which writes down when it began to write each reply's first audio.

with server_process(think_ms=(20, 80)) as server:
    ...                                  # turns at server.url
    server.wrote_ns()                    # by this machine's monotonic clock, reply by reply
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from support.realtime_server import Peer, Server, websocket_server

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class ServerProcess:
    url: str
    process: subprocess.Popen[str]

    def wrote_ns(self) -> list[int]:
        """Ends the server; call it once, when all turns are over."""
        self.process.terminate()
        assert self.process.stdout is not None
        return [int(line) for line in self.process.stdout]


@contextmanager
def server_process(think_ms: tuple[float, float], pieces: int = 3, port: int = 0) -> Iterator[ServerProcess]:
    """Thinks for as long as chance will have it, then speaks in so many pieces of 20 ms, each 5 ms after the other."""
    command = [sys.executable, "-m", "support.realtime_process", *map(str, (*think_ms, pieces, port))]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": ""}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield ServerProcess(process.stdout.readline().strip(), process)
        finally:
            process.kill()


class Writing(Server):
    def __init__(self, least_ms: float, most_ms: float, pieces: int) -> None:
        super().__init__(ready_ms=0, pieces=((0, 20), *[(5, 20)] * (pieces - 1)))
        self.range_ms = least_ms, most_ms
        self.random = random.Random(0)

    def respond(self, peer: Peer, number: int, late: dict[str, Any] | None = None) -> None:
        self.think_ms = self.random.uniform(*self.range_ms)
        deliver, wrote_ns = peer.deliver, 0

        def stamping(raw: str | bytes) -> None:
            nonlocal wrote_ns
            now_ns = peer.clock.now_ns()
            deliver(raw)
            if not wrote_ns and '"response.output_audio.delta"' in str(raw[:60]):
                wrote_ns = now_ns

        peer.deliver = stamping
        super().respond(peer, number, late)
        peer.deliver = deliver
        print(wrote_ns, flush=True)  # noqa: T201 (its only output)


if __name__ == "__main__":
    least_ms, most_ms, pieces, port = sys.argv[1:]
    with websocket_server(Writing(float(least_ms), float(most_ms), int(pieces)), int(port)) as url:
        print(url, flush=True)  # noqa: T201
        Event().wait()

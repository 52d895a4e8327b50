"""`transformers serve`, a real server, in this process: to start it anew takes 20 s for imports alone."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MODULES = ("torch", "transformers", "httpx2", "fastapi", "uvicorn", "openai")
STARTING_S = 30.0


def missing() -> list[str]:
    """What it needs and is not installed. Only looked for: these libraries take seconds to import."""
    return [module for module in MODULES if find_spec(module) is None]


@contextmanager
def serving(only: Path | None = None) -> Iterator[str]:
    """Its address, up to `/v1`. It loads the models that it is asked for by their paths, or knows this one only."""
    from transformers.cli.serve import Serve

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    model = None if only is None else str(only)
    server: Any = Serve(
        force_model=model, host="127.0.0.1", port=port, device="cpu", dtype="float32", non_blocking=True
    )
    try:
        until_s = time.monotonic() + STARTING_S
        while not server.server.started and time.monotonic() < until_s:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill_server()

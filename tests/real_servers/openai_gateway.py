"""A gateway that puts OpenAI's speech and transcription endpoints in front of Wyoming servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from real_servers.environment import OPENAI_GATEWAY
from real_servers.process import HOST, Server, free_port, started

STARTING_S = 60.0


@contextmanager
def openai_gateway(faster_whisper: Server, piper: Server, folder: Path) -> Iterator[Server]:
    """In front of these two; its log goes to `folder`."""
    port = free_port()
    variables = {
        "HOST": HOST,
        "PORT": str(port),
        "STT_HOST": HOST,
        "STT_PORT": str(faster_whisper.port),
        "TTS_HOST": HOST,
        "TTS_PORT": str(piper.port),
    }
    command = (OPENAI_GATEWAY.folder / "bin" / "wyoming-openai-gateway",)
    with started("openai-gateway", command, port, folder / "openai-gateway.log", STARTING_S, **variables) as server:
        yield server

"""What speech servers answer, in every dialect: scripts for `support.llm_server`."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from support.llm_server import Answer

Script = Callable[[Answer], None]
SAMPLES = (np.sin(np.arange(2400) / 8) * 8000).astype("<i2")
PCM = SAMPLES.tobytes()


def wav(pcm: bytes = PCM, rate: int = 22_050, size: int | None = None, channels: int = 1, bits: int = 16) -> bytes:
    """A WAV file whose header claims `size` bytes of samples."""
    size = len(pcm) if size is None else size
    frame = channels * bits // 8
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", (36 + size) & 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, channels, rate,
                       rate * frame & 0xFFFFFFFF, frame & 0xFFFF, bits)  # fmt: skip
    return head + struct.pack("<4sI", b"data", size) + pcm


def body(*parts: bytes, kind: str = "audio/pcm", end: bool = True) -> Script:
    """A chunked body of these parts."""

    def script(answer: Answer) -> None:
        answer.begin(kind)
        for part in parts:
            answer.send(part)
        if end:
            answer.wfile.write(b"0\r\n\r\n")

    return script


def events(*said: dict[str, object] | str, end: bool = True) -> Script:
    """A stream of these events."""
    return lambda answer: answer.stream([each if isinstance(each, str) else json.dumps(each) for each in said], end)


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def audio_events(*parts: bytes, done: bool = True) -> Script:
    """OpenAI's events of speech."""
    said = [{"type": "speech.audio.delta", "audio": base64_of(part)} for part in parts]
    usage = {"input_tokens": 3, "output_tokens": 9, "total_tokens": 12}
    return events(*said, *([{"type": "speech.audio.done", "usage": usage}] if done else []))


def broken(script: Script) -> Script:
    """The connection is reset after what a script sends."""

    def breaking(answer: Answer) -> None:
        script(answer)
        answer.hang_up()

    return breaking


def then_silence(script: Script) -> Script:
    """Nothing comes after what a script sends, and the connection stays open."""

    def waiting(answer: Answer) -> None:
        script(answer)
        answer.server.over.wait(10)

    return waiting


def endless(piece: bytes, kind: str, pause_s: float = 0.0) -> Script:
    """A body without end."""

    def script(answer: Answer) -> None:
        answer.begin(kind)
        with suppress(OSError):
            while not answer.server.over.wait(pause_s) if pause_s else not answer.server.over.is_set():
                answer.send(piece)

    return script


def later(answer: Answer) -> None:
    """No answer at all."""
    answer.server.over.wait(10)


def plain(status: int, said: object, **headers: str) -> Script:
    """A whole answer."""
    return lambda answer: answer.plain(status, said, **headers)

"""The forms of a request for speech, the best first: found at loading, since each server refuses others.

OpenAI streams unless told otherwise and takes no `stream`, LocalAI and gateways stream with `stream`, and vLLM-Omni
sends events with it unless `stream_format` is `audio`. PCM has no header; some servers know WAV only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from firstpacket.pipelines.remote.http.problems import ServerError

Body = dict[str, Any]
STREAMS: Mapping[str, tuple[Body, ...]] = {
    "audio": ({"stream": True, "stream_format": "audio"}, {"stream_format": "audio"}, {"stream": True}, {}),
    "sse": ({"stream": True, "stream_format": "sse"}, {"stream_format": "sse"}, {"stream": True}),
    "off": ({},),
}
"""What asks for a stream, by the option tts-stream."""
FORMATS = ("pcm", "wav")
ABOUT_THE_FORM = (400, 415, 422)


def forms(stream: str) -> tuple[Body, ...]:
    """The fields that say how the audio is to be sent, the best first."""
    return tuple({"response_format": format, **how} for format in FORMATS for how in STREAMS[stream])


def accepted(send: Callable[[Body], None], stream: str) -> Body:
    """The first form that the server takes. Raises `ServerError` with its first refusal if it takes none.

    `send` raises `ServerError` for a refusal.
    """
    first: ServerError | None = None
    for form in forms(stream):
        try:
            send(form)
        except ServerError as error:
            if error.status not in ABOUT_THE_FORM:
                raise
            first = first or error
        else:
            return form
    assert first is not None
    raise first

"""The forms of a request for speech, the best first: found at loading, since each server refuses others.

OpenAI streams unless told otherwise and takes no `stream`, LocalAI and gateways stream with `stream`, and vLLM-Omni
sends events with it unless `stream_format` is `audio`. PCM has no header; some servers know WAV only.
"""

from __future__ import annotations

from collections.abc import Mapping

from firstpacket.pipelines.remote.http.forms import Form

STREAMS: Mapping[str, tuple[Form, ...]] = {
    "audio": ({"stream": True, "stream_format": "audio"}, {"stream_format": "audio"}, {"stream": True}, {}),
    "sse": ({"stream": True, "stream_format": "sse"}, {"stream_format": "sse"}, {"stream": True}),
    "off": ({},),
}
"""What asks for a stream, by the option tts-stream."""
FORMATS = ("pcm", "wav")


def forms(stream: str) -> tuple[Form, ...]:
    """The fields that say how the audio is to be sent, the best first."""
    return tuple({"response_format": format, **how} for format in FORMATS for how in STREAMS[stream])

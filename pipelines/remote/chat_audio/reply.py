"""One reply as it is streamed: its audio and its words, and why there may be no audio."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.remote.http.chat import Chunk, Usage
from firstpacket.pipelines.remote.http.sound import SoundStream
from firstpacket.pipelines.remote.problems import ServerError, short

MOST_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples, their rate, and when the last of them was read."""

    samples: Samples
    rate: int
    at_ns: int


class Reply:
    """Reads one reply. `rate` is that of audio without a header."""

    def __init__(self, rate: int) -> None:
        self._sound = SoundStream(rate)
        self._rate = rate
        self._finish = self._refusal = self._called = ""
        self._calls = False
        self.spoken = ""
        """The words of the audio, as the server gives them."""
        self.written = ""
        """Text that came beside the audio, or instead of it."""
        self.usage: Usage | None = None
        self.format = ""
        """Of the audio: `pcm` or `wav`."""
        self.samples = 0

    def sounds(self, chunks: Iterator[Chunk]) -> Iterator[Sound]:
        """The audio as it arrives. Raises `ServerError` for what cannot be decoded, and for a text without end."""
        at_ns = 0
        for chunk in chunks:
            self._note(chunk)
            if chunk.audio:
                at_ns = chunk.at_ns
                yield from self._emit(self._feed(chunk.audio), at_ns)
        if self.format or self._sound.waiting:
            yield from self._emit(self._sound.end(), at_ns)

    @property
    def shortcoming(self) -> str:
        """Why there is no audio; empty if there is."""
        if self.samples:
            return ""
        if self._refusal:
            return f"the model refused to answer: {short(self._refusal)}"
        if self._calls:
            name = f" {short(self._called)}" if self._called else ""
            return f"the model called the tool{name} instead of answering"
        if self._finish == "content_filter":
            return "the server's content filter withheld the reply"
        if self.written.strip():
            return "the server ignored `modalities`: it replied with text alone"
        if self._finish == "length":
            return "the reply was cut off before it had audio (max-tokens)"
        return "the server's reply has neither audio nor text"

    def _feed(self, audio: str) -> Samples:
        try:
            data = base64.b64decode(audio, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ServerError("a chunk's audio is not base64") from error
        if self.format == "wav" and data.startswith(b"RIFF"):  # some servers send each piece as a file of its own
            self._sound = SoundStream(self._rate)
        return self._sound.feed(data)

    def _emit(self, samples: Samples, at_ns: int) -> Iterator[Sound]:
        self.format = self._sound.format
        self.samples += len(samples)
        if len(samples):
            yield Sound(samples, self._sound.rate, at_ns)

    def _note(self, chunk: Chunk) -> None:
        self.spoken += chunk.transcript
        self.written += chunk.content
        if len(self.spoken) + len(self.written) > MOST_CHARACTERS:
            raise ServerError(f"its reply has more than {MOST_CHARACTERS:,} characters")
        self.usage = chunk.usage or self.usage
        self._finish = chunk.finish or self._finish
        self._refusal += chunk.refusal
        self._called = self._called or chunk.called
        self._calls |= chunk.calls

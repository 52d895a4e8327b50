"""espeak-ng in this process, through the library in the wheel espeakng-loader."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from firstpacket.bench.errors import MissingDependency, UnknownName, UsageError
from firstpacket.bench.pipeline import Declaration, Option, Requirement, Samples, Settings, Stage, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import TTS
from firstpacket.pipelines.optional import imported

CHUNK_MS = 50
"""Chunk length requested from espeak-ng, which adds a fifth: a chunk has 1324 samples, 60 ms."""

_SYNCHRONOUS, _DO_NOT_EXIT, _UTF8 = 2, 0x8000, 1
_RATE, _PITCH = 1, 3
_GO_ON, _STOP = 0, 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak(TTS):
    """Formant synthesis of many languages, much faster than real time."""

    declaration = Declaration(
        name="espeak",
        summary="espeak-ng: formant synthesis of many languages, a few milliseconds per phrase.",
        stages=(Stage("tts", "speak", "tts"),),
        options=(
            Option("tts-voice", "en", "espeak-ng voice, for example en-us, de, en+f3"),
            Option("tts-speed", 175, "words per minute, 80 to 450"),
            Option("tts-pitch", 50, "pitch, 0 to 100"),
        ),
        requires=(Requirement("espeakng_loader", "espeak"),),
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._library: Any = None
        self._rate = 0

    def load(self) -> None:
        """Start the library. Raises `MissingDependency`, `UsageError` or, for the voice, `UnknownName`."""
        speed, pitch = self.settings.whole("tts-speed"), self.settings.whole("tts-pitch")
        _check("tts-speed", speed, 80, 450)
        _check("tts-pitch", pitch, 0, 100)
        loader = imported("espeakng_loader", "espeak", "The voice espeak")
        self._library, self._rate = _started(loader)
        voice = self.settings.text("tts-voice")
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise UnknownName("voice of espeak-ng (tts-voice)", voice, _voices(self._library))
        self._library.espeak_SetParameter(_RATE, speed, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)

    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        """Chunks of 60 ms at 22050 Hz.

        espeak-ng gives them to a callback and returns when all is said, so it runs in a thread: the first chunk is
        there after 0.3 ms, where a reply of 40 words takes 10 ms as a whole. Its pitch flutter goes on from phrase to
        phrase, so the same text said twice differs by a fraction of a millisecond.
        """
        chunks = trace.clock.inbox()
        stopped = False

        def keep(samples: Any, count: int, events: int | None) -> int:
            try:
                if samples and count > 0:
                    chunks.put(np.ctypeslib.as_array(samples, shape=(count,)).astype(np.float32) / 2**15)
            except BaseException as problem:  # ctypes would only print the exception
                chunks.put(problem)
                return _STOP
            return _STOP if stopped else _GO_ON

        def say() -> None:
            try:
                problem = _said(self._library, text, keep)
            except BaseException as error:  # the consumer is waiting for the end marker
                problem = error
            chunks.put(problem)

        thread = trace.clock.spawn(say, "espeak")
        try:
            while (chunk := chunks.get()) is not None:
                if isinstance(chunk, BaseException):
                    raise chunk
                yield chunk, self._rate
        finally:
            stopped = True
            trace.clock.join(thread)

    def weights(self) -> tuple[Weights, ...]:
        """The voice inside the wheel."""
        return (Weights("tts", "bundled", f"espeak-ng {self.settings.text('tts-voice')}"),)


def _said(library: Any, text: str, keep: Callable[[Any, int, int | None], int]) -> BaseException | None:
    """Speak the text into `keep`; returns the error, or `None`."""
    callback = _CALLBACK(keep)
    library.espeak_SetSynthCallback(callback)
    # espeak-ng reads up to the first NUL.
    data = text.replace("\0", " ").encode("utf-8", "replace")
    status = library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
    return RuntimeError(f"espeak-ng failed to speak {text!r} (status {status})") if status else None


def _started(loader: Any) -> tuple[Any, int]:
    """The library and its sample rate in Hz."""
    try:
        library = ctypes.CDLL(loader.get_library_path())
    except OSError as error:
        raise MissingDependency(
            f"Cannot load the espeak-ng library: {error}. "
            "Reinstall it with: pip install --force-reinstall espeakng-loader"
        ) from error
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint
    library.espeak_Synth.argtypes = [ctypes.c_char_p, size, number, ctypes.c_int, number, number, pointer, pointer]
    data = loader.get_data_path().encode()
    rate = int(library.espeak_Initialize(_SYNCHRONOUS, CHUNK_MS, data, _DO_NOT_EXIT))
    if rate <= 0:
        raise MissingDependency(
            f"espeak-ng failed to start with the data in {loader.get_data_path()} (status {rate}). "
            "Reinstall it with: pip install --force-reinstall espeakng-loader"
        )
    return library, rate


class _Voice(ctypes.Structure):
    """The beginning of espeak_VOICE; `languages` holds a priority byte, then the first language's name."""

    _fields_ = (("name", ctypes.c_char_p), ("languages", ctypes.c_char_p), ("identifier", ctypes.c_char_p))


def _voices(library: Any) -> list[str]:
    """Available voices."""
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    listed = library.espeak_ListVoices(None)
    found: list[str] = []
    while listed[len(found)]:
        found.append(listed[len(found)].contents.languages[1:].decode(errors="replace"))
    return found


def _check(option: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UsageError(f"{option} is {value}, but espeak-ng takes {low} to {high}.")

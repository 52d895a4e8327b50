"""espeak-ng in this process, through the library that the espeakng-loader wheel brings."""

from __future__ import annotations

import ctypes
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from bench.errors import CorpusError, MissingDependency
from bench.pipeline import Samples

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_BUFFER_MS = 100
_SEED = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def speak(voice: str, text: str) -> tuple[Samples, int]:
    """What `voice` (for example `en-us` or `en-us+f3`) says: mono float32 `(n,)`, and its rate in Hz.

    Every text is spoken in a process of its own: what the library said before changes the next text by some samples,
    even when it is started anew. Raises `MissingDependency`, or `CorpusError` if there is no such voice or no sound.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_speak, voice, text).result()


def _speak(voice: str, text: str) -> tuple[Samples, int]:
    library, rate = _start()
    if library.espeak_SetVoiceByName(voice.encode()):
        raise CorpusError(
            f"espeak-ng has no voice '{voice}'. Use a language, such as en-us, or a variant of one: en-us+f3."
        )
    pieces: list[bytes] = []

    def keep(samples: Any, count: int, _: int | None) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, count * 2))
        return 0

    callback = _CALLBACK(keep)
    library.espeak_SetSynthCallback(callback)
    library.espeak_ng_SetRandSeed(_SEED)  # breath in some voices is noise, seeded by the time of day
    data = text.encode()
    status = library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
    if status or not pieces:
        raise CorpusError(f"espeak-ng's voice '{voice}' cannot say {text!r} (status {status}). Change the text.")
    return np.frombuffer(b"".join(pieces), np.int16).astype(np.float32) / np.float32(2**15), rate


def _start() -> tuple[Any, int]:
    """The library, ready to speak, and its sample rate in Hz."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise MissingDependency("Voices of espeak-ng need its library. Install: pip install espeakng-loader") from error
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    pointer, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint
    library.espeak_Synth.argtypes = [ctypes.c_char_p, size, number, ctypes.c_int, number, number, pointer, pointer]
    data = espeakng_loader.get_data_path().encode()
    rate = int(library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, data, _DO_NOT_EXIT))
    if rate <= 0:
        raise MissingDependency("espeak-ng does not start. Reinstall it: pip install --force-reinstall espeakng-loader")
    return library, rate

"""espeak-ng for corpora: the cascade's engine, made repeatable."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from firstpacket.bench.errors import CorpusError, UsageError
from firstpacket.bench.pipeline import Samples, Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.tts.espeak import Espeak


def speak(voice: str, text: str) -> tuple[Samples, int]:
    """What `voice` (for example `en-us` or `en-us+m3`) says: mono float32 `(n,)`, and its rate in Hz.

    Every text is spoken in a process of its own: what the library said before changes the next text by some samples,
    even when it is started anew. (Variants with breath, such as `+f3`, differ all the same.) Raises
    `MissingDependency`, or `CorpusError` if there is no such voice or nothing is said.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_speak, voice, text).result()


def _speak(voice: str, text: str) -> tuple[Samples, int]:
    defaults = {option.name: option.default for option in Espeak.declaration.options}
    engine = Espeak(Settings(options={**defaults, "tts-voice": voice}))
    try:
        engine.load()
    except UsageError as error:
        raise CorpusError(str(error)) from error  # an exception of several arguments does not travel between processes
    chunks = list(engine.speak(text, Trace(MonotonicClock())))
    if not chunks:
        raise CorpusError(f"espeak-ng's voice '{voice}' produces no sound for {text!r}. Change the text.")
    return np.concatenate([samples for samples, _ in chunks]), chunks[0][1]

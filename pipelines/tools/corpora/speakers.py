"""Synthesisers that say many texts: flite by its program, any other by the cascade's engine of that name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial

import numpy as np

from firstpacket.bench.errors import CorpusError, UsageError
from firstpacket.bench.pipeline import SAMPLE_RATE, OptionValue, Samples, Settings
from firstpacket.bench.registry import checked_options, engine, require
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import TTS
from firstpacket.pipelines.tools.corpora.engines import flite

Say = Callable[[str], tuple[Samples, int]]
"""Text → mono float32 `(n,)` and its rate in Hz."""

FLITE = "flite"
_FEATURE = re.compile(r"[a-z][a-z0-9_]*")


@contextmanager
def speaker(name: str, options: Mapping[str, OptionValue]) -> Iterator[Say]:
    """The synthesiser, ready; flite takes `voice` and its numeric features, engines the options of `bench list`.

    Raises `BenchError`: an engine, an option or a voice that does not exist, or something that is not installed.
    """
    if name == FLITE:
        yield partial(_flite, *_flite_options(options))
        return
    kind = engine("tts", name)
    require(kind.declaration)
    settings = Settings(options=checked_options(f"voice '{name}'", kind.declaration.options, options))
    with closing(kind(settings)) as voice:
        voice.load()
        yield partial(_speak, voice)


def _speak(voice: TTS, text: str) -> tuple[Samples, int]:
    chunks = list(voice.speak(text, Trace(MonotonicClock())))
    if not chunks:
        raise CorpusError(f"The voice '{voice.declaration.name}' produces no sound for {text!r}. Change the text.")
    return np.concatenate([samples for samples, _ in chunks]), chunks[0][1]


def _flite_options(options: Mapping[str, OptionValue]) -> tuple[str, dict[str, float]]:
    features = {name: value for name, value in options.items() if name != "voice"}
    for name, value in features.items():
        if not _FEATURE.fullmatch(name) or isinstance(value, (str, bool)):
            raise UsageError(f"flite: {name} = {value!r} is not a feature. Use `voice`, and features with numbers.")
    if not isinstance(voice := options.get("voice"), str):
        raise UsageError("flite: `voice` is missing, for example slt. `flite -lv` lists them.")
    return voice, {name: float(value) for name, value in features.items()}


def _flite(voice: str, features: Mapping[str, float], text: str) -> tuple[Samples, int]:
    return flite(voice, text, features), SAMPLE_RATE

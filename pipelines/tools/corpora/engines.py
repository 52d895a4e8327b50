"""Speech synthesisers that corpora are made with."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from firstpacket.bench.corpus.audio import read_clip, to_corpus_rate
from firstpacket.bench.errors import CorpusError, MissingDependency, UnknownName
from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.tools.corpora import espeak
from firstpacket.pipelines.tools.corpora.recipe import Voice


def speak(voice: Voice, text: str) -> Samples:
    """`text` as `voice` says it: mono float32 `(n,)` at 16 kHz; the same whenever it is asked for.

    Raises `MissingDependency` if the synthesiser is not installed, `UnknownName` if it has no such voice, `CorpusError`
    if it says nothing.
    """
    if voice.engine == "espeak-ng":
        return to_corpus_rate(*espeak.speak(voice.name, text))
    return flite(voice.name, text)


def flite(voice: str, text: str, features: Mapping[str, float] | None = None) -> Samples:
    """`text` as `voice` of flite says it, with some of its numeric features set. Raises as `speak` does."""
    if voice not in _flite_voices(shutil.which("flite")):  # flite itself would silently use its default voice
        raise UnknownName("voice of flite", voice, _flite_voices(shutil.which("flite")))
    settings = [word for name, value in (features or {}).items() for word in ("--setf", f"{name}={value:g}")]
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "speech.wav"
        _run_flite("-voice", voice, *settings, "-t", text, "-o", str(wav))
        return read_clip(wav).samples


@cache
def _flite_voices(program: str | None) -> tuple[str, ...]:
    return tuple(_run_flite("-lv").partition(":")[2].split())


def _run_flite(*arguments: str) -> str:
    binary = shutil.which("flite")
    if binary is None:
        raise MissingDependency("Voices of flite need the program flite. Install it with: apt-get install flite")
    done = subprocess.run([binary, *arguments], capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise CorpusError(f"flite {' '.join(arguments)} failed: {done.stderr.strip() or done.returncode}.")
    return done.stdout

"""A corpus of human speech with texts and checked ends of speech, made from recordings in Debian's packages.

The recordings stay in their packages; `tests/human/speech_ends.jsonl` has the ends of speech, each read twice, the
second time without knowing the first: off the spectrogram and the level in 5 ms steps, not by ear, as the last moment
at which a speech sound is visible, its fading included. Two readings differ by 5 ms in the median, 25 ms at the 95th
percentile, and by 70 to 85 ms in three clips that fade out slowly; their mean counts.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from firstpacket.bench.corpus.manifest import MANIFEST, ManifestLine, write_manifest
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.quality.wer import errors
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import ASR

SHARE = Path("/usr/share")
ENDS = Path(__file__).parents[1] / "human" / "speech_ends.jsonl"


@dataclass(frozen=True, slots=True)
class Source:
    """Recordings of one kind in one package: their folder below `/usr/share`, and what holds for all of them."""

    package: str
    folder: str
    line: ManifestLine
    texts: str = ""
    """File with the recordings' texts, below `/usr/share`."""


def _voice(name: str, language: str, licence: str) -> ManifestLine:
    return ManifestLine("", "", voice=name, language=language, licence=licence, speaker_kind="human")


_TELEPHONE = "asterisk/sounds"
_SPHINX = "pocketsphinx/test/data"
SOURCES = (
    Source(
        "asterisk-core-sounds-en-wav",
        f"{_TELEPHONE}/en_US_f_Allison",
        _voice("Allison", "en", "CC-BY-SA-3.0"),
        "doc/asterisk-core-sounds-en/core-sounds-en.txt.gz",
    ),
    Source("asterisk-core-sounds-it-wav", f"{_TELEPHONE}/it_IT_m_Carlo", _voice("Carlo", "it", "CC-BY-SA-3.0")),
    Source(
        "pocketsphinx-testdata",
        f"{_SPHINX}/librivox",
        _voice("LibriVox", "en", "BSD-2-Clause"),
        f"{_SPHINX}/librivox/transcription",
    ),
    Source(
        "pocketsphinx-testdata",
        f"{_SPHINX}/cards",
        _voice("cards", "en", "BSD-2-Clause"),
        f"{_SPHINX}/cards/cards.transcription",
    ),
)


def human_corpus(folder: Path, *, texts_only: bool = False) -> Path:
    """Write the corpus to `folder` and return it; `texts_only` leaves out recordings without a text.

    Skips the test if a package is missing or contains other recordings than those whose ends were checked.
    """
    missing = sorted({source.package for source in SOURCES if not (SHARE / source.folder).is_dir()})
    if missing:
        pytest.skip(f"no human speech: apt-get install {' '.join(missing)}")
    lines = [line for line in _lines(folder) if line.text is not None or not texts_only]
    write_manifest(folder / MANIFEST, lines)
    return folder


def _lines(folder: Path) -> Iterator[ManifestLine]:
    for text in ENDS.read_text(encoding="utf-8").splitlines():
        end = json.loads(text)
        recording = SHARE / end["file"]
        if not recording.is_file() or hashlib.sha256(recording.read_bytes()).hexdigest() != end["sha256"]:
            pytest.skip(f"no human speech: {recording} is not the recording whose end of speech was checked")
        source = next(source for source in SOURCES if (SHARE / source.folder) == recording.parent)
        name = f"{source.line.voice}-{recording.name}"
        shutil.copy(recording, folder / name)
        yield replace(
            source.line,
            id=f"{source.line.voice}/{recording.stem}",
            audio=name,
            text=_texts(source).get(recording.stem),
            speech_end_ms=sum(end["readings_ms"]) / 2,
            speech_end_method="spectrogram, by eye, mean of two readings",
            dataset=f"Debian {source.package}",
        )


@cache
def _texts(source: Source) -> dict[str, str]:
    """Texts by the recordings' names: lines of `NAME: TEXT`, or of `<s> TEXT </s> (NAME)`."""
    if not source.texts:
        return {}
    raw = (SHARE / source.texts).read_bytes()
    text = (gzip.decompress(raw) if source.texts.endswith(".gz") else raw).decode("utf-8", errors="replace")
    named = re.findall(r"^([\w-]+): (.+)$", text, re.MULTILINE)
    sphinx = re.findall(r"^<s> (.+?) +</s> \(([\w-]+)\)$", text, re.MULTILINE)
    return dict(named) | {name: words for words, name in sphinx}


def word_error_rate(recogniser: ASR, clips: Sequence[Utterance]) -> float:
    """Word errors by words spoken, over all `clips` together."""
    wrong = spoken = 0
    for clip in clips:
        speech = HeardSpeech(MonotonicClock(), clip.language)
        speech.hear(clip.samples)
        speech.end()
        edits, words = errors(clip.text or "", recogniser.transcribe(speech, Trace(MonotonicClock())))
        wrong, spoken = wrong + edits, spoken + words
    return wrong / spoken

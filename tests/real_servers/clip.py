"""The recording that the servers get: one of the demo corpus."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import soxr

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.pipeline import SAMPLE_RATE

WORDS = {"capital", "france"}
"""Of its text, those by which it is recognised: the demo's small models may repeat or leave out another."""


def samples(rate: int = SAMPLE_RATE) -> npt.NDArray[np.int16]:
    """The whole clip `(n,)`."""
    (clip,) = [one for one in load_corpus("demo").utterances if one.id == "capital"]
    return (soxr.resample(clip.samples, SAMPLE_RATE, rate) * 32767).round().astype(np.int16)


def is_recognised(text: str) -> bool:
    return set(re.findall(r"\w+", text.lower())) >= WORDS

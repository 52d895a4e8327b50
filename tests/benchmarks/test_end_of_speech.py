"""How far the estimated end of speech is from the true one, on constructed recordings.

`make bench` prints the table of docs/evidence.md: 1,000 recordings of ten kinds, made from the demo's clips
(`tests/support/constructed.py`).
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from support.constructed import KINDS, Constructed, constructed

from firstpacket.bench.corpus.estimates import FAR_APART_MS
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.speech_end import estimate_speech_end

pytest.importorskip("soundfile")
COUNT, SEED = 1000, 20


def test_estimates_on_constructed_recordings(benchmark: BenchmarkFixture) -> None:
    """Takes long (20 to 40 s) since rare errors are only seen in many recordings."""
    made = list(constructed(load_corpus("demo").utterances, COUNT, SEED))
    errors_ms, flagged = np.empty(COUNT), np.empty(COUNT, bool)

    def estimate() -> None:
        for number, one in enumerate(made):
            errors_ms[number], flagged[number] = judged(one)

    benchmark.pedantic(estimate, rounds=1)
    kinds = np.array([one.kind for one in made])
    sys.stdout.write(
        "\nend of speech, ms | n | median error | 95th percentile of its size | off by more than 40 and not"
    )
    sys.stdout.write(" flagged, % | flagged, %\n")
    for kind in (*KINDS, ""):
        chosen = kinds == kind if kind else np.full(COUNT, True)
        errors, doubts = errors_ms[chosen], flagged[chosen]
        wrong = np.abs(errors) > FAR_APART_MS
        sys.stdout.write(
            f"  {kind or 'all':14} {chosen.sum():5} {np.median(errors):6.1f} {np.percentile(np.abs(errors), 95):7.1f}"
            f" {100 * np.mean(wrong & ~doubts):6.1f} {100 * np.mean(doubts):6.1f}\n"
        )
    unnoticed = np.mean((np.abs(errors_ms) > FAR_APART_MS) & ~flagged)
    benchmark.extra_info.update(unnoticed=float(unnoticed), flagged=float(flagged.mean()))
    assert unnoticed <= 0.04
    assert flagged.mean() <= 0.1


def judged(one: Constructed) -> tuple[float, bool]:
    """Its error, and whether it is flagged; where no speech was found, the clip's end counts, and is flagged."""
    found = estimate_speech_end(one.samples)
    if found is None:
        return len(one.samples) / 16 - one.end_ms, True
    return found.ms - one.end_ms, found.doubtful

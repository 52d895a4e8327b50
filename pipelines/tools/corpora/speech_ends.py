"""Compares the ends of speech used by a corpus with those of two independent detectors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from firstpacket.bench.corpus.channels import Channel
from firstpacket.bench.corpus.estimates import LEVEL, EndEstimates, spread_ms, write_estimates
from firstpacket.bench.corpus.load import each_utterance, find_source
from firstpacket.bench.corpus.speech_end import estimate_speech_end_ms
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import UsageError
from firstpacket.pipelines.tools.corpora.second_detectors import Finder, second_detector


@dataclass(frozen=True, slots=True)
class CheckedEnd:
    """One clip's ends of speech, ms: the one that counts, and the detectors' (None: no speech heard)."""

    id: str
    sha256: str
    end_ms: float
    source: Literal["annotated", "estimated"]
    ends_ms: dict[str, float | None]

    @property
    def spread_ms(self) -> float:
        """Largest difference between any two; infinite where a detector heard no speech."""
        return spread_ms(self.end_ms, self.ends_ms)


@dataclass(frozen=True, slots=True)
class Checked:
    """A corpus, checked: clips that differ by more than `limit_ms` are flagged."""

    corpus: str
    limit_ms: float
    detectors: tuple[str, ...]
    clips: tuple[CheckedEnd, ...]
    stored: str
    """The file with the detectors' ends of speech; empty if it could not be written."""
    problem: str
    """Reason why it could not be written."""

    @property
    def flagged(self) -> tuple[CheckedEnd, ...]:
        """Clips whose ends differ by more than the limit, or in which a detector heard no speech."""
        return tuple(clip for clip in self.clips if clip.spread_ms > self.limit_ms)


def check(source: str, limit_ms: float, channel: Channel = "mix") -> Checked:
    """Run both detectors on every clip, of `channel`, and store their results with the corpus if that is writable.

    Raises as `load_corpus` does, `MissingDependency` without a second detector, `UsageError` for a limit that is none.
    """
    if not math.isfinite(limit_ms):
        raise UsageError(f"--limit-ms {limit_ms}: expected a number of milliseconds, 0 or more.")
    name, path = find_source(source)
    second, find = second_detector()
    clips = tuple(_checked(one, second, find) for one in each_utterance(source, channel))
    stored, problem = "", ""
    try:
        stored = str(
            write_estimates(path, (EndEstimates(clip.id, clip.sha256, clip.ends_ms, channel) for clip in clips))
        )
    except OSError as error:
        problem = error.strerror or str(error)
    return Checked(name, limit_ms, (LEVEL, second), clips, stored, problem)


def _checked(one: Utterance, second: str, find: Finder) -> CheckedEnd:
    ends_ms = {LEVEL: estimate_speech_end_ms(one.samples), second: find(one.samples)}
    return CheckedEnd(one.id, one.sha256, one.speech_end_ms, one.speech_end_source, ends_ms)


def lines(checked: Checked) -> Iterator[str]:
    """The result for people: a table, the flagged clips, and where the results are stored."""
    names = ("clip", "counts", *checked.detectors, "difference", "")
    rows = [names, *(_row(clip, checked) for clip in checked.clips)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1], strict=True)),
        ]
        yield "  ".join((*cells, row[-1])).rstrip()
    yield ""
    yield f"end of speech in ms, * estimated; detectors: {', '.join(checked.detectors)}"
    yield f"flagged: {len(checked.flagged)} of {len(checked.clips)} differ by more than {checked.limit_ms:g} ms"
    yield f"stored:  {checked.stored}" if checked.stored else f"not stored with the corpus: {checked.problem}"


def _row(clip: CheckedEnd, checked: Checked) -> tuple[str, ...]:
    counts = f"{clip.end_ms:.1f}{'*' if clip.source == 'estimated' else ' '}"
    heard = (_ms(clip.ends_ms[name]) for name in checked.detectors)
    return clip.id, counts, *heard, _ms(_finite(clip.spread_ms)), "flagged" if clip in checked.flagged else ""


def as_json(checked: Checked) -> dict[str, Any]:
    """Plain JSON values; times in ms, null where no speech was heard."""
    flagged = {clip.id for clip in checked.flagged}
    return {
        "schema": 1,
        "kind": "firstpacket.corpus_check",
        "corpus": checked.corpus,
        "limit_ms": checked.limit_ms,
        "detectors": list(checked.detectors),
        "flagged": len(flagged),
        "stored": checked.stored or None,
        "clips": [
            {
                "id": clip.id,
                "sha256": clip.sha256,
                "end_ms": clip.end_ms,
                "source": clip.source,
                "ends_ms": clip.ends_ms,
                "difference_ms": _finite(clip.spread_ms),
                "flagged": clip.id in flagged,
            }
            for clip in checked.clips
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ms(value: float | None) -> str:
    return "no speech" if value is None else f"{value:.1f}"

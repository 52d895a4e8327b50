"""What a recogniser makes of the voice that the answers were recorded in: no reply can be expected to be clearer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from firstpacket.bench.codec import DecodeError, decode
from firstpacket.bench.corpus.audio import read_clip
from firstpacket.bench.quality.findings import ErrorRate
from firstpacket.bench.quality.wer import errors
from firstpacket.bench.stats.ratio import ratio_of_sums
from firstpacket.pipelines.tools.quality.judges import RecogniserJudge
from firstpacket.pipelines.tools.training.data import answers as recorded_answers

HEARD = "answer-voice.jsonl"


@dataclass(frozen=True, slots=True)
class HeardAnswer:
    """One recording of an answer as a recogniser heard it."""

    text: str
    sha256: str
    judge: str
    transcript: str


def answer_voice(data: Path, texts: Iterable[str], recogniser: RecogniserJudge, out: Path) -> ErrorRate:
    """Word errors on the recordings of these answers, each once; what was heard before stands in a file in `out`.

    Raises `BenchError` if a recording cannot be read or the recogniser fails on it.
    """
    recordings = recorded_answers(data)
    wanted = [(text, recordings[text]) for text in sorted(set(texts)) if text in recordings]
    if not wanted:
        return ErrorRate(None, reason="the corpus has no recordings of its answers")
    known, heard = _known(out / HEARD), []
    with closing(recogniser), (out / HEARD).open("a", encoding="utf-8") as file:
        judge = repr(recogniser.load())
        for text, path in wanted:
            clip = read_clip(path)
            transcript = known.get((clip.sha256, judge))
            if transcript is None:
                transcript = recogniser.transcript(clip.samples, "en", f"the answer {path.name}")
                file.write(json.dumps(asdict(HeardAnswer(text, clip.sha256, judge, transcript))) + "\n")
            heard.append((text, *errors(text, transcript)))
    names, edits, sizes = zip(*heard, strict=True)
    return ErrorRate(ratio_of_sums(edits, sizes, names), sum(sizes))


def _known(path: Path) -> dict[tuple[str, str], str]:
    """By recording and judge; lines that cannot be read were not finished, and count as not there."""
    known = {}
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            found = decode(HeardAnswer, json.loads(line), str(path))
        except (ValueError, DecodeError):
            continue
        known[found.sha256, found.judge] = found.transcript
    return known

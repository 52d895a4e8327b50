"""A difference is attributed to stages only if the headline shows a difference."""

from __future__ import annotations

from dataclasses import replace

from support.runs import make_run

from firstpacket.bench.analysis.attribution import attribution
from firstpacket.bench.compare.findings import Question, of_labels
from firstpacket.bench.stats.bootstrap import Interval
from firstpacket.bench.summary.summarise import summarise


def test_an_undecided_difference_is_not_attributed() -> None:
    slow = [{"asr": 300.0 + each, "tts": 100.0} for each in range(12)]
    fast = [{"asr": 100.0, "tts": 90.0 + each} for each in range(12)]
    run = make_run({"direct": fast, "cascade": slow}, clips=12)
    (found,) = of_labels(run, Question()).findings
    summary = summarise(run)
    told = attribution(found, summary)
    assert told.sentence.startswith("Transcription accounts for ") and told.shares
    assert found.headline.difference is not None
    open_still = replace(found.headline.difference, interval=Interval(-1.0, 300.0))
    first, *others = found.metrics
    undecided = replace(found, metrics=(replace(first, difference=open_still), *others))
    assert attribution(undecided, summary) == replace(told, sentence="")

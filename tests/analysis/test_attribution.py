"""A difference is attributed to stages only if the headline shows a difference."""

from __future__ import annotations

from dataclasses import replace

from support.runs import make_run

from firstpacket.bench.analysis.attribution import attribution
from firstpacket.bench.compare.findings import Question, Report, of_labels
from firstpacket.bench.compare.tables import contributions
from firstpacket.bench.stats.bootstrap import Interval
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.tables.table import text


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
    assert attribution(undecided, summary).sentence.startswith("The mean shows a difference (210 ms, 95 % CI 210 ")
    assert "the median does not" in attribution(undecided, summary).sentence


def test_shares_are_shown_only_of_a_difference_that_the_headline_shows() -> None:
    run = make_run({"a": [{"asr": 100.0 + clip} for clip in range(12)], "b": [{"asr": 300.0} for _ in range(12)]})
    decided = of_labels(run, Question())
    (found,) = decided.findings
    first, *others = found.metrics
    assert first.difference is not None
    open_still = replace(first, difference=replace(first.difference, interval=Interval(-1.0, 300.0)))
    undecided = Report((replace(found, metrics=(open_still, *others)),))
    for report, has_shares in ((decided, True), (undecided, False)):
        (shown,) = contributions(report)
        assert ("100 %" in text(shown.rows[0].cells[1])) == has_shares == any("share" in note for note in shown.notes)

"""Systems that differ in one numeric option."""

from __future__ import annotations

from typing import Any

from support.runs import make_run, make_system, make_turn

from firstpacket.bench.analysis.sweeps import sweeps
from firstpacket.bench.contract import as_json
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.formats import rendered
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.vocabulary import Flag

CLIPS = 8


def swept(**system: Any) -> Run:
    """Silence of 200 ms cuts off the user in two of eight clips, 500 ms in none."""
    cut = {"flags": (Flag.FALSE_ENDPOINT,)}
    turns: list[Turn] = []
    for silence in (200, 500):
        for clip in range(CLIPS):
            changes = cut if silence == 200 and clip < 2 else {}
            turns.append(make_turn(silence + 300.0, label=f"s{silence}", utterance=f"clip-{clip}", **changes))
    labels = (make_system(f"s{ms}", options={"endpoint-silence": ms}, **system) for ms in (200, 500))
    return make_run(turns, clips=CLIPS, labels=tuple(labels))


def test_a_faster_setting_is_shown_with_the_turns_that_it_cuts_off() -> None:
    run = swept(finds_speech_end=True)
    (sweep,) = sweeps(run, summarise(run))
    first, second = sweep.points
    assert (first.value, second.value) == (200, 500)
    assert first.cut_off is not None and second.cut_off is not None
    assert (first.cut_off.value, first.cut_off.n) == (0.25, CLIPS)
    assert first.cut_off.interval.low < 0.25 < first.cut_off.interval.high
    assert second.cut_off.value == 0 and second.cut_off.interval.high > 0.2, "none of eight is not never"
    assert as_json(sweep)["points"][0]["cut_off"]["value"] == 0.25
    assert "cut off [95 % CI]" in rendered([run], "html")


def test_systems_that_are_told_the_end_cut_nobody_off() -> None:
    run = swept()
    assert [point.cut_off for sweep in sweeps(run, summarise(run)) for point in sweep.points] == [None, None]
    assert "cut off" not in rendered([run], "html")

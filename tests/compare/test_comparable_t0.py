"""Nothing is compared across different starts of the clock: not between runs, not between labels, not in a median."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from support.virtual import virtual_run

from firstpacket.bench.compare.between import compare_runs
from firstpacket.bench.compare.within import compare_labels
from firstpacket.bench.errors import RunError
from firstpacket.bench.metrics.t0 import STARTS
from firstpacket.bench.record.schema import Start
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.vocabulary import Flag

LATE = "hear; encoder 20; packet 100"
EARLY = "encoder 50; rest 250; packet 100"
"""Works while the user speaks, and gives its packet afterwards: there is no first work once all speech was there."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[Start, Run]:
    """The same turns, counted from each start."""
    folder = tmp_path_factory.mktemp("starts")
    scripts = {"late": LATE, "early": EARLY}
    return {start: read_run(virtual_run(folder / start, scripts, "realtime", 8, t0=start)) for start in STARTS}


@pytest.mark.parametrize(("one", "other"), list(permutations(STARTS, 2)))
def test_runs_with_another_t0_are_refused(runs: dict[Start, Run], one: Start, other: Start) -> None:
    with pytest.raises(RunError, match="their clocks start at different moments"):
        compare_runs(runs[one], runs[other], "late")


def test_runs_of_one_label_with_another_t0_are_refused(tmp_path: Path) -> None:
    same = [read_run(virtual_run(tmp_path / start, {"a": LATE}, t0=start)) for start in ("speech_end", "request")]
    with pytest.raises(RunError, match="their clocks start at different moments"):
        compare_runs(same[0], same[1], "a")


def test_turns_without_the_declared_start_are_flagged(runs: dict[Start, Run]) -> None:
    flagged = {
        start: {turn.label for turn in run.turns if Flag.NO_SUCH_START in turn.flags} for start, run in runs.items()
    }
    assert flagged == {"speech_end": set(), "last_frame": set(), "endpoint": set(), "request": {"early"}}


def test_turns_without_the_declared_start_are_not_paired(runs: dict[Start, Run]) -> None:
    found = compare_labels(runs["request"], "late", "early")
    assert (found.pairs, found.dropped) == (0, {"early: no first packet": 8})
    assert compare_labels(runs["speech_end"], "late", "early").pairs == 8
    length = compare_labels(runs["request"], "late", "early", "reply_audio")
    assert length.pairs == 8, "what does not count from t0 is compared all the same"


def test_turns_without_the_declared_start_enter_no_figure_from_t0(runs: dict[Start, Run]) -> None:
    labels = {label.label: label for label in summarise(runs["request"]).labels}
    early, late = labels["early"], labels["late"]
    figure = early.figures["first_packet_latency"]
    assert (figure.n, figure.missing, early.flags[Flag.NO_SUCH_START]) == (0, {"answered": 8}, 8)
    assert (early.path.n, early.cold.first_turn_ms) == (0, ())
    assert late.figures["first_packet_latency"].n == late.path.n == 8 and late.cold.first_turn_ms
    assert early.figures["reply_audio"].n == 8


def test_a_run_with_turns_without_the_declared_start_has_a_notice(runs: dict[Start, Run]) -> None:
    said = [notice for notice in summarise(runs["request"]).notices if Flag.NO_SUCH_START in notice]
    assert len(said) == 1 and "8 of 8 measured turns of early" in said[0] and "--t0 speech_end" in said[0]
    assert not [notice for notice in summarise(runs["speech_end"]).notices if Flag.NO_SUCH_START in notice]

import io
from dataclasses import replace

import pytest
from rich.console import Console
from support.runs import make_facts, make_run

from firstpacket.bench.compare.between import common_labels, compare_runs
from firstpacket.bench.compare.sentences import CAVEAT, MATCHED_CAVEAT, sentence
from firstpacket.bench.compare.tables import headlines
from firstpacket.bench.compare.within import compare_all, compare_labels
from firstpacket.bench.errors import RunError, UnknownName
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.store import Run
from firstpacket.bench.tables.terminal import TerminalTable


def run_of(values: dict[str, list[float | None]], name: str = "monday", origin="published", **said) -> Run:
    """A run in which each label answers clip i after `values[label][i]` ms; None is a timeout."""
    timings = {label: ["timeout" if ms is None else ms for ms in row] for label, row in values.items()}
    return make_run(timings, run=name, facts={"weights": (Weights("llm", origin, "somewhere"),)}, **said)


OTHER_PIPELINE = {"b": {"pipeline": "direct"}}
CASCADE = [500, 600, 700, 800, 900, 1000, 1100, 1200]
DIRECT = [ms - fewer for ms, fewer in zip(CASCADE, (390, 400, 405, 410, 414, 420, 430, 440), strict=True)]


def test_the_difference_is_taken_pair_by_pair() -> None:
    found = compare_labels(run_of({"cascade": CASCADE, "direct": DIRECT}), "cascade", "direct")
    assert found.difference is not None
    assert found.difference.value == -412  # between 410 and 414
    assert found.finding == "less"
    assert (found.pairs, found.clips, found.dropped) == (8, 8, {})
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx((390 / 800 * 486 / 900) ** 0.5)


def test_the_sentence_states_the_finding() -> None:
    run = run_of({"cascade": CASCADE, "direct": DIRECT})
    there = sentence(compare_labels(run, "cascade", "direct"))
    assert there.startswith("direct sends its first packet 412 ms sooner than cascade (95 % CI ")
    assert there.endswith(", 8 pairs on 8 clips)")
    low, high = (float(part) for part in there.split("CI ")[1].split(" ms,")[0].split(" to "))
    assert 390 <= low <= 412 <= high <= 440
    back = sentence(compare_labels(run, "direct", "cascade"))
    assert back.startswith("cascade sends its first packet 412 ms later than direct")


def test_an_interval_with_zero_in_it_shows_no_difference() -> None:
    other = [ms + step for ms, step in zip(CASCADE, (-30, 30, -20, 20, -10, 10, -1, 1), strict=True)]
    found = compare_labels(run_of({"a": CASCADE, "b": other}), "a", "b")
    assert found.finding == "undecided"
    assert sentence(found).startswith("No difference shown between a and b in time to first packet (95 % CI -")


def test_few_clips_are_too_few_to_tell() -> None:
    found = compare_labels(run_of({"a": CASCADE[:5], "b": DIRECT[:5]}), "a", "b")
    assert found.finding == "too few"
    assert found.difference is not None
    assert found.difference.interval is None
    assert "5 pairs on 5 clips, and an interval needs 6 clips" in sentence(found)


def test_a_comparison_without_pairs_says_so() -> None:
    found = compare_labels(run_of({"a": [None] * 8, "b": DIRECT}), "a", "b")
    assert found.difference is None
    assert sentence(found).startswith("Too few turns")
    assert "0 pairs on 0 clips, 8 dropped" in sentence(found)


def test_dropped_pairs_are_counted_by_reason() -> None:
    values = {"a": [None, 600, None, 800, 900, 1000, 1100, 1200], "b": [100, None, None, *DIRECT[3:7]]}
    found = compare_labels(run_of(values), "a", "b")
    assert found.pairs == 4
    assert found.dropped == {"a: timeout": 1, "b: timeout": 1, "a: timeout, b: timeout": 1, "b: no such turn": 1}


def test_turns_of_different_blocks_segments_or_phases_are_not_paired() -> None:
    run = run_of({"a": CASCADE, "b": DIRECT})
    changed = [
        replace(turn, block=1) if turn.utterance == "clip-0"
        else replace(turn, segment=1) if turn.utterance == "clip-1"
        else replace(turn, phase="warmup") if turn.utterance == "clip-2"
        else turn
        for turn in run.turns if turn.label == "b"
    ]  # fmt: skip
    kept = [turn for turn in run.turns if turn.label == "a"]
    found = compare_labels(replace(run, turns=(*kept, *changed)), "a", "b")
    assert found.pairs == 5
    assert found.dropped == {"a: no such turn": 2, "b: no such turn": 3}


def test_two_turns_in_one_block_are_dropped() -> None:
    run = run_of({"a": CASCADE, "b": DIRECT})
    again = replace(run.turns[0], turn=99)
    assert compare_labels(replace(run, turns=(*run.turns, again)), "a", "b").dropped == {"a: 2 turns in one block": 1}


def test_dummy_weights_add_a_caveat_to_every_sentence() -> None:
    run = run_of({"a": CASCADE, "b": DIRECT}, origin="dummy", systems=OTHER_PIPELINE)
    assert CAVEAT == "times only; unmatched; the answers mean nothing"
    assert sentence(compare_labels(run, "a", "b")).endswith(f" [{CAVEAT}]")
    assert CAVEAT not in sentence(compare_labels(run_of({"a": CASCADE, "b": DIRECT}), "a", "b"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (({"matched": True}, {}), MATCHED_CAVEAT),
        (({"matched": False}, {}), CAVEAT),
        (({"matched": True}, {"matched": False}), CAVEAT),
        (({"matched": True}, {"matched": True}), MATCHED_CAVEAT),
        (({}, {}), CAVEAT),
    ],
)
def test_the_caveat_says_whether_the_systems_were_matched(options: tuple[dict[str, bool], ...], said: str) -> None:
    run = run_of({"a": CASCADE, "b": DIRECT}, origin="dummy", systems=OTHER_PIPELINE)
    plans = [replace(plan, options={**own}) for plan, own in zip(run.manifest.labels, options, strict=True)]
    run = replace(run, manifest=replace(run.manifest, labels=tuple(plans)))
    assert sentence(compare_labels(run, "a", "b")).endswith(f" [{said}]")


def test_one_pipeline_with_the_same_weights_is_matched_with_itself() -> None:
    run = run_of({"a": CASCADE, "b": DIRECT}, origin="dummy")
    assert sentence(compare_labels(run, "a", "b")).endswith(f" [{MATCHED_CAVEAT}]")
    sizes = tuple(make_facts(label, weights=(Weights("llm", "dummy", label),)) for label in "ab")
    other = replace(run, segments=(replace(run.segments[0], labels=sizes),))
    assert sentence(compare_labels(other, "a", "b")).endswith(f" [{CAVEAT}]")


def test_other_metrics_have_their_own_unit() -> None:
    run = run_of({"a": CASCADE, "b": DIRECT})
    more = [replace(turn, figures={"packets": 5}) if turn.label == "b" else turn for turn in run.turns]
    found = compare_labels(replace(run, turns=tuple(more)), "a", "b", "packets")
    assert sentence(found) == "packets is 2 more with b than with a (95 % CI 2 to 2, 8 pairs on 8 clips)"


def test_the_terminal_shows_difference_ratio_and_dropped_pairs() -> None:
    console = Console(file=io.StringIO(), width=200)
    found = compare_labels(run_of({"a[b]": [200.0] * 6 + [None], "b": [150.0] * 6 + [1.0]}), "a[b]", "b")
    console.print(TerminalTable(headlines([found])))
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    for said in ("b       a[b]", "-50.0 ms [-50.0, -50.0]", "0.750 [0.750, 0.750]", "1 (a[b]: timeout)"):
        assert said in told


def test_every_label_is_compared_with_the_first() -> None:
    (found,) = compare_all(run_of({"a": CASCADE, "b": DIRECT, "c": DIRECT}), HEADLINE)
    assert [(each.base, each.other) for each in found] == [("a", "b"), ("a", "c")]
    assert compare_all(run_of({"a": CASCADE}), HEADLINE) == ((),)


def test_runs_are_compared_by_clip() -> None:
    before = run_of({"a": CASCADE})
    twice = tuple(replace(turn, block=1, figures={"first_packet_latency": 1}) for turn in before.turns[:1])
    after = run_of({"a": [ms + 100 for ms in CASCADE[:7]] + [None]}, name="tuesday")
    found = compare_runs(before, after, "a")
    assert found.difference is not None
    assert found.difference.value == 100
    assert (found.pairs, found.pairing) == (7, "clip")
    assert found.dropped == {"no first packet from a in tuesday": 1}
    assert sentence(found).startswith("a in tuesday sends its first packet 100 ms later than a in monday")
    doubled = compare_runs(replace(before, turns=before.turns + twice), after, "a")
    assert doubled.pairs == 7  # two turns on one clip are one value of that clip


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"corpus_sha256": "d" * 64}, "corpora"), ({"t0": "last frame"}, "t0"), ({"input": "realtime"}, "input")],
)
def test_runs_that_measured_something_else_are_refused(setting, said) -> None:
    with pytest.raises(RunError, match=said):
        compare_runs(run_of({"a": CASCADE}), run_of({"a": CASCADE}, **setting), "a")


def test_unknown_names_are_refused() -> None:
    run = run_of({"cascade": CASCADE, "direct": DIRECT})
    with pytest.raises(UnknownName, match="Did you mean 'direct'"):
        compare_labels(run, "cascade", "dirct")
    with pytest.raises(UnknownName, match="Did you mean 'packets'"):
        compare_labels(run, "cascade", "direct", "packet")


def test_runs_are_compared_in_the_labels_they_share() -> None:
    first, second = run_of({"a": CASCADE, "b": DIRECT}), run_of({"b": CASCADE, "c": DIRECT}, name="tuesday")
    assert common_labels(first, second) == ("b",)
    with pytest.raises(RunError, match="no label in common"):
        common_labels(first, run_of({"d": DIRECT}))

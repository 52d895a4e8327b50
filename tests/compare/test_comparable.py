from dataclasses import replace
from typing import Any, get_args

import pytest
from support.runs import MS, make_run

from firstpacket.bench.compare.band import widened
from firstpacket.bench.compare.between import compare_metrics, compare_runs
from firstpacket.bench.compare.comparable import RULES, over_time, side_by_side
from firstpacket.bench.compare.sentences import sentence
from firstpacket.bench.errors import NotComparable, UnknownName
from firstpacket.bench.options import Options, about, bounds, kinds, rules
from firstpacket.bench.pipeline import Weights

HOST: dict[str, Any] = {"cpu": "Xeon", "cores_usable": 2, "gpu0": "L40", "gpu_driver": "570"}
USUAL: dict[str, Any] = {
    "environment": HOST,
    "segment": {"metrics": {"first_packet_latency": 1, "path": 1}},
    "facts": {"weights": (Weights("llm", "dummy", "seed 0"),)},
    "turn": {"figures": {"reply_audio": 1000 * MS}},
    "corpus_sha256": "c" * 64,
    "t0": "speech_end",
    "input": "file",
}
CHANGES: dict[str, dict[str, Any]] = {
    "corpus": {"corpus_sha256": "d" * 64},
    "cpu": {"environment": HOST | {"cores_usable": 1}},
    "gpu": {"environment": HOST | {"gpu0": "H100"}},
    "driver": {"environment": HOST | {"gpu_driver": "580"}},
    "pipeline": {"systems": {"a": {"pipeline": "other"}}},
    "device": {"systems": {"a": {"device": "cuda:0"}}},
    "dtype": {"systems": {"a": {"dtype": "bfloat16"}}},
    "options": {"systems": {"a": {"options": {"beam": 5}}}},
    "weights": {"facts": {"weights": (Weights("llm", "published", "org/model"),)}},
    "definitions": {"segment": {"metrics": {"first_packet_latency": 2, "path": 1}}},
    "work": {"turn": {"figures": {"reply_audio": 1200 * MS}}},
}


def another(name: str) -> Any:
    """A value of an option that is not its default."""
    if about()[name].between:
        return kinds()[name](bounds(name)[1]) if kinds()[name] in (int, float) else bounds(name)[1]
    return next(value for value in (*get_args(kinds()[name]), True) if value != getattr(Options(), name))


CHANGES |= {rule.name: {name: another(name)} for name, rule in rules().items()}
TURNS = [{"asr": 100 + number} for number in range(8)]


def made(name: str = "monday", **changes: Any):
    return make_run({"a": TURNS, "b": TURNS}, run=name, **{**USUAL, **changes})


def test_a_run_matches_itself() -> None:
    assert over_time(made(), made("tuesday"), "a") == ()


@pytest.mark.parametrize("rule", CHANGES)
def test_what_changed_over_time_is_refused_by_its_name_and_only_that(rule) -> None:
    other = made("tuesday", **CHANGES[rule])
    (mismatch,) = over_time(made(), other, "a")
    assert mismatch.rule == rule
    with pytest.raises(NotComparable, match=f"--allow {rule}"):
        compare_runs(made(), other, "a")
    (found,) = compare_metrics(made(), other, ("a", "a"), ["first_packet_latency"], allowed=[rule])
    assert found.allowed_mismatches == (f"{rule}: {mismatch.reason}",)
    assert f"[despite: {rule}: " in sentence(found)


def test_runs_that_drew_other_recordings_of_a_large_corpus_say_so() -> None:
    whole = made()
    other = replace(whole.manifest, corpus_sha256="d" * 64, utterances=whole.manifest.utterances[1:])
    (mismatch,) = over_time(whole, replace(whole, manifest=other), "a")
    assert mismatch.reason.endswith(
        ": the runs used other recordings of made; give both the same --turns, --seed and --limit"
    )
    elsewhere = replace(other, corpus_source="another")
    (mismatch,) = over_time(whole, replace(whole, manifest=elsewhere), "a")
    assert mismatch.reason.endswith("(sha256 cccccccccccc and dddddddddddd)")


def test_all_reasons_are_listed_together_and_each_must_be_allowed() -> None:
    other = made("tuesday", threads=4, input="realtime")
    with pytest.raises(
        NotComparable, match=r"delivered in different ways.*threads per worker.*--allow input,threads"
    ) as refused:
        compare_runs(made(), other, "a")
    assert refused.value.exit_code == 13
    with pytest.raises(NotComparable, match="--allow threads"):
        compare_metrics(made(), other, ("a", "a"), ["packets"], allowed=["input"])


def test_every_rule_has_a_test() -> None:
    assert set(RULES) - set(CHANGES) == {"invalid", "run"}
    with pytest.raises(UnknownName, match="Did you mean 'driver'"):
        compare_metrics(made(), made("tuesday"), ("a", "a"), ["packets"], allowed=["drivr"])


def test_replies_of_similar_length_are_comparable() -> None:
    assert over_time(made(), made("tuesday", turn={"figures": {"reply_audio": 1090 * MS}}), "a") == ()
    assert over_time(made(turn={}), made("tuesday", turn={}), "a") == ()


def test_unlike_labels_may_differ_in_options_and_weights_only() -> None:
    run = made(systems={"b": {"pipeline": "direct", "device": "cuda:0", "options": {"x": 1}}})
    assert side_by_side((run, "a"), (run, "b")) == ()
    other = made("tuesday", threads=4, **CHANGES["weights"])
    assert [each.rule for each in side_by_side((run, "a"), (other, "b"))] == ["run"]
    moved = made("tuesday", **CHANGES["gpu"], **CHANGES["corpus"])
    assert [each.rule for each in side_by_side((run, "a"), (moved, "b"))] == ["corpus", "gpu", "run"]
    with pytest.raises(UnknownName):
        side_by_side((run, "a"), (run, "z"))


def test_runs_without_recorded_versions_are_still_compared() -> None:
    assert over_time(made(segment={"metrics": {}}), made("tuesday"), "a") == ()


def test_the_band_widens_both_intervals_and_is_stated() -> None:
    (plain,) = compare_metrics(made(), made("tuesday"), ("a", "a"), ["first_packet_latency"])
    (wide,) = compare_metrics(made(), made("tuesday"), ("a", "a"), ["first_packet_latency"], band=0.02)
    assert plain.difference is not None and plain.difference.interval is not None
    assert wide.difference is not None and wide.difference.interval is not None
    assert wide.ratio is not None and wide.ratio.interval is not None
    assert (plain.difference.interval.low, plain.difference.interval.high) == (0, 0)
    assert wide.difference.interval.high == pytest.approx(0.02 * 103.5)
    assert wide.difference.interval.low == -wide.difference.interval.high
    assert (wide.ratio.interval.low, wide.ratio.interval.high) == pytest.approx((1 / 1.02, 1.02))
    assert wide.difference.value == plain.difference.value
    assert "no A/A band known" in sentence(plain)
    assert "widened by an A/A band of 2 %" in sentence(wide)
    with pytest.raises(ValueError, match="at least 0"):
        widened(plain, [1.0], -0.1)


def test_only_durations_are_widened() -> None:
    runs = [make_run({"a": TURNS}, run=name, **USUAL) for name in ("one", "two")]
    (found,) = compare_metrics(*runs, ("a", "a"), ["packets"], band=0.02)
    assert found.difference is not None and found.difference.interval is not None
    assert found.difference.interval.high == 0

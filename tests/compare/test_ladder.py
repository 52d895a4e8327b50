from itertools import pairwise

import numpy as np
import pytest
from support.runs import make_run

from firstpacket.bench.compare.ladder import ladder
from firstpacket.bench.errors import UnknownName, UsageError

LABELS = ("plain", "streamed", "small", "direct")


def turns(mean_ms, seed, count=48):
    rng = np.random.default_rng(seed)
    return [{"asr": mean_ms + rng.normal(0, 3)} for _ in range(count)]


def steps_run(**changes):
    labels = {name: turns(ms, seed) for seed, (name, ms) in enumerate(zip(LABELS, (900, 500, 400, 300), strict=True))}
    return make_run(labels | changes)


def test_steps_add_up_to_the_whole() -> None:
    found = ladder(steps_run(), LABELS)
    assert [(step.base, step.other) for step in found.steps] == list(pairwise(LABELS))
    assert found.total is not None
    assert sum(step.difference.value for step in found.steps) == pytest.approx(found.total.value, abs=1e-9)
    assert [step.difference.value for step in found.steps] == pytest.approx([-400, -100, -100], abs=3)
    assert [step.share for step in found.steps] == pytest.approx([4 / 6, 1 / 6, 1 / 6], abs=0.01)
    assert sum(step.share or 0 for step in found.steps) == pytest.approx(1)
    for step in found.steps:
        assert step.difference.interval is not None
        assert step.difference.interval.contains(step.difference.value)


def test_the_order_is_the_given_one() -> None:
    found = ladder(steps_run(), ("direct", "plain"))
    (step,) = found.steps
    assert step.difference.value == pytest.approx(600, abs=3)


def test_only_turns_that_all_labels_answered_take_part() -> None:
    run = steps_run(small=["timeout", *turns(400, 2)[1:]], direct=["timeout", "timeout", *turns(300, 3)[2:]])
    found = ladder(run, LABELS)
    assert found.total is not None
    assert found.total.n == 46
    assert found.dropped == {"direct: timeout": 1, "small: timeout, direct: timeout": 1}
    assert all(step.difference.n == 46 for step in found.steps)
    assert sum(step.difference.value for step in found.steps) == pytest.approx(found.total.value, abs=1e-9)


def test_without_a_clear_total_no_step_has_a_share() -> None:
    run = make_run({"a": turns(500, 1), "b": turns(400, 2), "c": turns(500, 3)})
    found = ladder(run, ("a", "b", "c"))
    assert [step.share for step in found.steps] == [None, None]
    assert found.steps[0].difference.value == pytest.approx(-100, abs=3)


def test_a_step_says_what_changed() -> None:
    systems = {
        "a": {"options": {"mode": "sequential", "asr": "whisper"}},
        "b": {"options": {"mode": "overlapped", "asr": "whisper"}},
        "c": {"pipeline": "direct", "options": {"speed": "x" * 90}},
    }
    run = make_run({name: turns(500, 1) for name in "abc"}, systems=systems)
    said = [step.changed for step in ladder(run, "abc").steps]
    assert said == ["mode sequential → overlapped", "pipeline scripted → direct"]


def test_a_ladder_without_answered_turns_has_no_steps() -> None:
    found = ladder(make_run({"a": ["timeout"] * 8, "b": ["timeout"] * 8}), "ab")
    assert (found.steps, found.total, found.dropped) == ((), None, {"a: timeout, b: timeout": 8})


def test_a_ladder_needs_known_labels_each_given_once() -> None:
    for labels in (("plain",), ("plain", "plain")):
        with pytest.raises(UsageError, match="two different labels"):
            ladder(steps_run(), labels)
    with pytest.raises(UnknownName, match="Did you mean 'direct'"):
        ladder(steps_run(), ("plain", "dirct"))

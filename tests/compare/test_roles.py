import numpy as np
import pytest
from support.runs import MS, make_run

from firstpacket.bench.compare.pairs import asked_together
from firstpacket.bench.compare.roles import contributions_between, contributions_within


def paths(seed: int, turns: int = 48):
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 90 * MS, (turns, 4))
    return [dict(zip(("asr", "llm.decode", "tts", ""), row / MS, strict=True)) for row in rows]


def within(run):
    return contributions_within(run, ("a", "b"), asked_together(run, ("a", "b")))


def test_the_difference_is_divided_among_roles() -> None:
    before = [{"asr": 300, "llm.decode": 100, "tts": 50} for _ in range(8)]
    after = [{"llm.decode": 120, "tts": 50, "": 1} for _ in range(8)]
    found = within(make_run({"a": before, "b": after}))
    assert {role: each.value for role, each in found.roles.items()} == {
        "listen": -300.0,
        "think": 20.0,
        "speak": 0.0,
        "": 1.0,
    }
    assert found.total is not None
    assert (found.total.value, found.pairs) == (-279.0, 8)


@pytest.mark.parametrize("seed", range(5))
def test_roles_add_up_to_the_mean_difference_of_the_first_packet(seed) -> None:
    before, after = paths(seed), paths(seed + 100)
    found = within(make_run({"a": before, "b": after}))
    exact = sum(round(MS * (sum(b.values()) - sum(a.values()))) for a, b in zip(before, after, strict=True))
    assert found.total is not None
    assert round(found.total.value * 48 * MS) == exact
    assert sum(round(each.value * 48 * MS) for each in found.roles.values()) == exact
    for each in (found.total, *found.roles.values()):
        assert each.interval is not None
        assert each.interval.contains(each.value)


def test_pairs_without_two_paths_are_dropped() -> None:
    before, after = paths(1, 8), [*paths(2, 6), "timeout", {}]
    found = within(make_run({"a": before, "b": after}))
    assert (found.pairs, found.dropped) == (6, {"b: timeout": 1, "b: no critical path": 1})


def test_without_pairs_there_are_no_roles() -> None:
    found = within(make_run({"a": paths(1, 8), "b": ["timeout"] * 8}))
    assert (found.pairs, found.total, found.roles) == (0, None, {})


def test_between_runs_clips_are_compared_by_their_mean_paths() -> None:
    """Two turns on every clip: the clip's path is their mean, whatever their order."""
    before = [{"asr": ms} for ms in (10, 10, 10, 10, 10, 10, 10, 10, 30, 30, 30, 30, 30, 30, 30, 30)]
    after = [{"asr": 25, "tts": 5} for _ in range(8)]
    found = contributions_between(make_run({"a": before}), make_run({"a": after}, run="tuesday"), ("a", "a"))
    assert {role: each.value for role, each in found.roles.items()} == {"listen": 5.0, "speak": 5.0}
    assert (found.pairs, found.base, found.other) == (8, "a in made", "a in tuesday")
    few = contributions_between(make_run({"a": before}), make_run({"a": after[:5]}, run="tuesday"), ("a", "a"))
    assert (few.pairs, few.dropped) == (5, {"no path of a in tuesday": 3})

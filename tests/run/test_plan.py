from __future__ import annotations

from collections import Counter
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.run.schedule.orders import drawn, measured, start_order, warm_up

counts = st.integers(1, 6)


@given(counts, counts, st.integers(1, 30), st.integers(0, 99))
def test_labels_share_clips_and_blocks(labels: int, clips: int, turns: int, seed: int) -> None:
    names = [f"label {number}" for number in range(labels)]
    asks = list(measured(names, [f"clip {number}" for number in range(clips)], turns, seed))
    assert [ask.turn for ask in asks] == list(range(1, turns * labels + 1))
    pairs = Counter((ask.block, ask.utterance) for ask in asks)
    assert set(pairs.values()) == {labels}, "every label answers the same clip in the same block, once"
    for start in range(0, len(asks), labels):
        together = asks[start : start + labels]
        assert {ask.label for ask in together} == set(names)
        assert len({ask.utterance for ask in together}) == 1


@given(counts, st.integers(1, 30), st.integers(0, 99))
def test_what_is_drawn_is_what_as_many_turns_can_be_measured_on(clips: int, turns: int, seed: int) -> None:
    names = [f"clip {number}" for number in range(clips)]
    chosen = drawn(names, turns, seed)
    assert len(set(chosen)) == len(chosen) == min(turns, clips) and set(chosen) <= set(names)
    assert chosen == drawn(names, turns, seed)
    asks = list(measured(["a"], chosen, turns, seed))
    assert {ask.utterance for ask in asks} == set(chosen)
    assert drawn(names, None, seed) == names


def test_another_seed_draws_other_recordings() -> None:
    names = [f"clip {number}" for number in range(1000)]
    assert set(drawn(names, 10, 0)) != set(drawn(names, 10, 1))


def test_a_block_is_one_pass_over_the_corpus() -> None:
    asks = list(measured(["a"], ["x", "y", "z"], 6, 1))
    assert sorted(ask.utterance for ask in asks if ask.block == 0) == ["x", "y", "z"]
    assert sorted(ask.utterance for ask in asks if ask.block == 1) == ["x", "y", "z"]


def test_order_comes_from_the_seed_alone() -> None:
    clips = [str(number) for number in range(20)]
    assert list(measured(["a", "b"], clips, 20, 7)) == list(measured(["a", "b"], clips, 20, 7))
    assert list(measured(["a", "b"], clips, 20, 7)) != list(measured(["a", "b"], clips, 20, 8))


def test_no_system_always_goes_first() -> None:
    asks = list(measured(["a", "b"], [str(number) for number in range(40)], 40, 0))
    first = Counter(ask.label for ask in asks[::2])
    assert min(first["a"], first["b"]) >= 10


def test_warm_up_begins_cold() -> None:
    asks = list(warm_up(["a", "b"], ["x"], 2, 0))
    assert [(ask.label, ask.phase) for ask in asks] == [
        ("a", "cold"),
        ("b", "cold"),
        ("a", "warmup"),
        ("b", "warmup"),
        ("a", "warmup"),
        ("b", "warmup"),
    ]


@given(st.integers(2, 5), st.integers(1, 20), st.integers(0, 99))
def test_mirrored_each_of_two_systems_is_first_equally_often(labels: int, pairs: int, seed: int) -> None:
    names, clips = [f"s{n}" for n in range(labels)], [f"clip-{n}" for n in range(7)]
    turns = list(measured(names, clips, 2 * pairs, seed, mirrored=True))
    orders = [[turn.label for turn in turns[at : at + labels]] for at in range(0, len(turns), labels)]
    for first, second in combinations(names, 2):
        assert sum(order.index(first) < order.index(second) for order in orders) == pairs
    assert [turn.turn for turn in turns] == list(range(1, len(turns) + 1))


def test_systems_are_started_in_another_order_each_time() -> None:
    orders = [tuple(start_order(["a", "b"], 0, segment)) for segment in range(20)]
    assert 5 <= orders.count(("a", "b")) <= 15
    assert orders == [tuple(start_order(["a", "b"], 0, segment)) for segment in range(20)]

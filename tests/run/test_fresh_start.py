"""The turns of one start of a gate, and the time that they take."""

from itertools import islice

from support.runs import make_turn
from support.virtual import make_utterances, scripted_manifest

from firstpacket.bench.run.schedule.base import PlannedTurn
from firstpacket.bench.run.schedule.fresh_start import FreshStart, remaining

SECOND = 10**9


def begun(start: FreshStart, warmup: int) -> list[tuple[int, str]]:
    """When each turn of two systems begins, in s, and its phase; every turn takes a second."""
    clips = make_utterances(3)
    manifest = scripted_manifest({"a": "", "b": ""}, clips, turns=100, warmup=warmup)
    schedule = start(manifest, clips, [], 0)
    turns = []
    while (step := schedule.next((), len(turns) * SECOND)) is not None:
        assert isinstance(step, PlannedTurn)
        turns.append((len(turns), step.phase))
    return turns


def test_warm_up_takes_nothing_of_the_time_for_pairs() -> None:
    short = FreshStart(pairs=20, seconds=5)
    turns = begun(short, warmup=6)
    assert [phase for _, phase in turns].count("measured") == 6, "three pairs begin within 5 s"
    assert turns[-6:] == [(at, "measured") for at in range(len(turns) - 6, len(turns))]
    assert short.measured_ns == 6 * SECOND


def test_it_ends_after_enough_pairs() -> None:
    enough = FreshStart(pairs=2, seconds=100)
    assert [phase for _, phase in begun(enough, warmup=0)].count("measured") == 4
    assert enough.measured_ns == 4 * SECOND


def test_one_pair_is_measured_however_little_time_there_is() -> None:
    assert [phase for _, phase in begun(FreshStart(pairs=20, seconds=0), warmup=0)].count("measured") == 2


def test_pairs_go_on_after_one_that_was_interrupted() -> None:
    """Its second turn never ended, and is numbered after all planned ones."""
    clips = make_utterances(3)
    manifest = scripted_manifest({"a": "", "b": ""}, clips, turns=100)
    earlier = [make_turn(100.0, turn=number) for number in (1, 2, 3)]
    earlier.append(make_turn(100.0, turn=201, outcome="interrupted"))
    assert [planned.turn for planned in islice(remaining(manifest, clips, earlier), 2)] == [5, 6]

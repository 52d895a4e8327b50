"""Seeded orders of turns: blocks of shuffled utterances, with the systems interleaved inside each.

Drift (clocks, temperature, other processes) then affects all systems alike, and the turns of one utterance in one block
are true pairs, run right after one another in random order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from firstpacket.bench.run.schedule.base import PlannedTurn


def measured(
    labels: Sequence[str], utterances: Sequence[str], turns: int, seed: int, mirrored: bool = False
) -> Iterator[PlannedTurn]:
    """The measured turns: `turns` per label; the same for the same arguments.

    Block b is one shuffled pass over the utterances (the last block may be cut short). With `mirrored`, every second
    clip has the systems in the reverse order of the clip before: then each of two systems is first equally often, and
    whatever being first is worth cancels out of few pairs, too.
    """
    number, shuffled = 0, list[str]()
    for position in range(turns):
        block, index = divmod(position, len(utterances))
        if index == 0:
            order = random.Random(f"{seed}/block {block}").sample(list(utterances), len(utterances))
        if mirrored and position % 2:
            shuffled.reverse()
        else:
            shuffled = random.Random(f"{seed}/labels {position}").sample(list(labels), len(labels))
        for label in shuffled:
            number += 1
            yield PlannedTurn(number, block, "measured", label, order[index])


def start_order(labels: Sequence[str], seed: int, segment: int) -> list[str]:
    """The order in which the systems of one start are loaded and warmed up.

    It is random, so that neither of two systems that are started again and again is always the first.
    """
    return random.Random(f"{seed}/start {segment}").sample(list(labels), len(labels))


def drawn(utterances: Sequence[str], turns: int | None, seed: int) -> Sequence[str]:
    """The utterances on which `turns` turns per label are measured, each once; all of them if there are no more."""
    if turns is None or turns >= len(utterances):
        return utterances
    return random.Random(f"{seed}/drawn").sample(list(utterances), turns)


def warm_up(labels: Sequence[str], utterances: Sequence[str], turns: int, seed: int) -> Iterator[PlannedTurn]:
    """A fixed warm-up: a cold turn per system, then `turns` warm-up turns, interleaved."""
    choose = random.Random(f"{seed}/warm-up")
    for position in range(turns + 1):
        utterance = choose.choice(list(utterances))
        for label in labels:
            yield PlannedTurn(0, -1, "warmup" if position else "cold", label, utterance)


def opening(labels: Sequence[str], clip: str, longest: str) -> Iterator[PlannedTurn]:
    """The first turns of an automatic warm-up: a cold one per system on `clip`, then the corpus's longest clip.

    The longest clip makes buffers grow to their full size and loads kernels for its shapes.
    """
    for label in labels:
        yield PlannedTurn(0, -1, "cold", label, clip)
    if longest != clip:
        for label in labels:
            yield PlannedTurn(0, -1, "warmup", label, longest)


def after_idle(
    labels: Sequence[str], utterances: Sequence[str], turns: int, seed: int
) -> Iterator[tuple[PlannedTurn, ...]]:
    """The turns after idling: `turns` rounds, each one clip for all systems after a common wait; block = round.

    Only the first system of a round meets an idle machine, so they take turns at being first; clips are shuffled passes
    over the utterances, as for the measured turns.
    """
    first = random.Random(f"{seed}/idle").sample(list(labels), len(labels))
    for number in range(turns):
        pass_number, index = divmod(number, len(utterances))
        order = random.Random(f"{seed}/idle {pass_number}").sample(list(utterances), len(utterances))
        offset = number % len(first)
        yield tuple(PlannedTurn(0, number, "idle", label, order[index]) for label in first[offset:] + first[:offset])

"""Draws recordings in equal shares from every speaker or category."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import zip_longest


def draw_order(groups: Mapping[str, str], seed: int) -> list[str]:
    """All ids in the order in which they are drawn: one of every group in turn, both in an order given by the seed.

    `groups` has the group of each id. The order depends on the ids and the seed alone, not on that of `groups`; so the
    first N are the same everywhere, and the next ones replace those that turn out to be unusable.
    """
    members: dict[str, list[str]] = {}
    for name in sorted(groups):
        members.setdefault(groups[name], []).append(name)
    names = sorted(members)
    random.Random(f"{seed}").shuffle(names)
    for name in names:
        random.Random(f"{seed} {name}").shuffle(members[name])
    rounds = zip_longest(*(members[name] for name in names))
    return [each for drawn in rounds for each in drawn if each is not None]

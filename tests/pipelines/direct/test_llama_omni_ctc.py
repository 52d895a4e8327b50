"""Units from CTC labels: merged, without blanks, whatever the pieces in which labels arrive."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from firstpacket.pipelines.direct.llama_omni.ctc import Collapse

BLANK = 3
LABELS = st.lists(st.integers(0, BLANK), max_size=60)


def test_repeats_are_merged_and_blanks_dropped() -> None:
    assert Collapse(BLANK).push([0, 0, 3, 0, 1, 1, 3, 3, 1, 2]) == [0, 0, 1, 1, 2]


def test_a_repeat_over_a_border_is_one_unit() -> None:
    collapse = Collapse(BLANK)
    assert collapse.push([2, 1]) == [2, 1]
    assert collapse.push([1, 1]) == []


def test_a_blank_at_the_border_parts_equal_units() -> None:
    collapse = Collapse(BLANK)
    assert collapse.push([1, 3]) == [1]
    assert collapse.push([1]) == [1]


@given(pieces=st.lists(LABELS, max_size=6))
def test_pieces_give_what_the_whole_gives(pieces: list[list[int]]) -> None:
    collapse = Collapse(BLANK)
    got = [unit for piece in pieces for unit in collapse.push(piece)]
    whole = [label for piece in pieces for label in piece]
    assert got == [label for label, _ in groupby(whole) if label != BLANK]

"""The chunk rule: all pending units as soon as there are Ω, and the rest at the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.errors import UsageError
from firstpacket.pipelines.direct.llama_omni.chunking import Chunker, parse_chunk_units

STEPS = st.lists(st.lists(st.integers(0, 9), max_size=25), min_size=1, max_size=12)


def chunks_of(steps: list[list[int]], chunk_units: int | None) -> list[list[int]]:
    """What a turn of these units per token vocodes, chunk by chunk."""
    chunker = Chunker(chunk_units)
    given_out = []
    for index, units in enumerate(steps):
        chunker.push(units)
        given_out.append(chunker.due(ended=index == len(steps) - 1))
    return given_out


def test_all_pending_units_go_once_there_are_enough() -> None:
    first, second, rest = [1] * 6, [2] * 6, [3] * 2
    assert chunks_of([first, second, rest], 10) == [[], first + second, rest]


def test_a_full_last_chunk_leaves_no_remainder() -> None:
    chunker = Chunker(10)
    chunker.push([1] * 10)
    assert chunker.due(ended=True) == [1] * 10
    assert chunker.due(ended=True) == []
    assert chunker.borders == [(0, 10)]


@given(steps=STEPS, chunk_units=st.integers(10, 40))
def test_chunks_are_the_units_and_none_waits_longer_than_it_must(steps: list[list[int]], chunk_units: int) -> None:
    chunks = chunks_of(steps, chunk_units)
    assert [unit for chunk in chunks for unit in chunk] == [unit for units in steps for unit in units]
    pending = 0
    for units, chunk in zip(steps[:-1], chunks[:-1], strict=True):
        pending += len(units)
        assert len(chunk) == (pending if pending >= chunk_units else 0)
        pending -= len(chunk)


@given(steps=STEPS)
def test_without_streaming_everything_comes_at_the_end(steps: list[list[int]]) -> None:
    *early, last = chunks_of(steps, None)
    assert not any(early)
    assert last == [unit for units in steps for unit in units]


def test_the_option_is_a_number_or_inf() -> None:
    assert parse_chunk_units("10") == 10
    assert parse_chunk_units("inf") is None


@pytest.mark.parametrize("text", ["9", "0", "-10", "ten", "", "10.5"])
def test_anything_else_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(UsageError, match=r"chunk-units is .* of at least 10, or 'inf'"):
        parse_chunk_units(text)

"""Recordings of noise: from turns to arrays, to a small file and back, and drawn in blocks."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import recordings
from record_noise import COLUMNS
from recordings import Recording

DATA = Path(__file__).parent / "data"
TRIPLES, PAIRS = 4, 5
SLOWER = {"base": 1.0, "same": 1.02, "slower": 1.07}


def row(triple: int, side: str, pair: int) -> dict[str, object]:
    latency_us = round(10_000 * (1 + triple) * (1 + pair / 10) * SLOWER[side])
    return {
        "triple": triple,
        "side": side,
        "load_ms": 30 + triple,
        "position": len(side) % 3,
        "pair": pair,
        "clip": f"clip-{pair % 2}",
        "latency_us": latency_us,
        "cpu_us": latency_us - 90,
        "elapsed_us": latency_us + 4000,
        "stolen_us": "",
        "others_us": 1000 * pair,
        "waited_us": triple,
    }


@pytest.fixture(scope="module")
def recording() -> Recording:
    """As record_noise.py writes it, in any order, and with a last triple that was interrupted."""
    rows = [row(triple, side, pair) for pair in range(PAIRS) for triple in range(TRIPLES) for side in SLOWER]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    writer.writerows([*rows, row(TRIPLES, "base", 0)])
    file.seek(0)
    return recordings.from_turns(csv.DictReader(file))


def test_every_turn_is_compared_with_the_base_of_its_pair(recording: Recording) -> None:
    for side, factor in SLOWER.items():
        ratios = recording.log_ratios(side)
        assert ratios.shape == (TRIPLES, PAIRS)
        np.testing.assert_allclose(np.exp(ratios), factor, atol=1e-4)
    # The CPU time lacks 90 us on both sides, so its ratio is larger: most where turns are shortest.
    assert np.exp(recording.log_ratios("slower", "cpu_us")[0, 0]) == pytest.approx((10_700 - 90) / (10_000 - 90))


def test_telemetry_belongs_to_the_turns_of_a_pair(recording: Recording) -> None:
    others = recording.both("slower", "others_us")
    assert others.shape == (TRIPLES, PAIRS, 2)
    assert (others == 1000 * np.arange(PAIRS)[None, :, None]).all()
    assert (recording.both("same", "position")[0, 0] == [1, 1]).all()
    assert np.isnan(recording.both("same", "stolen_us")).all(), "not reported is not zero"
    assert recording.load_ms[:, 1].tolist() == [30, 31, 32, 33]
    assert recording.clips[0].tolist() == ["clip-0", "clip-1", "clip-0", "clip-1", "clip-0"]


def test_a_file_contains_the_whole_recording(recording: Recording, tmp_path: Path) -> None:
    file = tmp_path / "noise.csv.gz"
    recordings.write(recording, file)
    again = recordings.read(file)
    for name in recordings.FIGURES:
        np.testing.assert_array_equal(again.figures[name], recording.figures[name], name)
    np.testing.assert_array_equal(again.load_ms, recording.load_ms)
    np.testing.assert_array_equal(again.clips, recording.clips)
    recordings.write(again, tmp_path / "again.csv.gz")
    assert (tmp_path / "again.csv.gz").read_bytes() == file.read_bytes()


def test_blocks_are_neighbours_and_every_triple_is_as_likely() -> None:
    random = np.random.default_rng(0)
    drawn = np.array([recordings.resampled(10, 12, 3, random) for _ in range(2000)])
    blocks = drawn.reshape(-1, 3)
    assert (np.diff(blocks, axis=1) % 10 == 1).all()
    assert len(Counter(blocks[:, 0])) == 10
    counts = np.bincount(drawn.ravel(), minlength=10) / drawn.size
    np.testing.assert_allclose(counts, 0.1, atol=0.01)


def test_drawing_depends_on_the_seed_alone_and_ends_inside_a_block() -> None:
    first, again, other = (recordings.resampled(60, 100, 8, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (100,)
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("file", sorted(DATA.glob("*.csv.gz")), ids=lambda file: file.name)
def test_a_recording_has_enough_processes_and_tells_the_sides_apart(file: Path) -> None:
    recording = recordings.read(file)
    triples, pairs = recording.clips.shape
    assert triples >= 60 and pairs == 50
    same, slower = (float(np.median(recording.log_ratios(side))) for side in ("same", "slower"))
    assert abs(same) < 0.01 and 0.03 < slower < 0.08
    assert {frozenset(places) for places in recording.figures["position"].swapaxes(1, 2).reshape(-1, 3)} == {
        frozenset({0.0, 1.0, 2.0})
    }


@pytest.mark.parametrize("block", [0, 61])
def test_a_block_is_a_part_of_the_recording(block: int) -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        recordings.resampled(60, 100, block, np.random.default_rng(1))

"""Detectors' estimates of the end of speech: stored with a corpus, read with it, and reported where they differ."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

from firstpacket.bench.corpus.estimates import ESTIMATES, EndEstimates, read_estimates, spread_ms, write_estimates
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import CorpusError


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two tones: 1 s and 1.1 s of sound, half a second of silence after each."""
    for name, seconds in (("a", 1.0), ("b", 1.1)):
        time = np.arange(round((seconds + 0.5) * 16_000)) / 16_000
        tone = 9000 * np.sin(2 * np.pi * 200 * time) * (time < seconds)
        wavfile.write(tmp_path / f"{name}.wav", 16_000, tone.astype(np.int16))
    return tmp_path


def of(folder: Path, **ends: dict[str, float | None]) -> list[EndEstimates]:
    loaded = {one.id: one.sha256 for one in load_corpus(str(folder)).utterances}
    return [EndEstimates(name, loaded[name], found) for name, found in ends.items()]


def load(folder: Path, **options: Any) -> dict[str, Utterance]:
    return {one.id: one for one in load_corpus(str(folder), **options).utterances}


@pytest.mark.parametrize(
    ("end_ms", "ends", "spread"),
    [
        (1000.0, {}, 0.0),
        (1000.0, {"level": 1010.0, "other": 990.0}, 20.0),
        (1000.0, {"level": 1030.0, "other": 1050.0}, 50.0),
        (1000.0, {"level": 1000.0, "other": None}, math.inf),
    ],
)
def test_the_spread_is_the_largest_distance_of_any_two(end_ms: float, ends: dict[str, Any], spread: float) -> None:
    assert spread_ms(end_ms, ends) == spread


def test_written_estimates_are_read_back_and_replace_older_ones(clips: Path) -> None:
    write_estimates(clips, of(clips, a={"level": 1000.0, "other": None}, b={"level": 1100.0}))
    path = write_estimates(clips / "b.wav", of(clips, b={"level": 1111.0}))
    assert path == clips / ESTIMATES
    assert {each.id: each.ends_ms for each in read_estimates(clips).values()} == {
        "a": {"level": 1000.0, "other": None},
        "b": {"level": 1111.0},
    }
    changed = EndEstimates("b", "another recording", {"level": 5.0})
    write_estimates(clips, [changed])
    assert len(read_estimates(clips)) == 2 and read_estimates(clips)["another recording"] == changed


def test_a_stored_estimate_is_the_end_that_counts(clips: Path) -> None:
    before = load_corpus(str(clips))
    write_estimates(clips, of(clips, a={"level": 1013.0, "other": 1020.0}))
    after = load(clips)
    assert after["a"].speech_end_ms == 1013 and after["a"].speech_end_source == "estimated"
    assert after["a"].speech_end_estimates_ms == {"level": 1013.0, "other": 1020.0}
    assert after["b"] != before.utterances[0] and after["b"].speech_end_estimates_ms == {}
    assert load_corpus(str(clips)).sha256 != before.sha256


def test_an_annotated_end_wins_over_detectors(clips: Path) -> None:
    line = {"id": "a", "audio": "a.wav", "speech_end_ms": 980}
    (clips / "manifest.jsonl").write_text(json.dumps(line))
    before = load_corpus(str(clips))
    write_estimates(clips, of(clips, a={"level": 1000.0, "other": 1015.0}))
    after = load_corpus(str(clips))
    assert after.utterances[0].speech_end_ms == 980 and after.sha256 == before.sha256
    assert after.notices == ()


def test_estimates_of_another_recording_are_ignored(clips: Path) -> None:
    write_estimates(clips, [EndEstimates("a", "0" * 64, {"level": 700.0})])
    assert load(clips)["a"].speech_end_ms == pytest.approx(1000, abs=20)


@pytest.mark.parametrize("ends", [{"level": 1000.0, "other": 1041.0}, {"level": 1000.0, "other": None}])
def test_flagged_clips_are_reported_by_number(clips: Path, ends: dict[str, float | None]) -> None:
    write_estimates(clips, of(clips, a=ends, b={"level": 1100.0, "other": 1139.0}))
    (told,) = [notice for notice in load_corpus(str(clips)).notices if "flagged" in notice]
    assert told.startswith("1 of 2 recordings are flagged: ") and told.endswith("(a).")


def test_an_end_behind_the_cut_is_the_cut_and_no_dispute(clips: Path) -> None:
    write_estimates(clips, of(clips, a={"level": 1000.0, "other": 1100.0}))
    trimmed = load_corpus(str(clips), trim_to_s=0.5, limit=1)
    assert trimmed.utterances[0].speech_end_ms == 500
    assert not [notice for notice in trimmed.notices if "flagged" in notice]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"speech_ends\.jsonl:2: is not valid JSON"),
        ('{"id": "a"}', r"speech_ends\.jsonl:2: field 'ends_ms' is missing.*Delete the file"),
        ('{"id": "a", "sha256": "", "ends_ms": {"level": "soon"}}', r"ends_ms\.level: .*Delete the file"),
        ('{"id": "a", "sha256": "", "ends_ms": {"level": -3}}', r"level is -3 ms.*Delete the file"),
        ('{"id": "a", "sha256": "", "ends_ms": {"level": 1e999}}', r"speech_ends\.jsonl:2"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(clips: Path, content: str, message: str) -> None:
    (clips / ESTIMATES).write_text("\n" + content)
    with pytest.raises(CorpusError, match=message):
        load_corpus(str(clips))


def test_a_read_only_folder_is_left_unchanged(clips: Path) -> None:
    found = of(clips, a={"level": 1000.0})
    clips.chmod(0o555)
    try:
        with pytest.raises(PermissionError):
            write_estimates(clips, found)
    finally:
        clips.chmod(0o755)
    assert not (clips / ESTIMATES).exists()

"""`bench corpus check`: two detectors, their estimates, and which clips are flagged."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import here

from firstpacket.bench.corpus.estimates import ESTIMATES, read_estimates
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.manifest import read_manifest, write_manifest
from firstpacket.bench.corpus.speech_end import estimate_speech_end_ms
from firstpacket.bench.errors import MissingDependency, UsageError
from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.tools.corpora import second_detectors, speech_ends
from firstpacket.pipelines.tools.corpora.speech_ends import check

pytest.importorskip("soundfile")
ROOT = Path(__file__).parents[4]
DEMO = ROOT / "datasets" / "demo"
SHARED = ROOT.parent / "shared" / "corpora"
CLIPS = ("time", "music", "interview")
"""Three clips whose ends the level detector finds; of the last, the made-up detector of these tests says 50 ms more."""


@pytest.fixture(scope="module")
def demo() -> dict[str, tuple[Samples, float]]:
    """Some of the demo's clips: samples, and where their speech ends."""
    chosen = load_corpus("demo").utterances[::6]
    return {one.id: (one.samples, one.speech_end_ms) for one in chosen}


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A corpus of three of the demo's clips."""
    (tmp_path / "clips").mkdir()
    lines = [entry.line for entry in read_manifest(DEMO / "manifest.jsonl") if entry.line.id in CLIPS]
    for line in lines:
        shutil.copy(DEMO / line.audio, tmp_path / line.audio)
    write_manifest(tmp_path / "manifest.jsonl", lines)
    return tmp_path


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, float | None]]:
    """A second detector that says, by a clip's number of samples, what the test wants."""
    said: dict[int, float | None] = {}
    monkeypatch.setattr(speech_ends, "second_detector", lambda: ("made-up", lambda samples: said.get(len(samples))))
    lengths = {one.id: len(one.samples) for one in load_corpus("demo").utterances if one.id in CLIPS}
    ends = {one.id: one.speech_end_ms for one in load_corpus("demo").utterances if one.id in CLIPS}
    said.update({lengths[name]: ends[name] + (50 if name == "interview" else 0) for name in CLIPS})
    yield said


def test_silero_finds_ends_that_are_known(demo: dict[str, tuple[Samples, float]]) -> None:
    pytest.importorskip("faster_whisper")
    name, find = second_detectors.second_detector()
    assert name == "silero-vad-v6"
    for clip, (samples, end_ms) in demo.items():
        assert find(samples) == pytest.approx(end_ms, abs=40), clip
    assert find(np.zeros(16_000, np.float32)) is None


def test_webrtc_is_used_where_silero_is_missing(
    demo: dict[str, tuple[Samples, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pocketsphinx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    name, find = second_detectors.second_detector()
    assert name == "webrtc-vad"
    for clip, (samples, end_ms) in demo.items():
        assert find(samples) == pytest.approx(end_ms, abs=40), clip
    assert find(np.zeros(16_000, np.float32)) is None


def test_an_end_is_found_wherever_the_windows_lie(demo: dict[str, tuple[Samples, float]]) -> None:
    """What is put before a clip moves its end by as much, whatever part of a window that is."""
    pytest.importorskip("faster_whisper")
    _, find = second_detectors.second_detector()
    samples, _ = demo["time"]
    ends = [find(np.concatenate((np.zeros(shift, np.float32), samples))) for shift in (0, 100, 230, 401)]
    assert None not in ends
    moved = [float(end or 0) - shift / 16 for end, shift in zip(ends, (0, 100, 230, 401), strict=True)]
    assert max(moved) - min(moved) < 20


def test_without_any_second_detector_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnxruntime", "pocketsphinx"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependency, match=r"Install one: pip install .*faster-whisper.*pocketsphinx"):
        second_detectors.second_detector()


def test_both_ends_are_stored_and_the_odd_clip_is_flagged(few: Path, second: dict[int, float | None]) -> None:
    found = check(str(few), 40)
    assert found.detectors == ("level", "made-up")
    assert [clip.id for clip in found.flagged] == ["interview"]
    stored = {each.id: each.ends_ms for each in read_estimates(few).values()}
    assert stored == {clip.id: clip.ends_ms for clip in found.clips}
    assert stored["time"]["level"] == pytest.approx(1135.3, abs=20) and stored["time"]["made-up"] == 1135.3125
    assert [clip.id for clip in check(str(few), 60).flagged] == []
    assert any("1 of 3 recordings are flagged" in notice for notice in load_corpus(str(few)).notices)


def test_checking_does_not_change_the_hash_of_the_corpus(tmp_path: Path, few: Path, second: Any) -> None:
    """Not even by a fraction of a sample: resuming a run compares the hash of its corpus."""
    import soundfile

    samples, rate = soundfile.read(few / "clips" / "time.flac", dtype="float32")
    soundfile.write(tmp_path / "odd.wav", samples[: 1135 * 16 + 5], rate)
    (few / "manifest.jsonl").unlink()
    before = load_corpus(str(tmp_path))
    found = check(str(tmp_path), 40)
    assert found.stored and before.utterances[0].speech_end_ms == (1135 * 16 + 5) / 16
    assert load_corpus(str(tmp_path)).sha256 == before.sha256


def test_every_turn_of_a_dialogue_is_checked(few: Path, second: dict[int, float | None]) -> None:
    """Though a run asks the first alone."""
    lines = [entry.line for entry in read_manifest(few / "manifest.jsonl")]
    turns = [replace(line, dialogue="d", turn=number) for number, line in enumerate(lines)]
    write_manifest(few / "manifest.jsonl", turns)
    assert [clip.id for clip in check(str(few), 40.0).clips] == [line.id for line in lines]
    assert len(load_corpus(str(few)).utterances) == 1


def test_a_detector_that_hears_no_speech_flags_the_clip(few: Path, second: dict[int, float | None]) -> None:
    second.clear()
    assert [clip.id for clip in check(str(few), 10_000).flagged] == ["time", "music", "interview"]


def test_flagged_clips_fail_the_command_unless_allowed(few: Path, second: dict[int, float | None]) -> None:
    done = here("corpus", "check", few)
    assert done.returncode == 1, done.stderr
    assert "1 of 3 clips flagged" in done.stderr and "speech_end_ms" in done.stderr
    table = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line}
    assert table["clip"] == ["clip", "counts", "level", "made-up", "difference"]
    assert table["interview"] == ["interview", "9987.4", "9986.0", "10037.4", "51.4", "flagged"]
    assert table["time"][-1] != "flagged" and str(few / ESTIMATES) in done.stdout
    for told in (("--no-fail",), ("--limit-ms", "60")):
        assert here("corpus", "check", few, *told).returncode == 0


def test_json_says_the_same(few: Path, second: dict[int, float | None]) -> None:
    second.clear()
    done = here("corpus", "check", few, "--json", "--no-fail")
    told: dict[str, Any] = json.loads(done.stdout)
    assert (told["kind"], told["flagged"], told["limit_ms"]) == ("firstpacket.corpus_check", 3, 40)
    assert told["stored"] == str(few / ESTIMATES)
    first = told["clips"][0]
    assert first["id"] == "time" and first["ends_ms"]["made-up"] is None and first["difference_ms"] is None


def test_without_write_access_it_only_prints(few: Path, second: dict[int, float | None]) -> None:
    few.chmod(0o555)
    try:
        done = here("corpus", "check", few, "--no-fail")
    finally:
        few.chmod(0o755)
    assert done.returncode == 0 and "not stored with the corpus: its folder is read-only" in done.stdout
    assert not (few / ESTIMATES).exists()


@pytest.mark.parametrize("limit", [float("nan"), float("inf")])
def test_a_limit_is_a_number(few: Path, limit: float) -> None:
    with pytest.raises(UsageError, match="--limit-ms"):
        check(str(few), limit)


def test_the_demo_keeps_what_its_detectors_say() -> None:
    stored = read_estimates(DEMO)
    demo = load_corpus("demo").utterances
    assert {one.sha256 for one in demo} == set(stored)
    for one in demo:
        assert set(one.speech_end_estimates_ms) == {"level", "silero-vad-v6"}
        assert estimate_speech_end_ms(one.samples) == one.speech_end_estimates_ms["level"]


@pytest.mark.golden
@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared corpora")
def test_recordings_in_other_folders_are_checked_in_place() -> None:
    pytest.importorskip("faster_whisper")
    eval_sample = check(str(SHARED / "instructs2s-eval-sample"), 40)
    assert len(eval_sample.clips) == 5 and not eval_sample.stored
    assert max(clip.spread_ms for clip in eval_sample.clips) < 80
    (jfk,) = check(str(SHARED / "human"), 40).clips
    assert jfk.spread_ms > 400, "the crowd murmurs to the end of the recording, and only the level detector hears it"

import json

import numpy as np
import pytest
import soundfile

from firstpacket.bench.errors import CorpusError

pytest.importorskip("torch")

from firstpacket.pipelines.tools.training import units, vocoder
from firstpacket.pipelines.tools.training.units import Spoken, UnitSizes

SIZES = UnitSizes(units=4)
RATE = 16_000


def tone(hertz, seconds, loudness=0.3):
    return (loudness * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A corpus of three answers, each of it two or three tones."""
    data, work = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("work")
    answers = {"low high": (300, 1500), "high low": (1500, 300), "low mid high": (300, 800, 1500)}
    (data / "answers").mkdir()
    lines = []
    for place, (text, pitches) in enumerate(answers.items()):
        sound = np.concatenate([tone(hertz, 0.2) for hertz in pitches] + [np.zeros(3200, np.float32)])
        soundfile.write(data / "answers" / f"{place}.flac", sound, RATE)
        lines.append({"text": text, "audio": f"answers/{place}.flac"})
    (data / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return data, work, units.run(data, work, 1, SIZES)


def test_the_same_sound_is_the_same_unit_at_any_position(spoken):
    _, work, _ = spoken
    found, count = units.made(work)
    low, high = found["low high"].frames[4], found["low high"].frames[14]
    assert count == 4
    assert low != high
    assert found["high low"].frames[4] == high
    assert found["high low"].frames[14] == low
    assert found["low mid high"].frames[14] not in (low, high)
    assert {one.frames[-4] for one in found.values()} == {found["low high"].frames[-4]}, "silence is a unit"


def test_units_have_no_repeats_and_every_frame_is_counted(spoken):
    _, work, figures = spoken
    found, _ = units.made(work)
    assert figures["frames"] == sum(len(one.frames) for one in found.values()) == 3 * 10 + 7 * 10
    assert all(
        first != second for one in found.values() for first, second in zip(one.units, one.units[1:], strict=False)
    )


def test_the_same_seed_gives_the_same_units(spoken, tmp_path):
    data, work, _ = spoken
    units.run(data, tmp_path, 1, SIZES)
    assert (tmp_path / "units/units.jsonl").read_bytes() == (work / "units/units.jsonl").read_bytes()


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    """An answer that becomes audible after 75 ms of faint noise, and one that never does."""
    data = tmp_path_factory.mktemp("late")
    faint = 1e-3 * np.random.default_rng(0).normal(size=RATE)
    said = {"low": np.concatenate([faint[:1200], tone(300, 0.2), faint[:3200]]), "nothing": faint}
    for text, sound in said.items():
        soundfile.write(data / f"{text}.flac", sound, RATE)
    lines = (json.dumps({"text": text, "audio": f"{text}.flac"}) + "\n" for text in said)
    (data / "answers.jsonl").write_text("".join(lines))
    return data


def test_units_begin_with_the_frame_in_which_an_answer_becomes_audible(late, tmp_path):
    """The others are those of the whole recording."""
    units.run(late, tmp_path / "whole", 1, SIZES, untrimmed=True)
    figures = units.run(late, tmp_path / "audible", 1, SIZES)
    (whole, _), (audible, _) = units.made(tmp_path / "whole"), units.made(tmp_path / "audible")
    assert [audible[text].start for text in ("low", "nothing")] == [3, 0]
    assert figures["silent_frames"] == 3
    assert np.array_equal(audible["low"].frames, whole["low"].frames[3:])
    assert audible["nothing"] == whole["nothing"]
    assert audible["low"].units[0] != whole["low"].units[0], "silence is a unit, and the answer begins with another"


def test_the_vocoder_learns_the_sound_of_the_frames_that_were_kept(late, tmp_path):
    units.run(late, tmp_path, 1, SIZES)
    found, _ = units.made(tmp_path)
    example = next(one for one in vocoder.examples(late, found) if one.spoken.text == "low")
    recorded, _ = soundfile.read(late / "low.flac", dtype="float32")
    assert np.array_equal(example.sound.numpy(), recorded[3 * 320 :][: len(example.sound)])
    assert len(example.sound) == 320 * len(example.frames)


def test_a_frame_depends_only_on_its_own_20_ms():
    sound = np.concatenate((np.zeros(3200, np.float32), tone(500, 0.2)))
    found = units.features(np.append(sound, np.zeros(319, np.float32)), SIZES)
    assert found.shape == (20, SIZES.cepstra)
    assert np.allclose(found[:9], found[0])
    assert not np.allclose(found[10], found[0])
    assert len(units.features(np.zeros(319, np.float32), SIZES)) == 0


def test_more_units_than_different_frames_are_refused(spoken):
    data, work, _ = spoken
    with pytest.raises(CorpusError, match="too few for 500 units"):
        units.run(data, work, 1, UnitSizes(units=500))


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        '{"text": "a", "units": [1, 2]}',
        '{"text": "a", "units": [1, 2], "durations": [1]}',
        '{"text": "a", "units": [-1], "durations": [1]}',
        '{"text": "a", "units": [1], "durations": [0]}',
        '{"text": "a", "units": "x", "durations": [1]}',
        '{"text": "a", "units": [1], "durations": [1], "start": -1}',
        '{"text": "a", "units": [1], "durations": [1], "start": null}',
    ],
)
def test_a_bad_line_of_units_is_named(tmp_path, line):
    path = tmp_path / "units.jsonl"
    path.write_text(f'{{"text": "fine", "units": [1, 2], "durations": [3, 1]}}\n{line}\n')
    with pytest.raises(CorpusError, match=r"units\.jsonl:2"):
        units.read(path)


def test_given_units_must_exist_and_cover_every_answer(spoken, tmp_path):
    data, work, _ = spoken
    found, _ = units.made(work)
    given = tmp_path / "mhubert.jsonl"

    def write(*every):
        lines = ({"text": one.text, "units": one.units, "durations": one.durations} for one in every)
        given.write_text("".join(json.dumps(line) + "\n" for line in lines))

    write(*found.values())
    units.given(data, tmp_path, given, 4)
    assert units.made(tmp_path) == (found, 4)
    with pytest.raises(CorpusError, match="names unit 3, but there are 3"):
        units.given(data, tmp_path, given, 3)
    write(found["low high"], Spoken("never asked", (1,), (1,)))
    with pytest.raises(CorpusError, match="no units for 2 answers, for example 'high low'"):
        units.given(data, tmp_path, given, 4)

"""The recording of a turn: question, silence, answer and stalls, each sample at its time."""

from __future__ import annotations

import base64
import io
import json
import shutil
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.spoken_run import spoken_run

from firstpacket.bench.analysis.turn_trace import OneTurn, one_turn
from firstpacket.bench.errors import CorpusError, MissingDependency, RunError
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.report.turns.audio_choice import Sound
from firstpacket.bench.report.turns.expanded import expanded
from firstpacket.bench.report.turns.ordering import ranks
from firstpacket.bench.report.turns.recordings import recordings
from firstpacket.bench.report.turns.sounds import BYTES_PER_S, encoded, mixed, sound

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
RATE = 16_000
FAILS = "clip-03"
"""The cascade has no answer to it."""
PLENTY = 10**9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoken")
    spoken_run(folder, clips=4)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return read_run(folder / "run")


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Run:
    """A copy of the run that a test may spoil."""
    shutil.copytree(folder / "run", tmp_path / "run")
    return read_run(tmp_path / "run")


def answered(run: Run, label: str = "cascade", clip: str = "clip-02") -> OneTurn:
    """`clip-02` has 0.64 s; the cascade answers it after 0.192 s: 0.4 s, a stall of 50 ms, then 0.2 s."""
    turn = next(each for each in run.turns if (each.label, each.utterance, each.phase) == (label, clip, "measured"))
    return one_turn(run, turn.turn)


def sounds(run: Run, room: int = PLENTY) -> dict[tuple[str, str, str], Sound]:
    found = expanded(run, ranks(run), recordings(run), room)
    return {(turn.label, turn.utterance, turn.phase): found[turn.turn].sound for turn in run.turns}


def test_every_sample_is_at_the_time_it_was_played(run: Run) -> None:
    question = np.full(round(0.64 * RATE), 0.25, np.float32)
    reply = np.linspace(0.5, 0.9, round(0.6 * RATE), dtype=np.float32)
    heard = mixed(answered(run), question, reply)
    at = {name: round(seconds * RATE) for name, seconds in
          {"silence": 0.64, "answer": 0.832, "stall": 1.232, "rest": 1.282, "end": 1.482}.items()}  # fmt: skip
    assert len(heard) == at["end"]
    assert (heard[: at["silence"]] == 0.25).all()
    assert (heard[at["silence"] : at["answer"]] == 0).all()
    assert (heard[at["answer"] : at["stall"]] == reply[: round(0.4 * RATE)]).all()
    assert (heard[at["stall"] : at["rest"]] == 0).all()
    assert (heard[at["rest"] :] == reply[round(0.4 * RATE) :]).all()


def test_an_answer_during_the_question_is_mixed_with_it(run: Run) -> None:
    """The user's speech is taken to end 0.4 s later: the answer comes 0.208 s before that."""
    one = answered(run)
    delivery = replace(one.evidence.delivery, t0_ns=one.evidence.delivery.t0_ns + 400_000_000)
    early = replace(one, evidence=replace(one.evidence, delivery=delivery))
    heard = mixed(early, np.full(RATE, 0.25, np.float32), np.full(round(0.6 * RATE), 0.5, np.float32))
    assert heard[round(0.79 * RATE)] == 0.25
    assert heard[round(0.80 * RATE)] == 0.75


def test_mp3_keeps_time_and_gives_the_same_bytes_again(run: Run) -> None:
    question = recordings(run).heard(next(each for each in run.manifest.utterances if each.id == "clip-02"))
    made = sound(answered(run), question)
    assert made == sound(answered(run), question)
    assert len(made) == pytest.approx(1.482 * BYTES_PER_S, abs=0.2 * BYTES_PER_S)
    heard, rate = soundfile.read(io.BytesIO(made))
    assert rate == RATE
    loud = [bool(np.abs(heard[at : at + 160]).max() > 0.05) for at in range(0, len(heard) - 160, 160)]
    changes = [at / 100 for at in range(1, len(loud)) if loud[at] != loud[at - 1]]
    lengths = [after - before for before, after in pairwise(changes)]
    assert lengths[:4] == pytest.approx([0.64, 0.192, 0.4, 0.05], abs=0.03)


def test_turns_have_a_recording_or_say_why_not(run: Run) -> None:
    found = sounds(run)
    assert all(each.mp3 for (label, *_), each in found.items() if label == "direct")
    assert found["cascade", FAILS, "measured"] == Sound(problem="No audio: no packet arrived.")


def test_the_worst_turns_keep_their_recording_if_space_is_short(run: Run) -> None:
    found = sounds(run, room=30_000)
    heard = {turn for turn, each in found.items() if each.mp3}
    assert ("cascade", "clip-02", "measured") in heard
    assert 0 < len(heard) < sum(1 for each in sounds(run).values() if each.mp3)
    assert sum(len(each.mp3) for each in found.values()) <= 30_000
    left_out = next(each for turn, each in found.items() if turn not in heard and turn[1] != FAILS)
    assert "No audio here" in left_out.problem
    assert ".flac" in left_out.problem


def test_without_the_question_only_the_answer_is_played_and_it_says_so(own: Run) -> None:
    gone = replace(own, manifest=replace(own.manifest, corpus_source="nowhere/to/be/found"))
    corpus = recordings(gone)
    assert "cannot be read" in corpus.problem
    heard = sounds(gone)["direct", "clip-02", "measured"]
    assert not heard.with_question
    assert "the questions have no audio" in heard.problem
    samples, _ = soundfile.read(io.BytesIO(base64.b64decode(heard.mp3)))
    assert len(samples) / RATE == pytest.approx(0.077 + 0.65, abs=0.15)


def test_another_recording_is_not_taken_for_the_question(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "corpus", tmp_path / "corpus")
    shutil.copy(tmp_path / "corpus/1.wav", tmp_path / "corpus/2.wav")
    run = read_run(folder / "run")
    moved = replace(run, manifest=replace(run.manifest, corpus_source=str(tmp_path / "corpus/manifest.jsonl")))
    asked = next(each for each in run.manifest.utterances if each.id == "clip-02")
    with pytest.raises(CorpusError, match="SHA-256 differs"):
        recordings(moved).heard(asked)
    lines = [json.loads(line) for line in (tmp_path / "corpus/manifest.jsonl").read_text().splitlines()]
    lines[2]["text"] = "another question"
    (tmp_path / "corpus/manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert set(recordings(moved).answers) == {"clip-00", "clip-01", "clip-03"}


def test_reference_answers_come_from_the_corpus(run: Run) -> None:
    assert recordings(run).answers["clip-02"] == ("a tone",)


@pytest.mark.parametrize("spoilt", ["gone", "a link", "shorter", "no sound"])
def test_a_reply_that_is_not_what_its_packets_say_is_not_played(own: Run, spoilt: str) -> None:
    one = answered(own)
    file = own.path / one.evidence.audio
    if spoilt == "shorter":
        soundfile.write(file, np.zeros(100), RATE, format="FLAC")
    elif spoilt == "no sound":
        file.write_bytes(b"fLaC is no sound")
    else:
        file.rename(own.path / "elsewhere.flac")
    if spoilt == "a link":
        file.symlink_to(own.path / "elsewhere.flac")
    with pytest.raises((RunError, CorpusError)):
        sound(one, np.zeros(0, np.float32))
    assert "No audio: " in sounds(own)["cascade", "clip-02", "measured"].problem


def test_a_path_that_leads_out_of_the_run_is_not_followed(own: Run, folder: Path) -> None:
    one = answered(own)
    other = str(folder / "run" / answered(own, "direct").evidence.audio)
    leading = replace(one, evidence=replace(one.evidence, audio=f"../../{other}"))
    (own.path / other).unlink(missing_ok=True)
    shutil.rmtree(own.path / "audio")
    with pytest.raises(RunError, match="no longer in the run folder"):
        sound(leading, np.zeros(0, np.float32))


def test_a_turn_longer_than_120_s_has_no_recording(run: Run) -> None:
    one = answered(run)
    late = [replace(packet, at_ns=packet.at_ns + 3_600_000_000_000) for packet in one.trace.packets]
    turn = replace(one, evidence=replace(one.evidence, trace=replace(one.trace, packets=tuple(late))))
    with pytest.raises(RunError, match="longer than 120 s"):
        mixed(turn, np.zeros(0, np.float32), np.zeros(RATE, np.float32))


def test_without_soundfile_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingDependency, match="pip install"):
        encoded(np.zeros(100, np.float32))

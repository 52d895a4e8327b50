"""Assessing a run: with a fake recogniser that knows every recording, and with a real one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile
from support.command import here
from support.quality_runs import NOISE, SILENCE, SPEECH, demo_clips, known_run

from firstpacket.bench import plugins
from firstpacket.bench.errors import BenchError, RunError, UsageError
from firstpacket.bench.pipeline import Declaration, Option, Samples, Settings, Speech, Weights
from firstpacket.bench.quality.record import QUALITY, HeardClip, HeardReply, ReplySound, ScoredReply, read_quality
from firstpacket.bench.quality.scores import Scorer
from firstpacket.bench.record.store import read_run
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import ASR
from firstpacket.pipelines.tools.quality.assess import Assessed, assess
from firstpacket.pipelines.tools.quality.choosing import default_recogniser, recogniser_judge, scorer_judge, shown
from firstpacket.pipelines.tools.quality.judges import RecogniserJudge, ScorerJudge

CLIPS = demo_clips(3)


class Ears(ASR):
    """Recognises the clips by their samples; its transcript of anything else is empty."""

    declaration = Declaration("ears", "Knows the clips.", options=(Option("asr-model", "", "whose ears"),))
    asked: ClassVar[list[str]] = []

    def load(self) -> None: ...

    def transcribe(self, speech: Speech, trace: Trace) -> str:
        with trace.stage("asr"):
            heard = speech.whole()
        found = [
            clip for clip in CLIPS if clip.samples.shape == heard.shape and np.abs(clip.samples - heard).max() < 1e-3
        ]
        Ears.asked.append(f"{speech.language}:{found[0].id if found else '?'}")
        return (found[0].text or "") if found else ""


class Deaf(Ears):
    def transcribe(self, speech: Speech, trace: Trace) -> str:
        raise RuntimeError("no ears")


class Invented(Ears):
    def weights(self) -> tuple[Weights, ...]:
        return (Weights("asr", "dummy", "seed 0"),)


class Loudness(Scorer):
    declaration = Declaration("loudness", "Peak of the reply.", options=(Option("gain", 1.0, "factor"),))
    least, most = 0.0, 1.0

    def score(self, samples: Samples, rate: int) -> float:
        return float(np.abs(samples).max()) * self.settings.number("gain")


def ears(kind: type[ASR] = Ears) -> RecogniserJudge:
    return RecogniserJudge(kind(Settings()), {"ears": "1"}, {})


def loudness(gain: float = 1.0) -> ScorerJudge:
    return ScorerJudge(Loudness(Settings(options={"gain": gain})), {}, {"gain": gain})


def silently(*_: object) -> None: ...


def listen(
    path: Path, recogniser: RecogniserJudge | None = None, *scorers: ScorerJudge, baseline: bool = True
) -> Assessed:
    return assess(path, recogniser, scorers, baseline, silently)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kinds = {"good": SPEECH, "noise": NOISE, "mute": SILENCE}
    return known_run(tmp_path_factory.mktemp("assess") / "run", CLIPS, kinds)


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    Ears.asked.clear()
    return Path(shutil.copytree(original, tmp_path / "run"))


def test_speech_is_understood_and_noise_is_not(run: Path) -> None:
    turns = (run / "turns.jsonl").read_bytes()
    found = listen(run, ears(), loudness())
    assert (found.replies, found.written, found.problems) == (9, 9 * 3 + 3, ())
    good, noise, mute = (label.quality for label in summarise(read_run(run)).labels)
    assert good.reply.rate is not None and good.reply.rate.value == 0
    assert noise.reply.rate is not None and noise.reply.rate.value == 1
    assert mute.reply.rate is not None and mute.reply.rate.value == 1, "a reply without sound is not left out"
    assert good.recognisers[0].clips.rate is not None and good.recognisers[0].clips.rate.value == 0
    assert good.scores[0].mean.value > mute.scores[0].mean.value == 0
    assert (run / "turns.jsonl").read_bytes() == turns
    # The recogniser is told the language of the clip that was answered.
    assert set(Ears.asked) == {"en:?", *(f"en:{clip.id}" for clip in CLIPS)}


def test_turns_already_assessed_are_not_assessed_again(run: Path) -> None:
    listen(run, ears(), baseline=False)
    asked = len(Ears.asked)
    assert listen(run, ears(), baseline=False).written == 0
    assert len(Ears.asked) == asked
    # Another judge, or another recording, is something new.
    assert listen(run, ears(), loudness(0.5), baseline=False).written == 9
    soundfile.write(run / "audio/turn-000001.flac", np.full(800, 0.2, np.float32), 16_000)
    assert listen(run, ears(), baseline=False).written == 2


def test_a_failure_keeps_earlier_results(run: Path) -> None:
    listen(run)
    with pytest.raises(BenchError, match=r"ears failed on turn 1: RuntimeError: no ears.*same command to resume"):
        listen(run, ears(Deaf))
    assert len(read_quality(read_run(run)).lines) == 9


def test_dummy_recognisers_are_refused(run: Path) -> None:
    with pytest.raises(UsageError, match="has dummy weights and cannot transcribe"):
        listen(run, ears(Invented))
    assert not (run / QUALITY).exists()


def test_a_score_outside_its_scale_is_refused(run: Path) -> None:
    with pytest.raises(BenchError, match=r"loudness gave .* scale is 0 to 1"):
        listen(run, None, loudness(1e9))


def test_unreadable_replies_are_named_and_skipped(run: Path) -> None:
    (run / "audio/turn-000001.flac").write_bytes(b"rubbish")
    (run / "audio/turn-000002.flac").unlink()
    (run / "audio/turn-000003.flac").unlink()
    (run / "audio/turn-000003.flac").symlink_to("/etc/hostname")
    found = listen(run, ears(), baseline=False)
    assert found.replies == 7
    assert found.written == 6 * 2
    assert len(found.problems) == 3
    assert "turn 2 (noise)" in found.problems[0] and "is a symbolic link" in found.problems[1]


def test_a_path_out_of_the_run_is_not_followed(run: Path, tmp_path: Path) -> None:
    """The record names a file; only one of that name in the run's own folder is read."""
    text = (run / "traces.jsonl").read_text()
    outside = tmp_path / "turn-000001.flac"
    shutil.move(run / "audio/turn-000001.flac", outside)
    first = json.loads(text.splitlines()[0]) | {"audio": str(outside)}
    line = json.dumps(first) + "\n"
    (run / "traces.jsonl").write_text(text + line)
    import zlib

    turns = [json.loads(each) for each in (run / "turns.jsonl").read_text().splitlines()]
    turns[0] |= {"evidence_at": len(text), "evidence_bytes": len(line), "evidence_crc32": zlib.crc32(line.encode())}
    (run / "turns.jsonl").write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    found = listen(run)
    assert found.replies == 8
    assert "cannot be read" in found.problems[0]


def test_a_run_without_audio_says_what_to_do(run: Path) -> None:
    shutil.rmtree(run / "audio")
    with pytest.raises(RunError, match=r"No replies to score"):
        listen(run)


def test_a_missing_corpus_loses_only_the_baseline(run: Path) -> None:
    manifest = (run / "manifest.json").read_text()
    (run / "manifest.json").write_text(
        manifest.replace('"corpus_source": "demo"', '"corpus_source": "/nowhere/at/all"')
    )
    found = listen(run, ears())
    assert "own error rate is unknown" in found.problems[0]
    kinds = {type(line) for line in read_quality(read_run(run)).lines}
    assert kinds == {HeardReply, ReplySound}


def test_results_record_the_judge(run: Path) -> None:
    listen(run, ears(), loudness())
    for line in read_quality(read_run(run)).lines:
        if isinstance(line, (HeardReply, HeardClip)):
            assert (line.judge.name, line.judge.packages) == ("ears", {"ears": "1"})
        if isinstance(line, ScoredReply):
            assert (line.judge.options, line.least, line.most) == ({"gain": 1.0}, 0.0, 1.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nobody", "Unknown asr engine 'nobody'"),
        ("pocketsphinx,modle=x", "Unknown option of 'pocketsphinx' 'asr-modle'"),
        ("pocketsphinx,asr-fast=perhaps", "expected true or false"),
        ("pocketsphinx,asr-fast", "is not key=value"),
        ("pocketsphinx,fast=1,fast=0", "is given twice"),
    ],
)
def test_impossible_recogniser_options_are_explained(text: str, told: str) -> None:
    pytest.importorskip("pocketsphinx")
    with pytest.raises(UsageError, match=told):
        recogniser_judge(text, "cpu")


def test_short_names_of_options_are_enough() -> None:
    pytest.importorskip("pocketsphinx")
    judge = recogniser_judge("pocketsphinx,fast=yes", "cpu")
    assert judge.options == {"asr-fast": True, "asr-streaming": "off"}, "a reply is heard whole"
    assert list(judge.packages) == ["firstpacket", "pocketsphinx"], "what brings the engine, and what it needs"


def test_scorers_come_from_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "engine", lambda group, name: Loudness)
    engines = {"scores": Loudness, "asr": Loudness}
    monkeypatch.setattr("firstpacket.bench.registry.engine", lambda group, name: engines[group])
    assert scorer_judge("loudness,gain=0.5", "cpu").options == {"gain": 0.5}
    with pytest.raises(UsageError, match="not a recogniser"):
        recogniser_judge("loudness", "cpu")
    monkeypatch.setattr("firstpacket.bench.registry.engine", lambda group, name: Ears)
    with pytest.raises(UsageError, match="not a scorer"):
        scorer_judge("ears", "cpu")


def test_keys_are_not_recorded() -> None:
    assert shown(Settings(options={"asr-api-key": "hunter2", "asr-token": "x", "asr-beam": 1})) == {"asr-beam": 1}


def test_the_command_assesses_with_a_real_recogniser(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    path = known_run(tmp_path / "run", demo_clips(1))
    done = here("quality", path, "--recogniser", "pocketsphinx")
    assert done.returncode == 0, done.stderr
    assert "[1/2] turn 1 (good)" in done.stderr, "without a terminal, a line per recording"
    assert "noise is unintelligible to pocketsphinx" in done.stderr
    good, noise = (label.quality.reply.rate for label in summarise(read_run(path)).labels)
    assert good is not None and noise is not None
    assert good.value < 0.5 < noise.value
    assert "reply WER measured with pocketsphinx" in done.stdout
    assert (path / QUALITY).exists()


def test_the_default_judge_is_a_published_whisper_that_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("whisper")
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert default_recogniser() == "pocketsphinx"
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper/base.pt").touch()
    assert default_recogniser() == "openai-whisper,model=base"
    (tmp_path / "whisper/small.pt").touch()
    assert default_recogniser() == "openai-whisper,model=small"


def test_stopping_says_that_scores_are_kept(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("firstpacket.pipelines.tools.quality.assess.assess", interrupted)
    done = here("quality", run, "--recogniser", "none")
    assert done.returncode == 130
    assert "What was scored is kept; the same command continues with the rest." in done.stderr


def test_options_may_follow_the_run(run: Path) -> None:
    done = here("quality", run, "--recogniser", "none")
    assert done.returncode == 0, done.stderr
    assert "9 replies, 9 new findings" in done.stderr
    assert here("quality", run, "--device", "tpu").returncode == 2
    assert here("quality", run / "nowhere").returncode == 3

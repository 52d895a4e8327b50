"""A voice in its own process: the same sound, the hops timed separately, and every way to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.errors import MissingDependency, UsageError, WeightsError, WorkerError
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.tts.process import VoiceProcess

PARROT = '''
import os
import time

import numpy as np

from firstpacket.bench.errors import WeightsError
from firstpacket.bench.pipeline import Declaration, Option, Weights
from firstpacket.pipelines.cascade.engines import TTS


class Parrot(TTS):
    """Says each word as a chunk of so many samples as it has letters."""

    declaration = Declaration("parrot", "For tests.", options=(Option("tts-model", "", ""),))

    def load(self):
        print("noise on standard output")
        if self.settings.text("tts-model") == "bad":
            raise WeightsError("Feathers are missing. Buy some.")
        self.closed = []

    def speak(self, text, trace):
        try:
            for word in text.split():
                if word == "choke":
                    raise ValueError("a nut")
                if word == "die":
                    os._exit(7)
                if word == "sleep":
                    time.sleep(600)
                yield np.full(len(word), len(word) / 10, np.float32), 8000
        finally:
            self.closed.append(text)

    def weights(self):
        return (Weights("tts", "bundled", "parrot"),)

    def facts(self):
        return {"tts_words": 3, "tts_mood": "said"}
'''


@pytest.fixture(scope="module")
def perch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on PYTHONPATH that registers the engine `parrot`."""
    folder = tmp_path_factory.mktemp("parrot")
    (folder / "parrot_voice.py").write_text(PARROT)
    (folder / "parrot.dist-info").mkdir()
    (folder / "parrot.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1\n")
    entry = "[firstpacket.tts]\nparrot = parrot_voice:Parrot\n"
    (folder / "parrot.dist-info" / "entry_points.txt").write_text(entry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield folder


@pytest.fixture
def parrot(perch: Path) -> Iterator[VoiceProcess]:
    voice = made()
    voice.load()
    yield voice
    voice.close()


def made(engine: str = "parrot", python: str = "", **options: Any) -> VoiceProcess:
    return VoiceProcess(Settings(options={"tts-model": "", **options}), engine, python)


def said(voice: VoiceProcess, text: str) -> list[tuple[list[float], int]]:
    return [(samples.tolist(), rate) for samples, rate in voice.speak(text, Trace(MonotonicClock()))]


def test_it_gives_the_same_sound_as_the_engine(parrot: VoiceProcess) -> None:
    assert said(parrot, "hi you") == [([np.float32(0.2)] * 2, 8000), ([np.float32(0.3)] * 3, 8000)]
    assert said(parrot, "") == []
    assert parrot.weights()[0].source == "parrot"
    assert parrot.facts() == {"tts_words": 3, "tts_mood": "said", "tts_process": "own", "tts_python": sys.executable}


def test_an_abandoned_phrase_does_not_leak_into_the_next(parrot: VoiceProcess) -> None:
    phrase: Any = parrot.speak("one three sleep", Trace(MonotonicClock()))
    next(phrase)
    with pytest.raises(RuntimeError, match="one phrase at a time"):
        next(parrot.speak("two", Trace(MonotonicClock())))
    phrase.close()
    assert [len(samples) for samples, _ in said(parrot, "hello")] == [5]


def test_an_interrupted_wait_does_not_shift_later_answers(
    parrot: VoiceProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = parrot._channel.receive

    def interrupted() -> Any:
        monkeypatch.setattr(parrot._channel, "receive", receive)
        raise KeyboardInterrupt

    monkeypatch.setattr(parrot._channel, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        said(parrot, "one two")
    assert [len(samples) for samples, _ in said(parrot, "hello")] == [5]


def test_an_engine_error_fails_only_this_phrase(parrot: VoiceProcess) -> None:
    with pytest.raises(RuntimeError, match="ValueError: a nut"):
        said(parrot, "one choke two")
    assert len(said(parrot, "one")) == 1


def test_a_process_that_dies_fails_this_phrase_and_the_next(parrot: VoiceProcess) -> None:
    for _ in range(2):
        with pytest.raises(WorkerError, match=r"own process ended \(exit code 7\).*All turns fail until"):
            said(parrot, "one die")
    parrot.close()


def test_a_process_that_is_killed(parrot: VoiceProcess) -> None:
    parrot._process.kill()
    with pytest.raises(WorkerError, match="killed by SIGKILL"):
        said(parrot, "one")


def test_the_hops_are_timed_separately_from_the_work(parrot: VoiceProcess) -> None:
    trace = Trace(MonotonicClock())
    with trace.stage("tts"):
        chunks: Any = parrot.speak("one", trace)
        next(chunks)
    around, *hops = sorted(trace.finish().spans, key=lambda span: span.stage)
    assert [span.stage for span in hops] == ["tts.hop", "tts.hop"]
    there, back = hops
    assert around.start_ns <= there.start_ns < there.end_ns < back.start_ns < back.end_ns <= around.end_ns
    chunks.close()


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"tts-model": "bad"}, WeightsError, "Feathers are missing. Buy some."),
        ({"engine": "parot"}, UsageError, "Did you mean 'parrot'"),
    ],
)
def test_loading_errors_are_the_same_as_in_process(
    perch: Path, asked: dict[str, str], error: type[Exception], message: str
) -> None:
    voice = made(**asked)
    with pytest.raises(error, match=message):
        voice.load()
    voice.close()


def test_it_runs_in_another_python(perch: Path) -> None:
    with pytest.raises(MissingDependency, match="Set tts-python to the Python of an environment"):
        made(python="/no/such/python").load()
    voice = made(python="/bin/false")
    with pytest.raises(WorkerError, match=r"ended \(exit code 1\)"):
        voice.load()
    voice.close()


def test_another_python_does_not_search_the_libraries_of_this_one(
    perch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = [sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*libraries, str(perch)]))
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\necho "$PYTHONPATH" > {tmp_path}/searched\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    voice = made(python=str(other))
    voice.load()
    voice.close()
    searched = (tmp_path / "searched").read_text().strip().split(os.pathsep)
    assert str(perch) in searched and not set(libraries) & set(searched)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the process ends when its line does")
def test_it_ends_when_its_parent_is_killed(perch: Path) -> None:
    program = (
        "from firstpacket.bench.pipeline import Settings\n"
        "from firstpacket.bench.timing.clock import MonotonicClock\n"
        "from firstpacket.bench.timing.trace import Trace\n"
        "from firstpacket.pipelines.cascade.tts.process import VoiceProcess\n"
        "voice = VoiceProcess(Settings(options={'tts-model': ''}), 'parrot')\n"
        "voice.load()\n"
        "print(voice._process.pid, flush=True)\n"
        "list(voice.speak('sleep', Trace(MonotonicClock())))\n"
    )
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(perch)))}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    give_up = time.monotonic() + 20
    while _runs(child):
        assert time.monotonic() < give_up
        time.sleep(0.01)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

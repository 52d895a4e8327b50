"""Workers that end early: the message says why, close() is called, and nothing that they started remains."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import psutil
import pytest
from support.runs import make_system
from support.virtual import make_utterance

from firstpacket.bench.errors import BenchError, MissingDependency, WorkerError
from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Settings, Speech, Weights
from firstpacket.bench.run import process
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.leftovers import MARK
from firstpacket.bench.run.process import ProcessExecutor
from firstpacket.bench.run.worker import refusal, said_of_itself
from firstpacket.bench.run.worker_environment import worker_environment
from firstpacket.bench.run.worker_log import last_words
from firstpacket.bench.timing.trace import Trace

alone = pytest.mark.alone  # where turns have a deadline
PLUGIN = """
import ctypes, os, subprocess, sys, time
from pathlib import Path
import numpy as np
from firstpacket import Declaration, MissingDependency, Option, Packet, Pipeline, Stage

HERE = Path(__file__).parent

class Mine(Pipeline):
    declaration = Declaration(
        name="mine", kind="direct", summary="Ends as asked.", stages=(Stage("work", "think"),),
        options=(Option("load", "", "how"), Option("turn", "", "how"), Option("close", "", "how")),
    )

    def load(self):
        self.run("load")

    def respond(self, speech, trace):
        self.run("turn")
        yield Packet(np.full(160, 0.1, np.float32), 16_000)

    def close(self):
        with (HERE / "closed").open("a") as log:
            log.write("x")
        self.run("close")

    def run(self, when):
        exec(self.settings.text(when))

    def serve(self, **more):
        self.server = subprocess.Popen(["sleep", "300"], start_new_session=True, **more)
        (HERE / "server").write_text(str(self.server.pid))
"""


class Worker:
    """A worker of the plugin above, in a folder of its own."""

    def __init__(self, folder: Path, **code: str) -> None:
        self.folder = folder
        (folder / "mine.py").write_text(PLUGIN)
        (folder / "mine-1.dist-info").mkdir()
        (folder / "mine-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
        (folder / "mine-1.dist-info" / "entry_points.txt").write_text("[firstpacket.pipelines]\nmine = mine:Mine\n")
        options = {"load": "", "turn": "", "close": "", **code}
        system = make_system("mine", pipeline="mine", options=options, stages=())
        environment = worker_environment(1) | {"PYTHONPATH": str(folder)}
        self.executor = ProcessExecutor(system, folder / "mine.log", environment)

    def load_error(self) -> BenchError:
        with pytest.raises(BenchError) as caught:
            self.executor.start()
        return caught.value

    @property
    def closed(self) -> int:
        """How often close() was called."""
        file = self.folder / "closed"
        return len(file.read_text()) if file.exists() else 0

    @property
    def server_runs(self) -> bool:
        try:
            return psutil.Process(int((self.folder / "server").read_text())).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def make(**code: str) -> Worker:
        made.append(Worker(tmp_path, **code))
        return made[-1]

    yield make
    for each in made:
        each.executor.stop()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT interrupts, as at a terminal; shells have what they start in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SystemExit("model.onnx is missing"), "load() called sys.exit: model.onnx is missing."),
        (KeyboardInterrupt(), "load() failed: KeyboardInterrupt."),
        (ImportError("No module named 'x'"), f"ImportError: No module named 'x'. Install it for {sys.executable}"),
        (Unreadable(), "load() failed: Unreadable: its message cannot be read."),
        (RuntimeError(), "load() failed: RuntimeError."),
        (RuntimeError("Is it there?"), "load() failed: RuntimeError: Is it there?"),
        (RuntimeError("x\x1b[31m" * 10**6), "x\ufffd[31mx"),
    ],
)
def test_whatever_a_plugin_raises_while_loading_becomes_a_message(error: BaseException, said: str) -> None:
    answer = refusal(error)
    assert said in answer.message and answer.unexpected
    assert len(answer.message) < 2500


def test_giving_up_while_loading_is_quoted_and_the_pipeline_is_closed(worker: Callable[..., Worker]) -> None:
    failed = worker(load="sys.exit('model.onnx is missing: run fetch-model')")
    error = failed.load_error()
    assert isinstance(error, WorkerError)
    assert "mine: load() called sys.exit: model.onnx is missing: run fetch-model. The traceback is in" in str(error)
    assert "in load" in (failed.folder / "mine.log").read_text()
    assert failed.closed == 1


def test_an_error_that_explains_itself_needs_no_log(worker: Callable[..., Worker]) -> None:
    error = worker(load="raise MissingDependency('Needs a GPU. Use --device cuda.')").load_error()
    assert str(error) == "mine: Needs a GPU. Use --device cuda."
    assert not isinstance(error, (WorkerError, MissingDependency))


@pytest.mark.parametrize(
    ("load", "how", "words"),
    [
        ("ctypes.string_at(0)", "killed by SIGSEGV", r"Segmentation fault | at ctypes/__init__.py:"),
        ("print('usage: model', file=sys.stderr); sys.exit(2)", "exit code 2", "usage: model"),
        ("print('x' * 10**7, '1 %\\r99 %\\r', 'api_key=abc', flush=True); os._exit(0)", "exit code 0", "api_key=…"),
        ("if os.fork(): os._exit(3)\nelse: time.sleep(300)", "exit code 3", ""),
    ],
)
def test_how_a_worker_ended_while_loading_is_in_the_message(
    worker: Callable[..., Worker], load: str, how: str, words: str
) -> None:
    text = str(worker(load=load).load_error())
    assert f"ended while it was loading ({how})" in text
    assert words in text
    assert len(text) < 1500


def test_loading_that_does_not_end_says_where_it_is(
    worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOAD_TIMEOUT_S", 3.0)
    hanging = worker(load="self.serve(); time.sleep(300)", close="self.server.kill()")
    text = str(hanging.load_error())
    assert "did not load within 3 s" in text
    assert "mine.py" in text
    assert (hanging.closed, hanging.server_runs) == (1, False)


def test_a_failed_load_leaves_no_server_behind(worker: Callable[..., Worker]) -> None:
    failed = worker(load="self.serve(); raise RuntimeError('boom')")
    assert "Processes that it had left running were ended: sleep (pid" in str(failed.load_error())
    assert not failed.server_runs


@alone
@pytest.mark.parametrize(
    ("load", "close", "left"),
    [
        ("self.serve()", "self.server.kill()", False),
        ("self.serve()", "", True),
        ("self.serve(env={'PATH': os.environ['PATH']})", "", True),
        ("subprocess.run(['sh', '-c', 'setsid sleep 300 & echo $! > server'], cwd=HERE)", "time.sleep(99)", True),
    ],
    ids=["closes", "does-not-close", "without-the-mark", "a-grandchild-and-hangs-in-close"],
)
def test_after_a_turn_that_does_not_end_the_server_is_gone(
    worker: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch, load: str, close: str, left: bool
) -> None:
    monkeypatch.setattr(process, "CLOSE_GRACE_S", 2.0)
    monkeypatch.setattr(process, "CANCEL_GRACE_S", 0.3)
    hanging = worker(load=load, turn="time.sleep(300)", close=close)
    hanging.executor.start()
    assert hanging.server_runs
    result = hanging.executor.run(1, make_utterance(seconds=0.02), TurnConfig("file", 10**8))
    assert (hanging.closed, hanging.server_runs) == (1, False)
    assert result.outcome == "timeout"
    assert "It was killed (at <string>:1 in <module>, called from mine.py:" in result.reason
    assert ("were ended: sleep (pid" in result.reason) == left


@alone
def test_a_crash_in_a_turn_says_where_and_leaves_no_server_behind(worker: Callable[..., Worker]) -> None:
    crashing = worker(load="self.serve()", turn="ctypes.string_at(0)")
    crashing.executor.start()
    result = crashing.executor.run(1, make_utterance(seconds=0.02), TurnConfig("file", 10**10))
    assert result.outcome == "failed"
    assert "killed by SIGSEGV): Fatal Python error: Segmentation fault | at ctypes/__init__.py" in result.reason
    assert not crashing.server_runs


def test_a_run_stopped_while_loading_says_where_it_was_and_closes_the_pipeline(
    worker: Callable[..., Worker], ctrl_c: None
) -> None:
    loading = worker(load="self.serve(); time.sleep(300)", close="self.server.kill()")

    def interrupt() -> None:
        while not (loading.folder / "server").exists():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt, match=r"while 'mine' was loading \(at .*mine\.py:\d+ in load\)"):
        loading.executor.start()
    assert loading.executor.stop() == ()
    assert (loading.closed, loading.server_runs) == (1, False)


def test_a_worker_ends_what_a_killed_managers_worker_left(worker: Callable[..., Worker]) -> None:
    fresh = worker()
    mark = {**os.environ, MARK: str((fresh.folder / "mine.log").resolve())}
    old = subprocess.Popen(["sleep", "300"], start_new_session=True, env=mark)
    fresh.executor.start()
    assert old.wait(5) == -signal.SIGTERM
    assert fresh.executor.stop() == ()
    assert fresh.closed == 1


class Told(Pipeline):
    declaration = Declaration("told", "says of itself what it is told")
    said: ClassVar[tuple[Any, Any]] = (), {}

    def load(self) -> None: ...

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]: ...  # type: ignore[empty-body]

    def weights(self) -> Any:
        return self.said[0]

    def facts(self) -> Any:
        return self.said[1]


def test_facts_may_be_numpy_scalars(monkeypatch: pytest.MonkeyPatch) -> None:
    size = Weights("llm", "none", "here", parameters=np.int64(7))  # type: ignore[arg-type]
    monkeypatch.setattr(Told, "said", ((size,), {"threads": np.int32(2), "share": np.float64(0.5), "fast": np.True_}))
    told = said_of_itself(Told(Settings()))
    weights, facts = told.weights, told.facts
    assert weights[0].parameters == 7
    assert facts == {"threads": 2, "share": 0.5, "fast": True}
    assert [type(fact) for fact in facts.values()] == [int, float, bool]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ((None, {}), "NoneType"),
        (((), None), "NoneType"),
        ((("llama",), {}), "expected an object, found text 'llama'"),
        (((), {"folder": Path("x")}), "facts().folder"),
        (((), {"sizes": [1, 2]}), "facts().sizes"),
        (((), {"share": float("nan")}), "expected a finite number"),
        (((), {3: "x"}), "expected text as key"),
    ],
)
def test_invalid_facts_are_named(said: tuple[Any, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Told, "said", said)
    with pytest.raises(BenchError) as caught:
        said_of_itself(Told(Settings()))
    assert message in str(caught.value)
    assert "facts() a dict of texts, numbers and booleans" in str(caught.value)


def test_the_words_before_a_crash_are_quoted_with_the_frames_of_the_thread_that_crashed(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    harness = Path(process.__file__).with_name("worker.py")
    log.write_text(
        "earlier\nterminate called after throwing 'std::bad_alloc'\nFatal Python error: Aborted\n\n"
        'Thread 0x00007f01 (most recent call first):\n  File "/lib/selectors.py", line 468 in select\n\n'
        'Current thread 0x00007f02 (most recent call first):\n  File "/their/ctypes/__init__.py", line 5 in call\n'
        f'  File "/their/model.py", line 12 in load\n  File "{harness}", line 99 in _load\n\nExtension modules: x\n'
    )
    assert last_words(log, len("earlier\n")) == (
        "terminate called after throwing 'std::bad_alloc' | Fatal Python error: Aborted | "
        "at ctypes/__init__.py:5 in call, called from model.py:12 in load"
    )


def test_of_a_long_log_the_last_lines_are_quoted(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_bytes(b"x" * 10**6 + b"\none\n\n1 %\r99 %\r100 %\n\xff\x1b[31mtwo token=abc\n   ^^^^\n")
    assert last_words(log, 0) == "one | 100 % | \ufffd\ufffd[31mtwo token=…"
    assert last_words(log, log.stat().st_size) == last_words(tmp_path / "none.log", 0) == ""

"""The parent's side: an engine that runs in another process, behind the same interface as a local one."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import firstpacket
import firstpacket.pipelines.cascade.tts.process.protocol as protocol
from firstpacket.bench import errors
from firstpacket.bench.errors import BenchError, MissingDependency, WorkerError
from firstpacket.bench.ipc import Channel, Closed, how_it_ended, module_command, spawn
from firstpacket.bench.pipeline import Option, OptionValue, Samples, Settings, Stage, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import TTS

HOP = Stage("tts.hop", "move")
"""The way of a chunk's request to the voice's process, and of the chunk back."""

LIBRARIES = ("stdlib", "platstdlib", "purelib", "platlib")
"""Folders of a Python's libraries, as `sysconfig` calls them."""

OPTIONS = (
    Option(
        "tts-process",
        "shared",
        "where the voice runs: in the pipeline's process, or in its own (own; adds the stage tts.hop)",
        choices=("shared", "own"),
    ),
    Option("tts-python", "", "Python of another environment to run the voice in; implies tts-process=own"),
)
CLOSE_GRACE_S = 5.0
STDERR = 2
"""What a library prints goes to standard error."""


def wants_own_process(settings: Settings) -> bool:
    """Whether the options put the voice into its own process."""
    return settings.text("tts-process") == "own" or bool(settings.text("tts-python"))


class VoiceProcess(TTS):
    """Runs the engine registered as `engine` in another process.

    A phrase's next chunk is made when it is asked for, as it is here. The process dies with this one. If it dies first,
    that turn and all later ones fail with an error: restarting it would load a model during a turn.
    """

    def __init__(self, settings: Settings, engine: str, python: str = "") -> None:
        super().__init__(settings)
        self._engine = engine
        self._python = python or sys.executable
        self._owed = 0
        self._speaking = False

    def load(self) -> None:
        """Start the process and load the engine there. Raises what the engine raises, or `MissingDependency`."""
        self._start()
        asked, here = self.settings, {"tts-process": "shared", "tts-python": ""}
        options = {name: here.get(name, value) for name, value in asked.options.items()}
        answer, _ = self._asked(protocol.Load(self._engine, asked.device, asked.dtype, asked.seed, options))
        if isinstance(answer, protocol.Refused):
            kind = getattr(errors, answer.kind, BenchError)
            raise (kind if isinstance(kind, type) and issubclass(kind, BenchError) else BenchError)(answer.message)
        if not isinstance(answer, protocol.Ready):
            raise self._broken("answered out of turn")
        self._said = answer

    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        """Chunks as the engine gives them, one phrase at a time.

        Raises `WorkerError` if the process is gone, `RuntimeError` with what the engine raised there.
        """
        if self._speaking:
            raise RuntimeError("A voice in its own process speaks one phrase at a time; close the previous one first.")
        self._speaking, ended = True, False
        try:
            request: tuple[protocol.Speak | protocol.Next, ...] = (protocol.Speak(text), protocol.Next())
            while True:
                with trace.hop(HOP.id) as hop:
                    answer, sound = self._asked(*request)
                    if isinstance(answer, (protocol.Chunk, protocol.Done)):
                        hop.worked(answer.start_ns, answer.end_ns)
                ended = not isinstance(answer, protocol.Chunk)
                if isinstance(answer, protocol.Failed):
                    raise RuntimeError(answer.message)
                if not isinstance(answer, protocol.Chunk):
                    return
                yield np.frombuffer(sound, np.float32), answer.rate
                request = (protocol.Next(),)
        finally:
            self._speaking = False
            if not ended:
                with contextlib.suppress(Closed):
                    self._channel.send(protocol.Stop())

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(AttributeError):
            self._channel.close()
            try:
                self._process.wait(CLOSE_GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def weights(self) -> tuple[Weights, ...]:
        """Reported by the engine."""
        return self._said.weights

    def facts(self) -> Mapping[str, OptionValue]:
        """What the engine says, and where it runs."""
        return {**self._said.facts, "tts_process": "own", "tts_python": self._python}

    def _start(self) -> None:
        command = module_command([self._python], "firstpacket.pipelines.cascade.tts.process.server")
        try:
            self._process, line = spawn(command, STDERR, _environment(self._python))
        except OSError as error:
            raise MissingDependency(
                f"Cannot start the voice's process with {self._python}: {error.strerror}. Set tts-python to the "
                "Python of an environment, for example /opt/voice/bin/python."
            ) from error
        self._channel = Channel(line, protocol.MESSAGES)

    def _asked(self, *messages: protocol.Load | protocol.Speak | protocol.Next) -> tuple[Any, bytes]:
        """The answer to the last of the messages, and its sound. Raises `WorkerError` if the process is gone."""
        try:
            while self._owed:  # for a caller that was interrupted while waiting
                self._received()
            for message in messages:
                self._channel.send(message)
            self._owed += 1
            return self._received()
        except Closed as error:
            raise self._broken(f"ended ({how_it_ended(self._process, CLOSE_GRACE_S)})") from error

    def _received(self) -> tuple[Any, bytes]:
        answer = self._channel.receive()
        sound = self._channel.receive_raw(answer.size) if isinstance(answer, protocol.Chunk) else b""
        self._owed -= 1
        return answer, sound

    def _broken(self, what: str) -> WorkerError:
        return WorkerError(
            f"The voice's own process {what}; its output is above or in the worker's log. All turns fail until the "
            "pipeline is loaded again."
        )


def _environment(python: str) -> dict[str, str]:
    """This environment; the checkout can be imported from, if this code runs from one.

    A gate names libraries of this Python in `PYTHONPATH`: another Python has its own.
    """
    environment = dict(os.environ)
    checkout = Path(firstpacket.__file__).resolve().parents[1]
    paths = [str(checkout)] if (checkout / "pyproject.toml").exists() else []
    given = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    libraries = () if python == sys.executable else tuple(map(sysconfig.get_path, LIBRARIES))
    paths += [path for path in given if not any(Path(path).is_relative_to(library) for library in libraries)]
    return environment | {"PYTHONPATH": os.pathsep.join(paths)}

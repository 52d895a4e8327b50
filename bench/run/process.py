"""The manager's side of a worker process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import BenchError, RunError, WorkerError
from firstpacket.bench.ipc import Channel, Closed, how_it_ended, kill_group, module_command, spawn
from firstpacket.bench.record.schema import Delivery, LabelFacts, System, TurnResult
from firstpacket.bench.run.executor import NO_PACKET, TurnConfig
from firstpacket.bench.run.microphone import Microphone
from firstpacket.bench.run.protocol import (
    MESSAGES,
    VERSION,
    Cancel,
    Close,
    FirstPacket,
    Frame,
    Hello,
    Instrument,
    Prepare,
    Prepared,
    Refused,
    SpeechOver,
    pack_samples,
)
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.spans import PacketStamp, TurnTrace
from firstpacket.bench.vocabulary import Flag

LOAD_TIMEOUT_S = 1800.0
PREPARE_TIMEOUT_S = 60.0
SEND_TIMEOUT_S = 20.0
CANCEL_GRACE_S = 2.0
CLOSE_GRACE_S = 5.0
TURN_LIMIT_DEADLINES = 4
"""A turn that has begun to answer is cut after this many deadlines."""


class ProcessExecutor:
    """One system in a separate process, which can be started, cancelled, killed and restarted."""

    def __init__(
        self,
        system: System,
        log: Path,
        environment: Mapping[str, str],
        python: Sequence[str] = (sys.executable,),
        instruments: tuple[Instrument, ...] = (),
    ) -> None:
        self._system = system
        self._log = log
        self._environment = dict(environment)
        self._python = tuple(python)
        self._instruments = instruments
        self._clock = MonotonicClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._in_flight = False

    @property
    def ready(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> LabelFacts:
        """Start the process and load the pipeline."""
        self.stop()
        channel, label = self._spawn(), self._system.label
        try:
            channel.send(Hello(VERSION, replace(self._system, stages=()), self._instruments))
            message = channel.receive(LOAD_TIMEOUT_S)
        except Closed:
            raise WorkerError(
                f"The worker of '{label}' ended while it was loading ({self._how_it_ended()}). "
                f"See its output in {self._log}."
            ) from None
        if isinstance(message, Refused):
            self.stop()
            raise BenchError(f"{label}: {message.message}")
        if not isinstance(message, LabelFacts):
            self.stop()
            raise WorkerError(f"The worker of '{label}' did not load within {LOAD_TIMEOUT_S:.0f} s. See {self._log}.")
        return message

    def run(self, turn: int, utterance: Utterance, config: TurnConfig, keep_audio: str = "") -> TurnResult:
        """Play one utterance; any failure of the worker becomes a result, and affects only this turn."""
        speech = utterance.speech()
        exchange = _Exchange(turn, self._clock, config)
        try:
            channel = self._channel
            if channel is None or not self.ready:
                raise Closed
            whole = pack_samples(speech) if config.input == "file" else ""
            self._in_flight = True
            channel.send(Prepare(turn, utterance.language, whole, keep_audio))
            exchange.microphone = _microphone(turn, self._clock, speech, channel, config, self._system.finds_speech_end)
            result = exchange.run(channel)
            self._in_flight = False
            return result
        except Closed:
            how = self._how_it_ended()
            self.stop()
            return exchange.broken_off(f"the worker ended during the turn ({how}); see {self._log.name}")
        except WorkerError as error:
            self.stop()
            return exchange.broken_off(f"{error} See {self._log.name}.")
        finally:
            exchange.end()

    def stop(self) -> None:
        """Let the pipeline close unless it is in a turn, then kill the whole process group."""
        process, channel, in_flight = self._process, self._channel, self._in_flight
        self._process = self._channel = None
        self._in_flight = False
        if process is None:
            return
        try:
            if channel is not None and process.poll() is None and not in_flight:
                _try_to_close(channel, process)
        finally:
            kill_group(process)
            if channel is not None:
                channel.close()

    def _spawn(self) -> Channel:
        command = module_command(self._python, "firstpacket.bench.run.worker")
        with self._open_log() as log:
            self._process, line = spawn(command, log, self._environment, own_group=True)
        line.settimeout(SEND_TIMEOUT_S)
        self._channel = Channel(line, MESSAGES)
        return self._channel

    def _open_log(self) -> BinaryIO:
        try:
            return self._log.open("ab")
        except OSError as error:
            raise RunError(
                f"Cannot write {self._log}: {error.strerror}. Free some space or choose another --out."
            ) from error

    def _how_it_ended(self) -> str:
        return how_it_ended(self._process, CANCEL_GRACE_S) if self._process is not None else "it was not running"


class _Exchange:
    """One turn on the manager's side: prepare, speak, wait for the first packet, wait for the result."""

    def __init__(self, turn: int, clock: MonotonicClock, config: TurnConfig) -> None:
        self._turn = turn
        self._clock = clock
        self._config = config
        self.microphone: Microphone | None = None
        self._playing: threading.Thread | None = None
        self._t0_ns = 0
        self._first: FirstPacket | None = None

    def run(self, channel: Channel) -> TurnResult:
        """The whole turn. Raises `WorkerError` if the worker does not react to cancellation."""
        self._expect_prepared(channel)
        microphone = self.microphone
        assert microphone is not None
        if self._config.input == "file":
            microphone.hand_over()
            self._t0_ns = microphone.delivery().t0_ns
        else:
            self._t0_ns = microphone.begin()
            self._playing = threading.Thread(target=_play, args=(microphone,), name="microphone", daemon=True)
            self._playing.start()
        result = self._wait(channel)
        if result is None:
            channel.send(Cancel(self._turn))
            microphone.stop()
            result = self._wait_until(channel, time.monotonic_ns() + int(CANCEL_GRACE_S * 1e9))
        if result is None:
            raise WorkerError("The worker did not cancel the turn in time and was killed.")
        return replace(result, delivery=microphone.delivery(), reason=_reason(result))

    def end(self) -> None:
        """Stop the microphone."""
        if self.microphone is not None:
            self.microphone.stop()
        if self._playing is not None:
            self._playing.join(CLOSE_GRACE_S)

    def broken_off(self, reason: str) -> TurnResult:
        """The result of a turn whose worker is gone; a first packet that had arrived still counts."""
        delivery = self.microphone.delivery() if self.microphone is not None else None
        delivery = delivery or Delivery(self._clock.now_ns(), 0, 0, ())
        if self._first is None:
            late = self._t0_ns and self._clock.now_ns() - self._t0_ns > self._config.deadline_ns
            return TurnResult(self._turn, "timeout" if late else "failed", delivery=delivery, reason=reason)
        first = self._first
        trace = TurnTrace(packets=(PacketStamp(first.at_ns, first.samples, first.sample_rate, 0),))
        return TurnResult(self._turn, "answered", trace, delivery, reason=reason, flags=(Flag.TRUNCATED,))

    def _expect_prepared(self, channel: Channel) -> None:
        message = channel.receive(PREPARE_TIMEOUT_S)
        if not isinstance(message, Prepared) or message.turn != self._turn:
            raise WorkerError(f"The worker was not ready for turn {self._turn} within {PREPARE_TIMEOUT_S:.0f} s.")

    def _wait(self, channel: Channel) -> TurnResult | None:
        deadline_ns = self._config.deadline_ns
        result = self._wait_until(channel, self._t0_ns + deadline_ns)
        if result is None and self._first is not None:
            result = self._wait_until(channel, self._t0_ns + TURN_LIMIT_DEADLINES * deadline_ns)
        return result

    def _wait_until(self, channel: Channel, until_ns: int) -> TurnResult | None:
        while (left_ns := until_ns - self._clock.now_ns()) > 0:
            message: Any = channel.receive(left_ns / 1e9)
            if isinstance(message, FirstPacket) and message.turn == self._turn:
                self._first = message
            elif isinstance(message, TurnResult) and message.turn == self._turn:
                return message
            elif message is not None:
                raise WorkerError(f"The worker sent {type(message).__name__} out of turn.")
        return None


def _reason(result: TurnResult) -> str:
    """Why the turn ended as it did; a pipeline that timed out may add what it was waiting for."""
    if result.outcome != "timeout":
        return result.reason
    return f"{NO_PACKET}: {result.reason}" if result.reason else NO_PACKET


def _microphone(
    turn: int, clock: MonotonicClock, speech: Any, channel: Channel, config: TurnConfig, silence_follows: bool
) -> Microphone:
    def frame(samples: Any) -> None:
        channel.send(Frame(turn, pack_samples(samples)))

    def nothing(_: Any) -> None:
        """With file input the clip went ahead with `Prepare`; `SpeechOver` releases it."""

    hear = nothing if config.input == "file" else frame
    return Microphone(clock, speech, hear, lambda: channel.send(SpeechOver(turn)), silence_follows)


def _play(microphone: Microphone) -> None:
    try:
        microphone.play()
    except Closed:
        return  # the worker is gone; the thread that waits for its answer sees that


def _try_to_close(channel: Channel, process: subprocess.Popen[bytes]) -> None:
    try:
        channel.send(Close())
        process.wait(CLOSE_GRACE_S)
    except (Closed, WorkerError, subprocess.TimeoutExpired):
        return

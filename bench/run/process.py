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
from firstpacket.bench.run.leftovers import descendants, end_leftovers, marked
from firstpacket.bench.run.microphone import Microphone, noise_floor
from firstpacket.bench.run.pinning import pinned
from firstpacket.bench.run.protocol import (
    MESSAGES,
    REPORT,
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
from firstpacket.bench.run.worker_log import last_words, size
from firstpacket.bench.timing.clock import Clock, MonotonicClock
from firstpacket.bench.timing.spans import PacketStamp, TurnTrace
from firstpacket.bench.vocabulary import Flag

LOAD_TIMEOUT_S = 1800.0
PREPARE_TIMEOUT_S = 60.0
SEND_TIMEOUT_S = 20.0
CANCEL_GRACE_S = 2.0
CLOSE_GRACE_S = 5.0
REPORT_LOOK_S, REPORT_LOOKS = 0.03, 20
"""Time for a worker that does not answer to write to its log where it is."""
SETTLE_NS = 2_000_000
"""Time between `Prepared` and the release of the clip. On busy cores a worker that has only just unpacked a long clip
has used up its share, and would not be run at once when it is woken."""
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
        cpus: frozenset[int] = frozenset(),
    ) -> None:
        """`cpus` are those that it may run on; any if empty."""
        self._system = system
        self._log = log
        self._environment = dict(environment)
        self._python = tuple(python)
        self._instruments = instruments
        self._cpus = cpus
        self._clock = MonotonicClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._log_begins = 0

    @property
    def ready(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> LabelFacts:
        """Start the process and load the pipeline. Raises `BenchError`, or `WorkerError` if its log says more."""
        self.stop()
        end_leftovers(self._log)  # of a worker whose manager was killed
        channel, label = self._spawn(), self._system.label
        try:
            channel.send(Hello(VERSION, replace(self._system, stages=()), self._instruments))
            message = channel.receive(LOAD_TIMEOUT_S)
        except Closed:
            raise WorkerError(
                f"The worker of '{label}' ended while it was loading ({self._how_it_ended()}){self._last_words()}."
                f"{_ended(self.stop())} See its output in {self._log}."
            ) from None
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"while '{label}' was loading{self._where()}") from None
        if isinstance(message, Refused):
            ended = _ended(self.stop())
            if message.unexpected:
                raise WorkerError(f"{label}: {message.message}{ended} The traceback is in {self._log}.")
            raise BenchError(f"{label}: {message.message}{ended}")
        if not isinstance(message, LabelFacts):
            where = self._where()
            raise WorkerError(
                f"The worker of '{label}' did not load within {LOAD_TIMEOUT_S:.0f} s and was killed{where}."
                f"{_ended(self.stop())} See its output in {self._log}."
            )
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
            channel.send(Prepare(turn, utterance.language, whole, keep_audio, config.leave_after))
            silence = noise_floor(utterance.samples) if self._system.finds_speech_end else None
            exchange.microphone = _microphone(turn, self._clock, speech, channel, config, silence)
            return exchange.run(channel)
        except Closed:
            how, words = self._how_it_ended(), self._last_words()
            ended = _ended(self.stop())
            return exchange.broken_off(f"the worker ended during the turn ({how}){words}; see {self._log.name}.{ended}")
        except WorkerError as error:
            where = self._where()
            return exchange.broken_off(f"{error} It was killed{where}; see {self._log.name}.{_ended(self.stop())}")
        finally:
            exchange.end()

    def stop(self) -> tuple[str, ...]:
        """Let the pipeline close, then kill the process group, and end what it started elsewhere.

        Returns the names of processes that had been left running.
        """
        process, channel = self._process, self._channel
        self._process = self._channel = None
        if process is None:
            return ()
        children = descendants(process.pid)
        try:
            if channel is not None and process.poll() is None:
                _try_to_close(channel, process)
        finally:
            kill_group(process)
            if channel is not None:
                channel.close()
            ended = end_leftovers(self._log, children)
        return ended

    def _spawn(self) -> Channel:
        command = module_command(self._python, "firstpacket.bench.run.worker")
        self._log_begins = size(self._log)
        with self._open_log() as log, pinned(self._cpus):
            self._process, line = spawn(command, log, marked(self._environment, self._log), own_group=True)
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

    def _last_words(self) -> str:
        output = last_words(self._log, self._log_begins)
        return f": {output}" if output else ""

    def _where(self) -> str:
        """Where in Python a worker is that does not answer, as it says itself on a signal; empty if it does not."""
        process = self._process
        if process is None or process.poll() is not None:
            return ""
        begins = written = size(self._log)
        process.send_signal(REPORT)
        for _ in range(REPORT_LOOKS):  # until the report, written line by line, is complete
            time.sleep(REPORT_LOOK_S)
            before, written = written, size(self._log)
            if written == before > begins:
                break
        output = last_words(self._log, begins)
        return f" ({output})" if output else ""


class _Exchange:
    """One turn on the manager's side: prepare, speak, wait for the first packet, wait for the result."""

    def __init__(self, turn: int, clock: Clock, config: TurnConfig) -> None:
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
            self._clock.sleep_until_ns(self._clock.now_ns() + SETTLE_NS)
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
            raise WorkerError("The worker did not cancel the turn in time.")
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
        flag = Flag.TRUNCATED if self._config.leave_after == "reply" else Flag.LEFT_EARLY
        return TurnResult(self._turn, "answered", trace, delivery, reason=reason, flags=(flag,))

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
    turn: int, clock: Clock, speech: Any, channel: Channel, config: TurnConfig, silence_rms: float | None
) -> Microphone:
    def frame(samples: Any) -> None:
        channel.send(Frame(turn, pack_samples(samples)))

    def nothing(_: Any) -> None:
        """With file input the clip went ahead with `Prepare`; `SpeechOver` releases it."""

    hear = nothing if config.input == "file" else frame
    return Microphone(clock, speech, hear, lambda: channel.send(SpeechOver(turn)), silence_rms)


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


def _ended(names: tuple[str, ...]) -> str:
    """What was ended with the worker, as a sentence after a space."""
    return f" Processes that it had left running were ended: {', '.join(names)}." if names else ""

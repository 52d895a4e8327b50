"""The worker: one process with one system's pipeline. Started as `python -m firstpacket.bench.run.worker FD`.

Its main thread loads the pipeline and performs turns; a second thread reads messages from the manager, so that frames
and cancellations arrive while the pipeline works (`receiver.py`). It ends when the manager does, whatever it is doing.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import queue
import signal
import sys
import threading
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from firstpacket.bench import registry
from firstpacket.bench.addresses import is_loopback
from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.errors import BenchError
from firstpacket.bench.gpu.identity import identity
from firstpacket.bench.gpu.nvtx import nvtx_ranges
from firstpacket.bench.gpu.profiler import GpuProfiler, TorchProfiler
from firstpacket.bench.host.listeners import local_servers
from firstpacket.bench.ipc import Channel, Closed, parent
from firstpacket.bench.pipeline import OptionValue, Pipeline, Samples, Weights
from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.run.garbage_watch import GarbageWatch
from firstpacket.bench.run.loaded_paths import loaded_from
from firstpacket.bench.run.protocol import (
    MESSAGES,
    REPORT,
    VERSION,
    Cancel,
    Close,
    FirstPacket,
    Frame,
    Hello,
    Prepare,
    Prepared,
    Refused,
    SpeechOver,
    unpack_samples,
)
from firstpacket.bench.run.receiver import ClipInbox, Receiver
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.run.turn import Said, perform, prepared
from firstpacket.bench.sanitize import clean, described, reason
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.cost import event_cost_ns
from firstpacket.bench.timing.cuda import GpuRecorder, TorchCuda
from firstpacket.bench.timing.spans import PacketStamp
from firstpacket.bench.timing.trace import Ranges, Trace

LEAVE_S = 1.0
"""Time for a pipeline to give up its turn, or to finish loading, before it is closed from another thread."""


def main() -> None:
    """Serve the manager over the socket whose descriptor is the only argument."""
    worker = _Worker(parent(MESSAGES))
    faulthandler.register(REPORT)
    threading.Thread(target=worker.receiver.listen, name="manager", daemon=True).start()
    try:
        worker.serve()
    except Closed:
        pass
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # threads left by a library must not keep the process alive


@dataclass(slots=True)
class InFlight:
    """The turn that the pipeline is answering."""

    turn: int
    speech: HeardSpeech
    held_back: Samples | None
    """With file input: the whole clip, until speech is over."""


class _Worker:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.receiver = Receiver(channel, self._handle, _end_with_manager)
        self._clock = MonotonicClock()
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._in_flight: InFlight | None = None
        self._garbage = GarbageWatch(self._clock)
        self._profiler: GpuProfiler | None = None
        self._ranges: Ranges | None = None
        self._pipeline: Pipeline | None = None
        self._leaving = threading.Event()
        self._closing = threading.Lock()

    def _handle(self, message: Any) -> None:
        if isinstance(message, (Frame, SpeechOver, Cancel)):
            hear(message, self._in_flight)
        else:
            self._inbox.put(message)
        if isinstance(message, Close):
            self._leave_turn()

    def serve(self) -> None:
        """Load, then perform turns until closed."""
        hello = self._inbox.get()
        try:
            loaded = self._load(hello)
            if loaded is None:
                return
            pipeline, gpu = loaded
            while not isinstance(message := self._inbox.get(), Close):
                if isinstance(message, Prepare):
                    self._turn(message, pipeline, gpu)
        finally:
            self._close()

    def _close(self) -> None:
        """Close the pipeline, once; another thread that wants to close it waits until it is closed."""
        self._leaving.set()
        with self._closing:
            pipeline, self._pipeline = self._pipeline, None
            try:
                if pipeline is not None:
                    pipeline.close()
            except BaseException:
                traceback.print_exc()

    def _leave_turn(self) -> None:
        """Cancel the turn in flight, and see to it that the process ends whatever the pipeline does."""
        turn = self._in_flight
        patience_s = 0 if turn is not None and turn.speech.cancelled else LEAVE_S
        threading.Thread(target=self._insist_on_closing, args=(patience_s,), name="close", daemon=True).start()
        if turn is not None and not turn.speech.cancelled:
            turn.speech.cancel()  # here, so that no thread goes on to read the line for a clip that will not come

    def _insist_on_closing(self, patience_s: float) -> None:
        """Close the pipeline from here if it neither gives up its turn nor finishes loading: then the process ends."""
        if not self._leaving.wait(patience_s):
            self._close()
            os._exit(1)

    def _load(self, hello: Hello) -> tuple[Pipeline, GpuRecorder | None] | None:
        began_ns, system = self._clock.now_ns(), hello.system
        try:
            if hello.version != VERSION:
                raise BenchError(f"The worker speaks protocol {VERSION}, the manager {hello.version}; restart the run.")
            # Checked again: this may be another version, with its own defaults.
            _, options = registry.check_options(system.pipeline, system.options)
            pipeline = registry.pipeline(system.pipeline)(replace(system, options=options).settings)
            self._pipeline = pipeline
            gpu = GpuRecorder(TorchCuda(system.device), self._clock) if system.device.startswith("cuda") else None
            self._set_up(hello)
            pipeline.load()
            said = said_of_itself(pipeline)
        except BaseException as error:
            if isinstance(error, SystemExit) and not isinstance(error.code, str):
                raise  # the log ends with what the library printed before it gave up
            traceback.print_exc()
            self._channel.send(refusal(error))
            return None
        load_ns = self._clock.now_ns() - began_ns
        # Garbage collections over the loaded model would show up as rare slow turns.
        gc.collect()
        gc.freeze()
        self._channel.send(
            LabelFacts(
                system.label,
                load_ns,
                os.getpid(),
                said.weights,
                said.facts,
                event_cost_ns(self._clock, gpu, self._ranges),
                identity(system.device) if gpu is not None else None,
                loaded_from(),
                local_servers(said.servers),
                said.notices,
                not all(map(is_loopback, said.servers)),
            )
        )
        return pipeline, gpu

    def _set_up(self, hello: Hello) -> None:
        """Set up instrumentation, before a pipeline captures CUDA graphs. Raises `MissingDependency`."""
        if "profiler" in hello.instruments:
            self._profiler = TorchProfiler(hello.system.device)
            self._ranges = self._profiler.mark
        elif "nvtx" in hello.instruments:
            self._ranges = nvtx_ranges()

    def _turn(self, wanted: Prepare, pipeline: Pipeline, gpu: GpuRecorder | None) -> None:
        speech = HeardSpeech(self._clock, wanted.language, ClipInbox(self.receiver) if wanted.speech else None)
        if self._profiler is not None:
            self._profiler.start()
        trace = Trace(self._clock, gpu, self._ranges, speech.cancellation)
        unprepared = prepared(pipeline, trace)
        if gpu is not None:
            gpu.begin_turn()
        self._in_flight = InFlight(wanted.turn, speech, unpack_samples(wanted.speech) if wanted.speech else None)
        self._channel.send(Prepared(wanted.turn))

        def announce(stamp: PacketStamp) -> None:
            self._channel.send(FirstPacket(wanted.turn, stamp.at_ns, stamp.samples, stamp.sample_rate))

        self._garbage.begin_turn()
        result, said = perform(wanted.turn, pipeline, speech, trace, gpu, announce, wanted.leave_after, unprepared)
        collections = self._garbage.end_turn()
        self._in_flight = None
        profile = self._profiler.stop() if self._profiler is not None else None
        audio, problem = _keep(said, wanted.keep_audio)
        self._channel.send(
            replace(result, audio=audio, reason=result.reason or problem, collections=collections, profile=profile)
        )


def _end_with_manager() -> None:
    """Kill this worker and everything it started."""
    os.killpg(0, signal.SIGKILL)


def hear(message: Frame | SpeechOver | Cancel, now: InFlight | None) -> None:
    """Pass a message to the turn in flight; ignore it if it belongs to another turn, which is over."""
    if now is None or message.turn != now.turn:
        return
    if isinstance(message, Frame):
        now.speech.hear(unpack_samples(message.samples))
    elif isinstance(message, Cancel):
        now.speech.cancel()
    else:
        if now.held_back is not None:
            now.speech.hear(now.held_back)
        now.speech.end()


def _keep(said: Said, path: str) -> tuple[str, str]:
    """Write the reply to `path` (FLAC, 16 bit); returns the path, or the reason of failure."""
    if not path or not said:
        return "", ""
    try:
        import soundfile

        samples = np.concatenate([samples for samples, _ in said])
        with Path(path).open("wb") as file:  # opened here, as soundfile cannot encode every name
            soundfile.write(file, samples, said[0][1], format="FLAC", subtype="PCM_16")
    except Exception as error:
        return "", f"the reply's audio was not kept: {reason(error)}"
    return path, ""


def refusal(error: BaseException) -> Refused:
    """Why the pipeline cannot be loaded."""
    if isinstance(error, BenchError):
        return Refused(described(error))
    if isinstance(error, SystemExit):
        return Refused(f"load() called sys.exit: {_sentence(described(error))}", unexpected=True)
    if isinstance(error, ImportError):
        advice = f"Install it for {sys.executable}, and name it in `requires`: then it is checked before a run."
        return Refused(f"load() failed: {_sentence(reason(error))} {advice}", unexpected=True)
    return Refused(f"load() failed: {_sentence(reason(error))}", unexpected=True)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


class Metadata(NamedTuple):
    """What a pipeline says of itself once it is loaded."""

    weights: tuple[Weights, ...]
    facts: dict[str, OptionValue]
    servers: tuple[str, ...]
    notices: tuple[str, ...]


def said_of_itself(pipeline: Pipeline) -> Metadata:
    """The pipeline's metadata, validated. Raises `BenchError` for values of the wrong form."""
    weights, facts = pipeline.weights(), pipeline.facts()
    servers, notices = pipeline.servers(), pipeline.notices()
    try:
        return Metadata(
            tuple(decode(Weights, _plain(encode(each)), "weights()") for each in weights),
            decode(dict[str, OptionValue], _plain(dict(facts)), "facts()"),
            tuple(map(clean, decode(tuple[str, ...], list(servers), "servers()"))),
            tuple(map(clean, decode(tuple[str, ...], list(notices), "notices()"))),
        )
    except (DecodeError, TypeError, ValueError) as error:
        raise BenchError(
            f"The pipeline returned invalid metadata: {clean(str(error))}. weights() must return a tuple of Weights, "
            "facts() a dict of texts, numbers and booleans, servers() and notices() tuples of texts."
        ) from error


def _plain(values: Any) -> Any:
    """NumPy's scalars as Python's, and texts fit to print."""
    if not isinstance(values, dict):
        return values
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    return {
        clean(name) if isinstance(name, str) else name: clean(value) if isinstance(value, str) else value
        for name, value in plain.items()
    }


if __name__ == "__main__":
    main()

"""A run on virtual time that can be looked at and listened to: recordings, texts and replies are all there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Samples, Speech, Stage, Weights
from firstpacket.bench.record.schema import System, TurnResult
from firstpacket.bench.record.store import RunWriter
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace
from support.runs import make_segment, make_system
from support.stages import stage
from support.virtual import NoProgress, scripted_manifest

MS = 1_000_000
RATE = 16_000
CASCADE = (("asr", "listen", 120), ("llm.prefill", "think", 40), ("llm.decode", "think", 60), ("tts", "speak", 80))
DIRECT = (
    ("encoder", "listen", 40),
    ("llm.prefill", "think", 40),
    ("llm.decode", "think", 20),
    ("vocoder", "speak", 20),
)
"""Stage, role, and what it takes for a second of speech, ms."""
FAILS = 3
"""The number of the clip to which the cascade has no answer."""
Rename = Callable[[str], str]


class Paced(Pipeline):
    """Takes its time for every second of speech, then says a tone in three packets, the last of them late."""

    declaration = Declaration("paced", "known delays", "cascade", tuple(stage(name, role) for name, role, _ in CASCADE))  # type: ignore[arg-type]
    paces = CASCADE
    rename: Rename = str

    def load(self) -> None:
        """Nothing to load."""

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        seconds = len(speech.whole()) / RATE
        number = round((seconds - _seconds(0)) / (_seconds(1) - _seconds(0)))
        if self.paces is CASCADE:
            trace.text("transcript", self.rename(f"question {number}"))
            if number == FAILS:
                raise RuntimeError(self.rename("no answer to this one"))
        last = None
        for name, _, ms in self.paces:
            with trace.stage(name, after=last) as span:
                trace.clock.sleep_until_ns(trace.clock.now_ns() + round(ms * seconds * MS))
                if name == "llm.prefill":
                    span.first_output()
            last = trace.hand_off(name)
        trace.text("reply", self.rename(f"reply {number}"))
        for late_ms in (0, 50, 400):
            trace.clock.sleep_until_ns(trace.clock.now_ns() + late_ms * MS)
            yield Packet(_tone(0.2, 330), RATE, after=last)

    def weights(self) -> tuple[Weights, ...]:
        return (Weights("llm", "published", self.rename("hub/model"), self.rename("8B")),)


class Recorded(InProcessExecutor):
    """Keeps the reply's audio, as a worker does."""

    def run(self, turn: int, utterance: Utterance, config: TurnConfig, keep_audio: str = "") -> TurnResult:
        reply = super().run(turn, utterance, config, keep_audio)
        said = sum(packet.samples for packet in reply.trace.packets)
        if not said:
            return reply
        soundfile.write(keep_audio, _tone(said / RATE, 330), RATE, format="FLAC", subtype="PCM_16")
        return replace(reply, audio=keep_audio)


def spoken_run(folder: Path, clips: int = 12, blocks: int = 1, rename: Rename = str) -> Path:
    """The run's folder, in `folder` beside its corpus; `rename` changes every text, id and name shown, but no label."""
    corpus = load_corpus(str(_corpus(folder / rename("corpus"), clips, rename)))
    labels = {"cascade": CASCADE, "direct": DIRECT}
    manifest = scripted_manifest(
        {},
        corpus.utterances,
        keep_audio=True,
        run=rename("spoken"),
        labels=tuple(_system(label, paces, rename) for label, paces in labels.items()),
        turns=clips * blocks,
        corpus=rename("tones"),
        corpus_source=corpus.source,
        command=("bench", "run", rename("--seed 1")),
    )
    clock = VirtualClock()
    path = folder / rename("run")
    answering = {label: _executor(label, paces, clock, rename) for label, paces in labels.items()}
    with RunWriter.create(path, manifest) as writer:

        def segment(number: int, facts: tuple[object, ...]) -> object:
            environment: Mapping[str, object] = {"cpu": rename("Some CPU"), "cores_usable": 2, "os": rename("Linux")}
            return replace(make_segment(number, facts), environment=dict(environment))  # type: ignore[arg-type]

        Manager(manifest, writer, answering, corpus.utterances, NoProgress(), clock=clock).run((), segment)  # type: ignore[arg-type]
    return path


def _executor(label: str, paces: object, clock: VirtualClock, rename: Rename) -> InProcessExecutor:
    plugin = type("Paced", (Paced,), {"paces": paces, "rename": staticmethod(rename)})
    return Recorded(make_system(label, pipeline="paced"), clock, plugin)


def _system(label: str, paces: tuple[tuple[str, str, int], ...], rename: Rename) -> System:
    options = {rename("chunk"): rename("40")}
    return make_system(label, pipeline=rename("paced"), options=options, stages=_stages(paces), kind=label)


def _stages(paces: tuple[tuple[str, str, int], ...]) -> tuple[Stage, ...]:
    return tuple(stage(name, role) for name, role, _ in paces)  # type: ignore[arg-type]


def _corpus(folder: Path, clips: int, rename: Rename) -> Path:
    """A manifest and its recordings: tones, each longer than the one before."""
    folder.mkdir(parents=True)
    lines = []
    for number in range(clips):
        audio = f"{number}.wav"
        soundfile.write(folder / audio, _tone(_seconds(number), 220), RATE, subtype="PCM_16")
        said = {"id": rename(f"clip-{number:02}"), "audio": audio, "text": rename(f"question {number}")}
        lines.append(json.dumps(said | {"speech_end_ms": 1000 * _seconds(number), "answers": [rename("a tone")]}))
    manifest = folder / "manifest.jsonl"
    manifest.write_text("\n".join(lines) + "\n", "utf-8")
    return manifest


def _seconds(number: int) -> float:
    return round(0.5 + 0.07 * number, 2)


def _tone(seconds: float, hertz: float) -> Samples:
    at = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hertz * at)).astype(np.float32)

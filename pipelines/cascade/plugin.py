"""The pipeline `cascade`: recogniser, language model and voice, each one of several engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from firstpacket.bench import registry
from firstpacket.bench.pipeline import (
    Declaration,
    Match,
    Option,
    OptionValue,
    Packet,
    Pipeline,
    Settings,
    Speech,
    Weights,
)
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.asr.faster_whisper import FasterWhisper
from firstpacket.pipelines.cascade.asr.pocketsphinx import PocketSphinx
from firstpacket.pipelines.cascade.chains import CHAINS, Engines
from firstpacket.pipelines.cascade.engines import Engine
from firstpacket.pipelines.cascade.llm.transformers import TransformersLM
from firstpacket.pipelines.cascade.matching import match_direct
from firstpacket.pipelines.cascade.phrases import check_first_phrase
from firstpacket.pipelines.cascade.tts.espeak import Espeak
from firstpacket.pipelines.endpointing import Endpointer, with_endpointing
from firstpacket.pipelines.weights import kinds

ROLES = ("asr", "llm", "tts")

RECOGNISERS = {kinds.DEMO: FasterWhisper.declaration, kinds.DUMMY: PocketSphinx.declaration}
"""Default recogniser by weights: a dummy Whisper would write the same text for any speech."""

_OPTIONS = (
    Option(
        "weights",
        kinds.DEFAULT,
        "default weights of the engines: demo (small, trained in this project) or dummy (random)",
        choices=tuple(RECOGNISERS),
    ),
    Option("asr", "pocketsphinx", "recogniser", engines="asr", chooses="asr"),
    Option("llm", "transformers", "language model", engines="llm", chooses="llm"),
    Option("tts", "espeak", "voice", engines="tts", chooses="tts"),
    Option(
        "chain",
        "overlapped",
        "sequential: one stage after another; streamed: speak while generating; overlapped: also recognise while the "
        "user speaks",
        choices=tuple(CHAINS),
    ),
    Option(
        "first-phrase",
        "clause",
        "length of the first phrase, spoken while the rest is generated: clause, sentence, or a number of words",
    ),
    Option("matched", False, "use the LLM, reply length and encoder of the direct pipeline in the same run"),
)


def _own(chosen: Mapping[str, OptionValue]) -> tuple[Option, ...]:
    """The cascade's own options: the recogniser that is taken follows from the weights."""
    asr = RECOGNISERS.get(str(chosen.get("weights", kinds.DEFAULT)), PocketSphinx.declaration)
    return tuple(replace(option, default=asr.name) if option.name == "asr" else option for option in _OPTIONS)


def _declared(asr: Declaration, llm: Declaration, tts: Declaration, chosen: Mapping[str, OptionValue]) -> Declaration:
    """The declaration of a cascade of these three. A voice run by another Python has its own requirements there."""
    parts = (asr, llm, replace(tts, requires=()) if chosen.get("tts-python") else tts)
    overlapped = chosen.get("chain", "overlapped") == "overlapped"
    gpus = {part.gpu for part in parts}
    cascade = Declaration(
        name="cascade",
        kind="cascade",
        summary="Recogniser, language model and voice in sequence; phrases are spoken while the rest is generated.",
        stages=tuple(stage for part in parts for stage in part.stages),
        options=kinds.settled((*_own(chosen), *(option for part in parts for option in part.options)), chosen),
        requires=tuple(dict.fromkeys(need for part in parts for need in part.requires)),
        starts_before_speech_ends=overlapped and asr.starts_before_speech_ends,
        overlaps=overlapped,
        gpu="required" if "required" in gpus else "optional" if "optional" in gpus else "none",
        needs_server=any(part.needs_server for part in parts),
        install=" && ".join(dict.fromkeys(part.install for part in parts if part.install)),
    )
    return with_endpointing(cascade, chosen)


class Cascade(Pipeline):
    """Transcribes, generates a reply, and speaks it."""

    declaration = _declared(RECOGNISERS[kinds.DEFAULT], TransformersLM.declaration, Espeak.declaration, {})

    @classmethod
    def declare(cls, chosen: Mapping[str, OptionValue]) -> Declaration:
        """The declaration of a cascade of the chosen engines. Raises `UnknownName` for one that does not exist."""
        defaults = {option.name: option.default for option in _own(chosen)}
        engines = (registry.engine(role, str(chosen.get(role, defaults[role]))) for role in ROLES)
        asr, llm, tts = (engine.declaration for engine in engines)
        return _declared(asr, llm, tts, chosen)

    @classmethod
    def match(cls, chosen: Mapping[str, OptionValue], other: str, others: Mapping[str, OptionValue]) -> Match:
        """How to match it to the pipeline `direct`. Raises `UsageError` for any other."""
        return match_direct(chosen, others) if other == "direct" else super().match(chosen, other, others)

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        check_first_phrase(settings.text("first-phrase"))
        self._endpointer = Endpointer(settings)
        made: dict[str, Any] = {role: registry.engine(role, settings.text(role))(settings) for role in ROLES}
        self._engines = Engines(**made)
        self._chain = CHAINS[settings.text("chain")]

    def load(self) -> None:
        """Load the three engines. Raises `UsageError`, `MissingDependency` or `WeightsError`."""
        self._endpointer.load()
        for engine in self._all():
            engine.load()

    def prepare(self, trace: Trace) -> None:
        """Let the three engines get ready for a turn."""
        for engine in self._all():
            engine.prepare(trace)

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Answer one utterance the way `chain` says; no packets when nothing was heard."""
        heard = self._endpointer.heard(speech, trace)
        return self._chain(self._engines, heard, trace, self.settings.text("first-phrase"))

    def close(self) -> None:
        """Close the three engines, each even if another fails to."""
        with ExitStack() as closing:
            for engine in self._all():
                closing.callback(engine.close)

    def weights(self) -> tuple[Weights, ...]:
        """Origins of all weights in use."""
        return tuple(weights for engine in self._all() for weights in engine.weights())

    def facts(self) -> Mapping[str, OptionValue]:
        """Facts reported by the engines."""
        return {name: value for engine in self._all() for name, value in engine.facts().items()}

    def servers(self) -> tuple[str, ...]:
        """Servers that engines use."""
        return tuple(url for engine in self._all() for url in engine.servers())

    def notices(self) -> tuple[str, ...]:
        """Notices of the engines."""
        return tuple(notice for engine in self._all() for notice in engine.notices())

    def _all(self) -> tuple[Engine, ...]:
        return self._engines.asr, self._engines.llm, self._engines.tts

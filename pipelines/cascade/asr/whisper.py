"""What the engines that run Whisper have in common: options, the model's place, and how speech reaches it.

They are asked for the same, so that one model gives one text in all of them (greedily; wider beams are searched by
each library in its own way): no timestamps, no text of earlier windows, at most 224 words per window of 30 s. Speech is
filled up with silence to whole windows, as Whisper was trained, before features are taken of it; faster-whisper and
openai-whisper would otherwise put zeros behind the features, which is no silence, and hear something else. A window
that Whisper itself takes for silence has no text: its mark for no speech has a probability above 0.6, and the mean
log-probability of its words is below -1 (Radford et al. 2022, section 4.5). Temperatures above zero are tried only
with `asr-fallback`: how often is chance, which makes latency bimodal.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import SAMPLE_RATE, Option, OptionValue, Samples, Settings, Speech, Weights
from firstpacket.bench.timing.trace import HandOff, Trace
from firstpacket.pipelines.cascade.asr.local_agreement import units
from firstpacket.pipelines.cascade.asr.streaming import WINDOW, recognise_live
from firstpacket.pipelines.cascade.asr.whisper_folders import Layout, WhisperCheckpoint, find
from firstpacket.pipelines.cascade.engines import ASR
from firstpacket.pipelines.models.whisper_sizes import SIZES
from firstpacket.pipelines.optional import imported
from firstpacket.pipelines.weights import kinds

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
COMPRESSION, LOG_PROBABILITY, NO_SPEECH = 2.4, -1.0, 0.6
"""Whisper's published thresholds: decoding is retried above the first or below the second."""

LONGEST = 224
"""Words of the vocabulary in one window: half of Whisper's text context, openai-whisper's own limit."""

MOST = {"asr-beam": 50, "asr-interval": 30_000}
"""A wider beam takes more memory than there is; a longer interval is never over within Whisper's 30 s."""

DUMMY_WORDS_PER_S = 2.5
"""How fast the words of a dummy appear while speech goes on (150 per minute, an ordinary pace)."""


def options(*compute: str) -> tuple[Option, ...]:
    """The options of an engine that computes in these precisions."""
    return (
        Option(
            "asr-weights",
            kinds.DEFAULT,
            "demo (trained, small), dummy (random values that write a fixed text), or published (implied by asr-model)",
            choices=(kinds.DEMO, kinds.DUMMY, "published"),
        ),
        Option("asr-size", "tiny", "size of the dummy model", choices=tuple(SIZES)),
        Option("asr-model", "", "Whisper folder or .pt file, the name of one already downloaded (small.en), or demo"),
        Option("asr-language", "", "language of the speech, for example en; empty: the language given by the corpus"),
        Option("asr-beam", 1, "beam width; 1 is greedy"),
        Option("asr-fallback", False, "retry doubtful texts at higher temperatures; makes latency bimodal"),
        Option(
            "asr-compute",
            "default",
            "precision; by default --dtype, for faster-whisper that of the stored weights",
            choices=("default", *compute),
        ),
        Option(
            "asr-streaming",
            "local-agreement",
            "recognise while the user speaks (needs chain=overlapped)",
            choices=("local-agreement", "off"),
        ),
        Option("asr-interval", 1000, "minimum new speech between two passes while the user speaks, ms"),
    )


class Whisper(ASR):
    """A recogniser that hears windows of 30 s."""

    layouts: ClassVar[tuple[Layout, ...]]
    """Layouts that the engine reads, the one its models are published in first."""
    on_gpu: ClassVar[bool] = True
    """Whether it launches its work on torch's current stream, where it can be timed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._model: Any = None
        """What the engine runs; None before `load`."""

    def load(self) -> None:
        """Make or find the model and read it. Raises `UsageError`, `MissingDependency` or `WeightsError`."""
        for name, most in MOST.items():
            if not 1 <= self.settings.whole(name) <= most:
                raise UsageError(f"{name} is {self.settings.options[name]}, but it must lie between 1 and {most}.")
        origin, model = self._origin, self.settings.text("asr-model")
        if origin != kinds.DUMMY and self.settings.text("asr-size") != "tiny":
            raise UsageError(
                f"asr-size is '{self.settings.text('asr-size')}', but only dummy weights come in several sizes. "
                "Remove asr-size, or remove asr-model and asr-weights."
            )
        if not model and origin == "published":
            raise UsageError(
                "asr-weights=published needs a model. Set asr-model=FOLDER, or the name of a downloaded model, for "
                "example asr-model=small.en."
            )
        made = {kinds.DEMO: self._demo, kinds.DUMMY: self._dummy}
        found = made[origin]() if origin in made else find(model, self.declaration.name, self.layouts)
        self._source = found.source
        _known(self._language("en"))
        self._open(found)

    def transcribe(self, speech: Speech, trace: Trace) -> str:
        """Transcribe: while speech arrives with `asr-streaming`, otherwise when it is complete.

        Raises `UsageError` for a recording in a language that Whisper does not support.
        """
        language = _known(self._language(speech.language))

        def recognise(samples: Samples, prefix: str, after: HandOff | None) -> str:
            with trace.stage("asr", after=after, gpu=self.on_gpu):
                return self._text(whole_windows(samples), language, prefix, trace)

        def overhear(samples: Samples, prefix: str) -> str:
            return self._paced(recognise(samples, prefix, None), prefix, samples)

        if self.settings.text("asr-streaming") == "off":
            samples = speech.whole()
            return recognise(samples, "", None).strip() if len(samples) else ""
        interval = self.settings.whole("asr-interval") * SAMPLE_RATE // 1000
        return recognise_live(recognise, overhear, speech, trace, interval).strip()

    def close(self) -> None:
        """Release the model."""
        self._model = None

    def weights(self) -> tuple[Weights, ...]:
        """Where the model came from; valid after `load`."""
        origin = self._origin
        if origin == kinds.DUMMY:
            made = f"seed {self.settings.seed}, size {self.settings.text('asr-size')}"
            return (Weights("asr", "dummy", made, "writes one text whatever it hears"),)
        return (Weights("asr", origin, self._source),)

    def facts(self) -> Mapping[str, OptionValue]:
        """The precision it runs in."""
        return {"asr_compute": self._precision()}

    @abstractmethod
    def _open(self, found: WhisperCheckpoint) -> None:
        """Read the model into `_model`. Raises `UsageError`, `MissingDependency` or `WeightsError`."""

    @abstractmethod
    def _text(self, samples: Samples, language: str, prefix: str, trace: Trace) -> str:
        """The text of whole windows of speech that follows `prefix`, its leading space kept.

        An empty `language` is detected. `prefix` is empty unless there is just one window.
        """

    def _decoding(self, language: str, prefix: str) -> dict[str, Any]:
        """How the published decoder is asked, by its own names, which both of its implementations take."""
        return {
            "language": language or None,
            "temperature": TEMPERATURES if self.settings.switch("asr-fallback") else 0.0,
            "compression_ratio_threshold": COMPRESSION,
            "no_speech_threshold": NO_SPEECH,
            "condition_on_previous_text": False,
            "without_timestamps": True,
            "prefix": prefix or None,
            # After a prefix there may be no more text, so the end must stay possible.
            "suppress_blank": not prefix,
        }

    def _precision(self) -> str:
        """The precision in use."""
        asked = self.settings.text("asr-compute")
        return self.settings.dtype if asked == "default" else asked

    def _language(self, spoken: str) -> str:
        """The code of the language to assume; empty means it is detected."""
        return (self.settings.text("asr-language").strip() or spoken).split("-")[0].lower()

    @property
    def _origin(self) -> kinds.Origin:
        return kinds.origin(self.settings.text("asr-weights"), self.settings.text("asr-model"))

    def _demo(self) -> WhisperCheckpoint:
        self._require("The demo weights")
        from firstpacket.pipelines.weights.layouts import whisper

        if "openai" in self.layouts:
            found = whisper("openai")
            return WhisperCheckpoint(found.path, "openai", found.source)
        found = whisper("transformers")
        return WhisperCheckpoint(found.path, "transformers", found.source)

    def _dummy(self) -> WhisperCheckpoint:
        self._require("A dummy")
        from firstpacket.pipelines.models import whisper_dummy

        size = self.settings.text("asr-size")
        folder = whisper_dummy.folder(SIZES[size], size, self.settings.seed)
        return WhisperCheckpoint(folder, "transformers", f"dummy {size}")

    def _require(self, what: str) -> None:
        """Raises `MissingDependency` without the libraries that write a model."""
        for module in ("torch", "safetensors", "tokenizers"):
            imported(module, "transformers", f"{what} for the recogniser {self.declaration.name}")

    def _paced(self, tail: str, prefix: str, samples: Samples) -> str:
        """Limit a dummy's text to what can have been said by now: it would write the end before it was spoken."""
        if self._origin != kinds.DUMMY:
            return tail
        spoken = int(len(samples) / SAMPLE_RATE * DUMMY_WORDS_PER_S)
        return "".join(units(tail)[: max(0, spoken - len(units(prefix)))])


def _known(language: str) -> str:
    """The code, if Whisper has it. Raises `UsageError`."""
    from firstpacket.pipelines.models.whisper_tokens import LANGUAGES

    if language and language not in LANGUAGES:
        raise UsageError(
            f"Whisper does not support the language '{language}'. Choose one with asr-language, for example "
            "asr-language=en."
        )
    return language


def whole_windows(samples: Samples) -> Samples:
    """Speech `(n,)` followed by silence up to a multiple of 30 s."""
    return np.pad(samples, (0, -len(samples) % WINDOW)) if len(samples) % WINDOW else samples

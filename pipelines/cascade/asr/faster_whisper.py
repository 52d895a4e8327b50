"""Whisper through faster-whisper (CTranslate2). It hears the whole utterance before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.errors import UsageError, WeightsError
from bench.pipeline import Declaration, Option, Requirement, Samples, Settings, Speech, Stage, Weights
from bench.timing.trace import Trace
from pipelines.cascade.engines import ASR, cause, imported

NEEDED_FILES = ("config.json", "model.bin", "tokenizer.json")


class FasterWhisper(ASR):
    """Whisper without what makes its time depend on luck: one temperature, and no prompt carried on."""

    declaration = Declaration(
        name="faster-whisper",
        kind="asr",
        summary="Whisper through CTranslate2; needs a model (asr-model).",
        stages=(Stage("asr", "listen"),),
        options=(
            Option(
                "asr-model", "", "folder of a CTranslate2 Whisper model, or the name of one fetched before (small.en)"
            ),
            Option("asr-beam", 1, "width of the beam; 1 is greedy"),
            Option("asr-language", "", "language of the speech, for example en; empty means what the corpus says"),
            Option(
                "asr-compute",
                "default",
                "precision of the computation; default is that of the stored weights",
                choices=("default", "float32", "float16", "bfloat16", "int8", "int8_float16"),
            ),
        ),
        requires=(Requirement("faster_whisper", "faster-whisper"),),
        gpu="optional",
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._model: Any = None

    def load(self) -> None:
        """Read the model. Raises `UsageError`, `MissingDependency` or `WeightsError`."""
        if self.settings.whole("asr-beam") < 1:
            raise UsageError(f"asr-beam is {self.settings.options['asr-beam']}, but it must be 1 or more.")
        library = imported("faster_whisper", "faster-whisper", "The recogniser faster-whisper")
        source = self.settings.text("asr-model")
        _check(source)
        device, _, index = self.settings.device.partition(":")
        try:
            self._model = library.WhisperModel(
                source,
                device=device,
                device_index=int(index or 0),
                compute_type=self.settings.text("asr-compute"),
                local_files_only=True,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"The recogniser's model '{source}' cannot be loaded: {cause(error)} Nothing is "
                "downloaded during a run: fetch a published model first, for example with "
                "`hf download Systran/faster-whisper-small.en`, or give asr-model a folder."
            ) from error

    def transcribe(self, speech: Speech, trace: Trace) -> str:
        """Transcribe the whole utterance; CTranslate2 keeps its own streams, so the span is the host's alone."""
        samples = speech.whole()
        if not len(samples):
            return ""
        with trace.stage("asr"):
            return self._text(samples, self.settings.text("asr-language") or speech.language)

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    def weights(self) -> tuple[Weights, ...]:
        """Where the model came from."""
        return (Weights("asr", "published", self.settings.text("asr-model"), self.settings.text("asr-compute")),)

    def _text(self, samples: Samples, language: str) -> str:
        segments, _ = self._model.transcribe(
            samples,
            language=language.split("-")[0].lower(),
            beam_size=self.settings.whole("asr-beam"),
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        # The work is done here, while the segments are asked for.
        return "".join(segment.text for segment in segments).strip()


def _check(source: str) -> None:
    """Raises `WeightsError` for a model that is not given, or a folder that does not hold one."""
    if not source:
        raise WeightsError(
            "The recogniser faster-whisper needs a model. Give asr-model=FOLDER (a Whisper model converted to "
            "CTranslate2), or the name of a published one that was fetched before, for example asr-model=small.en."
        )
    folder = Path(source)
    if not folder.is_dir():
        if folder.is_absolute() or source.startswith("."):
            raise WeightsError(f"There is no folder {source}, which asr-model names. Check the path.")
        return
    lacking = [name for name in NEEDED_FILES if not (folder / name).is_file()]
    if lacking:
        raise WeightsError(
            f"The folder {source} lacks {', '.join(lacking)}, which faster-whisper needs. "
            "Convert a Whisper model with: ct2-transformers-converter --model MODEL --output_dir FOLDER "
            "--copy_files tokenizer.json preprocessor_config.json"
        )

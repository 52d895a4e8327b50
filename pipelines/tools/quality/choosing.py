"""From `NAME,key=value` to a recogniser or scorer, checked but not yet loaded."""

from __future__ import annotations

import re
from contextlib import suppress

from firstpacket.bench import registry
from firstpacket.bench.errors import UsageError, WeightsError
from firstpacket.bench.packages import versions
from firstpacket.bench.pipeline import Declaration, OptionValue, Settings
from firstpacket.bench.plugins import Plugin
from firstpacket.bench.quality.scores import Scorer
from firstpacket.pipelines.cascade.asr.whisper_folders import find
from firstpacket.pipelines.cascade.engines import ASR
from firstpacket.pipelines.tools.quality.judges import RecogniserJudge, ScorerJudge

_SECRET = re.compile(r"(?i)key|token|secret|password")
_ENGINES = ("faster-whisper", "openai-whisper", "transformers")
_MODELS = ("small", "medium", "large-v3-turbo", "large-v3", "base", "small.en", "medium.en", "base.en")
"""Published Whispers in order of preference: multilingual ones first, and of these the one that suits a CPU."""


def default_recogniser() -> str:
    """A published Whisper that was already downloaded, or pocketsphinx, which brings its model.

    Never the demo Whisper: it understands the corpus' clips perfectly, but hardly any reply.
    """
    for name in _ENGINES:
        engine = registry.engine("asr", name)
        for model in _MODELS if registry.missing(engine.declaration) is None else ():
            with suppress(WeightsError):
                find(model, name, engine.layouts)
                return f"{name},model={model}"
    return "pocketsphinx"


def recogniser_judge(text: str, device: str) -> RecogniserJudge:
    """The recogniser `NAME[,key=value...]`, of the cascade's engines; `model=` may stand for `asr-model=`.

    Raises `UnknownName`, `UsageError` or `MissingDependency`.
    """
    name, given = _parsed("--recogniser", text)
    found = registry.engine("asr", name)
    if not (isinstance(found, type) and issubclass(found, ASR)):
        raise UsageError(f"The plugin '{name}' is not a recogniser: it must be a class derived from ASR.")
    known = {option.name for option in found.declaration.options}
    given = {key if key in known else f"asr-{key}": value for key, value in given.items()}
    # Replies are complete recordings, so there is no point in recognising them incrementally.
    given = {"asr-streaming": "off", **given} if "asr-streaming" in known else given
    settings = _settings(found.declaration, given, device)
    return RecogniserJudge(found(settings), versions([found.declaration], [Plugin("asr", name)]), shown(settings))


def scorer_judge(text: str, device: str) -> ScorerJudge:
    """The scorer `NAME[,key=value...]`. Raises `UnknownName`, `UsageError` or `MissingDependency`."""
    name, given = _parsed("--score", text)
    found = registry.engine("scores", name)
    if not (isinstance(found, type) and issubclass(found, Scorer) and isinstance(found.declaration, Declaration)):
        raise UsageError(f"The plugin '{name}' is not a scorer: it must be a class derived from Scorer.")
    if not found.least < found.most:
        raise UsageError(f"The scorer '{name}' has an invalid scale: least must be below most.")
    settings = _settings(found.declaration, given, device)
    return ScorerJudge(found(settings), versions([found.declaration], [Plugin("scores", name)]), shown(settings))


def checked_device(device: str) -> str:
    """`cpu`, or `cuda:N`. Raises `UsageError` for anything else."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UsageError(f"--device {device}: expected cpu, cuda or cuda:N.")
    return "cuda:0" if device == "cuda" else device


def shown(settings: Settings) -> dict[str, OptionValue]:
    """The options that a record may keep."""
    return {name: value for name, value in settings.options.items() if not _SECRET.search(name)}


def _settings(declaration: Declaration, given: dict[str, OptionValue], device: str) -> Settings:
    registry.require(declaration)
    options = registry.checked_options(f"'{declaration.name}'", declaration.options, given)
    return Settings(device if declaration.gpu != "none" else "cpu", "float32", 0, options)


def _parsed(flag: str, text: str) -> tuple[str, dict[str, OptionValue]]:
    name, *pairs = text.split(",")
    given: dict[str, OptionValue] = {}
    for key, equals, value in (pair.partition("=") for pair in pairs):
        if not key.strip() or not equals:
            raise UsageError(f"{flag} {text}: '{key}' is not key=value.")
        if key.strip() in given:
            raise UsageError(f"{flag} {text}: option {key.strip()} is given twice.")
        given[key.strip()] = value
    return name.strip(), given

"""Whisper through three libraries: one model, one text, and the same as each library gives by itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers", exc_type=ImportError)
pytest.importorskip("whisper", exc_type=ImportError)
pytest.importorskip("faster_whisper", exc_type=ImportError)

import torch
from support import tiny_whisper as made

from firstpacket.bench.errors import UsageError, WeightsError
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import OpenStage, Trace
from firstpacket.pipelines.cascade.asr.faster_whisper import FasterWhisper
from firstpacket.pipelines.cascade.asr.openai_whisper import OpenAIWhisper
from firstpacket.pipelines.cascade.asr.transformers import TransformersWhisper
from firstpacket.pipelines.cascade.asr.whisper import Whisper, whole_windows
from firstpacket.pipelines.models.cache import CACHE
from firstpacket.pipelines.models.whisper_dummy import TEXT

Engine = type[Whisper]
ENGINES: list[Engine] = [FasterWhisper, OpenAIWhisper, TransformersWhisper]
EVERY = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.declaration.name)
CLIPS = (made.tones(300, 900, 2000), made.tones(1500, 200, 500, 700))
SAID = TEXT.strip()


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))
        yield
    opened.cache_clear()


@cache
def opened(engine: Engine, model: Path | str = "", **options: Any) -> Whisper:
    """An engine that tests share: they only let it transcribe."""
    return made.asked(engine, model, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that listens."""
    return made.write(tmp_path_factory.mktemp("listening"))


@pytest.fixture(scope="module")
def loaded(folder: Path) -> dict[Engine, Whisper]:
    return {engine: opened(engine, folder) for engine in ENGINES}


def heard(engine: Whisper, samples: Any, language: str = "en-US") -> str:
    return engine.transcribe(made.Clip(samples, language=language), Trace(VirtualClock()))


def test_all_engines_agree_on_texts_that_depend_on_the_sound(loaded: dict[Engine, Whisper]) -> None:
    texts = {engine: tuple(heard(made, clip) for clip in CLIPS) for engine, made in loaded.items()}
    (first, second) = texts[TransformersWhisper]
    assert first != second
    assert len(first.split()) == len(second.split()) == made.LONGEST
    assert set(texts.values()) == {(first, second)}


def test_all_agree_on_speech_of_more_than_one_window(loaded: dict[Engine, Whisper]) -> None:
    long = np.concatenate([made.tones(300, 900, seconds=15.0), CLIPS[1]])
    texts = {heard(engine, long) for engine in loaded.values()}
    assert len(texts) == 1
    assert len(texts.pop().split()) == 2 * made.LONGEST


@EVERY
def test_empty_and_very_short_audio_are_transcribed(loaded: dict[Engine, Whisper], engine: Engine) -> None:
    assert heard(loaded[engine], np.zeros(0, np.float32)) == ""
    assert heard(loaded[engine], CLIPS[0][:1600])


def test_a_language_that_is_not_given_is_detected(loaded: dict[Engine, Whisper]) -> None:
    assert len({heard(engine, CLIPS[0], language="") for engine in loaded.values()}) == 1


def test_their_own_calls_give_the_same(loaded: dict[Engine, Whisper], folder: Path, tmp_path: Path) -> None:
    for clip in CLIPS:
        padded = whole_windows(clip)
        for engine, own in (
            (FasterWhisper, own_faster_whisper),
            (OpenAIWhisper, own_openai_whisper),
            (TransformersWhisper, own_transformers),
        ):
            assert heard(loaded[engine], clip) == own(folder, tmp_path, padded).strip()


def own_faster_whisper(folder: Path, where: Path, samples: Any) -> str:
    import ctranslate2.converters
    import faster_whisper

    if not (where / "ct2").is_dir():
        copied = ["tokenizer.json", "preprocessor_config.json"]
        ctranslate2.converters.TransformersConverter(str(folder), copy_files=copied).convert(str(where / "ct2"))
    model = faster_whisper.WhisperModel(str(where / "ct2"), device="cpu")
    segments, _ = model.transcribe(samples, language="en", beam_size=1, without_timestamps=True)
    return "".join(segment.text for segment in segments)


def own_openai_whisper(folder: Path, where: Path, samples: Any) -> str:
    import whisper

    model = whisper.load_model(str(made.openai_file(folder, where / "own.pt")), device="cpu")
    return str(model.transcribe(samples, language="en", without_timestamps=True, fp16=False)["text"])


def own_transformers(folder: Path, where: Path, samples: Any) -> str:
    import transformers

    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder)
    processor = transformers.WhisperProcessor.from_pretrained(folder)
    features = processor(samples, sampling_rate=16_000, return_tensors="pt").input_features
    ids = model.generate(features, language="en", task="transcribe")
    return str(processor.batch_decode(ids, skip_special_tokens=True)[0])


def test_each_reads_its_own_layout(loaded: dict[Engine, Whisper], folder: Path, tmp_path: Path) -> None:
    from firstpacket.pipelines.cascade.asr.converted import converted
    from firstpacket.pipelines.cascade.asr.whisper_folders import find

    text = heard(loaded[TransformersWhisper], CLIPS[0])
    file = made.openai_file(folder, tmp_path / "whisper.pt")
    assert heard(made.asked(OpenAIWhisper, file), CLIPS[0]) == text
    own = converted(find(str(folder), "faster-whisper", ("transformers",)))
    assert own.layout == "ctranslate2"
    assert heard(made.asked(FasterWhisper, own.path), CLIPS[0]) == text


@EVERY
def test_a_prefix_is_continued_and_may_be_all(loaded: dict[Engine, Whisper], engine: Engine) -> None:
    recogniser, samples = loaded[engine], whole_windows(CLIPS[0])
    whole = heard(recogniser, CLIPS[0])
    words = whole.split()
    for count in (3, len(words)):
        prefix = " ".join(words[:count])
        tail = recogniser._text(samples, "en", prefix, Trace(VirtualClock()))
        assert prefix + tail == whole


@EVERY
def test_a_beam_reaches_the_library(folder: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    recogniser = made.asked(engine, folder, asr_beam=3)
    inner = recogniser._model._model if isinstance(recogniser, TransformersWhisper) else recogniser._model  # type: ignore[attr-defined]
    name = "generate" if isinstance(recogniser, TransformersWhisper) else "transcribe"
    asked: dict[str, Any] = {}
    library = getattr(inner, name)

    def spy(*given: Any, **named: Any) -> Any:
        asked.update(named)
        return library(*given, **named)

    monkeypatch.setattr(inner, name, spy)
    assert heard(recogniser, CLIPS[0])
    assert asked.get("beam_size", asked.get("num_beams")) == 3


@pytest.mark.parametrize("options", [{"asr_streaming": "off"}, {"asr_fallback": True}], ids=str)
@EVERY
def test_sure_texts_are_the_same_with_other_options(
    loaded: dict[Engine, Whisper], folder: Path, engine: Engine, options: dict[str, Any]
) -> None:
    assert heard(opened(engine, folder, **options), CLIPS[1]) == heard(loaded[engine], CLIPS[1])


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is sure of no word."""
    return made.write(tmp_path_factory.mktemp("doubtful"), change=made.unsure)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is sure of no word, and sure that nobody spoke."""
    return made.write(tmp_path_factory.mktemp("silent"), change=made.unsure_of_speech)


@EVERY
def test_what_whisper_takes_for_silence_has_no_text(doubtful: Path, silent: Path, engine: Engine) -> None:
    assert heard(opened(engine, doubtful), CLIPS[0])
    assert heard(made.asked(engine, silent), CLIPS[0]) == ""


@EVERY
def test_a_doubtful_text_is_tried_at_higher_temperatures(doubtful: Path, engine: Engine) -> None:
    once = heard(opened(engine, doubtful), CLIPS[0])
    again = made.asked(engine, doubtful, asr_fallback=True)
    texts = [heard(again, CLIPS[0]) for _ in range(2)]
    assert once not in texts
    if engine is not FasterWhisper:  # CTranslate2 cannot be seeded anew
        assert texts[0] == texts[1], "a turn's text depends on the seed, and not on the turns before it"


@EVERY
def test_its_spans_are_on_the_device_if_it_launches_there(loaded: dict[Engine, Whisper], engine: Engine) -> None:
    stages: list[tuple[str, bool]] = []

    class Spy(Trace):
        def stage(self, stage: str, *, after: Any = None, gpu: bool = False) -> OpenStage:
            stages.append((stage, gpu))
            return super().stage(stage, after=after, gpu=gpu)

    loaded[engine].transcribe(made.Clip(CLIPS[0]), Spy(VirtualClock()))
    assert stages == [("asr", engine is not FasterWhisper)]


@pytest.mark.parametrize(
    ("engine", "compute"),
    [
        (FasterWhisper, "float32"),
        (FasterWhisper, "int8"),
        (OpenAIWhisper, "float32"),
        (TransformersWhisper, "float32"),
        (TransformersWhisper, "float16"),
        (TransformersWhisper, "bfloat16"),
    ],
)
def test_a_dummy_says_its_text_in_every_precision(engine: Engine, compute: str) -> None:
    recogniser = made.asked(engine, asr_size="micro", asr_compute=compute)
    assert str(recogniser.facts()["asr_compute"]).startswith(compute)
    (weights,) = recogniser.weights()
    assert (weights.origin, weights.source) == ("dummy", "seed 0, size micro")
    assert [heard(recogniser, clip) for clip in CLIPS] == [SAID, SAID]


@EVERY
def test_a_dummys_words_appear_as_they_are_spoken(engine: Engine) -> None:
    recogniser = made.asked(engine, asr_size="micro", asr_interval=100)
    trace = Trace(VirtualClock())
    recogniser.transcribe(made.Clip(made.tones(300, 900), frame=16_000), trace)
    partials = [text.text.strip() for text in trace.finish().texts if text.kind == "partial"]
    assert partials == ["What is"], "after one second, at 150 words per minute"


@EVERY
def test_precisions_that_it_does_not_have(engine: Engine) -> None:
    compute = {FasterWhisper: "int8_float16", OpenAIWhisper: "float16"}.get(engine)
    if compute is None:
        with pytest.raises(UsageError, match="float32, float16, bfloat16"):
            made.asked(engine, asr_size="micro", dtype="int8")
    else:
        with pytest.raises(UsageError, match="asr-compute"):
            made.asked(engine, asr_size="micro", asr_compute=compute)


@EVERY
def test_a_language_that_no_model_knows(loaded: dict[Engine, Whisper], engine: Engine) -> None:
    with pytest.raises((UsageError, ValueError), match=r"(?i)language|xx"):
        heard(loaded[engine], CLIPS[0], language="xx")


def test_tensors_that_are_missing_or_not_numbers(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    name = "model.decoder.layers.0.fc1.weight"
    tensors = load_file(folder / "model.safetensors")
    kept = {other: tensor for other, tensor in tensors.items() if other != name}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    for engine in (OpenAIWhisper, TransformersWhisper):
        with pytest.raises(WeightsError, match=r"fc1\.weight|mlp\.0\.weight"):
            made.asked(engine, tmp_path)
    save_file({**tensors, name: torch.full_like(tensors[name], float("nan"))}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"NaN"):
        made.asked(OpenAIWhisper, tmp_path)

"""faster-whisper on a checkpoint made here: real loader, real file format, weights that spell out a known text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.errors import MissingDependency, UsageError, WeightsError
from bench.pipeline import Samples, Settings
from bench.timing.clock import VirtualClock
from bench.timing.trace import Trace
from pipelines.cascade.asr import faster_whisper
from pipelines.cascade.asr.faster_whisper import FasterWhisper

WIDTH, HEADS, MELS, POSITIONS = 64, 1, 80, 32
SAID = "what time is it"
SPECIALS = ["endoftext", "startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech"]


class Heard:
    """A whole utterance."""

    sample_rate = 16_000
    language = "en-US"

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def whole(self) -> Samples:
        return self._samples

    def frames(self) -> Any:
        yield self._samples


def settings(model: Path | str, **changed: Any) -> Settings:
    options = {option.name: option.default for option in FasterWhisper.declaration.options}
    return Settings(options={**options, "asr-model": str(model), **changed})


def fill(linear: Any, out: int, into: int) -> None:
    """A linear layer that adds nothing: the text then depends on embeddings and positions alone."""
    linear.weight, linear.bias = np.zeros((out, into), np.float32), np.zeros(out, np.float32)


def norm(layer: Any) -> None:
    layer.gamma, layer.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)


def block(layer: Any) -> None:
    for attention, sizes in ((layer.self_attention, (3, 1)), (getattr(layer, "attention", None), (1, 2, 1))):
        if attention is not None:
            norm(attention.layer_norm)
            for linear, size in zip(attention.linear, sizes, strict=True):
                fill(linear, size * WIDTH, WIDTH)
    norm(layer.ffn.layer_norm)
    fill(layer.ffn.linear_0, WIDTH, WIDTH)
    fill(layer.ffn.linear_1, WIDTH, WIDTH)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An English-only Whisper of one layer that writes `SAID` whatever it hears."""
    specs = pytest.importorskip("ctranslate2.specs")
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("whisper")
    words = tokenizers.Tokenizer(tokenizers.models.BPE())
    words.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    words.train_from_iterator([SAID] * 3, trainer)
    words.add_special_tokens([f"<|{name}|>" for name in [*SPECIALS, "notimestamps"]])
    words.add_special_tokens([f"<|{0.02 * step:.2f}|>" for step in range(1501)])
    words.save(str(folder / "tokenizer.json"))

    rng = np.random.default_rng(0)
    size = words.get_vocab_size()
    embeddings = rng.standard_normal((size, WIDTH)).astype(np.float32)
    places = np.zeros((POSITIONS, WIDTH), np.float32)
    # The prompt is <|startoftranscript|><|notimestamps|>; the text begins with what follows its last token.
    wanted = [*words.encode(SAID).ids, words.token_to_id("<|endoftext|>")]
    places[1 : 1 + len(wanted)] = 8 * embeddings[wanted]

    spec = specs.WhisperSpec(1, HEADS, 1, HEADS)
    for conv, into in ((spec.encoder.conv1, MELS), (spec.encoder.conv2, WIDTH)):
        conv.weight, conv.bias = np.zeros((WIDTH, into, 3), np.float32), np.zeros(WIDTH, np.float32)
    spec.encoder.position_encodings.encodings = rng.standard_normal((1500, WIDTH)).astype(np.float32)
    spec.decoder.position_encodings.encodings = places
    spec.decoder.embeddings.weight = embeddings
    spec.decoder.projection.weight = embeddings
    for part in (spec.encoder, spec.decoder):
        norm(part.layer_norm)
        for layer in part.layer:
            block(layer)
    vocabulary = words.get_vocab()
    spec.register_vocabulary(sorted(vocabulary, key=vocabulary.__getitem__))
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    return folder


@pytest.mark.parametrize("beam", [1, 2])
def test_transcribes(checkpoint: Path, beam: int) -> None:
    pytest.importorskip("faster_whisper")
    engine = FasterWhisper(settings(checkpoint, **{"asr-beam": beam}))
    engine.load()
    trace = Trace(VirtualClock())
    heard = Heard(np.random.default_rng(1).standard_normal(16_000).astype(np.float32) / 10)
    assert engine.transcribe(heard, trace) == SAID
    assert engine.transcribe(Heard(np.zeros(0, np.float32)), trace) == ""
    (weights,) = engine.weights()
    assert weights.source == str(checkpoint)
    engine.close()


def test_the_span_covers_the_lazy_work() -> None:
    clock = VirtualClock()

    class Lazy:
        def transcribe(self, samples: Samples, **options: Any) -> Any:
            def segments() -> Iterator[SimpleNamespace]:
                for text in (" one", " two "):
                    clock.advance(5_000_000)
                    yield SimpleNamespace(text=text)

            assert options["language"] == "en"
            return segments(), None

    engine = FasterWhisper(settings("x"))
    engine._model = Lazy()
    trace = Trace(clock)
    assert engine.transcribe(Heard(np.ones(160, np.float32)), trace) == "one two"
    (span,) = trace.finish().spans
    assert (span.stage, span.end_ns - span.start_ns) == ("asr", 10_000_000)


def test_without_a_model_it_says_what_to_give() -> None:
    with pytest.raises(WeightsError, match="asr-model=FOLDER"):
        FasterWhisper(settings("")).load()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="There is no folder"):
        FasterWhisper(settings(tmp_path / "nothing")).load()


def test_a_folder_that_lacks_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(WeightsError, match=r"lacks model\.bin, tokenizer\.json"):
        FasterWhisper(settings(tmp_path)).load()


def test_a_published_name_that_was_not_fetched() -> None:
    pytest.importorskip("faster_whisper")
    with pytest.raises(WeightsError, match="Nothing is downloaded"):
        FasterWhisper(settings("someone/no-such-model")).load()


def test_a_beam_of_zero() -> None:
    with pytest.raises(UsageError, match="asr-beam is 0"):
        FasterWhisper(settings("x", **{"asr-beam": 0})).load()


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> None:
    def absent(module: str) -> Any:
        raise ImportError(f"No module named '{module}'")

    monkeypatch.setattr("pipelines.cascade.engines.importlib.import_module", absent)
    with pytest.raises(MissingDependency, match=r"pip install .*\[faster-whisper\]'"):
        faster_whisper.FasterWhisper(settings(checkpoint)).load()

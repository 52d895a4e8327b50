"""Whisper's vocabulary, sizes and dummy weights."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

import torch

from firstpacket.pipelines.models import whisper_dummy, whisper_tokens
from firstpacket.pipelines.models.cache import CACHE
from firstpacket.pipelines.models.tensors import SafetensorsFolder, Uninitialised
from firstpacket.pipelines.models.whisper_sizes import SIZES, WhisperSizes

TEXTS = (whisper_dummy.TEXT, "Größe, naïve; 你好 12:30", "  two  spaces\n")


@pytest.mark.parametrize("languages", [99, 100])
def test_the_vocabulary_is_openais(languages: int) -> None:
    published = pytest.importorskip("whisper.tokenizer", exc_type=ImportError)
    theirs = published.get_tokenizer(True, num_languages=languages, language="en")
    ours = whisper_tokens.tokenizer(51766 + languages)
    assert tuple(published.LANGUAGES) == whisper_tokens.LANGUAGES
    assert {mark: whisper_tokens.place(ours, mark) for mark in theirs.special_tokens} == theirs.special_tokens
    assert ours.get_vocab_size() == 51766 + languages
    for text in TEXTS:
        assert ours.encode(text).ids == theirs.encode(text)
        assert ours.decode(theirs.encode(text)) == text


def test_a_learned_vocabulary_has_every_special_token_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper_tokens, "published_file", lambda: None)
    words = whisper_tokens.tokenizer(51865)
    assert [whisper_tokens.place(words, mark) for mark in whisper_tokens.marks(51865)] == list(range(50257, 51865))
    for text in TEXTS:
        assert words.decode(words.encode(text).ids) == text
    with pytest.raises(KeyError):
        whisper_tokens.place(words, "<|yue|>")


def test_the_shapes_are_those_of_transformers() -> None:
    library = pytest.importorskip("transformers", exc_type=ImportError)
    for name in ("micro", "large-v3"):
        sizes = SIZES[name]
        words = whisper_tokens.tokenizer(sizes.vocab)
        config = library.WhisperConfig(**whisper_dummy._settings(sizes, words, "float32")["config.json"])
        with Uninitialised(), torch.device("meta"):
            theirs = library.WhisperForConditionalGeneration(config).state_dict()
        del theirs["proj_out.weight"]  # the embedding, transposed
        assert dict(whisper_dummy.shapes(sizes)) == {name: tuple(tensor.shape) for name, tensor in theirs.items()}


def test_a_whisper_of_a_given_encoder() -> None:
    wide = WhisperSizes(state=96, heads=3, layers=5, decoder_layers=1, mels=128, positions=200)
    assert WhisperSizes.with_encoder(wide) == WhisperSizes(96, 3, 5, 5, mels=128, vocab=51866, positions=200)


def test_it_is_written_once_and_depends_on_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE, str(tmp_path))
    sizes = WhisperSizes(64, 1, 1, 1)
    first, other = (whisper_dummy.folder(sizes, "test", seed) for seed in (0, 1))
    assert first != other
    written = (first / "model.safetensors").stat().st_mtime_ns
    assert whisper_dummy.folder(sizes, "test", 0) == first
    assert (first / "model.safetensors").stat().st_mtime_ns == written
    name, device = "model.encoder.conv1.weight", torch.device("cpu")
    one, two = (SafetensorsFolder(folder).read(name, device) for folder in (first, other))
    assert one.dtype == torch.float16
    assert not torch.equal(one, two)

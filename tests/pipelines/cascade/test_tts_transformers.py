"""VITS through transformers: its own call, its dummies, and folders that are something else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

from firstpacket.bench.errors import BenchError, MissingDependency, UsageError, WeightsError  # noqa: E402
from firstpacket.bench.pipeline import Samples, Settings  # noqa: E402
from firstpacket.bench.timing.clock import VirtualClock  # noqa: E402
from firstpacket.bench.timing.trace import Trace  # noqa: E402
from firstpacket.pipelines.cascade.tts import vits_dummy  # noqa: E402
from firstpacket.pipelines.cascade.tts.transformers import TransformersVoice  # noqa: E402

TEXT = "Hello there, how are you?"
Make = Callable[..., TransformersVoice]


def voice(**changed: Any) -> TransformersVoice:
    options = {option.name: option.default for option in TransformersVoice.declaration.options}
    made = TransformersVoice(Settings(options=options | {f"tts-{name}": value for name, value in changed.items()}))
    made.load()
    return made


def said(speaker: TransformersVoice, text: str) -> Samples:
    chunks = [samples for samples, _ in speaker.speak(text, Trace(VirtualClock()))]
    return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dummy's folder, made in its own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRSTPACKET_CACHE", str(tmp_path_factory.mktemp("cache")))
        return vits_dummy.folder("small", seed=0)


@pytest.fixture
def copied(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "voice"))


def test_the_librarys_own_call_gives_the_same(small: Path) -> None:
    from transformers import VitsModel, VitsTokenizer

    model, tokenizer = VitsModel.from_pretrained(small).eval(), VitsTokenizer.from_pretrained(small)
    torch.manual_seed(0)
    with torch.inference_mode():
        expected = model(**tokenizer(TEXT, return_tensors="pt")).waveform[0].numpy()
    ours = voice(model=str(small))
    np.testing.assert_array_equal(said(ours, TEXT), expected)
    assert ours.weights()[0].origin == "published", "a folder is not known to be a dummy's"


def test_a_phrase_sounds_the_same_regardless_of_earlier_ones(small: Path) -> None:
    speaker = voice(model=str(small))
    first = said(speaker, TEXT)
    said(speaker, "Something else.")
    state = torch.get_rng_state()
    np.testing.assert_array_equal(said(speaker, TEXT), first)
    assert torch.equal(torch.get_rng_state(), state), "no other engine's draws are disturbed"


def test_a_dummys_work_depends_on_the_number_of_signs_alone(small: Path) -> None:
    speaker = voice(model=str(small))
    for text in ("abc", "zzz", "a b"):
        # Each sign and the blanks around them: 7 ids of 3 frames of 256 samples.
        assert len(said(speaker, text)) == 7 * 3 * 256
    level = 20 * np.log10(np.std(said(speaker, TEXT)))
    assert level == pytest.approx(-20, abs=4)


def test_text_without_sound_gives_no_chunk(small: Path) -> None:
    speaker = voice(model=str(small))
    assert not len(said(speaker, "。？"))
    assert not len(said(speaker, ""))


def _another_kind(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))


def _coqui(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model": "vits"}))


def _no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _longer_vocabulary(folder: Path) -> None:
    known = json.loads((folder / "vocab.json").read_text())
    (folder / "vocab.json").write_text(json.dumps(known | {"ß": 99}))


def _phonemes(folder: Path) -> None:
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"phonemize": True}))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (_another_kind, WeightsError, "holds a 'llama', not a VITS"),
        (_coqui, WeightsError, r"a voice of Coqui TTS \(vits: tts=coqui\)"),
        (_no_config, WeightsError, "has no config.json"),
        (_pickled, WeightsError, "Cannot load the voice"),
        (_longer_vocabulary, WeightsError, "ids up to 99, but the model's vocabulary has 41"),
        (_phonemes, MissingDependency, "pip install phonemizer, and espeak-ng"),
    ],
)
def test_folders_that_do_not_fit(
    copied: Path, change: Callable[[Path], None], error: type[BenchError], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "phonemizer" else find(name))
    change(copied)
    with pytest.raises(error, match=message):
        voice(model=str(copied))


def test_options_that_nothing_can_follow(small: Path) -> None:
    with pytest.raises(UsageError, match="tts-speaker is 3, but the voice has speakers 0 to 0"):
        voice(model=str(small), speaker=3)
    with pytest.raises(UsageError, match="tts-weights=published needs a voice"):
        voice(weights="published")
    with pytest.raises(WeightsError, match="hf download facebook/mms-tts-eng"):
        voice(model="nobody/nothing")

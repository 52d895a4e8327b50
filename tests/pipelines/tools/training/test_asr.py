import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
soundfile = pytest.importorskip("soundfile")

from firstpacket.bench.errors import CorpusError, WeightsError  # noqa: E402
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes  # noqa: E402
from firstpacket.pipelines.tools.training import data as corpus  # noqa: E402
from firstpacket.pipelines.tools.training import folders  # noqa: E402
from firstpacket.pipelines.tools.training.asr import SCHEDULE, run, trained  # noqa: E402

SIZES = WhisperSizes(state=128, heads=2, layers=1, decoder_layers=1, positions=64)
TONES = {"Low.": 200, "High.": 1500}


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """A language of two words, each with its own tone."""
    folder = tmp_path_factory.mktemp("tones")
    random, lines = np.random.default_rng(0), []
    for number in range(20):
        text, hertz = list(TONES.items())[number % 2]
        time = np.arange(4800 + int(random.integers(0, 1600))) / 16000
        soundfile.write(folder / f"{number}.flac", 0.3 * np.sin(2 * np.pi * hertz * (1 + number / 200) * time), 16000)
        split = "validation" if number > 15 else "train"
        lines.append({"id": f"t{number}", "audio": f"{number}.flac", "text": text, "answers": [text], "split": split})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_training_asr_learns_and_saves_the_model(tones, tmp_path):
    schedule = replace(SCHEDULE, steps=40, warmup=4, learning_rate=2e-3, precision="no", validate_every=0)
    figures = run(tones, tmp_path, schedule, SIZES, batch=8, beginning=10)
    assert figures["wer"] == figures["wer_whole"] == 0
    assert figures["clips"] == 16 and figures["steps"] == 40
    model, sizes = trained(tmp_path)
    assert sizes == SIZES
    kept = folders.tensors(tmp_path, "asr")
    assert all(torch.equal(kept[name], tensor) for name, tensor in model.state_dict().items() if name in kept)
    assert not any(name.startswith("letters") for name in kept), "the letters are of use in training alone"
    assert not (tmp_path / "asr" / "checkpoint").exists()


def test_a_missing_step_is_named_with_its_command(tmp_path):
    with pytest.raises(WeightsError, match="bench train asr"):
        trained(tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"id": "a", "audio": "0.flac", "split": "train"}, "has no text"),
        ({"id": "a", "audio": "0.flac", "text": "x", "split": "train"}, "has no text or no answer"),
        ({"id": "a", "audio": "0.flac", "text": "x", "answers": ["y"], "split": "other"}, "no clip in the split"),
        ({"id": "a", "audio": "../0.flac", "text": "x", "answers": ["y"], "split": "train"}, "0.flac"),
    ],
)
def test_an_unusable_corpus_is_refused(tmp_path, line, said):
    (tmp_path / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(CorpusError, match=said):
        corpus.clips(tmp_path, "train")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no text in the split"),
        ("[1]\n", "is not an object"),
        ("{broken\n", "not valid JSON"),
        ('{"question": 1, "response": "b", "split": "train"}\n', "is not an object"),
    ],
)
def test_malformed_texts_are_refused(tmp_path, content, said):
    (tmp_path / "texts.jsonl").write_text(content)
    with pytest.raises(CorpusError, match=said):
        corpus.texts(tmp_path, "train")


def test_answers_outside_the_corpus_are_refused(tmp_path):
    (tmp_path / "answers.jsonl").write_text('{"text": "a", "audio": "../../etc/passwd"}\n')
    with pytest.raises(CorpusError, match="is outside the corpus folder"):
        corpus.answers(tmp_path)

"""A trained vocoder learns to be silent where a reply ends, and keeps its durations."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
soundfile = pytest.importorskip("soundfile")
pytest.importorskip("accelerate")

from firstpacket.bench.errors import CorpusError  # noqa: E402
from firstpacket.pipelines.tools.training import folders, units, vocoder, vocoder_ends  # noqa: E402
from firstpacket.pipelines.tools.training.spectra import Spectra  # noqa: E402

RATE, HOP = 16_000, 320
SIZES = vocoder.JSON | {
    "embedding_dim": 4,
    "model_in_dim": 4,
    "upsample_initial_channel": 16,
    "upsample_rates": [8, 40],
    "upsample_kernel_sizes": [16, 80],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1]],
    "dur_predictor_params": {"encoder_embed_dim": 4, "var_pred_hidden_dim": 4, "var_pred_kernel_size": 3},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four answers: tones, each with 0.2 s of silence after it."""
    folder, lines = tmp_path_factory.mktemp("data"), []
    for number, hertz in enumerate((300, 500, 900, 1500)):
        tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE // 2) / RATE)
        soundfile.write(folder / f"{number}.flac", np.pad(tone, (0, RATE // 5)), RATE)
        lines.append({"text": f"tone {number}", "audio": f"{number}.flac"})
    (folder / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def work(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    units.run(data, folder, 1, units.UnitSizes(units=5))
    vocoder.run(data, folder, replace(vocoder.SCHEDULE, steps=2, precision="no"), SIZES, batch=2, piece=8)
    return folder


def test_a_trained_vocoder_learns_to_end_quietly_and_keeps_its_durations(data, work, tmp_path):
    start = tmp_path / "start"
    tensors = folders.tensors(work, vocoder.STEP)
    folders.save(start, tensors | {"conv_post.bias": torch.tensor([0.3])}, folders.config(work, vocoder.STEP), {})
    schedule = replace(vocoder_ends.SCHEDULE, steps=30, warmup=2, learning_rate=1e-2, precision="no")
    figures = vocoder_ends.run(data, work, start, schedule, batch=3)
    assert figures["end_peak"] < 0.3 * figures["end_peak_at_start"]
    kept = folders.tensors(work, vocoder.STEP)
    same = {name for name, tensor in kept.items() if torch.equal(tensor, tensors[name])}
    assert same >= {name for name in kept if name.startswith(("dict", "dur_predictor"))}
    assert "conv_post.weight" not in same
    assert folders.config(work, vocoder.STEP) == folders.config(start.parent, start.name)


def test_two_thirds_of_the_pieces_end_as_a_reply_does(data, work):
    examples = vocoder.examples(data, units.made(work)[0])
    frames, sound = vocoder_ends.drawer(examples, 6)(np.random.default_rng(0))
    ends = [example.sound[-vocoder_ends.PIECE * HOP :] for example in examples]
    assert all(any(torch.equal(piece, end) for end in ends) for piece in sound[2:])
    assert not all(any(torch.equal(piece, end) for end in ends) for piece in sound[:2])
    assert frames.shape == (6, vocoder_ends.PIECE)
    with pytest.raises(CorpusError, match="No answer lasts 16 frames"):
        vocoder_ends.drawer([], 6)


def test_only_silence_and_the_ends_of_replies_cost_more():
    """A click where the recording is loud, or in a piece that goes on, is for the spectra alone."""
    wanted = torch.zeros(2, 4 * HOP)
    wanted[:, : 2 * HOP] = 0.3 * torch.sin(torch.arange(2 * HOP) / 5)
    loud, going_on, end = (wanted.clone() for _ in range(3))
    loud[1, 100] += 0.2
    going_on[0, -1] = 0.2
    end[1, -1] = 0.2
    found = [vocoder_ends.losses(Spectra((256,)), made, wanted, 1) for made in (wanted, loud, going_on, end)]
    assert [bool(one["ends"] > 0) for one in found] == [False, False, False, True]
    assert found[1]["silence"] == found[0]["silence"] < found[2]["silence"]

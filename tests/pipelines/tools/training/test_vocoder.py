from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from firstpacket.pipelines.direct.llama_omni.config import VocoderConfig  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.vocoder import Vocoder  # noqa: E402
from firstpacket.pipelines.models.fields import Fields  # noqa: E402
from firstpacket.pipelines.tools.training import vocoder  # noqa: E402
from firstpacket.pipelines.tools.training.loop import Schedule, train  # noqa: E402
from firstpacket.pipelines.tools.training.spectra import Spectra  # noqa: E402
from firstpacket.pipelines.tools.training.units import Spoken  # noqa: E402

RATE, HOP = 16_000, 320
TONES = (250, 500, 1000, 2000)
SIZES = vocoder.JSON | {
    "embedding_dim": 8,
    "model_in_dim": 8,
    "upsample_initial_channel": 32,
    "upsample_rates": [8, 40],
    "upsample_kernel_sizes": [16, 80],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1]],
    "dur_predictor_params": {"encoder_embed_dim": 8, "var_pred_hidden_dim": 8, "var_pred_kernel_size": 3},
}
CONFIG = VocoderConfig.from_json(Fields({"num_embeddings": len(TONES), **SIZES}, "a small one"))
SCHEDULE = Schedule(steps=120, learning_rate=5e-3, warmup=10, weight_decay=0.0, clip=5.0)


@pytest.fixture(scope="module")
def examples():
    """Answers of four tones, a unit each; a tone lasts as many frames as its number and two."""
    random, found = np.random.default_rng(0), []
    for _ in range(12):
        said = [int(unit) for unit in random.permutation(len(TONES))] * 4
        lasts = tuple(unit + 2 for unit in said)
        spoken = Spoken("", tuple(said), lasts)
        time = np.arange(HOP * sum(lasts)) / RATE
        hertz = np.repeat([TONES[unit] for unit in spoken.frames], HOP)
        sound = torch.from_numpy((0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32))
        found.append(vocoder.Example(spoken, torch.from_numpy(spoken.frames), sound))
    return found


def trained(examples, folder, schedule):
    torch.manual_seed(0)
    learner, spectra = vocoder.Learner(vocoder.TrainableVocoder(CONFIG)), Spectra((256, 512))
    draw = vocoder.drawer(examples[1:], 4, 12)

    def losses(model, pieces):
        return vocoder.losses(spectra, *model(pieces), pieces)

    figures = train(
        folder, learner, draw, losses, lambda it: vocoder.validated(it.vocoder, spectra, examples[:1]), schedule
    )
    return learner.vocoder, figures


@pytest.fixture(scope="module")
def learnt(examples, tmp_path_factory):
    return trained(examples, tmp_path_factory.mktemp("vocoder"), SCHEDULE)


@torch.inference_mode()
def test_the_trained_vocoder_equals_the_streaming_one():
    torch.manual_seed(0)
    model = vocoder.TrainableVocoder(CONFIG).eval()
    streaming = Vocoder(CONFIG)
    streaming.load_state_dict(model.state_dict())
    units, lasts = torch.tensor([0, 3, 1, 2]), torch.tensor([2, 1, 4, 3])
    wave = model.wave(units.repeat_interleave(lasts)[None])[0]
    assert wave.shape == (10 * HOP,)
    assert wave.std() > 1e-3
    assert torch.allclose(wave, streaming.sound(streaming.embed(units), lasts, 10), atol=1e-5)


@torch.inference_mode()
def test_durations_of_a_padded_batch_are_those_of_each_chunk_alone():
    torch.manual_seed(0)
    model = vocoder.TrainableVocoder(CONFIG).eval()
    sequences = torch.tensor([[0, 3, 1, 2], [2, 1, 0, 0]])
    known = torch.tensor([[True] * 4, [True, True, False, False]])
    both = model.log_durations(sequences, known)
    assert torch.allclose(both[0], model.dur_predictor(model.embed(sequences[0])), atol=1e-5)
    assert torch.allclose(both[1, :2], model.dur_predictor(model.embed(sequences[1, :2])), atol=1e-5)


def test_it_learns_the_sound_and_duration_of_its_units(learnt, examples):
    model, figures = learnt
    unheard = examples[0]
    with torch.inference_mode():
        other = model.wave(unheard.frames.flip(0)[None])
        wrong = float(Spectra((256, 512))(other, unheard.sound[None]))
    assert figures["spectra_unheard"] < 0.6 * wrong
    assert figures["duration_error"] < 0.25


def test_a_resumed_training_equals_an_uninterrupted_one(examples, tmp_path):
    schedule = replace(SCHEDULE, steps=6, warmup=2, keep_every_s=-1.0)
    whole, _ = trained(examples, tmp_path / "whole", schedule)

    class Stop(Exception):
        pass

    draw, drawn = vocoder.drawer, []

    def stopping(*given):
        inner = draw(*given)

        def counted(random):
            drawn.append(1)
            if len(drawn) == 5:
                raise Stop
            return inner(random)

        return counted

    vocoder.drawer = stopping
    try:
        with pytest.raises(Stop):
            trained(examples, tmp_path / "parts", schedule)
        again, _ = trained(examples, tmp_path / "parts", schedule)
    finally:
        vocoder.drawer = draw
    assert len(drawn) == 5 + 2, "it went on where it had stopped"
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), again.parameters(), strict=True))


def test_segments_match_the_audio_of_their_units(examples):
    pieces = vocoder.drawer(examples, 3, 8)(np.random.default_rng(0))
    assert pieces.frames.shape == (3, 8)
    assert pieces.sound.shape == (3, 8 * HOP)
    for frames, sound in zip(pieces.frames, pieces.sound.view(3, 8, HOP), strict=True):
        for unit, part in zip(frames.tolist(), sound, strict=True):
            crossings = int((part[1:] * part[:-1] < 0).sum())
            assert abs(crossings - 2 * TONES[unit] * HOP / RATE) <= 1
    known = pieces.durations > 0
    assert torch.equal(pieces.durations[known], pieces.sequences[known] + 2)


def test_spectra_depend_on_pitch_and_loudness_but_not_on_phase():
    spectra = Spectra()
    time = torch.arange(RATE // 2) / RATE
    tone, shifted = (0.3 * torch.sin(2 * torch.pi * 500 * time + phase)[None] for phase in (0.0, 1.0))
    other = 0.3 * torch.sin(2 * torch.pi * 900 * time)[None]
    assert spectra(tone, tone) == 0
    assert spectra(shifted, tone) < 0.5 * spectra(0.5 * tone, tone) < 0.5 * spectra(other, tone)

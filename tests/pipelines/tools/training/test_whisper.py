import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from firstpacket.pipelines.direct.llama_omni.config import EncoderConfig  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.encoder import SpeechEncoder  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.features import LogMel  # noqa: E402
from firstpacket.pipelines.models.whisper_embedding import full_embedding  # noqa: E402
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes  # noqa: E402
from firstpacket.pipelines.tools.training.asr import LETTERS, Vocabulary, written  # noqa: E402
from firstpacket.pipelines.tools.training.features import alike, collate, features, whole  # noqa: E402
from firstpacket.pipelines.tools.training.whisper import Silence, TrainableWhisper  # noqa: E402

SIZES = WhisperSizes(state=128, heads=2, layers=2, decoder_layers=1, positions=200)
TEXTS = ["What is two plus three?", "Name a colour."]


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary.of(TEXTS, SIZES.vocab)


@pytest.fixture(scope="module")
def model(vocabulary):
    torch.manual_seed(1)
    return TrainableWhisper(SIZES, torch.tensor(vocabulary.ids), len(LETTERS)).eval()


@pytest.fixture(scope="module")
def clip():
    time = np.arange(9000) / 16000
    return (0.3 * np.sin(2 * np.pi * 300 * time) * np.hanning(9000)).astype(np.float32)


def test_the_encoder_is_the_published_one(model, clip):
    config = EncoderConfig(SIZES.mels, SIZES.positions, SIZES.state, SIZES.heads, SIZES.layers)
    published = SpeechEncoder(config)
    published.load_state_dict(model.encoder.state_dict())
    mel = LogMel(SIZES.mels, 2 * SIZES.positions, torch.device("cpu"))(clip)
    with torch.no_grad():
        assert torch.allclose(published(mel), model.encoder(mel[None]), atol=1e-5)


def test_features_and_their_silence_are_those_of_the_front_end(clip):
    heard = features(clip, SIZES.mels)
    wanted = LogMel(SIZES.mels, 2 * SIZES.positions, torch.device("cpu"))(clip)
    assert torch.allclose(whole(heard, SIZES.positions)[0], wanted, atol=2e-3), "float16, and the window's last frame"


def test_drawing_all_silence_equals_encoding_the_whole_window(model, clip):
    heard = features(clip, SIZES.mels)
    mel = collate([heard])
    every = Silence.drawn(heard.frames, SIZES.positions, SIZES.positions, np.random.default_rng(1))
    assert every.log_weight == 0 and len(every.positions) == SIZES.positions - heard.frames
    with torch.no_grad():
        drawn, full = model.encoder(mel, every), model.encoder(whole(heard, SIZES.positions))
    inside = slice(0, SIZES.positions - 1)  # the very last position also sees the window's edge
    assert torch.allclose(drawn[:, inside], full[:, inside], atol=1e-2), "features are float16"


def test_drawing_some_silence_is_closer_to_all_of_it_than_none(model, clip):
    heard = features(clip, SIZES.mels)
    with torch.no_grad():
        full = model.encoder(whole(heard, SIZES.positions))[:, : heard.frames]
        off = []
        for count in (1, 16):
            drawn = Silence.drawn(heard.frames, SIZES.positions, count, np.random.default_rng(1))
            off.append(float((model.encoder(collate([heard]), drawn)[:, : heard.frames] - full).abs().mean()))
        none = model.encoder(heard.mel[None].float())[:, : heard.frames]
    assert off[1] < float((none - full).abs().mean())
    assert off[1] <= off[0]


def test_unused_words_share_one_row_and_its_probability(model, vocabulary):
    words = model.decoder.token_embedding
    x = torch.randn(1, SIZES.state)
    full = full_embedding(words.rows, words.ids, words.other, SIZES.vocab)
    published = (x @ full.T).softmax(-1)[0]
    ours = words.logits(x).softmax(-1)[0]
    assert torch.allclose(published[words.ids], ours[:-1], atol=1e-6)
    assert float(ours[-1].detach()) == pytest.approx(1 - float(published[words.ids].sum().detach()), abs=1e-5)


def test_texts_survive_a_round_trip_through_the_vocabulary(vocabulary):
    for text in TEXTS:
        assert vocabulary.text(list(vocabulary.places(text)[4:-1])) == text


def test_a_transcript_ends_and_excludes_the_prompt(model, vocabulary, clip):
    with torch.no_grad():
        texts = written(model, vocabulary, whole(features(clip, SIZES.mels), SIZES.positions), None)
    assert len(texts) == 1 and "<|" not in texts[0]


def test_batches_have_clips_of_similar_length_and_cover_all():
    lengths = [int(length) for length in np.random.default_rng(1).integers(10, 100, 40)]
    draw, random = alike(lengths, 4), np.random.default_rng(0)
    drawn = [draw(random) for _ in range(120)]
    assert {place for batch in drawn for place in batch} == set(range(40))
    assert all(len(set(batch)) == 4 for batch in drawn)
    spread = [max(lengths[place] for place in batch) - min(lengths[place] for place in batch) for batch in drawn]
    assert np.median(spread) < (max(lengths) - min(lengths)) / 3

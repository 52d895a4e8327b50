import itertools
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from firstpacket.bench.errors import CorpusError  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.speech_decoder import SpeechDecoder  # noqa: E402
from firstpacket.pipelines.models.kv_cache import KVCache  # noqa: E402
from firstpacket.pipelines.models.llama_config import LlamaConfig  # noqa: E402
from firstpacket.pipelines.tools.training import speaking  # noqa: E402
from firstpacket.pipelines.tools.training.data import Clip  # noqa: E402
from firstpacket.pipelines.tools.training.loop import Schedule, train  # noqa: E402
from firstpacket.pipelines.tools.training.speaking import Batch, Example, Speaker  # noqa: E402
from firstpacket.pipelines.tools.training.speaking_model import TrainableSpeechDecoder, sizes  # noqa: E402
from firstpacket.pipelines.tools.training.speaking_states import Reply, chosen  # noqa: E402
from firstpacket.pipelines.tools.training.units import Spoken  # noqa: E402

LLM = LlamaConfig(16, 2, 2, 1, 8, 32, 64, rope_theta=10_000.0, tied=True)
WORDS, UNITS, FRAMES = 6, 8, 4
CONFIG = sizes(LLM, (2, 32, 2, 64), UNITS, FRAMES)
SCHEDULE = Schedule(steps=150, learning_rate=4e-3, warmup=10)


def decoder(seed=0):
    torch.manual_seed(seed)
    return TrainableSpeechDecoder(CONFIG).eval()


@pytest.fixture(scope="module")
def language():
    """Replies of three words; every word has its own state (with noise) and its own two units."""
    random = np.random.default_rng(0)
    states = random.normal(size=(WORDS, LLM.hidden))
    units = [(place, (place + 3) % UNITS) for place in range(WORDS)]
    examples, spoken, heard = [], {}, []
    for said in itertools.permutations(range(WORDS), 3):
        noisy = states[list(said)] + 0.1 * random.normal(size=(3, LLM.hidden))
        every = tuple(unit for unit, _ in itertools.groupby(unit for word in said for unit in units[word]))
        spoken[str(said)] = Spoken(str(said), every, (1,) * len(every))
        heard.append(Reply(str(said), torch.tensor(noisy, dtype=torch.float16)))
        examples.append(Example(heard[-1].states, torch.tensor(every)))
    return examples, spoken, heard


def trained(examples, unheard, folder, frames=FRAMES, later=False):
    torch.manual_seed(0)
    speaker = Speaker(TrainableSpeechDecoder(CONFIG), frames)

    def draw(random):
        return Batch.of([examples[place] for place in random.integers(len(examples), size=16)])

    loss = partial(speaking.losses, later=later)
    return speaker, train(folder, speaker, draw, loss, lambda it: speaking.validated(it, unheard), SCHEDULE)


@torch.inference_mode()
def test_the_trained_decoder_equals_the_streaming_one():
    model = decoder()
    streaming = SpeechDecoder(CONFIG)
    streaming.load_state_dict(model.state_dict())
    states = torch.randn(2, 5, LLM.hidden)
    whole = model.batch(states)
    for row, wanted in zip(states, whole, strict=True):
        cache = KVCache(CONFIG.layers, 5 * FRAMES, torch.device("cpu"), torch.float32)
        pieces = [streaming(state[None], cache) for state in row]
        assert torch.allclose(torch.cat(pieces), wanted, atol=1e-5)
    assert whole.std() > 1e-3


@torch.inference_mode()
def test_padding_after_a_reply_does_not_change_it():
    model = decoder()
    alone = torch.randn(1, 3, LLM.hidden)
    padded = torch.cat((alone, torch.randn(1, 2, LLM.hidden)), dim=1)
    assert torch.allclose(model.batch(padded)[:, : 3 * FRAMES], model.batch(alone), atol=1e-5)


def test_it_learns_from_paired_speech_and_not_from_shuffled_speech(language, tmp_path):
    examples, spoken, heard = language
    _, paired = trained(examples[:100], examples[100:], tmp_path / "paired")
    wrong = speaking.examples_of(heard, speaking.shuffled(spoken, 1))
    _, unpaired = trained(wrong[:100], examples[100:], tmp_path / "unpaired")
    assert paired["unit_error_rate"] < 0.3
    assert unpaired["unit_error_rate"] > 0.6
    assert paired["validation_loss"] < 0.3 * unpaired["validation_loss"]


def test_frames_of_the_first_token_learn_to_be_blank(language, tmp_path):
    examples, *_ = language
    states = torch.stack([example.states.float() for example in examples[:100]])
    for later in (False, True):
        speaker, _ = trained(examples[:100], examples[100:], tmp_path / str(later), later=later)
        with torch.inference_mode():
            first, rest = speaker(states).argmax(-1).split([FRAMES, 2 * FRAMES], 1)
        assert bool((first == UNITS).all()) is later
        assert bool((rest != UNITS).any(1).all()), "every reply says something"


def test_later_units_are_aligned_with_later_frames_only(language):
    examples, *_ = language
    one, speaker = Batch.of([examples[0]]), Speaker(decoder(), FRAMES)
    with torch.inference_mode():
        logits = speaker(one.states).log_softmax(-1)
        alone = torch.nn.functional.ctc_loss(
            logits[:, FRAMES:].transpose(0, 1), one.units, one.tokens * FRAMES - FRAMES, one.lengths, blank=UNITS
        )
        assert torch.allclose(speaking.losses(speaker, one, later=True)["loss"], alone - logits[0, 0, UNITS])


def test_a_padded_batch_has_the_loss_of_its_lessons(language):
    examples, *_ = language
    short = Example(examples[0].states[:2], examples[0].units[:4])
    speaker = Speaker(decoder(), FRAMES)
    with torch.inference_mode():
        both = speaking.losses(speaker, Batch.of([short, examples[1]]))["loss"]
        each = [speaking.losses(speaker, Batch.of([one]))["loss"] for one in (short, examples[1])]
    assert torch.allclose(both, (each[0] + each[1]) / 2, atol=1e-5)


def test_shuffling_gives_every_reply_the_speech_of_another(language):
    _, spoken, _ = language
    mixed = speaking.shuffled(spoken, 1)
    assert mixed.keys() == spoken.keys()
    assert all(mixed[text].text != text for text in spoken)
    assert {one.text for one in mixed.values()} == set(spoken)


def test_a_reply_of_few_tokens_with_many_units_gets_more_frames_for_each():
    state = torch.zeros(2, LLM.hidden)
    assert speaking.frames_per_token([Example(state, torch.zeros(50))], 25) == 25
    assert speaking.frames_per_token([Example(state, torch.zeros(51))], 25) == 26
    assert speaking.frames_per_token([Example(state, torch.zeros(51))], 25, later=True) == 51
    assert speaking.frames_per_token([Example(state[:1], torch.zeros(51))], 25, later=True) == 51


def test_a_reply_without_speech_is_named(language):
    _, spoken, heard = language
    with pytest.raises(CorpusError, match="1 answers have no units, for example 'Never said'"):
        speaking.examples_of([*heard, Reply("Never said", heard[0].states)], spoken)


def test_some_clips_of_every_answer_are_chosen(tmp_path):
    clips = [Clip(f"{text}{take}", tmp_path, "", text, "", "train", "", 0.0) for take in range(5) for text in "ab"]
    found = chosen(clips, 3, 1)
    assert sorted(clip.answer for clip in found) == ["a"] * 3 + ["b"] * 3
    assert len({clip.id for clip in found}) == 6
    assert chosen(clips, 3, 1) == found
    assert chosen(clips, 3, 2) != found

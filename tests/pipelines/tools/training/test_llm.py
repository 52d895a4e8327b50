"""The language model in training, compared with inference and used through the cascade."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers", exc_type=ImportError)
pytest.importorskip("accelerate")

from firstpacket.bench.errors import CorpusError, WeightsError  # noqa: E402
from firstpacket.bench.pipeline import Settings  # noqa: E402
from firstpacket.bench.timing.clock import MonotonicClock  # noqa: E402
from firstpacket.bench.timing.trace import Trace  # noqa: E402
from firstpacket.pipelines.cascade.llm.conversation import Conversation  # noqa: E402
from firstpacket.pipelines.cascade.llm.options import SYSTEM  # noqa: E402
from firstpacket.pipelines.cascade.llm.transformers import TransformersLM  # noqa: E402
from firstpacket.pipelines.direct.llama_omni.prompt import SPEECH_TOKEN  # noqa: E402
from firstpacket.pipelines.models.chat import TextTokenizer  # noqa: E402
from firstpacket.pipelines.models.decoder import Decoder  # noqa: E402
from firstpacket.pipelines.models.kv_cache import KVCache  # noqa: E402
from firstpacket.pipelines.models.llama_config import LlamaConfig, RopeScaling  # noqa: E402
from firstpacket.pipelines.tools.training import folders, llm_model, tokenizer  # noqa: E402
from firstpacket.pipelines.tools.training.listening import prompt  # noqa: E402
from firstpacket.pipelines.tools.training.llm import SCHEDULE, Rows, read, run, said  # noqa: E402
from firstpacket.pipelines.tools.training.llm_model import IGNORED, TrainableLlama  # noqa: E402

SIZES = LlamaConfig(32, 2, 4, 2, 8, 64, 512, rope_theta=10_000.0, tied=True)
QUICK = replace(SCHEDULE, steps=120, warmup=5, learning_rate=5e-3, precision="no", validate_every=0)
COLOURS = {"grass": "green", "snow": "white", "coal": "black", "milk": "pale", "blood": "red", "ink": "blue"}
COLOURS |= {"gold": "yellow", "earth": "brown", "ash": "grey", "plums": "purple"}
CPU = torch.device("cpu")


def lines() -> list[dict[str, str]]:
    """Two wordings of ten questions; the second wording of the last is not learnt."""
    found = []
    for thing, colour in COLOURS.items():
        for wording in ("What colour is {}?", "Tell me the colour of {}."):
            split = "validation" if (thing, wording[0]) == ("plums", "T") else "train"
            texts = {"question": wording.format(thing), "response": f"It is {colour}."}
            found.append({**texts, "split": split, "topic": "colours"})
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines()))
    return folder


@pytest.fixture(scope="module")
def work(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the step leaves behind."""
    folder = tmp_path_factory.mktemp("work")
    run(data, folder, QUICK, SIZES, batch=16)
    return folder


def answer(folder: Path, question: str) -> str:
    """By the cascade's engine."""
    defaults = {option.name: option.default for option in TransformersLM.declaration.options}
    given = {"llm-model": str(folder), "llm-context": 256, "llm-max-tokens": 12}
    engine = TransformersLM(Settings(options=defaults | given))
    engine.load()
    return "".join(engine.reply(question, Trace(MonotonicClock())))


def test_the_trained_model_answers_through_the_cascade(work: Path) -> None:
    figures = json.loads((work / "llm" / "figures.json").read_text())
    assert figures["accuracy"] == 1.0, "a wording that was not learnt, with a thing that was"
    assert figures["texts"] == 19
    assert [answer(work / "llm", text).strip() for text in ("Tell me the colour of snow.", "what colour is coal")] == [
        "It is white.",
        "It is black.",
    ]
    assert not (work / "llm" / "checkpoint").exists()


def test_an_interrupted_training_gives_the_same_weights(
    data: Path, work: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    class Stop(Exception):
        pass

    calls = iter(range(1000))

    def stopping(*given: Any) -> Rows:
        if next(calls) == 6:
            raise Stop
        return original(*given)

    original = Rows.of
    monkeypatch.setattr(Rows, "of", stopping)
    with pytest.raises(Stop):
        run(data, tmp_path, replace(QUICK, keep_every_s=0), SIZES, batch=16)
    assert (tmp_path / "llm" / "checkpoint").is_dir()
    monkeypatch.setattr(Rows, "of", original)
    run(data, tmp_path, QUICK, SIZES, batch=16)
    whole, resumed = folders.tensors(work, "llm"), folders.tensors(tmp_path, "llm")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_published_llama_can_be_fine_tuned(data: Path, work: Path, tmp_path: Path) -> None:
    before = folders.tensors(work, "llm")
    run(data, tmp_path, replace(QUICK, steps=1), batch=2, start=work / "llm")
    after = folders.tensors(tmp_path, "llm")
    moved = max(float((after[name] - before[name]).abs().max()) for name in before)
    assert 0 < moved <= 1.5 * QUICK.learning_rate / QUICK.warmup, "one step from where it was"
    assert (tmp_path / "llm" / "tokenizer.json").read_text() == (work / "llm" / "tokenizer.json").read_text()


@pytest.fixture(scope="module")
def words() -> Any:
    return tokenizer.learnt(text for line in lines() for text in (line["question"], line["response"]))


def test_prompts_of_both_pipelines_are_short(words: Any, work: Path) -> None:
    """A word is one token, and so is a mark: as with the published vocabulary."""
    conversation = Conversation(words, SYSTEM, "")
    assert len(conversation.prompt("What colour is grass?")) <= 1 + 3 * 5 + 2 + len(SYSTEM.split()) + 2 + 5
    ids = prompt(words)
    in_place = tokenizer.SpeechPrompt(words).prompt("What colour is grass?")
    assert in_place == [
        *ids[: ids.index(SPEECH_TOKEN)],
        *tokenizer.ids(words, "What colour is grass?"),
        *ids[ids.index(SPEECH_TOKEN) + 1 :],
    ]
    assert ids[0] == ids[1] == words.bos_token_id and ids.count(SPEECH_TOKEN) == 1
    assert len(ids) <= 66
    TextTokenizer.from_folder(work / "llm").check(words.bos_token_id, 512, "llm")


def test_only_replies_contribute_to_the_loss(words: Any) -> None:
    conversation = Conversation(words, SYSTEM, "")
    rows = Rows.of(["Is it?", "What colour is grass?"], [(9, 8, 7), (6, 5)], conversation)
    assert [[label for label in row if label != IGNORED] for row in rows.labels.tolist()] == [[9, 8, 7], [6, 5]]
    counted = rows.labels != IGNORED
    assert torch.equal(rows.ids[counted], rows.labels[counted])
    before = rows.ids[1, : int(counted[1].nonzero()[0, 0])].tolist()
    assert rows.head.tolist() + before == conversation.prompt("What colour is grass?")


def test_any_text_can_be_tokenized(words: Any) -> None:
    strange = "Zürich, 東京 \U0001f600\n\ttabs  and  spaces"
    assert words.decode(words(strange, add_special_tokens=False).input_ids) == strange


@pytest.mark.parametrize("sparing", [False, True])
@pytest.mark.parametrize("scaling", [None, RopeScaling(8.0, 1.0, 4.0, 32)])
def test_a_batch_with_a_shared_prefix_equals_decoding_each_row(scaling: Any, sparing: bool) -> None:
    torch.manual_seed(0)
    model = TrainableLlama.fresh(replace(SIZES, rope_scaling=scaling))
    model.sparing = sparing
    head, ids = torch.randint(0, 500, (7,)), torch.randint(0, 500, (3, 9))
    labels = ids.clone()
    labels[:, :4] = IGNORED
    labels[1, 7:] = IGNORED
    got = model(head, ids, labels)
    wanted = []
    with torch.no_grad():
        for row, label in zip(ids, labels, strict=True):
            cache = KVCache(model.llama.config, 16, CPU, torch.float32)
            model.llama(model.llama.embed(head), cache)
            for word, following in zip(row, label[1:], strict=False):
                state = model.llama(model.llama.embed(word[None]), cache)
                wanted += [model.llama.logits(state)] if following != IGNORED else []
    torch.testing.assert_close(got, torch.cat(wanted), rtol=0, atol=1e-5)
    got.sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in model.parameters())


def test_a_reply_is_right_if_greedy_decoding_produces_it(work: Path) -> None:
    """`exact` scores all words in one pass; the decoder of the cascade generates one after another."""
    words = tokenizer.read(work / "llm")
    model, conversation = read(work / "llm"), Conversation(words, SYSTEM, "")
    questions = [line["question"] for line in lines()] + ["What is up?"]
    replies = [(*words(line["response"]).input_ids, words.eos_token_id) for line in [*lines(), lines()[0]]]
    rows = Rows.of(questions, replies, conversation)
    right = llm_model.exact(model(rows.head, rows.ids, rows.labels), rows.labels).tolist()
    for question, reply, found in zip(questions, replies, right, strict=True):
        decoder = Decoder(read(work / "llm").llama, 128, conversation.head)
        written = [int(decoder.prefill(conversation.prompt(question)).argmax())]
        while len(written) < len(reply):
            written.append(int(decoder.step(torch.tensor(written[-1:])).argmax()))
        assert found == (written == list(reply))
    assert any(right) and not all(right)


def test_questions_vary_in_case_and_punctuation_as_transcripts_do() -> None:
    random = np.random.default_rng(0)
    put = {said("Is it Monday?", random) for _ in range(200)}
    assert put == {"Is it Monday?", "Is it Monday", "is it monday", "is it monday?", "Is it Monday."}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "has no text in the split 'train'"),
        ('{"question": "a", "response": "b", "split": "train"}\n', "has no text in the split 'validation'"),
        ('{"question": "a", "response": 3, "split": "train"}\n', "texts.jsonl:1 is not an object with the texts"),
        ("[" * 100_000, "texts.jsonl:1 is not valid JSON"),
    ],
)
def test_unusable_data_is_refused(tmp_path: Path, content: str, told: str) -> None:
    (tmp_path / "texts.jsonl").write_text(content)
    with pytest.raises(CorpusError, match=told):
        run(tmp_path, tmp_path / "work", QUICK, SIZES)


def test_starting_from_another_architecture_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be loaded"):
        run(data, tmp_path / "work", QUICK, start=tmp_path)

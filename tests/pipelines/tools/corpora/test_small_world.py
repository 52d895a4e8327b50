"""Questions of the small world and of files: one response each, split by wording, and the errors for wrong files."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstpacket.bench.errors import CorpusError
from firstpacket.pipelines.tools.corpora.questions import SPLITS, Shares, Text, from_file, small_world
from firstpacket.pipelines.tools.corpora.small_world import TOPICS

SHARES = Shares(test=0.13, validation=0.05)


def spoken(text: str) -> str:
    """What is heard of a text: neither capitals nor punctuation."""
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())


@pytest.fixture(scope="module")
def texts() -> tuple[Text, ...]:
    return small_world(SHARES, 1)


def test_every_question_has_one_response(texts: tuple[Text, ...]) -> None:
    responses = defaultdict(set)
    for text in texts:
        responses[spoken(text.question)].add(text.response)
    assert len(responses) == len(texts) >= 3500
    assert all(len(found) == 1 for found in responses.values())
    assert len({text.response for text in texts}) >= 400


def test_texts_can_be_spoken(texts: tuple[Text, ...]) -> None:
    for text in texts:
        assert re.fullmatch(r"[A-Z][A-Za-z',. ]+[.?]", text.question), text.question
        assert re.fullmatch(r"[A-Z][A-Za-z ]+\.", text.response), text.response
        assert 3 <= len(text.response.split()) <= 8 and len(text.question.split()) <= 14


def test_arithmetic_is_right(texts: tuple[Text, ...]) -> None:
    for topic in TOPICS:
        if topic.name in {"sums", "differences"}:
            sign = {"sums": 1, "differences": -1}[topic.name]
            assert all(number(fact["a"]) + sign * number(fact["b"]) == number(fact["c"]) for fact in topic.facts)
        if topic.name in {"larger", "smaller"}:
            assert all(number(fact["small"]) < number(fact["large"]) for fact in topic.facts)


def number(word: str) -> int:
    names = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    return [*names.split(), "seventeen", "eighteen", "nineteen", "twenty"].index(word)


@settings(max_examples=5)
@given(
    test=st.floats(0.12, 0.3),
    validation=st.floats(0.05, 0.2),
    seed=st.integers(0, 2**32),
)
def test_split_by_wording(test: float, validation: float, seed: int) -> None:
    texts = small_world(Shares(test, validation), seed)
    share = {split: sum(text.split == split for text in texts) / len(texts) for split in SPLITS}
    assert test <= share["test"] <= test + 0.02 and validation <= share["validation"] <= validation + 0.02
    trained = {text.question for text in texts if text.split == "train"}
    for topic in TOPICS:
        asked = [[wording.format_map(fact) for wording in topic.wordings] for fact in topic.facts]
        seen = [[one[0].upper() + one[1:] in trained for one in row] for row in asked]
        assert min(map(sum, seen)) >= 3, "every fact is trained in several wordings"
        assert min(map(sum, zip(*seen, strict=True))) >= 2, "every wording is trained with several facts"


def test_texts_depend_on_the_seed_alone(texts: tuple[Text, ...]) -> None:
    assert small_world(SHARES, 1) == texts
    other = small_world(SHARES, 2)
    assert other != texts and {text.question for text in other} == {text.question for text in texts}


def file(folder: Path, value: object, name: str = "pairs.json") -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def pairs(count: int) -> list[dict[str, str]]:
    return [{"question": f"Question {place}?", "response": f"Response {place}."} for place in range(count)]


def test_any_file_is_split_by_question(tmp_path: Path) -> None:
    again = [{"question": "Question 3?", "response": "Another."}, *pairs(100)]
    texts = from_file(file(tmp_path, again), Shares(0.1, 0.2), 7)
    assert len(texts) == 101 and len({text.split for text in texts if text.question == "Question 3?"}) == 1
    count = {split: len({text.question for text in texts if text.split == split}) for split in SPLITS}
    assert count == {"train": 70, "validation": 20, "test": 10}
    lines = "\n".join(map(json.dumps, again))
    assert from_file(file(tmp_path, lines, "pairs.jsonl"), Shares(0.1, 0.2), 7) == texts
    assert from_file(file(tmp_path, again), Shares(0.1, 0.2), 8) != texts


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"question": "a", "response": "b"}, "is not a list"),
        ([], "has no questions"),
        ("[{", "is not valid JSON"),
        ([{"question": "a"}], r"\[0\]: field 'response' is missing\. Each entry is"),
        ([*pairs(3), {"question": "a", "response": 3}], r"\[3\]\.response: expected text"),
        ([{"question": "a", "response": "b", "more": 1}], "unknown field 'more'"),
        ([{"question": " ", "response": "b"}], r"question ' ' cannot be spoken\. Use 1 to 2000 characters"),
        ([{"question": "a", "response": "b" * 2001}], r"\[0\]: response 'b+' cannot be spoken"),
        ([{"question": "a\x00b", "response": "b"}], r"question 'a\\x00b' cannot be spoken"),
        ([{"question": "a\u2028b", "response": "b"}], "cannot be spoken"),
        ('[{"question": "\\ud800", "response": "b"}]', "is not valid JSON"),
        (pairs(1), "1 texts are too few"),
    ],
)
def test_a_hostile_file(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        from_file(file(tmp_path, value), SHARES, 1)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        from_file(tmp_path / "none.json", SHARES, 1)

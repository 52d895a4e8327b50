"""Rules for answers: what is right, and above all what is not."""

from __future__ import annotations

from typing import get_args

import pytest

from firstpacket.bench.quality.answers import is_right
from firstpacket.bench.vocabulary import ANSWER_RULES, AnswerRule

SEA = "Where do frilled sharks live? A. deep sea B. shallow water C. salt water D. water"


def test_every_rule_is_explained() -> None:
    assert set(ANSWER_RULES) == set(get_args(AnswerRule))


@pytest.mark.parametrize(
    ("reply", "answer", "right"),
    [
        ("It is Paris, of course.", "Paris", True),
        ("In 1969.", "nineteen sixty-nine", True),
        ("New York City", "York New", False),
        ("It is in New Mexico or York", "New York", False),
        ("the comparison", "Paris", False),
        ("", "Paris", False),
        ("A sentence with a letter.", "A", False),
    ],
)
def test_contains_wants_whole_words_in_order(reply: str, answer: str, right: bool) -> None:
    assert is_right("contains", reply, [answer]) is right


def test_any_of_several_answers_counts() -> None:
    assert is_right("contains", "Tea, I think.", ["coffee", "tea"]) is True
    assert is_right("equals", "Tea.", ["coffee", "tea"]) is True
    assert is_right("equals", "Tea, I think.", ["coffee", "tea"]) is False


@pytest.mark.parametrize(
    "reply",
    [
        "B",
        "b.",
        "(B)",
        "Option B",
        "B. Shallow water, since the sharks like it.",
        "B, because I think so.",
        "The answer is B",
        "The correct answer is: (B).",
        "**Answer:** B",
        "I would say the answer would be option B, shallow water.",
        "the answer is b.",
        "They live in shallow water, I think.",
    ],
)
def test_choice_finds_the_one_option_that_is_named(reply: str) -> None:
    assert is_right("choice", reply, ["B"], SEA) is True
    assert is_right("choice", reply, ["A"], SEA) is False


@pytest.mark.parametrize(
    "reply",
    [
        "Option A is wrong, so the answer is B",
        "Either the deep sea or shallow water.",
        "I do not know.",
        "",
        "Bees, because a bee can fly.",
        "The answer is a difficult one.",
    ],
)
def test_choice_accepts_no_reply_that_names_several_options_or_none(reply: str) -> None:
    for letter in "ABCD":
        assert is_right("choice", reply, [letter], SEA) is False


def test_an_option_that_is_part_of_a_longer_one_is_not_named_by_it() -> None:
    assert is_right("choice", "In salt water.", ["C"], SEA) is True
    assert is_right("choice", "In salt water.", ["D"], SEA) is False
    assert is_right("choice", "In water.", ["D"], SEA) is True


def test_choice_without_options_in_the_question_knows_letters_alone() -> None:
    assert is_right("choice", "The answer is (c).", ["(C)"], "") is True
    assert is_right("choice", "Salt water.", ["C"], "") is False


@pytest.mark.parametrize(
    ("reply", "answer", "right"),
    [
        ("She goes left, no wait. Final answer: yes", "Yes", True),
        ("Final answer: yes. Hm. Final answer: no.", "No", True),
        ("Final answer: yes. Hm. Final answer: no.", "Yes", False),
        ("The final answer is No, because yes would be odd.", "No", True),
        ("Yes, she does.", "Yes", True),
        ("Yes or no, who knows.", "Yes", False),
        ("The argument is deductively valid.", "valid", True),
        ("The argument is not deductively valid.", "valid", False),
        ("The argument is not valid.", "invalid", True),
        ("Final answer: not logically valid", "invalid", True),
        ("You have 21 fruits.", "21", True),
        ("You have twenty-one fruits.", "21", True),
        ("You have 3 apples and 4 pears, 7 in all.", "7", False),
        ("You have 3 apples and 4 pears. Final answer: 7 fruits.", "7", True),
        ("Final answer: 17", "7", False),
        ("Final answer: B", "(B)", True),
        ("The answer is (A). Final answer: (B)", "(A)", False),
        ("Final answer: red", "red", True),
        ("Nothing.", "No", False),
    ],
)
def test_final_wants_the_final_answer_or_the_only_one(reply: str, answer: str, right: bool) -> None:
    assert is_right("final", reply, [answer]) is right


def test_what_cannot_be_judged_is_neither_right_nor_wrong() -> None:
    assert is_right("none", "Paris", ["Paris"]) is None
    for rule in get_args(AnswerRule):
        assert is_right(rule, "Paris", []) is is_right(rule, "Paris", ["…"]) is None

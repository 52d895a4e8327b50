from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.pipelines.cascade.phrases import Phrases, Splitter, Whole

PROSE = st.text(st.sampled_from("abZ é3.,;:!?…\"')\n。，—"), max_size=80)


def cut(splitter: Splitter, pieces: list[str]) -> list[str]:
    phrases = [phrase for piece in pieces for phrase in splitter.push(piece)]
    return phrases + splitter.flush()


def phrases(text: str, first: str = "clause") -> list[str]:
    return [phrase.strip() for phrase in cut(Phrases(first), list(text))]


@given(PROSE | st.text(max_size=80), st.sampled_from(["clause", "sentence", "1", "4"]))
def test_joined_phrases_are_the_text(text: str, first: str) -> None:
    assert "".join(cut(Phrases(first), list(text))) == text
    assert "".join(cut(Whole(), list(text))) == text


@given(PROSE, st.lists(st.integers(1, 9), max_size=80), st.sampled_from(["clause", "sentence", "1", "4"]))
def test_slicing_changes_nothing(text: str, sizes: list[int], first: str) -> None:
    pieces, rest = [], text
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert cut(Phrases(first), [*pieces, rest]) == cut(Phrases(first), list(text))


@given(PROSE)
def test_no_phrase_is_empty(text: str) -> None:
    assert all(cut(Phrases(), list(text)))


def test_the_first_phrase_ends_at_a_clause_and_later_ones_at_sentences() -> None:
    assert phrases("In the morning, take a walk, then rest. After that, eat well.") == [
        "In the morning,",
        "take a walk, then rest.",
        "After that, eat well.",
    ]


def test_the_first_phrase_has_a_few_words() -> None:
    assert phrases("Sure, I can help with that. Start now.")[0] == "Sure, I can help with that."


@pytest.mark.parametrize(
    ("words", "first"), [("2", "You could"), ("4", "You could take the"), ("6", "You could take the train,")]
)
def test_by_words_unless_a_clause_ends_before(words: str, first: str) -> None:
    assert phrases("You could take the train, it leaves at seven. Or walk there now.", words) == [
        first,
        "You could take the train, it leaves at seven."[len(first) :].strip(),
        "Or walk there now.",
    ]


@pytest.mark.parametrize("pieces", [["3。3"], ["3", "。", "3"], ["3。", "3"]])
def test_a_mark_behind_the_last_word_belongs_to_it(pieces: list[str]) -> None:
    assert cut(Phrases("1"), pieces) == ["3。", "3"]


def test_a_word_is_counted_when_it_is_whole() -> None:
    splitter = Phrases("2")
    assert [splitter.push(piece) for piece in ("a tele", "phone", " rang")] == [[], [], ["a telephone"]]


def test_by_sentences_from_the_beginning() -> None:
    assert phrases("In the morning, take a walk. Rest.", "sentence") == ["In the morning, take a walk.", "Rest."]


@pytest.mark.parametrize(
    "text",
    [
        "Please ask Dr. Smith about it.",
        "Bring some fruit, e.g. apples.",
        "It costs about 3.5 euros.",
        "Ask George W. Miller about it.",
        "Meet me at 12:30 tomorrow.",
        "Look at example.com for more.",
        "We sell fruit, bread etc. every day.",
    ],
)
def test_a_full_stop_that_ends_no_sentence(text: str) -> None:
    assert phrases(text, "sentence") == [text]


def test_a_comma_after_a_word_needs_no_next_token() -> None:
    splitter = Phrases()
    assert splitter.push("In the morning") == []
    assert splitter.push(",") == ["In the morning,"]


def test_a_comma_inside_a_number_does_not_end_a_phrase() -> None:
    assert phrases("There are about 12,500 of them, I think.")[0] == "There are about 12,500 of them,"


def test_closing_quotes_stay_with_their_sentence() -> None:
    assert phrases('He said "go home." Then he left.', "sentence") == ['He said "go home."', "Then he left."]


def test_sentences_without_spaces() -> None:
    assert phrases("早上好。我可以帮你。") == ["早上好。", "我可以帮你。"]

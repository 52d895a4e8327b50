"""How texts become words, and the word edits between two texts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstpacket.bench.quality.wer import LONGEST, edits, is_character, words


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("What's the time?", "WHATS THE TIME"),
        ("Don’t — stop!", "don't stop"),
        ("It costs 1,000 and 25.", "it costs one thousand and twenty five"),
        ("in 1969, 5,969, 2024", "in nineteen sixty nine, five thousand nine hundred sixty nine, "
         "two thousand twenty four"),
        ("at 7:30, 3.5 km, 0049", "at seven thirty three point five km zero zero four nine"),
        ("ﬁne ＦＵＬＬ 12", "fine full twelve"),
        ("Straße", "STRASSE"),
        ("0 10 100 110 999999", "zero, ten, one hundred, one hundred ten, "
         "nine hundred ninety nine thousand nine hundred ninety nine"),
    ],
)  # fmt: skip
def test_spellings_of_the_same_speech_give_the_same_words(written: str, spoken: str) -> None:
    assert words(written) == words(spoken)


def test_scripts_without_spaces_count_in_characters() -> None:
    assert words("今天天气 OK 吗？") == ("今", "天", "天", "气", "ok", "吗")
    assert [is_character(word) for word in words("今 ok")] == [True, False]
    # Marks belong to the text: without its vowel sign this would be another word.
    assert words("กิน") == ("ก", "ิ", "น") and words("हिन्दी") == ("हिन्दी",)


def test_other_differences_count_as_errors() -> None:
    assert words("can not") != words("cannot")
    assert words("colour") != words("color")
    assert words("!? …") == ()


def test_long_digit_strings_are_read_digit_by_digit() -> None:
    assert words("9" * 5000) == ("nine",) * 5000


@settings(max_examples=200)
@given(*[st.lists(st.sampled_from("abcd"), max_size=12)] * 2)
def test_edits_equal_those_of_jiwer(reference: list[str], heard: list[str]) -> None:
    jiwer = pytest.importorskip("jiwer")
    if not reference:
        assert edits(reference, heard) == len(heard)
        return
    known = jiwer.process_words(" ".join(reference), " ".join(heard))
    assert edits(reference, heard) == known.substitutions + known.deletions + known.insertions


def test_overlong_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="not compared"):
        edits(["a"] * (LONGEST + 1), [])

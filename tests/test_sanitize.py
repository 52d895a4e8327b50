from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.sanitize import LONGEST_REASON, clean, reason


@given(st.text(st.characters(codec=None)))
def test_a_clean_text_can_be_written_anywhere(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not any(mark < " " and mark not in "\n\t" for mark in cleaned)
    assert clean(cleaned) == cleaned
    assert len(cleaned) == len(text)


def test_ordinary_text_is_left_alone() -> None:
    for text in ("Grüße, 你好 — [red]\n\tfine", "", "plain"):
        assert clean(text) == text
    assert clean("\x1b[31mred\ud800") == "\ufffd[31mred?"


def test_an_exception_whose_str_fails_still_has_a_reason() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert reason(Mute()) == "Mute: its message cannot be read"
    assert len(reason(ValueError("x" * 10**6))) <= LONGEST_REASON + 1

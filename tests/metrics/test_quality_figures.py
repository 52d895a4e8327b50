"""Figures of quality from a turn's texts and levels, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.runs import UTTERANCE

from firstpacket.bench.metrics.quality_figures import (
    FLOOR_DB,
    LOUD_END_DB,
    answer_figures,
    reply_figures,
    transcript_figures,
)
from firstpacket.bench.record.schema import UtteranceFacts
from firstpacket.bench.timing.spans import Text, TurnTrace
from firstpacket.bench.vocabulary import AnswerRule


def trace(*texts: tuple[str, str]) -> TurnTrace:
    return TurnTrace(texts=tuple(Text(kind, text) for kind, text in texts))


HEARD = trace(("transcript", "play"))


def test_a_transcript_is_scored_against_the_reference_text() -> None:
    heard = trace(("partial", "what"), ("transcript", "What thyme is it now"))
    assert transcript_figures(heard, "What time is it?") == {"transcript_wer": 0.5, "transcript_words": 4}


def test_an_empty_transcript_is_all_errors() -> None:
    assert transcript_figures(trace(("transcript", "")), "Play music.")["transcript_wer"] == 1.0


@pytest.mark.parametrize(
    ("texts", "said"), [((), "Play."), ((("transcript", "play"),), None), ((("transcript", "a"),), "…")]
)
def test_without_both_texts_there_is_no_figure(texts: tuple[tuple[str, str], ...], said: str | None) -> None:
    assert transcript_figures(trace(*texts), said) == {}


def test_overlong_texts_are_not_scored() -> None:
    assert transcript_figures(trace(("transcript", "a " * 6000)), "Play.") == {}


def test_pace_is_characters_over_the_audible_stretch() -> None:
    """Silence around the speech does not slow it, a pause in it does."""
    levels = [0.0] * 50 + [0.1] * 40 + [0.0] * 20 + [0.1] * 40 + [0.0] * 50
    found = reply_figures(trace(("reply", "Yes, "), ("reply", "sure thing!")), levels)
    assert found["reply_pace"] == len("yessurething") / 1.0
    assert found["reply_silence"] == pytest.approx(0.6)
    assert found["reply_level"] == pytest.approx(-20 - 3.98, abs=0.01)  # 80 of 200 windows
    assert found["reply_end_level"] == FLOOR_DB


def test_a_reply_without_text_or_sound_has_no_pace() -> None:
    assert "reply_pace" not in reply_figures(trace(), [0.1] * 10)
    assert "reply_pace" not in reply_figures(trace(("reply", "yes")), [0.0] * 10)
    assert reply_figures(trace(("reply", "yes")), ()) == {}


SPEECH, CLICK = [0.1] * 50, [0.018]


@pytest.mark.parametrize(
    ("levels", "loud"),
    [
        (SPEECH, True),  # cut off
        ([*SPEECH, 0.0], False),
        (SPEECH + [0.001] * 10, False),
        (SPEECH + [0.001] * 10 + CLICK, False),
        (SPEECH + [0.001] * 10 + CLICK * 2, False),  # a click across two windows
        (SPEECH + [0.0] * 10 + [0.1] * 3, True),  # the beginning of another word
        ([0.02] * 50, True),  # a quiet voice, cut off
        ([0.02] * 50 + [0.002] * 3, False),
        ([0.1] * 500, True),  # noise that never ends
        ([1.0], True),
    ],
)
def test_a_reply_ends_loud_if_it_is_near_its_own_level_to_the_last(levels: list[float], loud: bool) -> None:
    assert (reply_figures(trace(), levels)["reply_end_level"] > LOUD_END_DB) == loud


def test_the_level_at_the_end_is_relative_to_what_is_audible() -> None:
    assert reply_figures(trace(), [0.1, 0.1, 0.0, 0.01, 0.1, 0.1])["reply_end_level"] == pytest.approx(-20.0, abs=0.01)


def test_a_reply_without_sound_has_no_level_at_its_end() -> None:
    assert "reply_end_level" not in reply_figures(trace(), [0.0] * 10)


def clip(*answers: str, rule: AnswerRule = "equals", text: str | None = None) -> UtteranceFacts:
    return replace(UTTERANCE, text=text, answers=answers, answer_rule=rule)


@pytest.mark.parametrize(("says", "right"), [("It is 4.", 1), ("it is four", 1), ("It is five.", 0), ("", 0)])
def test_a_reply_is_right_if_its_words_are_accepted(says: str, right: int) -> None:
    pieces = trace(("reply", says[:3]), ("reply", says[3:]))
    found = answer_figures(pieces, clip("Four.", "It is four."))
    assert found == {"answer_accuracy": right, "answer_words": len(says.split())}


def test_the_rule_of_the_clip_and_its_text_count() -> None:
    says = trace(("reply", "It is the sky, I think."))
    asked = "What is blue? A. the sky B. grass"
    assert answer_figures(says, clip("the sky", rule="contains"))["answer_accuracy"] == 1
    assert answer_figures(says, clip("A", rule="choice", text=asked))["answer_accuracy"] == 1
    assert answer_figures(says, clip("A", rule="choice"))["answer_accuracy"] == 0
    assert answer_figures(says, clip("the sky", rule="none")) == {}


def test_without_reference_answer_or_reply_correctness_is_unknown() -> None:
    assert answer_figures(trace(("reply", "yes")), clip()) == {}
    assert answer_figures(trace(("reply", "")), clip("…")) == {}
    assert answer_figures(HEARD, clip("yes")) == {}

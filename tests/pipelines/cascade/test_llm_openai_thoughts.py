"""The thoughts of reasoning models are neither spoken nor timed as the answer, however servers show them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from firstpacket.pipelines.cascade.llm.openai.thoughts import PAIRS, Thoughts

HARMONY = (
    "<|channel|>analysis<|message|>The user asks.<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>"
)
REPLIES = (
    *((f"{opening}\nThe user asks.\n{closing}\n\nYes.", "Yes.") for opening, closing in PAIRS),
    ("\n<think>\nA < b, or </thin k>?\n</think>\n\nYes, <think> is a tag.", "Yes, <think> is a tag."),
    ("<THINK>Hm.</Think>Yes.", "Yes."),
    ("<think></think><think>Hm.</think> Yes.", "Yes."),
    ("First. <think>Hm.</think>Second.", "First. Second."),
    ("<|start|>assistant" + HARMONY, "Yes."),
    ("<|channel|>final<|message|>Yes.", "Yes."),
    ("<think>without end", ""),
    ("<think > is no tag, [THIN neither", "<think > is no tag, [THIN neither"),
    ("<thi", "<thi"),
    ("", ""),
)


def pieces(text: str, cuts: list[int]) -> Iterator[str]:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    return (text[a:b] for a, b in pairwise(places))


def read(text: str, cuts: list[int], unopened: bool = False, cut_off: bool = False) -> tuple[str, Thoughts]:
    thoughts = Thoughts(unopened)
    said = "".join(thoughts.push(piece) for piece in pieces(text, cuts))
    return said + thoughts.flush(cut_off), thoughts


@given(st.lists(st.integers(1, 110), max_size=12))
def test_tagged_thoughts_are_left_out_however_they_are_split(cuts: list[int]) -> None:
    for text, answer in REPLIES:
        said, thoughts = read(text, cuts)
        # White space before the opening tag comes before anything is known.
        assert said.lstrip() == answer, text
        assert not thoughts.unclear


UNOPENED = ("The user asks. </think>\n\nYes.", "analysisThe user asks.assistantfinalYes.", "Hm.[/THINK] Yes.")


@given(st.sampled_from(UNOPENED), st.lists(st.integers(1, 45), max_size=12))
def test_thoughts_that_are_only_closed_are_left_out_if_that_is_known(text: str, cuts: list[int]) -> None:
    said, thoughts = read(text, cuts, unopened=True)
    assert (said, thoughts.unclear, thoughts.closed_unopened) == ("Yes.", False, True)


@given(st.sampled_from(UNOPENED), st.lists(st.integers(1, 45), max_size=12))
def test_thoughts_that_are_only_closed_are_noticed_if_it_is_not_known(text: str, cuts: list[int]) -> None:
    said, thoughts = read(text, cuts)
    assert said.endswith("Yes.") and "think" not in said.lower() and "assistantfinal" not in said
    assert thoughts.unclear and thoughts.closed_unopened


@given(st.lists(st.integers(1, 45), max_size=12))
def test_a_model_that_opens_its_thoughts_this_once_is_understood_too(cuts: list[int]) -> None:
    assert read("<think>Hm.</think> Yes.", cuts, unopened=True)[0] == "Yes."


def test_an_answer_held_back_in_vain_is_given_and_said_to_be_unclear() -> None:
    said, thoughts = read("It is ten.", [3], unopened=True)
    assert said == "It is ten." and thoughts.unclear
    said, thoughts = read("The user asks for", [3], unopened=True, cut_off=True)
    assert said == "" and thoughts.thought and not thoughts.unclear, "cut off in the middle of its thoughts"


def test_ordinary_text_never_waits() -> None:
    thoughts = Thoughts()
    for piece in ("I am", " an assistant", ", and", " 1 < 2", " [1]", "."):
        assert thoughts.push(piece) == piece

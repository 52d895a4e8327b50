"""Whether a reply is right, by the rule that its corpus names. docs/quality.md has every rule with examples.

The rules read the reply's text as words (`firstpacket.bench.quality.wer`), and never guess: a reply that names two
different options, or none, is wrong. They are this project's, and stricter than the language models that judge most
of these corpora elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from firstpacket.bench.corpus.manifest import option_letter
from firstpacket.bench.quality.wer import NUMBER_WORDS, words
from firstpacket.bench.vocabulary import AnswerRule

_PAIRS = (("yes", "no"), ("valid", "invalid"), ("true", "false"))
"""Closed sets of answers: naming both words is no answer."""
_FINAL = re.compile(r"final\s+answer", re.IGNORECASE)
_OPTION = re.compile(r"(?<!\w)\(?([A-Z])[.):]\s")
_ALONE = re.compile(r"[\W_]*(?:option\s+)?([A-Z])[\W_]*", re.IGNORECASE)
_AT_START = re.compile(r"[\W_]*([A-Z])[.):,]")
_NAMED = re.compile(
    r"(?i:\b(?:answer|option|choice|letter)\b(?:[\s:=*]|\b(?:is|are|would|should|must|be|option|choice|letter|the)\b)*)"
    r"[\"'“‘(\[*]*(?:([A-HJ-Z])(?![\w'’])|([a-zI])(?=[.,;:)\]*\"”]|\s*$))"
)


def is_right(rule: AnswerRule, reply: str, answers: Sequence[str], question: str = "") -> bool | None:
    """Whether `reply` is one of the `answers` by `rule`; None if it cannot be judged (`none`, no answer with words).

    `question` is needed by `choice`, to know the options' own words ("A. sea B. sky").
    """
    known = [answer for answer in answers if words(answer)]
    if rule == "none" or not known:
        return None
    return any(_RULES[rule](reply, answer, question) for answer in known)


def _equals(reply: str, answer: str, question: str) -> bool:
    return words(reply) == words(answer)


def _contains(reply: str, answer: str, question: str) -> bool:
    """Never for a single letter: "a" is in nearly every reply."""
    return not option_letter(answer) and _is_within(words(answer), words(reply))


def _choice(reply: str, answer: str, question: str) -> bool:
    return bool(answer) and _letters(reply, question) == {option_letter(answer)}


def _final(reply: str, answer: str, question: str) -> bool:
    """Right if the first of the answer's kind after the last "final answer" is it; else if the reply names no other."""
    announced = list(_FINAL.finditer(reply))
    text = reply[announced[-1].end() :] if announced else reply
    if letter := option_letter(answer):
        return _letters(f"answer {text}" if announced else text, question) == {letter}
    named = _named(words(text), words(answer))
    return named[:1] == [words(answer)] if announced else set(named) == {words(answer)}


_RULES: dict[AnswerRule, Callable[[str, str, str], bool]] = {
    "equals": _equals,
    "contains": _contains,
    "choice": _choice,
    "final": _final,
}


def _named(text: Sequence[str], answer: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What a text names of the answer's closed set (a pair such as yes and no, numbers), in order; else the answer."""
    if all(word in NUMBER_WORDS for word in answer):
        return _runs(text)
    for pair in _PAIRS:
        if len(answer) == 1 and answer[0] in pair:
            return [(word,) for word in _without_negation(text) if word in pair]
    return [answer] if _is_within(answer, text) else []


def _without_negation(text: Sequence[str]) -> Iterable[str]:
    """A text in which "not valid" and "not deductively valid" are "invalid"."""
    return re.sub(r"\bnot (?:(?:deductively|logically) )?valid\b", "invalid", " ".join(text)).split()


def _runs(text: Sequence[str]) -> list[tuple[str, ...]]:
    """Numbers in a text: the longest stretches of number words."""
    marked = " ".join(word if word in NUMBER_WORDS else "|" for word in text)
    return [tuple(run.split()) for run in marked.split("|") if run.split()]


def _letters(reply: str, question: str) -> set[str]:
    """Options that a reply names by their letters ("B", "B. The sea", "the answer is B"), else by their own words."""
    if alone := _ALONE.fullmatch(reply):
        return {alone[1].upper()}
    named = {(upper or lower).upper() for upper, lower in _NAMED.findall(reply)}
    if start := _AT_START.match(reply):
        named.add(start[1])
    return named or _options_in(words(reply), _options(question))


def _options_in(reply: Sequence[str], options: dict[str, tuple[str, ...]]) -> set[str]:
    """Letters of the options whose words are in the reply, except options within a longer one of them."""
    present = {letter: option for letter, option in options.items() if option and _is_within(option, reply)}
    return {
        letter
        for letter, option in present.items()
        if not any(len(other) > len(option) and _is_within(option, other) for other in present.values())
    }


def _options(question: str) -> dict[str, tuple[str, ...]]:
    """Words of a question's options by letter: the last sequence "A. … B. …" in it that has at least two."""
    marks = list(_OPTION.finditer(question))
    starts = [index for index, mark in enumerate(marks) if mark[1] == "A"]
    for start in reversed(starts):
        row: list[re.Match[str]] = []
        for mark in marks[start:]:
            if ord(mark[1]) == ord("A") + len(row):
                row.append(mark)
        if len(row) > 1:
            ends = [*(mark.start() for mark in row[1:]), len(question)]
            return {mark[1]: words(question[mark.end() : end]) for mark, end in zip(row, ends, strict=True)}
    return {}


def _is_within(wanted: Sequence[str], text: Sequence[str]) -> bool:
    """Whether the words are in the text, one directly after another."""
    return f" {' '.join(wanted)} " in f" {' '.join(text)} "

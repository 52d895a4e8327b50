"""Texts as comparable words, and the number of edits between two texts.

Case and punctuation are ignored, and digits are read out in English. A character of a script that is written without
spaces (Han, Kana, Thai, Lao, Burmese, Khmer) is a word of its own, so there the word error rate is the character error
rate, and in mixed texts the mixed error rate of the code-switching literature. Nothing else is normalised:
contractions, spellings, ordinals ("3rd") and units count as written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

VERSION = 1
"""Version of these rules; raise it if the same texts give other words."""
LONGEST = 5000
"""The longest text that is compared, in words; clips have at most 60 s, so longer texts are garbage."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_CHARACTER = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_APOSTROPHES = dict.fromkeys(map(ord, "'\u2018\u2019\u02bc`\u00b4"))
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_DIGITS = re.compile(r"\d+")
_UNDER_20 = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBER_WORDS = frozenset((*_UNDER_20, *_TENS, "hundred", "thousand"))
"""The words for digits."""


def words(text: str) -> tuple[str, ...]:
    """The words of a text: NFKC, case-folded, digits read out; only letters, marks and numbers."""
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHES)
    plain = _POINT.sub(" point ", _THOUSANDS.sub("", plain))
    plain = _DIGITS.sub(lambda found: f" {_read_out(found[0])} ", plain)
    return tuple(_WORD.findall("".join(mark if unicodedata.category(mark)[0] in "LMN" else " " for mark in plain)))


def is_character(word: str) -> bool:
    """Whether the word is a character of a script without spaces."""
    return _CHARACTER.fullmatch(word) is not None


def edits(reference: Sequence[str], heard: Sequence[str]) -> int:
    """The smallest number of substitutions, deletions and insertions (Levenshtein 1966; Wagner and Fischer 1974).

    Raises `ValueError` for texts of more than `LONGEST` words.
    """
    if max(len(reference), len(heard)) > LONGEST:
        raise ValueError(f"texts of more than {LONGEST} words are not compared")
    number = {word: place for place, word in enumerate({*reference, *heard})}
    others = np.array([number[word] for word in heard], dtype=np.intp)
    columns = np.arange(len(heard) + 1)
    row = columns
    for place, word in enumerate(reference, start=1):
        changed = np.minimum(row[1:] + 1, row[:-1] + (others != number[word]))
        # An inserted word costs one more than the cell to the left: a running minimum once the slope is taken out.
        row = np.minimum.accumulate(np.concatenate(([place], changed)) - columns) + columns
    return int(row[-1])


def errors(reference: str, heard: str) -> tuple[int, int]:
    """Edits between two texts, and words of the first; (0, 0), which is no comparison, for texts that are too long."""
    wanted, got = words(reference), words(heard)
    return (0, 0) if max(len(wanted), len(got)) > LONGEST else (edits(wanted, got), len(wanted))


def _read_out(digits: str) -> str:
    """An English number of up to six digits, a year as two pairs; longer ones and codes digit by digit."""
    if len(digits) > 6 or (digits[0] == "0" and len(digits) > 1):
        return " ".join(_UNDER_20[int(digit)] for digit in digits)
    number = int(digits)
    if 1100 <= number < 2000 and number % 100 >= 10:
        return f"{_below_thousand(number // 100)} {_below_thousand(number % 100)}"
    thousands, rest = divmod(number, 1000)
    said = [f"{_below_thousand(thousands)} thousand"] if thousands else []
    return " ".join(said + ([_below_thousand(rest)] if rest or not thousands else []))


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    said = [f"{_UNDER_20[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        said.append(_TENS[rest // 10])
        rest %= 10
    return " ".join(said + ([_UNDER_20[rest]] if rest or not said else []))

"""What a topic of the small world is: facts, and the wordings in which any of them can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Fact = Mapping[str, str]
"""What the places in braces stand for, for example `{"thing": "snow", "color": "white"}`."""

NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)


@dataclass(frozen=True, slots=True)
class Topic:
    """Every fact can be asked for in every wording; the response is the same in all of them."""

    name: str
    response: str
    wordings: tuple[str, ...]
    facts: tuple[Fact, ...]


def sentence(pattern: str, fact: Fact) -> str:
    """The pattern with its places filled in, beginning with a capital."""
    filled = pattern.format_map(fact)
    return filled[0].upper() + filled[1:]


def pairs(first: str, second: str, lines: str) -> tuple[Fact, ...]:
    """Facts from text: one per line, `FIRST: SECOND`."""
    split = (line.partition(":") for line in lines.strip().splitlines())
    return tuple({first: one.strip(), second: other.strip()} for one, _, other in split)

"""The default weights of a system. Imports nothing heavy: declarations are read without any library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

from firstpacket.bench.pipeline import Option, OptionValue

DEMO, DUMMY = "demo", "dummy"
DEFAULT = DEMO
"""The default weights."""

WEIGHTS = "weights"

Origin = Literal["demo", "dummy", "published"]


def origin(weights: str, model: str) -> Origin:
    """Where a part's weights come from: a `model` that was named wins, and may be named demo."""
    if DEMO in (model, weights if not model else ""):
        return "demo"
    return "published" if model or weights == "published" else "dummy"


def settled(options: Iterable[Option], chosen: Mapping[str, OptionValue]) -> tuple[Option, ...]:
    """Options with the defaults that follow from those that were chosen.

    `weights` is the default of every part without an option of its own (`asr-weights`); a chosen size
    (`asr-size`) says dummy, as nothing else has a choice of sizes.
    """
    asked = str(chosen.get(WEIGHTS, DEFAULT))
    return tuple(_settled(option, asked, chosen) for option in options)


def _settled(option: Option, asked: str, chosen: Mapping[str, OptionValue]) -> Option:
    part, weights, rest = option.name.rpartition(WEIGHTS)
    default = DUMMY if f"{part}size" in chosen else asked
    if not weights or rest or (option.choices and default not in option.choices):
        return option
    return replace(option, default=default)

"""The fields of a model's configuration; errors name the field that is missing, malformed or not supported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from firstpacket.bench.errors import WeightsError


class Fields:
    """Fields of a JSON object (or of a dictionary stored with tensors) in the file `where`."""

    def __init__(self, json: Mapping[str, Any], where: str) -> None:
        self.json = json
        self.where = where

    def value(self, name: str) -> Any:
        """A field that must be there. Raises `WeightsError`."""
        if self.json.get(name) is None:
            raise WeightsError(
                f"{self.where} has no field '{name}'. The file may be incomplete or belong to another model."
            )
        return self.json[name]

    def whole(self, name: str, default: int | None = None, least: int = 1) -> int:
        """A whole number of `least` or more; without a `default` it must be there. Raises `WeightsError`."""
        if default is not None and self.json.get(name) is None:
            return default
        return self._whole(name, self.value(name), least)

    def number(self, name: str, default: float | None = None) -> float:
        """A number above 0; without a `default` it must be there. Raises `WeightsError`."""
        value = default if default is not None and self.json.get(name) is None else self.value(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
            raise self.unlike(name, value, "a number above 0")
        return float(value)

    def wholes(self, name: str, least: int = 1) -> tuple[int, ...]:
        """A list of whole numbers; one number alone counts as a list. Raises `WeightsError`."""
        value = self.value(name)
        return tuple(self._whole(name, number, least) for number in (value if isinstance(value, list) else [value]))

    def lists(self, name: str) -> tuple[tuple[int, ...], ...]:
        """A list of lists of whole numbers. Raises `WeightsError`."""
        value = self.value(name)
        if not isinstance(value, list):
            raise self.unlike(name, value, "a list of lists")
        return tuple(Fields({name: inner}, self.where).wholes(name) for inner in value)

    def inner(self, name: str) -> Fields:
        """The fields of a field. Raises `WeightsError`."""
        value = self.value(name)
        if not isinstance(value, Mapping):
            raise self.unlike(name, value, "an object")
        return Fields(value, self.where)

    def only(self, **built: str | int | bool) -> None:
        """Reject unsupported variants: each of these fields, if present, must have the only supported value.

        Raises `WeightsError` naming field and value.
        """
        for name, supported in built.items():
            value = self.json.get(name)
            # null, "" and [] say "none" as false does, and a number may be written as text.
            if value is None or (not value and not supported) or str(value) == str(supported):
                continue
            raise WeightsError(f"{self.where}: {name} is {value!r}, but only {supported!r} is supported.")

    def agree(self, name: str, other: int, what: str) -> None:
        """Reject a number that differs from `other`, which `what` describes. Raises `WeightsError`."""
        if self.json.get(name, other) != other:
            raise WeightsError(
                f"{self.where}: {name} is {self.json[name]!r}, but {what} {other}. The files do not belong together."
            )

    def unlike(self, name: str, value: object, expected: str) -> WeightsError:
        """The error for an invalid value of a field."""
        return WeightsError(f"{self.where}: {name} is {value!r}, but it should be {expected}.")

    def _whole(self, name: str, value: object, least: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.unlike(name, value, f"a whole number of {least} or more")
        return value

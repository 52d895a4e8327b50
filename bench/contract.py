"""Results as public JSON: `--json`, `bench export`, `gate.json`, the report.

A result is its JSON: every field of the frozen dataclass under its own name, and every property marked `@computed`.
What the fields' docstrings say is what the JSON means. Absent figures are null, never left out; infinity, for which
JSON has no number, is the text "infinite"; moments are ISO 8601.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, get_type_hints, overload

Owner = TypeVar("Owner")
Value = TypeVar("Value")

SCHEMA = 2
"""Schema of all documents written here. Fields may be added within a schema; removing one or changing its meaning "
"bumps it."""
INFINITE = "infinite"


@dataclasses.dataclass(frozen=True, slots=True)
class Keyed:
    """`Annotated[tuple[Kind, ...], Keyed("name")]`: an object in the JSON, each result under this attribute of its."""

    attribute: str


_OMITTED = object()
Omitted = Annotated[Value, _OMITTED]
"""A field that is not part of the JSON: a result's inputs, or what only the charts need."""


class computed(Generic[Owner, Value]):  # noqa: N801 - used as `property` is
    """A property that is also part of the JSON."""

    def __init__(self, of: Callable[[Owner], Value]) -> None:
        self.of = of
        self.__doc__ = of.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> computed[Owner, Value]: ...
    @overload
    def __get__(self, owner: Owner, kind: type) -> Value: ...
    def __get__(self, owner: Owner | None, kind: type) -> computed[Owner, Value] | Value:
        """The value, or on the class the descriptor itself."""
        return self if owner is None else self.of(owner)


def document(kind: str, result: Any) -> dict[str, Any]:
    """JSON values of a result under what says which contract it keeps to."""
    head = {"schema": SCHEMA, "kind": f"firstpacket.{kind}", "time_unit": "ms"}
    return {**head, **as_json(result), **head}  # a result stored in a file may have its own schema


def written(kind: str, result: Any) -> str:
    """A document as it is printed and written."""
    return text(document(kind, result))


def text(values: Any) -> str:
    """JSON values as they are printed and written."""
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_json(value: Any) -> Any:
    """Plain JSON values for a result, or for any value its fields may have."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _result(value)
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(each) for each in value]
    if isinstance(value, float) and math.isinf(value):
        return INFINITE
    return value.isoformat() if isinstance(value, datetime) else value


def _result(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    kind: Any = type(value)
    for name, keys in fields(kind).items():
        inner = getattr(value, name)
        found[name] = {str(getattr(each, keys)): as_json(each) for each in inner} if keys else as_json(inner)
    return found


@cache
def fields(kind: Any) -> dict[str, str]:
    """The fields of a result's JSON, computed ones last, each with the attribute that its results are keyed by."""
    notes = {
        name: getattr(hint, "__metadata__", ()) for name, hint in get_type_hints(kind, include_extras=True).items()
    }
    own = [field.name for field in dataclasses.fields(kind) if _OMITTED not in notes[field.name]]
    keys = {name: next((note.attribute for note in notes[name] if isinstance(note, Keyed)), "") for name in own}
    return keys | {name: "" for name, each in vars(kind).items() if isinstance(each, computed)}

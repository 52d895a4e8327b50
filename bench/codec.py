"""Dataclasses to and from plain JSON values, strictly.

Used wherever something comes from outside: manifests, run folders, worker messages. A wrong type, a missing or an
unknown field is a `DecodeError` that names its path; nothing is guessed or dropped. Decoders are compiled once per
class.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar, Union

T = TypeVar("T")
LARGEST = 2**63 - 1
SCALARS = (int, float, str, bool, type(None))

Place = str | tuple["Place", str | int]
"""Path of a value: a text, or its container's path and its key there. Formatted for errors only."""
Decoder = Callable[[Any, Place], Any]


class DecodeError(ValueError):
    """Raised when a value does not have the declared shape; the message names its path."""


def decode(kind: type[T], value: Any, where: str = "") -> T:
    """Build a `kind` (a dataclass, or anything its fields may be) from JSON values. Raises `DecodeError`."""
    return typing.cast(T, _decoder(typing.cast(Any, kind))(value, where or getattr(kind, "__name__", str(kind))))


def encode(value: Any) -> Any:
    """JSON values for a dataclass; tuples become lists. Fields that equal an empty default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: encode(inner)
            for item in dataclasses.fields(value)
            if not _is_empty_default(item, inner := getattr(value, item.name))
        }
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    return value


def _is_empty_default(item: dataclasses.Field[Any], value: Any) -> bool:
    if item.default is not dataclasses.MISSING:
        is_empty = value is None or (isinstance(value, (str, tuple)) and not value)
        return is_empty and item.default == value
    return False


@cache
def _decoder(kind: Any) -> Decoder:
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(typing.cast(type, kind))
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin is Literal:
        return _literal(arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _sequence(arguments[0])
    if origin is tuple:
        return _fixed_tuple(arguments)
    if origin in (dict, Mapping) or getattr(origin, "__name__", "") == "Mapping":
        return _mapping(arguments[1])
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _enum(kind)
    if kind is Any:
        return lambda value, where: value
    if kind in SCALARS:
        return _scalar(kind)
    raise TypeError(f"No decoder for {kind!r}")


def _scalar(kind: type) -> Decoder:
    if kind in (int, float):
        return _number(kind)

    def check(value: Any, where: Place) -> Any:
        if type(value) is kind:
            return value
        raise _unexpected(value, kind, where)

    return check


def _number(kind: type) -> Decoder:
    def check(value: Any, where: Place) -> Any:
        given = type(value)
        if given is not kind and given not in (int, float):
            raise _unexpected(value, kind, where)
        if not -LARGEST <= value <= LARGEST:
            if given is float and not math.isfinite(value):
                raise DecodeError(f"{_text(where)}: expected a finite number, found {value}")
            raise DecodeError(f"{_text(where)}: the number is too large")
        if given is kind:
            return value
        if kind is float:
            return float(value)
        raise _unexpected(value, kind, where)

    return check


def _unexpected(value: Any, kind: type, where: Place) -> DecodeError:
    return DecodeError(f"{_text(where)}: expected {_name(kind)}, found {_describe(value)}")


def _literal(choices: tuple[Any, ...]) -> Decoder:
    def check(value: Any, where: Place) -> Any:
        if value not in choices:
            raise DecodeError(
                f"{_text(where)}: expected one of {', '.join(map(str, choices))}, found {_describe(value)}"
            )
        return value

    return check


def _enum(kind: type[StrEnum]) -> Decoder:
    known = {member.value: member for member in kind}
    check_name = _literal(tuple(known))
    return lambda value, where: known[check_name(value, where)]


def _union(kinds: tuple[Any, ...]) -> Decoder:
    by_type = {kind: _decoder(kind) for kind in kinds if kind in SCALARS}

    def check(value: Any, where: Place) -> Any:
        if (known := by_type.get(type(value))) is not None:
            return known(value, where)
        errors = []
        for kind in kinds:
            if kind is type(None):
                continue
            try:
                return _decoder(kind)(value, where)
            except DecodeError as error:
                errors.append(str(error))
        raise DecodeError(" or ".join(errors))

    return check


def _sequence(kind: Any) -> Decoder:
    inner = _decoder(kind)

    def check(value: Any, where: Place) -> Any:
        if not isinstance(value, (list, tuple)):
            raise DecodeError(f"{_text(where)}: expected a list, found {_describe(value)}")
        return tuple([inner(item, (where, index)) for index, item in enumerate(value)])

    return check


def _fixed_tuple(kinds: tuple[Any, ...]) -> Decoder:
    inner = [_decoder(kind) for kind in kinds]

    def check(value: Any, where: Place) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) != len(inner):
            raise DecodeError(f"{_text(where)}: expected a list of {len(inner)}, found {_describe(value)}")
        return tuple(step(item, (where, index)) for index, (step, item) in enumerate(zip(inner, value, strict=True)))

    return check


def _mapping(kind: Any) -> Decoder:
    inner = _decoder(kind)

    def check(value: Any, where: Place) -> Any:
        if not isinstance(value, dict):
            raise DecodeError(f"{_text(where)}: expected an object, found {_describe(value)}")
        for key in value:
            if type(key) is not str:
                raise DecodeError(f"{_text(where)}: expected text as key, found {_describe(key)}")
        return {key: inner(item, (where, key)) for key, item in value.items()}

    return check


def _dataclass(kind: type) -> Decoder:
    hints = typing.get_type_hints(kind)
    fields = [item for item in dataclasses.fields(kind) if item.init]
    required = {
        item.name
        for item in fields
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    }
    names = {item.name for item in fields}
    steps: dict[str, Decoder] = {}

    def check(value: Any, where: Place) -> Any:
        if not isinstance(value, dict):
            raise DecodeError(f"{_text(where)}: expected an object, found {_describe(value)}")
        given = value.keys()
        if unknown := given - names:
            raise DecodeError(
                f"{_text(where)}: unknown field '{min(unknown, key=str)}' (known: {', '.join(sorted(names))})"
            )
        if missing := required - given:
            raise DecodeError(f"{_text(where)}: field '{min(missing)}' is missing")
        if not steps:  # resolved lazily, so that classes may refer to one another
            steps.update({name: _decoder(hints[name]) for name in names})
        return kind(**{name: steps[name](item, (where, name)) for name, item in value.items()})

    return check


def _text(where: Place) -> str:
    if isinstance(where, str):
        return where
    container, key = where
    return f"{_text(container)}[{key}]" if isinstance(key, int) else f"{_text(container)}.{key}"


def _name(kind: type) -> str:
    return {int: "a whole number", float: "a number", str: "text", bool: "true or false"}.get(kind, kind.__name__)


def _describe(value: Any) -> str:
    text = repr(value)
    return f"{_name(type(value))} {text[:60]}{'…' if len(text) > 60 else ''}"

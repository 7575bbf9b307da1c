"""Frozen dataclasses to plain JSON values and back, strictly: what does not fit is an error, never a guess.

One canonical byte form (sorted keys, no spaces, UTF-8, no NaN), so that a digest or a signature of it means something.
Types come from this program's own annotations, never from the data: nothing that is read can choose what is built.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import json
import math
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


class PlainError(ValueError):
    """The value does not have the declared shape."""


def canonical_json(value: Any) -> bytes:
    """The one byte form of a JSON value."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise PlainError(f"not a JSON value: {error}") from error


def strict_json(data: bytes) -> Any:
    """Parse JSON; duplicate keys, NaN, Infinity, bad UTF-8 and too deep nesting are refused with ``PlainError``."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise PlainError("a key is given twice")
        return found

    def no_constant(name: str) -> Any:
        raise PlainError(f"{name} is not a JSON number")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=no_constant)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise PlainError(f"not JSON: {error}") from error


def to_plain(value: Any, digits: int | None = None) -> Any:
    """Dataclasses, enums, tuples and mappings to dicts, lists and scalars; floats rounded to ``digits`` where given."""
    if value is None or isinstance(value, (bool, str)) and not isinstance(value, Enum):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise PlainError("NaN and infinity cannot be written")
        rounded = value if digits is None else round(value, digits)
        return rounded + 0.0  # -0.0 becomes 0.0: one byte form per number
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name), digits) for f in dataclasses.fields(value)}
    if isinstance(value, collections.abc.Mapping):
        return {str(k): to_plain(v, digits) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(v, digits) for v in value]
    raise PlainError(f"a {type(value).__name__} cannot be written")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def from_plain(kind: type[T], value: Any) -> T:
    """Build a ``kind`` from plain values. Raises ``PlainError`` naming what does not fit; unknown keys do not fit."""
    return typing.cast(T, _build(kind, value, getattr(kind, "__name__", "value")))


def _build(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _build_union(kind, value, where)
    if origin is tuple:
        return _build_tuple(typing.get_args(kind), value, where)
    if origin in (collections.abc.Mapping, dict):
        if not isinstance(value, dict):
            raise PlainError(f"{where}: a table is needed")
        item = typing.get_args(kind)[1]
        return {k: _build(item, v, f"{where}.{k}") for k, v in value.items()}
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    return _build_scalar(kind, value, where)


def _build_union(kind: Any, value: Any, where: str) -> Any:
    options = typing.get_args(kind)
    if value is None and type(None) in options:
        return None
    error: PlainError | None = None
    for option in options:
        if option is type(None):
            continue
        try:
            return _build(option, value, where)
        except PlainError as one:
            error = one
    raise error or PlainError(f"{where}: nothing fits")


def _build_tuple(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, list):
        raise PlainError(f"{where}: a list is needed")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_build(args[0], v, f"{where}[{n}]") for n, v in enumerate(value))
    if len(args) != len(value):
        raise PlainError(f"{where}: {len(args)} items are needed, there are {len(value)}")
    return tuple(_build(a, v, f"{where}[{n}]") for n, (a, v) in enumerate(zip(args, value, strict=True)))


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise PlainError(f"{where}: a table is needed")
    fields = {f.name for f in dataclasses.fields(kind) if f.init}
    unknown = sorted(set(value) - fields)
    if unknown:
        raise PlainError(f"{where}: unknown key {unknown[0]}")
    hints = _hints(kind)
    try:
        return kind(**{k: _build(hints[k], v, f"{where}.{k}") for k, v in value.items()})
    except PlainError:
        raise
    except (TypeError, ValueError) as error:
        raise PlainError(f"{where}: {error}") from error


def _build_scalar(kind: Any, value: Any, where: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError as error:
            raise PlainError(f"{where}: unknown word") from error
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise PlainError(f"{where}: a finite number is needed")
        return float(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind in (str, bool) and isinstance(value, kind):
        return value
    raise PlainError(f"{where}: {getattr(kind, '__name__', kind)} is needed")

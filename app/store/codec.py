"""Frozen dataclasses to JSON and back: typed, strict, without pickle.

A field that equals its default may be left out (``compact``); an unknown field, a wrong type or a missing value is an error.
Bytes are base64; arrays, and fields of many points, are ``{"dtype", "shape", "zlib"}``, little-endian, C order; NaN and
infinities of float fields are the strings "NaN", "Infinity", "-Infinity".
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import itertools
import json
import math
import types
import typing
import zlib
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
Decoder = Callable[[Any], Any]
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_ARRAY_KINDS = "biufc"
_AS_THEY_ARE = frozenset({str, int, bool, type(None)})
MANY_POINTS = 200
"""A field of so many tuples of floats is written as an array: text of numbers holds the interpreter while it is made."""


class CodecError(ValueError):
    """What was stored does not fit the class. Names the field, never a value."""


def dumps(value: Any, *, compact: bool = False) -> str:
    """JSON text, keys in field order."""
    return json.dumps(encode(value, compact=compact), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def loads(kind: type[T], text: str | bytes) -> T:
    """From JSON text. Raises :class:`CodecError`."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise CodecError("not JSON") from None
    return decode(kind, data)


def pack(value: Any) -> bytes:
    """Compressed compact JSON for large bodies such as a series."""
    return zlib.compress(dumps(value, compact=True).encode(), 1)


def unpack(kind: type[T], blob: bytes) -> T:
    """From what ``pack`` made. Raises :class:`CodecError`."""
    try:
        text = zlib.decompress(blob)
    except zlib.error:
        raise CodecError("not a packed body") from None
    return loads(kind, text)


def encode(value: Any, *, compact: bool = False) -> Any:
    """JSON-able form of a dataclass, enum, tuple, mapping, array, bytes or plain value."""
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is float:
        return _encode_float(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, str | int | float):  # a subclass, such as numpy's float64 or pydicom's numbers
        return encode(str(value) if isinstance(value, str) else int(value) if isinstance(value, int) else float(value))
    if dataclasses.is_dataclass(kind):
        return {
            name: _encode_points(item) if of_points and _many_points(item) else encode(item, compact=compact)
            for name, default, of_points in _fields(kind)
            for item in (getattr(value, name),)
            if not (compact and _same(item, default))
        }
    if isinstance(value, tuple | list):
        return [encode(item, compact=compact) for item in value]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise CodecError("a mapping needs text keys")
        return {str(key): encode(item, compact=compact) for key, item in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if isinstance(value, np.generic):
        return encode(value.item(), compact=compact)
    raise CodecError(f"cannot write a {type(value).__name__}")


def decode(kind: type[T], data: Any) -> T:
    """Builds ``kind`` from JSON-able data; its own checks run too. Raises :class:`CodecError`."""
    return typing.cast(T, _decoder(typing.cast(Hashable, kind))(data))


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, Any, bool], ...]:
    """(name, default, holds points) of each."""
    found = []
    try:
        hints = typing.get_type_hints(kind)
    except NameError:
        hints = {}  # names that only the type checker sees: such a class is written, never read
    for field in dataclasses.fields(kind):
        default = field.default
        if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found.append((field.name, default, _width_of_points(hints.get(field.name)) > 0))
    return tuple(found)


def _width_of_points(hint: Any) -> int:
    """How many numbers each point of such a field has; 0 where it holds none."""
    members = typing.get_args(hint)
    if typing.get_origin(hint) is not tuple or len(members) != 2 or members[1] is not Ellipsis:
        return 0
    numbers = typing.get_args(members[0])
    return len(numbers) if typing.get_origin(members[0]) is tuple and set(numbers) == {float} else 0


def _many_points(value: Any) -> bool:
    if type(value) is not tuple or len(value) < MANY_POINTS:
        return False
    alike = set(map(type, value)) == {tuple} and len(set(map(len, value))) == 1
    return alike and set(map(type, itertools.chain.from_iterable(value))) == {float}


def _encode_points(points: tuple[tuple[float, ...], ...]) -> dict[str, Any]:
    width = len(points[0])
    flat = np.fromiter(itertools.chain.from_iterable(points), np.float64, len(points) * width)
    return _encode_array(flat.reshape(len(points), width))


def _decode_points(data: Any, width: int) -> tuple[tuple[float, ...], ...]:
    array = _decode_array(data)
    if array.dtype.kind != "f" or array.ndim != 2 or array.shape[1] != width:
        raise CodecError(f"expected points of {width} numbers")
    return tuple(map(tuple, array.tolist()))


def _same(item: Any, default: Any) -> bool:
    if isinstance(item, np.ndarray) or default is dataclasses.MISSING:
        return False
    return type(item) is type(default) and bool(item == default)


def _encode_float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _encode_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    if array.dtype.kind not in _ARRAY_KINDS:
        raise CodecError(f"cannot write an array of {array.dtype}")
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return {
        "dtype": little.dtype.str,
        "shape": list(array.shape),
        "zlib": base64.b64encode(zlib.compress(little.tobytes(), 1)).decode(),
    }


def _decode_array(data: Any) -> np.ndarray[Any, Any]:
    if not isinstance(data, dict) or set(data) != {"dtype", "shape", "zlib"}:
        raise CodecError("an array needs dtype, shape and zlib")
    try:
        dtype = np.dtype(str(data["dtype"]))
        shape = tuple(_whole(n) for n in data["shape"])
        if dtype.kind not in _ARRAY_KINDS or any(n < 0 for n in shape):
            raise CodecError("an array of an unknown kind")
        wanted = math.prod(shape) * dtype.itemsize
        # No more is unpacked than the array says that it holds.
        raw = zlib.decompressobj().decompress(base64.b64decode(data["zlib"], validate=True), wanted + 1)
        if len(raw) != wanted:
            raise CodecError("an array has another size than it says")
        return np.frombuffer(raw, dtype).reshape(shape).copy()
    except (TypeError, ValueError, OverflowError, SyntaxError, zlib.error) as error:
        raise CodecError("an array that cannot be read") from error


# -- decoders, built once per type


@functools.cache
def _decoder(hint: Hashable) -> Decoder:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(typing.get_args(hint))
    if origin is tuple:
        return _tuple(typing.get_args(hint))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(typing.get_args(hint)[1])
    if origin is np.ndarray:
        return _decode_array
    if hint is Any:
        return lambda data: data
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enum(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _dataclass(hint)
    raise CodecError(f"no reading for {hint}")


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise CodecError(f"expected text, found {type(data).__name__}")
    return data


def _whole(data: Any) -> int:
    if not isinstance(data, int) or isinstance(data, bool):
        raise CodecError(f"expected a whole number, found {type(data).__name__}")
    return data


def _number(data: Any) -> float:
    if isinstance(data, str) and data in _SPECIAL:
        return _SPECIAL[data]
    if not isinstance(data, int | float) or isinstance(data, bool):
        raise CodecError(f"expected a number, found {type(data).__name__}")
    try:
        return float(data)
    except OverflowError:
        raise CodecError("a number too large") from None


def _truth(data: Any) -> bool:
    if not isinstance(data, bool):
        raise CodecError(f"expected true or false, found {type(data).__name__}")
    return data


def _bytes(data: Any) -> bytes:
    try:
        return base64.b64decode(_text(data), validate=True)
    except ValueError:
        raise CodecError("expected base64") from None


def _nothing(data: Any) -> None:
    if data is not None:
        raise CodecError(f"expected nothing, found {type(data).__name__}")


_PLAIN: dict[Any, Decoder] = {
    str: _text,
    int: _whole,
    float: _number,
    bool: _truth,
    bytes: _bytes,
    type(None): _nothing,
}


def _union(members: tuple[Any, ...]) -> Decoder:
    # Text before numbers, whole numbers before fractions: what was written comes back as it was.
    order = {type(None): 0, bool: 1, str: 2, int: 3, float: 4}
    decoders = [_decoder(m) for m in sorted(members, key=lambda m: order.get(m, 5))]
    if len(decoders) == 2 and type(None) in members:
        inner = decoders[1]
        return lambda data: None if data is None else inner(data)

    def read(data: Any) -> Any:
        for decoder in decoders:
            try:
                return decoder(data)
            except CodecError:
                continue
        raise CodecError(f"{type(data).__name__} fits none of the allowed types")

    return read


def _tuple(members: tuple[Any, ...]) -> Decoder:
    if len(members) == 2 and members[1] is Ellipsis:
        inner = _decoder(members[0])
        width = _width_of_points(tuple[members])  # type: ignore[valid-type]

        def read_any(data: Any) -> tuple[Any, ...]:
            if width and isinstance(data, dict):
                return _decode_points(data, width)
            if not isinstance(data, list):
                raise CodecError(f"expected a list, found {type(data).__name__}")
            return tuple([inner(item) for item in data])

        return read_any
    inners = [_decoder(m) for m in members]

    def read_fixed(data: Any) -> tuple[Any, ...]:
        if not isinstance(data, list) or len(data) != len(inners):
            raise CodecError(f"expected a list of {len(inners)}")
        return tuple([inner(item) for inner, item in zip(inners, data, strict=True)])

    return read_fixed


def _mapping(value: Any) -> Decoder:
    inner = _decoder(value)

    def read(data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise CodecError(f"expected a mapping, found {type(data).__name__}")
        return {key: inner(item) for key, item in data.items()}

    return read


def _enum(kind: type[enum.Enum]) -> Decoder:
    by_value = {member.value: member for member in kind}

    def read(data: Any) -> enum.Enum:
        try:
            return by_value[data]
        except (KeyError, TypeError):
            raise CodecError(f"not a {kind.__name__}") from None

    return read


def _dataclass(kind: type) -> Decoder:
    hints = typing.get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}
    # Made on first use: a class may refer to itself.
    decoders: dict[str, Decoder] = {}

    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise CodecError(f"expected a {kind.__name__}, found {type(data).__name__}")
        if not decoders:
            decoders.update({name: _decoder(hints[name]) for name in names})
        values = {}
        for key, item in data.items():
            decoder = decoders.get(key)
            if decoder is None:
                raise CodecError(f"{kind.__name__} has no such field")
            try:
                values[key] = decoder(item)
            except CodecError as error:
                raise CodecError(f"{kind.__name__}.{key}: {error}") from None
        try:
            return kind(**values)
        except (TypeError, ValueError, ArithmeticError) as error:
            if isinstance(error, CodecError):
                raise
            raise CodecError(f"{kind.__name__} refuses its values") from error

    return read

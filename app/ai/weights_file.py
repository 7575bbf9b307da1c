"""The safetensors container (a JSON header and raw little-endian tensors), read and written with numpy alone.

Reading is strict: known number types, no gap, no overlap, nothing behind the last tensor, no NaN or infinity.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from app.ai.plain import PlainError, canonical_json, strict_json
from app.domain.problem import fail

Arrays = dict[str, npt.NDArray[np.generic]]

_TYPES: dict[str, np.dtype[Any]] = {
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "BOOL": np.dtype("?"),
}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}
_HEADER_LIMIT_BYTES = 1024 * 1024
_TENSORS_LIMIT = 4096


def write_tensors(arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """The same arrays always give the same bytes (sorted by name)."""
    header: dict[str, object] = {}
    parts: list[bytes] = []
    offset = 0
    for name in sorted(arrays):
        little = np.ascontiguousarray(arrays[name]).reshape(arrays[name].shape)
        dtype = little.dtype.newbyteorder("<")
        if dtype not in _NAMES:
            raise ValueError(f"{name}: {little.dtype} cannot be stored")
        raw = little.astype(dtype, copy=False).tobytes()
        header[name] = {"dtype": _NAMES[dtype], "shape": list(little.shape), "data_offsets": [offset, offset + len(raw)]}
        parts.append(raw)
        offset += len(raw)
    text = canonical_json(header)
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def read_tensors(data: bytes) -> Arrays:
    """Read-only views of ``data`` by name. Raises ``ProblemError`` ``ai.package.bad_weights``."""
    if len(data) < 8:
        raise fail("ai.package.bad_weights")
    (length,) = struct.unpack_from("<Q", data)
    if not 2 <= length <= min(_HEADER_LIMIT_BYTES, len(data) - 8):
        raise fail("ai.package.bad_weights")
    try:
        header = strict_json(data[8 : 8 + length])
    except PlainError as error:
        raise fail("ai.package.bad_weights") from error
    if not isinstance(header, dict) or len(header) > _TENSORS_LIMIT:
        raise fail("ai.package.bad_weights")
    header.pop("__metadata__", None)
    body = memoryview(data)[8 + length :]
    found: Arrays = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        dtype, shape, begin, end = _entry(entry)
        if end > len(body) or end - begin != math.prod(shape) * dtype.itemsize:
            raise fail("ai.package.bad_weights")
        array: npt.NDArray[np.generic] = np.frombuffer(body[begin:end], dtype).reshape(shape)
        if dtype.kind == "f" and not np.isfinite(array).all():
            raise fail("ai.package.weights_not_finite")
        found[name] = array
        spans.append((begin, end))
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            raise fail("ai.package.bad_weights")
        position = end
    if position != len(body):
        raise fail("ai.package.bad_weights")
    return found


def _entry(entry: object) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise fail("ai.package.bad_weights")
    dtype = _TYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    numbers = entry["shape"], entry["data_offsets"]
    for values in numbers:
        if not isinstance(values, list) or any(type(n) is not int or not 0 <= n < 2**40 for n in values):
            raise fail("ai.package.bad_weights")
    if dtype is None or len(numbers[1]) != 2 or numbers[1][0] > numbers[1][1] or len(numbers[0]) > 8:
        raise fail("ai.package.bad_weights")
    return dtype, tuple(numbers[0]), numbers[1][0], numbers[1][1]

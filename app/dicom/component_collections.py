"""JPEG 2000 Part 2 multi-component objects: several frames are the components of one codestream (PS3.5 8.2.4, A.4.5)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.dicom.codecs import imagecodecs_adapter
from app.dicom.codecs.registry import finished
from app.dicom.codecs.stream_info import broken, check_against, cut, jpeg2000_info
from app.domain.pixels import PixelFormat
from app.domain.problem import fail

Array = npt.NDArray[np.generic]

PART_2 = frozenset({"1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93"})
_START = b"\xff\x4f\xff\x51"

Pieces = tuple[tuple[int, int], ...]


def collections_of(places: Pieces, head: Callable[[int, int], bytes]) -> tuple[Pieces, ...]:
    """The fragments of each codestream: one begins wherever a fragment starts with its marker."""
    found: list[list[tuple[int, int]]] = []
    for offset, length in places:
        if head(offset, 4) == _START or not found:
            found.append([])
        found[-1].append((offset, length))
    return tuple(tuple(f) for f in found)


class Collections:
    """Decodes whole collections and keeps the last ones: the next frame is mostly in the same."""

    def __init__(self, limit: int = 3) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], Array] = OrderedDict()

    def frame(self, key: str, frame: int, fmt: PixelFormat, streams: tuple[Callable[[], bytes], ...]) -> Array:
        """Stored values of one frame, (rows, columns). Raises ``ProblemError``."""
        first = 0
        for number, stream in enumerate(streams):
            values = self._collection(key, number, fmt, stream)
            if frame < first + values.shape[2]:
                return finished(np.ascontiguousarray(values[..., frame - first]), fmt)
            first += values.shape[2]
        raise fail("dicom.frames_unclear", kept_safe="kept.original", frames=fmt.frames, fragments=first)

    def _collection(self, key: str, number: int, fmt: PixelFormat, stream: Callable[[], bytes]) -> Array:
        with self._lock:
            found = self._kept.get((key, number))
            if found is not None:
                self._kept.move_to_end((key, number))
                return found
        data = stream()
        info = jpeg2000_info(data)
        if not info.complete:
            raise cut()
        check_against(replace(info, components=1), fmt)
        values = imagecodecs_adapter.jpeg2000(data)
        if values.ndim == 2:
            values = values[..., np.newaxis]
        if values.shape != (fmt.rows, fmt.columns, info.components):
            raise broken("size of the decoded picture")
        with self._lock:
            self._kept[(key, number)] = values
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        return values


component_collections = Collections()

"""Segmentations with many segments: frames are decoded when their slice is looked at, into one plane of numbers.

A whole-body segmentation has a hundred segments over hundreds of slices: as one mask each they take gigabytes and seconds.
Here a voxel holds one number. Only the part of a frame that is not empty is unpacked (packed bits: PS3.5 8.1.1).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.dicom import tags
from app.dicom.frame_decoder import stored_frame
from app.dicom.header import read_raw_of
from app.dicom.native_pixels import clean_bits, stored_dtype
from app.dicom.raw_items import RawDataset
from app.dicom.values import code, text, unsigned
from app.domain.geometry import Point3, VolumeGeometry
from app.domain.label_grid import LabelGrid, Labels
from app.domain.pixels import PixelFormat
from app.domain.ports import ByteSource, Progress, SilentProgress
from app.domain.problem import fail
from app.domain.study import Instance

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
MANY_SEGMENTS = 12
_LARGE = 64 << 20
"""Bytes of masks from which numbers are the better form."""
MAX_VOXELS = 1 << 31
_AT_ONCE = 16 << 20
_PLAIN = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})

_SEGMENTATION_TYPE = 0x00620001
_SEGMENTS = 0x00620002
_NUMBER = 0x00620004
_LABEL = 0x00620005
_MAX_FRACTION = 0x0062000E
_PROPERTY_TYPE = 0x0062000F
_LAB = 0x0062000D
_IDENTIFICATION = 0x0062000A
_REFERENCED = 0x0062000B
_PER_FRAME = 0x52009230
_SHARED = 0x52009229
_WANTED = frozenset({_SEGMENTATION_TYPE, _SEGMENTS, _MAX_FRACTION, _PER_FRAME, _SHARED, tags.SPECIFIC_CHARACTER_SET})


@dataclass(frozen=True)
class LabelSegment:
    """One segment as its object names it."""

    number: int
    label: str
    meaning: str
    lab: tuple[int, int, int] | None
    """Recommended Display CIELab Value, 16-bit numbers as stored."""


@dataclass(frozen=True)
class _Slot:
    k: int
    value: int
    """What is written: the place of the segment from 1; 0 where the frame itself holds segment numbers."""


class LabelPlanes:
    """A ``LabelGrid`` over a Segmentation or Label Map object. Safe to use from several threads."""

    def __init__(
        self,
        instance: Instance,
        source: ByteSource,
        fmt: PixelFormat,
        geometry: VolumeGeometry,
        slots: Sequence[_Slot],
        segments: tuple[LabelSegment, ...],
        threshold: int,
        numbers: npt.NDArray[np.uint16] | None,
    ) -> None:
        self._instance, self._source, self._fmt = instance, source, fmt
        self._geometry = geometry
        self._slots = slots
        self.segments = segments
        self._threshold = threshold
        self._numbers = numbers
        kind = np.uint8 if len(segments) < 256 else np.uint16
        # Zeroed pages cost nothing until they are written: slices that are never looked at take no memory.
        self._labels: Labels = np.zeros(geometry.shape, kind)
        self._by_slice: dict[int, list[int]] = {}
        for n, slot in enumerate(slots):
            self._by_slice.setdefault(slot.k, []).append(n)
        self._under: _Under | None = None
        self._done = np.zeros(geometry.shape[0], bool)
        self._lock = threading.Lock()
        self._overlap = False
        self._asked = 0
        """Slices that wait for the lock; off by one for a moment when two threads ask, never for long."""

    @property
    def geometry(self) -> VolumeGeometry:
        return self._geometry

    @property
    def overlap(self) -> bool:
        """Segments share voxels, as far as slices were made."""
        return self._overlap

    @property
    def complete(self) -> bool:
        return bool(self._done.all())

    @property
    def halved(self) -> bool:
        """Fractions are shown from half of their maximum on."""
        return self._threshold > 1

    def under(self) -> LabelGrid | None:
        return self._under

    @property
    def nbytes(self) -> int:
        return self._labels.nbytes

    def plane(self, k: int) -> Labels:
        """Slice k. Raises ``ProblemError`` with the reason of a frame that cannot be read."""
        if not self._done[k]:
            self._asked += 1
            try:
                with self._lock:
                    if not self._done[k]:
                        for n in self._by_slice.get(k, ()):
                            self._put(n, self._frame(n))
                        self._done[k] = True
            finally:
                self._asked -= 1
        found: Labels = self._labels[k]
        return found

    def whole(self, progress: Progress | None = None) -> Labels:
        """All slices, read in the order of the file. Raises ``ProblemError``."""
        watch = progress if progress is not None else SilentProgress()
        if self._done.all():
            return self._labels
        per_frame = self._packed_bytes()
        step = max(1, _AT_ONCE // per_frame) if per_frame else 1
        count = len(self._slots)
        for first in range(0, count, step):
            if watch.cancelled():
                break
            last = min(first + step, count)
            if all(self._done[self._slots[n].k] for n in range(first, last)):
                continue
            raw = self._packed(first, last) if per_frame else None
            for n in range(first, last):
                # A slice somebody looks at goes before all the others: a lock alone is not fair.
                while self._asked:
                    time.sleep(0.001)
                with self._lock:
                    if self._done[self._slots[n].k]:
                        continue
                    if raw is None:
                        self._put(n, self._frame(n))
                    else:
                        self._put(n, raw[(n - first) * per_frame : (n - first + 1) * per_frame])
            watch.report(last / count, "load")
        else:
            with self._lock:
                self._done[:] = True
        return self._labels

    # -- frames ----------------------------------------------------------------------------------------------------

    def _packed_bytes(self) -> int:
        """Bytes of a frame that lies in the file as it is; 0 where frames have to be decoded."""
        fmt = self._fmt
        bits = fmt.rows * fmt.columns * fmt.bits_allocated
        plain = self._instance.transfer_syntax_uid in _PLAIN and self._instance.pixel_data_offset is not None
        fits = fmt.columns % 8 == 0 if fmt.bits_allocated == 1 else fmt.bits_allocated in (8, 16)
        return bits // 8 if plain and fits and bits % 8 == 0 else 0

    def _packed(self, first: int, last: int) -> memoryview:
        size = self._packed_bytes()
        offset = self._instance.pixel_data_offset or 0
        raw = self._source.read_range(self._instance.locator, offset + first * size, (last - first) * size)
        if len(raw) < (last - first) * size:
            raise fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again")
        return memoryview(raw)

    def _frame(self, n: int) -> memoryview | npt.NDArray[np.generic]:
        if self._packed_bytes():
            return self._packed(n, n + 1)
        return stored_frame(self._instance, n, self._source)

    def _put(self, n: int, frame: memoryview | npt.NDArray[np.generic]) -> None:
        slot, fmt = self._slots[n], self._fmt
        target = self._labels[slot.k]
        if isinstance(frame, memoryview) and fmt.bits_allocated == 1:
            packed = np.frombuffer(frame, np.uint8).reshape(fmt.rows, fmt.columns // 8)
            rows = np.flatnonzero(packed.any(axis=1))
            if not rows.size:
                return
            packed = packed[rows[0] : rows[-1] + 1]
            columns = np.flatnonzero(packed.any(axis=0))
            packed = packed[:, columns[0] : columns[-1] + 1]
            bits = np.unpackbits(packed, axis=1, bitorder="little")
            box = (slot.k, slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]) * 8, (int(columns[-1]) + 1) * 8))
            self._merge(box, bits, slot.value)
            return
        if isinstance(frame, memoryview):
            frame = clean_bits(np.frombuffer(frame, stored_dtype(fmt).newbyteorder("<")).copy(), fmt)
            frame = frame.reshape(fmt.rows, fmt.columns)
        if slot.value:
            whole = (slot.k, slice(None), slice(None))
            self._merge(whole, np.greater_equal(frame, self._threshold).astype(np.uint8), slot.value)
            return
        assert self._numbers is not None
        np.copyto(target, self._numbers[np.minimum(frame.astype(np.int64), len(self._numbers) - 1)], casting="unsafe")

    def _merge(self, box: tuple[int, slice, slice], bits: npt.NDArray[np.uint8], value: int) -> None:
        """The higher place wins and the one it covers goes below, in whatever order frames come."""
        target = self._labels[box]
        made = np.multiply(bits, value, dtype=target.dtype)
        shared = (target != 0) & (made != 0) & (target != value)
        if shared.any():
            self._overlap = True
            if self._under is None:
                self._under = _Under(self, np.zeros_like(self._labels))
            below = self._under.labels[box]
            np.maximum(below, np.where(shared, np.minimum(target, made), 0), out=below, casting="unsafe")
        np.maximum(target, made, out=target)


class _Under:
    """The segments below: made together with those on top."""

    def __init__(self, top: LabelPlanes, labels: Labels) -> None:
        self._top, self.labels = top, labels

    @property
    def geometry(self) -> VolumeGeometry:
        return self._top.geometry

    @property
    def complete(self) -> bool:
        return self._top.complete

    def plane(self, k: int) -> Labels:
        self._top.plane(k)
        found: Labels = self.labels[k]
        return found

    def whole(self) -> Labels:
        self._top.whole()
        return self.labels

    def under(self) -> LabelGrid | None:
        return None


def is_large(instance: Instance) -> bool:
    """Whether a segmentation is better read as numbers than as one mask a segment."""
    fmt = instance.pixel_format
    if fmt is None or instance.sop_class_uid not in (SEGMENTATION, LABEL_MAP):
        return False
    return instance.sop_class_uid == LABEL_MAP or fmt.rows * fmt.columns * fmt.frames > _LARGE


def open_label_planes(instance: Instance, source: ByteSource) -> LabelPlanes:
    """Reads the header only. Raises ``overlay.too_large``, ``overlay.no_place`` or why the object cannot be read."""
    fmt = instance.pixel_format
    if fmt is None or fmt.samples_per_pixel != 1 or not instance.frames:
        raise fail("dicom.no_pixels")
    raw = read_raw_of(instance, source, _WANTED).dataset
    segments = _segments(raw)
    geometry, places = _grid(instance, fmt)
    if int(np.prod(geometry.shape, dtype=np.int64)) > MAX_VOXELS:
        raise fail("overlay.too_large")
    place_of = {s.number: n for n, s in enumerate(segments, 1)}
    label_map = instance.sop_class_uid == LABEL_MAP
    numbers = None
    if label_map:
        table = np.zeros(max([*place_of, 0]) + 2, np.uint16)
        for number, place in place_of.items():
            table[number] = place
        numbers = table
        slots = [_Slot(k, 0) for k in places]
    else:
        slots = [_Slot(k, place_of.get(number, 0)) for k, number in zip(places, _referenced(raw, fmt.frames), strict=True)]
        if not all(s.value for s in slots):
            raise fail("overlay.unreadable", error="segment number")
    threshold = 1
    if code(raw, _SEGMENTATION_TYPE) == "FRACTIONAL":
        threshold = max(1, ((unsigned(raw, _MAX_FRACTION) or 255) + 1) // 2)
    return LabelPlanes(instance, source, fmt, geometry, slots, segments, threshold, numbers)


def _segments(raw: RawDataset) -> tuple[LabelSegment, ...]:
    found = {}
    for item in raw.items(_SEGMENTS):
        number = unsigned(item, _NUMBER)
        if number is None:
            continue
        kind = item.first(_PROPERTY_TYPE)
        meaning = text(kind, tags.CODE_MEANING) if kind is not None else ""
        lab = item.raw(_LAB)
        order = "<u2" if item.little else ">u2"
        values = tuple(int(v) for v in np.frombuffer(lab[:6], order)) if len(lab) == 6 else ()
        colour = (values[0], values[1], values[2]) if len(values) == 3 else None
        found[number] = LabelSegment(number, text(item, _LABEL) or str(number), meaning, colour)
    if not found or len(found) > 65534:
        raise fail("overlay.unreadable", error="segments")
    return tuple(found[n] for n in sorted(found))


def _referenced(raw: RawDataset, frames: int) -> list[int]:
    """Segment number of every frame; 0 where none is named."""
    shared = raw.first(_SHARED)
    common = shared.first(_IDENTIFICATION) if shared is not None else None
    groups = raw.items(_PER_FRAME)
    out = []
    for n in range(frames):
        item = groups[n].first(_IDENTIFICATION) if n < len(groups) else None
        item = item if item is not None else common
        out.append((unsigned(item, _REFERENCED) or 0) if item is not None else 0)
    return out


def _grid(instance: Instance, fmt: PixelFormat) -> tuple[VolumeGeometry, list[int]]:
    """The regular grid that all frames lie on, and the slice of each frame."""
    planes = [f.plane for f in instance.frames]
    first = planes[0]
    if first is None or any(p is None for p in planes):
        raise fail("overlay.no_place")
    normal = np.asarray(first.normal)
    origins = np.asarray([p.origin_mm for p in planes if p is not None])
    cosines = np.asarray([(*p.row_cosines, *p.column_cosines) for p in planes if p is not None])
    along = origins @ normal
    spread = origins - origins[0] - np.multiply.outer(along - along[0], normal)
    if np.abs(cosines - cosines[0]).max() > 1e-3 or np.abs(spread).max() > 0.1:
        raise fail("overlay.no_place")
    levels = np.unique(np.round(along, 3))
    steps = np.diff(levels)
    gap = float(steps.min()) if steps.size else (instance.slice_thickness_mm or 1.0)
    places = np.round((along - levels[0]) / gap).astype(int)
    if np.abs(along - levels[0] - places * gap).max() > 0.25 * gap:
        raise fail("overlay.no_place")
    shape = (int(places.max()) + 1, fmt.rows, fmt.columns)
    if steps.size:
        gap = float(levels[-1] - levels[0]) / (shape[0] - 1)
    start = origins[int(np.argmin(along))]

    def point(v: npt.NDArray[np.float64]) -> Point3:
        return (float(v[0]), float(v[1]), float(v[2]))

    geometry = VolumeGeometry(
        point(start),
        point(normal * gap),
        point(np.asarray(first.column_cosines) * first.row_spacing_mm),
        point(np.asarray(first.row_cosines) * first.column_spacing_mm),
        shape,
        first.frame_of_reference_uid,
    )
    return geometry, [int(k) for k in places]

"""Segmentations (binary, fractional, label map), parametric maps and RT structure sets of any maker as overlays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom import grids
from app.dicom.data_set import data_set
from app.dicom.lab_colour import rgb_of_lab
from app.dicom.real_world import map_of_item
from app.domain.finding import SegmentMask
from app.domain.geometry import VolumeGeometry
from app.domain.pixels import RealWorldMapping
from app.domain.problem import Problem, ProblemError, Severity, fail
from app.domain.saved_overlay import Contour, Fraction, OverlayKind, OverlayPart, Rgb, SavedOverlay, ValueMap

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
CLASSES = frozenset({SEGMENTATION, LABEL_MAP, PARAMETRIC_MAP, STRUCTURE_SET})

MAX_SEGMENTS = 2000
MAX_POINTS = 4_000_000
MAX_VOXELS = 1 << 34
PALETTE: tuple[Rgb, ...] = (
    (136, 88, 208), (184, 64, 88), (40, 136, 136), (232, 112, 112), (184, 232, 184), (112, 136, 40), (136, 136, 232),
    (208, 136, 184), (112, 184, 160), (232, 40, 136),
)  # fmt: skip
"""For parts that name no colour, in the order of their numbers: apart from each other, from the reader's and from the second
reader's colour for every kind of colour vision (tests/ui/test_colour_vision.py)."""


def read_overlay(data: bytes) -> SavedOverlay:
    """Raises ``overlay.unreadable``, ``overlay.too_large`` or ``overlay.not_one``."""
    try:
        ds: Any = data_set(data)
        kind = str(ds.get("SOPClassUID", ""))
        if kind in (SEGMENTATION, LABEL_MAP):
            return _segmentation(ds, kind == LABEL_MAP)
        if kind == PARAMETRIC_MAP:
            return _value_map(ds)
        if kind == STRUCTURE_SET:
            return _structures(ds)
        raise fail("overlay.not_one")
    except ProblemError:
        raise
    except MemoryError:
        raise fail("overlay.too_large") from None
    except Exception as error:  # any maker's bytes
        raise fail("overlay.unreadable", error=type(error).__name__) from error


def _title(ds: Any, *keywords: str) -> str:
    return next((str(ds.get(k)) for k in keywords if ds.get(k)), "")[:128]


def _colour(item: Any, number: int) -> Rgb:
    lab = item.get("RecommendedDisplayCIELabValue")
    if lab is not None and len(lab) == 3:
        return rgb_of_lab((int(lab[0]), int(lab[1]), int(lab[2])))
    return PALETTE[(number - 1) % len(PALETTE)]


def _meaning(item: Any, keyword: str) -> str:
    codes = item.get(keyword)
    return str(codes[0].get("CodeMeaning", "")) if codes else ""


def _frames(ds: Any) -> npt.NDArray[np.generic]:
    frames: npt.NDArray[np.generic] = np.asarray(ds.pixel_array)
    return frames[np.newaxis] if frames.ndim == 2 else frames


# -- segmentation ------------------------------------------------------------------------------------------------------


def _segmentation(ds: Any, label_map: bool) -> SavedOverlay:
    items = list(ds.get("SegmentSequence") or ())
    if len(items) > MAX_SEGMENTS:
        raise fail("overlay.too_large")
    frames = _Frames(ds)
    groups = list(ds.get("PerFrameFunctionalGroupsSequence") or [])
    fractional = not label_map and str(ds.get("SegmentationType", "")) == "FRACTIONAL"
    most = int(ds.MaximumFractionalValue) if fractional else 1
    if most < 1:
        raise fail("overlay.unreadable", error="maximum")
    by_segment = _labels_by_frame(frames) if label_map else _frames_by_segment(groups, len(frames))
    parts = []
    for item in items:
        number = int(item.SegmentNumber)
        # Frames that name no segment belong to each of them.
        mine = by_segment.get(number, [] if label_map else by_segment.get(0, []))
        cut = _cut(frames, mine, _chooser(number if label_map else None))
        if cut is None:
            continue
        masks = () if fractional else tuple(_masks(ds, groups, cut, str(number)))
        fractions = tuple(_fractions(ds, groups, _with_values(cut, frames, most))) if fractional else ()
        parts.append(
            OverlayPart(
                number,
                str(item.get("SegmentLabel", "") or number),
                _meaning(item, "SegmentedPropertyTypeCodeSequence"),
                _colour(item, number),
                masks,
                fractions=fractions,
            )
        )
    return SavedOverlay(
        str(ds.SOPInstanceUID),
        OverlayKind.SEGMENTATION,
        _title(ds, "SeriesDescription", "ContentDescription", "ContentLabel"),
        tuple(parts),
        frame_of_reference_uid=str(ds.get("FrameOfReferenceUID", "")),
        source_sop_instance_uids=_sources(ds),
        fractional=fractional,
        remarks=(_fraction_of(ds),) if fractional else (),
    )


def _fraction_of(ds: Any) -> Problem:
    """Segmentation Fractional Type (0062,0010): what the numbers mean."""
    kind = str(ds.get("SegmentationFractionalType", ""))
    known = {"PROBABILITY": "overlay.probability", "OCCUPANCY": "overlay.occupancy"}
    return Problem(known.get(kind, "overlay.fraction"), {}, Severity.NOTE)


def _chooser(label: int | None) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]:
    """Which stored values belong to a segment: those of its label, or all above zero."""
    if label is not None:
        return lambda frame: np.asarray(frame == label)
    return lambda frame: np.asarray(frame > 0)


def _labels_by_frame(frames: _Frames) -> dict[int, list[int]]:
    """Label to the frames that hold it: one pass over the label map."""
    found: dict[int, list[int]] = {}
    for n in range(len(frames)):
        for label in np.flatnonzero(np.bincount(np.asarray(frames[n], dtype=np.uint16).ravel())):
            found.setdefault(int(label), []).append(n)
    return found


def _frames_by_segment(groups: list[Any], count: int) -> dict[int, list[int]]:
    if not groups:
        return {0: list(range(count))}
    found: dict[int, list[int]] = {}
    for n, group in enumerate(groups[:count]):
        item = group.get("SegmentIdentificationSequence")
        found.setdefault(int(item[0].ReferencedSegmentNumber) if item else 0, []).append(n)
    return found


class _Frames:
    """Stored frames one at a time: a segmentation of a hundred organs is never unpacked as a whole."""

    def __init__(self, ds: Any) -> None:
        self._rows, self._columns, self._bits = int(ds.Rows), int(ds.Columns), int(ds.BitsAllocated)
        self._count = int(ds.get("NumberOfFrames", 1) or 1)
        plain = not ds.file_meta.TransferSyntaxUID.is_encapsulated and self._bits in (1, 8, 16)
        size = self._rows * self._columns
        data = ds.PixelData if plain else b""
        if plain and len(data) * 8 < self._count * size * self._bits:
            raise fail("overlay.unreadable", error="short")
        self._raw = np.frombuffer(data, np.uint8) if plain else None
        self._whole = None if plain else _frames(ds)
        if not 0 < size * self._count <= MAX_VOXELS:
            raise fail("overlay.too_large")

    def __len__(self) -> int:
        return self._count if self._whole is None else len(self._whole)

    def __getitem__(self, n: int) -> npt.NDArray[np.generic]:
        if self._whole is not None:
            frame: npt.NDArray[np.generic] = self._whole[n]
            return frame
        assert self._raw is not None
        size = self._rows * self._columns
        if self._bits == 1:
            start = n * size
            bits = np.unpackbits(self._raw[start // 8 : (start + size + 7) // 8], bitorder="little")
            return bits[start % 8 : start % 8 + size].reshape(self._rows, self._columns)
        width = self._bits // 8
        part = self._raw[n * size * width : (n + 1) * size * width].view("<u2" if width == 2 else np.uint8)
        return part.reshape(self._rows, self._columns)


@dataclass(frozen=True, eq=False)
class _Cut:
    """The frames of a segment that hold something, cut to their common box."""

    numbers: list[int]
    values: npt.NDArray[Any]
    """(n, h, w): what belongs to it, or how much of it."""
    top: int
    left: int


def _cut(
    frames: _Frames, numbers: Sequence[int], chosen: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]
) -> _Cut | None:
    kept: list[tuple[int, npt.NDArray[np.bool_], tuple[int, int, int, int]]] = []
    for n in numbers:
        mask = np.asarray(chosen(np.asarray(frames[n])), dtype=np.bool_)
        rows = np.flatnonzero(mask.any(axis=1))
        if not rows.size:
            continue
        columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
        box = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
        kept.append((n, mask[box[0] : box[2], box[1] : box[3]].copy(), box))
    if not kept:
        return None
    top, left = min(b[0] for _, _, b in kept), min(b[1] for _, _, b in kept)
    bottom, right = max(b[2] for _, _, b in kept), max(b[3] for _, _, b in kept)
    values = np.zeros((len(kept), bottom - top, right - left), dtype=np.bool_)
    for at, (_, part, box) in enumerate(kept):
        values[at, box[0] - top : box[2] - top, box[1] - left : box[3] - left] = part
    return _Cut([n for n, _, _ in kept], values, top, left)


def _with_values(cut: _Cut, frames: _Frames, most: int) -> _Cut:
    """The same cut with the fractions that are stored there, 0..1."""
    _, height, width = cut.values.shape
    box = (slice(cut.top, cut.top + height), slice(cut.left, cut.left + width))
    values = np.stack([np.asarray(frames[n])[box].astype(np.float32) / np.float32(most) for n in cut.numbers])
    return replace(cut, values=np.minimum(values, np.float32(1.0)).astype(np.float16))


class _Smaller:
    """A data set that says the rows and columns of the cut frames."""

    def __init__(self, ds: Any, rows: int, columns: int) -> None:
        self._ds, self.Rows, self.Columns = ds, rows, columns

    def get(self, keyword: str, default: Any = None) -> Any:
        return self._ds.get(keyword, default)


def _masks(ds: Any, groups: list[Any], cut: _Cut, name: str) -> Iterator[SegmentMask]:
    for values, geometry, uid in _placed(ds, groups, cut):
        yield SegmentMask(name, values, geometry, uid)


def _fractions(ds: Any, groups: list[Any], cut: _Cut) -> Iterator[Fraction]:
    for values, geometry, uid in _placed(ds, groups, cut):
        yield Fraction(values, geometry, uid)


def _placed(ds: Any, groups: list[Any], cut: _Cut) -> Iterator[tuple[npt.NDArray[Any], VolumeGeometry | None, str]]:
    """(values, their grid or None, the image that they cover whole)."""
    own = [groups[n] for n in cut.numbers] if groups else []
    smaller = _Smaller(ds, *cut.values.shape[1:])
    geometry, values = grids.stack_frames(smaller, own, range(len(cut.numbers)), cut.values)
    if geometry is not None:
        moved = geometry.to_patient((0.0, float(cut.top), float(cut.left)))
        yield values, replace(geometry, origin_mm=moved), ""
        return
    uids = _frame_sources(ds, own, len(cut.numbers))
    rows, columns = int(ds.Rows), int(ds.Columns)
    for n, part in enumerate(cut.values):
        whole = np.zeros((rows, columns), dtype=cut.values.dtype)
        whole[cut.top : cut.top + part.shape[0], cut.left : cut.left + part.shape[1]] = part
        yield whole, None, uids[n] if n < len(uids) else ""


def _frame_sources(ds: Any, groups: list[Any], count: int) -> list[str]:
    """The image that each frame without a place lies on."""
    shared = _sources(ds)
    found = []
    for n in range(count):
        uid = ""
        for derivation in (groups[n].get("DerivationImageSequence") or ()) if n < len(groups) else ():
            for image in derivation.get("SourceImageSequence") or ():
                uid = uid or str(image.ReferencedSOPInstanceUID)
        found.append(uid or (shared[min(n, len(shared) - 1)] if shared else ""))
    return found


def _sources(ds: Any) -> tuple[str, ...]:
    found: list[str] = []
    for series in ds.get("ReferencedSeriesSequence") or ():
        found += [str(i.ReferencedSOPInstanceUID) for i in series.get("ReferencedInstanceSequence") or ()]
    return tuple(dict.fromkeys(found))


# -- parametric map ----------------------------------------------------------------------------------------------------


def _value_map(ds: Any) -> SavedOverlay:
    groups = list(ds.get("PerFrameFunctionalGroupsSequence") or [])
    shared = (ds.get("SharedFunctionalGroupsSequence") or [None])[0]
    frames, kept, mapping = _real_values(_frames(ds), groups, shared)
    unit, quantity = (mapping.unit, mapping.label) if mapping is not None else ("", "")
    others = len(frames) - len(kept)
    remarks = (Problem("overlay.other_maps", {"n": others}, Severity.NOTE),) if others else ()
    geometry, values = grids.stack_frames(ds, groups, kept, frames)
    finite = values[np.isfinite(values)]
    low, high = (float(v) for v in np.percentile(finite, (0.5, 99.5))) if finite.size else (0.0, 1.0)
    if high <= low:
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        high = high if high > low else low + 1.0
    sources = _frame_sources(ds, groups, 1)
    if geometry is None and values.ndim == 3:
        raise fail("overlay.no_place")
    return SavedOverlay(
        str(ds.SOPInstanceUID),
        OverlayKind.MAP,
        _title(ds, "SeriesDescription", "ContentDescription", "ContentLabel"),
        value_map=ValueMap(values, geometry, sources[0] if geometry is None else "", low, high, unit, quantity),
        frame_of_reference_uid=str(ds.get("FrameOfReferenceUID", "")),
        source_sop_instance_uids=_sources(ds),
        remarks=remarks,
    )


_AS_STORED = RealWorldMapping(1.0, 0.0, "")


def _real_values(
    stored: npt.NDArray[np.generic], groups: list[Any], shared: Any
) -> tuple[npt.NDArray[np.float32], list[int], RealWorldMapping | None]:
    """(values of all frames, NaN where the map says nothing; the frames of the first quantity; its map).

    The map of a frame is the first of its own functional groups, else the shared one.
    """
    common = _mapping(shared)
    maps = [_mapping(groups[n] if n < len(groups) else None) or common for n in range(len(stored))]
    first = maps[0] if maps else None
    out = stored.astype(np.float32)
    kept = []
    for n, found in enumerate(maps):
        if (found is None) != (first is None) or (
            found is not None and first is not None and (found.unit, found.label) != (first.unit, first.label)
        ):
            continue
        kept.append(n)
        if found is not None and replace(found, unit="", label="") != _AS_STORED:
            out[n] = found.of_many(stored[n]).astype(np.float32)
    return out, kept, first


def _mapping(group: Any) -> RealWorldMapping | None:
    items = group.get("RealWorldValueMappingSequence") if group is not None else None
    return map_of_item(items[0]) if items else None


# -- RT structure set --------------------------------------------------------------------------------------------------


def _structures(ds: Any) -> SavedOverlay:
    names = {int(i.ROINumber): str(i.get("ROIName", "") or i.ROINumber) for i in ds.get("StructureSetROISequence") or ()}
    frame_uids = {str(i.get("ReferencedFrameOfReferenceUID", "")) for i in ds.get("StructureSetROISequence") or ()}
    kinds = {
        int(i.get("ReferencedROINumber", -1)): str(i.get("RTROIInterpretedType", "") or "")
        for i in ds.get("RTROIObservationsSequence") or ()
    }
    points = 0
    parts: list[OverlayPart] = []
    sources: list[str] = []
    remarks: list[Problem] = []
    for item in ds.get("ROIContourSequence") or ():
        number = int(item.get("ReferencedROINumber", 0))
        contours = []
        for contour in item.get("ContourSequence") or ():
            numbers = contour.get("ContourData")
            if numbers is None:
                continue
            data = np.asarray([float(v) for v in numbers], dtype=np.float64)
            points += data.size // 3
            if points > MAX_POINTS:
                raise fail("overlay.too_large")
            kind = str(contour.get("ContourGeometricType", "CLOSED_PLANAR"))
            if data.size >= 3 and np.isfinite(data).all():
                contours.append(Contour(data[: data.size // 3 * 3].reshape(-1, 3), kind.startswith("CLOSED")))
            for image in contour.get("ContourImageSequence") or ():
                sources.append(str(image.get("ReferencedSOPInstanceUID", "")))
        colour = item.get("ROIDisplayColor")
        rgb: Rgb = PALETTE[(len(parts)) % len(PALETTE)]
        if colour is not None and len(colour) == 3:
            rgb = (int(colour[0]) & 255, int(colour[1]) & 255, int(colour[2]) & 255)
        if contours:
            parts.append(
                OverlayPart(number, names.get(number, str(number)), kinds.get(number, ""), rgb, (), tuple(contours))
            )
        else:
            remarks.append(Problem("overlay.empty_structure", {"name": number}, Severity.NOTE))
        if len(parts) > MAX_SEGMENTS:
            raise fail("overlay.too_large")
    return SavedOverlay(
        str(ds.SOPInstanceUID),
        OverlayKind.STRUCTURES,
        _title(ds, "StructureSetLabel", "StructureSetName", "SeriesDescription"),
        tuple(parts),
        frame_of_reference_uid=next(iter(frame_uids)) if len(frame_uids) == 1 else "",
        source_sop_instance_uids=tuple(dict.fromkeys(s for s in sources if s)),
        remarks=tuple(remarks),
    )

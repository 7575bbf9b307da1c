"""Grids of our own SEG and parametric map objects: placing crops on a lattice, planes for the writer, frames to a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from app.domain.geometry import PlaneGeometry, Point3, VolumeGeometry
from app.domain.study import Study

_LATTICE_TOLERANCE = 0.02
"""Voxels: how far a grid may lie off a lattice point and still be on it."""
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class SourceGrid:
    geometry: VolumeGeometry
    sop_instance_uids: tuple[str, ...]
    """One per slice k."""


def source_grid(study: Study, sop_instance_uids: Sequence[str]) -> SourceGrid | None:
    """The regular grid of single-frame slices named by ``sop_instance_uids``; None when they do not make one."""
    wanted = set(sop_instance_uids)
    slices: list[tuple[PlaneGeometry, str]] = [
        (plane, instance.sop_instance_uid)
        for series in study.series
        for instance in series.instances
        if instance.sop_instance_uid in wanted
        and len(instance.frames) == 1
        and (plane := instance.frames[0].plane) is not None
    ]
    if len(slices) < 2 or len(slices) != len(wanted):
        return None
    slices.sort(key=lambda s: s[0].position_along_normal_mm())
    origins = np.array([p.origin_mm for p, _ in slices])
    steps = np.diff(origins, axis=0)
    step = steps.mean(axis=0)
    first = slices[0][0]
    if np.abs(steps - step).max() > 0.01 * max(float(np.linalg.norm(step)), 1e-6) + 1e-3:
        return None
    if any((p.rows, p.columns) != (first.rows, first.columns) for p, _ in slices):
        return None
    if any(abs(a - b) > 1e-4 for p, _ in slices for a, b in zip(p.row_cosines, first.row_cosines, strict=True)):
        return None
    j = np.asarray(first.column_cosines) * first.row_spacing_mm
    i = np.asarray(first.row_cosines) * first.column_spacing_mm
    geometry = VolumeGeometry(
        first.origin_mm,
        _point(step),
        _point(j),
        _point(i),
        (len(slices), first.rows, first.columns),
        first.frame_of_reference_uid,
    )
    return SourceGrid(geometry, tuple(uid for _, uid in slices))


def _point(v: npt.NDArray[np.float64]) -> Point3:
    return (float(v[0]), float(v[1]), float(v[2]))


def same_lattice(a: VolumeGeometry, b: VolumeGeometry) -> bool:
    """True when ``b`` has the steps of ``a`` and its voxels lie on those of ``a`` (also outside of ``a``)."""
    origin = np.asarray(a.to_index(b.origin_mm))
    if np.abs(origin - np.round(origin)).max() > _LATTICE_TOLERANCE:
        return False
    far = (float(b.shape[0] - 1), float(b.shape[1] - 1), float(b.shape[2] - 1))
    end = np.asarray(a.to_index(b.to_patient(far)))
    return bool(np.abs(end - origin - np.asarray(far)).max() <= _LATTICE_TOLERANCE)


def union(geometries: Sequence[VolumeGeometry]) -> VolumeGeometry | None:
    """The smallest grid on the first one's lattice that holds all; None when they are not on one lattice."""
    first = geometries[0]
    if not all(same_lattice(first, g) for g in geometries):
        return None
    starts = np.array([np.round(first.to_index(g.origin_mm)) for g in geometries])
    ends = starts + np.array([g.shape for g in geometries])
    low, high = starts.min(axis=0), ends.max(axis=0)
    shape = (high - low).astype(int)
    return VolumeGeometry(
        first.to_patient((float(low[0]), float(low[1]), float(low[2]))),
        first.k_step_mm,
        first.j_step_mm,
        first.i_step_mm,
        (int(shape[0]), int(shape[1]), int(shape[2])),
        first.frame_of_reference_uid,
    )


def paste(
    target: npt.NDArray[_Scalar], grid: VolumeGeometry, values: npt.NDArray[Any], geometry: VolumeGeometry
) -> tuple[slice, ...] | None:
    """Writes ``values`` on ``geometry`` into ``target`` on ``grid`` (same lattice); what lies outside is cut off.

    Returns the box of ``target`` that was written, or None when all of it lies outside.
    """
    start = [round(v) for v in grid.to_index(geometry.origin_mm)]
    here, there = [], []
    for begin, size, limit in zip(start, values.shape, grid.shape, strict=True):
        low, high = max(0, begin), min(limit, begin + size)
        if high <= low:
            return None
        here.append(slice(low, high))
        there.append(slice(low - begin, high - begin))
    box = tuple(here)
    target[box] = values[tuple(there)].astype(target.dtype)
    return box


def nearest(values: npt.NDArray[_Scalar], shape: tuple[int, int]) -> npt.NDArray[_Scalar]:
    """``values`` (rows, columns) at ``shape`` by the nearest sample, both spanning the same image."""
    if values.shape == shape:
        return values
    rows = ((np.arange(shape[0]) + 0.5) * values.shape[0] / shape[0]).astype(int)
    columns = ((np.arange(shape[1]) + 0.5) * values.shape[1] / shape[1]).astype(int)
    picked: npt.NDArray[_Scalar] = values[rows[:, np.newaxis], columns[np.newaxis, :]]
    return picked


def plane_arguments(geometry: VolumeGeometry) -> dict[str, Any]:
    """Pixel measures, orientation and plane positions of a volume for highdicom's writers."""
    import highdicom as hd

    first = geometry.plane(0)
    spacing = geometry.spacing_mm[0]
    return {
        "pixel_measures": hd.PixelMeasuresSequence(
            pixel_spacing=(first.row_spacing_mm, first.column_spacing_mm),
            slice_thickness=spacing,
            spacing_between_slices=spacing,
        ),
        "plane_orientation": hd.PlaneOrientationSequence(
            coordinate_system="PATIENT", image_orientation=(*first.row_cosines, *first.column_cosines)
        ),
        "plane_positions": [
            hd.PlanePositionSequence(coordinate_system="PATIENT", image_position=geometry.plane(k).origin_mm)
            for k in range(geometry.shape[0])
        ],
    }


def _group(groups: Sequence[Any], n: int, shared: Any, keyword: str) -> Any:
    item = groups[n].get(keyword) if n < len(groups) else None
    if not item and shared is not None:
        item = shared.get(keyword)
    return item[0] if item else None


def stack_frames(
    ds: Any, groups: Sequence[Any], numbers: Sequence[int], frames: npt.NDArray[_Scalar]
) -> tuple[VolumeGeometry | None, npt.NDArray[_Scalar]]:
    """Frames ``numbers`` of a multi-frame object as ``[k, j, i]`` with its geometry, sorted along the normal.

    Missing planes between frames are zero. Frames without a position come back as they are: one as (rows, columns).
    """
    shared = (ds.get("SharedFunctionalGroupsSequence") or [None])[0]
    placed: list[tuple[float, int, Any]] = []
    orientation = measures = None
    for n in numbers:
        position = _group(groups, n, shared, "PlanePositionSequence")
        orientation = _group(groups, n, shared, "PlaneOrientationSequence") or orientation
        measures = _group(groups, n, shared, "PixelMeasuresSequence") or measures
        if position is not None and orientation is not None and "ImagePositionPatient" in position:
            cosines = np.asarray(orientation.ImageOrientationPatient, dtype=np.float64)
            origin = np.asarray(position.ImagePositionPatient, dtype=np.float64)
            placed.append((float(origin @ np.cross(cosines[:3], cosines[3:])), n, origin))
    if not numbers:
        return None, frames[:0]
    if len(placed) != len(numbers) or measures is None or orientation is None:
        picked = frames[list(numbers)]
        return None, picked[0] if len(picked) == 1 else picked
    placed.sort(key=lambda p: p[0])
    cosines = np.asarray(orientation.ImageOrientationPatient, dtype=np.float64)
    row_spacing, column_spacing = (float(v) for v in measures.PixelSpacing)
    gap = float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 1.0)
    distances = np.array([p[0] for p in placed])
    indices = np.round((distances - distances[0]) / gap).astype(int)
    if len(placed) > 1 and len(set(indices.tolist())) != len(placed):
        gap = float(np.diff(distances).min())
        indices = np.round((distances - distances[0]) / gap).astype(int)
    shape = (int(indices[-1]) + 1, int(ds.Rows), int(ds.Columns))
    values: npt.NDArray[_Scalar] = np.zeros(shape, dtype=frames.dtype)
    for k, (_, n, _) in zip(indices, placed, strict=True):
        values[int(k)] = frames[n]
    step = (placed[-1][2] - placed[0][2]) / max(1, int(indices[-1]))
    if len(placed) == 1:
        step = np.cross(cosines[:3], cosines[3:]) * gap
    geometry = VolumeGeometry(
        _point(placed[0][2]),
        _point(step),
        _point(cosines[3:] * row_spacing),
        _point(cosines[:3] * column_spacing),
        shape,
        str(ds.get("FrameOfReferenceUID", "")),
    )
    return geometry, values

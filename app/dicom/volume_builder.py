"""Frames of a display set to one regular volume of modality values, or a refusal with its reason.

The order comes from positions only. Gaps, doubled slices, tilt and unequal steps are corrected by resampling and labelled,
or refused; nothing is drawn as if it had been measured.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom.frame_decoder import stored_frame
from app.dicom.frame_loader import FrameJob, fill_frames
from app.dicom.padding import AIR_HU, PaddedVoxels
from app.dicom.stack_check import POSITION_TOLERANCE_MM, SHEAR_TOLERANCE_DEG, StackCheck, check_stack, remarks_of
from app.dicom.volume_pool import VolumePool, shared_pool
from app.dicom.volume_resample import resample_steps, resample_steps_mask, unshear, unshear_mask
from app.domain.geometry import PlaneGeometry, VolumeGeometry
from app.domain.pixels import ModalityTransform
from app.domain.ports import ByteSource, Progress, SilentProgress
from app.domain.problem import Problem, ProblemError, Severity, fail
from app.domain.study import DisplaySet, DisplaySetKind, FrameHeader, Instance, Study
from app.domain.study_lookup import instances_by_uid
from app.domain.volume import Volume
from app.domain.voxel_mask import VoxelMask

Array = npt.NDArray[np.generic]

MAX_STEP_RATIO = 8.0
MAX_STEP_MM = 10.0
MAX_DRIFT = 0.75
"""Of the larger side of the plane: slices that lie further apart sideways are no one stack."""
MAX_BYTES = 16 << 30
MIN_SLICES = 2


@dataclass(frozen=True)
class _Slice:
    instance: Instance
    frame: int
    header: FrameHeader
    plane: PlaneGeometry


def build_volume(
    study: Study,
    display_set: DisplaySet,
    source: ByteSource,
    progress: Progress | None = None,
    out: Array | None = None,
    pool: VolumePool | None = None,
    threads: int | None = None,
    shrink: int = 1,
) -> Volume:
    """Modality values ``voxels[k, j, i]`` of a stack: int16 where they fit, int32 or float32 otherwise.

    ``out`` takes the voxels when it is a C-contiguous array of the right shape and dtype (shared memory); otherwise the pool
    gives the buffer. Pixel Padding and what a correction puts around become air in HU, else a low value, and are marked in
    ``Volume.no_value``. ``shrink``: rows and columns as averages of so many, for a machine without the memory; the volume
    says so. Raises ``ProblemError`` (``volume.*`` or the reason of a frame) and ``Cancelled``.
    """
    watch = progress if progress is not None else SilentProgress()
    slices = _slices(study, display_set)
    check = check_stack([s.plane for s in slices])
    slices, check, remarks = _judged(slices, check, source)
    first = slices[0].plane
    shape = (len(slices), -(-first.rows // shrink), -(-first.columns // shrink))
    jobs = [FrameJob(k, s.instance, s.frame, s.header.modality_transform) for k, s in enumerate(slices)]
    unit = _unit(slices)
    voxels, nothing = _fill(shape, jobs, source, watch, out, pool or shared_pool, threads, shrink, unit)
    uids = tuple(s.instance.sop_instance_uid for s in slices) if shrink == 1 else ()
    geometry = _shrunk(_geometry(slices, check, (len(slices), first.rows, first.columns)), shape, shrink)
    interpolated = shrink > 1
    fill = _air(voxels, unit)
    if check.shear_deg > SHEAR_TOLERANCE_DEG or check.variable_shear:
        origins = np.asarray([s.plane.origin_mm for s in slices])
        nothing = unshear_mask(nothing, geometry, origins)
        voxels, geometry = unshear(voxels, geometry, origins, fill)
        interpolated, uids = True, ()
        remarks.append(Problem("volume.tilt_resampled", {"degrees": round(check.shear_deg, 1)}, Severity.WARNING))
    if check.unequal or check.missing:
        step = _target_step(check)
        nothing = resample_steps_mask(nothing, check.positions_mm, step)
        voxels, geometry = resample_steps(voxels, geometry, check.positions_mm, step)
        interpolated, uids = True, ()
        code = "volume.unequal_resampled" if check.unequal else "volume.gap_filled"
        params: dict[str, str | int | float] = {"step_mm": round(step, 2)}
        if not check.unequal:
            params = {"slices": check.missing}
        remarks.append(Problem(code, params, Severity.WARNING))
    return Volume(voxels, geometry, unit, uids, interpolated, tuple(remarks), nothing)


def refusal(study: Study, display_set: DisplaySet, source: ByteSource) -> Problem | None:
    """Why no volume can be built, as far as the headers say it; None when they allow one. Reads no pixels."""
    try:
        slices = _slices(study, display_set)
        check = check_stack([s.plane for s in slices])
        if not check.duplicates:
            _judged(slices, check, source)
    except ProblemError as error:
        return error.problem
    return None


def _slices(study: Study, display_set: DisplaySet) -> list[_Slice]:
    if display_set.kind is not DisplaySetKind.STACK:
        raise fail("volume.not_a_stack")
    known = instances_by_uid(study)
    found = []
    for ref in display_set.frames:
        instance = known[ref.sop_instance_uid]
        header = instance.frames[ref.frame]
        if header.plane is None:
            raise fail("volume.no_position")
        if instance.pixel_format is not None and instance.pixel_format.is_colour:
            raise fail("volume.colour")
        found.append(_Slice(instance, ref.frame, header, header.plane))
    if len(found) < MIN_SLICES:
        raise fail("volume.too_few_slices", slices=len(found), least=MIN_SLICES)
    along = np.asarray([s.plane.origin_mm for s in found]) @ np.asarray(found[0].plane.normal)
    return [found[n] for n in np.argsort(along, kind="stable")]


def _judged(slices: list[_Slice], check: StackCheck, source: ByteSource) -> tuple[list[_Slice], StackCheck, list[Problem]]:
    """Refuses, or drops what is truly double; the remarks say what was found."""
    remarks: list[Problem] = []
    first = slices[0].plane
    if not check.parallel:
        raise fail("volume.not_parallel")
    if len({(s.plane.rows, s.plane.columns, s.plane.row_spacing_mm, s.plane.column_spacing_mm) for s in slices}) > 1:
        spacings = [(s.plane.row_spacing_mm, s.plane.column_spacing_mm) for s in slices]
        same_size = all((s.plane.rows, s.plane.columns) == (first.rows, first.columns) for s in slices)
        if not same_size or not np.allclose(spacings, spacings[0], rtol=1e-4):
            raise fail("volume.mixed_sizes")
    if len({s.plane.frame_of_reference_uid for s in slices}) > 1:
        raise fail("volume.mixed_frames_of_reference")
    if len({s.header.modality_transform.unit for s in slices}) > 1:
        raise fail("volume.mixed_units")
    if check.duplicates:
        kept = _without_doubles(slices, check, source)
        remarks.append(Problem("volume.doubles_dropped", {"slices": len(slices) - len(kept)}, Severity.WARNING))
        slices = kept
        if len(slices) < MIN_SLICES:
            raise fail("volume.too_few_slices", slices=len(slices), least=MIN_SLICES)
        check = check_stack([s.plane for s in slices])
    if check.drift_px > MAX_DRIFT * max(first.rows, first.columns):
        raise fail("volume.variable_tilt")
    steps = np.diff(check.positions_mm)
    if check.missing and float(steps.max()) > 2.5 * check.median_step_mm:
        raise fail("volume.gap", slices=check.missing, gaps=check.gaps)
    if check.unequal:
        low, high = float(steps.min()), float(steps.max())
        if high > MAX_STEP_MM or high / low > MAX_STEP_RATIO:
            raise fail("volume.unequal_spacing", from_mm=round(low, 2), to_mm=round(high, 2))
    remarks.extend(p for p in remarks_of(check) if p.code != "stack.duplicate_slices")
    return slices, check, remarks


def _without_doubles(slices: list[_Slice], check: StackCheck, source: ByteSource) -> list[_Slice]:
    """Drops slices that repeat their neighbour's place and pixels; a repeat with other pixels is refused."""
    kept = [slices[0]]
    last = check.positions_mm[0]
    for entry, position in zip(slices[1:], check.positions_mm[1:], strict=True):
        if abs(position - last) > POSITION_TOLERANCE_MM:
            kept.append(entry)
            last = position
            continue
        mine = stored_frame(entry.instance, entry.frame, source)
        theirs = stored_frame(kept[-1].instance, kept[-1].frame, source)
        if not np.array_equal(mine, theirs):
            raise fail("volume.duplicate_slices")
    return kept


def _unit(slices: Sequence[_Slice]) -> str:
    return slices[0].header.modality_transform.unit


def _air(voxels: Array, unit: str) -> float:
    """What lies outside the scan after a correction: air in HU, the lowest value otherwise."""
    return float(AIR_HU) if unit == "HU" else float(voxels[0].min())


def _geometry(slices: Sequence[_Slice], check: StackCheck, shape: tuple[int, int, int]) -> VolumeGeometry:
    """Step k from the first and the last origin: rounding of single positions averages out."""
    plane = slices[0].plane
    span = (np.asarray(slices[-1].plane.origin_mm) - np.asarray(plane.origin_mm)) / (len(slices) - 1)
    row = np.asarray(plane.row_cosines) * plane.column_spacing_mm
    column = np.asarray(plane.column_cosines) * plane.row_spacing_mm
    if check.shear_deg <= SHEAR_TOLERANCE_DEG:
        # Below the tolerance the drift is rounding: the grid is right-angled.
        normal = np.asarray(plane.normal)
        span = normal * float(span @ normal)

    def point(v: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        return (float(v[0]), float(v[1]), float(v[2]))

    steps = (point(span), point(column), point(row))
    return VolumeGeometry(plane.origin_mm, *steps, shape, plane.frame_of_reference_uid, plane.in_patient)


def _shrunk(geometry: VolumeGeometry, shape: tuple[int, int, int], shrink: int) -> VolumeGeometry:
    """The centres of cells of ``shrink`` x ``shrink`` pixels."""
    if shrink == 1:
        return geometry
    column, row = np.asarray(geometry.j_step_mm), np.asarray(geometry.i_step_mm)
    origin = np.asarray(geometry.origin_mm) + (row + column) * ((shrink - 1) / 2)

    def point(v: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        return (float(v[0]), float(v[1]), float(v[2]))

    return replace(
        geometry, origin_mm=point(origin), j_step_mm=point(column * shrink), i_step_mm=point(row * shrink), shape=shape
    )


def volume_bytes(study: Study, display_set: DisplaySet) -> int:
    """What :func:`build_volume` takes at its peak: two bytes a voxel, four where values are not whole, one bit more where
    padding is declared, twice with a correction by resampling. 0 where no volume can be made."""
    try:
        slices = _slices(study, display_set)
    except ProblemError:
        return 0
    first = slices[0].plane
    jobs = [FrameJob(k, s.instance, s.frame, s.header.modality_transform) for k, s in enumerate(slices)]
    size = len(slices) * first.rows * first.columns * _dtypes(jobs)[0][0].itemsize
    if any(s.instance.padding_value is not None for s in slices):
        size += len(slices) * first.rows * -(-first.columns // 8)
    check = check_stack([s.plane for s in slices])
    resampled = check.shear_deg > SHEAR_TOLERANCE_DEG or check.variable_shear or check.unequal or bool(check.missing)
    return size * 2 if resampled else size


def _target_step(check: StackCheck) -> float:
    steps = np.diff(check.positions_mm)
    if not check.unequal:
        return check.median_step_mm
    return max(float(steps.min()), float(check.positions_mm[-1] - check.positions_mm[0]) / 2000)


def _integral(transform: ModalityTransform) -> bool:
    return (
        transform.lut is None and transform.slope == int(transform.slope) and transform.intercept == int(transform.intercept)
    )


def stored_range(instance: Instance) -> tuple[int, int] | None:
    """Smallest and largest stored value that the header allows; None for float pixels."""
    fmt = instance.pixel_format
    if fmt is None or fmt.pixel_keyword != "PixelData":
        return None
    if fmt.signed:
        return -(1 << (fmt.bits_stored - 1)), (1 << (fmt.bits_stored - 1)) - 1
    return 0, (1 << fmt.bits_stored) - 1


def _dtypes(jobs: Sequence[FrameJob]) -> tuple[list[np.dtype[Any]], bool]:
    """Types to try in order, and whether the first needs a check of every frame's range."""
    lows, highs = [0], [0]
    for transform, bounds in {(j.transform, stored_range(j.instance)) for j in jobs if j.transform.lut is None}:
        if bounds is None or not _integral(transform):
            return [np.dtype(np.float32)], False
        ends = sorted(int(transform.slope * b + transform.intercept) for b in bounds)
        lows.append(ends[0])
        highs.append(ends[1])
    if any(j.transform.lut is not None for j in jobs):
        return [np.dtype(np.int32)], False
    if min(lows) >= -32768 and max(highs) <= 32767:
        return [np.dtype(np.int16)], False
    if min(lows) >= -(1 << 31) and max(highs) < 1 << 31:
        return [np.dtype(np.int16), np.dtype(np.int32)], True
    return [np.dtype(np.float32)], False


def _fill(
    shape: tuple[int, int, int],
    jobs: list[FrameJob],
    source: ByteSource,
    progress: Progress,
    out: Array | None,
    pool: VolumePool,
    threads: int | None,
    shrink: int = 1,
    unit: str = "",
) -> tuple[Array, VoxelMask | None]:
    kinds, checked = _dtypes(jobs)
    for n, kind in enumerate(kinds):
        size = int(np.prod(shape)) * kind.itemsize
        if size > MAX_BYTES:
            raise fail("volume.too_large", gigabytes=size >> 30)
        fits = out is not None and out.shape == shape and out.dtype == kind and out.flags.c_contiguous
        try:
            voxels = out if fits and out is not None else pool.empty(shape, kind)
        except (MemoryError, OSError) as error:
            raise fail("volume.no_memory", gigabytes=size >> 30) from error
        last = n == len(kinds) - 1
        padded = PaddedVoxels(shape, unit)
        if fill_frames(voxels, jobs, source, progress, threads or _threads(), checked and not last, shrink, padded):
            return voxels, padded.mask()
    raise fail("volume.too_large", gigabytes=0)


def _threads() -> int:
    return max(1, min(8, os.cpu_count() or 1))

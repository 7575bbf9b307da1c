"""Many frames into one array at the speed of the disk: pixels are read straight to their place, then rescaled there."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.dicom.behind import behind_the_window
from app.dicom.frame_decoder import stored_frame
from app.dicom.native_pixels import clean_bits
from app.dicom.padding import Bits, PaddedVoxels
from app.dicom.straight_slices import StraightSlices, read_in_place
from app.domain.pixels import Lut, ModalityTransform
from app.domain.ports import ByteSource, Cancelled, Progress
from app.domain.problem import fail
from app.domain.study import Instance

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class FrameJob:
    k: int
    """Slice of the array."""
    instance: Instance
    frame: int
    transform: ModalityTransform


class _OutOfRange(Exception):
    """A value does not fit the array's type; the caller takes a wider one."""


def fill_frames(
    out: Array,
    jobs: Sequence[FrameJob],
    source: ByteSource,
    progress: Progress,
    threads: int,
    check_range: bool = False,
    shrink: int = 1,
    padded: PaddedVoxels | None = None,
) -> bool:
    """Modality values of every job into ``out[k]``; False when ``check_range`` found a value that does not fit.

    ``shrink``: averages of so many rows and columns, the cut cells at the end of what they have. ``padded`` takes where
    Pixel Padding was; without it padding values are values.

    Raises ``ProblemError`` of the first frame that cannot be read, and ``Cancelled``.
    """
    parts = max(1, min(threads, len(jobs)))
    share = [jobs[n::parts] for n in range(parts)]
    done = [0] * parts

    def work(part: int) -> None:
        straight = StraightSlices(source)
        for job in share[part]:
            if progress.cancelled():
                raise Cancelled
            target, mask = out[job.k], None
            plain = not check_range and job.instance.padding_value is None
            if shrink > 1:
                mask = _one_shrunk(target, job, source, check_range, shrink, padded)
            elif not (plain and straight.take(target, job.instance, job.frame, job.transform)):
                mask = _one(target, job, source, check_range, padded)
            if padded is not None and mask is not None:
                padded.put(job.k, target, mask)
            done[part] += 1
            if part == 0 and done[0] % 8 == 0:
                progress.report(sum(done) / len(jobs), "load")

    try:
        if parts == 1:
            work(0)
        else:
            with ThreadPoolExecutor(parts, thread_name_prefix="frames", initializer=behind_the_window) as pool:
                for future in [pool.submit(work, n) for n in range(parts)]:
                    future.result()
    except _OutOfRange:
        return False
    progress.report(1.0, "load")
    return True


def _one_shrunk(
    target: Array, job: FrameJob, source: ByteSource, check_range: bool, shrink: int, padded: PaddedVoxels | None
) -> Bits | None:
    """Padding has no share in an average; a cell of nothing else is padding."""
    fmt = job.instance.pixel_format
    if fmt is None:
        raise fail("dicom.no_pixels")
    whole: Array = np.empty((fmt.rows, fmt.columns), target.dtype)
    mask = _one(whole, job, source, check_range, padded)
    if mask is not None:
        whole[mask] = 0
    down = np.add.reduceat(whole, range(0, fmt.rows, shrink), axis=0, dtype=np.float32)
    sums = np.add.reduceat(down, range(0, fmt.columns, shrink), axis=1)
    rows = np.minimum(shrink, fmt.rows - np.arange(0, fmt.rows, shrink))
    columns = np.minimum(shrink, fmt.columns - np.arange(0, fmt.columns, shrink))
    counts = np.multiply.outer(rows, columns).astype(np.float32)
    if mask is not None:
        shares = np.add.reduceat(mask, range(0, fmt.rows, shrink), axis=0, dtype=np.float32)
        counts -= np.add.reduceat(shares, range(0, fmt.columns, shrink), axis=1)
    means = sums / np.maximum(counts, 1)
    np.copyto(target, means if target.dtype.kind == "f" else np.rint(means), casting="unsafe")
    return None if mask is None else np.asarray(counts == 0)


def _one(target: Array, job: FrameJob, source: ByteSource, check_range: bool, padded: PaddedVoxels | None) -> Bits | None:
    """One slice; where it is padding, None when nowhere."""
    mask: Bits | None = None
    fmt = job.instance.pixel_format
    if fmt is not None and read_in_place(job.instance, job.frame, target, source):
        if target.dtype != np.int16 or fmt.signed:
            clean_bits(target, fmt)
            values: Array = target
        else:
            values = clean_bits(target.view(np.uint16), fmt)
        if padded is not None:
            values, mask = padded.lift(values, job.instance)
        rescale_in_place(values, target, job.transform, check_range)
        return mask
    stored = stored_frame(job.instance, job.frame, source)
    if stored.shape != target.shape:
        raise fail("dicom.frames_differ", kept_safe="kept.original", frame=job.frame + 1)
    if padded is not None:
        stored, mask = padded.lift(stored, job.instance)
    rescale_in_place(stored, target, job.transform, check_range)
    return mask


def rescale_in_place(stored: Array, target: Array, transform: ModalityTransform, check_range: bool = False) -> None:
    """``target[...] = stored * slope + intercept``; exact in integers where slope and intercept are whole."""
    if transform.lut is not None:
        np.copyto(target, apply_lut(stored, transform.lut), casting="unsafe")
        return
    slope, intercept = transform.slope, transform.intercept
    if target.dtype.kind == "f" or slope != int(slope) or intercept != int(intercept):
        if slope == 1.0 and intercept == 0.0:
            np.copyto(target, stored, casting="unsafe")
        else:
            np.copyto(target, stored.astype(np.float64) * slope + intercept, casting="unsafe")
        return
    if check_range:
        low, high = int(stored.min()), int(stored.max())
        ends = (low * int(slope) + int(intercept), high * int(slope) + int(intercept))
        half = 1 << (target.dtype.itemsize * 8 - 1)
        if min(ends) < -half or max(ends) >= half:
            raise _OutOfRange
    if stored.dtype != target.dtype:
        # Values fit the target by the range check, but the stored type may be wider: wrap-around arithmetic stays exact.
        stored = stored.view(target.dtype) if stored.dtype.itemsize == target.dtype.itemsize else stored.astype(target.dtype)
    if slope != 1.0:
        stored = np.multiply(stored, _wrapped(int(slope), target.dtype), out=target)
    if intercept != 0.0:
        np.add(stored, _wrapped(int(intercept), target.dtype), out=target)
    elif stored is not target and not np.shares_memory(stored, target):
        np.copyto(target, stored)


def _wrapped(value: int, dtype: np.dtype[np.generic]) -> Array:
    bits = dtype.itemsize * 8
    value &= (1 << bits) - 1
    if dtype.kind == "i" and value >= 1 << (bits - 1):
        value -= 1 << bits
    return np.array(value, dtype)


def apply_lut(stored: Array, lut: Lut) -> Array:
    """Modality or VOI LUT: values below and above the table take its first and last entry (PS3.3 C.11.1.1.1)."""
    index = np.clip(stored.astype(np.int64) - lut.first_mapped, 0, len(lut.table) - 1)
    return np.asarray(lut.table[index])

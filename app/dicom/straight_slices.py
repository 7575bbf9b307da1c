"""Plain 16-bit slices read straight to their place in a volume, with as few steps for each as can be.

Two threads hand the interpreter to each other at every small call. On a warm disk cache that costs more than the rescale
itself, so what is the same for all slices of a stack is worked out once.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.dicom.byte_source import plain_name
from app.domain.pixels import ModalityTransform, PixelFormat
from app.domain.ports import ByteSource, FillingSource
from app.domain.problem import fail
from app.domain.study import Instance

Array = npt.NDArray[np.generic]

_PLAIN = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"})
_CAN = sys.byteorder == "little" and hasattr(os, "preadv")


def read_in_place(instance: Instance, frame: int, target: Array, source: ByteSource) -> bool:
    """Stored numbers of a plain 16-bit frame into ``target`` (rows, columns; int16, C-contiguous), bits as they lie.

    False, and nothing touched, where the frame or the source is of another kind. Raises ``ProblemError``.
    """
    fmt = instance.pixel_format
    if fmt is None or not _lies_straight(fmt, target) or not _is_plain(instance):
        return False
    length = target.nbytes
    offset = (instance.pixel_data_offset or 0) + frame * length
    name = plain_name(source, instance.locator)
    if name is not None:
        got = _read(name, target, offset)
    elif isinstance(source, FillingSource):
        got = source.read_into(instance.locator, offset, memoryview(target.data).cast("B"))
    else:
        return False
    if got < length:
        raise fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again")
    return True


def _lies_straight(fmt: PixelFormat, target: Array) -> bool:
    return (
        _CAN
        and fmt.bits_allocated == 16
        and fmt.samples_per_pixel == 1
        and fmt.pixel_keyword == "PixelData"
        and target.dtype == np.int16
        and target.shape == (fmt.rows, fmt.columns)
    )


def _is_plain(instance: Instance) -> bool:
    return instance.transfer_syntax_uid in _PLAIN and instance.pixel_data_offset is not None


def _read(name: str | Path, target: Array, offset: int) -> int:
    """Bytes that there were."""
    try:
        handle = os.open(name, os.O_RDONLY)
        try:
            got = os.preadv(handle, [target.data], offset)
            while 0 < got < target.nbytes:
                more = os.preadv(handle, [target.data.cast("B")[got:]], offset + got)
                if more <= 0:
                    break
                got += more
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        raise fail("dicom.file_gone", next_step="dicom.next.rescan") from error
    except OSError as error:
        raise fail("dicom.unreadable", kept_safe="kept.original") from error
    return got


@dataclass(frozen=True)
class _Steps:
    """From the bits as they lie to whole modality values: ``(bits & keep) + add``, each None where nothing is to do."""

    keep: Array | None
    add: Array | None


def _steps(fmt: PixelFormat, transform: ModalityTransform) -> _Steps | None:
    """None where more is to be done than that."""
    low = fmt.high_bit + 1 - fmt.bits_stored
    if transform.lut is not None or transform.slope != 1.0 or transform.intercept != int(transform.intercept) or low:
        return None
    if fmt.signed and fmt.bits_stored < 16:
        return None
    if not -32768 <= transform.intercept <= 32767:
        return None
    keep = np.array((1 << fmt.bits_stored) - 1, np.uint16) if fmt.bits_stored < 16 else None
    return _Steps(keep, np.array(int(transform.intercept), np.int16) if transform.intercept else None)


class StraightSlices:
    """One thread's way through a stack whose values are known to fit int16."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._fmt: PixelFormat | None = None
        self._transform: ModalityTransform | None = None
        self._known: _Steps | None = None

    def take(self, target: Array, instance: Instance, frame: int, transform: ModalityTransform) -> bool:
        """Modality values of a frame without padding into ``target``; False, nothing touched, for another kind of frame.

        Raises ``ProblemError`` when the frame cannot be read.
        """
        fmt = instance.pixel_format
        if fmt is None:
            return False
        if fmt != self._fmt or transform != self._transform:
            self._fmt, self._transform, self._known = fmt, transform, _steps(fmt, transform)
        steps = self._known
        if steps is None or not read_in_place(instance, frame, target, self._source):
            return False
        if steps.keep is not None:
            bits = target.view(np.uint16)
            np.bitwise_and(bits, steps.keep, out=bits)
        if steps.add is not None:
            np.add(target, steps.add, out=target)
        return True

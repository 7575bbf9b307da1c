"""Pictures whose every pixel has the same value: right by the rules, and most likely nothing was taken or all was lost."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from app.dicom.frame_decoder import stored_frame
from app.dicom.transfer_syntaxes import is_native
from app.domain.ports import ByteSource
from app.domain.problem import Problem, ProblemError, Severity
from app.domain.study import Instance

CODE: Final = "dicom.one_value"
_CLASSES: Final = "1 1.1 1.1.1 1.2 1.2.1 1.3 1.3.1 2 2.1 2.2 3.1 4 4.1 4.3 4.4 6.1 6.2 13.1.3 20 128 128.1 130"
PICTURES: Final = frozenset(f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in _CLASSES.split())
"""CR, DX and panoramic, MG and its tomosynthesis, intraoral, CT, US, MR, NM, PT: what an apparatus took of a patient.

A segment, a dose grid or a scanned page may well hold one value.
"""
_FIRST, _PIECE = 4096, 1 << 20


def remark() -> Problem:
    return Problem(CODE, {}, Severity.WARNING, next_step="dicom.next.ask_again")


def all_alike(values: npt.NDArray[np.generic]) -> bool:
    """Every pixel of (rows, columns[, samples]) is the first one. A few are looked at before all."""
    if values.ndim < 2 or values.size <= (values.shape[2] if values.ndim == 3 else 1):
        return False
    first = values[0, 0]
    return bool((values[:: max(1, values.shape[0] // 16), :: max(1, values.shape[1] // 16)] == first).all()) and bool(
        (values == first).all()
    )


def has_one_value(instance: Instance, source: ByteSource) -> bool:
    """Of an uncompressed picture, all frames. Reads up to the first difference; what cannot be read tells itself."""
    fmt = instance.pixel_format
    if fmt is None or instance.sop_class_uid not in PICTURES or not is_native(instance.transfer_syntax_uid):
        return False
    try:
        if instance.pixel_data_offset is None or fmt.bits_allocated % 8:
            return fmt.frames == 1 and all_alike(stored_frame(instance, 0, source))
        cell = fmt.bits_allocated // 8 * fmt.samples_per_pixel
        total = fmt.rows * fmt.columns * fmt.frames * cell
        first, at = b"", 0
        while at < total:
            length = min(_PIECE if at else _FIRST, total - at) // cell * cell or cell
            found = source.read_range(instance.locator, instance.pixel_data_offset + at, length)
            first = first or found[:cell]
            if len(found) < length or found != first * (length // cell):
                return False
            at += length
    except ProblemError:
        return False
    return total > cell

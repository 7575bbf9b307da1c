"""Mask subtraction of angiography: which frames are taken from which (PS3.3 C.7.6.10), and the differences.

Frames that are proportional to the logarithm of the intensity (Pixel Intensity Relationship LOG, DISP) are subtracted as
they are; linear ones after their logarithm is taken, scaled to the same range.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom import tags
from app.dicom.raw_items import RawDataset
from app.dicom.values import code, unsigned_many, us_or_ss
from app.domain.study import Instance

Array = npt.NDArray[np.generic]

AVERAGE, TIME_DIFFERENCE, REVERSED = "AVG_SUB", "TID", "REV_TID"


@dataclass(frozen=True)
class MaskStep:
    """One item of the Mask Subtraction Sequence; frames counted from 0."""

    operation: str
    ranges: tuple[tuple[int, int], ...] = ()
    """Frames it applies to, ends included; () for all."""
    masks: tuple[int, ...] = ()
    shift: tuple[float, float] = (0.0, 0.0)
    """(rows, columns) by which the mask is moved before it is taken away."""
    offset: int = 1
    """TID: how many frames back the mask lies."""

    def applies_to(self, frame: int) -> bool:
        return not self.ranges or any(a <= frame <= b for a, b in self.ranges)


def mask_attributes(d: RawDataset) -> dict[str, Any]:
    """JSON-able; empty for an object without mask subtraction."""
    items = d.items(tags.MASK_SUBTRACTION_SEQUENCE)
    steps = []
    for item in items:
        operation = code(item, tags.MASK_OPERATION)
        if operation not in (AVERAGE, TIME_DIFFERENCE, REVERSED):
            continue
        raw = item.raw(tags.MASK_SUB_PIXEL_SHIFT)
        shift = np.frombuffer(raw[:8], "<f4" if item.little else ">f4").tolist() if len(raw) >= 8 else [0.0, 0.0]
        steps.append(
            {
                "operation": operation,
                "ranges": list(unsigned_many(item, tags.APPLICABLE_FRAME_RANGE, 2)),
                "masks": list(unsigned_many(item, tags.MASK_FRAME_NUMBERS, 2)),
                "shift": shift,
                "offset": us_or_ss(item, tags.TID_OFFSET, True) or 1,
            }
        )
    if not steps:
        return {}
    return {"steps": steps, "shown": code(d, tags.RECOMMENDED_VIEWING_MODE) == "SUB", "log": _is_log(d)}


def _is_log(d: RawDataset) -> bool:
    return code(d, tags.PIXEL_INTENSITY_RELATIONSHIP) != "LIN"


def steps_of(instance: Instance) -> tuple[MaskStep, ...]:
    text = instance.extra.get("mask_subtraction", "")
    found = []
    for item in json.loads(text)["steps"] if text else ():
        pairs = item["ranges"]
        ranges = tuple((pairs[n] - 1, pairs[n + 1] - 1) for n in range(0, len(pairs) - 1, 2))
        masks = tuple(m - 1 for m in item["masks"])
        found.append(MaskStep(item["operation"], ranges, masks, (item["shift"][0], item["shift"][1]), item["offset"]))
    return tuple(found)


def is_recommended(instance: Instance) -> bool:
    """Recommended Viewing Mode SUB."""
    text = instance.extra.get("mask_subtraction", "")
    return bool(text) and bool(json.loads(text)["shown"])


def masks_for(steps: Sequence[MaskStep], frame: int, frames: int) -> tuple[MaskStep, tuple[int, ...]] | None:
    """The step that applies to a frame and the frames that make its mask; None where nothing is taken away."""
    for step in steps:
        if not step.applies_to(frame):
            continue
        if step.operation == AVERAGE:
            masks = tuple(m for m in step.masks if 0 <= m < frames)
        else:
            back = step.offset if step.operation == TIME_DIFFERENCE else -step.offset
            masks = (frame - back,) if 0 <= frame - back < frames else ()
        if masks:
            return step, masks
    return None


def subtracted(contrast: Array, masks: Sequence[Array], shift: tuple[float, float], log: bool) -> npt.NDArray[np.float32]:
    """``contrast`` less the average of ``masks`` moved by ``shift``; float32 around 0."""
    mean = np.mean([_logarithm(m) if not log else m.astype(np.float64) for m in masks], axis=0)
    base = contrast.astype(np.float64) if log else _logarithm(contrast)
    return np.asarray(base - moved(mean, shift), dtype=np.float32)


def _logarithm(values: Array) -> npt.NDArray[np.float64]:
    top = 255.0 if values.dtype.itemsize == 1 else 4095.0
    return np.asarray(np.log(np.maximum(values.astype(np.float64), 1.0)) * top / np.log(top))


def moved(values: npt.NDArray[np.float64], shift: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Moved down and to the right by parts of pixels, linearly interpolated; the edge is repeated."""
    for axis, amount in enumerate(shift):
        if amount == 0:
            continue
        size = values.shape[axis]
        at = np.clip(np.arange(size) - amount, 0, size - 1)
        low = np.floor(at).astype(np.intp)
        high = np.minimum(low + 1, size - 1)
        part = (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        values = np.take(values, low, axis) * (1.0 - part) + np.take(values, high, axis) * part
    return values

"""Whether these voxels are a chest CT that the reader was made for, judged from their own statistics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.ai.readers.lung.candidates import LungField
from app.domain.problem import Problem, Severity

Triple = tuple[float, float, float]

MAX_SLICE_MM = 3.5
MAX_PIXEL_MM = 1.6
MIN_HEIGHT_MM = 80.0
MIN_LUNGS_ML = 900.0
CHILD_LUNGS_ML = 1500.0
METAL_HU = 2800.0


def refusals(voxels: npt.NDArray[np.generic], spacing_mm: Triple, unit: str) -> tuple[Problem, ...]:
    """Reasons that need no lung mask: unit, thickness, height."""
    found = []
    if unit and unit != "HU":
        found.append(Problem("ai.lung.not_hu", {"unit": unit}))
    if spacing_mm[0] > MAX_SLICE_MM:
        found.append(Problem("ai.lung.too_thick", {"mm": round(spacing_mm[0], 1), "limit_mm": MAX_SLICE_MM}))
    if max(spacing_mm[1:]) > MAX_PIXEL_MM:
        found.append(Problem("ai.lung.pixels_too_large", {"mm": round(max(spacing_mm[1:]), 2), "limit_mm": MAX_PIXEL_MM}))
    if voxels.shape[0] * spacing_mm[0] < MIN_HEIGHT_MM:
        found.append(Problem("ai.lung.too_short", {"mm": round(voxels.shape[0] * spacing_mm[0])}))
    if voxels.size and (float(voxels.min()) > -500 or float(voxels.max()) < 100):
        found.append(Problem("ai.lung.not_a_chest", {}))
    return tuple(found)


def mask_refusals(field: LungField) -> tuple[Problem, ...]:
    """Reasons after the lungs were looked for."""
    total = sum(field.mask.millilitres)
    if total < MIN_LUNGS_ML:
        return (Problem("ai.lung.no_lungs", {"ml": round(total)}),)
    values = field.coarse.values[field.mask.air]
    middle = float(np.median(values)) if values.size else 0.0
    if not -960 < middle < -600:
        return (Problem("ai.lung.not_a_chest", {}),)
    return ()


def remarks(field: LungField) -> tuple[Problem, ...]:
    """What makes the result doubtful without refusing it."""
    found = []
    values = field.work.values
    total = sum(field.mask.millilitres)
    if total < CHILD_LUNGS_ML:
        found.append(Problem("ai.lung.small_lungs", {"ml": round(total)}, Severity.WARNING))
    if min(field.mask.millilitres) < 0.15 * total:
        found.append(Problem("ai.lung.one_lung", {}, Severity.WARNING))
    if float((values > METAL_HU).mean()) > 2e-5:
        found.append(Problem("ai.lung.metal", {}, Severity.WARNING))
    soft = values[(values > 0) & (values < 400)]
    if soft.size and float((soft > 170).mean()) > 0.22:
        found.append(Problem("ai.lung.contrast", {}, Severity.WARNING))
    whole = values.shape
    edge = field.mask.sides[[0, -1]].any((1, 2))
    if edge[0] and edge[1] and whole[0] > 4:
        found.append(Problem("ai.lung.cut_off", {}, Severity.WARNING))
    return tuple(found)

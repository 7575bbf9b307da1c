"""Whether these voxels are a plain head CT that the reader was made for, judged from their own statistics."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.ai.readers.head.frame import head_outline
from app.ai.readers.head.stack import Stack
from app.domain.problem import Problem, Severity

Triple = tuple[float, float, float]

MAX_SLICE_MM = 8.0
MAX_PIXEL_MM = 1.3
MIN_HEIGHT_MM = 60.0
HEAD_CM2 = (70.0, 330.0)
SMALL_HEAD_CM2 = 130.0
METAL_HU = 2800.0
ENHANCED_SHARE = 0.06


def refusals(voxels: npt.NDArray[np.generic], spacing_mm: Triple, unit: str) -> tuple[Problem, ...]:
    """Reasons that need no search for the head: unit, thickness, height, values."""
    found = []
    if unit and unit != "HU":
        found.append(Problem("ai.head.not_hu", {"unit": unit}))
    if spacing_mm[0] > MAX_SLICE_MM:
        found.append(Problem("ai.head.too_thick", {"mm": round(spacing_mm[0], 1), "limit_mm": MAX_SLICE_MM}))
    if max(spacing_mm[1:]) > MAX_PIXEL_MM:
        found.append(Problem("ai.head.pixels_too_large", {"mm": round(max(spacing_mm[1:]), 2), "limit_mm": MAX_PIXEL_MM}))
    if voxels.shape[0] * spacing_mm[0] < MIN_HEIGHT_MM:
        found.append(Problem("ai.head.too_short", {"mm": round(voxels.shape[0] * spacing_mm[0])}))
    if voxels.size and (float(voxels.min()) > -500 or float(voxels.max()) < 400):
        found.append(Problem("ai.head.not_a_head", {}))
    return tuple(found)


def ring_and_tissue(stack: Stack) -> tuple[float, npt.NDArray[np.float32]]:
    """(largest area inside bone, cm2; values of the tissue there, HU) over the slabs with the largest bony rings."""
    step = stack.geometry.spacing_mm
    areas, tissues = [], []
    for plane, hu in zip(stack.planes, stack.hu, strict=True):
        outline = head_outline(plane)
        if outline is None:
            continue
        areas.append(float(outline.sum()) * step[1] * step[2] / 100.0)
        tissues.append(hu[(outline > 0) & (hu > -20) & (hu < 150)])
    if not areas:
        return 0.0, np.zeros(0, np.float32)
    largest = max(areas)
    chosen = [t for a, t in zip(areas, tissues, strict=True) if a > 0.8 * largest]
    return largest, np.concatenate(chosen)


def stack_refusals(area_cm2: float, tissue: npt.NDArray[np.float32]) -> tuple[Problem, ...]:
    if not HEAD_CM2[0] <= area_cm2 <= HEAD_CM2[1]:
        return (Problem("ai.head.no_skull", {"cm2": round(area_cm2)}),)
    middle = float(np.median(tissue)) if tissue.size else 0.0
    share = float(((tissue > 5) & (tissue < 60)).mean()) if tissue.size else 0.0
    if not 18 <= middle <= 50 or share < 0.6:
        return (Problem("ai.head.not_a_head", {}),)
    return ()


def remarks(
    stack: Stack, area_cm2: float, tissue: npt.NDArray[np.float32], attributes: dict[str, str]
) -> tuple[Problem, ...]:
    """What makes the result doubtful without refusing it."""
    found = []
    if area_cm2 < SMALL_HEAD_CM2:
        found.append(Problem("ai.head.small_head", {"cm2": round(area_cm2)}, Severity.WARNING))
    if float((stack.hu > METAL_HU).mean()) > 2e-5:
        found.append(Problem("ai.head.metal", {}, Severity.WARNING))
    bright = float(((tissue > 90) & (tissue < 150)).mean()) if tissue.size else 0.0
    if attributes.get("contrast_agent", "").strip() or bright > ENHANCED_SHARE:
        found.append(Problem("ai.head.contrast", {}, Severity.WARNING))
    if stack.geometry.spacing_mm[0] > 6.5:
        found.append(Problem("ai.head.thick", {"mm": round(stack.geometry.spacing_mm[0], 1)}, Severity.WARNING))
    tilt = attributes.get("gantry_tilt_deg", "")
    try:
        if abs(float(tilt or 0)) > 1:
            found.append(Problem("ai.head.tilt", {"tilt_deg": round(abs(float(tilt)), 1)}, Severity.NOTE))
    except ValueError:
        found.append(Problem("ai.head.tilt_unknown", {}, Severity.NOTE))
    return tuple(found)

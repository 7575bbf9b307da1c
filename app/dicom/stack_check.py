"""What a stack of planes is: regular, gapped, doubled, unequal, sheared. One judgement for the strip and for volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.geometry import PlaneGeometry
from app.domain.problem import Problem, Severity

POSITION_TOLERANCE_MM = 0.01
"""Planes closer than this lie at the same place."""
SPACING_TOLERANCE = 0.02
"""Steps within 2 per cent (or 0.02 mm) of their median are equal: headers round positions."""
SHEAR_TOLERANCE_DEG = 0.1


@dataclass(frozen=True)
class StackCheck:
    positions_mm: npt.NDArray[np.float64]
    """Along the common normal, in the order of the planes."""
    median_step_mm: float
    duplicates: int
    missing: int
    """Slices that fit into the gaps when all gaps are whole multiples of the step."""
    gaps: int
    unequal: bool
    """Steps differ and are no whole multiples."""
    shear_deg: float
    """Angle between the line of origins and the normal; gantry tilt of a CT."""
    variable_shear: bool
    """Origins do not lie on one line."""
    parallel: bool
    drift_px: float = 0.0
    """Largest sideways distance of an origin from the normal through the first, in pixels."""


def check_stack(planes: Sequence[PlaneGeometry]) -> StackCheck:
    """Judges planes that are sorted along their normal."""
    normal = np.asarray(planes[0].normal)
    origins = np.asarray([p.origin_mm for p in planes], dtype=np.float64)
    positions = origins @ normal
    cosines = np.asarray(list({(*p.row_cosines, *p.column_cosines) for p in planes}))
    normals = np.cross(cosines[:, :3], cosines[:, 3:])
    limit = math.cos(math.radians(0.5))
    same_rows = np.all(cosines[:, :3] @ np.asarray(planes[0].row_cosines) > limit)
    parallel = bool(np.all(normals @ normal > limit) and same_rows)
    steps = np.diff(positions)
    real = steps[np.abs(steps) > POSITION_TOLERANCE_MM]
    duplicates = int(len(steps) - len(real))
    median = float(np.median(real)) if len(real) else 0.0
    tolerance = max(SPACING_TOLERANCE * median, 0.02)
    off = np.abs(real - median) > tolerance
    multiples = np.round(real / median) if median > 0 else np.ones_like(real)
    whole = np.abs(real - multiples * median) <= tolerance * np.maximum(multiples, 1)
    gap = off & whole & (multiples >= 2)
    # Most steps equal, some whole multiples: slices are missing. Otherwise the spacing itself is unequal.
    unequal = bool(np.any(off & ~gap))
    missing = int(np.sum(multiples[gap] - 1)) if not unequal else 0
    shear, variable = _shear(origins, normal, positions)
    sideways = origins - origins[0] - np.outer(positions - positions[0], normal)
    finest = min(planes[0].row_spacing_mm, planes[0].column_spacing_mm)
    drift = float(np.linalg.norm(sideways, axis=1).max()) / finest
    return StackCheck(positions, median, duplicates, missing, int(np.sum(gap)), unequal, shear, variable, parallel, drift)


def _shear(
    origins: npt.NDArray[np.float64], normal: npt.NDArray[np.float64], positions: npt.NDArray[np.float64]
) -> tuple[float, bool]:
    if len(origins) < 2 or abs(positions[-1] - positions[0]) < POSITION_TOLERANCE_MM:
        return 0.0, False
    line = (origins[-1] - origins[0]) / (positions[-1] - positions[0])
    drift = float(np.linalg.norm(line - normal))
    predicted = origins[0] + np.outer(positions - positions[0], line)
    return math.degrees(math.atan(drift)), bool(np.abs(origins - predicted).max() > 0.1)


def stack_remarks(planes: Sequence[PlaneGeometry]) -> tuple[Problem, ...]:
    """Remarks of a display set."""
    if len(planes) < 2:
        return ()
    return remarks_of(check_stack(planes))


def remarks_of(check: StackCheck) -> tuple[Problem, ...]:
    found = []
    if not check.parallel:
        found.append(Problem("stack.not_parallel", {}, Severity.WARNING))
    if check.duplicates:
        found.append(Problem("stack.duplicate_slices", {"slices": check.duplicates}, Severity.WARNING))
    if check.missing:
        found.append(Problem("stack.missing_slices", {"slices": check.missing, "gaps": check.gaps}, Severity.WARNING))
    if check.unequal:
        real = np.abs(np.diff(check.positions_mm))
        real = real[real > POSITION_TOLERANCE_MM]
        params = {"from_mm": round(float(real.min()), 2), "to_mm": round(float(real.max()), 2)}
        found.append(Problem("stack.unequal_spacing", params, Severity.WARNING))
    if check.variable_shear:
        found.append(Problem("stack.variable_tilt", {}, Severity.WARNING))
    elif check.shear_deg > SHEAR_TOLERANCE_DEG:
        found.append(Problem("stack.tilt", {"degrees": round(check.shear_deg, 1)}, Severity.WARNING))
    return tuple(found)

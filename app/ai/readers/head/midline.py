"""How far the septum pellucidum and the third ventricle stand from the middle of the skull, in millimetres.

The middle is a plane found from bone alone: the one in which the inner table of the skull is its own mirror image. It
meets the inner table in front and behind about where the falx is fixed. A midline found from the whole slice would follow
the brain that was pushed. Against it stand the septum (a thin wall between two parts with the values of CSF) and the third
ventricle (a narrow cleft with them) at the level of the ventricles. Where either cannot be trusted there is no value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage, optimize

from app.ai.readers.head.frame import head_outline
from app.ai.readers.head.stack import Stack
from app.domain.problem import Problem, Severity

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

BONE_HU = 300.0
CSF_HU = 20.0
"""Clear CSF lies at 0 to 15 HU; noise, smoothing and partial volume in the narrow ventricles of the young add to it."""
MAX_LEAN_DEG = 12.0
MAX_TURN_DEG = 35.0
MAX_UNEVEN_MM = 2.5
"""Where the halves of the skull differ by more, its middle is not known well enough."""
LEVELS_MM = (25.0, 85.0)
"""Depth below the highest slab with a closed ring of bone, in which the ventricles lie."""
WIDE_SHARE = 0.85
"""Share of the largest slab's area from which a slab counts as one at that level; cisterns lower down are hardly pushed."""
PART_OF_LENGTH = (0.22, 0.62)
"""Where between the falx's ends in front and behind the septum and the third ventricle lie."""
FURTHEST_MM = 22.0
WALL_MM = (0.8, 7.0)
CLEFT_MM = (1.5, 9.0)
MIN_ROWS = 12
TOLD_SIDE_MM = 2.0
_STEP_MM = 0.5


@dataclass(frozen=True)
class Midline:
    """``shift_mm`` to the patient's left (negative: right); None when not measurable, with ``why`` a word for it."""

    shift_mm: float | None
    why: str = ""
    turn_deg: float = 0.0
    lean_deg: float = 0.0


@dataclass(frozen=True)
class _Plane:
    """Points (x, y, z mm on the slabs' grid) with ``normal . p = away``; the normal points to the patient's left."""

    normal: tuple[float, float, float]
    away: float
    uneven_mm: float

    @property
    def turn_deg(self) -> float:
        return math.degrees(math.atan2(self.normal[1], self.normal[0]))

    @property
    def lean_deg(self) -> float:
        return math.degrees(math.asin(max(-1.0, min(1.0, self.normal[2]))))


def midline_of(stack: Stack) -> Midline:
    """The shift on ``stack``, whose columns grow to the patient's left, rows to the back and slabs to the vertex."""
    inside = np.stack([inside_of(hu, plane) for hu, plane in zip(stack.hu, stack.planes, strict=True)])
    step = stack.geometry.spacing_mm
    areas = inside.sum((1, 2)) * (step[1] * step[2] / 100.0)
    closed = _longest(areas > 20.0)
    if len(closed) * step[0] < 40.0:
        return Midline(None, "skull")
    plane = _mirror_plane(inside, closed, step, _turn_of(stack))
    turned = {"turn_deg": round(plane.turn_deg, 1), "lean_deg": round(plane.lean_deg, 1)}
    if abs(plane.lean_deg) > MAX_LEAN_DEG or abs(plane.turn_deg) > MAX_TURN_DEG:
        return Midline(None, "tilted", **turned)
    if plane.uneven_mm > MAX_UNEVEN_MM:
        return Midline(None, "skull", **turned)
    top = (float(closed[-1]) + 0.5) * step[0]
    found: list[tuple[float, float]] = []
    for k in closed:
        if LEVELS_MM[0] <= top - k * step[0] <= LEVELS_MM[1] and areas[k] >= WIDE_SHARE * areas[closed].max():
            found += _middles(stack.hu[k], inside[k], plane, float(k) * step[0], (step[1], step[2]))
    shift = _agreed(found)
    return Midline(None, "csf", **turned) if shift is None else Midline(shift, "", **turned)


def told(midline: Midline) -> tuple[tuple[tuple[str, float, str], ...], tuple[Problem, ...]]:
    """The study's value and the remark that goes with it; a remark alone where there is no value."""
    if midline.shift_mm is None:
        return (), (Problem("ai.head.midline_not_measured", {}, Severity.NOTE),)
    mm = round(abs(midline.shift_mm), 1)
    values = (("head.midline_shift", mm, "mm"),)
    if mm < TOLD_SIDE_MM:
        return values, (Problem("ai.head.midline_in_the_middle", {"limit_mm": TOLD_SIDE_MM}, Severity.NOTE),)
    if midline.shift_mm > 0:
        return values, (Problem("ai.head.midline_to_the_left", {"mm": mm}, Severity.NOTE),)
    return values, (Problem("ai.head.midline_to_the_right", {"mm": mm}, Severity.NOTE),)


def _longest(good: Bools) -> npt.NDArray[np.int64]:
    """The longest unbroken run; the base, where the ring opens and closes again, is left out."""
    runs = _runs(good)
    return np.arange(*max(runs, key=lambda r: r[1] - r[0])) if runs else np.zeros(0, np.int64)


def _turn_of(stack: Stack) -> float:
    """Turn of the head (degrees) by the frame; its line runs along the midline, that is along the rows' axis."""
    turn = (stack.frame.angle_deg - 90.0 + 90.0) % 180.0 - 90.0
    return turn if abs(turn) <= 45.0 else 0.0


def inside_of(hu: Floats, plane: npt.NDArray[np.uint8]) -> Bools:
    """What the inner table encloses; all False where the ring of bone is open or small."""
    none = np.zeros(hu.shape, bool)
    outline = head_outline(plane)
    if outline is None:
        return none
    inner = within_bone(outline, hu > BONE_HU)
    return none if inner is None else np.asarray(ndimage.binary_fill_holes(inner), bool)


def within_bone(outline: npt.NDArray[np.uint8], bone: Bools) -> Bools | None:
    """The largest part of a head's outline that bone does not cut off; None where the ring is open or small."""
    closed = cv2.morphologyEx(bone.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    free = cv2.erode(outline, np.ones((3, 3), np.uint8)) & (1 - closed)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(free.astype(np.uint8), connectivity=4)
    if count < 2:
        return None
    inner = parts == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(inner) if inner.sum() >= 0.6 * outline.sum() else None


def _mirror_plane(inside: Bools, closed: npt.NDArray[np.int64], step: tuple[float, float, float], turn_deg: float) -> _Plane:
    """The plane in which the surface of ``inside`` is its own mirror image; least squares that outliers hardly move."""
    first, last = int(closed[0]), int(closed[-1]) + 1
    part = inside[first:last]
    # Signed distance to the inner table in each slab, negative inside: slabs are thick, bone above and below is partial.
    away = np.stack(
        [
            ndimage.distance_transform_edt(~p, sampling=step[1:]) - ndimage.distance_transform_edt(p, sampling=step[1:])
            for p in part
        ]
    ).astype(np.float32)
    edge = part & (away > -1.01 * max(step[1:]))
    points = np.argwhere(edge)[:: max(1, int(edge.sum()) // 2000)].astype(np.float64)
    zyx = points * np.asarray(step)
    p = zyx[:, ::-1]  # x, y, z
    middle = np.argwhere(part).mean(0)[::-1] * np.asarray(step)[::-1]
    size = np.asarray(step)[::-1]

    def normal(turn: float, lean: float) -> npt.NDArray[np.float64]:
        return np.asarray([math.cos(turn) * math.cos(lean), math.sin(turn) * math.cos(lean), math.sin(lean)])

    def told(v: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        """(turn, lean, offset mm) of parameters around 1: steps of the search are shares of a parameter."""
        return float(v[0]) - 1.0, float(v[1]) - 1.0, 100.0 * (float(v[2]) - 1.0)

    def residuals(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        turn, lean, offset = told(v)
        n = normal(turn, lean)
        mirrored = p - 2 * ((p - middle) @ n - offset)[:, None] * n
        index = (mirrored / size)[:, ::-1].T
        values = ndimage.map_coordinates(away, index, order=1, mode="nearest")
        beyond = (index[0] < 0) | (index[0] > len(part) - 1)
        return np.where(beyond, 0.0, values + 0.5 * step[2])

    def fit(turn: float, lean: float) -> optimize.OptimizeResult:
        first = [1.0 + turn, 1.0 + lean, 1.0]
        return optimize.least_squares(
            residuals, first, loss="soft_l1", f_scale=1.5, diff_step=2e-3, x_scale=0.03, max_nfev=30
        )

    upright = min((fit(turn, 0.0) for turn in sorted({0.0, math.radians(turn_deg)})), key=lambda f: float(f.cost))
    leaned = (fit(told(upright.x)[0], lean) for lean in (-0.07, 0.07))
    best = min((upright, *leaned), key=lambda f: float(f.cost))
    turn, lean, offset = told(best.x)
    n = normal(turn, lean)
    away_mm = float(n @ (middle + np.asarray([0.0, 0.0, first * step[0]])) + offset)
    uneven = float(np.median(np.abs(residuals(best.x))))
    return _Plane((float(n[0]), float(n[1]), float(n[2])), away_mm, uneven)


def _middles(
    hu: Floats, inside: Bools, plane: _Plane, z_mm: float, pixel_mm: tuple[float, float]
) -> list[tuple[float, float]]:
    """(shift mm, weight) of each row across the midline in which the septum or the third ventricle is seen."""
    nx, ny, nz = plane.normal
    flat = math.hypot(nx, ny)
    across = np.asarray([nx, ny]) / flat
    along = np.asarray([-across[1], across[0]])
    rows, columns = np.nonzero(inside)
    centre = np.asarray([columns.mean() * pixel_mm[1], rows.mean() * pixel_mm[0]])
    centre = centre - across * ((np.asarray([nx, ny]) @ centre + nz * z_mm - plane.away) / flat)
    v = np.arange(-130.0, 130.0, 1.0)
    line = centre + v[:, None] * along
    on_line = ndimage.map_coordinates(
        inside.astype(np.float32), [line[:, 1] / pixel_mm[0], line[:, 0] / pixel_mm[1]], order=1
    )
    held = np.nonzero(on_line > 0.5)[0]
    if len(held) < 80:
        return []
    front, back = float(v[held[0]]), float(v[held[-1]])  # where the falx is fixed
    length = back - front
    v = np.arange(front + PART_OF_LENGTH[0] * length, front + PART_OF_LENGTH[1] * length, 1.0)
    u = np.arange(-FURTHEST_MM - 14.0, FURTHEST_MM + 14.0 + _STEP_MM / 2, _STEP_MM)
    grid = centre + v[:, None, None] * along + u[None, :, None] * across
    values = ndimage.map_coordinates(hu, [grid[..., 1] / pixel_mm[0], grid[..., 0] / pixel_mm[1]], order=1, mode="nearest")
    values = ndimage.gaussian_filter(values, (2.0, 0.6 / _STEP_MM))
    found = []
    for row in values:
        found += [(at * flat, w) for at, w in (*_walls(row, u), *_clefts(row, u)) if abs(at) <= FURTHEST_MM]
    return found


def _runs(low: Bools) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate([[0], low.astype(np.int8), [0]]))
    return list(zip(np.nonzero(edges == 1)[0].tolist(), np.nonzero(edges == -1)[0].tolist(), strict=True))


def _walls(row: Floats, u: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """Middles of thin walls between two parts of CSF."""
    found = []
    inner = np.nonzero((row[1:-1] > row[:-2]) & (row[1:-1] >= row[2:]))[0] + 1
    reach = int(12.0 / _STEP_MM)
    for at in inner:
        left, right = row[max(0, at - reach) : at], row[at + 1 : at + 1 + reach]
        if not len(left) or not len(right) or left.min() > CSF_HU or right.min() > CSF_HU:
            continue
        base = max(float(left.min()), float(right.min()))
        if row[at] - base < 3.0:
            continue
        half = (float(row[at]) + base) / 2
        low, high = at, at
        while low > 0 and row[low] > half:
            low -= 1
        while high < len(row) - 1 and row[high] > half:
            high += 1
        if WALL_MM[0] <= u[high] - u[low] <= WALL_MM[1]:
            found.append((float(u[low] + u[high]) / 2, 1.0))
    return found


def _clefts(row: Floats, u: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """The middle of a narrow cleft of CSF with brain on both sides, if it is the row's only part of CSF: two are horns of
    the lateral ventricles or the cisterns beside the brain stem."""
    runs = [(low, high) for low, high in _runs(np.asarray(row < CSF_HU + 3.0)) if row[low:high].min() <= CSF_HU]
    if len(runs) != 1:
        return []
    low, high = runs[0]
    if low == 0 or high == len(row) or not CLEFT_MM[0] <= (high - low) * _STEP_MM <= CLEFT_MM[1]:
        return []
    side = int(6.0 / _STEP_MM)
    if row[max(0, low - side) : low].max() < 24 or row[high : high + side].max() < 24:
        return []
    return [(float(u[low] + u[high - 1]) / 2, 0.5)]


def _agreed(found: list[tuple[float, float]]) -> float | None:
    """The place on which most rows agree within 2 mm; None when too few do, or another place has nearly as many."""
    if not found:
        return None
    at, weight = np.asarray(found).T
    trial = np.arange(-FURTHEST_MM, FURTHEST_MM + 0.25, 0.25)
    votes = np.asarray([weight[np.abs(at - t) <= 2.0].sum() for t in trial])
    best = float(trial[int(votes.argmax())])
    if votes.max() < MIN_ROWS:
        return None
    rival = votes[np.abs(trial - best) > 5.0]
    if len(rival) and rival.max() > 0.7 * votes.max():
        return None
    near = np.abs(at - best) <= 2.0
    order = np.argsort(at[near])
    total = np.cumsum(weight[near][order])
    return float(at[near][order][int(np.searchsorted(total, total[-1] / 2))])

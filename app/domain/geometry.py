"""Patient space and image grids.

Patient space is LPS in millimetres (PS3.3 C.7.6.2.1.1). Arrays are indexed ``[k, j, i]`` = (slice, row, column);
the centre of a voxel has integer indices. ``image_px`` coordinates are DICOM's SCOORD: (column, row) with the top-left
*corner* of the top-left pixel at (0, 0) (PS3.3 C.18.6.1.1). This module is the only place that converts between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Point3 = tuple[float, float, float]
Point2 = tuple[float, float]
FloatArray = npt.NDArray[np.float64]

_UNIT_TOLERANCE = 1e-3


def _vector(p: Point3) -> FloatArray:
    return np.asarray(p, dtype=np.float64)


def _point(v: FloatArray) -> Point3:
    return (float(v[0]), float(v[1]), float(v[2]))


def _dot(a: Point3, b: Point3) -> float:
    return float(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def px_from_index(i: float, j: float) -> Point2:
    """Column index i and row index j of a pixel centre to ``image_px`` (x, y), corner origin."""
    return (i + 0.5, j + 0.5)


def index_from_px(x: float, y: float) -> tuple[float, float]:
    """``image_px`` (x, y) to (column index i, row index j) of pixel centres."""
    return (x - 0.5, y - 0.5)


@dataclass(frozen=True)
class PlaneGeometry:
    """One calibrated image plane in patient space (PS3.3 C.7.6.2)."""

    origin_mm: Point3
    """Centre of the first pixel: ImagePositionPatient."""
    row_cosines: Point3
    """Unit vector along increasing column index i."""
    column_cosines: Point3
    """Unit vector along increasing row index j."""
    row_spacing_mm: float
    """Distance between rows, PixelSpacing[0]."""
    column_spacing_mm: float
    """Distance between columns, PixelSpacing[1]."""
    rows: int
    columns: int
    frame_of_reference_uid: str = ""
    in_patient: bool = True
    """False: the coordinates are those of a volume whose place in the patient nobody states; no side is known."""

    def __post_init__(self) -> None:
        if not (self.row_spacing_mm > 0 and self.column_spacing_mm > 0):
            raise ValueError('"row_spacing_mm" and "column_spacing_mm" must be above zero')
        if self.rows < 1 or self.columns < 1:
            raise ValueError('"rows" and "columns" must be at least 1')
        for name in ("row_cosines", "column_cosines"):
            length = math.sqrt(sum(c * c for c in getattr(self, name)))
            if abs(length - 1.0) > _UNIT_TOLERANCE:
                raise ValueError(f'"{name}" must be a unit vector, its length is {length:.4f}')
        dot = sum(a * b for a, b in zip(self.row_cosines, self.column_cosines, strict=True))
        if abs(dot) > 1e-2:
            raise ValueError('"row_cosines" and "column_cosines" must be orthogonal')

    @property
    def normal(self) -> Point3:
        """Unit normal, row x column (PS3.3 C.7.6.2.1.1)."""
        (a, b, c), (d, e, f) = self.row_cosines, self.column_cosines
        return (float(b * f - c * e), float(c * d - a * f), float(a * e - b * d))

    def to_patient(self, j: float, i: float) -> Point3:
        """Row index j and column index i of pixel centres to LPS mm."""
        return _point(
            _vector(self.origin_mm)
            + _vector(self.row_cosines) * (i * self.column_spacing_mm)
            + _vector(self.column_cosines) * (j * self.row_spacing_mm)
        )

    def to_index(self, point_mm: Point3) -> tuple[float, float, float]:
        """LPS mm to (row index j, column index i, signed distance from the plane in mm)."""
        # Plain arithmetic: arrays of three cost many times more, and a scroll asks every plane of a stack.
        (x, y, z), (x0, y0, z0) = point_mm, self.origin_mm
        d = (x - x0, y - y0, z - z0)
        return (
            _dot(d, self.column_cosines) / self.row_spacing_mm,
            _dot(d, self.row_cosines) / self.column_spacing_mm,
            _dot(d, self.normal),
        )

    def to_patient_many(self, ji: FloatArray) -> FloatArray:
        """(n, 2) row and column indices to (n, 3) LPS mm, the same to the last bit as one by one."""
        across = _vector(self.row_cosines) * (ji[:, 1:2] * self.column_spacing_mm)
        down = _vector(self.column_cosines) * (ji[:, 0:1] * self.row_spacing_mm)
        return np.asarray(_vector(self.origin_mm) + across + down)

    def to_index_many(self, points_mm: FloatArray) -> FloatArray:
        """(n, 3) LPS mm to (n, 3): row index, column index, signed distance in mm; the same as one by one."""
        x, y, z = (points_mm - _vector(self.origin_mm)).T
        along = [x * a + y * b + z * c for a, b, c in (self.column_cosines, self.row_cosines, self.normal)]
        return np.stack((along[0] / self.row_spacing_mm, along[1] / self.column_spacing_mm, along[2]), axis=1)

    def position_along_normal_mm(self) -> float:
        return _dot(self.origin_mm, self.normal)


@dataclass(frozen=True)
class VolumeGeometry:
    """A regular grid ``[k, j, i]`` in patient space; the three steps may be oblique but never dependent."""

    origin_mm: Point3
    """Centre of voxel (0, 0, 0)."""
    k_step_mm: Point3
    """Vector from slice k to k + 1."""
    j_step_mm: Point3
    """Vector from row j to j + 1."""
    i_step_mm: Point3
    """Vector from column i to i + 1."""
    shape: tuple[int, int, int]
    """(slices, rows, columns)."""
    frame_of_reference_uid: str = ""
    in_patient: bool = True
    """See :class:`PlaneGeometry`."""

    def __post_init__(self) -> None:
        if any(n < 1 for n in self.shape):
            raise ValueError(f'"shape" must be positive, it is {self.shape}')
        if abs(np.linalg.det(self._steps())) < 1e-9:
            raise ValueError("the three steps of a volume must be independent (a spacing is zero?)")

    def _steps(self) -> FloatArray:
        return np.stack([_vector(self.k_step_mm), _vector(self.j_step_mm), _vector(self.i_step_mm)], axis=1)

    @classmethod
    def axial(
        cls,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        origin_mm: Point3 = (0.0, 0.0, 0.0),
        frame_of_reference_uid: str = "",
    ) -> VolumeGeometry:
        """Axis-aligned grid: k to head (+S), j to posterior (+P), i to left (+L). ``spacing_mm`` in (k, j, i) order."""
        k, j, i = spacing_mm
        return cls(origin_mm, (0.0, 0.0, k), (0.0, j, 0.0), (i, 0.0, 0.0), shape, frame_of_reference_uid)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """(k, j, i) lengths of the steps."""
        k, j, i = (math.sqrt(x * x + y * y + z * z) for x, y, z in (self.k_step_mm, self.j_step_mm, self.i_step_mm))
        return (k, j, i)

    @property
    def affine(self) -> FloatArray:
        """4 x 4 matrix, homogeneous (k, j, i, 1) to LPS mm."""
        a = np.eye(4)
        a[:3, :3] = self._steps()
        a[:3, 3] = _vector(self.origin_mm)
        return a

    def to_patient(self, kji: tuple[float, float, float]) -> Point3:
        return _point(self._steps() @ _vector(kji) + _vector(self.origin_mm))

    def to_index(self, point_mm: Point3) -> tuple[float, float, float]:
        """LPS mm to fractional (k, j, i)."""
        return _point(np.asarray(np.linalg.solve(self._steps(), _vector(point_mm) - _vector(self.origin_mm)), np.float64))

    def to_patient_many(self, kji: FloatArray) -> FloatArray:
        """(n, 3) indices to (n, 3) LPS mm."""
        return np.asarray(kji, dtype=np.float64) @ self._steps().T + _vector(self.origin_mm)

    def to_index_many(self, points_mm: FloatArray) -> FloatArray:
        """(n, 3) LPS mm to (n, 3) fractional (k, j, i)."""
        d = np.asarray(points_mm, dtype=np.float64) - _vector(self.origin_mm)
        return np.asarray(np.linalg.solve(self._steps(), d.T).T)

    def cropped(self, k: slice, j: slice, i: slice) -> VolumeGeometry:
        """The grid of ``array[k, j, i]`` (steps of 1 only)."""
        starts, sizes = [], []
        for s, n in zip((k, j, i), self.shape, strict=True):
            start, stop, step = s.indices(n)
            if step != 1 or stop <= start:
                raise ValueError("a crop needs a non-empty slice with step 1")
            starts.append(float(start))
            sizes.append(stop - start)
        origin = self.to_patient((starts[0], starts[1], starts[2]))
        return VolumeGeometry(
            origin,
            self.k_step_mm,
            self.j_step_mm,
            self.i_step_mm,
            (sizes[0], sizes[1], sizes[2]),
            self.frame_of_reference_uid,
            self.in_patient,
        )

    def plane(self, k: int) -> PlaneGeometry:
        """Geometry of slice k as an image plane; the rows and columns must be orthogonal."""
        _, row_spacing, column_spacing = self.spacing_mm
        return PlaneGeometry(
            self.to_patient((float(k), 0.0, 0.0)),
            _point(_vector(self.i_step_mm) / column_spacing),
            _point(_vector(self.j_step_mm) / row_spacing),
            row_spacing,
            column_spacing,
            self.shape[1],
            self.shape[2],
            self.frame_of_reference_uid,
            self.in_patient,
        )


def orientation_letters(direction: Point3, threshold: float = 0.25) -> str:
    """Patient letters for a direction, strongest first, e.g. ``"L"``, ``"AL"`` (PS3.3 C.7.6.1.1.1).

    L/R left/right, P/A posterior/anterior, H/F head/feet. Components weaker than ``threshold`` are left out.
    """
    pairs = (("L", "R"), ("P", "A"), ("H", "F"))
    letters = [
        (abs(component), positive if component > 0 else negative)
        for component, (positive, negative) in zip(direction, pairs, strict=True)
        if abs(component) > threshold
    ]
    return "".join(letter for _, letter in sorted(letters, key=lambda item: -item[0]))

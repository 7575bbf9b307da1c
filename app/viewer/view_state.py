"""How we look: what is shown in a pane, and the exact transforms that follow from it.

Three systems meet here. *Pane* coordinates: (x, y) in device pixels, the top-left corner of the pane at (0, 0), so that
the first pixel's centre is (0.5, 0.5). *Image px*: DICOM's corner origin (``domain/geometry.py``). *Patient*: LPS mm.
Zoom belongs to the view, the window to a layer, the geometry to the data; nothing computed is stored as truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.domain.geometry import PlaneGeometry, Point2, Point3, VolumeGeometry, index_from_px, px_from_index
from app.domain.pixels import VoiWindow
from app.viewer.regions import Region

Size = tuple[int, int]
"""(width, height) in device pixels."""
Matrix23 = npt.NDArray[np.float64]
"""2 x 3 affine, (x, y, 1) to (x', y')."""

MIN_ZOOM = 0.05
MAX_ZOOM = 64.0


class Plane(StrEnum):
    STACK = "stack"
    """The frames as they were acquired."""
    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    OBLIQUE = "oblique"
    CURVED = "curved"
    """Along a drawn curve, laid flat."""
    RENDERED = "rendered"
    """The whole volume from outside, along ``oblique_row`` and ``oblique_column``."""


class SlabMode(StrEnum):
    MAXIMUM = "max"
    MINIMUM = "min"
    MEAN = "mean"


@dataclass(frozen=True)
class ViewState:
    """What one pane looks at. Rotation acts first (clockwise as seen), then the flips, as in PS3.3 C.10.6."""

    display_set_id: str = ""
    plane: Plane = Plane.STACK
    frame_index: int = 0
    """Position in the display set's frames (STACK)."""
    point_mm: Point3 | None = None
    """The patient position the plane goes through (all but STACK); every linked view understands it."""
    zoom: float = 1.0
    """1 fits the image into the pane."""
    pan: Point2 = (0.0, 0.0)
    """What is moved, in parts of the pane's (width, height): survives a resize."""
    rotation_deg: float = 0.0
    flip_h: bool = False
    flip_v: bool = False
    invert: bool = False
    slab_mm: float = 0.0
    slab_mode: SlabMode = SlabMode.MAXIMUM
    oblique_row: Point3 = (1.0, 0.0, 0.0)
    """OBLIQUE: unit vector to the right of the pane."""
    oblique_column: Point3 = (0.0, 1.0, 0.0)
    """OBLIQUE: unit vector down the pane."""
    anchor: Point2 = (0.5, 0.5)
    """Which part of the image lies at the same part of the pane: (1, 0.5) puts the image's right edge at the pane's."""
    fit_extent_mm: Point2 | None = None
    """What zoom 1 fits instead of the image itself: panes with the same extent and size show one scale."""
    fit_box: tuple[float, float, float, float] | None = None
    """(x0, y0, x1, y1) in image px: what zoom 1 fits and places instead of the whole image. Nothing is hidden by it."""
    volume_preset: str = "bone"
    """RENDERED: a look of ``resources/volume_presets.toml``."""
    crop: tuple[float, float, float, float, float, float] = (0.0, 1.0, 0.0, 1.0, 0.0, 1.0)
    """RENDERED: what is kept of the patient-aligned box, (right, left, front, back, feet, head) in parts."""
    crop_box: bool = False
    """RENDERED: the box is drawn, with a handle on each side."""
    shutter: tuple[float, float, float, float] | None = None
    """(x0, y0, x1, y1) in image px: what lies outside is painted black and the pane says so."""

    def __post_init__(self) -> None:
        if not (self.zoom > 0 and math.isfinite(self.zoom)):
            raise ValueError('"zoom" must be above zero')
        if self.slab_mm < 0:
            raise ValueError('"slab_mm" must not be negative')


@dataclass(frozen=True)
class Appearance:
    """How one layer appears."""

    window: VoiWindow | None = None
    """None: as the object says (its VOI LUT or first window), else by percentiles."""
    lut: str = "grey"
    """Name of a file in ``resources/luts``; heatmaps use "inferno"."""
    opacity: float = 1.0
    threshold: float = 0.0
    """Heatmaps: absolute value below which nothing is drawn."""
    visible: bool = True

    def __post_init__(self) -> None:
        if not (0.0 <= self.opacity <= 1.0 and 0.0 <= self.threshold <= 1.0):
            raise ValueError('"opacity" and "threshold" must lie in 0..1')


@dataclass(frozen=True)
class ImageGeometry:
    """The flat image in a pane: its grid, the size of its pixels, and its place in the patient when it has one."""

    columns: int
    rows: int
    column_spacing: float = 1.0
    """Distance between columns in mm when ``calibrated``, else relative (aspect ratio)."""
    row_spacing: float = 1.0
    calibrated: bool = False
    """Millimetres in the image plane may be stated."""
    plane: PlaneGeometry | None = None
    """Position in the patient: same rows, columns and spacings."""
    patient_orientation: tuple[str, ...] = ()
    """(row direction, column direction) letters of images without a position."""
    interpolated_plane: bool = False
    """The pixels themselves were resampled out of a volume (MPR, slab), so they are no acquired slice."""
    detector_mm: bool = False
    """The spacings are millimetres at the detector: good for one scale among films, not for measuring."""
    regions: tuple[Region, ...] = ()
    """Of ultrasound: where there are any, only they say what a drawing measures."""
    spacing_source: str = ""
    """Message id of a remark about the calibration, e.g. ``viewer.spacing.detector``."""

    @classmethod
    def of_plane(cls, plane: PlaneGeometry, interpolated: bool = False) -> ImageGeometry:
        return cls(
            plane.columns,
            plane.rows,
            plane.column_spacing_mm,
            plane.row_spacing_mm,
            True,
            plane,
            interpolated_plane=interpolated,
        )

    def px_to_patient(self, x: float, y: float) -> Point3 | None:
        if self.plane is None:
            return None
        i, j = index_from_px(x, y)
        return self.plane.to_patient(j, i)

    def px_to_patient_many(self, points: Sequence[Point2]) -> tuple[Point3, ...]:
        """Of all points at once; () without a position."""
        if self.plane is None or not points:
            return ()
        p = np.asarray(points, dtype=np.float64)
        found = self.plane.to_patient_many(p[:, ::-1] - 0.5)
        return tuple((x, y, z) for x, y, z in found.tolist())

    def patient_to_px_many(self, points_mm: Sequence[Point3]) -> list[tuple[float, float, float]]:
        """As ``patient_to_px`` of all points at once; [] without a position."""
        if self.plane is None or not points_mm:
            return []
        found = self.plane.to_index_many(np.asarray(points_mm, dtype=np.float64))
        found[:, :2] += 0.5
        return [(x, y, distance) for y, x, distance in found.tolist()]

    def patient_to_px(self, point_mm: Point3) -> tuple[float, float, float] | None:
        """(x, y, signed distance from the plane in mm), None without a position."""
        if self.plane is None:
            return None
        j, i, distance = self.plane.to_index(point_mm)
        x, y = px_from_index(i, j)
        return (x, y, distance)


@dataclass(frozen=True, eq=False)
class ResolvedView:
    """A view made concrete for one pane size: exact transforms both ways. Compare ``view``/``size``, not this."""

    view: ViewState
    size: Size
    geometry: ImageGeometry
    pane_from_px: Matrix23
    px_from_pane: Matrix23 = field(repr=False)

    def px_to_pane(self, x: float, y: float) -> Point2:
        m = self.pane_from_px
        return (
            float(m[0, 0] * x + m[0, 1] * y + m[0, 2]),
            float(m[1, 0] * x + m[1, 1] * y + m[1, 2]),
        )

    def px_to_pane_many(self, points: Sequence[Point2]) -> list[Point2]:
        """As ``px_to_pane`` of all points at once: an outline along pixels has thousands."""
        if not points:
            return []
        p, m = np.asarray(points, dtype=np.float64), self.pane_from_px
        x = m[0, 0] * p[:, 0] + m[0, 1] * p[:, 1] + m[0, 2]
        y = m[1, 0] * p[:, 0] + m[1, 1] * p[:, 1] + m[1, 2]
        return list(zip(x.tolist(), y.tolist(), strict=True))

    def pane_to_px(self, x: float, y: float) -> Point2:
        m = self.px_from_pane
        return (
            float(m[0, 0] * x + m[0, 1] * y + m[0, 2]),
            float(m[1, 0] * x + m[1, 1] * y + m[1, 2]),
        )

    def pane_to_patient(self, x: float, y: float) -> Point3 | None:
        return self.geometry.px_to_patient(*self.pane_to_px(x, y))

    def patient_to_pane(self, point_mm: Point3) -> tuple[float, float, float] | None:
        """(x, y, signed distance from the shown plane in mm), None when the image has no position."""
        found = self.geometry.patient_to_px(point_mm)
        if found is None:
            return None
        x, y = self.px_to_pane(found[0], found[1])
        return (x, y, found[2])

    @property
    def scale(self) -> float:
        """Pane pixels per image pixel, along the finer side (what the corner calls 2.60x)."""
        m = self.pane_from_px[:, :2]
        return min(math.hypot(m[0, 0], m[1, 0]), math.hypot(m[0, 1], m[1, 1]))

    @property
    def mm_per_pane_px(self) -> float | None:
        """None when no millimetres may be stated."""
        if not self.geometry.calibrated:
            return None
        m = self.pane_from_px
        return self.geometry.column_spacing / math.hypot(m[0, 0], m[1, 0])

    @property
    def is_identity_grid(self) -> bool:
        """Every pane pixel is exactly one image pixel, unturned: nothing is interpolated."""
        m = self.pane_from_px
        return bool(np.array_equal(m[:, :2], np.eye(2)) and np.array_equal(m[:, 2], np.round(m[:, 2])))

    @property
    def interpolated(self) -> bool:
        return self.geometry.interpolated_plane or not self.is_identity_grid

    def edge_directions(self) -> tuple[Point3, Point3] | None:
        """Patient unit vectors to the right and down the pane, None without a position."""
        plane = self.geometry.plane
        if plane is None:
            return None
        steps = np.stack(
            [
                np.asarray(plane.row_cosines) * plane.column_spacing_mm,
                np.asarray(plane.column_cosines) * plane.row_spacing_mm,
            ],
            axis=1,
        )
        out = []
        for axis in (0, 1):
            v = steps @ self.px_from_pane[:, axis]
            v = v / math.hypot(*v)
            out.append((float(v[0]), float(v[1]), float(v[2])))
        return out[0], out[1]


def linear_part(view: ViewState) -> npt.NDArray[np.float64]:
    """Rotation clockwise as seen (y points down), then flips."""
    quarter = round(view.rotation_deg / 90.0)
    if abs(view.rotation_deg - 90.0 * quarter) < 1e-9:  # exact for quarter turns
        c, s = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[quarter % 4]
    else:
        angle = math.radians(view.rotation_deg)
        c, s = math.cos(angle), math.sin(angle)
    rotation = np.array([[c, -s], [s, c]])
    flips = np.diag([-1.0 if view.flip_h else 1.0, -1.0 if view.flip_v else 1.0])
    return np.asarray(flips @ rotation, dtype=np.float64)


def _fitted(view: ViewState, geometry: ImageGeometry) -> tuple[float, float, float, float]:
    return view.fit_box or (0.0, 0.0, float(geometry.columns), float(geometry.rows))


def fit_scale(view: ViewState, size: Size, geometry: ImageGeometry) -> float:
    """Pane pixels per spacing unit at zoom 1: the image (or ``fit_extent_mm``) just fits, turned by quarters."""
    x0, y0, x1, y1 = _fitted(view, geometry)
    width, height = (x1 - x0) * geometry.column_spacing, (y1 - y0) * geometry.row_spacing
    if view.fit_extent_mm is not None and (geometry.calibrated or geometry.detector_mm):
        width, height = view.fit_extent_mm
    if round(view.rotation_deg / 90.0) % 2:
        width, height = height, width
    return min(size[0] / width, size[1] / height)


def resolve(view: ViewState, size: Size, geometry: ImageGeometry) -> ResolvedView:
    """The transforms of ``view`` in a pane of ``size``. Raises ``ValueError`` for an empty pane."""
    if size[0] < 1 or size[1] < 1:
        raise ValueError(f'"size" must be at least 1 x 1, it is {size}')
    scale = fit_scale(view, size, geometry) * view.zoom
    linear = linear_part(view) @ np.diag([geometry.column_spacing * scale, geometry.row_spacing * scale])
    linear[np.abs(linear) < 1e-12] = 0.0
    x0, y0, x1, y1 = _fitted(view, geometry)
    corners = np.array([[x0, y0], [x1, y0], [x0, y1], [x1, y1]], dtype=np.float64)
    shown = corners @ linear.T
    low, high = shown.min(axis=0), shown.max(axis=0)
    pane = np.asarray(size, dtype=np.float64)
    anchor = np.asarray(view.anchor, dtype=np.float64)
    offset = pane * anchor - (low + (high - low) * anchor) + np.asarray(view.pan) * pane
    forward = np.concatenate([linear, offset[:, None]], axis=1)
    inverse = np.linalg.inv(linear)
    backward = np.concatenate([inverse, (-inverse @ offset)[:, None]], axis=1)
    return ResolvedView(view, size, geometry, forward, backward)


def zoom_about(resolved: ResolvedView, factor: float, pane_point: Point2) -> ViewState:
    """Zoomed so that what lies under ``pane_point`` stays there."""
    view = resolved.view
    zoom = min(max(view.zoom * factor, MIN_ZOOM), MAX_ZOOM)
    target = resolved.pane_to_px(*pane_point)
    zoomed = resolve(replace(view, zoom=zoom), resolved.size, resolved.geometry)
    x, y = zoomed.px_to_pane(*target)
    w, h = resolved.size
    return replace(
        view,
        zoom=zoom,
        pan=(view.pan[0] + (pane_point[0] - x) / w, view.pan[1] + (pane_point[1] - y) / h),
    )


def one_to_one(view: ViewState, size: Size, geometry: ImageGeometry) -> ViewState:
    """One pane pixel per image pixel, on the pixel grid, centred."""
    finer = min(geometry.column_spacing, geometry.row_spacing)
    base = replace(view, zoom=1.0 / (fit_scale(view, size, geometry) * finer), pan=(0.0, 0.0))
    offset = resolve(base, size, geometry).pane_from_px[:, 2]
    return replace(
        base,
        pan=(float(round(offset[0]) - offset[0]) / size[0], float(round(offset[1]) - offset[1]) / size[1]),
    )


def true_size(view: ViewState, size: Size, geometry: ImageGeometry, screen_mm_per_px: float) -> ViewState | None:
    """A millimetre of the patient is a millimetre of the screen; None when the image is not calibrated."""
    if not geometry.calibrated or screen_mm_per_px <= 0:
        return None
    return replace(view, zoom=1.0 / (fit_scale(view, size, geometry) * screen_mm_per_px), pan=(0.0, 0.0))


_AXES: dict[Plane, tuple[Point3, Point3]] = {
    # (to the right of the pane, down the pane): the radiological habit, the reader stands at the feet or in front.
    Plane.AXIAL: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    Plane.CORONAL: ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    Plane.SAGITTAL: ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}


def plane_axes(view: ViewState) -> tuple[Point3, Point3]:
    """Patient unit vectors (right, down) of an MPR view. Raises ``ValueError`` for STACK."""
    if view.plane in (Plane.OBLIQUE, Plane.RENDERED):
        return view.oblique_row, view.oblique_column
    if view.plane in (Plane.STACK, Plane.CURVED):
        raise ValueError("a stack view shows acquired frames, it has no plane of its own")
    return _AXES[view.plane]


def volume_centre(geometry: VolumeGeometry) -> Point3:
    k, j, i = geometry.shape
    return geometry.to_patient(((k - 1) / 2, (j - 1) / 2, (i - 1) / 2))

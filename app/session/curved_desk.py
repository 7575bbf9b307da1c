"""Reformats along a drawn curve (a jaw's panoramic picture, a vessel, a spine) and the cross-sections that go with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from app.domain.finding import Finding
from app.domain.geometry import Point3
from app.domain.measurement import MarkShape
from app.domain.pixels import FramePixels, VoiWindow
from app.domain.problem import Problem
from app.domain.volume import Volume
from app.imaging.curved import CurvedImage, cross_section_axes, curved_reformat
from app.session.images import Images
from app.session.panes import PaneState
from app.session.picture import Drawer
from app.session.views import Changes, Notice
from app.viewer.decorations import Style
from app.viewer.layers import ImageLayer
from app.viewer.primitives import Line, Primitive, Role
from app.viewer.view_state import ImageGeometry, Plane, ResolvedView, SlabMode, ViewState

HEIGHT_MM = 70.0
THICKNESS_MM = 8.0
FINEST_MM = 0.2
_MODES = {SlabMode.MEAN: "mean", SlabMode.MAXIMUM: "max", SlabMode.MINIMUM: "min"}


@dataclass(frozen=True, eq=False)
class _Curved:
    """A finished reformat, of the curve as it was then."""

    points: tuple[Point3, ...]
    thickness_mm: float
    mode: SlabMode
    image: CurvedImage
    frame: FramePixels


def _down(points: tuple[Point3, ...]) -> Point3:
    """At right angles to the plane that the curve was drawn in: to the feet, else to the back, else to the left."""
    centred = np.asarray(points) - np.mean(points, axis=0)
    normal = np.linalg.svd(centred)[2][-1]
    main = int(np.argmax(np.abs(normal)))
    if (normal[main] > 0) == (main == 2):
        normal = -normal
    return (float(normal[0]), float(normal[1]), float(normal[2]))


def reformatted(volume: Volume, points: tuple[Point3, ...], thickness_mm: float, mode: SlabMode) -> _Curved:
    """Pure; slow. Raises ``ValueError`` for a curve that is none."""
    step = max(FINEST_MM, min(volume.geometry.spacing_mm))
    ends = np.array([[-0.5, n - 0.5] for n in volume.geometry.shape])
    corners = volume.geometry.to_patient_many(np.array(np.meshgrid(*ends)).reshape(3, -1).T)
    down = _down(points)
    along = corners @ np.asarray(down)
    height = min(HEIGHT_MM, float(along.max() - along.min()))
    image = curved_reformat(volume, points, height, step, down, thickness_mm, _MODES[mode])
    values = image.values
    outside = ~np.isfinite(values)
    values = np.where(outside, np.float32(volume.voxels.min()), values).astype(np.float32)
    return _Curved(points, thickness_mm, mode, image, FramePixels(values, volume.unit, padding=outside))


class CurvedDesk:
    """Main thread only."""

    def __init__(
        self,
        images: Images,
        mark: Callable[[str], Finding | None],
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
    ) -> None:
        self._images = images
        self._mark = mark
        self._announce, self._notice = announce, notice
        self._made: dict[str, _Curved] = {}
        self._working: set[str] = set()
        self._column: dict[str, int] = {}
        self.noted: Callable[[PaneState], tuple[str, ...]] = lambda pane: ()
        """Message ids for a pane's corner: where a curve comes from."""

    def points_of(self, curve_id: str) -> tuple[Point3, ...]:
        mark = self._mark(curve_id)
        if mark is None or mark.shape is not MarkShape.CURVE or mark.placement is None:
            return ()
        return mark.placement.points_mm

    def layer(self, pane: PaneState) -> ImageLayer | None:
        """The reformat of a pane with a curve; None while it is being made (it has been asked for)."""
        points = self.points_of(pane.curve)
        volume = self._images.volume(pane.display_set_id)
        if len(points) < 3 or volume is None:
            return None
        made = self._made.get(pane.curve)
        v = pane.view
        if made is None or (made.points, made.thickness_mm, made.mode) != (points, v.slab_mm, v.slab_mode):
            self._make(pane.curve, volume, points, v.slab_mm, v.slab_mode)
        if made is None:
            return None
        rows, columns = made.frame.values.shape
        step = made.image.curve.step_mm
        flat = ImageGeometry(columns, rows, step, step, True, interpolated_plane=True)
        window = pane.appearance.window or VoiWindow(1000.0, 3000.0)
        look = replace(pane.appearance, window=window if volume.unit == "HU" else pane.appearance.window)
        return ImageLayer(look, frame=made.frame, geometry=flat)

    def _make(self, curve_id: str, volume: Volume, points: tuple[Point3, ...], mm: float, mode: SlabMode) -> None:
        if curve_id in self._working:
            return
        self._working.add(curve_id)

        def work() -> tuple[_Curved | None]:
            try:
                return (reformatted(volume, points, mm, mode),)
            except ValueError:
                return (None,)

        def came(result: tuple[_Curved | None] | None) -> None:
            self._working.discard(curve_id)
            if result is None or result[0] is None:
                self._notice(Notice(Problem("curve.none")))
                return
            self._made[curve_id] = result[0]
            self._announce(Changes(view=True))

        self._images.beside(work, came, slow=True)

    def drawers(self, pane: PaneState) -> tuple[Drawer, ...]:
        """Where the cross-section lies, as a line down a curved pane."""
        at = self.column(pane.curve) if pane.view.plane is Plane.CURVED else None
        if at is None:
            return ()

        def line(resolved: ResolvedView, style: Style) -> tuple[Primitive, ...]:
            rows = resolved.geometry.rows
            (x0, y0), (x1, y1) = resolved.px_to_pane(at + 0.5, 0.0), resolved.px_to_pane(at + 0.5, float(rows))
            return (Line(x0, y0, x1, y1, Role.SECONDARY, style.scale, True, "cross_section"),)

        return (line,)

    # -- cross-sections --------------------------------------------------------------------------------------------

    def column(self, curve_id: str) -> int | None:
        """Where the cross-section lies, as a column of the reformat."""
        made = self._made.get(curve_id)
        if made is None:
            return None
        last = len(made.image.curve.points_mm) - 1
        return min(max(self._column.get(curve_id, last // 2), 0), last)

    def step(self, curve_id: str, steps: int) -> None:
        """The cross-section a millimetre on along the curve for every step."""
        made, at = self._made.get(curve_id), self.column(curve_id)
        if made is not None and at is not None:
            self._column[curve_id] = at + round(steps * max(1.0, 1.0 / made.image.curve.step_mm))

    def cross_section(self, curve_id: str, view: ViewState) -> ViewState:
        """``view`` across the curve at the column; unchanged while there is no reformat."""
        made, at = self._made.get(curve_id), self.column(curve_id)
        if made is None or at is None:
            return view
        d = made.image.down
        point, right, down = cross_section_axes(made.image.curve, at, (float(d[0]), float(d[1]), float(d[2])))
        return replace(view, plane=Plane.OBLIQUE, point_mm=point, oblique_row=right, oblique_column=down)

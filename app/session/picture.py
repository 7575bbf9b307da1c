"""One pane's picture as a frozen request: everything it needs is in it, so any thread may perform it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from app.domain.finding import Finding
from app.domain.geometry import PlaneGeometry, Point2, Point3
from app.domain.measurement import Measurement
from app.domain.problem import Problem, ProblemError
from app.viewer.compositor import Picture, SampleCache, render
from app.viewer.decorations import Style, decorate
from app.viewer.gesture_marks import gesture_primitives, with_lens
from app.viewer.layers import HeatmapLayer, ImageLayer, Layer
from app.viewer.marks import MarkLook, finding_primitives, probe_primitives
from app.viewer.pane_info import PaneInfo
from app.viewer.presets import preset_name
from app.viewer.primitives import Primitive
from app.viewer.solid_view import render_solid
from app.viewer.view_state import Plane, ResolvedView, Size, ViewState
from app.viewer.volume_parts import VolumeCut
from app.viewer.words import Texts

_log = logging.getLogger(__name__)


Drawer = Callable[[ResolvedView, Style], Sequence[Primitive]]


@dataclass(frozen=True)
class ShownMark:
    finding: Finding
    look: MarkLook


@dataclass(frozen=True, eq=False)
class PanePicture:
    """What a pane paints. ``pixels``: (h, w) grey or (h, w, 4) B, G, R, 255; None while loading or when it failed."""

    pane_id: str
    pixels: npt.NDArray[np.uint8] | None
    decorations: tuple[Primitive, ...] = ()
    loading: bool = False
    fraction: float = 0.0
    problem: Problem | None = None
    resolved: ResolvedView | None = None
    draft: bool = False


@dataclass(frozen=True, eq=False)
class PictureRequest:
    """Call it, on any thread. Never raises: what went wrong is in the picture's ``problem``."""

    pane_id: str
    view: ViewState
    layers: tuple[Layer, ...]
    size: Size
    info: PaneInfo
    texts: Texts
    style: Style
    cache: SampleCache
    marks: tuple[ShownMark, ...] = ()
    probe: tuple[Point2, tuple[Measurement, ...]] | None = None
    probe_doubted: bool = False
    cross_references: tuple[PlaneGeometry, ...] = ()
    point_mm: Point3 | None = None
    band: tuple[Point2, Point2] | None = None
    """A box being dragged, in pane px."""
    lens: Point2 | None = None
    drawers: tuple[Drawer, ...] = ()
    """What saved objects draw over the image, under the marks."""
    handles: tuple[Drawer, ...] = ()
    """What is there to be taken by the hand: it stays on the screen when the picture leaves it."""
    starred: bool = False
    """The image shown is a key image."""
    cut: VolumeCut | None = None
    """RENDERED: a mask whose voxels alone are shown, or hidden."""
    finest: bool = False
    """RENDERED: waits for the finest picture; for what leaves the screen."""
    draft: bool = False
    loading: bool = False
    fraction: float = 0.0
    problem: Problem | None = None
    facts: tuple[tuple[str, str], ...] = field(default=())

    def __call__(self) -> PanePicture:
        if self.problem is not None or self.loading or not self.layers:
            return PanePicture(self.pane_id, None, (), self.loading, self.fraction, self.problem)
        try:
            return self._drawn()
        except ProblemError as error:
            return PanePicture(self.pane_id, None, problem=error.problem)
        except MemoryError:
            return PanePicture(self.pane_id, None, problem=Problem("viewer.render_out_of_memory"))
        except Exception as error:  # a bug of ours must reach the pane by name, not end a thread in silence
            _log.exception("a pane could not be drawn")
            return PanePicture(self.pane_id, None, problem=Problem("viewer.render_failed", {"kind": type(error).__name__}))

    def _drawn(self) -> PanePicture:
        notes: tuple[Problem, ...] = ()
        coarse = False
        picture: Picture
        if self.view.plane is Plane.RENDERED:
            solid = render_solid(self.view, self.layers, self.size, self.cache, self.draft, self.cut, self.finest)
            picture, notes, coarse = solid, solid.notes, solid.coarse
        else:
            picture = render(self.view, self.layers, self.size, self.cache, self.draft)
        if self.lens is not None:
            picture = with_lens(picture, self.layers, self.lens, self.style.scale)
        base = self.layers[0]
        assert isinstance(base, ImageLayer)
        resolved = picture.resolved
        shown: list[Primitive] = [p for draw in (*self.drawers, *self.handles) for p in draw(resolved, self.style)]
        for mark in self.marks:
            shown.extend(finding_primitives(mark.finding, base, resolved, self.texts, mark.look, self.style))
        if self.probe is not None:
            at, told = self.probe
            shown.extend(probe_primitives(at, told, self.texts, resolved, self.style, self.probe_doubted))
        shown.extend(gesture_primitives(self.band, self.lens, self.starred, self.size, self.style))
        heat = next(
            (h for h in self.layers if isinstance(h, HeatmapLayer) and h.legend and h.appearance.visible),
            None,
        )
        name = preset_name(picture.window, base.unit, base.suv)
        info = replace(
            self.info,
            window=picture.window,
            remarks=(*self.info.remarks, *notes),
            suv=base.suv,
            preset=self.texts.get(f"preset.{name}", name) if name else "",
            calibration_note=resolved.geometry.spacing_source,
        )
        decorations = decorate(
            resolved,
            info,
            self.texts,
            shown,
            self.style,
            picture.pixels,
            (heat.appearance.lut, heat.appearance.threshold) if heat is not None else None,
            self.cross_references,
            self.point_mm,
        )
        return PanePicture(self.pane_id, picture.pixels, decorations, resolved=resolved, draft=self.draft or coarse)

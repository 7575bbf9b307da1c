"""A saved presentation state over an image: its look, its place in the pane, its annotations. Modality values stay.

The window of a state refers to its own modality transform (PS3.3 C.11.6); where that is another one than the image's, the
window is converted, never the values, so that what is measured does not depend on how somebody looked at the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.geometry import Point2
from app.domain.pixels import FramePixels, Lut, ModalityTransform, VoiFunction, VoiWindow
from app.domain.presentation import (
    AreaMode,
    DisplayedArea,
    PresentationState,
    SavedGraphic,
    SavedText,
    Shutter,
    Units,
)
from app.domain.problem import Problem, Severity
from app.viewer.compound_graphics import compound_primitives
from app.viewer.decorations import Style
from app.viewer.primitives import Anchor, Line, Polyline, Primitive, Role, Text
from app.viewer.view_state import MAX_ZOOM, MIN_ZOOM, ImageGeometry, ResolvedView, Size, ViewState, fit_scale, resolve
from app.viewer.voi_lut import unit_of

_NO_TRANSFORM = ModalityTransform()
_FULL = 65535
_STEPS = 12
"""Pieces between two points of an interpolated curve."""


# -- grey levels -----------------------------------------------------------------------------------------------------


def presented_frame(
    frame: FramePixels, transform: ModalityTransform, state: PresentationState, sop_instance_uid: str, number: int
) -> FramePixels:
    """The frame with the state's window, LUTs and polarity; ``transform`` is the image's own. Colour stays."""
    if frame.is_colour or state.inverse is None:
        return frame
    voi = state.voi(sop_instance_uid, number)
    window = voi.window if voi is not None else None
    lut = voi.lut if voi is not None else None
    asked = state.modality or _NO_TRANSFORM
    linear = transform.lut is None and asked.lut is None
    same = linear and (asked.slope, asked.intercept) == (transform.slope, transform.intercept)
    inverse = state.inverse
    if state.presentation_lut is None and lut is None and linear:
        if window is None:
            return replace(frame, inverse=inverse)
        factor = transform.slope / asked.slope
        if not same:
            window = _converted(window, transform.intercept - factor * asked.intercept, factor)
        return replace(frame, windows=(window,), voi_lut=None, inverse=inverse != (factor < 0))
    if state.presentation_lut is None and window is None and lut is not None and same:
        return replace(frame, windows=(), voi_lut=lut, inverse=inverse)
    if transform.lut is not None and asked.lut is None and (asked.slope, asked.intercept) != (1.0, 0.0):
        return replace(frame, inverse=inverse)  # the image's own table cannot be undone
    whole = _composed(frame, transform, asked, window, lut, state.presentation_lut)
    return replace(frame, windows=(), voi_lut=whole, inverse=inverse)


def _converted(window: VoiWindow, shift: float, factor: float) -> VoiWindow:
    """``window`` of values s, for values ``factor * s + shift``."""
    size = abs(factor)
    if window.function is VoiFunction.LINEAR:
        # PS3.3 C.11.2.1.2.1: LINEAR runs from c - 0.5 over w - 1; the exact function says the same after scaling.
        width = max(size * (window.width - 1.0), 1e-6)
        return VoiWindow(factor * (window.center - 0.5) + shift, width, VoiFunction.LINEAR_EXACT, window.explanation)
    return VoiWindow(factor * window.center + shift, size * window.width, window.function, window.explanation)


def _composed(
    frame: FramePixels,
    transform: ModalityTransform,
    asked: ModalityTransform,
    window: VoiWindow | None,
    lut: Lut | None,
    presentation: Lut | None,
) -> Lut:
    """One table from the image's modality values to 16-bit P-values: the state's modality, VOI and presentation steps."""
    low = math.floor(float(np.nanmin(frame.values)))
    high = min(math.ceil(float(np.nanmax(frame.values))), low + _FULL)
    values = np.arange(low, high + 1, dtype=np.float64)
    if transform.lut is None and (
        asked.lut is not None or (asked.slope, asked.intercept) != (transform.slope, transform.intercept)
    ):
        stored = (values - transform.intercept) / transform.slope
        if asked.lut is not None:
            index = np.clip(np.rint(stored) - asked.lut.first_mapped, 0, len(asked.lut.table) - 1).astype(np.int64)
            values = asked.lut.table[index].astype(np.float64)
        else:
            values = stored * asked.slope + asked.intercept
    if lut is not None:
        index = np.clip(np.rint(values) - lut.first_mapped, 0, len(lut.table) - 1).astype(np.int64)
        level = lut.table[index] / (2.0**lut.bits - 1.0)
    elif window is not None:
        level = unit_of(values, window)
    else:
        span = max(float(values.max() - values.min()), 1.0)
        level = (values - values.min()) / span
    if presentation is not None:
        # The table's input spans the whole output range of the VOI step (PS3.3 C.11.6.1.1).
        index = np.rint(np.clip(level, 0, 1) * (len(presentation.table) - 1)).astype(np.int64)
        level = presentation.table[index] / (2.0**presentation.bits - 1.0)
    return Lut(low, np.rint(np.clip(level, 0, 1) * _FULL).astype(np.uint16), 16)


# -- place in the pane -----------------------------------------------------------------------------------------------


def presented_view(
    view: ViewState,
    state: PresentationState,
    area: DisplayedArea | None,
    size: Size,
    geometry: ImageGeometry,
    screen_mm_per_px: float | None = None,
) -> ViewState:
    """The view that shows the displayed area as the state says, centred in a pane of ``size``.

    TRUE SIZE needs to know the screen; without it the area is fitted.
    """
    base = replace(
        view,
        rotation_deg=float(state.rotation_deg),
        flip_h=state.flip,
        flip_v=False,
        zoom=1.0,
        pan=(0.0, 0.0),
        anchor=(0.5, 0.5),
        fit_extent_mm=None,
        fit_box=None,
    )
    if area is None:
        return base
    x0, y0, x1, y1 = _area_in_pane(resolve(base, size, geometry), area)
    if area.mode is AreaMode.MAGNIFY:
        finer = min(geometry.column_spacing, geometry.row_spacing)
        zoom = area.magnification / (fit_scale(base, size, geometry) * finer)
    elif area.mode is AreaMode.TRUE_SIZE and screen_mm_per_px and area.spacing_mm is not None:
        pane_px_per_image_px = area.spacing_mm[1] / screen_mm_per_px
        zoom = pane_px_per_image_px / (fit_scale(base, size, geometry) * geometry.column_spacing)
    else:
        zoom = min(size[0] / max(x1 - x0, 1e-6), size[1] / max(y1 - y0, 1e-6))
    base = replace(base, zoom=min(max(zoom, MIN_ZOOM), MAX_ZOOM))
    x0, y0, x1, y1 = _area_in_pane(resolve(base, size, geometry), area)
    return replace(base, pan=(0.5 - (x0 + x1) / 2 / size[0], 0.5 - (y0 + y1) / 2 / size[1]))


def grey_palette(state: PresentationState) -> npt.NDArray[np.uint8] | None:
    """(256, 3) RGB for the grey levels 0..255: the whole output of the VOI step spans the whole palette (PS3.4 N.2)."""
    if state.palette is None:
        return None
    index = np.floor(np.arange(256) * (len(state.palette) - 1) / 255 + 0.5).astype(np.int64)
    return np.asarray(state.palette[index])


def size_remark(area: DisplayedArea | None, screen_mm_per_px: float | None) -> Problem | None:
    """Why an area is fitted though it asks for its true size."""
    if area is None or area.mode is not AreaMode.TRUE_SIZE:
        return None
    if area.spacing_mm is None:
        return Problem("presentation.true_size_no_mm", {}, Severity.NOTE)
    return None if screen_mm_per_px else Problem("presentation.true_size_unknown", {}, Severity.NOTE)


def _area_in_pane(resolved: ResolvedView, area: DisplayedArea | None) -> tuple[float, float, float, float]:
    """Bounding box of the displayed area in pane px; of the whole image where there is none."""
    g = resolved.geometry
    left, top, right, bottom = area.box_px if area is not None else (0.0, 0.0, float(g.columns), float(g.rows))
    corners = [resolved.px_to_pane(x, y) for x in (left, right) for y in (top, bottom)]
    xs, ys = [c[0] for c in corners], [c[1] for c in corners]
    return min(xs), min(ys), max(xs), max(ys)


# -- what covers the image -------------------------------------------------------------------------------------------


def shutter_mask(shutter: Shutter, rows: int, columns: int) -> npt.NDArray[np.bool_]:
    """True where the image is covered: outside of any of the shapes (PS3.3 C.7.6.11), or on the bitmap."""
    covered = np.zeros((rows, columns), dtype=bool)
    y, x = np.mgrid[0:rows, 0:columns] + 0.5
    if shutter.rectangle is not None:
        left, top, right, bottom = shutter.rectangle
        covered |= (x < left) | (x > right) | (y < top) | (y > bottom)
    if shutter.circle is not None:
        cx, cy, radius = shutter.circle
        covered |= (x - cx) ** 2 + (y - cy) ** 2 > radius**2
    if len(shutter.polygon) >= 3:
        inside = np.zeros((rows, columns), dtype=np.uint8)
        # Corner origin to pixel centres; four more bits keep fractions.
        points = np.rint((np.asarray(shutter.polygon) - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(inside, [points.reshape(-1, 1, 2)], (1,), shift=4)
        covered |= inside == 0
    if shutter.bitmap is not None and shutter.bitmap.shape == covered.shape:
        covered |= shutter.bitmap
    return covered


# -- annotations -----------------------------------------------------------------------------------------------------


def annotation_primitives(
    state: PresentationState, sop_instance_uid: str, number: int, resolved: ResolvedView, style: Style
) -> list[Primitive]:
    """Graphics and texts of the frame, layer by layer."""
    colours = {layer.name: layer.rgb for layer in state.layers}
    box = _area_in_pane(resolved, state.area(sop_instance_uid, number))
    out: list[Primitive] = []
    for annotation in state.shown_annotations(sop_instance_uid, number):
        rgb = colours.get(annotation.layer)
        for graphic in annotation.graphics:
            out += _graphic(graphic, resolved, box, graphic.rgb or rgb, style)
        for compound in annotation.compounds:

            def to_pane(point: Point2, units: Units = compound.units) -> Point2:
                return _to_pane(point, units, resolved, box)

            out += compound_primitives(compound, to_pane, resolved.size, rgb, style)
        for text in annotation.texts:
            out += _text(text, resolved, box, style)
    return out


def _to_pane(point: Point2, units: Units, resolved: ResolvedView, box: tuple[float, float, float, float]) -> Point2:
    if units is Units.PIXEL:
        return resolved.px_to_pane(*point)
    return (box[0] + point[0] * (box[2] - box[0]), box[1] + point[1] * (box[3] - box[1]))


def _graphic(
    graphic: SavedGraphic,
    resolved: ResolvedView,
    box: tuple[float, float, float, float],
    rgb: tuple[int, int, int] | None,
    style: Style,
) -> list[Primitive]:
    points = [_to_pane(p, graphic.units, resolved, box) for p in curve(graphic)]
    width = 1.5 * style.scale
    if graphic.kind == "POINT":
        (x, y), arm = points[0], 5 * style.scale
        cross = (((x - arm, y), (x + arm, y)), ((x, y - arm), (x, y + arm)))
        return [Polyline(line, Role.TEXT, width, key="saved_graphic", rgb=rgb) for line in cross]
    closed = graphic.kind in ("CIRCLE", "ELLIPSE") or (len(points) > 2 and points[0] == points[-1])
    return [
        Polyline(
            tuple(points), Role.TEXT, width, closed=closed, filled=graphic.filled and closed, key="saved_graphic", rgb=rgb
        )
    ]


def curve(graphic: SavedGraphic) -> tuple[Point2, ...]:
    """The graphic as points of a line, in its own units."""
    p = graphic.points
    if graphic.kind == "CIRCLE":
        (cx, cy), (ex, ey) = p[0], p[1]
        radius = math.hypot(ex - cx, ey - cy)
        return _ring((cx, cy), (radius, 0.0), (0.0, radius))
    if graphic.kind == "ELLIPSE":
        # Ends of the major axis, then of the minor axis.
        centre = ((p[0][0] + p[1][0]) / 2, (p[0][1] + p[1][1]) / 2)
        major = ((p[1][0] - p[0][0]) / 2, (p[1][1] - p[0][1]) / 2)
        minor = ((p[3][0] - p[2][0]) / 2, (p[3][1] - p[2][1]) / 2)
        return _ring(centre, major, minor)
    if graphic.kind == "INTERPOLATED" and len(p) > 2:
        return _smooth(p)
    return p


def _ring(centre: Point2, one: Point2, other: Point2) -> tuple[Point2, ...]:
    out = []
    for n in range(72):
        c, s = math.cos(2 * math.pi * n / 72), math.sin(2 * math.pi * n / 72)
        out.append((centre[0] + c * one[0] + s * other[0], centre[1] + c * one[1] + s * other[1]))
    return tuple(out)


def _smooth(points: Sequence[Point2]) -> tuple[Point2, ...]:
    """A Catmull-Rom curve through all points; the standard leaves the kind of curve open."""
    closed = points[0] == points[-1]
    p = [points[-2] if closed else points[0], *points, points[1] if closed else points[-1]]
    out: list[Point2] = []
    for n in range(1, len(p) - 2):
        for step in range(_STEPS):
            t = step / _STEPS
            out.append(tuple(_spline(p[n - 1][a], p[n][a], p[n + 1][a], p[n + 2][a], t) for a in (0, 1)))  # type: ignore[arg-type]
    out.append(points[-1])
    return tuple(out)


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)


def _text(text: SavedText, resolved: ResolvedView, box: tuple[float, float, float, float], style: Style) -> list[Primitive]:
    out: list[Primitive] = []
    lines = text.text.split("\n")[:200]
    anchor = _to_pane(text.anchor, text.anchor_units, resolved, box) if text.anchor is not None else None
    size = style.font
    if text.box is not None:
        one = _to_pane((text.box[0], text.box[1]), text.units, resolved, box)
        other = _to_pane((text.box[2], text.box[3]), text.units, resolved, box)
        left, right = min(one[0], other[0]), max(one[0], other[0])
        top = min(one[1], other[1])
        place = {"CENTER": (Anchor.TOP, (left + right) / 2), "RIGHT": (Anchor.TOP_RIGHT, right)}
        how, x = place.get(text.justification, (Anchor.TOP_LEFT, left))
    elif anchor is not None:
        how, x, top = Anchor.TOP_LEFT, anchor[0] + 6 * style.scale, anchor[1] - size / 2
    else:
        return out
    if anchor is not None and text.anchor_visible and text.box is not None:
        out.append(Line(x, top + size / 2, anchor[0], anchor[1], Role.TEXT, style.scale, key="saved_anchor"))
    for number, line in enumerate(lines):
        if line.strip():
            at = top + number * size * 1.4
            out.append(Text(x, at, line.strip(), how, Role.TEXT, size, plate=True, key="saved_text"))
    return out

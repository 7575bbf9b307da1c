"""Compound graphics of a presentation state as primitives of a pane (PS3.3 C.10.5.1.3; looks as recommended in PS3.17 YY).

Sizes of heads, ticks and gaps are of the screen: they do not grow with the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from app.domain.geometry import Point2
from app.domain.presentation import CompoundGraphic, Units
from app.viewer.decorations import Style
from app.viewer.primitives import Anchor, Polyline, Primitive, Role, Text
from app.viewer.view_state import Size

ToPane = Callable[[Point2], Point2]
_TICK = 8.0
_HEAD = 12.0
_ARROW = 28.0


def compound_primitives(
    graphic: CompoundGraphic, to_pane: ToPane, size: Size, rgb: tuple[int, int, int] | None, style: Style
) -> list[Primitive]:
    """``to_pane`` takes the graphic's own units to pane px. ``rgb``: of its layer, unless it has a colour of its own."""
    pen = _Pen(graphic, to_pane, size, graphic.rgb or rgb, style)
    return _DRAWN[graphic.kind](pen)


class _Pen:
    """One graphic on its way to the pane."""

    def __init__(
        self, graphic: CompoundGraphic, to_pane: ToPane, size: Size, rgb: tuple[int, int, int] | None, style: Style
    ) -> None:
        self.graphic, self.size, self.rgb, self.style = graphic, size, rgb, style
        self._to_pane = to_pane

    def place(self, point: Point2) -> Point2:
        """Rotated counterclockwise as seen (y runs down), then taken to the pane; display units are rotated in the pane."""
        g = self.graphic
        if not g.rotation_deg:
            return self._to_pane(point)
        about = g.rotation_point or _middle(g.points)
        if g.units is Units.DISPLAY:
            return _turned(self._to_pane(point), self._to_pane(about), g.rotation_deg)
        return self._to_pane(_turned(point, about, g.rotation_deg))

    def centre(self) -> Point2:
        """Of the gap."""
        g = self.graphic
        return self._to_pane(g.rotation_point) if g.rotation_point is not None else self.place(_middle(g.points))

    def ends(self) -> tuple[Point2, Point2]:
        return self.place(self.graphic.points[0]), self.place(self.graphic.points[1])

    def of_display(self, part: float) -> float:
        """A length in parts of the display; numbers above 1 can only be meant as pixels."""
        return part * min(self.size) if part <= 1 else part * self.style.scale

    def line(self, *points: Point2, closed: bool = False, filled: bool = False) -> Primitive:
        width = 1.5 * self.style.scale
        return Polyline(points, Role.TEXT, width, self.graphic.dashed, closed, filled, key="saved_compound", rgb=self.rgb)

    def head(self, tip: Point2, along: Point2) -> Primitive:
        """A filled head at ``tip`` that points along a unit vector."""
        length, half = _HEAD * self.style.scale, 0.4 * _HEAD * self.style.scale
        base = (tip[0] - along[0] * length, tip[1] - along[1] * length)
        side = (-along[1] * half, along[0] * half)
        return self.line(
            tip, (base[0] + side[0], base[1] + side[1]), (base[0] - side[0], base[1] - side[1]), closed=True, filled=True
        )

    def side(self) -> Point2:
        """Unit vector in the pane to the right of the way from the first point to the second, before rotation and flips."""
        (x0, y0), (x1, y1) = self.graphic.points[0], self.graphic.points[1]
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        here, there = self.place(middle), self.place((middle[0] - (y1 - y0), middle[1] + (x1 - x0)))
        one, other = self.ends()
        along = _unit(one, other)
        across = (-along[1], along[0])
        # Square to the line on the screen, on the side where the right of the image went.
        towards = (there[0] - here[0]) * across[0] + (there[1] - here[1]) * across[1]
        return across if towards >= 0 else (-across[0], -across[1])


def _middle(points: tuple[Point2, ...]) -> Point2:
    if len(points) == 1:
        return points[0]
    return ((points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2)


def _turned(point: Point2, about: Point2, angle_deg: float) -> Point2:
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    x, y = point[0] - about[0], point[1] - about[1]
    return (about[0] + c * x + s * y, about[1] - s * x + c * y)


def _unit(one: Point2, other: Point2) -> Point2:
    x, y = other[0] - one[0], other[1] - one[1]
    length = math.hypot(x, y) or 1.0
    return (x / length, y / length)


def _across_pane(one: Point2, other: Point2, size: Size) -> tuple[Point2, Point2] | None:
    """The endless line through two points as far as the pane shows it."""
    (dx, dy), low, high = _unit(one, other), -math.inf, math.inf
    for start, step, limit in ((one[0], dx, float(size[0])), (one[1], dy, float(size[1]))):
        if abs(step) < 1e-12:
            if not 0 <= start <= limit:
                return None
            continue
        first, last = sorted(((0 - start) / step, (limit - start) / step))
        low, high = max(low, first), min(high, last)
    if low >= high:
        return None
    return (one[0] + dx * low, one[1] + dy * low), (one[0] + dx * high, one[1] + dy * high)


def _with_gap(pen: _Pen, one: Point2, other: Point2) -> list[Primitive]:
    """A line that stays away from the gap's circle."""
    radius = pen.of_display(pen.graphic.gap) / 2
    length = math.hypot(other[0] - one[0], other[1] - one[1])
    if radius <= 0 or length <= 0:
        return [pen.line(one, other)]
    dx, dy = _unit(one, other)
    x, y = pen.centre()
    near = (x - one[0]) * dx + (y - one[1]) * dy
    off = abs((x - one[0]) * dy - (y - one[1]) * dx)
    if off >= radius:
        return [pen.line(one, other)]
    half = math.sqrt(radius * radius - off * off)
    parts = []
    for a, b in ((0.0, min(near - half, length)), (max(near + half, 0.0), length)):
        if b > a:
            parts.append(pen.line((one[0] + dx * a, one[1] + dy * a), (one[0] + dx * b, one[1] + dy * b)))
    return list(parts)


def _rectangle(pen: _Pen) -> list[Primitive]:
    (x0, y0), (x1, y1) = pen.graphic.points[:2]
    corners = [pen.place(p) for p in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    return [pen.line(*corners, closed=True, filled=pen.graphic.filled)]


def _ellipse(pen: _Pen) -> list[Primitive]:
    (x0, y0), (x1, y1) = pen.graphic.points[:2]
    ring = []
    for n in range(72):
        angle = 2 * math.pi * n / 72
        ring.append(
            pen.place(((x0 + x1) / 2 + (x1 - x0) / 2 * math.cos(angle), (y0 + y1) / 2 + (y1 - y0) / 2 * math.sin(angle)))
        )
    return [pen.line(*ring, closed=True, filled=pen.graphic.filled)]


def _multiline(pen: _Pen) -> list[Primitive]:
    points = pen.graphic.points
    return [pen.line(pen.place(points[n]), pen.place(points[n + 1])) for n in range(0, len(points) - 1, 2)]


def _infinite(pen: _Pen) -> list[Primitive]:
    shown = _across_pane(*pen.ends(), pen.size)
    return _with_gap(pen, *shown) if shown is not None else []


def _cutline(pen: _Pen) -> list[Primitive]:
    """With arrows on the middles of its halves that point at it from its right."""
    out = _infinite(pen)
    (one, other), (sx, sy), long = pen.ends(), pen.side(), _ARROW * pen.style.scale
    for part in (0.25, 0.75):
        tip = (one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part)
        out += [pen.line((tip[0] + sx * long, tip[1] + sy * long), tip), pen.head(tip, (-sx, -sy))]
    return out


def _tick(pen: _Pen, at: Point2, side: Point2, before: float, after: float) -> Primitive:
    long = _TICK * pen.style.scale
    return pen.line(
        (at[0] - side[0] * long * before, at[1] - side[1] * long * before),
        (at[0] + side[0] * long * after, at[1] + side[1] * long * after),
    )


def _rangeline(pen: _Pen) -> list[Primitive]:
    one, other = pen.ends()
    side = pen.side()
    return [pen.line(one, other), _tick(pen, one, side, 1, 1), _tick(pen, other, side, 1, 1)]


def _scale(pen: _Pen) -> list[Primitive]:
    """A ruler or an axis: ticks where they are asked for, with their words."""
    g = pen.graphic
    one, other = pen.ends()
    side = pen.side()
    out: list[Primitive] = [pen.line(one, other)]
    before, after = {"TOP": (1, 0), "BOTTOM": (0, 1)}.get(g.tick_side, (1, 1))
    if not g.ticks:
        return [*out, _tick(pen, one, side, before, after), _tick(pen, other, side, before, after)]
    away = {"TOP": -1.0, "BOTTOM": 1.0}.get(g.label_side, 0.0) * (_TICK * pen.style.scale + 0.8 * pen.style.font)
    for tick in g.ticks:
        at = (one[0] + (other[0] - one[0]) * tick.position, one[1] + (other[1] - one[1]) * tick.position)
        out.append(_tick(pen, at, side, before, after))
        if g.show_labels and tick.label:
            x, y = at[0] + side[0] * away, at[1] + side[1] * away
            out.append(
                Text(x, y, tick.label, Anchor.CENTRE, Role.TEXT, pen.style.font, plate=True, key="saved_compound_text")
            )
    return out


def _crosshair(pen: _Pen) -> list[Primitive]:
    x, y = pen.place(pen.graphic.points[0])
    g, (width, height) = pen.graphic, pen.size
    radius = pen.of_display(g.diameter) / 2 if g.diameter else float(width + height)
    free = pen.of_display(g.gap) / 2
    if free >= radius:
        return []
    out: list[Primitive] = []
    angle = math.radians(g.rotation_deg)
    for n in range(4):
        dx, dy = math.cos(angle + n * math.pi / 2), -math.sin(angle + n * math.pi / 2)
        out.append(pen.line((x + dx * free, y + dy * free), (x + dx * radius, y + dy * radius)))
    return out


def _arrow(pen: _Pen) -> list[Primitive]:
    one, tip = pen.ends()
    return [pen.line(one, tip), pen.head(tip, _unit(one, tip))]


_DRAWN: dict[str, Callable[[_Pen], list[Primitive]]] = {
    "MULTILINE": _multiline,
    "INFINITELINE": _infinite,
    "CUTLINE": _cutline,
    "RANGELINE": _rangeline,
    "RULER": _scale,
    "AXIS": _scale,
    "CROSSHAIR": _crosshair,
    "ARROW": _arrow,
    "RECTANGLE": _rectangle,
    "ELLIPSE": _ellipse,
}

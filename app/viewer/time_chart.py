"""Courses of several regions through the moments of a 4D series as one large chart, with axes in their units. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from app.domain.geometry import Point2
from app.viewer.primitives import Anchor, Line, Polyline, Primitive, Role, Text
from app.viewer.style import Style
from app.viewer.time_curve import TimeCurve
from app.viewer.words import Texts, number, say, unit_text

COLOURS = ((86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (213, 94, 0))
"""Okabe and Ito's, told apart by colour-blind readers too; from the seventh region on they begin anew."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 74.0, 18.0, 30.0, 46.0
_TICK_PX = 70.0


def colour_of(number_of_region: int) -> tuple[int, int, int]:
    return COLOURS[number_of_region % len(COLOURS)]


def ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Round numbers (steps of 1, 2 or 5 times a power of ten) between both ends, at most ``most`` of them."""
    span = high - low
    if span <= 0 or most < 2:
        return (low,)
    step = 10.0 ** math.floor(math.log10(span / most))
    step = next(step * k for k in (1.0, 2.0, 5.0, 10.0, 20.0) if span / (step * k) <= most - 1 or k == 20.0)
    first = math.ceil(low / step - 1e-9)
    return tuple(n * step for n in range(first, math.floor(high / step + 1e-9) + 1))


def _digits(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0


def _runs(curve: TimeCurve) -> list[list[tuple[float, float]]]:
    """Moments that follow each other and are all measured."""
    runs: list[list[tuple[float, float]]] = [[]]
    for t, v in zip(curve.along, curve.values, strict=True):
        if v is None:
            runs.append([])
        else:
            runs[-1].append((t, v))
    return [r for r in runs if len(r) > 1]


def chart_primitives(
    curves: Sequence[TimeCurve], size: tuple[int, int], texts: Texts, style: Style, relative: bool = False
) -> list[Primitive]:
    """``relative``: in per cent of each curve's first value, where that is above zero. Gaps are not joined."""
    s = style.scale
    shown = [(n, c.in_percent() if relative else c) for n, c in enumerate(curves)]
    known = [(n, [(t, v) for t, v in zip(c.along, c.values, strict=True) if v is not None]) for n, c in shown]
    every = [p for _, points in known for p in points]
    if not every:
        return []
    x0, x1, y0, y1 = _LEFT * s, size[0] - _RIGHT * s, size[1] - _BOTTOM * s, _TOP * s
    low, high = min(v for _, v in every), max(v for _, v in every)
    reach = (high - low) or max(abs(high), 1.0)
    low, high = low - 0.08 * reach, high + 0.08 * reach
    first, last = min(c.along[0] for _, c in shown), max(c.along[-1] for _, c in shown)
    span = (last - first) or 1.0

    def at(t: float, v: float) -> Point2:
        return (x0 + (t - first) / span * (x1 - x0), y0 + (v - low) / (high - low) * (y1 - y0))

    out: list[Primitive] = []
    values = ticks(low, high, max(2, int((y0 - y1) / (_TICK_PX * s)) + 1))
    step = values[1] - values[0] if len(values) > 1 else reach
    for value in values:
        y = at(first, value)[1]
        out.append(Line(x0, y, x1, y, Role.SECONDARY, 0.5 * s, True, "chart_grid"))
        out.append(
            Text(x0 - 8 * s, y, number(texts, value, _digits(step)), Anchor.RIGHT, size_px=style.font, key="chart_value")
        )
    times = ticks(first, last, max(2, int((x1 - x0) / (_TICK_PX * s)) + 1)) if shown[0][1].times_s else shown[0][1].along
    times = times if len(times) * 26 * s < x1 - x0 else ticks(first, last, max(2, int((x1 - x0) / (_TICK_PX * s))))
    step = times[1] - times[0] if len(times) > 1 else span
    for t in times:
        x = at(t, low)[0]
        out.append(Line(x, y0, x, y0 + 5 * s, Role.SECONDARY, s, key="chart_tick"))
        out.append(Text(x, y0 + 8 * s, number(texts, t, _digits(step)), Anchor.TOP, size_px=style.font, key="chart_time"))
    out += [
        Line(x0, y0, x1, y0, Role.SECONDARY, s, key="chart_axis"),
        Line(x0, y0, x0, y1, Role.SECONDARY, s, key="chart_axis"),
    ]
    unit = "%" if relative else unit_text(texts, shown[0][1].unit)
    named = say(texts, "time_curve.axis.relative") if relative else say(texts, "time_curve.axis.value")
    up = f"{named}, {unit}" if unit and not relative else named
    along = say(texts, "time_curve.axis.seconds" if shown[0][1].times_s else "time_curve.axis.moment")
    out.append(Text(x0, y1 - 8 * s, up, Anchor.BOTTOM_LEFT, size_px=style.font, bold=True, key="chart_axis_name"))
    out.append(Text(x1, size[1] - 8 * s, along, Anchor.BOTTOM_RIGHT, size_px=style.font, bold=True, key="chart_axis_name"))
    now = shown[0][1].along[min(shown[0][1].shown, len(shown[0][1].along) - 1)]
    x = at(now, low)[0]
    out.append(Line(x, y0, x, y1, Role.TEXT, s, True, "chart_now"))
    for n, points in known:
        rgb = colour_of(n)
        for run in _runs(dict(shown)[n]):
            out.append(Polyline(tuple(at(t, v) for t, v in run), Role.MINE, 2.0 * s, key="chart_line", rgb=rgb))
        for x, y in (at(t, v) for t, v in points):
            r = 3.0 * s
            box = ((x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r))
            out.append(Polyline(box, Role.MINE, s, closed=True, filled=True, key="chart_dot", rgb=rgb))
    return out

"""The course of a region's mean through the moments of a 4D series, as a small chart over the pane. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.domain.geometry import Point2
from app.viewer.decorations import Style
from app.viewer.primitives import Anchor, Line, Plate, Polyline, Primitive, Role, Text
from app.viewer.words import Texts, number, say

WIDTH, HEIGHT = 250.0, 132.0


@dataclass(frozen=True)
class TimeCurve:
    """``values`` None where a moment is not there yet; ``times_s`` empty: the objects do not say, numbers are counted."""

    values: tuple[float | None, ...]
    times_s: tuple[float, ...] = ()
    shown: int = 0
    """Moment in the pane, from 0."""
    unit: str = "1"
    """UCUM."""

    @property
    def along(self) -> tuple[float, ...]:
        return self.times_s or tuple(float(n + 1) for n in range(len(self.values)))

    @property
    def change_percent(self) -> float | None:
        """Highest value against the first, in percent of the first; None without a first above zero."""
        known = [v for v in self.values if v is not None]
        if len(known) != len(self.values) or not known or known[0] <= 0:
            return None
        return (max(known) / known[0] - 1.0) * 100.0

    def in_percent(self) -> TimeCurve:
        """Per cent of the first value; nothing where that is not known or not above zero."""
        first = self.values[0] if self.values else None
        if first is None or first <= 0:
            return replace(self, values=(None,) * len(self.values), unit="%")
        return replace(self, values=tuple(None if v is None else 100.0 * v / first for v in self.values), unit="%")


def curve_primitives(curve: TimeCurve, size: tuple[int, int], texts: Texts, style: Style) -> list[Primitive]:
    """At the right edge above the corner's lines; in a pane without that room the words that there is a curve."""
    s = style.scale
    w, h = WIDTH * s, HEIGHT * s
    left, top = size[0] - style.margin - w, size[1] - style.margin - 4 * style.line - h
    known = [(t, v) for t, v in zip(curve.along, curve.values, strict=True) if v is not None]
    if not known:
        return []
    if left < size[0] * 0.3 or top < size[1] * 0.35:
        return _hidden(size, texts, style)
    x0, x1 = left + 52 * s, left + w - 12 * s
    y0, y1 = top + h - 22 * s, top + 26 * s
    low, high = min(v for _, v in known), max(v for _, v in known)
    reach = (high - low) or max(abs(high), 1.0)
    low, high = low - 0.08 * reach, high + 0.08 * reach
    first, last = curve.along[0], curve.along[-1]
    span = (last - first) or 1.0

    def at(t: float, v: float) -> Point2:
        return (x0 + (t - first) / span * (x1 - x0), y0 + (v - low) / (high - low) * (y1 - y0))

    out: list[Primitive] = [Plate(left, top, w, h, "time_curve")]
    title = say(texts, "time_curve.title")
    change = curve.change_percent
    if change is not None:
        title = f"{title} \u00b7 {say(texts, 'time_curve.change', value=number(texts, change, 0))}"
    out.append(Text(left + 8 * s, top + 4 * s, title, Anchor.TOP_LEFT, Role.TEXT, style.font, True, key="time_curve_title"))
    out += [Line(x0, y0, x1, y0, Role.SECONDARY, s), Line(x0, y0, x0, y1, Role.SECONDARY, s)]
    digits = 0 if reach >= 10 else 2
    for value in (min(v for _, v in known), max(v for _, v in known)):
        y = at(first, value)[1]
        out.append(
            Text(x0 - 6 * s, y, number(texts, value, digits), Anchor.RIGHT, size_px=style.font, key="time_curve_value")
        )
        if high - low < 1e-9 or len({v for _, v in known}) == 1:
            break
    unit = "time_curve.seconds" if curve.times_s else "time_curve.moment"
    for t, anchor in ((first, Anchor.TOP_LEFT), (last, Anchor.TOP_RIGHT)):
        words = say(texts, unit, value=number(texts, t, 0))
        out.append(Text(at(t, low)[0], y0 + 4 * s, words, anchor, size_px=style.font, key="time_curve_time"))
    out.append(Polyline(tuple(at(t, v) for t, v in known), Role.MINE, 1.5 * s, key="time_curve_line"))
    for n, (t, mean) in enumerate(zip(curve.along, curve.values, strict=True)):
        if mean is not None:
            x, y = at(t, mean)
            r = (4.0 if n == curve.shown else 2.0) * s
            box = ((x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r))
            out.append(Polyline(box, Role.MINE, s, closed=True, filled=True, key="time_curve_dot"))
    return out


def _hidden(size: tuple[int, int], texts: Texts, style: Style) -> list[Primitive]:
    """Said on as many lines as the pane needs, above the corner's own."""
    lines: list[str] = []
    for word in say(texts, "time_curve.hidden").split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and style.text_width(longer, style.font, False) <= size[0] - 2 * style.margin:
            lines[-1] = longer
        else:
            lines.append(word)
    x, bottom = size[0] - style.margin, size[1] - style.margin - 6 * style.line
    return [
        Text(
            x, bottom - n * style.line, line, Anchor.BOTTOM_RIGHT, Role.TEXT, style.font, plate=True, key="time_curve_hidden"
        )
        for n, line in enumerate(reversed(lines))
    ]


def rises(times: Sequence[float | None]) -> tuple[float, ...]:
    """Seconds since the first, or nothing where a time is missing or the clock does not go on."""
    known = [t for t in times if t is not None]
    if len(known) != len(times) or any(b <= a for a, b in zip(known, known[1:], strict=False)):
        return ()
    return tuple(t - known[0] for t in known)

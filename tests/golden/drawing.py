"""A plain painter of primitives for reference pictures: no fonts, texts are their boxes, every colour a role."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from app.viewer.luts import lut
from app.viewer.primitives import Anchor, ColourBar, Ellipse, Line, Plate, Polyline, Primitive, Role, Text, estimated_width

ROLE_RGB = {
    Role.TEXT: (211, 218, 227),
    Role.SECONDARY: (154, 165, 180),
    Role.MINE: (90, 200, 250),
    Role.AI: (255, 180, 84),
    Role.TRUTH: (180, 107, 255),
    Role.WARNING: (255, 107, 107),
    Role.OK: (76, 211, 138),
}
_SHIFT = 4
_ONE = 1 << _SHIFT


def _p(x: float, y: float) -> tuple[int, int]:
    return (round((x - 0.5) * _ONE), round((y - 0.5) * _ONE))


def _width(width: float) -> int:
    return max(1, round(width))


def text_box(text: Text) -> tuple[float, float, float, float]:
    """(x, y, w, h) of a text by its anchor."""
    w, h = estimated_width(text.text, text.size_px, text.bold), text.size_px
    name = text.anchor
    x = text.x if "left" in name else text.x - w if "right" in name else text.x - w / 2
    y = (
        text.y
        if name in (Anchor.TOP_LEFT, Anchor.TOP, Anchor.TOP_RIGHT)
        else text.y - h
        if "bottom" in name
        else text.y - h / 2
    )
    return x, y, w, h


def paint(rgba: npt.NDArray[np.uint8], primitives: Sequence[Primitive]) -> npt.NDArray[np.uint8]:
    """(h, w, 3) RGB with all primitives over the picture."""
    out = np.ascontiguousarray(rgba[..., :3])
    for p in primitives:
        if isinstance(p, Plate):
            _plate(out, p.x, p.y, p.w, p.h)
        elif isinstance(p, ColourBar):
            _bar(out, p)
        elif isinstance(p, Text):
            x, y, w, h = text_box(p)
            if p.plate:
                _plate(out, x, y, w, h)
            cv2.rectangle(out, _p(x + 0.5, y + 0.5), _p(x + w, y + h), ROLE_RGB[p.role], 1, cv2.LINE_8, _SHIFT)
        elif isinstance(p, Line):
            cv2.line(out, _p(p.x0, p.y0), _p(p.x1, p.y1), ROLE_RGB[p.role], _width(p.width), cv2.LINE_8, _SHIFT)
        elif isinstance(p, Ellipse):
            axes = (round(p.rx * _ONE), round(p.ry * _ONE))
            cv2.ellipse(
                out, _p(p.cx, p.cy), axes, p.angle_deg, 0, 360, ROLE_RGB[p.role], _width(p.width), cv2.LINE_8, _SHIFT
            )
        elif isinstance(p, Polyline):
            points = np.array([_p(*q) for q in p.points], np.int32)
            ink = p.rgb or ROLE_RGB[p.role]
            if p.filled:
                cv2.fillPoly(out, [points], ink, cv2.LINE_8, _SHIFT)
            cv2.polylines(out, [points], p.closed, ink, _width(p.width), cv2.LINE_8, _SHIFT)
    return out


def _plate(out: npt.NDArray[np.uint8], x: float, y: float, w: float, h: float) -> None:
    box = out[max(0, round(y)) : max(0, round(y + h)), max(0, round(x)) : max(0, round(x + w))]
    box[:] = (box * 0.36).astype(np.uint8)


def _bar(out: npt.NDArray[np.uint8], bar: ColourBar) -> None:
    table = lut(bar.lut)
    top, height = round(bar.y), round(bar.h)
    for n in range(height):
        value = 1.0 - (n + 0.5) / height
        colour = table[round(value * 255)] if value >= bar.threshold else np.array([60, 60, 60], np.uint8)
        out[top + n, round(bar.x) : round(bar.x + bar.w)] = colour

"""The colour scale of images that lie over others, in their own unit."""

from __future__ import annotations

from app.viewer.decorations import Style
from app.viewer.primitives import Anchor, ColourBar, Primitive, Text
from app.viewer.view_state import ResolvedView
from app.viewer.words import Texts, number, unit_text

_LEAST_W, _LEAST_H = 320.0, 340.0


def over_legend(
    lut: str, low: float, high: float, unit: str, resolved: ResolvedView, texts: Texts, style: Style
) -> list[Primitive]:
    """Beside the letter of the left edge, ``low`` at the bottom; nothing in a small pane, whose corner tells the ends."""
    w, h = resolved.size
    if w < _LEAST_W * style.scale or h < _LEAST_H * style.scale:
        return []
    height = min(150 * style.scale, h * 0.26)
    x, y = 34 * style.scale, (h - height) / 2
    digits = 0 if high - low >= 50 else 1 if high - low >= 5 else 2
    out: list[Primitive] = [ColourBar(x, y, 10 * style.scale, height, lut, 0.0, key="over_bar")]
    for part in (0.0, 0.5, 1.0):
        told = number(texts, low + (high - low) * part, digits)
        if part == 1.0 and unit:
            told = f"{told}\u202f{unit_text(texts, unit)}"
        at = y + (1.0 - part) * height
        out.append(Text(x + 16 * style.scale, at, told, Anchor.LEFT, size_px=style.font, plate=True, key="over_value"))
    return out

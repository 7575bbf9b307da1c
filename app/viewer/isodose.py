"""Isodose lines of a dose grid over the images: where the dose passes a level, with a legend in its own unit."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from app.viewer.decorations import Style
from app.viewer.dose_levels import Isodose
from app.viewer.primitives import Anchor, Polyline, Primitive, Role, Text
from app.viewer.view_state import ResolvedView
from app.viewer.words import Texts, number, say

U8 = npt.NDArray[np.uint8]
WIDTH_PX = 2


def with_isodoses(
    pixels: U8, values: npt.NDArray[np.float32], known: npt.NDArray[np.bool_], lines: tuple[Isodose, ...]
) -> U8:
    """``pixels`` (h, w) or BGRX with a line on the inner side of every level; none where the grid itself ends.

    ``known``: between the outer centres of the grid; beyond them nobody has computed a dose.
    """
    out = pixels.copy() if pixels.ndim == 3 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGRA), dtype=np.uint8)
    kernel = np.ones((2 * WIDTH_PX - 1, 2 * WIDTH_PX - 1), np.uint8)
    for line in reversed(lines):
        inside = known & (values >= line.dose)
        if not inside.any():
            continue
        below = cv2.dilate((known & ~inside).astype(np.uint8), kernel) > 0
        out[inside & below, :3] = line.rgb[::-1]
    return out


def dose_unit(unit: str) -> tuple[str, float]:
    """(what is written, factor from the grid's values) for a Dose Units code."""
    return {"GY": ("Gy", 1.0), "RELATIVE": ("%", 100.0)}.get(unit, (unit or "?", 1.0))


def isodose_legend(
    lines: tuple[Isodose, ...], unit: str, resolved: ResolvedView, texts: Texts, style: Style
) -> list[Primitive]:
    """Line, per cent and dose between the identity and the letter of the left edge; in two columns where one is too long."""
    side, line_px = 14 * style.scale, 15.5 * style.scale
    x, y = 12 * style.scale, 82 * style.scale
    room = int((resolved.size[1] / 2 - 14 * style.scale - y) // line_px)
    rows = len(lines) if room > len(lines) else (len(lines) + 1) // 2
    if room <= rows:
        return []  # a small pane keeps its image; the wash and its remark stay
    name, factor = dose_unit(unit)
    name = texts.get(f"unit.{name}", name)
    words = [
        f"{found.percent}\u202f%" + ("" if name == "%" else f"  {number(texts, found.dose * factor, 1)}\u202f{name}")
        for found in lines
    ]
    wide = side + 20 * style.scale + max((style.text_width(w, style.font, False) for w in words), default=0.0)
    title = say(texts, "viewer.isodose")
    out: list[Primitive] = [Text(x, y, title, Anchor.LEFT, Role.TEXT, style.font, plate=True, key="isodose_title")]
    for n, (found, told) in enumerate(zip(lines, words, strict=True)):
        left, at = x + n // rows * wide, y + (n % rows + 1) * line_px
        end = left + side + 6 * style.scale
        out.append(Polyline(((left, at), (left + side, at)), Role.TEXT, 3 * style.scale, key="isodose", rgb=found.rgb))
        out.append(Text(end, at, told, Anchor.LEFT, Role.TEXT, style.font, plate=True, key="isodose_text"))
    return out

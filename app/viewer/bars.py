"""Scale bar and colour bar of a pane: pure functions to drawing primitives."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.viewer.primitives import Anchor, ColourBar, Line, Plate, Primitive, Role, Text
from app.viewer.style import Style, is_bright
from app.viewer.view_state import ResolvedView
from app.viewer.words import Texts, number, say


def scale_bar_mm(mm_per_px: float, width_px: float) -> float:
    """The longest 1-2-5 length that takes at most a quarter of the pane."""
    limit = mm_per_px * width_px * 0.25
    power = 10.0 ** math.floor(math.log10(limit))
    return max(step * power for step in (1.0, 2.0, 5.0) if step * power <= limit * (1 + 1e-9))


def _bar_y(resolved: ResolvedView, half: float, label_w: float, around: Sequence[Primitive], style: Style) -> float:
    """Where the scale bar lies: as low as it may without a text running through it."""
    w, h = resolved.size
    y = h - style.margin - style.line * 1.6
    reach = max(half, label_w / 2) + 4 * style.scale
    for text in sorted((t for t in around if isinstance(t, Text)), key=lambda t: -t.y):
        wide = style.text_width(text.text, text.size_px, text.bold)
        left = text.x - wide if text.anchor is Anchor.TOP_RIGHT else text.x
        beside = left > w / 2 + reach or left + wide < w / 2 - reach
        if not beside and text.y + style.line > y - 1.6 * style.line and text.y < y + 2 * style.scale:
            y = text.y - 4 * style.scale
    return y


def scale_bar(
    resolved: ResolvedView,
    texts: Texts,
    style: Style,
    around: Sequence[Primitive] = (),
    grey: npt.NDArray[np.uint8] | None = None,
) -> list[Primitive]:
    mm_per_px = resolved.mm_per_pane_px
    w, h = resolved.size
    if mm_per_px is None or w < 160 * style.scale or h < 120 * style.scale:
        return []
    bar_mm = scale_bar_mm(mm_per_px, w)
    half = bar_mm / mm_per_px / 2.0
    tick = 4.0 * style.scale
    cm = bar_mm >= 10
    label = say(
        texts,
        "viewer.cm" if cm else "viewer.mm",
        value=number(texts, bar_mm / 10 if cm else bar_mm, 0 if bar_mm >= 1 else 1),
    )
    label_w = style.text_width(label, style.font, False)
    y = _bar_y(resolved, half, label_w, around, style)
    if y < h / 2:
        return []
    out: list[Primitive] = []
    reach, top = max(half, label_w / 2) + 6 * style.scale, y - 6 * style.scale - style.line
    if is_bright(grey, w / 2 - reach, top, 2 * reach, y - top):
        out.append(Plate(w / 2 - reach, top, 2 * reach, y - top + 4 * style.scale, "scale_plate"))
    out.append(Line(w / 2 - half, y, w / 2 + half, y, Role.TEXT, style.scale, key="scale_bar"))
    for n in range(6):
        x = w / 2 - half + 2 * half * n / 5
        out.append(Line(x, y - (tick if n in (0, 5) else tick / 2), x, y, Role.TEXT, style.scale, key="scale_tick"))
    out.append(Text(w / 2, y - 6 * style.scale, label, Anchor.BOTTOM, size_px=style.font, key="scale_label"))
    return out


def colour_bar(resolved: ResolvedView, lut: str, threshold: float, texts: Texts, style: Style) -> list[Primitive]:
    w, h = resolved.size
    # Below the letter at the right edge and above the corner's lines; a pane without that room shows none.
    bottom = h - style.margin - 6.0 * style.line
    height = min(160.0 * style.scale, bottom - h / 2 - 3.0 * style.line)
    if height < 60 * style.scale or w < 220 * style.scale:
        return []
    bar = 12.0 * style.scale
    x, y = w - style.margin - bar, bottom - height
    plate_w = bar + 52 * style.scale
    out: list[Primitive] = [
        Plate(
            x - plate_w + bar - 4 * style.scale,
            y - 22 * style.scale,
            plate_w + 8 * style.scale,
            height + 34 * style.scale,
            "colour_bar_plate",
        ),
        Text(
            x + bar,
            y - 6 * style.scale,
            say(texts, "viewer.ai.scale"),
            Anchor.BOTTOM_RIGHT,
            Role.AI,
            style.font,
            True,
            key="colour_bar_title",
        ),
        ColourBar(x, y, bar, height, lut, threshold),
    ]
    for value in (1.0, 0.5, 0.0):
        if abs(value - threshold) > 0.12 or value != 0.5:
            at = y + (1.0 - value) * height
            out.append(
                Text(
                    x - 6 * style.scale,
                    at,
                    number(texts, value, 2),
                    Anchor.RIGHT,
                    size_px=style.font,
                    key="colour_bar_value",
                )
            )
    if 0.06 < threshold < 0.94:
        at = y + (1.0 - threshold) * height
        out.append(Line(x - 3 * style.scale, at, x + bar, at, Role.AI, 1.5 * style.scale, key="colour_bar_threshold"))
        out.append(
            Text(
                x - 6 * style.scale,
                at,
                number(texts, threshold, 2),
                Anchor.RIGHT,
                Role.AI,
                style.font,
                True,
                key="colour_bar_threshold",
            )
        )
    return out

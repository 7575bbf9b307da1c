"""Compound graphics of presentation states (PS3.3 C.10.5.1.3) into plain data."""

from __future__ import annotations

import math
from typing import Any

from app.dicom.lab_colour import rgb_of_lab
from app.domain.presentation import CompoundGraphic, Tick, Units

POINTS_NEEDED = {
    "MULTILINE": 2,
    "INFINITELINE": 2,
    "CUTLINE": 2,
    "RANGELINE": 2,
    "RULER": 2,
    "AXIS": 2,
    "CROSSHAIR": 1,
    "ARROW": 2,
    "RECTANGLE": 2,
    "ELLIPSE": 2,
}
_MAX_TICKS = 1000
_MAX_NUMBERS = 20_000
_SIDES = frozenset({"TOP", "CENTER", "BOTTOM"})


def compound_of(item: Any) -> CompoundGraphic | None:
    """An item of the Compound Graphic Sequence; None when its kind is unknown or its points are not those of the kind."""
    kind = str(item.get("CompoundGraphicType", ""))
    numbers = _numbers(item.get("GraphicData"))[:_MAX_NUMBERS]
    needed = POINTS_NEEDED.get(kind)
    if needed is None or len(numbers) < 2 * needed or len(numbers) % 2 or not all(map(math.isfinite, numbers)):
        return None
    points = tuple((numbers[n], numbers[n + 1]) for n in range(0, len(numbers), 2))
    if kind == "MULTILINE" and len(points) % 2:
        return None
    if kind != "MULTILINE" and len(points) != needed:
        return None
    if needed == 2 and kind != "MULTILINE" and points[0] == points[1]:
        return None
    turned = _numbers(item.get("RotationPoint"))
    style = (item.get("LineStyleSequence") or [None])[0]
    return CompoundGraphic(
        kind,
        points,
        Units.DISPLAY if str(item.get("CompoundGraphicUnits", "")) == "DISPLAY" else Units.PIXEL,
        str(item.get("GraphicFilled", "N")) == "Y",
        _finite(item.get("RotationAngle")),
        (turned[0], turned[1]) if len(turned) == 2 and all(map(math.isfinite, turned)) else None,
        max(0.0, _finite(item.get("GapLength"))),
        max(0.0, _finite(item.get("DiameterOfVisibility"))),
        _ticks(item),
        _side(item.get("TickAlignment"), "CENTER"),
        _side(item.get("TickLabelAlignment"), "BOTTOM"),
        str(item.get("ShowTickLabel", "Y") or "Y") == "Y",
        line_rgb(item),
        style is not None and str(style.get("LineDashingStyle", "")) == "DASHED",
    )


def line_rgb(item: Any) -> tuple[int, int, int] | None:
    """The colour that a graphic's own line style asks for."""
    style = (item.get("LineStyleSequence") or [None])[0]
    lab = _many(style.get("PatternOnColorCIELabValue")) if style is not None else []
    return rgb_of_lab((int(lab[0]), int(lab[1]), int(lab[2]))) if len(lab) == 3 else None


def _ticks(item: Any) -> tuple[Tick, ...]:
    found = []
    for tick in (item.get("MajorTicksSequence") or ())[:_MAX_TICKS]:
        at = _numbers(tick.get("TickPosition"))
        if len(at) == 1 and math.isfinite(at[0]):
            found.append(Tick(at[0], str(tick.get("TickLabel", "") or "")[:64]))
    return tuple(found)


def _side(value: Any, usual: str) -> str:
    return str(value) if str(value) in _SIDES else usual


def _finite(value: Any) -> float:
    found = _numbers(value)
    return found[0] if found and math.isfinite(found[0]) else 0.0


def _numbers(value: Any) -> list[float]:
    return [float(v) for v in _many(value)]


def _many(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else [value]

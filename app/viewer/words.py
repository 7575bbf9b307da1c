"""Numbers, units and sentences of the pane, out of an already translated mapping (message id to template)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from app.domain.measurement import Measurement, Quantity
from app.domain.problem import Problem
from app.viewer.suv import SUV_UNIT, parted

Texts = Mapping[str, str]
"""Message id to sentence in the reader's language; ``number.decimal`` is the decimal mark. Missing ids show as ids."""

_UNITS = {
    "[hnsf'U]": "HU",
    "{SUVbw}g/ml": "SUVbw",
    "deg": "\u00b0",
    "mm2": "mm\u00b2",
    "px2": "px\u00b2",
    "mm3": "mm\u00b3",
    "1": "",
}


def say(texts: Texts, message_id: str, **params: str | int | float) -> str:
    template = texts.get(message_id, message_id)
    for name, value in params.items():
        template = template.replace("{" + name + "}", str(value))
    return template


def say_problem(texts: Texts, problem: Problem) -> str:
    mark = texts.get("number.decimal", ".")
    told = {k: str(v).replace(".", mark) if isinstance(v, float) else v for k, v in problem.params.items()}
    if "unit" in told:
        told["unit"] = unit_text(texts, str(told["unit"]))
    return say(texts, problem.code, **told)


def number(texts: Texts, value: float, digits: int) -> str:
    """Fixed digits, minus as U+2212, the language's decimal mark; -0.0 is 0.0."""
    text = f"{value:.{digits}f}"
    if float(text) == 0.0:
        text = text.lstrip("-")
    return text.replace("-", "\u2212").replace(".", texts.get("number.decimal", "."))


def unit_text(texts: Texts, unit: str) -> str:
    shown = _UNITS.get(unit, unit)
    return texts.get(f"unit.{shown}", shown)


def value_text(texts: Texts, m: Measurement) -> str:
    """``11.6 mm``, ``12.4 px``, ``90.0 deg`` with the unit always there."""
    if math.isnan(m.value):
        return say(texts, "viewer.no_value")
    if m.quantity is Quantity.COUNT:
        return number(texts, m.value, 0)
    large = abs(m.value) >= 1000 or (m.unit.endswith("2") and abs(m.value) >= 100)
    digits = 2 if m.unit == SUV_UNIT or m.quantity is Quantity.DOSE else 0 if large else 1
    shown = number(texts, m.value, max(digits, _digits_of_small(m)))
    unit = unit_text(texts, m.unit)
    return shown + ("" if unit in ("", "\u00b0") else "\u202f") + unit


_SMALL = frozenset(
    {Quantity.OVERLAY_VALUE, Quantity.VALUE, Quantity.MEAN, Quantity.STANDARD_DEVIATION, Quantity.MINIMUM, Quantity.MAXIMUM,
     Quantity.OVERLAY_MEAN, Quantity.OVERLAY_STANDARD_DEVIATION, Quantity.OVERLAY_MINIMUM, Quantity.OVERLAY_MAXIMUM}
)  # fmt: skip
_SPREADS = (
    (Quantity.MEAN, Quantity.STANDARD_DEVIATION, Quantity.MINIMUM, Quantity.MAXIMUM),
    (Quantity.OVERLAY_MEAN, Quantity.OVERLAY_STANDARD_DEVIATION, Quantity.OVERLAY_MINIMUM, Quantity.OVERLAY_MAXIMUM),
)
"""What is told of a region: of the image, then of what lies over it."""


def _digits_of_small(m: Measurement) -> int:
    """Three figures of a real-world value such as 0.00123 mm2/s; 0 for everything else."""
    if m.unit in ("[hnsf'U]", SUV_UNIT) or m.quantity not in _SMALL or not 1e-9 < abs(m.value) < 0.1:
        return 0
    return 2 - math.floor(math.log10(abs(m.value)))


def measurement_lines(texts: Texts, measurements: Sequence[Measurement]) -> tuple[str, ...]:
    """Short lines beside a drawn shape; SUV follows the stored values."""
    stored, beside = parted(measurements)
    return (*_lines(texts, stored), *_lines(texts, beside))


def _of(m: Measurement) -> str:
    """Whose value it is, where it is not the image's own."""
    return f"{m.of} " if m.of else ""


def _lines(texts: Texts, measurements: Sequence[Measurement]) -> tuple[str, ...]:
    by = {m.quantity: m for m in measurements}
    if Quantity.LONG_AXIS in by and Quantity.SHORT_AXIS in by:
        long, short = by[Quantity.LONG_AXIS], by[Quantity.SHORT_AXIS]
        return (f"{number(texts, long.value, 1)} \u00d7 {value_text(texts, short)}",)
    lines: list[str] = []
    for quantity in (Quantity.LENGTH, Quantity.ANGLE, Quantity.AREA, Quantity.VOLUME, Quantity.VALUE):
        if quantity in by:
            lines.append(value_text(texts, by[quantity]))
    lines += [_of(m) + value_text(texts, m) for m in measurements if m.quantity in (Quantity.DOSE, Quantity.OVERLAY_VALUE)]
    for a, b, c, d in _SPREADS:
        if a in by and b in by:
            mean, deviation = by[a], by[b]
            digits = max(2 if mean.unit == SUV_UNIT else 1, _digits_of_small(mean))
            lines.append(f"{_of(mean)}\u2300 {number(texts, mean.value, digits)} \u00b1 {value_text(texts, deviation)}")
        if c in by and d in by:
            low, high = by[c], by[d]
            digits = max(2 if low.unit == SUV_UNIT else 0, _digits_of_small(low))
            lines.append(f"{_of(low)}{number(texts, low.value, digits)} \u2026 {value_text(texts, high)}")
    if Quantity.RATIO in by:
        lines.append(f"CTR {number(texts, by[Quantity.RATIO].value, 1)}\u202f%")
    if Quantity.HEART_WIDTH in by and Quantity.THORAX_WIDTH in by:
        heart, thorax = by[Quantity.HEART_WIDTH], by[Quantity.THORAX_WIDTH]
        lines.append(f"{number(texts, heart.value, 1)} / {value_text(texts, thorax)}")
    for letter, quantity in (("A", Quantity.FIRST_LENGTH), ("B", Quantity.SECOND_LENGTH), ("\u0394", Quantity.DIFFERENCE)):
        if quantity in by:
            lines.append(f"{letter} {value_text(texts, by[quantity])}")
    for sign, quantity in (
        ("\u0394t", Quantity.TIME),
        ("", Quantity.DEPTH),
        ("", Quantity.VELOCITY),
        ("", Quantity.FREQUENCY),
    ):
        if quantity in by:
            found = by[quantity]
            seconds = number(texts, found.value, 3) + "\u202f" + unit_text(texts, found.unit)
            text = seconds if quantity is Quantity.TIME else value_text(texts, found)
            lines.append(f"{sign} {text}".strip())
    if not lines and Quantity.LONG_AXIS in by:
        lines.append(value_text(texts, by[Quantity.LONG_AXIS]))
    return tuple(lines)

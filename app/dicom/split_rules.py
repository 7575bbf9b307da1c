"""What tells frames of one series apart: the table of split rules, one key and one label each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.domain.geometry import Point3
from app.domain.study import FrameHeader, FrameRef, Instance

_NO_FLAVOUR: Final = frozenset({"AXIAL", "LOCALIZER", "OTHER", "NORM", "DIS2D", "DIS3D"})


@dataclass(frozen=True)
class Frame:
    instance: Instance
    index: int
    header: FrameHeader

    @property
    def ref(self) -> FrameRef:
        return FrameRef(self.instance.sop_instance_uid, self.index)


Key = tuple[object, ...]


@dataclass(frozen=True)
class SplitRule:
    """Frames with unequal keys are not shown as one stack; ``code`` says why."""

    code: str
    key: Callable[[Frame], Key]
    label: Callable[[Key], str]
    stacks_only: bool = True
    in_time: bool = False
    """The parts are moments of one 4D series where they lie at the same places."""


def _plane_key(frame: Frame) -> Key:
    plane = frame.header.plane
    return _rounded(plane.row_cosines, plane.column_cosines) if plane is not None else ()


@lru_cache(maxsize=4096)
def _rounded(row: Point3, column: Point3) -> Key:
    # 0.01 is about half a degree: a series with noise in its cosines stays one, an oblique one parts.
    return tuple(round(c, 2) + 0.0 for c in (*row, *column))


def _size_key(frame: Frame) -> Key:
    fmt = frame.instance.pixel_format
    return (fmt.rows, fmt.columns, fmt.samples_per_pixel > 1) if fmt else ()


def _spacing_key(frame: Frame) -> Key:
    plane = frame.header.plane
    return (round(plane.row_spacing_mm, 4), round(plane.column_spacing_mm, 4)) if plane else ()


def _spaced(key: Key) -> str:
    if not key:
        return ""
    return f"{key[0]} mm" if key[0] == key[1] else f"{key[0]}x{key[1]} mm"


def _localizer_key(frame: Frame) -> Key:
    return ("LOCALIZER" in frame.instance.image_type,)


def _type_key(frame: Frame) -> Key:
    """Flavours of MR and CT (magnitude, phase, water, fat, monoenergetic...) after the first three values."""
    return tuple(v for v in frame.instance.image_type[2:] if v not in _NO_FLAVOUR)


def _echo_key(frame: Frame) -> Key:
    value = frame.header.echo_time_ms if frame.header.echo_time_ms is not None else frame.instance.echo_time_ms
    return (round(value, 2),) if value is not None else ()


def _b_value_key(frame: Frame) -> Key:
    value = frame.header.b_value if frame.header.b_value is not None else frame.instance.b_value
    return (round(value),) if value is not None else ()


def _time_key(frame: Frame) -> Key:
    return (frame.header.temporal_position,) if frame.header.temporal_position is not None else ()


def _cardiac_key(frame: Frame) -> Key:
    """Nominal place in the heart's cycle, in steps that a clock's rounding does not tell apart."""
    cardiac = frame.header.cardiac
    return (round(cardiac[0], 1), cardiac[1]) if cardiac is not None else ()


def acquisition_key(frame: Frame) -> Key:
    return (frame.instance.acquisition_number,) if frame.instance.acquisition_number is not None else ()


def _frame_of_reference_key(frame: Frame) -> Key:
    return (frame.instance.frame_of_reference_uid,)


def _stack_key(frame: Frame) -> Key:
    return (frame.header.stack_id,) if frame.header.stack_id else ()


def joined(key: Key) -> str:
    return " ".join(str(v) for v in key)


def _oriented(key: Key) -> str:
    from app.domain.geometry import orientation_letters

    if len(key) != 6:
        return ""
    values = [float(str(v)) for v in key]
    row, column = values[:3], values[3:]
    normal = (
        abs(row[1] * column[2] - row[2] * column[1]),
        abs(row[2] * column[0] - row[0] * column[2]),
        abs(row[0] * column[1] - row[1] * column[0]),
    )
    name = ("SAG", "COR", "AX")[max(range(3), key=lambda n: normal[n])]
    return name if max(normal) > 0.9 else f"{name} {orientation_letters((row[0], row[1], row[2]))}"


STACK_RULES: Final[tuple[SplitRule, ...]] = (
    SplitRule("split.localizer", _localizer_key, lambda k: "LOC" if k == (True,) else "", stacks_only=False),
    SplitRule("split.size", _size_key, lambda k: f"{k[1]}x{k[0]}" if k else ""),
    SplitRule("split.frame_of_reference", _frame_of_reference_key, lambda k: ""),
    SplitRule("split.orientation", _plane_key, _oriented),
    SplitRule("split.spacing", _spacing_key, _spaced),
    SplitRule("split.image_type", _type_key, joined),
    SplitRule("split.b_value", _b_value_key, lambda k: f"b = {k[0]} s/mm²" if k else ""),
    SplitRule("split.echo", _echo_key, lambda k: f"TE {k[0]}" if k else ""),
    SplitRule("split.stack", _stack_key, lambda k: joined(k)),
    SplitRule("split.time", _time_key, lambda k: f"T{k[0]:g}" if k else "", in_time=True),
    SplitRule("split.cardiac", _cardiac_key, lambda k: f"{k[0]:g} {k[1]}" if k else "", in_time=True),
)
"""Applied in this order. Acquisition and content time part only what still lies at the same place (see ``_by_place``)."""

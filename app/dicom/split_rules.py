"""What tells frames of one series apart: the table of split rules, one key and one label each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.dicom import near
from app.dicom.near import Numbers
from app.domain.geometry import Point3
from app.domain.study import FrameHeader, FrameRef, Instance

_NO_FLAVOUR: Final = frozenset({"AXIAL", "LOCALIZER", "OTHER", "NORM", "DIS2D", "DIS3D"})


@dataclass(frozen=True)
class Frame:
    instance: Instance
    index: int
    header: FrameHeader
    place: Point3 | None = None
    """The origin that stands for all within the tolerance of this frame's; None without a position."""

    @property
    def ref(self) -> FrameRef:
        return FrameRef(self.instance.sop_instance_uid, self.index)


Key = tuple[object, ...]


def frames_of(instances: Iterable[Instance]) -> list[Frame]:
    """All frames, each with the place where it lies."""
    found = [(i, n, h) for i in instances for n, h in enumerate(i.frames)]
    of = near.places(h.plane.origin_mm for _, _, h in found if h.plane is not None)
    return [Frame(i, n, h, of[h.plane.origin_mm] if h.plane is not None else None) for i, n, h in found]


@dataclass(frozen=True)
class SplitRule:
    """Frames with unequal keys are not shown as one stack; ``code`` says why."""

    code: str
    key: Callable[[Frame], Key]
    label: Callable[[Key], str]
    stacks_only: bool = True
    in_time: bool = False
    """The parts are moments of one 4D series where they lie at the same places."""
    alike: Callable[[set[Key]], dict[Key, Key]] | None = None
    """For keys of measured numbers: what stands for each, so that noise parts nothing wherever its borders lie."""

    def keys(self, frames: Sequence[Frame]) -> list[Key]:
        """One per frame; equal ones belong together."""
        found = [self.key(f) for f in frames]
        if self.alike is None:
            return found
        of = self.alike({k for k in found if k})
        return [of.get(k, k) for k in found]


def _plane_key(frame: Frame) -> Key:
    plane = frame.header.plane
    return (*plane.row_cosines, *plane.column_cosines) if plane is not None else ()


def _by_numbers(found: Iterable[Key], alike: Callable[[list[Numbers]], dict[Numbers, Numbers]]) -> dict[Key, Key]:
    values = {key: tuple(float(str(v)) for v in key) for key in found}
    of = alike(list(values.values()))
    return {key: of[value] for key, value in values.items()}


def _directions(found: Iterable[Key]) -> dict[Key, Key]:
    return _by_numbers(found, lambda values: near.shown(near.directions(values), 2))


def _size_key(frame: Frame) -> Key:
    fmt = frame.instance.pixel_format
    return (fmt.rows, fmt.columns, fmt.samples_per_pixel > 1) if fmt else ()


def _spacing_key(frame: Frame) -> Key:
    plane = frame.header.plane
    return (plane.row_spacing_mm, plane.column_spacing_mm) if plane else ()


def _spacings(found: Iterable[Key]) -> dict[Key, Key]:
    return _by_numbers(found, lambda values: near.shown(near.numbers(values, relative=near.SPACING_TOLERANCE), 4))


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
    return (value,) if value is not None else ()


def _echoes(found: Iterable[Key]) -> dict[Key, Key]:
    return _by_numbers(found, lambda values: near.shown(near.numbers(values, absolute=0.01), 2))


def _b_value_key(frame: Frame) -> Key:
    value = frame.header.b_value if frame.header.b_value is not None else frame.instance.b_value
    return (round(value),) if value is not None else ()


def _time_key(frame: Frame) -> Key:
    return (frame.header.temporal_position,) if frame.header.temporal_position is not None else ()


def _cardiac_key(frame: Frame) -> Key:
    """Nominal place in the heart's cycle."""
    cardiac = frame.header.cardiac
    return (cardiac[0], cardiac[1]) if cardiac is not None else ()


def _cardiac_phases(found: Iterable[Key]) -> dict[Key, Key]:
    """Steps below 0.1 are a clock's rounding."""
    units: dict[object, list[Key]] = defaultdict(list)
    for key in found:
        units[key[1]].append(key[:1])
    of = {u: _by_numbers(those, lambda v: near.shown(near.numbers(v, absolute=0.1), 1)) for u, those in units.items()}
    return {key: (*of[key[1]][key[:1]], key[1]) for key in found}


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
    SplitRule("split.orientation", _plane_key, _oriented, alike=_directions),
    SplitRule("split.spacing", _spacing_key, _spaced, alike=_spacings),
    SplitRule("split.image_type", _type_key, joined),
    SplitRule("split.b_value", _b_value_key, lambda k: f"b = {k[0]} s/mm²" if k else ""),
    SplitRule("split.echo", _echo_key, lambda k: f"TE {k[0]}" if k else "", alike=_echoes),
    SplitRule("split.stack", _stack_key, lambda k: joined(k)),
    SplitRule("split.time", _time_key, lambda k: f"T{k[0]:g}" if k else "", in_time=True),
    SplitRule("split.cardiac", _cardiac_key, lambda k: f"{k[0]:g} {k[1]}" if k else "", in_time=True, alike=_cardiac_phases),
)
"""Applied in this order. Acquisition and content time part only what still lies at the same place (see ``_by_place``)."""

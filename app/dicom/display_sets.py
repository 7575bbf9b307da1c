"""Which frames are shown together, and why they were parted: one table of split rules.

A series is cut first by kind (document, derived, cine, single pictures, stack), then by every rule of ``STACK_RULES``
whose values differ inside it. The last rule that cut a set off gives the reason that the series strip shows: it says
what tells the set from its neighbours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from app.dicom.dynamic_series import across_series
from app.domain.geometry import PlaneGeometry, Point3
from app.domain.problem import Problem, Severity
from app.domain.study import DisplaySet, DisplaySetKind, FrameHeader, FrameRef, Instance, Moment, Series, Study

_PRESENTATION_PREFIX: Final = "1.2.840.10008.5.1.4.1.1.11."
_DERIVED: Final = frozenset({"SEG", "PR", "KO", "RTSTRUCT", "RTPLAN", "RTDOSE", "REG", "RWV", "M3D", "FID", "PLAN", "ANN"})
_DERIVED_CLASSES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.66.4",
        "1.2.840.10008.5.1.4.1.1.66.7",
        "1.2.840.10008.5.1.4.1.1.30",
        "1.2.840.10008.5.1.4.1.1.481.3",
    }
)
_CINE_MODALITIES: Final = frozenset({"US", "XA", "RF", "IVUS", "ES", "GM", "SM"})
_VIEWS_SIDE_BY_SIDE: Final = frozenset({"STATIC", "WHOLE BODY"})
"""Frames of such a nuclear medicine object are views of several detectors or energy windows, not moments."""
_NO_FLAVOUR: Final = frozenset({"AXIAL", "LOCALIZER", "OTHER", "NORM", "DIS2D", "DIS3D"})
_PROJECTIONS: Final = frozenset({"CR", "DX", "MG", "IO", "PX", "RG", "XC", "OP", "OT"})


@dataclass(frozen=True)
class _Frame:
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
    key: Callable[[_Frame], Key]
    label: Callable[[Key], str]
    stacks_only: bool = True
    in_time: bool = False
    """The parts are moments of one 4D series where they lie at the same places."""


def _plane_key(frame: _Frame) -> Key:
    plane = frame.header.plane
    return _rounded(plane.row_cosines, plane.column_cosines) if plane is not None else ()


@lru_cache(maxsize=4096)
def _rounded(row: Point3, column: Point3) -> Key:
    # 0.01 is about half a degree: a series with noise in its cosines stays one, an oblique one parts.
    return tuple(round(c, 2) + 0.0 for c in (*row, *column))


def _size_key(frame: _Frame) -> Key:
    fmt = frame.instance.pixel_format
    return (fmt.rows, fmt.columns, fmt.samples_per_pixel > 1) if fmt else ()


def _spacing_key(frame: _Frame) -> Key:
    plane = frame.header.plane
    return (round(plane.row_spacing_mm, 4), round(plane.column_spacing_mm, 4)) if plane else ()


def _spaced(key: Key) -> str:
    if not key:
        return ""
    return f"{key[0]} mm" if key[0] == key[1] else f"{key[0]}x{key[1]} mm"


def _localizer_key(frame: _Frame) -> Key:
    return ("LOCALIZER" in frame.instance.image_type,)


def _type_key(frame: _Frame) -> Key:
    """Flavours of MR and CT (magnitude, phase, water, fat, monoenergetic...) after the first three values."""
    return tuple(v for v in frame.instance.image_type[2:] if v not in _NO_FLAVOUR)


def _echo_key(frame: _Frame) -> Key:
    value = frame.header.echo_time_ms if frame.header.echo_time_ms is not None else frame.instance.echo_time_ms
    return (round(value, 2),) if value is not None else ()


def _b_value_key(frame: _Frame) -> Key:
    value = frame.header.b_value if frame.header.b_value is not None else frame.instance.b_value
    return (round(value),) if value is not None else ()


def _time_key(frame: _Frame) -> Key:
    return (frame.header.temporal_position,) if frame.header.temporal_position is not None else ()


def _cardiac_key(frame: _Frame) -> Key:
    """Nominal place in the heart's cycle, in steps that a clock's rounding does not tell apart."""
    cardiac = frame.header.cardiac
    return (round(cardiac[0], 1), cardiac[1]) if cardiac is not None else ()


def _acquisition_key(frame: _Frame) -> Key:
    return (frame.instance.acquisition_number,) if frame.instance.acquisition_number is not None else ()


def _frame_of_reference_key(frame: _Frame) -> Key:
    return (frame.instance.frame_of_reference_uid,)


def _stack_key(frame: _Frame) -> Key:
    return (frame.header.stack_id,) if frame.header.stack_id else ()


def _joined(key: Key) -> str:
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
    SplitRule("split.image_type", _type_key, _joined),
    SplitRule("split.b_value", _b_value_key, lambda k: f"b = {k[0]} s/mm²" if k else ""),
    SplitRule("split.echo", _echo_key, lambda k: f"TE {k[0]}" if k else ""),
    SplitRule("split.stack", _stack_key, lambda k: _joined(k)),
    SplitRule("split.time", _time_key, lambda k: f"T{k[0]:g}" if k else "", in_time=True),
    SplitRule("split.cardiac", _cardiac_key, lambda k: f"{k[0]:g} {k[1]}" if k else "", in_time=True),
)
"""Applied in this order. Acquisition and content time part only what still lies at the same place (see ``_by_place``)."""


def display_sets(study: Study) -> tuple[DisplaySet, ...]:
    """Every frame of every object is in exactly one set."""
    return across_series(study, [found for series in study.series for found in _of_series(study, series)])


def _of_series(study: Study, series: Series) -> Iterable[DisplaySet]:
    by_kind: dict[tuple[DisplaySetKind, str], list[Instance]] = defaultdict(list)
    for instance in series.instances:
        kind = _kind(series.modality, instance)
        # A cine and a document stand alone; the other kinds are gathered.
        alone = instance.sop_instance_uid if kind in (DisplaySetKind.CINE, DisplaySetKind.DOCUMENT) else ""
        by_kind[(kind, alone)].append(instance)
    kinds = {k for k, _ in by_kind}
    for (kind, alone), instances in by_kind.items():
        reason = Problem("split.kind", {}, Severity.NOTE) if len(kinds) > 1 else None
        if reason is None and len(by_kind) > 1:
            reason = Problem("split.multiframe", {}, Severity.NOTE)
        if kind in (DisplaySetKind.STACK, DisplaySetKind.IMAGES):
            frames = [_Frame(i, n, h) for i in instances for n, h in enumerate(i.frames)]
            parts = list(_split(frames, kind, reason))
            moments = _moments(series, parts)
            for n, part in enumerate(parts):
                made = _made(study, series, part.kind, part.frames, part.label, part.reason, part.key)
                yield replace(made, moment=moments[n]) if n in moments else made
            continue
        frames = [_Frame(i, n, h) for i in instances for n, h in enumerate(i.frames)]
        refs = tuple(f.ref for f in frames) or tuple(FrameRef(i.sop_instance_uid) for i in instances)
        label = instances[0].document_title if kind is not DisplaySetKind.CINE else _number(instances[0])
        yield DisplaySet(
            f"{series.series_instance_uid}/{kind.value}{':' + alone if alone else ''}",
            series.series_instance_uid,
            study.study_instance_uid,
            series.modality,
            kind,
            refs,
            label,
            reason,
        )


def _number(instance: Instance) -> str:
    return f"#{instance.instance_number}" if instance.instance_number is not None else ""


def _kind(modality: str, instance: Instance) -> DisplaySetKind:
    if instance.sop_class_uid in _DERIVED_CLASSES or instance.sop_class_uid.startswith(_PRESENTATION_PREFIX):
        return DisplaySetKind.DERIVED
    if instance.pixel_format is None:
        # Whatever else has no pixels is read as a document: reports, curves, plans, registrations, key objects.
        return DisplaySetKind.DOCUMENT
    if modality in _DERIVED and modality != "RTDOSE":
        return DisplaySetKind.DERIVED
    placed = bool(instance.frames) and instance.frames[0].plane is not None
    if instance.pixel_format.frames > 1:
        if placed and len({f.plane.origin_mm for f in instance.frames if f.plane}) > 1:
            return DisplaySetKind.STACK
        if modality == "NM" and any(t in _VIEWS_SIDE_BY_SIDE for t in instance.image_type[2:3]):
            return DisplaySetKind.IMAGES
        return DisplaySetKind.CINE
    if placed and modality not in _PROJECTIONS:
        return DisplaySetKind.STACK
    return DisplaySetKind.IMAGES


@dataclass(frozen=True)
class _Part:
    kind: DisplaySetKind
    frames: list[_Frame]
    label: str
    reason: Problem | None
    key: str
    base: str = ""
    """The key without what parts it in time."""
    base_label: str = ""
    times: tuple[Key, ...] = ()
    value: str = ""


def _moments(series: Series, parts: list[_Part]) -> dict[int, Moment]:
    """Parts that differ only in time and lie at the same places, as the moments of one group."""
    groups: dict[str, list[int]] = defaultdict(list)
    for n, part in enumerate(parts):
        if part.times and part.kind is DisplaySetKind.STACK:
            groups[part.base].append(n)
    found: dict[int, Moment] = {}
    for base, members in groups.items():
        places = {tuple(sorted(map(repr, map(_place, parts[n].frames)))) for n in members}
        if len(members) < 2 or len(places) > 1:
            continue
        members.sort(key=lambda n: tuple(tuple((isinstance(v, str), v) for v in key) for key in parts[n].times))
        name = f"{series.series_instance_uid}{base}/time"
        for number, n in enumerate(members, 1):
            found[n] = Moment(name, number, len(members), parts[n].base_label, parts[n].value)
    return found


def _split(frames: list[_Frame], kind: DisplaySetKind, reason: Problem | None) -> Iterable[_Part]:
    parts = [_Part(kind, frames, "", reason, "")]
    for rule in STACK_RULES:
        if rule.stacks_only and kind is not DisplaySetKind.STACK:
            continue
        parts = [smaller for part in parts for smaller in _applied(rule, part)]
    if kind is DisplaySetKind.STACK:
        parts = [smaller for part in parts for smaller in _by_place(part)]
    return parts


def _applied(rule: SplitRule, part: _Part) -> list[_Part]:
    groups: dict[Key, list[_Frame]] = defaultdict(list)
    for frame in part.frames:
        groups[rule.key(frame)].append(frame)
    if len(groups) == 1:
        return [part]
    if rule.code == "split.cardiac" and not _same_places(groups):
        return [part]  # delays that differ from slice to slice: their order tells the phases
    if rule.code in ("split.image_type", "split.echo", "split.stack", "split.time", "split.b_value") and not _worth(groups):
        return [part]
    why = Problem(rule.code, {"parts": len(groups)}, Severity.NOTE)
    return [
        _Part(
            part.kind,
            found,
            " ".join(t for t in (part.label, rule.label(key)) if t),
            why,
            f"{part.key}/{rule.code.split('.')[1]}={_joined(key)}",
            part.base if rule.in_time else f"{part.base}/{rule.code.split('.')[1]}={_joined(key)}",
            part.base_label if rule.in_time else " ".join(t for t in (part.base_label, rule.label(key)) if t),
            (*part.times, key) if rule.in_time else part.times,
            " ".join(t for t in (part.value, rule.label(key)) if t) if rule.in_time else part.value,
        )
        for key, found in groups.items()
    ]


def _worth(groups: dict[Key, list[_Frame]]) -> bool:
    """These rules part repeated positions only: values that merely drift along one stack are left together."""
    places: set[Key] = set()
    for frames in groups.values():
        own = {_place(f) for f in frames}
        if own & places:
            return True
        places |= own
    return all(len(frames) == 1 for frames in groups.values()) and len(groups) < 3


def _place(frame: _Frame) -> Key:
    plane = frame.header.plane
    return tuple(round(c, 2) for c in plane.origin_mm) if plane else ()


def _by_place(part: _Part) -> list[_Part]:
    """Repeated positions that no attribute explains: parted by acquisition, then by content time, else left and remarked."""
    places = [_place(f) for f in part.frames]
    if len(set(places)) == len(places):
        return [part]
    acquisitions: dict[Key, list[_Frame]] = defaultdict(list)
    for frame in part.frames:
        acquisitions[_acquisition_key(frame)].append(frame)
    if len(acquisitions) > 1 and _parts_places(acquisitions):
        return [
            _Part(
                part.kind,
                found,
                " ".join(t for t in (part.label, f"A{_joined(key)}") if t),
                Problem("split.acquisition", {"parts": len(acquisitions)}, Severity.NOTE),
                f"{part.key}/acquisition={_joined(key)}",
                f"{part.base}/acquisition={_joined(key)}",
                " ".join(t for t in (part.base_label, f"A{_joined(key)}") if t),
                part.times,
                part.value,
            )
            for key, found in acquisitions.items()
        ]
    counts = {places.count(p) for p in set(places)}
    if len(counts) == 1:
        return _by_order(part, counts.pop())
    return [part]


def _parts_places(groups: dict[Key, list[_Frame]]) -> bool:
    return all(len({_place(f) for f in frames}) == len(frames) for frames in groups.values())


def _same_places(groups: dict[Key, list[_Frame]]) -> bool:
    """Every group lies at the same places, once at each."""
    places = {tuple(sorted(map(repr, map(_place, frames)))) for frames in groups.values()}
    return len(places) == 1 and _parts_places(groups)


def _by_order(part: _Part, times: int) -> list[_Part]:
    """Every place has the same number of frames: phases in the order of time or instance number."""
    at: dict[Key, list[_Frame]] = defaultdict(list)
    for frame in sorted(part.frames, key=_order):
        at[_place(frame)].append(frame)
    reason = Problem("split.phase", {"parts": times}, Severity.NOTE)
    timed = any(_in_time(frames) for frames in at.values())
    return [
        _Part(
            part.kind,
            [frames[n] for frames in at.values()],
            f"{part.label} P{n + 1}".strip(),
            reason,
            f"{part.key}/phase={n + 1}",
            part.base,
            part.base_label,
            (*part.times, (n + 1,)) if timed else (),
            " ".join(t for t in (part.value, f"P{n + 1}") if t),
        )
        for n in range(times)
    ]


def _in_time(frames: list[_Frame]) -> bool:
    """Frames of one place whose clocks all differ: moments, not two makings of the same moment."""
    clocks = (
        [f.instance.acquisition_datetime for f in frames],
        [f.instance.content_datetime for f in frames],
        [f.header.cardiac for f in frames],
    )
    return any(all(found) and len(set(found)) == len(frames) for found in clocks)


def _order(frame: _Frame) -> tuple[str, int, int]:
    instance = frame.instance
    return (instance.acquisition_datetime, instance.instance_number or 0, frame.index)


def _sorted_by_position(frames: list[_Frame]) -> list[_Frame]:
    first = frames[0].header.plane
    if first is None:
        return sorted(frames, key=_order)
    n = first.normal

    def along(frame: _Frame) -> float:
        plane: PlaneGeometry | None = frame.header.plane
        return sum(a * b for a, b in zip(n, plane.origin_mm, strict=True)) if plane else 0.0

    return sorted(frames, key=lambda f: (along(f), _order(f)))


def _made(
    study: Study,
    series: Series,
    kind: DisplaySetKind,
    frames: list[_Frame],
    label: str,
    reason: Problem | None,
    key: str,
) -> DisplaySet:
    from app.dicom.stack_check import stack_remarks

    if kind is DisplaySetKind.STACK:
        frames = _sorted_by_position(frames)
        planes = [f.header.plane for f in frames if f.header.plane is not None]
        remarks = stack_remarks(planes)
    else:
        frames = sorted(frames, key=lambda f: (f.instance.instance_number or 0, f.instance.sop_instance_uid, f.index))
        remarks = ()
    return DisplaySet(
        f"{series.series_instance_uid}{key}",
        series.series_instance_uid,
        study.study_instance_uid,
        series.modality,
        kind,
        tuple(f.ref for f in frames),
        label,
        reason,
        remarks,
    )

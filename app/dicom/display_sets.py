"""Which frames are shown together, and why they were parted: one table of split rules.

A series is cut first by kind (document, derived, cine, single pictures, stack), then by every rule of ``STACK_RULES``
whose values differ inside it. The last rule that cut a set off gives the reason that the series strip shows: it says
what tells the set from its neighbours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from app.dicom.dynamic_series import across_series
from app.dicom.multi_frame import object_key, parted_by_object, whole_kinds
from app.dicom.split_rules import STACK_RULES, Frame, Key, SplitRule, acquisition_key, frames_of, joined
from app.domain.geometry import PlaneGeometry
from app.domain.problem import Problem, Severity
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance, Moment, Series, Study

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
_VIEWS_SIDE_BY_SIDE: Final = frozenset({"STATIC", "WHOLE BODY"})
"""Frames of such a nuclear medicine object are views of several detectors or energy windows, not moments."""
_PROJECTIONS: Final = frozenset({"CR", "DX", "MG", "IO", "PX", "RG", "XC", "OP", "OT"})


DYNAMIC_FROM: Final = 6
"""Acquisitions of one place from which they are a run in time (perfusion). Fewer are phases, which are hung side by side."""


def display_sets(study: Study) -> tuple[DisplaySet, ...]:
    """Every frame of every object is in exactly one set."""
    return across_series(study, [found for series in study.series for found in _of_series(study, series)])


def _of_series(study: Study, series: Series) -> Iterable[DisplaySet]:
    by_kind: dict[tuple[DisplaySetKind, str], list[Instance]] = defaultdict(list)
    kinds_of = whole_kinds(series.instances, lambda i: _kind(series.modality, i))
    for instance in series.instances:
        kind = kinds_of[object_key(instance)]
        # A cine and a document stand alone; the other kinds are gathered.
        alone = object_key(instance) if kind in (DisplaySetKind.CINE, DisplaySetKind.DOCUMENT) else ""
        by_kind[(kind, alone)].append(instance)
    kinds = {k for k, _ in by_kind}
    for (kind, alone), instances in by_kind.items():
        reason = Problem("split.kind", {}, Severity.NOTE) if len(kinds) > 1 else None
        if reason is None and len(by_kind) > 1:
            reason = Problem("split.multiframe", {}, Severity.NOTE)
        if kind in (DisplaySetKind.STACK, DisplaySetKind.IMAGES):
            parts = list(_split(frames_of(instances), kind, reason))
            moments = _moments(series, parts)
            for n, part in enumerate(parts):
                made = _made(study, series, part.kind, part.frames, part.label, part.reason, part.key)
                yield replace(made, moment=moments[n]) if n in moments else made
            continue
        instances.sort(key=lambda i: i.concatenation_number or 0)
        frames = tuple(FrameRef(i.sop_instance_uid, n) for i in instances for n in range(len(i.frames)))
        refs = frames or tuple(FrameRef(i.sop_instance_uid) for i in instances)
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
    frames: list[Frame]
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


def _split(frames: list[Frame], kind: DisplaySetKind, reason: Problem | None) -> Iterable[_Part]:
    parts = [_Part(kind, frames, "", reason, "")]
    for rule in STACK_RULES:
        if rule.stacks_only and kind is not DisplaySetKind.STACK:
            continue
        parts = [smaller for part in parts for smaller in _applied(rule, part)]
    if kind is DisplaySetKind.STACK:
        parts = [smaller for part in parts for smaller in _by_place(part)]
    return parts


def _applied(rule: SplitRule, part: _Part) -> list[_Part]:
    groups: dict[Key, list[Frame]] = defaultdict(list)
    for frame, key in zip(part.frames, rule.keys(part.frames), strict=True):
        groups[key].append(frame)
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
            f"{part.key}/{rule.code.split('.')[1]}={joined(key)}",
            part.base if rule.in_time else f"{part.base}/{rule.code.split('.')[1]}={joined(key)}",
            part.base_label if rule.in_time else " ".join(t for t in (part.base_label, rule.label(key)) if t),
            (*part.times, key) if rule.in_time else part.times,
            " ".join(t for t in (part.value, rule.label(key)) if t) if rule.in_time else part.value,
        )
        for key, found in groups.items()
    ]


def _worth(groups: dict[Key, list[Frame]]) -> bool:
    """These rules part repeated positions only: values that merely drift along one stack are left together."""
    places: set[Key] = set()
    for frames in groups.values():
        own = {_place(f) for f in frames}
        if own & places:
            return True
        places |= own
    return all(len(frames) == 1 for frames in groups.values()) and len(groups) < 3


def _place(frame: Frame) -> Key:
    return frame.place or ()


def _by_place(part: _Part) -> list[_Part]:
    """Frames that no attribute tells apart: multi-frame objects that overlap stand alone; then repeated positions are
    parted by acquisition, then by time or number, else left and remarked."""
    places = [_place(f) for f in part.frames]
    repeated = len(set(places)) < len(places)
    acquisitions: dict[Key, list[Frame]] = defaultdict(list)
    for frame in part.frames:
        acquisitions[acquisition_key(frame)].append(frame)
    if repeated and len(acquisitions) > 1 and _parts_places(acquisitions):
        return _grouped(part, acquisitions, "split.acquisition", lambda key: f"A{joined(key)}", lambda key: key)
    objects = parted_by_object(part.frames)
    if objects:
        names = {key: _number(found[0].instance) for key, found in objects.items()}
        times = {key: (min(f.instance.acquisition_datetime for f in found),) for key, found in objects.items()}
        apart = _grouped(part, objects, "split.multiframe", names.__getitem__, times.__getitem__)
        return [smaller for one in apart for smaller in _by_place(one)]
    if not repeated:
        return [part]
    counts = set(Counter(places).values())
    if len(counts) == 1:
        return _by_order(part, counts.pop())
    return [part]


def _grouped(
    part: _Part, groups: dict[Key, list[Frame]], code: str, label: Callable[[Key], str], time: Callable[[Key], Key]
) -> list[_Part]:
    """``groups`` as parts; a run of them in time is a 4D series, a few are phases that are hung side by side."""
    dynamic = len(groups) >= DYNAMIC_FROM and _same_places(groups) and _later_each(groups)
    name = code.split(".")[1]
    return [
        _Part(
            part.kind,
            found,
            " ".join(t for t in (part.label, label(key)) if t),
            Problem(code, {"parts": len(groups)}, Severity.NOTE),
            f"{part.key}/{name}={joined(key)}",
            part.base if dynamic else f"{part.base}/{name}={joined(key)}",
            part.base_label if dynamic else " ".join(t for t in (part.base_label, label(key)) if t),
            (*part.times, time(key)) if dynamic else part.times,
            " ".join(t for t in (part.value, label(key)) if t) if dynamic else part.value,
        )
        for key, found in groups.items()
    ]


def _later_each(acquisitions: dict[Key, list[Frame]]) -> bool:
    """Every acquisition has a time of its own."""
    times = [{f.instance.acquisition_datetime for f in frames} for frames in acquisitions.values()]
    return all(min(found) for found in times) and len({min(found) for found in times}) == len(times)


def _parts_places(groups: dict[Key, list[Frame]]) -> bool:
    return all(len({_place(f) for f in frames}) == len(frames) for frames in groups.values())


def _same_places(groups: dict[Key, list[Frame]]) -> bool:
    """Every group lies at the same places, once at each."""
    places = {tuple(sorted(map(repr, map(_place, frames)))) for frames in groups.values()}
    return len(places) == 1 and _parts_places(groups)


def _by_order(part: _Part, times: int) -> list[_Part]:
    """Every place has the same number of frames: phases in the order of time or instance number."""
    at: dict[Key, list[Frame]] = defaultdict(list)
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


def _in_time(frames: list[Frame]) -> bool:
    """Frames of one place whose clocks all differ: moments, not two makings of the same moment."""
    clocks = (
        [f.instance.acquisition_datetime for f in frames],
        [f.instance.content_datetime for f in frames],
        [f.header.cardiac for f in frames],
    )
    return any(all(found) and len(set(found)) == len(frames) for found in clocks)


def _order(frame: Frame) -> tuple[str, int, int]:
    instance = frame.instance
    return (instance.acquisition_datetime, instance.instance_number or 0, frame.index)


def _sorted_by_position(frames: list[Frame]) -> list[Frame]:
    first = frames[0].header.plane
    if first is None:
        return sorted(frames, key=_order)
    n = first.normal

    def along(frame: Frame) -> float:
        plane: PlaneGeometry | None = frame.header.plane
        return sum(a * b for a, b in zip(n, plane.origin_mm, strict=True)) if plane else 0.0

    return sorted(frames, key=lambda f: (along(f), _order(f)))


def _made(
    study: Study,
    series: Series,
    kind: DisplaySetKind,
    frames: list[Frame],
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

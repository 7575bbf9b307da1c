"""Series that are moments of one examination: some makers store every pass of a contrast study as a series of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from app.dicom import near
from app.domain.geometry import PlaneGeometry
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Instance, Moment, Series, Study
from app.domain.study_lookup import instances_by_uid

LEAST = 3
"""Before and after contrast is a pair that is compared, not a course in time."""
_MODALITIES = frozenset({"MR", "CT", "PT"})


def acquired_s(instance: Instance) -> float | None:
    """When an image was taken, in seconds of a clock that only differences are taken of; None when it is not said."""
    text = instance.acquisition_datetime
    for form, length in (("%Y%m%d%H%M%S.%f", 0), ("%Y%m%d%H%M%S", 14)):
        try:
            return datetime.strptime(text[:length] if length else text.partition("+")[0], form).timestamp()
        except ValueError:
            continue
    return None


def _same(series: Series, first: Instance, places: tuple[object, ...]) -> tuple[object, ...]:
    echo = (first.echo_time_ms, first.b_value, first.convolution_kernel)
    return (series.modality, series.description.strip().casefold(), series.protocol_name, first.image_type, *echo, places)


def _plane(instances: Mapping[str, Instance], ref: FrameRef) -> PlaneGeometry | None:
    image = instances.get(ref.sop_instance_uid)
    return image.frames[ref.frame].plane if image is not None and ref.frame < len(image.frames) else None


def across_series(study: Study, sets: Sequence[DisplaySet]) -> tuple[DisplaySet, ...]:
    """``sets`` with a ``moment`` where at least three series of one name lie at the same places at different times."""
    instances = instances_by_uid(study)
    series = {s.series_instance_uid: s for s in study.series}
    alone: dict[str, int] = defaultdict(int)
    for one in sets:
        alone[one.series_instance_uid] += one.kind is DisplaySetKind.STACK
    found: list[tuple[float, DisplaySet, Series, Instance, list[PlaneGeometry]]] = []
    for one in sets:
        own = series.get(one.series_instance_uid)
        if own is None or one.kind is not DisplaySetKind.STACK or one.moment is not None or own.modality not in _MODALITIES:
            continue
        if alone[one.series_instance_uid] != 1 or not own.description.strip():
            continue
        first = instances.get(one.frames[0].sop_instance_uid)
        at = acquired_s(first) if first is not None else None
        planes = [plane for ref in one.frames if (plane := _plane(instances, ref)) is not None]
        if first is not None and at is not None and len(planes) == len(one.frames):
            found.append((at, one, own, first, planes))
    all_planes = [p for *_, planes in found for p in planes]
    places = near.places(p.origin_mm for p in all_planes)
    turns = near.directions((*p.row_cosines, *p.column_cosines) for p in all_planes)
    groups: dict[tuple[object, ...], list[tuple[float, DisplaySet]]] = defaultdict(list)
    for at, one, own, first, planes in found:
        where = tuple((places[p.origin_mm], turns[(*p.row_cosines, *p.column_cosines)], p.rows, p.columns) for p in planes)
        groups[_same(own, first, where)].append((at, one))
    told: dict[str, Moment] = {}
    for members in groups.values():
        members.sort(key=lambda m: m[0])
        times = [at for at, _ in members]
        if len(members) < LEAST or len(set(times)) != len(times):
            continue
        name = f"{members[0][1].display_set_id}/time"
        label = series[members[0][1].series_instance_uid].description
        for number, (at, one) in enumerate(members, 1):
            told[one.display_set_id] = Moment(name, number, len(members), label, f"{at - times[0]:g} s")
    return tuple(replace(d, moment=told[d.display_set_id]) if d.display_set_id in told else d for d in sets)

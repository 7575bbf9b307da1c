"""Header rules of a reader against one display set: None, or the reason aloud. Pure functions over domain objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from app.ai.declared import declared_reason, declared_remarks
from app.domain.model_card import SelectionRules
from app.domain.problem import Problem, Severity
from app.domain.study import DisplaySet, DisplaySetKind, Instance, Study
from app.domain.study_lookup import instances_by_uid, series_by_uid

_BODY_WORDS = {
    "CHEST": ("CHEST", "THORAX", "LUNG", "ГРУД", "ОГК", "ЛЁГК", "ЛЕГК", "КЕУДЕ", "ӨКПЕ"),
    "HEAD": ("HEAD", "BRAIN", "SKULL", "ГОЛОВ", "МОЗГ"),
    "BREAST": ("BREAST", "MAMMA", "МОЛОЧН", "СҮТ БЕЗ"),
    "JAW": ("JAW", "TEETH", "TOOTH", "DENTAL", "MANDIBLE", "MAXILLA", "PANORAM", "ЧЕЛЮСТ", "ЗУБ", "ПАНОРАМ", "ЖАҚ", "ТІС"),
}
"""What stands in headers for a body part of the rules; a part that is not listed stands for itself."""


_RENDERED = frozenset({"MIP", "MINIP", "MAX_IP", "MIN_IP", "PROJECTION IMAGE", "SCREEN SAVE", "VOLUME_RENDER", "VR"})
"""Image Type words of pictures made from slices: they look like slices and are none."""


def set_reason(rules: SelectionRules, study: Study, display_set: DisplaySet) -> tuple[Problem | None, list[Problem]]:
    """(reason why not, remarks). Remarks name what the headers do not tell."""
    remarks: list[Problem] = []
    if display_set.modality not in rules.modality:
        return _no("modality", modality=display_set.modality or "?", wanted=", ".join(rules.modality)), remarks
    volume = rules.extra.get("kind") == "volume"
    if volume and display_set.kind is not DisplaySetKind.STACK:
        return _no("not_a_stack"), remarks
    if not volume and display_set.kind not in (DisplaySetKind.IMAGES, DisplaySetKind.STACK):
        return _no("not_a_film"), remarks
    instances = shown_instances(study, display_set)
    if not instances:
        return _no("no_images"), remarks
    remarks += declared_remarks(instances)
    for reason in (
        declared_reason(study, display_set, instances),
        _body_part(rules, study, display_set, instances, remarks),
        _age(rules, study, remarks),
        _contrast(rules, instances),
        _image_type(instances),
        _intent(rules, instances),
        _slices(rules, study, display_set, instances) if volume else _proportions(rules, instances, remarks),
    ):
        if reason is not None:
            return reason, remarks
    return None, remarks


def film_reason(rules: SelectionRules, study: Study, display_sets: Sequence[DisplaySet]) -> Problem | None:
    """Rules about all films of a study together."""
    wanted = int(float(rules.extra.get("min_films", "1")))
    found = [s for s in display_sets if has_views(rules, study, s)]
    films = sum(len(s.frames) for s in found)
    if films < wanted:
        return _no("too_few_films", films=films, wanted=wanted)
    return None


def has_views(rules: SelectionRules, study: Study, display_set: DisplaySet) -> bool:
    views = {v.strip().upper() for v in rules.extra.get("views", "").split(",") if v.strip()}
    if not views:
        return True
    known = [i.view_position.upper() for i in shown_instances(study, display_set) if i.view_position]
    return not known or any(view in views for view in known)


def chosen_volume(study: Study, display_sets: Sequence[DisplaySet]) -> DisplaySet:
    """The thinnest slices win; then the longer series; then the earlier one."""

    def key(display_set: DisplaySet) -> tuple[float, int]:
        spacing = slice_spacing_mm(study, display_set)
        return (round(spacing, 2) if spacing is not None else math.inf, -len(display_set.frames))

    return min(display_sets, key=key)


def shown_instances(study: Study, display_set: DisplaySet) -> list[Instance]:
    by_uid = instances_by_uid(study)
    uids = dict.fromkeys(ref.sop_instance_uid for ref in display_set.frames)
    return [by_uid[uid] for uid in uids if uid in by_uid]


def slice_positions_mm(study: Study, display_set: DisplaySet) -> list[float]:
    """Sorted positions along the first plane's normal."""
    by_uid = instances_by_uid(study)
    planes = []
    for ref in display_set.frames:
        instance = by_uid.get(ref.sop_instance_uid)
        if instance is not None and ref.frame < len(instance.frames) and instance.frames[ref.frame].plane is not None:
            planes.append(instance.frames[ref.frame].plane)
    if not planes:
        return []
    first = planes[0]
    assert first is not None
    normal = first.normal
    return sorted(sum(n * p for n, p in zip(normal, plane.origin_mm, strict=True)) for plane in planes if plane)


def slice_spacing_mm(study: Study, display_set: DisplaySet) -> float | None:
    """Median distance of neighbouring slices; None when there are no two positions."""
    positions = slice_positions_mm(study, display_set)
    gaps = [b - a for a, b in zip(positions, positions[1:], strict=False) if b - a > 1e-3]
    return median(gaps) if gaps else None


def age_years(study: Study) -> float | None:
    """From Patient's Age, else from the dates of birth and study."""
    text = study.patient_age.strip().upper()
    per_year = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
    if len(text) == 4 and text[:3].isdigit() and text[3] in per_year:
        return int(text[:3]) / per_year[text[3]]
    birth, day = study.patient.birth_date, study.study_datetime[:8]
    if len(birth) == 8 and len(day) == 8 and birth.isdigit() and day.isdigit():
        years = int(day[:4]) - int(birth[:4]) - (day[4:] < birth[4:])
        return float(years) if years >= 0 else None
    return None


def _no(what: str, **params: str | int | float) -> Problem:
    return Problem(f"ai.scope.{what}", params, Severity.NOTE)


def _body_part(
    rules: SelectionRules, study: Study, display_set: DisplaySet, instances: list[Instance], remarks: list[Problem]
) -> Problem | None:
    if not rules.body_parts:
        return None
    series = series_by_uid(study).get(display_set.series_instance_uid)
    stated = instances[0].body_part_examined or (series.body_part_examined if series else "")
    words = [w for part in rules.body_parts for w in (part.upper(), *_BODY_WORDS.get(part.upper(), ()))]
    if stated:
        fits = any(word in stated.upper() for word in words)
        return None if fits else _no("body_part", body_part=stated[:40], wanted=", ".join(rules.body_parts))
    told = " ".join([study.description, *((series.description, series.protocol_name) if series else ())]).upper()
    if any(word in told for word in words):
        return None
    other = next((part for part, known in _BODY_WORDS.items() if any(word in told for word in known)), "")
    if other:
        return _no("body_part", body_part=other, wanted=", ".join(rules.body_parts))
    remarks.append(_no("body_part_unknown"))
    return None


def _age(rules: SelectionRules, study: Study, remarks: list[Problem]) -> Problem | None:
    limit = rules.extra.get("max_age_years")
    if rules.min_age_years is None and limit is None:
        return None
    age = age_years(study)
    if age is None:
        remarks.append(_no("age_unknown"))
        return None
    if rules.min_age_years is not None and age < rules.min_age_years:
        return _no("too_young", wanted=rules.min_age_years)
    if limit is not None and age > float(limit):
        return _no("too_old", wanted=limit)
    return None


def _contrast(rules: SelectionRules, instances: list[Instance]) -> Problem | None:
    return _no("contrast") if rules.exclude_contrast and any(i.contrast_agent.strip() for i in instances) else None


def _image_type(instances: list[Instance]) -> Problem | None:
    if any("LOCALIZER" in i.image_type for i in instances):
        return _no("localizer")
    if any(_RENDERED & {word.upper() for word in i.image_type} for i in instances):
        return _no("derived")
    return None


def _intent(rules: SelectionRules, instances: list[Instance]) -> Problem | None:
    wanted = rules.extra.get("intent") == "presentation"
    raw = any("PROCESSING" in i.presentation_intent_type.upper() for i in instances)
    return _no("for_processing") if wanted and raw else None


def _proportions(rules: SelectionRules, instances: list[Instance], remarks: list[Problem]) -> Problem | None:
    """A wide film is no chest film where nothing says that it is; where a body part is stated the reader itself answers."""
    limit = rules.extra.get("max_width_over_height")
    if limit is None or not any(r.code == "ai.scope.body_part_unknown" for r in remarks):
        return None
    known = [ratio for ratio in map(_width_over_height, instances) if ratio is not None]
    if not known or min(known) <= float(limit):
        return None
    return _no("proportions", ratio=round(min(known), 2), wanted=limit)


def _width_over_height(instance: Instance) -> float | None:
    if instance.pixel_format is None:
        return None
    row_mm, column_mm = (
        instance.imager_pixel_spacing_mm or instance.pixel_spacing_mm or instance.pixel_aspect_ratio or (1.0, 1.0)
    )
    return instance.pixel_format.columns * column_mm / (instance.pixel_format.rows * row_mm)


def _slices(rules: SelectionRules, study: Study, display_set: DisplaySet, instances: list[Instance]) -> Problem | None:
    count = len(display_set.frames)
    if count < rules.min_slices:
        return _no("too_few_slices", slices=count, wanted=rules.min_slices)
    positions = slice_positions_mm(study, display_set)
    spacing = slice_spacing_mm(study, display_set)
    if spacing is None:
        return _no("no_positions")
    if rules.max_slice_spacing_mm is not None and spacing > rules.max_slice_spacing_mm + 0.01:
        return _no("slices_too_far", spacing_mm=round(spacing, 2), wanted_mm=rules.max_slice_spacing_mm)
    thickness = [i.slice_thickness_mm for i in instances if i.slice_thickness_mm is not None]
    limit = rules.extra.get("max_slice_thickness_mm")
    if limit is not None and thickness and median(thickness) > float(limit) + 0.01:
        return _no("slices_too_thick", thickness_mm=round(median(thickness), 2), wanted_mm=limit)
    tilt = max((abs(i.gantry_tilt_deg) for i in instances if i.gantry_tilt_deg is not None), default=0.0)
    tilt_limit = float(rules.extra.get("max_gantry_tilt_deg", "90"))
    if tilt > tilt_limit:
        return _no("gantry_tilt", tilt_deg=round(tilt, 1), wanted_deg=tilt_limit)
    coverage = positions[-1] - positions[0] + spacing
    needed = float(rules.extra.get("min_coverage_mm", "0"))
    if coverage < needed:
        return _no("coverage", coverage_mm=round(coverage), wanted_mm=round(needed))
    return None

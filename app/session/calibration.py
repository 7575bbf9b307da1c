"""Millimetres by hand: a line of known length that a person drew. Kept as an event, labelled wherever it counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.domain.event import EventKind
from app.domain.problem import fail
from app.domain.study import Instance, Study
from app.store.library import Library
from app.viewer.image_geometry import BY_HAND

SHORTEST_MM, LONGEST_MM = 0.5, 2500.0


@dataclass(frozen=True)
class Calibration:
    """Of all frames of one object: (row, column) spacing in mm; zeros when it was taken back."""

    sop_instance_uid: str
    row_mm: float
    column_mm: float


def calibrations_of(library: Library, study_uid: str) -> dict[str, Calibration]:
    """What holds now, by SOP Instance UID."""
    held: dict[str, Calibration] = {}
    for event in library.events.query(study=study_uid, kinds=(EventKind.IMAGE_CALIBRATED,)):
        uid = str(event.body["sop_instance_uid"])
        row, column = (float(v) for v in event.body["spacing_mm"])
        held[uid] = Calibration(uid, row, column)
    return {uid: c for uid, c in held.items() if c.row_mm > 0 and c.column_mm > 0}


def calibrated(study: Study, held: dict[str, Calibration]) -> Study:
    """The study with hand-made spacings on its images; the objects themselves are as they were."""
    if not held:
        return study
    series = []
    for one in study.series:
        instances = tuple(_with(i, held.get(i.sop_instance_uid)) for i in one.instances)
        series.append(replace(one, instances=instances))
    return replace(study, series=tuple(series))


def _with(instance: Instance, found: Calibration | None) -> Instance:
    if found is None:
        return instance
    return replace(
        instance,
        pixel_spacing_mm=(found.row_mm, found.column_mm),
        pixel_spacing_calibrated=True,
        extra={**instance.extra, BY_HAND: "1"},
    )


def spoken_mm(words: str) -> float:
    """``25``, ``25,4`` or ``25.4 mm``. Raises ``calibrate.no_length``; 0 takes a calibration back."""
    text = words.strip().lower().removesuffix("mm").removesuffix("мм").strip().replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        raise fail("calibrate.no_length", words=words) from None
    if value != 0 and not SHORTEST_MM <= value <= LONGEST_MM:
        raise fail("calibrate.out_of_range", low=SHORTEST_MM, high=LONGEST_MM)
    return value

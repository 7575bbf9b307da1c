"""From a study and its decoded pixels to what a second reader is given; films are turned so that dense tissue is bright."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.ai.catalogue import Accepted, InstalledPackage
from app.ai.read_job import PRIORITY_OPEN, ReadJob
from app.ai.reader_api import EarlierFilms, FilmImage
from app.ai.selection import age_years, shown_instances
from app.domain.pixels import FramePixels
from app.domain.study import DisplaySet, FrameRef, Instance, Study
from app.domain.study_lookup import instances_by_uid
from app.domain.volume import Volume

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def volume_job(package: InstalledPackage, study: Study, display_set: DisplaySet, volume: Volume) -> ReadJob:
    """``volume`` in modality values, of ``display_set``. The session adds its seal key with ``dataclasses.replace``."""
    first = shown_instances(study, display_set)[:1]
    return ReadJob(
        package.path,
        package.digest,
        package.name,
        package.card.version,
        study.study_instance_uid,
        display_set_id=display_set.display_set_id,
        volume=volume,
        patient_age_years=age_years(study),
        patient_sex=study.patient.sex,
        attributes=header_facts(study, display_set, first[0]) if first else {},
        priority=PRIORITY_OPEN,
    )


def films_job(
    accepted: Accepted,
    study: Study,
    films: Sequence[tuple[FrameRef, FramePixels]],
    earlier: EarlierFilms | None = None,
) -> ReadJob:
    """All films of one study for a film reader, in the order given."""
    by_uid = instances_by_uid(study)
    images = film_images(study, films)
    package, first_set = accepted.package, accepted.display_sets[0]
    first = by_uid[films[0][0].sop_instance_uid]
    return ReadJob(
        package.path,
        package.digest,
        package.name,
        package.card.version,
        study.study_instance_uid,
        display_set_id=first_set.display_set_id,
        films=images,
        patient_age_years=age_years(study),
        patient_sex=study.patient.sex,
        attributes=header_facts(study, first_set, first),
        priority=PRIORITY_OPEN,
        earlier=earlier,
    )


def film_images(study: Study, films: Sequence[tuple[FrameRef, FramePixels]]) -> tuple[FilmImage, ...]:
    by_uid = instances_by_uid(study)
    return tuple(film_image(by_uid[ref.sop_instance_uid], ref, pixels) for ref, pixels in films)


def film_image(instance: Instance, ref: FrameRef, pixels: FramePixels) -> FilmImage:
    """One frame as a film: float32, dense tissue bright, padding marked."""
    header = instance.frames[ref.frame] if ref.frame < len(instance.frames) else None
    plane = header.plane if header is not None else None
    spacing = None
    if plane is not None:
        spacing = (plane.row_spacing_mm, plane.column_spacing_mm)
    elif instance.pixel_spacing_calibrated:
        spacing = instance.pixel_spacing_mm
    detector = instance.imager_pixel_spacing_mm or instance.pixel_spacing_mm
    valid = None if pixels.padding is None else np.logical_not(pixels.padding)
    return FilmImage(
        without_padding(dense_bright(pixels, valid), valid),
        instance.sop_instance_uid,
        spacing,
        instance.laterality,
        instance.view_position,
        instance.patient_orientation,
        valid,
        detector,
    )


def without_padding(values: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.float32]:
    """Padding as dark as the darkest exposed pixel, so that no reader sees which value a maker pads with."""
    if valid is None or valid.all() or not valid.any():
        return values
    return np.where(valid, values, values[valid].min()).astype(np.float32)


def dense_bright(pixels: FramePixels, valid: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float32]:
    """Modality values with dense tissue bright: an inverse (MONOCHROME1) frame is mirrored within its own valid range."""
    values = np.asarray(pixels.values, np.float32)
    if pixels.is_colour:
        values = values @ _LUMA
    if not pixels.inverse:
        return np.ascontiguousarray(values)
    inside = values if valid is None or not valid.any() else values[valid]
    return np.ascontiguousarray(inside.min() + inside.max() - values, np.float32)


def header_facts(study: Study, display_set: DisplaySet, instance: Instance) -> dict[str, str]:
    """Header facts as text by snake_case keyword; no names, numbers or dates of the patient."""
    facts: dict[str, object] = {
        "modality": display_set.modality,
        "body_part_examined": instance.body_part_examined,
        "convolution_kernel": instance.convolution_kernel,
        "contrast_agent": instance.contrast_agent,
        "gantry_tilt_deg": instance.gantry_tilt_deg,
        "slice_thickness_mm": instance.slice_thickness_mm,
        "kvp": instance.kvp,
        "exposure_mas": instance.exposure_mas,
        "manufacturer": instance.manufacturer,
        "image_type": "\\".join(instance.image_type),
        "presentation_intent_type": instance.presentation_intent_type,
        "lossy": "yes" if instance.lossy else "",
        "frames": len(display_set.frames),
        "views": ",".join(sorted({i.view_position for s in study.series for i in s.instances if i.view_position})),
    }
    return {key: str(value) for key, value in facts.items() if value not in (None, "")}

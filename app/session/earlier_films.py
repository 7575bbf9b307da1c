"""The films of a patient's earlier study for a second reader that compares: the newest that this reader would read."""

from __future__ import annotations

from collections.abc import Iterable

from app.ai.catalogue import Accepted, Catalogue
from app.ai.inputs import film_images
from app.ai.reader_api import EarlierFilms
from app.dicom.display_sets import display_sets
from app.dicom.frame_pixels import frame_pixels
from app.domain.pixels import FramePixels
from app.domain.ports import ByteSource
from app.domain.problem import ProblemError
from app.domain.study import DisplaySet, FrameRef, Study
from app.domain.study_lookup import instances_by_uid
from app.store.library import Library

RULE = "earlier"
"""Of a card's rules: the reader wants the films of an earlier study."""


def shown_frames(study: Study, sets: Iterable[DisplaySet], source: ByteSource) -> list[tuple[FrameRef, FramePixels]]:
    by_uid = instances_by_uid(study)
    refs = [ref for chosen in sets for ref in chosen.frames]
    return [(ref, frame_pixels(by_uid[ref.sop_instance_uid], ref.frame, source)) for ref in refs]


def wants_earlier(accepted: Accepted) -> bool:
    return RULE in accepted.card.rules.extra


def earlier_films(
    catalogue: Catalogue, accepted: Accepted, study: Study, others: Iterable[Study], source: ByteSource
) -> EarlierFilms | None:
    """None where the reader asks for none, or none of the same patient is older, is read by it and can be decoded."""
    if not wants_earlier(accepted) or not study.study_datetime or not study.patient.patient_id:
        return None
    same_person = [s for s in others if s.patient.key == study.patient.key]
    older = [s for s in same_person if s.study_datetime and s.study_datetime < study.study_datetime]
    for earlier in sorted(older, key=lambda s: s.study_datetime, reverse=True):
        sets = display_sets(earlier)
        reads = (a for a in catalogue.accepting(earlier, sets).accepted if a.package.name == accepted.package.name)
        same = next(reads, None)
        if same is None:
            continue
        try:
            films = film_images(earlier, shown_frames(earlier, same.display_sets, source))
        except ProblemError:
            continue  # it cannot be decoded: the study itself says so where it is opened
        return EarlierFilms(earlier.study_datetime[:8], films)
    return None


def of_library(library: Library, study: Study) -> tuple[Study, ...]:
    """Every other study of the patient."""
    rows = library.studies.of_patient(study.study_instance_uid)
    uids = [r.study_instance_uid for r in rows if r.study_instance_uid != study.study_instance_uid]
    return tuple(library.studies.load(uid) for uid in uids)

"""Which readers a study of the library gets, and their input built from its encrypted objects."""

from __future__ import annotations

from dataclasses import replace

from app.ai.catalogue import Acceptance, Accepted, Catalogue
from app.ai.inputs import films_job, volume_job
from app.ai.read_job import ReadJob
from app.dicom.display_sets import display_sets
from app.dicom.frame_pixels import frame_pixels
from app.dicom.volume_builder import build_volume
from app.domain.ports import ByteSource, SilentProgress
from app.domain.study import DisplaySet, Study
from app.domain.study_lookup import instances_by_uid
from app.session.second_read import Plan, Refused
from app.store.library import Library

_NOT_ITS_KIND = frozenset(
    f"ai.scope.{reason}"
    for reason in (
        "modality",
        "not_a_stack",
        "not_a_film",
        "no_images",
        "body_part",
        "localizer",
        "derived",
        "other_series_chosen",
    )
)
"""Reasons that only say "this reader is for something else": not worth a word in the worklist."""


def plan_of(acceptance: Acceptance) -> Plan:
    """Accepted readers, and those of the study's own kind that refuse it, each with its most telling reason."""
    reading = {a.package.name for a in acceptance.accepted}
    refused: dict[str, Refused] = {}
    not_its_kind = {r.package.name for r in acceptance.refused if r.reason.code == "ai.scope.body_part"}
    for no in acceptance.refused:
        name = no.package.name
        if name in reading or name in refused or no.reason.code in _NOT_ITS_KIND or name in not_its_kind:
            continue
        refused[name] = Refused(no.package.card, no.reason)
    return Plan(acceptance.accepted, tuple(refused.values()))


def job_of(study: Study, accepted: Accepted, source: ByteSource, seal_public_key: bytes) -> ReadJob:
    """Decodes what the reader looks at. Raises ``ProblemError`` when the images make no volume or cannot be decoded."""
    if accepted.package.card.rules.extra.get("kind") == "films":
        by_uid = instances_by_uid(study)
        refs = [ref for chosen in accepted.display_sets for ref in chosen.frames]
        films = [(ref, frame_pixels(by_uid[ref.sop_instance_uid], ref.frame, source)) for ref in refs]
        return replace(films_job(accepted, study, films), seal_public_key=seal_public_key)
    chosen: DisplaySet = accepted.display_sets[0]
    volume = build_volume(study, chosen, source, progress=SilentProgress())
    return replace(volume_job(accepted.package, study, chosen, volume), seal_public_key=seal_public_key)


class LibraryPlanner:
    """``ReadPlanner`` over a library."""

    def __init__(self, library: Library, catalogue: Catalogue) -> None:
        self._library = library
        self._catalogue = catalogue

    def plan(self, study_instance_uid: str) -> Plan:
        study = self._library.studies.load(study_instance_uid)
        return plan_of(self._catalogue.accepting(study, display_sets(study)))

    def job(self, study_instance_uid: str, accepted: Accepted, seal_public_key: bytes) -> ReadJob:
        study = self._library.studies.load(study_instance_uid)
        return job_of(study, accepted, self._library.objects, seal_public_key)

"""Which readers a study of the library gets, and their input built from its encrypted objects."""

from __future__ import annotations

from dataclasses import replace

from app.ai.catalogue import Acceptance, Accepted, Catalogue
from app.ai.inputs import films_job, volume_job
from app.ai.read_job import ReadJob
from app.ai.reader_api import EarlierFilms
from app.dicom.display_sets import display_sets
from app.dicom.volume_builder import build_volume
from app.domain.ports import ByteSource, SilentProgress
from app.domain.study import DisplaySet, Study
from app.session.earlier_films import earlier_films, of_library, shown_frames, wants_earlier
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
        "proportions",
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


def job_of(
    study: Study, accepted: Accepted, source: ByteSource, seal_public_key: bytes, earlier: EarlierFilms | None = None
) -> ReadJob:
    """Decodes what the reader looks at. Raises ``ProblemError`` when the images make no volume or cannot be decoded."""
    if accepted.package.card.rules.extra.get("kind") == "films":
        films = shown_frames(study, accepted.display_sets, source)
        return replace(films_job(accepted, study, films, earlier), seal_public_key=seal_public_key)
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
        source = self._library.objects
        others = of_library(self._library, study) if wants_earlier(accepted) else ()
        earlier = earlier_films(self._catalogue, accepted, study, others, source)
        return job_of(study, accepted, source, seal_public_key, earlier)

"""Headers of the library's studies, read once and kept until a study gets new objects. Main thread only."""

from __future__ import annotations

from app.dicom.display_sets import display_sets
from app.domain.study import DisplaySet, DisplaySetKind, Study
from app.session.calibration import calibrated, calibrations_of
from app.session.images import Images
from app.store.library import Library

WITH_PICTURE = (DisplaySetKind.STACK, DisplaySetKind.IMAGES, DisplaySetKind.CINE)


def read_headers(library: Library, uid: str) -> tuple[Study, tuple[DisplaySet, ...]]:
    """Of one study, without keeping them; from any thread. Raises ``store.no_such_study``."""
    study = calibrated(library.studies.load(uid), calibrations_of(library, uid))
    return study, display_sets(study)


class StudyHeaders:
    """``pictures`` learns of every study whose display sets were made, so that it can draw them."""

    def __init__(self, library: Library, pictures: Images) -> None:
        self._library = library
        self._pictures = pictures
        self._sets: dict[str, tuple[DisplaySet, ...]] = {}
        self._studies: dict[str, Study] = {}

    def study(self, uid: str) -> Study:
        if uid not in self._studies:
            loaded = self._library.studies.load(uid)
            self._studies[uid] = calibrated(loaded, calibrations_of(self._library, uid))
        return self._studies[uid]

    def display_sets(self, uid: str) -> tuple[DisplaySet, ...]:
        if uid not in self._sets:
            self._sets[uid] = display_sets(self.study(uid))
            self._pictures.add(self.study(uid), self._sets[uid])
        return self._sets[uid]

    def known(self, uid: str) -> tuple[Study, tuple[DisplaySet, ...]] | None:
        """Where they were asked for before."""
        return (self._studies[uid], self._sets[uid]) if uid in self._studies and uid in self._sets else None

    def keep(self, study: Study, sets: tuple[DisplaySet, ...]) -> None:
        """What was read elsewhere, unless it is known by now."""
        uid = study.study_instance_uid
        if self.known(uid) is None:
            self._studies[uid], self._sets[uid] = study, sets
            self._pictures.add(study, sets)

    def forget(self, uid: str) -> None:
        self._studies.pop(uid, None)
        self._sets.pop(uid, None)

    def picture_sets(self, uid: str) -> list[DisplaySet]:
        """Display sets that have a picture, the most telling first: longest stack, then films in order."""
        sets = [d for d in self.display_sets(uid) if d.kind in WITH_PICTURE]
        return sorted(sets, key=lambda d: -len(d.frames))

    def known_set(self, display_set_id: str) -> DisplaySet | None:
        """A display set of a study whose headers were asked for."""
        return next((d for sets in self._sets.values() for d in sets if d.display_set_id == display_set_id), None)

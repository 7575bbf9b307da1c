"""Small pictures of the list and of the strip: asked for once, made beside, announced when they are there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from app.dicom.display_sets import display_sets
from app.session.crops import study_thumbnail, thumbnail
from app.session.images import Images
from app.session.study_headers import WITH_PICTURE, StudyHeaders
from app.session.views import Thumbnail
from app.store.library import Library

_OF_STUDY = "study/"


def of_study(uid: str) -> str:
    """The id of the picture that stands for a study."""
    return f"{_OF_STUDY}{uid}"


class Thumbnails:
    def __init__(self, library: Library, headers: StudyHeaders, pictures: Images, came: Callable[[], None]) -> None:
        self._library = library
        self._headers = headers
        self._pictures = pictures
        self._came = came
        self._made: dict[str, npt.NDArray[np.uint8] | None] = {}
        self._asked: set[str] = set()

    def get(self, display_set_id: str) -> Thumbnail | None:
        """A picture if it is here; else it is asked for and ``came`` is called when it is made."""
        if display_set_id in self._made:
            pixels = self._made[display_set_id]
            return Thumbnail(display_set_id, pixels) if pixels is not None else None
        if display_set_id in self._asked:
            return None
        self._asked.add(display_set_id)
        if display_set_id.startswith(_OF_STUDY):
            work = self._study_work(display_set_id.removeprefix(_OF_STUDY))
        else:
            found = self._headers.known_set(display_set_id)
            if found is None:
                return None
            chosen = found

            def work() -> npt.NDArray[np.uint8] | None:
                return thumbnail(self._pictures, chosen)

        self._pictures.beside(work, lambda p: self._keep(display_set_id, p))
        return None

    def _study_work(self, uid: str) -> Callable[[], npt.NDArray[np.uint8] | None]:
        """The picture that stands for a study; its headers are read on the decode thread."""

        def work() -> npt.NDArray[np.uint8] | None:
            study = self._library.studies.load(uid)
            sets = display_sets(study)
            best = max((d for d in sets if d.kind in WITH_PICTURE), key=lambda d: len(d.frames), default=None)
            if best is None:
                return None
            return study_thumbnail(study, best, self._library.objects)

        return work

    def renew(self, uid: str) -> None:
        """An object of a study is another one now: its pictures are made anew."""
        for key in (of_study(uid), *(d.display_set_id for d in self._headers.display_sets(uid))):
            self._made.pop(key, None)
            self._asked.discard(key)
        self._headers.forget(uid)

    def _keep(self, display_set_id: str, pixels: npt.NDArray[np.uint8] | None) -> None:
        self._made[display_set_id] = pixels
        self._came()

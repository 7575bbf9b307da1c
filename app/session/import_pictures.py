"""Small pictures of the import dialog, made beside the main thread: of series and films that are not in the library yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from app.dicom.byte_source import FileByteSource
from app.dicom.picture_process import picture_process
from app.domain.ports import MainLoop
from app.domain.problem import ProblemError
from app.session.crops import study_thumbnail
from app.session.import_scan import Scanned
from app.session.import_views import FoundPicture, SmallPicture
from app.session.picture_import import picture_bytes

_TREE_PICTURE_PX = 96
_FILM_PICTURE_PX = 420
Pixels = npt.NDArray[np.uint8]


class ImportPictures:
    """``came`` is called on the main thread when a picture is here."""

    def __init__(self, loop: MainLoop, came: Callable[[], None]) -> None:
        self._loop, self._came = loop, came
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ekinshi-import-pictures")
        self._made: dict[str, Pixels | None] = {}
        self._asked: set[str] = set()
        self._run = 0
        self._closed = False

    def get(self, key: str, scanned: Scanned | None, films: Sequence[FoundPicture]) -> SmallPicture | None:
        """The picture if it is here; else it is made."""
        if key in self._made:
            pixels = self._made[key]
            return SmallPicture(key, pixels) if pixels is not None else None
        if key and key not in self._asked and not self._closed:
            self._asked.add(key)
            self._pool.submit(self._make, self._run, key, scanned, tuple(films))
        return None

    def _make(self, run: int, key: str, scanned: Scanned | None, films: Sequence[FoundPicture]) -> None:
        try:
            pixels = _pixels(key, scanned, films)
        except ProblemError:
            pixels = None  # the file is named with its reason when it is copied or bound
        if not self._closed:
            self._loop.post(lambda: self._keep(run, key, pixels))

    def _keep(self, run: int, key: str, pixels: Pixels | None) -> None:
        if run == self._run:
            self._made[key] = pixels
            self._came()

    def clear(self) -> None:
        """Another medium: pictures that are still being made are dropped."""
        self._run += 1
        self._made.clear()
        self._asked.clear()

    def close(self) -> None:
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)


def _pixels(key: str, scanned: Scanned | None, films: Sequence[FoundPicture]) -> Pixels | None:
    film = next((f for f in films if f.picture_id == key), None)
    if film is not None:
        return picture_process.small(picture_bytes(film.path), film.info, _FILM_PICTURE_PX)
    for patient in scanned.patients if scanned is not None else ():
        for study in patient.studies:
            for series in study.series:
                if series.key == key and series.display_set is not None:
                    source = FileByteSource()
                    try:
                        return study_thumbnail(study.study, series.display_set, source, _TREE_PICTURE_PX)
                    finally:
                        source.close()
    return None

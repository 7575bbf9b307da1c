"""Earlier studies of the patient, read beside the main thread: the open study stands at once, its past joins it.

Headers of a long prior take a tenth of a second to unpack, a second reader's result has to be decrypted, and how dozens of
series hang takes longer still: none of it is done by the thread that draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.domain.problem import Problem, ProblemError
from app.domain.study import DisplaySet, Study
from app.session.images import Images
from app.session.open_study import OpenStudy
from app.session.prior_marks import PriorMark, is_sealed, stored_marks
from app.session.reading_room import ReadingRoom
from app.session.second_read import SecondReads
from app.session.study_headers import StudyHeaders, read_headers
from app.session.then_findings import OpenedThen, opened_then
from app.store.library import Library
from app.viewer.hanging import Hanging


@dataclass(frozen=True, eq=False)
class PriorRead:
    """All that an earlier study brings with it."""

    opened: OpenStudy
    marks: tuple[PriorMark, ...]
    sealed: bool
    """This person has not seen yet what its second readers found."""
    then: OpenedThen = OpenedThen()
    """What second readers found in it, as far as this person was shown."""


@dataclass(frozen=True, eq=False)
class _Came:
    read: PriorRead | None = None
    problem: Problem | None = None


def _read(
    library: Library, reads: SecondReads, uid: str, person: str, known: tuple[Study, tuple[DisplaySet, ...]] | None
) -> _Came:
    """From any thread. ``known``: its headers, where they were read before."""
    try:
        study, sets = known if known is not None else read_headers(library, uid)
        sealed = is_sealed(reads, uid, person)
        then = opened_then(library, reads, study, person, sealed)  # before the marks: they drop what was opened
        marks = stored_marks(library, reads, study, person)
        return _Came(PriorRead(OpenStudy(study, sets), marks, sealed, then))
    except ProblemError as error:
        return _Came(problem=error.problem)


class ComingPriors:
    """Main thread only. ``joins`` takes one earlier study, ``all_here`` is called when all have joined and hang."""

    def __init__(
        self,
        library: Library,
        headers: StudyHeaders,
        reads: SecondReads,
        person: str,
        images: Images,
        room: ReadingRoom,
        joins: Callable[[PriorRead], None],
        failed: Callable[[Problem], None],
        all_here: Callable[[], None],
    ) -> None:
        self._library, self._headers, self._reads, self._person = library, headers, reads, person
        self._images, self._room = images, room
        self._joins, self._failed, self._all_here = joins, failed, all_here
        self._left = 0
        self._joined = 0

    def read_now(self, uids: Sequence[str]) -> None:
        """On the calling thread: everything is there and hangs when it returns."""
        for uid in uids:
            self._take(self._work(uid)())
        self._hang(self._room.judged()() if self._joined else None)

    def read_beside(self, uids: Sequence[str]) -> None:
        """One after the other on the thread of slow work; ``Images.busy`` until the last one hangs."""
        self._left = len(uids)
        for uid in uids:
            self._images.beside(self._work(uid), self._came, slow=True)

    def _work(self, uid: str) -> Callable[[], _Came]:
        known = self._headers.known(uid)
        return lambda: _read(self._library, self._reads, uid, self._person, known)

    def _came(self, found: _Came | None) -> None:
        if self._images.closed:
            return  # it was on its way when the study was closed
        self._left -= 1
        self._take(found)
        if self._left == 0 and self._joined:
            self._images.beside(self._room.judged(), self._hang, slow=True)

    def _take(self, came: _Came | None) -> None:
        found = came.read if came is not None else None
        if came is not None and came.problem is not None:
            self._failed(came.problem)
        elif found is not None and found.opened.study.patient.key == self._room.studies()[0].study.patient.key:
            opened = found.opened
            self._headers.keep(opened.study, opened.display_sets)
            self._images.add(opened.study, opened.display_sets)
            self._room.add_prior(opened)
            self._joins(found)
            self._joined += 1

    def _hang(self, hanging: Hanging | None) -> None:
        if hanging is not None and not self._images.closed:
            self._room.take_hanging(hanging)
            self._all_here()

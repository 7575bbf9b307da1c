"""Two objects under one number: what lies aside, both beside each other, and the choice of a person. Main thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.dicom.display_sets import display_sets
from app.dicom.header import read_header
from app.dicom.instance_builder import FileHeader
from app.dicom.study_tree import StudyTree
from app.dicom.tag_compare import Difference, differences
from app.dicom.tag_tree import TagTree, read_tree
from app.domain.ports import Progress
from app.domain.problem import Problem, ProblemError, fail
from app.domain.study import Instance
from app.session.crops import study_thumbnail
from app.session.open_study import OpenStudy
from app.session.tasks import TaskRunner
from app.session.views import Changes, Words
from app.store.aside import AsideObject
from app.store.library import Library

PICTURE_PX = 460


@dataclass(frozen=True)
class AsideLine:
    """One object that waits for a choice."""

    key: str
    name: str
    """Of the patient, as the library has it."""
    what: str
    """Modality and series."""
    source: str
    """File that the other bytes came from."""


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two."""

    facts: str
    sha256: str
    size_bytes: int
    pixels: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    """(h, w[, 3]), None where there is no picture."""
    problem: Problem | None = None
    """Why it cannot be opened."""


@dataclass(frozen=True, eq=False)
class AsideView:
    key: str
    first: Side
    """What the study shows."""
    other: Side
    different: tuple[Difference, ...]
    cannot_take: Problem | None
    """Why the other one cannot be shown in place of the first."""


@dataclass(frozen=True, eq=False)
class _Read:
    side: Side
    tree: TagTree
    header: FileHeader | None


def looked_at(open_: OpenStudy, priors: Sequence[OpenStudy]) -> frozenset[str]:
    """Numbers of the studies on the screen: what hangs as a prior is looked at as well."""
    return frozenset(each.study.study_instance_uid for each in (open_, *priors))


class AsideDesk:
    def __init__(
        self,
        library: Library,
        tasks: TaskRunner,
        person: Callable[[], str],
        announce: Callable[[Changes], None],
        changed: Callable[[str], None],
        is_open: Callable[[str], bool],
    ) -> None:
        """``changed(study)``: an object of this study is another one now. ``is_open(study)``: somebody looks at it."""
        self._library, self._tasks, self._person = library, tasks, person
        self._announce, self._changed, self._is_open = announce, changed, is_open

    def count(self) -> int:
        """How many wait for a choice."""
        return len(self._library.aside.waiting())

    def waiting(self) -> tuple[AsideLine, ...]:
        return tuple(self._line(one) for one in self._library.aside.waiting())

    def _line(self, one: AsideObject) -> AsideLine:
        row = self._library.studies.row(one.study_instance_uid)
        name = row.patient.name.display() if row is not None else ""
        study = row.description or " ".join(row.modalities) if row is not None else ""
        return AsideLine(_key(one), name, study, one.source)

    def compare(
        self, key: str, came: Callable[[AsideView], None], failed: Callable[[Problem], None] = lambda _: None
    ) -> str:
        """Reads both beside the main thread; the task's id."""
        return self._tasks.start(Words("task.aside"), lambda progress: self._compared(key, progress), came, failed)

    def _compared(self, key: str, progress: Progress) -> AsideView:
        one = self._one(key)
        shown = self._library.studies.instance(one.sop_instance_uid)
        if shown is None:
            raise fail("store.no_such_study", next_step="next.import_again")
        first = self._read(shown[2])
        progress.report(0.4)
        other = self._read(one.locator)
        progress.report(0.8)
        return AsideView(key, first.side, other.side, differences(first.tree, other.tree), self._why_not(one, other))

    def _why_not(self, one: AsideObject, other: _Read) -> Problem | None:
        if other.header is None or other.side.problem is not None:
            return other.side.problem
        try:
            _same_place(self._library, one, other.header)
        except ProblemError as error:
            return error.problem
        if self._is_open(one.study_instance_uid) or self._library.aside.is_in_use(one.study_instance_uid):
            return Problem("aside.in_use", kept_safe="safe.kept_aside")
        return None

    def _read(self, locator: str) -> _Read:
        objects = self._library.objects
        stored = objects.info(locator.partition(":")[2])
        tree = read_tree(lambda offset, length: objects.read_range(locator, offset, length), stored.size_bytes)
        try:
            header = read_header(locator, objects)
        except ProblemError as error:
            return _Read(Side("", stored.sha256, stored.size_bytes, problem=error.problem), tree, None)
        pixels, problem = None, None
        try:
            gathered = StudyTree()
            gathered.add(header)
            (study,) = gathered.studies()
            pixels = study_thumbnail(study, display_sets(study)[0], objects, PICTURE_PX)
        except ProblemError as error:
            problem = error.problem
        return _Read(Side(_facts(header.instance), stored.sha256, stored.size_bytes, pixels, problem), tree, header)

    def keep_shown(self, key: str) -> None:
        """The one that the study shows stays; the other lies aside from now on."""
        one, person = self._one(key), self._person()
        self._library.write(lambda tx: self._library.aside.keep_shown(tx, one, person))
        self._announce(Changes(worklist=True, tasks=True))

    def show_other(self, key: str) -> None:
        """The other one is shown, the first lies aside. Raises ``aside.*`` where that may not be."""
        one, person = self._one(key), self._person()
        header = read_header(one.locator, self._library.objects)
        _same_place(self._library, one, header)
        if self._is_open(one.study_instance_uid):
            raise fail("aside.in_use", kept_safe="safe.kept_aside")
        self._library.write(lambda tx: self._library.aside.show_other(tx, one, header.instance, person))
        self._changed(one.study_instance_uid)
        self._announce(Changes(worklist=True, tasks=True))

    def _one(self, key: str) -> AsideObject:
        found = next((o for o in self._library.aside.waiting() if _key(o) == key), None)
        if found is None:
            raise fail("aside.decided")
        return found


def _key(one: AsideObject) -> str:
    return f"{one.sop_instance_uid}|{one.sha256}"


def _same_place(library: Library, one: AsideObject, header: FileHeader) -> None:
    """The other bytes must be of the same person, study and series. Raises ``aside.elsewhere``: they are somebody else's."""
    owner = library.studies.patient_key(one.study_instance_uid)
    there = library.studies.load(one.study_instance_uid)
    series = next(
        (s for s in there.series for i in s.instances if i.sop_instance_uid == one.sop_instance_uid),
        None,
    )
    if (
        header.study.study_instance_uid != one.study_instance_uid
        or "\x1f".join(header.study.patient.key) != owner
        or series is None
        or header.series.series_instance_uid != series.series_instance_uid
        or header.instance.sop_instance_uid != one.sop_instance_uid
    ):
        raise fail("aside.elsewhere", kept_safe="safe.kept_aside")


def _facts(instance: Instance) -> str:
    fmt = instance.pixel_format
    size = f"{fmt.columns} × {fmt.rows}" + (f" × {fmt.frames}" if fmt.frames > 1 else "") if fmt is not None else ""
    number = f"#{instance.instance_number}" if instance.instance_number is not None else ""
    return " · ".join(t for t in (number, size, instance.content_datetime[:8]) if t)

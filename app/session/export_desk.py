"""The export sheet without its widgets: one export at a time, with progress, cancel and what came of it. Main thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from app.dicom.deidentify import Dates, Profile
from app.domain.problem import Problem
from app.session.exporting import ExportOptions, ExportSummary, Form, export_studies, new_secret
from app.session.tasks import TaskRunner
from app.session.views import Changes, Words
from app.store.library import Library


class ExportPhase(StrEnum):
    CHOOSING = "choosing"
    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class ExportWish:
    """What a person chose on the sheet."""

    form: Form = Form.FOLDER
    deidentified: bool = False
    dates: Dates = Dates.REMOVE
    keep_characteristics: bool = False
    burned_in: bool = False

    def options(self) -> ExportOptions:
        profile = Profile(new_secret(), self.dates, self.keep_characteristics) if self.deidentified else None
        return ExportOptions(self.form, profile, self.burned_in)


@dataclass(frozen=True)
class ExportView:
    phase: ExportPhase
    studies: int = 0
    images: int = 0
    size_bytes: int = 0
    patient: str = ""
    """Name of the one patient, or empty when there are several."""
    says_burned_in: int = 0
    """Objects that say that a name stands in their pixels."""
    fraction: float = 0.0
    stage: str = ""
    summary: ExportSummary | None = None
    problem: Problem | None = None


class ExportDesk:
    def __init__(
        self, library: Library, tasks: TaskRunner, announce: Callable[[Changes], None], person: Callable[[], str]
    ) -> None:
        self._library, self._tasks, self._announce, self._person = library, tasks, announce, person
        self._uids: tuple[str, ...] = ()
        self._view = ExportView(ExportPhase.CHOOSING)
        self._task = ""
        self._run = 0

    def choose(self, study_uids: Sequence[str]) -> bool:
        """Takes studies for the next export; False while one runs."""
        if self._view.phase is ExportPhase.WRITING:
            return False
        self._uids = tuple(dict.fromkeys(study_uids))
        studies = [self._library.studies.load(uid) for uid in self._uids]
        instances = [i for s in studies for series in s.series for i in series.instances]
        persons = {s.patient.key for s in studies}
        self._view = ExportView(
            ExportPhase.CHOOSING,
            len(studies),
            len(instances),
            sum(i.size_bytes for i in instances),
            studies[0].patient.name.display() if len(persons) == 1 else "",
            sum(i.burned_in_annotation == "YES" for i in instances),
        )
        return True

    def view(self) -> ExportView:
        if self._view.phase is ExportPhase.WRITING:
            task = next((t for t in self._tasks.views() if t.task_id == self._task), None)
            if task is not None:
                return replace(self._view, fraction=task.fraction, stage=task.stage)
        return self._view

    def start(self, target: Path, wish: ExportWish) -> None:
        if self._view.phase is ExportPhase.WRITING or not self._uids:
            return
        self._run += 1
        run, uids, options, person = self._run, self._uids, wish.options(), self._person()
        self._view = replace(self._view, phase=ExportPhase.WRITING, summary=None, problem=None)

        def done(summary: ExportSummary) -> None:
            self._ended(run, replace(self._view, phase=ExportPhase.DONE, summary=summary))

        def failed(problem: Problem) -> None:
            self._tasks.dismiss(self._task)
            self._ended(run, replace(self._view, phase=ExportPhase.FAILED, problem=problem))

        self._task = self._tasks.start(
            Words("task.export", {"what": target.name}),
            lambda progress: export_studies(self._library, uids, target, options, progress, person),
            done,
            failed,
        )
        self._announce(Changes(tasks=True))

    def _ended(self, run: int, view: ExportView) -> None:
        if run == self._run:
            self._view = view
            self._announce(Changes(tasks=True))

    def cancel(self) -> None:
        """Nothing half stays at the target."""
        if self._view.phase is ExportPhase.WRITING:
            self._run += 1
            self._tasks.cancel(self._task)
            self._view = replace(self._view, phase=ExportPhase.CHOOSING)
            self._announce(Changes(tasks=True))

    def again(self) -> None:
        """Back to the choice, for the same studies."""
        if self._view.phase is not ExportPhase.WRITING:
            self._view = replace(self._view, phase=ExportPhase.CHOOSING, summary=None, problem=None)
            self._announce(Changes(tasks=True))

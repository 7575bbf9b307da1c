"""The import dialog without its widgets: look, choose, copy, go on after a cut; films are bound to a person. Main thread."""

from __future__ import annotations

import dataclasses
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.dicom.secondary_capture import Binding
from app.domain.ports import MainLoop, Progress
from app.domain.problem import Problem
from app.domain.study import RefusedFile
from app.session.aside_desk import AsideDesk
from app.session.eject import Ejector
from app.session.import_choice import Choice, default_choice, tree_lines
from app.session.import_journal import CopyJournal, study_key
from app.session.import_pictures import ImportPictures
from app.session.import_scan import Compared, Scanned, compare, look
from app.session.import_tree import PatientNode, patient_key, patient_words
from app.session.import_views import (
    CutImport,
    FoundPicture,
    ImportView,
    KnownPatient,
    Phase,
    SmallPicture,
)
from app.session.import_watch import ImportWatch, PausableProgress
from app.session.importing import ImportSummary, import_scanned
from app.session.kept_aside import OTHER_BYTES
from app.session.picture_import import PictureOutcome, import_picture
from app.session.tasks import TaskRunner
from app.session.views import NOTHING, Changes, Notice, Words
from app.store.import_jobs import ImportJob
from app.store.library import Library
from app.store.search_key import query_words, search_key

_OFFERED = 8
_UNASKED = 3
"""People of the medium that are offered before anything is typed."""


@dataclass(frozen=True)
class DeskParts:
    """What the workstation hands over."""

    library: Library
    tasks: TaskRunner
    loop: MainLoop
    announce: Callable[[Changes], None]
    say: Callable[[Notice], None]
    person: Callable[[], str]
    imported: Callable[[ImportSummary], None]
    changed: Callable[[str], None] = lambda study: None
    """An object of a study is another one now."""
    is_open: Callable[[str], bool] = lambda study: False


class ImportDesk:
    """One import at a time."""

    def __init__(self, parts: DeskParts) -> None:
        self._parts = parts
        self.aside = AsideDesk(parts.library, parts.tasks, parts.person, parts.announce, parts.changed, parts.is_open)
        self.ejector = Ejector(parts.tasks, self._changed)
        self._pictures = ImportPictures(parts.loop, lambda: parts.announce(Changes(images=True, tasks=True)))
        self._run = 0
        self._reset(())

    def _reset(self, paths: Sequence[Path]) -> None:
        self._run += 1
        self._paths = tuple(Path(p) for p in paths)
        self.phase = Phase.IDLE
        self._scanned: Scanned | None = None
        self._compared = Compared(frozenset(), ())
        self._comparing = False
        self._choice = Choice()
        self._watch: ImportWatch | None = None
        self._task = ""
        self._resumed: ImportJob | None = None
        self._films: tuple[FoundPicture, ...] = ()
        self._refused_later: tuple[RefusedFile, ...] = ()
        self._ended: Words = NOTHING
        self._problem: Problem | None = None
        self.ejector.offer(None)
        self._pictures.clear()

    def _changed(self) -> None:
        self._parts.announce(Changes(tasks=True))

    # -- looking ---------------------------------------------------------------------------------------------------

    def offer(self, paths: Sequence[Path]) -> bool:
        """Looks at what is there; False while another import runs."""
        if self.phase in (Phase.IMPORTING, Phase.PAUSED):
            return False
        self.cancel()
        self._reset(paths)
        self._look()
        return True

    def _look(self) -> None:
        self.phase = Phase.SCANNING
        run = self._run
        library, paths = self._parts.library, self._paths
        self._task = self._parts.tasks.start(
            Words("task.look", {"what": self.title()}),
            lambda progress: look(library, paths, progress),
            lambda scanned: self._looked(run, scanned),
            lambda problem: self._failed(run, problem),
        )

    def title(self) -> str:
        """The medium or folder by its name."""
        if not self._paths:
            return ""
        first = self._paths[0]
        name = first.name or str(first)
        return name if len(self._paths) == 1 else f"{name} +{len(self._paths) - 1}"

    def _failed(self, run: int, problem: Problem) -> None:
        if run == self._run:
            self.phase, self._problem = Phase.DONE, problem
            self._parts.tasks.dismiss(self._task)
            self._changed()

    def _looked(self, run: int, scanned: Scanned) -> None:
        if run != self._run:
            return
        self._scanned = scanned
        self._films = scanned.pictures
        self._choice = default_choice(scanned)
        self.phase = Phase.CHOOSING
        if self._resumed is not None:
            self._choice = dataclasses.replace(self._choice, series=frozenset(self._resumed.series))
            self.start()
        elif scanned.candidates:
            self._compare(run, scanned)
        self._changed()

    def _compare(self, run: int, scanned: Scanned) -> None:
        self._comparing = True
        library = self._parts.library
        self._task = self._parts.tasks.start(
            Words("task.compare", {"what": self.title()}),
            lambda progress: compare(scanned.candidates, library, progress),
            lambda found: self._were_compared(run, found),
            lambda problem: self._failed(run, problem),
        )

    def _were_compared(self, run: int, found: Compared) -> None:
        if run != self._run:
            return
        self._comparing, self._compared = False, found
        if self.phase is Phase.CHOOSING and self._scanned is not None:
            self._choice = self._choice.without_known(self._scanned, found.same)
        self._changed()

    # -- choosing --------------------------------------------------------------------------------------------------

    def toggle(self, key: str) -> None:
        """A check box: patient, study or series. Of two persons under one study number one at most can be chosen."""
        if self.phase is Phase.CHOOSING and self._scanned is not None:
            self._choice = self._choice.toggled(self._scanned, key)
            self._changed()

    def view(self) -> ImportView:
        scanned, watch = self._scanned, self._watch
        base = ImportView(
            self.phase,
            self.title(),
            read_only_medium=self._is_read_only(),
            free_bytes=shutil.disk_usage(self._parts.library.home).free,
            comparing=self._comparing,
            ended=Words("import.ejected") if self.ejector.gone else self._ended,
            problem=self.ejector.problem or self._problem,
            pictures=self._films,
        )
        task = next((t for t in self._parts.tasks.views() if t.task_id == self._task), None)
        if scanned is None:
            return dataclasses.replace(base, fraction=task.fraction if task is not None else 0.0)
        lines = tree_lines(scanned, self._choice, self._compared, watch, self.phase, self._comparing)
        chosen = self._choice.summary(scanned, self._compared.same)
        view = dataclasses.replace(
            base,
            lines=lines,
            patients=len(scanned.patients),
            studies=sum(len(p.studies) for p in scanned.patients),
            files_seen=scanned.result.files_seen,
            scan_s=scanned.seconds,
            programs=scanned.programs,
            chosen_studies=chosen.studies,
            chosen_images=chosen.images,
            new_images=chosen.new_images,
            new_bytes=chosen.new_bytes,
            refused=(*scanned.refused, *self._compared.other, *self._refused_later),
            remarks=scanned.result.remarks,
        )
        if self.ejector.medium is not None:
            view = dataclasses.replace(view, medium=self.ejector.medium.name)
        if watch is None:
            return view
        speed = watch.speed()
        left = (watch.total_bytes - watch.done_bytes) / speed if speed else None
        return dataclasses.replace(
            view,
            phase=Phase.PAUSED if watch.paused and self.phase is Phase.IMPORTING else self.phase,
            fraction=watch.done_bytes / watch.total_bytes if watch.total_bytes else 1.0,
            done_bytes=watch.done_bytes,
            total_bytes=watch.total_bytes,
            bytes_per_s=speed,
            seconds_left=left,
            now=watch.now.partition(":")[2],
        )

    def _is_read_only(self) -> bool:
        """A medium that cannot be written to anyway (a CD, a locked stick)."""
        if not self._paths or not hasattr(os, "statvfs"):
            return False
        try:
            return bool(os.statvfs(self._paths[0]).f_flag & os.ST_RDONLY)
        except OSError:
            return False

    # -- copying ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Imports what is chosen; what was copied is written down as it goes."""
        scanned = self._scanned
        if self.phase is not Phase.CHOOSING or scanned is None or not self._choice.series:
            return
        if self._comparing:
            self._parts.tasks.cancel(self._task)
            self._comparing = False
        library, same = self._parts.library, self._compared.same
        files = self._choice.files(scanned, same)
        job = self._resumed or ImportJob(
            uuid.uuid4().hex,
            self._parts.person(),
            tuple(os.path.abspath(p) for p in self._paths),
            tuple(sorted(self._choice.series)),
            self.title(),
            sum(size for _, size in files.values()),
            library.clock.now_iso(),
        )
        watch = self._watch = ImportWatch(files, lambda: self._parts.loop.post(self._changed))
        done = {study_key(s.study) for p in scanned.patients for s in p.studies} & set(job.done_studies)
        watch.skip(
            {x.key for p in scanned.patients for s in p.studies if s.key in done for x in s.series} & watch.series.keys()
        )
        self.phase = Phase.IMPORTING
        run, chosen, person = self._run, self._choice.series, self._parts.person()
        twice = tuple(d for d in scanned.result.duplicates if d.problem.code in OTHER_BYTES)
        named = {d.path for d in twice}
        refused = tuple(r for r in scanned.refused if r.path not in named)
        result = dataclasses.replace(scanned.result, refused=refused, duplicates=twice)

        def work(progress: Progress) -> ImportSummary:
            journal = CopyJournal(library, job)
            journal.begin()
            patient = PausableProgress(progress, watch)
            try:
                summary = import_scanned(
                    library, result, patient, person, chosen=chosen, same_here=same, journal=journal, watch=watch
                )
            except BaseException:
                journal.let_go()
                raise
            if summary.stopped is None:
                journal.finish()
            else:
                journal.let_go()
            return summary

        self._task = self._parts.tasks.start(
            Words("task.import", {"what": self.title()}),
            work,
            lambda summary: self._came(run, summary),
            lambda problem: self._failed(run, problem),
        )
        self._changed()

    def _came(self, run: int, summary: ImportSummary) -> None:
        self._parts.imported(summary)
        if run != self._run:
            return
        self.phase = Phase.DONE
        scanned = self._scanned
        self.ejector.offer(scanned.medium if scanned is not None else None)
        known = {r.path for r in (*scanned.refused, *self._compared.other)} if scanned is not None else set()
        self._refused_later = tuple(r for r in summary.refused if r.path not in known)
        if summary.stopped is None:
            self._ended = Words("import.ended.all", {"n": summary.added})
        else:
            self._ended = Words("import.ended.cut", {"n": len(summary.studies)})
            self._problem = summary.stopped if summary.stopped.code != "import.cancelled" else None
        self._changed()

    def pause(self) -> None:
        if self._watch is not None:
            self._watch.pause()
            self._changed()

    def go_on(self) -> None:
        if self._watch is not None:
            self._watch.go_on()
            self._changed()

    def cancel(self) -> None:
        """Ends what is under way. Whole studies stay; an import that had begun can go on later."""
        if self._task:
            self._parts.tasks.cancel(self._task)
        if self.phase is Phase.SCANNING:
            self._reset(())
        self._comparing = False
        self._changed()

    def forget(self) -> None:
        """The dialog was closed: nothing is kept of a scan that was not imported."""
        if self.phase not in (Phase.IMPORTING, Phase.PAUSED):
            self.cancel()
            self._reset(())

    # -- imports that were cut ---------------------------------------------------------------------------------------

    def cut_imports(self) -> tuple[CutImport, ...]:
        waiting = self._parts.library.import_jobs.waiting()
        return tuple(
            CutImport(j.job_id, j.title, j.begun_at, done, j.total_bytes, all(os.path.exists(p) for p in j.paths))
            for j, done in waiting
        )

    def resume(self, job_id: str) -> bool:
        """Goes on where the import was cut; False when its medium is not there or another import runs."""
        found = next((j for j, _ in self._parts.library.import_jobs.waiting() if j.job_id == job_id), None)
        if found is None or self.phase in (Phase.IMPORTING, Phase.PAUSED):
            return False
        if not all(os.path.exists(p) for p in found.paths):
            problem = Problem("import.medium_missing", {"what": found.title}, next_step="import.next.medium")
            self._parts.say(Notice(problem))
            return False
        self._reset([Path(p) for p in found.paths])
        self._resumed = found
        self._look()
        return True

    def discard(self, job_id: str) -> None:
        """Forgets a cut import and frees what it had copied; studies that came in whole stay."""
        library = self._parts.library
        names = library.write(lambda tx: library.import_jobs.finish(tx, job_id))
        library.remove_unreferenced(names)
        self._changed()

    # -- pictures --------------------------------------------------------------------------------------------------

    def picture(self, key: str) -> SmallPicture | None:
        """A small picture of a series or of a film if it is here; else it is made and ``Changes(images=True)`` follows."""
        return self._pictures.get(key, self._scanned, self._films)

    # -- films without a patient -------------------------------------------------------------------------------------

    def patients(self, text: str) -> tuple[KnownPatient, ...]:
        """Whom a film could be of: people on this medium first, then the library's; found in any script."""
        words = query_words(text)
        found: dict[str, KnownPatient] = {}
        for node in self._scanned.patients if self._scanned is not None else ():
            key = search_key(node.patient.name.alphabetic, node.patient.patient_id)
            if all(f" {w}" in key for w in words):
                found[node.key] = _known(node)
        if words:
            for row in self._parts.library.studies.search(text, limit=60):
                key = patient_key(row.patient)
                if key not in found:
                    name = row.patient.name.display()
                    found[key] = KnownPatient(key, row.patient, name, patient_words(row.patient), False)
        return tuple(found.values())[: _OFFERED if words else _UNASKED]

    def bind(self, picture_id: str, binding: Binding) -> None:
        """Makes DICOM of a film for the patient whom a person confirmed."""
        film = next((f for f in self._films if f.picture_id == picture_id), None)
        if film is None:
            return
        library, person, run = self._parts.library, self._parts.person(), self._run
        chosen = film

        def done(outcome: PictureOutcome) -> None:
            if run == self._run:
                name = binding.patient.name.display()
                self._mark(picture_id, bound_to=name)
            self._parts.imported(_as_summary(outcome, chosen.info.size_bytes))

        self._parts.tasks.start(
            Words("task.bind", {"what": film.name}),
            lambda progress: import_picture(library, chosen.path, binding, person),
            done,
            lambda problem: self._parts.say(Notice(problem)),
        )

    def leave_out(self, picture_id: str) -> None:
        self._mark(picture_id, left=True)

    def _mark(self, picture_id: str, *, bound_to: str = "", left: bool = False) -> None:
        self._films = tuple(
            dataclasses.replace(f, bound_to=bound_to or f.bound_to, left=left) if f.picture_id == picture_id else f
            for f in self._films
        )
        self._changed()

    def busy(self) -> bool:
        return self.phase in (Phase.SCANNING, Phase.IMPORTING, Phase.PAUSED) or self._comparing

    def close(self) -> None:
        if self._watch is not None:
            self._watch.go_on()
        self._pictures.close()


def _known(node: PatientNode) -> KnownPatient:
    return KnownPatient(node.key, node.patient, node.name, node.line, True)


def _as_summary(outcome: PictureOutcome, size_bytes: int) -> ImportSummary:
    new = (outcome.study_instance_uid,)
    return ImportSummary(
        studies=new if outcome.added else (),
        known_studies=() if outcome.added else new,
        patients=1,
        added=len(outcome.sop_instance_uids) if outcome.added else 0,
        known=0 if outcome.added else 1,
        refused=(),
        repaired=0,
        remarks=(),
        bytes_read=size_bytes,
        files_seen=1,
    )

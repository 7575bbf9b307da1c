"""The workstation without its window: library, second readers, sync, what is open. One a process, main thread only."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app import __version__
from app.ai.catalogue import Catalogue
from app.ai.client import SecondReaderClient
from app.domain.event import EventKind
from app.domain.messages import templates
from app.domain.person import Person
from app.domain.ports import Clock, MainLoop, Progress
from app.domain.problem import Problem
from app.security.secrets_box import SecretsBox
from app.session import this_pc
from app.session.aside_desk import looked_at
from app.session.chain_check import ChainCheck
from app.session.display_desk import DisplayDesk
from app.session.explorer import Explorer, ExplorerFile, of_refused, of_study
from app.session.images import Images
from app.session.import_desk import DeskParts, ImportDesk
from app.session.importing import ImportSummary, import_paths
from app.session.key_table import KeyTable
from app.session.list_desk import ListDesk
from app.session.read_planner import LibraryPlanner
from app.session.readers_desk import BrokenPage, CardPage, pages
from app.session.repair_copy import RepairDesk
from app.session.resumable_import import import_resumably
from app.session.second_read import SealKeys, SecondReads
from app.session.settings_desk import SettingsDesk
from app.session.signal import Signal
from app.session.study_headers import StudyHeaders
from app.session.sync_service import SyncService
from app.session.tasks import TaskRunner
from app.session.thumbnails import Thumbnails
from app.session.tray_desk import TrayDesk
from app.session.views import (
    Changes,
    Notice,
    ProofView,
    QueueView,
    ReaderOnThisPc,
    StudyPreview,
    TaskView,
    Thumbnail,
    TrayView,
    Words,
    WorklistQuery,
    WorklistView,
)
from app.store.library import Library

if TYPE_CHECKING:
    from app.session.export_desk import ExportDesk
    from app.session.reading_session import ReadingSession
    from app.session.report_desk import Signer


@dataclass(frozen=True)
class Parts:
    """What the composition root hands over."""

    library: Library
    clock: Clock
    loop: MainLoop
    person: Person
    catalogue: Catalogue
    client: SecondReaderClient | None
    seal_keys: SealKeys
    signer: Signer
    sync: SyncService
    key_place: str
    """Message id of where the library's key lies."""
    samples_folder: Path
    language: str = "en"
    box: SecretsBox | None = None
    """Small secrets: passwords of storages."""
    priors_beside: bool = False
    """A study opens before its earlier ones are read."""


class Workstation:
    """What it does not do itself it hands to a desk: list_desk, tray_desk, thumbnails, chain_check, this_pc."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._library = parts.library
        self._loop = parts.loop
        self.changed: Signal[Changes] = Signal()
        self.notice: Signal[Notice] = Signal()
        self.person = parts.person
        self.language = parts.language
        self.version = __version__
        self._announced = Changes()
        self._announcing = False
        self._tasks = TaskRunner(parts.loop, lambda: self._announce(Changes(tasks=True)))
        self._reads = SecondReads(
            parts.library,
            LibraryPlanner(parts.library, parts.catalogue),
            parts.client,
            parts.seal_keys,
            parts.loop,
            self._read_changed,
            lambda problem: self._say(Notice(problem)),
        )
        self._pictures = Images(parts.library.objects, parts.loop, lambda: None, threads=1, cache_bytes=64 << 20)
        self._headers = StudyHeaders(parts.library, self._pictures)
        self._thumbnails = Thumbnails(
            parts.library, self._headers, self._pictures, lambda: self._announce(Changes(images=True))
        )
        self.settings = SettingsDesk(parts.library, lambda: self.person.person_id, parts.box, parts.sync, parts.key_place)
        self._chain = ChainCheck(parts.library, self._pictures, self._announce, self._say)
        self._list = ListDesk(
            parts.library, self._reads, self._headers, lambda: self.person, self._unanswered, self._chain.intact
        )
        self._tray = TrayDesk(
            parts.library, parts.sync, parts.clock, self._headers, lambda: self.person, self._chain.intact, self._announce
        )
        self._summary: ImportSummary | None = None
        self.imports = ImportDesk(
            DeskParts(
                parts.library,
                self._tasks,
                parts.loop,
                self._announce,
                self._say,
                lambda: self.person.person_id,
                self._imported,
                self._thumbnails.renew,
                lambda uid: self.reading is not None and uid in looked_at(*self.reading.room.studies()),
            )
        )
        self._exports: ExportDesk | None = None
        self._images: Images | None = None
        self._left: Future[None] | None = None
        """Done when everything of the study that was closed is on disk."""
        self._explorer: Explorer | None = None
        self.reading: ReadingSession | None = None
        self._closed = False
        self._write_event(EventKind.SESSION_STARTED)
        parts.sync.start(lambda: parts.loop.post(lambda: self._announce(Changes(tray=True, worklist=True, report=True))))
        self._reads.resume()

    @property
    def is_demo(self) -> bool:
        return self._library.is_demo

    @property
    def library(self) -> Library:
        return self._library

    @property
    def reads(self) -> SecondReads:
        return self._reads

    @property
    def sync(self) -> SyncService:
        return self._parts.sync

    def _write_event(self, kind: EventKind) -> None:
        person = self.person.person_id
        self._library.write(lambda tx: self._library.events.append(tx, kind, person=person))

    # -- announcing ------------------------------------------------------------------------------------------------

    def _announce(self, changes: Changes) -> None:
        """Changes of one turn of the main loop are told together, so that a burst of progress costs one repaint."""
        merged = {name: getattr(self._announced, name) or getattr(changes, name) for name in Changes.__dataclass_fields__}
        self._announced = Changes(**merged)
        if not self._announcing and not self._closed:
            self._announcing = True
            self._loop.post(self._tell)

    def _tell(self) -> None:
        changes, self._announced, self._announcing = self._announced, Changes(), False
        if not self._closed:
            self.changed.emit(changes)

    def _say(self, notice: Notice) -> None:
        self.notice.emit(notice)

    def _read_changed(self, study: str) -> None:
        if self.reading is not None and self.reading.study.study_instance_uid == study:
            self.reading.desk.refresh()
        self._announce(Changes(worklist=True, second_read=True))

    def set_language(self, code: str) -> None:
        if self.settings.language_fixed and code != self.settings.site.language:
            self._say(Notice(Problem("settings.fixed")))
            return
        self.language = code
        person = self.person.person_id
        self._library.write_async(lambda tx: self._library.settings.set(tx, "language", code, person))
        if self.reading is not None:
            self.reading.room.texts = templates(code)
        self._announce(Changes(**dict.fromkeys(Changes.__dataclass_fields__, True)))

    # -- worklist --------------------------------------------------------------------------------------------------

    def worklist(self, query: WorklistQuery) -> WorklistView:
        return self._list.view(query)

    def preview(self, study_instance_uid: str) -> StudyPreview | None:
        return self._list.preview(study_instance_uid)

    def _unanswered(self, uid: str) -> int | None:
        if self.reading is not None and self.reading.study.study_instance_uid == uid:
            return len(self.reading.desk.unanswered())
        return None

    def chain_intact(self) -> bool:
        return self._chain.intact()

    # -- this PC ---------------------------------------------------------------------------------------------------

    def readers_on_this_pc(self) -> tuple[ReaderOnThisPc, ...]:
        return this_pc.readers(self._parts.catalogue, self.language)

    def reader_pages(self) -> tuple[tuple[CardPage, ...], tuple[BrokenPage, ...]]:
        return pages(self._parts.catalogue, self.language)

    def machine_words(self) -> tuple[Words, ...]:
        return this_pc.machine_words()

    def library_words(self) -> Words:
        return this_pc.library_words(self._library, self._parts.key_place)

    def thumbnail(self, display_set_id: str) -> Thumbnail | None:
        """A display set's picture if it is here; else it is asked for and ``Changes(images=True)`` follows."""
        return self._thumbnails.get(display_set_id)

    # -- why did it not open ---------------------------------------------------------------------------------------

    @property
    def explorer(self) -> Explorer:
        """Made at its first use."""
        if self._explorer is None:
            repairs = RepairDesk(self._library, self._tasks, lambda: self.person.person_id, self._imported)
            self._explorer = Explorer(self._library.objects, self._loop, self._tasks, repairs)
        return self._explorer

    def refused_files(self) -> tuple[ExplorerFile, ...]:
        """What the last import refused."""
        return of_refused(self._summary.refused) if self._summary is not None else ()

    def files_of_study(self, study_instance_uid: str, display_set_id: str = "") -> tuple[ExplorerFile, ...]:
        """Objects of a study, or of one of its display sets."""
        wanted = next(
            (d for d in self._headers.display_sets(study_instance_uid) if d.display_set_id == display_set_id), None
        )
        uids = frozenset(f.sop_instance_uid for f in wanted.frames) if wanted is not None else frozenset()
        return of_study(self._headers.study(study_instance_uid), wanted.series_instance_uid if wanted else "", uids)

    @property
    def exports(self) -> ExportDesk:
        """Made at its first use."""
        if self._exports is None:
            from app.session.export_desk import ExportDesk

            self._exports = ExportDesk(self._library, self._tasks, self._announce, lambda: self.person.person_id)
        return self._exports

    # -- import ----------------------------------------------------------------------------------------------------

    def import_paths(self, paths: Sequence[Path]) -> str:
        """Imports in the background; returns the task's id. The summary is ``last_import_summary`` afterwards."""
        names = ", ".join(Path(p).name for p in paths[:3]) or "–"
        person = self.person.person_id
        return self._tasks.start(
            Words("task.import", {"what": names}),
            lambda progress: import_resumably(self._library, [Path(p) for p in paths], progress, person)[0],
            self._imported,
            lambda problem: self._say(Notice(problem)),
        )

    def _imported(self, summary: ImportSummary) -> None:
        self._summary = summary
        for uid in summary.studies:
            self._headers.forget(uid)
        self._announce(Changes(worklist=True, tasks=True))
        if summary.stopped is not None:
            self._say(Notice(summary.stopped))
        for uid in summary.studies:
            self._reads.arrived(uid)

    def last_import_summary(self) -> ImportSummary | None:
        return self._summary

    def open_samples(self) -> str:
        """Generates the sample studies (once) and imports them."""
        folder, person = self._parts.samples_folder, self.person.person_id

        def work(progress: Progress) -> ImportSummary:
            from app.samples.catalogue import write_samples

            samples = write_samples(folder, progress)
            return import_paths(self._library, [s.folder for s in samples], progress, person)

        return self._tasks.start(Words("task.samples"), work, self._imported, lambda problem: self._say(Notice(problem)))

    def tasks(self) -> tuple[TaskView, ...]:
        return self._tasks.views()

    def cancel_task(self, task_id: str) -> None:
        self._tasks.cancel(task_id)

    def retry_task(self, task_id: str) -> str:
        return self._tasks.retry(task_id)

    def dismiss_task(self, task_id: str) -> None:
        self._tasks.dismiss(task_id)

    # -- reading ---------------------------------------------------------------------------------------------------

    def open_study(self, study_instance_uid: str) -> ReadingSession:
        """Opens a study with its priors of the same patient; another one that is open is closed first."""
        if self.reading is not None:
            if self.reading.study.study_instance_uid == study_instance_uid:
                return self.reading
            self.close_study()
        if self._left is not None:
            wait((self._left,))  # what was done in the study before is on disk: it may be the same one
        from app.session.opening import Opening

        opening = Opening(
            library=self._library,
            loop=self._loop,
            person=self.person,
            headers=self._headers,
            reads=self._reads,
            catalogue=self._parts.catalogue,
            signer=self._parts.signer,
            sync=self._parts.sync,
            tasks=self._tasks,
            announce=self._announce,
            say=self._say,
            history=self._list.history,
            is_demo=self.is_demo,
            language=self.language,
            priors_beside=self._parts.priors_beside,
        )
        self.reading, self._images = opening.open(study_instance_uid)
        self.reading.on_layout = lambda: self._loop.post(lambda: self._keep_open(study_instance_uid))
        self._keep_open(study_instance_uid)
        self._announce(Changes(study=True, layout=True, view=True, findings=True, second_read=True, report=True))
        return self.reading

    def _keep_open(self, uid: str) -> None:
        if self.reading is None or self.reading.study.study_instance_uid != uid:
            return
        person, state = self.person.person_id, self.reading.state_to_keep()
        self._library.write_async(lambda tx: self._library.recovery.save(tx, person, state))

    @property
    def keys(self) -> KeyTable:
        """The reader's own keys."""
        return KeyTable(self._library, self.person.person_id)

    @property
    def display(self) -> DisplayDesk:
        """The monitors: pixel size and constancy log."""
        return DisplayDesk(self._library, self.person.person_id)

    def study_to_restore(self) -> str:
        """The study that was open when the programme last ended without closing it; empty when none was."""
        state = self._library.recovery.load(self.person.person_id)
        uid = str(state.get("study", "")) if state else ""
        return uid if uid and self._library.studies.exists(uid) else ""

    def close_study(self) -> None:
        if self.reading is None:
            return
        open_, priors = self.reading.room.studies()
        self.reading.reports.close()
        if self._images is not None:
            self._images.close()
        self._images = None
        self.reading = None
        for each in (open_, *priors):
            self._reads.forget(each.study.study_instance_uid)
        person = self.person.person_id
        self._left = self._library.write_async(lambda tx: self._library.recovery.clear(tx, person))
        self._announce(Changes(study=True, layout=True, worklist=True))

    # -- tray ------------------------------------------------------------------------------------------------------

    def queue(self) -> QueueView:
        return self._tray.queue()

    def tray(self) -> TrayView:
        return self._tray.view()

    def proof(self, report_id: str) -> ProofView | None:
        return self._tray.proof(report_id)

    def retry_item(self, report_id: str) -> None:
        self._tray.retry_item(report_id)

    def try_now(self) -> None:
        self._tray.try_now()

    # -- the end ---------------------------------------------------------------------------------------------------

    def busy(self) -> bool:
        """Something is still under way: tasks, second readers, decoding. For tests and pictures."""
        images = self._images.busy() if self._images is not None else False
        return (
            self._tasks.running()
            or self._reads.busy()
            or images
            or self._pictures.busy()
            or (self._explorer is not None and self._explorer.busy())
        )

    def images_busy(self) -> bool:
        """Frames, volumes or thumbnails are still being made."""
        return self._pictures.busy() or (self._images is not None and self._images.busy())

    def shutdown(self) -> None:
        """Ends everything in order; what was confirmed is on disk already."""
        if self._closed:
            return
        self.close_study()
        self._reads.close()
        if self._parts.client is not None:
            self._parts.client.shutdown()
        if self._explorer is not None:
            self._explorer.close()
        self.imports.close()
        self._tasks.close()
        self._pictures.close()
        self._parts.sync.stop()
        self._write_event(EventKind.SESSION_ENDED)
        self._closed = True
        self._library.close()

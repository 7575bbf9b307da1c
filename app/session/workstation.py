"""The workstation without its window: library, second readers, sync, what is open. One a process, main thread only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app import __version__
from app.ai.catalogue import Catalogue
from app.ai.client import SecondReaderClient
from app.dicom.display_sets import display_sets
from app.domain.event import EventKind
from app.domain.messages import templates
from app.domain.outbox import OutboxItem, OutboxState
from app.domain.person import Person
from app.domain.ports import Clock, MainLoop, Progress
from app.domain.problem import Problem
from app.domain.study import DisplaySet, DisplaySetKind, Study
from app.domain.verdict import Decision
from app.samples.catalogue import write_samples
from app.security.redaction import REDACTOR
from app.session import tray as tray_data
from app.session.clock import dicom_date_time, local_hms
from app.session.crops import study_thumbnail, thumbnail
from app.session.findings_desk import FindingsDesk
from app.session.images import Images
from app.session.importing import ImportSummary, import_paths
from app.session.people import patient_line
from app.session.read_planner import LibraryPlanner
from app.session.reading_room import OpenStudy, ReadingRoom
from app.session.reading_session import ReadingSession, place_words
from app.session.report_desk import ReportDesk, Signer
from app.session.second_read import SealKeys, SecondReads
from app.session.signal import Signal
from app.session.sync_service import SyncService
from app.session.tasks import TaskRunner
from app.session.views import (
    Changes,
    HistoryEntry,
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
from app.session.worklist import AiFacts, ai_status, build, history_entry, study_title
from app.store.database import Tx
from app.store.events import ChainReport
from app.store.hlc import utc_iso
from app.store.library import Library
from app.store.sealed import SealedResult, SealState
from app.store.studies import StudyRow

_HISTORY_SHOWN = 12
_LISTED = 5000
_TRAY_ITEMS = 1000
_OF_STUDY = "study/"
_WITH_PICTURE = (DisplaySetKind.STACK, DisplaySetKind.IMAGES, DisplaySetKind.CINE)


def _identifiers(study: Study) -> tuple[str, ...]:
    """What must not be written into a log once a study is open."""
    patient, name = study.patient, study.patient.name
    names = (name.alphabetic, name.ideographic, name.phonetic, name.display())
    return (*names, patient.patient_id, patient.birth_date, study.accession_number, study.referring_physician)


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


class Workstation:
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
        self._sets: dict[str, tuple[DisplaySet, ...]] = {}
        self._studies: dict[str, Study] = {}
        self._thumbnails: dict[str, npt.NDArray[np.uint8] | None] = {}
        self._thumbnails_asked: set[str] = set()
        self._pictures = Images(parts.library.objects, parts.loop, lambda: None, threads=1)
        self._chain_checked, self._chain_checking, self._chain_intact = -1, False, True
        self._summary: ImportSummary | None = None
        self._images: Images | None = None
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
        self.language = code
        person = self.person.person_id
        self._library.write_async(lambda tx: self._library.settings.set(tx, "language", code, person))
        if self.reading is not None:
            self.reading.room.texts = templates(code)
        self._announce(Changes(**dict.fromkeys(Changes.__dataclass_fields__, True)))

    # -- worklist --------------------------------------------------------------------------------------------------

    def worklist(self, query: WorklistQuery) -> WorklistView:
        rows = self._library.studies.search(limit=_LISTED)
        found = None
        if query.text.strip():
            found = {r.study_instance_uid for r in self._library.studies.search(query.text, limit=_LISTED)}
        runs = self._library.sealed.by_study()
        committed = self._library.opinions.committed_studies(self.person.person_id)
        view = build(
            rows,
            found,
            query,
            lambda row: self._ai_facts(row, runs.get(row.study_instance_uid, ()), row.study_instance_uid in committed),
            self.person.person_id,
            self._person_name,
            date.today(),
            self.is_demo,
        )
        # The picture is found out when a row is painted: a long list must not read every study's headers.
        shown = tuple(replace(r, thumbnail=f"{_OF_STUDY}{r.study_instance_uid}") for r in view.rows)
        return replace(view, rows=shown)

    def _person_name(self, person_id: str) -> str:
        return self.person.display_name if person_id == self.person.person_id else person_id

    def _study(self, uid: str) -> Study:
        if uid not in self._studies:
            self._studies[uid] = self._library.studies.load(uid)
        return self._studies[uid]

    def _display_sets(self, uid: str) -> tuple[DisplaySet, ...]:
        if uid not in self._sets:
            self._sets[uid] = display_sets(self._study(uid))
            self._pictures.add(self._study(uid), self._sets[uid])
        return self._sets[uid]

    def _forget_headers(self, uid: str) -> None:
        self._studies.pop(uid, None)
        self._sets.pop(uid, None)

    def _picture_sets(self, uid: str) -> list[DisplaySet]:
        """Display sets that have a picture, the most telling first: longest stack, then films in order."""
        sets = [d for d in self._display_sets(uid) if d.kind in _WITH_PICTURE]
        return sorted(sets, key=lambda d: -len(d.frames))

    def _ai_facts(self, row: StudyRow, results: Sequence[SealedResult], mine: bool) -> AiFacts:
        """``mine``: this person has given a first opinion; only then is a word said about what was found."""
        told = next((r for r in results if r.problems), None)
        sealed = next((r for r in results if r.state is SealState.SEALED), None)
        shown = mine and row.revealed
        return AiFacts(
            states=row.ai_states,
            revealed=shown,
            fraction=self._reads.fraction(row.study_instance_uid),
            problem=told.problems[0] if told else None,
            ready_at=local_hms(utc_iso(sealed.hlc))[:5] if sealed else "",
            counts=self._answers(row.study_instance_uid) if shown else None,
        )

    def _facts_of(self, row: StudyRow) -> AiFacts:
        uid = row.study_instance_uid
        mine = self._library.opinions.is_committed(uid, self.person.person_id)
        return self._ai_facts(row, self._reads.results(uid), mine)

    def _answers(self, uid: str) -> dict[str, int]:
        """Verdicts by kind, and how many findings of the open study wait for one. After this person's own reveal only."""
        verdicts = self._library.verdicts.current(uid)
        counts = {d.value: sum(v.decision is d for v in verdicts.values()) for d in Decision}
        if self.reading is not None and self.reading.study.study_instance_uid == uid:
            counts["open"] = len(self.reading.desk.unanswered())
        return counts

    def preview(self, study_instance_uid: str) -> StudyPreview | None:
        row = self._library.studies.row(study_instance_uid)
        if row is None:
            return None
        study = self._study(study_instance_uid)
        facts: list[tuple[Words, str]] = [(Words("preview.study"), study_title(row))]
        facts.append(
            (Words("preview.acquired"), " · ".join(p for p in (dicom_date_time(row.study_datetime), study.institution) if p))
        )
        if study.accession_number:
            facts.append((Words("preview.accession"), study.accession_number))
        facts.append((Words("preview.series"), f"{row.series_count} · {row.instance_count}"))
        ai = self._facts_of(row)
        readers = [f"{r.reader} {r.reader_version}" for r in self._reads.results(study_instance_uid)]
        sets = self._picture_sets(study_instance_uid)
        return StudyPreview(
            study_instance_uid=study_instance_uid,
            patient_name=row.patient.name.display(),
            patient_line=patient_line(row.patient, row.study_datetime, study.patient_age),
            title=study_title(row),
            facts=tuple(facts),
            thumbnails=tuple(d.display_set_id for d in sets[:2]),
            ai=ai_status(ai),
            ai_reader=", ".join(readers),
            history=self._history(study_instance_uid),
            chain_entries=len(self._library.events.query(study=study_instance_uid)),
            chain_intact=self.chain_intact(),
        )

    def _history(self, uid: str) -> tuple[HistoryEntry, ...]:
        entries = []
        for row in self._library.studies.of_patient(uid)[:_HISTORY_SHOWN]:
            signed = self._library.reports.latest(row.study_instance_uid)
            entries.append(
                history_entry(
                    row,
                    self._facts_of(row),
                    row.institution,
                    self._person_name(signed.person_id) if signed else "",
                    row.study_instance_uid == uid,
                )
            )
        return tuple(entries)

    def chain_intact(self) -> bool:
        """What the last check of the whole log said; a longer log is checked again beside, never on this thread."""
        count = self._library.events.count()
        if self._chain_checked != count and not self._chain_checking:
            self._chain_checking = True
            self._pictures.beside(lambda: self._library.events.verify_chain(), self._chain_came)
        return self._chain_intact

    def _chain_came(self, report: ChainReport | None) -> None:
        self._chain_checking = False
        if report is None:
            return
        changed = report.intact != self._chain_intact
        self._chain_checked, self._chain_intact = report.length, report.intact
        if not report.intact:
            self._say(Notice(Problem("library.chain_broken", {"at": report.broken_at}, next_step="next.tell_support")))
        if changed:
            self._announce(Changes(worklist=True, tray=True))

    # -- this PC ---------------------------------------------------------------------------------------------------

    def readers_on_this_pc(self) -> tuple[ReaderOnThisPc, ...]:
        lines = []
        for package in self._parts.catalogue.installed():
            card = package.card
            title = card.titles.get(self.language) or card.titles.get("en", card.reader_name)
            lines.append(
                ReaderOnThisPc(
                    card.reader_name,
                    card.version,
                    title,
                    card.rules.modality[0] if card.rules.modality else "",
                    Words("readers.version", {"name": card.reader_name, "version": card.version}),
                    card.seconds_hint,
                    "ready",
                    mode=card.mode,
                )
            )
        for broken in self._parts.catalogue.broken():
            lines.append(
                ReaderOnThisPc(
                    broken.path.name, "", broken.path.name, "", Words("readers.broken"), None, "broken", broken.problem
                )
            )
        return tuple(lines)

    def machine_words(self) -> tuple[Words, ...]:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0.0
        words = [Words("machine.cores", {"n": os.cpu_count() or 1})]
        if memory:
            words.append(Words("machine.memory", {"value": round(memory)}))
        return tuple(words)

    def library_words(self) -> Words:
        free = shutil.disk_usage(self._library.home).free / 1e9
        return Words("library.encrypted", {"place": self._parts.key_place, "free": round(free)})

    # -- pictures of the list --------------------------------------------------------------------------------------

    def thumbnail(self, display_set_id: str) -> Thumbnail | None:
        """A display set's picture if it is here; else it is asked for and ``Changes(images=True)`` follows."""
        if display_set_id in self._thumbnails:
            pixels = self._thumbnails[display_set_id]
            return Thumbnail(display_set_id, pixels) if pixels is not None else None
        if display_set_id in self._thumbnails_asked:
            return None
        self._thumbnails_asked.add(display_set_id)
        if display_set_id.startswith(_OF_STUDY):
            work = self._study_thumbnail(display_set_id.removeprefix(_OF_STUDY))
        else:
            found = next((d for sets in self._sets.values() for d in sets if d.display_set_id == display_set_id), None)
            if found is None:
                return None
            chosen = found

            def work() -> npt.NDArray[np.uint8] | None:
                return thumbnail(self._pictures, chosen)

        self._pictures.beside(work, lambda p: self._thumbnail_came(display_set_id, p))
        return None

    def _study_thumbnail(self, uid: str) -> Callable[[], npt.NDArray[np.uint8] | None]:
        """The picture that stands for a study; its headers are read on the decode thread."""

        def work() -> npt.NDArray[np.uint8] | None:
            study = self._library.studies.load(uid)
            sets = display_sets(study)
            best = max((d for d in sets if d.kind in _WITH_PICTURE), key=lambda d: len(d.frames), default=None)
            if best is None:
                return None
            return study_thumbnail(study, best, self._library.objects)

        return work

    def _thumbnail_came(self, display_set_id: str, pixels: npt.NDArray[np.uint8] | None) -> None:
        self._thumbnails[display_set_id] = pixels
        self._announce(Changes(images=True))

    # -- import ----------------------------------------------------------------------------------------------------

    def import_paths(self, paths: Sequence[Path]) -> str:
        """Imports in the background; returns the task's id. The summary is ``last_import_summary`` afterwards."""
        names = ", ".join(Path(p).name for p in paths[:3]) or "–"
        person = self.person.person_id
        return self._tasks.start(
            Words("task.import", {"what": names}),
            lambda progress: import_paths(self._library, [Path(p) for p in paths], progress, person),
            self._imported,
            lambda problem: self._say(Notice(problem)),
        )

    def _imported(self, summary: ImportSummary) -> None:
        self._summary = summary
        for uid in summary.studies:
            self._forget_headers(uid)
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
        current = OpenStudy(self._study(study_instance_uid), self._display_sets(study_instance_uid))
        REDACTOR.know(_identifiers(current.study))
        priors = [
            OpenStudy(self._study(r.study_instance_uid), self._display_sets(r.study_instance_uid))
            for r in self._library.studies.of_patient(study_instance_uid)
            if r.study_instance_uid != study_instance_uid
            and r.study_datetime <= current.study.study_datetime
            and current.study.patient.key == self._study(r.study_instance_uid).patient.key
        ]
        person = self.person.person_id
        self._library.write_async(lambda tx: self._library.studies.opened(tx, study_instance_uid, person))
        images = Images(self._library.objects, self._loop, lambda: self._announce(Changes(view=True, images=True)))
        for opened in (current, *priors):
            images.add(opened.study, opened.display_sets)
        desk = FindingsDesk(
            self._library,
            self._reads,
            self._parts.catalogue,
            current,
            person,
            self._loop,
            self._announce,
            self._say,
            lambda finding: place_words(current, finding),
        )
        room = ReadingRoom(current, priors, images, desk, self._announce, self.is_demo)
        room.texts = templates(self.language)
        reports = ReportDesk(
            library=self._library,
            current=current,
            priors=tuple(priors),
            desk=desk,
            room=room,
            images=images,
            person=self.person,
            signer=self._parts.signer,
            sync=self._parts.sync,
            tasks=self._tasks,
            announce=self._announce,
            notice=self._say,
            language=self.language,
        )
        self._images = images
        self.reading = ReadingSession(
            current,
            room,
            desk,
            reports,
            images,
            lambda: self._history(study_instance_uid),
            self._announce,
            self._say,
            lambda: self._reads.retry(study_instance_uid),
            priors,
        )
        if not self._reads.results(study_instance_uid):
            # Imported by the command line, or the programme died before it was planned.
            self._reads.arrived(study_instance_uid, first=True)
        self._reads.prefer(study_instance_uid)
        self._keep_open(study_instance_uid)
        self._announce(Changes(study=True, layout=True, view=True, findings=True, second_read=True, report=True))
        return self.reading

    def _keep_open(self, uid: str) -> None:
        person = self.person.person_id
        self._library.write_async(lambda tx: self._library.recovery.save(tx, person, {"study": uid}))

    def study_to_restore(self) -> str:
        """The study that was open when the programme last ended without closing it; empty when none was."""
        state = self._library.recovery.load(self.person.person_id)
        uid = str(state.get("study", "")) if state else ""
        return uid if uid and self._library.studies.exists(uid) else ""

    def close_study(self) -> None:
        if self.reading is None:
            return
        uid = self.reading.study.study_instance_uid
        self.reading.reports.close()
        if self._images is not None:
            self._images.close()
        self._images = None
        self.reading = None
        self._reads.forget(uid)
        person = self.person.person_id
        self._library.write_async(lambda tx: self._library.recovery.clear(tx, person))
        self._announce(Changes(study=True, layout=True, worklist=True))

    # -- tray ------------------------------------------------------------------------------------------------------

    def _sent(self, items: Sequence[OutboxItem]) -> list[tray_data.Sent]:
        sent = []
        for report_id in dict.fromkeys(i.report_id for i in items):
            mine = tuple(i for i in items if i.report_id == report_id)
            study = self._study(mine[0].study_instance_uid)
            signed = next(
                (s for s in self._library.reports.signed(study.study_instance_uid) if s.report.report_id == report_id), None
            )
            sent.append(
                tray_data.Sent(
                    report_id,
                    study.study_instance_uid,
                    study.patient.name.display(),
                    patient_line(study.patient, study.study_datetime, study.patient_age),
                    signed.report.title if signed else study.description,
                    signed.signed_at if signed else "",
                    mine,
                    {i.item_id: self._library.outbox.receipts(i.item_id) for i in mine},
                )
            )
        return sent

    def queue(self) -> QueueView:
        """The top bar's words: three small queries."""
        counts = self._library.outbox.counts()
        midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        waits = self._library.outbox.items(states=(OutboxState.WAITING,), limit=200) if counts[OutboxState.WAITING] else ()
        down = tray_data.line_problem(waits)
        return QueueView(
            waiting=sum(counts[s] for s in OutboxState if s not in (OutboxState.VERIFIED, OutboxState.ACCEPTED)),
            proven_today=self._library.outbox.reports_proven_since(int(midnight.timestamp() * 1000)),
            line_down_since=local_hms(down[0]) if down else "",
        )

    def tray(self) -> TrayView:
        """The latest items; the bar's figures are those of the whole outbox."""
        targets = self._parts.sync.targets()
        items = self._library.outbox.items(limit=_TRAY_ITEMS)
        rows = tray_data.rows(self._sent(items), [t.name for t in targets], self._parts.clock.wall_s())
        queue = self.queue()
        return TrayView(
            line_down_since=queue.line_down_since,
            waiting=queue.waiting,
            proven_today=queue.proven_today,
            targets=targets,
            rows=rows,
            counts=tray_data.counts(rows),
            outbox_bytes=sum(i.size_bytes for i in items if i.state is not OutboxState.VERIFIED),
            chain_entries=self._library.events.count(),
            chain_intact=self.chain_intact(),
        )

    def proof(self, report_id: str) -> ProofView | None:
        sent = next(iter(self._sent(self._library.outbox.items(report_id=report_id))), None)
        return tray_data.proof(sent) if sent is not None else None

    def retry_item(self, report_id: str) -> None:
        """What stopped of a report goes into the queue again."""
        stopped = (OutboxState.WAITING, OutboxState.AUTH, OutboxState.CONFLICT, OutboxState.REFUSED)
        items = self._library.outbox.items(report_id=report_id, states=stopped)
        person = self.person.person_id

        def work(tx: Tx) -> None:
            for item in items:
                self._library.outbox.retry(tx, item.item_id, person)

        self._library.write(work)
        self._parts.sync.wake()
        self._announce(Changes(tray=True, worklist=True))

    def try_now(self) -> None:
        """Everything that waits for a line or a password is tried at once."""
        person = self.person.person_id
        names = self._parts.sync.names()

        def work(tx: Tx) -> None:
            for name in names:
                self._library.outbox.retry_target(tx, name, (OutboxState.WAITING, OutboxState.AUTH), person)

        self._library.write(work)
        self._parts.sync.wake()
        self._announce(Changes(tray=True))

    # -- the end ---------------------------------------------------------------------------------------------------

    def busy(self) -> bool:
        """Something is still under way: tasks, second readers, decoding. For tests and pictures."""
        images = self._images.busy() if self._images is not None else False
        return self._tasks.running() or self._reads.busy() or images or self._pictures.busy()

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
        self._tasks.close()
        self._pictures.close()
        self._parts.sync.stop()
        self._write_event(EventKind.SESSION_ENDED)
        self._closed = True
        self._library.close()

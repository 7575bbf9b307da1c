"""From a study in the list to an open one: everything that a reading session is made of, put together in one place.

Imported when the first study is opened (or ahead of it, beside the list): the list stands without any of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.ai.catalogue import Catalogue
from app.domain.messages import templates
from app.domain.person import Person
from app.domain.ports import MainLoop
from app.domain.problem import Problem
from app.domain.study import Study
from app.security.redaction import REDACTOR
from app.session.calibration_desk import CalibrationDesk
from app.session.coming_priors import ComingPriors, PriorRead
from app.session.documents import Documents
from app.session.findings_desk import FindingsDesk
from app.session.flat_regions_desk import allow_flat_regions
from app.session.guideline_desk import GuidelineDesk
from app.session.guideline_growth import facts_of
from app.session.images import Images
from app.session.layout_recovery import restore
from app.session.memory import study_opened
from app.session.mount_desk import MountDesk
from app.session.open_study import OpenStudy
from app.session.own_hangings import HangingVerbs, OwnHangings
from app.session.print_desk import PrintDesk
from app.session.prior_desk import PriorDesk
from app.session.prior_verbs import PriorVerbs
from app.session.reading_room import ReadingRoom
from app.session.reading_session import ReadingSession, place_words
from app.session.report_desk import ReportDesk, Signer
from app.session.saved_desk import SavedDesk
from app.session.saved_objects import SavedObjects
from app.session.second_read import SecondReads
from app.session.study_headers import StudyHeaders
from app.session.sync_service import SyncService
from app.session.tasks import TaskRunner
from app.session.teeth_desk import TeethDesk
from app.session.then_desk import ThenDesk, then_aspect
from app.session.then_verbs import ThenVerbs
from app.session.then_words import sentence
from app.session.tooth_numbers import ToothNumbers
from app.session.undo_aspects import calibration_aspect, guideline_aspect, mount_aspect, note_prior_marks
from app.session.video_out import VideoOut
from app.session.views import Changes, HistoryEntry, Notice
from app.store.library import Library


def _identifiers(study: Study) -> tuple[str, ...]:
    """What must not be written into a log once a study is open."""
    patient, name = study.patient, study.patient.name
    names = (name.alphabetic, name.ideographic, name.phonetic, name.display())
    return (*names, patient.patient_id, patient.birth_date, study.accession_number, study.referring_physician)


@dataclass(frozen=True)
class Opening:
    """What the workstation hands over."""

    library: Library
    loop: MainLoop
    person: Person
    headers: StudyHeaders
    reads: SecondReads
    catalogue: Catalogue
    signer: Signer
    sync: SyncService
    tasks: TaskRunner
    announce: Callable[[Changes], None]
    say: Callable[[Notice], None]
    history: Callable[[str], tuple[HistoryEntry, ...]]
    is_demo: bool
    language: str
    priors_beside: bool = False
    """The study stands before its past is read; False: all of it is there when it opens."""

    def open(self, uid: str) -> tuple[ReadingSession, Images]:
        """The study with its priors of the same patient. Main thread."""
        study_opened.set()
        current = OpenStudy(self.headers.study(uid), self.headers.display_sets(uid))
        REDACTOR.know(_identifiers(current.study))
        earlier_uids = [
            r.study_instance_uid
            for r in self.library.studies.of_patient(uid)
            if r.study_instance_uid != uid and r.study_datetime <= current.study.study_datetime
        ]
        person = self.person.person_id
        self.library.write_async(lambda tx: self.library.studies.opened(tx, uid, person))
        waiting: list[Callable[[], Problem | None]] = []
        """What goes on when images or registrations arrive."""

        def arrived(changes: Changes) -> None:
            for go_on in waiting:
                problem = go_on()
                if problem is not None:
                    self.say(Notice(problem))
            self.announce(changes)

        images = Images(self.library.objects, self.loop, lambda: arrived(Changes(view=True, images=True)))
        images.add(current.study, current.display_sets)
        desk = FindingsDesk(
            self.library,
            self.reads,
            self.catalogue,
            current,
            person,
            self.loop,
            self.announce,
            self.say,
            lambda finding: place_words(current, finding),
        )
        own = OwnHangings(self.library, person)
        room = ReadingRoom(current, images, desk, arrived, self.is_demo, self.say, own.protocols())
        earlier = PriorDesk(
            self.library,
            current,
            room,
            images,
            self.library.objects,
            desk,
            person,
            self.announce,
            self.say,
        )
        waiting.append(earlier.step)
        room.texts = templates(self.language)
        saved = room.saved = SavedObjects((current,), room.content, images, self.library.objects, self.announce)
        reports = ReportDesk(
            library=self.library,
            current=current,
            desk=desk,
            room=room,
            images=images,
            person=self.person,
            signer=self.signer,
            sync=self.sync,
            tasks=self.tasks,
            announce=self.announce,
            notice=self.say,
            language=self.language,
        )
        reading = ReadingSession(
            current,
            room,
            desk,
            reports,
            images,
            lambda: self.history(uid),
            self.announce,
            self.say,
            lambda: self.reads.retry(uid),
        )
        reading.earlier = PriorVerbs(earlier, reports, room)
        reading.hangings = HangingVerbs(own, room, self.say)
        reading.saved = SavedDesk(room, room.saved, Documents(images, self.library.objects, self.announce))
        reading.calibration = CalibrationDesk(
            self.library,
            lambda: self.person.person_id,
            self.headers,
            images,
            desk,
            self.announce,
            uid,
            room,
        )
        mount = reading.mount = MountDesk(room, self.library, self.person.person_id)
        steps = reading.undoing
        steps.add("calibration", calibration_aspect(reading.calibration))
        steps.add("mount", mount_aspect(room, mount))
        note_prior_marks(steps, desk, earlier)
        thens = ThenDesk(self.library, current, room, images, desk, earlier, self.person, self.announce)
        reading.earlier.thens = ThenVerbs(thens, reading.earlier, reports)
        waiting.append(thens.step)
        steps.add("then", then_aspect(thens))
        thens.before_change, thens.changed = partial(steps.note, "then"), reports.findings_changed
        reports.matches, reports.then_sentence = thens.matches, sentence
        mount.one_step = partial(steps.together, "mount")
        reading.saved.one_step = partial(steps.together, "panes")
        allow_flat_regions(room, images, desk, self.announce, self.say)
        reading.videos = VideoOut(room, images, self.tasks, self.loop, self.say)
        reading.prints = PrintDesk(room, images, desk.starred, self.is_demo)
        teeth = TeethDesk(self.library, current, desk, self.person, self.announce)
        reading.teeth, room.labels = teeth, ToothNumbers(teeth)
        guidelines = reading.guidelines = GuidelineDesk(
            self.library, current.study, desk, reports, self.person, self.announce
        )
        guidelines.from_prior = lambda finding: facts_of(thens.match_of(finding))
        steps.add("guideline", guideline_aspect(reading.guidelines))
        reading.guidelines.before_answers = partial(steps.note, "guideline")
        if not self.reads.results(uid):
            # Imported by the command line, or the programme died before it was planned.
            self.reads.arrived(uid, first=True)
        self.reads.prefer(uid)
        kept = self.library.recovery.load(person)
        died = kept is not None and kept.get("study") == uid

        def joins(found: PriorRead) -> None:
            saved.add(found.opened)
            earlier.add(found.opened, found.marks, found.sealed)
            thens.add(found.opened, found.then)

        def all_here() -> None:
            alike = room.hanging.matching_priors
            guidelines.earlier_on(j.study_datetime for j in room.hanging.priors if j.study_instance_uid in alike)
            reports.findings_changed()
            self.announce(Changes(layout=True, view=True, findings=True, report=True))

        coming = ComingPriors(
            self.library, self.headers, self.reads, person, images, room, joins,
            lambda problem: self.say(Notice(problem)), all_here,
        )  # fmt: skip
        if self.priors_beside and not died:
            coming.read_beside(earlier_uids)
        else:
            coming.read_now(earlier_uids)  # what stood on the screen may be of any of them
        if kept is not None and died:
            restore(room, desk, kept)
            reading.undoing.restore(kept.get("journal"))
        with steps.aside():
            mount.lay()  # what the dentist laid goes before a restored layout
        return reading, images

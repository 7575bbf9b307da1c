"""The report of the open study: text that follows the findings, what blocks signing, the signature in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from app.domain.finding import Finding, ReaderIdentity
from app.domain.measurement import Annotation
from app.domain.messages import templates
from app.domain.person import Person
from app.domain.ports import Progress
from app.domain.prior_match import PriorMatch
from app.domain.problem import Problem, ProblemError
from app.domain.report import KeyImage, Origin, Report, ReportSection
from app.report import compose as composing
from app.report.compose import ReportFinding, compose
from app.report.pdf import VerdictRow, render_pdf
from app.report.templates import choose_template
from app.report.templates import templates as report_templates
from app.security.certificates import SigningIdentity, load_pkcs12
from app.session import marks as own
from app.session.agreement import agreements
from app.session.cards import region_of
from app.session.clock import local_hms
from app.session.doubts import remarks, report_words, with_doubt
from app.session.earlier_words import report_sentences
from app.session.findings_desk import FindingsDesk
from app.session.images import Images
from app.session.kept_looks import KeptLooks
from app.session.key_image_maker import KeyImageMaker
from app.session.open_study import OpenStudy
from app.session.reading_room import ReadingRoom
from app.session.report_packet import (
    PacketInput,
    measured_marks,
)
from app.session.report_signing import Ready, sign_packet
from app.session.signers import DEMO_PIN
from app.session.sync_service import SyncService
from app.session.tasks import TaskRunner
from app.session.tray import target_status
from app.session.views import NOTHING, Changes, Notice, ReportView, Status, Words
from app.store.library import Library


class Signer(Protocol):
    """Where the signing certificate lies. The PIN is asked for each signature and kept nowhere."""

    def certificate_file(self) -> tuple[bytes, str] | None:
        """(PKCS#12 bytes, name to show) or None when none has been chosen."""
        ...

    def choose(self, content: bytes, name: str) -> None: ...

    @property
    def is_test(self) -> bool: ...


@dataclass(frozen=True)
class ReportWords:
    """The lines of a report with its language and template."""

    sections: tuple[ReportSection, ...]
    language: str
    template: str


class ReportDesk:
    def __init__(
        self,
        *,
        library: Library,
        current: OpenStudy,
        desk: FindingsDesk,
        room: ReadingRoom,
        images: Images,
        person: Person,
        signer: Signer,
        sync: SyncService,
        tasks: TaskRunner,
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
        language: str,
    ) -> None:
        self._library = library
        self._current = current
        self._desk = desk
        self._room = room
        self._images = images
        self._person = person
        self._signer = signer
        self._sync = sync
        self._tasks = tasks
        self._announce = announce
        self._notice = notice
        self._uid = current.study.study_instance_uid
        draft = library.reports.draft(self._uid)
        latest = library.reports.latest(self._uid)
        self._language = draft.language if draft else latest.report.language if latest else language
        self._template = ""
        # After a signature the next version starts from the signed words, so that nothing typed is lost.
        self._report: Report | None = draft or (latest.report if latest else None)
        self._saved_at = ""
        self._key_images = KeyImageMaker(room, images, self.findings_changed)
        self._signing = ""
        self._stale = True
        self.before_words: Callable[[], None] = lambda: None
        """Called before the reader changes the report: what is to be undone is noted."""
        self.looks = KeptLooks(room)
        self.values_unchecked: Callable[[], bool] = lambda: False
        """True while values beside drawings are still being computed again; set by the session."""
        self._doubts_told: dict[str, str] = {}
        self.matches: Callable[[], tuple[PriorMatch, ...]] = tuple
        """What a person has said of where findings were in an earlier study; set by whoever opens the study."""
        self.then_sentence: Callable[[str, PriorMatch], str] = lambda language, match: ""

    # -- text ------------------------------------------------------------------------------------------------------

    def findings_changed(self) -> None:
        """Verdicts or marks are different: the text follows at the next look."""
        self._stale = True
        self._announce(Changes(report=True))

    def _reported(self) -> tuple[ReportFinding, ...]:
        """Own findings and accepted ones, each once: an agreed pair is one line that comes from both."""
        mine = self._desk.own_findings()
        accepted = self._desk.accepted_findings()
        matched = agreements(mine, accepted)
        agreed_own = set(matched.values())
        out = [ReportFinding(f, Origin.BOTH if f.finding_id in agreed_own else Origin.MINE) for f in mine]
        out += [ReportFinding(f, Origin.AI_ACCEPTED) for f in accepted if f.finding_id not in matched]
        return tuple(sorted(out, key=lambda item: -_size(item.finding)))

    def _then(self) -> dict[str, str]:
        """Finding to what it was in an earlier study: told by its second reader, or matched from scan to scan."""
        accepted = self._desk.accepted_findings()
        agreed = agreements(self._desk.own_findings(), accepted)
        told = report_sentences(self._language, self._desk.ai_findings(), accepted, agreed)
        return told | {m.finding_id: self.then_sentence(self._language, m) for m in self.matches()}

    def _measurements(self) -> tuple[Annotation, ...]:
        drawn = (own.annotation_of(m) for m in measured_marks(self._desk.marks, self._current.study))
        return tuple(a for a in drawn if a is not None)

    def _doubts(self) -> dict[str, str]:
        """What speaks against values of this study's marks."""
        return {i: doubt for i, doubt in self._desk.doubts.items() if self._desk.mark(i) is not None}

    def report(self) -> Report:
        """The report as it should stand now; its key images come when they are made."""
        if self._report is None or self._stale or self._doubts_told != self._doubts():
            self._recompose()
        assert self._report is not None
        return self._report

    def _whole(self) -> Report:
        """The report with all its key images."""
        if self._key_images.waiting:
            self._recompose(wait=True)
        return self.report()

    def _recompose(self, wait: bool = False) -> None:
        """``wait``: with every key image, made now where it is not here yet."""
        self._stale = False
        self._doubts_told = self._doubts()
        found = self._reported()
        latest = self._library.reports.latest(self._uid)
        version, replaces = (latest.report.version + 1, latest.report.report_id) if latest else (1, "")
        shown = {d.study_instance_uid for p in self._room.panes() if p.prior and (d := self._room.display_set(p))}
        alike = self._room.hanging.matching_priors | shown  # a head is no comparison of a knee, unless it was hung
        dates = (p.study.study_datetime[:8] for p in self._room.studies()[1] if p.study.study_instance_uid in alike)
        comparison = max(dates, default="")
        composed = compose(
            self._current.study,
            language=self._language,
            findings=found,
            opinion=self._desk.opinion,
            measurements=self._measurements(),
            doubted={mark: report_words(doubt) for mark, doubt in self._doubts_told.items()},
            then=self._then(),
            key_images=self._pictures(found, wait),
            previous=self._report,
            template=self._template,
            comparison=comparison,
            version=version,
            replaces=replaces,
            demonstration=self._library.is_demo,
        )
        self._report = replace(composed, report_id=composing.report_id_for(self._current.study, version))

    def _pictures(self, found: tuple[ReportFinding, ...], wait: bool) -> tuple[KeyImage, ...]:
        """One key image for each finding that an image of the study shows; what is not made yet follows by itself."""
        out: list[KeyImage] = []
        texts = templates(self._language)
        make = self._key_images.now if wait else self._key_images.get
        for item in found:
            number = len(out) + 1
            known = make(item.finding, number, texts)
            if known is None:
                continue
            words = region_of(item.finding)
            caption = texts.get(words.id, words.id) if words.id else texts.get("report.key_image", "")
            out.append(replace(known, number=number, caption=caption))
        return tuple(out)

    def _save(self) -> None:
        report = self.report()
        self._library.write(lambda tx: self._library.reports.save_draft(tx, report, self._person.person_id))
        self._saved_at = datetime.now().strftime("%H:%M:%S")
        self._announce(Changes(report=True))

    def set_language(self, language: str) -> None:
        """Another language of the report, whatever the screen's is; typed lines stay as they were typed."""
        self.before_words()
        self._language = language
        self._key_images.forget()
        self._stale = True
        self._save()

    def set_template(self, template_id: str) -> None:
        self.before_words()
        self._template = template_id
        self._stale = True
        self._save()

    def _editable(self) -> Report:
        """The report to type in: what was signed stays as it was signed, its next version takes the words."""
        report = self.report()
        latest = self._library.reports.latest(self._uid)
        if latest is None or latest.report.report_id != report.report_id:
            return report
        version = latest.report.version + 1
        report_id = composing.report_id_for(self._current.study, version)
        return replace(report, report_id=report_id, version=version, replaces=latest.report.report_id)

    def edit_line(self, section_id: str, index: int, text: str) -> None:
        self.before_words()
        self._report = composing.edit_line(self._editable(), section_id, index, text)
        self._save()

    def add_line(self, section_id: str, text: str, index: int | None = None) -> None:
        self.before_words()
        report = self._editable()
        lines = next(s.lines for s in report.sections if s.section_id == section_id)
        self._report = composing.insert_line(report, section_id, len(lines) if index is None else index, text)
        self._save()

    def remove_line(self, section_id: str, index: int) -> None:
        self.before_words()
        self._report = composing.remove_line(self._editable(), section_id, index)
        self._save()

    def words(self) -> ReportWords:
        """What undo keeps of the report."""
        report = self._report or self.report()
        return ReportWords(report.sections, self._language, self._template)

    def put_words(self, wanted: ReportWords) -> None:
        """Undo: the words as they were, in the draft too; what was signed stays as it was signed."""
        if (wanted.language, wanted.template) != (self._language, self._template):
            self._language, self._template = wanted.language, wanted.template
            self._key_images.forget()
            self._stale = True
            self._recompose()
        self._report = replace(self._editable(), sections=wanted.sections)
        self._save()

    def phrases(self, section_id: str) -> tuple[str, ...]:
        template = report_templates().get(self._template) or choose_template(self._current.study)
        return composing.phrases(template, section_id, self._language)

    # -- signing ---------------------------------------------------------------------------------------------------

    def blocked_by(self) -> tuple[Problem, ...]:
        """Why the report cannot be signed yet; empty when it can."""
        out: list[Problem] = []
        if not self._desk.committed:
            out.append(Problem("report.blocked.not_committed", next_step="next.commit_first"))
        if self._desk.committed and self._desk.reading_on():
            out.append(Problem("report.blocked.second_read_running", next_step="next.wait"))
        waiting = len(self._desk.unanswered())
        if waiting:
            out.append(Problem("report.blocked.unanswered", {"n": waiting}, next_step="next.give_verdicts"))
        if self._signer.certificate_file() is None:
            out.append(Problem("report.blocked.no_certificate", next_step="next.choose_certificate"))
        if not self._sync.names():
            out.append(Problem("report.blocked.no_target", next_step="next.configure_target"))
        if self.values_unchecked():
            out.append(Problem("report.blocked.rechecking", next_step="next.wait"))
        if self._signing:
            out.append(Problem("report.blocked.signing"))
        elif (latest := self._library.reports.latest(self._uid)) is not None and self._unchanged_since(latest.report):
            out.append(Problem("report.blocked.signed", {"version": latest.report.version}))
        return tuple(out)

    def _unchanged_since(self, signed: Report) -> bool:
        now = self.report()
        return (now.sections, now.language) == (signed.sections, signed.language)

    def view(self) -> ReportView:
        report = self.report()
        latest = self._library.reports.latest(self._uid)
        file = self._signer.certificate_file()
        detail = Words("sign.pkcs12")
        if self._signer.is_test:
            # The demonstration's certificate protects nothing: its PIN stands where it is asked for.
            detail = Words("sign.test_certificate", {"pin": DEMO_PIN})
        chosen = report_templates().get(self._template) or choose_template(self._current.study)
        return ReportView(
            report=report,
            saved_at=self._saved_at,
            blocked_by=self.blocked_by(),
            certificate=file[1] if file else "",
            certificate_detail=detail if file else NOTHING,
            is_test_certificate=self._signer.is_test,
            signed_at=local_hms(latest.signed_at) if latest else "",
            version=report.version,
            templates=tuple((t.template_id, t.title(self._language)) for t in report_templates().values()),
            template=chosen.template_id,
            storage=self._storage(latest.report.report_id if latest else ""),
            remarks=remarks(self._doubts()),
        )

    def _storage(self, report_id: str) -> tuple[Status, ...]:
        if not report_id:
            return ()
        items = self._library.outbox.items(report_id=report_id)
        receipts = {i.item_id: self._library.outbox.receipts(i.item_id) for i in items}
        return tuple(
            target_status([i for i in items if i.target == target], receipts)
            for target in dict.fromkeys(i.target for i in items)
        )

    def choose_certificate(self, content: bytes, name: str) -> None:
        self._signer.choose(content, name)
        self._announce(Changes(report=True))

    def pdf(self) -> bytes:
        """A draft's preview; it says on every page that it is not signed."""
        return self._pages()()

    def pdf_to(self, file: Path, done: Callable[[], None]) -> None:
        """The same, laid out and written in the background; ``done`` when the file is there. Said when it cannot be."""
        pages = self._pages()

        def work(progress: Progress) -> None:
            content = pages()
            try:
                file.write_bytes(content)
            except OSError as error:
                raise ProblemError(
                    Problem("ui.report.cannot_write", {"why": error.strerror or ""}, next_step="ui.report.choose_place")
                ) from error

        self._tasks.start(Words("task.pages"), work, lambda _: done())

    def _pages(self) -> Callable[[], bytes]:
        """The report as it stands now, to be laid out on any thread."""
        return partial(
            render_pdf,
            self._whole(),
            verdicts=self._verdict_rows(),
            readers=self._readers(),
            institution=self._current.study.institution,
        )

    def _verdict_rows(self) -> tuple[VerdictRow, ...]:
        verdicts = self._desk.verdicts
        return tuple(VerdictRow(f"A{n}", f, verdicts.get(f.finding_id)) for n, f in enumerate(self._desk.ai_findings(), 1))

    def _readers(self) -> tuple[ReaderIdentity, ...]:
        return tuple(r.reader for r in self._desk.results)

    def sign(self, pin: str) -> None:
        """Checks PIN and what blocks at once; writes, signs and queues in the background as one transaction.

        Raises ``ProblemError`` (wrong PIN, expired certificate, unanswered findings...). Nothing is half signed: until the
        transaction is durable the draft stands, afterwards report, signature, audit entry and outbox rows are all there.
        """
        blocked = self.blocked_by()
        if blocked:
            raise ProblemError(blocked[0])
        file = self._signer.certificate_file()
        assert file is not None
        identity = load_pkcs12(file[0], pin)
        if identity.demonstration and not self._library.is_demo:
            raise ProblemError(Problem("sign.demo_certificate_refused", next_step="next.choose_certificate"))
        ready = self._ready(identity)
        self._signing = self._tasks.start(
            Words("task.sign"),
            lambda progress: sign_packet(self._library, self._sync.names(), ready, progress),
            self._after_signing,
            self._not_signed,
        )
        self._announce(Changes(report=True))

    def _ready(self, identity: SigningIdentity) -> Ready:
        doubts = self._doubts()
        mine = tuple(with_doubt(m, doubts.get(m.finding_id, "")) for m in self._desk.own_findings())
        matched = agreements(mine, self._desk.ai_findings())
        packet = PacketInput(
            study=self._current.study,
            report=self._whole(),
            person=self._person,
            signed_at=datetime.now(UTC).replace(microsecond=0),
            demonstration=self._library.is_demo,
            results=self._desk.results,
            verdicts=self._desk.verdicts,
            own=mine,
            agreed_own=frozenset(matched.values()),
            opinion=self._desk.opinion,
            masked=tuple(m for m in self._desk.marks if m.mask is not None),
            stars=tuple(sorted(self._desk.starred())),
            measured=tuple(
                with_doubt(m, doubts.get(m.finding_id, "")) for m in measured_marks(self._desk.marks, self._current.study)
            ),
            matches=self.matches(),
            looks=self.looks.states(self._desk.marks, templates(self._language), self._person.display_name, doubts),
        )
        return Ready(packet, identity, self._verdict_rows(), self._readers())

    def _after_signing(self, report: Report) -> None:
        self._signing = ""
        self._report = report
        self._stale = False
        self._sync.wake()
        self._announce(Changes(report=True, worklist=True, tray=True))

    def _not_signed(self, problem: Problem) -> None:
        self._signing = ""
        self._notice(Notice(problem, "sign"))
        self._announce(Changes(report=True))

    def signed_pdf(self) -> bytes | None:
        """The latest signed document, or None."""
        from app.dicom.encapsulated import extract_pdf

        latest = self._library.reports.latest(self._uid)
        if latest is None:
            return None
        stored = next(o for o in self._library.reports.objects(latest.report.report_id) if o.kind == "report_pdf")
        return extract_pdf(self._library.objects.read(f"object:{stored.object_name}")).pdf

    def close(self) -> None:
        """The draft is on disk already; key images go with the study."""
        self._key_images.forget()


def _size(finding: Finding) -> float:
    for quantity in ("mean_diameter", "long_axis", "length"):
        measured = finding.measured(quantity)
        if measured is not None:
            return measured.value
    return 0.0

"""Earlier marks of the patient in the open study: shown on the prior's panes, carried over, followed over time.

Nothing of it is in a report by itself: a carried mark is a proposal until the reader accepts it, and the course of a lesion
gets into the text by a press. What a person draws on a prior's image is kept with that prior's study.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from app.domain.finding import Finding
from app.domain.measurement import Annotation
from app.domain.ports import ByteSource
from app.domain.problem import Problem, Severity
from app.session import marks as own
from app.session.carrying import accepted, carried_from
from app.session.clock import dicom_date
from app.session.course import CourseRow, Measured, course
from app.session.findings_desk import FindingsDesk
from app.session.images import Images
from app.session.open_study import OpenStudy
from app.session.panes import PaneState
from app.session.picture import ShownMark
from app.session.prior_marks import DrawnBeside, PriorMark, Whose, read_marks, reports_of
from app.session.prior_places import PriorPlaces
from app.session.reading_room import ReadingRoom
from app.session.tracking import Earlier, earlier, same_lesion
from app.session.tracking_words import day_of
from app.session.views import Changes, Notice
from app.store.library import Library
from app.viewer.marks import MarkLook
from app.viewer.primitives import Role


class PriorDesk:
    """Main thread only."""

    def __init__(
        self,
        library: Library,
        current: OpenStudy,
        room: ReadingRoom,
        images: Images,
        source: ByteSource,
        desk: FindingsDesk,
        person: str,
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
    ) -> None:
        self._library, self._current, self._room, self._images = library, current, room, images
        self._desk, self._person, self._announce, self._notice = desk, person, announce, notice
        self._source = source
        self._priors: tuple[OpenStudy, ...] = ()
        """The newest first."""
        self._marks: dict[str, PriorMark] = {}
        self._drawn: set[str] = set()
        """Drawn on a prior in this session: they may be taken back."""
        self._provisional: tuple[str, Annotation] | None = None
        self._waiting: set[str] = set()
        self._proposed: dict[str, Finding] = {}
        self._through: dict[str, set[str]] = {}
        self.before_change: Callable[[], None] = lambda: None
        """Called before a drawing on a prior or a proposal changes: what is to be undone is noted."""
        self.accepting: Callable[[], AbstractContextManager[None]] = nullcontext
        """Around what makes a mark of a proposal: one step for undo."""
        self.places = self._places = PriorPlaces(current, room, images)
        self.matched: Callable[[str], tuple[str, Finding | None] | None] = lambda finding_id: None
        """What a person has said of where a finding was: (earlier study, the finding there, None for nowhere)."""
        self._study_of: dict[str, OpenStudy] = {}
        room.prior_marks = self.shown
        desk.beside = self

    def add(self, prior: OpenStudy, stored: Sequence[PriorMark], sealed: bool) -> None:
        """One more earlier study with what the library holds of its marks; those of its reports follow."""
        self._priors = tuple(sorted((*self._priors, prior), key=lambda p: p.study.study_datetime, reverse=True))
        self._study_of.update({i.sop_instance_uid: prior for s in prior.study.series for i in s.instances if i.pixel_format})
        self._marks.update({mark.finding.finding_id: mark for mark in stored})
        for instance in reports_of(prior.study):
            self._read(self._source, instance, prior, sealed)

    def _read(self, source: ByteSource, instance: Any, prior: OpenStudy, sealed: bool) -> None:
        def came(found: tuple[PriorMark, ...] | None) -> None:
            for mark in found or ():
                self._marks.setdefault(mark.finding.finding_id, mark)
            if found:
                self._announce(Changes(view=True, findings=True))

        self._images.beside(lambda: read_marks(source, instance, prior.study, sealed), came)

    # -- what is shown ---------------------------------------------------------------------------------------------

    def marks(self) -> tuple[PriorMark, ...]:
        """The newest study first."""
        return tuple(sorted(self._marks.values(), key=lambda m: m.study_datetime, reverse=True))

    def mark(self, finding_id: str) -> PriorMark | None:
        return self._marks.get(finding_id)

    def shown(self, pane: PaneState) -> tuple[ShownMark, ...]:
        """On a prior's pane: its marks with their date; they cannot be taken hold of."""
        chosen = self._room.display_set(pane)
        if chosen is None or not pane.prior:
            return ()
        doubts = self._desk.doubts
        out = [
            ShownMark(
                m.finding, MarkLook(dicom_date(m.study_datetime), role=Role.TEXT, doubt=doubts.get(m.finding.finding_id, ""))
            )
            for m in self.marks()
            if m.study_instance_uid == chosen.study_instance_uid
        ]
        if self._provisional is not None and self._provisional[0] == chosen.study_instance_uid:
            out.append(ShownMark(own.drawn(self._provisional[1], None), MarkLook(selected=True)))
        return tuple(out)

    # -- beside the marks of the study: see ``room_sides.MarksBeside`` -----------------------------------------------

    def take(self, annotation: Annotation, provisional: bool) -> bool:
        """A drawing that is none of the study's own: on a prior, or of a proposal."""
        known = self._proposed.get(annotation.annotation_id)
        if known is not None:
            if not provisional:
                self.before_change()
                self._proposed[annotation.annotation_id] = own.drawn(annotation, known)
                self._desk.select(annotation.annotation_id)
                self._announce(Changes(view=True, findings=True))
            return True
        prior = self._prior_of(annotation)
        if prior is None:
            return False
        uid = prior.study.study_instance_uid
        self._provisional = (uid, annotation) if provisional else None
        if not provisional:
            self.before_change()
            self._keep(own.drawn(annotation, None), prior)
        self._announce(Changes(marks=provisional, view=not provisional, findings=not provisional))
        return True

    def _keep(self, mark: Finding, prior: OpenStudy) -> None:
        uid = prior.study.study_instance_uid
        self._drawn.add(mark.finding_id)
        self._marks[mark.finding_id] = PriorMark(mark, uid, prior.study.study_datetime, Whose.MINE)
        self._library.write(lambda tx: self._library.drafts.put(tx, uid, self._person, mark))

    def _forget(self, finding_id: str) -> None:
        self._drawn.discard(finding_id)
        uid = self._marks.pop(finding_id).study_instance_uid
        self._library.write(lambda tx: self._library.drafts.remove(tx, uid, self._person, finding_id))

    def _prior_of(self, annotation: Annotation) -> OpenStudy | None:
        placement = annotation.placement
        if placement.sop_instance_uid:
            return self._study_of.get(placement.sop_instance_uid)
        if self._desk.mark(annotation.annotation_id) is not None:
            return None
        # A reformat names no image, and a prior may share its frame of reference with the present study: what was drawn on
        # is the pane that the hand is on.
        pane = self._room.pane(self._room.active)
        chosen = self._room.display_set(pane)
        if pane.prior and chosen is not None:
            return next((p for p in self._priors if p.study.study_instance_uid == chosen.study_instance_uid), None)
        reference = placement.frame_of_reference_uid
        if not reference or reference in self._room.references_of(self._current):
            return None
        return next((p for p in self._priors if reference in self._room.references_of(p)), None)

    def annotations(self) -> tuple[Annotation, ...]:
        """Proposals can be taken hold of."""
        return tuple(a for p in self._proposed.values() if (a := own.annotation_of(p)) is not None)

    def overlay(self) -> tuple[ShownMark, ...]:
        chosen = self._desk.selected_id()
        return tuple(ShownMark(p, MarkLook("\u2192", selected=i == chosen, pending=True)) for i, p in self._proposed.items())

    def drop(self, finding_id: str) -> bool:
        """A proposal is declined, or a drawing on a prior taken back: one of this session, or one that is still drawn."""
        if self._provisional is not None and self._provisional[1].annotation_id == finding_id:
            self._provisional = None
        elif finding_id in self._proposed:
            self.before_change()
            del self._proposed[finding_id]
        elif finding_id in self._drawn:
            self.before_change()
            self._forget(finding_id)
        else:
            return False
        self._announce(Changes(view=True, findings=True))
        return True

    def drop_provisional(self) -> None:
        self._provisional = None

    def kept(self) -> dict[str, DrawnBeside]:
        """For undo: what was drawn on priors, and the proposals."""
        drawn = {i: DrawnBeside(m.finding, m.study_instance_uid) for i, m in self._marks.items() if i in self._drawn}
        return {**drawn, **{i: DrawnBeside(p) for i, p in self._proposed.items()}}

    def put_back(self, wanted: Mapping[str, DrawnBeside], gone: Collection[str] = ()) -> None:
        """Undo: makes both what they were, in the library too. ``gone``: also to be taken away, if it is this person's."""
        now = self.kept()
        mine = {i for i in gone if i in self._marks and self._marks[i].whose is Whose.MINE}
        for finding_id in ({*now, *mine} - set(wanted)) & set(self._marks):
            self._forget(finding_id)
        self._proposed = {i: k.finding for i, k in wanted.items() if not k.study_instance_uid}
        for finding_id, kept in wanted.items():
            prior = next((p for p in self._priors if p.study.study_instance_uid == kept.study_instance_uid), None)
            if prior is not None and now.get(finding_id) != kept:
                self._keep(kept.finding, prior)
        self._announce(Changes(view=True, findings=True))

    def can_drop(self, finding_id: str) -> bool:
        return finding_id in self._drawn

    # -- carrying over ---------------------------------------------------------------------------------------------

    def proposals(self) -> tuple[Finding, ...]:
        return tuple(self._proposed.values())

    def waits(self, finding_id: str) -> bool:
        return finding_id in self._waiting

    def followed(self) -> set[str]:
        """Earlier marks that a present mark or a proposal follows."""
        present = (*self._desk.marks, *self._proposed.values())
        direct = {c for m in present if (c := carried_from(m))} | {m.finding_id for m in present}
        older = {c for i in direct if i in self._marks and (c := carried_from(self._marks[i].finding))}
        return direct | older

    def carry(self, finding_id: str = "") -> None:
        """One mark, or all of a prior that nothing follows yet: of the active pane's prior, else of the newest with some."""
        wanted = [self._marks[finding_id]] if finding_id in self._marks else list(self._open_marks())
        if not wanted:
            self._notice(Notice(Problem("carry.nothing", severity=Severity.NOTE)))
            return
        for mark in wanted:
            self._waiting.add(mark.finding.finding_id)
        problem = self.step()
        if problem is not None:
            self._notice(Notice(problem))
        elif self._waiting:
            self._notice(Notice(Problem("carry.registering", severity=Severity.NOTE)))
        self._announce(Changes(view=True, findings=True))

    def _open_marks(self) -> tuple[PriorMark, ...]:
        taken = self.followed()
        open_ = [m for m in self.marks() if m.can_follow and m.finding.finding_id not in taken]
        active = self._room.display_set(self._room.pane(self._room.active))
        uid = active.study_instance_uid if active is not None else ""
        uid = uid if any(m.study_instance_uid == uid for m in open_) else open_[0].study_instance_uid if open_ else ""
        return tuple(m for m in open_ if m.study_instance_uid == uid)

    def step(self) -> Problem | None:
        """Goes on with what waits for volumes and registrations; called whenever something arrived."""
        said: Problem | None = None
        noted = False
        if self._places.step():
            self._announce(Changes(view=True, findings=True))
        for finding_id in list(self._waiting):
            mark = self._marks.get(finding_id) if finding_id in self._waiting else None  # a step within a step took it
            prior = next((p for p in self._priors if mark and p.study.study_instance_uid == mark.study_instance_uid), None)
            found = self._places.proposal(prior, mark.finding) if mark is not None and prior is not None else None
            if found is None:
                continue
            self._waiting.discard(finding_id)
            if isinstance(found, Problem):
                said = found
                continue
            if not noted:
                self.before_change()  # all that come at once are one step
                noted = True
            self._proposed[found.finding_id] = found
            self._desk.select(found.finding_id)
            if found.location.centre_lps_mm is not None:
                self._room.show_point(found.location.centre_lps_mm)
            self._announce(Changes(view=True, findings=True))
        return said

    def accept(self, finding_id: str) -> None:
        """The proposal, as the reader left it, becomes a mark of the study."""
        proposal = self._proposed.get(finding_id)
        if proposal is None:
            return
        then = self._marks.get(carried_from(proposal))
        mark = accepted(proposal, then.finding) if then is not None else proposal
        with self.accepting():
            del self._proposed[finding_id]
            self._desk.keep(mark)
        self._desk.select(mark.finding_id)

    # -- over time -------------------------------------------------------------------------------------------------

    def then(self, finding: Finding) -> Earlier | None:
        """How it was in the newest earlier study that has it."""
        today = day_of(self._current.study.study_datetime)
        for prior in self._priors if today is not None else ():
            on = day_of(prior.study.study_datetime)
            uid = prior.study.study_instance_uid
            marks = [m.finding for m in self.marks() if m.study_instance_uid == uid and own.is_finding(m.finding)]
            said = self.matched(finding.finding_id)
            if today is None or on is None or not marks or (said is not None and said[0] == uid):
                continue  # what was said stands on the card
            found = earlier(finding, today, marks, on, self._places.then(prior, finding, marks))
            if found is not None:
                return found
        return None

    def course(self, finding: Finding) -> tuple[CourseRow, ...]:
        """The lesion in every study that has it, the oldest first; empty when no earlier one has."""
        today = day_of(self._current.study.study_datetime)
        if today is None:
            return ()
        measured = [Measured(today, finding)]
        through: set[str] = set()
        link = carried_from(finding)
        for prior in self._priors:
            on = day_of(prior.study.study_datetime)
            if on is None:
                continue
            of_study = [m.finding for m in self.marks() if m.study_instance_uid == prior.study.study_instance_uid]
            linked = next((f for f in of_study if f.finding_id in (link, finding.finding_id)), None)
            said = self.matched(finding.finding_id)
            if said is not None and said[0] == prior.study.study_instance_uid:
                linked = said[1]
            elif linked is None:
                kinds = [f for f in of_study if own.is_finding(f)]
                linked = same_lesion(finding, kinds, self._places.then(prior, finding, of_study))
            if linked is not None:
                link = carried_from(linked) or link
                measured.append(Measured(on, linked))
                through.add(linked.finding_id)
        self._through[finding.finding_id] = through
        rows = course(measured)
        told = [r for r in rows if r.size_mm is not None or r.volume_mm3 is not None]
        return tuple(told) if len(told) > 1 else ()

    def tracked(self) -> tuple[tuple[Finding, tuple[CourseRow, ...]], ...]:
        """Every present finding or measurement that has a past, in the order of the list."""
        present = (*self._desk.marks, *self._desk.accepted_findings())
        found = ((m, self.course(m)) for m in present if own.is_finding(m) or carried_from(m))
        return tuple((replace(m), rows) for m, rows in found if rows)

    def is_followed_by(self, mark: PriorMark, finding: Finding) -> bool:
        """Whether the course of a present finding goes through an earlier mark."""
        return mark.finding.finding_id in self._through.get(finding.finding_id, ())

    def badge(self, finding_id: str) -> str:
        """As the finding is called in the list; empty for a mere measurement."""
        shown = self._desk.card(finding_id)
        return shown.badge if shown is not None else ""

    def course_told(self) -> None:
        """The report took a course."""
        self._announce(Changes(findings=True, report=True))

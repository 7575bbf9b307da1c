"""Marks, first opinion, reveal and verdicts of an open study. What is drawn and what is listed derive from here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from app.ai.catalogue import Catalogue
from app.dicom.coding import FINDING_KINDS
from app.domain.finding import Finding, ReadResult
from app.domain.identity import new_uid
from app.domain.measurement import Annotation, MarkShape, Placement
from app.domain.model_card import ModelCard
from app.domain.ports import MainLoop
from app.domain.problem import Problem, ProblemError, fail
from app.domain.verdict import Decision, FirstOpinion, ImageQuality, Overall, RejectReason, Verdict
from app.session import ai_drawing
from app.session import marks as own
from app.session.cards import ordered, split
from app.session.clock import local_hms
from app.session.finding_words import side_of_region
from app.session.open_study import OpenStudy
from app.session.own_drawing import shown_marks
from app.session.reads_said import read_first, said
from app.session.room_sides import MarksBeside, Overlay
from app.session.second_read import SecondReads
from app.session.views import AiState, Changes, FindingCard, Notice, SecondReadView, Words
from app.store.hlc import utc_iso
from app.store.library import Library
from app.store.sealed import SealedResult, SealState
from app.viewer.layers import HeatmapLayer, MaskLayer
from app.viewer.view_state import Appearance

_log = logging.getLogger(__name__)

_STATES = {
    SealState.WAITING: AiState.WAITING,
    SealState.RUNNING: AiState.RUNNING,
    SealState.SEALED: AiState.SEALED,
    SealState.REFUSED: AiState.REFUSED,
    SealState.FAILED: AiState.FAILED,
}
_SAID_FIRST = (AiState.FAILED, AiState.RUNNING, AiState.WAITING, AiState.SEALED, AiState.REFUSED)


class FindingsDesk:
    """Main thread only. Marks are saved as they are drawn; commit and verdicts are durable when the call returns."""

    def __init__(
        self,
        library: Library,
        reads: SecondReads,
        catalogue: Catalogue,
        opened: OpenStudy,
        person: str,
        loop: MainLoop,
        announce: Callable[[Changes], None],
        notice: Callable[[Notice], None],
        place: Callable[[Finding], Words],
    ) -> None:
        self._library = library
        self._reads = reads
        self._catalogue = catalogue
        self._study = opened.study.study_instance_uid
        self._person = person
        self._loop = loop
        self._announce = announce
        self._notice = notice
        self._place = place
        self._marks: tuple[Finding, ...] = library.drafts.marks(self._study, person)
        self._provisional: Finding | None = None  # made once, shown in every picture until the next
        self._selected = ""
        self._opinion: FirstOpinion | None = library.opinions.get(self._study, person)
        self._verdicts: dict[str, Verdict] = library.verdicts.current(self._study)
        self._results: tuple[ReadResult, ...] = ()
        self._heat = Appearance(lut="inferno", opacity=0.6, threshold=0.3)
        self.doubts: dict[str, str] = {}
        """Mark to the message id of what is wrong with its values."""
        self.mask_layers: Callable[[tuple[Finding, ...]], tuple[MaskLayer, ...]] = lambda marks: ()
        """The reader's voxels as layers; set by the session."""
        self.shown_as: Callable[[Finding], Finding] = lambda finding: finding
        """How a second reader's finding is shown: with the tooth number that the dentist has put right."""
        self.marks_restored: Callable[[Sequence[Finding]], None] = lambda marks: None
        """Called with marks that an undo has put back: their values are computed again."""
        self.before_marks: Callable[[], None] = lambda: None
        """Called before the marks change: what is to be undone is noted."""
        self.before_verdicts: Callable[[], None] = lambda: None
        self.beside: MarksBeside | None = None
        """Drawings on priors, and proposals: none of the study's marks; set by the session."""
        self.before_heat: Callable[[str], None] = lambda what: None
        if self._opinion is not None:
            self._open_results()

    # -- own marks -------------------------------------------------------------------------------------------------

    @property
    def marks(self) -> tuple[Finding, ...]:
        """Everything drawn: findings and mere measurements."""
        return self._marks

    def earlier_findings(self, study_instance_uid: str) -> tuple[Finding, ...]:
        """What this reader found in another study of the patient."""
        kept = self._library.drafts.marks(study_instance_uid, self._person)
        return tuple(m for m in kept if own.is_finding(m))

    def own_findings(self) -> tuple[Finding, ...]:
        return tuple(m for m in self._marks if own.is_finding(m))

    def mark(self, finding_id: str) -> Finding | None:
        return next((m for m in self._marks if m.finding_id == finding_id), None)

    def finding(self, finding_id: str) -> Finding | None:
        """An own mark or, after the reveal, a finding of a second reader."""
        return self.mark(finding_id) or next((f for f in self.ai_findings() if f.finding_id == finding_id), None)

    def annotations(self) -> tuple[Annotation, ...]:
        drawings = (m for m in self._marks if m.shape is not MarkShape.KEY_IMAGE)
        mine = tuple(a for m in drawings if (a := own.annotation_of(m)) is not None)
        return (*mine, *self.beside.annotations()) if self.beside is not None else mine

    def doubt(self, finding_id: str, message_id: str) -> None:
        """What an independent computation says about a mark's values; "" when it agrees."""
        if message_id != self.doubts.get(finding_id, ""):
            self.doubts = {k: v for k, v in self.doubts.items() if k != finding_id}
            if message_id:
                self.doubts[finding_id] = message_id
            self._announce(Changes(findings=True, view=True, report=True))

    def starred(self) -> frozenset[tuple[str, int]]:
        """(SOP instance UID, frame) of the key images."""
        return own.starred(self._marks)

    def toggle_star(self, sop_instance_uid: str, frame: int) -> None:
        """Makes an image a key image, or takes the star away."""
        there = next((m for m in self._marks if own.star_of(m) == (sop_instance_uid, frame)), None)
        if there is not None:
            self.remove(there.finding_id)
        else:
            self.keep(own.star(sop_instance_uid, frame))

    def put_annotation(self, annotation: Annotation, provisional: bool) -> None:
        if self.beside is not None and self.beside.take(annotation, provisional):
            return
        if provisional:
            self._provisional = own.drawn(annotation, None)
            return
        self._provisional = None
        before = self.mark(annotation.annotation_id)
        drawn = own.drawn(annotation, before)
        if before is not None and own.is_finding(before):
            drawn = replace(drawn, measurements=own.with_axes(drawn.measurements))
        self.keep(drawn)
        self._selected = drawn.finding_id

    def drop_provisional(self) -> None:
        """What was drawn but not kept is gone."""
        self._provisional = None
        if self.beside is not None:
            self.beside.drop_provisional()
        self._announce(Changes(findings=True, view=True))

    def remove_annotation(self, annotation_id: str) -> None:
        if self._provisional is not None and self._provisional.finding_id == annotation_id:
            self._provisional = None
        if self.mark(annotation_id) is not None:
            self.remove(annotation_id)
        elif self.beside is not None:
            self.beside.drop(annotation_id)

    def keep(self, mark: Finding) -> None:
        """Adds a mark or its new version; saved at once."""
        self.before_marks()
        if self.mark(mark.finding_id) is None:
            self._marks = (*self._marks, mark)
        else:
            self._marks = tuple(mark if m.finding_id == mark.finding_id else m for m in self._marks)
        self._save(lambda tx: self._library.drafts.put(tx, self._study, self._person, mark))
        self._announce(Changes(findings=True, report=True))

    def remove(self, finding_id: str) -> None:
        self.before_marks()
        self._marks = tuple(m for m in self._marks if m.finding_id != finding_id)
        self.doubts = {i: doubt for i, doubt in self.doubts.items() if i != finding_id}
        if self._selected == finding_id:
            self._selected = ""
        self._save(lambda tx: self._library.drafts.remove(tx, self._study, self._person, finding_id))
        self._announce(Changes(findings=True, report=True))

    def restore_marks(self, wanted: Sequence[Finding]) -> None:
        """Undo: makes the marks what they were, in the library too."""
        now = {m.finding_id: m for m in self._marks}
        then = {m.finding_id: m for m in wanted}
        gone = [i for i in now if i not in then]
        changed = [m for i, m in then.items() if now.get(i) != m]
        self._marks = tuple(wanted)
        # What was said of other values does not hold for these.
        self.doubts = {i: doubt for i, doubt in self.doubts.items() if i in then and now.get(i) == then[i]}
        self.marks_restored(changed)

        def work(tx: Any) -> None:
            for finding_id in gone:
                self._library.drafts.remove(tx, self._study, self._person, finding_id)
            for mark in changed:
                self._library.drafts.put(tx, self._study, self._person, mark)

        self._save(work)
        self._announce(Changes(findings=True, report=True))

    def _save(self, work: Callable[[Any], object]) -> None:
        """Writes without waiting; a failure is told, and the mark stays on the screen."""

        def ended(future: Future[object]) -> None:
            error = future.exception()
            if error is None:
                return
            if isinstance(error, ProblemError):
                problem = error.problem
            else:
                _log.error("a mark could not be saved: %s", type(error).__name__)
                problem = Problem("findings.not_saved", {"kind": type(error).__name__}, next_step="next.retry_or_report")
            self._loop.post(lambda: self._notice(Notice(problem)))

        self._library.write_async(work).add_done_callback(ended)

    def add_point(self, placement: Placement, kind: str, laterality: str) -> str:
        mark = own.point_finding(placement, FINDING_KINDS[kind], "", laterality)
        self.keep(mark)
        self._selected = mark.finding_id
        return mark.finding_id

    def name_selected(self, kind: str, laterality: str) -> str | None:
        """Turns the selected drawing into a finding; None when nothing drawn is selected."""
        mark = self.mark(self._selected)
        if mark is None or own.is_finding(mark):
            return None
        self.keep(own.as_finding(mark, FINDING_KINDS[kind], "", laterality))
        return mark.finding_id

    def edit(
        self,
        finding_id: str,
        *,
        code: str | None = None,
        region: str | None = None,
        composition: str | None = None,
        confidence: int | None = None,
        comment: str | None = None,
    ) -> None:
        mark = self.mark(finding_id)
        if mark is None:
            return
        if code is not None:
            mark = replace(mark, code=FINDING_KINDS[code])
        if region is not None:
            mark = replace(mark, region=region, laterality=side_of_region(region, mark.laterality))
        if composition is not None:
            mark = own.with_attribute(mark, "composition", composition)
        if confidence is not None:
            mark = replace(mark, confidence=confidence)
        if comment is not None:
            mark = replace(mark, comment=comment)
        self.keep(mark)

    # -- selection -------------------------------------------------------------------------------------------------

    def select(self, finding_id: str) -> None:
        if finding_id != self._selected:
            self._selected = finding_id
            self._announce(Changes(findings=True))

    def selected_id(self) -> str:
        return self._selected

    # -- commit and reveal -----------------------------------------------------------------------------------------

    @property
    def committed(self) -> bool:
        return self._opinion is not None

    @property
    def opinion(self) -> FirstOpinion | None:
        return self._opinion

    def commit(self, overall: Overall, quality: ImageQuality) -> None:
        """Keeps the first opinion and opens what the second readers found. Raises ``findings.*`` when it says nothing."""
        found = self.own_findings()
        if overall is Overall.FINDINGS and not found:
            raise fail("findings.commit_without_marks", next_step="next.mark_or_say_nothing")
        if overall is Overall.NOTHING and found:
            raise fail("findings.commit_nothing_with_marks", next_step="next.choose_findings", n=len(found))
        self._opinion = self._reads.commit(self._study, self._person, overall, quality, found)
        self._open_results()
        self._announce(Changes(second_read=True, findings=True, worklist=True, report=True, view=True))

    def refresh(self) -> None:
        """After a reader's state changed: results that came after the commit are recorded as shown, then opened."""
        if self._opinion is not None:
            self._reads.reveal_late(self._study, self._person)
            self._open_results()
        self._announce(Changes(second_read=True, findings=True, view=True))

    def _open_results(self) -> None:
        try:
            self._results = self._reads.opened(self._study, self._person)
        except ProblemError as error:
            self._results = ()
            self._notice(Notice(error.problem, "retry_read"))

    # -- verdicts --------------------------------------------------------------------------------------------------

    @property
    def results(self) -> tuple[ReadResult, ...]:
        """Empty before the commit, whatever the readers have found."""
        return self._results if self._opinion is not None else ()

    def ai_findings(self) -> tuple[Finding, ...]:
        return ordered(self.results)

    def verdict(self, finding_id: str) -> Verdict | None:
        return self._verdicts.get(finding_id)

    @property
    def verdicts(self) -> dict[str, Verdict]:
        return dict(self._verdicts)

    def unanswered(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.ai_findings() if f.finding_id not in self._verdicts)

    def reading_on(self) -> bool:
        """A second reader is still at work on this study, or waits its turn."""
        return any(r.state in (SealState.WAITING, SealState.RUNNING) for r in self._reads.results(self._study))

    def accept(self, finding_id: str) -> None:
        self._give(finding_id, Decision.ACCEPTED)

    def reject(self, finding_id: str, reason: RejectReason, comment: str = "") -> None:
        self._give(finding_id, Decision.REJECTED, reason=reason, comment=comment)

    def modify(self, finding_id: str, modified: Finding, comment: str = "") -> None:
        self._give(finding_id, Decision.MODIFIED, modified=modified, comment=comment)

    def _give(
        self,
        finding_id: str,
        decision: Decision,
        *,
        reason: RejectReason | None = None,
        comment: str = "",
        modified: Finding | None = None,
    ) -> None:
        if all(f.finding_id != finding_id for f in self.ai_findings()):
            raise fail("findings.no_such_finding")
        self.before_verdicts()
        self._decide(finding_id, decision, reason, comment, modified)
        self._announce(Changes(findings=True, second_read=True, report=True, view=True, worklist=True))

    def _decide(
        self, finding_id: str, decision: Decision, reason: RejectReason | None, comment: str, modified: Finding | None
    ) -> None:
        def work(tx: Any) -> Verdict:
            last = self._library.verdicts.last(self._study, tx).get(finding_id)
            mine = self._verdicts.get(finding_id)
            holds = last if last is not None and last.decision is not Decision.WITHDRAWN else None
            if (mine.verdict_id if mine else "") != (holds.verdict_id if holds else ""):
                raise fail("store.verdict_outdated", kept_safe="safe.earlier_verdict", next_step="next.look_again")
            verdict = Verdict(
                new_uid(), finding_id, decision, self._person, tx.tick(), reason, comment, modified,
                last.verdict_id if last else "",
            )  # fmt: skip
            return self._library.verdicts.give(tx, self._study, verdict)

        given = self._library.write(work)
        self._verdicts = {k: v for k, v in self._verdicts.items() if k != finding_id}
        if given.decision is not Decision.WITHDRAWN:
            self._verdicts[finding_id] = given

    def restore_verdicts(self, wanted: Mapping[str, Verdict]) -> None:
        """Undo: each finding has the answer that it had then, or waits for one. The log keeps every change of mind."""
        now = self._verdicts
        for finding_id in [k for k in {**now, **wanted} if _said(now.get(k)) != _said(wanted.get(k))]:
            then = wanted.get(finding_id)
            if then is None:
                self._decide(finding_id, Decision.WITHDRAWN, None, "", None)
            else:
                self._decide(finding_id, then.decision, then.reason, then.comment, then.modified)
        self._announce(Changes(findings=True, second_read=True, report=True, view=True, worklist=True))

    def accepted_findings(self) -> tuple[Finding, ...]:
        """AI findings that a person accepted or modified, as they now stand."""
        out = []
        for finding in self.ai_findings():
            verdict = self._verdicts.get(finding.finding_id)
            if verdict is None or verdict.decision is Decision.REJECTED:
                continue
            out.append(verdict.modified if verdict.modified is not None else finding)
        return tuple(out)

    # -- what is shown ---------------------------------------------------------------------------------------------

    def set_heatmap(self, visible: bool | None = None, opacity: float | None = None, threshold: float | None = None) -> None:
        self.before_heat("visible" if visible is not None else "opacity" if opacity is not None else "threshold")
        look = self._heat
        self._heat = replace(
            look,
            visible=look.visible if visible is None else visible,
            opacity=look.opacity if opacity is None else min(1.0, max(0.0, opacity)),
            threshold=look.threshold if threshold is None else min(1.0, max(0.0, threshold)),
        )
        self._announce(Changes(view=True, second_read=True))

    @property
    def heat(self) -> Appearance:
        """How the second reader's map is shown."""
        return self._heat

    @heat.setter
    def heat(self, look: Appearance) -> None:
        self._heat = look
        self._announce(Changes(view=True, second_read=True))

    @property
    def ai_visible(self) -> bool:
        return self._heat.visible

    def overlay(self) -> Overlay:
        shown = shown_marks(self._marks, self._provisional, self._selected, self.doubts)
        if self.beside is not None:
            shown += self.beside.overlay()
        layers: tuple[HeatmapLayer | MaskLayer, ...] = self.mask_layers(self._marks)
        ai_shown = bool(self.results) and self._heat.visible
        if ai_shown:
            shown += ai_drawing.marks(self.ai_findings(), self._verdicts, self._selected)
            layers = (*layers, *ai_drawing.layers(self.results, self._verdicts, self._heat))
        research = any(r.reader.research_use_only for r in self.results)
        return Overlay(tuple(shown), layers, ai_shown, research)

    def models(self) -> dict[str, ModelCard]:
        return {p.name: p.card for p in self._catalogue.installed()}

    def view(self) -> SecondReadView:
        rows = read_first(self._reads.results(self._study), self.results)
        row = _told_first(rows)
        state = _STATES[row.state] if row is not None else AiState.NO_READER
        if state is AiState.SEALED and self.committed:
            state = AiState.REVEALED
        card = self._catalogue.card(row.reader) if row is not None else None
        mine, ai_only, only_mine, agreed = split(
            self.own_findings(), tuple(map(self.shown_as, self.ai_findings())), self._verdicts, self._place, self.models()
        )
        return SecondReadView(
            state=state,
            reader=row.reader if row else "",
            version=row.reader_version if row else "",
            problem=row.problems[0] if row and row.problems else None,
            fraction=self._reads.fraction(self._study),
            ready_at=local_hms(utc_iso(row.hlc)) if row and row.state is SealState.SEALED else "",
            mode=card.mode if card else "second",
            committed_at=local_hms(utc_iso(self._opinion.hlc)) if self._opinion else "",
            own=mine,
            ai_only=ai_only,
            only_mine=only_mine if self.results else (),
            agreed=agreed,
            unanswered=len(self.unanswered()),
            total_ai=len(self.ai_findings()),
            heatmap_available=any(r.heatmaps for r in self.results),
            heatmap_visible=self._heat.visible,
            heatmap_opacity=self._heat.opacity,
            heatmap_threshold=self._heat.threshold,
            said=said(rows, self.results, self.models()) if self.committed else (),
        )

    def next_unanswered(self) -> Finding | None:
        """The one after the selected, wrapping round."""
        waiting = self.unanswered()
        if not waiting:
            return None
        everything = [f.finding_id for f in self.ai_findings()]
        at = everything.index(self._selected) if self._selected in everything else -1
        after = [f for f in waiting if everything.index(f.finding_id) > at]
        return (after or list(waiting))[0]

    def card(self, finding_id: str) -> FindingCard | None:
        view = self.view()
        cards = (*view.own, *view.ai_only, *view.agreed)
        return next((c for c in cards if c.finding.finding_id == finding_id), None)


def _told_first(rows: Sequence[SealedResult]) -> SealedResult | None:
    """The run that the panel speaks of: what needs attention before what is done."""
    for state in _SAID_FIRST:
        for row in rows:
            if _STATES[row.state] is state:
                return row
    return None


def _said(verdict: Verdict | None) -> tuple[object, ...]:
    return (verdict.decision, verdict.reason, verdict.comment, verdict.modified) if verdict is not None else ()

"""The window's verbs for earlier marks: carry over, accept or decline, go there, put the course into the report."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from app.domain.finding import Finding
from app.domain.messages import translate
from app.report import words
from app.session.cards import sizes, title_of
from app.session.carrying import carried_from, points_mm
from app.session.clock import dicom_date
from app.session.course import CourseRow
from app.session.prior_desk import PriorDesk
from app.session.prior_views import CourseCard, CourseLine, EarlierRow, EarlierView, ProposalRow
from app.session.reading_room import ReadingRoom
from app.session.report_desk import ReportDesk
from app.session.tracking_words import signed
from app.session.views import Words

if TYPE_CHECKING:
    from app.session.then_verbs import ThenVerbs


def _signed(value: float | None, digits: int) -> str:
    return "" if value is None else signed(value, digits)


def _day(on: date) -> str:
    return dicom_date(on.strftime("%Y%m%d"))


def _line(row: CourseRow) -> CourseLine:
    return CourseLine(
        _day(row.on),
        f"{row.size_mm:.1f}" if row.size_mm is not None else "",
        _signed(row.change_mm, 1),
        _signed(row.change_percent, 0),
        f"{row.volume_mm3 / 1000.0:.2f}" if row.volume_mm3 is not None else "",
        _signed(row.volume_percent, 0),
    )


def _value(finding: Finding) -> tuple[str, str]:
    """(number, unit) of what tells its size."""
    found = sizes(finding.measurements)
    return (found[0][1], found[0][2]) if found else ("", "")


class PriorVerbs:
    def __init__(self, desk: PriorDesk, reports: ReportDesk, room: ReadingRoom) -> None:
        self.desk, self._reports, self._room = desk, reports, room
        self.thens: ThenVerbs | None = None
        """A second reader's nodules in the earlier scan; set by whoever opens the study."""

    def view(self) -> EarlierView:
        desk = self.desk
        taken = desk.followed()
        courses = desk.tracked()
        for finding, _ in courses:
            taken |= {m.finding.finding_id for m in desk.marks() if desk.is_followed_by(m, finding)}
        rows = tuple(
            EarlierRow(
                m.finding.finding_id,
                title_of(m.finding),
                *_value(m.finding),
                dicom_date(m.study_datetime),
                Words(f"earlier.{m.whose.value}"),
                desk.waits(m.finding.finding_id),
                desk.can_drop(m.finding.finding_id),
            )
            for m in desk.marks()
            if m.can_follow and m.finding.finding_id not in taken
        )
        lost = self.thens.lost() if self.thens is not None else ()
        return EarlierView(
            tuple(ProposalRow(p.finding_id, title_of(p), *_value(p), self._date_of(p)) for p in desk.proposals()),
            tuple(
                CourseCard(f.finding_id, desk.badge(f.finding_id), title_of(f), tuple(map(_line, r)), self._told(f, r))
                for f, r in courses
            ),
            rows,
            lost,
        )

    def _date_of(self, proposal: Finding) -> str:
        then = self.desk.mark(carried_from(proposal))
        return dicom_date(then.study_datetime) if then is not None else ""

    # -- verbs -----------------------------------------------------------------------------------------------------

    def carry(self, finding_id: str = "") -> None:
        self.desk.carry(finding_id)

    def accept(self, finding_id: str) -> None:
        self.desk.accept(finding_id)

    def drop(self, finding_id: str) -> None:
        self.desk.drop(finding_id)

    def go_to(self, finding_id: str) -> None:
        """Panes that can show an earlier mark go to it; where none shows its images, the active pane takes them."""
        room, mark = self._room, self.desk.mark(finding_id)
        finding, study = (mark.finding, mark.study_instance_uid) if mark is not None else (None, "")
        if finding is None and self.thens is not None:
            finding, study = self.thens.desk.earlier_finding(finding_id)
        if finding is None:
            return
        uid, number = finding.location.sop_instance_uid, finding.location.frame
        for chosen in room.content.sets():
            at = next((n for n, f in enumerate(chosen.frames) if (f.sop_instance_uid, f.frame) == (uid, number)), None)
            if at is None or chosen.study_instance_uid != study:
                continue
            pane = next((p.pane_id for p in room.panes() if p.display_set_id == chosen.display_set_id), "")
            if not pane:
                pane = next((p.pane_id for p in room.panes() if p.prior), room.active)
                room.put_in_pane(pane, chosen.display_set_id)
            room.activate(pane)
            room.change_view(frame_index=at)
            return
        points = points_mm(finding)
        if points:
            room.show_point(points[0])

    # -- the report ------------------------------------------------------------------------------------------------

    def _text(self, finding: Finding, rows: tuple[CourseRow, ...]) -> str:
        language = self._reports.report().language

        def number(value: float, digits: int) -> str:
            return words.number(language, value, digits)

        def signed(value: float, digits: int) -> str:
            text = number(abs(value), digits)
            zero = not any(c in "123456789" for c in text)
            return text if zero else f"{'+' if value > 0 else chr(0x2212)}{text}"

        steps = []
        for row in rows:
            said = []
            if row.size_mm is not None:
                said.append(translate(language, "course.mm", {"value": number(row.size_mm, 1)}))
            if row.change_mm is not None and row.change_percent is not None:
                change = {"mm": signed(row.change_mm, 1), "percent": signed(row.change_percent, 0)}
                said.append(translate(language, "course.change", change))
            if row.volume_mm3 is not None:
                said.append(translate(language, "course.volume", {"value": number(row.volume_mm3 / 1000.0, 2)}))
            if row.volume_percent is not None:
                said.append(translate(language, "course.volume_change", {"percent": signed(row.volume_percent, 0)}))
            steps.append(f"{_day(row.on)}: {', '.join(said)}")
        where = words.where_words(language, finding)
        params = {
            "what": words.kind_words(language, finding),
            "where": f", {where}" if where else "",
            "steps": "; ".join(steps),
        }
        return words.sentence(translate(language, "course.report", params))

    def _told(self, finding: Finding, rows: tuple[CourseRow, ...]) -> bool:
        text = self._text(finding, rows)
        return any(line.text == text for s in self._reports.report().sections for line in s.lines)

    def to_report(self, finding_id: str) -> None:
        """The course as a line of its own behind the finding's, in the words of the reader from then on."""
        found = next(((f, r) for f, r in self.desk.tracked() if f.finding_id == finding_id), None)
        if found is None or self._told(*found):
            return
        report = self._reports.report()
        section, index = report.sections[0].section_id, len(report.sections[0].lines)
        for candidate in report.sections:
            at = next((n for n, line in enumerate(candidate.lines) if finding_id in line.finding_ids), None)
            if at is not None:
                section, index = candidate.section_id, at + 1
                break
        self._reports.add_line(section, self._text(*found), index)
        self.desk.course_told()

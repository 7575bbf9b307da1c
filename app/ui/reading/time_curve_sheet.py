"""The courses of all regions of a 4D series in one large chart, with their figures; saved as plain numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFileDialog, QGridLayout, QSizePolicy, QWidget

from app.domain.problem import Problem, Severity
from app.session.time_curves import Course, as_csv
from app.session.views import Changes, Notice, Words
from app.ui.i18n import number, tr
from app.ui.reading.paint_primitives import paint_primitives, text_width
from app.ui.theme import colour
from app.ui.widgets.boxes import Line, VScroll, clear, column, row
from app.ui.widgets.buttons import OUTLINE, Button
from app.ui.widgets.segments import Segments
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, note
from app.viewer.style import Style
from app.viewer.time_chart import chart_primitives, colour_of
from app.viewer.words import unit_text

if TYPE_CHECKING:
    from app.session.workstation import Workstation

FILE_NAME = "time_curves.csv"


def show_time_curves(workstation: Workstation, window: QWidget) -> TimeCurveSheet | None:
    """The sheet over the window; where the active pane has no curve the status line says why."""
    reading = workstation.reading
    if reading is None:
        return None
    why = reading.time_curves.why_not(reading.room.pane(reading.room.active))
    if why is not None:
        workstation.notice.emit(Notice(why))
        return None
    sheet = TimeCurveSheet(workstation, window)
    sheet.closed.connect(sheet.deleteLater)
    sheet.open()
    return sheet


class _Chart(QWidget):
    """As large as the sheet allows."""

    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self.courses: tuple[Course, ...] = ()
        self.relative = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(280, 220)

    def show_courses(self, courses: tuple[Course, ...], relative: bool) -> None:
        self.courses, self.relative = courses, relative
        told = [tr("ui.time_curve.region", n=c.number) for c in courses]
        self.setAccessibleName(", ".join([tr("ui.time_curve"), *told]))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("ground"))
        reading = self._workstation.reading
        if reading is not None:
            ratio = self.devicePixelRatioF()
            painter.scale(1 / ratio, 1 / ratio)
            size = (max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio)))
            style = Style(ratio, text_width)
            curves = [c.curve for c in self.courses]
            paint_primitives(painter, chart_primitives(curves, size, reading.room.texts, style, self.relative))
        painter.end()


class _Swatch(QWidget):
    """The colour of a curve."""

    def __init__(self, rgb: tuple[int, int, int], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rgb = rgb
        self.setFixedSize(22, 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(QRectF(0, 5, 22, 4), QColor(*self._rgb))
        painter.end()


class TimeCurveSheet(Sheet):
    def __init__(self, workstation: Workstation, parent: QWidget) -> None:
        super().__init__(Words("ui.time_curve"), QSize(1180, 760), parent)
        self._workstation = workstation
        reading = workstation.reading
        self._pane_id = reading.room.active if reading is not None else ""
        self._shown: tuple[Course, ...] = ()
        both = row(gap=0)
        self.chart = _Chart(workstation)
        both.addWidget(self.chart, 1)
        both.addWidget(Line(vertical=True))
        side = QWidget()
        self._list = column(side, (16, 14, 16, 14), 10)
        scroll = VScroll(side)
        scroll.setFixedWidth(300)
        both.addWidget(scroll)
        self.body.addLayout(both, 1)
        self.body.addWidget(Line())
        foot = row(margins=(16, 10, 16, 10), gap=12)
        self.scale = Segments(
            [(False, Words("ui.time_curve.values")), (True, Words("time_curve.axis.relative"))],
            False,
            name=Words("ui.time_curve.scale"),
            stretch=False,
        )
        self.scale.chosen.connect(lambda _: self.refresh())
        foot.addWidget(self.scale)
        foot.addWidget(note(Words("ui.time_curve.anonymous"), wrap=True), 1, Qt.AlignmentFlag.AlignVCenter)
        self.save_button = Button(Words("ui.time_curve.save"), OUTLINE, "floppy-disk", height=40)
        self.save_button.clicked.connect(self._ask)
        foot.addWidget(self.save_button)
        self.body.addLayout(foot)
        self._disconnect = workstation.changed.connect(self._changed)
        self.refresh()

    def _changed(self, changes: Changes) -> None:
        if changes.study:
            self.leave()
        elif changes.images or changes.view or changes.findings or changes.layout:
            self.refresh()

    def refresh(self) -> None:
        reading = self._workstation.reading
        if reading is None or all(p.pane_id != self._pane_id for p in reading.room.panes()):
            return
        courses = reading.time_curves.all(reading.room.pane(self._pane_id))
        self.chart.show_courses(courses, bool(self.scale.value()))
        self.save_button.setEnabled(bool(courses))
        if courses != self._shown:
            self._shown = courses
            clear(self._list)
            for course in courses:
                self._list.addWidget(self._card(course))
            self._list.addStretch(1)

    def _card(self, course: Course) -> QWidget:
        card = QWidget()
        lay = column(card, gap=2)
        top = row(gap=8)
        top.addWidget(_Swatch(colour_of(course.number - 1)))
        words = tr("ui.time_curve.region", n=course.number) + (f" \u00b7 {course.name}" if course.name else "")
        top.addWidget(Text(words, "body", "semibold"), 1)
        lay.addLayout(top)
        grid = QGridLayout()
        grid.setContentsMargins(30, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(0)
        for line, (name, value) in enumerate(self._figures(course)):
            grid.addWidget(Text(Words(name), "body", "regular", "secondary", elide=False), line, 0)
            grid.addWidget(Text(value, "body", "regular", elide=False, align=Qt.AlignmentFlag.AlignRight), line, 1)
        grid.setColumnStretch(1, 1)
        lay.addLayout(grid)
        known = sum(v is not None for v in course.curve.values)
        if known < len(course.curve.values):
            told = Words("ui.time_curve.loading", {"known": known, "of": len(course.curve.values)})
            lay.addWidget(note(told, wrap=True))
        return card

    def _figures(self, course: Course) -> list[tuple[str, str]]:
        curve = course.curve
        reading = self._workstation.reading
        unit = unit_text(reading.room.texts, curve.unit) if reading is not None else ""
        known = [(t, v) for t, v in zip(curve.along, curve.values, strict=True) if v is not None]
        if not known:
            return []
        top = max(known, key=lambda p: p[1])
        digits = 0 if abs(top[1]) >= 100 else 1
        out = []
        if curve.values[0] is not None:
            out.append(("ui.time_curve.first", f"{number(curve.values[0], digits)} {unit}".strip()))
        out.append(("ui.time_curve.highest", f"{number(top[1], digits)} {unit}".strip()))
        if curve.change_percent is not None:
            out.append(("ui.time_curve.rise", f"{number(curve.change_percent, 0)} %"))
        moment = "time_curve.seconds" if curve.times_s else "time_curve.moment"
        out.append(("ui.time_curve.peak", tr(moment, value=number(top[0], 0))))
        return out

    def _ask(self) -> None:
        file, _ = QFileDialog.getSaveFileName(self, tr("ui.time_curve.save"), FILE_NAME, "CSV (*.csv)")
        if file:
            self.save(Path(file))

    def save(self, path: Path) -> None:
        """Writes the numbers; the status line says so, or why not."""
        try:
            path.write_text(as_csv(self._shown), encoding="utf-8-sig", newline="")
        except OSError as error:
            self._workstation.notice.emit(Notice(Problem("capture.not_saved", {"kind": type(error).__name__})))
            return
        self._workstation.notice.emit(Notice(Problem("capture.saved", {"file": path.name}, severity=Severity.NOTE)))

    def leave(self) -> None:
        self._disconnect()
        super().leave()

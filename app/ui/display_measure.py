"""The 18 grey levels of a display, read with a luminance meter, held against the standard; earlier measurements by date."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.domain.problem import ProblemError
from app.session.display_log import DisplayLog, Measured
from app.session.views import Words
from app.ui.i18n import number, tr, tr_problem
from app.ui.theme import colour
from app.ui.widgets.boxes import VScroll, clear, column, row
from app.ui.widgets.buttons import PRIMARY, Button
from app.ui.widgets.field import Field
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import paint_text
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, heading, note
from app.viewer.gsdf_fit import LEVELS, LIMITS, Grade, GsdfFit, fit

SHOWN = 12
_SURROUND = 51
"""20 % of the input around the patch, as TG18-LN has it."""


class _Patch(QWidget):
    """One grey level in the middle, exactly as computed, for the meter to be held against."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.level = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 200)

    def show_level(self, level: int) -> None:
        self.level = level
        self.setAccessibleName(tr("display.patch", level=level))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(_SURROUND, _SURROUND, _SURROUND))
        side = min(self.width(), self.height()) * 0.5
        box = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        painter.fillRect(box, QColor(self.level, self.level, self.level))
        painter.end()


class _Curve(QWidget):
    """Deviation of each step's contrast from the standard's; the band is what primary reading allows."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fit: GsdfFit | None = None
        self.setFixedHeight(130)

    def show_fit(self, found: GsdfFit | None) -> None:
        self._fit = found
        greatest = number(100 * found.greatest) if found is not None else "–"
        self.setAccessibleName(tr("display.curve", value=greatest))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(44, 6, self.width() - 52, self.height() - 14)
        painter.fillRect(box, colour("ground"))
        if self._fit is not None:
            most = max(0.3, self._fit.greatest * 1.15)

            def y(value: float) -> float:
                return box.center().y() - value / most * box.height() / 2

            allowed = LIMITS[Grade.PRIMARY].deviation
            painter.fillRect(QRectF(box.left(), y(allowed), box.width(), y(-allowed) - y(allowed)), colour("ok_wash"))
            painter.setPen(QPen(colour("line"), 1))
            painter.drawLine(QPointF(box.left(), y(0)), QPointF(box.right(), y(0)))
            for value in (allowed, 0.0, -allowed):
                shown = f"{round(100 * value):+d} %" if value else "0 %"
                paint_text(painter, QRectF(0, y(value) - 9, 42, 18), shown.replace("-", "−"), "third", "small")
            step = box.width() / len(self._fit.deviations)
            for n, value in enumerate(self._fit.deviations):
                good = abs(value) <= allowed
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colour("text" if good else "bad"))
                at = QPointF(box.left() + (n + 0.5) * step, y(value))
                if good:
                    painter.drawEllipse(at, 3, 3)
                else:  # another shape, not only another colour
                    painter.drawRect(QRectF(at.x() - 4, at.y() - 4, 8, 8))
        painter.end()


class DisplayMeasure(Sheet):
    def __init__(self, log: DisplayLog, screen: str, parent: QWidget) -> None:
        super().__init__(Words("display.measure"), QSize(1500, 940), parent)
        self._log, self._screen = log, screen
        content = row(gap=20)
        content.setContentsMargins(20, 16, 20, 16)
        left = column(gap=10)
        self.patch = _Patch()
        left.addWidget(self.patch, 1)
        left.addWidget(Text(Words("display.how"), "body", "regular", "secondary", wrap=True))
        content.addLayout(left, 3)
        side = QWidget()
        right = column(side, (0, 0, 12, 0), 10)
        right.addWidget(heading(Words("display.levels")))
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(6)
        self.fields: list[Field] = []
        for n, level in enumerate(LEVELS):
            place = (n % 9, 2 * (n // 9))
            grid.addWidget(Text(str(level), "body", "medium", "secondary", elide=False), *place)
            field = self._field(Words("display.level", {"level": level}))
            field.edit.moved.connect(lambda f=field, v=level: self.patch.show_level(v) if f.edit.hasFocus() else None)
            field.entered.connect(lambda n=n: self._next(n))
            grid.addWidget(field, place[0], place[1] + 1)
            self.fields.append(field)
        right.addLayout(grid)
        line = row(gap=10)
        line.addWidget(Text(Words("display.ambient"), "body", "medium", wrap=True), 1)
        self.ambient = self._field(Words("display.ambient"))
        self.ambient.setFixedWidth(120)
        self.ambient.entered.connect(self._keep)
        line.addWidget(self.ambient)
        right.addLayout(line)
        self._curve = _Curve()
        right.addWidget(self._curve)
        said = row(gap=8)
        self._sign = Glyph("info", "secondary")
        said.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        self._said = Text("", "body", "regular", "text", wrap=True)
        said.addWidget(self._said, 1)
        right.addLayout(said)
        keep = Button(Words("display.keep"), PRIMARY, height=40)
        keep.clicked.connect(self._keep)
        right.addWidget(keep)
        right.addWidget(heading(Words("display.kept")))
        self._lines = column(gap=4)
        right.addLayout(self._lines)
        right.addStretch(1)
        content.addWidget(VScroll(side), 2)
        self.body.addLayout(content, 1)
        self.patch.show_level(0)
        self._show_log()
        self._weigh()

    def open(self) -> None:
        super().open()
        self.fields[0].edit.setFocus()

    def _field(self, name: Words) -> Field:
        made = Field(name, Words("display.unit"))
        made.edit.setMaxLength(10)
        made.changed.connect(lambda _: self._weigh())
        return made

    def _next(self, number_: int) -> None:
        (self.fields[number_ + 1] if number_ + 1 < len(self.fields) else self.ambient).edit.setFocus()

    def values(self) -> list[float | None]:
        return [_number(f.text()) for f in self.fields]

    def _weigh(self) -> None:
        """The verdict while typing; what is wrong is said at once."""
        values, ambient = self.values(), _number(self.ambient.text() or "0")
        for field, value in zip(self.fields, values, strict=True):
            field.set_wrong(bool(field.text()) and value is None)
        typed = sum(v is not None for v in values)
        if typed < len(values) or ambient is None:
            self._curve.show_fit(None)
            self._tell("info", "secondary", tr("display.so_far", n=typed, all=len(values)))
            return
        try:
            found = fit([v or 0.0 for v in values], ambient)
        except ProblemError as error:
            self._curve.show_fit(None)
            self._tell("warning-circle", "bad", tr_problem(error.problem))
            return
        self._curve.show_fit(found)
        icon, role = {Grade.PRIMARY: ("seal-check", "ok"), Grade.SECONDARY: ("warning", "secondary")}.get(
            found.grade, ("warning-circle", "bad")
        )
        self._tell(icon, role, verdict(found))

    def _tell(self, icon: str, role: str, text: str) -> None:
        self._sign.show_icon(icon, role)
        self._said.say(text)

    def _keep(self) -> None:
        values = self.values()
        if any(v is None for v in values):
            return
        try:
            self._log.add(self._screen, [v or 0.0 for v in values], _number(self.ambient.text() or "0") or 0.0)
        except ProblemError as error:
            self._tell("warning-circle", "bad", tr_problem(error.problem))
            return
        self._show_log()

    def _show_log(self) -> None:
        clear(self._lines)
        lines = self._log.of()[:SHOWN]
        for line in lines:
            one = row(gap=8)
            fully = line.passed and line.fit.grade is Grade.PRIMARY
            icon, role = ("check", "ok") if fully else ("warning", "secondary") if line.passed else ("x", "bad")
            one.addWidget(Glyph(icon, role, 16), 0, Qt.AlignmentFlag.AlignTop)
            one.addWidget(Text(line_words(line), "small", "regular", "secondary", wrap=True), 1)
            self._lines.addLayout(one)
        if not lines:
            self._lines.addWidget(note(Words("display.none_kept"), wrap=True))


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if 0 <= value < 10_000 else None


def verdict(found: GsdfFit) -> str:
    """Grade, greatest deviation, ratio, JNDs a step, and which limits do not hold."""
    parts = [
        tr(f"display.grade.{found.grade.value}"),
        tr(
            "display.figures",
            deviation=number(100 * found.greatest),
            ratio=round(found.ratio),
            jnds=number(found.jnds_a_step),
            rmse=number(found.jnds_rmse, 2),
        ),
        *(tr(f"display.broken.{name}") for name in found.broken),
    ]
    return " ".join(parts)


def line_words(line: Measured) -> str:
    """A line of the log: day, display, verdict, white, drift."""
    drift = "" if line.drift is None else " · " + tr("display.drift", value=f"{100 * line.drift:+.1f}")
    grade = tr(f"display.grade.{line.fit.grade.value}")
    white = tr("display.white", value=number(line.luminances_cd_m2[-1], 0))
    return f"{line.at} · {line.screen} · {grade} {number(100 * line.fit.greatest)} % · {white}{drift}"

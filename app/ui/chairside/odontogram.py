"""The tooth chart: 32 teeth with their surfaces, from the dentist's entries and what a second reader found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from app.domain.teeth import LOWER, PERMANENT, SURFACES, UPPER, is_upper
from app.session.teeth_desk import ON_SURFACES, STATES, ChartEntry, ChartTooth, TeethDesk
from app.session.views import Words
from app.ui.chairside.tooth_paths import placed, surface_polygon, tooth_path
from app.ui.i18n import tr
from app.ui.icons import icon, paint_icon
from app.ui.theme import colour, font
from app.ui.widgets.boxes import Surface, column, row
from app.ui.widgets.buttons import LINK, OUTLINE, Button
from app.ui.widgets.paint import CENTRE, paint_focus, paint_text, rounded, text_width
from app.ui.widgets.text import Text

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession

HEIGHT = 256
_SIDE = 22.0
_NUMBER = 17.0
_LEGEND = (
    ("mine", "ui.teeth.legend.mine"),
    ("ai_accepted", "ui.teeth.legend.accepted"),
    ("ai_pending", "ui.teeth.legend.pending"),
    ("missing", "ui.teeth.legend.missing"),
)


class Odontogram(Surface):
    """Heading, legend and chart. Tap a tooth: its finding opens at the right, a second tap offers its states."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", "t", parent)
        self.setFixedHeight(HEIGHT)
        self._reading: ReadingSession | None = None
        lay = column(self, (12, 6, 12, 4), 2)
        top = row(gap=8)
        top.addWidget(Text(Words("ui.teeth.title"), "small", "semibold", "secondary", elide=False))
        self.legend = _Legend()
        top.addWidget(self.legend, 1)
        self._reset = Button(Words("ui.teeth.reset"), LINK)
        self._reset.clicked.connect(self._reset_numbers)
        self.numbers = Button(Words("ui.teeth.numbers"), OUTLINE, checkable=True, height=28)
        self.numbers.clicked.connect(self._toggle_numbers)
        top.addWidget(self._reset)
        top.addWidget(self.numbers)
        lay.addLayout(top)
        self.chart = Chart()
        lay.addWidget(self.chart, 1)

    def refresh(self, reading: ReadingSession) -> None:
        self._reading = reading
        teeth = reading.teeth
        assert teeth is not None
        self.numbers.setChecked(teeth.numbers_shown)
        self.numbers.setVisible(bool(teeth.numbers()))
        self._reset.setVisible(bool(teeth.corrected()))
        self.chart.show_teeth(teeth)

    def _toggle_numbers(self) -> None:
        if self._reading is not None and self._reading.teeth is not None:
            self._reading.teeth.show_numbers(self.numbers.isChecked())

    def _reset_numbers(self) -> None:
        if self._reading is not None and self._reading.teeth is not None:
            self._reading.teeth.reset_numbers()


class _Legend(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(28)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self.update()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        words = [(kind, tr(message)) for kind, message in _LEGEND]
        x = self.width() - sum(text_width(t, font("small")) + 34 for _, t in words)
        for kind, text in words:
            if x >= 0:
                box = QRectF(x, 8, 12, 12)
                if kind == "missing":
                    painter.setPen(QPen(colour("text"), 1.2))
                    painter.drawLine(box.topLeft(), box.bottomRight())
                    painter.drawLine(box.topRight(), box.bottomLeft())
                else:
                    _dress(painter, kind)
                    painter.drawRect(box)
                paint_text(painter, QRectF(x + 18, 0, 400, 28), text, "secondary", "small")
            x += text_width(text, font("small")) + 34
        painter.end()


def _dress(painter: QPainter, origin: str, strong: bool = True) -> None:
    """Pen and brush by who says it: shape and colour together, never colour alone."""
    if origin == "mine":
        painter.setPen(QPen(colour("mine"), 1.4))
        painter.setBrush(colour("mine_wash"))
    elif origin == "ai_accepted":
        painter.setPen(QPen(colour("ai_line"), 1.4))
        painter.setBrush(colour("secondary") if strong else colour("ai_wash"))
    else:
        painter.setPen(QPen(colour("ai_line"), 1.4, Qt.PenStyle.DashLine))
        painter.setBrush(QBrush(colour("ai_line"), Qt.BrushStyle.BDiagPattern))


class Chart(QWidget):
    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._teeth: dict[int, ChartTooth] = {n: ChartTooth(n) for n in PERMANENT}
        self._desk: TeethDesk | None = None
        self._selected = 0
        self._at = 0
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        return QSize(900, 190)

    def show_teeth(self, desk: TeethDesk) -> None:
        teeth = {t.fdi: t for t in desk.chart()}
        if (teeth, desk.selected) != (self._teeth, self._selected) or desk is not self._desk:
            self._teeth, self._selected, self._desk = teeth, desk.selected, desk
            self._say()
            self.update()

    def _say(self) -> None:
        said = [self._sentence(t) for t in self._teeth.values() if t.entries]
        self.setAccessibleName(f"{tr('ui.teeth.title')}. " + "; ".join(said))

    def _sentence(self, tooth: ChartTooth) -> str:
        return f"{tooth.fdi}: " + ", ".join(tr(f"ui.teeth.state.{e.kind}") for e in tooth.entries if e.kind in STATES)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._say()
            self.update()
        super().changeEvent(event)

    # geometry

    def cell(self, fdi: int) -> QRectF:
        """The tooth's column in its half of the chart: what a finger may hit."""
        across = (self.width() - 2 * _SIDE) / 16
        upper = is_upper(fdi)
        index = (UPPER if upper else LOWER).index(fdi)
        half = self.height() / 2
        return QRectF(_SIDE + index * across, 0.0 if upper else half, across, half)

    def _parts(self, fdi: int) -> tuple[QRectF, QRectF, QRectF]:
        """(tooth, square, number) within the cell."""
        cell = self.cell(fdi)
        side = min(26.0, cell.width() - 8, cell.height() * 0.3)
        wide = min(cell.width() - 6, 46.0)
        x = cell.center().x()
        tall = cell.height() - side - _NUMBER - 8
        if is_upper(fdi):
            tooth = QRectF(x - wide / 2, cell.top() + 2, wide, tall)
            square = QRectF(x - side / 2, tooth.bottom() + 2, side, side)
            label = QRectF(cell.left(), square.bottom() + 1, cell.width(), _NUMBER)
        else:
            label = QRectF(cell.left(), cell.top() + 2, cell.width(), _NUMBER)
            square = QRectF(x - side / 2, label.bottom() + 1, side, side)
            tooth = QRectF(x - wide / 2, square.bottom() + 2, wide, tall)
        return tooth, square, label

    def tooth_at(self, x: float, y: float) -> int:
        return next((n for n in PERMANENT if self.cell(n).contains(QPointF(x, y))), 0)

    # hands

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        fdi = self.tooth_at(event.position().x(), event.position().y())
        if not fdi or self._desk is None:
            return
        self._at = PERMANENT.index(fdi)
        if event.button() == Qt.MouseButton.RightButton or self._desk.selected == fdi:
            self.offer(fdi)
        else:
            self._desk.select(fdi)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1, Qt.Key.Key_Down: 16, Qt.Key.Key_Up: -16}.get(Qt.Key(event.key()))
        if step is not None:
            self._at = min(max(self._at + step, 0), 31)
            if self._desk is not None and self._desk.selected != PERMANENT[self._at]:
                self._desk.select(PERMANENT[self._at])
            self.update()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Space):
            self.offer(PERMANENT[self._at])
        else:
            super().keyPressEvent(event)

    def offer(self, fdi: int) -> None:
        """The states of a tooth under its cell."""
        menu = self.menu(fdi)
        cell = self.cell(fdi)
        menu.popup(self.mapToGlobal(QPoint(round(cell.left()), round(cell.top() if not is_upper(fdi) else cell.bottom()))))

    def menu(self, fdi: int) -> QMenu:
        """The dentist's entries: a tick takes one back. What a second reader said is answered at the right."""
        made = QMenu(self)
        made.setObjectName("touch")
        desk = self._desk
        assert desk is not None
        mine = desk.states_of(fdi)
        title = made.addAction(tr("region.tooth", fdi=str(fdi)))
        title.setEnabled(False)
        for kind in STATES:
            action = made.addAction(tr(f"ui.teeth.state.{kind}"))
            if kind in mine:
                action.setIcon(icon("check", "mine"))
            action.triggered.connect(lambda _=False, k=kind: desk.toggle(fdi, k))
        if not {"missing_tooth", "implant"} & set(mine):
            made.addSeparator()
            lying = next((mine[k] for k in ON_SURFACES if k in mine), None)
            for surface in SURFACES:
                action = made.addAction(f"{surface}   {tr(f'ui.teeth.surface.{surface.lower()}')}")
                if lying is not None and surface in lying.surfaces:
                    action.setIcon(icon("check", "mine"))
                action.triggered.connect(lambda _=False, s=surface: desk.toggle_surface(fdi, s))
        return made

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() / 2
        painter.setPen(QPen(colour("line"), 1))
        painter.drawLine(QPointF(_SIDE, middle), QPointF(self.width() - _SIDE, middle))
        painter.drawLine(QPointF(self.width() / 2, 0), QPointF(self.width() / 2, self.height()))
        for letter, x in (("R", 0.0), ("L", self.width() - _SIDE)):
            paint_text(painter, QRectF(x, middle - 10, _SIDE, 20), letter, "text", "body", "semibold", CENTRE)
        for tooth in self._teeth.values():
            self._paint_tooth(painter, tooth)
        if self.hasFocus():
            paint_focus(painter, self.cell(PERMANENT[self._at]).adjusted(1, 1, -1, -1))
        painter.end()

    def _paint_tooth(self, painter: QPainter, tooth: ChartTooth) -> None:
        fdi = tooth.fdi
        body, square, label = self._parts(fdi)
        if fdi == self._selected:
            rounded(painter, self.cell(fdi).adjusted(2, 1, -2, -1), "selected", None, 6)
        by = {e.kind: e for e in reversed(tooth.entries)}
        missing = by.get("missing_tooth")
        self._paint_body(painter, fdi, body, by)
        if missing is None:
            painter.setPen(QPen(colour("control_edge"), 1))
            painter.setBrush(colour("panel"))
            for surface in SURFACES:
                painter.drawPolygon(surface_polygon(surface, fdi, square))
            for kind in ON_SURFACES:
                if kind in by:
                    self._paint_surfaces(painter, fdi, square, by[kind])
        pending = any(e.origin == "ai_pending" for e in tooth.entries)
        role = "disabled" if tooth.gone else "text" if tooth.entries else "secondary"
        weight = "semibold" if tooth.entries and not tooth.gone else "regular"
        paint_text(painter, label, str(fdi), role, "body", weight, CENTRE)
        if tooth.answered and not pending:
            wide = text_width(str(fdi), font("body", weight))
            paint_icon(painter, "check", label.center().x() + wide / 2 + 3, label.top() + 2, "ai_line", 14)

    def _paint_body(self, painter: QPainter, fdi: int, box: QRectF, by: dict[str, ChartEntry]) -> None:
        crown, roots = (placed(p, fdi, box) for p in tooth_path(fdi))
        painter.save()
        missing, impacted = by.get("missing_tooth"), by.get("impacted_tooth")
        if impacted is not None:
            # Lying towards the tooth before it, as it shows on the film.
            painter.translate(box.center())
            painter.rotate(38.0 if (fdi // 10 in (2, 4)) else -38.0)
            painter.translate(-box.center())
        painter.setPen(QPen(colour("control_edge"), 1.1, Qt.PenStyle.DashLine if missing else Qt.PenStyle.SolidLine))
        painter.setBrush(Qt.BrushStyle.NoBrush if missing else QBrush(colour("panel")))
        painter.drawPath(roots)
        painter.drawPath(crown)
        if impacted is not None:
            self._whole(painter, impacted.origin)
            painter.drawPath(roots)
            painter.drawPath(crown)
        crowned, lost, screw = by.get("root_filled_crowned_tooth"), by.get("gross_crown_loss"), by.get("implant")
        if crowned is not None:
            self._whole(painter, crowned.origin, strong=True)
            painter.drawPath(crown)
            x, top, bottom = box.center().x(), crown.boundingRect(), roots.boundingRect()
            end = bottom.top() + 6 if is_upper(fdi) else bottom.bottom() - 6
            painter.drawLine(QPointF(x, top.center().y()), QPointF(x, end))
        if lost is not None:
            self._whole(painter, lost.origin)
            painter.drawPath(crown)
            area = crown.boundingRect()
            painter.drawLine(area.topLeft(), area.bottomRight())
            painter.drawLine(area.topRight(), area.bottomLeft())
        if screw is not None:
            self._whole(painter, screw.origin)
            painter.drawPath(roots)
            area = roots.boundingRect()
            for n in range(1, 6):
                y = area.top() + area.height() * n / 6
                painter.drawLine(QPointF(area.center().x() - 6, y + 2), QPointF(area.center().x() + 6, y - 2))
        if "periapical_lesion" in by:
            self._whole(painter, by["periapical_lesion"].origin)
            area = roots.boundingRect()
            y = area.top() + 3 if is_upper(fdi) else area.bottom() - 3
            painter.drawEllipse(QPointF(area.center().x(), y), 5, 5)
        if missing is not None:
            pen = QPen(colour({"mine": "mine", "ai_pending": "ai_line"}.get(missing.origin, "text")), 1.5)
            pen.setStyle(Qt.PenStyle.DashLine if missing.origin == "ai_pending" else Qt.PenStyle.SolidLine)
            painter.setPen(pen)
            area = box.adjusted(box.width() * 0.2, box.height() * 0.2, -box.width() * 0.2, -box.height() * 0.2)
            painter.drawLine(area.topLeft(), area.bottomRight())
            painter.drawLine(area.topRight(), area.bottomLeft())
        painter.restore()

    @staticmethod
    def _whole(painter: QPainter, origin: str, strong: bool = False) -> None:
        _dress(painter, origin, strong)
        if origin == "ai_pending":
            painter.setBrush(Qt.BrushStyle.NoBrush)

    @staticmethod
    def _paint_surfaces(painter: QPainter, fdi: int, square: QRectF, entry: ChartEntry) -> None:
        """The named surfaces; without any, the biting one stands for the tooth."""
        _dress(painter, entry.origin, strong=entry.kind == "filled_tooth")
        for surface in entry.surfaces or "O":
            painter.drawPolygon(surface_polygon(surface, fdi, square))
        if entry.kind == "crown_fracture":
            painter.drawLine(square.topLeft(), square.bottomRight())

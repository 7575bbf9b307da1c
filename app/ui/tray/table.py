"""Reports on their way: who, what, how far at each target, and the next step."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from app.session.views import NOTHING, Status, TargetView, TrayRow, TrayView, Words
from app.ui.i18n import file_size, tr
from app.ui.theme import font
from app.ui.tray.banner import target_title
from app.ui.widgets.boxes import column
from app.ui.widgets.paint import CENTRE, RIGHT, paint_text, rounded, text_width
from app.ui.widgets.row_list import ListHeader, Row, RowList, Section, paint_status, paint_two_lines

GUTTER = 24.0
"""Between the size, which ends at the right, and the first target."""
_ROOMY = 1100
GROUPS = ("needs_you", "moving", "waits", "proven")
_FILTER_GROUPS = {"everything": set(GROUPS), "needs_you": {"needs_you"}, "proven": {"proven"}}


class TrayTable(QWidget):
    act = Signal(str, str)
    """Report id and the command of its button."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._targets: tuple[TargetView, ...] = ()
        self._pressed = ""
        self._lay = column(self)
        self._header: ListHeader | None = None
        self.list = RowList(self._paint)
        self.list.viewport().installEventFilter(self)
        self._lay.addWidget(self.list, 1)

    # columns: patient, what goes, size, one a target, next step

    def columns(self, width: float) -> list[tuple[float, float]]:
        count = max(len(self._targets), 1)
        if width >= _ROOMY:
            shares = [268.0, 200.0, 64.0, *([204.0] + [196.0] * (count - 1))[:count], 414.0 if count > 1 else 510.0]
        else:
            shares = [216.0, 156.0, 84.0, *[150.0] * count, 236.0 if count > 1 else 300.0]
        scale = max(width - 32 - GUTTER, 500) / sum(shares)
        made, x = [], 16.0
        for number, share in enumerate(shares):
            made.append((x, share * scale))
            x += share * scale + (GUTTER if number == 2 else 0)
        return made

    def _titles(self) -> list[tuple[Words, bool]]:
        targets = [(Words("ui.tray.at", {"name": target_title(t)}), False) for t in self._targets] or [(NOTHING, False)]
        return [
            (Words("ui.worklist.column.patient"), False),
            (Words("ui.tray.column.what"), False),
            (Words("ui.tray.column.size"), True),
            *targets,
            (Words("ui.tray.column.next"), False),
        ]

    def show_view(self, view: TrayView, name: str, hidden: frozenset[str]) -> None:
        self.list.setAccessibleName(tr("ui.screen.tray"))
        targets = tuple(t for t in view.targets if t.name not in hidden)
        if [t.name for t in targets] != [t.name for t in self._targets] or self._header is None:
            self._targets = targets
            if self._header is not None:
                self._header.hide()
                self._header.deleteLater()
            self._header = ListHeader(self._titles(), self.columns)
            self._header.follow(self.list)
            self._lay.insertWidget(0, self._header)
        self._targets = targets
        items: list[Section | Row] = []
        rows = [r for r in view.rows if self._passes(r, name)]
        for group in GROUPS:
            of_group = [r for r in rows if r.group == group]
            if of_group:
                items.append(Section(tr(f"ui.tray.group.{group}"), len(of_group), tr(f"ui.tray.group.{group}_note")))
                items += [self._row(r) for r in of_group]
        self.list.set_items(items)

    @staticmethod
    def _passes(row: TrayRow, name: str) -> bool:
        groups = _FILTER_GROUPS.get(name)
        if groups is not None:
            return row.group in groups
        wanted = {
            "queued": {"clock", "queued"},
            "sending": {"sending", "arrows-clockwise", "circle-notch"},
            "sent": {"sent", "arrow-up"},
        }
        return any(s.icon in wanted.get(name, set()) for _, s in row.per_target)

    def _row(self, row: TrayRow) -> Row:
        states = [f"{name}: {tr(s.title)}" for name, s in row.per_target]
        return Row(row.report_id, row, ", ".join([row.patient_name, row.title, *states, tr(row.next_step)]))

    def _status(self, row: TrayRow, target: str) -> Status:
        return dict(row.per_target).get(target, Status("", NOTHING))

    def _paint(self, painter: QPainter, rect: QRectF, row: TrayRow, selected: bool) -> None:
        quiet = "secondary" if selected else "third"
        cells = [QRectF(rect.left() + x, rect.top(), w - 12, rect.height()) for x, w in self.columns(rect.width())]
        paint_two_lines(painter, cells[0], row.patient_name, tr(row.patient_line), weight="semibold", second_role=quiet)
        paint_two_lines(painter, cells[1], row.title, tr(row.contents), second_role=quiet)
        size = cells[2].adjusted(0, 0, 12, 0)
        number, unit = file_size(row.size_bytes)
        taken = paint_text(painter, size, unit, "third", "small", align=RIGHT)
        paint_text(painter, size.adjusted(0, 0, -taken - 4, 0), number, "text", "body", "medium", RIGHT)
        for cell, target in zip(cells[3:-1], self._targets, strict=False):
            paint_status(painter, cell, self._status(row, target.name), selected=selected)
        area = cells[-1].adjusted(0, 0, 12, 0)
        button = self._button(area, row)
        if row.action:
            rounded(painter, button, "on" if self._pressed == row.report_id else None, "control_edge")
            paint_text(painter, button, tr(f"ui.tray.action.{row.action}"), "text", "body", "medium", CENTRE)
            area.setRight(button.left() - 8)
        paint_text(painter, area, tr(row.next_step), "text" if row.action else "secondary", "body")

    def _button(self, area: QRectF, row: TrayRow) -> QRectF:
        if not row.action:
            return QRectF()
        width = text_width(tr(f"ui.tray.action.{row.action}"), font("body", "medium")) + 28
        return QRectF(area.right() - width, area.center().y() - 15, width, 30)

    def _button_row_at(self, point: QPoint) -> TrayRow | None:
        found = self.list.row_at(point)
        if found is None or not found.payload.action:
            return None
        rect = self.list.rect_of(found.key)
        x, w = self.columns(rect.width())[-1]
        area = QRectF(rect.left() + x, rect.top(), w - 12, rect.height()).adjusted(0, 0, 12, 0)
        return found.payload if self._button(area, found.payload).contains(point) else None

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if watched is self.list.viewport() and isinstance(event, QMouseEvent):
            hit = self._button_row_at(event.position().toPoint())
            if event.type() == QEvent.Type.MouseMove:
                shape = Qt.CursorShape.PointingHandCursor if hit is not None else Qt.CursorShape.ArrowCursor
                self.list.viewport().setCursor(shape)
            elif event.type() == QEvent.Type.MouseButtonPress and hit is not None:
                self._pressed = hit.report_id
                self.list.viewport().update()
                return True
            elif event.type() == QEvent.Type.MouseButtonRelease and self._pressed:
                pressed, self._pressed = self._pressed, ""
                self.list.viewport().update()
                if hit is not None and hit.report_id == pressed:
                    self.act.emit(hit.report_id, hit.action)
                return True
        return super().eventFilter(watched, event)  # type: ignore[arg-type]

    def chosen(self, rows: Sequence[TrayRow]) -> TrayRow | None:
        key = self.list.current_key()
        return next((r for r in rows if r.report_id == key), None)

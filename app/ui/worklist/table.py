"""The list of studies: who, what, when, and the three states, each as an icon with a word."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetricsF, QImage, QPainter
from PySide6.QtWidgets import QWidget

from app.session.views import Words, WorklistRow, WorklistView
from app.ui.i18n import tr
from app.ui.theme import colour, font
from app.ui.widgets.boxes import column
from app.ui.widgets.paint import badge_width, clip_rounded, paint_badge, paint_text, rounded
from app.ui.widgets.row_list import ListHeader, Row, RowList, Section, paint_status, paint_two_lines

_DONE = {"signed", "addended", "signature", "note-pencil"}
_TITLES = ("patient", "study", "arrived", "second_read", "reading", "storage")
_SHARES = (240, 256, 140, 216, 184, 168)
_NARROW_SHARES = (214, 178, 88, 128, 116, 90)
"""On a small screen the name keeps its room."""


def columns(width: float) -> list[tuple[float, float]]:
    """(x, width) of the six columns after the picture; the mockup's at 1300, in proportion elsewhere."""
    left = 80.0
    shares = _SHARES if width >= 1100 else _NARROW_SHARES
    scale = max(width - left - 16, 400) / sum(shares)
    made = []
    for share in shares:
        made.append((left, share * scale))
        left += share * scale
    return made


class StudyTable(QWidget):
    """``picture(row)`` gives the small picture of a study or None while it is made."""

    def __init__(self, picture: Callable[[WorklistRow], QImage | None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture = picture
        lay = column(self)
        header = ListHeader([(Words(f"ui.worklist.column.{t}"), False) for t in _TITLES], columns)
        self.list = RowList(self._paint)
        header.follow(self.list)
        lay.addWidget(header)
        lay.addWidget(self.list, 1)

    def show_view(self, view: WorklistView, text: str, order: Words) -> None:
        self.list.setAccessibleName(tr("ui.screen.worklist"))
        items: list[Section | Row] = []
        found = [r for r in view.rows if r.matched]
        others = [r for r in view.rows if not r.matched]
        if text:
            items.append(Section(tr("ui.worklist.matches", text=text), len(found), tr("ui.worklist.any_script")))
            items += [self._row(r) for r in found]
            if others:
                items.append(Section(tr("ui.worklist.everything_else"), len(others), tr(order).lower()))
                items += [self._row(r) for r in others]
        else:
            items.append(Section(tr("ui.worklist.studies"), len(view.rows), tr(order).lower()))
            items += [self._row(r) for r in view.rows]
        self.list.set_items(items)

    def _row(self, row: WorklistRow) -> Row:
        states = (tr(row.ai.title), tr(row.reading.title), tr(row.storage.title))
        spoken = ", ".join(t for t in (row.patient_name, tr(row.patient_line), row.title, row.arrived, *states) if t)
        return Row(row.study_instance_uid, row, spoken)

    def _paint(self, painter: QPainter, rect: QRectF, row: WorklistRow, selected: bool) -> None:
        self._paint_picture(painter, QRectF(rect.left() + 16, rect.top() + 4, 48, 48), row)
        done = row.reading.icon in _DONE and not selected
        cells = [QRectF(rect.left() + x, rect.top(), width - 12, rect.height()) for x, width in columns(rect.width())]
        quiet = "secondary" if selected else "third"
        self._paint_patient(painter, cells[0], row, "secondary" if done else "text", quiet)
        badge = QRectF(cells[1].left(), rect.top() + 18, 32, 20)
        badge.setWidth(max(32.0, badge_width(row.modality)))
        paint_badge(painter, badge, row.modality, "text")
        beside = cells[1].adjusted(badge.width() + 8, 0, 0, 0)
        paint_two_lines(painter, beside, row.title, tr(row.subtitle), second_role=quiet)
        paint_two_lines(painter, cells[2], row.arrived, row.site, second_role=quiet)
        for cell, status in zip(cells[3:], (row.ai, row.reading, row.storage), strict=True):
            paint_status(painter, cell, status, dim=done or status.role == "waiting", selected=selected)

    def _paint_picture(self, painter: QPainter, box: QRectF, row: WorklistRow) -> None:
        painter.save()
        clip_rounded(painter, box, 3)
        painter.fillRect(box, colour("black"))
        image = self._picture(row)
        if image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(fitted(image, box), image)
        painter.restore()

    def _paint_patient(self, painter: QPainter, cell: QRectF, row: WorklistRow, role: str, quiet: str) -> None:
        middle = cell.center().y()
        top = QRectF(cell.left(), middle - 18, cell.width(), 18)
        if row.match is not None and row.matched:
            metrics = QFontMetricsF(font("body", "semibold"))
            start, length = row.match
            x = top.left() + metrics.horizontalAdvance(row.patient_name[:start])
            width = metrics.horizontalAdvance(row.patient_name[start : start + length])
            if x + width < top.right():
                rounded(painter, QRectF(x - 2, top.top() - 1, width + 4, 20), "on", None, 3)
        paint_text(painter, top, row.patient_name, role, "body", "semibold")
        paint_text(painter, QRectF(cell.left(), middle, cell.width(), 18), tr(row.patient_line), quiet, "small")


def fitted(image: QImage, box: QRectF, *, cover: bool = False) -> QRectF:
    """Where a picture lies in a box without changing its proportions."""
    if image.isNull():
        return box
    ratio = image.width() / image.height()
    inside = QRectF(box)
    if (ratio > box.width() / box.height()) != cover:
        height = box.width() / ratio
        inside.setTop(box.center().y() - height / 2)
        inside.setHeight(height)
    else:
        width = box.height() * ratio
        inside.setLeft(box.center().x() - width / 2)
        inside.setWidth(width)
    return inside

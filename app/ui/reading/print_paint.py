"""A page of pictures by a painter: the preview, the PDF and the printer are painted by the same lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QMarginsF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPageSize, QPainter, QPdfWriter

from app.domain.problem import fail
from app.session.print_desk import PrintPage, PrintPicture
from app.session.print_layout import CAPTION_MM, Box
from app.ui.i18n import tr
from app.ui.theme import font, load_theme

_POINT_MM = 25.4 / 72
_PDF_DPI = 600


def _box(box: Box, per_mm: float) -> QRectF:
    return QRectF(box.x * per_mm, box.y * per_mm, box.width * per_mm, box.height * per_mm)


def _face(points: float, per_mm: float, weight: str = "regular") -> QFont:
    made = font("body", weight, tabular=False)
    # Alternate glyphs have no letter of their own: a reader of the PDF could neither find nor copy a number.
    made.setFeature(QFont.Tag("calt"), 0)
    made.setPixelSize(max(1, round(points * _POINT_MM * per_mm)))
    return made


def _ink(role: str) -> QColor:
    return QColor(load_theme("light").colours[role])


def _line(painter: QPainter, area: QRectF, text: str, align: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft) -> None:
    """One line in its place; what is too long ends in an ellipsis."""
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(area.width()))
    painter.drawText(area, int(align | Qt.AlignmentFlag.AlignVCenter), shown)


def paint_page(painter: QPainter, page: PrintPage, per_mm: float) -> None:
    """Paints the sheet with its upper left corner at the painter's origin, ``per_mm`` units a millimetre."""
    form = page.sheet
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    painter.fillRect(QRectF(0, 0, form.width * per_mm, form.height * per_mm), QColor(load_theme("light").colours["white"]))
    head = _box(form.head, per_mm)
    third = head.height() / 3
    name, further, study = page.head
    painter.setPen(_ink("text"))
    painter.setFont(_face(11, per_mm, "semibold"))
    title = name if page.identified else tr("print.deidentified")
    _line(painter, QRectF(head.left(), head.top(), head.width(), third), title)
    painter.setFont(_face(8.5, per_mm))
    painter.setPen(_ink("secondary"))
    _line(painter, QRectF(head.left(), head.top() + third, head.width(), third), tr(further))
    _line(painter, QRectF(head.left(), head.top() + 2 * third, head.width(), third), study)
    for picture in page.pictures:
        _picture(painter, picture, per_mm)
    foot = _box(form.foot, per_mm)
    painter.setFont(_face(7.5, per_mm))
    painter.setPen(_ink("secondary"))
    _line(painter, foot, tr("print.foot", when=page.printed))
    _line(painter, foot, tr("print.page", number=page.number + 1, pages=page.pages), Qt.AlignmentFlag.AlignRight)
    if page.demonstration:
        painter.setFont(_face(9, per_mm, "semibold"))
        painter.setPen(_ink("bad"))
        _line(
            painter,
            QRectF(head.left(), head.top(), head.width(), third),
            tr("ui.demonstration"),
            Qt.AlignmentFlag.AlignRight,
        )


def _picture(painter: QPainter, picture: PrintPicture, per_mm: float) -> None:
    place = _box(picture.box, per_mm)
    rgb = np.ascontiguousarray(picture.rgb)
    image = QImage(rgb.data, rgb.shape[1], rgb.shape[0], rgb.strides[0], QImage.Format.Format_RGB888)
    if place.width() < image.width():  # the preview: every pixel has its part in a smaller one
        image = image.scaled(place.size().toSize(), mode=Qt.TransformationMode.SmoothTransformation)
    painter.drawImage(place, image)
    painter.setFont(_face(7.5, per_mm))
    painter.setPen(_ink("secondary"))
    below = QRectF(place.left(), place.bottom(), place.width(), CAPTION_MM * per_mm)
    _line(painter, below, " · ".join(tr(w) for w in picture.caption))


def page_size(page: PrintPage) -> QPageSize:
    return QPageSize(QSizeF(page.sheet.width, page.sheet.height), QPageSize.Unit.Millimeter)


def write_pdf(pages: list[PrintPage], path: Path) -> None:
    """One page a sheet, in its own size; the file's own title and author stay empty. Raises ``capture.not_saved``."""
    writer = QPdfWriter(str(path))
    writer.setCreator("Ekinshi")
    writer.setResolution(_PDF_DPI)
    writer.setPageSize(page_size(pages[0]))
    writer.setPageMargins(QMarginsF(0, 0, 0, 0))
    painter = QPainter()
    if not painter.begin(writer):
        raise fail("capture.not_saved", kind="QPdfWriter")
    for number, page in enumerate(pages):
        if number:
            writer.newPage()
        paint_page(painter, page, writer.width() / page.sheet.width)
    painter.end()

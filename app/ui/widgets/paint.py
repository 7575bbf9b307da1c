"""Small painting verbs shared by controls and delegates."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen

from app.ui.theme import colour, font, space

LEFT = Qt.AlignmentFlag.AlignLeft
RIGHT = Qt.AlignmentFlag.AlignRight
CENTRE = Qt.AlignmentFlag.AlignHCenter


def text_width(text: str, face: QFont) -> float:
    return QFontMetricsF(face).horizontalAdvance(text)


def paint_text(
    painter: QPainter,
    rect: QRectF,
    text: str,
    role: str = "text",
    size: str = "body",
    weight: str = "regular",
    align: Qt.AlignmentFlag = LEFT,
) -> float:
    """One elided line, vertically centred in ``rect``; returns the width that it took."""
    face = font(size, weight)
    metrics = QFontMetricsF(face)
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width() + 0.5)
    painter.setFont(face)
    painter.setPen(colour(role))
    painter.drawText(rect, int(align | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine), shown)
    return metrics.horizontalAdvance(shown)


def rounded(painter: QPainter, rect: QRectF, fill: str | None, edge: str | None, radius: float | None = None) -> None:
    """A rounded box with a crisp one-pixel edge."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(colour(fill) if fill else Qt.BrushStyle.NoBrush)
    if edge:
        painter.setPen(QPen(colour(edge), 1))
        rect = rect.adjusted(0.5, 0.5, -0.5, -0.5)
    else:
        painter.setPen(Qt.PenStyle.NoPen)
    corner = space("corner") if radius is None else radius
    painter.drawRoundedRect(rect, corner, corner)
    painter.restore()


def key_cap_width(key: str) -> float:
    return max(20.0, text_width(key, font("small")) + 10)


def paint_key_cap(
    painter: QPainter, x: float, centre_y: float, key: str, role: str = "secondary", edge: str = "edge"
) -> float:
    """The key that does the same; returns the width taken."""
    width = key_cap_width(key)
    box = QRectF(round(x), round(centre_y - 10), width, 20)
    rounded(painter, box, None, edge, 4)
    paint_text(painter, box, key, role, "small", align=CENTRE)
    return width


def badge_width(text: str, size: str = "small") -> float:
    return max(24.0, text_width(text, font(size, "semibold")) + 12)


def paint_badge(
    painter: QPainter,
    rect: QRectF,
    text: str,
    role: str = "text",
    edge: str = "edge",
    fill: str | None = None,
    dashed: bool = False,
) -> None:
    """A framed short word: modality, number of a mark. Dashed while it waits for an answer."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(colour(edge), 1)
    if dashed:
        pen.setDashPattern([3, 2])
    painter.setPen(pen)
    painter.setBrush(colour(fill) if fill else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
    painter.restore()
    paint_text(painter, rect, text, role, "small", "semibold", CENTRE)


def paint_focus(painter: QPainter, rect: QRectF, radius: float | None = None) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour("text"), 1.5))
    corner = space("corner") if radius is None else radius
    painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), corner, corner)
    painter.restore()


def paint_progress(painter: QPainter, rect: QRectF, fraction: float, role: str = "text") -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    radius = rect.height() / 2
    painter.setBrush(colour("edge"))
    painter.drawRoundedRect(rect, radius, radius)
    done = QRectF(rect)
    done.setWidth(rect.width() * min(max(fraction, 0.0), 1.0))
    painter.setBrush(colour(role))
    painter.drawRoundedRect(done, radius, radius)
    painter.restore()


def clip_rounded(painter: QPainter, rect: QRectF, radius: float) -> None:
    path = QPainterPath()
    path.addRoundedRect(rect, radius, radius)
    painter.setClipPath(path, Qt.ClipOperation.IntersectClip)


def line(painter: QPainter, one: QPointF, other: QPointF, role: str = "fine_line", width: float = 1.0) -> None:
    painter.setPen(QPen(QColor(colour(role)), width))
    painter.drawLine(one, other)

"""Draws what the viewer describes: texts, lines, outlines, plates and the colour bar, in device pixels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetricsF, QImage, QPainter, QPen, QPolygonF

from app.ui.theme import font, on_images, theme
from app.viewer.luts import lut
from app.viewer.primitives import Anchor, ColourBar, Ellipse, Line, Plate, Polyline, Primitive, Role, Text

_ROLES = {
    Role.TEXT: "text_on_images",
    Role.SECONDARY: "text_on_images",
    Role.MINE: "mine",
    Role.AI: "ai",
    Role.TRUTH: "truth",
    Role.WARNING: "bad",
    Role.OK: "ok",
}


def role_colour(role: Role, opacity: float = 1.0) -> QColor:
    return on_images(_ROLES[role], opacity * (0.7 if role is Role.SECONDARY else 1.0))


@lru_cache(maxsize=64)
def _face(size_px: float, bold: bool) -> QFont:
    made = font("small", "semibold" if bold else "medium")
    made.setPixelSize(max(1, round(size_px)))
    return made


@lru_cache(maxsize=4096)
def text_width(text: str, size_px: float, bold: bool) -> float:
    """What the viewer asks to lay its texts out: the width in our font, device pixels."""
    return QFontMetricsF(_face(size_px, bold)).horizontalAdvance(text)


@lru_cache(maxsize=64)
def _line_height(size_px: float, bold: bool) -> float:
    return QFontMetricsF(_face(size_px, bold)).height()


def paint_primitives(painter: QPainter, primitives: Sequence[Primitive]) -> None:
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    for primitive in primitives:
        if isinstance(primitive, Text):
            _text(painter, primitive)
        elif isinstance(primitive, Line):
            _haloed(painter, primitive.role, primitive.width, primitive.dashed, 1.0)
            painter.drawLine(QPointF(primitive.x0, primitive.y0), QPointF(primitive.x1, primitive.y1))
        elif isinstance(primitive, Polyline):
            _polyline(painter, primitive)
        elif isinstance(primitive, Ellipse):
            _ellipse(painter, primitive)
        elif isinstance(primitive, Plate):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(on_images("black", theme().plate_alpha))
            painter.drawRoundedRect(QRectF(primitive.x, primitive.y, primitive.w, primitive.h), 4, 4)
        elif isinstance(primitive, ColourBar):
            _colour_bar(painter, primitive)


def _haloed(painter: QPainter, role: Role, width: float, dashed: bool, opacity: float) -> None:
    pen = QPen(role_colour(role, opacity), width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap if dashed else Qt.PenCapStyle.RoundCap)
    if dashed:
        pen.setDashPattern([4, 3])
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _polyline(painter: QPainter, shape: Polyline) -> None:
    if len(shape.points) > _LONG and not shape.dashed and not shape.filled:
        lines, closed = _pieces(shape), False
    else:
        lines, closed = [QPolygonF([QPointF(x, y) for x, y in shape.points])], shape.closed
    draw = painter.drawPolygon if closed else painter.drawPolyline
    if not shape.dashed and not shape.filled and shape.role in (Role.MINE, Role.AI):
        halo = QPen(on_images("black", 0.5 * shape.opacity), shape.width + 2)
        if len(lines) > 1:
            halo.setCapStyle(Qt.PenCapStyle.FlatCap)  # pieces that lay over each other would be darker there
        painter.setPen(halo)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for line in lines:
            draw(line)
    _haloed(painter, shape.role, shape.width, shape.dashed, shape.opacity)
    ink = role_colour(shape.role, shape.opacity)
    if shape.rgb is not None:
        ink = QColor(*shape.rgb, round(255 * shape.opacity))
        pen = painter.pen()
        pen.setColor(ink)
        painter.setPen(pen)
    if shape.filled:
        painter.setBrush(ink)
    for line in lines:
        draw(line)


_LONG, _PIECE = 256, 64
"""Points of a line that is painted in pieces, and of a piece: the time for one stroke grows faster than its points."""


def _pieces(shape: Polyline) -> list[QPolygonF]:
    points = [QPointF(x, y) for x, y in shape.points]
    points += points[:1] if shape.closed else []
    return [QPolygonF(points[n : n + _PIECE + 1]) for n in range(0, len(points) - 1, _PIECE)]


def _ellipse(painter: QPainter, shape: Ellipse) -> None:
    painter.save()
    painter.translate(shape.cx, shape.cy)
    painter.rotate(shape.angle_deg)
    _haloed(painter, shape.role, shape.width, shape.dashed, shape.opacity)
    painter.drawEllipse(QPointF(0, 0), shape.rx, shape.ry)
    painter.restore()


_SHIFT = {
    Anchor.TOP_LEFT: (0.0, 0.0),
    Anchor.TOP: (-0.5, 0.0),
    Anchor.TOP_RIGHT: (-1.0, 0.0),
    Anchor.LEFT: (0.0, -0.5),
    Anchor.CENTRE: (-0.5, -0.5),
    Anchor.RIGHT: (-1.0, -0.5),
    Anchor.BOTTOM_LEFT: (0.0, -1.0),
    Anchor.BOTTOM: (-0.5, -1.0),
    Anchor.BOTTOM_RIGHT: (-1.0, -1.0),
}


def _text(painter: QPainter, shape: Text) -> None:
    face = _face(shape.size_px, shape.bold)
    width, height = text_width(shape.text, shape.size_px, shape.bold), _line_height(shape.size_px, shape.bold)
    fx, fy = _SHIFT[shape.anchor]
    box = QRectF(shape.x + fx * width, shape.y + fy * height, width, height)
    pad = shape.size_px / 3
    around = box.adjusted(-pad, -pad / 4, pad, pad / 4)
    ink = role_colour(shape.role)
    if shape.plate or shape.framed:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(on_images("black", theme().plate_alpha))
        painter.drawRoundedRect(around, 4, 4)
    if shape.framed:
        pen = QPen(ink, max(1.0, shape.size_px / 12))
        if shape.dashed:
            pen.setDashPattern([3, 2])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(around, 4, 4)
    painter.setFont(face)
    flags = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip)
    if not (shape.plate or shape.framed):
        painter.setPen(on_images("black", 0.75))
        painter.drawText(box.translated(1, 1), flags, shape.text)
    painter.setPen(ink)
    painter.drawText(box, flags, shape.text)


@lru_cache(maxsize=8)
def lut_image(name: str) -> QImage:
    """256 x 1, from 0 to 1."""
    table = lut(name)
    image = QImage(256, 1, QImage.Format.Format_RGB32)
    for x in range(256):
        red, green, blue = (int(v) for v in table[x])
        image.setPixelColor(x, 0, QColor(red, green, blue))
    return image


def _colour_bar(painter: QPainter, bar: ColourBar) -> None:
    image = lut_image(bar.lut)
    painter.save()
    painter.translate(bar.x, bar.y + bar.h)
    painter.rotate(-90)
    painter.drawImage(QRectF(0, 0, bar.h, bar.w), image)
    below = QRectF(0, 0, bar.h * bar.threshold, bar.w)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(on_images("black"))
    painter.drawRect(below)
    painter.setBrush(QBrush(role_colour(Role.SECONDARY), Qt.BrushStyle.BDiagPattern))
    painter.drawRect(below)
    painter.restore()

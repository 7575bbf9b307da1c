"""Outlines of teeth and of their surfaces for the chart, in unit boxes."""

from __future__ import annotations

from functools import cache

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath, QPolygonF, QTransform

from app.domain.teeth import is_upper
from app.samples.teeth import tooth_shape

_HALF_WIDTH = 50.0
_LENGTH = 245.0


@cache
def tooth_path(fdi: int) -> tuple[QPainterPath, QPainterPath]:
    """(crown, roots) in a box of x -1..1 and y 0..1: the biting edge at 0, the apex towards 1."""
    shape = tooth_shape(fdi, np.random.default_rng(fdi))
    scale = QTransform.fromScale(1 / _HALF_WIDTH, 1 / _LENGTH)
    crown = scale.map(_path(shape.crown))
    roots = QPainterPath()
    for outline in shape.roots:
        roots = roots.united(scale.map(_path(outline)))
    return crown, roots.subtracted(crown)


def _path(points: np.ndarray) -> QPainterPath:
    made = QPainterPath()
    made.addPolygon(QPolygonF([QPointF(float(x), float(y)) for x, y in points]))
    made.closeSubpath()
    return made


def placed(path: QPainterPath, fdi: int, box: QRectF) -> QPainterPath:
    """A unit path in a cell: roots away from the middle of the chart, the patient's right mirrored."""
    flip = -1.0 if fdi // 10 in (1, 4) else 1.0
    upper = is_upper(fdi)
    move = QTransform()
    move.translate(box.center().x(), box.bottom() if upper else box.top())
    move.scale(flip * box.width() / 2, -box.height() if upper else box.height())
    return move.map(path)


def surface_polygon(surface: str, fdi: int, box: QRectF) -> QPolygonF:
    """One of the five fields of the square. Mesial looks to the midline, V to the cheek: outwards from the middle row."""
    inner = box.adjusted(box.width() * 0.28, box.height() * 0.28, -box.width() * 0.28, -box.height() * 0.28)
    if surface == "O":
        return QPolygonF(inner)
    right = fdi // 10 in (1, 4)
    side = {"M": "right" if right else "left", "D": "left" if right else "right"}.get(surface, "")
    if not side:
        side = "top" if (surface == "V") == is_upper(fdi) else "bottom"
    corners = {
        "left": (box.topLeft(), inner.topLeft(), inner.bottomLeft(), box.bottomLeft()),
        "right": (box.topRight(), inner.topRight(), inner.bottomRight(), box.bottomRight()),
        "top": (box.topLeft(), inner.topLeft(), inner.topRight(), box.topRight()),
        "bottom": (box.bottomLeft(), inner.bottomLeft(), inner.bottomRight(), box.bottomRight()),
    }
    return QPolygonF(list(corners[side]))

"""An outline of hundreds of points is painted in pieces: the picture is that of one stroke."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage, QPainter, QPolygonF

from app.ui.app_window import application
from app.ui.reading import paint_primitives as painting
from app.viewer.primitives import Polyline, Role

SIZE = 300


def ring(n: int) -> tuple[tuple[float, float], ...]:
    """Ragged, as a grown region's border is."""
    turns = [2 * math.pi * k / n for k in range(n)]
    reach = [110 + 6 * math.sin(37 * t) + 3 * math.sin(91 * t) for t in turns]
    return tuple((150 + r * math.cos(t), 150 + r * math.sin(t)) for r, t in zip(reach, turns, strict=True))


def painted(shape: Polyline) -> np.ndarray:
    image = QImage(SIZE, SIZE, QImage.Format.Format_RGB32)
    image.fill(QColor(110, 110, 110))
    painter = QPainter(image)
    painting.paint_primitives(painter, [shape])
    painter.end()
    return np.frombuffer(image.constBits(), np.uint8).reshape(SIZE, SIZE, 4)[..., :3].astype(int)


@pytest.mark.parametrize("closed", [True, False])
def test_pieces_make_the_picture_of_one_stroke(closed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    application()
    shape = Polyline(ring(600), Role.MINE, 2.0, closed=closed)
    assert len(painting._pieces(shape)) == 10
    pieces = painted(shape)
    monkeypatch.setattr(painting, "_LONG", 10_000)
    whole = painted(shape)
    drawn = (np.abs(whole - 110) > 8).any(axis=2)
    other = (np.abs(pieces - whole) > 16).any(axis=2)
    assert drawn.sum() > 2000
    assert other.sum() <= 0.01 * drawn.sum()


def test_every_side_is_in_one_piece() -> None:
    points = ring(257)
    for closed in (True, False):
        pieces = painting._pieces(Polyline(points, Role.MINE, 2.0, closed=closed))
        sides = [_side(line, n) for line in pieces for n in range(line.size() - 1)]
        follow = zip(points, [*points[1:], points[0]] if closed else points[1:], strict=closed)
        assert sides == list(follow)


def _side(line: QPolygonF, n: int) -> tuple[tuple[float, float], tuple[float, float]]:
    a, b = line.at(n), line.at(n + 1)
    return (a.x(), a.y()), (b.x(), b.y())

"""Icons: one set of outlines, tinted with a role of the theme at the pixel ratio of the screen."""

from __future__ import annotations

from functools import cache, lru_cache

from PySide6.QtCore import QByteArray, QPointF, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPen, QPixmap
from PySide6.QtSvg import QSvgRenderer

from app.domain.resources import resource_path
from app.ui.theme import colour, theme

NAMED = {
    "all": "list-bullets",
    "mine": "user",
    "stroke": "clock-clockwise",
    "unread": "circle",
    "sealed": "lock-simple",
    "to_sign": "check-circle",
    "signed": "signature",
    "refused": "prohibit",
    "no_reader": "minus",
    "none": "minus",
    "running": "circle-notch",
    "waiting": "hourglass-medium",
    "revealed": "eye",
    "failed": "warning-circle",
    "in_progress": "circle-half",
    "committed": "check-circle",
    "addended": "note-pencil",
    "queued": "clock",
    "sending": "circle-notch",
    "sent": "arrow-up",
    "accepted": "arrow-up",
    "verified": "seal-check",
    "proven": "seal-check",
    "conflict": "arrows-merge",
    "auth": "lock-simple",
    "needs_you": "warning-circle",
    "rejected": "x",
    "modified": "pencil-simple",
    "chain": "shield-check",
    "chain_broken": "shield-warning",
    "import": "download-simple",
    "search": "magnifying-glass",
    "zoom": "magnifying-glass",
    "pan": "hand",
    "length": "ruler",
    "ellipse": "circle",
    "scroll": "stack",
    "arrow": "arrow-up-right",
    "probe": "eyedropper",
    "point": "map-pin",
    "everything": "list-bullets",
    "lock-key": "lock-simple",
    "hourglass": "hourglass-medium",
    "circle-fill": "circle",
    "crosshair-simple": "crosshair",
}
"""Words of the programme to files of the set."""


@cache
def _source(name: str) -> bytes:
    """SVG text; raises ``FileNotFoundError`` for an icon that is not bundled: a bug of ours."""
    return resource_path("icons", f"{NAMED.get(name, name)}.svg").read_bytes()


def read_ahead() -> None:
    """Every icon's text, so that no painting waits for the disk, and for its turn after it."""
    for file in resource_path("icons").glob("*.svg"):
        _source(file.stem)
    for name in NAMED:
        _source(name)


def has_icon(name: str) -> bool:
    return resource_path("icons", f"{NAMED.get(name, name)}.svg").is_file()


@lru_cache(maxsize=1024)
def _pixmap(name: str, rgba: str, size: int, ratio: float) -> QPixmap:
    source = _source(name).replace(b"currentColor", rgba.encode())
    made = QPixmap(round(size * ratio), round(size * ratio))
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(QByteArray(source)).render(painter, QRectF(0, 0, made.width(), made.height()))
    painter.end()
    made.setDevicePixelRatio(ratio)
    return made


def pixmap(name: str, role: str = "secondary", size: int = 20, ratio: float = 1.0) -> QPixmap:
    return _pixmap(name, colour(role).name(), size, ratio)


def icon(name: str, role: str = "secondary", size: int = 20) -> QIcon:
    """For the few places that want a ``QIcon`` (menus)."""
    made = QIcon()
    for ratio in (1.0, 1.5, 2.0):
        made.addPixmap(pixmap(name, role, size, ratio))
    return made


def paint_icon(painter: QPainter, name: str, x: float, y: float, role: str = "secondary", size: int = 20) -> None:
    """Paints with its top-left corner at (x, y)."""
    device = painter.device()
    ratio = device.devicePixelRatioF() if device is not None else 1.0
    painter.drawPixmap(QPointF(x, y), pixmap(name, role, size, ratio))


def paint_logo(painter: QPainter, x: float, y: float) -> None:
    """Two overlapping rings, 24 x 16: the first reader drawn bright, the second behind it."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for shift, role in ((8.0, "control_edge"), (0.0, "text")):
        painter.setPen(QPen(colour(role), 2.0))
        painter.drawEllipse(QRectF(x + 1 + shift, y + 1, 14, 14))
    painter.restore()


def application_icon() -> QIcon:
    made = QIcon()
    for size in (16, 32, 48, 128, 256):
        picture = QPixmap(size, size)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("panel"))
        painter.drawRoundedRect(QRectF(0, 0, size, size), size * 0.2, size * 0.2)
        scale = size / 32
        painter.scale(scale, scale)
        paint_logo(painter, 4, 8)
        painter.end()
        made.addPixmap(picture)
    return made


def icon_size() -> int:
    return theme().space["icon"]

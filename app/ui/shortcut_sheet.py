"""All keys on one page."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.session.views import Words
from app.ui.i18n import tr
from app.ui.shortcuts import Shortcut, cap, shortcuts
from app.ui.widgets.boxes import VScroll, column
from app.ui.widgets.paint import key_cap_width, paint_key_cap, paint_text
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import heading


class _Line(QWidget):
    def __init__(self, shortcut: Shortcut, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shortcut = shortcut
        self.setFixedHeight(28)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{tr(shortcut.title_id)}: {', '.join(shortcut.keys)}")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        right = float(self.width())
        for key in reversed(self._shortcut.keys[:2]):
            parts = cap(key).split(" ")
            for part in reversed(parts):
                right -= key_cap_width(part)
                paint_key_cap(painter, right, 14, part)
                right -= 4
            right -= 6
        paint_text(painter, QRectF(0, 0, right - 6, 28), tr(self._shortcut.title_id), "text", "body")
        painter.end()


class ShortcutSheet(Sheet):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(Words("ui.keys.title"), QSize(1240, 900), parent)
        content = QWidget()
        grid = QGridLayout(content)
        grid.setContentsMargins(20, 16, 20, 20)
        grid.setHorizontalSpacing(40)
        tables = shortcuts()
        columns: list[list[tuple[str, list[Shortcut]]]] = [
            [(c, list(tables[c])) for c in ("everywhere", "worklist", "report", "tray") if c in tables],
            [],
            [],
        ]
        reading = list(tables.get("reading", ()))
        half = (len(reading) + 1) // 2
        columns[1] = [("reading", reading[:half])]
        columns[2] = [("", reading[half:])]
        for number, groups in enumerate(columns):
            lay = column(gap=0)
            for context, lines in groups:
                title = heading(Words(f"ui.keys.{context}") if context else "")
                title.setContentsMargins(0, 8, 0, 6)
                lay.addWidget(title)
                for shortcut in lines:
                    lay.addWidget(_Line(shortcut))
                lay.addSpacing(8)
            lay.addStretch(1)
            grid.addLayout(lay, 0, number)
            grid.setColumnStretch(number, 1)
        self.body.addWidget(VScroll(content), 1)

"""All keys on one page."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.domain.problem import ProblemError
from app.session.key_table import KeyTable
from app.session.views import Words
from app.ui.i18n import tr
from app.ui.mouse import bindings, gesture_words, tool_words
from app.ui.shortcuts import Shortcut, cap, key_name, shipped, shortcuts, use_own_keys
from app.ui.widgets.boxes import VScroll, column
from app.ui.widgets.buttons import OUTLINE, Button
from app.ui.widgets.paint import RIGHT, key_cap_width, paint_key_cap, paint_text, rounded
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import heading, note

_ALONE = frozenset({Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Meta, Qt.Key.Key_AltGr})


class _Line(QWidget):
    """A command and its keys; with a table, a click (or Return) waits for the key that it gets from now on."""

    chosen = Signal(str, str, str)
    """Context, command, key."""

    def __init__(self, shortcut: Shortcut, context: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shortcut = shortcut
        self._context = context
        self._waiting = False
        if context:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self.setToolTip(tr("ui.keys.change"))
        self.setFixedHeight(28)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{tr(shortcut.title_id)}: {', '.join(shortcut.keys)}")

    def _wait(self, waiting: bool) -> None:
        self._waiting = waiting
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # the sheet behind takes presses for steps back

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._context:
            self.setFocus()
            self._wait(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._wait(False)
        super().focusOutEvent(event)

    def event(self, event: QEvent) -> bool:
        if self._waiting and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._context:
            super().keyPressEvent(event)
        elif not self._waiting:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._wait(True)
            else:
                super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Escape:
            self._wait(False)
        elif event.key() not in _ALONE:
            self._wait(False)
            self.chosen.emit(self._context, self._shortcut.command, key_name(event))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        right = float(self.width())
        if self.hasFocus():
            rounded(painter, QRectF(self.rect()), "hover", "control_edge")
        if self._waiting:
            paint_text(painter, QRectF(0, 0, right - 8, 28), tr("ui.keys.press"), "text", "body", align=RIGHT)
            paint_text(painter, QRectF(6, 0, right / 2, 28), tr(self._shortcut.title_id), "text", "body")
            painter.end()
            return
        for key in reversed(self._shortcut.keys[:2]):
            parts = cap(key).split(" ")
            for part in reversed(parts):
                right -= key_cap_width(part)
                paint_key_cap(painter, right, 14, part)
                right -= 4
            right -= 6
        paint_text(painter, QRectF(0, 0, right - 6, 28), tr(self._shortcut.title_id), "text", "body")
        painter.end()


class _Gesture(QWidget):
    """A gesture of the mouse and its tool; it is changed in the settings."""

    def __init__(self, name: str, tool: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._tool = name, tool
        self.setFixedHeight(28)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{tr(gesture_words(name))}: {tr(tool_words(tool))}")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        right = float(self.width())
        used = paint_text(
            painter, QRectF(right / 2, 0, right / 2, 28), tr(gesture_words(self._name)), "secondary", align=RIGHT
        )
        paint_text(painter, QRectF(0, 0, right - used - 10, 28), tr(tool_words(self._tool)), "text", "body")
        painter.end()


class ShortcutSheet(Sheet):
    changed = Signal()

    def __init__(self, parent: QWidget, table: KeyTable | None = None) -> None:
        super().__init__(Words("ui.keys.title"), QSize(1240, 900), parent)
        self._table = table
        if table is not None:
            self._said = note(Words("ui.keys.how"))
            self.beside.addWidget(self._said)
            again = Button(Words("ui.keys.reset"), OUTLINE, height=28)
            again.clicked.connect(self._reset)
            self.beside.addWidget(again)
        self._content: QWidget | None = None
        self._fill()

    def _choose(self, context: str, command: str, key: str) -> None:
        if self._table is None:
            return
        try:
            loser = self._table.set(shipped(), context, command, key)
        except ProblemError as error:
            self._said.say(Words(error.problem.code, dict(error.problem.params)))
            return
        use_own_keys(self._table.own())
        said = Words("ui.keys.taken", {"command": Words(f"ui.key.{loser}")}) if loser else Words("ui.keys.how")
        self._said.say(said)
        self._fill()
        self.changed.emit()

    def _reset(self) -> None:
        if self._table is not None:
            self._table.reset()
            use_own_keys({})
            self._said.say(Words("ui.keys.how"))
            self._fill()
            self.changed.emit()

    def _fill(self) -> None:
        if self._content is not None:
            self.body.removeWidget(self._content)
            self._content.deleteLater()
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
                    line = _Line(shortcut, (context or "reading") if self._table is not None else "")
                    line.chosen.connect(self._choose)
                    lay.addWidget(line)
                lay.addSpacing(8)
            if number == 0:
                title = heading(Words("settings.mouse"))
                title.setContentsMargins(0, 8, 0, 6)
                lay.addWidget(title)
                for name, tool in bindings().items():
                    lay.addWidget(_Gesture(name, tool))
            lay.addStretch(1)
            grid.addLayout(lay, 0, number)
            grid.setColumnStretch(number, 1)
        self._content = VScroll(content)
        self.body.addWidget(self._content, 1)

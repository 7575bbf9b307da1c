"""Imports that were cut, offered over the worklist: go on where they were, or let them go."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QWidget

from app.session.import_views import CutImport
from app.session.views import Words
from app.ui.i18n import file_size, tr
from app.ui.widgets.boxes import Line, Surface, clear, column, row
from app.ui.widgets.buttons import OUTLINE, QUIET, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text, note


class CutImports(QWidget):
    """Nothing to see while no import waits."""

    go_on = Signal(str)
    discard = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lay = column(self)
        self._shown: tuple[CutImport, ...] = ()
        self.hide()

    def show_cut(self, imports: Sequence[CutImport]) -> None:
        if tuple(imports) != self._shown:
            self._shown = tuple(imports)
            self._fill()

    def _fill(self) -> None:
        clear(self._lay)
        for one in self._shown:
            self._lay.addWidget(self._row(one))
            self._lay.addWidget(Line())
        self.setVisible(bool(self._shown))

    def _row(self, one: CutImport) -> QWidget:
        ground = Surface("raised")
        lay = row(ground, (16, 8, 12, 8), 10)
        lay.addWidget(Glyph("import", "secondary"))
        done, total = (" ".join(file_size(n)) for n in (one.done_bytes, one.total_bytes))
        lay.addWidget(Text(tr("ui.cut.title", what=one.title, done=done, total=total), "body", "medium"), 1)
        if not one.here:
            lay.addWidget(note(Words("ui.cut.missing")))
        discard = Button(Words("ui.cut.discard"), QUIET)
        discard.clicked.connect(lambda: self.discard.emit(one.job_id))
        go_on = Button(Words("ui.cut.go_on"), OUTLINE, "play")
        go_on.setEnabled(one.here)
        go_on.clicked.connect(lambda: self.go_on.emit(one.job_id))
        lay.addWidget(discard)
        lay.addWidget(go_on)
        return ground

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and self._shown:
            self._fill()

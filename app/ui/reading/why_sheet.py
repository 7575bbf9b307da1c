"""Why it hangs like this: the protocol and its rules, every pane with its images, the runners-up, the priors."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QWidget

from app.session.hanging_said import HangingSaid, PaneSaid, RuleSaid
from app.session.views import Words
from app.ui.i18n import tr
from app.ui.widgets.boxes import Card, VScroll, column, row
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text


class WhySheet(Sheet):
    def __init__(self, said: HangingSaid, parent: QWidget) -> None:
        super().__init__(Words("ui.why_hung.title"), QSize(760, 720), parent)
        content = _Content()
        lay = column(content, (16, 14, 16, 16), 8)
        lay.addWidget(Text(said.protocol, "body", "semibold", wrap=True))
        for rule in said.rules:
            lay.addWidget(_RuleLine(rule))
        if said.panes:
            _section(lay, "ui.why_hung.panes")
            for pane in said.panes:
                lay.addWidget(_PaneCard(pane))
        for heading, lines in (("ui.why_hung.others", said.others), ("ui.why_hung.priors", said.priors)):
            if lines:
                _section(lay, heading)
                for line in lines:
                    lay.addWidget(Text(line, "body", "regular", "secondary", wrap=True))
        lay.addStretch(1)
        self.lines = VScroll(content)
        self.lines.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.lines.setAccessibleName(tr("ui.why_hung.title"))
        self.body.addWidget(self.lines, 1)

    def open(self) -> None:
        super().open()
        self.lines.setFocus()


class _Content(QWidget):
    """As high as its wrapped lines are at the width that it has."""

    def minimumSizeHint(self) -> QSize:
        lay = self.layout()
        return QSize(0, lay.totalHeightForWidth(self.width()) if lay is not None else 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.updateGeometry()


def _section(lay: QBoxLayout, heading: str) -> None:
    lay.addSpacing(10)
    lay.addWidget(Text(Words(heading), "body", "semibold"))


class _RuleLine(QWidget):
    """One rule: met or not, what was found, what it counts."""

    def __init__(self, rule: RuleSaid) -> None:
        super().__init__()
        lay = row(self, gap=8)
        lay.addWidget(
            Glyph("check" if rule.held else "minus", "secondary" if rule.held else "third", 16), 0, Qt.AlignmentFlag.AlignTop
        )
        lay.addWidget(Text(rule.words, "body", "regular", "text" if rule.held else "third", wrap=True), 1)
        if rule.points:
            lay.addWidget(Text(rule.points, "body", "regular", "third", elide=False), 0, Qt.AlignmentFlag.AlignTop)
        outcome = tr("ui.why_hung.held" if rule.held else "ui.why_hung.missed")
        self.setAccessibleName(f"{tr(rule.words)} – {outcome} {rule.points}".strip())


class _PaneCard(Card):
    """One pane: what hangs in it, and what decided."""

    def __init__(self, pane: PaneSaid) -> None:
        super().__init__("raised", "fine_line")
        lay = column(self, (12, 10, 12, 10), 4)
        top = row(gap=10)
        top.addWidget(Text(pane.title, "body", "medium", elide=False))
        top.addWidget(Text(pane.series, "body", "regular", "secondary"), 1)
        lay.addLayout(top)
        lay.addWidget(Text(pane.because, "body", "regular", "third", wrap=True))
        for rule in pane.rules:
            lay.addWidget(_RuleLine(rule))
        self.setAccessibleName(f"{tr(pane.title)}: {tr(pane.series)}. {tr(pane.because)}")

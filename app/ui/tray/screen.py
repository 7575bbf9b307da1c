"""The tray: everything that leaves this PC, and how far it is. *Proven* only after a read-back with equal bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from app.domain.problem import ProblemError
from app.session.views import Changes, Notice, TrayView, Words
from app.ui.i18n import tr
from app.ui.tray.banner import Banner, TargetCards
from app.ui.tray.filters import WIDTH as FILTERS_WIDTH
from app.ui.tray.filters import TrayFilters
from app.ui.tray.proof import WIDTH as PROOF_WIDTH
from app.ui.tray.proof import ProofPanel
from app.ui.tray.table import TrayTable
from app.ui.widgets.boxes import Line, Surface, column, row
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.workstation import Workstation


class TrayScreen(QWidget):
    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self._view: TrayView | None = None
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        lay = row(self, gap=0)
        self.filters = TrayFilters()
        self.filters.changed.connect(self.refresh)
        lay.addWidget(self.filters)
        middle = Surface("ground")
        inner = column(middle)
        self.banner = Banner()
        self.banner.try_wanted.connect(workstation.try_now)
        self.cards = TargetCards()
        self.table = TrayTable()
        self.table.act.connect(self._act)
        self.table.list.picked.connect(self._show_proof)
        self._empty = self._make_empty()
        inner.addWidget(self.banner)
        inner.addWidget(self.cards)
        inner.addWidget(Line())
        inner.addWidget(self.table, 1)
        inner.addWidget(self._empty, 1)
        inner.addWidget(Line())
        foot = row(margins=(16, 0, 16, 0), gap=8)
        self._chain_icon = Glyph("chain", "ok", 16)
        self._chain = Text("", "small", "regular", "secondary")
        foot.addWidget(self._chain_icon)
        foot.addWidget(self._chain, 1)
        foot.addWidget(note(Words("ui.tray.legend")))
        holder = QWidget()
        holder.setFixedHeight(36)
        holder.setLayout(foot)
        inner.addWidget(holder)
        lay.addWidget(middle, 1)
        self.proof = ProofPanel()
        self.proof.setFixedWidth(PROOF_WIDTH)
        lay.addWidget(self.proof)

    @staticmethod
    def _make_empty() -> QWidget:
        made = QWidget()
        lay = column(made, gap=8)
        lay.addStretch(1)
        lay.addWidget(Glyph("tray", "third", 28), 0, Qt.AlignmentFlag.AlignHCenter)
        centre = Qt.AlignmentFlag.AlignHCenter
        lay.addWidget(Text(Words("ui.tray.empty"), "title", "semibold", elide=False, align=centre), 0)
        lay.addWidget(Text(Words("ui.tray.empty_detail"), "body", "regular", "secondary", elide=False, align=centre), 0)
        lay.addStretch(2)
        return made

    def refresh(self) -> None:
        view = self._view = self._workstation.tray()
        self.filters.show_view(view)
        self.banner.show_view(view)
        self.cards.show_targets(view.targets)
        self.table.show_view(view, self.filters.filter, self.filters.hidden_targets)
        rows = self.table.list.rows()
        self.table.setVisible(bool(rows))
        self._empty.setVisible(not rows)
        ok = view.chain_intact
        self._chain_icon.show_icon("chain" if ok else "chain_broken", "ok" if ok else "bad")
        self._chain.say(tr("ui.chain.intact" if ok else "ui.chain.broken", n=view.chain_entries))
        if rows and not self.table.list.current_key():
            self.table.list.select_first()
        self._show_proof(self.table.list.current_key() if rows else "")

    def changed(self, changes: Changes) -> None:
        if changes.tray or changes.settings or changes.report:
            self.refresh()

    def _show_proof(self, report_id: str) -> None:
        proof = self._workstation.proof(report_id) if report_id else None
        self.proof.setVisible(proof is not None)
        if proof is not None:
            self.proof.show_proof(proof)

    def _act(self, report_id: str, action: str) -> None:
        try:
            self._workstation.retry_item(report_id)
        except ProblemError as error:
            self._workstation.notice.emit(Notice(error.problem))

    def command(self, name: str) -> bool:
        if name == "try_now":
            self._workstation.try_now()
            return True
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:
        roomy = self.width() >= 1500
        self.proof.setFixedWidth(PROOF_WIDTH if roomy else 300)
        self.filters.setFixedWidth(FILTERS_WIDTH if roomy else 176)
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and self._view is not None:
            self.refresh()

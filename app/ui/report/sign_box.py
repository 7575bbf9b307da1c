"""The right column of the report desk: what blocks signing, certificate and PIN, and what happens afterwards."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFileDialog, QLineEdit, QSizePolicy, QWidget

from app.session.views import NOTHING, ReportView, Status, Words
from app.ui.i18n import tr, tr_problem
from app.ui.icons import has_icon, paint_icon
from app.ui.shortcuts import key_of
from app.ui.theme import colour, font
from app.ui.widgets.boxes import Card, Surface, VScroll, clear, column, row
from app.ui.widgets.buttons import LINK, OUTLINE, PRIMARY, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import paint_progress, paint_text, rounded, text_width
from app.ui.widgets.text import Text, heading, note

WIDTH = 408


class PinField(QWidget):
    """Typed as dots, forgotten after use."""

    entered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(40)
        lay = row(self, (48, 1, 10, 1))
        self.edit = QLineEdit()
        self.edit.setFrame(False)
        self.edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.edit.setFont(font("title"))
        self.edit.setStyleSheet("background: transparent;")
        self.edit.setAccessibleName("PIN")
        self.edit.setInputMethodHints(Qt.InputMethodHint.ImhSensitiveData | Qt.InputMethodHint.ImhNoPredictiveText)
        self.edit.returnPressed.connect(self.entered)
        lay.addWidget(self.edit)
        self.setFocusProxy(self.edit)

    def take(self) -> str:
        """The PIN, once; the field is empty afterwards."""
        pin = self.edit.text()
        self.edit.clear()
        return pin

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        edge = "text" if self.edit.hasFocus() else "control_edge" if self.isEnabled() else "line"
        rounded(painter, box, "ground", edge)
        paint_text(painter, box.adjusted(14, 0, 0, 0), "PIN", "third", "body")
        painter.end()


class SignBox(Card):
    sign_wanted = Signal(str)
    certificate_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("raised", "line", parent=parent)
        lay = column(self, (12, 12, 12, 12), 10)
        top = row(gap=12)
        top.addWidget(Glyph("certificate", "secondary", 24))
        names = column(gap=0)
        self._name = Text("", "body", "semibold")
        self._detail = note("")
        names.addWidget(self._name)
        names.addWidget(self._detail)
        top.addLayout(names, 1)
        self._choose = Button(Words("ui.sign.choose"), LINK)
        self._choose.clicked.connect(self.choose)
        top.addWidget(self._choose)
        lay.addLayout(top)
        self._remarks = Text("", "small", "medium", "bad", wrap=True)
        lay.addWidget(self._remarks)
        line = row(gap=12)
        self.pin = PinField()
        self.button = Button(Words("ui.sign.send"), PRIMARY, key=key_of("report", "sign"), height=40)
        self.button.clicked.connect(self.sign)
        self.pin.entered.connect(self.sign)
        line.addWidget(self.pin, 1)
        line.addWidget(self.button)
        lay.addLayout(line)
        self._said = Text("", "small", "regular", "secondary", wrap=True)
        lay.addWidget(self._said)
        self._test = note(Words("ui.sign.test_certificate"), wrap=True)
        lay.addWidget(self._test)

    def show_view(self, view: ReportView) -> None:
        self._name.say(view.certificate or Words("ui.sign.no_certificate"))
        self._detail.say(view.certificate_detail if view.certificate else Words("ui.sign.pkcs12"))
        blocked = view.blocked_by
        self._remarks.say("\n".join(tr_problem(p) for p in view.remarks))
        self._remarks.setVisible(bool(view.remarks))
        self._said.say("\n".join(tr_problem(p) for p in blocked), "secondary")
        if not blocked and not self._said.text():
            self._said.say(Words("ui.sign.ready"))
        self.button.setEnabled(not blocked)
        self.pin.setEnabled(not blocked)
        self._test.setVisible(view.is_test_certificate)

    def complain(self, sentence: str) -> None:
        self._said.say(sentence, "bad")
        self.pin.edit.setFocus()

    def sign(self) -> None:
        if not self.button.isEnabled():
            return
        if not self.pin.edit.text():
            self.pin.edit.setFocus()
            return
        self.sign_wanted.emit(self.pin.take())

    def choose(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self, tr("ui.sign.choose_title"), "", "PKCS#12 (*.p12 *.pfx)")
        if file:
            self.certificate_chosen.emit(Path(file))


class _Step(QWidget):
    """A ring with an icon, a word, a line below."""

    def __init__(self, status: Status, last: bool, done: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._status, self._last, self._done = status, last, done
        self.setFixedHeight(52)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{tr(status.title)}, {tr(status.detail)}")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colour("line"), 1))
        if not self._last:
            painter.drawLine(15, 34, 15, 52)
        role = self._status.role if self._status.role in ("ok", "bad") else "secondary"
        painter.setPen(QPen(colour(role if self._done else "line"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QRectF(0.5, 2.5, 31, 31))
        if has_icon(self._status.icon):
            paint_icon(painter, self._status.icon, 8, 10, role, 16)
        area = QRectF(44, 0, self.width() - 44, 18)
        taken = paint_text(painter, area, tr(self._status.title), "text", "body", "medium")
        if self._status.fraction is not None:
            bar = QRectF(44 + taken + 12, 7, max(self.width() - 44 - taken - 60, 20), 4)
            paint_progress(painter, bar, self._status.fraction)
            percent = f"{round(self._status.fraction * 100)} %"
            width = text_width(percent, font("small"))
            paint_text(painter, QRectF(self.width() - width, 0, width + 1, 18), percent, "secondary", "small")
        paint_text(painter, area.translated(0, 18), tr(self._status.detail), "third", "small")
        painter.end()


_FORESEEN = (
    Status("queued", Words("ui.after.queued"), Words("ui.after.queued_detail")),
    Status("accepted", Words("ui.after.accepted"), Words("ui.after.accepted_detail")),
    Status("proven", Words("ui.after.proven"), Words("ui.after.proven_detail")),
)


class RightColumn(Surface):
    to_tray = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", "l", parent)
        self.setFixedWidth(WIDTH)
        self._shown: object = None
        body = QWidget()
        lay = column(body, (15, 16, 16, 16), 0)
        top = row()
        top.addWidget(heading(Words("ui.sign")), 1)
        self._answered = note("")
        top.addWidget(self._answered)
        lay.addLayout(top)
        lay.addSpacing(8)
        self._signed = Card("ok_wash", "line")
        signed = row(self._signed, (12, 10, 12, 10), 10)
        signed.addWidget(Glyph("signed", "ok"))
        self._signed_text = Text("", "body", "medium", wrap=True)
        signed.addWidget(self._signed_text, 1)
        lay.addWidget(self._signed)
        lay.addSpacing(8)
        self.box = SignBox()
        lay.addWidget(self.box)
        lay.addSpacing(20)
        after = row()
        self._after = heading("")
        after.addWidget(self._after, 1)
        self._what = note(Words("ui.after.what"))
        after.addWidget(self._what)
        lay.addLayout(after)
        lay.addSpacing(12)
        self._steps = column()
        lay.addLayout(self._steps)
        self._tray = Button(Words("ui.after.open_tray"), OUTLINE, "tray")
        self._tray.clicked.connect(self.to_tray)
        lay.addSpacing(8)
        lay.addWidget(self._tray)
        lay.addStretch(1)
        outer = column(self, (1, 0, 0, 0))
        outer.addWidget(VScroll(body))

    def show_view(self, view: ReportView, answered: int, total: int) -> None:
        self._answered.say(tr("ui.sign.answered", n=answered, of=total) if total else "")
        self._signed.setVisible(bool(view.signed_at))
        self._signed_text.say(
            Words("ui.sign.signed_at", {"time": view.signed_at, "version": view.version}) if view.signed_at else NOTHING
        )
        self.box.show_view(view)
        self._after.say(Words("ui.after.now" if view.storage else "ui.after"))
        self._tray.setVisible(bool(view.storage))
        steps = view.storage or _FORESEEN
        if steps == self._shown:
            return
        self._shown = steps
        clear(self._steps)
        for number, status in enumerate(steps):
            self._steps.addWidget(_Step(status, number == len(steps) - 1, bool(view.storage)))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._shown = None
        super().changeEvent(event)

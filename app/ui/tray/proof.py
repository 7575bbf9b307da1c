"""One item's proof: every step with its time, every object with its digest."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, Signal
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.session.views import ProofView, Words
from app.ui.i18n import file_size, tr
from app.ui.icons import paint_icon
from app.ui.theme import colour
from app.ui.widgets.boxes import Surface, VScroll, clear, column, row
from app.ui.widgets.buttons import OUTLINE, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import RIGHT, paint_text
from app.ui.widgets.text import Text, heading, note
from app.ui.widgets.timeline import Timeline, of_proof

WIDTH = 400


class _Object(QWidget):
    """What, how large, its SHA-256 in short, and whether it is equal there."""

    def __init__(self, entry: tuple[str, int, str, bool], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entry = entry
        self.setFixedHeight(28)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(entry[2])
        self.setAccessibleName(f"{entry[0]} {entry[2]} {tr('ui.tray.equal' if entry[3] else 'ui.tray.not_yet_equal')}")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        what, size, digest, equal = self._entry
        width = self.width()
        paint_icon(painter, "equals" if equal else "clock", width - 20, 6, "ok" if equal else "secondary", 16)
        roomy = width >= 340
        start = f"{digest[:4]} {digest[4:8]}" if roomy else digest[:4]
        short = f"{start} … {digest[-4:]}" if len(digest) > 12 else digest
        room = 144 if roomy else 92
        paint_text(painter, QRectF(width - 30 - room, 0, room, 28), short, "secondary", "body")
        number, unit = file_size(size)
        left = width - 30 - room - 74
        paint_text(painter, QRectF(left, 0, 62, 28), f"{number} {unit}", "third", "small", align=RIGHT)
        paint_text(painter, QRectF(0, 0, left - 4, 28), tr(what), "text", "body")
        painter.fillRect(QRectF(0, 27, width, 1), colour("fine_line"))
        painter.end()


class ProofPanel(Surface):
    act = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", "l", parent)
        self._shown: ProofView | None = None
        body = QWidget()
        lay = column(body, (15, 16, 16, 16), 0)
        top = row(gap=10)
        self._icon = Glyph("proven", "ok", 24)
        self._title = Text("", "large", "semibold")
        top.addWidget(self._icon)
        top.addWidget(self._title, 1)
        lay.addLayout(top)
        lay.addSpacing(8)
        self._patient = Text("", "body", "medium")
        self._what = Text("", "body", "regular", "secondary")
        lay.addWidget(self._patient)
        lay.addWidget(self._what)
        lay.addSpacing(16)
        self._steps = Timeline(pitch=44)
        lay.addWidget(self._steps)
        lay.addSpacing(20)
        head = row()
        head.addWidget(heading("SHA-256"), 1)
        head.addWidget(note(Words("ui.tray.here_there")))
        self._digests = QWidget()
        self._digests.setLayout(head)
        lay.addWidget(self._digests)
        lay.addSpacing(6)
        self._objects = column()
        lay.addLayout(self._objects)
        lay.addSpacing(14)
        self._facts = QGridLayout()
        self._facts.setContentsMargins(0, 0, 0, 0)
        self._facts.setHorizontalSpacing(16)
        self._facts.setVerticalSpacing(4)
        self._facts.setColumnStretch(1, 1)
        lay.addLayout(self._facts)
        lay.addSpacing(16)
        self._copy = Button(Words("ui.tray.copy_proof"), OUTLINE, "copy", height=34)
        self._copy.clicked.connect(self.copy)
        lay.addWidget(self._copy)
        lay.addStretch(1)
        outer = column(self, (1, 0, 0, 0))
        outer.addWidget(VScroll(body))

    def show_proof(self, proof: ProofView) -> None:
        if proof == self._shown:
            return
        self._shown = proof
        proven = bool(proof.objects) and all(o[3] for o in proof.objects)
        self._icon.show_icon("proven" if proven else "clock", "ok" if proven else "secondary")
        self._title.say(proof.title)
        self._patient.say(proof.patient_name)
        self._what.say(tr(proof.what))
        self._steps.show_moments(of_proof(proof.steps))
        clear(self._objects)
        for entry in proof.objects:
            self._objects.addWidget(_Object(entry))
        self._digests.setVisible(bool(proof.objects))
        clear(self._facts)
        for number, (label, value) in enumerate(proof.facts):
            self._facts.addWidget(Text(label, "body", "regular", "third", elide=False), number, 0)
            self._facts.addWidget(Text(value, "body"), number, 1)

    def text(self) -> str:
        """The proof as plain lines, without the patient's name: it is meant to be passed on."""
        proof = self._shown
        if proof is None:
            return ""
        lines = [tr(proof.title), proof.report_id]
        lines += [" · ".join(t for t in (s.at, tr(s.title), tr(s.detail)) if t) for s in proof.steps]
        lines += [f"{tr(what)}  {size}  {digest}  {'=' if equal else '?'}" for what, size, digest, equal in proof.objects]
        lines += [f"{tr(label)}: {value}" for label, value in proof.facts]
        return "\n".join(lines)

    def copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._shown = None

"""The right column of the worklist: one study, enough to decide whether it is the right one."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.session.views import NOTHING, StudyPreview, Words
from app.ui.i18n import tr, tr_problem
from app.ui.pictures import Thumbnails
from app.ui.theme import colour
from app.ui.widgets.boxes import Card, ProgressBar, Surface, VScroll, clear, column, row
from app.ui.widgets.buttons import OUTLINE, PRIMARY, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import clip_rounded
from app.ui.widgets.text import Text, heading, note
from app.ui.widgets.timeline import Timeline, of_history
from app.ui.worklist.table import fitted

WIDTH = 400
_REPAIRS = 4
"""More of them are on the sheet of tags."""
_SEALED = {"sealed", "lock-key", "lock-simple"}


class TwoPictures(QWidget):
    """The two best series side by side, 144 high, on black."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._ids: tuple[str, ...] = ()
        self.setFixedHeight(144)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_sets(self, ids: tuple[str, ...]) -> None:
        self._ids = ids[:2]
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        count = max(len(self._ids), 1)
        width = (self.width() - 8 * (count - 1)) / count
        for number in range(count):
            box = QRectF(number * (width + 8), 0, width, self.height())
            painter.save()
            clip_rounded(painter, box, 4)
            painter.fillRect(box, colour("black"))
            image = self._thumbnails.get(self._ids[number]) if self._ids else None
            if image is not None:
                painter.drawImage(fitted(image, box), image)
            painter.restore()
        painter.end()


class AiCard(Card):
    """How far the second read of this study is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("panel", "line", parent=parent)
        lay = column(self, (12, 10, 12, 12), 6)
        top = row(gap=8)
        self._glyph = Glyph()
        self._title = Text("", "body", "semibold")
        self._reader = note("")
        top.addWidget(self._glyph)
        top.addWidget(self._title, 1)
        top.addWidget(self._reader)
        lay.addLayout(top)
        self._bar = ProgressBar("ai")
        lay.addWidget(self._bar)
        self._detail = Text("", "body", "regular", "secondary", wrap=True)
        lay.addWidget(self._detail)

    def show_state(self, preview: StudyPreview) -> None:
        status = preview.ai
        role = "secondary" if status.role in ("text", "waiting", "") else status.role
        self._glyph.show_icon(status.icon, role)
        self._title.say(status.title)
        self._reader.say(preview.ai_reader)
        self._detail.say(Words("ui.preview.opens_on_commit") if status.icon in _SEALED else status.detail)
        self._detail.setVisible(bool(self._detail.text()))
        self._bar.setVisible(status.fraction is not None)
        self._bar.set_fraction(status.fraction or 0.0)


class Preview(Surface):
    opened = Signal(str)
    tags_wanted = Signal(str)
    export_wanted = Signal(str)

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__("panel", "l", parent)
        self._uid = ""
        self._shown: StudyPreview | None = None
        body = QWidget()
        lay = column(body, (16, 16, 16, 16), 0)
        self._name = Text("", "large", "semibold")
        self._line = Text("", "body", "regular", "secondary")
        self._pictures = TwoPictures(thumbnails)
        lay.addWidget(self._name)
        lay.addSpacing(4)
        lay.addWidget(self._line)
        lay.addSpacing(16)
        lay.addWidget(self._pictures)
        lay.addSpacing(16)
        self._facts = QGridLayout()
        self._facts.setContentsMargins(0, 0, 0, 0)
        self._facts.setVerticalSpacing(6)
        self._facts.setHorizontalSpacing(12)
        self._facts.setColumnStretch(1, 1)
        lay.addLayout(self._facts)
        lay.addSpacing(16)
        self._repairs = column(gap=6)
        lay.addLayout(self._repairs)
        self._ai = AiCard()
        lay.addWidget(self._ai)
        lay.addSpacing(24)
        title = row()
        title.addWidget(heading(Words("ui.preview.history")), 1)
        self._count = note("")
        title.addWidget(self._count)
        lay.addLayout(title)
        lay.addSpacing(10)
        self._history = Timeline()
        self._history.opened.connect(self.opened)
        lay.addWidget(self._history)
        lay.addSpacing(18)
        chain = row(gap=6)
        self._chain_icon = Glyph("chain", "ok", 16)
        self._chain = Text("", "small", "regular", "secondary")
        chain.addWidget(self._chain_icon)
        chain.addWidget(self._chain, 1)
        lay.addLayout(chain)
        lay.addStretch(1)
        outer = column(self, (1, 0, 0, 0))
        outer.addWidget(VScroll(body), 1)
        foot = column(margins=(16, 12, 16, 16), gap=8)
        self._open = Button(Words("ui.worklist.open"), PRIMARY, key="⏎", height=40)
        self._open.clicked.connect(lambda: self.opened.emit(self._uid))
        more = row()
        foot.addLayout(more)
        foot.addWidget(self._open)
        tags = Button(NOTHING, OUTLINE, "list-bullets", tip=Words("ui.explorer.tags"), height=32)
        tags.clicked.connect(lambda: self.tags_wanted.emit(self._uid))
        export = Button(Words("ui.export"), OUTLINE, "export", height=32)
        export.clicked.connect(lambda: self.export_wanted.emit(self._uid))
        more.addWidget(export, 1)
        more.addWidget(tags)
        outer.addLayout(foot)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 800)

    def show_preview(self, preview: StudyPreview) -> None:
        self._uid = preview.study_instance_uid
        self._name.say(preview.patient_name)
        self._line.say(preview.patient_line)
        self._pictures.show_sets(preview.thumbnails)
        clear(self._facts)
        for number, (label, value) in enumerate(preview.facts):
            self._facts.addWidget(Text(label, "body", "regular", "third"), number, 0)
            self._facts.addWidget(Text(value, "body", "regular", "text"), number, 1)
        self._facts.setColumnMinimumWidth(0, 84)
        clear(self._repairs)
        for problem in preview.repairs[:_REPAIRS]:
            line = row(gap=8)
            line.addWidget(Glyph("info", "secondary", 16), 0, Qt.AlignmentFlag.AlignTop)
            line.addWidget(Text(tr_problem(problem), "small", "regular", "secondary", wrap=True), 1)
            self._repairs.addLayout(line)
        if preview.repairs:
            self._repairs.addSpacing(14)
        self._ai.show_state(preview)
        self._history.show_moments(of_history(preview.history))
        self._count.say(tr("ui.preview.reads", n=len(preview.history)))
        ok = preview.chain_intact
        self._chain_icon.show_icon("chain" if ok else "chain_broken", "ok" if ok else "bad")
        self._chain.say(tr("ui.chain.intact" if ok else "ui.chain.broken", n=preview.chain_entries))

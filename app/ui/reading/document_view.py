"""A document in a pane: report, pages or curves, with the patient's name above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QUrl, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QStackedWidget, QTextBrowser, QWidget

from app.domain.document import Document, DocumentKind, DocumentLine
from app.session.documents import ShownDocument
from app.session.views import NOTHING, Words
from app.ui.i18n import tr, tr_problem
from app.ui.reading.document_curves import CurvesView
from app.ui.reading.document_model import ModelView
from app.ui.reading.document_pages import PagesView
from app.ui.reading.document_text import html_of, time_of
from app.ui.theme import colour
from app.ui.widgets.boxes import Line, Surface, column, row
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text

if TYPE_CHECKING:
    from app.session.workstation import Workstation

ICONS = {
    DocumentKind.REPORT: "note-pencil",
    DocumentKind.KEY_OBJECTS: "star",
    DocumentKind.PDF: "file-pdf",
    DocumentKind.CDA: "note-pencil",
    DocumentKind.MODEL: "cube",
    DocumentKind.WAVEFORM: "heart",
    DocumentKind.VALUES: "list-numbers",
    DocumentKind.OBJECT: "list-bullets",
}


class DocumentView(Surface):
    jumped = Signal(str, str, int)
    """Pane id, SOP Instance UID and frame of an image that was clicked."""
    placed = Signal(str, str, object)
    """Pane id, frame of reference, point in LPS mm that was clicked."""
    activated = Signal(str)

    def __init__(self, pane_id: str, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__("panel", "", parent)
        self.pane_id = pane_id
        self._workstation = workstation
        self._shown: ShownDocument | None = None
        self._active = False
        self._loaded: Document | None = None
        lay = column(self, (1, 1, 1, 1))
        top = row(margins=(14, 10, 14, 10), gap=10)
        self._glyph = Glyph()
        top.addWidget(self._glyph)
        names = column(gap=2)
        self._title = Text("", "title", "semibold")
        self._who = Text("", "small", "regular", "secondary")
        names.addWidget(self._title)
        names.addWidget(self._who)
        top.addLayout(names, 1)
        lay.addLayout(top)
        self._facts = Text("", "small", "regular", "secondary", wrap=True)
        self._facts.setContentsMargins(14, 0, 14, 8)
        lay.addWidget(self._facts)
        self._remark = Text("", "small", "medium", "bad", wrap=True)
        self._remark.setContentsMargins(14, 0, 14, 8)
        lay.addWidget(self._remark)
        lay.addWidget(Line())
        self._stack = QStackedWidget()
        self._text = QTextBrowser()
        self._text.setOpenLinks(False)
        self._text.setFrameShape(QFrame.Shape.NoFrame)
        self._text.anchorClicked.connect(self._clicked)
        self._pages = PagesView(self._page)
        self._curves = CurvesView()
        self._model = ModelView()
        for view in (self._text, self._pages, self._curves, self._model):
            self._stack.addWidget(view)
            view.viewport().installEventFilter(self)
        lay.addWidget(self._stack, 1)

    def show_document(self, shown: ShownDocument) -> None:
        self._shown = shown
        document = shown.document
        reading = self._workstation.reading
        self._who.say(reading.banner()[0] if reading is not None else "")
        if document is None:
            self._loaded = None
            self._glyph.show_icon(
                "warning-circle" if shown.problem else "hourglass", "bad" if shown.problem else "secondary"
            )
            self._title.say(NOTHING if shown.problem else Words("ui.document.reading"))
            self._facts.setVisible(False)
            self._remark.setVisible(shown.problem is not None)
            self._remark.say(tr_problem(shown.problem) if shown.problem else "")
            self._text.setHtml("")
            self._stack.setCurrentWidget(self._text)
            return
        if document is self._loaded:
            self._pages.pages_came()
            return
        self._loaded = document
        self._glyph.show_icon(ICONS[document.kind], "secondary")
        self._title.say(document.title or tr(f"ui.document.{document.kind.value}"))
        facts = [f"{tr(label)}: {self._fact(label, value)}" for label, value in document.facts]
        facts.insert(0, tr(f"ui.document.{document.kind.value}"))
        self._facts.say(" · ".join(facts))
        self._facts.setVisible(True)
        self._remark.setVisible(bool(document.remarks))
        self._remark.say(" ".join(tr_problem(p) for p in document.remarks))
        if document.pages:
            self._pages.show_pages(document.pages)
            self._stack.setCurrentWidget(self._pages)
        elif document.groups:
            self._curves.show_groups(document.groups, document.lines)
            self._stack.setCurrentWidget(self._curves)
        elif document.surface is not None:
            self._model.show_surface(document.surface)
            self._stack.setCurrentWidget(self._model)
        else:
            self._text.setHtml(html_of(document, self._is_here))
            self._stack.setCurrentWidget(self._text)
        self.setAccessibleName(f"{self._title.text()}, {self._who.text()}")

    @staticmethod
    def _fact(label: str, value: str) -> str:
        if label == "document.fact.time":
            return time_of(value)
        return tr(value) if value.startswith("document.") else value

    def _is_here(self, line: DocumentLine) -> bool:
        reading = self._workstation.reading
        if reading is None or reading.saved is None:
            return False
        if line.sop_instance_uid:
            return reading.saved.place_of(line.sop_instance_uid, line.frame) is not None
        return reading.saved.can_show_point(line.frame_of_reference_uid)

    def _page(self, number: int, width_px: int) -> object:
        reading = self._workstation.reading
        if reading is None or reading.saved is None or self._shown is None:
            return None
        return reading.saved.page(self._shown, number, width_px)

    def _clicked(self, url: QUrl) -> None:
        if url.scheme() == "place":
            name, x, y, z = url.path().split("/")
            self.placed.emit(self.pane_id, name, (float(x), float(y), float(z)))
            return
        uid, _, frame = url.path().partition("/")
        if url.scheme() == "image" and uid:
            self.jumped.emit(self.pane_id, uid, int(frame or 0))

    def set_active(self, active: bool) -> None:
        if active != self._active:
            self._active = active
            self.update()

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonPress:
            self.activated.emit(self.pane_id)
        return super().eventFilter(watched, event)  # type: ignore[arg-type]

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.activated.emit(self.pane_id)
        super().mousePressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and self._shown is not None:
            self._loaded = None
            self.show_document(self._shown)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._active:
            painter = QPainter(self)
            painter.setPen(colour("secondary"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(0, 0, self.width() - 1, self.height() - 1)
            painter.end()

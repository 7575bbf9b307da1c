"""The report desk: key images, the sheet, and what it takes to sign and send."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QResizeEvent
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from app.domain.messages import available_languages
from app.domain.problem import Problem, ProblemError
from app.session.undo_aspects import out_of_sight
from app.session.views import NOTHING, Changes, Notice, ReportView, Words
from app.ui.i18n import NATIVE_NAMES, tr, tr_problem
from app.ui.report.document import Document, origins_of
from app.ui.report.key_images import KeyImages
from app.ui.report.sign_box import RightColumn
from app.ui.shortcuts import key_of
from app.ui.widgets.boxes import Line, Surface, column, row
from app.ui.widgets.buttons import OUTLINE, QUIET, TOOL, Button, show_menu
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text

if TYPE_CHECKING:
    from app.session.workstation import Workstation

TOOLBAR = 48

SMALL = 1150


class ReportScreen(QWidget):
    to_reading = Signal()
    to_tray = Signal()

    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self._view: ReportView | None = None
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        lay = row(self, gap=0)
        self.images = KeyImages()
        self.images.chosen.connect(self._jump)
        lay.addWidget(self.images)
        middle = Surface("ground")
        inner = column(middle)
        inner.addWidget(self._toolbar())
        inner.addWidget(Line())
        self.document = Document(workstation)
        self.document.edited.connect(lambda s, i, t: self._verb("edit_line", s, i, t))
        self.document.added.connect(lambda s, t: self._verb("add_line", s, t))
        self.document.removed.connect(lambda s, i: self._verb("remove_line", s, i))
        inner.addWidget(self.document, 1)
        lay.addWidget(middle, 1)
        self.right = RightColumn()
        self.right.to_tray.connect(self.to_tray)
        self.right.box.sign_wanted.connect(self.sign)
        self.right.box.certificate_chosen.connect(self._certificate)
        lay.addWidget(self.right)

    def _toolbar(self) -> QWidget:
        bar = Surface("panel")
        bar.setFixedHeight(TOOLBAR)
        lay = row(bar, (6, 0, 16, 0), 6)
        self._template = Button(Words("ui.report.template"), QUIET, caret=True, value="–")
        self._template.clicked.connect(lambda: show_menu(self._template, self._template_menu()))
        self._language = Button("", QUIET, caret=True, tip=Words("ui.report.language"))
        self._language.clicked.connect(lambda: show_menu(self._language, self._language_menu()))
        self._saved_icon = Glyph("check", "secondary", 16)
        self._saved = Text("", "body", "regular", "secondary", elide=False)
        self._back = Button(NOTHING, TOOL, "arrow-u-up-left", tip=Words("ui.key.undo"), key=key_of("report", "undo"))
        self._back.clicked.connect(lambda: self._step("undo"))
        self._forth = Button(NOTHING, TOOL, "arrow-u-up-right", tip=Words("ui.key.redo"), key=key_of("report", "redo"))
        self._forth.clicked.connect(lambda: self._step("redo"))
        self._pdf = Button(Words("ui.report.preview"), OUTLINE, "file-pdf")
        self._pdf.clicked.connect(self.save_pdf)
        lay.addWidget(self._template)
        lay.addWidget(Line(vertical=True, length=20))
        lay.addWidget(self._language)
        lay.addWidget(Line(vertical=True, length=20))
        lay.addWidget(self._back)
        lay.addWidget(self._forth)
        lay.addStretch(1)
        lay.addWidget(self._saved_icon)
        lay.addWidget(self._saved)
        lay.addSpacing(8)
        lay.addWidget(self._pdf)
        return bar

    # what is shown

    def refresh(self) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        view = self._view = reading.report()
        second = reading.second_read()
        title = next((t for i, t in view.templates if i == view.template), view.template)
        self._template.say(Words("ui.report.template"), value=title)
        self._language.say(NATIVE_NAMES.get(view.report.language, view.report.language.upper()))
        self._saved.say(tr("ui.report.saved", time=view.saved_at) if view.saved_at else "")
        self._saved_icon.setVisible(bool(view.saved_at))
        self.images.show_images(view.report.key_images, origins_of(view.report))
        if not self.document.editing():
            self.document.show_report(view.report)
        self.right.show_view(view, second.total_ai - second.unanswered, second.total_ai)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Large text on a small screen: the key images give way; they stand in the report itself as well."""
        self.images.setVisible(self.width() >= SMALL)
        super().resizeEvent(event)

    def changed(self, changes: Changes) -> None:
        if changes.report or changes.findings or changes.study or changes.settings or changes.tray:
            self.refresh()

    # what can be done

    def command(self, name: str) -> bool:
        if name == "sign":
            self.right.box.sign()
        elif name == "preview":
            self.save_pdf()
        elif name in ("undo", "redo"):
            self._step(name)
        else:
            return False
        return True

    def _step(self, name: str) -> None:
        """Undo and redo go through everything that was done in the study; what is not seen here is told."""
        reading = self._workstation.reading
        if reading is None:
            return
        told = out_of_sight(reading.undo() if name == "undo" else reading.redo(), "report")
        self.refresh()
        if told is not None:
            self._workstation.notice.emit(Notice(told))

    def _verb(self, name: str, *arguments: object) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        try:
            getattr(reading, name)(*arguments)
        except ProblemError as error:
            self._workstation.notice.emit(Notice(error.problem))

    def sign(self, pin: str) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        try:
            reading.sign(pin)
        except ProblemError as error:
            self.refresh()
            self.right.box.complain(tr_problem(error.problem))

    def _certificate(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            problem = Problem(
                "ui.sign.cannot_read", {"name": path.name, "why": error.strerror or ""}, next_step="ui.sign.choose_other"
            )
            self._workstation.notice.emit(Notice(problem))
            return
        self._verb("choose_certificate", content, path.name)

    def save_pdf(self) -> None:
        """The draft as a file where the person wants it, then shown by the system's own viewer."""
        reading = self._workstation.reading
        if reading is None:
            return
        file, _ = QFileDialog.getSaveFileName(self, tr("ui.report.preview_save"), "report-draft.pdf", "PDF (*.pdf)")
        if not file:
            return
        reading.report_pdf_to(Path(file), lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(file)))

    def _jump(self, finding_id: str) -> None:
        if self._workstation.reading is not None and finding_id:
            self._workstation.reading.jump_to(finding_id)
            self.to_reading.emit()

    def _template_menu(self) -> QMenu:
        menu = QMenu(self)
        for template_id, title in self._view.templates if self._view is not None else ():
            menu.addAction(title).triggered.connect(lambda _=False, t=template_id: self._verb("set_template", t))
        return menu

    def _language_menu(self) -> QMenu:
        menu = QMenu(self)
        for code in available_languages():
            action = menu.addAction(NATIVE_NAMES.get(code, code.upper()))
            action.triggered.connect(lambda _=False, c=code: self._verb("set_report_language", c))
        return menu

"""Export of studies: where to, with or without identity, and the proof that what was written is what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtWidgets import QFileDialog, QStackedWidget, QWidget

from app.session.export_desk import ExportDesk, ExportPhase, ExportView, ExportWish
from app.session.exporting import Form
from app.session.views import Words
from app.ui.i18n import file_size, tr, tr_problem
from app.ui.widgets.boxes import Card, Line, ProgressBar, VScroll, clear, column, row
from app.ui.widgets.buttons import OUTLINE, PRIMARY, Button
from app.ui.widgets.field import CheckBox
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.segments import Segments
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, heading, note

if TYPE_CHECKING:
    from app.session.workstation import Workstation

_LISTED = 30


class ExportSheet(Sheet):
    def __init__(self, workstation: Workstation, parent: QWidget) -> None:
        super().__init__(Words("ui.export.title"), QSize(640, 660), parent)
        self._desk: ExportDesk = workstation.exports
        self._view = ExportView(ExportPhase.CHOOSING)
        self._where = ""
        head = column(margins=(16, 14, 16, 12), gap=2)
        self._who = Text("", "title", "semibold")
        self._what = Text("", "small", "regular", "secondary")
        head.addWidget(self._who)
        head.addWidget(self._what)
        self.body.addLayout(head)
        self.body.addWidget(Line())
        self._pages = QStackedWidget()
        self._pages.addWidget(self._choices())
        self._pages.addWidget(self._running())
        self._pages.addWidget(self._ended())
        self.body.addWidget(self._pages, 1)
        self.body.addWidget(Line())
        foot = row(margins=(16, 10, 16, 10))
        self._second = Button(Words("ui.import.cancel"), OUTLINE, height=40)
        self._second.clicked.connect(self._other)
        self._go = Button(Words("ui.export.choose"), PRIMARY, key="⏎", height=40)
        self._go.clicked.connect(self._primary)
        foot.addWidget(self._second)
        foot.addStretch(1)
        foot.addWidget(self._go)
        self.body.addLayout(foot)

    # -- parts

    def _choices(self) -> QWidget:
        page = QWidget()
        lay = column(page, (16, 14, 16, 14), 6)
        lay.addWidget(heading(Words("ui.export.form")))
        self._form = Segments([(f, Words(f"ui.export.{f.value}")) for f in Form], Form.FOLDER, name=Words("ui.export.form"))
        self._form.chosen.connect(lambda v: self._set(self._form, v))
        lay.addWidget(self._form)
        self._form_detail = note("", wrap=True)
        lay.addWidget(self._form_detail)
        lay.addSpacing(12)
        lay.addWidget(heading(Words("ui.export.identity")))
        self._identity = Segments(
            [(False, Words("ui.export.as_is")), (True, Words("ui.export.deidentified"))],
            False,
            name=Words("ui.export.identity"),
        )
        self._identity.chosen.connect(lambda v: self._set(self._identity, v))
        lay.addWidget(self._identity)
        self._identity_detail = note("", wrap=True)
        lay.addWidget(self._identity_detail)
        self._more = QWidget()
        more = column(self._more, (0, 8, 0, 0), 6)
        more.addWidget(heading(Words("ui.export.dates")))
        self._dates = Segments(
            [(d, Words(f"ui.export.dates.{d}")) for d in ("remove", "shift", "keep")],
            "remove",
            name=Words("ui.export.dates"),
        )
        self._dates.chosen.connect(lambda v: self._set(self._dates, v))
        more.addWidget(self._dates)
        self._characteristics = CheckBox(Words("ui.export.characteristics"))
        more.addWidget(self._characteristics)
        self._burned = CheckBox(Words("ui.export.burned", {"n": 0}))
        more.addWidget(self._burned)
        warning = Card("raised", "line")
        inner = row(warning, (12, 10, 12, 10), 10)
        inner.addWidget(Glyph("warning", "secondary"), 0, Qt.AlignmentFlag.AlignTop)
        inner.addWidget(Text(Words("ui.export.pixels_warning"), "small", "regular", "secondary", wrap=True), 1)
        more.addSpacing(4)
        more.addWidget(warning)
        lay.addWidget(self._more)
        lay.addStretch(1)
        return page

    def _running(self) -> QWidget:
        page = QWidget()
        lay = column(page, (16, 40, 16, 14), 12)
        self._stage = Text("", "title", "medium", elide=False)
        self._bar = ProgressBar(height=5)
        self._percent = Text("", "body", "regular", "secondary", elide=False)
        lay.addWidget(self._stage)
        lay.addWidget(self._bar)
        lay.addWidget(self._percent)
        lay.addStretch(1)
        return page

    def _ended(self) -> QWidget:
        content = QWidget()
        self._lines = column(content, (16, 16, 16, 16), 12)
        return VScroll(content)

    # -- what is shown

    def offer(self, study_instance_uids: list[str]) -> None:
        """Opens for these studies; while an export runs, that one is shown."""
        if self._desk.choose(study_instance_uids):
            self._identity.set_value(False)
            self._burned.setChecked(False)
        self.open()
        self.refresh()

    def _set(self, control: Segments, value: Any) -> None:
        control.set_value(value)
        self.refresh()

    def refresh(self) -> None:
        if not self.isVisible():
            return
        view = self._view = self._desk.view()
        self._who.say(view.patient or tr("ui.import.studies_n", n=view.studies))
        size = " ".join(file_size(view.size_bytes))
        self._what.say(tr("ui.export.what", n=view.studies, images=view.images, size=size))
        form = self._form.value()
        self._form_detail.say(Words(f"ui.export.{form.value}_detail" if isinstance(form, Form) else ""))
        hidden = bool(self._identity.value())
        self._identity_detail.say(Words("ui.export.deidentified_detail" if hidden else "ui.export.as_is_detail"))
        self._more.setVisible(hidden)
        self._burned.say(Words("ui.export.burned", {"n": view.says_burned_in}))
        self._burned.setVisible(view.says_burned_in > 0)
        writing = view.phase is ExportPhase.WRITING
        done = view.phase in (ExportPhase.DONE, ExportPhase.FAILED)
        self._pages.setCurrentIndex(1 if writing else 2 if done else 0)
        self._bar.set_fraction(view.fraction)
        self._stage.say(Words("ui.export.comparing" if view.stage == "export.stage.comparing" else "ui.export.writing"))
        self._percent.say(f"{round(100 * view.fraction)} %")
        if done:
            self._show_end(view)
        self._second.setVisible(writing or done)
        self._second.say(Words("ui.import.cancel" if writing else "ui.export.again"))
        self._go.say(Words("ui.import.done" if done else "ui.import.to_worklist" if writing else "ui.export.choose"))

    def _show_end(self, view: ExportView) -> None:
        clear(self._lines)
        if view.problem is not None:
            self._say("warning-circle", "bad", tr_problem(view.problem))
        if view.summary is not None:
            made = view.summary
            self._say("seal-check", "ok", tr("ui.export.done", n=len(made.files), where=str(made.target)))
            for warning in made.warnings:
                self._say("warning", "secondary", tr_problem(warning))
            if made.left_out:
                self._lines.addWidget(heading(tr("ui.export.left_out", n=len(made.left_out))))
                for one in made.left_out[:_LISTED]:
                    self._say("prohibit", "bad", f"{one.path}: {tr_problem(one.problem)}")
        self._lines.addStretch(1)

    def _say(self, icon: str, role: str, text: str) -> None:
        line = row(gap=10)
        line.addWidget(Glyph(icon, role), 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(Text(text, "body", "regular", "text", wrap=True), 1)
        self._lines.addLayout(line)

    # -- what can be done

    def wish(self) -> ExportWish:
        from app.dicom.deidentify import Dates

        form = self._form.value()
        return ExportWish(
            form if isinstance(form, Form) else Form.FOLDER,
            bool(self._identity.value()),
            Dates(str(self._dates.value())),
            self._characteristics.isChecked(),
            self._burned.isChecked(),
        )

    def _primary(self) -> None:
        if self._view.phase is not ExportPhase.CHOOSING:
            self.leave()
            return
        wish = self.wish()
        if wish.form is Form.ZIP:
            name, _ = QFileDialog.getSaveFileName(self, tr("ui.export.zip"), "export.zip", "ZIP (*.zip)")
        else:
            name = QFileDialog.getExistingDirectory(self, tr(f"ui.export.{wish.form.value}"))
        if name:
            if wish.form is Form.ZIP and not name.lower().endswith(".zip"):
                name += ".zip"
            self.start(Path(name), wish)

    def start(self, target: Path, wish: ExportWish) -> None:
        self._desk.start(target, wish)
        self.refresh()

    def _other(self) -> None:
        if self._view.phase is ExportPhase.WRITING:
            self._desk.cancel()
        else:
            self._desk.again()
        self.refresh()

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._primary()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.refresh()

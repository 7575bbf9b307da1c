"""Printing pictures: which, how many a page, on what, with or without identity; the page as it will be; PDF or printer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QMarginsF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFileDialog, QSizePolicy, QWidget

from app.domain.problem import Problem, ProblemError, Severity
from app.session.print_desk import PrintDesk, PrintPage, PrintWish, Source
from app.session.print_layout import FORMS, PAPERS
from app.session.views import NOTHING, Notice, Words
from app.ui.i18n import tr, tr_problem
from app.ui.reading.print_paint import page_size, paint_page, write_pdf
from app.ui.theme import colour
from app.ui.widgets.boxes import Line, VScroll, column, row
from app.ui.widgets.buttons import OUTLINE, PRIMARY, TOOL, Button
from app.ui.widgets.field import CheckBox
from app.ui.widgets.segments import Segments
from app.ui.widgets.select import Select
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, heading, note

if TYPE_CHECKING:
    from app.session.workstation import Workstation

PREVIEW_DPI = 100.0
"""Enough for the screen; words and sizes are those of the paper all the same."""


class _Preview(QWidget):
    """The page as it will be, as large as it fits."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.page: PrintPage | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(tr("print.preview"))

    def show_page(self, page: PrintPage | None) -> None:
        self.page = page
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("ground"))
        if self.page is not None:
            form = self.page.sheet
            per_mm = min((self.width() - 24) / form.width, (self.height() - 24) / form.height)
            painter.translate((self.width() - form.width * per_mm) / 2, (self.height() - form.height * per_mm) / 2)
            paint_page(painter, self.page, per_mm)
        painter.end()


class PrintSheet(Sheet):
    _came = Signal(object)

    def __init__(self, desk: PrintDesk, workstation: Workstation, parent: QWidget) -> None:
        super().__init__(Words("print.title"), QSize(1240, 900), parent)
        self._desk, self._workstation, self._number = desk, workstation, 0
        self._asked = self._shown = self._pages = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="print")
        self._came.connect(lambda call: call(), Qt.ConnectionType.QueuedConnection)
        self._paper = "A4"
        both = row(gap=0)
        content = QWidget()
        lay = column(content, (20, 16, 20, 16), 8)
        counted = [(s, desk.count(s)) for s in Source]
        first = Source.KEY_IMAGES if dict(counted)[Source.KEY_IMAGES] else Source.PANES
        self.source = self._choice(lay, "print.which", [(s, Words(f"print.{s.value}", {"n": n})) for s, n in counted], first)
        self.per_page = self._choice(lay, "print.per_page", [(n, str(n)) for n in FORMS], _fitting(dict(counted)[first]))
        lay.addWidget(heading(Words("print.paper")))
        self.paper = Select(Words("print.paper"), lambda: [(p, _paper_words(p)) for p in PAPERS], NOTHING)
        self.paper.chosen.connect(self.set_paper)
        lay.addWidget(self.paper)
        self.landscape = self._choice(
            lay, "print.way", [(False, Words("print.upright")), (True, Words("print.landscape"))], False
        )
        self.identity = self._choice(
            lay, "ui.export.identity", [(True, Words("ui.export.as_is")), (False, Words("ui.export.deidentified"))], True
        )
        self.true_size = CheckBox(Words("print.true_size_wish"))
        self.true_size.toggled.connect(lambda _: self.refresh())
        lay.addWidget(self.true_size)
        lay.addWidget(note(Words("print.true_size_how"), wrap=True))
        self._said = Text("", "body", "regular", "text", wrap=True)
        lay.addWidget(self._said)
        lay.addStretch(1)
        side = VScroll(content)
        side.setFixedWidth(400)
        both.addWidget(side)
        both.addWidget(Line(vertical=True))
        right = column(gap=0)
        self.preview = _Preview()
        right.addWidget(self.preview, 1)
        turn = row(margins=(12, 6, 12, 6), gap=8)
        turn.addStretch(1)
        self._back = Button(NOTHING, TOOL, "caret-left", tip=Words("print.previous"))
        self._on = Button(NOTHING, TOOL, "caret-right", tip=Words("print.next"))
        self._back.clicked.connect(lambda: self._turn(-1))
        self._on.clicked.connect(lambda: self._turn(1))
        self._page = Text("", "body", "regular", "secondary", elide=False)
        for widget in (self._back, self._page, self._on):
            turn.addWidget(widget)
        turn.addStretch(1)
        right.addLayout(turn)
        both.addLayout(right, 1)
        self.body.addLayout(both, 1)
        self.body.addWidget(Line())
        foot = row(margins=(16, 10, 16, 10))
        self.pdf = Button(Words("print.pdf"), OUTLINE, "file-pdf", height=40)
        self.pdf.clicked.connect(self._ask_pdf)
        self.print = Button(Words("print.printer"), PRIMARY, "printer", height=40)
        self.print.clicked.connect(self._ask_printer)
        foot.addWidget(self.pdf)
        foot.addStretch(1)
        foot.addWidget(self.print)
        self.body.addLayout(foot)
        self.set_paper(self._paper)

    def _choice(self, lay: Any, name: str, options: list[tuple[Any, Any]], value: Any) -> Segments:
        lay.addWidget(heading(Words(name)))
        made = Segments(options, value, name=Words(name))
        made.chosen.connect(lambda _: self._again())
        lay.addWidget(made)
        return made

    def set_paper(self, paper: str) -> None:
        self._paper = paper
        self.paper.show_value(_paper_words(paper))
        self.refresh()

    def _again(self) -> None:
        self._number = 0
        self.refresh()

    def _turn(self, by: int) -> None:
        self._number = min(max(self._number + by, 0), max(0, self._desk.page_count(self.wish()) - 1))
        self.refresh()

    def wish(self) -> PrintWish:
        return PrintWish(
            Source(str(self.source.value())),
            int(str(self.per_page.value())),
            self._paper,
            bool(self.landscape.value()),
            self.true_size.isChecked(),
            bool(self.identity.value()),
        )

    def refresh(self) -> None:
        """Asks for the page as the choices now are; it is drawn beside the window and comes by itself."""
        wish = self.wish()
        self._pages = self._desk.page_count(wish)
        try:
            make = self._desk.prepare(wish, self._number, PREVIEW_DPI)
        except ProblemError as error:
            self._asked += 1
            self._showed(self._asked, error.problem)
            return
        self._run(make, self._showed)

    def _run(self, work: Callable[[], object], then: Callable[[int, object], None]) -> None:
        """On the one thread of this sheet; ``then`` is told the number of the wish and the result, or what went wrong."""
        self._asked += 1
        number = self._asked

        def run() -> None:
            try:
                result: object = work()
            except ProblemError as error:
                result = error.problem
            except OSError as error:
                result = Problem("capture.not_saved", {"kind": type(error).__name__})
            with contextlib.suppress(RuntimeError):  # the sheet was closed meanwhile
                self._came.emit(lambda: then(number, result))

        self._thread.submit(run)

    @property
    def settled(self) -> bool:
        """What was asked last is here."""
        return self._shown == self._asked

    def _showed(self, number: int, result: object) -> None:
        if number != self._asked:
            return  # another wish came meanwhile
        self._shown = number
        page = result if isinstance(result, PrintPage) else None
        self._said.say(tr_problem(result) if isinstance(result, Problem) else "")
        self.preview.show_page(page)
        pages = self._pages if page is not None else 0
        self._page.say(tr("print.page", number=self._number + 1, pages=pages) if page is not None else "")
        self._back.setEnabled(self._number > 0)
        self._on.setEnabled(self._number + 1 < pages)
        self.pdf.setEnabled(page is not None)
        self.print.setEnabled(page is not None)

    def _all(self) -> Callable[[], list[PrintPage]] | None:
        """Every page, prepared; None when something stands against it, which is said."""
        wish = self.wish()
        try:
            ready = [self._desk.prepare(wish, n) for n in range(self._desk.page_count(wish))]
        except ProblemError as error:
            self._said.say(tr_problem(error.problem))
            return None
        self._said.say(Words("print.drawing", {"n": len(ready)}))
        return lambda: [make() for make in ready]

    def save(self, path: Path) -> None:
        """Writes the PDF beside the window and says so on the status line, or why not."""
        pages = self._all()
        if pages is not None:
            self._run(lambda: write_pdf(pages(), path), lambda _, result: self._saved(path, result))

    def _saved(self, path: Path, result: object) -> None:
        self._shown = self._asked
        if isinstance(result, Problem):
            self._said.say(tr_problem(result))
            return
        self._workstation.notice.emit(Notice(Problem("capture.saved", {"file": path.name}, severity=Severity.NOTE)))
        self.leave()

    def leave(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        super().leave()

    def _ask_pdf(self) -> None:
        file, _ = QFileDialog.getSaveFileName(self, tr("print.pdf"), "images.pdf", "PDF (*.pdf)")
        if file:
            self.save(Path(file))

    def _ask_printer(self) -> None:
        from PySide6.QtPrintSupport import QPrintDialog, QPrinter

        printer = QPrinter(QPrinter.PrinterMode.HighResolution)
        if self.preview.page is None:
            return
        printer.setPageSize(page_size(self.preview.page))
        if QPrintDialog(printer, self).exec():
            self.print_by(printer)

    def print_by(self, printer: Any) -> None:
        """Draws all pages beside the window, then gives them to the printer."""
        pages = self._all()
        if pages is not None:
            self._run(pages, lambda _, result: self._drawn(printer, result))

    def _drawn(self, printer: Any, result: object) -> None:
        self._shown = self._asked
        if isinstance(result, Problem):
            self._said.say(tr_problem(result))
        elif isinstance(result, list):
            self.print_to(printer, result)

    def print_to(self, printer: Any, pages: list[PrintPage]) -> None:
        """To a system printer, without the driver's scaling: millimetres stay millimetres on the paper that was chosen."""
        printer.setFullPage(True)
        printer.setPageMargins(QMarginsF(0, 0, 0, 0))
        painter = QPainter()
        if not painter.begin(printer):
            self._said.say(Words("print.no_printer"))
            return
        for number, page in enumerate(pages):
            if number:
                printer.newPage()
            paint_page(painter, page, printer.resolution() / 25.4)
        painter.end()
        self._workstation.notice.emit(Notice(Problem("print.sent", {"n": len(pages)}, severity=Severity.NOTE)))
        self.leave()


def _fitting(count: int) -> int:
    """The fewest places on one page that hold so many pictures."""
    return next((n for n in FORMS if n >= count), max(FORMS))


def _paper_words(paper: str) -> Words:
    return Words("print.film" if "x" in paper else "print.sheet", {"name": paper.replace("x", " × ")})

"""The import dialog: what is there, what is chosen, how far it is, what was refused, films that need a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.session.import_desk import ImportDesk
from app.session.import_views import ImportView, Phase
from app.session.views import NOTHING, Words
from app.ui.i18n import file_size, number, tr, tr_problem
from app.ui.pictures import to_image
from app.ui.theme import colour, font
from app.ui.widgets.boxes import Line, ProgressBar, Surface, column, row
from app.ui.widgets.buttons import OUTLINE, PRIMARY, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import RIGHT, paint_text, text_width
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, note
from app.ui.worklist.import_film import FilmForm
from app.ui.worklist.import_refused import RefusedList
from app.ui.worklist.import_tree import ImportTree, columns

if TYPE_CHECKING:
    from app.session.workstation import Workstation

SIDE = 438


class _Header(QWidget):
    """Titles over the columns of the tree."""

    def __init__(self, tree: ImportTree, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tree = tree
        self._title = ""
        self.setFixedHeight(34)

    def say(self, title: str) -> None:
        if title != self._title:
            self._title = title
            self.update()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self.update()
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colour("line"))
        name, images, size, state = columns(self._tree.viewport().width())
        paint_text(painter, QRectF(16, 0, name[1] - 16, 33), self._title, "secondary", "small")
        for words, (x, width), align in (
            ("ui.import.column.images", images, RIGHT),
            ("ui.import.column.size", size, RIGHT),
            ("ui.import.column.state", state, Qt.AlignmentFlag.AlignLeft),
        ):
            wide = max(width, text_width(tr(words), font("small")) + 2) if align == RIGHT else width
            paint_text(painter, QRectF(x + width - wide, 0, wide, 33), tr(words), "secondary", "small", align=align)
        painter.end()


class _Looking(QWidget):
    """While the headers are read."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        lay = column(self, gap=12)
        lay.addStretch(3)
        self._glyph = Glyph("magnifying-glass", "secondary", 32)
        lay.addWidget(self._glyph, 0, Qt.AlignmentFlag.AlignHCenter)
        self._words = Text(Words("ui.import.looking"), "title", "medium", elide=False, align=Qt.AlignmentFlag.AlignHCenter)
        lay.addWidget(self._words)
        self._detail = Text(
            Words("ui.import.looking_detail"), "body", "regular", "secondary", wrap=True,
            align=Qt.AlignmentFlag.AlignHCenter,
        )  # fmt: skip
        self._detail.setMaximumWidth(560)
        self._detail.setMinimumWidth(560)
        lay.addWidget(self._detail, 0, Qt.AlignmentFlag.AlignHCenter)
        lay.addStretch(4)

    def say(self, words: Words | str, detail: Words | str, icon: str) -> None:
        self._words.say(words)
        self._detail.say(detail)
        self._glyph.show_icon(icon, "secondary")


class ImportDialog(Sheet):
    """Shows what the session's import desk says; every button is a verb of the desk."""

    explore_wanted = Signal(object)
    """Refused files: why."""
    compare_wanted = Signal(str)
    """Two files under one number; the source of the one that was kept aside."""

    def __init__(self, workstation: Workstation, parent: QWidget) -> None:
        super().__init__(Words("ui.import.title_plain"), QSize(1480, 984), parent)
        self._workstation = workstation
        self._desk: ImportDesk = workstation.imports
        self._images: dict[str, QImage] = {}
        self._view: ImportView | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(60)
        self._timer.timeout.connect(self._refresh)
        self._medium = note("")
        self.beside.addWidget(self._medium)
        self._hint = note(Words("ui.import.close_goes_on"))
        self.beside.addWidget(self._hint)
        self._build_top()
        self.body.addWidget(Line())
        middle = row(gap=0)
        middle.addWidget(self._left(), 1)
        middle.addWidget(Line(vertical=True))
        middle.addWidget(self._right())
        holder = QWidget()
        holder.setLayout(middle)
        self.body.addWidget(holder, 1)
        self.body.addWidget(Line())
        self._build_foot()

    # -- parts

    def _build_top(self) -> None:
        top = column(margins=(16, 12, 16, 12), gap=8)
        line = row(gap=12)
        self._done = Text("", "large", "semibold", elide=False)
        self._of = Text("", "body", "regular", "secondary", elide=False)
        self._speed = Text("", "body", "regular", "third", elide=False)
        self._left_time = Text("", "body", "regular", "text")
        line.addWidget(self._done)
        line.addWidget(self._of)
        line.addWidget(self._speed)
        line.addWidget(self._left_time, 1)
        self._found = Text("", "body", "regular", "secondary", align=Qt.AlignmentFlag.AlignRight)
        line.addWidget(self._found, 1)
        self._pause = Button(Words("ui.import.pause"), OUTLINE, "pause")
        self._pause.clicked.connect(self._pause_or_go_on)
        self._cancel = Button(Words("ui.import.cancel"), OUTLINE)
        self._cancel.clicked.connect(self._cancelled)
        line.addWidget(self._pause)
        line.addWidget(self._cancel)
        top.addLayout(line)
        self._bar = ProgressBar(height=5)
        top.addWidget(self._bar)
        self._now = note("")
        top.addWidget(self._now)
        self.body.addLayout(top)

    def _left(self) -> QWidget:
        self._tree = ImportTree(self._picture)
        self._tree.toggled.connect(self._desk.toggle)
        self._tree.why.connect(self._say_why)
        made = QWidget()
        lay = column(made)
        self._header = _Header(self._tree)
        lay.addWidget(self._header)
        self._pages = QStackedWidget()
        self._looking = _Looking()
        self._pages.addWidget(self._looking)
        self._pages.addWidget(self._tree)
        lay.addWidget(self._pages, 1)
        self._why = Surface("raised", "t")
        inner = row(self._why, (16, 8, 8, 8), 10)
        inner.addWidget(Glyph("info", "secondary"), 0, Qt.AlignmentFlag.AlignTop)
        self._why_text = Text("", "small", "regular", "secondary", wrap=True)
        inner.addWidget(self._why_text, 1)
        self._why.hide()
        lay.addWidget(self._why)
        return made

    def _right(self) -> QWidget:
        side = QWidget()
        side.setFixedWidth(SIDE)
        lay = column(side)
        self._refused = RefusedList()
        self._refused.why.connect(self._explore)
        self._refused.compare.connect(self.compare_wanted)
        lay.addWidget(self._refused, 2)
        self._films = FilmForm(self._desk, self._picture, self._workstation.is_demo)
        self._films.bind_wanted.connect(self._desk.bind)
        self._films.left_out.connect(self._desk.leave_out)
        lay.addWidget(self._films, 5)
        return side

    def _build_foot(self) -> None:
        foot = row(margins=(16, 10, 16, 10), gap=14)
        self._chosen = Text("", "body", "semibold", elide=False)
        self._new = Text("", "body", "regular", "text", elide=False)
        self._free = Text("", "body", "regular", "secondary")
        foot.addWidget(self._chosen)
        foot.addWidget(self._new)
        foot.addWidget(self._free, 1)
        self._eject = Button(NOTHING, OUTLINE, "arrow-up", height=40)
        self._eject.clicked.connect(self._desk.ejector.start)
        foot.addWidget(self._eject)
        self._go = Button(Words("ui.import.go"), PRIMARY, key="⏎", height=40)
        self._go.clicked.connect(self._primary)
        foot.addWidget(self._go)
        self.body.addLayout(foot)

    # -- opening and closing

    def open(self) -> None:
        self._images.clear()
        self._why.hide()
        super().open()
        self._refresh()

    def leave(self) -> None:
        super().leave()
        self._desk.forget()

    # -- what is shown

    def changed(self) -> None:
        """Something of the import changed: shown a few times a second at most."""
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _picture(self, key: str) -> QImage | None:
        found = self._images.get(key)
        if found is None:
            made = self._desk.picture(key)
            if made is None:
                return None
            found = self._images[key] = to_image(made.pixels)
        return found

    def _refresh(self) -> None:
        view = self._view = self._desk.view()
        self.title.say(Words("ui.import.title_of", {"what": view.title}) if view.title else Words("ui.import.title_plain"))
        self._medium.say(Words("ui.import.read_only") if view.read_only_medium else Words("ui.import.nothing_changed"))
        running = view.phase in (Phase.IMPORTING, Phase.PAUSED)
        self._hint.setVisible(running)
        self._show_top(view, running)
        films_only = not view.lines and bool(view.pictures)
        self._show_left(view, films_only)
        self._refused.show_problems(view.refused, view.remarks, view.phase is Phase.DONE)
        self._films.show_films(view.pictures)
        self._show_foot(view)

    def _show_top(self, view: ImportView, running: bool) -> None:
        looking = view.phase is Phase.SCANNING
        self._bar.set_fraction(view.fraction if running or looking else 1.0 if view.phase is Phase.DONE else 0.0)
        self._pause.setVisible(running)
        self._pause.say(
            Words("ui.import.go_on" if view.phase is Phase.PAUSED else "ui.import.pause"),
            "play" if view.phase is Phase.PAUSED else "pause",
        )
        self._cancel.setVisible(running or looking)
        if running or (view.phase is Phase.DONE and view.total_bytes):
            done, unit = file_size(view.done_bytes)
            total = " ".join(file_size(view.total_bytes))
            same = file_size(view.total_bytes)[1] == unit
            self._done.say(done if same else f"{done} {unit}")
            self._of.say(tr("ui.import.of", total=total))
        elif looking:
            self._done.say(f"{round(100 * view.fraction)} %")
            self._of.say(Words("ui.import.looking"))
        else:
            self._done.say(" ".join(file_size(view.new_bytes)))
            self._of.say(Words("ui.import.to_read"))
        speed = file_size(round(view.bytes_per_s)) if view.bytes_per_s and running else None
        self._speed.say(tr("ui.import.per_second", speed=" ".join(speed)) if speed else "")
        self._left_time.say(_time_left(view.seconds_left) if running and view.phase is not Phase.PAUSED else NOTHING)
        if view.phase is Phase.PAUSED:
            self._left_time.say(Words("ui.import.paused"))
        found = tr("ui.import.found", n=view.files_seen, seconds=number(view.scan_s)) if view.files_seen else ""
        programs = tr("ui.import.programs", n=view.programs) if view.programs else ""
        self._found.say("   ".join(p for p in (found, programs) if p))
        self._now.say(self._now_words(view, running))

    def _now_words(self, view: ImportView, running: bool) -> Words | str:
        if view.problem is not None:
            return tr_problem(view.problem)
        if view.ended.id:
            return view.ended
        if running and view.now:
            return tr("ui.import.now", file=view.now)
        if view.comparing:
            return Words("ui.import.comparing")
        return Words("ui.import.choose") if view.phase is Phase.CHOOSING and view.lines else ""

    def _show_left(self, view: ImportView, films_only: bool) -> None:
        self._tree.show_lines(view.lines)
        self._pages.setCurrentWidget(self._tree if view.lines else self._looking)
        if view.lines:
            self._header.say(f"{tr('ui.import.patients', n=view.patients)} · {tr('ui.import.studies_n', n=view.studies)}")
            return
        self._header.say("")
        if view.phase is Phase.SCANNING or view.phase is Phase.IDLE:
            self._looking.say(Words("ui.import.looking"), Words("ui.import.looking_detail"), "magnifying-glass")
        elif view.problem is not None:
            self._looking.say(Words("ui.import.failed"), tr_problem(view.problem), "warning-circle")
        elif films_only:
            self._looking.say(Words("ui.import.films_only"), Words("ui.import.films_only_detail"), "image")
        else:
            self._looking.say(Words("ui.import.nothing"), Words("ui.import.nothing_detail"), "folder-open")

    def _show_foot(self, view: ImportView) -> None:
        choosing = view.phase is Phase.CHOOSING and bool(view.lines)
        self._chosen.say(tr("ui.import.chosen", n=view.chosen_studies, total=view.studies) if view.lines else "")
        size = " ".join(file_size(view.new_bytes))
        self._new.say(tr("ui.import.new", n=view.new_images, size=size) if choosing else "")
        self._eject.setVisible(bool(view.medium))
        self._eject.say(Words("ui.import.eject", {"what": view.medium}))
        self._free.say(tr("ui.import.free", free=" ".join(file_size(view.free_bytes))))
        if choosing:
            self._go.say(Words("ui.import.go_n", {"n": view.chosen_studies}))
            self._go.setEnabled(view.chosen_studies > 0)
        else:
            running = view.phase in (Phase.IMPORTING, Phase.PAUSED, Phase.SCANNING)
            self._go.say(Words("ui.import.to_worklist" if running else "ui.import.done"))
            self._go.setEnabled(True)

    def _say_why(self, key: str) -> None:
        self._why_text.say(self._tree.why_text(key))
        self._why.setVisible(bool(self._why_text.text()))

    # -- what can be done

    def _primary(self) -> None:
        if self._view is not None and self._view.phase is Phase.CHOOSING and self._view.lines:
            self._desk.start()
        else:
            self.leave()

    def _pause_or_go_on(self) -> None:
        if self._view is not None and self._view.phase is Phase.PAUSED:
            self._desk.go_on()
        else:
            self._desk.pause()

    def _cancelled(self) -> None:
        looking = self._view is not None and self._view.phase is Phase.SCANNING
        self._desk.cancel()
        if looking:
            self.leave()

    def _explore(self) -> None:
        if self._view is not None:
            self.explore_wanted.emit(self._view.refused)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._go.isEnabled():
            self._primary()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and self.isVisible():
            self._refresh()


def _time_left(seconds: float | None) -> Words:
    if seconds is None:
        return NOTHING
    whole = max(1, round(seconds))
    if whole < 60:
        return Words("ui.import.left_s", {"s": whole})
    if whole < 3600:
        return Words("ui.import.left_min", {"min": whole // 60, "s": whole % 60})
    return Words("ui.import.left_h", {"h": whole // 3600, "min": whole % 3600 // 60})

"""A film without a patient: what it is, when it was taken, whose it is. Nothing is bound before a person confirmed it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QWidget

from app.domain.study import Patient, PersonName
from app.session.import_views import FoundPicture, KnownPatient
from app.session.picture_import import Binding, film_kinds
from app.session.views import NOTHING, Words
from app.ui.i18n import file_size, tr
from app.ui.icons import paint_icon
from app.ui.theme import colour
from app.ui.widgets.boxes import Line, VScroll, clear, column, row
from app.ui.widgets.buttons import LINK, OUTLINE, TOOL, Button
from app.ui.widgets.field import CheckBox, Field
from app.ui.widgets.paint import clip_rounded, paint_focus, paint_text, rounded
from app.ui.widgets.segments import Segments
from app.ui.widgets.select import Select
from app.ui.widgets.text import Text, note

_DAY = re.compile(r"(\d{1,2})[.\-/ ](\d{1,2})[.\-/ ](\d{4})$")
_ISO = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})$")


def day_of(text: str) -> str | None:
    """``12.11.2019``, ``2019-11-12`` or ``2019`` to YYYYMMDD or YYYY; empty stays empty; None for what is no day."""
    if not text:
        return ""
    if re.fullmatch(r"(19|20)\d\d", text):
        return text if int(text) <= date.today().year else None
    if found := _DAY.match(text):
        day, month, year = (int(g) for g in found.groups())
    elif found := _ISO.match(text):
        year, month, day = (int(g) for g in found.groups())
    else:
        return None
    try:
        at = date(year, month, day)
    except ValueError:
        return None
    return f"{at:%Y%m%d}" if date(1895, 11, 8) <= at <= date.today() else None


class _Film(QWidget):
    """The picture, as it will lie: mirrored when that is chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._mirrored = False
        self._document = False
        self.setFixedSize(168, 168)
        self.setAccessibleName("")

    def show_film(self, image: QImage | None, mirrored: bool, document: bool) -> None:
        self._image, self._mirrored, self._document = image, mirrored, document
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        rounded(painter, box, "black", "line")
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            clip_rounded(painter, box, 6)
            shown = self._image.flipped(Qt.Orientation.Horizontal) if self._mirrored else self._image
            size = shown.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            at = QRectF((self.width() - size.width()) / 2, (self.height() - size.height()) / 2, size.width(), size.height())
            painter.drawImage(at, shown)
        else:
            icon = "file-pdf" if self._document else "image"
            paint_icon(painter, icon, round(box.center().x() - 16), round(box.center().y() - 16), "secondary", 32)
        painter.end()


class _Person(QWidget):
    """A patient who can be chosen."""

    chosen = Signal(object)

    def __init__(self, known: KnownPatient, on: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.known, self._on = known, on
        self.setFixedHeight(46)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{known.name}, {tr(known.line)}")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.chosen.emit(self.known)

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self.known)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        painter.fillRect(box, colour("selected" if self._on else "raised"))
        where = tr("ui.film.on_medium" if self.known.on_this_medium else "ui.film.in_library")
        area = box.adjusted(12, 5, -36, 0)
        paint_text(
            painter,
            QRectF(area.left(), 5, area.width(), 18),
            self.known.name or tr("import.nameless"),
            "text",
            "body",
            "medium",
        )
        paint_text(
            painter, QRectF(area.left(), 24, area.width(), 17), f"{tr(self.known.line)} · {where}", "secondary", "small"
        )
        if self._on:
            paint_icon(painter, "check", box.width() - 30, 13, "text")
        if self.hasFocus():
            paint_focus(painter, box)
        painter.end()


class FilmForm(QWidget):
    """One film at a time. ``desk`` is the session's ``ImportDesk``."""

    bind_wanted = Signal(str, object)
    left_out = Signal(str)

    def __init__(self, desk: Any, picture: Any, demonstration: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._picture, self._demonstration = desk, picture, demonstration
        self._films: tuple[FoundPicture, ...] = ()
        self._at = ""
        self._kind = ""
        self._chosen: KnownPatient | None = None
        outer = column(self)
        outer.addWidget(Line())
        head = row(margins=(16, 12, 12, 4))
        self._title = Text(Words("ui.film.title"), "body", "semibold", elide=False)
        head.addWidget(self._title)
        self._name = Text("", "small", "regular", "secondary", align=Qt.AlignmentFlag.AlignRight)
        head.addWidget(self._name, 1)
        self._back = Button(NOTHING, TOOL, "caret-left", tip=Words("ui.film.previous"), height=28)
        self._next = Button(NOTHING, TOOL, "caret-right", tip=Words("ui.film.next"), height=28)
        self._back.clicked.connect(lambda: self._step(-1))
        self._next.clicked.connect(lambda: self._step(1))
        head.addWidget(self._back)
        head.addWidget(self._next)
        outer.addLayout(head)
        content = QWidget()
        lay = column(content, (16, 4, 16, 4), 6)
        lay.addLayout(self._what())
        lay.addWidget(self._who(), 1)
        outer.addWidget(VScroll(content), 1)
        self._sure = CheckBox(Words("ui.film.compared"), Words("ui.film.uncalibrated"))
        self._sure.toggled.connect(lambda _on: self._ready())
        sure = row(margins=(16, 4, 16, 0))
        sure.addWidget(self._sure, 1)
        outer.addLayout(sure)
        foot = row(margins=(16, 6, 16, 12))
        self._bind = Button(Words("ui.film.bind"), OUTLINE, "link-simple-horizontal", height=34)
        self._bind.clicked.connect(self._bound)
        self._leave = Button(Words("ui.film.leave"), OUTLINE, height=34)
        self._leave.clicked.connect(lambda: self.left_out.emit(self._at))
        foot.addWidget(self._bind, 1)
        foot.addWidget(self._leave)
        outer.addLayout(foot)

    # -- parts

    def _what(self) -> Any:
        line = row(gap=14)
        self._film = _Film()
        line.addWidget(self._film, 0, Qt.AlignmentFlag.AlignTop)
        form = column(gap=3)
        form.addWidget(note(Words("ui.film.kind")))
        kinds = [(name, Words(f"film.{name}")) for name in film_kinds()]
        self._select = Select(Words("ui.film.kind"), lambda: kinds, Words("ui.film.choose_kind"))
        self._select.chosen.connect(self._set_kind)
        form.addWidget(self._select)
        form.addSpacing(5)
        form.addWidget(note(Words("ui.film.taken_on")))
        self._taken = Field(Words("ui.film.taken_on"), Words("ui.film.day_or_year"))
        self._taken.changed.connect(lambda _t: self._ready())
        form.addWidget(self._taken)
        form.addSpacing(5)
        self._way_title = note(Words("ui.film.left_right"))
        form.addWidget(self._way_title)
        self._way = Segments([(False, Words("ui.film.as_shown")), (True, Words("ui.film.mirror"))], False)
        self._way.chosen.connect(self._set_mirrored)
        form.addWidget(self._way)
        self._side = Segments(
            [("R", Words("ui.film.right")), ("L", Words("ui.film.left")), ("", Words("ui.film.unsaid"))], ""
        )
        self._side.chosen.connect(lambda v: self._side.set_value(v))
        form.addWidget(self._side)
        form.addStretch(1)
        line.addLayout(form, 1)
        return line

    def _who(self) -> QWidget:
        self._pages = QStackedWidget()
        search = QWidget()
        lay = column(search, gap=4)
        head = row()
        head.addWidget(note(Words("ui.film.patient")), 1)
        new = Button(Words("ui.film.new_patient"), LINK)
        new.clicked.connect(lambda: self._show_new(True))
        head.addWidget(new)
        lay.addLayout(head)
        self._search = Field(Words("ui.film.patient"), Words("ui.film.search"), "search")
        self._search.changed.connect(lambda _t: self._offer())
        lay.addWidget(self._search)
        self._people = column(gap=0)
        lay.addLayout(self._people)
        lay.addStretch(1)
        self._pages.addWidget(search)
        fresh = QWidget()
        form = column(fresh, gap=4)
        head = row()
        head.addWidget(note(Words("ui.film.new_patient_title")), 1)
        old = Button(Words("ui.film.known_patient"), LINK)
        old.clicked.connect(lambda: self._show_new(False))
        head.addWidget(old)
        form.addLayout(head)
        self._family = Field(Words("ui.film.family"), Words("ui.film.family"))
        self._given = Field(Words("ui.film.given"), Words("ui.film.given"))
        self._number = Field(Words("ui.film.number"), Words("ui.film.number"))
        self._born = Field(Words("ui.film.born"), Words("ui.film.born"))
        names, more = row(), row()
        names.addWidget(self._family)
        names.addWidget(self._given)
        more.addWidget(self._number)
        more.addWidget(self._born)
        self._sex = Segments(
            [("F", Words("sex.f")), ("M", Words("sex.m")), ("O", Words("sex.o")), ("", Words("sex.unknown"))], ""
        )
        self._sex.chosen.connect(lambda v: self._sex.set_value(v))
        form.addLayout(names)
        form.addLayout(more)
        form.addWidget(self._sex)
        form.addStretch(1)
        for field in (self._family, self._given, self._number, self._born):
            field.changed.connect(lambda _t: self._ready())
        self._pages.addWidget(fresh)
        return self._pages

    # -- what is shown

    def show_films(self, films: Sequence[FoundPicture]) -> None:
        """Films that wait for a person; bound and left ones are passed over."""
        self._films = tuple(films)
        waiting = self._waiting()
        self.setVisible(bool(waiting))
        if not waiting:
            return
        if self._at not in {f.picture_id for f in waiting}:
            self._go(waiting[0].picture_id)
        self._show()

    def _waiting(self) -> list[FoundPicture]:
        return [f for f in self._films if not f.bound_to and not f.left]

    def film(self) -> FoundPicture | None:
        return next((f for f in self._films if f.picture_id == self._at), None)

    def _go(self, picture_id: str) -> None:
        """Another film: its kind and its person are asked anew, so that nothing is bound by habit."""
        self._at = picture_id
        self._sure.setChecked(False)
        self._way.set_value(False)
        self._taken.set_text("")
        film = self.film()
        if film is not None and film.info.kind == "pdf":
            self._set_kind("document")
        self._offer()

    def _step(self, by: int) -> None:
        waiting = [f.picture_id for f in self._waiting()]
        if waiting:
            at = waiting.index(self._at) if self._at in waiting else 0
            self._go(waiting[(at + by) % len(waiting)])
            self._show()

    def _show(self) -> None:
        film = self.film()
        if film is None:
            return
        waiting = self._waiting()
        number = 1 + [f.picture_id for f in waiting].index(self._at)
        count = f"  {number}/{len(waiting)}" if len(waiting) > 1 else ""
        pages = f" · {tr('ui.film.pages', n=film.info.pages)}" if film.info.pages > 1 else ""
        self._name.say(f"{film.name} · {' '.join(file_size(film.info.size_bytes))}{pages}{count}")
        for button in (self._back, self._next):
            button.setVisible(len(waiting) > 1)
        document = film.info.kind == "pdf"
        self._film.show_film(self._picture(film.picture_id), bool(self._way.value()), document)
        self._way.setVisible(not document)
        self._way_title.setVisible(not document)
        paired = bool(self._kind) and film_kinds()[self._kind].paired
        self._side.setVisible(paired and not document)
        self._ready()

    def _set_kind(self, name: str) -> None:
        self._kind = name
        self._select.show_value(Words(f"film.{name}"))
        self._side.set_value("")
        self._show()

    def _set_mirrored(self, on: Any) -> None:
        self._way.set_value(bool(on))
        self._show()

    def _show_new(self, on: bool) -> None:
        self._pages.setCurrentIndex(1 if on else 0)
        self._chosen = None
        self._sure.setChecked(False)
        self._offer()

    def _offer(self) -> None:
        clear(self._people)
        for known in self._desk.patients(self._search.text()):
            one = _Person(known, self._chosen is not None and known.key == self._chosen.key)
            one.chosen.connect(self._choose)
            self._people.addWidget(one)
        self._ready()

    def _choose(self, known: KnownPatient) -> None:
        self._chosen = known
        self._sure.setChecked(False)
        self._offer()

    def patient(self) -> Patient | None:
        """Whom the form names; None while it does not say enough, or says what cannot be."""
        if self._pages.currentIndex() == 0:
            return self._chosen.patient if self._chosen is not None else None
        born = day_of(self._born.text())
        self._born.set_wrong(born is None or len(born) == 4)
        if not self._family.text() or born is None or len(born) == 4:
            return None
        name = "^".join(
            p.replace("^", " ").replace("=", " ") for p in (self._family.text(), *self._given.text().split(maxsplit=1))
        )
        number = self._number.text().replace("\\", " ")
        return Patient(number, "", PersonName(name), born, str(self._sex.value() or ""))

    def _ready(self) -> None:
        day = day_of(self._taken.text())
        self._taken.set_wrong(day is None)
        patient = self.patient()
        self._sure.setEnabled(patient is not None)
        self._bind.setEnabled(patient is not None and bool(self._kind) and day is not None and self._sure.isChecked())

    def _bound(self) -> None:
        patient, day = self.patient(), day_of(self._taken.text())
        if patient is None or day is None or not self._kind:
            return
        kind = film_kinds()[self._kind]
        title = tr(f"film.{self._kind}")
        description = f"{title}, {day}" if len(day) == 4 else title
        side = str(self._side.value() or "") if kind.paired else ""
        self.bind_wanted.emit(
            self._at,
            Binding(patient, kind, day, bool(self._way.value()), side, description, demonstration=self._demonstration),
        )

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange and self._at:
            self._offer()
            self._show()

    def sizeHint(self) -> QSize:
        return QSize(438, 470)

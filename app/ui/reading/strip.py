"""The left strip: the patient's AI history, this study's series, the priors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QMimeData, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QDrag, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QApplication, QGridLayout, QMenu, QWidget

from app.session.views import NOTHING, SeriesCard, Words
from app.ui.i18n import tr, tr_problem
from app.ui.icons import paint_icon
from app.ui.pictures import Thumbnails
from app.ui.reading.saved_rows import SavedGroup, add_looks, looks_menu, paint_looks_badge
from app.ui.reading.viewport import MIME_SET
from app.ui.theme import colour
from app.ui.widgets.boxes import Line, Surface, VScroll, clear, column, row
from app.ui.widgets.buttons import TOOL, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import clip_rounded, paint_focus, paint_text
from app.ui.widgets.text import Text, heading, note
from app.ui.widgets.timeline import Timeline, of_history
from app.ui.worklist.table import fitted

if TYPE_CHECKING:
    from app.session.workstation import Workstation

WIDTH = 220
PICTURE = 96


class SeriesTile(QWidget):
    """A series: picture, number and label, count. Click shows it in the active pane, dragging puts it into any."""

    chosen = Signal(str)
    tags_wanted = Signal(str, str)
    """Study Instance UID, display set id."""
    look_wanted = Signal(str, str)
    """Display set id, SOP Instance UID of a saved look (empty: as acquired)."""

    def __init__(self, card: SeriesCard, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.card = card
        self._thumbnails = thumbnails
        self._from: QPoint | None = None
        self.setFixedSize(self.sizeHint())
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setAccessibleName(f"{self._title()}, {self._count()}")
        remarks = [tr_problem(p) for p in (card.split_reason, *card.remarks) if p is not None]
        self.setToolTip("\n".join([f"{self._title()} · {self._count()}", *remarks]))

    def _title(self) -> str:
        return " · ".join(p for p in (self.card.number, self.card.label or self.card.modality) if p)

    def _count(self) -> str:
        if self.card.kind == "document" and not self.card.prior_date:
            return tr("ui.saved.document")
        return self.card.prior_date or tr("ui.reading.images", n=self.card.images)

    def sizeHint(self) -> QSize:
        return QSize(PICTURE, PICTURE + (54 if self.card.split_reason is not None else 38))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._from = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        start = self._from
        if start is None or (event.position().toPoint() - start).manhattanLength() < QApplication.startDragDistance():
            return
        self._from = None
        drag = QDrag(self)
        data = QMimeData()
        data.setData(MIME_SET, self.card.display_set_id.encode())
        drag.setMimeData(data)
        image = self._thumbnails.get(self.card.display_set_id)
        if image is not None:
            drag.setPixmap(QPixmap.fromImage(image).scaled(64, 64, Qt.AspectRatioMode.KeepAspectRatio))
        drag.exec(Qt.DropAction.CopyAction)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._from is not None and self.card.looks and QRectF(4, 4, 20, 20).contains(event.position()):
            self._from = None
            looks_menu(self.card, self, self._apply_look).popup(event.globalPosition().toPoint())
        elif self._from is not None:
            self._from = None
            self.chosen.emit(self.card.display_set_id)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        wanted = (self.card.study_instance_uid, self.card.display_set_id)
        add_looks(menu, self.card, self._apply_look)
        menu.addAction(tr("ui.explorer.tags")).triggered.connect(lambda: self.tags_wanted.emit(*wanted))
        menu.popup(event.globalPos())

    def _apply_look(self, uid: str) -> None:
        self.look_wanted.emit(self.card.display_set_id, uid)

    def keyPressEvent(self, event: object) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Space):  # type: ignore[attr-defined]
            self.chosen.emit(self.card.display_set_id)
        else:
            super().keyPressEvent(event)  # type: ignore[arg-type]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(0, 0, PICTURE, PICTURE)
        painter.save()
        clip_rounded(painter, box, 4)
        painter.fillRect(box, colour("black"))
        image = self._thumbnails.get(self.card.display_set_id)
        if image is not None:
            painter.drawImage(fitted(image, box), image)
        painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.card.active or self.underMouse():
            painter.setPen(QPen(colour("text" if self.card.active else "control_edge"), 2 if self.card.active else 1))
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 4, 4)
        if self.card.remarks:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour("black", 0.64))
            painter.drawRoundedRect(QRectF(PICTURE - 24, PICTURE - 24, 20, 20), 4, 4)
            paint_icon(painter, "warning", PICTURE - 22, PICTURE - 22, "bad", 16)
        if self.card.looks:
            paint_looks_badge(painter, 4, 4)
        if self.card.kind == "document":
            paint_icon(painter, "note-pencil", PICTURE / 2 - 10, PICTURE / 2 - 10, "secondary")
        weight = "semibold" if self.card.active else "regular"
        first = "text" if self.card.active else "secondary"
        paint_text(painter, QRectF(0, PICTURE + 3, PICTURE, 16), self._title(), first, "small", weight)
        paint_text(painter, QRectF(0, PICTURE + 19, PICTURE, 16), self._count(), "third", "small")
        if self.card.split_reason is not None:
            paint_text(painter, QRectF(0, PICTURE + 35, PICTURE, 16), tr_problem(self.card.split_reason), "third", "small")
        if self.hasFocus():
            paint_focus(painter, box)
        painter.end()


class _Group(QWidget):
    tags_wanted = Signal(str, str)
    look_wanted = Signal(str, str)

    def __init__(self, title: Words, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._cards: tuple[SeriesCard, ...] | None = None
        lay = column(self, gap=0)
        lay.addWidget(Line())
        top = row(margins=(12, 16, 12, 10))
        top.addWidget(heading(title), 1)
        self.note = note("")
        top.addWidget(self.note)
        lay.addLayout(top)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(12, 0, 10, 12)
        self._grid.setHorizontalSpacing(4)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(2, 1)
        lay.addLayout(self._grid)

    def show_cards(self, cards: Sequence[SeriesCard], chosen: object) -> None:
        if tuple(cards) == self._cards:
            self.update()
            return
        self._cards = tuple(cards)
        clear(self._grid)
        for number, card in enumerate(cards):
            tile = SeriesTile(card, self._thumbnails)
            tile.chosen.connect(chosen)
            tile.tags_wanted.connect(self.tags_wanted)
            tile.look_wanted.connect(self.look_wanted)
            self._grid.addWidget(tile, number // 2, number % 2, Qt.AlignmentFlag.AlignTop)
        self.setVisible(bool(cards))

    def forget(self) -> None:
        self._cards = None


class Strip(Surface):
    set_chosen = Signal(str)
    study_wanted = Signal(str)
    tags_wanted = Signal(str, str)
    fold = Signal()

    def __init__(self, workstation: Workstation, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__("panel", "r", parent)
        self._workstation = workstation
        self.setFixedWidth(WIDTH)
        body = QWidget()
        lay = column(body)
        top = row(margins=(12, 4, 6, 4))
        top.addWidget(heading(Words("ui.reading.history")), 1)
        fold = Button(NOTHING, TOOL, "sidebar-simple", tip=Words("ui.reading.fold_strip"), key="O")
        fold.clicked.connect(self.fold)
        top.addWidget(fold)
        lay.addLayout(top)
        holder = row(margins=(12, 4, 12, 0))
        self._history = Timeline(compact=True, pitch=60)
        self._history.opened.connect(self.study_wanted)
        holder.addWidget(self._history)
        lay.addLayout(holder)
        chain = row(margins=(12, 14, 12, 16), gap=6)
        self._chain_icon = Glyph("chain", "ok", 16)
        self._chain = Text("", "small", "regular", "secondary")
        chain.addWidget(self._chain_icon)
        chain.addWidget(self._chain, 1)
        lay.addLayout(chain)
        self._series = _Group(Words("ui.reading.this_study"), thumbnails)
        self._priors = _Group(Words("ui.reading.priors"), thumbnails)
        for group in (self._series, self._priors):
            group.tags_wanted.connect(self.tags_wanted)
            group.look_wanted.connect(self._apply_look)
        self._saved = SavedGroup()
        self._saved.chosen.connect(self._toggle_saved)
        lay.addWidget(self._series)
        lay.addWidget(self._saved)
        lay.addWidget(self._priors)
        lay.addStretch(1)
        outer = column(self, (0, 0, 1, 0))
        outer.addWidget(VScroll(body))

    def refresh(self) -> None:
        reading = self._workstation.reading
        if reading is None:
            return
        self._history.show_moments(of_history(reading.history()))
        series, priors = reading.series_cards(), reading.prior_cards()
        self._series.show_cards(series, self.set_chosen)
        self._series.note.say(tr("ui.reading.series", n=len(series)))
        self._priors.show_cards(priors, self.set_chosen)
        self._saved.show_saved(reading.saved.listed() if reading.saved is not None else ())
        preview = self._workstation.preview(reading.study.study_instance_uid)
        if preview is not None:
            ok = preview.chain_intact
            self._chain_icon.show_icon("chain" if ok else "chain_broken", "ok" if ok else "bad")
            self._chain.say(tr("ui.chain.intact" if ok else "ui.chain.broken", n=preview.chain_entries))

    def _apply_look(self, display_set_id: str, uid: str) -> None:
        reading = self._workstation.reading
        if reading is not None and reading.saved is not None:
            reading.saved.apply_look(display_set_id, uid)

    def _toggle_saved(self, uid: str) -> None:
        reading = self._workstation.reading
        if reading is not None and reading.saved is not None:
            reading.saved.toggle(uid)

    def pictures_came(self) -> None:
        for tile in self.findChildren(SeriesTile):
            tile.update()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self._series.forget()
            self._priors.forget()
            self._saved.forget()
            self.refresh()

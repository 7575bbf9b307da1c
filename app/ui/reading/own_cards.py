"""The reader's own findings: the chosen one open for its attributes, the others one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from app.domain.teeth import is_fdi
from app.session.views import NOTHING, FindingCard, Words
from app.ui.i18n import figure, tr
from app.ui.i18n import unit as unit_words
from app.ui.icons import icon
from app.ui.reading.card_parts import Badge, Crop, Figure, one_line
from app.ui.widgets.boxes import Card, column, row
from app.ui.widgets.buttons import TOOL, Button, show_menu
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.segments import Segments
from app.ui.widgets.select import Select
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession

COMPOSITIONS = ("solid", "part_solid", "ground_glass")


class LineCard(Card):
    """One finding in one line; a click opens it and jumps there. ``end`` says how it stands."""

    chosen = Signal(str)

    def __init__(
        self,
        card: FindingCard,
        role: str,
        *,
        crop: bool = True,
        end: Words | str = NOTHING,
        end_icon: str = "",
        dashed: bool = False,
        dim: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("panel", "fine_line", parent=parent)
        self._id = card.finding.finding_id
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(
            f"{card.badge} {tr(card.title)} {one_line(card)} {tr(end) if isinstance(end, Words) else end}"
        )
        lay = row(self, (12, 10, 12, 10), 12)
        self.crop = Crop(44)
        lay.addWidget(self.crop)
        self.crop.setVisible(crop)
        words = column(gap=2)
        top = row(gap=8)
        top.addWidget(Badge(card.badge, role, dashed=dashed))
        top.addWidget(Text(card.title, "body", "semibold" if not dim else "regular", "third" if dim else "text"), 1)
        words.addLayout(top)
        words.addWidget(Text(one_line(card), "small", "regular", "third" if dim else "secondary"))
        lay.addLayout(words, 1)
        if end_icon:
            lay.addWidget(Glyph(end_icon, "secondary" if dim else "text", 16))
        self._end = Text(end, "body", "regular", "secondary" if dim else "text", elide=False)
        lay.addWidget(self._end)
        self._end.setVisible(bool(self._end.text()))
        if not end_icon and not self._end.text():
            lay.addWidget(Glyph("caret-down", "secondary", 16))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.chosen.emit(self._id)

    def keyPressEvent(self, event: object) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Space):  # type: ignore[attr-defined]
            self.chosen.emit(self._id)
        else:
            super().keyPressEvent(event)  # type: ignore[arg-type]


class OwnCard(Card):
    """The chosen mark: size, place, region, composition, certainty."""

    def __init__(self, card: FindingCard, reading: ReadingSession, parent: QWidget | None = None) -> None:
        super().__init__("raised", "line", parent=parent)
        self._card, self._reading = card, reading
        finding = card.finding
        lay = column(self, (12, 10, 12, 12), 0)
        top = row(gap=8)
        top.addWidget(Badge(card.badge, "mine"))
        self._kind = Text(card.title, "title", "semibold")
        top.addWidget(self._kind, 1)
        more = Button(NOTHING, TOOL, "dots-three", tip=Words("ui.finding.more"), height=28)
        more.clicked.connect(lambda: show_menu(more, self._menu()))
        top.addWidget(more)
        lay.addLayout(top)
        lay.addSpacing(8)
        body = row(gap=12)
        crop = Crop()
        crop.show_pixels(reading.finding_thumbnail(finding.finding_id, "axial"))
        body.addWidget(crop, 0, Qt.AlignmentFlag.AlignTop)
        facts = column(gap=3)
        if card.sizes:
            _, value, unit = card.sizes[0]
            facts.addWidget(Figure(value, unit, "large"))
            for what, number, unit in card.sizes[1:4]:
                facts.addWidget(Text(f"{tr(what)} {figure(number)} {unit_words(unit)}", "body", "regular", "secondary"))
        then = reading.then(finding.finding_id)
        if then is not None:
            facts.addWidget(Text(then, "small", "regular", "secondary", wrap=True))
        place = row(gap=5)
        place.addWidget(Glyph("gps-fix", "third", 16))
        place.addWidget(note(card.place), 1)
        facts.addLayout(place)
        facts.addStretch(1)
        body.addLayout(facts, 1)
        lay.addLayout(body)
        lay.addSpacing(10)
        lay.addWidget(note(Words("ui.finding.region")))
        lay.addSpacing(4)
        region = Select(Words("ui.finding.region"), reading.regions, Words("ui.finding.choose_region"))
        region.show_value(card.region)
        region.chosen.connect(lambda value: reading.edit_mark(finding.finding_id, region=value))
        lay.addWidget(region)
        if not is_fdi(finding.region):
            lay.addSpacing(10)
            lay.addWidget(note(Words("ui.finding.composition")))
            lay.addSpacing(4)
            composition = Segments(
                [(c, Words(f"ui.composition.{c}")) for c in COMPOSITIONS],
                dict(finding.attributes).get("composition"),
                name=Words("ui.finding.composition"),
            )
            composition.chosen.connect(lambda value: reading.edit_mark(finding.finding_id, composition=str(value)))
            lay.addWidget(composition)
        lay.addSpacing(10)
        sure = row()
        sure.addWidget(note(Words("ui.finding.how_sure")), 1)
        if finding.confidence:
            sure.addWidget(Text(Words("ui.finding.sure_of_5", {"n": finding.confidence}), "small", "regular", "secondary"))
        lay.addLayout(sure)
        lay.addSpacing(4)
        levels = Segments([(n, str(n)) for n in range(1, 6)], finding.confidence, name=Words("ui.finding.how_sure"))
        levels.chosen.connect(lambda value: reading.edit_mark(finding.finding_id, confidence=int(str(value))))
        lay.addWidget(levels)

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        finding_id = self._card.finding.finding_id
        kinds = menu.addMenu(tr("ui.finding.kind"))
        for value, words in self._reading.finding_kinds():
            kinds.addAction(tr(words)).triggered.connect(
                lambda _=False, v=value: self._reading.edit_mark(finding_id, code=v)
            )
        menu.addAction(tr("ui.finding.jump")).triggered.connect(lambda: self._reading.jump_to(finding_id))
        menu.addSeparator()
        remove = menu.addAction(icon("trash"), tr("ui.finding.remove"))
        remove.triggered.connect(lambda: self._reading.remove_mark(finding_id))
        return menu

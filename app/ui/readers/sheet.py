"""The second readers of this PC: what each is for, what not, what it learned from, every figure with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QGridLayout, QWidget

from app.domain.model_card import Metric
from app.session.readers_desk import BrokenPage, CardPage, metric_words
from app.session.views import Words
from app.ui.i18n import data_words, number, tr, tr_problem
from app.ui.readers.calibration_chart import CalibrationChart
from app.ui.settings.parts import Section
from app.ui.widgets.boxes import VScroll, clear, column, row
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.paint import paint_badge
from app.ui.widgets.row_list import Row, RowList, paint_two_lines
from app.ui.widgets.sheet import Sheet
from app.ui.widgets.text import Text, heading, note

if TYPE_CHECKING:
    from app.session.workstation import Workstation

LIST_WIDTH = 300


class ReadersSheet(Sheet):
    def __init__(self, workstation: Workstation, parent: QWidget, reader: str = "") -> None:
        super().__init__(Words("readers.title"), QSize(1320, 940), parent)
        self._pages, self._broken = workstation.reader_pages()
        line = row()
        self.list = RowList(self._paint_row)
        self.list.setFixedWidth(LIST_WIDTH)
        self.list.setAccessibleName(tr("readers.title"))
        self.list.picked.connect(self._show)
        line.addWidget(self.list)
        self._content = QWidget()
        self._lay = column(self._content, (20, 16, 20, 20), 12)
        self._scroll = VScroll(self._content)
        line.addWidget(self._scroll, 1)
        self.body.addLayout(line, 1)
        rows = [Row(p.reader, p, f"{p.title}, {p.reader} {p.version}") for p in self._pages]
        self.list.set_items([*rows, *(Row(b.file_name, b, b.file_name) for b in self._broken)])
        if not self.list.select_key(reader):
            self.list.select_first()
        if not self._pages and not self._broken:
            self._lay.addWidget(note(Words("ui.readers.none"), wrap=True))
            self._lay.addStretch(1)

    def open(self) -> None:
        super().open()
        self.list.setFocus(Qt.FocusReason.TabFocusReason)

    def _paint_row(self, painter: QPainter, box: QRectF, page: CardPage | BrokenPage, selected: bool) -> None:
        if isinstance(page, BrokenPage):
            paint_two_lines(
                painter, box.adjusted(60, 0, -12, 0), page.file_name, tr_problem(page.problem), second_role="bad"
            )
            return
        kind = page.modality[0] if page.modality else "–"
        paint_badge(painter, QRectF(box.left() + 16, box.center().y() - 10, 32, 20), kind, "text")
        second = f"{page.reader} {page.version}"
        paint_two_lines(painter, box.adjusted(60, 0, -12, 0), page.title, second, weight="medium" if selected else "regular")

    def _show(self, key: str) -> None:
        clear(self._lay)
        page = next((p for p in self._pages if p.reader == key), None)
        if page is not None:
            self._show_card(page)
        else:
            broken = next(b for b in self._broken if b.file_name == key)
            section = Section(Words("readers.refused"))
            section.lines.addWidget(Text(broken.file_name, "body", "medium"))
            section.lines.addWidget(Text(tr_problem(broken.problem), "body", "regular", "secondary", wrap=True))
            self._lay.addWidget(section)
        self._lay.addStretch(1)
        self._scroll.verticalScrollBar().setValue(0)

    def _show_card(self, page: CardPage) -> None:
        top = column(gap=4)
        top.addWidget(Text(page.title, "large", "semibold", wrap=True))
        facts = row(gap=14)
        for icon, role, words in _facts(page):
            fact = row(gap=5)
            fact.addWidget(Glyph(icon, role, 16))
            fact.addWidget(Text(words, "body", "regular", "secondary", elide=False))
            facts.addLayout(fact)
        facts.addStretch(1)
        top.addLayout(facts)
        self._lay.addLayout(top)
        sides = row(gap=12)
        left, right = column(gap=12), column(gap=12)
        left.addWidget(self._card_section(page))
        left.addStretch(1)
        right.addWidget(self._figures(page))
        if page.bands:
            right.addWidget(self._calibration(page))
        right.addWidget(self._signature(page))
        right.addStretch(1)
        sides.addLayout(left, 1)
        sides.addLayout(right, 1)
        self._lay.addLayout(sides)

    @staticmethod
    def _card_section(page: CardPage) -> Section:
        made = Section(Words("readers.card"))
        _part(made, Words("readers.made_for"), [page.made_for])
        _part(made, Words("readers.limits"), page.not_for, dots=True)
        _part(made, Words("readers.trained_on"), [data_words(t) for t in page.trained_on], dots=True)
        if page.operating_point:
            _part(made, Words("readers.operating_point"), [data_words(page.operating_point)])
        _part(made, Words("readers.thanks"), [*page.attributions, tr("readers.licence", name=page.licence)])
        return made

    @staticmethod
    def _figures(page: CardPage) -> Section:
        made = Section(Words("readers.figures"), Words("readers.figures.how"))
        for data, metrics in page.figures:
            made.lines.addWidget(Text(data_words(data), "small", "medium", "secondary", wrap=True))
            made.lines.addLayout(_table(metrics))
        commands = dict.fromkeys(m.command for _, metrics in page.figures for m in metrics if m.command)
        for command in commands:
            said = Text(command, "small", "regular", "third", wrap=True)
            said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            made.lines.addWidget(said)
        return made

    @staticmethod
    def _calibration(page: CardPage) -> Section:
        made = Section(Words("readers.calibration"), Words("readers.calibration.how", {"data": data_words(page.bands_data)}))
        for kind, bands in page.bands:
            if kind.id:
                made.lines.addWidget(Text(kind, "small", "medium", "secondary"))
            if bands and bands[0].data != page.bands_data:
                how = Words("readers.calibration.how", {"data": data_words(bands[0].data)})
                made.lines.addWidget(Text(how, "small", "regular", "third", wrap=True))
            made.lines.addWidget(CalibrationChart(bands, 190 if len(page.bands) == 1 else 130))
        return made

    @staticmethod
    def _signature(page: CardPage) -> Section:
        made = Section(Words("readers.signature"))
        signed = row(gap=8)
        signed.addWidget(Glyph("seal-check", "ok", 18))
        signed.addWidget(Text(Words("readers.signed_by", {"name": page.signed_by}), "body", wrap=True), 1)
        made.lines.addLayout(signed)
        digest = Text(page.digest, "small", "regular", "third")
        digest.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        made.lines.addWidget(digest)
        return made


def _facts(page: CardPage) -> list[tuple[str, str, Words | str]]:
    facts: list[tuple[str, str, Words | str]] = [("cube", "secondary", f"{page.reader} {page.version}")]
    facts.append(("sealed", "ai", Words(f"readers.mode.{page.mode}")))
    if page.research_use_only:
        facts.append(("flask", "secondary", Words("ui.readers.research")))
    return facts


def _part(section: Section, title: Words, texts: Sequence[str], dots: bool = False) -> None:
    section.lines.addSpacing(4)
    section.lines.addWidget(heading(title))
    for text in texts:
        if not text:
            continue
        line = row(gap=8)
        if dots:
            line.addWidget(Text("•", "body", "regular", "third", elide=False), 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(Text(text, "body", "regular", "secondary" if dots else "text", wrap=True), 1)
        section.lines.addLayout(line)


def _table(metrics: Sequence[Metric]) -> QGridLayout:
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 6)
    grid.setHorizontalSpacing(14)
    grid.setVerticalSpacing(4)
    grid.setColumnStretch(0, 1)
    right = Qt.AlignmentFlag.AlignRight
    for n, metric in enumerate(metrics):
        digits = 3 if abs(metric.value) < 2 else 1
        grid.addWidget(Text(metric_words(metric.key), "body", wrap=True), n, 0)
        grid.addWidget(Text(number(metric.value, digits), "body", "semibold", elide=False, align=right), n, 1)
        spread = f"{number(metric.low, digits)} – {number(metric.high, digits)}"
        # Where nothing could be resampled the interval is no interval.
        said = spread if metric.low < metric.high else tr("readers.no_interval")
        grid.addWidget(Text(said, "body", "regular", "secondary", elide=False, align=right), n, 2)
        grid.addWidget(Text(f"n {metric.n}", "body", "regular", "third", elide=False, align=right), n, 3)
    return grid

"""A finding of the second reader: crops, sizes, frequency in words, and three equal answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMenu, QWidget

from app.domain.verdict import Decision, Verdict
from app.session.asymmetry_words import asymmetry_words
from app.session.bleed_words import bleed_place_words
from app.session.cluster_words import cluster_words
from app.session.earlier_words import earlier_words
from app.session.suspicion_words import suspicion_words
from app.session.views import FindingCard, Words
from app.ui.i18n import data_words, number, tr
from app.ui.reading.card_parts import Crop, HundredBar, Sizes, header
from app.ui.reading.modify_form import ModifyForm
from app.ui.reading.then_block import ThenBlock
from app.ui.shortcuts import key_of
from app.ui.theme import verdict_height
from app.ui.widgets.boxes import Card, column, row
from app.ui.widgets.buttons import OUTLINE, Button, show_menu
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text, note

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession

PLANES = ("axial", "coronal", "sagittal")
VERDICT_ICON = {Decision.ACCEPTED: "check", Decision.MODIFIED: "pencil-simple", Decision.REJECTED: "x"}


def verdict_words(verdict: Verdict | None) -> Words:
    return Words(f"ui.verdict.{verdict.decision.value}") if verdict is not None else Words("ui.verdict.open")


class AiCard(Card):
    """The chosen AI finding. Accept, modify and reject are equal: none is primary."""

    modify_wanted = Signal(str)

    def __init__(
        self, card: FindingCard, reading: ReadingSession, modifying: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__("raised", "line", bar="ai_line", parent=parent)
        self._card, self._reading = card, reading
        self._form: ModifyForm | None = None
        verdict = card.verdict
        lay = column(self, (12, 10, 11, 12), 0)
        beside = (
            Words("ui.finding.agrees", {"badge": card.agrees_with}) if card.agrees_with else Words("ui.finding.not_yours")
        )
        lay.addWidget(header(card, "ai", dashed=verdict is None, beside=beside))
        lay.addSpacing(10)
        lay.addLayout(self._crops())
        lay.addSpacing(8)
        if card.region.id:
            lay.addWidget(Text(card.region, "body", "medium", wrap=True))
        if card.place.id:
            place = row(gap=5)
            place.addWidget(Glyph("gps-fix", "third", 16))
            place.addWidget(note(card.place), 1)
            lay.addLayout(place)
        if card.sizes:
            lay.addSpacing(8)
            lay.addWidget(Sizes(card.sizes[:4]))
        words = (asymmetry_words, cluster_words, bleed_place_words, suspicion_words, earlier_words)
        for said_of_it in (of(card.finding) for of in words):
            if said_of_it.id:
                lay.addSpacing(8)
                lay.addWidget(Text(said_of_it, "body", wrap=True))
        self._add_past(lay)
        self._add_frequency(lay)
        lay.addSpacing(10)
        if modifying:
            self._add_modify(lay)
        else:
            self._add_verdicts(lay)
        if verdict is not None and not modifying:
            lay.addSpacing(8)
            said = row(gap=6)
            said.addWidget(Glyph(VERDICT_ICON[verdict.decision], "secondary", 16))
            said.addWidget(Text(verdict_words(verdict), "small", "medium", "secondary", elide=False))
            if verdict.reason is not None:
                said.addWidget(note(Words(f"ui.reason.{verdict.reason.value}")), 1)
            else:
                said.addStretch(1)
            lay.addLayout(said)

    def _crops(self) -> QWidget | object:
        pictures = row(gap=8)
        shown = 0
        for plane in PLANES:
            pixels = self._reading.finding_thumbnail(self._card.finding.finding_id, plane)
            if pixels is None and shown:
                continue
            cell = column(gap=4)
            crop = Crop(96)
            crop.show_pixels(pixels)
            cell.addWidget(crop)
            if pixels is not None and self._card.finding.location.centre_lps_mm is not None:
                cell.addWidget(note(Words(f"ui.plane.{plane}")))
            pictures.addLayout(cell)
            shown += 1
        pictures.addStretch(1)
        return pictures

    def _add_past(self, lay: object) -> None:
        thens = self._reading.earlier.thens if self._reading.earlier is not None else None
        past = thens.view(self._card.finding.finding_id) if thens is not None else None
        if thens is not None and past is not None:
            lay.addSpacing(10)  # type: ignore[attr-defined]
            lay.addWidget(ThenBlock(self._card.finding.finding_id, past, thens))  # type: ignore[attr-defined]

    def _add_frequency(self, lay: object) -> None:
        card = self._card
        lay.addSpacing(12)  # type: ignore[attr-defined]
        if card.of_100 is None:
            lay.addWidget(note(Words("ui.finding.not_calibrated"), wrap=True))  # type: ignore[attr-defined]
            return
        lay.addWidget(HundredBar(card.of_100))  # type: ignore[attr-defined]
        words = Words("ui.finding.frequency", {"n": card.of_100, "data": data_words(card.of_100_data)})
        lay.addWidget(Text(words, "body", wrap=True))  # type: ignore[attr-defined]
        low, high = card.band_range or (0.0, 1.0)
        parts = [tr("ui.finding.band", low=number(low, 2), high=number(high, 2))]
        if card.of_100_interval is not None:
            parts.append(tr("ui.finding.interval", low=card.of_100_interval[0], high=card.of_100_interval[1]))
        lay.addWidget(note(" · ".join(parts)))  # type: ignore[attr-defined]

    def _add_verdicts(self, lay: object) -> None:
        finding_id = self._card.finding.finding_id
        given = self._card.verdict.decision if self._card.verdict is not None else None
        buttons = row(gap=8)
        tall = verdict_height()
        accept = Button(Words("ui.accept"), OUTLINE, key=key_of("reading", "accept"), height=tall, checkable=True)
        modify = Button(Words("ui.modify"), OUTLINE, key=key_of("reading", "modify"), height=tall, checkable=True)
        self.reject = Button(Words("ui.reject"), OUTLINE, key=key_of("reading", "reject"), height=tall, checkable=True)
        accept.setChecked(given is Decision.ACCEPTED)
        modify.setChecked(given is Decision.MODIFIED)
        self.reject.setChecked(given is Decision.REJECTED)
        accept.clicked.connect(lambda: self._reading.accept(finding_id))
        modify.clicked.connect(lambda: self.modify_wanted.emit(finding_id))
        self.reject.clicked.connect(self.ask_reason)
        for button in (accept, modify, self.reject):
            buttons.addWidget(button, 1)
        lay.addLayout(buttons)  # type: ignore[attr-defined]

    def ask_reason(self) -> None:
        """A rejection needs its coded reason: one more key."""
        show_menu(self.reject, self.reason_menu())

    def reason_menu(self) -> QMenu:
        menu = QMenu(self)
        finding_id = self._card.finding.finding_id
        for n, (reason, words) in enumerate(self._reading.reject_reasons(), 1):
            action = menu.addAction(f"&{n % 10}  {tr(words)}")
            action.triggered.connect(lambda _=False, r=reason: self._reading.reject(finding_id, r))
        return menu

    def begin_typing(self) -> None:
        """The form takes the keys."""
        if self._form is not None:
            self._form.setFocus()

    def _add_modify(self, lay: object) -> None:
        form = self._form = ModifyForm(self._card, self._reading)
        form.done.connect(lambda: self.modify_wanted.emit(""))
        lay.addWidget(form)  # type: ignore[attr-defined]

"""The two bodies of the findings panel: own marks with the first opinion, and, once revealed, who saw what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.domain.problem import ProblemError
from app.domain.verdict import Decision, ImageQuality, Overall
from app.session.views import AiState, FindingCard, Notice, ReaderSaid, SecondReadView, Words
from app.ui.chairside.missing_card import MissingCard
from app.ui.i18n import language, tr, tr_problem
from app.ui.reading.ai_cards import VERDICT_ICON, AiCard, verdict_words
from app.ui.reading.guideline_card import GuidelineCard
from app.ui.reading.heatmap_card import HeatmapCard
from app.ui.reading.own_cards import LineCard, OwnCard
from app.ui.reading.read_notes import ReadNotes, worth_saying
from app.ui.widgets.boxes import Card, ProgressBar, clear, column, row
from app.ui.widgets.buttons import OUTLINE, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.segments import Segments
from app.ui.widgets.text import Text, heading, note

if TYPE_CHECKING:
    from app.session.reading_session import ReadingSession
    from app.session.workstation import Workstation


class OwnList(QWidget):
    """Before the commit."""

    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self._shown: tuple[object, ...] = ()
        self._said: Overall | None = None
        lay = column(self, gap=0)
        self._cards = column(gap=8)
        lay.addLayout(self._cards)
        self._hint = Text(Words("ui.panel.mark_hint"), "body", "regular", "third", wrap=True)
        self._hint.setContentsMargins(0, 4, 0, 0)
        lay.addWidget(self._hint)
        lay.addSpacing(24)
        lay.addWidget(heading(Words("ui.opinion.title")))
        lay.addSpacing(10)
        lay.addWidget(note(Words("ui.opinion.overall")))
        lay.addSpacing(4)
        self._overall = Segments(
            [(o, Words(f"ui.opinion.{o.value}")) for o in (Overall.NOTHING, Overall.FINDINGS, Overall.CANNOT_JUDGE)],
            name=Words("ui.opinion.overall"),
        )
        self._overall.chosen.connect(self._say)
        lay.addWidget(self._overall)
        lay.addSpacing(10)
        lay.addWidget(note(Words("ui.opinion.quality")))
        lay.addSpacing(4)
        self._quality = Segments(
            [(q, Words(f"ui.opinion.{q.value}")) for q in ImageQuality],
            ImageQuality.DIAGNOSTIC,
            name=Words("ui.opinion.quality"),
        )
        lay.addWidget(self._quality)

    said = Signal()

    def overall(self) -> Overall | None:
        value = self._overall.value()
        return value if isinstance(value, Overall) else None

    def quality(self) -> ImageQuality:
        value = self._quality.value()
        return value if isinstance(value, ImageQuality) else ImageQuality.DIAGNOSTIC

    def choose(self, overall: Overall) -> None:
        """As if the person had clicked it."""
        self._overall.set_value(overall)
        self._say(overall)

    def _say(self, value: object) -> None:
        self._said = value if isinstance(value, Overall) else None
        self.said.emit()

    def start(self) -> None:
        """Another study: nothing said yet."""
        self._said = None
        self._overall.set_value(None)
        self._quality.set_value(ImageQuality.DIAGNOSTIC)
        self.forget()

    def forget(self) -> None:
        self._shown = ()

    def show_view(self, view: SecondReadView) -> None:
        reading = self._workstation.reading
        chosen = reading.selected_finding
        if self._said is None:
            self._overall.set_value(Overall.FINDINGS if view.own else None)
        shown = (view.own, chosen)
        self._hint.setVisible(not view.own)
        if shown == self._shown:
            return
        self._shown = shown
        clear(self._cards)
        ids = [c.finding.finding_id for c in view.own]
        opened = chosen if chosen in ids else (ids[-1] if ids else "")
        for card in view.own:
            if card.finding.finding_id == opened:
                self._cards.addWidget(OwnCard(card, reading))
            else:
                made = LineCard(card, "mine")
                made.crop.show_pixels(reading.finding_thumbnail(card.finding.finding_id, "axial"))
                made.chosen.connect(reading.jump_to)
                self._cards.addWidget(made)


class RevealedList(QWidget):
    """After it: heatmap, differences first, only yours, agreed."""

    noticed = Signal(object)

    def __init__(self, workstation: Workstation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._workstation = workstation
        self._shown: tuple[object, ...] = ()
        self._modifying = ""
        self._view: SecondReadView | None = None
        self._heatmap: HeatmapCard | None = None
        self._open_card: AiCard | None = None
        self._lay = column(self, gap=0)
        self._body = column(gap=8)
        self._top = column()
        self._lay.addLayout(self._top)
        self._lay.addLayout(self._body)

    def forget(self) -> None:
        self._shown = ()

    def start(self) -> None:
        self.forget()
        self._modifying = ""
        clear(self._top)
        self._heatmap = None

    def opened(self) -> FindingCard | None:
        """The AI finding that keys answer: the selected one, else the first that waits."""
        if self._view is None:
            return None
        cards = (*self._view.ai_only, *self._view.agreed)
        chosen = self._workstation.reading.selected_finding
        own = {c.agrees_with: c for c in self._view.agreed if c.agrees_with}
        found = next((c for c in cards if c.finding.finding_id == chosen), None)
        if found is not None:
            return found
        badge = next((c.badge for c in self._view.own if c.finding.finding_id == chosen), "")
        if badge in own:
            return own[badge]
        return next((c for c in cards if c.verdict is None), None) or (cards[0] if cards and not badge else None)

    def show_view(self, view: SecondReadView) -> None:
        reading = self._workstation.reading
        self._view = view
        if view.heatmap_available and self._heatmap is None:
            self._heatmap = HeatmapCard(reading)
            self._top.addWidget(self._heatmap)
            self._top.addSpacing(20)
        if self._heatmap is not None:
            self._heatmap.setVisible(view.heatmap_available)
            self._heatmap.show_view(view)
        opened = self.opened()
        cards = (view.ai_only, view.only_mine, view.agreed, view.own)
        percent = round(view.fraction * 100) if view.fraction is not None else None
        advice = reading.guidelines.view() if reading.guidelines is not None else None
        shown = (
            *cards,
            view.state,
            view.problem,
            percent,
            opened,
            self._modifying,
            reading.selected_finding,
            advice,
            view.said,
            _past(reading, opened),
        )
        if shown == self._shown:
            return
        self._shown = shown
        self._open_card = None
        clear(self._body)
        if view.state is not AiState.REVEALED:
            state = _StateCard(view)
            state.retry_wanted.connect(reading.retry_read)
            self._body.addWidget(state)
        told = [s for s in view.said if worth_saying(s) and (view.state is AiState.REVEALED or s.reader != view.reader)]
        self._add_notes([s for s in told if not s.has_read])
        if view.ai_only:
            self._heading(Words("ui.panel.differences"), Words("ui.panel.ai_only"))
            missing = _missing(view, opened)
            for card in view.ai_only:
                if card not in missing:
                    self._add_ai(card, opened)
            if missing:
                self._add_missing(missing)
        elif view.state is AiState.REVEALED:
            self._heading(Words("ui.panel.differences"), "")
            # A reader that refused the images has not agreed with anybody.
            read = any(s.has_read for s in view.said)
            words = Words("ui.panel.no_differences" if read else "ui.panel.nothing_read")
            self._body.addWidget(Text(words, "body", "regular", "secondary", wrap=True))
        mine = view.only_mine if view.state is AiState.REVEALED else view.own
        if mine:
            self._body.addSpacing(12)
            self._heading(Words("ui.panel.only_yours"), "")
            for card in mine:
                if card.finding.finding_id == reading.selected_finding:
                    self._body.addWidget(OwnCard(card, reading))
                    continue
                made = LineCard(card, "mine", end=Words("ui.panel.kept"), end_icon="check")
                made.crop.show_pixels(reading.finding_thumbnail(card.finding.finding_id, "axial"))
                made.chosen.connect(reading.jump_to)
                self._body.addWidget(made)
        if view.agreed:
            self._body.addSpacing(12)
            waiting = [c for c in view.agreed if c.verdict is None]
            self._agreed_heading(len(view.agreed), bool(waiting))
            for card in view.agreed:
                self._add_ai(card, opened)
        self._add_notes([s for s in told if s.has_read])
        if advice is not None and advice.available:
            self._body.addSpacing(12)
            self._heading(Words("ui.guideline.title"), reading.guidelines.title(language()))
            made = GuidelineCard(reading, reading.guidelines, advice)
            made.noticed.connect(self.noticed)
            self._body.addWidget(made)

    def _add_notes(self, told: list[ReaderSaid]) -> None:
        if not told:
            return
        self._body.addSpacing(12)
        self._heading(Words("ui.panel.about_read"), "")
        for said in told:
            self._body.addWidget(ReadNotes(said))
            self._body.addSpacing(8)

    def _add_missing(self, cards: list[FindingCard]) -> None:
        made = MissingCard(cards)
        reading = self._workstation.reading
        waiting = [c.finding.finding_id for c in cards if c.verdict is None]
        made.accept_wanted.connect(lambda: [reading.accept(i) for i in waiting])
        self._body.addWidget(made)

    def _heading(self, left: Words, right: Words | str) -> None:
        line = row(margins=(0, 0, 0, 2))
        line.addWidget(heading(left), 1)
        line.addWidget(note(right))
        holder = QWidget()
        holder.setLayout(line)
        self._body.addWidget(holder)

    def _agreed_heading(self, count: int, waiting: bool) -> None:
        line = row(margins=(0, 0, 0, 2))
        line.addWidget(heading(Words("ui.panel.agreed", {"n": count})), 1)
        if waiting:
            accept = Button(Words("ui.panel.accept_agreed"), OUTLINE, height=28)
            accept.clicked.connect(lambda: self._workstation.reading.accept_agreed())
            line.addWidget(accept)
        holder = QWidget()
        holder.setLayout(line)
        self._body.addWidget(holder)

    def _add_ai(self, card: FindingCard, opened: FindingCard | None) -> None:
        reading = self._workstation.reading
        finding_id = card.finding.finding_id
        if opened is not None and opened.finding.finding_id == finding_id:
            made = AiCard(card, reading, self._modifying == finding_id)
            made.modify_wanted.connect(self._modify)
            self._open_card = made
            self._body.addWidget(made)
            return
        verdict = card.verdict
        rejected = verdict is not None and verdict.decision is Decision.REJECTED
        icon = VERDICT_ICON[verdict.decision] if verdict is not None else ""
        line = LineCard(card, "ai", end_icon=icon, dashed=verdict is None, dim=rejected)
        said = tr(verdict_words(verdict))
        line.setAccessibleName(f"{line.accessibleName()} {said}")
        line.setToolTip(said)
        line.crop.show_pixels(reading.finding_thumbnail(finding_id, "axial"))
        line.chosen.connect(reading.jump_to)
        self._body.addWidget(line)

    def _modify(self, finding_id: str) -> None:
        self._modifying = finding_id
        if self._view is not None:
            self.show_view(self._workstation.reading.second_read())
        if finding_id and self._open_card is not None:
            self._open_card.begin_typing()
        elif not finding_id:
            self.setFocus()  # keys answer the cards again, not the form that is gone

    def answer(self, name: str) -> bool:
        """Accept, modify or reject the open finding by key."""
        card = self.opened()
        if card is None:
            return False
        reading = self._workstation.reading
        if reading.selected_finding != card.finding.finding_id:
            reading.select_finding(card.finding.finding_id)
        try:
            if name == "accept":
                reading.accept(card.finding.finding_id)
            elif name == "modify":
                self._modify(card.finding.finding_id)
            elif self._open_card is not None:
                self._open_card.ask_reason()
        except ProblemError as error:
            self.noticed.emit(Notice(error.problem))
        return True


def _past(reading: ReadingSession, opened: FindingCard | None) -> object:
    """What the open card says of an earlier study: it comes when the studies have been aligned."""
    thens = reading.earlier.thens if reading.earlier is not None else None
    return thens.view(opened.finding.finding_id) if thens is not None and opened is not None else None


def _missing(view: SecondReadView, opened: FindingCard | None) -> list[FindingCard]:
    """Teeth that are not on the film, when there are several: they are told together, the chosen one by itself."""
    found = [c for c in view.ai_only if c.title.id == "finding.missing_tooth" and c != opened]
    return found if len(found) > 1 else []


class _StateCard(Card):
    """Committed, but there is nothing to show, or not yet: said aloud, with a number while it runs."""

    retry_wanted = Signal()

    def __init__(self, view: SecondReadView, parent: QWidget | None = None) -> None:
        super().__init__("raised", "line", parent=parent)
        lay = column(self, (12, 10, 12, 12), 6)
        top = row(gap=8)
        icon, role = {
            AiState.FAILED: ("warning-circle", "bad"),
            AiState.REFUSED: ("prohibit", "secondary"),
            AiState.NO_READER: ("minus", "secondary"),
        }.get(view.state, ("circle-notch", "ai"))
        top.addWidget(Glyph(icon, role))
        top.addWidget(Text(Words(f"ui.read.{view.state.value}"), "body", "semibold", wrap=True), 1)
        lay.addLayout(top)
        if view.problem is not None:
            text: Words | str = tr_problem(view.problem)
        elif view.state in (AiState.RUNNING, AiState.WAITING):
            text = Words("ui.read.opens_here")
        else:
            text = Words(f"ui.read.{view.state.value}_detail")
        if view.state is AiState.RUNNING and view.fraction is not None:
            bar = ProgressBar("ai")
            bar.set_fraction(view.fraction)
            top.addWidget(Text(f"{round(view.fraction * 100)} %", "body", "medium", elide=False))
            lay.addWidget(bar)
        lay.addWidget(Text(text, "body", "regular", "secondary", wrap=True))
        if view.state is AiState.FAILED:
            again = Button(Words("ui.retry"), OUTLINE, "arrow-clockwise")
            again.clicked.connect(self.retry_wanted)
            lay.addWidget(again)

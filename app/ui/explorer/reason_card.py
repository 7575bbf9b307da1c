"""A refusal, a repair or a breach of the standard: what happened, the rule, the place, what stays safe."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from app.dicom.examine import Examination, Reason
from app.dicom.remedies import remedy_of
from app.dicom.repair import Repair
from app.session.views import Words
from app.ui.i18n import tr, tr_problem
from app.ui.widgets.boxes import Card, column, row
from app.ui.widgets.buttons import LINK, OUTLINE, Button
from app.ui.widgets.glyph import Glyph
from app.ui.widgets.text import Text


def sentence_of(reason: Reason) -> str:
    """What happened, what is safe, what to do."""
    if reason.problem is not None:
        return tr_problem(reason.problem)
    if reason.breach is None:
        return ""
    text = tr(reason.breach.code, **dict(reason.breach.params))
    return f"{text} {tr('ui.explorer.stops_here')}" if reason.breach.stops else text


def rule_of(reason: Reason) -> str:
    """The clause of the standard in plain words."""
    if reason.rule is not None:
        return tr("ui.explorer.rule", clause=reason.rule.clause, rule=tr(reason.rule.message))
    return reason.clause


def remedy_words(reason: Reason, repair: Repair | None) -> str:
    """What can be done about it. ``repair``: what is offered for the file."""
    if repair is not None and reason.refuses:
        offered = tr(f"repair.{repair.kind}", **dict(repair.params))
        return tr("ui.explorer.remedy", remedy=tr("ui.explorer.offered", repair=offered))
    if reason.problem is not None:
        return tr("ui.explorer.remedy", remedy=tr(remedy_of(reason.problem.code, reason.refuses)))
    if reason.breach is not None and reason.breach.stops:
        return ""  # the refusal above says it
    return tr("ui.explorer.remedy", remedy=tr("remedy.not_needed_breach"))


class ReasonCard(Card):
    show_wanted = Signal(object)
    """The ``TagElement`` it is about."""
    repair_wanted = Signal()

    def __init__(
        self, reason: Reason, examination: Examination, can_repair: bool = False, parent: QWidget | None = None
    ) -> None:
        bar = "bad" if reason.refuses else "waiting"
        super().__init__("panel", "line", bar, parent)
        lay = row(self, (14, 8, 12, 8), 10)
        holder = column()
        icon, role = ("prohibit", "bad") if reason.refuses else ("info", "secondary")
        if reason.problem is not None and not reason.refuses:
            icon = "check-circle"
        holder.addWidget(Glyph(icon, role))
        holder.addStretch(1)
        lay.addLayout(holder)
        words = column(gap=3)
        words.addWidget(Text(sentence_of(reason), "body", "medium", wrap=True))
        place = []
        if reason.breach is not None:
            offset = f"{reason.breach.offset}"
            place.append(
                tr("ui.explorer.where", path=reason.breach.path, offset=offset)
                if reason.breach.path
                else tr("ui.explorer.at_byte", offset=offset)
            )
        elif reason.rule is not None and reason.rule.tag:
            place.append(f"({reason.rule.tag >> 16:04X},{reason.rule.tag & 0xFFFF:04X})")
        words.addWidget(Text(" · ".join([rule_of(reason), *place]), "small", "regular", "secondary", wrap=True))
        offer = examination.repair if can_repair else None
        if remedy := remedy_words(reason, offer):
            words.addWidget(Text(remedy, "small", "regular", "text", wrap=True))
        lay.addLayout(words, 1)
        if offer is not None and reason.refuses:
            mend = Button(Words("ui.explorer.repair"), OUTLINE, height=30)
            mend.clicked.connect(self.repair_wanted)
            lay.addWidget(mend, 0, Qt.AlignmentFlag.AlignTop)
        element = examination.element(reason)
        if element is not None:
            show = Button(Words("ui.explorer.show"), LINK)
            show.clicked.connect(lambda: self.show_wanted.emit(element))
            lay.addWidget(show, 0, Qt.AlignmentFlag.AlignTop)

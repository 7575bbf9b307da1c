"""How the reader's own marks are drawn: findings with their number, and what the hand draws just now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.domain.finding import Finding
from app.domain.measurement import MarkShape
from app.session.marks import is_finding
from app.session.picture import ShownMark
from app.viewer.marks import MarkLook


def shown_marks(marks: Sequence[Finding], down: Finding | None, selected: str, doubts: Mapping[str, str]) -> list[ShownMark]:
    """``down``: what the hand draws; of an outline that it goes on with the old one is not drawn below."""
    out: list[ShownMark] = []
    number = 0
    for mark in marks:
        number += is_finding(mark)
        if down is not None and down.shape is MarkShape.FREEHAND and down.finding_id == mark.finding_id:
            continue
        label = str(number) if is_finding(mark) else ""
        look = MarkLook(label, selected=mark.finding_id == selected, doubt=doubts.get(mark.finding_id, ""))
        out.append(ShownMark(mark, look))
    if down is not None:
        out.append(ShownMark(down, MarkLook(selected=True)))
    return out

"""What the findings panel shows of earlier studies, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from app.session.then_views import LostRow
from app.session.views import Words


@dataclass(frozen=True)
class EarlierRow:
    """A mark of a prior that nothing in the present study follows yet."""

    finding_id: str
    title: Words
    value: str
    unit: str
    date: str
    whose: Words
    waiting: bool = False
    """Its place is being searched for."""
    can_drop: bool = False
    """Drawn in this session."""


@dataclass(frozen=True)
class ProposalRow:
    """A mark at its place in the present study that waits for the reader."""

    finding_id: str
    title: Words
    value: str
    unit: str
    date: str


@dataclass(frozen=True)
class CourseLine:
    """Numbers as text; empty where there is none."""

    date: str
    size: str
    change_mm: str = ""
    change_percent: str = ""
    volume: str = ""
    """Millilitres."""
    volume_percent: str = ""


@dataclass(frozen=True)
class CourseCard:
    finding_id: str
    badge: str
    title: Words
    lines: tuple[CourseLine, ...]
    in_report: bool = False


@dataclass(frozen=True)
class EarlierView:
    proposals: tuple[ProposalRow, ...] = ()
    courses: tuple[CourseCard, ...] = ()
    rows: tuple[EarlierRow, ...] = ()
    lost: tuple[LostRow, ...] = ()
    """Nodules that a second reader of the present study, and the reader, did not find again."""

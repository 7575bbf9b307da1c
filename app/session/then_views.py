"""What a card says of the earlier study, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.session.views import Words


class ThenState(StrEnum):
    ALIGNING = "aligning"
    FOUND = "found"
    UNCLEAR = "unclear"
    """More than one nodule could be it."""
    NEW = "new"
    OUTSIDE = "outside"
    """The earlier images do not reach the place."""
    POOR = "poor"
    """The studies align poorly, or not at all: nothing is matched."""


@dataclass(frozen=True)
class ThenChoice:
    """An earlier nodule that a person may choose; ``finding_id`` "" for none."""

    finding_id: str
    words: Words
    chosen: bool = False


@dataclass(frozen=True)
class ThenView:
    """A proposal until ``confirmed_by`` says whose word it is."""

    state: ThenState
    lines: tuple[Words, ...]
    """The first says what it was, the others how it has changed."""
    choices: tuple[ThenChoice, ...] = ()
    confirmed_by: str = ""
    trace: tuple[tuple[Words, Words], ...] = ()
    """(what, value): the reasons sheet."""
    then_id: str = ""
    """The earlier nodule that is proposed, or was confirmed."""

    @property
    def can_confirm(self) -> bool:
        return not self.confirmed_by and self.state in (ThenState.FOUND, ThenState.UNCLEAR, ThenState.NEW)


@dataclass(frozen=True)
class LostRow:
    """An earlier nodule that nothing on the present images is."""

    finding_id: str
    title: Words
    region: Words
    value: str
    unit: str
    date: str
    in_report: bool = False

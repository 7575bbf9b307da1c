"""Moments of a 4D series in the panes: one after the other at the same place, window and zoom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.domain.problem import Problem, Severity
from app.domain.study import DisplaySet
from app.session.pane_content import PaneContent
from app.session.panes import PaneState


def once(sets: tuple[DisplaySet, ...]) -> tuple[DisplaySet, ...]:
    """What is hung by itself: of a 4D series its first moment alone."""
    return tuple(d for d in sets if d.moment is None or d.moment.number == 1)


def moved_to(pane: PaneState, moment: DisplaySet) -> PaneState:
    """The pane at another moment, with everything else as it is."""
    name = moment.display_set_id
    return replace(pane, display_set_id=name, view=replace(pane.view, display_set_id=name))


class Moments:
    """Main thread only. ``put`` replaces panes as a whole."""

    def __init__(self, content: PaneContent, put: Callable[[tuple[PaneState, ...]], None]) -> None:
        self._content, self._put = content, put

    def of(self, chosen: DisplaySet) -> tuple[DisplaySet, ...]:
        """All moments of the set's group in order; empty for a set that stands alone."""
        if chosen.moment is None:
            return ()
        found = [d for d in self._content.sets() if d.moment is not None and d.moment.group == chosen.moment.group]
        return tuple(sorted(found, key=lambda d: d.moment.number if d.moment is not None else 0))

    def step(self, active: PaneState, panes: tuple[PaneState, ...], by: int) -> bool:
        """The next moments, round and round, in every pane that shows the active one's; False where there is one only."""
        shown = self._content.display_set(active)
        group = self.of(shown) if shown is not None else ()
        if len(group) < 2 or shown is None or shown.moment is None:
            return False
        wanted = group[(shown.moment.number - 1 + by) % len(group)]
        self._put(tuple(moved_to(p, wanted) for p in panes if p.display_set_id == shown.display_set_id))
        return True

    def of_pane(self, pane: PaneState) -> tuple[DisplaySet, ...]:
        chosen = self._content.display_set(pane)
        return self.of(chosen) if chosen is not None else ()

    def remark(self, pane: PaneState) -> tuple[Problem, ...]:
        """Which moment a pane shows."""
        chosen = self._content.display_set(pane)
        moment = chosen.moment if chosen is not None else None
        if moment is None:
            return ()
        told: dict[str, str | int | float] = {"n": moment.number, "of": moment.count, "value": moment.value}
        return (Problem("viewer.moment", told, Severity.NOTE),)

"""Where windows stand, remembered for each set of monitors; a window whose monitor is gone comes to where it can be seen."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from app.session.comforts import Comforts

LEAST_SEEN = 80
"""So much of the upper edge, in px, has to lie on a monitor: otherwise nobody could take hold of the window."""
_MOST_SETS = 12
_LONGEST = 100_000


@dataclass(frozen=True)
class Rect:
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Monitor:
    """As the window system names it; the first of a set is the main one."""

    name: str
    area: Rect


@dataclass(frozen=True)
class Standing:
    """A window's place. ``state``: 0 as it is, 1 maximised, 2 full screen."""

    area: Rect
    state: int = 0


def set_name(monitors: Sequence[Monitor]) -> str:
    """The same for the same monitors at the same places, in whatever order they are told. No serial number is written."""
    told = sorted((m.name, m.area.x, m.area.y, m.area.width, m.area.height) for m in monitors)
    return "windows-" + hashlib.sha256(repr(told).encode()).hexdigest()[:12]


def _seen(area: Rect, monitor: Monitor) -> int:
    """Width of the window's upper edge on a monitor; 0 when the edge lies above or below it."""
    m = monitor.area
    if not m.y <= area.y < m.y + m.height - 20:
        return 0
    return max(0, min(area.x + area.width, m.x + m.width) - max(area.x, m.x))


def fitted(standing: Standing, monitors: Sequence[Monitor]) -> Standing:
    """The same place where enough of it can be seen, and never larger than its monitor; else the middle of the main one."""
    best = max(monitors, key=lambda m: _seen(standing.area, m))
    if _seen(standing.area, best) < LEAST_SEEN:
        best, m = monitors[0], monitors[0].area
        width, height = min(standing.area.width, m.width), min(standing.area.height, m.height)
        middle = Rect(m.x + (m.width - width) // 2, m.y + (m.height - height) // 2, width, height)
        return Standing(middle, standing.state)
    width, height = min(standing.area.width, best.area.width), min(standing.area.height, best.area.height)
    return Standing(Rect(standing.area.x, standing.area.y, width, height), standing.state)


class WindowPlaces:
    """Main thread only."""

    def __init__(self, comforts: Comforts) -> None:
        self._comforts = comforts

    def kept(self, window: str, monitors: Sequence[Monitor]) -> Standing | None:
        """Where this window stood on these monitors, as far as it can be seen there; None when it never did."""
        found = self._comforts.group(set_name(monitors)).get(window)
        if not isinstance(found, list) or len(found) != 5 or not all(type(v) is int and abs(v) < _LONGEST for v in found):
            return None
        if found[2] <= 0 or found[3] <= 0 or found[4] not in (0, 1, 2):
            return None
        return fitted(Standing(Rect(*found[:4]), found[4]), monitors)

    def keep(self, window: str, standing: Standing, monitors: Sequence[Monitor]) -> None:
        a, name = standing.area, set_name(monitors)
        values = [a.x, a.y, a.width, a.height, standing.state]
        group = self._comforts.group(name)
        if group.get(window) != values:
            self._comforts.keep(name, {**group, window: values})
            self._comforts.at_most("windows-", _MOST_SETS)

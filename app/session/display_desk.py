"""The monitors of this site: the size of a pixel, and the log of constancy checks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.session.display_log import DisplayLog
from app.store.library import Library

SIZES = "display.mm_per_px"
LOG = "display.constancy"
KEPT = 500
CARD_MM = 85.60
"""ISO/IEC 7810 ID-1: every bank card."""
PLAUSIBLE_MM = (0.05, 1.0)


@dataclass(frozen=True)
class Check:
    """One look at the pattern."""

    at: str
    """YYYY-MM-DD HH:MM."""
    screen: str
    person: str
    passed: bool


class DisplayDesk:
    """Main thread only. A screen is told by its name, serial number and pixels, as the window system gives them."""

    def __init__(self, library: Library, person: str) -> None:
        self._library = library
        self._person = person

    @property
    def measured(self) -> DisplayLog:
        """Measurements with a luminance meter."""
        return DisplayLog(self._library, self._person)

    def mm_per_px(self, screen: str) -> float | None:
        """None until it was measured."""
        found = self._library.settings.get(SIZES, {})
        value = found.get(screen) if isinstance(found, dict) else None
        return float(value) if isinstance(value, int | float) and PLAUSIBLE_MM[0] <= value <= PLAUSIBLE_MM[1] else None

    def set_card_width(self, screen: str, pixels: float) -> float:
        """A bank card was as wide as so many device pixels. Raises ``ValueError`` for what no monitor has."""
        value = CARD_MM / pixels if pixels > 0 else 0.0
        if not PLAUSIBLE_MM[0] <= value <= PLAUSIBLE_MM[1]:
            raise ValueError("no monitor has such pixels")
        found = self._library.settings.get(SIZES, {})
        sizes: dict[str, Any] = {**(found if isinstance(found, dict) else {}), screen: round(value, 6)}
        self._library.write(lambda tx: self._library.settings.set(tx, SIZES, sizes, self._person))
        return value

    def checked(self, screen: str, passed: bool) -> None:
        """Writes a line into the log (and, as every setting, into the audit)."""
        line = {"at": datetime.now().strftime("%Y-%m-%d %H:%M"), "screen": screen, "person": self._person, "passed": passed}
        lines = [*self._lines(), line][-KEPT:]
        self._library.write(lambda tx: self._library.settings.set(tx, LOG, lines, self._person))

    def _lines(self) -> list[dict[str, Any]]:
        found = self._library.settings.get(LOG, [])
        return [x for x in found if isinstance(x, dict)] if isinstance(found, list) else []

    def log(self) -> tuple[Check, ...]:
        """Newest first."""
        return tuple(
            Check(str(x.get("at", "")), str(x.get("screen", "")), str(x.get("person", "")), bool(x.get("passed")))
            for x in reversed(self._lines())
        )

"""Measured displays: luminances, verdict and drift since the first measurement of the same display, kept by date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain.problem import ProblemError
from app.store.library import Library
from app.viewer.gsdf_fit import Grade, GsdfFit, fit

KEY = "display.measured"
KEPT = 200
DRIFT = 0.10
"""White may change by so much against the first measurement; more wants a calibration."""


@dataclass(frozen=True)
class Measured:
    """One measurement of one display."""

    at: str
    """YYYY-MM-DD HH:MM."""
    screen: str
    person: str
    luminances_cd_m2: tuple[float, ...]
    ambient_cd_m2: float
    fit: GsdfFit
    drift: float | None
    """Change of white against the first measurement of this display, as a part; None for the first."""

    @property
    def passed(self) -> bool:
        return self.fit.grade is not Grade.NEITHER and (self.drift is None or abs(self.drift) <= DRIFT)


class DisplayLog:
    """Main thread only. A line is never changed once it is written; the verdict is computed from its luminances."""

    def __init__(self, library: Library, person: str) -> None:
        self._library = library
        self._person = person

    def add(self, screen: str, luminances_cd_m2: Sequence[float], ambient_cd_m2: float) -> Measured:
        """Keeps a measurement. Raises as ``gsdf_fit.fit``; nothing is kept then."""
        fit(luminances_cd_m2, ambient_cd_m2)
        line = {
            "at": datetime.now().strftime("%Y-%m-%d %H:%M"),
            "screen": screen,
            "person": self._person,
            "cd_m2": [float(v) for v in luminances_cd_m2],
            "ambient": float(ambient_cd_m2),
        }
        lines = self._shortened([*self._lines(), line])
        self._library.write(lambda tx: self._library.settings.set(tx, KEY, lines, self._person))
        return self.of(screen)[0]

    def of(self, screen: str = "") -> tuple[Measured, ...]:
        """Newest first; of one display, or of all."""
        first: dict[str, float] = {}
        out: list[Measured] = []
        for line in self._lines():
            try:
                values, ambient = [float(v) for v in line["cd_m2"]], float(line["ambient"])
                name, found = str(line["screen"]), fit(values, ambient)
                at, person = str(line["at"]), str(line["person"])
            except (KeyError, TypeError, ValueError, ProblemError):
                continue
            drift = values[-1] / first[name] - 1.0 if name in first else None
            first.setdefault(name, values[-1])
            out.append(Measured(at, name, person, tuple(values), ambient, found, drift))
        return tuple(m for m in reversed(out) if screen in ("", m.screen))

    def _lines(self) -> list[dict[str, Any]]:
        found = self._library.settings.get(KEY, [])
        return [x for x in found if isinstance(x, dict)] if isinstance(found, list) else []

    def _shortened(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The first line of each display is what the others are held against: it stays."""
        firsts = {str(x.get("screen")): n for n, x in reversed(list(enumerate(lines)))}
        kept = set(firsts.values()) | set(range(max(0, len(lines) - KEPT), len(lines)))
        return [x for n, x in enumerate(lines) if n in kept]

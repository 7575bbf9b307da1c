"""Teeth on a film: FDI numbers (ISO 3950), and the order in which a chart shows them."""

from __future__ import annotations

from dataclasses import dataclass

UPPER = (18, 17, 16, 15, 14, 13, 12, 11, 21, 22, 23, 24, 25, 26, 27, 28)
LOWER = (48, 47, 46, 45, 44, 43, 42, 41, 31, 32, 33, 34, 35, 36, 37, 38)
PERMANENT = UPPER + LOWER
"""As one faces the patient: the patient's right on the left."""
SURFACES = ("M", "O", "D", "V", "L")
"""Mesial, biting (occlusal or incisal), distal, outer (vestibular), inner (lingual or palatal)."""


@dataclass(frozen=True)
class NumberedTooth:
    """Where a second reader sees a tooth, or where the arch of the others would have it."""

    fdi: int
    box_px: tuple[float, float, float, float]
    """(x0, y0, x1, y1) on ``sop_instance_uid``, corner origin."""
    confidence: float
    """Of number and place together, 0..1."""
    seen: bool = True
    sop_instance_uid: str = ""

    def __post_init__(self) -> None:
        if self.fdi not in PERMANENT:
            raise ValueError('"fdi" must be a permanent tooth')

    @property
    def centre_px(self) -> tuple[float, float]:
        x0, y0, x1, y1 = self.box_px
        return (x0 + x1) / 2, (y0 + y1) / 2


def is_fdi(text: str) -> bool:
    """True for the number of a permanent tooth."""
    return len(text) == 2 and text.isdigit() and int(text) in PERMANENT


def is_upper(fdi: int) -> bool:
    return fdi // 10 in (1, 2)


def side_of(fdi: int) -> str:
    """R or L of the patient."""
    return "R" if fdi // 10 in (1, 4) else "L"

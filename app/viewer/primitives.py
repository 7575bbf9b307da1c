"""What decorations are made of: plain shapes in pane pixels with a colour *role*; ``ui`` and ``report`` resolve roles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.domain.geometry import Point2


class Role(StrEnum):
    TEXT = "text"
    SECONDARY = "secondary"
    MINE = "mine"
    AI = "ai"
    TRUTH = "truth"
    WARNING = "warning"
    OK = "ok"


class Anchor(StrEnum):
    """Which point of the text's box (x, y) is."""

    TOP_LEFT = "top_left"
    TOP = "top"
    TOP_RIGHT = "top_right"
    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom_left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom_right"


@dataclass(frozen=True)
class Text:
    x: float
    y: float
    text: str
    anchor: Anchor = Anchor.TOP_LEFT
    role: Role = Role.TEXT
    size_px: float = 12.0
    bold: bool = False
    plate: bool = False
    """A 64 % dark plate behind it (bright pixels below)."""
    framed: bool = False
    """A thin frame in the role's colour (PRIOR, A1)."""
    dashed: bool = False
    """The frame is dashed: not answered yet."""
    key: str = ""
    """What it is ("identity", "laterality", "window", ...): for tests and screen readers."""


@dataclass(frozen=True)
class Line:
    x0: float
    y0: float
    x1: float
    y1: float
    role: Role = Role.TEXT
    width: float = 1.0
    dashed: bool = False
    key: str = ""


@dataclass(frozen=True)
class Polyline:
    points: tuple[Point2, ...]
    role: Role = Role.TEXT
    width: float = 1.0
    dashed: bool = False
    closed: bool = False
    filled: bool = False
    opacity: float = 1.0
    key: str = ""
    rgb: tuple[int, int, int] | None = None
    """A colour of its own (structures, saved layers) instead of the role's."""


@dataclass(frozen=True)
class Ellipse:
    """``angle_deg`` turns the x axis clockwise as seen."""

    cx: float
    cy: float
    rx: float
    ry: float
    angle_deg: float = 0.0
    role: Role = Role.TEXT
    width: float = 1.0
    dashed: bool = False
    opacity: float = 1.0
    key: str = ""


@dataclass(frozen=True)
class Plate:
    """A dark 64 % rectangle with round corners behind what follows."""

    x: float
    y: float
    w: float
    h: float
    key: str = ""


@dataclass(frozen=True)
class ColourBar:
    """Vertical, 1 at the top, 0 at the bottom: always the whole absolute scale. Below ``threshold`` it is hatched."""

    x: float
    y: float
    w: float
    h: float
    lut: str
    threshold: float
    key: str = "colour_bar"


Primitive = Text | Line | Polyline | Ellipse | Plate | ColourBar

TextWidth = Callable[[str, float, bool], float]
"""(text, size_px, bold) to width in pane px; ``ui`` gives its font's, tests use ``estimated_width``."""


def estimated_width(text: str, size_px: float, bold: bool) -> float:
    """Near enough for a humanist sans; never too small for Latin and Cyrillic."""
    return len(text) * size_px * (0.62 if bold else 0.58)

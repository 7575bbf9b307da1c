"""Named pane layouts as rectangles in parts of the room (x, y, width, height)."""

from __future__ import annotations

import re

Cell = tuple[float, float, float, float]
MAX_CELLS = 48


def _row(count: int, top: float, height: float, left: float = 0.0, width: float = 1.0) -> tuple[Cell, ...]:
    return tuple((left + width * n / count, top, width / count, height) for n in range(count))


_NAMED: dict[str, tuple[Cell, ...]] = {
    "mount18": (*_row(7, 0.0, 0.36), *_row(4, 0.36, 0.28), *_row(7, 0.64, 0.36)),
    "1+2": ((0.0, 0.0, 2 / 3, 1.0), (2 / 3, 0.0, 1 / 3, 0.5), (2 / 3, 0.5, 1 / 3, 0.5)),
    "2+6": ((0.0, 0.0, 0.64, 0.5), (0.64, 0.0, 0.36, 0.5), *_row(6, 0.5, 0.5)),
    "1+3": (
        (0.0, 0.0, 2 / 3, 1.0),
        (2 / 3, 0.0, 1 / 3, 1 / 3),
        (2 / 3, 1 / 3, 1 / 3, 1 / 3),
        (2 / 3, 2 / 3, 1 / 3, 1 / 3),
    ),
}


def layout_cells(layout: str) -> tuple[Cell, ...]:
    """ "2x3" is two rows of three columns, row by row; or a name ("1+3"). Raises ``ValueError`` for anything else."""
    if layout in _NAMED:
        return _NAMED[layout]
    if layout.startswith("cells:"):
        return _free(layout.removeprefix("cells:"))
    match = re.fullmatch(r"([1-6])x([1-8])", layout)
    if not match:
        raise ValueError(f"unknown layout {layout!r}")
    rows, columns = int(match[1]), int(match[2])
    return tuple((c / columns, r / rows, 1 / columns, 1 / rows) for r in range(rows) for c in range(columns))


def _free(text: str) -> tuple[Cell, ...]:
    """ "x,y,w,h;x,y,w,h": rectangles of an imported arrangement, inside the room."""
    cells: list[Cell] = []
    for part in text.split(";"):
        numbers = [float(v) for v in part.split(",")]
        if len(numbers) != 4 or not all(-1e-3 <= v <= 1.001 for v in numbers) or min(numbers[2:]) <= 0.02:
            raise ValueError(f"unknown layout {text!r}")
        cells.append((numbers[0], numbers[1], numbers[2], numbers[3]))
    if not 1 <= len(cells) <= MAX_CELLS:
        raise ValueError(f"unknown layout {text!r}")
    return tuple(cells)


def layout_names() -> tuple[str, ...]:
    """What the layout menu offers."""
    return ("1x1", "1x2", "2x1", "1x3", "2x2", "2x3", "3x3", "1+2", "1+3")


_GRIDS = ("1x1", "1x2", "2x1", "1x3", "2x2", "1x4", "2x3", "2x4", "3x3")
_ROOM_ASPECT = 1.35
"""Width to height of the room for panes on a wide screen with both side panels."""


def grid_for(count: int, aspect: float = 1.0) -> str:
    """The grid in which ``count`` pictures of this width to height are seen largest; at most 3x3.

    An empty pane costs a fifth: a grid that is full is taken before one that shows its pictures only a little larger.
    """
    best, worth = "3x3", 0.0
    for layout in _GRIDS:
        cells = layout_cells(layout)
        if len(cells) < count:
            continue
        width, height = cells[0][2] * _ROOM_ASPECT, cells[0][3]
        side = min(width / aspect, height) * 0.8 ** (len(cells) - count)
        if side > worth * 1.001:
            best, worth = layout, side
    return best

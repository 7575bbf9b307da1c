"""Which letters of the patient lie at the edges of a pane, and how an image is turned so that wanted ones lie there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.domain.geometry import PlaneGeometry
from app.viewer.view_state import ViewState, linear_part

_OPPOSITE = dict(zip("LRAPHF", "RLPAFH", strict=True))
_AXES = (("L", "R"), ("P", "A"), ("H", "F"))
"""LPS: the letter in the direction of each axis, and against it."""
_CLEAR = 0.8


def letters_of(orientation: tuple[str, ...], plane: PlaneGeometry | None) -> tuple[str, str]:
    """(where the rows lead, where the columns lead) as single letters; "" where that is not known or oblique."""
    if len(orientation) >= 2:
        row, column = orientation[0][:1], orientation[1][:1]
        return (row if row in _OPPOSITE else "", column if column in _OPPOSITE else "")
    if plane is None:
        return ("", "")
    return (_letter(plane.row_cosines), _letter(plane.column_cosines))


def _letter(direction: tuple[float, float, float]) -> str:
    axis = int(np.argmax(np.abs(np.asarray(direction))))
    return _AXES[axis][int(direction[axis] < 0)] if abs(direction[axis]) > _CLEAR else ""


def shown_at(view: ViewState, letters: tuple[str, str]) -> tuple[str, str]:
    """(letter at the right edge, letter at the lower edge); "" where it is not known."""
    # Columns of the inverse (of a turn: its transpose) are where one step right and one step down the pane lie in the image.
    steps = np.rint(linear_part(view).T).astype(int)
    out = []
    for step in (steps[:, 0], steps[:, 1]):
        axis = int(np.argmax(np.abs(step)))
        letter = letters[axis]
        out.append(letter if step[axis] > 0 else _OPPOSITE.get(letter, ""))
    return (out[0], out[1])


def turned_to(view: ViewState, letters: tuple[str, str], right: str, down: str) -> ViewState:
    """``view`` mirrored, and where that is not enough turned by a quarter, so that the wanted letters lie at the edges.

    A wanted letter that the image knows nothing of changes nothing.
    """
    if not right and not down:
        return view
    ways = [
        replace(view, rotation_deg=r, flip_h=h, flip_v=v) for r in (0.0, 90.0) for v in (False, True) for h in (False, True)
    ]

    def missed(way: ViewState) -> int:
        there = shown_at(way, letters)
        return sum(bool(want) and got != want for want, got in zip((right, down), there, strict=True))

    # As stored comes first and an equal one never replaces it; min keeps the first.
    return min(ways, key=missed)

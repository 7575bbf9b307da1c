"""What a burnt-in side marker says against the sides that the header names, or that films usually have. Silent in doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from app.ai.reader_api import FilmImage, Networks
from app.ai.readers.chest.field import ChestField
from app.ai.readers.chest.marker import (
    NETWORK,
    SideMarker,
    crops_of,
    grid_of,
    markers_of,
    outshining,
    parts_of,
)
from app.domain.problem import Problem, Severity

NOTE_FROM = 0.7
"""Chance of a letter from which its agreeing is worth a word; less sure ones only keep a contradicting one silent."""
MIDDLE = 0.06
"""A letter nearer to the middle of the chest than this share of the picture's width stands on no side."""


def found_markers(film: FilmImage, field: ChestField, nets: Networks, parameters: Mapping[str, Any]) -> list[SideMarker]:
    grid = grid_of(film.values)
    hat = outshining(grid)
    parts, masks = parts_of(hat)
    lungs = lungs_on(field, film.values.shape, grid.shape)
    at = np.asarray([p.centre for p in parts]).reshape(-1, 2).astype(np.int64)
    inside = lungs[np.clip(at[:, 1], 0, grid.shape[0] - 1), np.clip(at[:, 0], 0, grid.shape[1] - 1)]
    free = np.flatnonzero(~inside).tolist()
    if not free:
        return []
    chosen = [parts[n] for n in free]
    crops = crops_of(hat, chosen, [masks[n] for n in free])
    # As it stands and seen from behind, as many letters do stand on films: what is sure both ways is rarely wrong.
    logits = (nets.run(NETWORK, crops) + nets.run(NETWORK, np.ascontiguousarray(crops[..., ::-1]))) / 2
    return markers_of(chosen, logits, grid.shape, float(parameters.get("marker_from", 0.9)))


def lungs_on(field: ChestField, film: tuple[int, ...], grid: tuple[int, ...]) -> Any:
    """The lung fields on the grid of the markers."""
    sy, sx = grid[0] / film[0], grid[1] / film[1]
    matrix = np.asarray(
        [[sx / field.scale[1], 0, field.origin[0] * sx], [0, sy / field.scale[0], field.origin[1] * sy]], np.float32
    )
    return cv2.warpAffine(field.lungs.astype(np.uint8), matrix, (grid[1], grid[0])) > 0


def middle_of(field: ChestField, film: tuple[int, ...]) -> float:
    """The line between the lung fields as a share of the film's width."""
    middle = sum(float(np.argwhere(side)[:, 1].mean()) for side in field.sides) / 2
    return field.to_film(middle, 0)[0] / film[1]


def stated_right(film: FilmImage) -> str:
    """L or R: the patient's side on the right of the picture by the header; empty where it names none."""
    along = film.patient_orientation[0][:1] if film.patient_orientation and film.patient_orientation[0] else ""
    return along if along in ("L", "R") else ""


def side_remarks(film: FilmImage, markers: Sequence[SideMarker], middle: float, alarm_from: float) -> list[Problem]:
    """A warning where every marker that was read contradicts the sides; a quiet note where every one agrees."""
    stated = stated_right(film)
    on_right = stated or "L"
    told: dict[bool, list[SideMarker]] = {True: [], False: []}
    for marker in markers:
        if abs(marker.x - middle) >= MIDDLE:
            here = on_right if marker.x > middle else "R" if on_right == "L" else "L"
            told[here == marker.side].append(marker)
    if told[True] and not told[False]:
        surest = max(told[True], key=lambda m: (m.whole, m.chance))
        if surest.chance >= NOTE_FROM and surest.whole:
            return [Problem("ai.chest.marker_agrees", {"letter": surest.letter}, Severity.NOTE)]
    if told[False] and not told[True]:
        surest = max(told[False], key=lambda m: (m.whole, m.chance))
        if surest.chance >= alarm_from and surest.whole:
            place = "left" if surest.side == "R" else "right"
            how = "stated" if stated else "usual"
            return [Problem(f"ai.chest.marker_on_{place}_{how}", {"letter": surest.letter}, Severity.WARNING)]
    return []

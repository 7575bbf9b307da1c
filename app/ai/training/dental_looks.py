"""Looks at the labelled films for training: turned, stretched, mixed from two films, rare teeth set in, re-exposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.ai.readers.dental.boxes import CLASSES, overlaps
from app.ai.readers.dental.film import COLUMNS, ROWS, blank_area, content_of, evened
from app.ai.training.dental_set import LabelledFilm, film_weights

RARE = {"Impacted Tooth": 1.6, "Cavity": 2.0}
"""How much more often a film with such a box is shown."""
MIXED, SET_IN = 0.3, 0.45
"""Share of looks whose halves are of two films, and share with teeth set in from others."""
SET_IN_KIND = "Cavity"
"""Impacted teeth are not set in: where they lie is part of what they are, and films hang any way up."""
SIZE = np.asarray([COLUMNS, ROWS], float)
Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shown:
    """The exposed part of a film, 8 bits, with its boxes in its own pixels."""

    pixels: npt.NDArray[np.uint8]
    kinds: npt.NDArray[np.int64]
    boxes: Boxes
    weight: float


@dataclass(frozen=True, eq=False)
class Tooth:
    """A rare tooth with a rim, at the network's scale; ``boxes`` in the cut's pixels, ``place`` its middle, 0..1."""

    pixels: npt.NDArray[np.uint8]
    kinds: npt.NDArray[np.int64]
    boxes: Boxes
    place: npt.NDArray[np.float64]


Look = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], Boxes]
"""(ROWS, COLUMNS) pixels, kinds, boxes in network pixels."""


def shown_parts(films: Sequence[LabelledFilm]) -> list[Shown]:
    parts = []
    for film, weight in zip(films, film_weights(list(films)), strict=True):
        blank = blank_area(film.values)
        content = content_of(blank)
        box = (slice(int(content.y0), int(content.y1)), slice(int(content.x0), int(content.x1)))
        pixels = np.rint(evened(film.values[box], blank[box]) * 255).astype(np.uint8)
        known = np.asarray([k in CLASSES for k in film.kinds], bool)
        kinds = np.asarray([CLASSES.index(k) for k in film.kinds if k in CLASSES], np.int64)
        moved = film.boxes[known] - np.asarray([content.x0, content.y0, content.x0, content.y0])
        weight *= max([1.0, *(RARE.get(k, 1.0) for k in film.kinds)])
        parts.append(Shown(pixels, kinds, moved.reshape(-1, 4), weight))
    return parts


def rare_teeth(parts: Sequence[Shown], rim: float = 0.15) -> list[Tooth]:
    """Every tooth of the rarest class, cut out."""
    teeth = []
    for part in parts:
        rows, columns = part.pixels.shape
        scale = SIZE / (columns, rows)
        small = cv2.resize(part.pixels, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
        boxes = part.boxes * np.tile(scale, 2)
        for kind, box in zip(part.kinds, boxes, strict=True):
            if CLASSES[kind] != SET_IN_KIND:
                continue
            margin = np.tile((box[2:] - box[:2]) * rim + 2, 2) * (-1, -1, 1, 1)
            x0, y0, x1, y1 = np.rint(box + margin).astype(int).clip(0, [COLUMNS, ROWS, COLUMNS, ROWS])
            with_it = overlaps(box, boxes) > 0.5
            corner = np.asarray([x0, y0, x0, y0], float)
            teeth.append(
                Tooth(small[y0:y1, x0:x1], part.kinds[with_it], boxes[with_it] - corner, (box[:2] + box[2:]) / 2 / SIZE)
            )
    return teeth


def turned(shown: Shown, rng: np.random.Generator) -> Look:
    """The film turned, stretched, moved and mirrored."""
    rows, columns = shown.pixels.shape
    turn = np.deg2rad(rng.normal(0, 3.5))
    sx, sy = np.exp(rng.normal(0, 0.08, 2)) * np.exp(rng.normal(0, 0.1)) * SIZE / (columns, rows)
    sx, sy = sx * rng.choice([-1, 1]), sy * rng.choice([-1, 1])
    m = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ np.diag([sx, sy])
    shift = SIZE / 2 + rng.normal(0, 0.035, 2) * SIZE - m @ np.array([columns / 2, rows / 2])
    # cv2 counts from pixel centres, boxes from pixel corners.
    offset = shift + m @ np.array([0.5, 0.5]) - 0.5
    matrix = np.concatenate([m, offset[:, None]], 1)
    look = cv2.warpAffine(shown.pixels, matrix, (COLUMNS, ROWS), flags=cv2.INTER_LINEAR)
    x0, y0, x1, y1 = shown.boxes.T
    centre = m @ np.stack([(x0 + x1) / 2, (y0 + y1) / 2]) + shift[:, None]
    # The upright box around a turned one would be too large; turns are small, so the size is only stretched.
    half = np.stack([(x1 - x0) * abs(sx), (y1 - y0) * abs(sy)]) / 2
    return cut_to(np.asarray(look, np.uint8), shown.kinds, np.concatenate([centre - half, centre + half]).T, (0, COLUMNS))


def cut_to(look: npt.NDArray[np.uint8], kinds: npt.NDArray[np.int64], boxes: Boxes, span: tuple[float, float]) -> Look:
    """Boxes cut to the columns ``span`` and to the rows; those of which less than half is left go."""
    kept = boxes.clip((span[0], 0, span[0], 0), (span[1], ROWS, span[1], ROWS))
    area = (kept[:, 2:] - kept[:, :2]).clip(min=0).prod(1)
    good = area > 0.5 * (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return look, kinds[good], kept[good]


def mixed(first: Look, second: Look, rng: np.random.Generator) -> Look:
    """The left of one look beside the right of another."""
    seam = int(COLUMNS * rng.uniform(0.38, 0.62))
    look = first[0].copy()
    look[:, seam:] = second[0][:, seam:]
    _, left_kinds, left = cut_to(look, first[1], first[2], (0, seam))
    _, right_kinds, right = cut_to(look, second[1], second[2], (seam, COLUMNS))
    return look, np.concatenate([left_kinds, right_kinds]), np.concatenate([left, right])


def with_tooth_set_in(look: Look, tooth: Tooth, rng: np.random.Generator) -> Look:
    """A rare tooth laid over the look near where it stood, or in place of a boxed tooth there; its rim fades out."""
    pixels, kinds, boxes = look
    cut, inner, place = tooth.pixels, tooth.boxes, tooth.place * SIZE
    # Mirrored places ask for a mirrored tooth: roots point away from the bite.
    if rng.random() < 0.5:
        cut, place = cut[:, ::-1], np.asarray([COLUMNS - place[0], place[1]])
        inner = np.stack([cut.shape[1] - inner[:, 2], inner[:, 1], cut.shape[1] - inner[:, 0], inner[:, 3]], 1)
    if rng.random() < 0.5:
        cut, place = cut[::-1], np.asarray([place[0], ROWS - place[1]])
        inner = np.stack([inner[:, 0], cut.shape[0] - inner[:, 3], inner[:, 2], cut.shape[0] - inner[:, 1]], 1)
    place = place + rng.normal(0, 1, 2) * (30, 8)
    if len(boxes):
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        far = np.hypot(*(centres - place).T)
        near = far.min() < 60
        place = centres[int(far.argmin())] if near else place
    else:
        near = False
    if not near and rng.random() < 0.6:
        return look
    stretch = np.exp(rng.normal(0, 0.1, 2))
    size = np.maximum(np.rint(np.asarray(cut.shape[::-1]) * stretch), 6).astype(int)
    inner = inner * np.tile(size / np.asarray(cut.shape[::-1]), 2)
    x, y = np.rint(place - size / 2).astype(int)
    w, h = size
    if x < 0 or y < 0 or x + w > COLUMNS or y + h > ROWS:
        return look
    patch = cv2.resize(np.ascontiguousarray(cut), (int(w), int(h)), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    under = pixels[y : y + h, x : x + w].astype(np.float32)
    fade = np.zeros((h, w), np.float32)
    fade[h // 12 + 1 : h - h // 12 - 1, w // 10 + 1 : w - w // 10 - 1] = 1.0
    fade = cv2.GaussianBlur(fade, (0, 0), max(1.0, 0.05 * w))
    edge = fade < 0.5
    # A part of the difference at the rim is taken off, so that the cut stands in its new surroundings.
    patch = patch + 0.7 * (float(under[edge].mean()) - float(patch[edge].mean()))
    out = pixels.copy()
    out[y : y + h, x : x + w] = np.clip(patch * fade + under * (1 - fade), 0, 255).astype(np.uint8)
    new = inner + np.asarray([x, y, x, y], float)
    hidden = np.zeros(len(boxes), bool)
    area = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1.0)
    for box in new:
        both = (np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])).clip(min=0).prod(1)
        hidden |= both / area > 0.45
    return out, np.concatenate([kinds[~hidden], tooth.kinds]), np.concatenate([boxes[~hidden], new])


def exposed(look: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Another film, another exposure: values in 0..1."""
    levels = np.linspace(0, 1, 256)
    if rng.random() < 0.8:
        levels = levels ** float(np.exp(rng.normal(0, 0.3)))
    levels = (levels - 0.5) * float(np.exp(rng.normal(0, 0.15))) + 0.5 + float(rng.normal(0, 0.06))
    out = np.clip(levels, 0, 1).astype(np.float32)[look]
    if rng.random() < 0.25:
        out = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.4, 1.2)))
    if rng.random() < 0.4:
        out = out + rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(0.01, 0.05))
    if rng.random() < 0.25:  # a mask of another exporter
        y, x = np.ogrid[:ROWS, :COLUMNS]
        radius = rng.uniform(0.48, 0.62)
        out = np.where(((x / COLUMNS - 0.5) ** 2 + (y / ROWS - 0.5) ** 2) > radius**2, np.float32(0.0), out)
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(1, 4))):
            h, w = rng.integers(8, 40, 2)
            r, c = rng.integers(0, ROWS - h), rng.integers(0, COLUMNS - w)
            out[r : r + h, c : c + w] = rng.random()
    return np.asarray(np.clip(out, 0, 1), np.float32)


class Looks:
    """Draws looks from films, a film's copies together as often as one film."""

    def __init__(self, films: Sequence[LabelledFilm], seed: int) -> None:
        self.parts = shown_parts(films)
        self.teeth = rare_teeth(self.parts)
        chance = np.asarray([p.weight for p in self.parts])
        self.chance = chance / chance.sum()
        self.rng = np.random.default_rng(seed)

    def _one(self) -> Look:
        return turned(self.parts[int(self.rng.choice(len(self.parts), p=self.chance))], self.rng)

    def draw(self, plain: bool = False) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], Boxes]:
        """(ROWS, COLUMNS) in 0..1, kinds, boxes; ``plain`` leaves mixing and setting in out."""
        rng = self.rng
        look = self._one()
        if not plain and rng.random() < MIXED:
            look = mixed(look, self._one(), rng)
        if not plain and self.teeth and rng.random() < SET_IN:
            for _ in range(int(rng.integers(1, 4))):
                look = with_tooth_set_in(look, self.teeth[int(rng.integers(len(self.teeth)))], rng)
        return exposed(look[0], rng), look[1], look[2]

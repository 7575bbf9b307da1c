"""Trains the network that looks at the highest places of a view once more (``readers/mammogram/patches.py``).

Shown are lesions of the set, lesions moved into films without one, drawn masses, and places that the place score takes for
lesions: of films with a lesion and of sound ones alike, so that nothing but the place itself can tell them apart. Every
patch is turned, mirrored, scaled and exposed otherwise. Fixed seed, one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from app.ai.networks.patch_score import PatchScoreNet
from app.ai.readers.film.filters import blurred
from app.ai.readers.film.places import Floats, PlaceMark, marks_of
from app.ai.readers.mammogram.patches import AIR, HIGHEST, STEP, Matrix, film_stack, on_stack, patch_at
from app.ai.readers.mammogram.study import Measured, Scored
from app.ai.training.averaging import follow
from app.ai.training.mias import Mammogram, partner_of

Rng = np.random.Generator
Circle = tuple[float, float, float]
"""(x, y, radius) on the stack."""
Part = tuple[Floats, float]
"""What a lesion adds to its surroundings, and its radius."""
LEAST_RADIUS = 3.0
FALSE_PLACES = 30
FALSE_APART_PX = 16.0
FAR = 1.5
"""Radii from a lesion's middle beyond which a place is surely not the lesion."""
ALONE_SHARE = 0.25
"""Of the patches, shown without the other breast."""
EARLY = 0.3
"""Share of the steps in which moved and drawn lesions are many."""
_WINDOW = 64


@dataclass(frozen=True)
class PatchSettings:
    steps: int = 500
    batch: int = 96
    rate: float = 4e-3
    decay: float = 0.05
    dropout: float = 0.4
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Film:
    """One picture to learn from."""

    stack: Floats
    tissue: npt.NDArray[np.int64]
    """(n, 2) rows and columns of the stack."""
    lesions: tuple[Circle, ...]
    parts: tuple[Part, ...]
    abnormal: bool
    known: bool
    """Every lesion has a circle: all else is sound."""
    paired: bool


def films_of(images: Sequence[Mammogram], measured: Sequence[Measured]) -> list[Film]:
    found = []
    for image, one, p in zip(images, measured, partner_of(images), strict=True):
        view = one.view
        stack = film_stack(view, None if p is None else measured[p].view)
        circles = []
        for lesion in image.lesions:
            if lesion.circle is not None:
                x, y = on_stack(*view.to_grid(lesion.circle[0], lesion.circle[1]))
                circles.append((x, y, max(lesion.circle[2] * view.scale[1] / STEP, LEAST_RADIUS)))
        parts = tuple(part for part in (_part_of(stack, c) for c in circles) if part is not None)
        tissue = np.argwhere(stack[..., 2] > 0.5)
        known = len(circles) == len(image.lesions)
        found.append(Film(stack, tissue, tuple(circles), parts, image.abnormal, known, p is not None))
    return found


def _part_of(stack: Floats, circle: Circle) -> Part | None:
    x, y, radius = circle
    reach = int(np.ceil(1.8 * radius)) + 2
    row, column = round(y), round(x)
    wide = cv2.copyMakeBorder(stack, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    around = wide[row : row + 2 * reach + 1, column : column + 2 * reach + 1]
    if around.shape[:2] != (2 * reach + 1, 2 * reach + 1):
        return None
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    far = np.hypot(across, down)
    ring = ((far > 1.1 * radius) & (far <= 1.8 * radius)).astype(np.float32) * around[..., 2]
    if ring.sum() < 12:
        return None
    back = blurred(np.ascontiguousarray(around[..., 0]), ring, max(0.6 * radius, 2.0))
    soft = np.clip((1.35 * radius - far) / (0.35 * radius), 0, 1)
    return ((around[..., 0] - back) * soft).astype(np.float32), radius


def drawn_mass(rng: Rng) -> Part:
    """A lobed body, half of them with spicules."""
    radius = float(np.exp(rng.uniform(np.log(4), np.log(20))))
    reach = int(1.8 * radius) + 3
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    angle = np.arctan2(down, across)
    far = np.hypot(across * rng.uniform(0.75, 1.33), down)
    lobes = sum(rng.normal() * 0.5 / k * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(2, 7))
    share = far / (radius * np.clip(1 + lobes * rng.uniform(0, 0.35), 0.3, None))
    body = 1 / (1 + np.exp((share - 1) * rng.uniform(3, 14)))
    if rng.random() < 0.5:
        count, start = rng.integers(5, 18), rng.uniform(0, 6.3)
        rays = np.maximum(np.cos(count * angle + start + rng.normal() * np.cos(2 * angle)), 0) ** 6
        rays = rays * np.exp(-np.maximum(share - 0.8, 0) * 2.5) * (share > 0.3)
        body = np.maximum(body, rng.uniform(0.3, 0.7) * rays)
    edge = np.clip((1.75 * radius - far) / (0.3 * radius), 0, 1)
    return np.asarray(body * rng.uniform(0.12, 0.5) * edge, np.float32), radius


def turned(rng: Rng) -> Matrix:
    angle, size = rng.uniform(-0.7, 0.7), 2 ** rng.uniform(-0.3, 0.3)
    x, y = (-1.0 if rng.random() < 0.5 else 1.0 for _ in range(2))
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray([[cos * x, -sin * y], [sin * x, cos * y]]) / size


def exposed(patch: Floats, rng: Rng, alone: bool) -> Floats:
    """Both breasts with another contrast, level and curve; this one with noise."""
    gain, level, bend = 2 ** rng.uniform(-0.25, 0.25), rng.uniform(-0.2, 0.2), rng.uniform(-0.1, 0.1)
    noise = rng.normal(size=patch.shape[:2]).astype(np.float32) * rng.uniform(0, 0.05)
    for n, more in ((0, noise), (1, np.zeros_like(noise))):
        grey = patch[..., n]
        changed = grey * gain + level + bend * grey * grey + more
        patch[..., n] = np.where(grey < AIR + 0.3, AIR, np.clip(changed, AIR, HIGHEST))
    if alone:
        patch[..., 1] = AIR
    return patch


class _Shown:
    """Draws patches of the films."""

    def __init__(self, films: Sequence[Film], results: Sequence[Scored], rng: Rng) -> None:
        self.films, self.rng = films, rng
        self.false = {n: places for n, r in enumerate(results) if len(places := false_places(films[n], r))}
        self.lesions = [(n, circle) for n, film in enumerate(films) for circle in film.lesions]
        self.parts = [part for film in films for part in film.parts]
        self.sound = [n for n, film in enumerate(films) if not film.abnormal]
        self.sick = [n for n, film in enumerate(films) if film.lesions and n in self.false]

    def lesion(self) -> Floats:
        n, (x, y, radius) = self.lesions[self.rng.integers(len(self.lesions))]
        off = min(0.6 * radius * np.sqrt(self.rng.random()), 8.0)
        return self._patch(n, self.films[n].stack, x, y, off)

    def moved(self) -> Floats:
        """A lesion of another film, or a drawn one, in a film without any."""
        rng = self.rng
        n = self.sound[rng.integers(len(self.sound))]
        film = self.films[n]
        given, radius = drawn_mass(rng) if rng.random() < 0.4 else self.parts[rng.integers(len(self.parts))]
        size = 2 ** rng.uniform(-0.4, 0.4)
        side = max(5, int(given.shape[0] * size) | 1)
        half = (given.shape[0] - 1) / 2
        matrix = cv2.getRotationMatrix2D((half, half), rng.uniform(0, 360), 1)
        part = cv2.resize(cv2.warpAffine(given, matrix, given.shape[::-1]), (side, side)) * rng.uniform(0.7, 1.3)
        if rng.random() < 0.5 and n in self.false:
            x, y = (int(v) for v in self._false(n))
        else:
            y, x = film.tissue[rng.integers(len(film.tissue))]
        w = _WINDOW
        wide = cv2.copyMakeBorder(film.stack, w, w, w, w, cv2.BORDER_CONSTANT, value=(AIR, AIR, 0))
        around = wide[y : y + 2 * w + 1, x : x + 2 * w + 1].copy()
        reach, middle = min(side // 2, w), side // 2
        here, there = slice(w - reach, w + reach + 1), slice(middle - reach, middle + reach + 1)
        around[here, here, 0] += part[there, there] * around[here, here, 2]
        return self._patch(n, around, w, w, min(0.5 * radius * size * rng.random(), 8.0))

    def false_place(self, among: Sequence[int]) -> Floats:
        """What is taken for a lesion, mostly; else any place of the tissue."""
        rng = self.rng
        n = among[rng.integers(len(among))]
        film = self.films[n]
        x, y = self._false(n)
        if rng.random() < 0.2:
            for row, column in film.tissue[rng.integers(len(film.tissue), size=8)]:
                if all(np.hypot(column - a, row - b) > FAR * radius for a, b, radius in film.lesions):
                    x, y = float(column), float(row)
                    break
        return self._patch(n, film.stack, x + rng.uniform(-3, 3), y + rng.uniform(-3, 3), 0.0)

    def _false(self, n: int) -> tuple[float, float]:
        places = self.false[n]
        x, y = places[min(int(self.rng.exponential(10)), len(places) - 1)]
        return float(x), float(y)

    def _patch(self, n: int, stack: Floats, x: float, y: float, off: float) -> Floats:
        angle = self.rng.uniform(0, 6.3)
        patch = patch_at(stack, x + off * np.cos(angle), y + off * np.sin(angle), turned(self.rng))
        return exposed(patch, self.rng, not self.films[n].paired or self.rng.random() < ALONE_SHARE)


def false_places(film: Film, result: Scored) -> npt.NDArray[np.float64]:
    """(n, 2) x and y of the highest places that are no lesion, highest first. None where a lesion's place is not known."""
    marks: list[PlaceMark] = []
    if film.known:
        marks = marks_of(result.measured.places, result.score, FALSE_PLACES, FALSE_APART_PX)
    at = [on_stack(m.x, m.y) for m in marks]
    free = [p for p in at if all(np.hypot(p[0] - x, p[1] - y) > FAR * radius for x, y, radius in film.lesions)]
    return np.asarray(free, np.float64).reshape(-1, 2)


def train_patches(films: Sequence[Film], results: Sequence[Scored], settings: PatchSettings) -> PatchScoreNet:
    """``results``: the films scored by the place networks that were trained on them. The mean of the last steps is kept."""
    s = settings
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(s.seed)
    shown = _Shown(films, results, np.random.default_rng([s.seed, 77]))
    net, mean = PatchScoreNet(dropout=s.dropout), PatchScoreNet(dropout=s.dropout)
    mean.load_state_dict(net.state_dict())
    net.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=s.rate, weight_decay=s.decay)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, s.rate, total_steps=s.steps, pct_start=0.15)
    share = s.batch // 8
    net.train()
    with torch.enable_grad():
        for step in range(s.steps):
            many = 2 * share if step < EARLY * s.steps else share // 2
            given = [shown.lesion() for _ in range(3 * share)] + [shown.moved() for _ in range(many)]
            lesions, left = len(given), s.batch - len(given)
            of_sick = left * 2 // 5
            given += [shown.false_place(shown.sick) for _ in range(of_sick)]
            given += [shown.false_place(shown.sound) for _ in range(left - of_sick)]
            truth = torch.zeros(s.batch)
            truth[:lesions] = 1.0
            weight = torch.where(truth > 0, 0.5 / lesions, 0.5 / left)
            x = torch.from_numpy(np.stack(given)).permute(0, 3, 1, 2)  # channels lie last already
            with torch.autocast("cpu", torch.bfloat16):
                out = net(x)[:, 0].float()
            # Circles are rough: nothing is told with more certainty than 0.98.
            loss = (functional.binary_cross_entropy_with_logits(out, truth * 0.96 + 0.02, reduction="none") * weight).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 2.0)
            optimiser.step()
            plan.step()
            follow(mean, net, step + 1, 0.98)
    return mean.eval().requires_grad_(False)


__all__ = ["Film", "PatchSettings", "drawn_mass", "false_places", "films_of", "train_patches"]

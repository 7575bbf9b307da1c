"""Trains the detector of the dental reader on the labelled films, every look at them turned, stretched and re-exposed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from app.ai.networks.film_detect import FilmDetector
from app.ai.readers.dental.boxes import CLASSES, STRIDE
from app.ai.readers.dental.film import SIDE, blank_area, content_of, evened
from app.ai.training.averaging import follow
from app.ai.training.dental_set import LabelledFilm, film_weights

CELLS = SIDE // STRIDE
RARE = {"Impacted Tooth": 1.5, "Cavity": 1.8}
"""How much more often a film with such a box is shown."""


@dataclass(frozen=True)
class Settings:
    steps: int = 2400
    batch: int = 10
    rate: float = 2e-3
    seed: int = 11
    threads: int = 1


@dataclass(frozen=True, eq=False)
class Shown:
    """The exposed part of a film, 8 bits, with its boxes in its own pixels."""

    pixels: npt.NDArray[np.uint8]
    kinds: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float64]
    weight: float


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


def augmented(shown: Shown, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One look at a film: (SIDE, SIDE) in about 0..1, kinds, boxes in network pixels."""
    rows, columns = shown.pixels.shape
    turn = np.deg2rad(rng.normal(0, 3.0))
    sx, sy = np.exp(rng.normal(0, 0.09, 2)) * np.exp(rng.normal(0, 0.07)) * (SIDE / columns, SIDE / rows)
    sx, sy = sx * rng.choice([-1, 1]), sy * rng.choice([-1, 1])
    m = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ np.diag([sx, sy])
    shift = SIDE / 2 + rng.normal(0, 0.035 * SIDE, 2) - m @ np.array([columns / 2, rows / 2])
    # cv2 counts from pixel centres, boxes from pixel corners.
    offset = shift + m @ np.array([0.5, 0.5]) - 0.5
    matrix = np.concatenate([m, offset[:, None]], 1)
    look = cv2.warpAffine(shown.pixels, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    look = _exposed(look, rng)
    if not len(shown.boxes):
        return look, shown.kinds, shown.boxes
    x0, y0, x1, y1 = shown.boxes.T
    centre = m @ np.stack([(x0 + x1) / 2, (y0 + y1) / 2]) + shift[:, None]
    # The upright box around a turned one would be too large; turns are small, so the size is only stretched.
    half = np.stack([(x1 - x0) * abs(sx), (y1 - y0) * abs(sy)]) / 2
    boxes = np.concatenate([centre - half, centre + half]).T
    inside = (centre > 2).all(0) & (centre < SIDE - 2).all(0)
    return look, shown.kinds[inside], boxes[inside]


def _exposed(look: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.8:
        look = look ** float(np.exp(rng.normal(0, 0.3)))
    look = (look - 0.5) * float(np.exp(rng.normal(0, 0.15))) + 0.5 + float(rng.normal(0, 0.06))
    if rng.random() < 0.25:
        look = cv2.GaussianBlur(look, (0, 0), float(rng.uniform(0.4, 1.2)))
    if rng.random() < 0.4:
        look = look + rng.normal(0, rng.uniform(0.01, 0.05), look.shape)
    if rng.random() < 0.3:  # a mask of another exporter
        y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) - SIDE / 2
        radius = SIDE * rng.uniform(0.48, 0.62)
        look = np.where(x * x + y * y > radius**2, 0.0, look)
    if rng.random() < 0.25:
        for _ in range(int(rng.integers(1, 4))):
            h, w = rng.integers(8, 40, 2)
            r, c = rng.integers(0, SIDE - h), rng.integers(0, SIDE - w)
            look[r : r + h, c : c + w] = rng.random()
    return np.clip(look, 0, 1).astype(np.float32)


def targets(kinds: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(heat by class, aims for the box, weight) on the cells. Aims: centre x, y in cells, log width, log height."""
    heat = np.zeros((len(CLASSES), CELLS, CELLS), np.float32)
    aims = np.zeros((4, CELLS, CELLS), np.float32)
    weight = np.zeros((CELLS, CELLS), np.float32)
    y, x = np.mgrid[:CELLS, :CELLS].astype(np.float32) + 0.5
    for kind, box in zip(kinds, boxes, strict=True):
        cx, cy = (box[0] + box[2]) / 2 / STRIDE, (box[1] + box[3]) / 2 / STRIDE
        w, h = max((box[2] - box[0]) / STRIDE, 0.5), max((box[3] - box[1]) / STRIDE, 0.5)
        spread = np.exp(-((x - cx) ** 2) / (2 * max(0.14 * w, 0.7) ** 2) - ((y - cy) ** 2) / (2 * max(0.12 * h, 0.7) ** 2))
        c, r = int(np.clip(cx, 0, CELLS - 1)), int(np.clip(cy, 0, CELLS - 1))
        spread[r, c] = 1.0
        heat[kind] = np.maximum(heat[kind], spread)
        near = (spread > 0.3) & (spread > weight)
        weight[near] = spread[near]
        for n, value in enumerate((cx, cy, np.log(w), np.log(h))):
            aims[n][near] = value
    return heat, aims, weight


def loss_of(out: torch.Tensor, heat: torch.Tensor, aims: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    n = len(CLASSES)
    logits, told = out[:, :n].float(), out[:, n:].float()
    p = torch.sigmoid(logits)
    centre = heat >= 0.999
    positive = -(functional.logsigmoid(logits) * (1 - p) ** 2)[centre].sum()
    negative = -(functional.logsigmoid(-logits) * p**2 * (1 - heat) ** 4)[~centre].sum()
    count = centre.sum().clamp(min=1)
    cells = torch.arange(CELLS, dtype=torch.float32)
    x, y = told[:, 0] + cells, told[:, 1] + cells[:, None]
    cx, cy, lw, lh = aims.unbind(1)
    w, h = torch.exp(told[:, 2].clamp(-2, 4)), torch.exp(told[:, 3].clamp(-2, 4))
    tw, th = torch.exp(lw), torch.exp(lh)
    both_w = (torch.minimum(x + w / 2, cx + tw / 2) - torch.maximum(x - w / 2, cx - tw / 2)).clamp(min=0)
    both_h = (torch.minimum(y + h / 2, cy + th / 2) - torch.maximum(y - h / 2, cy - th / 2)).clamp(min=0)
    both = both_w * both_h
    iou = both / (w * h + tw * th - both + 1e-6)
    far = ((x - cx).abs() / tw + (y - cy).abs() / th + 0.5 * ((told[:, 2] - lw).abs() + (told[:, 3] - lh).abs())).clamp(
        max=5
    )
    boxes = ((1 - iou + 0.5 * far) * weight).sum() / weight.sum().clamp(min=1)
    return (positive + negative) / count + 2.0 * boxes


def train(
    films: Sequence[LabelledFilm],
    settings: Settings,
    keep_to: Callable[[FilmDetector], None] = lambda net: None,
    start: FilmDetector | None = None,
) -> FilmDetector:
    """The network after ``settings`` more steps from ``start``, its weights averaged over the last ones.

    ``keep_to`` gets it every hundred steps.
    """
    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    parts = shown_parts(films)
    chance = np.asarray([p.weight for p in parts])
    chance /= chance.sum()
    net = (copy.deepcopy(start) if start is not None else FilmDetector(len(CLASSES))).to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=0.03)
    started, sums = time.monotonic(), []
    net.train().requires_grad_(True)
    for step in range(settings.steps):
        done = step / settings.steps
        picks = rng.choice(len(parts), settings.batch, p=chance)
        looks = [augmented(parts[n], rng) for n in picks]
        x = torch.from_numpy(np.stack([a[0] for a in looks]))[:, None]
        heat, aims, weight = (torch.from_numpy(np.stack(t)) for t in zip(*(targets(k, b) for _, k, b in looks), strict=True))
        with torch.autocast("cpu", torch.bfloat16):
            out = net(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(out, heat, aims, weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        rate = settings.rate * min(1.0, done / 0.05 + 0.02) * (0.5 + 0.5 * np.cos(np.pi * done))
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        follow(mean, net, step + 1, 0.997, 30.0)
        sums.append(float(loss.detach()))
        if (step + 1) % 25 == 0:
            print(f"step {step + 1}: loss {np.mean(sums[-25:]):.3f}, {time.monotonic() - started:.0f} s", flush=True)
        if (step + 1) % 100 == 0:
            keep_to(mean)
    return mean

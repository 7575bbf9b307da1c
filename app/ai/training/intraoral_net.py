"""Trains the points of the intra-oral reader on generated films (``samples.intraoral``), turned, cropped and re-exposed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn import functional

from app.ai.networks.film_detect import FilmDetector
from app.ai.readers.dental.intraoral import CELLS, INPUT_MM, POINTS, REACH_CELLS, SIDE, STRIDE
from app.ai.training.averaging import follow
from app.samples.intraoral import IntraoralFilm, generate_intraoral

WIDTHS = (12, 32, 56, 80, 96)
TRAINED_SEEDS = range(50_000, 50_360)
VALIDATION_SEEDS = range(60_000, 60_040)
HELD_OUT_SEEDS = range(70_000, 70_080)
_BOXES = ("caries", "periapical")


@dataclass(frozen=True)
class Settings:
    steps: int = 900
    batch: int = 6
    rate: float = 3e-3
    seed: int = 7
    threads: int = 1


def film_of(seed: int, pixel_mm: float) -> IntraoralFilm:
    return generate_intraoral(seed, pixel_mm=pixel_mm, upright=seed % 6 == 0)


@dataclass(frozen=True, eq=False)
class Shown:
    """A film at the network's scale; points (kind, x, y, vector or size) in its pixels."""

    pixels: np.ndarray
    points: tuple[tuple[int, float, float, float, float], ...]


def shown_of(film: IntraoralFilm) -> Shown:
    pixels = film.pixels.astype(np.float32)
    low, high = np.percentile(pixels, [1.0, 99.5])
    even = np.clip((pixels - low) / max(float(high - low), 1e-6), 0, 1)
    points: list[tuple[int, float, float, float, float]] = []
    for found in film.findings:
        x0, y0, x1, y1 = found.box_px
        points.append((_BOXES.index(found.name), (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0))
    for site in film.sites:
        (ax, ay), (bx, by) = site.enamel_px, site.crest_px
        points.append((2, ax, ay, bx - ax, by - ay))
        points.append((3, bx, by, ax - bx, ay - by))
    for _, (ax, ay), (nx, ny) in film.apices_px:
        points.append((4, ax, ay, nx - ax, ny - ay))
    return Shown(np.rint(even * 255).astype(np.uint8), tuple(points))


def look(shown: Shown, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Network input and (n, 5) points in network pixels."""
    rows, columns = shown.pixels.shape
    turn = float(np.deg2rad(rng.normal(0, 4.0)))
    s = float(np.exp(rng.normal(0, 0.06)))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    over = -1.0 if rng.random() < 0.5 else 1.0
    m = s * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ np.diag([flip, over])
    shift = SIDE / 2 + rng.normal(0, 6, 2) - m @ np.array([columns / 2, rows / 2])
    matrix = np.concatenate([m, (shift + m @ np.array([0.5, 0.5]) - 0.5)[:, None]], 1)
    x = cv2.warpAffine(shown.pixels, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    kept = np.ones((rows, columns), np.uint8)
    for axis in (0, 1):  # a narrower film
        if rng.random() < 0.3:
            cut = int(rng.uniform(0, 0.2) * kept.shape[axis])
            part = [slice(None), slice(None)]
            part[axis] = slice(0, cut) if rng.random() < 0.5 else slice(kept.shape[axis] - cut, None)
            kept[tuple(part)] = 0
    inside = cv2.warpAffine(kept, matrix, (SIDE, SIDE), flags=cv2.INTER_NEAREST)
    x = _exposed(x, rng) * inside
    points = np.array(shown.points, np.float64).reshape(-1, 5).copy()
    if len(points):
        points[:, 1:3] = points[:, 1:3] @ m.T + shift
        vector = points[:, 0] >= 2
        points[vector, 3:5] = points[vector, 3:5] @ m.T
        points[~vector, 3:5] *= s
        c = np.clip(points[:, 1:3], 0, SIDE - 1).astype(int)
        ok = (points[:, 1:3] > 2).all(1) & (points[:, 1:3] < SIDE - 2).all(1) & (inside[c[:, 1], c[:, 0]] > 0)
        points = points[ok]
    return x.astype(np.float32), points


def _exposed(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    x = np.clip(x, 1e-3, 1) ** float(np.exp(rng.normal(0, 0.25)))
    x = (x - 0.5) * float(np.exp(rng.normal(0, 0.12))) + 0.5 + float(rng.normal(0, 0.04))
    if rng.random() < 0.3:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.4, 1.0)))
    if rng.random() < 0.25:
        x = x + float(rng.uniform(0.3, 1.0)) * (x - cv2.GaussianBlur(x, (0, 0), 2.0))
    if rng.random() < 0.5:
        x = x + rng.normal(0, rng.uniform(0.005, 0.035), x.shape)
    return np.asarray(np.clip(x, 0, 1), np.float32)


def targets(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    heat = np.zeros((len(POINTS), CELLS, CELLS), np.float32)
    aims = np.zeros((4, CELLS, CELLS), np.float32)
    weight = np.zeros((CELLS, CELLS), np.float32)
    y, x = np.mgrid[:CELLS, :CELLS].astype(np.float32) + 0.5
    for kind, px, py, vx, vy in points:
        k = int(kind)
        cx, cy = px / STRIDE, py / STRIDE
        wide = 0.9 if k >= 2 else max(0.9, 0.18 * min(vx, vy) / STRIDE)
        spread = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * wide**2))
        c, r = int(np.clip(cx, 0, CELLS - 1)), int(np.clip(cy, 0, CELLS - 1))
        spread[r, c] = 1.0
        heat[k] = np.maximum(heat[k], spread)
        near = (spread > 0.3) & (spread > weight)
        weight[near] = spread[near]
        if k < 2:
            told = (float(np.log(max(vx / STRIDE, 0.5))), float(np.log(max(vy / STRIDE, 0.5))))
        else:
            unit = STRIDE * REACH_CELLS * (2 if POINTS[k] == "apex" else 1)
            told = (vx / unit, vy / unit)
        for n, value in enumerate((cx, cy, *told)):
            aims[n][near] = value
    return heat, aims, weight


def loss_of(out: torch.Tensor, heat: torch.Tensor, aims: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    n = len(POINTS)
    logits, told = out[:, :n].float(), out[:, n:].float()
    p = torch.sigmoid(logits)
    centre = heat >= 0.999
    positive = -(functional.logsigmoid(logits) * (1 - p) ** 2)[centre].sum()
    negative = -(functional.logsigmoid(-logits) * p**2 * (1 - heat) ** 4)[~centre].sum()
    cells = torch.arange(CELLS, dtype=torch.float32)
    off = (told[:, 0] + cells - aims[:, 0]).abs() + (told[:, 1] + cells[:, None] - aims[:, 1]).abs()
    off = 1.5 * off + 2 * (told[:, 2:] - aims[:, 2:]).abs().sum(1)
    return (positive + negative) / centre.sum().clamp(min=1) + 0.5 * (off * weight).sum() / weight.sum().clamp(min=1)


def train(
    films: Sequence[Shown], settings: Settings, keep_to: Callable[[FilmDetector], None] = lambda net: None
) -> FilmDetector:
    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    net = FilmDetector(len(POINTS), WIDTHS).to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=0.02)
    started, sums = time.monotonic(), []
    net.train()
    for step in range(settings.steps):
        done = step / settings.steps
        looks = [look(films[int(rng.integers(len(films)))], rng) for _ in range(settings.batch)]
        x = torch.from_numpy(np.stack([k[0] for k in looks]))[:, None]
        heat, aims, weight = (torch.from_numpy(np.stack(t)) for t in zip(*(targets(k[1]) for k in looks), strict=True))
        with torch.autocast("cpu", torch.bfloat16):
            out = net(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(out, heat, aims, weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * min(1.0, done / 0.05 + 0.02) * (0.5 + 0.5 * np.cos(np.pi * done))
        optimiser.step()
        follow(mean, net, step + 1)
        sums.append(float(loss.detach()))
        if (step + 1) % 50 == 0:
            print(f"step {step + 1}: loss {np.mean(sums[-50:]):.3f}, {time.monotonic() - started:.0f} s", flush=True)
            keep_to(mean)
    return mean


def training_films() -> list[Shown]:
    return [shown_of(film_of(seed, INPUT_MM)) for seed in TRAINED_SEEDS]

"""Trains the network of the head reader: real bleeds, bleeds drawn into real slices, and slices without any."""

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

from app.ai.networks.plane_unet import PlaneUnet
from app.ai.readers.head.frame import COLUMNS, ROWS
from app.ai.readers.head.planes import CHANNELS, channels
from app.ai.training.averaging import follow
from app.ai.training.head_bleeds import bleed_shape, intracranial, painted, thinner, transplanted
from app.ai.training.head_set import HeadScan

PIXELS = ROWS * COLUMNS


@dataclass(frozen=True)
class Settings:
    steps: int = 2400
    real: int = 5
    drawn: int = 2
    lent: int = 3
    """Empty slices that get the bleeding of another head."""
    empty: int = 4
    """Slices of each kind in a batch."""
    rate: float = 2e-3
    seed: int = 5
    threads: int = 1
    mean_keeps: float = 0.996


@dataclass(frozen=True)
class Look:
    """One slice of one scan."""

    scan: int
    slice: int


def _warp(plane: npt.NDArray[np.uint8], matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.warpAffine(plane, matrix, (COLUMNS, ROWS), flags=cv2.INTER_LINEAR), np.uint8)


Matrix = npt.NDArray[np.float64]


def _jitter(rng: np.random.Generator, turn_deg: float, size: float, shift: float, about: Matrix, scale: Matrix) -> Matrix:
    """3 x 3 on the grid: turned and sized about a place, mirrored at will along either axis, shifted."""
    turn = np.deg2rad(rng.normal(0, turn_deg))
    sx, sy = scale * np.exp(rng.normal(0, 0.05, 2)) * np.exp(rng.normal(0, size)) * rng.choice([-1, 1], 2)
    m = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ np.diag([sx, sy])
    moved = about - m @ about + rng.normal(0, shift, 2)
    return np.vstack([np.concatenate([m, moved[:, None]], 1), [0, 0, 1]])


def _turned(scan: HeadScan, rng: np.random.Generator) -> Matrix:
    any_turn = 60.0 if rng.random() < 0.15 else 6.0
    middle = np.array([(COLUMNS - 1) / 2, (ROWS - 1) / 2])
    return _jitter(rng, any_turn, 0.06, 3.0, middle, np.ones(2)) @ np.vstack([scan.frame.matrix(), [0, 0, 1]])


def _shaken(around: tuple[int, int], n: int, rng: np.random.Generator) -> tuple[int, int]:
    before, after = around
    if rng.random() < 0.15:
        before, after = (n, after) if rng.random() < 0.5 else (before, n)
    return (after, before) if rng.random() < 0.5 else (before, after)


Three = list[npt.NDArray[np.uint8]]
Put = Callable[[Three], tuple[Three, npt.NDArray[np.bool_]]] | None


def _with_drawn(planes: Three, rng: np.random.Generator) -> tuple[Three, npt.NDArray[np.bool_]]:
    inner = intracranial(planes[0])
    shape = bleed_shape(inner, rng) if inner.any() else inner
    if shape.sum() <= 12:
        return planes, np.zeros_like(inner)
    level = float(rng.uniform(22, 115))
    shapes = [shape, *(thinner(shape, float(v)) for v in rng.uniform(-0.2, 1.0, 2))]
    return [painted(p, s, inner, level, rng) if s.any() else p for p, s in zip(planes, shapes, strict=True)], shape


def _reach(inner: npt.NDArray[np.bool_], onto: Matrix) -> tuple[Matrix, Matrix]:
    """Middle and spread along the grid's axes of the inside of a head."""
    rows, columns = np.nonzero(inner)
    places = onto[:2] @ np.stack([columns, rows, np.ones(len(rows))])
    return places.mean(1), places.std(1)


def _with_lent(
    planes: Three, scan: HeadScan, donor: HeadScan, slices: Sequence[int], rng: np.random.Generator
) -> tuple[Three, npt.NDArray[np.bool_]]:
    """The bleeding on ``slices`` of ``donor`` at about the same place of the other head, mirrored at will."""
    inner = [intracranial(p) for p in planes]
    other, mask = intracranial(donor.planes[slices[0]]), donor.masks[slices[0]]
    none = np.zeros_like(inner[0])
    if not inner[0].any() or not other.any():
        return planes, none
    here, there = (np.vstack([s.frame.matrix(), [0, 0, 1]]) for s in (scan, donor))
    (middle, spread), (middle_there, spread_there) = _reach(inner[0], here), _reach(other, there)
    to_middle = np.eye(3)
    to_middle[:2, 2] = middle - middle_there
    size = (none.shape[1], none.shape[0])
    for _ in range(4):  # blood at the bone must stay inside the other bone
        jitter = _jitter(rng, 8.0, 0.05, 3.0, middle, np.clip(spread / spread_there, 0.6, 1.6))
        matrix = (np.linalg.inv(here) @ jitter @ to_middle @ there)[:2]
        moved = cv2.warpAffine(mask.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST) > 0
        if (moved & inner[0]).sum() > max(12, 0.75 * moved.sum()):
            break
    else:
        return planes, none
    change = float(np.exp(rng.normal(0, 0.25)))
    made = [
        transplanted(p, i, donor.planes[n], donor.masks[n], matrix, change)
        for p, i, n in zip(planes, inner, slices, strict=True)
    ]
    return [p for p, _ in made], made[0][1]


def augmented(scan: HeadScan, n: int, put: Put, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(network input, mask 0..1) of slice ``n``; ``put`` adds a bleed where the slice allows it."""
    matrix = _turned(scan, rng)[:2]
    before, after = _shaken(scan.around()[n], n, rng)
    planes = [scan.planes[n], scan.planes[before], scan.planes[after]]
    mask = scan.masks[n]
    if put is not None:
        planes, shape = put(planes)
        mask = mask | shape
    elif mask.any() and rng.random() < 0.5:  # the same bleed, denser or fainter
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)
        change = float(rng.uniform(-25, 30))
        planes[0] = np.clip(planes[0] + change * soft, 0, 255).astype(np.uint8)
    here, low, high = (_warp(p, matrix) for p in planes)
    aim = _warp(mask.astype(np.uint8) * 255, matrix).astype(np.float32) / 255
    gain, lift, gamma = np.exp(rng.normal(0, 0.1)), rng.normal(0, 8), np.exp(rng.normal(0, 0.1))
    table = np.clip(255 * (np.arange(256) / 255.0) ** gamma * gain + lift, 0, 255)
    table[0], table[255] = 0, 255
    table = np.rint(table).astype(np.uint8)
    looks = [cv2.LUT(p, table) for p in (here, low, high)]
    kind = rng.random()
    if kind < 0.25:
        looks = [cv2.GaussianBlur(p, (0, 0), float(rng.uniform(0.5, 1.1))) for p in looks]
    elif kind < 0.6:
        spread = rng.uniform(2, 12)
        looks = [np.clip(p + rng.normal(0, spread, p.shape), 0, 255).astype(np.uint8) for p in looks]
    return channels(looks[0], looks[1], looks[2]), aim


class Drawer:
    """Draws batches: real bleeds (scans about alike), drawn ones, those of other heads, and empty slices."""

    def __init__(self, scans: Sequence[HeadScan], settings: Settings) -> None:
        self._scans, self._settings = scans, settings
        self._real: list[Look] = []
        self._empty: list[Look] = []
        self._room: list[Look] = []
        chance: list[float] = []
        share: list[float] = []
        for s, scan in enumerate(scans):
            positive = np.nonzero(scan.masks.any((1, 2)))[0]
            self._real += [Look(s, int(n)) for n in positive]
            chance += [1 / np.sqrt(max(len(positive), 1))] * len(positive)
            rest = np.nonzero(~scan.bleed)[0]
            self._empty += [Look(s, int(n)) for n in rest]
            share += [(2.0 if len(positive) else 1.0) / max(len(rest), 1)] * len(rest)
            self._room += [Look(s, int(n)) for n in rest if intracranial(scan.planes[n]).any()]
        self._chance = np.asarray(chance) / np.sum(chance)
        self._share = np.asarray(share) / np.sum(share)

    def _lent(self, to: Look, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        scan, look = self._scans[to.scan], self._real[rng.choice(len(self._real), p=self._chance)]
        donor = self._scans[look.scan]
        slices = (look.slice, *_shaken(donor.around()[look.slice], look.slice, rng))
        return augmented(scan, to.slice, lambda planes: _with_lent(planes, scan, donor, slices, rng), rng)

    def batch(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        s = self._settings
        real = [self._real[n] for n in rng.choice(len(self._real), s.real, p=self._chance)]
        room = [self._room[n] for n in rng.choice(len(self._room), s.drawn + s.lent)]
        empty = [self._empty[n] for n in rng.choice(len(self._empty), s.empty, p=self._share)]
        made = [augmented(self._scans[k.scan], k.slice, None, rng) for k in real]
        made += [augmented(self._scans[k.scan], k.slice, lambda p: _with_drawn(p, rng), rng) for k in room[: s.drawn]]
        made += [self._lent(k, rng) for k in room[s.drawn :]]
        made += [augmented(self._scans[k.scan], k.slice, None, rng) for k in empty]
        x, aim = (torch.from_numpy(np.stack(a).astype(np.float32)) for a in zip(*made, strict=True))
        return x, aim


def loss_of(out: torch.Tensor, aim: torch.Tensor) -> torch.Tensor:
    logits, whole = out[:, :PIXELS].float(), out[:, PIXELS].float()
    y = aim.flatten(1)
    some = (y.sum(1) > 8).float()
    cross = functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
    p = torch.sigmoid(logits)
    # Counted against the bleeding pixels, the empty ones by how wrong they are: almost all of a slice is plainly empty,
    # and without this the network settles on "nothing anywhere".
    wrong = (cross * (y + (1 - y) * 2 * p.detach())).sum() / (y.sum() + 200)
    both, each = (p * y).sum(1), (p * p).sum(1) + (y * y).sum(1)
    single = ((1 - (2 * both + 5) / (each + 5)) * some).sum() / some.sum().clamp(min=1)
    pooled = 1 - (2 * both.sum() + 5) / (each.sum() + 5)
    return wrong + single + pooled + 0.4 * functional.binary_cross_entropy_with_logits(whole, some)


def train(
    scans: Sequence[HeadScan],
    settings: Settings,
    keep_to: Callable[[PlaneUnet], None] = lambda net: None,
) -> PlaneUnet:
    """The network, its weights averaged over the last steps.

    ``keep_to`` gets it every hundred steps.
    """
    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    drawer = Drawer(scans, settings)
    net = PlaneUnet(inputs=CHANNELS).to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=0.03)
    started, sums = time.monotonic(), []
    net.train().requires_grad_(True)
    for step in range(settings.steps):
        done = step / settings.steps
        x, aim = drawer.batch(rng)
        with torch.autocast("cpu", torch.bfloat16):
            out = net(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(out, aim)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * min(1.0, done / 0.05 + 0.02) * (0.5 + 0.5 * np.cos(np.pi * done))
        optimiser.step()
        follow(mean, net, step + 1, settings.mean_keeps, 30.0)
        sums.append(float(loss.detach()))
        if (step + 1) % 25 == 0:
            print(f"step {step + 1}: loss {np.mean(sums[-25:]):.3f}, {time.monotonic() - started:.0f} s", flush=True)
        if (step + 1) % 100 == 0:
            keep_to(mean)
    return mean

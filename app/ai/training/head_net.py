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
from app.ai.readers.head.planes import CHANNELS, channels, on_grid
from app.ai.training.averaging import follow
from app.ai.training.head_bleeds import bleed_shape, intracranial, painted, thinner
from app.ai.training.head_set import HeadScan

PIXELS = ROWS * COLUMNS
PEAK = 24
"""How suspicious a slice looks: the mean probability of so many of its pixels."""


@dataclass(frozen=True)
class Settings:
    steps: int = 2400
    real: int = 6
    drawn: int = 3
    empty: int = 5
    """Slices of each kind in a batch."""
    rate: float = 2e-3
    seed: int = 5
    threads: int = 1
    fluid: bool = False
    """Some drawn bleeds take the place of fluid."""
    mistakes: bool = False
    """Empty slices come by how suspicious they look to the network, from a first look over all of them on."""
    mean_keeps: float = 0.996


@dataclass(frozen=True)
class Look:
    """One slice of one scan."""

    scan: int
    slice: int


def _warp(plane: npt.NDArray[np.uint8], matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.warpAffine(plane, matrix, (COLUMNS, ROWS), flags=cv2.INTER_LINEAR), np.uint8)


def _turned(scan: HeadScan, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    base = np.vstack([scan.frame.matrix(), [0, 0, 1]])
    turn = rng.uniform(-np.pi, np.pi) if rng.random() < 0.15 else np.deg2rad(rng.normal(0, 6.0))
    sx, sy = np.exp(rng.normal(0, 0.05, 2)) * np.exp(rng.normal(0, 0.06)) * rng.choice([-1, 1], 2)
    m = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ np.diag([sx, sy])
    middle = np.array([(COLUMNS - 1) / 2, (ROWS - 1) / 2])
    shift = middle - m @ middle + rng.normal(0, 3.0, 2)
    return np.vstack([np.concatenate([m, shift[:, None]], 1), [0, 0, 1]]) @ base


def augmented(
    scan: HeadScan, n: int, drawn: bool, rng: np.random.Generator, fluid: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """(network input, mask 0..1) of slice ``n``; ``drawn`` puts a bleed in where the slice allows it."""
    matrix = _turned(scan, rng)[:2]
    before, after = scan.around()[n]
    if rng.random() < 0.15:
        before, after = (n, after) if rng.random() < 0.5 else (before, n)
    if rng.random() < 0.5:
        before, after = after, before
    planes = [scan.planes[n], scan.planes[before], scan.planes[after]]
    mask = scan.masks[n]
    if drawn:
        inner = intracranial(planes[0])
        shape = bleed_shape(inner, rng, planes[0] if fluid else None) if inner.any() else inner
        if shape.sum() > 12:
            level = float(rng.uniform(22, 115))
            shares = [1.0, *(rng.uniform(-0.2, 1.0, 2))]
            planes = [
                painted(p, s, inner, level, rng) if s.any() else p
                for p, s in zip(planes, [shape, *(thinner(shape, float(v)) for v in shares[1:])], strict=True)
            ]
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


def _plain(scan: HeadScan, n: int) -> npt.NDArray[np.float32]:
    before, after = scan.around()[n]
    return channels(*(on_grid(scan.planes[m], scan.frame) for m in (n, before, after)))


def _peak(out: torch.Tensor) -> npt.NDArray[np.float32]:
    best = out[:, :PIXELS].detach().float().topk(PEAK, dim=1).values
    return np.asarray(torch.sigmoid(best).mean(1).numpy(), np.float32)


class Drawer:
    """Draws batches: real bleeds (every scan about alike), slices for drawn ones, empty ones (half of bleeding scans).

    With ``Settings.mistakes`` an empty slice on which the network is wrong comes sooner.
    """

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
        self._wrong: npt.NDArray[np.float64] | None = None
        self._last = np.zeros(0, np.int64)

    def look_over(self, net: PlaneUnet) -> None:
        """Finds the empty slices that the network takes for bleeding ones."""
        wrong = []
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for first in range(0, len(self._empty), 8):
                looks = self._empty[first : first + 8]
                wrong.append(_peak(net(torch.from_numpy(np.stack([_plain(self._scans[k.scan], k.slice) for k in looks])))))
        self._wrong = np.concatenate(wrong).astype(np.float64)

    def learn(self, out: torch.Tensor) -> None:
        """Takes the network's answer to the last batch, whose last slices are the empty ones."""
        if self._wrong is not None:
            self._wrong[self._last] = 0.5 * self._wrong[self._last] + 0.5 * _peak(out[-len(self._last) :])

    def batch(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        s = self._settings
        picks = [(self._real[n], False) for n in rng.choice(len(self._real), s.real, p=self._chance)]
        picks += [(self._room[n], True) for n in rng.choice(len(self._room), s.drawn)]
        share = self._share
        if self._wrong is not None:
            share = share * (0.1 + self._wrong)
            share = share / share.sum()
        self._last = rng.choice(len(self._empty), s.empty, p=share)
        picks += [(self._empty[n], False) for n in self._last]
        made = [augmented(self._scans[look.scan], look.slice, drawn, rng, s.fluid) for look, drawn in picks]
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
    start: PlaneUnet | None = None,
) -> PlaneUnet:
    """The network after ``settings`` more steps from ``start``, its weights averaged over the last ones.

    ``keep_to`` gets it every hundred steps.
    """
    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    drawer = Drawer(scans, settings)
    net = (copy.deepcopy(start) if start is not None else PlaneUnet(inputs=CHANNELS)).to(memory_format=torch.channels_last)
    mean = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=0.03)
    started, sums = time.monotonic(), []
    if settings.mistakes:
        drawer.look_over(net.eval())
    net.train().requires_grad_(True)
    for step in range(settings.steps):
        done = step / settings.steps
        x, aim = drawer.batch(rng)
        with torch.autocast("cpu", torch.bfloat16):
            out = net(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(out, aim)
        drawer.learn(out)
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

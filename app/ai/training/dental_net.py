"""Trains the detector of the panoramic reader: cells are given to the boxes that they already tell best."""

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

from app.ai.networks.tooth_detect import ToothDetector
from app.ai.readers.dental.boxes import CLASSES, STRIDE
from app.ai.training.averaging import follow
from app.ai.training.dental_looks import Looks
from app.ai.training.dental_set import LabelledFilm

CELLS_OF_A_BOX = 8
CLASS_WEIGHT = (1.0, 1.0, 1.5, 2.0)
ENOUGH = 0.7
"""Overlap from which a box is told as well as need be."""
LEARNING, FINISHING = "learning", "finishing"


@dataclass(frozen=True)
class Settings:
    """One stretch of training. Learning keeps its rate; finishing lets it fall to nothing, at last on unmixed films."""

    steps: int = 3000
    way: str = LEARNING
    batch: int = 8
    rate: float = 2e-3
    seed: int = 11
    threads: int = 1

    def rate_at(self, step: int) -> float:
        warm = min(1.0, step / 200 + 0.01)
        return self.rate * warm * (0.5 + 0.5 * float(np.cos(np.pi * step / self.steps)) if self.way == FINISHING else 1.0)

    def plain_at(self, step: int) -> bool:
        return self.way == FINISHING and step > 0.6 * self.steps


def learning(threads: int = 1) -> Settings:
    return Settings(threads=threads)


def finishing(threads: int = 1) -> Settings:
    return Settings(steps=1400, way=FINISHING, rate=1.5e-3, seed=12, threads=threads)


def overlap_of(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Intersection over union, and the same less the empty share of the box around both; boxes (..., 4) broadcast."""
    both = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    area = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - both
    around = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    iou = both / area.clamp(min=1e-6)
    return iou, iou - (around - area) / around.clamp(min=1e-6)


def told_boxes_of(out: torch.Tensor) -> torch.Tensor:
    """(n, cells, 4) corners in cells from the network's last four channels."""
    told = out[:, len(CLASSES) :].float()
    rows, columns = told.shape[2:]
    x = told[:, 0] + torch.arange(columns, dtype=torch.float32)
    y = told[:, 1] + torch.arange(rows, dtype=torch.float32)[:, None]
    w, h = (torch.exp(told[:, k].clamp(-2, 4)) / 2 for k in (2, 3))
    return torch.stack([x - w, y - h, x + w, y + h], -1).flatten(1, 2)


def padded(
    kinds: Sequence[npt.NDArray[np.int64]], boxes: Sequence[npt.NDArray[np.float64]]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(kind, box in cells, is there) of each look, all of one length of at least 1."""
    most = max(1, *(len(k) for k in kinds))
    kind = torch.zeros(len(kinds), most, dtype=torch.int64)
    box = torch.zeros(len(kinds), most, 4)
    there = torch.zeros(len(kinds), most, dtype=torch.bool)
    for n, (k, b) in enumerate(zip(kinds, boxes, strict=True)):
        kind[n, : len(k)] = torch.from_numpy(k)
        box[n, : len(k)] = torch.from_numpy(b / STRIDE).float()
        there[n, : len(k)] = True
    return kind, box, there


@torch.no_grad()
def given_cells(
    likely: torch.Tensor,
    told: torch.Tensor,
    grid: tuple[int, int],
    kind: torch.Tensor,
    box: torch.Tensor,
    there: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Targets: (score by class and cell, box by cell, how much the cell's box counts).

    Each true box gets the few cells inside it that tell its class and place best so far (task-aligned assignment, Feng
    et al. 2021). A cell counts for every class that holds it, so a tooth may have two.
    """
    rows, columns = grid
    cells = told.shape[1]
    x = (torch.arange(cells) % columns).float() + 0.5
    y = torch.div(torch.arange(cells), columns, rounding_mode="floor").float() + 0.5
    inside = (x > box[..., 0:1]) & (x < box[..., 2:3]) & (y > box[..., 1:2]) & (y < box[..., 3:4]) & there[..., None]
    iou, _ = overlap_of(box[:, :, None], told[:, None])
    iou = iou * inside
    own = likely.gather(1, kind[..., None].expand(-1, -1, cells))
    fit = own.clamp(min=1e-4).sqrt() * iou**4
    best = fit.topk(min(CELLS_OF_A_BOX, cells), -1)
    held = torch.zeros_like(inside).scatter_(-1, best.indices, best.values > 1e-9)
    # Of two neighbours that want a cell the one that fits keeps it; boxes on the same tooth share it.
    held &= iou >= 0.8 * (iou * held).amax(1, keepdim=True)
    fit, iou = fit * held, iou * held
    strength = fit / fit.amax(-1, keepdim=True).clamp(min=1e-12) * (iou.amax(-1, keepdim=True) / ENOUGH).clamp(max=1)
    score = torch.zeros(len(likely), likely.shape[1], cells)
    score.scatter_reduce_(1, kind[..., None].expand(-1, -1, cells), strength, "amax")
    counts, owner = strength.max(1)
    return score, box.gather(1, owner[..., None].expand(-1, -1, 4)), counts


def loss_of(out: torch.Tensor, kind: torch.Tensor, box: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    logits = out[:, : len(CLASSES)].float().flatten(2)
    told = told_boxes_of(out)
    p = torch.sigmoid(logits.detach())
    score, aim, counts = given_cells(p, told.detach(), (out.shape[2], out.shape[3]), kind, box, there)
    weight = torch.where(score > 0, score, 0.75 * p**2) * torch.tensor(CLASS_WEIGHT)[:, None]
    kinds = (functional.binary_cross_entropy_with_logits(logits, score, reduction="none") * weight).sum()
    _, around = overlap_of(told, aim)
    boxes = ((1 - around) * counts).sum()
    return (kinds + 2.0 * boxes) / counts.sum().clamp(min=1)


def train(
    films: Sequence[LabelledFilm],
    settings: Settings,
    start: ToothDetector | None = None,
    keep_to: Callable[[ToothDetector, int], None] = lambda net, step: None,
) -> ToothDetector:
    """The network after one stretch from ``start``, its weights averaged over the last steps.

    ``keep_to`` gets that mean every 500 steps.
    """
    torch.set_num_threads(settings.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(settings.seed)
    looks = Looks(films, settings.seed)
    net = (copy.deepcopy(start) if start is not None else ToothDetector(len(CLASSES))).requires_grad_(True)
    net = net.to(memory_format=torch.channels_last).train()
    mean = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": 0.05},
            {"params": [p for p in net.parameters() if p.dim() == 1], "weight_decay": 0.0},
        ],
        lr=settings.rate,
    )
    started, sums = time.monotonic(), []
    for step in range(settings.steps):
        shown = [looks.draw(settings.plain_at(step)) for _ in range(settings.batch)]
        x = torch.from_numpy(np.stack([s[0] for s in shown]))[:, None]
        with torch.autocast("cpu", torch.bfloat16):
            out = net(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(out, *padded([s[1] for s in shown], [s[2] for s in shown]))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        for group in optimiser.param_groups:
            group["lr"] = settings.rate_at(step)
        optimiser.step()
        follow(mean, net, step + 1, 0.998, 30.0)
        sums.append(float(loss.detach()))
        if (step + 1) % 50 == 0:
            print(f"step {step + 1}: loss {np.mean(sums[-50:]):.3f}, {time.monotonic() - started:.0f} s", flush=True)
        if (step + 1) % 500 == 0:
            keep_to(mean, step + 1)
    return mean

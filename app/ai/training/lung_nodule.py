"""Trains the network that outlines and describes a nodule (mask, malignancy and the readers' ratings together)."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch.nn import functional

from app.ai.networks.lung_nodule import GRID, TRAITS, LungNoduleNet
from app.ai.readers.lung.window import COARSE_FIELD_MM, FIELD_LIMITS_MM, field_for, make_window, sample, sample_mask
from app.ai.training.averaging import follow
from app.ai.training.lidc import Nodule

POINTS = GRID[0] * GRID[1] * GRID[2]
SEED_SHIFT_MM = 3.0


def random_shift_mm(rng: np.random.Generator, limit_mm: float = SEED_SHIFT_MM) -> np.ndarray:
    """A point spread evenly in a ball: where a person or a detector puts the seed instead of the centroid."""
    direction = rng.normal(size=3)
    return direction / np.linalg.norm(direction) * limit_mm * rng.random() ** (1 / 3)


@dataclass(frozen=True)
class Settings:
    epochs: int = 40
    batch: int = 16
    rate: float = 2e-3
    seed: int = 7
    threads: int = 1
    mirrored: bool = True
    """Beyond the cut the mirrored mask is the aim; otherwise nothing is asked there."""
    keep_stem: bool = False
    """The first, finest layers stay as they are: going on from trained weights is a third cheaper so."""


def targets_of(nodule: Nodule) -> np.ndarray:
    """Traits on a scale of about -1 to 1; ``malignant`` 0 or 1; NaN where unknown."""
    ratings = [(r - 3.0) / 2.0 for r in nodule.ratings]
    malignant = float("nan") if nodule.malignant is None else float(nodule.malignant)
    return np.asarray([malignant, *ratings, nodule.calcified], np.float32)


def augmented(nodule: Nodule, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """One turned, shifted, trimmed and noisy look at a nodule: (input, mask, inside, traits)."""
    hu, mask, centre = nodule.hu, nodule.mask, np.asarray(nodule.centroid)
    k_range = np.nonzero(mask.any((1, 2)))[0]
    if rng.random() < 0.4:  # cut away end slices, so that the end of the cut never means the end of the nodule
        low, high = 0, hu.shape[0]
        middle = int(round(float(centre[0])))
        low = min(int(rng.integers(0, max(1, int(k_range[0]) + 2))), max(middle - 1, 0))
        spare = int(rng.integers(0, max(1, hu.shape[0] - int(k_range[-1]) + 1)))
        high = max(hu.shape[0] - spare, min(middle + 2, hu.shape[0]))
        if high - low >= 2:
            hu, mask, centre = hu[low:high], mask[low:high], centre - np.asarray([low, 0, 0])
    diameter = nodule.equivalent_diameter_mm
    if rng.random() < 0.3:
        field = COARSE_FIELD_MM * rng.uniform(0.95, 1.05)
    else:
        field = float(np.clip(field_for(diameter) * np.exp(rng.normal(0, 0.15)), *FIELD_LIMITS_MM))
    shift = random_shift_mm(rng, SEED_SHIFT_MM if rng.random() < 0.6 else 1.0)
    seed = centre + shift / np.asarray(nodule.spacing_mm)
    turn = Rotation.from_euler("xyz", [rng.normal(0, 0.1), rng.normal(0, 0.1), rng.uniform(0, 2 * np.pi)]).as_matrix()
    turn = turn[::-1, ::-1].T  # the free turn is about the slice axis, which is first in arrays
    stretch = np.diag(np.exp(rng.normal(0, 0.05, 3)) * rng.choice([-1, 1], 3))
    window = make_window(tuple(seed), nodule.spacing_mm, field, turn @ stretch)
    x = sample(hu, window)
    soft, inside = sample_mask(mask, window)
    x[0] = x[0] * rng.normal(1, 0.05) + rng.normal(0, 0.04)
    if rng.random() < 0.5:
        x[0] += rng.normal(0, rng.uniform(0, 0.05), GRID).astype(np.float32)
    return x, soft, inside, targets_of(nodule)


def loss_of(out: torch.Tensor, mask: torch.Tensor, inside: torch.Tensor, traits: torch.Tensor) -> torch.Tensor:
    logits, told = out[:, :POINTS].float(), out[:, POINTS:].float()
    mask, inside = mask.flatten(1), inside.flatten(1)
    each = functional.binary_cross_entropy_with_logits(logits, mask, reduction="none") * inside
    # Equal weight for each nodule whatever its share of the window.
    cross = (each.sum(1) / (mask.sum(1) * 4 + 50)).mean()
    p = torch.sigmoid(logits) * inside
    overlap = 1 - ((2 * (p * mask).sum(1) + 1) / ((p * p).sum(1) + (mask * mask * inside).sum(1) + 1)).mean()
    known = ~torch.isnan(traits)
    truth = torch.nan_to_num(traits)
    binary = [0, TRAITS.index("calcified")]
    scale = [n for n in range(len(TRAITS)) if n not in binary]
    odds = functional.binary_cross_entropy_with_logits(told[:, binary], truth[:, binary], reduction="none")
    odds = (odds * known[:, binary] * torch.tensor([1.0, 0.3])).sum(1).mean()
    ratings = (functional.smooth_l1_loss(told[:, scale], truth[:, scale], reduction="none") * known[:, scale]).mean()
    return cross + overlap + 0.3 * odds + 0.7 * ratings


def train(
    nodules: Sequence[Nodule], settings: Settings, start: LungNoduleNet | None = None, log: bool = True
) -> LungNoduleNet:
    """The network after ``settings.epochs`` more from ``start``, its weights averaged over the last steps."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    net = (copy.deepcopy(start) if start is not None else LungNoduleNet()).to(memory_format=torch.channels_last_3d)
    mean = copy.deepcopy(net).eval()
    steps = settings.epochs * (len(nodules) // settings.batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, total_steps=steps + 1, pct_start=0.15)
    started, step = time.monotonic(), 0
    for epoch in range(settings.epochs):
        net.train()
        if settings.keep_stem:
            net.stem.eval().requires_grad_(False)
        order, total = rng.permutation(len(nodules)), 0.0
        for first in range(0, len(order) - settings.batch + 1, settings.batch):
            parts = [augmented(nodules[n], rng) for n in order[first : first + settings.batch]]
            x, mask, inside, traits = (torch.from_numpy(np.stack(p).astype(np.float32)) for p in zip(*parts, strict=True))
            if settings.mirrored:
                inside = torch.ones_like(inside)
            else:
                mask = mask * inside
            with torch.autocast("cpu", torch.bfloat16):
                out = net(x.contiguous(memory_format=torch.channels_last_3d))
            loss = loss_of(out, mask, inside, traits)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            step += 1
            follow(mean, net, step)
            total += float(loss.detach())
        if log:
            mean_loss, seconds = total / (len(order) // settings.batch), time.monotonic() - started
            print(f"epoch {epoch + 1}: loss {mean_loss:.4f}, {seconds:.0f} s", flush=True)
    return mean

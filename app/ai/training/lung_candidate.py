"""Trains the network that sorts the detector's candidates into nodules and others."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from app.ai.networks.lung_candidate import CUBE, LungCandidateNet
from app.ai.training.averaging import follow
from app.ai.training.lung_scans import KEPT_POINTS, Examples


@dataclass(frozen=True)
class Settings:
    epochs: int = 8
    batch: int = 48
    widths: tuple[int, ...] = (32, 64, 96)
    rate: float = 2e-3
    seed: int = 11
    threads: int = 1
    positives: float = 0.34
    """Share of nodules in a batch."""
    ring_only: bool = False
    """The control: a ball of ``HIDDEN_MM`` around the candidate is hidden, so that only its surroundings can speak."""


HIDDEN_MM = 12.0


def hide_centre(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Puts lung density in a ball around the middle of each cube (n, 2, 32, 32, 32)."""
    axis = np.arange(CUBE) - (CUBE - 1) / 2
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + axis[None, None, :] ** 2)
    out = x.copy()
    for channel, step in enumerate((0.8, 2.0)):
        out[:, channel, distance * step <= HIDDEN_MM] = -0.8
    return out


def _looks(
    stored: npt.NDArray[np.uint8], rng: np.random.Generator, positive: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    spare = KEPT_POINTS - CUBE
    out = np.empty((len(stored), 2, CUBE, CUBE, CUBE), np.float32)
    for n, one in enumerate(stored):
        middle = spare // 2
        # A shift in mm is the same for both cubes: it is larger in points on the near one.
        near = np.clip(np.rint(rng.normal(0, 1.3, 3)), -middle, middle).astype(int) + middle
        wide = np.rint((near - middle) * 0.4).astype(int) + middle
        for channel, start in ((0, near), (1, wide)):
            a, b, c = (int(v) for v in start)
            out[n, channel] = one[channel, a : a + CUBE, b : b + CUBE, c : c + CUBE]
        turn = int(rng.integers(4))
        look = np.rot90(out[n], turn, (2, 3))
        for axis in (1, 2, 3):
            if rng.random() < 0.5:
                look = np.flip(look, axis)
        out[n] = look
    out = out / np.float32(127.5) - np.float32(1.0)
    gain = rng.normal(1, 0.06, (len(out), 1, 1, 1, 1)).astype(np.float32)
    shift = rng.normal(0, 0.04, (len(out), 1, 1, 1, 1)).astype(np.float32)
    out = out * gain + shift
    noisy = rng.random(len(out)) < 0.4
    if noisy.any():
        size = out[noisy].shape
        out[noisy] += rng.standard_normal(size, np.float32) * rng.uniform(0, 0.06, (size[0], 1, 1, 1, 1)).astype(np.float32)
    return out


def train(data: Examples, chosen: npt.NDArray[np.integer], settings: Settings, log: bool = True) -> LungCandidateNet:
    """The network trained on the examples ``chosen``; weights averaged over the last steps."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    net = LungCandidateNet(settings.widths).to(memory_format=torch.channels_last_3d)
    mean = copy.deepcopy(net).eval()
    yes, no = chosen[data.truth[chosen] == 1], chosen[data.truth[chosen] == 0]
    take = round(settings.batch * settings.positives)
    steps = max(1, len(no) // (settings.batch - take))
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=settings.epochs * steps + 1, pct_start=0.15
    )
    started, step = time.monotonic(), 0
    for epoch in range(settings.epochs):
        net.train()
        order, total = rng.permutation(no), 0.0
        for n in range(steps):
            part = order[n * (settings.batch - take) : (n + 1) * (settings.batch - take)]
            index = np.concatenate([rng.choice(yes, take), part])
            truth = data.truth[index].astype(np.float32)
            x = _looks(data.cubes[index], rng, truth > 0)
            if settings.ring_only:
                x = hide_centre(x)
            given = torch.from_numpy(x).contiguous(memory_format=torch.channels_last_3d)
            with torch.autocast("cpu", torch.bfloat16):
                out = net(given)
            aim = torch.from_numpy(truth) * 0.98 + 0.01
            loss = functional.binary_cross_entropy_with_logits(out[:, 0].float(), aim)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            step += 1
            follow(mean, net, step)
            total += float(loss.detach())
        if log:
            print(f"epoch {epoch + 1}: loss {total / steps:.4f}, {time.monotonic() - started:.0f} s", flush=True)
    return mean

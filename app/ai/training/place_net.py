"""Trains the place scorer shared by the film readers, and the logistic regressions beside it. Fixed seed, one thread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from app.ai.networks.place_score import PlaceScoreNet

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Places:
    """Measured places: ``x`` (n, features), ``truth`` (n,) 0 or 1, ``weight`` (n,)."""

    x: Floats
    truth: Floats
    weight: Floats


@dataclass(frozen=True)
class PlaceSettings:
    hidden: int = 12
    members: int = 4
    dropout: float = 0.4
    decay: float = 0.3
    rate: float = 8e-3
    epochs: int = 10
    batch: int = 1024
    seed: int = 5


def balanced(truth: Floats, weight: Floats) -> Floats:
    """Weights of which both classes get half; the mean is 1."""
    out = weight.astype(np.float64)
    for kind in (truth > 0, truth <= 0):
        if kind.any():
            out[kind] *= 0.5 / out[kind].sum()
    return np.asarray(out * len(out), np.float32)


def train_places(data: Places, settings: PlaceSettings, hideable: list[int] | None = None) -> PlaceScoreNet:
    """``hideable`` features are set to 0 for a quarter of the places of every batch: a reader may come without them."""
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    s = settings
    net = PlaceScoreNet(data.x.shape[1], s.hidden, s.members, s.dropout)
    net.centre.copy_(torch.from_numpy(data.x.mean(0)))
    net.scale.copy_(torch.from_numpy(1.0 / np.maximum(data.x.std(0), 1e-3)))
    x, y, w = (torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (data.x[:, None], data.truth, data.weight))
    optimiser = torch.optim.AdamW(net.parameters(), lr=s.rate, weight_decay=s.decay)
    each = -(-len(y) // s.batch)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, s.rate, total_steps=s.epochs * each)
    net.train()
    with torch.enable_grad():
        for _ in range(s.epochs):
            order = torch.randperm(len(y))
            for n in range(each):
                pick = order[n * s.batch : (n + 1) * s.batch]
                given = x[pick]
                if hideable:
                    given = given.clone()
                    gone = torch.nonzero(torch.rand(len(pick)) < 0.25)
                    given[gone, :, torch.tensor(hideable)] = 0.0
                out = net.each(given)
                aim = y[pick, None].expand_as(out)
                loss = (functional.binary_cross_entropy_with_logits(out, aim, reduction="none") * w[pick, None]).mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                plan.step()
    return net.eval().requires_grad_(False)


def scores(net: PlaceScoreNet, x: Floats) -> Floats:
    with torch.no_grad():
        return net(torch.from_numpy(np.ascontiguousarray(x[:, None], np.float32)))[:, 0].numpy()


@dataclass(frozen=True, eq=False)
class Logistic:
    centre: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    bias: float

    def __call__(self, x: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return ((np.asarray(x, np.float64) - self.centre) * self.scale) @ self.weights + self.bias

    def plain(self) -> dict[str, object]:
        """For ``pipeline.json``: one weight per value as measured, and a bias."""
        w = self.weights * self.scale
        return {"weights": [round(float(v), 6) for v in w], "bias": round(float(self.bias - w @ self.centre), 6)}


def logistic(x: npt.NDArray[np.floating], truth: npt.NDArray[np.bool_], ridge: float) -> Logistic:
    """Ridge logistic regression with both classes weighted alike, by Newton's method."""
    x = np.asarray(x, np.float64)
    centre, scale = x.mean(0), 1.0 / np.maximum(x.std(0), 1e-6)
    z = np.c_[(x - centre) * scale, np.ones(len(x))]
    y = truth.astype(np.float64)
    weight = np.where(truth, 0.5 / max(y.mean(), 1e-9), 0.5 / max(1 - y.mean(), 1e-9))
    penalty = np.eye(z.shape[1]) * ridge
    penalty[-1, -1] = 1e-6
    b = np.zeros(z.shape[1])
    for _ in range(40):
        p = 1 / (1 + np.exp(-np.clip(z @ b, -40, 40)))
        slope = z.T @ (weight * (p - y)) + penalty @ b
        step = np.linalg.solve((z * (weight * p * (1 - p))[:, None]).T @ z + penalty, slope)
        b = b - step
        if float(np.abs(step).max()) < 1e-8:
            break
    return Logistic(centre, scale, b[:-1], float(b[-1]))

"""The tests' own network shapes."""

from __future__ import annotations

import torch
from torch import nn


class Tiny3d(nn.Module):
    """(n, 1, k, j, i) to (n, 1, k, j, i) logits: a blob finder of 200 parameters."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.first = nn.Conv3d(1, width, 3, padding=1)
        self.second = nn.Conv3d(width, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


class Overflow(nn.Module):
    """Gives one up to an input of twenty and infinity beyond: finite weights, no finite answer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.exp(torch.relu(x - 20.0) * 1000.0 * self.scale)


ARCHITECTURES = {"tiny_3d": Tiny3d, "overflow": Overflow}

"""The network that looks at the whole chest film and tells, cell by cell, whether a mass lies there."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 8
"""Pixels of the look along each side of a cell."""


class _Block(nn.Module):
    """Two convolutions beside a straight way; half the size."""

    def __init__(self, inside: int, outside: int, stride: int = 2) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outside)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outside)
        self.straight = nn.Conv2d(inside, outside, 1, bias=False) if inside != outside or stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        near = functional.avg_pool2d(x, self.stride) if self.stride > 1 else x
        inner = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.straight(near) + self.second_norm(self.second(inner)))


class FilmMassMember(nn.Module):
    """Input ``(n, 2, rows, columns)``, multiples of 16. ``parts`` gives the cells' logits and the coarse features."""

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        w = widths
        self.stem = nn.Conv2d(2, w[0], 5, 2, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(w[0])
        self.body = nn.Sequential(_Block(w[0], w[1]), _Block(w[1], w[2]), _Block(w[2], w[2], 1))
        self.coarse = _Block(w[2], w[3])
        self.place = nn.Conv2d(w[2] + w[3], 1, 1)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(n, 1, rows / 8, columns / 8)`` logits of the cells, ``(n, widths[3], rows / 16, columns / 16)`` features."""
        fine = self.body(functional.relu(self.stem_norm(self.stem(x))))
        coarse = self.coarse(fine)
        spread = functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        return self.place(torch.cat([fine, spread], 1)), coarse

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)[0]


class FilmMassNet(nn.Module):
    """The mean of several members' logits of the cells."""

    def __init__(self, members: int = 1, widths: tuple[int, ...] = (16, 32, 64, 128)) -> None:
        super().__init__()
        self.members = nn.ModuleList(FilmMassMember(widths) for _ in range(members))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([member(x) for member in self.members]).mean(0)


def film_mass_v1(members: int = 1, widths: tuple[int, ...] = (16, 32, 64, 128)) -> nn.Module:
    return FilmMassNet(members, tuple(widths))


ARCHITECTURES = {"film_mass_v1": film_mass_v1}

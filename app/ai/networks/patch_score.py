"""The small convolutional network that looks at one place of a mammogram with its surroundings and the other breast's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_NEARLY_AIR = -2.4
"""An other breast that is nowhere brighter is not there."""
_MOST = 4.0


class PatchScoreNet(nn.Module):
    """Input ``(n, 3, 48, 48)`` at 0.8 mm: grey, grey of the other breast, tissue 0 or 1. Output ``(n, 1)``: logit of a
    lesion in the middle."""

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 64), dropout: float = 0.0) -> None:
        super().__init__()
        a, b, c = widths
        # The first layer halves the grid at once: most of the time would go into the full one.
        self.body = nn.Sequential(
            nn.Conv2d(5, a, 4, 2, 1, bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True), *_layer(a, a), nn.MaxPool2d(2),
            *_layer(a, b), *_layer(b, b), nn.MaxPool2d(2), *_layer(b, c),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(3 * c, 1))

    def forward(self, x: Tensor) -> Tensor:
        f = self.body(_channels(x)).float()
        return self.head(torch.cat([f[:, :, 2:4, 2:4].mean((2, 3)), f.mean((2, 3)), f.amax((2, 3))], 1))


def _layer(before: int, width: int) -> list[nn.Module]:
    return [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]


def _channels(x: Tensor) -> Tensor:
    """Grey, other, tissue; then grey in the spread of this patch's tissue, and grey beyond the other breast's."""
    own, other, tissue = x[:, :1], x[:, 1:2], x[:, 2:].clamp(0.0, 1.0)
    there = (other > _NEARLY_AIR).float().amax((1, 2, 3), keepdim=True)
    share = tissue.sum((2, 3), keepdim=True) + 1.0
    mean = (own * tissue).sum((2, 3), keepdim=True) / share
    spread = ((((own - mean) * tissue) ** 2).sum((2, 3), keepdim=True) / share + 0.01).sqrt()
    alone = ((own - mean) / spread).clamp(-_MOST, _MOST) * tissue
    beyond = (own - other).clamp(-3.0, 3.0) * tissue * there
    return torch.cat([own, other * there, tissue, alone, beyond], 1)


def patch_score_v1(widths: tuple[int, int, int] = (32, 64, 64)) -> nn.Module:
    return PatchScoreNet((widths[0], widths[1], widths[2]))


ARCHITECTURES = {"patch_score_v1": patch_score_v1}

"""One small 3-D network that outlines a nodule and describes it, seen through a window scaled to the nodule."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID = (24, 48, 48)
"""Points of the window (z, y, x)."""
TRAITS = (
    "malignant",
    "malignancy",
    "spiculation",
    "lobulation",
    "margin",
    "sphericity",
    "texture",
    "subtlety",
    "calcified",
)


def _block(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inside, outside, 3, padding=1, bias=False),
        nn.BatchNorm3d(outside),
        nn.ReLU(inplace=True),
    )


class LungNoduleNet(nn.Module):
    """U-Net of four levels with a head for the traits.

    Input ``(n, 3, 24, 48, 48)``: scaled HU, distance from the seed, slice spacing against the grid step.
    Output ``(n, 24 * 48 * 48 + traits)``: logits of the mask, flattened, then the traits.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 96), inputs: int = 3, traits: int = len(TRAITS)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.stem = nn.Sequential(_block(inputs, a), _block(a, a))
        self.down1 = nn.Sequential(_block(a, b), _block(b, b))
        self.down2 = nn.Sequential(_block(b, c), _block(c, c))
        self.down3 = nn.Sequential(_block(c, d), _block(d, d))
        self.up2 = nn.Sequential(_block(d + c, c), _block(c, c))
        self.up1 = nn.Sequential(_block(c + b, b), _block(b, b))
        self.up0 = _block(b + a, a)
        self.head = nn.Conv3d(a, 1, 1)
        self.describe = nn.Sequential(
            nn.Linear(2 * d + c + b + 2, 64), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(64, traits)
        )

    def forward(self, x: Tensor) -> Tensor:
        full = self.stem(x)
        half = self.down1(functional.max_pool3d(full, (1, 2, 2)))
        quarter = self.down2(functional.max_pool3d(half, 2))
        deep = self.down3(functional.max_pool3d(quarter, 2))
        mid = self.up2(torch.cat([functional.interpolate(deep, scale_factor=2.0, mode="nearest"), quarter], 1))
        high = self.up1(torch.cat([functional.interpolate(mid, scale_factor=2.0, mode="nearest"), half], 1))
        last = self.up0(torch.cat([functional.interpolate(high, scale_factor=(1.0, 2.0, 2.0), mode="nearest"), full], 1))
        logits = self.head(last)
        weight = torch.sigmoid(logits.detach())
        return torch.cat([logits.flatten(1), self._traits(x, deep, mid, high, weight)], 1)

    def _traits(self, x: Tensor, deep: Tensor, mid: Tensor, high: Tensor, weight: Tensor) -> Tensor:
        w1 = functional.avg_pool3d(weight, (1, 2, 2))
        w2 = functional.avg_pool3d(w1, 2)
        w3 = functional.avg_pool3d(w2, 2)

        def pooled(f: Tensor, w: Tensor) -> Tensor:
            return (f * w).sum((2, 3, 4)) / (w.sum((2, 3, 4)) + 1e-2)

        # The second channel grows by one per 20 mm, so its range tells the size of the window in millimetres.
        field = torch.log(x[:, 1].amax((1, 2, 3)) + 0.1)[:, None]
        size = torch.log(weight.mean((1, 2, 3, 4)) + 1e-3)[:, None]
        features = [pooled(deep, w3), deep.amax((2, 3, 4)), pooled(mid, w2), pooled(high, w1), field, size]
        return self.describe(torch.cat(features, 1))


def lung_nodule_v1(widths: tuple[int, ...] = (16, 32, 64, 96), inputs: int = 3, traits: int = len(TRAITS)) -> nn.Module:
    return LungNoduleNet(tuple(widths), inputs, traits)


ARCHITECTURES = {"lung_nodule_v1": lung_nodule_v1}

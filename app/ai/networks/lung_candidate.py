"""The network that tells a nodule from a vessel: two cubes around a candidate, one near and one wide."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CUBE = 32
STEPS_MM = (0.8, 2.0)


class LungCandidateNet(nn.Module):
    """Input ``(n, 2, 32, 32, 32)``: HU scaled to -1..1 at 0.8 mm and at 2 mm. Output ``(n, 1)``: logit of being a nodule."""

    def __init__(self, widths: tuple[int, ...] = (24, 48, 88), inputs: int = 2) -> None:
        super().__init__()
        # The first layer halves the grid at once: most of the time would go into the full one.
        first = nn.Conv3d(inputs, widths[0], 4, stride=2, padding=1, bias=False)
        layers: list[nn.Module] = [first, nn.BatchNorm3d(widths[0]), nn.ReLU(inplace=True)]
        before = widths[0]
        for level, width in enumerate(widths):
            for part in range(1 if level == 0 else 2):
                layers += [
                    nn.Conv3d(before if part == 0 else width, width, 3, padding=1, bias=False),
                    nn.BatchNorm3d(width),
                    nn.ReLU(inplace=True),
                ]
            if level < len(widths) - 1:
                layers.append(nn.MaxPool3d(2))
            before = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(2 * widths[-1], 48), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(48, 1))

    def forward(self, x: Tensor) -> Tensor:
        f = self.body(x)
        middle = functional.avg_pool3d(f[:, :, 1:3, 1:3, 1:3], 2).flatten(1)
        return self.head(torch.cat([middle, f.amax((2, 3, 4))], 1))


def lung_candidate_v1(widths: tuple[int, ...] = (24, 48, 88), inputs: int = 2) -> nn.Module:
    return LungCandidateNet(tuple(widths), inputs)


ARCHITECTURES = {"lung_candidate_v1": lung_candidate_v1}

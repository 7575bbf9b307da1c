"""A small 2-D U-Net for slices: a map at the resolution of its input and one value for the whole slice."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    )


class PlaneUnet(nn.Module):
    """Input ``(n, inputs, rows, columns)``, both multiples of 2 ** len(widths).

    Output ``(n, rows * columns + 1)``: logits of the map, flattened, then the logit of the slice.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 48, 80, 112, 144), inputs: int = 4) -> None:
        super().__init__()
        # Pixels are moved into channels and back: on the full grid there is no convolution, which would cost most of the
        # time.
        self.gather = nn.PixelUnshuffle(2)
        down, before = [], 4 * inputs
        for level, width in enumerate(widths):
            down.append(
                nn.Sequential(
                    conv(before, width, 1 if level == 0 else 2),
                    conv(width, width),
                    *([conv(width, width)] if level > 2 else []),
                )
            )
            before = width
        self.down = nn.ModuleList(down)
        pairs = list(zip(widths[::-1][:-1], widths[::-1][1:], strict=True))
        self.up = nn.ModuleList(conv(deep + same, same) for deep, same in pairs)
        self.last = nn.Sequential(conv(widths[0], widths[0]), nn.Conv2d(widths[0], 4, 1), nn.PixelShuffle(2))
        out = self.last[1]
        assert isinstance(out, nn.Conv2d)
        assert out.bias is not None
        nn.init.constant_(out.bias, -3.0)
        self.whole = nn.Sequential(
            nn.Linear(2 * widths[-1] + 1, 32), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(32, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        levels, f = [], self.gather(x)
        for step in self.down:
            f = step(f)
            levels.append(f)
        deep = levels[-1]
        for step, same in zip(self.up, levels[-2::-1], strict=True):
            f = step(torch.cat([functional.interpolate(f, scale_factor=2.0, mode="nearest"), same], 1))
        logits = self.last(f)
        peak = functional.avg_pool2d(logits.detach(), 3, 1, 1).amax((2, 3))
        value = self.whole(torch.cat([deep.mean((2, 3)), deep.amax((2, 3)), 0.2 * peak], 1))
        return torch.cat([logits.flatten(1), value], 1)


def plane_unet_v1(widths: tuple[int, ...] = (32, 48, 80, 112, 144), inputs: int = 4) -> nn.Module:
    return PlaneUnet(tuple(widths), inputs)


ARCHITECTURES = {"plane_unet_v1": plane_unet_v1}

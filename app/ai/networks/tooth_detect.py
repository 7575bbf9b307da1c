"""A small detector for boxes on teeth: residual blocks, one answer level at an eighth of the input."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.ai.networks.plane_unet import conv


class Block(nn.Module):
    """Two convolutions whose sum with their input goes on."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class ToothDetector(nn.Module):
    """Input ``(n, 1, rows, columns)``, multiples of 32. Output ``(n, classes + 4, rows / 8, columns / 8)``.

    Channels: logits by class; then offset x, y of the box's centre within the cell (cells) and log width, log height
    (cells).
    """

    def __init__(self, classes: int = 4, widths: tuple[int, ...] = (48, 64, 96, 128, 96), drop: float = 0.1) -> None:
        super().__init__()
        a, b, c, d, head = widths
        # Pixels are moved into channels: on the full grid a convolution would cost most of the time.
        self.gather = nn.PixelUnshuffle(2)
        self.level4 = nn.Sequential(conv(4, a, 2), Block(a))
        self.level8 = nn.Sequential(conv(a, b, 2), Block(b), Block(b))
        self.level16 = nn.Sequential(conv(b, c, 2), Block(c), Block(c))
        self.level32 = nn.Sequential(conv(c, d, 2), Block(d), nn.Dropout2d(drop))
        self.narrow = nn.Sequential(nn.Conv2d(d + c, c, 1, bias=False), nn.BatchNorm2d(c), nn.ReLU(inplace=True))
        self.up16 = conv(c, c)
        self.up8 = nn.Sequential(conv(c + b, head), nn.Dropout2d(drop))
        self.kinds = nn.Sequential(conv(head, head), conv(head, head), nn.Conv2d(head, classes, 1))
        self.boxes = nn.Sequential(conv(head, head), nn.Conv2d(head, 4, 1))
        last, box = self.kinds[2], self.boxes[1]
        assert isinstance(last, nn.Conv2d)
        assert isinstance(box, nn.Conv2d)
        assert last.bias is not None
        assert box.bias is not None
        nn.init.constant_(last.bias, -4.0)
        nn.init.normal_(box.weight, 0.0, 0.01)
        # A middling tooth: about 3.5 by 9 cells.
        with torch.no_grad():
            box.bias.copy_(torch.tensor([0.5, 0.5, 1.25, 2.2]))

    def forward(self, x: Tensor) -> Tensor:
        eight = self.level8(self.level4(self.gather(x)))
        sixteen = self.level16(eight)
        deep = functional.interpolate(self.level32(sixteen), scale_factor=2.0, mode="nearest")
        f = self.up16(self.narrow(torch.cat([deep, sixteen], 1)))
        f = self.up8(torch.cat([functional.interpolate(f, scale_factor=2.0, mode="nearest"), eight], 1))
        return torch.cat([self.kinds(f), self.boxes(f)], 1)


def tooth_detector_v1(classes: int = 4, widths: tuple[int, ...] = (48, 64, 96, 128, 96), drop: float = 0.1) -> nn.Module:
    return ToothDetector(classes, tuple(widths), drop)


ARCHITECTURES = {"tooth_detector_v1": tooth_detector_v1}
"""For the registry."""

"""A small detector for films: for each class a map of box centres, with the box's offset and size at each place."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.ai.networks.plane_unet import conv

STRIDE = 4


class FilmDetector(nn.Module):
    """Input ``(n, 1, rows, columns)``, multiples of 32. Output ``(n, classes + 4, rows / 4, columns / 4)``.

    Channels: centre logits by class; then centre offset x, y within the cell (cells) and log width, log height (cells).
    """

    def __init__(self, classes: int = 4, widths: tuple[int, ...] = (16, 48, 80, 112, 144)) -> None:
        super().__init__()
        a, b, c, d, e = widths
        self.stem = nn.Sequential(conv(1, a, 2), conv(a, a))
        self.level4 = nn.Sequential(conv(a, b, 2), conv(b, b))
        self.level8 = nn.Sequential(conv(b, c, 2), conv(c, c), conv(c, c))
        self.level16 = nn.Sequential(conv(c, d, 2), conv(d, d), conv(d, d))
        self.level32 = nn.Sequential(conv(d, e, 2), conv(e, e))
        self.up16 = conv(e + d, d)
        self.up8 = conv(d + c, c)
        self.up4 = nn.Sequential(conv(c + b, b), conv(b, b))
        self.centres = nn.Sequential(conv(b, b), nn.Conv2d(b, classes, 1))
        self.boxes = nn.Sequential(conv(b, b), nn.Conv2d(b, 4, 1))
        last = self.centres[1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.constant_(last.bias, -4.0)

    def forward(self, x: Tensor) -> Tensor:
        four = self.level4(self.stem(x))
        eight = self.level8(four)
        sixteen = self.level16(eight)
        deep = self.level32(sixteen)
        f = self.up16(torch.cat([functional.interpolate(deep, scale_factor=2.0, mode="nearest"), sixteen], 1))
        f = self.up8(torch.cat([functional.interpolate(f, scale_factor=2.0, mode="nearest"), eight], 1))
        f = self.up4(torch.cat([functional.interpolate(f, scale_factor=2.0, mode="nearest"), four], 1))
        return torch.cat([self.centres(f), self.boxes(f)], 1)


def film_detector_v1(classes: int = 4, widths: tuple[int, ...] = (16, 48, 80, 112, 144)) -> nn.Module:
    return FilmDetector(classes, tuple(widths))


ARCHITECTURES = {"film_detector_v1": film_detector_v1}

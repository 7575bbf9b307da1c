"""A tiny network that tells which letter a small bright part of a film is, or none."""

from __future__ import annotations

from torch import Tensor, nn

from app.ai.networks.plane_unet import conv


class LetterNet(nn.Module):
    """Input ``(n, 2, 32, 32)``: the surroundings and the part itself. Output ``(n, classes)`` logits."""

    def __init__(self, classes: int = 5, width: int = 10, drop: float = 0.2) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(2, width),
            conv(width, width, 2),
            conv(width, 2 * width),
            conv(2 * width, 2 * width, 2),
            conv(2 * width, 3 * width, 2),
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(drop), nn.Linear(48 * width, 4 * width), nn.ReLU(), nn.Linear(4 * width, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x))
        return out


def letter_v1(classes: int = 5, width: int = 10) -> nn.Module:
    return LetterNet(classes, width)


ARCHITECTURES = {"letter_v1": letter_v1}

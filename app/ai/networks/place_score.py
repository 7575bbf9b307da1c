"""The small network that scores a place of a film from what was measured there: one-layer members and a linear part."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LIMIT = 4.0
"""Standard deviations beyond which a measured value tells nothing more."""


class PlaceScoreNet(nn.Module):
    """Input ``(n, 1, features)`` as measured. Output ``(n, 1)``: logit, the mean of the members."""

    def __init__(self, inputs: int, hidden: int = 12, members: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.members = members
        self.drop = nn.Dropout(dropout)
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.body = nn.Linear(inputs, hidden * members)
        self.head = nn.Conv1d(hidden * members, members, 1, groups=members)
        self.line = nn.Linear(inputs, 1, bias=False)
        nn.init.zeros_(self.line.weight)

    def each(self, x: Tensor) -> Tensor:
        """``(n, members)`` logits of the members, for training."""
        z = torch.clamp((x[:, 0] - self.centre) * self.scale, -LIMIT, LIMIT)
        hidden = self.drop(torch.relu(self.body(z)))
        return self.head(hidden[:, :, None])[:, :, 0] + self.line(z)

    def forward(self, x: Tensor) -> Tensor:
        return self.each(x).mean(1, keepdim=True)


def place_score_v1(inputs: int, hidden: int = 12, members: int = 4) -> nn.Module:
    return PlaceScoreNet(inputs, hidden, members)


ARCHITECTURES = {"place_score_v1": place_score_v1}

"""The running mean of a network's weights over the last steps of its training: steadier than the last step itself."""

from __future__ import annotations

import torch


def follow(mean: torch.nn.Module, net: torch.nn.Module, step: int, most: float = 0.995, warm: float = 20.0) -> None:
    """Moves ``mean`` towards ``net`` after the ``step``-th step (from 1). Early steps count for less than late ones.

    ``most`` of the mean is kept in a late step, ``step / (step + warm)`` of it in an early one. What is no float (counters
    of normalisation) is copied.
    """
    keep = min(most, step / (step + warm))
    with torch.no_grad():
        for a, b in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
            if a.dtype.is_floating_point:
                a.mul_(keep).add_(b, alpha=1 - keep)
            else:
                a.copy_(b)

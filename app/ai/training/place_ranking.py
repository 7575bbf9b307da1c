"""Trains the place scorer on whole pictures: places told apart, and each lesion set before all else of its own picture.

A person looks at the few highest marks of a picture, so half of the loss asks whether a lesion's places outweigh the
picture's sound ones together. Such a network and one of ``place_net.py`` err differently: ``joined`` is the mean of both.
Fixed seed, one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from app.ai.networks.place_score import LIMIT, PlaceScoreNet
from app.ai.training.place_net import Floats, Places, PlaceSettings, balanced

PICTURES = 8
"""In a batch."""
HIDDEN_SHARE = 0.25
"""Of the pictures of a batch, shown without the hideable features."""
ALIKE = 4.0
"""Neighbouring places tell much the same: so many sound places count as one."""
LESION_PLACES = 8.0
"""A lesion counts as so many places, whatever its size."""
MOST_LESIONS = 3


@dataclass(frozen=True, eq=False)
class PicturePlaces:
    """Measured places of one picture: ``x`` (n, features); ``lesion`` (n,) 0 for sound tissue, else its number from 1."""

    x: Floats
    lesion: npt.NDArray[np.int64]
    sound: int
    """Sound places of the picture; ``x`` may hold some of them only."""


def flat(pictures: Sequence[PicturePlaces]) -> Places:
    """All places for ``place_net``: each lesion weighs alike, and so does each picture's sound tissue."""
    lesion = np.concatenate([p.lesion for p in pictures])
    truth = (lesion > 0).astype(np.float32)
    weight = np.concatenate([_shares(p) for p in pictures]).astype(np.float32)
    return Places(np.concatenate([p.x for p in pictures]), truth, balanced(truth, weight))


def joined(one: PlaceScoreNet, other: PlaceScoreNet) -> PlaceScoreNet:
    """One network whose score is the mean of two that were trained on the same places with members of the same size."""
    members = one.members + other.members
    hidden = one.body.out_features // one.members
    net = PlaceScoreNet(one.body.in_features, hidden, members)
    net.centre.copy_(one.centre)
    net.scale.copy_(one.scale)
    with torch.no_grad():
        net.body.weight.copy_(torch.cat([one.body.weight, other.body.weight]))
        net.body.bias.copy_(torch.cat([one.body.bias, other.body.bias]))
        net.line.weight.copy_((one.line.weight + other.line.weight) / 2)
        # All members weigh alike in the network; here each of the two shall weigh half, however many members it has.
        parts = [(n.head.weight, n.head.bias, members / 2 / n.members) for n in (one, other)]
        net.head.weight.copy_(torch.cat([w * share for w, _, share in parts]))
        assert net.head.bias is not None
        net.head.bias.copy_(torch.cat([b * share for _, b, share in parts if b is not None]))
    return net.eval().requires_grad_(False)


def _shares(picture: PicturePlaces) -> npt.NDArray[np.float64]:
    counts = np.bincount(picture.lesion, minlength=1)
    lesions = max(1, int((counts[1:] > 0).sum()))
    return np.asarray(1.0 / counts[picture.lesion] / np.where(picture.lesion > 0, lesions, 1), np.float64)


@dataclass(frozen=True, eq=False)
class _Prepared:
    z: Tensor
    lesion: Tensor
    weight: Tensor
    """For the binary loss: each lesion alike, each picture's sound places alike; half for both kinds over all pictures."""
    heavy: Tensor
    """Logarithm of what a place counts in the ranking."""
    ranked: int
    """Lesions that have sound places to be set before."""


def train_ranked(pictures: Sequence[PicturePlaces], settings: PlaceSettings, hideable: Sequence[int] = ()) -> PlaceScoreNet:
    """``hideable`` features are set to 0 for some pictures of every batch: a reader may come without them."""
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    s = settings
    every = np.concatenate([p.x for p in pictures])
    net = PlaceScoreNet(every.shape[1], s.hidden, s.members, s.dropout)
    net.centre.copy_(torch.from_numpy(every.mean(0)))
    net.scale.copy_(torch.from_numpy(1.0 / np.maximum(every.std(0), 1e-3)))
    given = _prepared(pictures, net)
    away = torch.tensor(list(hideable), dtype=torch.long)
    nothing = torch.clamp(-net.centre * net.scale, -LIMIT, LIMIT)[away]
    optimiser = torch.optim.AdamW(net.parameters(), lr=s.rate, weight_decay=s.decay)
    each = -(-len(given) // PICTURES)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, s.rate, total_steps=s.epochs * each)
    net.train()
    with torch.enable_grad():
        for _ in range(s.epochs):
            for pick in torch.randperm(len(given)).split(PICTURES):
                part = [given[int(n)] for n in pick]
                sizes = torch.tensor([len(p.lesion) for p in part])
                picture = torch.repeat_interleave(torch.arange(len(part)), sizes)
                z = torch.cat([p.z for p in part])
                hidden = (torch.rand(len(part)) < HIDDEN_SHARE)[picture]
                z[:, away] = torch.where(hidden[:, None], nothing, z[:, away])
                out = _members(net, z)
                loss = _told_apart(out, part) * len(given) / len(part) + _set_before(out, part, picture) / len(part)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                plan.step()
    return net.eval().requires_grad_(False)


def _prepared(pictures: Sequence[PicturePlaces], net: PlaceScoreNet) -> list[_Prepared]:
    weights = [_shares(p) for p in pictures]
    total = [
        max(sum(float(w[(p.lesion > 0) == kind].sum()) for w, p in zip(weights, pictures, strict=True)), 1e-9)
        for kind in (False, True)
    ]
    found = []
    for p, w in zip(pictures, weights, strict=True):
        counts = np.bincount(p.lesion, minlength=1)
        heavy = np.where(p.lesion > 0, LESION_PLACES, p.sound / ALIKE) / counts[p.lesion]
        ranked = min(int(p.lesion.max()), MOST_LESIONS) if len(p.lesion) and counts[0] else 0
        found.append(
            _Prepared(
                torch.clamp((torch.from_numpy(p.x) - net.centre) * net.scale, -LIMIT, LIMIT),
                torch.from_numpy(p.lesion),
                torch.from_numpy((w * 0.5 / np.where(p.lesion > 0, total[1], total[0])).astype(np.float32)),
                torch.from_numpy(np.log(heavy).astype(np.float32)),
                ranked,
            )
        )
    return found


def _members(net: PlaceScoreNet, z: Tensor) -> Tensor:
    """``net.each`` of prepared values, without its convolution, which takes most of the time of a step."""
    hidden = net.drop(torch.relu(net.body(z))).view(len(z), net.members, -1)
    return (hidden * net.head.weight.view(1, net.members, -1)).sum(-1) + net.head.bias + net.line(z)


def _told_apart(out: Tensor, part: Sequence[_Prepared]) -> Tensor:
    truth = (torch.cat([p.lesion for p in part]) > 0).float()[:, None].expand_as(out)
    each = functional.binary_cross_entropy_with_logits(out, truth, reduction="none")
    return (each.mean(1) * torch.cat([p.weight for p in part])).sum()


def _set_before(out: Tensor, part: Sequence[_Prepared], picture: Tensor) -> Tensor:
    """Sum over pictures of how far the lesion's share of its own and the sound places' weight is from 1, as a logarithm."""
    lesion = torch.cat([p.lesion for p in part]).clamp(max=MOST_LESIONS)
    heavy = torch.cat([p.heavy for p in part])
    kinds = MOST_LESIONS + 1
    weight = torch.exp(out - out.detach().amax(0) + heavy[:, None])
    total = torch.zeros(kinds * len(part), out.shape[1]).index_add(0, picture * kinds + lesion, weight).clamp_min(1e-30)
    total = total.view(len(part), kinds, -1)
    loss = out.new_zeros(())
    for n, p in enumerate(part):
        for k in range(1, p.ranked + 1):
            loss = loss + (torch.log(total[n, 0] + total[n, k]) - torch.log(total[n, k])).mean() / p.ranked
    return loss

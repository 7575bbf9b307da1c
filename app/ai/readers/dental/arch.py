"""Which of the tooth-like places of a jaw is which number: all of them decided together, in the order of the arch.

A network says for each place how likely each number is. Here the places of one jaw are read from left to right as one
sequence: numbers only rise, each occurs once, a number may be left out (a lost tooth) and a place may be no tooth. What
speaks for a sequence is the network's word, how far a place lies from where the arch has the number, and whether the steps
between neighbours are as wide as the numbers left out between them need. Viterbi finds the best sequence; the sums over all
sequences give the confidence of each number, so doubt about one place is doubt about its neighbours.

Whether a place is a tooth at all is told by how strong the network's word is beside the other teeth of the film, not by how
clear it is about the number.

What the detector of the same reader found takes part as evidence and is no verdict: a found box is a tooth, and an impacted
tooth is rarely another than a third molar or a canine. Boxes that the labels do not confirm count as well: all 48 that
were looked at on validation and train films lie on the last tooth of a row. Of the impacted teeth of 4,063 people 76.1 %
were third molars (Aitasalo, Lehtinen, Oksala, Int J Oral Surg 1972;1:117-120); canines come next, then second premolars
(Arabion et al., Shiraz E-Med J 2017: 31.8 %, 9.8 % and 2.1 % of 3,632 people). What lies behind an impacted molar in no
box is bone, and an impacted tooth keeps no distance: it may lie over its neighbour's roots as well as behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

Floats = npt.NDArray[np.float64]
NUMBERS = 16
"""Of one jaw, left to right on the film: 8 to 1, then 1 to 8."""
KIND = np.array([8, 7, 6, 5, 4, 3, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8])
MOLARS = 3
"""Of one side, the hindmost numbers."""
IMPACTED_SHARE = {8: 0.76, 3: 0.15, 5: 0.04, 4: 0.015, 1: 0.015, 2: 0.01, 6: 0.005, 7: 0.005}
"""Share of each kind of tooth among the impacted (sources above)."""


@dataclass(frozen=True)
class Weights:
    """How much each kind of evidence counts, in natural logarithms; chosen on generated and on train and val films."""

    there: float = 2.0
    no_tooth: float = 0.3
    """Strength, as a share of the film's usual one, at which a place is as likely no tooth."""
    hindmost: float = 0.9
    """How surely a mark of an impacted tooth that is wrong by the labels lies on the last tooth of its row all the same."""
    number: float = 1.5
    doubt: float = 0.05
    place: float = 0.6
    place_pitches: float = 1.2
    step: float = 0.7
    step_pitches: float = 0.4
    step_most: float = 2.0
    let_off: float = 0.9
    """Share of the cost of standing too near its neighbour that an impacted tooth is let off."""
    closed: float = 0.6
    """For each pitch that a gap is narrower than the numbers left out in it."""
    left_out: float = 1.0
    left_out_last: float = 0.2
    """For a third molar."""
    temper: float = 0.7
    """Of the confidence: what speaks for a sequence is not independent."""


@dataclass(frozen=True, eq=False)
class Places:
    """Tooth-like places of one jaw, sorted by x."""

    where: Floats
    """(n, 2) x, y in cells."""
    size: Floats
    likely: Floats
    """(n, 16) the network's strength for each number."""
    impacted: Floats
    """(n,) probability that the detector calls it impacted."""
    boxed: Floats
    """(n,) the detector's largest probability of any box that is this tooth."""
    usual: float = 1.0
    """The network's usual strength on this film: real films, above all poor ones, have less than generated ones."""

    def __len__(self) -> int:
        return len(self.where)


@dataclass(frozen=True, eq=False)
class Sequence:
    score: float
    picks: tuple[tuple[int, int], ...]
    """(place, number's index)."""
    chance: Floats
    """(n, 16) of each number over all sequences."""


def impacted_ratio() -> Floats:
    """(16,) how much likelier each number is once the tooth is known to be impacted."""
    share = np.array([IMPACTED_SHARE[int(k)] for k in KIND])
    return np.asarray(share / (1.0 / 8.0), np.float64)


def hindmost(places: Places, w: Weights) -> Floats:
    """(n,) how surely a place is the last tooth of its row by the detector's marks of impacted teeth; 0 without one."""
    return np.where(places.impacted > 0, 1.0 - (1.0 - w.hindmost) * (1.0 - places.impacted), 0.0)


def behind_impacted(places: Places, expected_x: Floats, w: Weights) -> Floats:
    """(n,) how surely a place in no box lies behind an impacted tooth among the three molars: there is bone alone."""
    x = places.where[:, 0]
    nearest = np.abs(x[:, None] - expected_x[None]).argmin(axis=1)
    outward = np.where(nearest < MOLARS, -1.0, np.where(nearest >= NUMBERS - MOLARS, 1.0, 0.0))
    beyond = ((x[:, None] - x[None]) * outward[None] > 0) & (places.boxed[:, None] <= 0)
    return np.asarray(np.max(beyond * hindmost(places, w)[None], axis=1, initial=0.0), np.float64)


def evidence(places: Places, expected_x: Floats, pitch: float, w: Weights) -> Floats:
    """(n, 16) what speaks for place n being each number, against its being no tooth."""
    strength = np.maximum(places.likely.max(axis=1) / places.usual, places.boxed)
    there = w.there * np.log(np.maximum(strength, 1e-3) / w.no_tooth)
    # Bone behind the last tooth looks like a third molar, if like any: the likeliest number says nothing for a tooth.
    share = (places.likely + w.doubt) / (places.likely.sum(axis=1, keepdims=True) + NUMBERS * w.doubt)
    number = w.number * np.log(share / share.max(axis=1, keepdims=True))
    off = (places.where[:, :1] - expected_x[None]) / (w.place_pitches * pitch)
    impacted = hindmost(places, w)[:, None]
    ratio = 1.0 - impacted + impacted * impacted_ratio()[None]
    there = there + np.log(1.0 - w.hindmost * behind_impacted(places, expected_x, w))
    return np.asarray(there[:, None] + number - w.place * np.log1p(0.5 * off * off) + np.log(ratio), np.float64)


def steps(places: Places, expected_x: Floats, pitch: float, w: Weights) -> Floats:
    """(n, n, 16, 16) cost of number b at place j right after number a at place i; infinite where the order forbids it."""
    dx = (places.where[None, :, 0] - places.where[:, None, 0])[:, :, None, None]
    wanted = (expected_x[None, :] - expected_x[:, None])[None, None]
    between = np.arange(NUMBERS)[None, :] - np.arange(NUMBERS)[:, None] - 1
    off = dx - wanted
    wide = 0.5 * (off / (w.step_pitches * pitch)) ** 2
    closed = np.where((off < 0) & (between > 0), np.minimum(wide, w.closed * -off / pitch), wide)
    cost = w.step * np.minimum(closed, w.step_most)
    # Two numbers cannot stand on one spot, however the cost is held.
    cost = cost + 4.0 * np.clip(1.0 - dx / (0.5 * pitch), 0.0, 1.0)
    free = w.let_off * np.maximum(hindmost(places, w)[:, None], hindmost(places, w)[None])[:, :, None, None]
    cost = cost * np.where((off < 0) & (between == 0), 1.0 - free, 1.0)
    cost = cost + (between * w.left_out)[None, None]
    return np.where((between >= 0)[None, None] & (dx > 0), cost, np.inf)


def decided(places: Places, expected_x: Floats, pitch: float, w: Weights, chances: bool = True) -> Sequence:
    """The best sequence of one jaw and, when asked for, the chance of each number at each place."""
    n = len(places)
    if n == 0:
        return Sequence(0.0, (), np.zeros((0, NUMBERS)))
    gain = evidence(places, expected_x, pitch, w)
    cost = steps(places, expected_x, pitch, w)
    inner = (NUMBERS - 2) * w.left_out
    # Numbers left out before the first place and after the last one.
    before = w.left_out * np.maximum(np.arange(NUMBERS) - 1, 0) + w.left_out_last * (np.arange(NUMBERS) > 0)
    after = before[::-1]
    best = np.full((n, NUMBERS), -np.inf)
    back = np.full((n, NUMBERS, 2), -1)
    for j in range(n):
        best[j] = -before
        if j:
            onto = best[:j, :, None] - cost[:j, j]
            flat = onto.reshape(-1, NUMBERS)
            k = flat.argmax(axis=0)
            top = flat[k, np.arange(NUMBERS)]
            better = top > best[j]
            best[j, better] = top[better]
            back[j, better] = np.stack([k // NUMBERS, k % NUMBERS], 1)[better]
        best[j] += gain[j]
    total = best - after
    none = -inner - 2 * w.left_out_last
    if total.max() <= none:
        return Sequence(none, (), np.zeros((n, NUMBERS)))
    at = tuple(int(v) for v in np.unravel_index(int(total.argmax()), total.shape))
    picks = []
    while at[0] >= 0:
        picks.append((at[0], at[1]))
        at = (int(back[at[0], at[1], 0]), int(back[at[0], at[1], 1]))
    chance = _chances(gain, cost, before, after, none, w.temper) if chances else np.zeros((n, NUMBERS))
    return Sequence(float(total.max()), tuple(reversed(picks)), chance)


def _chances(gain: Floats, cost: Floats, before: Floats, after: Floats, none: float, temper: float) -> Floats:
    n = len(gain)
    gain, cost, before, after = temper * gain, temper * cost, temper * before, temper * after
    ahead = np.empty((n, NUMBERS))
    behind = np.empty((n, NUMBERS))
    for j in range(n):
        into = [-before[None]]
        if j:
            into.append((ahead[:j, :, None] - cost[:j, j]).reshape(-1, NUMBERS))
        ahead[j] = gain[j] + logsumexp(np.concatenate(into), axis=0)
    for i in reversed(range(n)):
        out = [-after[:, None]]
        if i < n - 1:
            onward = (behind[i + 1 :] + gain[i + 1 :])[:, None, :] - cost[i, i + 1 :]
            out.append(onward.transpose(1, 0, 2).reshape(NUMBERS, -1))
        behind[i] = logsumexp(np.concatenate(out, axis=1), axis=1)
    whole = logsumexp(np.append((ahead - after).ravel(), temper * none))
    return np.asarray(np.exp(ahead + behind - whole), np.float64)

"""The highest places of a mammogram looked at once more: what is cut out, how two scores become one, what is learned."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from app.ai.networks.patch_score import PatchScoreNet
from app.ai.readers.film.places import PlaceMark
from app.ai.readers.mammogram.patches import (
    AIR,
    FLIPS,
    NEAR_PX,
    SIDE,
    WEIGHT,
    again,
    film_stack,
    looked_again,
    patches,
    places_of,
)
from app.ai.readers.mammogram.study import IMAGE, LOOKED, Measured, Scored, image_odds, scored
from app.ai.readers.mammogram.view import BreastView, prepare
from app.ai.training.breast_patches import PatchSettings, false_places, films_of, train_patches
from app.ai.training.mias import Lesion, Mammogram

MM = 0.4


def film(spot: tuple[float, float] | None = None, seed: int = 1) -> np.ndarray:
    """Half an ellipse of tissue with the chest wall on the left; a bright spot at (x, y)."""
    y, x = np.mgrid[:300, :190].astype(np.float32)
    inside = (x / 170) ** 2 + ((y - 150) / 140) ** 2
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=x.shape).astype(np.float32), (0, 0), 4) * 150
    values = np.where(inside < 1, 400 + 400 * np.sqrt(np.clip(1 - inside, 0, 1)) + noise, 0)
    if spot is not None:
        values = values + 500 * np.exp(-((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / (2 * 6.0**2))
    return values.astype(np.float32)


def view(spot: tuple[float, float] | None = None, mirrored: bool = False, seed: int = 1) -> BreastView:
    values = film(spot, seed)
    return prepare(np.ascontiguousarray(values[:, ::-1]) if mirrored else values, (MM, MM), False)


def measured(of: BreastView) -> Measured:
    row, column = np.mgrid[10 : of.values.shape[0] - 10 : 4, 4 : of.values.shape[1] - 10 : 4]
    places = np.c_[row.ravel(), column.ravel()]
    return Measured(of, places[of.tissue[places[:, 0], places[:, 1]]], np.zeros((0, 0), np.float32))


def by_grey(of: BreastView) -> Scored:
    one = measured(of)
    return scored(one, of.values[one.places[:, 0], one.places[:, 1]])


class Stands:
    """The brightness of a patch's middle, or of the other breast's, stands in for the trained network."""

    def __init__(self, channel: int = 0, factor: float = 1.0) -> None:
        self.channel, self.factor = channel, factor

    def run(self, name: str, batch: np.ndarray) -> np.ndarray:
        assert name == "breast_patch"
        assert batch.shape[1:] == (3, SIDE, SIDE)
        return batch[:, self.channel, 23:25, 23:25].mean((1, 2))[:, None] * self.factor


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_place_lies_in_the_middle_of_its_patches_and_the_other_breast_s_beside_it(mirrored):
    mine, other = view((80.0, 190.0), mirrored), view((60.0, 110.0), not mirrored, seed=2)
    x, y = mine.to_grid(190 - 80.0 + 0.5 if mirrored else 80.5, 190.5)
    cut = patches(film_stack(mine, other), [PlaceMark(0.0, x, y)])
    assert cut.shape == (len(FLIPS), 3, SIDE, SIDE)
    for one in cut:
        row, column = np.unravel_index(int(cv2.GaussianBlur(one[0], (0, 0), 2).argmax()), (SIDE, SIDE))
        assert (row, column) == pytest.approx((23.5, 23.5), abs=2.0)
    there = patches(film_stack(mine, other), [PlaceMark(0.0, *other.to_grid(60.5 if mirrored else 190 - 60.0 + 0.5, 110.5))])
    row, column = np.unravel_index(int(cv2.GaussianBlur(there[0, 1], (0, 0), 2).argmax()), (SIDE, SIDE))
    assert (row, column) == pytest.approx((23.5, 23.5), abs=4.0)
    assert (patches(film_stack(mine, None), [PlaceMark(0.0, x, y)])[:, 1] == AIR).all()


def test_the_common_score_orders_the_marks_and_moves_what_lies_near():
    result = by_grey(view((80.0, 190.0)))
    places = places_of(result)
    assert min(np.hypot(a.x - b.x, a.y - b.y) for a in places for b in places if a is not b) >= NEAR_PX
    logits = np.full(len(places), -1.0)
    logits[3] = 30.0
    new = again(result, places, np.repeat(logits, len(FLIPS))[:, None].astype(np.float32))
    assert (new.marks[0].x, new.marks[0].y) == (places[3].x, places[3].y)
    assert new.marks[0].score == pytest.approx((1 - WEIGHT) * places[3].score + WEIGHT * 30.0, rel=1e-5)
    at = int(np.hypot(result.measured.places[:, 1] - places[3].x, result.measured.places[:, 0] - places[3].y).argmin())
    assert new.score[at] == pytest.approx(new.marks[0].score, rel=1e-5)
    assert int(new.score.argmax()) == at
    # The picture's own traits are those of its places; its level is that of the three highest.
    assert new.traits == result.traits
    rest = sorted(((1 - WEIGHT) * p.score - WEIGHT for n, p in enumerate(places) if n != 3), reverse=True)[:2]
    assert new.looked == pytest.approx(((1 - WEIGHT) * places[3].score + WEIGHT * 30.0 + sum(rest)) / 3)


def test_a_picture_is_scored_by_its_highest_places_and_those_of_the_other_breast():
    results = [by_grey(view((80.0, 190.0))), by_grey(view(None, True, seed=2))]
    mine, other = looked_again(results, [1, 0], Stands(0, 3.0))
    assert mine.looked is not None
    assert other.looked is not None
    assert mine.looked > other.looked
    # A package of before weighs what the places alone say.
    before = {IMAGE: {"weights": [1.0] + [0.0] * 11, "bias": 0.0}}
    now = {**before, LOOKED: {"weights": [2.0, 3.0], "bias": 0.5}}
    assert image_odds(mine, None, before) == pytest.approx(mine.traits[0])
    assert image_odds(mine, None, now) == pytest.approx(2 * mine.looked + 0.5)
    assert image_odds(mine, other, now) == pytest.approx(2 * mine.looked + 3 * (mine.looked - other.looked) + 0.5)
    assert image_odds(mine, other, {}) is None


def test_the_other_breast_is_asked_where_it_is_there():
    results = [by_grey(view((80.0, 190.0))), by_grey(view((120.0, 100.0), True, seed=2))]
    both = looked_again(results, [1, 0], Stands(1, 60.0))
    alone = looked_again(results, [None, None], Stands(1, 60.0))
    assert (both[0].marks[0].x, both[0].marks[0].y) != (alone[0].marks[0].x, alone[0].marks[0].y)
    assert (alone[0].marks[0].x, alone[0].marks[0].y) == (results[0].marks[0].x, results[0].marks[0].y)


def test_without_places_nothing_is_asked():
    empty = Scored(
        Measured(view(), np.zeros((0, 2), np.int64), np.zeros((0, 0), np.float32)), np.zeros(0, np.float32), (), ()
    )
    assert looked_again([empty], [None], Stands()) == [empty]


def test_an_other_breast_that_is_not_there_changes_nothing():
    torch.manual_seed(1)
    net = PatchScoreNet().eval()
    x = torch.randn(2, 3, SIDE, SIDE)
    x[:, 1] = AIR
    darker = x.clone()
    darker[:, 1] = AIR - 0.5
    with torch.no_grad():
        assert torch.equal(net(x), net(darker))
        assert net(x).shape == (2, 1)


@cache
def women() -> tuple[list[Mammogram], list[Scored]]:
    """Four women with a bright spot on one film, four without."""
    images, results = [], []
    for n in range(16):
        spot = (70.0 + 5 * n, 100.0 + 8 * n) if n % 4 == 0 else None
        found = (Lesion("CIRC", "B", (*spot, 12.0)),) if spot else ()
        images.append(Mammogram(f"{n}", Path(), f"p{n // 2}", "train", found))
        results.append(by_grey(view(spot, bool(n % 2), seed=10 + n)))
    return images, results


def learned(seed: int, steps: int) -> PatchScoreNet:
    images, results = women()
    films = films_of(images, [r.measured for r in results])
    return train_patches(films, results, PatchSettings(steps=steps, batch=24, seed=seed))


def test_the_seed_decides():
    one, same, other = (learned(seed, 2).state_dict()["head.1.weight"] for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_spot_is_learned():
    net, (_, results) = learned(3, 24), women()
    stack = film_stack(results[4].measured.view, results[5].measured.view)
    spot = results[4].measured.view.to_grid(90.0, 132.0)
    other = results[4].measured.view.to_grid(60.0, 200.0)
    with torch.no_grad():
        told = net(torch.from_numpy(patches(stack, [PlaceMark(0.0, *spot), PlaceMark(0.0, *other)]))).view(2, -1).mean(1)
    assert float(told[0]) > float(told[1])


def test_a_film_with_a_lesion_somewhere_gives_no_false_place():
    images, results = women()
    films = films_of(images, [r.measured for r in results])
    assert len(false_places(films[1], results[1])) > 5
    near = false_places(films[0], results[0])
    ((x, y, radius),) = films[0].lesions
    assert np.hypot(near[:, 0] - x, near[:, 1] - y).min() > 1.5 * radius
    assert not len(false_places(replace(films[0], known=False), results[0]))

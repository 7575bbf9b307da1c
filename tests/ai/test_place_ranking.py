"""The place scorer trained on pictures: a lesion comes before the rest of its own picture; the mean of two networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.ai.training.place_net import PlaceSettings, scores, train_places
from app.ai.training.place_ranking import PicturePlaces, flat, joined, train_ranked

SETTINGS = PlaceSettings(hidden=6, members=2, dropout=0.1, decay=0.01, epochs=12, seed=3)
SEPARATE = 1.6


def picture(rng: np.random.Generator, lesions: int, sound: int = 40) -> PicturePlaces:
    """Two values of a place: the picture's own level plus what the place has beyond it, and the level."""
    lesion = np.repeat(np.arange(lesions + 1), [sound, *[3 + n for n in range(lesions)]])
    level = rng.normal(0, 3.0)
    beyond = rng.normal(0, 0.4, len(lesion)) + SEPARATE * (lesion > 0)
    return PicturePlaces(np.c_[level + beyond, np.full(len(lesion), level)].astype(np.float32), lesion, 4 * sound)


def pictures(seed: int, count: int = 36) -> list[PicturePlaces]:
    rng = np.random.default_rng(seed)
    return [picture(rng, n % 3) for n in range(count)]


def first_are_lesions(net, known: list[PicturePlaces]) -> float:
    hits = [p.lesion[int(scores(net, p.x).argmax())] > 0 for p in known if p.lesion.any()]
    return float(np.mean(hits))


def test_a_lesion_comes_first_in_its_own_picture_whatever_the_picture_s_level():
    net = train_ranked(pictures(1), SETTINGS)
    assert first_are_lesions(net, pictures(2)) > 0.9


def test_the_seed_decides():
    few, x = pictures(1, 9), pictures(2)[1].x
    one, again = (scores(train_ranked(few, replace(SETTINGS, epochs=2)), x) for _ in range(2))
    assert np.array_equal(one, again)


def test_a_value_that_may_be_missing_is_learned_without():
    def with_answer(seed: int) -> list[PicturePlaces]:
        return [
            PicturePlaces(np.c_[p.x, (p.lesion > 0).astype(np.float32)].astype(np.float32), p.lesion, p.sound)
            for p in pictures(seed)
        ]

    hidden = [PicturePlaces(p.x * [1, 1, 0], p.lesion, p.sound) for p in with_answer(2)]
    plain = [PicturePlaces(p.x.astype(np.float32), p.lesion, p.sound) for p in hidden]
    with_it = first_are_lesions(train_ranked(with_answer(1), SETTINGS, [2]), plain)
    without = first_are_lesions(train_ranked(with_answer(1), SETTINGS), plain)
    assert with_it >= without
    assert with_it > 0.8


def test_lesions_and_pictures_weigh_alike():
    data = flat(pictures(1, 6))
    assert data.weight.mean() == pytest.approx(1.0)
    assert data.weight[data.truth > 0].sum() == pytest.approx(data.weight[data.truth <= 0].sum(), rel=1e-4)
    one = [p for p in pictures(1, 6) if p.lesion.max(initial=0) == 2][0]
    own = flat([one])
    first, second = (float(own.weight[one.lesion == n].sum()) for n in (1, 2))
    assert first == pytest.approx(second, rel=1e-4)


def test_the_joined_network_is_the_mean_of_both():
    known = pictures(1)
    apart = train_places(flat(known), PlaceSettings(hidden=6, members=3, epochs=2, seed=1))
    ranked = train_ranked(known, PlaceSettings(hidden=6, members=5, epochs=2, seed=1))
    both = joined(apart, ranked)
    x = pictures(2)[0].x
    assert both.members == 8
    assert scores(both, x) == pytest.approx((scores(apart, x) + scores(ranked, x)) / 2, abs=1e-5)


def test_a_picture_of_unknown_places_teaches_no_order():
    lesions_only = PicturePlaces(np.ones((3, 2), np.float32), np.ones(3, np.int64), 0)
    net = train_ranked([*pictures(1, 8), lesions_only], PlaceSettings(hidden=6, members=2, epochs=2))
    assert np.isfinite(scores(net, lesions_only.x)).all()

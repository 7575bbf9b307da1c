"""Marked places of two studies: paired one to one, by hand-worked costs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from app.imaging.matching import LUNG, Gate, Spot, cost_of, match

MM = Gate(20.0)


def pairs(now: list[Spot], then: list[Spot], gate: Gate = MM) -> list[tuple[int, int]]:
    return [(p.now, p.then) for p in match(now, then, gate)]


def test_distance_size_kind_and_side_are_what_a_pair_costs() -> None:
    here = Spot((0.0, 0.0, 0.0), 8.0, "solid", "R")
    assert cost_of(here, Spot((3.0, 4.0, 0.0), 8.0, "solid", "R"), MM) == pytest.approx(5.0)
    assert cost_of(here, Spot((3.0, 4.0, 0.0), 4.0, "solid", "R"), MM) == pytest.approx(9.0), "half the diameter"
    assert cost_of(here, Spot((3.0, 4.0, 0.0), 16.0, "ground_glass", ""), MM) == pytest.approx(11.0)
    assert cost_of(here, Spot((3.0, 4.0, 0.0), None, "", "L"), MM) == pytest.approx(13.0)
    assert cost_of(here, Spot((20.0, 0.0, 0.0)), MM) == pytest.approx(20.0), "the gate itself is inside"
    assert cost_of(here, Spot((20.001, 0.0, 0.0)), MM) is None
    with pytest.raises(ValueError, match="coordinates"):
        cost_of(here, Spot((0.0, 0.0)), MM)


def test_each_has_one_partner_and_the_sum_decides() -> None:
    # The nearest of all, 1 with 0 at 3 mm, would leave 0 with 1 at 16 mm: 19 together. The other way costs 13.
    now = [Spot((4.0, 0.0)), Spot((-3.0, 0.0))]
    then = [Spot((0.0, 0.0)), Spot((-12.0, 0.0))]
    assert pairs(now, then) == [(0, 0), (1, 1)]
    assert pairs(now[:1], then) == [(0, 0)]
    assert pairs([], then) == []
    assert pairs(now, []) == []
    assert pairs([Spot((0.0,))], [Spot((21.0,))]) == []


def test_a_grown_nodule_keeps_its_place_beside_one_of_its_old_size() -> None:
    now = [Spot((0.0, 0.0, 0.0), 12.0), Spot((15.0, 0.0, 0.0), 6.0)]
    then = [Spot((1.0, 0.0, 0.0), 6.0), Spot((16.0, 0.0, 0.0), 6.0)]
    assert pairs(now, then) == [(0, 0), (1, 1)]


def test_a_pair_is_clear_when_every_other_way_is_worse() -> None:
    (alone,) = match([Spot((0.0,), 8.0)], [Spot((3.0,), 8.0), Spot((19.0,), 8.0)], MM)
    assert (alone.then, alone.apart, alone.clear) == (0, pytest.approx(3.0), True)
    (torn,) = match([Spot((0.0,), 8.0)], [Spot((5.0,), 8.0), Spot((-7.0,), 8.0)], MM)
    assert (torn.then, torn.clear) == (0, False), "2 mm are no reason"
    (far,) = match([Spot((0.0,), 8.0)], [Spot((17.0,), 8.0)], MM)
    assert not far.clear, "nearly as good to leave it alone"


@pytest.mark.parametrize("seed", range(6))
def test_no_other_assignment_costs_less(seed: int) -> None:
    rng = np.random.default_rng(seed)
    now = [Spot(tuple(rng.uniform(0, 30, 3))) for _ in range(4)]
    then = [Spot(tuple(rng.uniform(0, 30, 3))) for _ in range(3)]

    def total(chosen: list[tuple[int, int]]) -> float:
        costs = [cost_of(now[n], then[m], LUNG) for n, m in chosen]
        return math.inf if None in costs else sum(costs) + 10.0 * (len(now) + len(then) - 2 * len(chosen))

    every = [
        list(zip(ns, ms, strict=True))
        for k in range(4)
        for ns in itertools.combinations(range(4), k)
        for ms in itertools.permutations(range(3), k)
    ]
    assert total(pairs(now, then, LUNG)) == pytest.approx(min(total(c) for c in every))


def test_films_have_two_coordinates() -> None:
    assert pairs([Spot((0.4, 0.4))], [Spot((0.42, 0.4)), Spot((0.8, 0.4))], Gate(0.1, 0.02, 0.01, 0.05, 0.02)) == [(0, 0)]

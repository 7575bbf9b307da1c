"""Measured displays against the standard: by its table, by a second inversion of the function, and at every limit."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.problem import ProblemError
from app.viewer.gsdf import PATCHES, luminance, wanted_luminances
from app.viewer.gsdf_fit import LEVELS, LIMITS, Grade, fit

TABLE_B_1 = {1: 0.0500, 2: 0.0547, 3: 0.0594, 1023: 3993.404}
"""PS3.14 Annex B, rows of table B-1; 512 below is from an independent implementation (130.0652840)."""


def jnd_by_bisection(cd_m2: float) -> float:
    """The exact inverse of the function itself, not the standard's own polynomial for the inverse."""
    low, high = 1.0, 1023.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if luminance(middle) < cd_m2 else (low, middle)
    return (low + high) / 2


def display(lowest: float, highest: float, gamma: float = 0.0) -> np.ndarray:
    """18 luminances of a display that follows the standard, or a power law."""
    if not gamma:
        low, high = jnd_by_bisection(lowest), jnd_by_bisection(highest)
        return np.array([luminance(float(j)) for j in np.linspace(low, high, PATCHES)])
    return lowest + (highest - lowest) * np.linspace(0, 1, PATCHES) ** gamma


def test_the_function_has_the_values_of_the_table() -> None:
    for jnd, cd_m2 in TABLE_B_1.items():
        assert luminance(jnd) == pytest.approx(cd_m2, rel=1e-3 if jnd < 10 else 3e-5)
    assert luminance(512) == pytest.approx(130.0652840, rel=1e-7)
    steps = np.diff([luminance(j) for j in range(1, 1024)])
    assert np.all(steps > 0)


def test_levels_are_those_of_the_pattern() -> None:
    assert tuple(range(0, 256, 15)) == LEVELS


@pytest.mark.parametrize("whites", [(0.5, 350.0), (0.8, 420.0), (1.0, 1000.0)])
def test_a_display_that_follows_the_standard_passes(whites: tuple[float, float]) -> None:
    found = fit(display(*whites))
    assert found.grade is Grade.PRIMARY
    assert found.broken == ()
    assert found.greatest < 0.01
    low, high = (jnd_by_bisection(v) for v in whites)
    assert found.jnds_a_step == pytest.approx((high - low) / 17, abs=0.05)
    assert found.jnds_rmse < 0.2
    assert found.ratio == pytest.approx(whites[1] / whites[0])
    assert np.allclose(display(*whites), wanted_luminances(*whites), rtol=5e-3)


def test_deviations_are_those_of_an_independent_computation() -> None:
    measured = display(0.4, 300.0, 2.2)
    found = fit(measured, 0.1)
    seen = measured + 0.1
    low, high = jnd_by_bisection(seen[0]), jnd_by_bisection(seen[-1])
    wanted = [luminance(low + (high - low) * n / 17) for n in range(18)]
    expected = [
        ((seen[n + 1] - seen[n]) / (seen[n + 1] + seen[n])) / ((wanted[n + 1] - wanted[n]) / (wanted[n + 1] + wanted[n])) - 1
        for n in range(17)
    ]
    assert found.deviations == pytest.approx(expected, abs=0.01)
    assert found.greatest == pytest.approx(max(abs(e) for e in expected), abs=0.01)
    assert found.grade is Grade.NEITHER
    assert "deviation" in found.broken


def bent(part: float) -> np.ndarray:
    """The standard's display with one step's contrast off by a part."""
    values = display(0.5, 350.0)
    contrast = (values[9] - values[8]) / (values[9] + values[8]) * (1 + part)
    values[9] = values[8] * (1 + contrast) / (1 - contrast)
    return values


@pytest.mark.parametrize(("part", "grade"), [(0.06, Grade.PRIMARY), (0.14, Grade.SECONDARY), (0.3, Grade.NEITHER)])
def test_one_wrong_step_decides(part: float, grade: Grade) -> None:
    found = fit(bent(part))
    assert found.deviations[8] == pytest.approx(part, abs=0.012)
    assert found.grade is grade


@pytest.mark.parametrize(
    ("lowest", "highest", "ambient", "broken", "grade"),
    [
        (0.5, 350.0, 0.3, (), Grade.PRIMARY),
        (0.5, 350.0, 0.4, ("ambient",), Grade.NEITHER),
        (0.5, 160.0, 0.0, ("highest",), Grade.SECONDARY),
        (0.5, 90.0, 0.0, ("ratio", "highest"), Grade.NEITHER),
        (1.0, 240.0, 0.0, ("ratio",), Grade.SECONDARY),
        (1.0, 400.0, 0.65, ("ratio",), Grade.SECONDARY),
    ],
)
def test_each_limit(lowest: float, highest: float, ambient: float, broken: tuple[str, ...], grade: Grade) -> None:
    """The display is set for the room's light, so that only the limit in question decides."""
    values = display(lowest + ambient, highest + ambient) - ambient
    found = fit(values, ambient)
    assert (tuple(b for b in found.broken if b != "deviation"), found.grade) == (broken, grade)
    assert found.greatest < 0.01
    assert LIMITS[Grade.PRIMARY].deviation == 0.10


def test_room_light_makes_a_good_display_worse() -> None:
    values = display(0.5, 350.0)
    dark, lit = fit(values), fit(values, 2.0)
    assert lit.greatest > dark.greatest + 0.1
    assert lit.ratio < dark.ratio
    assert lit.ambient_part == pytest.approx(4.0)


def test_typing_errors_are_no_verdict() -> None:
    good = display(0.5, 350.0)
    swapped = good.copy()
    swapped[[4, 5]] = swapped[[5, 4]]
    for values, ambient, code in (
        (good[:17], 0.0, "display.not_18"),
        ([*good[:17], float("nan")], 0.0, "display.not_18"),
        (swapped, 0.0, "display.not_rising"),
        (good / 100, 0.0, "display.out_of_range"),
        (good * 100, 0.0, "display.out_of_range"),
        (good, -1.0, "display.out_of_range"),
    ):
        with pytest.raises(ProblemError) as told:
            fit(values, ambient)
        assert told.value.problem.code == code
    with pytest.raises(ProblemError) as told:
        fit(swapped)
    assert told.value.problem.params["level"] == LEVELS[5]

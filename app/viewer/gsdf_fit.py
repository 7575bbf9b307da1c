"""A measured display against the Grayscale Standard Display Function: contrast response, PS3.14 Annex C, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from app.domain.problem import fail
from app.viewer.gsdf import PATCHES, jnd_index, luminance

LEVELS = tuple(round(255 * n / (PATCHES - 1)) for n in range(PATCHES))
"""Digital driving levels of TG18-LN: 0, 15 ... 255."""
_LOWEST_CD_M2, _HIGHEST_CD_M2 = 0.05, 3993.0


class Grade(StrEnum):
    """AAPM TG18 (Online Report 3), tables 6 and 7."""

    PRIMARY = "primary"
    """To interpret images on."""
    SECONDARY = "secondary"
    """To look at images on."""
    NEITHER = "neither"


@dataclass(frozen=True)
class Limits:
    deviation: float
    """Of the contrast of each step from the standard's, as a part."""
    ratio: float
    """Lmax' : Lmin', with the room's light."""
    highest_cd_m2: float
    ambient: float
    """Light of the room on the dark screen, as a part of Lmin at most."""


LIMITS = {
    Grade.PRIMARY: Limits(0.10, 250.0, 170.0, 1 / 1.5),
    Grade.SECONDARY: Limits(0.20, 100.0, 100.0, 1 / 1.5),
}


@dataclass(frozen=True)
class GsdfFit:
    """What 18 luminances say. Luminances with the room's light in them carry a stroke in the comments (L')."""

    deviations: tuple[float, ...]
    """Of each step's contrast from the standard's, signed, as a part; one fewer than levels."""
    greatest: float
    """The greatest of them, without its sign."""
    jnds_a_step: float
    """Mean of the just-noticeable differences between neighbouring levels (Annex C)."""
    jnds_rmse: float
    """Their scatter about a constant: 0 on a display that follows the standard."""
    ratio: float
    lowest_cd_m2: float
    """L' of black."""
    highest_cd_m2: float
    """L' of white."""
    ambient_part: float
    """The room's light as a part of Lmin."""
    grade: Grade
    broken: tuple[str, ...]
    """Which limits of primary reading do not hold: deviation, ratio, highest, ambient."""


def fit(measured_cd_m2: npt.ArrayLike, ambient_cd_m2: float = 0.0) -> GsdfFit:
    """``measured_cd_m2``: 18 luminances from black to white in a dark room; ``ambient_cd_m2``: what the switched-off screen
    gives back of the room's light.

    Raises ``display.not_18``, ``display.not_rising``, ``display.out_of_range``: a typing error must not become a verdict.
    """
    values = np.asarray(measured_cd_m2, dtype=np.float64)
    if values.shape != (PATCHES,) or not np.isfinite(values).all():
        raise fail("display.not_18")
    if not np.all(np.diff(values) > 0):
        raise fail("display.not_rising", level=LEVELS[int(np.argmin(np.diff(values))) + 1])
    seen = values + ambient_cd_m2
    if ambient_cd_m2 < 0 or seen[0] < _LOWEST_CD_M2 or seen[-1] > _HIGHEST_CD_M2:
        raise fail("display.out_of_range")
    jnds = np.array([jnd_index(float(v)) for v in seen])
    wanted = np.array([luminance(float(j)) for j in np.linspace(max(jnds[0], 1.0), min(jnds[-1], 1023.0), PATCHES)])
    deviations = _contrast(seen) / _contrast(wanted) - 1.0
    steps = np.diff(jnds)
    part = ambient_cd_m2 / float(values[0]) if values[0] > 0 else float("inf") if ambient_cd_m2 else 0.0
    ratio, greatest = float(seen[-1] / seen[0]), float(np.abs(deviations).max())
    facts = (greatest, ratio, float(values[-1]), part)
    broken = _broken(LIMITS[Grade.PRIMARY], *facts)
    grade = Grade.PRIMARY
    if broken:
        grade = Grade.NEITHER if _broken(LIMITS[Grade.SECONDARY], *facts) else Grade.SECONDARY
    return GsdfFit(
        tuple(float(d) for d in deviations),
        greatest,
        float(steps.mean()),
        float(np.sqrt(np.mean((steps - steps.mean()) ** 2))),
        ratio,
        float(seen[0]),
        float(seen[-1]),
        part,
        grade,
        broken,
    )


def _contrast(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(2.0 * (v[1:] - v[:-1]) / (v[1:] + v[:-1]))


def _broken(limits: Limits, greatest: float, ratio: float, highest: float, ambient: float) -> tuple[str, ...]:
    found = {
        "deviation": greatest > limits.deviation,
        "ratio": ratio < limits.ratio,
        "highest": highest < limits.highest_cd_m2,
        "ambient": ambient > limits.ambient,
    }
    return tuple(name for name, wrong in found.items() if wrong)

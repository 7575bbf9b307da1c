"""The suggested arch of a phantom jaw lies on the true one to a millimetre; what is no jaw gets no suggestion."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.geometry import VolumeGeometry
from app.domain.volume import Volume
from app.imaging.curved import spline_points
from app.imaging.jaw_arch import suggested_arch

GRID = VolumeGeometry.axial((70, 260, 280), (0.5, 0.3, 0.3), (211.0, -340.5, 88.25), "1.2")
MIDDLE = np.array([211.0 + 42.0, -340.5 + 62.0])
Z = 88.25 + 20.0


def true_arch(wide: float, deep: float, count: int = 400, beyond: float = 4.0) -> np.ndarray:
    """A half ellipse, open to the back: (n, 2). ``beyond``: degrees that are missing of it at both ends."""
    t = np.linspace(np.radians(beyond), np.radians(180 - beyond), count)
    return np.stack([MIDDLE[0] - wide * np.cos(t), MIDDLE[1] - deep * np.sin(t)], axis=1)


def jaw(
    wide: float, deep: float, gap: bool = False, enamel: float = 2400.0, spine: bool = True, noise: float = 60.0
) -> Volume:
    """Fourteen teeth of 7 x 9 mm in a band of bone, a spine behind, everything noisy."""
    rng = np.random.default_rng(7)
    voxels = rng.normal(0, noise, GRID.shape).astype(np.float32)
    k, j, i = GRID.shape
    x = GRID.origin_mm[0] + np.arange(i) * 0.3
    y = GRID.origin_mm[1] + np.arange(j) * 0.3
    z = GRID.origin_mm[2] + np.arange(k) * 0.5
    xx, yy = np.meshgrid(x, y)
    arch = true_arch(wide, deep)
    d = np.min((xx[..., None] - arch[::4, 0]) ** 2 + (yy[..., None] - arch[::4, 1]) ** 2, axis=-1) ** 0.5
    bone = d < 6.0
    height = (np.abs(z - Z) < 12.0)[:, None, None]
    voxels += np.where(height & bone[None], 0.35 * enamel, 0).astype(np.float32)
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(arch, axis=0), axis=1))])
    for n, at in enumerate(np.linspace(4.0, arc[-1] - 4.0, 14)):
        if gap and n in (4, 9):
            continue
        p = int(np.argmin(np.abs(arc - at)))
        t = arch[min(p + 1, 399)] - arch[max(p - 1, 0)]
        t /= np.linalg.norm(t)
        along = (xx - arch[p, 0]) * t[0] + (yy - arch[p, 1]) * t[1]
        across = (xx - arch[p, 0]) * -t[1] + (yy - arch[p, 1]) * t[0]
        tooth = (along / 3.4) ** 4 + (across / 4.5) ** 4 < 1
        voxels += np.where((np.abs(z - Z) < 9.0)[:, None, None] & tooth[None], 0.65 * enamel, 0).astype(np.float32)
    if spine:
        disc = (xx - MIDDLE[0]) ** 2 + (yy - MIDDLE[1] - 11.0) ** 2 < 36.0
        voxels += np.where(disc[None], 0.62 * enamel, 0).astype(np.float32)
    return Volume(voxels.astype(np.int16), GRID, "HU")


@pytest.mark.parametrize(
    ("wide", "deep", "options"),
    [
        (26.0, 44.0, {}),
        (31.0, 40.0, {"gap": True}),
        (24.0, 48.0, {"enamel": 900.0, "noise": 25.0}),  # grey values that are no Hounsfield units
    ],
)
def test_the_arch_is_right_to_a_millimetre(wide: float, deep: float, options: dict) -> None:
    found = suggested_arch(jaw(wide, deep, **options))
    assert found is not None
    line = spline_points(np.asarray(found.points_mm)[:, :2])
    truth = true_arch(wide, deep, beyond=-4.0)  # a suggestion may run on behind the last tooth, on the same line
    away = np.array([np.linalg.norm(truth - p, axis=1).min() for p in line])
    assert away.max() <= 1.0
    assert abs(found.points_mm[0][2] - Z) <= 3.0
    assert found.points_mm[0][0] < found.points_mm[-1][0]
    length = np.linalg.norm(np.diff(line, axis=0), axis=1).sum()
    assert length >= 0.9 * np.linalg.norm(np.diff(true_arch(wide, deep), axis=0), axis=1).sum()


def test_what_is_no_jaw_gets_no_suggestion() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 30, GRID.shape).astype(np.int16)
    assert suggested_arch(Volume(np.zeros(GRID.shape, np.int16), GRID, "HU")) is None
    assert suggested_arch(Volume(noise, GRID, "HU")) is None
    ball = noise.copy()
    ball[30:40, 100:140, 100:140] = 2000
    assert suggested_arch(Volume(ball, GRID, "HU")) is None
    across = VolumeGeometry((0, 0, 0), (0.5, 0.0, 0.0), (0.0, 0.3, 0.0), (0.0, 0.0, 0.3), GRID.shape, "1.2")
    assert suggested_arch(Volume(jaw(26.0, 44.0).voxels, across, "HU")) is None

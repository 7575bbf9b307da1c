"""A phantom arch unrolled: beads at known arc lengths lie where they must, to a tenth of a millimetre."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.geometry import VolumeGeometry
from app.domain.volume import Volume
from app.imaging.curved import arc_length_curve, cross_section_at, curved_reformat
from tests import phantoms

CENTRE = np.array([-120.0, 70.0, -1180.0])
RADIUS = 25.0
ANGLES = np.radians(np.linspace(-80, 80, 9))
GRID = VolumeGeometry.axial((60, 90, 140), (0.5, 0.45, 0.4), (-148.0, 40.0, -1195.0), "1.2")


def _on_arch(angle: float, up_mm: float = 0.0) -> tuple[float, float, float]:
    v = CENTRE + [RADIUS * np.sin(angle), -RADIUS * np.cos(angle), up_mm]
    return (float(v[0]), float(v[1]), float(v[2]))


def _beads(angles: list[float], up_mm: float) -> Volume:
    at = phantoms.positions_mm(GRID)
    voxels = np.zeros(GRID.shape, np.float32)
    for angle in angles:
        d2 = ((at - np.asarray(_on_arch(angle, up_mm))) ** 2).sum(axis=-1)
        voxels += 1000.0 * np.exp(-d2 / (2 * 0.9**2)).astype(np.float32)
    return Volume(voxels, GRID, "HU")


def test_arc_length_of_a_circle_is_true() -> None:
    curve = arc_length_curve([_on_arch(a) for a in ANGLES], 0.2)
    assert curve.length_mm == pytest.approx(RADIUS * np.radians(160), abs=0.25)
    steps = np.linalg.norm(np.diff(curve.points_mm, axis=0), axis=1)
    assert steps[:-1] == pytest.approx(0.2, abs=1e-3)
    assert np.abs(np.linalg.norm(curve.points_mm - CENTRE, axis=1) - RADIUS).max() < 0.05


@pytest.mark.parametrize(("thickness", "mode"), [(0.0, "mean"), (4.0, "max"), (4.0, "mean")])
def test_panoramic_distances_are_right_to_a_tenth_of_a_millimetre(thickness: float, mode: str) -> None:
    beads = [-0.9, -0.2, 0.7]
    image = curved_reformat(_beads(beads, 3.0), [_on_arch(a) for a in ANGLES], 20.0, 0.25, thickness_mm=thickness, mode=mode)
    for angle in beads:
        expected = RADIUS * (angle - ANGLES[0])
        column = round(expected / 0.25)
        window = np.nan_to_num(image.values[:, column - 14 : column + 15])
        window = np.where(window > window.max() * 0.2, window, 0)
        rows, columns = np.mgrid[0 : window.shape[0], 0 : window.shape[1]]
        x = float((columns * window).sum() / window.sum()) + column - 14
        y = float((rows * window).sum() / window.sum())
        assert x * 0.25 == pytest.approx(expected, abs=0.1)
        assert image.first_row_mm + y * 0.25 == pytest.approx(-3.0, abs=0.1)
        assert np.linalg.norm(np.asarray(image.to_patient(y, x)) - np.asarray(_on_arch(angle, 3.0))) < 0.15


def test_cross_sections_stand_across_the_arch() -> None:
    curve = arc_length_curve([_on_arch(a) for a in ANGLES], 0.25)
    column = len(curve.points_mm) // 2
    point, right, down = cross_section_at(curve, column * curve.step_mm)
    assert np.linalg.norm(np.asarray(point) - np.asarray(_on_arch(0.0))) < 0.2
    assert abs(right[1]) == pytest.approx(1.0, abs=1e-3)
    assert down == pytest.approx((0.0, 0.0, -1.0), abs=1e-6)


def test_what_is_no_curve_is_refused_and_beyond_the_volume_is_nothing() -> None:
    volume = _beads([0.0], 0.0)
    with pytest.raises(ValueError, match="two different points"):
        arc_length_curve([(1.0, 2.0, 3.0), (1.0, 2.0, 3.0)], 0.5)
    with pytest.raises(ValueError, match="step_mm"):
        arc_length_curve([(1.0, 2.0, 3.0), (2.0, 2.0, 3.0)], 0.0)
    with pytest.raises(ValueError, match="direction"):
        curved_reformat(volume, [(-120.0, 50.0, -1190.0), (-120.0, 50.0, -1180.0)], 5.0)
    with pytest.raises(ValueError, match="mode"):
        curved_reformat(volume, [_on_arch(0.0), _on_arch(0.1)], 5.0, mode="sum")
    far = curved_reformat(volume, [(500.0, 0.0, 0.0), (510.0, 0.0, 0.0)], 5.0, 1.0)
    assert np.isnan(far.values).all()

"""Resampling, masks and registration on phantoms with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.ports import Cancelled
from app.domain.problem import ProblemError
from app.domain.volume import Volume
from app.imaging import masks
from app.imaging.registration import RigidTransform, moved_geometry, register_rigid
from app.imaging.resample import isotropic_geometry, resample_isotropic, resample_to
from tests import phantoms

GRADIENT = (3.0, -2.0, 5.0)


@pytest.mark.parametrize(
    "grid",
    [phantoms.geometry(), phantoms.oblique_geometry(), phantoms.tilted_geometry()],
    ids=["axial", "oblique", "tilted"],
)
def test_a_linear_ramp_survives_any_grid(grid: object) -> None:
    exact = (phantoms.positions_mm(grid) - np.asarray(grid.origin_mm)) @ np.asarray(GRADIENT)
    out = resample_isotropic(Volume(exact.astype(np.float32), grid), 0.7, np.nan)
    expected = (phantoms.positions_mm(out.geometry) - np.asarray(grid.origin_mm)) @ np.asarray(GRADIENT)
    inside = np.isfinite(out.voxels)
    assert inside.mean() > 0.3
    assert np.abs(out.voxels - expected)[inside].max() < 0.01
    assert out.interpolated
    assert out.geometry.spacing_mm == pytest.approx((0.7, 0.7, 0.7))


def test_the_isotropic_grid_covers_the_same_place() -> None:
    grid = phantoms.geometry()
    out = isotropic_geometry(grid, 0.5)
    assert out.to_patient((-0.5, -0.5, -0.5)) == pytest.approx(grid.to_patient((-0.5, -0.5, -0.5)))
    assert [n * 0.5 for n in out.shape] == pytest.approx(
        [n * s for n, s in zip(grid.shape, grid.spacing_mm, strict=True)], abs=0.5
    )
    assert out.frame_of_reference_uid == grid.frame_of_reference_uid


def test_integers_stay_integers_and_masks_stay_masks() -> None:
    volume = phantoms.index_volume()
    same = resample_to(volume, volume.geometry)
    assert same.voxels.dtype == np.int16
    assert np.array_equal(same.voxels, volume.voxels)
    mask = Volume(volume.voxels > 500, volume.geometry)
    assert np.array_equal(resample_to(mask, volume.geometry, 0).voxels, mask.voxels)
    with pytest.raises(ValueError, match="order"):
        resample_to(volume, volume.geometry, 3)
    with pytest.raises(ValueError, match="spacing_mm"):
        resample_isotropic(volume, 0.0)


def test_coarse_sampling_averages_instead_of_skipping() -> None:
    grid = phantoms.geometry((12, 48, 48), (1.0, 1.0, 1.0))
    stripes = np.zeros(grid.shape, np.float32)
    stripes[:, :, ::2] = 1000.0
    out = resample_isotropic(Volume(stripes, grid), 4.0, 0.0)
    assert out.voxels[1:-1, 2:-2, 2:-2] == pytest.approx(500.0, abs=60.0)


def test_components_are_sorted_by_size_and_measured() -> None:
    mask = np.zeros((6, 10, 10), np.bool_)
    mask[1:3, 1:4, 1:4] = True
    mask[4, 7:9, 7] = True
    mask[0, 0, 0] = True  # touches the large part by a corner only
    labels, parts = masks.connected_components(mask)
    assert [p.count for p in parts] == [18, 2, 1]
    assert parts[0].centre_index == pytest.approx((1.5, 2.0, 2.0))
    assert parts[1].box == (slice(4, 5), slice(7, 9), slice(7, 8))
    assert [p.count for p in masks.connected_components(mask, corners=True)[1]] == [19, 2]
    assert masks.largest_component(mask).sum() == 18
    assert masks.component_at(mask, (4, 8, 7)).sum() == 2
    assert masks.component_at(mask, (5, 0, 0)).sum() == 0
    assert labels.shape == mask.shape
    assert masks.connected_components(np.zeros((2, 2, 2), np.bool_))[1] == ()
    assert masks.largest_component(np.zeros((2, 2, 2), np.bool_)).sum() == 0


def test_holes_and_tunnels() -> None:
    tube = np.zeros((5, 9, 9), np.bool_)
    tube[:, 2:7, 2:7] = True
    tube[:, 4, 4] = False
    assert masks.fill_holes(tube).sum() == tube.sum()
    assert masks.fill_holes(tube, slice_by_slice=True).sum() == tube.sum() + 5
    ball = tube.copy()
    ball[0, 4, 4] = ball[-1, 4, 4] = True
    assert masks.fill_holes(ball).sum() == ball.sum() + 3


def test_sizes_are_true_on_every_grid() -> None:
    for grid in (phantoms.geometry(), phantoms.oblique_geometry(), phantoms.tilted_geometry()):
        mask = np.zeros(grid.shape, np.bool_)
        mask[3:6, 10:20, 10:14] = True
        k, j, i = phantoms.SPACING_MM
        assert masks.volume_mm3(mask, grid) == pytest.approx(3 * 10 * 4 * k * j * i)
        assert masks.centre_mm(mask, grid) == pytest.approx(grid.to_patient((4.0, 14.5, 11.5)))
    assert masks.centre_mm(np.zeros((2, 2, 2), np.bool_), phantoms.geometry()) is None
    one = np.zeros(phantoms.SHAPE, np.bool_)
    one[6, 20, 24] = True
    grown = np.argwhere(masks.grown_mm(one, phantoms.geometry(), 1.7))
    assert np.abs(grown - [6, 20, 24]).max(axis=0).tolist() == [0, 2, 2]


def _body(grid: object, transform: RigidTransform | None = None) -> Volume:
    """Three different balls in soft tissue in air: no symmetry to hide a wrong turn."""
    points = phantoms.positions_mm(grid)
    if transform is not None:
        back = transform.inverse()
        points = points @ back.rotation.T + back.translation_mm
    points = points - np.asarray([-120.0, 70.0, -1180.0])
    body = (points / [38.0, 28.0, 34.0]) ** 2
    hu = np.where(body.sum(axis=-1) < 1.0, 40.0, -1000.0)
    for centre, radius, value in (
        ((12.0, 5.0, 8.0), 9.0, 900.0),
        ((-14.0, -6.0, 10.0), 7.0, -800.0),
        ((2.0, 10.0, -15.0), 6.0, 500.0),
    ):
        hu[np.linalg.norm(points - np.asarray(centre), axis=-1) < radius] = value
    return Volume(hu.astype(np.int16), grid, "HU")


def test_a_known_rigid_motion_is_found() -> None:
    angle = np.radians(6.0)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    centre = np.asarray([-120.0, 70.0, -1180.0])
    truth = RigidTransform(rotation, centre - rotation @ centre + np.array([7.0, -4.0, 9.0]))
    fixed = _body(phantoms.geometry((44, 70, 90), (2.0, 1.0, 1.0), (-165.0, 35.0, -1224.0)))
    moving = _body(phantoms.geometry((40, 66, 86), (2.5, 1.2, 1.1), (-165.0, 25.0, -1230.0)), truth)
    found = register_rigid(fixed, moving)
    again = register_rigid(fixed, moving)
    assert np.allclose(found.rotation, again.rotation, rtol=0, atol=1e-6)
    assert np.allclose(found.translation_mm, again.translation_mm, rtol=0, atol=1e-3)
    for offset in ((0, 0, 0), (20, 10, -15), (-20, 5, 15)):
        p = tuple(float(v) for v in centre + offset)
        assert np.linalg.norm(np.asarray(found.apply(p)) - np.asarray(truth.apply(p))) < 1.5
    assert found.similarity > 0.9
    assert found.angle_deg() == pytest.approx(6.0, abs=1.5)
    assert found.inverse().apply(found.apply((1.0, 2.0, 3.0))) == pytest.approx((1.0, 2.0, 3.0))
    placed = moved_geometry(moving.geometry, truth)
    inside = moving.geometry.to_patient((10.0, 20.0, 30.0))
    assert placed.to_patient((10.0, 20.0, 30.0)) == pytest.approx(truth.inverse().apply(inside))


def test_cancelling_and_nonsense_are_answers() -> None:
    class Stop:
        def report(self, fraction: float, stage: str = "") -> None:
            del fraction, stage

        def cancelled(self) -> bool:
            return True

    grid = phantoms.geometry((44, 70, 90), (2.0, 1.0, 1.0), (-165.0, 35.0, -1224.0))
    with pytest.raises(Cancelled):
        register_rigid(_body(grid), _body(grid), Stop())
    empty = Volume(np.full(grid.shape, -1000, np.int16), grid, "HU")
    with pytest.raises(ProblemError, match="registration_failed"):
        register_rigid(_body(grid), empty)

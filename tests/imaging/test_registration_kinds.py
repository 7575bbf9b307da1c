"""Where one volume lies in another, to half a voxel: one modality and two, and when the answer is not to be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.volume import Volume
from app.imaging.registration import RigidTransform, correlation, information, register_rigid

MIDDLE = np.asarray([-120.0, 70.0, -1180.0])
CT_VALUES = {"air": -1000.0, "body": 40.0, "bone": 900.0, "lung": -800.0, "node": 120.0}
PET_VALUES = {"air": 0.0, "body": 900.0, "bone": 500.0, "lung": 350.0, "node": 6000.0}
"""Neither rises with the other: bone is brighter in CT and darker in PET than the body around it."""
MR_VALUES = {"air": 3.0, "body": 420.0, "bone": 60.0, "lung": 15.0, "node": 700.0}
FINE = VolumeGeometry.axial((44, 72, 92), (2.0, 1.0, 1.0), (-166.0, 34.0, -1224.0), "1.2.1")
COARSE = VolumeGeometry.axial((34, 28, 34), (3.3, 4.1, 4.1), (-190.0, 8.0, -1236.0), "1.2.2")


def body(grid: VolumeGeometry, values: dict[str, float], shift: Point3 = (0.0, 0.0, 0.0)) -> Volume:
    """Organs without a symmetry, moved by ``shift``; a large voxel is averaged over, as a scanner does."""
    out = np.zeros(grid.shape)
    parts = (-0.25, 0.25) if max(grid.spacing_mm) > 2.0 else (0.0,)
    for dk in parts:
        for dj in parts:
            for di in parts:
                index = np.stack(np.meshgrid(*(np.arange(n, dtype=float) for n in grid.shape), indexing="ij"), axis=-1)
                at = grid.to_patient_many((index + (dk, dj, di)).reshape(-1, 3)) - MIDDLE - np.asarray(shift)
                out += _organs(at, values).reshape(grid.shape) / len(parts) ** 3
    return Volume(out.astype(np.float32), grid, "")


def _organs(at: np.ndarray, values: dict[str, float]) -> np.ndarray:
    found = np.where(((at / [38.0, 28.0, 34.0]) ** 2).sum(axis=-1) < 1.0, values["body"], values["air"])
    for centre, radius, organ in (
        ((12.0, 5.0, 8.0), 9.0, "bone"),
        ((-14.0, -6.0, 10.0), 8.0, "lung"),
        ((2.0, 10.0, -15.0), 7.0, "node"),
        ((16.0, -10.0, -12.0), 6.0, "lung"),
    ):
        found[np.linalg.norm(at - np.asarray(centre), axis=-1) < radius] = values[organ]
    return found


def farthest(found: RigidTransform, shift: Point3) -> float:
    """Millimetres at the worst of seven places of the body."""
    places = [MIDDLE, *(MIDDLE + sign * reach for reach in np.diag([25.0, 18.0, 22.0]) for sign in (-1.0, 1.0))]
    return max(float(np.linalg.norm(np.asarray(found.apply(tuple(p))) - (p + np.asarray(shift)))) for p in places)


@pytest.mark.parametrize(
    ("values", "grid", "same"),
    [(CT_VALUES, FINE, True), (PET_VALUES, COARSE, False), (MR_VALUES, FINE, False)],
    ids=["CT on CT", "PET on CT", "MR on CT"],
)
def test_a_known_shift_is_found_to_half_a_voxel(values: dict[str, float], grid: VolumeGeometry, same: bool) -> None:
    shift = (9.0, -6.0, 11.0)
    found = register_rigid(body(FINE, CT_VALUES), body(grid, values, shift), same_scale=same)
    assert farthest(found, shift) < 0.5 * min(grid.spacing_mm), farthest(found, shift)
    assert not found.poor
    assert found.similarity > 0.6


def test_what_holds_nothing_in_its_place_is_called_poor() -> None:
    """A long even cylinder: along its axis every place is as good as the next."""
    grid = VolumeGeometry.axial((60, 40, 40), (2.0, 2.0, 2.0), (-40.0, -40.0, 0.0), "1.2.1")
    x = np.arange(40) * 2.0 - 40.0
    disc = (x[None, :] ** 2 + x[:, None] ** 2 < 25.0**2) & True
    voxels = np.where(np.broadcast_to(disc, grid.shape), 40.0, -1000.0).astype(np.float32)
    found = register_rigid(Volume(voxels, grid, "HU"), Volume(voxels, grid, "HU"), spacing_mm=2.5)
    assert found.similarity > 0.9, "alike it is"
    assert not found.settled
    assert found.poor


def test_poor_by_its_likeness() -> None:
    here = RigidTransform(np.eye(3), np.zeros(3), 0.3)
    assert here.poor
    assert not RigidTransform(np.eye(3), np.zeros(3), 0.9).poor
    assert RigidTransform(np.eye(3), np.zeros(3), 0.9, False).inverse().poor


def test_information_is_told_on_the_scale_of_a_correlation() -> None:
    rng = np.random.default_rng(5)
    a = rng.normal(size=60_000)
    for rho in (0.9, 0.6, 0.0):
        b = rho * a + np.sqrt(1 - rho**2) * rng.normal(size=a.size)
        assert information(a, b) == pytest.approx(rho, abs=0.06)
        assert correlation(a, b) == pytest.approx(rho, abs=0.02)
    folded = np.abs(a)
    assert abs(correlation(a, folded)) < 0.02, "a correlation does not see it"
    assert information(a, folded) > 0.8
    assert information(a, np.zeros_like(a)) == 0.0

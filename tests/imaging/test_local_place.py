"""A block of lung is found where the breath has put it, and stays where nothing holds it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.volume import Volume
from app.imaging.local_place import local_place
from app.imaging.registration import RigidTransform

GEOMETRY = VolumeGeometry.axial((60, 70, 70), (2.5, 1.5, 1.5), (-301.0, 217.0, -512.0))
MIDDLE = GEOMETRY.to_patient((30.0, 35.0, 35.0))


def lung(seed: int = 1) -> Volume:
    """Vessels like threads in lung: smooth noise above a threshold."""
    grain = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(GEOMETRY.shape), (1.0, 1.6, 1.6))
    return Volume(np.where(grain > 2.0 * grain.std(), 0, -850).astype(np.int16), GEOMETRY, "HU")


def shifted(volume: Volume, by_mm: Point3) -> Volume:
    """The content moved by ``by_mm`` (x, y, z) in the patient."""
    k, j, i = (s / step for s, step in zip(by_mm[::-1], GEOMETRY.spacing_mm, strict=True))
    return replace(volume, voxels=ndimage.shift(volume.voxels, (k, j, i), order=1, mode="nearest"))


def test_the_block_is_found_where_the_breath_put_it() -> None:
    then = lung()
    now = shifted(then, (0.0, -3.0, 10.0))
    here = (MIDDLE[0], MIDDLE[1] - 3.0, MIDDLE[2] + 10.0)
    found = local_place(now, then, RigidTransform(np.eye(3), np.zeros(3)), here)
    assert np.linalg.norm(np.subtract(found.place_mm, MIDDLE)) < 2.0
    assert found.shift_mm == pytest.approx(np.hypot(3.0, 10.0), abs=2.0)
    assert found.alike > 0.8


def test_a_turned_patient_is_looked_at_along_his_own_axes() -> None:
    then = lung()
    angle = np.radians(20.0)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    middle = np.asarray(MIDDLE)
    index = np.indices(GEOMETRY.shape).reshape(3, -1).T.astype(float)
    source = (GEOMETRY.to_patient_many(index) - middle) @ rotation.T + middle + (0.0, 0.0, -6.0)
    values = ndimage.map_coordinates(then.voxels, GEOMETRY.to_index_many(source).T, order=1, mode="nearest")
    now = replace(then, voxels=values.reshape(GEOMETRY.shape))
    # The registration knows the turn, not the 6 mm of breath.
    rigid = RigidTransform(rotation, middle - rotation @ middle)
    found = local_place(now, then, rigid, MIDDLE)
    assert np.linalg.norm(np.subtract(found.place_mm, (MIDDLE[0], MIDDLE[1], MIDDLE[2] - 6.0))) < 2.0


def test_what_nothing_holds_stays_where_the_registration_has_it() -> None:
    rigid = RigidTransform(np.eye(3), np.array([4.0, 0.0, 0.0]))
    even = replace(lung(), voxels=np.full(GEOMETRY.shape, -850, np.int16))
    for now, then in ((even, lung()), (lung(1), lung(2))):
        found = local_place(now, then, rigid, MIDDLE)
        assert (found.place_mm, found.shift_mm, found.alike) == (rigid.apply(MIDDLE), 0.0, 0.0)

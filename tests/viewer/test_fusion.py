"""PET over CT right to half a voxel on phantoms with different, also turned grids; subtraction and flicker exact."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.pixels import VoiFunction, VoiWindow
from app.domain.volume import Volume
from app.viewer.compositor import geometry_of, render
from app.viewer.fusion import over_values
from app.viewer.layers import FusionLayer, ImageLayer, OverMode
from app.viewer.luts import lut
from app.viewer.view_state import Appearance, Plane, ViewState, resolve
from tests.viewer.scenes import FRAME, ORIGIN, centroid, geometries, landmark_volume

SIZE = (360, 320)
CT = VolumeGeometry.axial((40, 64, 72), (1.5, 0.5, 0.5), ORIGIN, FRAME)
LANDMARK: Point3 = CT.to_patient((20.0, 30.0, 33.0))
TURN = math.radians(12.0)
START: Point3 = (ORIGIN[0] - 3.3, ORIGIN[1] - 2.2, ORIGIN[2] - 1.1)
END: Point3 = (ORIGIN[0] + 40.0, ORIGIN[1] - 2.0, ORIGIN[2] + 62.0)
PET_GRIDS = {
    "coarser": VolumeGeometry.axial(
        (20, 20, 22), (3.3, 2.1, 1.9), (ORIGIN[0] - 3.3, ORIGIN[1] - 2.2, ORIGIN[2] - 1.1), FRAME
    ),
    "turned": VolumeGeometry(
        (ORIGIN[0] - 2.0, ORIGIN[1] + 3.0, ORIGIN[2] - 2.0),
        (0.0, 0.0, 3.3),
        (-2.1 * math.sin(TURN), 2.1 * math.cos(TURN), 0.0),
        (1.9 * math.cos(TURN), 1.9 * math.sin(TURN), 0.0),
        (20, 20, 22),
        FRAME,
    ),
    "head first, feet down": VolumeGeometry(
        END,
        (0.0, 0.0, -3.3),
        (0.0, 2.1, 0.0),
        (-1.9, 0.0, 0.0),
        (20, 20, 22),
        FRAME,
    ),
}


def base() -> ImageLayer:
    return ImageLayer(Appearance(VoiWindow(40, 400)), volume=Volume(np.full(CT.shape, 40, np.int16), CT, "HU"))


@pytest.mark.parametrize("plane", [Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL, Plane.OBLIQUE])
@pytest.mark.parametrize("grid", PET_GRIDS)
def test_uptake_lies_where_the_anatomy_is(grid: str, plane: Plane) -> None:
    pet = landmark_volume(PET_GRIDS[grid], LANDMARK, sigma_mm=4.0)
    c, s = math.cos(0.3), math.sin(0.3)
    view = ViewState(plane=plane, point_mm=LANDMARK, oblique_row=(c, s, 0.0), oblique_column=(0.0, 0.0, -1.0))
    resolved = resolve(view, SIZE, geometry_of(base(), view))
    layer = FusionLayer(pet, pet.geometry)
    values, there = over_values(layer, resolved)
    x, y = centroid(values * there)
    expected = resolved.patient_to_pane(LANDMARK)
    assert expected is not None
    mm = resolved.mm_per_pane_px
    assert mm is not None
    half_voxel = 0.5 * min(pet.geometry.spacing_mm)
    assert math.hypot(x - expected[0], y - expected[1]) * mm < half_voxel


def test_the_blend_is_the_table_of_the_colours_and_leaves_weak_uptake_open() -> None:
    even = Volume(np.full(CT.shape, 5.0, np.float32), CT, "SUVbw")
    for value, level in ((10.0, 255), (5.0, 128), (0.0, 0)):
        look = Appearance(VoiWindow(5.0, 10.0, VoiFunction.LINEAR_EXACT), "hot_iron", 0.6)
        layer = FusionLayer(replace(even, voxels=np.full(CT.shape, value, np.float32)), CT, look)
        view = ViewState(plane=Plane.AXIAL, point_mm=LANDMARK)
        picture = render(view, (base(), layer), SIZE)
        alone = render(view, (base(),), SIZE)
        y, x = SIZE[1] // 2, SIZE[0] // 2
        grey = float(alone.pixels[y, x])
        alpha = 0.6 * min(1.0, level / 127.5)
        rgb = lut("hot_iron")[level].astype(float)
        assert picture.pixels[y, x, 2::-1] == pytest.approx(np.floor(grey * (1 - alpha) + rgb * alpha + 0.5), abs=1)


def test_nothing_is_painted_where_the_second_volume_is_not() -> None:
    small = Volume(np.full((4, 6, 6), 9.0, np.float32), CT.cropped(slice(18, 22), slice(27, 33), slice(30, 36)))
    view = ViewState(plane=Plane.AXIAL, point_mm=LANDMARK)
    layer = FusionLayer(small, small.geometry, Appearance(VoiWindow(5, 10), "hot_iron", 1.0))
    fused, alone = render(view, (base(), layer), SIZE), render(view, (base(),), SIZE)
    changed = (fused.pixels[..., :3] != alone.pixels[..., None]).any(axis=2)
    resolved = fused.resolved
    ys, xs = np.nonzero(changed)
    assert len(xs) > 0
    for px, py in ((xs.min(), ys.min()), (xs.max(), ys.max())):
        at = resolved.pane_to_patient(px + 0.5, py + 0.5)
        assert at is not None
        k, j, i = small.geometry.to_index(at)
        assert -0.6 <= j <= 5.6
        assert -0.6 <= i <= 5.6
    off = ViewState(plane=Plane.AXIAL, point_mm=CT.to_patient((2.0, 30.0, 30.0)))
    far = render(off, (base(), layer), SIZE)
    assert np.array_equal(far.pixels[..., 0], render(off, (base(),), SIZE).pixels)


def test_difference_is_first_less_second_and_flicker_is_the_second_alone() -> None:
    first = Volume(np.full(CT.shape, 100, np.int16), CT, "HU")
    second = Volume(np.full(CT.shape, 40, np.int16), CT, "HU")
    view = ViewState(plane=Plane.AXIAL, point_mm=LANDMARK)
    layers = (ImageLayer(Appearance(VoiWindow(100, 200)), volume=first),)
    window = VoiWindow(0.0, 200.0, VoiFunction.LINEAR_EXACT)
    change = render(view, (*layers, FusionLayer(second, CT, Appearance(window), OverMode.DIFFERENCE)), SIZE)
    y, x = SIZE[1] // 2, SIZE[0] // 2
    assert int(change.pixels[y, x]) == pytest.approx((60 + 100) / 200 * 255, abs=1)
    same = render(view, (*layers, FusionLayer(first, CT, Appearance(window), OverMode.DIFFERENCE)), SIZE)
    assert int(same.pixels[y, x]) == pytest.approx(127.5, abs=1)
    other = render(view, (*layers, FusionLayer(second, CT, Appearance(), OverMode.SECOND)), SIZE)
    expected = render(view, (ImageLayer(Appearance(VoiWindow(100, 200)), volume=second),), SIZE)
    assert other.pixels[y, x] == expected.pixels[y, x]


def test_every_phantom_grid_of_the_house_is_covered_as_its_index_says() -> None:
    for geometry in geometries().values():
        pet = Volume(np.ones(geometry.shape, np.float32), geometry)
        centre = geometry.to_patient(tuple((n - 1) / 2 for n in geometry.shape))  # type: ignore[arg-type]
        own = CT if geometry.to_index(centre) else CT
        view = ViewState(plane=Plane.AXIAL, point_mm=centre)
        resolved = resolve(view, (90, 80), geometry_of(ImageLayer(volume=Volume(np.zeros(own.shape, np.int16), own)), view))
        _, there = over_values(FusionLayer(pet, geometry), resolved)
        for py in range(0, 80, 7):
            for px in range(0, 90, 7):
                at = resolved.pane_to_patient(px + 0.5, py + 0.5)
                assert at is not None
                index = geometry.to_index(at)
                inside = all(-0.5 <= v <= n - 0.5 for v, n in zip(index, geometry.shape, strict=True))
                edge = any(min(abs(v + 0.5), abs(v - n + 0.5)) < 1e-6 for v, n in zip(index, geometry.shape, strict=True))
                assert edge or bool(there[py, px]) == inside

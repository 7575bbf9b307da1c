"""Volume rendering: landmarks where the plane's geometry says, cuts, reduction told, a turn that keeps right angles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.domain.geometry import VolumeGeometry
from app.domain.pixels import VoiWindow
from app.domain.volume import Volume
from app.viewer.compositor import geometry_of, render
from app.viewer.decorations import edge_letters
from app.viewer.layers import ImageLayer
from app.viewer.tools.turn import turned
from app.viewer.view_state import Appearance, Plane, ViewState, resolve, volume_centre
from app.viewer.volume_presets import volume_preset, volume_presets, volume_presets_for
from app.viewer.volume_render import MOST_VOXELS, moved, reduced, reduction, render_volume
from tests.viewer.scenes import FRAME, ORIGIN, centroid

SIZE = (200, 180)
LEVEL = VoiWindow(500, 1000)
GRIDS = {
    "axial": VolumeGeometry.axial((40, 48, 56), (2.0, 1.0, 0.8), ORIGIN, FRAME),
    "turned": VolumeGeometry(
        ORIGIN, (0.0, 0.0, -2.0), (0.6, 0.8, 0.0), (0.64, -0.48, 0.0), (40, 48, 56), FRAME
    ),
}  # fmt: skip


def beads(geometry: VolumeGeometry, points: list[tuple[float, float, float]]) -> Volume:
    k, j, i = np.meshgrid(*(np.arange(n, dtype=float) for n in geometry.shape), indexing="ij")
    at = geometry.to_patient_many(np.stack([k.ravel(), j.ravel(), i.ravel()], 1))
    values = np.full(geometry.shape, -1000, np.int16)
    for p in points:
        near = np.linalg.norm(at - np.asarray(geometry.to_patient(p)), axis=1).reshape(geometry.shape) < 4.0
        values[near] = 1000
    return Volume(values, geometry, "HU")


def from_the(view: ViewState, volume: Volume) -> object:
    return resolve(view, SIZE, geometry_of(ImageLayer(Appearance(LEVEL), volume=volume), view))


@pytest.mark.parametrize("preset", ["bone", "mip"])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_bead_is_painted_where_the_pane_s_geometry_says(grid: str, preset: str) -> None:
    geometry = GRIDS[grid]
    where = (28.0, 14.0, 40.0)
    volume = beads(geometry, [where])
    c, s = math.cos(0.4), math.sin(0.4)
    for row, column in (
        ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
        ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
        ((c, s, 0.0), (0.0, 0.0, -1.0)),
        ((1.0, 0.0, 0.0), (0.0, c, -s)),
    ):
        view = ViewState(
            plane=Plane.RENDERED,
            point_mm=volume_centre(geometry),
            oblique_row=row,
            oblique_column=column,
            zoom=1.2,
            pan=(0.05, -0.04),
        )
        resolved = from_the(view, volume)
        for moving in (True, False):
            pixels = render_volume(volume, resolved, volume_preset(preset, "HU"), LEVEL, moving=moving)  # type: ignore[arg-type]
            expected = resolved.patient_to_pane(geometry.to_patient(where))  # type: ignore[attr-defined]
            found = centroid(pixels.astype(float).sum(axis=2))
            assert math.dist(found, expected[:2]) * resolved.mm_per_pane_px < 1.0  # type: ignore[attr-defined]


def test_the_nearer_of_two_beads_hides_the_other_and_a_cut_uncovers_it() -> None:
    geometry = GRIDS["axial"]
    front, back = (20.0, 8.0, 20.0), (20.0, 40.0, 20.0)
    volume = beads(geometry, [back])
    view = ViewState(
        plane=Plane.RENDERED, point_mm=volume_centre(geometry), oblique_row=(1.0, 0.0, 0.0), oblique_column=(0.0, 0.0, -1.0)
    )
    resolved = from_the(view, volume)
    look = volume_preset("bone", "HU")
    whole = render_volume(volume, resolved, look, LEVEL, moving=True)  # type: ignore[arg-type]
    without_front = render_volume(volume, resolved, look, LEVEL, (0, 1, 0.5, 1, 0, 1), moving=True)  # type: ignore[arg-type]
    without_back = render_volume(volume, resolved, look, LEVEL, (0, 1, 0, 0.5, 0, 1), moving=True)  # type: ignore[arg-type]
    assert whole.any()
    assert without_front.any()
    assert not without_back.any()
    assert render_volume(volume, resolved, look, LEVEL, moving=True).any()  # type: ignore[arg-type]
    assert render_volume(beads(geometry, [front]), resolved, look, LEVEL, (0, 1, 0, 0.5, 0, 1), moving=True).any()  # type: ignore[arg-type]


def test_letters_and_scale_are_those_of_the_camera() -> None:
    geometry = GRIDS["axial"]
    volume = beads(geometry, [(20.0, 20.0, 20.0)])
    view = ViewState(plane=Plane.RENDERED, oblique_row=(1.0, 0.0, 0.0), oblique_column=(0.0, 0.0, -1.0))
    layer = ImageLayer(Appearance(LEVEL), volume=volume)
    picture = render(view, (layer,), SIZE, draft=True)
    assert picture.pixels.shape == (SIZE[1], SIZE[0], 4)
    assert edge_letters(picture.resolved) == ("R", "L", "H", "F")
    assert picture.resolved.interpolated


def test_large_volumes_are_reduced_in_their_place() -> None:
    assert reduction((600, 512, 512)) == 2
    assert reduction((100, 256, 256)) == 1
    geometry = VolumeGeometry.axial((9, 12, 15), (2.0, 1.0, 0.5), ORIGIN)
    k, j, i = np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij")
    values = (k * 1000 + j * 30 + i * 2).astype(np.int16)
    volume = Volume(values, geometry, "HU")
    small = reduced(volume, most=9 * 12 * 15 // 8)
    assert small.geometry.shape == (3, 4, 5)
    for index in ((0, 0, 0), (2, 3, 4), (1, 2, 3)):
        at = geometry.to_index(small.geometry.to_patient(tuple(float(v) for v in index)))  # type: ignore[arg-type]
        expected = at[0] * 1000 + at[1] * 30 + at[2] * 2
        assert small.voxels[index] == pytest.approx(expected, abs=1)
    assert reduced(volume) is volume
    assert math.prod(geometry.shape) < MOST_VOXELS


def test_a_turn_keeps_the_axes_at_right_angles_and_comes_back() -> None:
    view = ViewState(plane=Plane.CORONAL)
    once = turned(view, 30.0, 0.0, (1.0, 2.0, 3.0))
    assert once.plane is Plane.OBLIQUE
    assert once.point_mm == (1.0, 2.0, 3.0)
    row, column = np.asarray(once.oblique_row), np.asarray(once.oblique_column)
    assert abs(float(row @ column)) < 1e-12
    assert column == pytest.approx((0.0, 0.0, -1.0))
    assert abs(math.degrees(math.acos(row[0]))) == pytest.approx(30.0)
    back = turned(once, -30.0, 0.0, None)
    assert back.oblique_row == pytest.approx((1.0, 0.0, 0.0))
    rendered = turned(ViewState(plane=Plane.RENDERED), 10.0, -25.0, None)
    assert rendered.plane is Plane.RENDERED


def test_looks_belong_to_a_unit_and_every_modality_has_one() -> None:
    assert {p.name for p in volume_presets_for("HU")} == {"bone", "vessels", "lung", "skin", "mip"}
    assert [p.name for p in volume_presets_for("")] == ["mip"]
    assert volume_preset("bone", "").name == "mip"
    for preset in volume_presets():
        assert all(0 <= o <= 1 for _, o in preset.opacity)
        assert list(preset.opacity) == sorted(preset.opacity)


def test_a_resting_picture_that_is_overtaken_is_still_a_picture() -> None:
    geometry = GRIDS["axial"]
    volume = beads(geometry, [(20.0, 20.0, 20.0)])
    view = ViewState(plane=Plane.RENDERED, oblique_row=(1.0, 0.0, 0.0), oblique_column=(0.0, 0.0, -1.0))
    resolved = from_the(view, volume)
    render_volume(volume, resolved, volume_preset("bone", "HU"), LEVEL, moving=True)  # type: ignore[arg-type]
    moved()
    assert render_volume(volume, resolved, volume_preset("bone", "HU"), LEVEL).any()  # type: ignore[arg-type]

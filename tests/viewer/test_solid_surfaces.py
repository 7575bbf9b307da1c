"""Surfaces: a cube and a ball have their area and volume on any grid; colours, clipping, counts that are told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.domain.finding import SegmentMask
from app.domain.geometry import VolumeGeometry
from app.domain.pixels import VoiWindow
from app.domain.volume import Volume
from app.imaging.airway import airway, enclosed
from app.viewer.compositor import geometry_of
from app.viewer.layers import ImageLayer, LabelLayer, MaskLayer
from app.viewer.mesh import Mesh
from app.viewer.solid_masks import MOST_TRIANGLES_MOVING, PASSES, SolidMask, mask_mesh, value_mesh
from app.viewer.solid_view import render_solid
from app.viewer.view_state import Appearance, Plane, ViewState, resolve, volume_centre
from app.viewer.volume_engine import quick
from app.viewer.volume_parts import VolumeCut
from app.viewer.volume_presets import SurfaceLook, volume_preset
from tests.viewer.scenes import FRAME, ORIGIN

SIZE = (160, 160)
GRIDS = {
    "axial": VolumeGeometry.axial((30, 44, 60), (2.0, 1.25, 0.9), ORIGIN, FRAME),
    "feet first": VolumeGeometry(ORIGIN, (0.0, 0.0, -2.0), (0.0, 1.25, 0.0), (0.9, 0.0, 0.0), (30, 44, 60), FRAME),
    "oblique": VolumeGeometry(ORIGIN, (0.0, 0.0, -2.0), (0.75, 1.0, 0.0), (0.72, -0.54, 0.0), (30, 44, 60), FRAME),
}
"""The second is left-handed."""
BOX = (slice(6, 21), slice(8, 36), slice(10, 50))


def box_mask(geometry: VolumeGeometry) -> SolidMask:
    values = np.zeros(geometry.shape, dtype=bool)
    values[BOX] = True
    return SolidMask(values, geometry, (200, 40, 40))


def sides(geometry: VolumeGeometry) -> tuple[float, ...]:
    return tuple((s.stop - s.start) * mm for s, mm in zip(BOX, geometry.spacing_mm, strict=True))


@pytest.mark.parametrize("grid", GRIDS)
def test_a_box_has_its_volume_area_and_place_on_any_grid(grid: str) -> None:
    """Within 1.5 % unsmoothed (edges are bevelled by half a voxel) and 3 % smoothed; the outside is outside."""
    geometry = GRIDS[grid]
    a, b, c = sides(geometry)
    for passes, part in ((0, 0.015), (PASSES, 0.03)):
        mesh = mask_mesh(quick, box_mask(geometry), False, passes)
        assert mesh.volume() == pytest.approx(a * b * c, rel=part)
        assert mesh.area() == pytest.approx(2 * (a * b + b * c + a * c), rel=0.05)
        assert not mesh.is_fewer
        middle = geometry.to_patient(((6 + 20) / 2, (8 + 35) / 2, (10 + 49) / 2))
        low, high = mesh.extent()
        assert (low + high) / 2 == pytest.approx(middle, abs=0.05)
    corners = np.array([[k, j, i] for k in (5.5, 20.5) for j in (7.5, 35.5) for i in (9.5, 49.5)])
    outer = geometry.to_patient_many(corners)
    low, high = mask_mesh(quick, box_mask(geometry), False, 0).extent()
    # The sides lie at the voxels' outer borders.
    if grid != "oblique":
        assert low == pytest.approx(outer.min(axis=0), abs=1e-3)
        assert high == pytest.approx(outer.max(axis=0), abs=1e-3)


def test_a_ball_between_values_has_its_size_to_a_hundredth() -> None:
    geometry = VolumeGeometry.axial((40, 50, 60), (1.5, 1.2, 1.0), ORIGIN, FRAME)
    k, j, i = np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij")
    at = geometry.to_patient_many(np.stack([k.ravel(), j.ravel(), i.ravel()], 1))
    far = np.linalg.norm(at - np.asarray(volume_centre(geometry)), axis=1).reshape(geometry.shape)
    values = np.clip(1000 - 100 * (far - 20.0), -1000, 3000).astype(np.int16)  # 1000 HU at a radius of 20 mm
    mesh = value_mesh(quick, Volume(values, geometry, "HU"), SurfaceLook(1000, None, (0, 0, 0)), False)
    assert mesh.volume() == pytest.approx(4 / 3 * math.pi * 20.0**3, rel=0.01)
    assert mesh.area() == pytest.approx(4 * math.pi * 20.0**2, rel=0.01)


def test_what_touches_the_sides_is_closed_there() -> None:
    geometry = VolumeGeometry.axial((10, 12, 14), (1.0, 1.0, 1.0), ORIGIN)
    whole = SolidMask(np.ones(geometry.shape, dtype=bool), geometry, (1, 2, 3))
    assert mask_mesh(quick, whole, False, 0).volume() == pytest.approx(10 * 12 * 14, rel=0.03)
    empty = SolidMask(np.zeros(geometry.shape, dtype=bool), geometry, (1, 2, 3))
    assert mask_mesh(quick, empty, False).triangles == 0


def test_too_many_triangles_are_made_fewer_and_counted() -> None:
    rng = np.random.default_rng(3)
    geometry = VolumeGeometry.axial((60, 70, 80), (1.0, 1.0, 1.0), ORIGIN)
    rough = SolidMask(rng.random(geometry.shape) < 0.5, geometry, (1, 2, 3))
    mesh = mask_mesh(quick, rough, True, 0)
    assert mesh.made > MOST_TRIANGLES_MOVING
    assert 0 < mesh.triangles <= MOST_TRIANGLES_MOVING
    assert mesh.is_fewer


def test_a_mesh_of_known_sides() -> None:
    points = np.array([[0, 0, 0], [2, 0, 0], [0, 3, 0], [0, 0, 4]], np.float32) + 100
    corners = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    tetrahedron = Mesh(points, corners)
    assert tetrahedron.volume() == pytest.approx(4.0)
    assert tetrahedron.area() == pytest.approx(3 + 4 + 6 + math.sqrt(61.0))
    assert Mesh(points, corners[:, ::-1]).volume() == pytest.approx(-4.0)


FRONT = ViewState(
    plane=Plane.RENDERED, oblique_row=(1.0, 0.0, 0.0), oblique_column=(0.0, 0.0, -1.0), volume_preset="segments"
)


@pytest.mark.parametrize("draft", [True, False])
def test_segments_stand_in_their_place_and_colour_and_a_crop_cuts_them(draft: bool) -> None:
    geometry = VolumeGeometry.axial((40, 40, 40), (1.0, 1.0, 1.0), ORIGIN, FRAME)
    image = ImageLayer(volume=Volume(np.zeros(geometry.shape, np.int16), geometry, "HU"))
    right, left = np.zeros(geometry.shape, dtype=bool), np.zeros(geometry.shape, dtype=bool)
    right[10:30, 10:30, 4:14] = True
    left[10:30, 10:30, 26:36] = True
    layers = (
        image,
        MaskLayer(SegmentMask("r", right, geometry), (220, 30, 30)),
        MaskLayer(SegmentMask("l", left, geometry), (30, 30, 220)),
        MaskLayer(SegmentMask("off", left, geometry), (30, 220, 30), Appearance(visible=False)),
    )
    picture = render_solid(FRONT, layers, SIZE, draft=draft, finest=not draft)
    assert [n.code for n in picture.notes][:1] == ["viewer.surface.smoothed"]
    resolved = resolve(FRONT, SIZE, geometry_of(image, FRONT))
    for index, bright in (((20, 20, 9), 2), ((20, 20, 31), 0)):
        x, y, _ = resolved.patient_to_pane(geometry.to_patient(index)) or (0, 0, 0)
        blue, green, red, _ = (int(v) for v in picture.pixels[int(y), int(x)])
        assert (blue, green, red)[bright] > 100
        assert max((blue, green, red)) == (blue, green, red)[bright]
    cut = ViewState(**{**FRONT.__dict__, "crop": (0.0, 0.5, 0.0, 1.0, 0.0, 1.0)})
    pixels = render_solid(cut, layers, SIZE, draft=draft, finest=not draft).pixels
    assert pixels[:, :80, 2].any()
    assert not pixels[:, 84:, :3].any()


def test_a_mask_shown_alone_takes_other_surfaces_away_and_a_hidden_one_its_own() -> None:
    geometry = VolumeGeometry.axial((40, 40, 40), (1.0, 1.0, 1.0), ORIGIN, FRAME)
    image = ImageLayer(volume=Volume(np.zeros(geometry.shape, np.int16), geometry, "HU"))
    right, left = np.zeros(geometry.shape, dtype=bool), np.zeros(geometry.shape, dtype=bool)
    right[10:30, 10:30, 4:14] = True
    left[10:30, 10:30, 26:36] = True
    layers = (
        image,
        MaskLayer(SegmentMask("r", right, geometry), (220, 30, 30)),
        MaskLayer(SegmentMask("l", left, geometry), (30, 30, 220)),
    )
    for hide in (False, True):
        # The cut lies on a grid of its own: the right half's box alone.
        box = geometry.cropped(slice(10, 30), slice(10, 30), slice(4, 14))
        cut = VolumeCut(np.ones((20, 20, 10), dtype=bool), box, hide, f"{hide}")
        pixels = render_solid(FRONT, layers, SIZE, finest=True, cut=cut).pixels
        assert pixels[:, :80, 2].any() != hide
        assert pixels[:, 80:, 0].any() == hide


def test_a_label_map_becomes_a_surface_for_each_number() -> None:
    geometry = VolumeGeometry.axial((20, 20, 20), (1.0, 1.0, 1.0), ORIGIN, FRAME)
    image = ImageLayer(volume=Volume(np.zeros(geometry.shape, np.int16), geometry, "HU"))

    class Grid:
        complete = True
        labels = np.zeros((20, 20, 20), np.uint8)

        def __init__(self) -> None:
            self.geometry = geometry
            self.labels[5:15, 5:15, 2:8] = 1
            self.labels[5:15, 5:15, 12:18] = 7

        def plane(self, k: int) -> np.ndarray:
            return self.labels[k]

        def whole(self) -> np.ndarray:
            return self.labels

    rgb = np.zeros((256, 3), np.uint8)
    rgb[1], rgb[7] = (250, 20, 20), (20, 250, 20)
    layer = LabelLayer(Grid(), rgb, np.zeros(1, np.int32))
    pixels = render_solid(FRONT, (image, layer), SIZE, finest=True).pixels
    assert pixels[80, 40, 2] > 100 > pixels[80, 40, 1]
    assert pixels[80, 120, 1] > 100 > pixels[80, 120, 2]


def test_air_inside_is_what_does_not_reach_the_sides() -> None:
    geometry = VolumeGeometry.axial((30, 60, 60), (1.0, 1.0, 1.0), ORIGIN)
    air = np.ones(geometry.shape, dtype=bool)
    air[:, 8:52, 8:52] = False  # the body
    air[:, 25:35, 25:35] = True  # a windpipe through all slices
    air[10, 12, 12] = True  # noise
    inside = enclosed(air, geometry)
    expected = np.zeros_like(air)
    expected[:, 25:35, 25:35] = True
    assert np.array_equal(inside, expected)
    assert not enclosed(np.zeros_like(air), geometry).any()


def test_a_threshold_surface_says_from_which_value_and_how_it_was_smoothed() -> None:
    geometry = VolumeGeometry.axial((24, 24, 24), (1.0, 1.0, 1.0), ORIGIN, FRAME)
    values = np.full(geometry.shape, -1000, np.int16)
    values[6:18, 6:18, 6:18] = 1200
    layer = ImageLayer(Appearance(VoiWindow(40, 400)), volume=Volume(values, geometry, "HU"))
    view = ViewState(**{**FRONT.__dict__, "volume_preset": "surface_bone"})
    picture = render_solid(view, (layer,), SIZE, finest=True)
    assert [(n.code, dict(n.params)) for n in picture.notes] == [
        ("viewer.surface.from", {"value": 200}),
        ("viewer.surface.smoothed", {"n": PASSES}),
    ]
    red, green, blue = volume_preset("surface_bone", "HU").surface.rgb  # type: ignore[union-attr]
    shown = picture.pixels[80, 80, :3].astype(int)
    assert shown[2] > shown[0]
    assert red > blue
    assert green > 0


@pytest.mark.parametrize("feet_first", [False, True])
def test_the_airway_grows_from_the_windpipe_and_stops_before_it_runs_out_into_the_lung(feet_first: bool) -> None:
    geometry = VolumeGeometry.axial((60, 100, 110), (2.0, 1.6, 1.6), ORIGIN, FRAME)
    k, j, i = np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij")
    values = np.full(geometry.shape, -1000.0, np.float32)
    values[:, 10:90, 8:102] = 40.0
    lungs = (((j - 50) / 30) ** 2 + ((abs(i - 55) - 24) / 17) ** 2 < 1) & (k > 4) & (k < 50)
    values[lungs] = -860.0
    pipe = ((j - 50) ** 2 + (i - 55) ** 2 < 5**2) & (k >= 25)
    branch = ((j - 50) ** 2 + (k - 25) ** 2 < 4**2) & (abs(i - 55) < 22)
    wall = ((j - 50) ** 2 + (k - 25) ** 2 < 6**2) & (abs(i - 55) < 24)
    values[wall] = -700.0
    values[pipe | branch] = -990.0
    if feet_first:
        geometry = VolumeGeometry(
            geometry.to_patient((59, 0, 0)), (0.0, 0.0, -2.0), (0.0, 1.6, 0.0), (1.6, 0.0, 0.0), (60, 100, 110)
        )
        values, pipe, branch = values[::-1], pipe[::-1], branch[::-1]
    found = airway(values, geometry)
    assert found is not None
    mask, level = found
    assert -980.0 <= level < -780.0
    assert np.array_equal(mask, pipe | branch)
    values[pipe] = 40.0
    assert airway(values, geometry) is None

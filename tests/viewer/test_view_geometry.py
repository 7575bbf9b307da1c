"""Where a landmark lies in the patient is where it lies on the pane: every grid, plane, turn and mirror."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.domain.geometry import PlaneGeometry
from app.domain.pixels import VoiWindow
from app.viewer.actions import ACTIONS
from app.viewer.compositor import geometry_of, render
from app.viewer.decorations import edge_letters
from app.viewer.layers import ImageLayer
from app.viewer.view_state import (
    Appearance,
    ImageGeometry,
    Plane,
    ViewState,
    fit_scale,
    one_to_one,
    resolve,
    true_size,
    zoom_about,
)
from tests.viewer.scenes import centroid, geometries, landmark_volume

SIZE = (260, 220)
LOOK = Appearance(VoiWindow(1000, 2000))
S = math.sqrt(0.5)
VIEWS = {
    "plain": ViewState(),
    "quarter": ViewState(rotation_deg=90),
    "turned": ViewState(rotation_deg=-33.0, zoom=0.8),
    "mirrored": ViewState(flip_h=True, pan=(0.05, -0.03)),
    "both": ViewState(flip_v=True, rotation_deg=270, zoom=1.4),
}


@pytest.mark.parametrize("plane", [p for p in Plane if p not in (Plane.CURVED, Plane.RENDERED)])
@pytest.mark.parametrize("kind", list(geometries()))
def test_landmarks_lie_where_the_geometry_says(kind: str, plane: Plane) -> None:
    geometry = geometries()[kind]
    point = geometry.to_patient((11.0, 17.0, 30.0))
    volume = landmark_volume(geometry, point)
    layer = ImageLayer(LOOK, volume=volume)
    for name, base in VIEWS.items():
        view = replace(
            base, plane=plane, frame_index=11, point_mm=point, oblique_row=(S, S, 0.0), oblique_column=(0.0, 0.0, -1.0)
        )
        picture = render(view, [layer], SIZE)
        expected = picture.resolved.patient_to_pane(point)
        assert expected is not None
        assert abs(expected[2]) < max(geometry.spacing_mm), name
        got = centroid(picture.pixels)
        assert got == pytest.approx(expected[:2], abs=0.6), name


@pytest.mark.parametrize("kind", list(geometries()))
def test_a_slab_holds_the_landmark_of_a_neighbouring_slice(kind: str) -> None:
    geometry = geometries()[kind]
    point = geometry.to_patient((11.0, 17.0, 30.0))
    layer = ImageLayer(LOOK, volume=landmark_volume(geometry, point))
    for plane in (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL):
        normal = np.asarray(geometry_of(layer, ViewState(plane=plane, point_mm=point)).plane.normal)
        beside = tuple(float(v) for v in np.asarray(point) + normal * 8.0)
        thin = render(ViewState(plane=plane, point_mm=beside), [layer], SIZE)
        thick = render(ViewState(plane=plane, point_mm=beside, slab_mm=24.0), [layer], SIZE)
        assert thin.pixels.max() < 60
        assert thick.pixels.max() > 200
        at = thick.resolved.patient_to_pane(point)
        assert centroid(thick.pixels) == pytest.approx(at[:2], abs=0.6)


@pytest.mark.parametrize("base", VIEWS.values(), ids=list(VIEWS))
def test_transforms_go_there_and_back(base: ViewState) -> None:
    plane = PlaneGeometry((-40.0, 12.0, 700.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), 0.9, 0.4, 60, 90, "1.2")
    resolved = resolve(base, SIZE, ImageGeometry.of_plane(plane))
    for x, y in ((0.0, 0.0), (259.5, 3.25), (100.0, 200.0)):
        assert resolved.px_to_pane(*resolved.pane_to_px(x, y)) == pytest.approx((x, y))
        point = resolved.pane_to_patient(x, y)
        assert resolved.patient_to_pane(point) == pytest.approx((x, y, 0.0), abs=1e-9)


def test_fit_shows_the_whole_image_in_true_proportions() -> None:
    geometry = ImageGeometry(100, 50, 0.5, 2.0, True)  # 50 x 100 mm
    resolved = resolve(ViewState(), (300, 200), geometry)
    corners = [resolved.px_to_pane(x, y) for x in (0, 100) for y in (0, 50)]
    assert min(c[0] for c in corners) == pytest.approx(100)
    assert max(c[0] for c in corners) == pytest.approx(200)
    assert min(c[1] for c in corners) == pytest.approx(0)
    assert max(c[1] for c in corners) == pytest.approx(200)
    assert resolved.mm_per_pane_px == pytest.approx(0.5)


def test_anchor_puts_the_edge_at_the_panes_edge_at_every_zoom() -> None:
    geometry = ImageGeometry(40, 100, 1.0, 1.0, True)
    for zoom in (0.5, 1.0):
        resolved = resolve(ViewState(anchor=(1.0, 0.5), zoom=zoom), (300, 200), geometry)
        assert resolved.px_to_pane(40, 50) == pytest.approx((300, 100))


def test_one_extent_is_one_scale_for_films_of_different_size() -> None:
    a = ImageGeometry(1000, 2000, 0.1, 0.1, False, detector_mm=True)
    b = ImageGeometry(1600, 2000, 0.05, 0.05, False, detector_mm=True)
    view = ViewState(fit_extent_mm=(100.0, 200.0))
    assert fit_scale(view, SIZE, a) == fit_scale(view, SIZE, b)


def test_zoom_keeps_what_is_under_the_pointer() -> None:
    resolved = resolve(ViewState(rotation_deg=90, flip_h=True), SIZE, ImageGeometry(64, 48, 0.6, 0.8, True))
    before = resolved.pane_to_px(40.0, 150.0)
    after = resolve(zoom_about(resolved, 2.5, (40.0, 150.0)), SIZE, resolved.geometry).pane_to_px(40.0, 150.0)
    assert after == pytest.approx(before)


def test_one_to_one_is_on_the_pixel_grid_and_true_size_needs_millimetres() -> None:
    geometry = ImageGeometry(63, 47, 0.6, 0.6, True)
    resolved = resolve(one_to_one(ViewState(), SIZE, geometry), SIZE, geometry)
    assert resolved.pane_from_px[:, :2] == pytest.approx(np.eye(2))
    assert resolved.pane_from_px[:, 2] == pytest.approx(np.round(resolved.pane_from_px[:, 2]), abs=1e-9)
    view = true_size(ViewState(), SIZE, geometry, 0.25)
    assert resolve(view, SIZE, geometry).mm_per_pane_px == pytest.approx(0.25)
    assert true_size(ViewState(), SIZE, replace(geometry, calibrated=False), 0.25) is None


def test_uncalibrated_images_state_no_millimetres() -> None:
    assert resolve(ViewState(), SIZE, ImageGeometry(64, 48)).mm_per_pane_px is None


def test_letters_of_the_three_planes() -> None:
    layer = ImageLayer(LOOK, volume=landmark_volume(geometries()["anisotropic"], (0.0, 0.0, 0.0)))
    expected = {Plane.AXIAL: "RLAP", Plane.CORONAL: "RLHF", Plane.SAGITTAL: "APHF"}
    for plane, letters in expected.items():
        view = ViewState(plane=plane)
        assert "".join(edge_letters(resolve(view, SIZE, geometry_of(layer, view)))) == letters


def test_letters_follow_turns_and_mirrors_with_and_without_a_position() -> None:
    plane = PlaneGeometry((0, 0, 0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 1, 1, 10, 10, "1.2")
    film = ImageGeometry(10, 10, patient_orientation=("L", "P"))
    for geometry in (ImageGeometry.of_plane(plane), film):
        assert edge_letters(resolve(ViewState(), SIZE, geometry)) == ("R", "L", "A", "P")
        assert edge_letters(resolve(ViewState(rotation_deg=90), SIZE, geometry)) == ("P", "A", "R", "L")
        assert edge_letters(resolve(ViewState(flip_h=True), SIZE, geometry)) == ("L", "R", "A", "P")
        assert edge_letters(resolve(ViewState(rotation_deg=90, flip_v=True), SIZE, geometry)) == ("P", "A", "L", "R")
    assert edge_letters(resolve(ViewState(), SIZE, ImageGeometry(10, 10))) is None
    assert edge_letters(resolve(ViewState(), SIZE, replace(film, patient_orientation=("?", "P")))) is None


@pytest.mark.parametrize("base", VIEWS.values(), ids=list(VIEWS))
def test_actions_turn_and_mirror_what_is_seen(base: ViewState) -> None:
    geometry = ImageGeometry(64, 48, 0.6, 0.8, True)
    size = (200, 200)
    resolved = resolve(base, size, geometry)
    middle = np.array([100.0, 100.0])
    seen = np.array(resolved.px_to_pane(20.0, 15.0)) - middle
    expected = {
        "rotate_clockwise": (-seen[1], seen[0]),
        "rotate_anticlockwise": (seen[1], -seen[0]),
        "flip_horizontal": (-seen[0], seen[1]),
        "flip_vertical": (seen[0], -seen[1]),
    }
    scale = resolved.scale
    for name, where in expected.items():
        after = resolve(ACTIONS[name](resolved), size, geometry)
        got = (np.array(after.px_to_pane(20.0, 15.0)) - middle) * scale / after.scale
        if base.rotation_deg % 90 == 0 and base.pan == (0.0, 0.0):
            assert got == pytest.approx(where, abs=1e-6), name
        else:
            assert np.sign(got) == pytest.approx(np.sign(where)), name
    assert ACTIONS["invert"](resolved).invert
    reset = ACTIONS["reset"](resolved)
    assert (reset.zoom, reset.rotation_deg, reset.flip_h, reset.flip_v) == (1.0, 0.0, False, False)

"""Many segments over an image: the right number at the right place in every plane, the right colour, borders between two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.domain.geometry import VolumeGeometry
from app.domain.volume import Volume
from app.viewer.compositor import render
from app.viewer.labels import as_bytes, edges_of, sample_labels, table_of, with_labels
from app.viewer.layers import ImageLayer, LabelLayer
from app.viewer.slice_sampler import mpr_geometry
from app.viewer.view_state import Appearance, Plane, ViewState, resolve

GRID = VolumeGeometry.axial((12, 20, 16), (2.0, 0.5, 0.75), (-60.0, 40.0, 300.0), "2.25.9")


class Grid:
    def __init__(self, labels: np.ndarray, geometry: VolumeGeometry = GRID, complete: bool = True) -> None:
        self.labels, self.geometry, self.complete = labels, geometry, complete

    def plane(self, k: int) -> Any:
        return self.labels[k]

    def under(self) -> None:
        return None

    def whole(self) -> Any:
        return self.labels


def numbered() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 99, GRID.shape).astype(np.uint8)


def view(plane: Plane, index: tuple[float, float, float]) -> ViewState:
    return ViewState(plane=plane, point_mm=GRID.to_patient(index))


@pytest.mark.parametrize("plane", [Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL])
def test_every_plane_shows_the_number_of_its_voxel(plane: Plane) -> None:
    labels = numbered()
    state = view(plane, (5, 9, 6))
    resolved = resolve(state, (331, 277), mpr_geometry(GRID, state))
    found = sample_labels(Grid(labels), resolved)
    assert found is not None
    checked = 0
    for index in np.ndindex(*GRID.shape):
        if (
            index[{Plane.AXIAL: 0, Plane.CORONAL: 1, Plane.SAGITTAL: 2}[plane]]
            != {0: 5, 1: 9, 2: 6}[{Plane.AXIAL: 0, Plane.CORONAL: 1, Plane.SAGITTAL: 2}[plane]]
        ):
            continue
        at = resolved.patient_to_pane(GRID.to_patient(tuple(float(v) for v in index)))
        assert at is not None
        x, y = int(at[0]), int(at[1])
        if 0 <= x < 331 and 0 <= y < 277:
            assert found[y, x] == labels[index]
            checked += 1
    assert checked > 100


def test_an_oblique_plane_shows_the_nearest_voxels() -> None:
    labels = numbered()
    state = ViewState(
        plane=Plane.OBLIQUE,
        point_mm=GRID.to_patient((5, 9, 6)),
        oblique_row=(0.8, 0.6, 0.0),
        oblique_column=(0.0, 0.0, -1.0),
    )
    resolved = resolve(state, (120, 100), mpr_geometry(GRID, state))
    found = sample_labels(Grid(labels), resolved)
    assert found is not None
    for x, y in ((60, 50), (41, 37), (77, 61)):
        point = resolved.pane_to_patient(x + 0.5, y + 0.5)
        assert point is not None
        k, j, i = (int(np.floor(v + 0.5)) for v in GRID.to_index(point))
        inside = all(0 <= v < n for v, n in zip((k, j, i), GRID.shape, strict=True))
        assert found[y, x] == (labels[k, j, i] if inside else 0)


def test_another_frame_of_reference_shows_nothing() -> None:
    state = view(Plane.AXIAL, (5, 9, 6))
    resolved = resolve(state, (50, 50), mpr_geometry(GRID, state))
    other = VolumeGeometry(GRID.origin_mm, GRID.k_step_mm, GRID.j_step_mm, GRID.i_step_mm, GRID.shape, "2.25.1")
    assert sample_labels(Grid(numbered(), other), resolved) is None


def layer(labels: np.ndarray, outline: int) -> LabelLayer:
    rgb = np.zeros((256, 3), np.uint8)
    rgb[1:] = np.random.default_rng(5).integers(1, 255, (255, 3))
    return LabelLayer(Grid(labels), rgb, table_of(rgb, 0.25), Appearance(opacity=0.25), outline)


def test_colours_are_blended_over_grey_and_over_colour_alike() -> None:
    labels = np.array([[0, 1, 1], [2, 2, 254]], np.uint8)
    grey = np.array([[10, 20, 30], [40, 50, 60]], np.uint8)
    made = layer(labels, 0)
    over_grey = with_labels(grey, made, labels)
    bgrx = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    np.testing.assert_array_equal(with_labels(bgrx, made, labels), over_grey)
    wanted = np.floor(20 * 0.75 + made.rgb[1].astype(float) * 0.25 + 0.5)
    np.testing.assert_array_equal(over_grey[0, 1, :3], wanted[::-1])
    np.testing.assert_array_equal(over_grey[0, 0], (10, 10, 10, 255))


def test_borders_run_between_two_segments_too() -> None:
    labels = np.zeros((5, 8), np.uint8)
    labels[:, 2:5], labels[:, 5:] = 3, 4
    np.testing.assert_array_equal(edges_of(labels, 1)[2], [0, 0, 1, 0, 1, 1, 0, 0])


def test_numbers_above_255_share_colours() -> None:
    np.testing.assert_array_equal(as_bytes(np.array([0, 1, 255, 256, 510, 511], np.uint16)), [0, 1, 255, 1, 255, 1])


def test_a_pane_draws_them_over_its_image() -> None:
    labels = numbered()
    volume = Volume(np.full(GRID.shape, 40, np.int16), GRID, "HU")
    state = view(Plane.CORONAL, (5, 9, 6))
    plain = render(state, [ImageLayer(volume=volume)], (160, 140)).pixels
    shown = render(state, [ImageLayer(volume=volume), layer(labels, 1)], (160, 140)).pixels
    assert plain.ndim == 2
    assert shown.shape == (140, 160, 4)
    assert (shown[..., 0] != shown[..., 1]).any()


def test_slices_do_not_wait_for_a_reformat_and_a_reformat_does_not_wait_at_all() -> None:
    labels = numbered()
    for plane in (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL):
        state = view(plane, (5, 9, 6))
        found = sample_labels(Grid(labels, complete=False), resolve(state, (64, 48), mpr_geometry(GRID, state)))
        assert (found is not None) is (plane is Plane.AXIAL)

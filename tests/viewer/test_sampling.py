"""Sampling against independent arithmetic: bilinear by hand, box averages, slabs by numpy, oblique planes on ramps."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.pixels import FramePixels
from app.viewer import pyramid
from app.viewer.layers import ImageLayer
from app.viewer.plane_values import plane_values
from app.viewer.pyramid import RIM, PreparedImage, prepared, shrink
from app.viewer.quick_zoom import SAME_PX, moved_to, quick_zoom
from app.viewer.slice_sampler import mpr_geometry, plane_image, sample_film_grid, sample_image, sample_volume, visible_part
from app.viewer.view_state import ImageGeometry, Plane, SlabMode, ViewState, one_to_one, resolve
from tests import phantoms
from tests.viewer.scenes import geometries

RNG = np.random.default_rng(3)


def _bilinear(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """At corner coordinates, the edge repeated; written out."""
    rows, columns = values.shape
    i, j = x - 0.5, y - 0.5
    i0, j0 = np.floor(i).astype(int), np.floor(j).astype(int)
    a, b = i - i0, j - j0
    ic, jc = (lambda n: np.clip(n, 0, columns - 1)), (lambda n: np.clip(n, 0, rows - 1))
    v = values.astype(np.float64)
    top = v[jc(j0), ic(i0)] * (1 - a) + v[jc(j0), ic(i0 + 1)] * a
    bottom = v[jc(j0 + 1), ic(i0)] * (1 - a) + v[jc(j0 + 1), ic(i0 + 1)] * a
    return top * (1 - b) + bottom * b


@pytest.mark.parametrize(
    "view", [ViewState(), ViewState(zoom=2.3, pan=(0.1, 0.02)), ViewState(rotation_deg=21, flip_h=True)]
)
def test_magnified_frames_are_bilinear_in_modality_values(view: ViewState) -> None:
    values = RNG.integers(-1024, 3000, (47, 63)).astype(np.int16)
    resolved = resolve(view, (200, 170), ImageGeometry(63, 47, 0.7, 0.9, True))
    sampled = sample_image(PreparedImage(values), resolved)
    x, y = np.meshgrid(np.arange(200) + 0.5, np.arange(170) + 0.5)
    m = resolved.px_from_pane
    px, py = m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]
    inside = ~sampled.outside if sampled.outside is not None else np.ones_like(px, bool)
    assert np.array_equal(inside, (px >= 0) & (px < 63) & (py >= 0) & (py < 47))
    assert np.abs(sampled.values - _bilinear(values, px, py))[inside].max() < 0.05


@pytest.mark.parametrize(("rows", "columns"), [(47, 63), (512, 512), (1200, 700)])
def test_moving_frames_are_bilinear_at_the_places_they_state(rows: int, columns: int) -> None:
    """What a draft shows is exact for its own geometry, which lies within half a pane pixel of the one asked for."""
    values = RNG.integers(-1024, 3000, (rows, columns)).astype(np.int16)
    image, geometry = PreparedImage(values), ImageGeometry(columns, rows, 0.7, 0.9, True)
    quick = 0
    for n in range(40):
        size = ((200, 170), (331, 97), (64, 300))[n % 3]
        whole = resolve(ViewState(zoom=0.9 + 0.11 * n, pan=(0.013 * (n % 7), -0.01 * (n % 5))), size, geometry)
        found = visible_part(whole)
        assert found is not None
        part, offset = found
        zoom = quick_zoom(image, part)
        if zoom is None:
            continue
        quick += 1
        w, h = part.size
        shown, asked = moved_to(zoom.resolved, offset, whole), whole
        for x, y in ((0, 0), (w, 0), (0, h), (w, h)):
            place = shown.pane_to_px(x + offset[0], y + offset[1])
            assert np.abs(np.subtract(asked.px_to_pane(*place), (x + offset[0], y + offset[1]))).max() < 0.51
            assert shown.px_to_pane(*place) == pytest.approx((x + offset[0], y + offset[1]), abs=1e-6)
        x2, y2 = np.meshgrid(np.arange(w) + 0.5 + offset[0], np.arange(h) + 0.5 + offset[1])
        m, factor = shown.px_from_pane, 2**zoom.level
        px, py = m[0, 0] * x2 + m[0, 2], m[1, 1] * y2 + m[1, 2]
        level = image.level(zoom.level)[RIM:-RIM, RIM:-RIM]
        expected = _bilinear(level, px / factor, py / factor)
        assert np.abs(zoom.sample(image) - expected).max() < 0.01
    assert quick >= 36


def test_turned_mirrored_and_stored_pixels_are_never_hurried() -> None:
    image, geometry = PreparedImage(np.zeros((60, 50), np.int16)), ImageGeometry(50, 60, 1.0, 1.0, True)
    for view in (ViewState(rotation_deg=90), ViewState(rotation_deg=3), ViewState(flip_h=True), ViewState(flip_v=True)):
        assert quick_zoom(image, resolve(view, (200, 170), geometry)) is None
    stored = resolve(one_to_one(ViewState(), (30, 30), geometry), (30, 30), geometry)
    assert quick_zoom(image, stored) is None


def test_the_visible_part_is_the_same_picture() -> None:
    values = RNG.integers(0, 4000, (300, 40)).astype(np.uint16)
    whole = resolve(ViewState(), (200, 170), ImageGeometry(40, 300, 1.0, 1.0, True))
    part, (x, y) = visible_part(whole)
    assert part.size[0] < 200
    image = PreparedImage(values)
    a, b = sample_image(image, whole), sample_image(image, part)
    inside = ~a.outside[y : y + part.size[1], x : x + part.size[0]]
    cut = a.values[y : y + part.size[1], x : x + part.size[0]]
    assert np.abs(cut - b.values)[inside].max() < 0.05
    assert visible_part(resolve(ViewState(pan=(3.0, 0.0)), (200, 170), whole.geometry)) is None


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (61, 50), (600, 37), (5, 3)])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_shrinking_averages_every_pixel_once(rows: int, columns: int, factor: int) -> None:
    values = RNG.integers(0, 60000, (rows, columns)).astype(np.uint16)
    got = shrink(values, factor)
    for j in range(got.shape[0]):
        for i in range(got.shape[1]):
            cell = values[j * factor : (j + 1) * factor, i * factor : (i + 1) * factor]
            assert got[j, i] == pytest.approx(cell.mean(dtype=np.float64), rel=1e-5)


def test_pyramid_levels_equal_direct_averages_however_they_are_asked_for() -> None:
    values = RNG.integers(0, 60000, (203, 150)).astype(np.uint16)
    forward, direct = PreparedImage(values), PreparedImage(values)
    for n in range(4):
        forward.level(n)
    assert np.abs(forward.level(3) - direct.level(3)).max() < 0.05
    assert forward.level(2)[RIM:-RIM, RIM:-RIM].shape == (51, 38)


def test_a_small_bright_dot_survives_minification() -> None:
    values = np.zeros((4096, 4096), dtype=np.uint16)
    values[2001, 1003] = 60000
    seen = sample_image(PreparedImage(values), resolve(ViewState(), (512, 512), ImageGeometry(4096, 4096, 0.05, 0.05)))
    assert seen.values.max() == pytest.approx(60000 / 64, rel=0.01)


def test_one_to_one_shows_stored_values_exactly() -> None:
    values = RNG.integers(-1024, 3000, (300, 400)).astype(np.int16)
    geometry = ImageGeometry(400, 300, 0.7, 0.7, True)
    sampled = sample_image(PreparedImage(values), resolve(one_to_one(ViewState(), (101, 80), geometry), (101, 80), geometry))
    assert sampled.exact
    assert sampled.values.dtype == np.int16
    assert np.array_equal(sampled.values, values[110:190, 149:250]) or np.array_equal(
        sampled.values, values[110:190, 150:251]
    )


def test_padding_does_not_bleed_into_the_rim() -> None:
    values = np.full((8, 8), -2000, dtype=np.int16)
    values[2:6, 2:6] = 100
    frame = FramePixels(values, padding=values == -2000)
    assert prepared(frame).level(0).min() == 100
    assert prepared(frame) is prepared(frame)
    assert values.min() == -2000


@pytest.mark.parametrize("mode", list(SlabMode))
@pytest.mark.parametrize("plane", [Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL])
def test_slabs_along_the_grid_equal_numpy(plane: Plane, mode: SlabMode) -> None:
    geometry = geometries()["flipped"]
    voxels = RNG.integers(-1000, 1000, geometry.shape).astype(np.int16)
    volume = phantoms.Volume(voxels, geometry, "HU")
    point = geometry.to_patient((11.0, 20.0, 25.0))
    got = plane_image(volume, ViewState(plane=plane, point_mm=point, slab_mm=8.0, slab_mode=mode))
    axis = {Plane.AXIAL: 0, Plane.CORONAL: 1, Plane.SAGITTAL: 2}[plane]
    at, half = (11, 20, 25)[axis], int(4.0 / geometry.spacing_mm[axis])
    slab = np.take(voxels, range(at - half, at + half + 1), axis=axis).astype(np.float64)
    flat = {"max": slab.max, "min": slab.min, "mean": slab.mean}[mode.value](axis=axis)
    # Every axis of this grid runs backwards: both image axes are turned, but feet lie below in coronal and sagittal.
    expected = flat[::-1, ::-1] if plane is Plane.AXIAL else flat[:, ::-1]
    assert np.abs(got - expected).max() < 1e-3


@pytest.mark.parametrize("draft", [False, True])
@pytest.mark.parametrize("kind", list(geometries()))
def test_oblique_planes_give_back_a_linear_ramp(kind: str, draft: bool) -> None:
    geometry = geometries()[kind]
    gradient = np.array([3.0, -2.0, 5.0])
    exact = (phantoms.positions_mm(geometry) - np.asarray(geometry.origin_mm)) @ gradient
    volume = phantoms.Volume(exact.astype(np.float32), geometry, "HU")
    row, column = (0.6, 0.8, 0.0), (0.0, 0.0, -1.0)
    view = ViewState(plane=Plane.OBLIQUE, oblique_row=row, oblique_column=column, rotation_deg=17.0, zoom=1.5)
    resolved = resolve(view, (160, 120), mpr_geometry(geometry, view))
    sampled = sample_volume(volume, resolved, draft)
    for x, y in ((80, 60), (60, 50), (100, 75)):
        if sampled.outside is not None and sampled.outside[y, x]:
            continue
        point = np.asarray(resolved.pane_to_patient(x + 0.5, y + 0.5))
        expected = float((point - np.asarray(geometry.origin_mm)) @ gradient)
        assert sampled.values[y, x] == pytest.approx(expected, abs=0.05 if not draft else 1.5)


def test_measuring_off_the_grid_leaves_out_what_is_no_volume() -> None:
    geometry = geometries()["oblique"]
    volume = phantoms.Volume(np.full(geometry.shape, 7, np.int16), geometry, "HU")
    view = ViewState(plane=Plane.AXIAL)
    resolved = resolve(view, (160, 120), mpr_geometry(geometry, view))
    values = plane_values(ImageLayer(volume=volume), resolved)
    assert values.shape == (resolved.geometry.rows, resolved.geometry.columns)
    assert np.isnan(values).any()
    assert np.nanmin(values) == np.nanmax(values) == 7


def test_film_grids_span_the_whole_film() -> None:
    class Owner:
        pass

    grid = np.zeros((4, 4), np.float16)
    grid[0, 3] = 1.0
    resolved = resolve(ViewState(), (400, 800), ImageGeometry(1000, 2000))
    got = sample_film_grid(Owner(), grid, resolved)
    assert got[50:60, 350:399].min() > 0.4
    assert got[400:, :].max() == 0.0
    assert np.unravel_index(got.argmax(), got.shape)[1] > 345


def test_of_a_very_large_image_a_piece_is_made_and_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than 100 MB of a mammogram's numbers in four bytes."""
    values = RNG.integers(0, 16384, (300, 260)).astype(np.uint16)
    geometry = ImageGeometry(260, 300, 0.1, 0.1, True)
    whole = PreparedImage(values)
    whole.level(0)
    views = [
        ViewState(zoom=3.0, pan=(0.7, 0.4)),
        ViewState(zoom=2.0, pan=(-0.9, 0.3)),
        ViewState(zoom=9.0, rotation_deg=20, flip_h=True),
        ViewState(zoom=1.4, rotation_deg=90, pan=(0.1, 0.5)),
    ]
    expected = [sample_image(whole, resolve(view, (200, 170), geometry)) for view in views]
    monkeypatch.setattr(pyramid, "_LARGE", 1000)
    large = PreparedImage(values)
    for view, kept in zip(views, expected, strict=True):
        resolved = resolve(view, (200, 170), geometry)
        found = sample_image(large, resolved)
        inside = ~kept.outside if kept.outside is not None else np.ones((170, 200), bool)
        assert np.abs(found.values - kept.values)[inside].max() < 0.05
        quick, slow = quick_zoom(large, resolved), quick_zoom(whole, resolved)
        assert (quick is None) == (slow is None)
        if quick is not None and slow is not None:
            assert np.array_equal(quick.sample(large), slow.sample(whole))
    assert large.nbytes() == 0
    for rows in ((0, 4), (3, 40), (RIM, 300 + RIM), (290, 300 + 2 * RIM), (300 + RIM, 300 + RIM + 3)):
        for columns in ((0, 260 + 2 * RIM), (255, 270), (2, 9)):
            assert np.array_equal(large.piece(0, rows, columns), whole.level(0)[slice(*rows), slice(*columns)])


@pytest.mark.parametrize(
    ("size", "hurried"), [((1024, 1024), True), ((1300, 700), True), ((1301, 701), True), ((1300, 701), False)]
)
def test_a_fitting_image_needs_no_warp_and_is_bilinear_all_the_same(size: tuple[int, int], hurried: bool) -> None:
    values = RNG.integers(-1024, 3000, (512, 512)).astype(np.int16)
    image = PreparedImage(values)
    whole = resolve(ViewState(), size, ImageGeometry(512, 512, 0.7, 0.7, True))
    found = visible_part(whole)
    assert found is not None
    part = found[0]
    assert (quick_zoom(image, part, SAME_PX) is not None) == hurried
    sampled = sample_image(image, part)
    x, y = np.meshgrid(np.arange(part.size[0]) + 0.5, np.arange(part.size[1]) + 0.5)
    m = part.px_from_pane
    expected = _bilinear(values, m[0, 0] * x + m[0, 2], m[1, 1] * y + m[1, 2])
    inside = ~sampled.outside if sampled.outside is not None else np.ones_like(x, bool)
    # The warp's own places are rounded to a few ten-thousandths of a pixel; the resize's are not.
    assert np.abs(sampled.values - expected)[inside].max() < (0.01 if hurried else 0.5)

"""Layers to a picture: overlays on their absolute scale, caches that never show yesterday's picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.domain.finding import Heatmap, SegmentMask
from app.domain.geometry import VolumeGeometry
from app.domain.measurement import Code
from app.domain.pixels import FramePixels, VoiWindow
from app.viewer.compositor import SampleCache, render
from app.viewer.layers import HeatmapLayer, ImageLayer, MaskLayer
from app.viewer.luts import lut, lut_names
from app.viewer.view_state import Appearance, ImageGeometry, Plane, ViewState
from app.viewer.voi_lut import grey_of
from tests import phantoms

NODULE = Code("27925004", "SCT", "Nodule")
LOOK = Appearance(VoiWindow(500, 1000))
RNG = np.random.default_rng(5)
VALUES = RNG.integers(0, 1000, (64, 64)).astype(np.int16)
FILM = ImageLayer(LOOK, FramePixels(VALUES), ImageGeometry(64, 64), sop_instance_uid="1.2")


def _film_heat(values: np.ndarray, **look: float) -> HeatmapLayer:
    return HeatmapLayer(
        Heatmap(NODULE, values.astype(np.float16), sop_instance_uid="1.2"), Appearance(lut="inferno", **look)
    )


def test_one_to_one_frame_equals_the_formula() -> None:
    picture = render(ViewState(), [FILM], (64, 64))
    assert picture.exact
    assert np.array_equal(picture.pixels, grey_of(VALUES, LOOK.window))
    inverted = render(ViewState(invert=True), [FILM], (64, 64))
    assert np.array_equal(inverted.pixels, 255 - picture.pixels)


def test_monochrome1_inverts_once() -> None:
    layer = replace(FILM, frame=FramePixels(VALUES, inverse=True))
    assert np.array_equal(render(ViewState(), [layer], (64, 64)).pixels, 255 - grey_of(VALUES, LOOK.window))
    assert np.array_equal(render(ViewState(invert=True), [layer], (64, 64)).pixels, grey_of(VALUES, LOOK.window))


def test_outside_the_image_stays_black_even_when_inverted() -> None:
    picture = render(ViewState(invert=True), [FILM], (128, 64))
    assert picture.pixels[:, :32].max() == 0
    assert picture.pixels[:, 96:].max() == 0
    turned = render(ViewState(invert=True, rotation_deg=45), [FILM], (128, 128))
    assert turned.pixels[2, 2] == 0
    assert render(ViewState(pan=(5.0, 0.0)), [FILM], (64, 64)).pixels.max() == 0


@pytest.mark.parametrize("opacity", [0.0, 0.35, 0.6, 1.0])
def test_heatmap_is_blended_on_its_absolute_scale(opacity: float) -> None:
    heat = np.tile(np.linspace(0, 1, 64), (64, 1))
    picture = render(ViewState(), [FILM, _film_heat(heat, opacity=opacity, threshold=0.3)], (64, 64))
    rgb = picture.rgba()[..., :3].astype(float)
    grey = grey_of(VALUES, LOOK.window).astype(float)
    level = np.floor(heat.astype(np.float16).astype(np.float64) * 255 + 0.5).astype(int)
    alpha = np.where(level >= round(0.3 * 255), opacity, 0.0)[..., None]
    expected = np.floor(grey[..., None] * (1 - alpha) + lut("inferno")[level] * alpha + 0.5)
    assert np.abs(rgb - expected).max() <= 2  # one level of heat may round the other way
    assert np.array_equal(rgb[:, :19], np.repeat(grey[:, :19, None], 3, axis=2))


def test_a_weak_heatmap_is_never_stretched() -> None:
    weak = np.full((8, 8), 0.2)
    plain = render(ViewState(), [FILM], (64, 64)).rgba()
    assert np.array_equal(render(ViewState(), [FILM, _film_heat(weak, opacity=0.6, threshold=0.3)], (64, 64)).rgba(), plain)


def test_heatmap_of_another_image_or_frame_of_reference_is_not_drawn() -> None:
    other = HeatmapLayer(Heatmap(NODULE, np.ones((8, 8), np.float16), sop_instance_uid="9.9"))
    assert render(ViewState(), [FILM, other], (64, 64)).pixels.ndim == 2
    volume = phantoms.index_volume()
    elsewhere = replace(volume.geometry, frame_of_reference_uid="9.9")
    heat = HeatmapLayer(Heatmap(NODULE, np.ones(volume.geometry.shape, np.float16), elsewhere))
    assert render(ViewState(plane=Plane.CORONAL), [ImageLayer(LOOK, volume=volume), heat], (64, 64)).pixels.ndim == 2


@pytest.mark.parametrize("plane", [Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL, Plane.OBLIQUE])
def test_heatmap_lies_on_the_patient_not_on_the_pixels(plane: Plane) -> None:
    """A heatmap on its own coarser, shifted grid covers the ball that it was made for."""
    grid = phantoms.geometry()
    centre = grid.to_patient((6.0, 20.0, 24.0))
    volume = phantoms.spheres_volume([phantoms.Sphere(centre, 6.0, 1000.0)], grid, 0.0)
    coarse = VolumeGeometry.axial(
        (20, 30, 34), (2.0, 1.3, 1.1), tuple(c - 1.7 for c in grid.origin_mm), grid.frame_of_reference_uid
    )
    ball = np.linalg.norm(phantoms.positions_mm(coarse) - np.asarray(centre), axis=-1) <= 6.0
    heat = HeatmapLayer(
        Heatmap(NODULE, ball.astype(np.float16), coarse), Appearance(lut="inferno", opacity=1.0, threshold=0.5)
    )
    view = ViewState(plane=plane, point_mm=centre, oblique_row=(0.8, 0.6, 0.0), oblique_column=(0.0, 0.0, -1.0))
    base = ImageLayer(LOOK, volume=volume)
    plain = render(view, [base], (200, 200)).pixels > 127
    coloured = render(view, [base, heat], (200, 200)).rgba().astype(int)
    drawn = np.abs(coloured[..., 0] - coloured[..., 2]) > 20
    both, either = (plain & drawn).sum(), (plain | drawn).sum()
    assert both / either > 0.8


def test_mask_outline_is_opaque_and_its_inside_tinted() -> None:
    values = np.zeros((64, 64), dtype=np.bool_)
    values[16:48, 16:48] = True
    mask = MaskLayer(SegmentMask("f", values, sop_instance_uid="1.2"), (90, 200, 250), Appearance(opacity=0.5), 1)
    rgb = render(ViewState(), [FILM, mask], (64, 64)).rgba()[..., :3]
    grey = grey_of(VALUES, LOOK.window)
    assert tuple(rgb[16, 30]) == (90, 200, 250)
    assert rgb[32, 32, 0] == int(np.floor(grey[32, 32] * 0.5 + 45 + 0.5))
    assert tuple(rgb[10, 10]) == (grey[10, 10],) * 3


def test_colour_frames_keep_their_colour() -> None:
    rgb = RNG.integers(0, 255, (32, 32, 3)).astype(np.uint8)
    layer = ImageLayer(frame=FramePixels(rgb), geometry=ImageGeometry(32, 32))
    picture = render(ViewState(), [layer], (32, 32))
    assert np.array_equal(picture.rgba()[..., :3], rgb)
    assert picture.window is None


def test_the_cache_never_changes_the_picture() -> None:
    cache = SampleCache()
    volume = phantoms.ramp_volume()
    heat = HeatmapLayer(Heatmap(NODULE, RNG.random(volume.geometry.shape).astype(np.float16), volume.geometry))
    a, b = ImageLayer(LOOK, volume=volume), ImageLayer(Appearance(VoiWindow(200, 300)), volume=volume)
    size = (90, 70)
    for plane in (Plane.CORONAL, Plane.AXIAL, Plane.OBLIQUE):
        for view in (ViewState(plane=plane), ViewState(plane=plane, zoom=2.0), ViewState(plane=plane, invert=True)):
            for layers in ([a], [b], [a, heat], [b, heat], [a]):
                for draft in (False, True):
                    kept = render(view, layers, size, cache, draft)
                    exact = render(view, layers, size)
                    # What was shown at rest is at hand: a draft of the same view is no coarser.
                    assert np.array_equal(kept.pixels, exact.pixels)


def test_a_draft_is_kept_like_the_exact_picture() -> None:
    cache = SampleCache()
    heat = _film_heat(RNG.random((40, 40)), opacity=0.6, threshold=0.3)
    for zoom in (1.3, 1.7, 1.3):
        for window in (VoiWindow(500, 1000), VoiWindow(300, 500)):
            layers = [replace(FILM, appearance=Appearance(window)), heat]
            kept = render(ViewState(zoom=zoom), layers, (151, 140), cache, draft=True)
            fresh = render(ViewState(zoom=zoom), layers, (151, 140), None, draft=True)
            assert np.array_equal(kept.pixels, fresh.pixels)
    rested = render(ViewState(zoom=1.3), layers, (151, 140), cache)
    assert np.array_equal(rested.pixels, render(ViewState(zoom=1.3), layers, (151, 140)).pixels)


def test_a_held_picture_is_never_painted_over() -> None:
    cache = SampleCache()
    heat = _film_heat(RNG.random((40, 40)), opacity=0.6, threshold=0.3)
    views = [ViewState(zoom=1.0 + n / 7, pan=(n / 20, 0.0)) for n in range(8)]
    held = [render(view, [FILM, heat], (90, 60), cache, draft=n % 2 == 0) for n, view in enumerate(views)]
    for n, (view, picture) in enumerate(zip(views, held, strict=True)):
        assert np.array_equal(picture.pixels, render(view, [FILM, heat], (90, 60), None, draft=n % 2 == 0).pixels)


def test_a_buffer_used_again_holds_nothing_of_the_picture_before() -> None:
    cache = SampleCache()
    heat = _film_heat(np.ones((8, 8)), opacity=1.0)
    places = set()
    for n in range(12):
        view = ViewState(zoom=(2.0, 0.3)[n % 2], pan=(0.1 * (n % 5 - 2), 0.07 * (n % 3)))
        picture = render(view, [FILM, heat], (90, 60), cache)
        places.add(picture.pixels.ctypes.data)
        assert np.array_equal(picture.pixels, render(view, [FILM, heat], (90, 60)).pixels)
    assert len(places) <= 3


def test_window_drag_samples_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.viewer import compositor

    calls = []
    real = compositor.sample_image
    monkeypatch.setattr(compositor, "sample_image", lambda *a: calls.append(1) or real(*a))
    cache = SampleCache()
    for n in range(5):
        layer = replace(FILM, appearance=Appearance(VoiWindow(400 + n, 900)))
        render(ViewState(zoom=1.5), [layer], (100, 100), cache)
    assert len(calls) == 1


def test_draft_overlay_covers_what_the_exact_one_covers() -> None:
    heat = np.zeros((64, 64))
    heat[20:44, 20:44] = 0.9
    layers = [FILM, _film_heat(heat, opacity=0.6, threshold=0.3)]
    found = []
    for coarse in (False, True):
        plain = render(ViewState(zoom=2), [FILM], (300, 301), None, coarse).rgba()
        found.append((render(ViewState(zoom=2), layers, (300, 301), None, coarse).rgba() != plain).any(axis=2))
    exact, draft = found
    assert (exact & draft).sum() / (exact | draft).sum() > 0.98


def test_every_shipped_colour_table_loads() -> None:
    for name in lut_names():
        assert lut(name).shape == (256, 3)
    luminance = lut("inferno").astype(float) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > -1.0).all()

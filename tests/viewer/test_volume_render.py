"""Volume rendering: landmarks where the plane's geometry says, cuts, reduction told, a turn that keeps right angles."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.domain.geometry import VolumeGeometry
from app.domain.pixels import VoiWindow
from app.domain.volume import Volume
from app.viewer import volume_render
from app.viewer.compositor import SampleCache, geometry_of
from app.viewer.decorations import edge_letters
from app.viewer.layers import ImageLayer
from app.viewer.solid_view import render_solid
from app.viewer.tools.turn import turned
from app.viewer.view_state import Appearance, Plane, ResolvedView, ViewState, resolve, volume_centre
from app.viewer.volume_engine import fine, quick
from app.viewer.volume_parts import VolumeCut, fewer, kept_box, opaque_box, part_of
from app.viewer.volume_presets import volume_preset, volume_presets, volume_presets_for
from app.viewer.volume_render import WHOLE, Crop, moved, render_volume
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


def from_the(view: ViewState, volume: Volume) -> ResolvedView:
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
            look = volume_preset(preset, "HU")
            pixels = render_volume(volume, resolved, look, LEVEL, moving=moving, finest=not moving).pixels
            expected = resolved.patient_to_pane(geometry.to_patient(where))
            found = centroid(pixels.astype(float).sum(axis=2))
            # While something moves rays stand up to eight pixels apart: the middle is known to half of that.
            assert expected is not None
            assert math.dist(found, expected[:2]) < (4.0 if moving else 1.0 / resolved.mm_per_pane_px)


FRONT = ViewState(plane=Plane.RENDERED, oblique_row=(1.0, 0.0, 0.0), oblique_column=(0.0, 0.0, -1.0))


def seen(volume: Volume, crop: Crop = WHOLE, cut: VolumeCut | None = None, moving: bool = True) -> np.ndarray:
    view = ViewState(
        plane=Plane.RENDERED,
        point_mm=volume_centre(volume.geometry),
        oblique_row=(1.0, 0.0, 0.0),
        oblique_column=(0.0, 0.0, -1.0),
    )
    look = volume_preset("bone", "HU")
    return render_volume(volume, from_the(view, volume), look, LEVEL, crop, moving, cut=cut, finest=not moving).pixels


def test_the_nearer_of_two_beads_hides_the_other_and_a_cut_uncovers_it() -> None:
    geometry = GRIDS["axial"]
    front, back = (20.0, 8.0, 20.0), (20.0, 40.0, 20.0)
    volume = beads(geometry, [back])
    assert seen(volume).any()
    assert seen(volume, (0, 1, 0.5, 1, 0, 1)).any()
    assert not seen(volume, (0, 1, 0, 0.5, 0, 1)).any()
    assert seen(volume).any()
    assert seen(beads(geometry, [front]), (0, 1, 0, 0.5, 0, 1)).any()


def slab(geometry: VolumeGeometry, axis: int, first: int, last: int) -> Volume:
    """Bone between two voxels of an axis, air elsewhere."""
    values = np.full(geometry.shape, -1000, np.int16)
    index = [slice(None)] * 3
    index[axis] = slice(first, last + 1)
    values[tuple(index)] = 1500
    return Volume(values, geometry, "HU")


@pytest.mark.parametrize("moving", [True, False])
def test_a_crop_ends_at_the_border_of_its_voxel(moving: bool) -> None:
    """A bead line along x, cut at voxel borders: what is lit begins and ends there, to half a voxel."""
    geometry = VolumeGeometry.axial((21, 21, 60), (1.0, 1.0, 2.0), ORIGIN, FRAME)
    values = np.full(geometry.shape, -1000, np.int16)
    values[8:13, 8:13, :] = 1500
    volume = Volume(values, geometry, "HU")
    for first, last in ((10, 50), (23, 31), (0, 17)):
        pixels = seen(volume, (first / 60, last / 60, 0, 1, 0, 1), moving=moving)
        lit = np.flatnonzero(pixels.max(axis=2).max(axis=0) > 40)
        resolved = from_the(FRONT, volume)
        mm = resolved.mm_per_pane_px
        assert mm is not None
        left = resolved.patient_to_pane((ORIGIN[0] + 2.0 * (max(first, 0.5) - 0.5), ORIGIN[1], ORIGIN[2]))
        right = resolved.patient_to_pane((ORIGIN[0] + 2.0 * (last - 0.5), ORIGIN[1], ORIGIN[2]))
        assert left is not None
        assert right is not None
        # Rays stand a screen pixel apart, up to eight while something moves.
        room = 1.0 + (8.0 if moving else 1.0) * mm
        assert abs(lit[0] - left[0]) * mm <= room
        assert abs(lit[-1] + 1 - right[0]) * mm <= room


def test_a_mask_shows_its_voxels_alone_or_hides_them() -> None:
    geometry = GRIDS["turned"]
    one, other = (20.0, 10.0, 12.0), (20.0, 38.0, 44.0)
    volume = beads(geometry, [one, other])
    mask = np.zeros((20, 24, 28), dtype=bool)
    # On a grid of its own: twice as coarse as the volume's.
    coarse = VolumeGeometry(
        geometry.to_patient((0.5, 0.5, 0.5)),
        tuple(2 * v for v in geometry.k_step_mm),  # type: ignore[arg-type]
        tuple(2 * v for v in geometry.j_step_mm),  # type: ignore[arg-type]
        tuple(2 * v for v in geometry.i_step_mm),  # type: ignore[arg-type]
        mask.shape,  # type: ignore[arg-type]
        FRAME,
    )
    mask[6:14, 0:10, 2:11] = True
    for moving in (True, False):
        for hide, shown in ((False, one), (True, other)):
            pixels = seen(volume, cut=VolumeCut(mask, coarse, hide, f"cut-{hide}"), moving=moving)
            expected = from_the(FRONT, volume).patient_to_pane(geometry.to_patient(shown))
            found = centroid(pixels.astype(float).sum(axis=2))
            assert expected is not None
            assert math.dist(found, expected[:2]) * (from_the(FRONT, volume).mm_per_pane_px or 1.0) < 1.5


def test_letters_and_scale_are_those_of_the_camera() -> None:
    volume = beads(GRIDS["axial"], [(20.0, 20.0, 20.0)])
    layer = ImageLayer(Appearance(LEVEL), volume=volume)
    picture = render_solid(FRONT, (layer,), SIZE, draft=True)
    assert picture.pixels.shape == (SIZE[1], SIZE[0], 4)
    assert edge_letters(picture.resolved) == ("R", "L", "H", "F")
    assert picture.resolved.interpolated
    assert picture.window is None


def test_the_first_picture_is_coarse_and_says_so_the_next_is_fine_and_kept() -> None:
    volume = beads(GRIDS["axial"], [(20.0, 20.0, 20.0)])
    layer, cache = ImageLayer(Appearance(LEVEL), volume=volume), SampleCache()
    first = render_solid(FRONT, (layer,), SIZE, cache)
    assert first.coarse
    assert [n.code for n in first.notes] == ["viewer.volume.coarse"]
    second = render_solid(FRONT, (layer,), SIZE, cache)
    assert not second.coarse
    assert not second.notes
    assert render_solid(FRONT, (layer,), SIZE, cache) is second
    assert render_solid(FRONT, (layer,), SIZE, cache, draft=True) is second
    assert not render_solid(FRONT, (layer,), SIZE, finest=True).coarse


def test_large_volumes_are_thinned_where_they_are_finest_and_no_voxel_is_skipped() -> None:
    assert fewer((600, 512, 512), (0.7, 0.7, 0.7), 24_000_000) == (2, 2, 2)
    assert fewer((100, 512, 512), (2.0, 0.5, 0.5), 10_000_000) == (1, 2, 2)
    assert fewer((100, 256, 256), (1.0, 1.0, 1.0), 24_000_000) == (1, 1, 1)
    geometry = VolumeGeometry.axial((9, 12, 15), (2.0, 1.0, 0.5), ORIGIN)
    k, j, i = np.meshgrid(*(np.arange(n) for n in geometry.shape), indexing="ij")
    values = (k * 1000 + j * 30 + i * 2).astype(np.int16)
    volume = Volume(values, geometry, "HU")
    whole = kept_box(geometry, WHOLE)
    small, n = part_of(volume, whole, 9 * 12 * 15 // 8)
    assert n == (1, 2, 5)
    assert small.geometry.shape == (9, 6, 3)
    for index in ((0, 0, 0), (8, 5, 2), (1, 2, 1)):
        at = geometry.to_index(small.geometry.to_patient(tuple(float(v) for v in index)))  # type: ignore[arg-type]
        assert small.voxels[index] == pytest.approx(at[0] * 1000 + at[1] * 30 + at[2] * 2, abs=1)
    spike = np.zeros((12, 12, 12), np.int16)
    spike[7, 5, 10] = 900
    highest, by = part_of(
        Volume(spike, VolumeGeometry.axial(spike.shape, (1, 1, 1), ORIGIN)), ((0, 12),) * 3, 64, highest=True
    )  # type: ignore[arg-type]
    assert by == (3, 3, 3)
    assert highest.voxels.max() == 900
    assert np.argwhere(highest.voxels == 900).tolist() == [[2, 1, 3]]


def test_what_a_look_leaves_transparent_is_not_prepared() -> None:
    volume = slab(GRIDS["axial"], 1, 20, 25)
    box = opaque_box(volume.voxels, kept_box(volume.geometry, WHOLE), 130.0)
    assert box == ((0, 40), (18, 28), (0, 56))
    assert opaque_box(volume.voxels, ((0, 40), (30, 40), (0, 56)), 130.0) is None
    assert not seen(slab(GRIDS["axial"], 1, 20, 25), (0, 1, 0.9, 1, 0, 1), moving=False).any()


def test_the_death_of_a_rendering_process_costs_nothing_that_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume_render, "_next_step", lambda step, ms: step)  # as many rays, however busy the machine is
    volume = beads(GRIDS["axial"], [(20.0, 20.0, 20.0)])
    before = {moving: seen(volume, moving=moving) for moving in (True, False)}
    for engine, moving in ((quick, True), (fine, False)):
        process = engine.child.process
        assert process is not None
        process.kill()
        process.join(10)
        after = seen(volume, moving=moving)
        assert np.abs(after.astype(int) - before[moving]).max() <= 1
        assert engine.child.process is not process


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
    ct = [p.name for p in volume_presets_for("HU")]
    assert ct[:4] == ["bone", "vessels", "lung", "skin"]
    assert {"teeth", "surface_bone", "surface_skin", "surface_vessels", "surface_airway", "mip", "segments"} <= set(ct)
    assert {p.name for p in volume_presets_for("")} == {"mr_surface", "mr_bright", "cbct_teeth", "mip", "segments"}
    assert [p.name for p in volume_presets_for("BQML")] == ["mip", "segments"]
    assert volume_preset("bone", "BQML").name == "mip"
    assert sum(p.is_mip for p in volume_presets()) == 1
    for preset in volume_presets():
        assert all(0 <= o <= 1 for _, o in preset.opacity)
        assert list(preset.opacity) == sorted(preset.opacity)


def test_a_relative_look_is_laid_over_the_volume_s_own_range() -> None:
    look = volume_preset("mr_surface", "").over(100.0, 300.0)
    assert look.opacity[0] == (pytest.approx(124.0), 0.0)
    assert look.lowest_shown == pytest.approx(124.0)
    assert not look.relative


def test_a_resting_picture_that_is_overtaken_is_still_a_picture() -> None:
    volume = beads(GRIDS["axial"], [(20.0, 20.0, 20.0)])
    resolved = from_the(FRONT, volume)
    look = volume_preset("bone", "HU")
    render_volume(volume, resolved, look, LEVEL, moving=True)
    moved()
    assert render_volume(volume, resolved, look, LEVEL).pixels.any()


def test_a_look_that_takes_long_is_cast_with_fewer_rays_says_so_and_gets_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = beads(GRIDS["axial"], [(20.0, 20.0, 20.0)])
    layer = ImageLayer(Appearance(LEVEL), volume=volume)
    took = [9000.0, 9000.0, 900.0, 100.0, 500.0]
    cast = volume_render.fine.picture

    def slow(*a: object, **k: object) -> object:
        pixels, _ = cast(*a, **k)  # type: ignore[arg-type]
        return pixels, took.pop(0)

    monkeypatch.setattr(volume_render.fine, "picture", slow)
    said = []
    for _ in range(5):
        made = render_solid(FRONT, (layer,), SIZE, finest=True)
        said.append([n.code for n in made.notes])
    # The first picture of a volume prepares it and does not count.
    assert said == [[], [], ["viewer.volume.rays"], ["viewer.volume.rays"], []]

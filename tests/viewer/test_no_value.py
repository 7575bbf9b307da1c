"""What has no value is not measured, averaged or windowed, on and off the grid; the probe says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.domain.measurement import MarkShape, Measurement, Quantity
from app.domain.pixels import FramePixels
from app.domain.volume import Volume
from app.domain.voxel_mask import VoxelMask
from app.imaging.curved import curved_reformat
from app.imaging.growing import BoxMask, grow
from app.imaging.packed import counted_values, pack
from app.session.own_masks import measured
from app.session.recheck_desk import _own
from app.viewer.compositor import render
from app.viewer.edits import PutAnnotation, SetAppearance, ShowProbe
from app.viewer.fusion import over_values
from app.viewer.layers import FusionLayer, ImageLayer, OverMode
from app.viewer.measure import statistics
from app.viewer.no_value import volume_window
from app.viewer.over_values import OverValues
from app.viewer.plane_values import plane_values
from app.viewer.slice_sampler import plane_image
from app.viewer.tools.registry import discover
from app.viewer.view_state import Plane, SlabMode, ViewState
from app.viewer.words import value_text
from tests.viewer.scenes import geometries
from tests.viewer.test_tools import SIZE, at_px, context, drag

GRID = geometries()["anisotropic"]
AIR = np.zeros(GRID.shape, np.bool_)
AIR[:, :, :20] = True
AIR[:, 30:, :] = True
AIR[3:6] = True
VOXELS = np.random.default_rng(2).integers(20, 80, GRID.shape).astype(np.int16)
VOXELS[AIR] = -1024
VOLUME = Volume(VOXELS, GRID, "HU", no_value=VoxelMask.of(AIR))
NAMED = {t.name: t for t in discover().tools}
CENTRE = GRID.to_patient((12.0, 20.0, 24.0))
LEANING = {"oblique_row": (0.8, 0.6, 0.0), "oblique_column": (0.0, 0.0, -1.0)}


def views(slab_mm: float = 0.0, mode: SlabMode = SlabMode.MEAN) -> dict[str, ViewState]:
    more = {"slab_mm": slab_mm, "slab_mode": mode, "point_mm": CENTRE}
    return {
        "axial": ViewState(plane=Plane.AXIAL, **more),
        "coronal": ViewState(plane=Plane.CORONAL, **more),
        "sagittal": ViewState(plane=Plane.SAGITTAL, **more),
        "oblique": ViewState(plane=Plane.OBLIQUE, **more, **LEANING),
    }


@pytest.mark.parametrize("name", ["axial", "coronal", "sagittal", "oblique"])
@pytest.mark.parametrize("slab_mm", [0.0, 8.0])
@pytest.mark.parametrize("mode", list(SlabMode))
def test_a_region_over_everything_measures_only_values(name: str, slab_mm: float, mode: SlabMode) -> None:
    c = context(views(slab_mm, mode)[name], ImageLayer(volume=VOLUME))
    values, g = c.values(), c.resolved.geometry
    assert values is not None
    found = statistics(MarkShape.RECTANGLE, ((0, 0), (g.columns, g.rows)), values, c.padding())
    assert found is not None
    assert 20 <= found.minimum <= found.mean <= found.maximum < 80
    bare = context(views(slab_mm, mode)[name], ImageLayer(volume=replace(VOLUME, no_value=None)))
    counted = statistics(MarkShape.RECTANGLE, ((0, 0), (g.columns, g.rows)), bare.values(), bare.padding())
    assert counted is not None
    assert counted.minimum == -1024
    assert found.count < counted.count


def test_slabs_on_the_grid_are_those_of_the_voxels_with_values() -> None:
    masked = np.ma.masked_array(VOXELS, AIR)
    for mode, expected in ((SlabMode.MEAN, masked.mean), (SlabMode.MAXIMUM, masked.max), (SlabMode.MINIMUM, masked.min)):
        view = views(10.0, mode)["axial"]
        c = context(view, ImageLayer(volume=VOLUME))
        picked = np.s_[10:15]
        one = np.ma.masked_array(VOXELS[picked], AIR[picked])
        wanted = getattr(one, expected.__name__)(axis=0)
        got, left_out = plane_image(VOLUME, view), c.padding()
        assert got is not None
        assert left_out is not None
        assert np.array_equal(left_out, np.ma.getmaskarray(wanted))
        assert np.allclose(got[~left_out], wanted.compressed(), atol=1e-4)
    sagittal = context(views()["sagittal"], ImageLayer(volume=VOLUME))
    assert sagittal.padding().shape == sagittal.values().shape  # type: ignore[union-attr]
    assert np.array_equal(sagittal.padding(), sagittal.values() == -1024)


def test_off_the_grid_no_sample_mixes_a_value_with_none() -> None:
    """All values are 50: whatever is not 50 was mixed."""
    even = replace(VOLUME, voxels=np.where(AIR, -1024, 50).astype(np.int16))
    for slab_mm, mode in ((0.0, SlabMode.MEAN), (7.0, SlabMode.MEAN), (7.0, SlabMode.MINIMUM), (7.0, SlabMode.MAXIMUM)):
        c = context(views(slab_mm, mode)["oblique"], ImageLayer(volume=even))
        values = c.values()
        assert values is not None
        known = values[np.isfinite(values)]
        assert known.size > 200
        assert np.allclose(known, 50.0)


def test_the_same_without_a_mask_as_ever() -> None:
    plain = replace(VOLUME, no_value=None)
    empty = replace(VOLUME, no_value=VoxelMask.of(np.zeros_like(AIR)))
    for slab_mm in (0.0, 8.0):
        for mode in SlabMode:
            for view in views(slab_mm, mode).values():
                a = plane_values(ImageLayer(volume=plain), context(view, ImageLayer(volume=plain)).resolved)
                b = plane_values(ImageLayer(volume=empty), context(view, ImageLayer(volume=empty)).resolved)
                assert np.allclose(a, b, atol=0.02, equal_nan=True)


def probed(c: object, x: float, y: float) -> ShowProbe:
    (shown,) = NAMED["probe"].make().hover(at_px(c, x, y), c)  # type: ignore[arg-type]
    assert isinstance(shown, ShowProbe)
    return shown


def test_the_probe_says_that_there_is_no_value() -> None:
    for view, empty, full in (
        (views()["axial"], (5.5, 5.5), (30.5, 10.5)),
        (ViewState(plane=Plane.STACK, frame_index=12), (5.5, 5.5), (30.5, 10.5)),
    ):
        c = context(view, ImageLayer(volume=VOLUME))
        (nothing,) = probed(c, *empty).measurements
        assert nothing.quantity is Quantity.VALUE
        assert value_text({"viewer.no_value": "no value here"}, nothing) == "no value here"
        (value,) = probed(c, *full).measurements
        assert value_text({}, value).endswith("HU")
    oblique = context(views()["oblique"], ImageLayer(volume=VOLUME))
    (beyond,) = probed(oblique, 0.5, 0.5).measurements
    assert _own((beyond,)) == (), "nothing is no value that a second computation could doubt"
    assert value_text({"viewer.no_value": "none"}, beyond) == "none"
    padded = np.zeros((40, 48), np.bool_)
    padded[:10] = True
    frame = FramePixels(VOXELS[12], "HU", padding=padded)
    film = context(
        ViewState(), ImageLayer(frame=frame, geometry=context(views()["axial"], ImageLayer(volume=VOLUME)).resolved.geometry)
    )
    assert np.isnan(probed(film, 3.5, 3.5).measurements[0].value)
    assert SIZE


def test_a_drawn_region_and_a_window_from_it() -> None:
    c = context(views()["axial"], ImageLayer(volume=VOLUME))
    edits = drag(NAMED["rectangle"].make(), c, (2.0, 2.0), (46.0, 28.0))
    drawn = [e.annotation for e in edits if isinstance(e, PutAnnotation) and not e.provisional][-1]
    by = {m.quantity: m.value for m in drawn.measurements}
    assert by[Quantity.MINIMUM] >= 20
    (window,) = [e for e in drag(NAMED["roi_window"].make(), c, (2.0, 2.0), (46.0, 28.0)) if isinstance(e, SetAppearance)]
    assert window.appearance.window is not None
    assert window.appearance.window.center - window.appearance.window.width / 2 >= 20
    auto = volume_window(VOLUME)
    assert auto.center - auto.width / 2 >= 20
    assert volume_window(replace(VOLUME, no_value=None)).center < 0


def test_masks_grow_and_are_measured_without_it() -> None:
    assert grow(VOLUME, (12, 5, 5), (-2000.0, 100.0)) is None
    grown = grow(VOLUME, (12, 10, 30), (-2000.0, 100.0), 30.0)
    assert grown is not None
    box = tuple(slice(a, b) for a, b in zip(grown.start, grown.stop, strict=True))
    assert not (grown.values & AIR[box]).any()
    everything = BoxMask(np.ones(GRID.shape, np.bool_), (0, 0, 0))
    told = {m.quantity: m.value for m in measured(everything, VOLUME)}
    assert told[Quantity.MINIMUM] >= 20
    again = counted_values(pack(everything, VOLUME, "", False), VOLUME)
    assert all(again[q] == pytest.approx(told[q]) for q in again)
    nothing = BoxMask(np.ones((2, 2, 2), np.bool_), (0, 0, 0))
    assert [m.quantity for m in measured(nothing, VOLUME)] == [Quantity.VOLUME]
    assert counted_values(pack(nothing, VOLUME, "", False), VOLUME) == {}


def test_curves_and_what_lies_over() -> None:
    points = tuple(GRID.to_patient((12.0, 15.0, i)) for i in (10.0, 20.0, 30.0, 44.0))
    image = curved_reformat(VOLUME, points, 12.0, 0.6)
    assert np.isnan(image.values).any()
    assert np.nanmin(image.values) >= 20 - 0.5
    thick = curved_reformat(VOLUME, points, 12.0, 0.6, thickness_mm=4.0)
    assert np.nanmin(thick.values) >= 20 - 0.5
    layer = FusionLayer(VOLUME, GRID)
    c = context(views()["axial"], ImageLayer(volume=replace(VOLUME, no_value=None)))
    _, there = over_values(layer, c.resolved)
    x, y = c.resolved.px_to_pane(5.5, 5.5)
    assert not there[int(y), int(x)]
    x, y = c.resolved.px_to_pane(30.5, 10.5)
    assert there[int(y), int(x)]
    change = FusionLayer(replace(VOLUME, no_value=None), GRID, mode=OverMode.DIFFERENCE)
    drawn = render(views()["axial"], (ImageLayer(volume=VOLUME), change), SIZE)
    x, y = c.resolved.px_to_pane(5.5, 5.5)
    assert drawn.pixels[int(y), int(x)].max() == 0
    over = OverValues(layer, "CT")
    assert over.at(GRID.to_patient((12.0, 5.0, 5.0))) == ()
    assert over.at(GRID.to_patient((12.0, 10.0, 30.0))) == (
        Measurement(Quantity.OVERLAY_VALUE, float(VOXELS[12, 10, 30]), "[hnsf'U]", of="CT"),
    )

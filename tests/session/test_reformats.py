"""Planes, three of them, and slabs by command: in any pane that can be a volume, undone, named, refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.session.picture import PanePicture
from app.session.reading_session import ReadingSession
from app.viewer.slice_sampler import plane_image
from app.viewer.tool_api import PointerEvent
from app.viewer.view_state import Plane, SlabMode
from tests import phantoms
from tests.flows import stage
from tests.flows.stage import Stage
from tests.session.test_reading import desk, opened

__all__ = ["desk"]


def alone(s: Stage) -> ReadingSession:
    reading = opened(s)
    reading.set_layout("1x1")
    reading.room.change_view(frame_index=4)
    return reading


def shown(s: Stage, reading: ReadingSession, pane: str = "pane-0") -> PanePicture:
    s.until(lambda: not reading.picture_request(pane, 420, 360).loading)
    return reading.picture_request(pane, 420, 360)()


def told(picture: PanePicture) -> dict[str, str]:
    return {p.key: p.text for p in picture.decorations if hasattr(p, "text")}


def test_a_slab_of_acquired_slices_is_their_highest_values_and_goes_again(desk: Stage) -> None:
    reading = alone(desk)
    before = reading.room.pane("pane-0")
    reading.command("slab_mip")
    view = reading.room.pane("pane-0").view
    assert (view.plane, view.slab_mm, view.slab_mode) == (Plane.AXIAL, 10.0, SlabMode.MAXIMUM)
    picture = shown(desk, reading)
    assert told(picture)["slab"] == "MIP 10.0 mm"
    assert "interpolated" in told(picture)["zoom"]
    volume = desk.ws._images.volume(before.display_set_id)
    values = plane_image(volume, reading.room.pane("pane-0").view)
    assert np.array_equal(values, volume.voxels[2:7].max(axis=0)), "10 mm about the fifth slice of 2.5 mm"
    reading.command("slab_average")
    assert told(shown(desk, reading))["slab"] == "Average 10.0 mm"
    reading.command("slab_thicker")
    reading.command("slab_thicker")
    assert reading.room.pane("pane-0").view.slab_mm == 15.0
    reading.pointer("pane-0", "wheel", PointerEvent(9, 9, wheel=-1.0), "slab")
    assert reading.room.pane("pane-0").view.slab_mm == 12.0
    reading.command("slab_off")
    assert "slab" not in told(shown(desk, reading))
    for mm in (12.0, 15.0, 12.0, 10.0):
        reading.undo()
        assert reading.room.pane("pane-0").view.slab_mm == mm
    reading.undo()
    reading.undo()
    assert reading.room.pane("pane-0").view == before.view


def test_planes_go_through_the_same_point_and_back_to_the_frame(desk: Stage) -> None:
    reading = alone(desk)
    place = reading.room.centre_of("pane-0")
    for command, plane in (("mpr_coronal", Plane.CORONAL), ("mpr_sagittal", Plane.SAGITTAL), ("mpr_axial", Plane.AXIAL)):
        reading.command(command)
        assert reading.room.pane("pane-0").view.plane is plane
        assert reading.room.pane("pane-0").view.point_mm == place
        assert reading.reformats.view().plane == plane.value
        assert told(shown(desk, reading))["plane"].casefold() == plane.value
    reading.command("mpr_acquired")
    assert (reading.room.pane("pane-0").view.plane, reading.room.pane("pane-0").view.frame_index) == (Plane.STACK, 4)
    assert reading.reformats.view().plane == "stack"


def test_three_planes_come_in_one_step_and_go_in_one(desk: Stage) -> None:
    reading = opened(desk)
    layout, before, tool = reading.layout().name, reading.room.panes(), reading.active_tool
    reading.command("three_planes")
    panes = reading.room.panes()
    assert [p.view.plane for p in panes] == [Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL]
    assert len({p.view.point_mm for p in panes}) == 1
    assert reading.reformats.view().three
    assert reading.active_tool == "crosshair"
    for pane in panes:
        picture = shown(desk, reading, pane.pane_id)
        assert sum(getattr(p, "key", "") == "turn_handle" for p in picture.decorations) == 4
        assert not any(getattr(p, "key", "") == "cross_reference" for p in picture.decorations)
    reading.command("three_planes")
    assert (reading.layout().name, reading.active_tool) == (layout, tool)
    assert [p.view for p in reading.room.panes()] == [p.view for p in before]
    reading.undo()
    assert reading.reformats.is_triad()
    reading.undo()
    assert reading.layout().name == layout
    # A triad that nothing stood before (it was restored after a death) goes back to the hanging.
    reading.command("three_planes")
    reading.reformats._before = None
    reading.command("three_planes")
    assert [p.view.plane for p in reading.room.panes()] == [p.view.plane for p in before]


def test_a_turned_triad_is_undone_as_one_gesture(desk: Stage) -> None:
    reading = opened(desk)
    reading.command("three_planes")
    for pane in reading.room.panes():
        shown(desk, reading, pane.pane_id)
    before = reading.room.panes()
    reading.set_tool("turn")
    for kind, x in (("press", 100.0), ("drag", 140.0), ("drag", 170.0), ("release", 170.0)):
        reading.pointer("pane-1", kind, PointerEvent(x, 120.0))
    after = [p.view for p in reading.room.panes()]
    assert all(v.plane is Plane.OBLIQUE for v in after)
    assert reading.reformats.is_triad(), "still at right angles"
    reading.undo()
    assert [p.view for p in reading.room.panes()] == [p.view for p in before]
    # Panes that are not linked turn alone.
    reading.command("toggle_linking")
    for kind, x in (("press", 100.0), ("release", 170.0)):
        reading.pointer("pane-1", kind, PointerEvent(x, 120.0))
    assert [p.view.plane for p in reading.room.panes()] == [Plane.AXIAL, Plane.OBLIQUE, Plane.SAGITTAL]


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (lambda folder: phantoms.write_gap(folder), "volume.gap"),
        (lambda folder: phantoms.write_ct(folder, phantoms.index_volume((2, 16, 16))), "volume.too_few_slices"),
        (lambda folder: phantoms.write_film(folder / "f.dcm", modality="DX"), "volume.not_a_stack"),
    ],
)
def test_what_cannot_be_a_volume_stays_as_it_is_and_says_why(tmp_path: Path, write: object, code: str) -> None:
    (tmp_path / "dicom").mkdir()
    write(tmp_path / "dicom")  # type: ignore[operator]
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = opened(s)
        before = reading.room.panes()
        for command in ("mpr_coronal", "slab_mip", "slab_thicker", "three_planes"):
            reading.command(command)
            assert s.notices[-1] == code, command
        assert reading.room.panes() == before
        refused = reading.reformats.view().refused
        assert refused is not None
        assert refused.code == code


def test_an_oblique_mr_stack_is_made_a_slab_as_it_lies(tmp_path: Path) -> None:
    for path in phantoms.write_oblique(tmp_path / "dicom"):
        ds = pydicom.dcmread(path)
        ds.Modality, ds.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4"
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.save_as(path)
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = alone(s)
        frame = reading.room.pane("pane-0").view.frame_index
        shown(s, reading)
        plane = reading.room.context("pane-0").resolved.geometry.plane  # type: ignore[union-attr]
        reading.command("slab_minip")
        view = reading.room.pane("pane-0").view
        assert (view.plane, view.oblique_row) == (Plane.OBLIQUE, plane.row_cosines)
        picture = shown(s, reading)
        assert picture.pixels is not None
        assert told(picture)["slab"].startswith("MinIP")
        assert abs(plane.to_index(view.point_mm)[2]) < 1e-6, "the slab lies about the slice that was shown"
        volume = s.ws._images.volume(reading.room.pane("pane-0").display_set_id)
        values = plane_image(volume, view)
        half = int(view.slab_mm / 2 / volume.geometry.spacing_mm[0] + 1e-9)
        assert half >= 1
        at = [k for k in range(volume.geometry.shape[0]) if abs(volume.geometry.to_index(view.point_mm)[0] - k) < 0.5][0]
        assert np.array_equal(values, volume.voxels[max(0, at - half) : at + half + 1].min(axis=0))
        reading.command("three_planes")
        assert [shown(s, reading, p.pane_id).pixels is not None for p in reading.room.panes()] == [True] * 3
        reading.command("three_planes")
        reading.command("mpr_acquired")
        assert reading.room.pane("pane-0").view.frame_index == frame


def test_planes_set_anew_lead_back_to_what_stood_before_them(desk: Stage) -> None:
    reading = opened(desk)
    before = [p.view for p in reading.room.panes()]
    reading.command("three_planes")
    for pane in reading.room.panes():
        shown(desk, reading, pane.pane_id)
    reading.command("mpr_coronal")
    assert [p.view.plane for p in reading.room.panes()] == [Plane.CORONAL, Plane.AXIAL, Plane.SAGITTAL], "still three"
    reading.set_tool("turn")
    for kind, x in (("press", 100.0), ("release", 170.0)):
        reading.pointer("pane-1", kind, PointerEvent(x, 120.0))
    reading.command("mpr_sagittal")
    assert {p.view.plane for p in reading.room.panes()} == {Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL}, "straight again"
    reading.undo()
    assert {p.view.plane for p in reading.room.panes()} == {Plane.OBLIQUE}, "in one step"
    # Alone, where panes are not linked.
    reading.command("toggle_linking")
    reading.command("mpr_coronal")
    assert not reading.reformats.is_triad()
    reading.command("three_planes")
    assert reading.reformats.is_triad()
    reading.command("three_planes")
    assert [p.view for p in reading.room.panes()] == before


def test_hidden_lines_are_not_taken(desk: Stage) -> None:
    reading = opened(desk)
    reading.command("three_planes")
    for pane in reading.room.panes():
        shown(desk, reading, pane.pane_id)
    reading.command("toggle_crosshair")
    assert not any(getattr(p, "key", "") == "plane_line" for p in shown(desk, reading).decorations)
    context = reading.room.context("pane-0")
    assert context is not None
    x, y, _ = context.resolved.patient_to_pane(reading.room.pane("pane-0").view.point_mm)  # type: ignore[arg-type, misc]
    for kind, dx in (("press", 2.0), ("drag", 60.0), ("release", 60.0)):
        reading.pointer("pane-0", kind, PointerEvent(x + dx, y))
    moved = context.resolved.pane_to_patient(x + 60.0, y)
    assert np.allclose([p.view.point_mm for p in reading.room.panes()], [moved] * 3)

"""The 3D view of an open study: looks, masks, crop, what stands on it and leaves with it, without a window."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from app.domain.finding import Finding, SegmentMask
from app.domain.geometry import VolumeGeometry
from app.domain.saved_overlay import OverlayKind, OverlayPart, SavedOverlay
from app.domain.volume import Volume
from app.imaging.growing import BoxMask
from app.session.image_out import picture
from app.session.own_masks import as_mark
from app.session.paint import png
from app.session.panes import PaneState
from app.session.reading_session import ReadingSession
from app.session.rendered_panes import SIGHTS, SolidDesk, tool_of
from app.viewer.decorations import edge_letters
from app.viewer.tool_api import PointerEvent
from app.viewer.view_state import Plane, ViewState
from app.viewer.volume_engine import fine
from tests.flows import stage
from tests.flows.stage import BALLS, Stage
from tests.session.test_reader_tools import at_ball, click, volume_here


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stage]:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "dicom")
        yield made


def from_outside(s: Stage) -> ReadingSession:
    reading = s.ws.open_study(s.row().study_instance_uid)  # type: ignore[attr-defined]
    reading.set_layout("1x1")
    reading.command("volume_view")
    s.until(lambda: reading.picture_request("pane-0", 300, 300)().pixels is not None)
    return reading


def test_the_front_is_seen_first_and_the_picture_says_what_it_is(desk: Stage) -> None:
    reading = from_outside(desk)
    picture = reading.picture_request("pane-0", 600, 600)()
    said = {getattr(p, "key", "") for p in picture.decorations}
    assert {"identity", "patient_id", "cube_letter", "edge_left", "scale_bar"} <= said
    assert picture.resolved is not None
    assert edge_letters(picture.resolved) == ("R", "L", "H", "F")
    texts = [p.text for p in picture.decorations if getattr(p, "key", "") == "cube_letter"]
    assert texts == ["A"]
    for name, (right, down) in SIGHTS.items():
        reading.room.change_view(oblique_row=right, oblique_column=down)
        seen = reading.picture_request("pane-0", 600, 600, draft=True)()
        letters = [p.text for p in seen.decorations if getattr(p, "key", "") == "cube_letter"]
        assert letters == [{"front": "A", "back": "P"}.get(name, name[0].upper())]


def test_a_look_is_told_and_the_coarse_picture_says_that_a_finer_one_follows(desk: Stage) -> None:
    reading = from_outside(desk)
    reading.room.change_view(volume_preset="surface_skin")
    first = reading.picture_request("pane-0", 600, 600)()
    assert first.draft
    told = [p.text for p in first.decorations if getattr(p, "key", "").startswith("remark")]
    assert any("-300 HU" in t or "−300 HU" in t for t in told)
    assert any("windowed sinc" in t for t in told)
    second = reading.picture_request("pane-0", 600, 600)()
    assert not second.draft
    assert len([p for p in second.decorations if getattr(p, "key", "").startswith("remark")]) == len(told) - 1


def test_what_leaves_the_screen_is_the_fine_picture_with_identity_or_without(desk: Stage) -> None:
    reading = from_outside(desk)
    for identified in (True, False):
        image = Image.open(io.BytesIO(png(picture(reading.room, "pane-0", (640, 640), identified))))
        assert image.size == (640, 640)
        assert np.asarray(image).std() > 1
    reading.room.change_view(zoom=0.75)
    bare = picture(reading.room, "pane-0", (640, 640), True)
    reading.command("crop_box")
    assert any(getattr(p, "key", "") == "crop_edge" for p in reading.picture_request("pane-0", 640, 640)().decorations)
    assert np.array_equal(picture(reading.room, "pane-0", (640, 640), True), bare), "handles stay on the screen"


def test_a_click_draws_nothing_and_the_handle_of_the_box_moves_its_side(desk: Stage) -> None:
    reading = from_outside(desk)
    reading.set_tool("length")
    for kind, x in (("press", 20.0), ("drag", 120.0), ("release", 120.0)):
        reading.pointer("pane-0", kind, PointerEvent(x, 20.0))
    assert reading.desk.marks == ()
    assert reading.room.pane("pane-0").view.oblique_row != (1.0, 0.0, 0.0)
    right, down = SIGHTS["front"]
    reading.room.change_view(crop_box=True, zoom=0.75, oblique_row=right, oblique_column=down)
    picture = reading.picture_request("pane-0", 600, 600, draft=True)()
    handle = next(p for p in picture.decorations if getattr(p, "key", "") == "crop_handle_left")
    for kind, x in (("press", handle.cx), ("drag", handle.cx - 100.0), ("release", handle.cx - 100.0)):  # type: ignore[union-attr]
        reading.pointer("pane-0", kind, PointerEvent(x, handle.cy))  # type: ignore[union-attr]
    crop = reading.room.pane("pane-0").view.crop
    assert crop[1] < 1.0
    assert (crop[0], *crop[2:]) == (0.0, 0.0, 1.0, 0.0, 1.0)
    reading.undo()
    assert reading.room.pane("pane-0").view.crop[1] == 1.0


def test_asking_for_a_picture_waits_for_no_process(desk: Stage) -> None:
    """The main thread only freezes requests; the fine process is held meanwhile, as by a long picture."""
    reading = from_outside(desk)
    assert fine.child.lock.acquire(timeout=30)
    try:
        requests = [reading.picture_request("pane-0", 600, 600, draft=bool(n % 2)) for n in range(20)]
        assert requests[1]().pixels is not None, "the quick process does not wait for the fine one"
    finally:
        fine.child.lock.release()


def _mark() -> tuple[Finding, np.ndarray]:
    geometry = VolumeGeometry.axial((12, 14, 16), (2.0, 1.0, 0.5), (10.0, -90.0, 400.0), "1.2.3")
    volume = Volume(np.arange(12 * 14 * 16, dtype=np.int16).reshape(12, 14, 16), geometry, "HU")
    inner = np.zeros((4, 5, 6), dtype=bool)
    inner[1:3, 1:4, 2:5] = True
    return as_mark(None, BoxMask(inner, (3, 4, 5)), volume, "set", False), inner


def test_own_masks_and_segments_cut_the_view_and_keep_their_name_while_they_are_the_same() -> None:
    mark, inner = _mark()
    geometry = VolumeGeometry.axial((5, 6, 7), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), "1.2.3")
    values = np.zeros(geometry.shape, dtype=bool)
    values[2, 3, 4] = True
    parts = (
        OverlayPart(1, "Liver", "Liver", (200, 90, 60), (SegmentMask("s", values, geometry),)),
        OverlayPart(2, "", "Spleen", (90, 90, 200)),
    )
    overlay = SavedOverlay("2.25.7", OverlayKind.SEGMENTATION, "Organs", parts)
    saved = SimpleNamespace(segmentations=lambda: (("2.25.7", overlay, ()),))
    desk = SolidDesk({mark.finding_id: mark}.get, lambda: saved)  # type: ignore[arg-type, return-value]
    pane = PaneState("pane-0", "set", ViewState(plane=Plane.RENDERED))
    titles = [p.title if isinstance(p.title, str) else p.title.id for p in desk.parts(pane, (mark,))]
    assert titles == ["volume.own", "Liver", "Spleen"]
    assert [p.part_id for p in desk.parts(pane, ())] == ["2.25.7#0", "2.25.7#1"]
    assert desk.cut(pane) is None
    own = desk.cut(replace(pane, only_mask=mark.finding_id))
    assert own is not None
    assert np.array_equal(own.values, inner)
    assert own.geometry.origin_mm == pytest.approx((10.0 + 5 * 0.5, -90.0 + 4, 400.0 + 3 * 2.0))
    assert desk.cut(replace(pane, only_mask=mark.finding_id)) is own
    hidden = desk.cut(replace(pane, only_mask="2.25.7#0", hide_mask=True))
    assert hidden is not None
    assert (hidden.hide, hidden.values is values) == (True, True)
    assert hidden.key != own.key
    for unknown in ("2.25.7#1", "2.25.7#9", "2.25.8#0", "nobody"):
        assert desk.cut(replace(pane, only_mask=unknown)) is None


def test_gestures_of_other_tools_turn_and_the_wheel_zooms() -> None:
    pane = PaneState("pane-0", "set", ViewState(plane=Plane.RENDERED))
    assert tool_of(pane, "length", "press") == "turn"
    assert tool_of(pane, "pan", "press") == "pan"
    assert tool_of(pane, "length", "wheel") == "zoom"


def test_what_the_reader_grew_stands_in_3d_as_a_surface_and_can_be_shown_alone_or_hidden(desk: Stage) -> None:
    reading = desk.ws.open_study(desk.row().study_instance_uid)  # type: ignore[attr-defined]
    reading.set_layout("1x1")
    event = at_ball(desk, reading)
    volume_here(desk, reading)
    reading.set_tool("region_grow")
    click(reading, event)
    desk.until(lambda: bool(reading.desk.marks) and not desk.ws.images_busy())
    (mark,) = reading.desk.marks
    reading.command("volume_view")
    reading.room.change_view(volume_preset="segments")
    request = reading.picture_request("pane-0", 500, 500)
    picture = replace(request, finest=True)()
    assert picture.pixels is not None
    assert picture.resolved is not None
    x, y, _ = picture.resolved.patient_to_pane(BALLS[0]) or (0.0, 0.0, 0.0)
    lit = picture.pixels[..., :3].max(axis=2) > 60
    assert lit[int(y), int(x)]
    assert lit.mean() < 0.05, "a small ball and nothing else"
    (part,) = reading.room.solid.parts(reading.room.pane("pane-0"), reading.desk.marks)
    for hide in (True, False):
        reading.room.show_only(part.part_id, hide)
        shown = replace(reading.picture_request("pane-0", 500, 500), finest=True)()
        assert shown.pixels is not None
        assert bool((shown.pixels[int(y), int(x), :3] > 60).any()) != hide
    assert mark.finding_id == part.part_id
    reading.undo()
    reading.undo()
    assert reading.room.pane("pane-0").only_mask == ""

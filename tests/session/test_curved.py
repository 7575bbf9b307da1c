"""A curve drawn on a phantom arch: the picture along it, right to a tenth of a millimetre, and its cross-sections."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.domain.geometry import Point3, VolumeGeometry
from app.domain.measurement import MarkShape, Quantity
from app.domain.pixels import VoiWindow
from app.domain.volume import Volume
from app.session.curved_desk import reformatted
from app.session.layout_recovery import restore, state_of
from app.session.reading_session import ReadingSession
from app.viewer.tool_api import PointerEvent
from app.viewer.view_state import Plane, SlabMode, ViewState
from tests import phantoms
from tests.flows import stage
from tests.flows.stage import Stage
from tests.viewer.scenes import centroid

RADIUS = 30.0
GEOMETRY = VolumeGeometry.axial((60, 180, 200), (0.5, 0.4, 0.4), (-40.0, -51.0, -333.0), "1.2.3")
CENTRE = (0.0, 10.0, -318.0)
ANGLES = (20.0, 55.0, 90.0, 125.0, 160.0)
"""Of the beads on the arch, in degrees."""


def on_arch(degrees: float, dz: float = 0.0) -> Point3:
    a = math.radians(degrees)
    return (CENTRE[0] - RADIUS * math.cos(a), CENTRE[1] - RADIUS * math.sin(a), CENTRE[2] + dz)


def arch() -> Volume:
    k, j, i = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in GEOMETRY.shape), indexing="ij")
    at = GEOMETRY.to_patient_many(np.stack([k.ravel(), j.ravel(), i.ravel()], 1).astype(float))
    values = np.full(GEOMETRY.shape, -200.0)
    for n, degrees in enumerate(ANGLES):
        d2 = ((at - np.asarray(on_arch(degrees, (n - 2) * 2.0))) ** 2).sum(axis=1).reshape(GEOMETRY.shape)
        values += 2000.0 * np.exp(-d2 / (2 * 1.2**2))
    return Volume(values.astype(np.int16), GEOMETRY, "HU")


def test_beads_lie_at_their_arc_length_to_a_tenth_of_a_millimetre() -> None:
    points = tuple(on_arch(a) for a in np.linspace(5, 175, 18))
    made = reformatted(arch(), points, 0.0, SlabMode.MEAN)
    step = made.image.curve.step_mm
    rows, columns = made.frame.values.shape
    for n, degrees in enumerate(ANGLES):
        arc = math.radians(degrees - 5.0) * RADIUS
        guess = arc / step
        row = -made.image.first_row_mm / step - (n - 2) * 2.0 / step
        box = np.s_[
            max(0, int(row) - 12) : min(rows, int(row) + 13), max(0, int(guess) - 12) : min(columns, int(guess) + 13)
        ]
        part = made.frame.values[box].astype(float) + 200.0
        part[part < 200.0] = 0.0
        y, x = np.mgrid[box]
        found = (float((x * part).sum() / part.sum()), float((y * part).sum() / part.sum()))
        assert abs(found[0] - guess) * step < 0.1
        assert abs(found[1] - row) * step < 0.1


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stage]:
    phantoms.write_ct(tmp_path / "dicom", arch())
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "dicom")
        yield made


def drawn(s: Stage) -> ReadingSession:
    reading = s.ws.open_study(s.row().study_instance_uid)  # type: ignore[attr-defined]
    reading.set_layout("1x1")
    reading.room.change_view(plane=Plane.AXIAL, point_mm=CENTRE)
    reading.picture_request("pane-0", 500, 450)
    s.until(lambda: not s.ws.images_busy())
    reading.set_tool("curve")
    context = reading.room.context("pane-0")
    assert context is not None
    for degrees in (20.0, 55.0, 90.0, 125.0, 160.0, 160.0):
        x, y, _ = context.resolved.patient_to_pane(on_arch(degrees)) or (0.0, 0.0, 0.0)
        for kind in ("press", "release"):
            reading.pointer("pane-0", kind, PointerEvent(x, y))
    return reading


def test_a_drawn_curve_opens_its_reformat_and_a_cross_section_beside(desk: Stage) -> None:
    reading = drawn(desk)
    room = reading.room
    assert reading.layout().name == "1+2"
    (mark,) = reading.desk.marks
    assert mark.shape is MarkShape.CURVE
    length = mark.measured(Quantity.LENGTH)
    assert length is not None
    assert length.value == pytest.approx(math.radians(140.0) * RADIUS, rel=2e-3)
    assert [p.view.plane for p in room.panes()] == [Plane.CURVED, Plane.AXIAL, Plane.OBLIQUE]
    reading.picture_request("pane-0", 600, 300)
    desk.until(lambda: bool(reading.picture_request("pane-0", 600, 300).layers), 30)
    picture = reading.picture_request("pane-0", 600, 300)()
    assert picture.pixels is not None
    assert any(getattr(p, "key", "") == "cross_section" for p in picture.decorations)
    assert picture.resolved is not None
    assert picture.resolved.geometry.interpolated_plane
    room.show_point(CENTRE)
    before = reading.picture_request("pane-2", 300, 300).view
    reading.pointer("pane-0", "wheel", PointerEvent(10.0, 10.0, wheel=-5.0))
    after = reading.picture_request("pane-2", 300, 300).view
    moved = math.dist(before.point_mm, after.point_mm)
    assert 3.0 < moved < 7.0, "about five millimetres along the curve"
    along = np.subtract(after.point_mm, before.point_mm)
    normal = np.cross(after.oblique_row, after.oblique_column)
    assert abs(float(along @ normal)) > 0.9 * moved, "the section lies across the curve"


def test_a_row_of_sections_lies_where_its_numbers_and_ticks_say_to_a_tenth_of_a_millimetre(desk: Stage) -> None:
    reading = drawn(desk)
    room = reading.room
    reading.command("section_row")
    assert reading.layout().name == "2+6"
    row = [p for p in room.panes() if p.section_every_mm > 0]
    assert [p.section_every_mm for p in row] == [2.0] * 6
    start, every = ANGLES[0], 2.0
    desk.until(lambda: bool(reading.picture_request("pane-0", 900, 400).layers), 30)
    flat, above = (reading.picture_request(p, 900, 500)() for p in ("pane-0", "pane-1"))
    assert flat.resolved is not None
    assert above.resolved is not None
    ticks = sorted({p.x0 for p in flat.decorations if getattr(p, "key", "") == "section_tick"})
    across = [p for p in above.decorations if getattr(p, "key", "") == "section_tick"]
    assert len(ticks) == len(across) == 6
    numbers = sorted(int(p.text) for p in flat.decorations if getattr(p, "key", "") == "section_number")
    for n, pane in enumerate(row):
        picture = reading.picture_request(pane.pane_id, 200, 400)()
        view, along = picture.resolved.view, pane.section_mm  # type: ignore[union-attr]
        truth = on_arch(start + math.degrees(along / RADIUS))
        assert math.dist(view.point_mm, truth) < 0.1
        radial = np.subtract(truth, CENTRE) / RADIUS
        assert abs(float(np.asarray(view.oblique_row) @ radial)) > math.cos(math.radians(1.0)), "it does not lie across"
        said = [p.text for p in picture.decorations if getattr(p, "key", "").startswith("remark")]
        number = round(along / every) + 1
        assert f"Section {number} · every 2 mm" in said
        x, _ = flat.resolved.pane_to_px(ticks[n], 0.0)
        assert abs((x - 0.5) * flat.resolved.geometry.column_spacing - along) < 0.1
        ends = [above.resolved.pane_to_patient(*xy) for xy in ((across[n].x0, across[n].y0), (across[n].x1, across[n].y1))]
        assert math.dist(np.mean(ends, axis=0), truth) < 0.1
    assert numbers[0] == round(row[0].section_mm / every) + 1
    # The bead in the arch's middle is on the section through it, in the middle of its picture.
    reading.command("section_row")
    assert reading.layout().name == "1+2"
    reading.picture_request("pane-0", 900, 400)()
    reading.set_tool("crosshair")
    context = room.context("pane-0")
    assert context is not None
    bead = math.radians(90.0 - start) * RADIUS
    x, y = context.resolved.px_to_pane(bead / context.resolved.geometry.column_spacing + 0.5, 10.0)
    for kind in ("press", "release"):
        reading.pointer("pane-0", kind, PointerEvent(x, y))
    room.set_window(VoiWindow(800.0, 2000.0))
    room.activate("pane-2")
    room.set_window(VoiWindow(800.0, 2000.0))
    picture = reading.picture_request("pane-2", 600, 600)()
    assert math.dist(picture.resolved.view.point_mm, on_arch(90.0)) < 0.1  # type: ignore[union-attr]
    found = centroid(picture.pixels)
    x, y, _ = picture.resolved.patient_to_pane(on_arch(90.0))  # type: ignore[union-attr, misc]
    assert math.hypot(found[0] - x, found[1] - y) * picture.resolved.mm_per_pane_px < 0.1  # type: ignore[union-attr, operator]


def test_a_row_comes_back_after_a_restart(desk: Stage) -> None:
    reading = drawn(desk)
    reading.command("section_row")
    reading.command("sections_apart")
    reading.command("next_image")
    kept = json.loads(json.dumps(state_of(reading.study.study_instance_uid, reading.room, reading.desk)))
    panes = reading.room.panes()
    reading.set_layout("1x1")
    assert restore(reading.room, reading.desk, kept)
    assert reading.room.panes() == panes
    assert reading.layout().name == "2+6"


def test_thickness_height_and_distance_follow_the_reader_and_undo(desk: Stage) -> None:
    reading = drawn(desk)
    room = reading.room
    reading.command("section_row")
    room.activate("pane-0")
    desk.until(lambda: bool(reading.picture_request("pane-0", 900, 400).layers), 30)
    step = reading.picture_request("pane-0", 900, 400).layers[0].geometry.row_spacing  # type: ignore[union-attr]
    for _ in range(5):
        reading.command("curve_lower")
    assert {p.height_mm for p in room.panes() if p.curve} == {20.0}

    def rows() -> int:
        return reading.picture_request("pane-0", 900, 400).layers[0].geometry.rows  # type: ignore[union-attr]

    desk.until(lambda: abs(rows() * step - 20.0) < step, 30)
    assert "Height 20 mm" in [getattr(p, "text", "") for p in reading.picture_request("pane-0", 900, 400)().decorations]
    reading.command("slab_thicker")
    assert room.pane("pane-0").view.slab_mm == 10.0
    reading.command("slab_mip")
    assert room.pane("pane-0").view.slab_mode is SlabMode.MAXIMUM
    room.activate("pane-4")
    reading.command("slab_thicker")
    assert [room.pane(f"pane-{n}").view.slab_mm for n in range(2, 8)] == [1.0] * 6, "the row is of one thickness"
    reading.command("sections_apart")
    every = [room.pane(f"pane-{n}").section_every_mm for n in range(2, 8)]
    assert every == [3.0] * 6
    assert np.allclose(np.diff([room.pane(f"pane-{n}").section_mm for n in range(2, 8)]), 3.0)
    before = [p.section_mm for p in room.panes()]
    reading.command("last_image")
    ends = [p.section_mm for p in room.panes() if p.section_every_mm > 0]
    length = room.curved.length_mm(room.pane("pane-0").curve)
    assert length - 3.0 < ends[-1] <= length
    assert np.allclose(np.diff(ends), 3.0)
    reading.command("sections_closer")
    reading.undo()
    reading.undo()
    assert [p.section_every_mm for p in room.panes() if p.section_every_mm > 0] == [2.0] * 6
    assert before != ends


def test_nothing_is_drawn_on_a_picture_without_a_place(desk: Stage) -> None:
    reading = drawn(desk)
    desk.until(lambda: bool(reading.picture_request("pane-0", 600, 300).layers), 30)
    reading.set_tool("length")
    marks = reading.desk.marks
    for kind, x in (("press", 100.0), ("drag", 180.0), ("release", 180.0)):
        reading.pointer("pane-0", kind, PointerEvent(x, 100.0))
    assert reading.desk.marks == marks
    reading.undo()
    assert ViewState().plane is Plane.STACK

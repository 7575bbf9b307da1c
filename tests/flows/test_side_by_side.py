"""Films with their prior, and two series of different orientation, side by side in the real window."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from app.demo import Demo
from app.domain.geometry import Point3, VolumeGeometry
from app.domain.identity import uid_for
from app.domain.pixels import VoiWindow
from app.domain.volume import Volume
from app.samples.catalogue import write_samples
from app.session.picture import PanePicture
from app.session.reformats import fellows
from app.ui.reading.mpr_menu import mpr_menu
from app.ui.reading.viewport import Viewport
from app.viewer.triad import cross_lines, handles, meeting_px
from app.viewer.view_state import Plane
from tests import phantoms
from tests.flows.by_keys import Keyboard
from tests.flows.conftest import OpenDesk

# -- four views with their prior


def shown(demo: Demo) -> dict[str, Viewport]:
    return {v.pane_id: v for v in demo.window.findChildren(Viewport) if v.isVisible()}


def told(view: Viewport) -> dict[str, str]:
    picture = view.picture
    assert picture is not None
    assert picture.pixels is not None
    return {p.key: p.text for p in picture.decorations if hasattr(p, "text") and p.key}


def pane_px_per_film_px(view: Viewport) -> float:
    resolved = view.picture.resolved
    (x0, y0), (x1, y1) = resolved.px_to_pane(10.0, 10.0), resolved.px_to_pane(110.0, 10.0)
    return math.hypot(x1 - x0, y1 - y0) / 100.0


def test_four_views_hang_beside_their_prior_at_one_scale_each_with_its_name(open_desk: OpenDesk, tmp_path: Path) -> None:
    samples = {s.key: s for s in write_samples(tmp_path / "samples", small=True)}
    now, prior = samples["mammogram"], samples["mammogram_prior"]
    # Somebody else of the same name and birthday: never a prior of hers.
    other = replace(now.patient, patient_id="OTHER-1")
    film = tmp_path / "other" / "R.dcm"
    phantoms.write_film(film, modality="MG", patient=other, key="other", laterality="R", view_position="CC")
    demo = open_desk(tmp_path / "home", None)
    demo.window.import_paths([prior.folder, tmp_path / "other", now.folder])
    demo.until(lambda: not demo.workstation.tasks(), 60, "import")
    demo.pump(0.1)
    demo.window.open_study(now.study_instance_uid)
    demo.settle()
    reading = demo.workstation.reading
    assert reading is not None
    assert reading.hanging_title().id == "hanging.mammography"
    assert reading.layout().name == "2x4"
    assert len(reading.prior_cards()) == 4, "somebody else's films count as hers"
    panes = shown(demo)
    assert len(panes) == 8
    views = ["R CC", "L CC", "R MLO", "L MLO"]
    words = [told(panes[f"pane-{n}"]) for n in range(8)]
    assert [w["laterality"] for w in words] == views + views
    # Identity on every one of them, and the day: the prior's own.
    assert {w["identity"] for w in words} == {now.patient.name.display()}
    assert {w["patient_id"] for w in words} == {now.patient.patient_id}
    days = [w["study_date"].split()[0] for w in words]
    assert days == ["17.11.2026"] * 4 + ["11.11.2024"] * 4
    assert [reading.room.pane(f"pane-{n}").prior for n in range(8)] == [False] * 4 + [True] * 4
    # What a screen reader says of a pane names the person too.
    assert all(now.patient.patient_id in p.accessibleName() for p in panes.values())
    # Chest wall to chest wall: posterior is at the right edge of right breasts, at the left edge of left ones.
    for w in words:
        assert w["edge_right" if w["laterality"].startswith("R") else "edge_left"].startswith("P")
    # One scale, so that sizes can be compared by eye.
    scales = [pane_px_per_film_px(panes[f"pane-{n}"]) for n in range(8)]
    assert max(scales) == pytest.approx(min(scales), rel=1e-6)

    # What is done to one is done to its group, prior included.
    before = pane_px_per_film_px(panes["pane-4"])
    reading.activate("pane-0")
    reading.set_tool("zoom")
    pane = panes["pane-0"]
    middle = QPoint(pane.width() // 2, pane.height() // 2)
    QTest.mousePress(pane, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    for step in range(1, 6):
        QTest.mouseMove(pane, middle - QPoint(0, 12 * step))
        demo.pump(0.02)
    QTest.mouseRelease(pane, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle - QPoint(0, 60))
    demo.settle()
    panes = shown(demo)
    scales = [pane_px_per_film_px(panes[f"pane-{n}"]) for n in range(8)]
    assert scales[4] != pytest.approx(before, rel=0.02)
    assert max(scales) == pytest.approx(min(scales), rel=1e-6)
    # Another person's films open as another person's: nothing of hers stays on the screen.
    other_uid = uid_for("phantom", "other", "OTHER-1")
    demo.window.open_study(other_uid)
    demo.settle()
    reading = demo.workstation.reading
    assert reading is not None
    assert reading.prior_cards() == ()
    assert {told(v)["patient_id"] for v in shown(demo).values() if v.picture.pixels is not None} == {"OTHER-1"}


def test_a_chest_ct_scrolls_with_its_registered_prior(open_desk: OpenDesk, tmp_path: Path) -> None:
    """The prior lies elsewhere on its table and in another frame of reference; the ball is found in both."""
    shift = (12.0, -7.0, 20.0)
    uid = _write_body(tmp_path / "now", "now", (0.0, 0.0, 0.0), "20261117")
    _write_body(tmp_path / "then", "then", shift, "20240101")
    demo = open_desk(tmp_path / "home", None)
    demo.window.import_paths([tmp_path / "then", tmp_path / "now"])
    demo.until(lambda: not demo.workstation.tasks(), 60, "import")
    demo.pump(0.1)
    demo.window.open_study(uid)
    reading = demo.workstation.reading
    assert reading is not None
    room = reading.room
    room.set_layout("1x2")
    room.put_in_pane("pane-0", next(c for c in reading.series_cards() if c.images > 2).display_set_id)
    room.put_in_pane("pane-1", next(c for c in reading.prior_cards() if c.images > 2).display_set_id)
    demo.settle(60)
    demo.until(lambda: bool(room.second.registered(room.pane("pane-1"), room.panes())[0]), 60, "registration")
    reading.activate("pane-0")
    for _ in range(6):
        reading.command("next_image")
        demo.settle()
        z = [room.content.planes(room.display_set(p))[p.view.frame_index].origin_mm[2] for p in room.panes()]  # type: ignore[index, union-attr]
        assert z[1] - z[0] == pytest.approx(shift[2], abs=5.0), "the same anatomy within a slice"
    assert {told(v)["patient_id"] for v in shown(demo).values()} == {phantoms.ALIYA.patient_id}


def _write_body(folder: Path, key: str, shift: Point3, date: str) -> str:
    shape = (28, 64, 72)
    grid = VolumeGeometry.axial(shape, (5.0, 3.0, 3.0), (-101.0 + shift[0], -93.0 + shift[1], -412.0 + shift[2]))
    k, j, i = np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij")
    values = np.full(shape, -1000.0)
    values[((i - 36) / 30) ** 2 + ((j - 32) / 24) ** 2 < 1] = 20
    values[((i - 24) / 9) ** 2 + ((j - 28) / 12) ** 2 + ((k - 12) / 8) ** 2 < 1] = -850
    values[((i - 48) / 10) ** 2 + ((j - 30) / 13) ** 2 + ((k - 15) / 9) ** 2 < 1] = -830
    values[((i - 36) / 4) ** 2 + ((j - 48) / 4) ** 2 < 1] = 500
    values[((i - 40) / 6) ** 2 + ((j - 20) / 5) ** 2 + ((k - 20) / 4) ** 2 < 1] = 120
    phantoms.write_ct(folder, Volume(values.astype(np.int16), grid, "HU"), key=key, date=date)
    return uid_for("phantom", key, phantoms.ALIYA.patient_id)


# -- two series of different orientation

CENTRE: Point3 = (-131.0, 60.0, -1180.0)
BALLS: tuple[Point3, ...] = tuple(
    (CENTRE[0] + x, CENTRE[1] + y, CENTRE[2] + z) for x, y, z in ((-9.0, 6.0, -8.0), (8.0, -7.0, 5.0), (3.0, 10.0, 11.0))
)
RADIUS = 3.4
HALF_SLICE_MM = 1.3
"""A plane along the slices of the axial series lies on one of them."""


def _grid(axes: tuple[Point3, Point3, Point3], spacing: Point3, shape: tuple[int, int, int]) -> VolumeGeometry:
    """k, j and i directions (unit vectors) about CENTRE, in the phantom's frame of reference."""
    steps = [np.asarray(a) * s for a, s in zip(axes, spacing, strict=True)]
    half = sum(step * (n - 1) / 2 for step, n in zip(steps, shape, strict=True))
    origin = np.asarray(CENTRE) - half
    to = lambda v: (float(v[0]), float(v[1]), float(v[2]))  # noqa: E731
    return VolumeGeometry(to(origin), *(to(s) for s in steps), shape, phantoms.FRAME_UID)  # type: ignore[arg-type]


def _turned() -> VolumeGeometry:
    """Coronal slices leaning back by 20 degrees and turned by 10, of other spacings than the axial series."""
    a, b = math.radians(20.0), math.radians(10.0)
    about_x = np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])
    about_z = np.array([[math.cos(b), -math.sin(b), 0], [math.sin(b), math.cos(b), 0], [0, 0, 1]])
    turn = about_z @ about_x
    axes = tuple(turn @ np.array(v, float) for v in ((0, 1, 0), (0, 0, -1), (1, 0, 0)))
    return _grid(axes, (2.0, 0.9, 1.1), (26, 50, 46))  # type: ignore[arg-type]


def _brightest(picture: PanePicture, near: tuple[float, float], reach: float) -> tuple[float, float]:
    """Middle of the bright pixels around a place, in pane px."""
    pixels = picture.pixels
    assert pixels is not None
    grey = pixels if pixels.ndim == 2 else pixels[:, :, :3].mean(axis=2)
    y, x = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]]
    there = (np.hypot(x - near[0], y - near[1]) < reach) & (grey > 200)
    assert there.any(), "nothing bright where the landmark should be"
    return float(x[there].mean()) + 0.5, float(y[there].mean()) + 0.5


def test_reformats_of_two_orientations_meet_at_the_landmarks(open_desk: OpenDesk, tmp_path: Path) -> None:
    axial = _grid(((0, 0, 1), (0, 1, 0), (1, 0, 0)), (2.5, 0.8, 0.6), (22, 60, 70))
    balls = [phantoms.Sphere(c, RADIUS, 200.0) for c in BALLS]
    for name, number, grid in (("axial", 1, axial), ("turned", 2, _turned())):
        volume = phantoms.spheres_volume(balls, grid)
        phantoms.write_ct(tmp_path / "dicom" / name, volume, key="two", series_key=name, number=number)
    uid = uid_for("phantom", "two", phantoms.ALIYA.patient_id)
    demo = open_desk(tmp_path / "home", None)
    demo.window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: not demo.workstation.tasks(), 60, "import")
    demo.pump(0.1)
    demo.window.open_study(uid)
    reading = demo.workstation.reading
    assert reading is not None
    room = reading.room
    reading.set_layout("2x2")
    sets = [c.display_set_id for c in reading.series_cards() if c.images > 2]
    assert len(sets) == 2
    keys = Keyboard(demo)
    wanted = (
        (sets[0], Plane.AXIAL, "Alt+A"),
        (sets[0], Plane.SAGITTAL, "Alt+S"),
        (sets[1], Plane.CORONAL, "Alt+C"),
        (sets[1], Plane.AXIAL, "Alt+A"),
    )
    for n, (display_set, plane, key) in enumerate(wanted):
        reading.put_in_pane(f"pane-{n}", display_set)
        reading.activate(f"pane-{n}")
        keys.press(key)
        assert room.pane(f"pane-{n}").view.plane is plane
    demo.settle()
    for n in range(4):
        reading.activate(f"pane-{n}")
        room.set_window(VoiWindow(-300.0, 900.0))
    demo.settle()
    for ball in BALLS:
        # By keys to the ball's slice; the crosshair is dropped on it, every other pane, of either series, goes there.
        reading.activate("pane-0")
        keys.press("Home", *["Down"] * round(axial.to_index(ball)[0]))
        demo.settle()
        context = room.context("pane-0")
        assert context is not None
        x, y, away = context.resolved.patient_to_pane(ball)  # type: ignore[misc]
        assert abs(away) < HALF_SLICE_MM
        view = shown(demo)["pane-0"]
        keys.press(";")
        assert reading.active_tool == "crosshair"
        at = QPoint(round(x / view.devicePixelRatioF()), round(y / view.devicePixelRatioF()))
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        demo.settle()
        assert room.point_mm is not None
        assert math.dist(room.point_mm, ball) < HALF_SLICE_MM
        for pane_id, view in shown(demo).items():
            picture = view.picture
            resolved = picture.resolved
            px, py, away = resolved.patient_to_pane(ball)
            assert abs(away) < HALF_SLICE_MM, f"{pane_id} does not lie on the ball"
            mm = resolved.mm_per_pane_px
            assert mm is not None
            found = _brightest(picture, (px, py), 1.5 * RADIUS / mm)
            assert math.hypot(found[0] - px, found[1] - py) * mm < 0.8, pane_id
            # And back: the place on the screen is the place in the patient.
            assert math.dist(resolved.pane_to_patient(px, py), ball) < HALF_SLICE_MM


def _dragged(view: Viewport, demo: Demo, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the left button, as a hand does it."""
    ratio = view.devicePixelRatioF()
    a, b = (QPoint(round(x / ratio), round(y / ratio)) for x, y in (start, end))
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, a)
    for part in (0.25, 0.5, 0.75, 1.0):
        QTest.mouseMove(view, a + (b - a) * part)
        demo.pump(0.02)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, b)
    demo.settle()


def _chosen(menu: QMenu, words: str) -> None:
    """An entry of a menu or of one below it, as a click chooses it."""
    below = [a for m in (menu, *(a.menu() for a in menu.actions() if a.menu() is not None)) for a in m.actions()]
    next(a for a in below if a.text().split("\t")[0] == words and a.isEnabled()).trigger()


def test_three_planes_by_key_are_turned_by_their_lines_and_made_slabs_from_the_menu(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    balls = [phantoms.Sphere(c, RADIUS, 200.0) for c in BALLS]
    phantoms.write_ct(tmp_path / "dicom", phantoms.spheres_volume(balls, _turned()), key="three")
    demo = open_desk(tmp_path / "home", None)
    demo.window.import_paths([tmp_path / "dicom"])
    demo.until(lambda: not demo.workstation.tasks(), 60, "import")
    demo.pump(0.1)
    demo.window.open_study(uid_for("phantom", "three", phantoms.ALIYA.patient_id))
    demo.settle()
    reading, keys = demo.workstation.reading, Keyboard(demo)
    assert reading is not None
    room, before = reading.room, reading.layout().name
    keys.press("Alt+M")
    demo.settle()
    assert reading.layout().name == "1+2"
    assert {p.view.plane for p in room.panes()} == {Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL}
    reading.activate("pane-0")
    room.set_window(VoiWindow(-300.0, 900.0))
    demo.settle()

    def pane_of(plane: Plane) -> str:
        return next(p.pane_id for p in room.panes() if p.view.plane is plane)

    def on_the_ball(ball: Point3) -> None:
        for pane_id, view in shown(demo).items():
            picture = view.picture
            assert "interpolated" in told(view)["zoom"]
            assert not picture.draft
            px, py, away = picture.resolved.patient_to_pane(ball)
            assert abs(away) < HALF_SLICE_MM, pane_id
            mm = picture.resolved.mm_per_pane_px
            found = _brightest(picture, (px, py), 1.5 * RADIUS / mm)
            assert math.hypot(found[0] - px, found[1] - py) * mm < 0.8, pane_id

    # The meeting point is taken to the ball on one plane, then on another: all three stand on it.
    axial, coronal = pane_of(Plane.AXIAL), pane_of(Plane.CORONAL)
    for name in (axial, coronal):
        view = shown(demo)[name]
        resolved = view.picture.resolved
        geometry = room.image_layer(room.pane(name)).volume.geometry  # type: ignore[union-attr]
        start = meeting_px(resolved, geometry, fellows(room.pane(name), room.panes()))
        x, y, _ = resolved.patient_to_pane(BALLS[0])
        assert start is not None
        _dragged(view, demo, start, (x, y))
    on_the_ball(BALLS[0])
    # Its handle turns the two planes that stand upon the axial one; everything stays on the ball and at right angles.
    view = shown(demo)[axial]
    resolved = view.picture.resolved
    context = room.context(axial)
    assert context is not None
    line = cross_lines(resolved, context.layer.volume.geometry, context.fellows)[0]  # type: ignore[union-attr]
    start, centre = handles(line, resolved)[1], line.at
    a = math.atan2(start[1] - centre[1], start[0] - centre[0]) + math.radians(25.0)
    reach = math.dist(start, centre)
    _dragged(view, demo, start, (centre[0] + reach * math.cos(a), centre[1] + reach * math.sin(a)))
    assert [p.view.plane for p in room.panes()].count(Plane.OBLIQUE) == 2
    assert reading.reformats.is_triad()
    on_the_ball(BALLS[0])
    # A slab from the menu, thicker by Shift and the wheel, named in the corner.
    row = demo.window.screen_widget("reading").tools
    assert row.mpr.isVisible()
    _chosen(mpr_menu(row, reading), "Slab: highest values (MIP)")
    _chosen(mpr_menu(row, reading), "5 mm")
    demo.settle()
    assert told(shown(demo)[axial])["slab"] == "MIP 5.0 mm"
    keys.press("Alt+Up", "Ctrl+Z", "Ctrl+Z", "Ctrl+Z", "Ctrl+Z")
    assert {p.view.plane for p in room.panes()} == {Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL}
    keys.press("Alt+M")
    assert reading.layout().name == before

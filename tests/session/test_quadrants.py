"""The quadrant walk: every pixel of every breast comes to the screen at full resolution, the same place on all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.domain.geometry import Point2
from app.domain.ports import SilentProgress
from app.samples import sample_people
from app.samples.sample_writers import Job, write_mammogram
from app.session.views import Changes
from app.viewer.breast_walk import Field, Pane, breast_box, fields_of, grid_for, view_of
from app.viewer.view_state import ImageGeometry, ViewState, resolve
from tests.flows.stage import Stage, stage

STUDY, PRIOR = "2.25.770001", "2.25.770002"


def test_the_breast_is_found_whichever_way_its_values_run() -> None:
    rng = np.random.default_rng(3)
    image = np.zeros((400, 300), np.float32)
    y, x = np.mgrid[0:400, 0:300]
    breast = ((x - 300) / 180) ** 2 + ((y - 210) / 150) ** 2 <= 1
    image[breast] = 1500 + rng.normal(0, 200, int(breast.sum()))
    image += rng.normal(0, 5, image.shape).astype(np.float32)
    for values in (image, 4095 - image):
        box = breast_box(values)
        assert box == pytest.approx((120, 60, 300, 360), abs=8)
    assert breast_box(np.full((50, 40), 7.0)) == (0.0, 0.0, 40.0, 50.0)


def _pane(right: bool, mm: float = 0.07, size: tuple[int, int] = (640, 900), flip: bool = False) -> Pane:
    geometry = ImageGeometry(2394, 3062, mm, mm, False, detector_mm=True)
    anchor: Point2 = (1.0, 0.5) if right else (0.0, 0.5)
    stored_right = right != flip
    box = (900.0, 200.0, 2394.0, 2900.0) if stored_right else (0.0, 200.0, 1494.0, 2900.0)
    return Pane(ViewState(anchor=anchor, flip_h=flip, fit_extent_mm=(168.0, 215.0)), size, geometry, box, right)


def test_every_pixel_of_every_breast_is_shown_once_around() -> None:
    panes = [_pane(True), _pane(False), _pane(True, 0.1), _pane(False, flip=True)]
    columns, rows = grid_for(panes)
    assert columns % 2 == rows % 2 == 0
    for pane in panes:
        covered = np.zeros((3062, 2394), bool)
        for field in fields_of(columns, rows):
            resolved = resolve(view_of(panes, pane, field), pane.size, pane.geometry)
            (xa, ya), (xb, yb) = resolved.pane_to_px(0, 0), resolved.pane_to_px(*pane.size)
            x0, x1, y0, y1 = (round(v) for v in (min(xa, xb), max(xa, xb), min(ya, yb), max(ya, yb)))
            covered[max(0, y0) : y1, max(0, x0) : x1] = True
        x0, y0, x1, y1 = (int(v) for v in pane.box)
        assert covered[y0:y1, x0:x1].all()


def test_the_finest_picture_is_pixel_for_pixel_and_the_others_at_its_scale() -> None:
    fine, coarse = _pane(True), _pane(True, 0.1)
    panes = [fine, coarse]
    field = fields_of(*grid_for(panes))[0]
    assert resolve(view_of(panes, fine, field), fine.size, fine.geometry).is_identity_grid
    there = resolve(view_of(panes, coarse, field), coarse.size, coarse.geometry)
    assert np.linalg.norm(there.pane_from_px[:, 0]) == pytest.approx(0.1 / 0.07)


def test_the_same_field_is_the_same_place_of_both_breasts() -> None:
    panes = [_pane(True), _pane(False), _pane(False, flip=True)]
    for field in fields_of(*grid_for(panes)):
        depth = []
        for pane in panes:
            resolved = resolve(view_of(panes, pane, field), pane.size, pane.geometry)
            x, y = resolved.pane_to_px(pane.size[0] / 2, pane.size[1] / 2)
            wall = pane.box[2] if pane.wall_right != pane.view.flip_h else pane.box[0]
            depth.append((abs(x - wall), y))
        assert depth[0] == pytest.approx(depth[1], abs=1.0)
        assert depth[0] == pytest.approx(depth[2], abs=1.0)


def test_the_walk_goes_quadrant_by_quadrant() -> None:
    order = [f.quadrant for f in fields_of(4, 2)]
    assert order == sorted(order) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert fields_of(2, 2)[0] == Field(2, 2, 0, 0)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stage]:
    for uid, date, prior in ((STUDY, "20261117", False), (PRIOR, "20241111", True)):
        folder = tmp_path / uid
        folder.mkdir()
        write_mammogram(
            Job(folder, sample_people.ALIYA, uid, date, "090000", "Mammography", 4, prior, True, SilentProgress())
        )
    with stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / STUDY, tmp_path / PRIOR)
        yield made


def test_four_views_and_their_priors_are_walked_together_and_what_was_seen_is_told(desk: Stage) -> None:
    desk.ws.open_study(STUDY)
    reading = desk.ws.reading
    assert reading is not None
    panes = [b.pane_id for b in reading.layout().panes]
    assert len(panes) == 8
    told: list[Changes] = []
    desk.ws.changed.connect(told.append)

    def paint() -> None:
        for pane in panes:
            reading.picture_request(pane, 90, 140)
        desk.until(lambda: not desk.ws.images_busy())

    paint()
    before = [reading.room.pane(p).view for p in panes]
    reading.command("next_quadrant")
    now = reading.quadrants.view()
    assert (now.number, now.part, now.of) == (1, 1, 16)
    assert now.parts >= 1
    assert not now.complete
    scales = set()
    for pane in panes:
        context = reading.room.context(pane)
        assert context is not None
        scales.add(round(float(np.linalg.norm(context.resolved.pane_from_px[:, 0])), 6))
        assert any(reading.picture_request(pane, 90, 140).drawers)
    assert scales == {1.0}
    steps = 1
    while reading.quadrants.view().number and steps < 200:
        assert reading.quadrants.view().number >= now.number
        now = reading.quadrants.view()
        reading.command("next_quadrant")
        steps += 1
    assert reading.quadrants.view().complete
    assert reading.quadrants.unseen() is None
    assert [replace(reading.room.pane(p).view) for p in panes] == before
    reading.command("previous_quadrant")
    assert reading.quadrants.view().number == 4
    reading.command("fit")
    assert reading.quadrants.view().number == 0
    assert not any(reading.picture_request(panes[0], 90, 140).drawers)


def test_a_walk_that_was_broken_off_is_told_at_the_commit(desk: Stage) -> None:
    from app.domain.verdict import Overall

    desk.ws.open_study(STUDY)
    reading = desk.ws.reading
    assert reading is not None
    for box in reading.layout().panes:
        reading.picture_request(box.pane_id, 300, 500)
    desk.until(lambda: not desk.ws.images_busy())
    reading.command("next_quadrant")
    assert 0 < reading.quadrants.view().seen < 16
    reading.commit(Overall.NOTHING)
    assert "quadrants.unseen" in desk.notices

"""Painted voxels of a large box are measured beside: nothing of a stroke is lost, values are those of a small one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.domain.measurement import Quantity
from app.imaging.growing import BoxMask, trimmed
from app.imaging.packed import counted_ml, counted_values, pack, unpack
from app.session import own_masks
from app.session.own_masks import as_mark
from tests import phantoms
from tests.flows.stage import Stage, stage, write_study
from tests.session.test_reader_tools import at_ball, opened, volume_here


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(own_masks, "AT_ONCE", 0)
    write_study(tmp_path / "study")
    with stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "study")
        yield s


def stroke(s: Stage, by: float = 3.0, shift: bool = False) -> None:
    reading = s.ws.reading
    event = replace(at_ball(s, reading), shift=shift)
    for kind in ("press", "drag", "release"):
        reading.pointer("pane-0", kind, replace(event, x=event.x + (0.0 if kind == "press" else by)))


def ready(s: Stage) -> None:
    reading = opened(s)
    reading.set_tool("brush")
    volume_here(s, reading)


def test_a_stroke_is_seen_until_its_mark_is_measured_beside(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[bool] = []
    plain = own_masks.as_mark
    monkeypatch.setattr(
        own_masks,
        "as_mark",
        lambda *given: where.append(threading.current_thread() is threading.main_thread()) or plain(*given),
    )
    ready(desk)
    reading = desk.ws.reading
    stroke(desk)
    assert len(reading.picture_request("pane-0", 400, 400).layers) == 2
    desk.until(lambda: not desk.ws.images_busy())
    assert where == [False]
    assert len(reading.desk.marks) == 1
    assert len(reading.picture_request("pane-0", 400, 400).layers) == 2
    assert reading.desk.doubts == {}


def test_strokes_undo_and_the_end_come_after_what_was_let_go(desk: Stage) -> None:
    ready(desk)
    reading = desk.ws.reading
    stroke(desk)
    stroke(desk, by=6.0)
    assert len(reading.desk.marks) == 1, "the second stroke goes on with the first"
    assert reading.undo() == "marks"
    (mark,) = reading.desk.marks
    desk.until(lambda: not desk.ws.images_busy())
    assert reading.desk.marks == (mark,)
    reading.undo()
    assert reading.desk.marks == ()
    stroke(desk)
    uid = reading.study.study_instance_uid
    desk.ws.close_study()
    desk.ws.library.write(lambda tx: None)  # after all that was written before
    assert len(desk.ws.open_study(uid).desk.marks) == 1


def test_values_are_those_of_their_definitions() -> None:
    random = np.random.default_rng(5)
    volume = phantoms.spheres_volume([])
    grid = volume.geometry
    volume = replace(volume, voxels=random.integers(-1000, 3000, grid.shape).astype(np.int16))
    inside = np.zeros(grid.shape, bool)
    inside[2:7, 4:9, 3:11] = random.random((5, 5, 8)) < 0.4
    kept = trimmed(BoxMask(inside, (0, 0, 0)))
    assert kept is not None
    where = np.argwhere(inside)
    assert kept.start == tuple(where.min(axis=0))
    assert kept.stop == tuple(where.max(axis=0) + 1)
    mark = as_mark(None, kept, volume, "set", False)
    index = where.mean(axis=0)
    assert mark.placement is not None
    assert mark.placement.points_mm == (grid.to_patient((index[0], index[1], index[2])),)
    packed = pack(kept, volume, "set", False)
    assert np.array_equal(unpack(packed), kept.values)
    voxel_ml = float(np.prod(grid.spacing_mm)) / 1000.0
    assert counted_ml(packed) == pytest.approx(inside.sum() * voxel_ml, rel=1e-12)
    values = volume.voxels[inside].astype(float)
    found = counted_values(packed, volume)
    assert found[Quantity.MEAN] == pytest.approx(values.mean(), rel=1e-12)
    assert found[Quantity.STANDARD_DEVIATION] == pytest.approx(values.std(), rel=1e-12)
    assert (found[Quantity.MINIMUM], found[Quantity.MAXIMUM]) == (values.min(), values.max())
    assert trimmed(BoxMask(np.zeros((2, 3, 4), bool), (1, 1, 1))) is None

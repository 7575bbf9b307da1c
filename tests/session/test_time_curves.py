"""Contrast passes stored as series of their own are one course in time; a region's mean through it is counted out here."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.domain.volume import Volume
from app.viewer.decorations import Style
from app.viewer.primitives import Polyline, Text
from app.viewer.time_curve import TimeCurve, curve_primitives, rises
from app.viewer.tool_api import Button, PointerEvent
from tests import phantoms
from tests.flows.stage import stage

SHARED = Path(os.environ.get("EKINSHI_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data")) / "dicom"
PASSES = (100, 180, 260, 230)
START = (9, 0, 0)


def write_passes(folder: Path, count: int = 4) -> None:
    """``count`` series 40 s apart: a block of known values in even surroundings."""
    for n in range(count):
        voxels = np.full(phantoms.SHAPE, 50, np.int16)
        voxels[:, 8:24, 10:30] = PASSES[n]
        paths = phantoms.write_ct(
            folder / str(n), Volume(voxels, phantoms.geometry(), "HU"), series_key=f"pass{n}", number=10 + n
        )
        for path in paths:
            ds = pydicom.dcmread(path)
            ds.SeriesDescription = "dyn liver"
            seconds = 40 * n
            ds.AcquisitionDate, ds.AcquisitionTime = "20261117", f"09{seconds // 60:02d}{seconds % 60:02d}"
            if "AcquisitionDateTime" in ds:
                del ds.AcquisitionDateTime
            ds.save_as(path)


def test_series_of_one_name_at_one_place_are_moments(tmp_path: Path) -> None:
    write_passes(tmp_path)
    (study,) = scan([tmp_path]).studies
    moments = [d.moment for d in display_sets(study)]
    assert [(m.number, m.count, m.value) for m in moments if m is not None] == [
        (1, 4, "0 s"), (2, 4, "40 s"), (3, 4, "80 s"), (4, 4, "120 s"),
    ]  # fmt: skip
    assert len({m.group for m in moments if m is not None}) == 1


def test_a_pair_or_another_place_is_no_course(tmp_path: Path) -> None:
    write_passes(tmp_path / "pair", 2)
    (study,) = scan([tmp_path / "pair"]).studies
    assert [d.moment for d in display_sets(study)] == [None, None]
    write_passes(tmp_path / "moved", 3)
    for path in (tmp_path / "moved" / "2").iterdir():
        ds = pydicom.dcmread(path)
        ds.ImagePositionPatient = [float(v) + 1.0 for v in ds.ImagePositionPatient]
        ds.save_as(path)
    (study,) = scan([tmp_path / "moved"]).studies
    assert [d.moment for d in display_sets(study)] == [None, None, None]


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared test data are not here")
def test_the_passes_of_a_real_prostate_are_one_course() -> None:
    (study,) = scan([SHARED / "mr-prostatex"]).studies
    found = {
        s.series_number: d.moment
        for d in display_sets(study)
        for s in study.series
        if s.series_instance_uid == d.series_instance_uid
    }
    assert [found[n].value for n in (12, 23, 34, 45)] == ["0 s", "37 s", "75 s", "112 s"]
    assert found[4] is None
    assert found[9] is None


def _ellipse(reading: object, size: tuple[int, int]) -> None:
    from app.session.reading_session import ReadingSession

    assert isinstance(reading, ReadingSession)
    context = reading.room.context("pane-0")
    assert context is not None
    a, b = context.resolved.px_to_pane(13, 11), context.resolved.px_to_pane(27, 21)
    reading.set_tool("ellipse")
    for kind, at in (("press", a), ("drag", b), ("release", b)):
        reading.pointer("pane-0", kind, PointerEvent(at[0], at[1], Button.LEFT))


def test_the_curve_of_a_region_is_its_mean_in_every_pass(tmp_path: Path) -> None:
    write_passes(tmp_path / "dicom")
    with stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(s.row().study_instance_uid)
        reading.set_layout("1x1")
        reading.room.put_in_pane(
            "pane-0", next(d for d in reading.room.content.sets() if d.moment.number == 1).display_set_id
        )
        reading.picture_request("pane-0", 900, 800)
        s.until(lambda: not s.ws.images_busy())
        assert reading.time_curves.of(reading.room.pane("pane-0")) is None
        _ellipse(reading, (900, 800))

        def curve() -> TimeCurve | None:
            reading.picture_request("pane-0", 900, 800)
            return reading.time_curves.of(reading.room.pane("pane-0"))

        s.until(lambda: (c := curve()) is not None and None not in c.values)
        found = curve()
        assert found.values == pytest.approx(PASSES)
        assert found.times_s == (0.0, 40.0, 80.0, 120.0)
        assert found.change_percent == pytest.approx(160.0)
        picture = reading.picture_request("pane-0", 900, 800)()
        assert any(getattr(p, "key", "") == "time_curve_line" for p in picture.decorations)
        reading.select_finding("")
        assert reading.time_curves.of(reading.room.pane("pane-0")) is None


def test_the_chart_says_nothing_that_is_not_measured() -> None:
    texts = {"time_curve.title": "{n}", "time_curve.seconds": "{value} s", "time_curve.moment": "no. {value}"}
    waiting = TimeCurve((10.0, None, 30.0), (0.0, 5.0, 15.0), 2)
    assert waiting.change_percent is None
    out = curve_primitives(waiting, (900, 800), texts, Style())
    (line,) = [p for p in out if isinstance(p, Polyline) and p.key == "time_curve_line"]
    assert len(line.points) == 2
    assert {t.text for t in out if isinstance(t, Text) and t.key == "time_curve_time"} == {"0 s", "15 s"}
    x = [p[0] for p in line.points]
    box = [p for p in out if getattr(p, "key", "") == "time_curve_dot"]
    assert len(box) == 2
    assert x[1] > x[0]
    assert curve_primitives(waiting, (300, 250), texts, Style()) == []
    assert rises((1.0, None)) == ()
    assert rises((5.0, 4.0)) == ()
    assert rises((5.0, 7.5)) == (0.0, 2.5)

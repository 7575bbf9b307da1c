"""Contrast passes stored as series of their own are one course in time; a region's mean through it is counted out here."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.dicom.display_sets import display_sets
from app.dicom.scanner import scan
from app.domain.volume import Volume
from app.session.time_curves import Course, as_csv
from app.viewer.decorations import Style
from app.viewer.primitives import Polyline, Text
from app.viewer.time_chart import chart_primitives, ticks
from app.viewer.time_curve import TimeCurve, curve_primitives, rises
from app.viewer.tool_api import Button, PointerEvent
from app.viewer.view_state import Plane
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


def test_several_regions_are_one_chart_and_one_file_of_numbers(tmp_path: Path) -> None:
    write_passes(tmp_path / "dicom")
    with stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(s.row().study_instance_uid)
        reading.set_layout("1x1")
        room = reading.room
        assert reading.time_curves.why_not(room.pane("pane-0")).code == "time_curve.no_region"
        room.put_in_pane("pane-0", next(d for d in room.content.sets() if d.moment.number == 1).display_set_id)
        reading.picture_request("pane-0", 900, 800)
        s.until(lambda: not s.ws.images_busy())
        _ellipse(reading, (900, 800))
        context = room.context("pane-0")
        reading.set_tool("rectangle")
        for kind, px in (("press", (34, 28)), ("drag", (40, 34)), ("release", (40, 34))):
            reading.pointer("pane-0", kind, PointerEvent(*context.resolved.px_to_pane(*px), Button.LEFT))

        def courses() -> tuple[Course, ...]:
            return reading.time_curves.all(room.pane("pane-0"))

        s.until(lambda: len(courses()) == 2 and all(None not in c.curve.values for c in courses()))
        block, around = courses()
        assert block.curve.values == pytest.approx(PASSES)
        assert around.curve.values == pytest.approx((50.0,) * 4)
        assert (block.number, around.number, around.chosen) == (1, 2, True)
        assert block.curve.unit == "[hnsf'U]"
        assert reading.time_curves.why_not(room.pane("pane-0")) is None
        lines = list(csv.DictReader(io.StringIO(as_csv(courses()))))
        assert len(lines) == 8
        assert [(r["region"], r["moment"], r["time_s"], r["mean"], r["unit"]) for r in lines[:2]] == [
            ("1", "1", "0.000", "100", "[hnsf'U]"), ("1", "2", "40.000", "180", "[hnsf'U]"),
        ]  # fmt: skip
        assert lines[4]["minimum"] == lines[4]["maximum"] == "50"
        assert int(lines[0]["pixels"]) > 50
        for word in (phantoms.ALIYA.patient_id, phantoms.ALIYA.name.alphabetic.split("^")[0]):
            assert word not in as_csv(courses()), "numbers only"
        room.change_view(frame_index=room.pane("pane-0").view.frame_index + 3)
        reading.picture_request("pane-0", 900, 800)
        s.until(lambda: not s.ws.images_busy())
        assert courses() == ()
        assert reading.time_curves.why_not(room.pane("pane-0")).code == "time_curve.elsewhere"
        room.volume_view()
        assert reading.time_curves.why_not(room.pane("pane-0")).code == "time_curve.no_place"


def test_a_region_on_a_reformat_has_its_course_too(tmp_path: Path) -> None:
    write_passes(tmp_path / "dicom")
    with stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(s.row().study_instance_uid)
        reading.set_layout("1x1")
        room = reading.room
        room.put_in_pane("pane-0", next(d for d in room.content.sets() if d.moment.number == 1).display_set_id)
        grid = phantoms.geometry()
        room.change_view(plane=Plane.CORONAL, point_mm=grid.to_patient((6.0, 16.0, 20.0)))
        reading.picture_request("pane-0", 900, 800)
        s.until(lambda: not s.ws.images_busy())
        context = room.context("pane-0")
        reading.set_tool("rectangle")
        ends = [context.resolved.patient_to_pane(grid.to_patient(at)) for at in ((3.0, 16.0, 13.0), (9.0, 16.0, 27.0))]
        for kind, at in (("press", ends[0]), ("drag", ends[1]), ("release", ends[1])):
            reading.pointer("pane-0", kind, PointerEvent(at[0], at[1], Button.LEFT))

        def curve() -> TimeCurve | None:
            reading.picture_request("pane-0", 900, 800)
            return reading.time_curves.of(room.pane("pane-0"))

        s.until(lambda: (c := curve()) is not None and None not in c.values)
        assert curve().values == pytest.approx(PASSES)
        assert curve().times_s == (0.0, 40.0, 80.0, 120.0)


def test_axes_have_round_numbers_and_units() -> None:
    assert ticks(0.0, 120.0, 5) == (0.0, 50.0, 100.0)
    assert ticks(-3.0, 7.0, 6) == (-2.0, 0.0, 2.0, 4.0, 6.0)
    assert ticks(5.0, 5.0, 4) == (5.0,)
    curve = TimeCurve((100.0, None, 300.0, 200.0), (0.0, 5.0, 15.0, 20.0), 2, "[hnsf'U]")
    texts = {"time_curve.axis.value": "Mean", "time_curve.axis.seconds": "Time, s", "time_curve.axis.relative": "% of first"}
    out = chart_primitives([curve, replace(curve, values=(10.0, 20.0, 30.0, 40.0))], (800, 500), texts, Style())
    assert {t.text for t in out if isinstance(t, Text) and t.key == "chart_axis_name"} == {"Mean, HU", "Time, s"}
    lines = [p for p in out if isinstance(p, Polyline) and p.key == "chart_line"]
    assert [len(p.points) for p in lines] == [2, 4], "a gap is not joined"
    assert len({p.rgb for p in lines}) == 2
    relative = chart_primitives([curve], (800, 500), texts, Style(), relative=True)
    assert "% of first" in {t.text for t in relative if isinstance(t, Text)}
    assert curve.in_percent().values == (100.0, None, 300.0, 200.0)
    assert replace(curve, values=(0.0, 1.0, 2.0, 3.0)).in_percent().values == (None,) * 4
    assert chart_primitives([], (800, 500), texts, Style()) == []


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
    hidden = curve_primitives(waiting, (300, 250), {"time_curve.hidden": "Curve: enlarge"}, Style())
    assert [(t.key, t.text) for t in hidden] == [("time_curve_hidden", "Curve: enlarge")], "a pane without room says so"
    narrow = curve_primitives(waiting, (90, 250), {"time_curve.hidden": "Curve: enlarge"}, Style())
    assert [t.text for t in narrow] == ["enlarge", "Curve:"], "word by word where it must"
    assert curve_primitives(TimeCurve((None, None)), (900, 800), texts, Style()) == []
    assert rises((1.0, None)) == ()
    assert rises((5.0, 4.0)) == ()
    assert rises((5.0, 7.5)) == (0.0, 2.5)

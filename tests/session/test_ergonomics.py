"""Monitors, pictures out of the window, and how the panes stood before a death."""

from __future__ import annotations

import io
import math
import threading
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from app.domain.problem import ProblemError
from app.session.display_desk import CARD_MM, DisplayDesk
from app.session.image_out import picture, write_capture
from app.session.layout_recovery import restore, state_of
from app.session.paint import png
from app.session.pane_content import PaneContent
from app.viewer.gsdf import (
    PATCHES,
    check_pattern,
    greatest_deviation,
    jnd_index,
    luminance,
    wanted_luminances,
)
from app.viewer.view_state import Plane
from tests.flows import stage
from tests.flows.stage import Stage
from tests.session.test_reading import desk, draw, opened

__all__ = ["desk"]


def test_the_display_function_has_the_values_of_the_standard() -> None:
    # PS3.14 table B-1.
    for jnd, expected in ((1, 0.0500), (2, 0.0547), (3, 0.0594), (1023, 3993.404)):
        assert luminance(jnd) == pytest.approx(expected, rel=1e-3 if jnd < 10 else 1e-4)
    for jnd in range(1, 1024, 11):
        assert jnd_index(luminance(jnd)) == pytest.approx(jnd, abs=0.6)
    steps = wanted_luminances(0.5, 350.0)
    assert len(steps) == PATCHES
    assert np.all(np.diff(steps) > 0)
    assert np.ptp(np.diff([jnd_index(float(v)) for v in steps])) < 0.2
    assert greatest_deviation(steps) < 1e-2
    assert greatest_deviation(0.5 * (700.0 ** np.linspace(0, 1, PATCHES))) > 0.3, "equal ratios are not equal steps"
    for wrong in (0.0, 1e5):
        with pytest.raises(ValueError, match="cd_m2"):
            jnd_index(wrong)


def test_the_pattern_holds_every_level_with_its_faint_squares() -> None:
    pattern = check_pattern(1200, 800)
    for n in range(PATCHES):
        level = round(255 * n / (PATCHES - 1))
        ph, pw = int(800 * 0.74) // 3, int(1200 * 0.88) // 6
        patch = pattern[(n // 6) * ph : (n // 6 + 1) * ph, (n % 6) * pw : (n % 6 + 1) * pw]
        values = set(np.unique(patch).tolist())
        assert level in values
        assert {abs(v - level) for v in values} == {0, 3}
        assert np.count_nonzero(patch != level) < 0.25 * patch.size
    assert {13, 242} <= set(np.unique(pattern[620:]).tolist())


def test_a_card_measures_a_monitor_and_checks_are_logged(desk: Stage) -> None:
    display = DisplayDesk(desk.ws.library, "reader-1")
    assert display.mm_per_px("A") is None
    assert display.set_card_width("A", CARD_MM / 0.25) == pytest.approx(0.25)
    assert display.mm_per_px("A") == pytest.approx(0.25)
    assert display.mm_per_px("B") is None
    for wrong in (0.0, 3.0, 1e6):
        with pytest.raises(ValueError, match="pixels"):
            display.set_card_width("A", wrong)
    display.checked("A", True)
    display.checked("A", False)
    assert [(c.screen, c.passed, c.person) for c in display.log()] == [("A", False, "reader-1"), ("A", True, "reader-1")]


def test_a_picture_goes_out_with_identity_or_without(desk: Stage, tmp_path: Path) -> None:
    reading = opened(desk)
    draw(reading, 150.0)
    reading.desk.keep(reading.desk.marks[0])
    size = (640, 480)
    named, bare = (picture(reading.room, "pane-0", size, identified) for identified in (True, False))
    assert named.shape == bare.shape == (480, 640, 3)
    corner = np.s_[:120, :320]
    assert np.any(named[corner] != bare[corner]), "the name is gone"
    middle = np.s_[200:300, 240:400]
    assert np.array_equal(named[middle], bare[middle]), "the image is not touched"
    content = png(picture(reading.room, "pane-0", size, False))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")), bare)
    patient = reading.study.patient
    assert patient.patient_id.encode() not in content
    for identified in (True, False):
        path = tmp_path / f"{identified}.dcm"
        write_capture(reading.room, picture(reading.room, "pane-0", size, identified), identified, path)
        ds = pydicom.dcmread(path)
        assert np.array_equal(ds.pixel_array, named if identified else bare)
        assert (str(ds.PatientID) == patient.patient_id) == identified
        assert (str(ds.StudyInstanceUID) == reading.study.study_instance_uid) == identified
        assert str(ds.BurnedInAnnotation) == ("YES" if identified else "NO")
        if not identified:
            assert str(ds.PatientIdentityRemoved) == "YES"
            raw = path.read_bytes()
            assert all(w.encode() not in raw for w in (*patient.name.display().split(), patient.patient_id))


def test_pixels_that_may_name_the_person_do_not_go_out_without_identity(
    desk: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = opened(desk)
    monkeypatch.setattr("app.session.image_out.may_hold_names", lambda room, pane: True)
    with pytest.raises(ProblemError) as refused:
        picture(reading.room, "pane-0", (300, 300), False)
    assert refused.value.problem.code == "capture.burned_in"
    assert picture(reading.room, "pane-0", (300, 300), True).any()


def test_copying_leaves_the_pane_s_own_size(desk: Stage) -> None:
    reading = opened(desk)
    before = reading.room.context("pane-0").resolved.size
    picture(reading.room, "pane-0", (100, 80), True)
    assert reading.room.context("pane-0").resolved.size == before


def test_layout_and_marks_come_back_after_a_death(tmp_path: Path) -> None:
    stage.write_study(tmp_path / "dicom")
    s = Stage(tmp_path / "home", None)
    try:
        s.bring(tmp_path / "dicom")
        reading = opened(s)
        reading.set_layout("2x1")
        reading.room.change_view(zoom=2.5, pan=(0.1, 0.0))
        draw(reading, 120.0)
        reading.room.change_view(plane=Plane.CORONAL, slab_mm=4.0)
        reading.command("invert")
        s.until(lambda: True)
        s.loop.run_until(lambda: False, 0.05)
        s.ws.library.write(lambda tx: None)
        state = s.ws.library.recovery.load(s.ws.person.person_id)
        panes, marks = reading.room.panes(), reading.desk.marks
    finally:
        s.die()
    assert state is not None
    with stage.stage(tmp_path / "home", None) as again:
        assert again.ws.study_to_restore() == reading.study.study_instance_uid
        back = again.ws.open_study(again.ws.study_to_restore())
        assert back.layout().name == "2x1"
        assert back.desk.marks == marks
        kept, now = panes[0].view, back.room.pane("pane-0").view
        assert (now.plane, now.slab_mm, now.zoom, now.pan) == (kept.plane, kept.slab_mm, kept.zoom, kept.pan)


def test_a_study_that_is_opened_again_at_once_has_its_marks(desk: Stage) -> None:
    """The disk is slow: the mark waits to be written while its study is closed and opened."""
    reading = opened(desk)
    uid = reading.study.study_instance_uid
    busy = threading.Event()
    desk.ws.library.write_async(lambda tx: busy.wait(20))
    draw(reading, 120.0)
    marks = reading.desk.marks
    assert marks
    desk.ws.close_study()
    threading.Timer(0.2, busy.set).start()
    assert desk.ws.open_study(uid).desk.marks == marks


def test_a_state_that_does_not_fit_changes_nothing(desk: Stage) -> None:
    reading = opened(desk)
    good = state_of("x", reading.room, reading.desk)
    before = reading.room.panes()
    wrong = [
        None,
        {},
        {**good, "layout": "9x9"},
        {**good, "panes": [{"pane_id": "pane-7"}]},
        {**good, "panes": [{**p, "display_set_id": "gone"} for p in good["panes"]]},
        {**good, "panes": [{"view": 3}]},
    ]
    for state in wrong:
        assert not restore(reading.room, reading.desk, state)
    assert reading.room.panes() == before
    assert restore(reading.room, reading.desk, good)
    assert reading.room.panes() == before
    assert math.isfinite(before[0].view.zoom)
    assert isinstance(reading.room.content, PaneContent)

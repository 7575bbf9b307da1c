"""A prior's pictures beside the present ones: nothing that is done on them gets into the present study unseen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.dicom.frame_encoder import Syntax
from app.dicom.image_writer import write_ct_series
from app.domain.identity import uid_for
from app.domain.study import Instance
from app.domain.volume import Volume
from app.session.prior_marks import Whose, read_marks
from app.session.reading_session import ReadingSession
from app.session.report_packet import PacketInput, measured_marks, verdict_object
from app.session.views import Changes
from app.viewer.tool_api import PointerEvent
from app.viewer.view_state import Plane
from tests import phantoms
from tests.flows import stage
from tests.flows.stage import BALLS, Stage


def balls() -> Volume:
    return phantoms.spheres_volume([phantoms.Sphere(centre, 3.4) for centre in BALLS])


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Stage]:
    phantoms.write_ct(tmp_path / "now", balls(), key="now")
    phantoms.write_ct(tmp_path / "then", balls(), key="then", date="20240101")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "now", tmp_path / "then")
        yield made


def side_by_side(s: Stage) -> ReadingSession:
    reading = s.ws.open_study(uid_for("phantom", "now", phantoms.ALIYA.patient_id))
    room = reading.room
    room.set_layout("1x2")
    current = next(c for c in reading.series_cards() if c.images > 2).display_set_id
    prior = next(c for c in reading.prior_cards() if c.images > 2).display_set_id
    for pane, chosen in (("pane-0", current), ("pane-1", prior)):
        room.put_in_pane(pane, chosen)
        room._panes[pane] = replace(room.pane(pane), view=replace(room.pane(pane).view, plane=Plane.STACK))
        reading.picture_request(pane, 400, 400)
    s.until(lambda: not s.ws.images_busy())
    for pane in ("pane-0", "pane-1"):
        reading.picture_request(pane, 400, 400)()
    assert room.pane("pane-1").prior
    return reading


def drag(reading: ReadingSession, pane: str, tool: str, y: float = 150.0) -> None:
    reading.set_tool(tool)
    for kind, x in (("press", 100.0), ("drag", 180.0), ("release", 180.0)):
        reading.pointer(pane, kind, PointerEvent(x, y))


def test_marks_that_are_not_seen_take_no_mouse(two: Stage) -> None:
    reading = side_by_side(two)
    drag(reading, "pane-0", "length")
    (mark,) = reading.desk.marks
    for pane, seen in (("pane-0", True), ("pane-1", False)):
        context = reading.room.context(pane)
        assert context is not None
        assert any(a.annotation_id == mark.finding_id for a in context.annotations) is seen
    # A drag over the place of the hidden mark moves nothing of it.
    drag(reading, "pane-1", "select")
    assert reading.desk.marks == (mark,)


def begun(reading: ReadingSession, tool: str, x: float) -> None:
    """A press on the prior with a drag to ``x``."""
    reading.set_tool(tool)
    for kind, at in (("press", 100.0), ("drag", x)):
        reading.pointer("pane-1", kind, PointerEvent(at, 150.0))


def test_a_drawing_on_a_prior_that_is_given_up_is_gone(two: Stage) -> None:
    reading = side_by_side(two)
    then = uid_for("phantom", "then", phantoms.ALIYA.patient_id)

    def drawn() -> int:
        return len(reading.picture_request("pane-1", 400, 400).marks)

    begun(reading, "length", 180.0)
    assert drawn() == 1
    reading.command("cancel_gesture")
    assert drawn() == 0, "Esc"
    begun(reading, "length", 101.0)
    reading.pointer("pane-1", "release", PointerEvent(101.0, 150.0))
    assert drawn() == 0, "a drag too short for a line"
    begun(reading, "text", 100.0)
    reading.pointer("pane-1", "release", PointerEvent(100.0, 150.0))
    assert reading.awaited_words is not None
    assert drawn() == 1
    reading.answer("")
    assert drawn() == 0, "no words"
    assert two.ws.library.drafts.marks(then, two.ws.person.person_id) == ()
    assert reading.earlier.desk.marks() == ()


def test_no_list_is_made_anew_while_a_hand_draws(two: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = side_by_side(two)
    for pane in ("pane-0", "pane-1"):
        told: list[Changes] = []
        monkeypatch.setattr(reading.room, "_announce", told.append)
        monkeypatch.setattr(reading.earlier.desk, "_announce", told.append)
        reading.set_tool("length")
        reading.pointer(pane, "press", PointerEvent(100.0, 150.0))
        told.clear()
        for x in (140.0, 180.0):
            reading.pointer(pane, "drag", PointerEvent(x, 150.0))
        assert any(c.marks for c in told), "the panes paint it"
        assert not any(c.findings or c.report or c.second_read for c in told)
        reading.pointer(pane, "release", PointerEvent(180.0, 150.0))
        assert told[-1].findings


def test_frames_of_reference_are_gathered_once(two: Stage) -> None:
    reading = side_by_side(two)
    (prior,) = reading.room.studies()[1]
    found = reading.room.references_of(prior)
    assert found == {i.frame_of_reference_uid for s in prior.study.series for i in s.instances}
    assert reading.room.references_of(prior) is found


def test_a_prior_is_not_painted_on_and_that_is_said_once(two: Stage) -> None:
    reading = side_by_side(two)
    two.ws._images.volume(reading.room.pane("pane-1").display_set_id)
    two.until(lambda: not two.ws.images_busy())
    for tool in ("brush", "region_grow"):
        two.notices.clear()
        drag(reading, "pane-1", tool)
        two.until(lambda: not two.ws.images_busy())
        assert reading.desk.marks == ()
        assert two.notices.count("marks.no_masks_on_prior") == 1


def test_no_finding_is_added_at_a_place_of_a_prior(two: Stage) -> None:
    reading = side_by_side(two)
    reading.activate("pane-1")
    reading.desk.select("")
    assert reading.add_mark() is None
    assert reading.desk.marks == ()
    assert two.notices[-1] == "marks.added_on_prior"
    reading.activate("pane-0")
    assert reading.add_mark() is not None


def test_a_mark_on_an_image_of_another_study_is_no_measurement_of_this_one(two: Stage) -> None:
    """Older versions kept them with the present study."""
    reading = side_by_side(two)
    drag(reading, "pane-0", "length")
    (mark,) = reading.desk.marks
    assert mark.placement is not None
    ref = reading.room.frame_ref(reading.room.pane("pane-1"))
    assert ref is not None
    stray = replace(mark, finding_id="2.25.9", placement=replace(mark.placement, sop_instance_uid=ref.sop_instance_uid))
    reading.desk.keep(stray)
    assert measured_marks(reading.desk.marks, reading.study) == (mark,)
    told = [i for section in reading.report().report.sections for line in section.lines for i in line.finding_ids]
    assert told.count(mark.finding_id) == 1
    assert stray.finding_id not in told


def test_a_drawing_on_a_prior_s_reformat_is_the_prior_s_though_both_share_one_space(tmp_path: Path) -> None:
    for key, day in (("now", "20260101"), ("then", "20240101")):
        study = phantoms.study_header(phantoms.ALIYA, key, day)
        volume = replace(balls(), geometry=replace(balls().geometry, frame_of_reference_uid="1.2.3.4.5"))
        series = phantoms.series_header(f"series {key}", "CT", 1, key)
        write_ct_series(volume, tmp_path / key, study, series, syntax=Syntax.EXPLICIT_LE)
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "now", tmp_path / "then")
        reading = side_by_side(s)
        room, then, person = reading.room, uid_for("phantom", "then", phantoms.ALIYA.patient_id), s.ws.person.person_id
        for pane in ("pane-0", "pane-1"):
            room.activate(pane)
            room.change_view(plane=Plane.CORONAL)
            s.until(lambda p=pane: reading.picture_request(p, 400, 400).layers != ())  # type: ignore[misc]
            reading.picture_request(pane, 400, 400)()
        drag(reading, "pane-1", "rectangle", 170.0)
        assert reading.desk.marks == ()
        s.until(lambda: len(s.ws.library.drafts.marks(then, person)) == 1)
        (kept,) = s.ws.library.drafts.marks(then, person)
        assert kept.placement is not None
        assert kept.placement.frame_of_reference_uid == "1.2.3.4.5"
        drag(reading, "pane-0", "rectangle", 170.0)
        assert len(reading.desk.marks) == 1
        assert len(s.ws.library.drafts.marks(then, person)) == 1


@pytest.mark.parametrize("tool", ["length", "ellipse"])
def test_a_measurement_of_an_earlier_report_is_its_line_again(two: Stage, tool: str) -> None:
    """Written by one workstation, read by another one as an earlier mark: the same points, in the patient too."""
    reading = side_by_side(two)
    drag(reading, "pane-0", tool)
    (mark,) = reading.desk.marks
    packet = PacketInput(
        reading.study, reading.report().report, stage.READER, datetime(2026, 11, 23, tzinfo=UTC), True, (), {}, (),
        frozenset(), None, measured=(mark,),
    )  # fmt: skip
    content = verdict_object(packet, ()).content
    report = Instance("2.25.4", "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.1.2.1", "bytes:")
    (earlier,) = read_marks(SimpleNamespace(read=lambda locator: content), report, reading.study)
    assert earlier.whose is Whose.REPORT
    read = earlier.finding
    assert mark.placement is not None
    assert read.placement is not None
    assert (read.shape, read.attributes) == (mark.shape, mark.attributes)
    np.testing.assert_allclose(read.placement.points_mm, mark.placement.points_mm, atol=1e-4)
    np.testing.assert_allclose(read.placement.points_px, mark.placement.points_px, rtol=1e-6)
    assert read.placement.frame_of_reference_uid == mark.placement.frame_of_reference_uid

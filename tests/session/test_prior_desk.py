"""Earlier marks: shown with their date, carried over as proposals, followed over time, in the report by a press."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.dicom.coding import FINDING_KINDS, VERDICTS
from app.dicom.frame_encoder import Syntax
from app.dicom.image_writer import write_ct_series
from app.dicom.sr_reader import read_sr
from app.dicom.structured_report import OwnFinding, verdict_sr
from app.domain.finding import Finding, Location, Source
from app.domain.geometry import Point3
from app.domain.identity import uid_for
from app.domain.measurement import Annotation, MarkShape, Measurement, Placement, Quantity
from app.domain.problem import fail
from app.domain.study import Instance, Patient, Study
from app.domain.verdict import Decision, RejectReason, Verdict
from app.session import marks as own
from app.session import prior_marks
from app.session.carrying import carried_from, on_film
from app.session.course import Measured, course
from app.session.prior_marks import Whose, in_patient, read_marks, reports_of, stored_marks
from app.session.reading_session import ReadingSession
from app.viewer.primitives import Role
from tests import phantoms
from tests.dicom.objects_phantom import ct_study, header
from tests.dicom.test_sr_drawings import DOCTOR
from tests.flows import stage
from tests.flows.stage import BALLS, READER, Stage
from tests.session.test_second_images import SHIFT, _body

DAYS = {"old": "20230301", "then": "20240310", "now": "20260101"}


def _write(folder: Path, key: str, reference: str = "1.2.3.4.5") -> None:
    volume = phantoms.spheres_volume([phantoms.Sphere(centre, 3.4) for centre in BALLS])
    volume = replace(volume, geometry=replace(volume.geometry, frame_of_reference_uid=reference))
    study = phantoms.study_header(phantoms.ALIYA, key, DAYS[key])
    series = phantoms.series_header(f"series {key}", "CT", 1, reference)
    write_ct_series(volume, folder / key, study, series, syntax=Syntax.EXPLICIT_LE)


def _uid(key: str) -> str:
    return uid_for("phantom", key, phantoms.ALIYA.patient_id)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Stage]:
    for key in ("then", "now"):
        _write(tmp_path, key)
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "then", tmp_path / "now")
        yield made


def nodule(reading: ReadingSession, at: Point3, mm: float, volume: float = 0.0) -> Finding:
    """Drawn on the slice nearest to ``at``: a line of ``mm`` along the rows."""
    chosen = next(d for d in reading.room.studies()[0].display_sets if len(d.frames) > 2)
    planes = reading.room.content.planes(chosen)
    k = min(range(len(planes)), key=lambda n: abs(planes[n].to_index(at)[2]))
    points = tuple((at[0] + s * mm / 2, at[1], planes[k].origin_mm[2]) for s in (-1, 1))
    px = tuple((planes[k].to_index(p)[1] + 0.5, planes[k].to_index(p)[0] + 0.5) for p in points)
    placement = Placement(chosen.frames[k].sop_instance_uid, 0, px, points, planes[k].frame_of_reference_uid)
    sizes = [Measurement(Quantity.LONG_AXIS, mm, "mm")]
    sizes += [Measurement(Quantity.VOLUME, volume, "mm3")] if volume else []
    made = own.drawn(Annotation(uid_for("test", str(at), str(mm)), MarkShape.LENGTH, placement, tuple(sizes)), None)
    return replace(made, code=FINDING_KINDS["nodule"], attributes=())


def marked(s: Stage, key: str, *sizes: tuple[Point3, float, float]) -> list[Finding]:
    reading = s.ws.open_study(_uid(key))
    found = [nodule(reading, at, mm, volume) for at, mm, volume in sizes]
    for mark in found:
        reading.desk.keep(mark)
    s.until(lambda: len(s.ws.library.drafts.marks(_uid(key), READER.person_id)) == len(found))
    return found


def beside(reading: ReadingSession) -> None:
    room = reading.room
    room.set_layout("1x2")
    room.put_in_pane("pane-0", next(c for c in reading.series_cards() if c.images > 2).display_set_id)
    room.put_in_pane("pane-1", next(c for c in reading.prior_cards() if c.images > 2).display_set_id)


def test_an_earlier_mark_is_shown_carried_put_right_accepted_and_followed(two: Stage) -> None:
    (then,) = marked(two, "then", (BALLS[0], 6.0, 100.0))
    reading = two.ws.open_study(_uid("now"))
    beside(reading)
    at = reading.room.frame_nearest("pane-1", then.placement.sop_instance_uid)
    reading.room.activate("pane-1")
    reading.room.change_view(frame_index=at)
    (shown,) = reading.picture_request("pane-1", 300, 300).marks
    assert (shown.finding.finding_id, shown.look.label, shown.look.role) == (then.finding_id, "10.03.2024", Role.TEXT)
    assert reading.desk.annotations() == (), "it cannot be taken hold of"
    (row,) = reading.earlier.view().rows
    assert (row.value, row.date, row.whose.id) == ("6.0", "10.03.2024", "earlier.mine")

    text = [line.text for section in reading.reports.report().sections for line in section.lines]
    reading.command("carry_over")
    (proposal,) = reading.earlier.desk.proposals()
    assert proposal.location.centre_lps_mm == pytest.approx(then.location.centre_lps_mm, abs=1e-6)
    assert proposal.placement.sop_instance_uid != then.placement.sop_instance_uid
    assert reading.desk.marks == (), "a proposal is no mark"
    (drawn,) = reading.picture_request("pane-0", 300, 300).marks
    assert drawn.look.pending
    assert (reading.earlier.view().rows, len(reading.earlier.view().proposals)) == ((), 1)

    (held,) = reading.desk.annotations()
    p = held.placement
    longer = replace(p, points_mm=(p.points_mm[0], (p.points_mm[1][0] + 3.0, *p.points_mm[1][1:])))
    sizes = (Measurement(Quantity.LENGTH, 9.0, "mm"), Measurement(Quantity.VOLUME, 250.0, "mm3"))
    reading.desk.put_annotation(replace(held, placement=longer, measurements=sizes), False)
    assert reading.desk.marks == ()
    assert [line.text for section in reading.reports.report().sections for line in section.lines] == text
    reading.earlier.accept(proposal.finding_id)
    (mine,) = reading.desk.own_findings()
    assert (mine.code.value, carried_from(mine)) == (FINDING_KINDS["nodule"].value, then.finding_id)

    (card,) = reading.earlier.view().courses
    assert [(x.date, x.size, x.change_mm, x.change_percent) for x in card.lines] == [
        ("10.03.2024", "6.0", "", ""), ("01.01.2026", "9.0", "+3.0", "+50"),
    ]  # fmt: skip
    assert [(x.volume, x.volume_percent) for x in card.lines] == [("0.10", ""), ("0.25", "+150")]
    assert not card.in_report
    reading.earlier.to_report(mine.finding_id)
    reading.earlier.to_report(mine.finding_id)
    lines = [line for section in reading.reports.report().sections for line in section.lines if "10.03.2024" in line.text]
    assert len(lines) == 1, "by a press, once"
    assert all(part in lines[0].text for part in ("01.01.2026", "50", "150"))
    assert reading.earlier.view().courses[0].in_report
    reading.undo()
    assert not reading.earlier.view().courses[0].in_report
    reading.undo()
    assert reading.desk.own_findings() == ()


def test_a_proposal_is_declined_and_what_is_drawn_on_a_prior_stays_with_it(two: Stage) -> None:
    marked(two, "then", (BALLS[0], 6.0, 0.0))
    reading = two.ws.open_study(_uid("now"))
    beside(reading)
    reading.earlier.carry()
    (proposal,) = reading.earlier.desk.proposals()
    reading.earlier.drop(proposal.finding_id)
    assert (reading.earlier.desk.proposals(), len(reading.earlier.view().rows)) == ((), 1)

    prior = reading.room.studies()[1][0].display_sets[0]
    placement = Placement(prior.frames[3].sop_instance_uid, 0, ((5.0, 5.0), (9.0, 5.0)))
    drawing = Annotation("2.25.77", MarkShape.LENGTH, placement, (Measurement(Quantity.LENGTH, 3.0, "mm"),))
    reading.desk.put_annotation(drawing, True)
    reading.room.activate("pane-1")
    assert any(m.look.selected for m in reading.earlier.desk.shown(reading.room.pane("pane-1")))
    reading.desk.put_annotation(drawing, False)
    assert reading.desk.marks == (), "no mark of the present study, and not in its report"
    assert {m.finding_id for m in two.ws.library.drafts.marks(_uid("then"), READER.person_id)} >= {"2.25.77"}
    row = next(r for r in reading.earlier.view().rows if r.finding_id == "2.25.77")
    assert row.can_drop
    reading.earlier.drop("2.25.77")
    assert all(r.finding_id != "2.25.77" for r in reading.earlier.view().rows)
    assert "2.25.77" not in {m.finding_id for m in two.ws.library.drafts.marks(_uid("then"), READER.person_id)}


def test_the_place_is_found_by_registration_although_the_prior_does_not_hang(tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "now", _body((0.0, 0.0, 0.0)), key="now", date=DAYS["now"])
    phantoms.write_ct(tmp_path / "then", _body(SHIFT), key="then", date=DAYS["then"])
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "now", tmp_path / "then")
        place = (-101.0 + 120.0 + SHIFT[0], -93.0 + 60.0 + SHIFT[1], -412.0 + 100.0 + SHIFT[2])
        (then,) = marked(s, "then", (place, 12.0, 0.0))
        reading = s.ws.open_study(_uid("now"))
        reading.room.set_layout("1x1")
        assert not any(p.prior for p in reading.room.panes())
        reading.earlier.carry(then.finding_id)
        assert s.notices[-1] == "carry.registering"
        assert reading.earlier.view().rows[0].waiting
        s.until(lambda: bool(reading.earlier.desk.proposals()), 60)
        (proposal,) = reading.earlier.desk.proposals()
        expected = np.subtract(then.location.centre_lps_mm, SHIFT)
        assert np.allclose(proposal.location.centre_lps_mm[:2], expected[:2], atol=1.5)
        assert abs(proposal.location.centre_lps_mm[2] - expected[2]) <= 4.0, "the nearest slice, 5 mm apart"
        reading.earlier.accept(proposal.finding_id)
        assert len(reading.earlier.view().courses[0].lines) == 2


def test_a_course_counts_from_the_measurement_before() -> None:
    def then(on: date, mm: float, volume: float = 0.0) -> Measured:
        sizes = [Measurement(Quantity.MEAN_DIAMETER, mm, "mm")] if mm else []
        sizes += [Measurement(Quantity.VOLUME, volume, "ml")] if volume else []
        return Measured(on, Finding("1", Source.MINE, FINDING_KINDS["nodule"], Location((0.0, 0.0, 0.0)), tuple(sizes)))

    rows = course((then(date(2026, 1, 1), 5.0, 0.3), then(date(2024, 1, 1), 10.0, 0.2), then(date(2025, 1, 1), 0.0)))
    assert [r.on.year for r in rows] == [2024, 2025, 2026]
    assert [(r.size_mm, r.change_mm, r.change_percent) for r in rows] == [
        (10.0, None, None), (None, None, None), (5.0, -5.0, -50.0),
    ]  # fmt: skip
    assert rows[2].volume_percent == pytest.approx(50.0)
    assert rows[2].volume_mm3 == pytest.approx(300.0)


class Reads:
    """Second readers that found something in a study, sealed or opened."""

    def __init__(self, *found: Finding, code: str = "") -> None:
        self._found, self._code = found, code

    def opened(self, study: str, person: str) -> tuple[SimpleNamespace, ...]:
        if self._code:
            raise fail(self._code)
        return (SimpleNamespace(findings=self._found),)

    def forget(self, study: str) -> None:
        self.forgotten = study


def test_marks_are_the_readers_own_and_those_of_who_signed() -> None:
    def finding(name: str) -> Finding:
        return Finding(name, Source.MINE, FINDING_KINDS["nodule"], Location((0.0, 0.0, 0.0)))

    by = {("1", "me"): (finding("a"),), ("1", "signer"): (finding("b"), finding("a")), ("1", "somebody"): (finding("c"),)}
    verdicts = {
        "d": Verdict("v1", "d", Decision.MODIFIED, "signer", "", modified=finding("d")),
        "e": Verdict("v2", "e", Decision.REJECTED, "signer", "", RejectReason.NOT_PRESENT),
        "f": Verdict("v3", "f", Decision.MODIFIED, "somebody", "", modified=finding("f")),
        "g": Verdict("v4", "g", Decision.ACCEPTED, "somebody", ""),
        "h": Verdict("v5", "h", Decision.ACCEPTED, "me", ""),
        "i": Verdict("v6", "i", Decision.MODIFIED, "signer", "", modified=finding("i")),
    }
    library = SimpleNamespace(
        drafts=SimpleNamespace(marks=lambda uid, person: by.get((uid, person), ())),
        reports=SimpleNamespace(signed=lambda uid: (SimpleNamespace(person_id="signer"),)),
        verdicts=SimpleNamespace(current=lambda uid: verdicts),
    )

    def marks(reads: Reads) -> set[tuple[str, Whose]]:
        found = stored_marks(library, reads, Study("1", Patient(), (), "20240310"), "me")  # type: ignore[arg-type]
        return {(m.finding.finding_id, m.whose) for m in found}

    drawn = {("a", Whose.MINE), ("b", Whose.COLLEAGUE)}
    shown = Reads(*(finding(name) for name in "defgh"))
    assert marks(shown) == drawn | {("d", Whose.COLLEAGUE), ("h", Whose.MINE)}, "f and g unsigned, i never shown to me"
    assert marks(Reads(*(finding(name) for name in "defghi"), code="second_read.sealed")) == drawn


def test_a_colleagues_answer_does_not_break_the_seal_of_a_prior(tmp_path: Path) -> None:
    """It is drawn on the prior only after this reader's own first opinion on it, and only when its giver has signed."""
    for key in ("then", "now"):
        _write(tmp_path, key)
    beacon = stage.install_beacon(tmp_path / "packages")
    with stage.stage(tmp_path / "home", beacon, stage.OTHER) as s:
        s.bring(tmp_path / "then", tmp_path / "now")
        s.read()
        reading = s.ws.open_study(_uid("then"))
        reading.show_ai()
        first = reading.desk.ai_findings()[0]
        reading.modify(first.finding_id, long_axis_mm=9.0)

    def prior_marks_seen(s: Stage) -> list[str]:
        return [m.finding.finding_id for m in s.ws.open_study(_uid("now")).earlier.desk.marks()]

    with stage.stage(tmp_path / "home", beacon) as s:
        assert prior_marks_seen(s) == [], "sealed"
        s.ws.open_study(_uid("then")).show_ai()
        assert prior_marks_seen(s) == [], "nobody signed it"
    with stage.stage(tmp_path / "home", beacon, stage.OTHER) as s:
        assert prior_marks_seen(s) == [first.finding_id], "it is that reader's own"
        assert s.ws.reads._opened == {}, "what was opened of a prior does not stay in memory"
        s.ws.open_study(_uid("then"))
        assert [key[0] for key in s.ws.reads._opened] == [_uid("then")]
        s.ws.close_study()
        assert s.ws.reads._opened == {}


def test_a_mark_of_a_film_lies_where_the_films_lie_on_each_other() -> None:
    from app.domain.pixels import PixelFormat
    from app.domain.study import FrameHeader, FrameRef
    from app.imaging.film_alignment import fitted

    placement = Placement("1.1", 0, ((100.0, 50.0), (120.0, 50.0)))
    mark = own.drawn(Annotation("1", MarkShape.LENGTH, placement), None)
    film = Instance("1.2", "", "", "", pixel_format=PixelFormat(100, 200), frames=(FrameHeader(),))
    moved = on_film(mark, fitted((200, 100), (400, 200)).to_second, FrameRef("1.2"), film, "DX")
    assert moved is not None
    assert moved.placement.points_px == (pytest.approx((50.0, 25.0)), pytest.approx((60.0, 25.0)))
    assert moved.measurements[0].unit == "px", "no millimetres that the film does not have"
    outside = replace(mark, placement=replace(placement, points_px=((900.0, 50.0), (920.0, 50.0))))
    assert on_film(outside, fitted((200, 100), (400, 200)).to_second, FrameRef("1.2"), film, "DX") is None


def test_marks_of_a_persons_report_come_with_their_drawing_and_a_devices_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    study = ct_study()
    instance = study.series[0].instances[2]
    plane = instance.frames[0].plane
    points = ((5.0, 6.0), (11.0, 6.0))
    placement = Placement(instance.sop_instance_uid, 0, points, tuple(plane.to_patient(y - 0.5, x - 0.5) for x, y in points),
                          plane.frame_of_reference_uid)  # fmt: skip
    sizes = (Measurement(Quantity.LENGTH, 7.25, "mm"),)
    mark = own.as_finding(
        own.drawn(Annotation("2.25.5", MarkShape.LENGTH, placement, sizes), None), FINDING_KINDS["nodule"], "", "R"
    )
    content = verdict_sr(study, DOCTOR, header("verdict_sr"), answers=(), own=[OwnFinding(mark, False)], opinion=None)
    report = Instance("9.9", "1.2.840.10008.5.1.4.1.1.88.34", "", "memory", size_bytes=len(content))
    (found,) = read_marks(SimpleNamespace(read=lambda locator: content), report, study)  # type: ignore[arg-type]
    assert (found.finding.finding_id, found.finding.code.value, found.whose) == ("2.25.5", mark.code.value, Whose.REPORT)
    assert found.finding.shape is MarkShape.LENGTH
    assert found.finding.placement.points_px == pytest.approx(np.asarray(points), abs=1e-4)
    assert found.finding.measured(Quantity.LONG_AXIS).value == pytest.approx(7.25)
    by_device = replace(read_sr(content), observer_is_device=True)
    with monkeypatch.context() as patch:
        patch.setattr(prior_marks, "read_sr", lambda data: by_device)
        assert read_marks(SimpleNamespace(read=lambda locator: content), report, study) == ()  # type: ignore[arg-type]
    answered = replace(
        read_sr(content), findings=(replace(read_sr(content).findings[0], verdict=VERDICTS[Decision.ACCEPTED]),)
    )
    with monkeypatch.context() as patch:
        patch.setattr(prior_marks, "read_sr", lambda data: answered)
        seen = [read_marks(SimpleNamespace(read=lambda locator: content), report, study, s) for s in (False, True)]  # type: ignore[arg-type]
    assert [len(found) for found in seen] == [1, 0], "a report does not break the seal of a study either"
    flat = Location(sop_instance_uid=instance.sop_instance_uid, centre_px=(8.0, 6.0))
    placed = in_patient(Finding("1", Source.MINE, FINDING_KINDS["nodule"], flat), {instance.sop_instance_uid: instance})
    assert placed.location.centre_lps_mm == pytest.approx(plane.to_patient(5.5, 7.5))
    assert reports_of(replace(study, series=(replace(study.series[0], instances=(report,)),))) == (report,)


def test_a_prior_of_another_part_is_no_comparison_of_the_report_and_nothing_is_carried_from_it(tmp_path: Path) -> None:
    _write(tmp_path, "now")
    knee = replace(phantoms.study_header(phantoms.ALIYA, "then", DAYS["then"]), description="CT left knee")
    series = replace(phantoms.series_header("knee", "CT", 1, "1.2.9"), body_part_examined="KNEE")
    volume = phantoms.spheres_volume([phantoms.Sphere(BALLS[0], 3.4)])
    write_ct_series(volume, tmp_path / "then", knee, series, syntax=Syntax.EXPLICIT_LE)
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "now", tmp_path / "then")
        (then,) = marked(s, "then", (BALLS[0], 6.0, 0.0))
        reading = s.ws.open_study(_uid("now"))
        assert not any(p.prior for st in reading.room.stages for p in st.panes)
        assert not any("10.03.2024" in value for value in reading.reports.report().header.values())
        assert any(c.study_instance_uid == _uid("then") for c in reading.prior_cards()), "it is within reach"
        reading.earlier.carry(then.finding_id)
        assert s.notices[-1] == "carry.no_images"
        assert reading.earlier.desk.proposals() == ()

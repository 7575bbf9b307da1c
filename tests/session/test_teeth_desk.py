"""The tooth chart and the numbers of an open panoramic film: entries, corrections, what goes into the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.dicom.coding import FINDING_KINDS, site_code
from app.dicom.image_writer import SeriesHeader, StudyHeader, instance_uid, write_projection
from app.domain.finding import Finding, Location, ReaderIdentity, ReadResult, ReadState, Source
from app.domain.identity import uid_for
from app.domain.teeth import LOWER, PERMANENT, UPPER, NumberedTooth
from app.domain.verdict import Decision, Overall, RejectReason
from app.session.reading_session import ReadingSession
from app.session.teeth_desk import TeethDesk
from app.session.tooth_numbers import ToothNumbers
from app.viewer.primitives import Text
from app.viewer.tool_api import PointerEvent
from tests import phantoms
from tests.flows import stage
from tests.flows.stage import Stage

STUDY = uid_for("teeth", "study")
WHO = ReaderIdentity("dental_panoramic", "0.2.0", "0" * 64)
ROWS, COLUMNS = 240, 480


def place(fdi: int) -> tuple[float, float, float, float]:
    row = UPPER if fdi in UPPER else LOWER
    x, y = 60.0 + 24.0 * row.index(fdi), 60.0 if fdi in UPPER else 140.0
    return x - 10, y - 25, x + 10, y + 25


def write_film(folder: Path) -> str:
    folder.mkdir(parents=True)
    values = np.random.default_rng(0).integers(500, 3000, (ROWS, COLUMNS)).astype(np.uint16)
    study = StudyHeader(phantoms.ALIYA, STUDY, study_date="20261117", study_time="0820", description="Panoramic")
    series = SeriesHeader(uid_for("teeth", "series"), "PX", 1, "Orthopantomogram", body_part_examined="JAW")
    write_projection(values, folder / "film.dcm", study, series, pixel_spacing_mm=(0.1, 0.1), patient_orientation=("L", "F"))
    return instance_uid(series, 1)


def found(kind: str, fdi: int, film: str) -> Finding:
    x0, y0, x1, y1 = place(fdi)
    return Finding(
        uid_for("teeth", kind, str(fdi)),
        Source.AI,
        FINDING_KINDS[kind],
        Location(sop_instance_uid=film, centre_px=((x0 + x1) / 2, (y0 + y1) / 2), box_px=(x0, y0, x1, y1)),
        laterality="L",
        region=str(fdi),
        probability=0.8,
        reader=WHO,
    )


def result_of(film: str) -> ReadResult:
    teeth = tuple(NumberedTooth(n, place(n), 0.9, n != 28, film) for n in PERMANENT)
    findings = (found("filled_tooth", 36, film), found("impacted_tooth", 38, film), found("missing_tooth", 28, film))
    return ReadResult(WHO, STUDY, ReadState.COMPLETED, findings, teeth=teeth)


@pytest.fixture
def film(tmp_path: Path) -> Iterator[tuple[Stage, ReadingSession, TeethDesk]]:
    sop = write_film(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(STUDY)
        assert reading.teeth is not None
        assert reading.teeth.available
        # What a reader would have found; opened by the commit like any result.
        reading.desk._open_results = lambda: setattr(reading.desk, "_results", (result_of(sop),))  # type: ignore[method-assign]
        yield s, reading, reading.teeth


def entry(teeth: TeethDesk, fdi: int) -> list[tuple[str, str, str]]:
    tooth = next(t for t in teeth.chart() if t.fdi == fdi)
    return [(e.kind, e.origin, e.surfaces) for e in tooth.entries]


def test_before_the_commit_the_chart_is_the_dentists_alone(film: tuple[Stage, ReadingSession, TeethDesk]) -> None:
    _, reading, teeth = film
    assert teeth.numbers() == ()
    assert all(not t.entries for t in teeth.chart())
    teeth.toggle(46, "caries")
    teeth.toggle_surface(46, "O")
    teeth.toggle_surface(46, "M")
    assert entry(teeth, 46) == [("caries", "mine", "MO")]
    mark = reading.desk.own_findings()[0]
    assert (mark.region, mark.laterality) == ("46", "R")
    assert site_code(mark.region) is not None
    teeth.toggle(46, "caries")
    assert reading.desk.own_findings() == ()


def test_missing_and_other_states_exclude_each_other(film: tuple[Stage, ReadingSession, TeethDesk]) -> None:
    _, _, teeth = film
    teeth.toggle(14, "filled_tooth")
    teeth.toggle(14, "missing_tooth")
    assert entry(teeth, 14) == [("missing_tooth", "mine", "")]
    teeth.toggle(14, "implant")
    assert entry(teeth, 14) == [("implant", "mine", "")]


def test_after_the_commit_findings_stand_at_their_teeth_by_verdict(film: tuple[Stage, ReadingSession, TeethDesk]) -> None:
    _, reading, teeth = film
    reading.commit(Overall.NOTHING)
    assert entry(teeth, 36) == [("filled_tooth", "ai_pending", "")]
    by = {f.region: f.finding_id for f in reading.desk.ai_findings()}
    reading.accept(by["36"])
    reading.reject(by["38"], RejectReason.WRONG_TYPE)
    assert entry(teeth, 36) == [("filled_tooth", "ai_accepted", "")]
    assert entry(teeth, 38) == []
    text = " ".join(line.text for s in reading.report().report.sections for line in s.lines)
    assert "36" in text
    assert "38" not in text


def test_a_dragged_number_changes_places_and_its_findings_follow(film: tuple[Stage, ReadingSession, TeethDesk]) -> None:
    s, reading, teeth = film
    reading.commit(Overall.NOTHING)
    finding = next(f for f in reading.desk.ai_findings() if f.region == "36")
    reading.accept(finding.finding_id)
    centre = next(t for t in teeth.numbers() if t.fdi == 37).centre_px
    teeth.move(36, centre)
    now = {t.fdi: t for t in teeth.numbers()}
    assert (now[36].box_px, now[37].box_px) == (place(37), place(36))
    assert teeth.corrected() == {36, 37}
    verdict = reading.desk.verdict(finding.finding_id)
    assert verdict is not None
    assert verdict.decision is Decision.MODIFIED
    assert verdict.modified is not None
    assert verdict.modified.region == "37"
    assert finding in reading.desk.ai_findings(), "what the reader wrote stays as it was"
    assert entry(teeth, 37) == [("filled_tooth", "ai_accepted", "")]
    teeth.reset_numbers()
    assert entry(teeth, 36) == [("filled_tooth", "ai_accepted", "")]
    del s


def test_an_unanswered_finding_is_accepted_with_the_corrected_number(film: tuple[Stage, ReadingSession, TeethDesk]) -> None:
    _, reading, teeth = film
    reading.commit(Overall.NOTHING)
    finding = next(f for f in reading.desk.ai_findings() if f.region == "38")
    teeth.move(38, next(t for t in teeth.numbers() if t.fdi == 37).centre_px)
    assert entry(teeth, 37) == [("impacted_tooth", "ai_pending", "")]
    card = next(c for c in reading.second_read().ai_only if c.finding.finding_id == finding.finding_id)
    assert card.region.params["fdi"] == "37"
    reading.accept(finding.finding_id)
    accepted = reading.desk.accepted_findings()
    assert [f.region for f in accepted] == ["37"]


def test_the_rest_of_the_row_moves_along(film: tuple[Stage, ReadingSession, TeethDesk]) -> None:
    _, reading, teeth = film
    reading.commit(Overall.NOTHING)
    teeth.move(35, next(t for t in teeth.numbers() if t.fdi == 36).centre_px, whole_row=True)
    now = {t.fdi: t.box_px for t in teeth.numbers()}
    assert [now[n] for n in (35, 36, 37)] == [place(36), place(37), place(38)]
    assert now[38][0] == pytest.approx(place(38)[0] + 20)
    assert now[34] == place(34)


def test_a_number_dropped_beside_all_teeth_moves_alone(film: tuple[Stage, ReadingSession, TeethDesk]) -> None:
    _, reading, teeth = film
    reading.commit(Overall.NOTHING)
    teeth.move(18, (20.0, 20.0))
    assert next(t for t in teeth.numbers() if t.fdi == 18).centre_px == (20.0, 20.0)
    assert teeth.corrected() == {18}


def test_numbers_are_drawn_after_the_commit_and_taken_by_the_pointer(film: tuple[Stage, ReadingSession, TeethDesk]) -> None:
    s, reading, teeth = film
    reading.picture_request("pane-0", 960, 480)()
    s.until(lambda: not s.ws.images_busy())
    labels = ToothNumbers(teeth)
    film_uid = reading.room.labels
    assert film_uid is not None
    assert labels.drawers("") == ()
    reading.commit(Overall.NOTHING)
    picture = reading.picture_request("pane-0", 960, 480)()
    texts = {d.text: d for d in picture.decorations if isinstance(d, Text) and d.key == "tooth_number"}
    assert set(texts) == {str(n) for n in PERMANENT}
    at = texts["36"]
    to = texts["37"]
    for kind, x, y in (("press", at.x, at.y), ("drag", to.x, to.y), ("release", to.x, to.y)):
        reading.pointer("pane-0", kind, PointerEvent(x, y))
    assert teeth.corrected() == {36, 37}
    teeth.show_numbers(False)
    picture = reading.picture_request("pane-0", 960, 480)()
    assert not [d for d in picture.decorations if getattr(d, "key", "") == "tooth_number"]


def test_corrections_are_kept(tmp_path: Path) -> None:
    sop = write_film(tmp_path / "dicom")
    for turn in range(2):
        with stage.stage(tmp_path / "home", None) as s:
            if turn == 0:
                s.bring(tmp_path / "dicom")
            reading = s.ws.open_study(STUDY)
            teeth = reading.teeth
            assert teeth is not None
            if turn == 0:
                reading.commit(Overall.NOTHING)
            reading.desk._results = (replace(result_of(sop), findings=()),)
            if turn == 0:
                teeth.move(11, next(t for t in teeth.numbers() if t.fdi == 12).centre_px)
            assert teeth.corrected() == {11, 12}

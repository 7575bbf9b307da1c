"""The mammography reader's result leaves as two reports of the same marks, and both say so in every language on the card."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.dicom.mammography_cad import MAMMOGRAPHY_CAD_SR
from app.dicom.sr_reader import read_sr
from app.dicom.sr_shapes import shapes_of
from app.domain.finding import ReadResult
from app.domain.messages import translate
from app.domain.person import Person
from app.domain.report import Report
from app.session.asymmetry_words import asymmetry_words
from app.session.report_packet import PRIORITY, PacketInput, ai_objects, verdict_object
from app.session.views import NOTHING
from tests.dicom.mammogram_phantom import DENSITY, FILMS, mark, read_of, study

MARK = mark(FILMS[0], 90.0, 120.0, 0.4, attributes=(("asymmetry", "5.2"),))


def packet(*results: ReadResult) -> PacketInput:
    return PacketInput(
        study=study(),
        report=Report("r", study().study_instance_uid, 1, "en", "", ()),
        person=Person("d", "Ахметов Ержан"),
        signed_at=datetime(2026, 11, 19, 9, 0, tzinfo=UTC),
        demonstration=False,
        results=results,
        verdicts={},
        own=(),
        agreed_own=frozenset(),
        opinion=None,
    )


def test_both_reports_tell_the_same_marks() -> None:
    made = packet(read_of(MARK, measurements=DENSITY))
    objects = {o.kind: o for o in ai_objects(made)}
    assert list(objects)[:2] == ["ai_sr", "cad_sr"]
    cad = read_sr(objects["cad_sr"].content)
    assert objects["cad_sr"].sop_class_uid == cad.sop_class_uid == MAMMOGRAPHY_CAD_SR
    assert objects["cad_sr"].sop_instance_uid == cad.sop_instance_uid
    (finding,) = read_sr(objects["ai_sr"].content).findings[:1]
    assert finding.attributes == (("asymmetry", "5.2"),)
    assert [s.points_px for s in shapes_of(cad)] == [(MARK.location.centre_px,), finding.locations[0].contour_px]
    assert f"tracking {finding.tracking_uid}" in shapes_of(cad)[0].words[1]
    # What the person answered is about the report with every number.
    answered = read_sr(verdict_object(made, ai_objects(made)).content)
    assert answered.findings[0].assessed_sop_instance_uid == objects["ai_sr"].sop_instance_uid


def test_a_retry_writes_the_same_objects() -> None:
    first, again = (ai_objects(packet(read_of(MARK, measurements=DENSITY))) for _ in range(2))
    assert [(o.kind, o.sha256) for o in first] == [(o.kind, o.sha256) for o in again]
    assert len({o.sop_instance_uid for o in first}) == len(first)
    assert PRIORITY["ai_sr"] < PRIORITY["cad_sr"] < PRIORITY["seg"]


def test_other_readers_have_no_mammography_report() -> None:
    other = read_of(MARK)
    other = replace(other, reader=replace(other.reader, name="chest_xray"))
    assert "cad_sr" not in {o.kind for o in ai_objects(packet(other))}


@pytest.mark.parametrize("language", ["en", "ru", "kk"])
def test_the_card_says_how_far_a_mark_outshines_the_other_breast(language: str) -> None:
    strong = asymmetry_words(MARK)
    clear = asymmetry_words(replace(MARK, attributes=(("asymmetry", "3.4"),)))
    assert (strong.id, clear.id) == ("finding.asymmetry.strong", "finding.asymmetry.clear")
    assert "5.2" in translate(language, strong.id, dict(strong.params))
    assert "3.4" in translate(language, clear.id, dict(clear.params))
    assert asymmetry_words(replace(MARK, attributes=())) is NOTHING

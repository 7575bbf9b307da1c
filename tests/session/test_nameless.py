"""What goes to others: without identity nothing that anybody typed, but all that is read; to the patient nothing of a second
reader, pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.domain.finding import Finding, Heatmap, ReaderIdentity, Source
from app.domain.measurement import Code, MarkShape, Placement
from app.domain.problem import ProblemError
from app.domain.study import Instance
from app.session import marks as own
from app.session.image_out import picture
from app.session.nameless import instance_may_hold_names, nameless, without_free_words
from app.session.paint import _font, _printable
from app.session.picture import PictureRequest, ShownMark
from app.session.reading_session import ReadingSession
from app.session.room_sides import Overlay
from app.viewer.layers import HeatmapLayer, ImageLayer
from app.viewer.marks import MarkLook
from app.viewer.primitives import Polyline, Role, Text
from app.viewer.view_state import Appearance, Plane
from tests.flows import stage
from tests.flows.stage import Stage
from tests.session.test_reading import draw, opened

SCREEN_SAVE = "1.2.840.10008.5.1.4.1.1.7"
CT = "1.2.840.10008.5.1.4.1.1.2"
AI = ReaderIdentity("beacon", "1.0.0", "ab" * 32)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stage]:
    stage.write_study(tmp_path / "dicom")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "dicom")
        yield made


def written(shape: MarkShape, words: str) -> ShownMark:
    placement = Placement("1.2.3", 0, ((4.0, 5.0), (9.0, 9.0)))
    mark = Finding("2.25.1", Source.MINE, own.DRAWING, own.location_of(placement), shape=shape, placement=placement)
    return ShownMark(replace(mark, comment=words), MarkLook())


def stack(s: Stage) -> ReadingSession:
    reading = opened(s)
    reading.set_layout("1x1")
    reading.room.change_view(plane=Plane.STACK)
    reading.picture_request("pane-0", 400, 400)()
    s.until(lambda: not s.ws.images_busy())
    return reading


# -- without identity


@pytest.mark.parametrize(
    ("shape", "words", "kept"),
    [
        (MarkShape.SPINE, "L4", "L4"),
        (MarkShape.TOOTH, "36", "36"),
        (MarkShape.TEXT, "T12", "T12"),
        (MarkShape.TEXT, "Ахметова, 1962", None),
        (MarkShape.SPINE, "Ахметова", None),
        (MarkShape.ARROW, "Ахметова", ""),
        (MarkShape.ARROW, "C2", "C2"),
        (MarkShape.LENGTH, "Ахметова", ""),
    ],
)
def test_words_of_the_vocabulary_stay_and_others_go(shape: MarkShape, words: str, kept: str | None) -> None:
    left = without_free_words([written(shape, words)])
    assert [m.finding.comment for m in left] == ([] if kept is None else [kept])


def texts_of(request: PictureRequest) -> set[str]:
    return {p.text for p in request().decorations if isinstance(p, Text)}


def test_a_written_vertebra_is_read_and_no_question_mark(desk: Stage) -> None:
    reading = stack(desk)
    request = reading.picture_request("pane-0", 400, 400)
    layer = request.layers[0]
    assert isinstance(layer, ImageLayer)
    at = Placement(layer.sop_instance_uid, 0, ((9.0, 9.0),))
    mark = replace(written(MarkShape.SPINE, "L4").finding, placement=at, location=own.location_of(at))
    free = replace(mark, finding_id="2.25.2", shape=MarkShape.TEXT, comment="Серікбаева")
    request = replace(request, marks=(ShownMark(mark, MarkLook()), ShownMark(free, MarkLook())))
    assert {"L4", "Серікбаева"} <= texts_of(request)
    bare = texts_of(nameless(request, "–"))
    assert "L4" in bare
    assert not {"Серікбаева", "?"} & bare


def test_what_others_typed_over_the_image_does_not_go_out(desk: Stage) -> None:
    reading = stack(desk)
    request = reading.picture_request("pane-0", 400, 400)
    others = {
        "saved_look": "saved by Ким Ольга",
        "saved_text": "Серікбаева 1962",
        "saved_compound_text": "free words",
        "report_words": "sent by Ким",
        "legend_text": "lesion of Серікбаева",
        "key_image": "\u2605 for Ким",
        "over_title": "of an unknown drawer",
    }
    line = Polyline(((0.0, 0.0), (5.0, 5.0)), Role.TEXT, key="report_mark")
    ours = Text(5, 5, "12", key="section_number")
    request = replace(
        request, drawers=(lambda r, s: [*(Text(9, 9, words, key=key) for key, words in others.items()), line, ours],)
    )
    assert set(others.values()) <= texts_of(request)
    bare = nameless(request, "–")
    assert not set(others.values()) & texts_of(bare)
    drawn = bare().decorations
    assert line in drawn
    assert ours in drawn


@pytest.mark.parametrize(
    ("sop_class", "modality", "said", "held"),
    [
        (CT, "CT", "", False),
        (CT, "CT", "YES", True),
        (SCREEN_SAVE, "CT", "", True),
        (SCREEN_SAVE + ".4", "MR", "", True),
        (SCREEN_SAVE, "CT", "NO", False),
        ("1.2.840.10008.5.1.4.1.1.6.1", "CT", "", True),
        (CT, "US", "", True),
        ("1.2.840.10008.5.1.4.1.1.1.1", "DX", "", False),
    ],
)
def test_a_screen_save_is_held_back_under_any_modality(sop_class: str, modality: str, said: str, held: bool) -> None:
    instance = Instance("1.2.3", sop_class, "1.2.840.10008.1.2.1", "file:/none", burned_in_annotation=said)
    assert instance_may_hold_names(instance, modality) is held


def test_a_screen_save_under_ct_is_refused(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = stack(desk)
    room = reading.room
    plain = room.instance
    assert picture(room, "pane-0", (300, 300), False).any()

    def saved(uid: str) -> Instance | None:
        found = plain(uid)
        return replace(found, sop_class_uid=SCREEN_SAVE) if found is not None else None

    monkeypatch.setattr(room, "instance", saved)
    for plane in (Plane.STACK, Plane.CORONAL):
        room.change_view(plane=plane)
        with pytest.raises(ProblemError) as refused:
            picture(room, "pane-0", (300, 300), False)
        assert refused.value.problem.code == "capture.burned_in"


# -- towards the patient


def test_a_patient_sees_nothing_of_a_second_reader(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = stack(desk)
    draw(reading, 150.0)
    plain = reading.patient_request("pane-0", 400, 400)()
    request = reading.picture_request("pane-0", 400, 400)
    layer = request.layers[0]
    assert isinstance(layer, ImageLayer)
    assert layer.frame is not None
    heat = Heatmap(
        Code("1", "99TEST", "hot"),
        np.full(layer.frame.values.shape[:2], 0.9, dtype=np.float16),
        sop_instance_uid=layer.sop_instance_uid,
    )
    mine = reading.desk.marks[0]
    theirs = replace(mine, finding_id="2.25.77", source=Source.AI, reader=AI)
    overlay = reading.desk.overlay()
    revealed = Overlay(
        (*overlay.marks, ShownMark(theirs, MarkLook("A1"))),
        (HeatmapLayer(heat, Appearance(lut="inferno", opacity=0.6, threshold=0.3)),),
        True,
    )
    monkeypatch.setattr(reading.desk, "overlay", lambda: revealed)
    doctor = reading.picture_request("pane-0", 400, 400)()
    patient = reading.patient_request("pane-0", 400, 400)()
    assert doctor.pixels is not None
    assert plain.pixels is not None
    assert patient.pixels is not None
    assert doctor.pixels.shape != plain.pixels.shape or np.any(doctor.pixels != plain.pixels), "the map is painted"
    np.testing.assert_array_equal(patient.pixels, plain.pixels)
    assert any(p.role is Role.MINE for p in patient.decorations if hasattr(p, "role"))
    assert not any(getattr(p, "role", None) is Role.AI for p in patient.decorations)
    assert any(getattr(p, "role", None) is Role.AI for p in doctor.decorations)


def test_the_bundled_font_can_write_every_sign_of_a_measurement() -> None:
    missing = bytes(_font(20, False).getmask("\ufffe"))
    for sign in ["⌀", "±", "²", "³", "×", "°", "−", "…", "→", "★", "✓"]:
        assert bytes(_font(20, False).getmask(_printable(sign))) != missing, sign

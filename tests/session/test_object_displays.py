"""Looks, value maps and fractional segments through an open reading session: pixels, remarks, probe, commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.dicom.saved_overlays import PALETTE
from app.session.layout_recovery import restore, state_of
from app.session.picture import PanePicture, PictureRequest
from app.session.reading_session import ReadingSession
from app.session.shown_state import shown
from tests.dicom.builders import image, save
from tests.dicom.saved_phantom import item, part10, presentation_state
from tests.flows import stage
from tests.flows.stage import Stage

CT = "1.2.840.10008.5.1.4.1.1.2"
SIZE = (80, 60)


def mapping(slope: float, unit: str, label: str) -> Any:
    code = item(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning=unit)
    return item(LUTLabel=label, RealWorldValueSlope=slope, RealWorldValueIntercept=0.0, MeasurementUnitsCodeSequence=[code])


def look(uid: str, uids: list[str], **changes: Any) -> bytes:
    references = [item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=u) for u in uids]
    area = item(
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[8, 6],
        PresentationSizeMode="TRUE SIZE",
        PresentationPixelSpacing=[0.5, 0.75],
    )
    ds = presentation_state(
        SOPInstanceUID=uid,
        StudyInstanceUID="2.25.1",
        SeriesInstanceUID="2.25.9",
        PatientID="KZ-1",
        PatientName="Әбдіғали^Нұрлан",
        PatientBirthDate="19700102",
        PatientSex="M",
        ReferencedSeriesSequence=[item(SeriesInstanceUID="2.25.2", ReferencedImageSequence=references)],
        DisplayedAreaSelectionSequence=[area],
        GraphicAnnotationSequence=[],
        ImageRotation=0,
        ImageHorizontalFlip="N",
        RescaleIntercept="0",
        **changes,
    )
    return part10(ds)


def write_saved(folder: Path) -> None:
    """Three slices of value 100 with two value maps; a pseudo-colour look in true size; a fractional segment."""
    folder.mkdir()
    uids = [f"2.25.70{n}" for n in range(3)]
    maps = [mapping(0.5, "mg/ml", "density"), mapping(2.0, "%", "share")]
    for n, uid in enumerate(uids):
        d = image(np.full((6, 8), 100, np.int16), SOPInstanceUID=uid, InstanceNumber=str(n), RescaleIntercept="0")
        d.ImagePositionPatient, d.RealWorldValueMappingSequence = [-3.5, 7.25, 2.5 * n], maps
        save(d, folder / f"{n}.dcm")
    palette: dict[str, Any] = {}
    for name, values in (("Red", (0, 255)), ("Green", (0, 128)), ("Blue", (255, 0))):
        palette[f"{name}PaletteColorLookupTableDescriptor"] = [2, 0, 8]
        palette[f"{name}PaletteColorLookupTableData"] = bytes(values)
    (folder / "look.dcm").write_bytes(look("2.25.801", uids, SOPClassUID="1.2.840.10008.5.1.4.1.1.11.3", **palette))
    seg = image(np.full((3, 6, 8), 64, np.uint8), RescaleSlope=None, RescaleIntercept=None, Modality="SEG")
    seg.SOPClassUID, seg.SOPInstanceUID, seg.SeriesInstanceUID = "1.2.840.10008.5.1.4.1.1.66.4", "2.25.802", "2.25.803"
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del seg[name]
    seg.SegmentationType, seg.SegmentationFractionalType, seg.MaximumFractionalValue = "FRACTIONAL", "PROBABILITY", 128
    seg.SegmentSequence = [item(SegmentNumber=1, SegmentLabel="core")]
    seg.SharedFunctionalGroupsSequence = [
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[0.5, 0.75], SliceThickness=2.5, SpacingBetweenSlices=2.5)],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
        )
    ]
    seg.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[-3.5, 7.25, 2.5 * n])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
        )
        for n in range(3)
    ]
    save(seg, folder / "seg.dcm")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Stage]:
    write_saved(tmp_path / "in")
    with stage.stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "in")
        yield made


def opened(made: Stage) -> ReadingSession:
    reading = made.ws.open_study("2.25.1")
    room = reading.room
    room.set_layout("1x1")
    card = next(c for c in reading.series_cards() if c.images == 3)
    room.put_in_pane("pane-0", card.display_set_id)

    def here() -> bool:
        asked(reading)
        return room.frame_layer(room.pane("pane-0")) is not None

    made.until(here, 20)
    return reading


def asked(reading: ReadingSession) -> PictureRequest:
    return reading.room.picture_request("pane-0", SIZE, 1.0, False)


def drawn(reading: ReadingSession) -> PanePicture:
    return asked(reading)()


def remarks(reading: ReadingSession) -> list[str]:
    return [p.code for p in asked(reading).info.remarks]


def test_a_pseudo_colour_look_in_true_size(desk: Stage) -> None:
    reading = opened(desk)
    card = next(c for c in reading.series_cards() if c.images == 3)
    desk.until(lambda: reading.series_cards()[0].looks, 20)
    assert reading.saved is not None
    reading.saved.apply_look(card.display_set_id, "2.25.801")
    picture = drawn(reading)
    assert picture.pixels is not None
    # Window 40/400: 100 lies at (60.5 / 399 + 0.5) = 0.65 of the range, the upper entry of two: (255, 128, 0).
    assert picture.pixels[30, 40, 2::-1].tolist() == [255, 128, 0]
    assert "presentation.true_size_unknown" in remarks(reading)
    reading.room.screen_mm_per_px = 0.05
    assert "presentation.true_size_unknown" not in remarks(reading)
    resolved = drawn(reading).resolved
    assert resolved is not None
    m = resolved.pane_from_px
    assert (m[0, 0], m[1, 1]) == (pytest.approx(0.75 / 0.05), pytest.approx(0.5 / 0.05))


def test_a_look_and_an_overlay_are_each_taken_back_at_once_and_stand_again_after_a_death(desk: Stage) -> None:
    reading = opened(desk)
    room = reading.room
    card = next(c for c in reading.series_cards() if c.images == 3)
    desk.until(lambda: reading.series_cards()[0].looks, 20)
    assert reading.saved is not None
    room.put_in_pane(room.active, card.display_set_id)
    drawn(reading)
    before = shown(room, reading.desk)
    reading.saved.apply_look(card.display_set_id, "2.25.801")
    drawn(reading)
    with_look = shown(room, reading.desk)
    assert [look.uid for look in with_look.looks] == ["2.25.801"]
    view = room.pane(room.active).view
    reading.saved.toggle("2.25.802")
    with_both = shown(room, reading.desk)
    assert with_both.overlays == ("2.25.802",)
    state = json.loads(json.dumps(state_of("x", room, reading.desk)))
    reading.undo()
    assert shown(room, reading.desk) == with_look
    reading.undo()
    assert shown(room, reading.desk) == before
    reading.redo()
    assert [look.uid for look in shown(room, reading.desk).looks] == ["2.25.801"]
    assert restore(room, reading.desk, state)
    assert shown(room, reading.desk) == with_both
    drawn(reading)
    assert room.pane(room.active).view == view, "the reader's own zoom is not taken over by the look's"


def test_the_chosen_value_map_is_told(desk: Stage) -> None:
    reading = opened(desk)

    def told() -> list[tuple[str, str, int, int]]:
        found = [p.params for p in asked(reading).info.remarks if p.code == "viewer.value_map"]
        return [(str(p["label"]), str(p["unit"]), int(p["n"]), int(p["of"])) for p in found]

    def first() -> tuple[float, str]:
        context = reading.room.context("pane-0")
        assert context is not None
        chosen = context.layer.real_world_maps[0]
        return (chosen.of(100.0) or 0.0, chosen.unit)

    assert (told(), first()) == ([("density", "mg/ml", 1, 2)], (50.0, "mg/ml"))
    reading.command("next_value_map")
    assert (told(), first()) == ([("share", "%", 2, 2)], (200.0, "%"))
    reading.command("next_value_map")
    assert first() == (50.0, "mg/ml")


def test_another_value_map_is_a_step(desk: Stage) -> None:
    reading = opened(desk)
    desk.until(lambda: "viewer.value_map" in remarks(reading), 20)
    assert reading.room.saved is not None
    maps = reading.room.saved.value_maps
    reading.command("next_value_map")
    assert maps.choice == 1
    assert reading.undo() == "panes"
    assert maps.choice == 0


def test_fractional_segments_are_drawn_by_their_value_and_stated(desk: Stage) -> None:
    reading = opened(desk)
    assert reading.saved is not None
    plain = drawn(reading).pixels
    assert plain is not None
    reading.saved.toggle("2.25.802")
    desk.until(lambda: "overlay.probability" in remarks(reading), 20)
    shown = drawn(reading).pixels
    assert shown is not None
    base = int(plain[30, 40] if plain.ndim == 2 else plain[30, 40, 0])
    # Half of the maximum at an opacity of 0.75: 0.375 of the first colour of the palette.
    expected = [base + (c - base) * 0.375 for c in PALETTE[0]]
    assert np.abs(shown[30, 40, 2::-1].astype(float) - expected).max() <= 1.5

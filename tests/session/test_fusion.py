"""Any series over any other: chosen, coloured, windowed and faded by hand, measured with both units, undone, kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from app.domain.geometry import VolumeGeometry
from app.domain.measurement import MarkShape, Quantity
from app.domain.study import DisplaySet, DisplaySetKind, FrameRef, Series
from app.domain.volume import Volume
from app.imaging.registration import RigidTransform
from app.session.over_looks import PERCENTS, ends, first_look, looked, same_scale, short_name, told_unit, windows_for
from app.session.panes import Over, PaneState
from app.store.codec import decode, encode
from app.viewer.layers import FusionLayer, OverMode
from app.viewer.tool_api import Button, PointerEvent
from app.viewer.view_state import Appearance, Plane
from tests import phantoms
from tests.flows.stage import Stage, stage

GRID = phantoms.geometry((10, 40, 44), (3.0, 1.5, 1.5), (-33.0, -30.0, -200.0))
PET_GRID = VolumeGeometry.axial((10, 20, 22), (3.0, 3.0, 3.0), (-33.0, -30.0, -200.0), GRID.frame_of_reference_uid)
PT = "1.2.840.10008.5.1.4.1.1.128"
MR = "1.2.840.10008.5.1.4.1.1.4"
WEIGHT_KG, DOSE_BQ = 70.0, 350e6
FACTOR = WEIGHT_KG * 1000 / DOSE_BQ
"""To SUVbw: the values are corrected to the time of injection."""


def _as_pet(ds: Dataset) -> None:
    ds.Modality, ds.SOPClassUID, ds.file_meta.MediaStorageSOPClassUID = "PT", PT, PT
    ds.Units, ds.DecayCorrection, ds.CorrectedImage = "BQML", "ADMIN", ["DECY", "ATTN"]
    ds.SeriesDate = ds.AcquisitionDate = "20261117"
    ds.SeriesTime = ds.AcquisitionTime = "100000"
    ds.PatientWeight = WEIGHT_KG
    drug = Dataset()
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = DOSE_BQ, 6586.2
    drug.RadiopharmaceuticalStartDateTime, drug.RadiopharmaceuticalStartTime = "20261117090000", "090000"
    ds.RadiopharmaceuticalInformationSequence = [drug]
    ds.RescaleIntercept = "0"
    ds.pop("RescaleType", None)


def _as_mr(ds: Dataset) -> None:
    ds.Modality, ds.SOPClassUID, ds.file_meta.MediaStorageSOPClassUID = "MR", MR, MR
    for name in ("RescaleIntercept", "RescaleSlope", "RescaleType"):
        ds.pop(name, None)


def write(folder: Path, volume: Volume, name: str, number: int, change: object = None) -> None:
    for path in phantoms.write_ct(folder / name, volume, series_key=name, number=number):
        if change is not None:
            ds = pydicom.dcmread(path)
            # Stored as HU with an intercept of -1024: as plain numbers from nothing on.
            values = ds.pixel_array.astype(np.int32) + int(ds.get("RescaleIntercept", 0))
            ds.PixelRepresentation = 0
            ds.PixelData = np.clip(values, 0, 65535).astype(np.uint16).tobytes()
            change(ds)  # type: ignore[operator]
            ds.save_as(path)


def uptake() -> Volume:
    k, j, i = np.meshgrid(*(np.arange(n) for n in PET_GRID.shape), indexing="ij")
    return Volume((100 * k + 10 * j + i).astype(np.int16), PET_GRID, "HU")


@pytest.fixture
def pet_ct(tmp_path: Path) -> Iterator[Stage]:
    write(tmp_path / "dicom", Volume(np.full(GRID.shape, 40, np.int16), GRID, "HU"), "ct", 2)
    write(tmp_path / "dicom", uptake(), "pet", 5, _as_pet)
    with stage(tmp_path / "home", None) as made:
        made.bring(tmp_path / "dicom")
        yield made


def opened(s: Stage, below: str = "CT") -> object:
    reading = s.ws.open_study(s.row().study_instance_uid)
    reading.set_layout("1x1")
    room = reading.room
    chosen = next(d for d in room.content.sets() if d.modality == below)
    room.put_in_pane("pane-0", chosen.display_set_id)
    room.change_view(plane=Plane.AXIAL, point_mm=GRID.to_patient((4.0, 20.0, 22.0)))
    reading.picture_request("pane-0", 400, 360)
    s.until(lambda: not s.ws.images_busy())
    return reading


def fused(reading: object) -> FusionLayer | None:
    layers = reading.picture_request("pane-0", 400, 360).layers  # type: ignore[attr-defined]
    return next((x for x in layers if isinstance(x, FusionLayer)), None)


def test_pet_is_laid_over_ct_by_hand_and_looks_as_the_hand_says(pet_ct: Stage) -> None:
    reading = opened(pet_ct)
    desk = reading.room.fusion
    assert desk.possible()
    assert [(c.title, c.same_place, c.chosen) for c in desk.view().choices] == [("PT Se 5 · Generated pet", True, False)]
    reading.command("fuse_next")
    pet_ct.until(lambda: fused(reading) is not None)
    layer = fused(reading)
    assert layer.appearance.lut == "hot_iron"
    assert layer.appearance.window.width * FACTOR == pytest.approx(5.0), "PET comes in its preset of SUV 0 to 5"
    request = reading.picture_request("pane-0", 400, 360)
    assert "viewer.over.blend" in request.info.states
    assert "viewer.over.registered" not in request.info.states
    (said,) = [p for p in request.info.remarks if p.code == "fusion.over"]
    assert said.params == {"name": "PT Se 5", "low": 0.0, "high": 5.0, "unit": "SUVbw"}
    assert any(getattr(p, "key", "") == "over_bar" for p in reading.picture_request("pane-0", 400, 360)().decorations)
    view = desk.view()
    assert view.title == "PT Se 5"
    assert [w.name for w, _ in view.windows] == [
        "pet", "pet_wide", "pet_brain", *(f"percent_{n}" for n in PERCENTS), "auto",
    ]  # fmt: skip
    assert [w.name for w, on in view.windows if on] == ["pet"]

    desk.set_lut("viridis")
    desk.set_window("percent_50")
    desk.set_opacity(0.8)
    desk.set_opacity(0.9)
    look = fused(reading).appearance
    highest = float(uptake().voxels.max())
    assert (look.lut, look.opacity) == ("viridis", 0.9)
    assert look.window.width == pytest.approx(highest / 2)
    reading.undo()
    assert (fused(reading).appearance.opacity, fused(reading).appearance.lut) == (0.6, "viridis"), "one step of the slider"
    reading.undo()
    assert fused(reading).appearance.window.width * FACTOR == pytest.approx(5.0)
    reading.redo()
    reading.redo()
    assert fused(reading).appearance.opacity == 0.9

    kept = decode(PaneState, encode(reading.room.pane("pane-0"), compact=True))
    desk.off()
    assert fused(reading) is None
    reading.room.put_back("1x1", 0, "pane-0", [kept])
    again = fused(reading).appearance
    assert (again.lut, again.opacity, again.window.width) == ("viridis", 0.9, pytest.approx(highest / 2))
    reading.command("fuse_off")
    assert fused(reading) is None
    with pytest.raises(ValueError, match="no colour table"):
        desk.set_lut("no such table")


def test_shift_drags_the_window_of_the_upper_images_alone(pet_ct: Stage) -> None:
    reading = opened(pet_ct)
    reading.command("fuse_next")
    pet_ct.until(lambda: fused(reading) is not None)
    before, width = reading.room.pane("pane-0").appearance, fused(reading).appearance.window.width
    reading.set_tool("window")
    for kind, x in (("press", 100), ("drag", 150), ("drag", 200), ("release", 200)):
        reading.pointer("pane-0", kind, PointerEvent(x, 100, Button.LEFT, shift=True))
    assert fused(reading).appearance.window.width == pytest.approx(width * 1.5, rel=1e-3)
    assert reading.room.pane("pane-0").appearance == before
    reading.undo()
    assert fused(reading).appearance.window.width == pytest.approx(width)
    reading.command("fuse_colours")
    assert fused(reading).appearance.lut == "inferno"
    reading.command("fuse_window")
    assert fused(reading).appearance.window.width * FACTOR == pytest.approx(10.0)
    reading.command("fuse_less")
    assert fused(reading).appearance.opacity == pytest.approx(0.5)


def test_probe_and_region_tell_both_values_with_their_units(pet_ct: Stage) -> None:
    reading = opened(pet_ct)
    reading.command("fuse_next")
    pet_ct.until(lambda: fused(reading) is not None)
    context = reading.room.context("pane-0")
    point = PET_GRID.to_patient((4.0, 8.0, 11.0))
    x, y, _ = context.resolved.patient_to_pane(point)
    reading.set_tool("probe")
    reading.pointer("pane-0", "hover", PointerEvent(x, y))
    told = [(m.of, m.unit, m.value) for m in reading.room._probe[2]]
    stored = float(uptake().voxels[4, 8, 11])
    assert told == [("", "[hnsf'U]", 40.0), ("PT", "{SUVbw}g/ml", pytest.approx(stored * FACTOR))]
    reading.set_tool("ellipse")
    for kind, at in (("press", (x - 60, y - 50)), ("drag", (x + 60, y + 50)), ("release", (x + 60, y + 50))):
        reading.pointer("pane-0", kind, PointerEvent(*at))
    (mark,) = reading.desk.marks
    assert mark.shape is MarkShape.ELLIPSE
    means = {(m.quantity, m.unit): m.value for m in mark.measurements}
    assert means[(Quantity.MEAN, "[hnsf'U]")] == 40.0
    assert means[(Quantity.OVERLAY_MEAN, "{SUVbw}g/ml")] == pytest.approx(stored * FACTOR, rel=0.02)
    pet_ct.until(lambda: not pet_ct.ws.images_busy())
    assert reading.desk.doubts == {}, "the second computation agrees"


def test_ct_over_pet_speaks_in_its_own_window_and_unit(pet_ct: Stage) -> None:
    reading = opened(pet_ct, "PT")
    reading.command("fuse_next")
    pet_ct.until(lambda: fused(reading) is not None)
    names = [w.name for w, _ in reading.room.fusion.view().windows]
    assert names[:2] == ["lung", "mediastinum"]
    assert not any(n.startswith("percent") for n in names)
    reading.room.fusion.set_window("bone")
    assert fused(reading).appearance.window.width == 2500


def test_a_pane_with_nothing_to_lay_over_says_so(tmp_path: Path) -> None:
    phantoms.write_ct(tmp_path / "dicom")
    with stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = s.ws.open_study(s.row().study_instance_uid)
        assert not reading.room.fusion.possible()
        reading.command("fuse_next")
        assert s.notices[-1] == "fusion.nothing_to_lay"


@pytest.mark.parametrize("poor", [False, True])
def test_mr_over_mr_of_another_place_says_how_well_it_was_placed(tmp_path: Path, poor: bool) -> None:
    volume = Volume(uptake().voxels, replace(PET_GRID, frame_of_reference_uid="1.2.826.0.1.3680043.10.77"), "HU")
    write(tmp_path / "dicom", Volume(np.full(GRID.shape, 40, np.int16), GRID, "HU"), "t1", 2, _as_mr)
    write(tmp_path / "dicom", volume, "t2", 3, _as_mr)
    with stage(tmp_path / "home", None) as s:
        s.bring(tmp_path / "dicom")
        reading = opened(s, "MR")
        room = reading.room
        (choice,) = room.fusion.view().choices
        assert not choice.same_place
        mine = room.pane("pane-0").display_set_id
        found = RigidTransform(np.eye(3), np.zeros(3), 0.9, settled=not poor)
        room.second.registrations._pairs[(mine, choice.display_set_id)] = found
        room.fusion.lay(choice.display_set_id)
        s.until(lambda: fused(reading) is not None)
        layer = fused(reading)
        assert layer.registered
        assert layer.appearance.window.explanation == "auto", "no SUV where there is none"
        states = reading.picture_request("pane-0", 400, 360).info.states
        assert ("viewer.registered_poorly" in states, "viewer.over.registered" in states) == (poor, not poor)
        context = room.context("pane-0")
        assert context.over.of == "Se 3" if choice.title.startswith("MR Se 3") else "Se 2"
        room._panes["pane-0"] = replace(
            room.pane("pane-0"), over=Over(choice.display_set_id, OverMode.DIFFERENCE, Appearance())
        )
        states = reading.picture_request("pane-0", 400, 360).info.states
        assert ("viewer.registered_poorly" in states, "viewer.over.registered" in states) == (poor, not poor)


def test_different_modalities_are_registered_by_information(pet_ct: Stage) -> None:
    reading = opened(pet_ct)
    ids = {d.modality: d.display_set_id for d in reading.room.content.sets()}
    same = reading.room.second.registrations.same_scale
    assert not same(ids["CT"], ids["PT"])
    assert same(ids["CT"], ids["CT"])
    mr = replace(reading.room.content.set_by_id(ids["CT"]), modality="MR")
    assert not same_scale(mr, mr), "two weightings may be each other's opposite"


def test_the_word_before_a_value_tells_which_images_it_is_of() -> None:
    ct = DisplaySet("a", "1.2.1", "1.1", "CT", DisplaySetKind.STACK, (FrameRef("1.3"),))
    series = Series("1.2.2", "CT", (), 4)
    assert short_name(replace(ct, modality="PT"), ct, series, "20250102") == "PT"
    assert short_name(replace(ct, series_instance_uid="1.2.2"), ct, series, "20250102") == "Se 4"
    assert short_name(replace(ct, study_instance_uid="1.0"), ct, series, "20250102") == "02.01.2025"
    assert short_name(replace(ct, study_instance_uid="1.0"), ct, series, "") == "Se 4"
    assert short_name(ct, ct, None, "") == "CT"


def test_each_modality_comes_in_its_own_look() -> None:
    ct = DisplaySet("a", "1.2.1", "1.1", "CT", DisplaySetKind.STACK, (FrameRef("1.3"),))

    class Content:
        """Nothing is known of any SUV."""

        @staticmethod
        def in_stored_values(look: Appearance, chosen: DisplaySet) -> Appearance:
            return replace(look, window=None) if chosen.modality == "PT" else look

    def of(modality: str) -> Appearance:
        chosen = replace(ct, modality=modality)
        return looked(Content(), Over("a", appearance=first_look(chosen)), chosen, lambda: 60.0)  # type: ignore[arg-type]

    assert (of("PT").lut, of("PT").window) == ("hot_iron", None), "without SUV by its own values"
    assert (of("NM").lut, of("NM").window) == ("hot_iron", None)
    assert (of("MR").lut, of("MR").window) == ("viridis", None)
    dose = of("RTDOSE")
    assert (dose.lut, dose.opacity, dose.window.width) == ("inferno", 0.5, 60.0)
    settled = replace(dose, lut="viridis")
    assert looked(Content(), Over("a", appearance=settled), replace(ct, modality="RTDOSE"), lambda: 60.0) == settled  # type: ignore[arg-type]
    hung = Over("a", appearance=first_look(replace(ct, modality="PT")))
    assert looked(Content(), hung, replace(ct, modality="MR"), lambda: 1.0).window is None, "no SUV for MR"  # type: ignore[arg-type]
    assert [w.name for w in windows_for("", None, 200.0)] == [*(f"percent_{n}" for n in PERCENTS), "auto"]
    assert [w.name for w in windows_for("", None, 0.0)] == ["auto"]
    half = next(w for w in windows_for("", None, 200.0) if w.name == "percent_50")
    assert (half.window.center, half.window.width) == (50.0, 100.0)
    assert (told_unit("BQML", ""), told_unit("GY", ""), told_unit("US", "")) == (("Bq/ml", 1.0), ("Gy", 1.0), ("", 1.0))
    assert (ends(0.2, 80.4), ends(0.0, 5.0), ends(0.0, 1.234)) == ((0, 80), (0.0, 5.0), (0.0, 1.23))

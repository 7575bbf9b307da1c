"""A dose grid over its planning CT: hung together, in colour, up to a stated dose; SUV presets on stored activity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.domain.measurement import Quantity
from app.viewer.layers import FusionLayer
from app.viewer.presets import preset
from tests.dicom.builders import ORIGIN, image, save, series
from tests.flows.conftest import OpenDesk
from tests.flows.test_cine import opened, texts
from tests.flows.test_suv import FACTOR, write_pet

RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"


def write_plan(folder: Path) -> None:
    """CT of 8 slices 3 mm apart; a dose of 5 frames 4 mm apart, 10 Gy a frame, in the same frame of reference."""
    series(folder / "ct", [3.0 * n for n in range(8)])
    values = np.stack([np.full((6, 8), 1000 * (n + 1), np.uint16) for n in range(5)])
    d = image(values, RescaleSlope=None, RescaleIntercept=None, Modality="RTDOSE")
    d.SOPClassUID, d.SOPInstanceUID, d.SeriesInstanceUID = RT_DOSE, "2.25.801", "2.25.802"
    d.DoseUnits, d.DoseType, d.DoseGridScaling = "GY", "PHYSICAL", "0.01"
    d.GridFrameOffsetVector = [4.0 * n for n in range(5)]
    d.FrameIncrementPointer = 0x3004000C
    save(d, folder / "dose.dcm")


def test_dose_lies_over_the_ct_with_its_scale(open_desk: OpenDesk, tmp_path: Path) -> None:
    write_plan(tmp_path / "dicom")
    demo, reading = opened(open_desk, tmp_path)
    assert reading.room.hanging.protocol == "rt_dose"
    demo.until(lambda: "Dose in colour: 0 to 50.0 Gy" in texts(demo, "pane-0").values(), 15, "the dose")
    room = reading.room
    pane = room.pane("pane-0")
    base = room.image_layer(pane)
    assert base is not None
    over = room.second.layer(pane, base)
    assert isinstance(over, FusionLayer)
    window = over.appearance.window
    assert window is not None
    assert (window.center, window.width) == (pytest.approx(25.0), pytest.approx(50.0))
    geometry = over.geometry
    assert geometry.to_patient((0, 0, 0)) == pytest.approx(ORIGIN)
    assert geometry.to_patient((4, 0, 0)) == pytest.approx((ORIGIN[0], ORIGIN[1], ORIGIN[2] + 16.0))
    assert over.volume.voxels[3, 2, 2] == pytest.approx(40.0)
    assert not over.registered
    lines = [(line.percent, line.dose) for line in over.isodoses]
    assert lines[:2] == [(95, pytest.approx(47.5)), (90, pytest.approx(45.0))]
    room.picture_request("pane-0", (500, 500), 1.0, False)
    context = room.context("pane-0")
    assert context is not None
    # Between the frames of 20 and 30 Gy, which lie 4 and 8 mm above the first.
    (told,) = context.beside((ORIGIN[0] + 1.0, ORIGIN[1] + 1.0, ORIGIN[2] + 6.0), (0.0, 0.0))
    assert (told.quantity, told.value, told.unit) == (Quantity.DOSE, pytest.approx(25.0), "Gy")
    assert context.beside((ORIGIN[0], ORIGIN[1], ORIGIN[2] + 40.0), (0.0, 0.0)) == ()
    picture = demo.window.screen_widget("reading").panes.panes["pane-0"].picture
    assert picture.pixels.ndim == 3, "in colour"


def test_a_hung_suv_preset_is_turned_into_stored_activity(open_desk: OpenDesk, tmp_path: Path) -> None:
    write_pet(tmp_path / "dicom")
    demo, reading = opened(open_desk, tmp_path)
    room = reading.room
    pet = preset("pet")
    assert pet is not None
    room.set_window(pet.window)
    demo.pump(0.2)
    layer = room.image_layer(room.pane("pane-0"))
    assert layer is not None
    assert layer.appearance.window is not None
    assert layer.appearance.window.width == pytest.approx(5 / FACTOR)
    assert texts(demo, "pane-0")["window"].startswith("W 5.00 L 2.50 · SUVbw · PET SUV 0–5")

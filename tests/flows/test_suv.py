"""SUV on the screen: beside the stored activity in probe and region, in the window, and its reason where it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.measurement import Quantity
from app.viewer.tool_api import PointerEvent
from tests.dicom.builders import save
from tests.dicom.test_suv import header
from tests.flows.conftest import OpenDesk
from tests.flows.test_cine import opened, texts


def write_pet(folder: Path, **changes: object) -> None:
    for n in range(4):
        save(header(n, half=3600, **changes), folder / f"{n}.dcm")


FACTOR = 70 * 1000 / 185e6


def test_probe_region_and_window_tell_suv(open_desk: OpenDesk, tmp_path: Path) -> None:
    write_pet(tmp_path / "dicom")
    demo, reading = opened(open_desk, tmp_path)
    demo.pump(0.2)
    context = reading.room.context("pane-0")
    assert context is not None
    slice_value = 2 * (1000 + reading.room.pane("pane-0").view.frame_index)
    x, y = context.resolved.px_to_pane(2.5, 1.5)
    reading.set_tool("probe")
    reading.pointer("pane-0", "hover", PointerEvent(x, y))
    probe = reading.room._probe
    assert probe is not None
    assert [(m.unit, pytest.approx(m.value)) for m in probe[2]] == [
        ("Bq/ml", slice_value),
        ("{SUVbw}g/ml", slice_value * FACTOR),
    ]
    reading.set_tool("rectangle")
    x1, y1 = context.resolved.px_to_pane(4.2, 3.2)
    for kind, at in (("press", (x, y)), ("drag", (x1, y1)), ("release", (x1, y1))):
        reading.pointer("pane-0", kind, PointerEvent(*at))
    (mark,) = reading.desk.marks
    means = {m.unit: m.value for m in mark.measurements if m.quantity is Quantity.MEAN}
    assert means == {"Bq/ml": pytest.approx(slice_value), "{SUVbw}g/ml": pytest.approx(slice_value * FACTOR)}
    assert [name for name, _, _ in reading.window_presets()] == ["pet", "pet_wide", "pet_brain"]
    reading.command("window_preset", name="pet")
    window = reading.room.pane("pane-0").appearance.window
    assert window is not None
    assert window.width == pytest.approx(5 / FACTOR)
    demo.pump(0.3)
    shown = texts(demo, "pane-0")
    assert shown["window"].startswith("W 5.00 L 2.50 · SUVbw")
    assert any("0.76\u202fSUVbw" in t for t in shown.values()), shown


def test_a_refusal_stands_in_the_pane(open_desk: OpenDesk, tmp_path: Path) -> None:
    write_pet(tmp_path / "dicom", weight=None)
    demo, reading = opened(open_desk, tmp_path)
    demo.pump(0.2)
    assert "No SUV: the weight of the patient is missing." in texts(demo, "pane-0").values()
    assert reading.window_presets() == ()

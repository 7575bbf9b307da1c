"""An angiogram in the pane: its shutter covers, its mask is taken away, and both are left out of or named with values."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.measurement import Quantity
from app.viewer.tool_api import PointerEvent
from tests.dicom.builders import save
from tests.dicom.test_angiography import run, step
from tests.flows.conftest import OpenDesk
from tests.flows.test_cine import opened, press, texts


def test_subtraction_and_shutter_on_the_screen(open_desk: OpenDesk, tmp_path: Path) -> None:
    item = step("AVG_SUB", MaskFrameNumbers=[1], ApplicableFrameRange=[1, 5])
    shutter = {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": 3,
        "ShutterRightVerticalEdge": 8,
        "ShutterUpperHorizontalEdge": 2,
        "ShutterLowerHorizontalEdge": 7,
    }
    d = run(MaskSubtractionSequence=[item], RecommendedViewingMode="SUB", WindowCenter="900", WindowWidth="400", **shutter)
    save(d, tmp_path / "dicom" / "xa.dcm")
    demo, reading = opened(open_desk, tmp_path)
    room = reading.room
    press(demo, "last_image")
    demo.until(lambda: not demo.workstation.images_busy() and room.context("pane-0") is not None, 10, "frames")
    demo.pump(0.3)
    layer = room.image_layer(room.pane("pane-0"))
    assert layer is not None
    assert layer.processed
    assert layer.frame is not None
    assert layer.frame.values[3, 4] == -400.0
    assert layer.frame.values[3, 6] == 0.0
    demo.until(lambda: "Mask subtracted" in texts(demo, "pane-0").values(), 10, "the difference")
    assert texts(demo, "pane-0")["window"] == "W 200 L 0", "half as wide as the object's own, around zero"
    picture = demo.window.screen_widget("reading").panes.panes["pane-0"].picture
    x, y = picture.resolved.px_to_pane(0.5, 0.5)
    assert picture.pixels[round(y), round(x)][..., :3].max() == 0, "covered by the shutter"
    context = room.context("pane-0")
    assert context is not None
    reading.set_tool("rectangle")
    a, b = context.resolved.px_to_pane(0.0, 0.0), context.resolved.px_to_pane(10.0, 8.0)
    for kind, at in (("press", a), ("drag", b), ("release", b)):
        reading.pointer("pane-0", kind, PointerEvent(*at))
    (mark,) = reading.desk.marks
    values = {m.quantity: m.value for m in mark.measurements}
    assert values[Quantity.COUNT] == 6 * 6, "only what the shutter leaves is measured"
    assert values[Quantity.MEAN] == pytest.approx(-400 / 6)
    demo.until(lambda: not demo.workstation.images_busy(), 10, "the second path")
    demo.pump(0.2)
    assert not any("differ" in t for t in texts(demo, "pane-0").values())
    press(demo, "subtract")
    demo.pump(0.3)
    layer = room.image_layer(room.pane("pane-0"))
    assert layer is not None
    assert layer.frame is not None
    assert layer.frame.values[3, 4] == 600
    demo.until(lambda: "Mask subtracted" not in texts(demo, "pane-0").values(), 10, "the frame as it was taken")
    press(demo, "undo")
    demo.until(lambda: "Mask subtracted" in texts(demo, "pane-0").values(), 10, "the difference again")
    press(demo, "redo")
    demo.until(lambda: "Mask subtracted" not in texts(demo, "pane-0").values(), 10, "and taken back")

"""What stands beside a drawing in a second unit is checked by a path of its own; the probe is checked too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.domain.measurement import Annotation, MarkShape, Measurement, Quantity
from app.domain.pixels import FramePixels, RealWorldMapping
from app.session.recheck_desk import Rechecks, differing
from app.viewer.edits import ShowProbe
from app.viewer.layers import ImageLayer
from app.viewer.placement import annotation_of
from app.viewer.recheck import unknown
from app.viewer.recheck_beside import beside_again
from app.viewer.suv import parted
from app.viewer.tool_api import ToolContext
from app.viewer.view_state import Appearance, ImageGeometry, ViewState, resolve
from tests.viewer.test_tools import NAMED, SIZE, at_px

SHAPES = {
    MarkShape.RECTANGLE: ((10.3, 8.2), (33.9, 30.5)),
    MarkShape.ELLIPSE: ((10.3, 8.2), (33.9, 30.5)),
    MarkShape.POLYGON: ((5.0, 5.0), (30.0, 8.0), (25.5, 35.5), (12.25, 20.5)),
    MarkShape.POINT: ((17.3, 22.8),),
}
MAPS = {
    "slope": RealWorldMapping(1e-6, 0.0, "mm2/s"),
    "falling": RealWorldMapping(-0.5, 12.0, "Cel"),
    "range": RealWorldMapping(2.0, -7.0, "ms", first=300.0, last=1500.0),
    "table": RealWorldMapping(1.0, 0.0, "ml/min", table=tuple(float((7 * n) % 501) for n in range(2000))),
}
VALUES = np.arange(50 * 60, dtype=np.int16).reshape(50, 60)


def made(chosen: RealWorldMapping | None = None, suv: float | None = None) -> ToolContext:
    frame = FramePixels(VALUES, "", real_world=() if chosen is None else (chosen,))
    geometry = ImageGeometry(60, 50, 0.8, 0.5, True)
    layer = ImageLayer(Appearance(), frame, geometry, sop_instance_uid="1.9", suv=suv)
    return ToolContext(resolve(ViewState(), SIZE, geometry), layer, new_id=lambda: "2.25.1")


def differs(drawn: Annotation, c: ToolContext) -> list[Quantity]:
    found = differing(drawn, c.layer, c.resolved.geometry, VALUES, None, drawn.placement.points_px)
    return [m.quantity for m in found]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MAPS)
def test_real_world_values_are_checked_and_right_ones_are_not_red(name: str, shape: MarkShape) -> None:
    c = made(MAPS[name])
    drawn = annotation_of("2.25.1", shape, SHAPES[shape], c)
    stored, beside = parted(drawn.measurements)
    assert {m.unit for m in beside} == {MAPS[name].unit}
    other = beside_again(
        shape, {}, {m.unit for m in stored}, VALUES, None, drawn.placement.points_px, None, c.layer.real_world_maps
    )
    assert unknown(beside, other) == (), "every quantity is known to both"
    assert differs(drawn, c) == []
    for n in range(len(stored), len(drawn.measurements)):
        m = drawn.measurements[n]
        off = 1e-4 * max(abs(b.value) for b in beside)
        wrong = (*drawn.measurements[:n], replace(m, value=m.value + off), *drawn.measurements[n + 1 :])
        assert differs(replace(drawn, measurements=wrong), c) == [m.quantity]


@pytest.mark.parametrize("shape", SHAPES)
def test_suv_is_checked(shape: MarkShape) -> None:
    c = made(MAPS["slope"], suv=0.00042)
    drawn = annotation_of("2.25.1", shape, SHAPES[shape], c)
    assert differs(drawn, c) == []
    wrong = replace(drawn, measurements=(*drawn.measurements[:-1], replace(drawn.measurements[-1], value=99.0)))
    assert differs(wrong, c) == [drawn.measurements[-1].quantity]


class _Images:
    """Runs beside work when it is told to."""

    def __init__(self) -> None:
        self.waiting: list = []
        self.decoded = 0

    def now(self, ref: object) -> FramePixels:
        self.decoded += 1
        return FramePixels(VALUES, "")

    def beside(self, work, came) -> None:  # type: ignore[no-untyped-def]
        self.waiting.append((work, came))

    def run(self) -> int:
        done = 0
        while self.waiting:
            work, came = self.waiting.pop(0)
            came(work())
            done += 1
        return done


def probed(c: ToolContext, x: float, y: float) -> ShowProbe:
    (shown,) = (e for e in NAMED["probe"].make().hover(at_px(c, x, y), c) if isinstance(e, ShowProbe))
    return shown


def test_the_value_under_the_pointer_is_looked_up_a_second_time() -> None:
    images, told = _Images(), []
    checks = Rechecks(images, lambda *_: None)  # type: ignore[arg-type]
    c = made(MAPS["falling"])
    for x in (12.0, 13.0, 14.0, 15.5):
        checks.probe(probed(c, x, 20.0), c, told.append)
    assert images.run() == 2, "the newest waits for the one under way; those between are passed over"
    assert images.decoded == 1, "a frame is decoded anew once, for as long as the pointer stays on it"
    assert told == [False, False]
    shown = probed(c, 20.0, 20.0)
    wrong = replace(shown, measurements=(Measurement(Quantity.VALUE, shown.measurements[0].value + 1, "1"),))
    checks.probe(wrong, c, told.append)
    images.run()
    assert told[-1]
    checks.probe(None, None, told.append)
    assert not told[-1]

"""Isodose lines and the dose under the probe, on a grid that shares no line with the CT."""

from __future__ import annotations

import numpy as np
import pytest

from app.domain.geometry import Point2, Point3, VolumeGeometry
from app.domain.measurement import Measurement, Quantity
from app.domain.pixels import FramePixels, VoiFunction, VoiWindow
from app.domain.volume import Volume
from app.viewer.compositor import render
from app.viewer.decorations import Style
from app.viewer.dose_levels import LEVELS, isodoses
from app.viewer.edits import ShowProbe
from app.viewer.fusion import over_values
from app.viewer.grid_value import grid_value
from app.viewer.isodose import dose_unit, isodose_legend
from app.viewer.layers import FusionLayer, ImageLayer
from app.viewer.primitives import Polyline, Text
from app.viewer.tool_api import PointerEvent, ToolContext
from app.viewer.tools.probe import ProbeTool
from app.viewer.view_state import Appearance, ImageGeometry, ViewState, resolve
from app.viewer.words import value_text

CT = VolumeGeometry.axial((1, 40, 60), (3.0, 1.0, 1.0), (-30.0, -200.0, 512.0), "2.25.9")
# The dose grid is turned by 30 degrees about z and has its own steps: no cell lies on a pixel.
C, S = np.cos(np.pi / 6), np.sin(np.pi / 6)
DOSE = VolumeGeometry(
    (-25.0, -205.0, 505.5), (0.0, 0.0, 4.0), (-2.5 * S, 2.5 * C, 0.0), (2.5 * C, 2.5 * S, 0.0), (5, 30, 30), "2.25.9"
)


def field(point: np.ndarray) -> np.ndarray:
    """Gy: rises along x by 0.5 a millimetre, along z by 0.25; a linear field is interpolated exactly."""
    return 40.0 + 0.5 * point[..., 0] + 0.25 * (point[..., 2] - 512.0)


def grid() -> Volume:
    index = np.stack(np.meshgrid(*(np.arange(n) for n in DOSE.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    values = field(DOSE.to_patient_many(index.astype(float))).reshape(DOSE.shape)
    return Volume(values.astype(np.float32), DOSE, "GY")


def test_the_dose_at_a_point_is_that_of_the_field() -> None:
    volume = grid()
    for point in ((-20.0, -180.0, 512.0), (1.3, -170.7, 515.1), (0.0, -165.0, 507.9)):
        assert grid_value(volume.voxels, DOSE, point) == pytest.approx(float(field(np.asarray(point))), abs=1e-4)
    assert grid_value(volume.voxels, DOSE, (-20.0, -180.0, 530.0)) is None
    assert grid_value(volume.voxels, DOSE, (200.0, -180.0, 512.0)) is None
    assert dose_unit("GY") == ("Gy", 1.0)
    assert dose_unit("RELATIVE") == ("%", 100.0)


def test_lines_run_where_the_field_has_their_level() -> None:
    volume = grid()
    top = float(volume.voxels.max())
    frame = FramePixels(np.zeros((40, 60), np.int16))
    base = ImageLayer(frame=frame, geometry=ImageGeometry.of_plane(CT.plane(0)))
    look = Appearance(VoiWindow(top / 2, top, VoiFunction.LINEAR_EXACT), "inferno", 0.0)
    over = FusionLayer(volume, DOSE, look, isodoses=isodoses(top))
    size = (600, 400)
    picture = render(ViewState("x"), (base, over), size)
    values, there = over_values(over, picture.resolved)
    assert there.any()
    assert not there.all()
    seen = 0
    for percent, rgb in LEVELS:
        y, x = np.nonzero((picture.pixels[..., 2::-1] == rgb).all(axis=-1))
        if not len(x):
            continue
        seen += 1
        points = np.array([picture.resolved.pane_to_patient(a + 0.5, b + 0.5) for a, b in zip(x, y, strict=True)])
        # A line is two pixels wide, a tenth of a millimetre each: the field there is within 0.15 Gy above its level.
        doses = field(points)
        assert doses.min() >= top * percent / 100 - 0.02, percent
        assert doses.max() <= top * percent / 100 + 0.15, percent
    assert seen == 3  # 80, 70 and 50 per cent cross this slice
    # No line where the grid itself ends.
    rim = there & ~np.roll(there, 3, axis=0)
    coloured = np.any([(picture.pixels[..., 2::-1] == rgb).all(axis=-1) for _, rgb in LEVELS], axis=0)
    assert rim.sum() > 500
    assert not coloured[rim].any()


def test_the_legend_tells_percent_and_dose() -> None:
    resolved = resolve(ViewState("x"), (800, 700), ImageGeometry.of_plane(CT.plane(0)))
    texts = {"number.decimal": ",", "unit.Gy": "Гр", "viewer.isodose": "Изодозы"}
    found = isodose_legend(isodoses(60.0), "GY", resolved, texts, Style())
    words = [p.text for p in found if isinstance(p, Text)]
    assert words[:3] == ["Изодозы", "95\u202f%  57,0\u202fГр", "90\u202f%  54,0\u202fГр"]
    assert [p.rgb for p in found if isinstance(p, Polyline)] == [rgb for _, rgb in LEVELS]
    relative = isodose_legend(isodoses(1.0), "RELATIVE", resolved, texts, Style())
    assert [p.text for p in relative if isinstance(p, Text)][1] == "95\u202f%"
    middle = resolve(ViewState("x"), (500, 400), ImageGeometry.of_plane(CT.plane(0)))
    columns = {
        p.points[0][0] for p in isodose_legend(isodoses(60.0), "GY", middle, texts, Style()) if isinstance(p, Polyline)
    }
    assert len(columns) == 2, "every line has its entry in a pane of a quarter too"
    small = resolve(ViewState("x"), (200, 160), ImageGeometry.of_plane(CT.plane(0)))
    assert isodose_legend(isodoses(60.0), "GY", small, texts, Style()) == []
    assert isodoses(0.0) == ()


def test_the_probe_tells_the_dose_beside_the_value() -> None:
    geometry = ImageGeometry.of_plane(CT.plane(0))
    volume = grid()

    def beside(point: Point3 | None, px: Point2) -> tuple[Measurement, ...]:
        found = grid_value(volume.voxels, DOSE, point) if point is not None else None
        return () if found is None else (Measurement(Quantity.DOSE, found, "Gy"),)

    layer = ImageLayer(frame=FramePixels(np.full((40, 60), 55, np.int16), "HU"), geometry=geometry)
    context = ToolContext(resolve(ViewState("x"), (600, 400), geometry), layer, beside=beside)
    (shown,) = ProbeTool().hover(PointerEvent(205.0, 205.0), context)
    assert isinstance(shown, ShowProbe)
    # Pane 205 is column 20, row 20: x = -10, y = -180.
    assert [(m.quantity, m.value) for m in shown.measurements] == [
        (Quantity.VALUE, 55.0), (Quantity.DOSE, pytest.approx(35.0, abs=1e-3)),
    ]  # fmt: skip
    assert value_text({}, shown.measurements[1]) == "35.00\u202fGy"
    (outside,) = ProbeTool().hover(PointerEvent(595.0, 5.0), context)
    assert isinstance(outside, ShowProbe)
    assert [m.quantity for m in outside.measurements] == [Quantity.VALUE]


def test_small_values_keep_three_figures() -> None:
    def told(value: float, quantity: Quantity = Quantity.VALUE) -> str:
        return value_text({}, Measurement(quantity, value, "mm2/s"))

    assert told(0.00123) == "0.00123\u202fmm2/s"
    assert told(-0.0456) == "\u22120.0456\u202fmm2/s"
    assert told(0.0) == "0.0\u202fmm2/s"
    assert value_text({}, Measurement(Quantity.MEAN, 0.03, "[hnsf'U]")) == "0.0\u202fHU"
    assert told(12.345) == "12.3\u202fmm2/s"

"""Saved looks beyond grey levels: palettes, compound graphics, sizes, and states that are refused by name."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from app.dicom.presentation_state import read_presentation_state
from app.domain.pixels import FramePixels, ModalityTransform, VoiWindow
from app.domain.presentation import PresentationState
from app.domain.problem import ProblemError
from app.viewer.compositor import render
from app.viewer.decorations import Style
from app.viewer.layers import ImageLayer
from app.viewer.presentation import annotation_primitives, grey_palette, presented_frame, presented_view, size_remark
from app.viewer.primitives import Polyline, Text
from app.viewer.view_state import ImageGeometry, ViewState, resolve
from tests.dicom.saved_phantom import IMAGE, item, part10, presentation_state

PSEUDO = "1.2.840.10008.5.1.4.1.1.11.3"
SIZE = (240, 200)
GEOMETRY = ImageGeometry(24, 20, 1.0, 1.0)


def read(**changes: Any) -> PresentationState:
    plain: dict[str, Any] = {
        "ImageRotation": 0,
        "ImageHorizontalFlip": "N",
        "DisplayedAreaSelectionSequence": [area("SCALE TO FIT")],
    }
    return read_presentation_state(part10(presentation_state(**{**plain, **changes})))


def area(mode: str, **more: Any) -> Dataset:
    return item(
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[24, 20],
        PresentationSizeMode=mode,
        **more,
    )


def pseudo(red: list[int], green: list[int], blue: list[int], bits: int = 8) -> PresentationState:
    ds = presentation_state(SOPClassUID=PSEUDO, ImageRotation=0, ImageHorizontalFlip="N")
    del ds.PresentationLUTShape
    ds.DisplayedAreaSelectionSequence = [area("SCALE TO FIT")]
    for name, values in (("Red", red), ("Green", green), ("Blue", blue)):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [len(values), 0, bits])
        form = f"<{len(values)}{'H' if bits == 16 else 'B'}"
        setattr(ds, f"{name}PaletteColorLookupTableData", struct.pack(form, *values))
    return read_presentation_state(part10(ds))


# -- pseudo-colour ---------------------------------------------------------------------------------------------------


def test_a_palette_colours_the_windowed_grey() -> None:
    levels = list(range(256))
    state = pseudo(levels, [255 - n for n in levels], [n // 2 for n in levels])
    assert state.remarks == ()
    # Window 40/400 LINEAR on HU: -160 is level 0, 239 is level 255 and 40 is (0.5/399 + 0.5) * 255 = 127.8, level 128.
    values = np.array([[-160, 40, 239], [-2000, 3000, 40]], dtype=np.int16)
    # MONOCHROME1 does not count: the palette takes the place of the presentation step.
    frame = FramePixels(values, "HU", (VoiWindow(0, 10),), inverse=True)
    shown = presented_frame(frame, ModalityTransform(1.0, -1024.0, "HU"), state, IMAGE, 0)
    assert shown.values is frame.values
    assert shown.windows == (VoiWindow(40.0, 400.0),)
    layer = ImageLayer(frame=shown, geometry=ImageGeometry(3, 2, 1.0, 1.0), palette=grey_palette(state))
    bgrx = render(ViewState("x"), (layer,), (3, 2)).pixels
    low, middle, high = [0, 255, 0, 255], [64, 127, 128, 255], [127, 0, 255, 255]
    assert bgrx.tolist() == [[low, middle, high], [low, high, middle]]


def test_a_palette_of_16_bits_spans_the_grey_levels() -> None:
    table = grey_palette(pseudo([0, 0x8000, 0xFF00], [0xFFFF, 0, 0], [0, 0, 0xFFFF], 16))
    assert table is not None
    # Three entries over 256 levels: level n lies nearest to entry n * 2 / 255.
    assert table[0].tolist() == [0, 255, 0]
    assert table[63].tolist() == [0, 255, 0]
    assert table[64].tolist() == [128, 0, 0]
    assert table[191].tolist() == [128, 0, 0]
    assert table[192].tolist() == [255, 0, 255]
    assert table[255].tolist() == [255, 0, 255]


def test_a_broken_palette_is_told_and_the_grey_is_shown() -> None:
    ds = presentation_state(SOPClassUID=PSEUDO)
    state = read_presentation_state(part10(ds))
    assert state.palette is None
    assert grey_palette(state) is None
    assert [p.code for p in state.remarks] == ["presentation.palette_broken"]
    assert state.inverse is False


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("4", "presentation.blending_not_drawn"),
        ("8", "presentation.blending_not_drawn"),
        ("6", "presentation.volumetric_not_drawn"),
        ("11", "presentation.volumetric_not_drawn"),
        ("12", "presentation.variable_lut_not_drawn"),
    ],
)
def test_states_that_say_more_are_refused_by_name(kind: str, code: str) -> None:
    with pytest.raises(ProblemError, match=code):
        read(SOPClassUID="1.2.840.10008.5.1.4.1.1.11." + kind)


def test_an_angiographic_state_is_read_and_its_mask_is_told() -> None:
    state = read(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.5", MaskSubtractionSequence=[item(MaskOperation="AVG_SUB")])
    assert state.voi(IMAGE, 0) is not None
    assert state.inverse is False
    assert [p.code for p in state.remarks] == ["presentation.mask_not_applied"]


def test_true_size_says_when_it_cannot_be() -> None:
    sized = read(DisplayedAreaSelectionSequence=[area("TRUE SIZE", PresentationPixelSpacing=[1.0, 1.0])])
    found = sized.area(IMAGE, 0)
    assert size_remark(found, 0.25) is None
    without = size_remark(found, None)
    assert without is not None
    assert without.code == "presentation.true_size_unknown"
    bare = size_remark(read(DisplayedAreaSelectionSequence=[area("TRUE SIZE")]).area(IMAGE, 0), 0.25)
    assert bare is not None
    assert bare.code == "presentation.true_size_no_mm"
    assert size_remark(read().area(IMAGE, 0), None) is None


# -- compound graphics -------------------------------------------------------------------------------------------------


def compound(kind: str, data: list[float], units: str = "PIXEL", **more: Any) -> Dataset:
    return item(
        CompoundGraphicInstanceID=7,
        CompoundGraphicUnits=units,
        GraphicDimensions=2,
        NumberOfGraphicPoints=len(data) // 2,
        GraphicData=data,
        CompoundGraphicType=kind,
        **more,
    )


def drawn(*graphics: Dataset, plain: list[Dataset] | None = None, texts: list[Dataset] | None = None) -> list[Any]:
    """Primitives on a pane of 240 x 200 that shows 24 x 20 pixels: ten pane pixels an image pixel."""
    annotation = item(GraphicLayer="HIGH", CompoundGraphicSequence=list(graphics))
    if plain:
        annotation.GraphicObjectSequence = plain
    if texts:
        annotation.TextObjectSequence = texts
    state = read(GraphicAnnotationSequence=[annotation])
    view = presented_view(ViewState("x"), state, state.area(IMAGE, 0), SIZE, GEOMETRY)
    return annotation_primitives(state, IMAGE, 0, resolve(view, SIZE, GEOMETRY), Style())


def lines(found: list[Any]) -> list[list[tuple[float, float]]]:
    return [[(round(x, 3), round(y, 3)) for x, y in p.points] for p in found if isinstance(p, Polyline)]


def test_rectangle_and_ellipse_fill_their_boxes() -> None:
    (box,) = drawn(compound("RECTANGLE", [4.0, 6.0, 10.0, 8.0]))
    assert lines([box]) == [[(40, 60), (100, 60), (100, 80), (40, 80)]]
    assert box.closed
    assert box.rgb == (128, 128, 128)
    (ring,) = drawn(compound("ELLIPSE", [4.0, 6.0, 10.0, 8.0]))
    points = np.asarray(ring.points)
    assert points.min(axis=0) == pytest.approx((40, 60))
    assert points.max(axis=0) == pytest.approx((100, 80))


def test_rotation_is_counterclockwise_as_seen() -> None:
    # A quarter around (4, 6): what lay to the right lies above.
    (box,) = drawn(compound("RECTANGLE", [4.0, 6.0, 10.0, 8.0], RotationAngle=90.0, RotationPoint=[4.0, 6.0]))
    assert lines([box]) == [[(40, 60), (40, 0), (60, 0), (60, 60)]]


def test_multiline_and_rangeline() -> None:
    two = drawn(compound("MULTILINE", [1.0, 1.0, 5.0, 1.0, 1.0, 3.0, 5.0, 4.0]))
    assert lines(two) == [[(10, 10), (50, 10)], [(10, 30), (50, 40)]]
    ranged = drawn(compound("RANGELINE", [2.0, 5.0, 8.0, 5.0]))
    assert lines(ranged) == [[(20, 50), (80, 50)], [(20, 42), (20, 58)], [(80, 42), (80, 58)]]


def test_an_infinite_line_reaches_the_borders_but_for_its_gap() -> None:
    (whole,) = drawn(compound("INFINITELINE", [4.0, 5.0, 8.0, 5.0]))
    assert lines([whole]) == [[(0, 50), (240, 50)]]
    # A tenth of the shorter side of the pane is 20: ten to each side of the rotation point.
    cut = drawn(compound("INFINITELINE", [4.0, 5.0, 8.0, 5.0], GapLength=0.1, RotationPoint=[10.0, 5.0]))
    assert lines(cut) == [[(0, 50), (90, 50)], [(110, 50), (240, 50)]]
    assert drawn(compound("INFINITELINE", [4.0, -5.0, 8.0, -5.0])) == []


def test_a_cutline_brings_arrows_from_its_right() -> None:
    found = lines(drawn(compound("CUTLINE", [4.0, 5.0, 12.0, 5.0])))
    assert found[0] == [(0, 50), (240, 50)]
    # To the right of a line that runs to the right is below; tips on the middles of its halves.
    assert found[1] == [(60, 78), (60, 50)]
    assert found[3] == [(100, 78), (100, 50)]
    assert found[2][0] == (60, 50)
    assert all(y >= 50 for _, y in found[2])


def test_ruler_and_axis_say_their_ticks() -> None:
    bare = lines(drawn(compound("RULER", [2.0, 5.0, 12.0, 5.0], TickAlignment="BOTTOM")))
    assert bare == [[(20, 50), (120, 50)], [(20, 50), (20, 58)], [(120, 50), (120, 58)]]
    ticks = [item(TickPosition=p, TickLabel=t) for p, t in ((0.0, "20"), (0.25, "30"), (1.0, "60"))]
    asked: dict[str, Any] = {"MajorTicksSequence": ticks, "TickAlignment": "TOP", "TickLabelAlignment": "BOTTOM"}
    axis = drawn(compound("AXIS", [2.0, 5.0, 12.0, 5.0], **asked, ShowTickLabel="Y"))
    assert lines(axis)[1:] == [[(20, 42), (20, 50)], [(45, 42), (45, 50)], [(120, 42), (120, 50)]]
    words = [p for p in axis if isinstance(p, Text)]
    assert [(w.text, w.x) for w in words] == [("20", 20.0), ("30", 45.0), ("60", 120.0)]
    assert all(w.y > 50 for w in words)
    mute = drawn(compound("AXIS", [2.0, 5.0, 12.0, 5.0], **asked, ShowTickLabel="N"))
    assert not [p for p in mute if isinstance(p, Text)]


def test_a_crosshair_in_display_units() -> None:
    # Middle of the displayed area; half of the pane's shorter side across, a tenth of it free.
    asked: dict[str, Any] = {"DiameterOfVisibility": 0.5, "GapLength": 0.1}
    found = lines(drawn(compound("CROSSHAIR", [0.5, 0.5], "DISPLAY", **asked)))
    assert found == [
        [(130, 100), (170, 100)], [(120, 90), (120, 50)], [(110, 100), (70, 100)], [(120, 110), (120, 150)],
    ]  # fmt: skip


def test_an_arrow_without_a_plain_rendering_points_at_its_second_point() -> None:
    shaft, head = lines(drawn(compound("ARROW", [2.0, 5.0, 12.0, 5.0])))
    assert shaft == [(20, 50), (120, 50)]
    assert head[0] == (120, 50)
    assert all(x <= 120 for x, _ in head)


def line_of(*points: float, link: int | None = None) -> Dataset:
    made = item(GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, GraphicType="POLYLINE", GraphicData=list(points))
    made.NumberOfGraphicPoints = len(points) // 2
    if link is not None:
        made.CompoundGraphicInstanceID = link
    return made


def test_a_compound_takes_the_place_of_its_plain_rendering() -> None:
    own, other = line_of(1.0, 1.0, 2.0, 2.0, link=7), line_of(3.0, 3.0, 4.0, 4.0)
    found = lines(drawn(compound("RANGELINE", [2.0, 5.0, 8.0, 5.0]), plain=[own, other]))
    assert [(10, 10), (20, 20)] not in found
    assert [(30, 30), (40, 40)] in found
    assert len(found) == 4


@pytest.mark.parametrize("kind", ["SPIRAL", "ARROW"])
def test_the_plain_rendering_stands_for_what_is_open(kind: str) -> None:
    plain = line_of(1.0, 1.0, 2.0, 2.0, link=7)
    found = lines(drawn(compound(kind, [2.0, 5.0, 8.0, 5.0]), plain=[plain]))
    assert found == [[(10, 10), (20, 20)]]


def test_what_is_drawn_in_no_way_is_counted() -> None:
    bad = [compound("SPIRAL", [1.0, 2.0]), compound("RULER", [1.0, 2.0]), compound("AXIS", [1.0, float("nan"), 2.0, 3.0])]
    state = read(GraphicAnnotationSequence=[item(GraphicLayer="HIGH", CompoundGraphicSequence=bad)])
    assert [(p.code, dict(p.params)) for p in state.remarks] == [("presentation.compound_not_drawn", {"n": 3})]
    many = [compound("ARROW", [1.0, 2.0, 3.0, 4.0])] * 5001
    with pytest.raises(ProblemError, match="dicom.pr_too_large"):
        read(GraphicAnnotationSequence=[item(GraphicLayer="HIGH", CompoundGraphicSequence=many)])


def test_a_line_style_gives_its_own_colour() -> None:
    style = item(PatternOnColorCIELabValue=[65535, 32896, 32896], LineDashingStyle="DASHED", LineThickness=1.0)
    (box,) = drawn(compound("RECTANGLE", [4.0, 6.0, 10.0, 8.0], LineStyleSequence=[style]))
    assert box.rgb == (255, 255, 255)
    assert box.dashed

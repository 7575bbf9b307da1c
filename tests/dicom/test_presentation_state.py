"""Presentation states: parsed exactly, within limits; and what they do to a picture."""

from __future__ import annotations

import numpy as np
import pytest

from app.dicom.lab_colour import rgb_of_lab
from app.dicom.presentation_state import read_presentation_state
from app.domain.pixels import FramePixels, Lut, ModalityTransform, VoiFunction, VoiWindow
from app.domain.presentation import AreaMode, ImageScope, PresentationState, SavedGraphic, Shutter, Units
from app.domain.problem import ProblemError
from app.viewer.decorations import Style
from app.viewer.presentation import annotation_primitives, curve, presented_frame, presented_view, shutter_mask
from app.viewer.primitives import Polyline, Text
from app.viewer.view_state import ImageGeometry, ViewState, resolve
from app.viewer.voi_lut import to_grey, voi_of_frame
from tests.dicom.saved_phantom import IMAGE, OTHER_IMAGE, item, part10, presentation_state

HU = ModalityTransform(1.0, -1024.0, "HU")
GEOMETRY = ImageGeometry(24, 20, 0.5, 1.0)


def read(**changes: object) -> PresentationState:
    return read_presentation_state(part10(presentation_state(**changes)))


def grey(frame: FramePixels) -> np.ndarray:
    return to_grey(frame.values, voi_of_frame(frame), frame.inverse)


def test_everything_is_read_as_it_stands() -> None:
    state = read()
    assert (state.label, state.description, state.creator) == ("MARKED", "For the board", "Серікбаева Дана")
    assert state.created == "20240305101500"
    assert (state.patient_id, state.study_instance_uid) == ("P-1", "2.25.4200")
    assert state.images.frames == ((IMAGE, ()), (OTHER_IMAGE, (1,)))
    assert state.covers(IMAGE, 7)
    assert state.covers(OTHER_IMAGE, 1)
    assert not state.covers(OTHER_IMAGE, 0)
    assert not state.covers("2.25.1", 0)
    assert (state.rotation_deg, state.flip, state.inverse) == (90, True, False)
    assert state.modality == HU
    voi = state.voi(IMAGE, 0)
    assert voi is not None
    assert voi.window == VoiWindow(40.0, 400.0)
    area = state.area(IMAGE, 0)
    assert area is not None
    assert (area.box_px, area.mode) == ((4.0, 8.0, 20.0, 16.0), AreaMode.FIT)
    assert [layer.rgb for layer in state.layers] == [(128, 128, 128), None]
    # The text names the first image only, and its layer lies below.
    assert [a.layer for a in state.shown_annotations(IMAGE, 0)] == ["LOW", "HIGH"]
    assert [a.layer for a in state.shown_annotations(OTHER_IMAGE, 1)] == ["HIGH"]
    (words,) = state.shown_annotations(IMAGE, 0)[0].texts
    assert (words.text, words.units, words.justification) == ("Смотрите\nсюда", Units.DISPLAY, "CENTER")


def test_hostile_and_foreign_objects_are_refused_by_name() -> None:
    with pytest.raises(ProblemError, match="dicom.not_pr"):
        read_presentation_state(part10(presentation_state(SOPClassUID="1.2.840.10008.5.1.4.1.1.2")))
    with pytest.raises(ProblemError, match="dicom.pr_unreadable"):
        read_presentation_state(b"no object at all")
    many = [item(UnformattedTextValue="x", AnchorPoint=[1.0, 1.0], AnchorPointAnnotationUnits="PIXEL")] * 5001
    with pytest.raises(ProblemError, match="dicom.pr_too_large"):
        read(GraphicAnnotationSequence=[item(GraphicLayer="A", TextObjectSequence=many)])
    nan = item(GraphicAnnotationUnits="PIXEL", GraphicData=[float("nan"), 1.0, 2.0, 3.0], GraphicType="POLYLINE")
    assert (
        read(GraphicAnnotationSequence=[item(GraphicLayer="A", GraphicObjectSequence=[nan])]).annotations[0].graphics == ()
    )
    compound = item(CompoundGraphicType="RULER")
    state = read(GraphicAnnotationSequence=[item(GraphicLayer="A", CompoundGraphicSequence=[compound, compound])])
    assert [(p.code, dict(p.params)) for p in state.remarks] == [("presentation.compound_not_drawn", {"n": 2})]


def test_cielab_white_black_and_red() -> None:
    assert rgb_of_lab((65535, 32896, 32896)) == (255, 255, 255)
    assert rgb_of_lab((0, 32896, 32896)) == (0, 0, 0)
    # sRGB red is L 54.29, a 80.81, b 69.89 under D50.
    encoded = (round(54.29 / 100 * 65535), round((80.81 + 128) / 255 * 65535), round((69.89 + 128) / 255 * 65535))
    assert np.abs(np.array(rgb_of_lab(encoded)) - (255, 0, 0)).max() <= 2


def test_the_window_is_the_saved_one_and_the_values_stay() -> None:
    frame = FramePixels(np.array([[-160, 40, 239]], dtype=np.int16), "HU", (VoiWindow(50, 100),))
    shown = presented_frame(frame, HU, read(), IMAGE, 0)
    assert shown.values is frame.values
    assert shown.windows == (VoiWindow(40.0, 400.0),)
    assert grey(shown).tolist() == [[0, 128, 255]]
    inverse = presented_frame(frame, HU, read(PresentationLUTShape="INVERSE"), IMAGE, 0)
    assert grey(inverse).tolist() == [[255, 127, 0]]


def test_polarity_is_the_states_own_whatever_the_image_says() -> None:
    frame = FramePixels(np.array([[-160, 239]], dtype=np.int16), "HU", inverse=True)
    assert grey(presented_frame(frame, HU, read(), IMAGE, 0)).tolist() == [[0, 255]]


def test_a_window_on_stored_values_is_converted_not_the_values() -> None:
    stored = np.array([[864, 1064, 1263, 1000]], dtype=np.int16)
    frame = FramePixels((stored - 1024).astype(np.int16), "HU")
    state = presentation_state(SoftcopyVOILUTSequence=[item(WindowCenter="1064", WindowWidth="400")])
    for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
        delattr(state, keyword)
    read_state = read_presentation_state(part10(state))
    assert read_state.modality is None
    shown = presented_frame(frame, HU, read_state, IMAGE, 0)
    by_hand = to_grey(stored, VoiWindow(1064, 400), False)
    assert grey(shown).tolist() == by_hand.tolist()
    assert shown.values is frame.values
    assert shown.windows[0].function is VoiFunction.LINEAR_EXACT
    # A negative factor turns the picture round; the window keeps a positive width.
    mirrored = presented_frame(
        FramePixels((1024 - stored).astype(np.int16)), ModalityTransform(-1.0, 1024.0), read_state, IMAGE, 0
    )
    assert grey(mirrored).tolist() == by_hand.tolist()


def test_voi_and_presentation_tables_in_one() -> None:
    values = np.array([[0, 1, 2, 3, 9]], dtype=np.int16)
    frame = FramePixels(values)
    voi = item(LUTDescriptor=[4, 0, 8], LUTData=np.array([0, 85, 170, 255], dtype="<u2").tobytes())
    state = presentation_state(SoftcopyVOILUTSequence=[item(VOILUTSequence=[voi])], RescaleIntercept="0")
    same = read_presentation_state(part10(state))
    plain = ModalityTransform(1.0, 0.0)
    assert grey(presented_frame(frame, plain, same, IMAGE, 0)).tolist() == [[0, 85, 170, 255, 255]]
    state.PresentationLUTSequence = [
        item(LUTDescriptor=[256, 0, 8], LUTData=np.array([255 - n for n in range(256)], dtype="<u2").tobytes())
    ]
    turned = read_presentation_state(part10(state))
    assert isinstance(turned.presentation_lut, Lut)
    assert grey(presented_frame(frame, plain, turned, IMAGE, 0)).tolist() == [[255, 170, 85, 0, 0]]


def test_a_saved_modality_table_acts_on_stored_values() -> None:
    lut = item(LUTDescriptor=[4, 0, 16], LUTData=np.array([0, 100, 400, 900], dtype="<u2").tobytes(), ModalityLUTType="OD")
    state = presentation_state(
        ModalityLUTSequence=[lut], SoftcopyVOILUTSequence=[item(WindowCenter="450.5", WindowWidth="901")]
    )
    frame = FramePixels(np.array([[10, 12, 14, 16]], dtype=np.int16))
    shown = presented_frame(frame, ModalityTransform(2.0, 10.0), read_presentation_state(part10(state)), IMAGE, 0)
    assert shown.values is frame.values
    assert grey(shown).tolist() == [[0, 28, 113, 255]]


def test_colour_keeps_its_pixels() -> None:
    frame = FramePixels(np.zeros((2, 2, 3), np.uint8))
    state = read_presentation_state(part10(presentation_state(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.2")))
    assert state.inverse is None
    assert presented_frame(frame, ModalityTransform(), state, IMAGE, 0) is frame


@pytest.mark.parametrize(("rotation", "flip"), [(0, "N"), (90, "N"), (90, "Y"), (180, "Y"), (270, "N")])
def test_the_displayed_area_fills_the_pane(rotation: int, flip: str) -> None:
    state = read(ImageRotation=rotation, ImageHorizontalFlip=flip)
    area = state.area(IMAGE, 0)
    assert area is not None
    size = (400, 300)
    view = presented_view(ViewState("x"), state, area, size, GEOMETRY)
    resolved = resolve(view, size, GEOMETRY)
    corners = [resolved.px_to_pane(x, y) for x in (4.0, 20.0) for y in (8.0, 16.0)]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    # 16 columns x 0.5 by 8 rows x 1.0: a square, so the pane's height decides.
    assert np.allclose(high - low, 300.0)
    assert np.allclose((low + high) / 2, (200.0, 150.0))
    # Rotation clockwise first, then the flip: where the image's own top left corner goes.
    x, y = np.asarray(resolved.px_to_pane(4.0, 8.0)) - (200.0, 150.0)
    expected = {(0, "N"): (-1, -1), (90, "N"): (1, -1), (90, "Y"): (-1, -1), (180, "Y"): (-1, 1), (270, "N"): (-1, 1)}
    assert (np.sign(x), np.sign(y)) == expected[(rotation, flip)]


def test_magnify_and_true_size() -> None:
    area = item(
        DisplayedAreaTopLeftHandCorner=[1, 1],
        DisplayedAreaBottomRightHandCorner=[24, 20],
        PresentationSizeMode="MAGNIFY",
        PresentationPixelMagnificationRatio=3.0,
    )
    state = read(DisplayedAreaSelectionSequence=[area], ImageRotation=0, ImageHorizontalFlip="N")
    view = presented_view(ViewState("x"), state, state.area(IMAGE, 0), (400, 300), GEOMETRY)
    m = resolve(view, (400, 300), GEOMETRY).pane_from_px
    assert m[0, 0] == pytest.approx(3.0)
    area.PresentationSizeMode, area.PresentationPixelSpacing = "TRUE SIZE", [1.0, 0.5]
    state = read(DisplayedAreaSelectionSequence=[area], ImageRotation=0, ImageHorizontalFlip="N")
    view = presented_view(ViewState("x"), state, state.area(IMAGE, 0), (400, 300), GEOMETRY, screen_mm_per_px=0.25)
    m = resolve(view, (400, 300), GEOMETRY).pane_from_px
    assert m[0, 0] == pytest.approx(0.5 / 0.25)
    assert m[1, 1] == pytest.approx(1.0 / 0.25)


def test_annotations_lie_where_they_were_drawn() -> None:
    state = read(ImageRotation=0, ImageHorizontalFlip="N")
    size = (400, 300)
    view = presented_view(ViewState("x"), state, state.area(IMAGE, 0), size, GEOMETRY)
    resolved = resolve(view, size, GEOMETRY)
    found = annotation_primitives(state, IMAGE, 0, resolved, Style())
    (ring,) = [p for p in found if isinstance(p, Polyline)]
    assert ring.closed
    assert ring.rgb == (128, 128, 128)
    centre = np.mean(ring.points, axis=0)
    assert np.allclose(centre, resolved.px_to_pane(10.0, 12.0), atol=1e-6)
    # Radius 5 px: 5 x 0.5 wide and 5 x 1.0 high on the pane's scale.
    assert np.ptp(np.asarray(ring.points), axis=0) == pytest.approx([10 * 300 / 16, 10 * 300 / 8], rel=1e-3)
    first, second = [p for p in found if isinstance(p, Text)]
    # Centred between 0.25 and 0.75 of the displayed area, from half of its height down.
    assert (first.text, first.x, first.y) == ("Смотрите", pytest.approx(200.0), pytest.approx(150.0))
    assert second.text == "сюда"
    assert second.y > first.y


def test_curves_go_through_their_points() -> None:
    points = ((0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0))
    smooth = curve(SavedGraphic("INTERPOLATED", points, Units.PIXEL))
    assert all(any(np.allclose(p, q) for q in smooth) for p in points)
    ellipse = curve(SavedGraphic("ELLIPSE", ((0.0, 5.0), (10.0, 5.0), (5.0, 3.0), (5.0, 7.0)), Units.PIXEL))
    assert np.allclose(np.ptp(ellipse, axis=0), (10.0, 4.0), atol=0.02)


def test_shutters_cover_what_lies_outside() -> None:
    rectangle = shutter_mask(Shutter(rectangle=(1.0, 2.0, 4.0, 5.0)), 8, 6)
    assert (~rectangle).sum() == 9
    assert not rectangle[2:5, 1:4].any()
    circle = shutter_mask(Shutter(circle=(3.5, 3.5, 1.0)), 8, 8)
    assert np.argwhere(~circle).tolist() == [[2, 3], [3, 2], [3, 3], [3, 4], [4, 3]]
    triangle = shutter_mask(Shutter(polygon=((0.5, 0.5), (6.5, 0.5), (0.5, 6.5))), 8, 8)
    assert not triangle[1, 1]
    assert triangle[6, 6]
    both = shutter_mask(Shutter(rectangle=(0, 0, 4, 8), circle=(3.5, 3.5, 1.0)), 8, 8)
    assert (both == (circle | shutter_mask(Shutter(rectangle=(0, 0, 4, 8)), 8, 8))).all()


def test_shutter_edges_are_counted_from_one() -> None:
    state = read(
        ShutterShape=["RECTANGULAR", "CIRCULAR"],
        ShutterLeftVerticalEdge=2,
        ShutterRightVerticalEdge=4,
        ShutterUpperHorizontalEdge=3,
        ShutterLowerHorizontalEdge=5,
        CenterOfCircularShutter=[4, 3],
        RadiusOfCircularShutter=9,
        ShutterPresentationValue=0x8000,
    )
    assert state.shutter is not None
    assert state.shutter.rectangle == (1.0, 2.0, 4.0, 5.0)
    assert state.shutter.circle == (2.5, 3.5, 9.0)
    assert state.shutter.grey == 128
    covered = shutter_mask(state.shutter, 8, 6)
    assert np.argwhere(~covered).tolist() == [[r, c] for r in (2, 3, 4) for c in (1, 2, 3)]


def test_a_bitmap_shutter_and_switched_overlays() -> None:
    ds = presentation_state(ShutterShape="BITMAP", ShutterOverlayGroup=0x6000)
    plane = np.zeros((4, 4), np.uint8)
    plane[1, 2] = 1
    ds.add_new(0x60000010, "US", 4)
    ds.add_new(0x60000011, "US", 4)
    ds.add_new(0x60003000, "OW", np.packbits(plane.ravel(), bitorder="little").tobytes())
    ds.add_new(0x60021001, "CS", "LOW")
    state = read_presentation_state(part10(ds))
    assert state.shutter is not None
    assert state.shutter.bitmap is not None
    assert np.argwhere(state.shutter.bitmap).tolist() == [[1, 2]]
    assert state.overlay_groups == (0x6002,)


def test_scopes() -> None:
    assert ImageScope().covers("anything", 3)
    assert ImageScope((("a", (1, 2)),)).covers("a", 2)
    assert not ImageScope((("a", (1, 2)),)).covers("a", 0)

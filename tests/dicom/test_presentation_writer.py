"""Presentation states that we write come back as they were: window, polarity, area, turn and flip, shutter, drawings."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from app.dicom.lab_colour import lab_of_rgb, rgb_of_lab
from app.dicom.presentation_state import read_presentation_state
from app.dicom.presentation_writer import class_of, presentation_object
from app.domain.identity import uid_for
from app.domain.pixels import Lut, ModalityTransform, PixelFormat, VoiFunction, VoiWindow
from app.domain.presentation import (
    AreaMode,
    DisplayedArea,
    GraphicLayer,
    ImageScope,
    PresentationKind,
    PresentationState,
    SavedAnnotation,
    SavedGraphic,
    SavedText,
    SavedVoi,
    Shutter,
    Units,
)
from app.domain.problem import ProblemError
from app.domain.study import FrameHeader, Study
from tests.dicom.objects_phantom import ct_study, film_study, header, iod_errors

IMAGES = tuple((uid_for("objects", "ct", str(k)), ()) for k in range(6))
ONE = ImageScope((IMAGES[3],))


def single(value: float) -> float:
    return float(np.float32(value))


GRAPHICS = (
    SavedGraphic("POLYLINE", ((1.5, 2.25), (single(17.1), 4.25)), Units.PIXEL),
    SavedGraphic("ELLIPSE", ((2.0, 9.0), (12.0, 9.0), (7.0, 6.5), (7.0, 11.5)), Units.PIXEL),
    SavedGraphic("POINT", ((3.0, 4.0),), Units.PIXEL),
    SavedGraphic("INTERPOLATED", ((1.0, 1.0), (5.0, 6.0), (9.0, 2.0)), Units.PIXEL),
    SavedGraphic("POLYLINE", ((1.0, 1.0), (5.0, 1.0), (5.0, 6.0), (1.0, 1.0)), Units.PIXEL),
)
TEXTS = (SavedText("1 L4\n12,3 мм", Units.PIXEL, anchor=(3.5, 2.25)),)
WHOLE = DisplayedArea(ImageScope(), (0.0, 0.0, 24.0, 20.0), AreaMode.FIT, spacing_mm=(0.7, 0.8))
STATE = PresentationState(
    "",
    PresentationKind.GREYSCALE,
    "620314400027",
    "Серікбаева^Әлия^Маратқызы",
    ct_study().study_instance_uid,
    "EKINSHI",
    "Низкодозная КТ",
    "Ахметов Ержан",
    "",
    ImageScope(IMAGES),
    modality=ModalityTransform(1.0, -1024.0, "HU"),
    vois=(SavedVoi(ImageScope(), VoiWindow(-600.125, 500.333333333)),),
    inverse=False,
    areas=(WHOLE,),
    layers=(GraphicLayer("FINDINGS", 1, "of the reader", (94, 234, 212)),),
    annotations=(SavedAnnotation("FINDINGS", ONE, GRAPHICS, TEXTS),),
)
FROM_HEADER = {"sop_instance_uid", "created"}


def said(state: PresentationState) -> dict[str, object]:
    out = {k: v for k, v in vars(state).items() if k not in FROM_HEADER}
    out["shutter"] = vars(state.shutter) if state.shutter is not None else None
    out["vois"] = [(v.scope, v.window, v.lut and (v.lut.first_mapped, v.lut.bits, v.lut.table.tolist())) for v in state.vois]
    return out


def there_and_back(state: PresentationState, study: Study, folder: Path) -> PresentationState:
    data = presentation_object(study, state, header("look"))
    assert iod_errors(data, folder) == []
    read = read_presentation_state(data)
    assert said(read) == said(state)
    assert (read.sop_instance_uid, read.created) == (
        header("look").sop_instance_uid,
        f"{header('look').written_at:%Y%m%d%H%M%S}",
    )
    return read


def test_a_look_with_drawings_comes_back_as_it_was(tmp_path: Path) -> None:
    read = there_and_back(STATE, ct_study(), tmp_path)
    assert class_of(read.kind) == "1.2.840.10008.5.1.4.1.1.11.1"
    assert presentation_object(ct_study(), STATE, header("look")) == presentation_object(ct_study(), STATE, header("look"))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", [False, True])
def test_turned_and_flipped(rotation: int, flip: bool, tmp_path: Path) -> None:
    """The corners of the area are named as they are displayed."""
    area = replace(WHOLE, box_px=(2.0, 3.0, 20.0, 15.0))
    state = replace(STATE, rotation_deg=rotation, flip=flip, inverse=True, areas=(area,))
    there_and_back(state, ct_study(), tmp_path)
    item = pydicom.dcmread(
        io.BytesIO(presentation_object(ct_study(), state, header("look")))
    ).DisplayedAreaSelectionSequence[0]
    left, top, right, bottom = 3, 4, 20, 15
    corner = {0: (left, top), 90: (left, bottom), 180: (right, bottom), 270: (right, top)}[rotation]
    if flip:  # what is at the top right before the flip is at the top left after it
        corner = {0: (right, top), 90: (left, top), 180: (left, bottom), 270: (right, bottom)}[rotation]
    assert tuple(item.DisplayedAreaTopLeftHandCorner) == corner


@pytest.mark.parametrize(
    "shutter",
    [
        Shutter(rectangle=(1.0, 2.0, 20.0, 18.0)),
        Shutter(circle=(10.5, 9.5, 8.0), grey=40),
        Shutter(polygon=((2.5, 2.5), (20.5, 3.5), (15.5, 17.5))),
        Shutter(rectangle=(1.0, 2.0, 20.0, 18.0), circle=(10.5, 9.5, 8.0)),
    ],
)
def test_shutters(shutter: Shutter, tmp_path: Path) -> None:
    there_and_back(replace(STATE, shutter=shutter), ct_study(), tmp_path)


@pytest.mark.parametrize("drawn", [False, True])
def test_overlay_planes_of_the_images_stay_switched_on(drawn: bool, tmp_path: Path) -> None:
    layers = (GraphicLayer("OVERLAYS", 0, "Overlay planes"), *(STATE.layers if drawn else ()))
    state = replace(STATE, layers=layers, overlay_groups=(0x6000, 0x6004), annotations=STATE.annotations if drawn else ())
    there_and_back(state, ct_study(), tmp_path)


def test_windows_of_single_images_and_tables(tmp_path: Path) -> None:
    table = Lut(-100, np.arange(0, 60000, 150, dtype=np.uint16), 16)
    vois = (
        SavedVoi(ONE, VoiWindow(40.0, 400.0, VoiFunction.LINEAR_EXACT)),
        SavedVoi(ImageScope(IMAGES[:2]), VoiWindow(0.5, 2.25, VoiFunction.SIGMOID)),
        SavedVoi(ImageScope((IMAGES[5],)), None, table),
    )
    there_and_back(replace(STATE, vois=vois, modality=None, annotations=(), layers=()), ct_study(), tmp_path)


def test_a_table_of_twelve_bits_keeps_its_levels() -> None:
    table = Lut(7, np.arange(0, 4096, dtype=np.uint16), 12)
    state = replace(STATE, vois=(SavedVoi(ImageScope(), None, table),))
    lut = read_presentation_state(presentation_object(ct_study(), state, header("look"))).vois[0].lut
    assert lut is not None
    assert (lut.first_mapped, lut.bits) == (7, 16)
    np.testing.assert_allclose(lut.table / 65535, table.table / 4095, atol=1e-5)


def test_true_size_and_pixels_that_are_not_square(tmp_path: Path) -> None:
    true = replace(WHOLE, mode=AreaMode.TRUE_SIZE)
    there_and_back(replace(STATE, areas=(true,)), ct_study(), tmp_path)
    oblong = DisplayedArea(ImageScope(), (0.0, 0.0, 50.0, 40.0), AreaMode.FIT, aspect=(10000.0, 12500.0))
    film = film_study()
    state = replace(
        STATE,
        study_instance_uid=film.study_instance_uid,
        patient_id="920627300101",
        patient_name="Smith^Anna",
        images=ImageScope(((uid_for("objects", "dx"), ()),)),
        areas=(oblong,),
        annotations=(),
        layers=(),
        modality=None,
    )
    there_and_back(state, film, tmp_path)


def test_frames_of_a_colour_loop(tmp_path: Path) -> None:
    film = film_study()
    instance = replace(
        film.series[0].instances[0],
        sop_class_uid="1.2.840.10008.5.1.4.1.1.3.1",
        frames=(FrameHeader(),) * 4,
        pixel_format=PixelFormat(rows=40, columns=50, frames=4, samples_per_pixel=3, photometric_interpretation="RGB"),
    )
    study = replace(film, series=(replace(film.series[0], modality="US", instances=(instance,)),))
    uid = instance.sop_instance_uid
    state = PresentationState(
        "",
        PresentationKind.COLOUR,
        "920627300101",
        "Smith^Anna",
        study.study_instance_uid,
        "EKINSHI",
        "US",
        "",
        "",
        ImageScope(((uid, ()),)),
        areas=(replace(WHOLE, box_px=(0.0, 0.0, 50.0, 40.0)),),
        layers=STATE.layers,
        annotations=(SavedAnnotation("FINDINGS", ImageScope(((uid, (1, 3)),)), GRAPHICS[:1]),),
        shutter=Shutter(rectangle=(1.0, 2.0, 40.0, 30.0)),
    )
    read = there_and_back(state, study, tmp_path)
    assert [bool(read.shown_annotations(uid, n)) for n in range(4)] == [False, True, False, True]


def test_what_is_not_in_the_study_is_refused() -> None:
    with pytest.raises(ProblemError, match="evidence_missing"):
        presentation_object(ct_study(), replace(STATE, images=ImageScope((("1.2.3", ()),))), header("look"))
    with pytest.raises(ProblemError, match="no_images"):
        presentation_object(ct_study(), replace(STATE, images=ImageScope()), header("look"))


@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (94, 234, 212), (255, 0, 0), (3, 200, 17)])
def test_colours_of_layers_are_kept(rgb: tuple[int, int, int]) -> None:
    assert rgb_of_lab(lab_of_rgb(rgb)) == rgb

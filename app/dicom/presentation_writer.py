"""Softcopy presentation states that we write: how images were looked at and what was drawn on them (PS3.3 A.33.1, A.33.2).

``presentation_object`` takes the same plain data that ``read_presentation_state`` gives; written and read it is the same,
graphics to the single precision of their value representation, window and shutter edges as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from app.dicom.lab_colour import lab_of_rgb
from app.dicom.object_header import ObjectHeader, evidence_of, finished, person_pn
from app.dicom.presentation_state import COLOUR, GREYSCALE
from app.domain.geometry import Point2
from app.domain.pixels import Lut
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
from app.domain.problem import fail
from app.domain.study import Study

MAX_TEXT = 1024
"""Characters of an ST."""
_PREFIX = {PresentationKind.GREYSCALE: GREYSCALE, PresentationKind.COLOUR: COLOUR}


def class_of(kind: PresentationKind) -> str:
    """SOP Class UID of the states that are written."""
    return _PREFIX[kind]


def presentation_object(study: Study, state: PresentationState, header: ObjectHeader) -> bytes:
    """``state`` as Part 10 bytes; who it is about comes from ``study``, when it was written from ``header``.

    Raises ``dicom.evidence_missing`` for an image that is not in the study, ``dicom.no_images`` for none.
    """
    from pydicom.dataset import Dataset

    uids = [uid for uid, _ in state.images.frames]
    if not uids:
        raise fail("dicom.no_images")
    images = {str(d.SOPInstanceUID): d for d in evidence_of(study, uids)}
    grey = state.kind is PresentationKind.GREYSCALE
    ds: Any = Dataset()
    ds.SOPClassUID = class_of(state.kind)
    ds.Modality = "PR"
    ds.Laterality = ""
    ds.ContentLabel = state.label
    ds.ContentDescription = state.description
    ds.ContentCreatorName = person_pn(state.creator) if state.creator else ""
    ds.PresentationCreationDate = f"{header.written_at:%Y%m%d}"
    ds.PresentationCreationTime = f"{header.written_at:%H%M%S}"
    ds.ReferencedSeriesSequence = _series(state.images, images)
    if state.shutter is not None:
        _put_shutter(ds, state.shutter, grey)
    ds.DisplayedAreaSelectionSequence = [_area(a, state, images) for a in state.areas]
    if state.annotations:
        ds.GraphicAnnotationSequence = [_annotation(a, images) for a in state.annotations]
    if state.layers:
        ds.GraphicLayerSequence = [_layer(one) for one in state.layers]
    if state.rotation_deg or state.flip:
        ds.ImageRotation = state.rotation_deg
        ds.ImageHorizontalFlip = "Y" if state.flip else "N"
    if grey:
        _put_modality(ds, state)
        if state.vois:
            ds.SoftcopyVOILUTSequence = [_voi(v, images) for v in state.vois]
        ds.PresentationLUTShape = "INVERSE" if state.inverse else "IDENTITY"
    else:
        ds.ICCProfile = _srgb()
        ds.ColorSpace = "SRGB"
    for group in state.overlay_groups if state.layers else ():
        # Overlay planes of the images stay off unless a layer is named for them (PS3.3 C.11.7).
        ds.add_new((group, 0x1001), "CS", state.layers[0].name)
    return finished(ds, study, header)


# -- which images ------------------------------------------------------------------------------------------------------


def _reference(uid: str, frames: Sequence[int], images: dict[str, Any]) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = images[uid].SOPClassUID
    item.ReferencedSOPInstanceUID = uid
    if frames and "NumberOfFrames" in images[uid]:
        item.ReferencedFrameNumber = [n + 1 for n in frames]
    return item


def _series(scope: ImageScope, images: dict[str, Any]) -> list[Any]:
    from pydicom.dataset import Dataset

    by_series: dict[str, list[Any]] = {}
    for uid, frames in scope.frames:
        by_series.setdefault(str(images[uid].SeriesInstanceUID), []).append(_reference(uid, frames, images))
    items = []
    for series_uid, references in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID = series_uid
        item.ReferencedImageSequence = references
        items.append(item)
    return items


def _scoped(item: Any, scope: ImageScope, images: dict[str, Any]) -> Any:
    if scope.frames:
        item.ReferencedImageSequence = [_reference(uid, frames, images) for uid, frames in scope.frames]
    return item


# -- how they are seen -------------------------------------------------------------------------------------------------


def _area(area: DisplayedArea, state: PresentationState, images: dict[str, Any]) -> Any:
    """Corners are pixels counted from 1, named as they are displayed: after rotation and flip (PS3.3 C.10.4)."""
    from pydicom.dataset import Dataset

    x0, y0, x1, y1 = (round(v) for v in area.box_px)
    columns, rows = (x0 + 1, x1), (y0 + 1, y1)
    right, down = _as_displayed(state)
    corner = [columns[0], rows[0]]
    other = [columns[1], rows[1]]
    for axis in (0, 1):
        if right[axis] + down[axis] < 0:  # this image axis runs to the left or upwards on the screen
            corner[axis], other[axis] = other[axis], corner[axis]
    item = Dataset()
    item.DisplayedAreaTopLeftHandCorner, item.DisplayedAreaBottomRightHandCorner = corner, other
    item.PresentationSizeMode = area.mode.value
    if area.spacing_mm is not None:
        item.PresentationPixelSpacing = [_decimal(v) for v in area.spacing_mm]
    else:
        item.PresentationPixelAspectRatio = [round(v) for v in area.aspect or (1, 1)]
    if area.mode is AreaMode.MAGNIFY:
        item.PresentationPixelMagnificationRatio = float(area.magnification)
    return _scoped(item, area.scope, images)


def _as_displayed(state: PresentationState) -> tuple[Point2, Point2]:
    """(to the right, downwards) on the screen as directions (column, row) of the image: turned clockwise, then flipped."""
    right, down = {0: ((1, 0), (0, 1)), 90: ((0, -1), (1, 0)), 180: ((-1, 0), (0, -1)), 270: ((0, 1), (-1, 0))}[
        state.rotation_deg
    ]
    return ((-right[0], -right[1]) if state.flip else right), down


def _decimal(value: float) -> Any:
    from pydicom.valuerep import DSfloat

    return DSfloat(float(value), auto_format=True)


def _put_modality(ds: Any, state: PresentationState) -> None:
    found = state.modality
    if found is None:
        return
    if found.lut is not None:
        item = _lut(found.lut)
        item.ModalityLUTType = found.unit or found.lut.unit or "US"
        ds.ModalityLUTSequence = [item]
        return
    ds.RescaleSlope, ds.RescaleIntercept = _decimal(found.slope), _decimal(found.intercept)
    ds.RescaleType = found.unit or "US"


def _lut(lut: Lut) -> Any:
    """A table of other depths is spread over 16 bits: the same levels, in a depth that every reader takes."""
    from pydicom.dataset import Dataset

    if lut.bits not in (8, 16):
        spread = np.rint(lut.table.astype(np.float64) * 65535 / (2**lut.bits - 1)).astype(np.uint16)
        lut = replace(lut, table=spread, bits=16)
    item = Dataset()
    signed = lut.first_mapped < 0
    count = 0 if len(lut.table) == 65536 else len(lut.table)
    item.add_new("LUTDescriptor", "SS" if signed else "US", [count, lut.first_mapped, lut.bits])
    if lut.explanation:
        item.LUTExplanation = lut.explanation[:64]
    item.add_new("LUTData", "OW", np.asarray(lut.table, dtype="<u2").tobytes())
    return item


def _voi(voi: SavedVoi, images: dict[str, Any]) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    if voi.window is not None:
        item.WindowCenter, item.WindowWidth = _decimal(voi.window.center), _decimal(voi.window.width)
        if voi.window.explanation:
            item.WindowCenterWidthExplanation = voi.window.explanation[:64]
        item.VOILUTFunction = voi.window.function.value
    if voi.lut is not None:
        item.VOILUTSequence = [_lut(voi.lut)]
    return _scoped(item, voi.scope, images)


def _put_shutter(ds: Any, shutter: Shutter, grey: bool) -> None:
    shapes = []
    if shutter.rectangle is not None:
        left, upper, right, lower = (round(v) for v in shutter.rectangle)
        shapes.append("RECTANGULAR")
        # The edges are the last columns and rows that are still seen, counted from 1.
        ds.ShutterLeftVerticalEdge, ds.ShutterRightVerticalEdge = left + 1, right
        ds.ShutterUpperHorizontalEdge, ds.ShutterLowerHorizontalEdge = upper + 1, lower
    if shutter.circle is not None:
        x, y, radius = shutter.circle
        shapes.append("CIRCULAR")
        ds.CenterOfCircularShutter = [round(y + 0.5), round(x + 0.5)]
        ds.RadiusOfCircularShutter = round(radius)
    if shutter.polygon:
        shapes.append("POLYGONAL")
        ds.VerticesOfThePolygonalShutter = [round(v + 0.5) for x, y in shutter.polygon for v in (y, x)]
    if not shapes:
        return
    ds.ShutterShape = shapes
    ds.ShutterPresentationValue = shutter.grey * 257
    if not grey:
        ds.ShutterPresentationColorCIELabValue = list(lab_of_rgb((shutter.grey, shutter.grey, shutter.grey)))


# -- what is drawn on them ---------------------------------------------------------------------------------------------


def _layer(layer: GraphicLayer) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.GraphicLayer = layer.name
    item.GraphicLayerOrder = layer.order
    if layer.rgb is not None:
        r, g, b = layer.rgb
        item.GraphicLayerRecommendedDisplayGrayscaleValue = round((0.2126 * r + 0.7152 * g + 0.0722 * b) * 257)
        item.GraphicLayerRecommendedDisplayCIELabValue = list(lab_of_rgb(layer.rgb))
    if layer.description:
        item.GraphicLayerDescription = layer.description[:64]
    return item


def _annotation(annotation: SavedAnnotation, images: dict[str, Any]) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.GraphicLayer = annotation.layer
    if annotation.graphics:
        item.GraphicObjectSequence = [_graphic(g) for g in annotation.graphics]
    if annotation.texts:
        item.TextObjectSequence = [_text(t) for t in annotation.texts]
    return _scoped(item, annotation.scope, images)


def _graphic(graphic: SavedGraphic) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.GraphicAnnotationUnits = graphic.units.value
    item.GraphicDimensions = 2
    item.NumberOfGraphicPoints = len(graphic.points)
    item.GraphicData = [float(v) for p in graphic.points for v in p]
    item.GraphicType = graphic.kind
    if graphic.kind in ("CIRCLE", "ELLIPSE") or (graphic.kind != "POINT" and graphic.points[0] == graphic.points[-1]):
        item.GraphicFilled = "Y" if graphic.filled else "N"
    return item


def _text(text: SavedText) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.UnformattedTextValue = text.text[:MAX_TEXT].replace("\n", "\r\n")
    if text.box is not None:
        item.BoundingBoxAnnotationUnits = text.units.value
        item.BoundingBoxTopLeftHandCorner = [float(v) for v in text.box[:2]]
        item.BoundingBoxBottomRightHandCorner = [float(v) for v in text.box[2:]]
        item.BoundingBoxTextHorizontalJustification = text.justification
    if text.anchor is not None:
        item.AnchorPointAnnotationUnits = (text.anchor_units or Units.PIXEL).value
        item.AnchorPoint = [float(v) for v in text.anchor]
        item.AnchorPointVisibility = "Y" if text.anchor_visible else "N"
    return item


def _srgb() -> bytes:
    """The ICC profile of sRGB, the same bytes each time: its date is no part of what it says."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes([7, 0xCF, 0, 1, 0, 1]) + bytes(6)
    profile[84:100] = bytes(16)  # an id is optional, and of the bytes that were
    return bytes(profile) + bytes(len(profile) % 2)

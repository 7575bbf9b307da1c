"""Softcopy presentation states (greyscale, colour, pseudo-colour) of any maker into plain data, within limits.

Coordinates: graphic data is column\\row with 0\\0 at the outer corner of the first pixel (PS3.3 C.10.5.1.2); shutters and
the displayed area count pixels from 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dicom.compound_graphics import compound_of, line_rgb
from app.dicom.data_set import data_set
from app.dicom.lab_colour import rgb_of_lab
from app.dicom.luts import palette_of_dataset
from app.domain.geometry import Point2
from app.domain.pixels import Lut, ModalityTransform, VoiFunction, VoiWindow
from app.domain.presentation import (
    AreaMode,
    CompoundGraphic,
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
from app.domain.problem import Problem, ProblemError, Severity, fail

GREYSCALE = "1.2.840.10008.5.1.4.1.1.11.1"
COLOUR = "1.2.840.10008.5.1.4.1.1.11.2"
PSEUDO_COLOUR = "1.2.840.10008.5.1.4.1.1.11.3"
PREFIX = "1.2.840.10008.5.1.4.1.1.11."
XA_XRF = PREFIX + "5"
_KINDS = {
    GREYSCALE: PresentationKind.GREYSCALE,
    XA_XRF: PresentationKind.GREYSCALE,
    COLOUR: PresentationKind.COLOUR,
    PSEUDO_COLOUR: PresentationKind.PSEUDO_COLOUR,
}
_NOT_DRAWN = {
    PREFIX + "4": "presentation.blending_not_drawn",
    PREFIX + "8": "presentation.blending_not_drawn",
    PREFIX + "12": "presentation.variable_lut_not_drawn",
    **{PREFIX + n: "presentation.volumetric_not_drawn" for n in ("6", "7", "9", "10", "11")},
}
"""States that say more than how one image looks, by what the reader is told of them."""
_TYPES = frozenset({"POINT", "POLYLINE", "INTERPOLATED", "CIRCLE", "ELLIPSE"})

MAX_OBJECTS = 5000
MAX_POINTS = 200_000
MAX_TEXT = 10_240
MAX_REFERENCES = 20_000
MAX_OVERLAY = 64 << 20


def read_presentation_state(data: bytes) -> PresentationState:
    """Parses Part 10 bytes. Raises ``dicom.not_pr``, ``dicom.pr_too_large``, ``dicom.pr_unreadable`` or which kind of
    state it is that is not drawn (blending, volumetric, variable modality LUT).
    """
    try:
        ds: Any = data_set(data)
        uid = str(ds.get("SOPClassUID", ""))
        kind = _KINDS.get(uid)
        if kind is None:
            raise fail(_NOT_DRAWN.get(uid, "dicom.not_pr"))
        return _state(ds, kind)
    except ProblemError:
        raise
    except Exception as error:  # any maker's bytes
        raise fail("dicom.pr_unreadable", error=type(error).__name__) from error


def _state(ds: Any, kind: PresentationKind) -> PresentationState:
    remarks: list[Problem] = []
    shape = str(ds.get("PresentationLUTShape", "") or "")
    lut_items = ds.get("PresentationLUTSequence") or ()
    palette = palette_of_dataset(ds) if kind is PresentationKind.PSEUDO_COLOUR else None
    if kind is PresentationKind.PSEUDO_COLOUR and palette is None:
        remarks.append(Problem("presentation.palette_broken", {}, Severity.NOTE))
    if ds.get("MaskSubtractionSequence"):
        remarks.append(Problem("presentation.mask_not_applied", {}, Severity.NOTE))
    overlays, groups = _overlays(ds)
    annotations = _annotations(ds, remarks)
    return PresentationState(
        sop_instance_uid=str(ds.get("SOPInstanceUID", "")),
        kind=kind,
        patient_id=str(ds.get("PatientID", "") or ""),
        patient_name=str(ds.get("PatientName", "") or ""),
        study_instance_uid=str(ds.get("StudyInstanceUID", "")),
        label=str(ds.get("ContentLabel", "") or "")[:64],
        description=str(ds.get("ContentDescription", "") or "")[:256],
        creator=_name(ds.get("ContentCreatorName")),
        created=f"{ds.get('PresentationCreationDate', '') or ''}{ds.get('PresentationCreationTime', '') or ''}"[:14],
        images=_images(ds),
        rotation_deg=int(ds.get("ImageRotation", 0) or 0) % 360,
        flip=str(ds.get("ImageHorizontalFlip", "N") or "N") == "Y",
        modality=_modality(ds) if kind is not PresentationKind.COLOUR else None,
        vois=_vois(ds) if kind is not PresentationKind.COLOUR else (),
        # A palette takes the place of the Presentation LUT: the image's own polarity does not count (PS3.4 N.2).
        inverse=None if kind is PresentationKind.COLOUR else shape == "INVERSE" and palette is None,
        presentation_lut=_lut(lut_items[0]) if lut_items and palette is None else None,
        palette=palette,
        areas=_areas(ds),
        layers=_layers(ds),
        annotations=annotations,
        shutter=shutter_of(ds, overlays),
        overlay_groups=groups,
        overlays=tuple(o for g, o in overlays.items() if str(ds.get((g, 0x1001), _NOTHING).value or "")),
        remarks=tuple(remarks),
    )


class _Nothing:
    value = ""


_NOTHING = _Nothing()


def _name(value: Any) -> str:
    text = str(value or "").split("=")
    return " ".join(p for p in (text[0] or text[-1]).split("^")[:3] if p)


def _many(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if hasattr(value, "__iter__") and not isinstance(value, str) else [value]


def _references(items: Any) -> tuple[tuple[str, tuple[int, ...]], ...]:
    found = []
    for item in items or ():
        frames = tuple(max(0, int(f) - 1) for f in _many(item.get("ReferencedFrameNumber")))
        found.append((str(item.get("ReferencedSOPInstanceUID", "")), frames))
        if len(found) > MAX_REFERENCES:
            raise fail("dicom.pr_too_large", limit=MAX_REFERENCES)
    return tuple(found)


def _images(ds: Any) -> ImageScope:
    found: list[tuple[str, tuple[int, ...]]] = []
    for series in ds.get("ReferencedSeriesSequence") or ():
        found += _references(series.get("ReferencedImageSequence"))
    return ImageScope(tuple(found[:MAX_REFERENCES]))


def _scope(item: Any) -> ImageScope:
    return ImageScope(_references(item.get("ReferencedImageSequence")))


def _lut(item: Any) -> Lut | None:
    """An item of a LUT sequence; None when it is shorter than it says."""
    head, data = _many(item.get("LUTDescriptor")), item.get("LUTData")
    if len(head) != 3 or data is None:
        return None
    count, bits = int(head[0]) or 65536, int(head[2])
    if not 1 <= bits <= 16:
        return None
    table: npt.NDArray[np.uint16]
    if isinstance(data, bytes):
        wide = len(data) >= 2 * count
        table = np.frombuffer(data, "<u2" if wide else np.uint8).astype(np.uint16)
    else:
        table = np.asarray([int(v) & 0xFFFF for v in _many(data)], dtype=np.uint16)
    if len(table) < count:
        return None
    return Lut(int(head[1]), table[:count], bits, str(item.get("LUTExplanation", "") or ""))


def _modality(ds: Any) -> ModalityTransform | None:
    items = ds.get("ModalityLUTSequence")
    if items:
        lut = _lut(items[0])
        return ModalityTransform(unit=str(items[0].get("ModalityLUTType", "") or ""), lut=lut) if lut is not None else None
    if "RescaleSlope" not in ds:
        return None
    slope = float(ds.RescaleSlope)
    if slope == 0 or not math.isfinite(slope):
        return None
    return ModalityTransform(slope, float(ds.get("RescaleIntercept", 0) or 0), str(ds.get("RescaleType", "") or ""))


def _vois(ds: Any) -> tuple[SavedVoi, ...]:
    found = []
    for item in (ds.get("SoftcopyVOILUTSequence") or ())[:MAX_OBJECTS]:
        centres, widths = _many(item.get("WindowCenter")), _many(item.get("WindowWidth"))
        window = None
        if centres and widths:
            name = str(item.get("VOILUTFunction", "") or "LINEAR")
            function = VoiFunction(name) if name in VoiFunction.__members__ else VoiFunction.LINEAR
            width = float(widths[0])
            if width >= 1 or (width > 0 and function is not VoiFunction.LINEAR):
                window = VoiWindow(float(centres[0]), width, function)
        luts = item.get("VOILUTSequence")
        lut = _lut(luts[0]) if luts else None
        if window is not None or lut is not None:
            found.append(SavedVoi(_scope(item), window, lut))
    return tuple(found)


def _areas(ds: Any) -> tuple[DisplayedArea, ...]:
    found = []
    for item in (ds.get("DisplayedAreaSelectionSequence") or ())[:MAX_OBJECTS]:
        one, other = _many(item.get("DisplayedAreaTopLeftHandCorner")), _many(item.get("DisplayedAreaBottomRightHandCorner"))
        if len(one) < 2 or len(other) < 2:
            continue
        # Both are pixels counted from 1, named as displayed: after a flip the "top left" one has the larger column.
        columns, rows = sorted((float(one[0]), float(other[0]))), sorted((float(one[1]), float(other[1])))
        name = str(item.get("PresentationSizeMode", "") or AreaMode.FIT.value)
        mode = next((m for m in AreaMode if m.value == name), AreaMode.FIT)
        spacing, aspect = _many(item.get("PresentationPixelSpacing")), _many(item.get("PresentationPixelAspectRatio"))
        magnification = float(item.get("PresentationPixelMagnificationRatio", 1.0) or 1.0)
        found.append(
            DisplayedArea(
                _scope(item),
                (columns[0] - 1, rows[0] - 1, columns[1], rows[1]),
                mode,
                magnification if magnification > 0 else 1.0,
                _positive(spacing),
                _positive(aspect),
            )
        )
    return tuple(found)


def _positive(pair: list[Any]) -> tuple[float, float] | None:
    if len(pair) < 2:
        return None
    a, b = float(pair[0]), float(pair[1])
    return (a, b) if a > 0 and b > 0 else None


def _layers(ds: Any) -> tuple[GraphicLayer, ...]:
    found = []
    for item in (ds.get("GraphicLayerSequence") or ())[:MAX_OBJECTS]:
        lab = _many(item.get("GraphicLayerRecommendedDisplayCIELabValue"))
        grey = item.get("GraphicLayerRecommendedDisplayGrayscaleValue")
        rgb = rgb_of_lab((int(lab[0]), int(lab[1]), int(lab[2]))) if len(lab) == 3 else None
        if rgb is None and grey is not None:
            level = int(grey) >> 8
            rgb = (level, level, level)
        description = str(item.get("GraphicLayerDescription", "") or "")[:256]
        found.append(
            GraphicLayer(str(item.get("GraphicLayer", "")), int(item.get("GraphicLayerOrder", 0) or 0), description, rgb)
        )
    return tuple(found)


def _annotations(ds: Any, remarks: list[Problem]) -> tuple[SavedAnnotation, ...]:
    found: list[SavedAnnotation] = []
    objects = points = undrawn = 0
    for item in ds.get("GraphicAnnotationSequence") or ():
        graphics: list[SavedGraphic] = []
        texts: list[SavedText] = []
        compounds, replaced, missing = _compounds(item)
        undrawn += missing
        for graphic in item.get("GraphicObjectSequence") or ():
            made = _graphic(graphic)
            if made is not None and _link(graphic) not in replaced:
                graphics.append(made)
                points += len(made.points)
        for text in item.get("TextObjectSequence") or ():
            said = _text(text)
            if said is not None and _link(text) not in replaced:
                texts.append(said)
        objects += len(graphics) + len(texts) + len(compounds)
        points += sum(len(c.points) + len(c.ticks) for c in compounds)
        if objects > MAX_OBJECTS or points > MAX_POINTS:
            raise fail("dicom.pr_too_large", limit=MAX_OBJECTS)
        found.append(
            SavedAnnotation(str(item.get("GraphicLayer", "")), _scope(item), tuple(graphics), tuple(texts), compounds)
        )
    if undrawn:
        remarks.append(Problem("presentation.compound_not_drawn", {"n": undrawn}, Severity.NOTE))
    return tuple(found)


def _link(item: Any) -> int | None:
    """Which compound graphic an object is the plain rendering of."""
    value = item.get("CompoundGraphicInstanceID")
    return None if value is None else int(value)


def _compounds(item: Any) -> tuple[tuple[CompoundGraphic, ...], set[int], int]:
    """(those that are drawn, whose plain renderings they replace, how many are drawn in no way).

    Every compound graphic comes with a plain rendering (C.10.5.1.3.1): it stands where the shape is none of the standard's,
    and for arrows, of which the standard leaves open at which of the two points the head is.
    """
    plain = {_link(i) for key in ("GraphicObjectSequence", "TextObjectSequence") for i in item.get(key) or ()}
    found: list[CompoundGraphic] = []
    replaced: set[int] = set()
    missing = 0
    for graphic in (item.get("CompoundGraphicSequence") or ())[: MAX_OBJECTS + 1]:
        link = _link(graphic)
        has_plain = link is not None and link in plain
        made = None if has_plain and str(graphic.get("CompoundGraphicType", "")) == "ARROW" else compound_of(graphic)
        if made is not None:
            found.append(made)
            if link is not None:
                replaced.add(link)
        elif not has_plain:
            missing += 1
    return tuple(found), replaced, missing


def _units(value: Any) -> Units:
    return Units.DISPLAY if str(value or "") == "DISPLAY" else Units.PIXEL


def _graphic(item: Any) -> SavedGraphic | None:
    kind = str(item.get("GraphicType", ""))
    numbers = [float(v) for v in _many(item.get("GraphicData"))[: 2 * MAX_POINTS]]
    if kind not in _TYPES or len(numbers) < 2 or not all(map(math.isfinite, numbers)):
        return None
    points = tuple((numbers[n], numbers[n + 1]) for n in range(0, len(numbers) - 1, 2))
    needed = {"POINT": 1, "CIRCLE": 2, "ELLIPSE": 4}.get(kind, 2)
    if len(points) < needed:
        return None
    return SavedGraphic(
        kind, points, _units(item.get("GraphicAnnotationUnits")), str(item.get("GraphicFilled", "N")) == "Y", line_rgb(item)
    )


def _text(item: Any) -> SavedText | None:
    text = str(item.get("UnformattedTextValue", "") or "")[:MAX_TEXT].replace("\r\n", "\n").replace("\r", "\n").rstrip()
    one, other = _many(item.get("BoundingBoxTopLeftHandCorner")), _many(item.get("BoundingBoxBottomRightHandCorner"))
    box = None
    if len(one) >= 2 and len(other) >= 2:
        box = (float(one[0]), float(one[1]), float(other[0]), float(other[1]))
    at = _many(item.get("AnchorPoint"))
    anchor: Point2 | None = (float(at[0]), float(at[1])) if len(at) >= 2 else None
    if not text or (box is None and anchor is None):
        return None
    return SavedText(
        text,
        _units(item.get("BoundingBoxAnnotationUnits")),
        box,
        anchor,
        _units(item.get("AnchorPointAnnotationUnits")),
        str(item.get("AnchorPointVisibility", "N")) == "Y",
        str(item.get("BoundingBoxTextHorizontalJustification", "LEFT") or "LEFT"),
    )


def shutter_of(ds: Any, overlays: dict[int, npt.NDArray[np.bool_]] | None = None) -> Shutter | None:
    """Display shutter of a presentation state or of an image (PS3.3 C.7.6.11); None where there is none."""
    shapes = {str(s) for s in _many(ds.get("ShutterShape"))}
    if not shapes:
        return None
    rectangle = circle = bitmap = None
    polygon: tuple[Point2, ...] = ()
    if "RECTANGULAR" in shapes:
        left, right = float(ds.get("ShutterLeftVerticalEdge", 0) or 0), float(ds.get("ShutterRightVerticalEdge", 0) or 0)
        upper, lower = (
            float(ds.get("ShutterUpperHorizontalEdge", 0) or 0),
            float(ds.get("ShutterLowerHorizontalEdge", 0) or 0),
        )
        # The edges are columns and rows of the image, counted from 1; the pixels they name are still seen.
        rectangle = (left - 1, upper - 1, right, lower)
    if "CIRCULAR" in shapes and len(_many(ds.get("CenterOfCircularShutter"))) == 2:
        row, column = (float(v) for v in ds.CenterOfCircularShutter)
        circle = (column - 0.5, row - 0.5, float(ds.get("RadiusOfCircularShutter", 0) or 0))
    if "POLYGONAL" in shapes:
        v = [float(n) for n in _many(ds.get("VerticesOfThePolygonalShutter"))[:MAX_POINTS]]
        polygon = tuple((v[n + 1] - 0.5, v[n] - 0.5) for n in range(0, len(v) - 1, 2))
    if "BITMAP" in shapes and overlays:
        bitmap = overlays.get(int(ds.get("ShutterOverlayGroup", 0) or 0))
    if rectangle is None and circle is None and not polygon and bitmap is None:
        return None
    return Shutter(rectangle, circle, polygon, bitmap, int(ds.get("ShutterPresentationValue", 0) or 0) >> 8)


def _overlays(ds: Any) -> tuple[dict[int, npt.NDArray[np.bool_]], tuple[int, ...]]:
    """Overlay planes of the state itself by group, and groups of the images that it switches on."""
    planes: dict[int, npt.NDArray[np.bool_]] = {}
    switched: list[int] = []
    for group in range(0x6000, 0x6020, 2):
        layer = ds.get((group, 0x1001))
        if (group, 0x3000) in ds:
            rows, columns = int(ds[group, 0x0010].value), int(ds[group, 0x0011].value)
            raw = np.frombuffer(bytes(ds[group, 0x3000].value), dtype=np.uint8)
            if 0 < rows * columns <= min(MAX_OVERLAY, raw.size * 8):
                bits = np.unpackbits(raw, bitorder="little")[: rows * columns]
                planes[group] = bits.reshape(rows, columns).astype(np.bool_)
        elif layer is not None and str(layer.value or ""):
            switched.append(group)
    return planes, tuple(switched)

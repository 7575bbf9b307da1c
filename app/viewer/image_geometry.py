"""The flat geometry of a frame from its header: which millimetres may be stated, and which may not."""

from __future__ import annotations

import math

from app.domain.study import Instance
from app.viewer.regions import regions_of
from app.viewer.view_state import ImageGeometry

PROJECTION = frozenset({"CR", "DX", "MG", "IO", "PX", "XA", "RF", "RG", "DR", "RTIMAGE"})
"""Pixel Spacing of these lies at the detector unless a calibration or a magnification is stated (PS3.3 10.7.1.3)."""


BY_HAND = "calibrated_by_hand"
"""In ``Instance.extra``: its Pixel Spacing is that of a line of known length which a person drew."""


def _magnification(instance: Instance) -> float | None:
    text = instance.extra.get("estimated_radiographic_magnification_factor", "")
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0.5 <= value <= 5.0 else None


def image_geometry(instance: Instance, frame: int = 0, modality: str = "") -> ImageGeometry:
    """Of one frame. Raises ``ValueError`` for an object without pixels.

    Calibrated: a plane in the patient; a calibrated Pixel Spacing; Imager Pixel Spacing divided by a stated
    magnification; a plain Pixel Spacing of anything but projection X-ray. Everything else is measured in px.
    """
    pixels = instance.pixel_format
    if pixels is None:
        raise ValueError("the object has no pixels")
    plane = instance.frames[frame].plane if frame < len(instance.frames) else None
    if plane is not None and (plane.rows, plane.columns) == (pixels.rows, pixels.columns):
        return ImageGeometry.of_plane(plane)
    size = (pixels.columns, pixels.rows)
    orientation = instance.patient_orientation
    spacing, detector = instance.pixel_spacing_mm, instance.imager_pixel_spacing_mm
    usable = spacing is not None and spacing[0] > 0 and spacing[1] > 0
    at_detector = detector is not None and detector[0] > 0 and detector[1] > 0
    projection = modality in PROJECTION or (detector is not None and not modality)
    differs = usable and at_detector and spacing is not None and detector is not None and max(
        abs(spacing[0] / detector[0] - 1.0), abs(spacing[1] / detector[1] - 1.0)
    ) > 1e-3  # fmt: skip
    if usable and spacing is not None and (instance.pixel_spacing_calibrated or not projection or differs):
        source = "viewer.spacing.by_hand" if BY_HAND in instance.extra else ""
        return ImageGeometry(*size, spacing[1], spacing[0], True, None, orientation, spacing_source=source)
    magnification = _magnification(instance)
    if at_detector and detector is not None and magnification is not None:
        row, column = detector[0] / magnification, detector[1] / magnification
        return ImageGeometry(*size, column, row, True, None, orientation, spacing_source="viewer.spacing.magnification")
    known = detector if at_detector else spacing if usable else None
    if known is not None:
        return ImageGeometry(
            *size, known[1], known[0], False, None, orientation, detector_mm=True, spacing_source="viewer.spacing.detector"
        )
    regions = regions_of(instance)
    if regions:
        return ImageGeometry(
            *size, 1.0, 1.0, False, None, orientation, regions=regions, spacing_source="viewer.spacing.regions"
        )
    aspect = instance.pixel_aspect_ratio  # vertical : horizontal size of a pixel (PS3.3 C.7.6.3.1.7)
    row, column = aspect if aspect is not None and min(aspect) > 0 else (1.0, 1.0)
    return ImageGeometry(*size, float(column), float(row), False, None, orientation, spacing_source="viewer.spacing.unknown")

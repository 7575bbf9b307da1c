"""One small object of each kind that hospitals make: its value, millimetres, place and display set, worked out by hand.

Stored values are 0..47 by rows of eight, so that pixel (2, 3) holds 19; frame n adds 100 n.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from app.dicom.byte_source import FileByteSource
from app.dicom.display_sets import display_sets
from app.dicom.frame_pixels import frame_pixels
from app.dicom.scanner import scan
from app.domain.study import DisplaySetKind
from app.viewer.image_geometry import image_geometry
from tests.dicom.builders import ORIGIN, image, save
from tests.dicom.test_every_form import groups

ROOT = "1.2.840.10008.5.1.4.1.1."
RAMP = np.arange(48, dtype=np.uint16).reshape(6, 8)
STACK, IMAGES, CINE = DisplaySetKind.STACK, DisplaySetKind.IMAGES, DisplaySetKind.CINE
DETECTOR, MAGNIFIED = "viewer.spacing.detector", "viewer.spacing.magnification"
UNKNOWN, REGIONS = "viewer.spacing.unknown", "viewer.spacing.regions"
TURNED = [0, 1, 0, 0, 0, -1]
"""Sagittal: rows run to the back, columns to the feet."""


def item(**fields: Any) -> Dataset:
    d = Dataset()
    for name, value in fields.items():
        setattr(d, name, value)
    return d


@dataclass(frozen=True)
class Kind:
    sop_class: str
    modality: str
    kind: DisplaySetKind
    value: float = 19.0
    """Of pixel (2, 3) in the last frame, in the modality's unit."""
    unit: str = ""
    spacing: tuple[float, float] = (1.0, 1.0)
    """(row, column)"""
    calibrated: bool = False
    source: str = ""
    frames: int = 1
    corner: tuple[float, float, float] | None = None
    """Centre of pixel (2, 3) of the last frame in the patient, mm."""
    placed: bool = False
    """Keeps the builder's position, orientation and Pixel Spacing."""
    bits: int = 16
    fields: Mapping[str, Any] = field(default_factory=dict)
    rate: float | None = None


def volume_groups(count: int, step_mm: float, frame_rescale: bool = False, **shared: Any) -> dict[str, Any]:
    """Sagittal frames ``step_mm`` apart along +x, spacing 0.5 by 0.25."""
    made = groups(
        count,
        PixelMeasuresSequence={"PixelSpacing": [0.5, 0.25], "SliceThickness": step_mm},
        PlaneOrientationSequence={"ImageOrientationPatient": TURNED},
        **shared,
    )
    for n, group in enumerate(made["PerFrameFunctionalGroupsSequence"]):
        group.PlanePositionSequence = [item(ImagePositionPatient=[ORIGIN[0] + step_mm * n, *ORIGIN[1:]])]
        if frame_rescale:
            group.PixelValueTransformationSequence = [item(RescaleSlope=str(n + 1), RescaleIntercept="-5", RescaleType="US")]
    return made


def sagittal(step_mm: float, last: int) -> tuple[float, float, float]:
    """Row 2 is 2 x 0.5 mm to the feet, column 3 is 3 x 0.25 mm to the back."""
    return (ORIGIN[0] + step_mm * last, ORIGIN[1] + 0.75, ORIGIN[2] - 1.0)


AXIAL = (ORIGIN[0] + 3 * 0.75, ORIGIN[1] + 2 * 0.5, ORIGIN[2])
"""The builder's slice: spacing 0.5 by 0.75."""
RESCALED = {"RescaleSlope": "2", "RescaleIntercept": "-10"}
ATTENUATION = {"PixelValueTransformationSequence": {"RescaleSlope": "2", "RescaleIntercept": "-1000", "RescaleType": "HU"}}
REGION = item(
    RegionSpatialFormat=1, RegionDataType=1, RegionFlags=0, RegionLocationMinX0=0, RegionLocationMinY0=0,
    RegionLocationMaxX1=7, RegionLocationMaxY1=5, PhysicalUnitsXDirection=3, PhysicalUnitsYDirection=3,
    PhysicalDeltaX=0.02, PhysicalDeltaY=0.03,
)  # fmt: skip

KINDS: dict[str, Kind] = {
    "CR": Kind(
        "1", "CR", IMAGES, 28, spacing=(0.2, 0.1), source=DETECTOR, fields={**RESCALED, "ImagerPixelSpacing": [0.2, 0.1]}
    ),
    "DX for presentation": Kind(
        "1.1", "DX", IMAGES, spacing=(0.2, 0.1), calibrated=True, source=MAGNIFIED,
        fields={"ImagerPixelSpacing": [0.25, 0.125], "EstimatedRadiographicMagnificationFactor": "1.25"},
    ),
    "DX for processing": Kind(
        "1.1.1", "DX", IMAGES, spacing=(0.14, 0.14), source=DETECTOR,
        fields={"ImagerPixelSpacing": [0.14, 0.14], "PresentationIntentType": "FOR PROCESSING"},
    ),
    "MG": Kind(
        "1.2", "MG", IMAGES, spacing=(0.05, 0.05), calibrated=True, source=MAGNIFIED,
        fields={
            "ImagerPixelSpacing": [0.09, 0.09], "EstimatedRadiographicMagnificationFactor": "1.8", "ImageLaterality": "L",
        },
    ),
    "breast tomosynthesis": Kind(
        "13.1.3", "MG", STACK, 219, spacing=(0.5, 0.25), calibrated=True, frames=3, corner=sagittal(1.0, 2),
        fields={"FrameOfReferenceUID": "2.25.3", **volume_groups(3, 1.0)},
    ),
    "IO": Kind(
        "1.3", "IO", IMAGES, spacing=(0.03, 0.04), calibrated=True,
        fields={"PixelSpacing": [0.03, 0.04], "PixelSpacingCalibrationType": "GEOMETRY"},
    ),
    "IO at the sensor": Kind(
        "1.3", "IO", IMAGES, spacing=(0.03, 0.04), source=DETECTOR, fields={"PixelSpacing": [0.03, 0.04]}
    ),
    "PX": Kind("1.1", "PX", IMAGES, source=UNKNOWN),
    "CT": Kind("2", "CT", STACK, 19 - 1024, "HU", (0.5, 0.75), True, corner=AXIAL, placed=True),
    "MR": Kind(
        "4", "MR", STACK, 19, "", (0.5, 0.75), True, corner=AXIAL, placed=True,
        fields={"RescaleSlope": None, "RescaleIntercept": None},
    ),
    "PT": Kind(
        "128", "PT", STACK, 9.5, "BQML", (0.5, 0.75), True, corner=AXIAL, placed=True,
        fields={"RescaleSlope": "0.5", "RescaleIntercept": "0", "Units": "BQML"},
    ),
    "US": Kind("6.1", "US", IMAGES, source=REGIONS, bits=8, fields={"SequenceOfUltrasoundRegions": [REGION]}),
    "US multi-frame": Kind(
        "3.1", "US", CINE, 119, source=REGIONS, frames=2, bits=8, rate=25.0,
        fields={"SequenceOfUltrasoundRegions": [REGION], "FrameTime": "40", "FrameIncrementPointer": 0x00181063},
    ),
    "XA": Kind(
        "12.1", "XA", CINE, 219, spacing=(0.2, 0.3), source=DETECTOR, frames=3, rate=15.0,
        fields={"ImagerPixelSpacing": [0.2, 0.3], "CineRate": "15"},
    ),
    "XRF": Kind(
        "12.2", "RF", CINE, 119, spacing=(0.1, 0.2), calibrated=True, source=MAGNIFIED, frames=2,
        fields={"ImagerPixelSpacing": [0.2, 0.4], "EstimatedRadiographicMagnificationFactor": "2"},
    ),
    "enhanced CT": Kind(
        "2.1", "CT", STACK, 2 * 219 - 1000, "HU", (0.5, 0.25), True, frames=3, corner=sagittal(2.5, 2),
        fields={"FrameOfReferenceUID": "2.25.3", **volume_groups(3, 2.5, **ATTENUATION)},
    ),
    "legacy converted CT": Kind(
        "2.2", "CT", STACK, 2 * 119 - 1000, "HU", (0.5, 0.25), True, frames=2, corner=sagittal(2.5, 1),
        fields={"FrameOfReferenceUID": "2.25.3", **volume_groups(2, 2.5, **ATTENUATION)},
    ),
    "enhanced MR, rescale by frame": Kind(
        "4.1", "MR", STACK, 3 * 219 - 5, "", (0.5, 0.25), True, frames=3, corner=sagittal(3.0, 2),
        fields={"FrameOfReferenceUID": "2.25.3", **volume_groups(3, 3.0, frame_rescale=True)},
    ),
    "legacy converted MR": Kind(
        "4.4", "MR", STACK, 119, "", (0.5, 0.25), True, frames=2, corner=sagittal(3.0, 1),
        fields={"FrameOfReferenceUID": "2.25.3", **volume_groups(2, 3.0)},
    ),
    "enhanced PET": Kind(
        "130", "PT", STACK, 0.5 * 119, "BQML", (0.5, 0.25), True, frames=2, corner=sagittal(4.0, 1),
        fields={"FrameOfReferenceUID": "2.25.3", "Units": "BQML", **volume_groups(2, 4.0, PixelValueTransformationSequence={
            "RescaleSlope": "0.5", "RescaleIntercept": "0", "RescaleType": "BQML"})},
    ),
    "legacy converted PET": Kind(
        "128.1", "PT", STACK, 119, "", (0.5, 0.25), True, frames=2, corner=sagittal(4.0, 1),
        fields={"FrameOfReferenceUID": "2.25.3", **volume_groups(2, 4.0)},
    ),
    "3D X-ray angiography": Kind(
        "13.1.1", "XA", STACK, 119, "", (0.5, 0.25), True, frames=2, corner=sagittal(0.5, 1),
        fields={"FrameOfReferenceUID": "2.25.3", **volume_groups(2, 0.5)},
    ),
    "secondary capture": Kind("7", "OT", IMAGES, source=UNKNOWN),
    "secondary capture, bytes": Kind("7.2", "OT", CINE, 119, source=UNKNOWN, frames=2, bits=8),
    "secondary capture, words": Kind("7.3", "OT", CINE, 119, source=UNKNOWN, frames=2),
    "secondary capture with nominal millimetres": Kind(
        "7", "OT", IMAGES, source=UNKNOWN, fields={"NominalScannedPixelSpacing": [0.1, 0.1]}
    ),
    "endoscopy": Kind("77.1.1", "ES", IMAGES, source=UNKNOWN, bits=8),
    "microscopy": Kind("77.1.2", "GM", IMAGES, source=UNKNOWN, bits=8),
    "photograph": Kind("77.1.4", "XC", IMAGES, source=UNKNOWN, bits=8),
    "ophthalmic photograph": Kind("77.1.5.1", "OP", IMAGES, source=UNKNOWN, bits=8),
    "ophthalmic tomography": Kind(
        "77.1.5.4", "OPT", STACK, 119, "", (0.5, 0.25), True, frames=2, corner=sagittal(0.1, 1), bits=8,
        fields={"FrameOfReferenceUID": "2.25.3", **volume_groups(2, 0.1)},
    ),
    "RT image": Kind(
        "481.1", "RTIMAGE", IMAGES, spacing=(0.2, 0.4), calibrated=True, source=MAGNIFIED,
        fields={"ImagePlanePixelSpacing": [0.3, 0.6], "RTImageSID": "1500", "RadiationMachineSAD": "1000"},
    ),
}  # fmt: skip


def made(one: Kind) -> Dataset:
    values = np.stack([RAMP + 100 * n for n in range(one.frames)]) if one.frames > 1 else RAMP
    values = values.astype(np.uint8) if one.bits == 8 else values
    fields = dict(one.fields)
    d = image(values, Modality=one.modality, SOPClassUID=ROOT + one.sop_class)
    if not one.placed:
        for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID",
                     "RescaleSlope", "RescaleIntercept"):  # fmt: skip
            del d[name]
    for name, value in fields.items():
        if value is None:
            del d[name]
        else:
            setattr(d, name, value)
    return d


@pytest.mark.parametrize("name", KINDS)
def test_value_millimetres_place_and_display_set(name: str, tmp_path: Path) -> None:
    one = KINDS[name]
    found = scan([save(made(one), tmp_path / "x.dcm")])
    assert not found.refused, found.refused
    study, instance = found.studies[0], found.files[0].instance
    (shown,) = display_sets(study)
    assert (shown.kind, len(shown.frames)) == (one.kind, one.frames)
    pixels = frame_pixels(instance, one.frames - 1, FileByteSource())
    assert float(pixels.values[2, 3]) == pytest.approx(one.value)
    assert pixels.unit == one.unit
    geometry = image_geometry(instance, one.frames - 1, one.modality)
    assert (geometry.row_spacing, geometry.column_spacing) == pytest.approx(one.spacing)
    assert geometry.calibrated is one.calibrated
    assert geometry.spacing_source == one.source
    if one.corner is None:
        assert geometry.plane is None
    else:
        assert geometry.plane is not None
        assert geometry.plane.to_patient(2.0, 3.0) == pytest.approx(one.corner)
    assert instance.recommended_frame_rate == one.rate

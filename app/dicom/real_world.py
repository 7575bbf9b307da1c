"""Real-world value maps (PS3.3 C.7.6.16.2.11, A.46), in an image's own header or in an object that refers to it."""

from __future__ import annotations

import io
import math
import struct
from typing import Any

from app.dicom.raw_items import RawDataset
from app.dicom.values import text
from app.domain.pixels import ModalityTransform, RealWorldMapping
from app.domain.problem import ProblemError, fail

REAL_WORLD_VALUES = "1.2.840.10008.5.1.4.1.1.67"
MAPPING_SEQUENCE = 0x00409096
_SLOPE, _INTERCEPT, _LABEL, _EXPLANATION = 0x00409225, 0x00409224, 0x00409210, 0x00283003
_UNITS, _CODE_VALUE = 0x004008EA, 0x00080100
_MAX_MAPS = 16
_MAX_REFERENCES = 20_000


def on_modality_values(found: RealWorldMapping, transform: ModalityTransform) -> RealWorldMapping | None:
    """A map of stored values as one of the image's modality values; None where a table lies between them."""
    if transform.lut is not None:
        return None
    slope = found.slope / transform.slope
    return RealWorldMapping(slope, found.intercept - slope * transform.intercept, found.unit, found.label)


def maps_of_header(dataset: RawDataset, transform: ModalityTransform) -> tuple[RealWorldMapping, ...]:
    """Linear maps of an image's header, on its modality values."""
    made = []
    for item in dataset.items(MAPPING_SEQUENCE)[:_MAX_MAPS]:
        slope, intercept = _double(item, _SLOPE), _double(item, _INTERCEPT)
        if slope is None or intercept is None:
            continue
        units = item.first(_UNITS)
        unit = text(units, _CODE_VALUE) if units is not None else ""
        label = text(item, _EXPLANATION) or text(item, _LABEL)
        found = on_modality_values(RealWorldMapping(slope, intercept, unit, label), transform)
        if found is not None:
            made.append(found)
    return tuple(made)


def _double(item: RawDataset, tag: int) -> float | None:
    raw = item.raw(tag)
    if len(raw) != 8:
        return None
    (value,) = struct.unpack("<d" if item.little else ">d", raw)
    return float(value) if math.isfinite(value) else None


def read_real_world_values(data: bytes) -> dict[str, tuple[RealWorldMapping, ...]]:
    """SOP Instance UID to the linear maps of its *stored* values. Raises ``overlay.not_one`` or ``overlay.unreadable``."""
    import pydicom

    try:
        ds: Any = pydicom.dcmread(io.BytesIO(data))
        if str(ds.get("SOPClassUID", "")) != REAL_WORLD_VALUES:
            raise fail("overlay.not_one")
        out: dict[str, tuple[RealWorldMapping, ...]] = {}
        for block in ds.get("ReferencedImageRealWorldValueMappingSequence") or ():
            maps = tuple(m for i in block.get("RealWorldValueMappingSequence") or () if (m := _map(i)) is not None)
            for image in block.get("ReferencedImageSequence") or ():
                uid = str(image.get("ReferencedSOPInstanceUID", ""))
                out[uid] = (*out.get(uid, ()), *maps)[:_MAX_MAPS]
                if len(out) > _MAX_REFERENCES:
                    raise fail("overlay.too_large")
    except ProblemError:
        raise
    except Exception as error:  # any maker's bytes
        raise fail("overlay.unreadable", error=type(error).__name__) from error
    return out


def _map(item: Any) -> RealWorldMapping | None:
    if "RealWorldValueSlope" not in item:
        return None
    units = item.get("MeasurementUnitsCodeSequence")
    slope, intercept = float(item.RealWorldValueSlope), float(item.get("RealWorldValueIntercept", 0.0))
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        return None
    label = str(item.get("LUTExplanation", "") or item.get("LUTLabel", "") or "")
    return RealWorldMapping(slope, intercept, str(units[0].get("CodeValue", "")) if units else "", label)

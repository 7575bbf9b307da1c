"""Real-world value maps (PS3.3 C.7.6.16.2.11, A.46), in an image's own header or in an object that refers to it."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.dicom import tags
from app.dicom.data_set import data_set
from app.dicom.raw_items import RawDataset
from app.dicom.values import doubles, text, us_or_ss
from app.domain.pixels import ModalityTransform, RealWorldMapping
from app.domain.problem import ProblemError, fail

REAL_WORLD_VALUES = "1.2.840.10008.5.1.4.1.1.67"
MAPPING_SEQUENCE = 0x00409096
_SLOPE, _INTERCEPT, _LABEL, _EXPLANATION = 0x00409225, 0x00409224, 0x00409210, 0x00283003
_UNITS, _CODE_VALUE = 0x004008EA, 0x00080100
_FIRST, _LAST, _TABLE = 0x00409216, 0x00409211, 0x00409212
_FIRST_DOUBLE, _LAST_DOUBLE = 0x00409214, 0x00409213
_MAX_MAPS = 16
_MAX_TABLE = 65536
FUNCTIONAL_GROUPS = frozenset({tags.SHARED_FUNCTIONAL_GROUPS, tags.PER_FRAME_FUNCTIONAL_GROUPS})
_MAX_REFERENCES = 20_000


def on_modality_values(found: RealWorldMapping, transform: ModalityTransform) -> RealWorldMapping | None:
    """A map of stored values as one of the image's modality values; None where a table lies between them."""
    if transform.lut is not None:
        return None
    slope = found.slope / transform.slope
    ends = [None if v is None else v * transform.slope + transform.intercept for v in (found.first, found.last)]
    if transform.slope < 0:
        ends.reverse()
    intercept = found.intercept - slope * transform.intercept
    return replace(found, slope=slope, intercept=intercept, first=ends[0], last=ends[1])


def maps_of_header(
    dataset: RawDataset, transform: ModalityTransform, frame: int = 0, signed: bool = False
) -> tuple[RealWorldMapping, ...]:
    """Maps of a frame on its modality values: of its own functional groups, else the shared, else the plain header's."""
    groups = dataset.items(tags.PER_FRAME_FUNCTIONAL_GROUPS)
    shared = dataset.first(tags.SHARED_FUNCTIONAL_GROUPS)
    own = groups[frame].items(MAPPING_SEQUENCE) if 0 <= frame < len(groups) else ()
    items = own or (shared.items(MAPPING_SEQUENCE) if shared is not None else ()) or dataset.items(MAPPING_SEQUENCE)
    found = (_of_item(item, signed) for item in items[:_MAX_MAPS])
    return tuple(m for raw in found if raw is not None and (m := on_modality_values(raw, transform)) is not None)


def maps_only(dataset: RawDataset) -> None:
    """Drops everything but the maps from the functional groups of a header that is kept."""
    for tag in FUNCTIONAL_GROUPS:
        items = dataset.items(tag)
        small = [
            RawDataset({k: v for k, v in i.values.items() if k == MAPPING_SEQUENCE}, i.little, i.charsets) for i in items
        ]
        dataset.values.pop(tag, None)
        if any(i.values for i in small):
            dataset.values[tag] = small


def _of_item(item: RawDataset, signed: bool) -> RealWorldMapping | None:
    """A map of stored values."""
    units = item.first(_UNITS)
    unit = text(units, _CODE_VALUE) if units is not None else ""
    label = text(item, _EXPLANATION) or text(item, _LABEL)
    first, last = _double(item, _FIRST_DOUBLE), _double(item, _LAST_DOUBLE)
    if first is None:
        first = us_or_ss(item, _FIRST, signed)
    if last is None:
        last = us_or_ss(item, _LAST, signed)
    return _made(doubles(item, _TABLE), _double(item, _SLOPE), _double(item, _INTERCEPT), first, last, unit, label)


def _made(
    table: Sequence[float],
    slope: float | None,
    intercept: float | None,
    first: float | None,
    last: float | None,
    unit: str,
    label: str,
) -> RealWorldMapping | None:
    """A table where there is one (its first entry is for the first value mapped), else slope and intercept."""
    if table and first is not None:
        return RealWorldMapping(1.0, -first, unit, label, table=tuple(table[:_MAX_TABLE]))
    if slope is None or intercept is None or not (math.isfinite(slope) and math.isfinite(intercept)):
        return None
    return RealWorldMapping(slope, intercept, unit, label, first, last)


def _double(item: RawDataset, tag: int) -> float | None:
    raw = item.raw(tag)
    if len(raw) != 8:
        return None
    (value,) = struct.unpack("<d" if item.little else ">d", raw)
    return float(value) if math.isfinite(value) else None


def read_real_world_values(data: bytes) -> dict[str, tuple[RealWorldMapping, ...]]:
    """SOP Instance UID to the linear maps of its *stored* values. Raises ``overlay.not_one`` or ``overlay.unreadable``."""
    try:
        ds: Any = data_set(data)
        if str(ds.get("SOPClassUID", "")) != REAL_WORLD_VALUES:
            raise fail("overlay.not_one")
        out: dict[str, tuple[RealWorldMapping, ...]] = {}
        for block in ds.get("ReferencedImageRealWorldValueMappingSequence") or ():
            maps = tuple(m for i in block.get("RealWorldValueMappingSequence") or () if (m := map_of_item(i)) is not None)
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


def map_of_item(item: Any) -> RealWorldMapping | None:
    """A map of stored values out of an item that pydicom has read; None where it can be no map."""
    units = item.get("MeasurementUnitsCodeSequence")
    label = str(item.get("LUTExplanation", "") or item.get("LUTLabel", "") or "")
    ends = [
        None if value is None or value == "" else float(value)
        for value in (
            item.get("DoubleFloatRealWorldValueFirstValueMapped", item.get("RealWorldValueFirstValueMapped")),
            item.get("DoubleFloatRealWorldValueLastValueMapped", item.get("RealWorldValueLastValueMapped")),
        )
    ]
    data = item.get("RealWorldValueLUTData")
    table = [float(v) for v in (data if hasattr(data, "__iter__") else [data])] if data is not None else []
    slope = item.get("RealWorldValueSlope")
    return _made(
        table if all(map(math.isfinite, table)) else [],
        None if slope is None else float(slope),
        float(item.get("RealWorldValueIntercept", 0.0) or 0.0),
        ends[0],
        ends[1],
        str(units[0].get("CodeValue", "")) if units else "",
        label,
    )

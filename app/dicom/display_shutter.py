"""The display shutter of an image itself (PS3.3 C.7.6.11): what the maker wants covered."""

from __future__ import annotations

import json
from typing import Any

from app.dicom.raw_items import RawDataset
from app.dicom.shutter_tags import NUMBERS, PRESENTATION_VALUE, SHAPE
from app.dicom.values import codes, numbers, unsigned
from app.domain.presentation import Shutter
from app.domain.study import Instance


def shutter_attributes(d: RawDataset) -> dict[str, Any]:
    """By keyword, JSON-able; empty without a shutter."""
    shapes = codes(d, SHAPE)
    if not shapes:
        return {}
    found: dict[str, Any] = {"ShutterShape": list(shapes)}
    for keyword, tag in NUMBERS.items():
        values = numbers(d, tag)
        if values:
            found[keyword] = values[0] if len(values) == 1 else list(values)
    value = unsigned(d, PRESENTATION_VALUE)
    if value is not None:
        found["ShutterPresentationValue"] = value
    return found


class _Attributes(dict[str, Any]):
    """A header's attributes, asked for by keyword in both ways."""

    def __getattr__(self, keyword: str) -> Any:
        return self[keyword]


def shutter_of_image(instance: Instance) -> Shutter | None:
    from app.dicom.presentation_state import shutter_of

    text = instance.extra.get("shutter", "")
    return shutter_of(_Attributes(json.loads(text))) if text else None

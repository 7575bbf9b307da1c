"""pydicom as the arbiter of headers that the thin reader finds odd."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Literal

from app.dicom import tags
from app.dicom.data_set import data_set
from app.dicom.raw_header import BIG_ENDIAN_UID, EXPLICIT_UID, IMPLICIT_UID
from app.dicom.raw_items import PixelElement, RawDataset, RawFile, RawValue, charset_terms
from app.domain.problem import fail

_MAX_DEPTH = 32


def arbitrate(data: bytes, wanted: frozenset[int]) -> RawFile:
    """What pydicom makes of the file. Raises ``ProblemError`` when it cannot read it either."""
    from pydicom.errors import InvalidDicomError

    logging.getLogger("pydicom").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = data_set(data, force=True)
            found = _converted(dataset, data, wanted)
    except (InvalidDicomError, NotImplementedError) as error:
        raise fail("dicom.not_dicom") from error
    except EOFError as error:
        raise fail("dicom.truncated", kept_safe="kept.original", next_step="dicom.next.ask_again") from error
    except RecursionError as error:
        raise fail("dicom.structure_broken", kept_safe="kept.original") from error
    except Exception as error:  # pydicom raises many kinds on hostile bytes; each means the same to the reader
        raise fail("dicom.structure_broken", kept_safe="kept.original") from error
    found.notes.append("dicom.repaired.structure")
    return found


def _converted(dataset: Any, data: bytes, wanted: frozenset[int]) -> RawFile:
    implicit, little = dataset.original_encoding
    little = little is not False
    stated = getattr(dataset.file_meta, "TransferSyntaxUID", "")
    # A sequence may stand where the UID should: the text of a deep one takes for ever.
    syntax = str(stated) if isinstance(stated, str) else ""
    if not syntax:
        syntax = IMPLICIT_UID if implicit else EXPLICIT_UID if little else BIG_ENDIAN_UID
    found = RawFile(RawDataset(little=little), syntax, data[128:132] == b"DICM", size=len(data))
    if dataset.file_meta is not None:
        _fill(dataset.file_meta, found.dataset, wanted | {tags.MEDIA_STORAGE_SOP_INSTANCE_UID}, 0)
    _fill(dataset, found.dataset, wanted, 0)
    for tag in tags.PIXEL_KEYWORDS:
        if tag in dataset:
            element = dataset.get_item(tag)
            value = element.value
            raw = value if isinstance(value, bytes) else b""
            offset = getattr(element, "value_tell", None) or getattr(element, "file_tell", None)
            undefined = bool(getattr(element, "is_undefined_length", False)) or getattr(element, "length", 0) == 0xFFFFFFFF
            if not isinstance(offset, int) or offset <= 0:
                raise ValueError("pixel element without a place")
            found.pixel = PixelElement(tag, str(element.VR or ""), offset, None if undefined else len(raw))
            told = getattr(element, "length", len(raw))
            if not undefined and isinstance(told, int) and told > len(raw):
                found.truncated = True
                found.pixel.length = told
            break
    return found


def _fill(dataset: Any, into: RawDataset, wanted: frozenset[int] | None, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise RecursionError
    for tag in list(dataset.keys()):
        number = int(tag)
        if (wanted is not None and number not in wanted) or number in tags.PIXEL_KEYWORDS:
            continue
        value = _raw_value(dataset, tag, into, depth)
        if value is not None:
            into.values[number] = value
            if number == tags.SPECIFIC_CHARACTER_SET and isinstance(value, bytes):
                into.charsets = charset_terms(value)


def _raw_value(dataset: Any, tag: Any, into: RawDataset, depth: int) -> RawValue | None:
    item = dataset.get_item(tag)
    if getattr(item, "is_raw", False) and item.VR != "SQ" and isinstance(item.value, bytes):
        probe = item.VR or _dictionary_vr(int(tag))
        if probe != "SQ":
            return bytes(item.value)
    element = dataset[tag]
    if element.VR == "SQ":
        children = []
        for child in element.value or ():
            raw = RawDataset({}, into.little, into.charsets)
            _fill(child, raw, None, depth + 1)
            children.append(raw)
        return children
    value = element.value
    if isinstance(value, bytes):
        return value
    if value is None:
        return b""
    parts = value if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else [value]
    codec = "utf-8" if element.VR in ("PN", "LO", "SH", "ST", "LT", "UT", "UC") else "ascii"
    if element.VR in ("US", "SS", "UL", "SL"):
        width = 2 if element.VR in ("US", "SS") else 4
        order: Literal["little", "big"] = "little" if into.little else "big"
        return b"".join(int(p).to_bytes(width, order, signed=int(p) < 0) for p in parts)
    return "\\".join(str(p) for p in parts).encode(codec, "replace")


def _dictionary_vr(tag: int) -> str:
    from pydicom.datadict import dictionary_VR

    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UN"

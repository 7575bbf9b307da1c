"""Files of one series are alike: a header that differs from the last one only where slices differ need not be read again.

A template remembers one header with a mask over every byte that must be equal: all element heads (tag, VR, length), and
the values that the reader keeps, but for those that differ from slice to slice. One comparison of two long integers proves
that a file has the same elements at the same places and the same kept values; then only the few differing ones are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from app.dicom import tags
from app.dicom.instance_builder import FileHeader, date_and_time
from app.dicom.raw_header import FIRST_READ, short_vr_spans
from app.dicom.raw_items import PixelElement, RawFile
from app.dicom.values import ascii_of, decimals

_VARYING = frozenset(
    {
        tags.MEDIA_STORAGE_SOP_INSTANCE_UID,
        tags.SOP_INSTANCE_UID,
        tags.INSTANCE_NUMBER,
        tags.IMAGE_POSITION_PATIENT,
        tags.SLICE_LOCATION,
        tags.ACQUISITION_DATETIME,
        tags.ACQUISITION_TIME,
        tags.CONTENT_TIME,
        tags.EXPOSURE,
    }
)
_PER_SIZE = 4
_MAX_SIZES = 64

T = TypeVar("T")


def _changed(value: T, **changes: Any) -> T:
    """A frozen dataclass with other fields, without running its checks again: they hold for the template."""
    made = object.__new__(type(value))
    made.__dict__.update(value.__dict__)
    made.__dict__.update(changes)
    return made


@dataclass(frozen=True, slots=True)
class _Template:
    length: int
    value: int
    mask: int
    spans: dict[int, tuple[int, int]]
    header: FileHeader


class SeriesTemplates:
    """Templates by file size: uncompressed slices of a series mostly have the same."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._by_size: dict[int, list[_Template]] = {}

    def match(self, first: bytes, size: int, locator: str) -> FileHeader | None:
        """Header of a file from its first bytes, or None when no template fits."""
        for template in self._by_size.get(size, ()):
            number = int.from_bytes(first[: template.length], "little")
            if not (number ^ template.value) & template.mask:
                return _filled(template, first, locator)
        return None

    def learn(self, first: bytes, size: int, raw: RawFile, header: FileHeader) -> None:
        """Makes a template of a plain file whose size was seen before."""
        seen = self._seen.get(size, 0)
        self._seen[size] = seen + 1
        if seen == 0 or len(self._by_size) >= _MAX_SIZES or header.instance.repairs:
            return
        known = self._by_size.setdefault(size, [])
        if len(known) >= _PER_SIZE:
            return
        template = _made(first, raw, header)
        if template is not None:
            known.append(template)


def _made(first: bytes, raw: RawFile, header: FileHeader) -> _Template | None:
    pixel = raw.pixel
    if not _is_plain(pixel, raw, header) or pixel is None or pixel.offset > len(first):
        return None
    spans = short_vr_spans(first, pixel.offset)
    if spans is None:
        return None
    mask = bytearray(b"\xff" * pixel.offset)
    mask[:128] = bytes(128)
    places: dict[int, tuple[int, int]] = {}
    for tag, start, stop in spans:
        if tag in _VARYING or tag not in tags.HEADER_TAGS:
            mask[start:stop] = bytes(stop - start)
        if tag in _VARYING:
            places[tag] = (start, stop)
    if tags.SOP_INSTANCE_UID not in places or tags.IMAGE_POSITION_PATIENT not in places:
        return None
    value = int.from_bytes(first[: pixel.offset], "little")
    return _Template(pixel.offset, value, int.from_bytes(mask, "little"), places, header)


def _is_plain(pixel: PixelElement | None, raw: RawFile, header: FileHeader) -> bool:
    fmt = header.instance.pixel_format
    return (
        pixel is not None
        and pixel.length is not None
        and pixel.offset <= FIRST_READ
        and raw.has_preamble
        and raw.inflated is None
        and raw.transfer_syntax_uid == "1.2.840.10008.1.2.1"
        and fmt is not None
        and fmt.frames == 1
        and header.instance.frames[0].plane is not None
    )


def _filled(template: _Template, first: bytes, locator: str) -> FileHeader | None:
    spans = template.spans
    base = template.header
    start, stop = spans[tags.IMAGE_POSITION_PATIENT]
    position = decimals(first[start:stop])
    start, stop = spans[tags.SOP_INSTANCE_UID]
    uid = ascii_of(first[start:stop])
    if position is None or len(position) != 3 or not uid or "\\" in uid:
        return None
    frame = base.instance.frames[0]
    number, location = base.instance.instance_number, base.instance.slice_location_mm
    if tags.INSTANCE_NUMBER in spans:
        start, stop = spans[tags.INSTANCE_NUMBER]
        found = decimals(first[start:stop])
        if not found or abs(found[0]) >= 2**53:
            return None
        number = int(found[0])
    if tags.SLICE_LOCATION in spans:
        start, stop = spans[tags.SLICE_LOCATION]
        found = decimals(first[start:stop])
        location = found[0] if found else None
    acquired, content = base.instance.acquisition_datetime, base.instance.content_datetime
    exposure = base.instance.exposure_mas
    for tag, (start, stop) in spans.items():
        raw = first[start:stop]
        if tag == tags.ACQUISITION_DATETIME:
            acquired = ascii_of(raw).split("\\")[0].strip()
            if not acquired:
                return None
        elif tag == tags.ACQUISITION_TIME and tags.ACQUISITION_DATETIME not in spans:
            acquired = date_and_time(acquired[:8], ascii_of(raw))
        elif tag == tags.CONTENT_TIME:
            content = date_and_time(content[:8], ascii_of(raw))
        elif tag == tags.EXPOSURE:
            found = decimals(raw)
            exposure = found[0] if found else None
    instance = _changed(
        base.instance,
        acquisition_datetime=acquired,
        content_datetime=content,
        exposure_mas=exposure,
        sop_instance_uid=uid,
        locator=locator,
        instance_number=number,
        slice_location_mm=location,
        frames=(_changed(frame, plane=_changed(frame.plane, origin_mm=position)),),
    )
    return _changed(base, instance=instance)

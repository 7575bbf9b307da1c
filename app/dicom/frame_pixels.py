"""One decoded frame ready to be shown and measured: modality values or RGB, with its windows, padding and overlays."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.dicom import tags
from app.dicom.colour import profile_state, to_rgb
from app.dicom.frame_decoder import stored_frame
from app.dicom.frame_loader import apply_lut, rescale_in_place
from app.dicom.header import read_raw_of
from app.dicom.luts import PALETTE_TAGS, lut_from_item
from app.dicom.one_value import all_alike
from app.dicom.overlays import OVERLAY_TAGS, overlays_by_group
from app.dicom.padding import padding_mask
from app.dicom.raw_items import RawDataset
from app.dicom.real_world import FUNCTIONAL_GROUPS, MAPPING_SEQUENCE, maps_of_header, maps_only
from app.dicom.values import code
from app.domain.pixels import FramePixels, Lut, ModalityTransform, PixelFormat
from app.domain.ports import ByteSource
from app.domain.problem import fail
from app.domain.study import FrameHeader, Instance

Array = npt.NDArray[np.generic]

_WANTED = (
    PALETTE_TAGS
    | OVERLAY_TAGS
    | FUNCTIONAL_GROUPS
    | {tags.VOI_LUT_SEQUENCE, tags.ICC_PROFILE, tags.PRESENTATION_LUT_SHAPE, tags.SPECIFIC_CHARACTER_SET, MAPPING_SEQUENCE}
)
_KEPT = 64


class _Attributes:
    """What the pixels of the last instances need beside their header."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: OrderedDict[tuple[str, int], RawDataset] = OrderedDict()

    def of(self, instance: Instance, source: ByteSource) -> RawDataset:
        key = (instance.locator, instance.size_bytes)
        with self._lock:
            found = self._items.get(key)
            if found is not None:
                self._items.move_to_end(key)
                return found
        dataset = read_raw_of(instance, source, _WANTED).dataset
        maps_only(dataset)
        with self._lock:
            self._items[key] = dataset
            while len(self._items) > _KEPT:
                self._items.popitem(last=False)
        return dataset


_attributes = _Attributes()


def frame_pixels(instance: Instance, frame: int, source: ByteSource) -> FramePixels:
    """Modality values (rows, columns) or RGB (rows, columns, 3) uint8. Raises ``ProblemError``."""
    fmt = instance.pixel_format
    if fmt is None:
        raise fail("dicom.no_pixels")
    stored = stored_frame(instance, frame, source)
    alike = all_alike(stored)
    dataset = _attributes.of(instance, source)
    planes = overlays_by_group(dataset, fmt, frame, lambda: _with_unused_bits(instance, frame, source))
    overlays, groups = tuple(m for _, m in planes), tuple(g for g, _ in planes)
    if fmt.is_colour:
        shown = to_rgb(stored, instance, fmt, dataset, frame, source)
        return FramePixels(
            shown, overlays=overlays, overlay_groups=groups, colour_state=profile_state(dataset), one_value=alike
        )
    if stored.ndim == 3:
        raise fail("dicom.colour_unsupported", kept_safe="kept.original", name=fmt.photometric_interpretation)
    header = instance.frames[frame]
    padding = padding_mask(stored, instance)
    return FramePixels(
        values=modality_values(stored, header.modality_transform, fmt, in_place=True),
        unit=header.modality_transform.unit,
        windows=header.windows,
        voi_lut=_voi_lut(dataset, fmt, header),
        inverse=fmt.photometric_interpretation == "MONOCHROME1" or code(dataset, tags.PRESENTATION_LUT_SHAPE) == "INVERSE",
        padding=padding,
        overlays=overlays,
        overlay_groups=groups,
        real_world=maps_of_header(dataset, header.modality_transform, frame, fmt.signed),
        one_value=alike,
    )


def modality_values(stored: Array, transform: ModalityTransform, fmt: PixelFormat, in_place: bool = False) -> Array:
    """int16 or int32 where slope and intercept are whole numbers, uint16 behind a LUT, float32 otherwise.

    ``in_place``: ``stored`` may become the result where its width allows it; a film is tens of megabytes.
    """
    if transform.lut is not None:
        return apply_lut(stored, transform.lut)
    whole = float(transform.slope).is_integer() and float(transform.intercept).is_integer()
    if stored.dtype.kind == "f" or not whole or stored.dtype.itemsize > 4:
        out: Array = np.empty(stored.shape, np.float32)
        rescale_in_place(stored, out, transform)
        return out
    low, high = (-(1 << (fmt.bits_stored - 1)), 1 << (fmt.bits_stored - 1)) if fmt.signed else (0, 1 << fmt.bits_stored)
    if not _fits(low, high - 1, transform, 15):
        low, high = int(stored.min()), int(stored.max()) + 1
    if _fits(low, high - 1, transform, 15):
        reused = in_place and stored.dtype.itemsize == 2 and stored.flags.writeable
        out = stored.view(np.int16) if reused else np.empty(stored.shape, np.int16)
    elif _fits(low, high - 1, transform, 31):
        out = np.empty(stored.shape, np.int32)
    else:
        out = np.empty(stored.shape, np.float32)
    rescale_in_place(stored, out, transform)
    return out


def _fits(low: int, high: int, transform: ModalityTransform, bits: int) -> bool:
    ends = sorted(int(transform.slope) * v + int(transform.intercept) for v in (low, high))
    return -(1 << bits) <= ends[0] and ends[1] < 1 << bits


def _voi_lut(dataset: RawDataset, fmt: PixelFormat, header: FrameHeader) -> Lut | None:
    item = dataset.first(tags.VOI_LUT_SEQUENCE)
    if item is None:
        return None
    # PS3.3 C.11.2.1.1: the first value mapped is signed when the input of the LUT can be below zero.
    transform = header.modality_transform
    signed = transform.lut is None and (fmt.signed or transform.intercept < 0)
    return lut_from_item(item, signed)


def _with_unused_bits(instance: Instance, frame: int, source: ByteSource) -> Array | None:
    """The frame with all allocated bits, for overlays that live above the stored ones."""
    fmt = instance.pixel_format
    if fmt is None or fmt.pixel_keyword != "PixelData":
        return None
    whole = replace(fmt, bits_stored=fmt.bits_allocated, high_bit=fmt.bits_allocated - 1, signed=False)
    return stored_frame(replace(instance, pixel_format=whole), frame, source)

"""One frame of an instance to its stored values, exactly as the object holds them.

Stored values: unused bits masked, the sign extended, colour as decoded with samples last, dtype by Bits Allocated and Pixel
Representation. A short, cut or empty stream is an error, never a picture.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.dicom import tags
from app.dicom.codecs.registry import decode_stream
from app.dicom.codecs.stream_info import jpeg_info
from app.dicom.codecs.video import VideoAbout, video_decoder
from app.dicom.component_collections import PART_2, collections_of, component_collections
from app.dicom.fragments import FrameIndex, index_frames, join, truncated
from app.dicom.header import fetch_from_bytes, read_raw_at, read_raw_of
from app.dicom.native_pixels import clean_bits, frame_shape, native_frame, stored_dtype, swaps_pairs
from app.dicom.pixel_description import stored_bits_per_frame
from app.dicom.raw_header import Fetch
from app.dicom.raw_items import RawFile
from app.dicom.transfer_syntaxes import is_native, is_video, syntax_of
from app.domain.pixels import PixelFormat
from app.domain.ports import ByteSource, FillingSource
from app.domain.problem import ProblemError, fail
from app.domain.study import Instance

Array = npt.NDArray[np.generic]

_INDEX_TAGS = frozenset({tags.EXTENDED_OFFSET_TABLE, tags.EXTENDED_OFFSET_TABLE_LENGTHS})
_WHOLE_FILE = 8 << 20
"""Encapsulated files up to this size are read at once: one read is cheaper than three."""


@dataclass(frozen=True)
class _Opened:
    """What must be known of a file before its frames can be cut out."""

    raw: RawFile
    index: FrameIndex | None
    size: int


class _Recent:
    """The last opened files' indices; a cine asks for the same one a thousand times."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._items: OrderedDict[tuple[str, int], _Opened] = OrderedDict()

    def get(self, key: tuple[str, int]) -> _Opened | None:
        with self._lock:
            found = self._items.get(key)
            if found is not None:
                self._items.move_to_end(key)
            return found

    def put(self, key: tuple[str, int], opened: _Opened) -> None:
        with self._lock:
            self._items[key] = opened
            while len(self._items) > self._limit:
                self._items.popitem(last=False)


_recent = _Recent(8)


def stored_frame(instance: Instance, frame: int, source: ByteSource) -> Array:
    """Stored values of one frame, (rows, columns[, samples]). Raises ``ProblemError`` with the reason."""
    fmt = _format(instance)
    if not 0 <= frame < fmt.frames:
        raise fail("dicom.no_such_frame", frame=frame + 1, frames=fmt.frames)
    if is_native(instance.transfer_syntax_uid):
        return _native(instance, fmt, frame, source)
    if is_video(instance.transfer_syntax_uid):
        return video_decoder.frame(_video_key(instance), *_video_bytes(instance, source), frame, fmt)
    if instance.transfer_syntax_uid in PART_2 and fmt.frames > 1 and fmt.samples_per_pixel == 1:
        found = _component(instance, fmt, frame, source)
        if found is not None:
            return found
    stream = encapsulated_stream(instance, frame, source)
    return decode_stream(stream, fmt, instance.transfer_syntax_uid)


def stored_pixels(instance: Instance, source: ByteSource) -> Array:
    """All frames, (frames, rows, columns[, samples])."""
    fmt = _format(instance)
    first = stored_frame(instance, 0, source)
    if fmt.frames == 1:
        return first[np.newaxis]
    try:
        out = np.empty((fmt.frames, *first.shape), first.dtype)
    except MemoryError as error:
        raise fail("dicom.too_large", kept_safe="kept.original") from error
    out[0] = first
    for n in range(1, fmt.frames):
        found = stored_frame(instance, n, source)
        if found.shape != first.shape:
            raise fail("dicom.frames_differ", kept_safe="kept.original", frame=n + 1)
        out[n] = found
    return out


def fragment_note(instance: Instance, source: ByteSource) -> str:
    """Message id of what had to be mended to find the frames of an encapsulated object; empty when nothing."""
    if instance.pixel_format is None or is_native(instance.transfer_syntax_uid):
        return ""
    opened = _open(instance, source)
    note = opened.index.note if opened.index is not None else ""
    if not note and is_video(instance.transfer_syntax_uid):
        about = video_about(instance, source)
        note = "dicom.repaired.video_longer" if about.frames > instance.pixel_format.frames else ""
    if not note and any(_has_trailing_bytes(instance, n, source) for n in {0, instance.pixel_format.frames - 1}):
        note = "dicom.repaired.trailing_bytes"
    return note


def _has_trailing_bytes(instance: Instance, frame: int, source: ByteSource) -> bool:
    syntax = syntax_of(instance.transfer_syntax_uid)
    if syntax is None or syntax.codec not in ("jpeg", "jpegls"):
        return False
    try:
        return jpeg_info(encapsulated_stream(instance, frame, source)).end > 0
    except ProblemError:
        return False  # of a frame that does not open this is not the news


def _component(instance: Instance, fmt: PixelFormat, frame: int, source: ByteSource) -> Array | None:
    """A frame out of a codestream that holds several; None where every frame has its own."""
    opened = _open(instance, source)
    if opened.index is None or len(opened.index.frames) == fmt.frames:
        return None

    def fetch(offset: int, length: int) -> bytes:
        return source.read_range(instance.locator, offset, length)

    places = tuple(p for pieces in opened.index.frames for p in pieces)
    streams = tuple(lambda pieces=pieces: join(fetch, opened.size, pieces) for pieces in collections_of(places, fetch))
    return component_collections.frame(_video_key(instance), frame, fmt, streams)


def video_about(instance: Instance, source: ByteSource) -> VideoAbout:
    """What a video's own stream says: frames, size, range and matrix of its colours. Raises ``ProblemError``."""
    return video_decoder.about(_video_key(instance), *_video_bytes(instance, source))


def release_videos() -> None:
    """Lets go of every video that its process holds, and of the process; the next frame asked for starts it again."""
    video_decoder.close()


def _video_key(instance: Instance) -> str:
    return f"{instance.locator}|{instance.size_bytes}|{instance.sop_instance_uid}"


_PIECE = 4 << 20


def _video_bytes(instance: Instance, source: ByteSource) -> tuple[int, Callable[[], Iterator[bytes]]]:
    """Length of the stream and what reads it piece by piece; all fragments make one stream (PS3.5 A.4, 8.2.5)."""
    opened = _open(instance, source)
    if opened.index is None:
        raise fail("dicom.no_fragments", kept_safe="kept.original", next_step="dicom.next.ask_again")
    places = opened.index.frames[0]
    if any(o + n > opened.size for o, n in places):
        raise truncated()

    def pieces() -> Iterator[bytes]:
        for offset, length in places:
            for at in range(offset, offset + length, _PIECE):
                want = min(_PIECE, offset + length - at)
                found = source.read_range(instance.locator, at, want)
                if len(found) < want:
                    raise truncated()
                yield found

    return sum(n for _, n in places), pieces


def _format(instance: Instance) -> PixelFormat:
    if instance.pixel_format is None:
        raise fail("dicom.no_pixels")
    return instance.pixel_format


def _native(instance: Instance, fmt: PixelFormat, frame: int, source: ByteSource) -> Array:
    bits = stored_bits_per_frame(fmt)
    length = (bits + 7) // 8
    plain = instance.transfer_syntax_uid in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
    if plain and instance.pixel_data_offset is not None and bits % 8 == 0 and fmt.bits_allocated % 8 == 0:
        if fmt.samples_per_pixel == 1 and isinstance(source, FillingSource) and sys.byteorder == "little":
            dtype = stored_dtype(fmt)
            if dtype.itemsize * 8 == fmt.bits_allocated:
                values: Array = np.empty((fmt.rows, fmt.columns), dtype)
                offset = instance.pixel_data_offset + frame * length
                if source.read_into(instance.locator, offset, memoryview(values.data).cast("B")) < length:
                    raise truncated()
                return clean_bits(values, fmt)
        raw = source.read_range(instance.locator, instance.pixel_data_offset + frame * length, length)
        if len(raw) < length:
            raise truncated()
        return native_frame(raw, fmt, 0, True, "")
    opened = _open(instance, source)
    pixel = opened.raw.pixel
    if pixel is None or pixel.length is None:
        raise fail("dicom.pixels_missing", kept_safe="kept.original")
    packed = fmt.bits_allocated % 8 != 0 or swaps_pairs(fmt, opened.raw.dataset.little, pixel.vr)
    start, count = (0, pixel.length) if packed else (frame * length, length)
    if opened.raw.inflated is not None:
        raw = opened.raw.inflated[pixel.offset + start : pixel.offset + start + count]
    else:
        raw = source.read_range(instance.locator, pixel.offset + start, count)
    if len(raw) < count or (packed and len(raw) * 8 < bits * fmt.frames):
        raise truncated()
    return native_frame(raw, fmt, frame if packed else 0, opened.raw.dataset.little, pixel.vr)


def encapsulated_stream(instance: Instance, frame: int, source: ByteSource) -> bytes:
    """The codec's own bytes of one frame."""
    fmt = _format(instance)
    if fmt.frames == 1 and instance.size_bytes <= _WHOLE_FILE:
        data = source.read(instance.locator)
        opened = _opened_from(data, instance)
        fetch: Fetch = fetch_from_bytes(data)
    else:
        opened = _open(instance, source)

        def fetch(offset: int, length: int) -> bytes:
            return source.read_range(instance.locator, offset, length)

    if opened.index is None or frame >= len(opened.index.frames):
        # The second: the file changed under the same name and size since its index was made.
        raise fail("dicom.no_fragments", kept_safe="kept.original", next_step="dicom.next.ask_again")
    return join(fetch, opened.size, opened.index.frames[frame])


class _BytesSource:
    """One object's bytes as a source, so that one read serves header and pixels."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, locator: str) -> bytes:
        del locator
        return self._data

    def read_range(self, locator: str, offset: int, length: int) -> bytes:
        del locator
        return self._data[offset : offset + length]

    def plain_path(self, locator: str) -> None:
        del locator


def _opened_from(data: bytes, instance: Instance) -> _Opened:
    raw, _ = read_raw_at(instance.locator, _BytesSource(data), _INDEX_TAGS)
    return _Opened(raw, _index(raw, instance, fetch_from_bytes(data), len(data)), len(data))


def _open(instance: Instance, source: ByteSource) -> _Opened:
    key = (instance.locator, instance.size_bytes)
    found = _recent.get(key)
    if found is not None:
        return found
    raw = read_raw_of(instance, source, _INDEX_TAGS)
    size = instance.size_bytes

    def fetch(offset: int, length: int) -> bytes:
        return source.read_range(instance.locator, offset, length)

    opened = _Opened(raw, _index(raw, instance, fetch, size), size)
    _recent.put(key, opened)
    return opened


def _index(raw: RawFile, instance: Instance, fetch: Fetch, size: int) -> FrameIndex | None:
    pixel = raw.pixel
    if pixel is None or raw.inflated is not None or (pixel.length is not None and is_native(raw.transfer_syntax_uid)):
        return None
    if is_video(instance.transfer_syntax_uid):
        return index_frames(fetch, size, pixel.offset, 1)
    if instance.transfer_syntax_uid in PART_2 and _format(instance).frames > 1:
        whole = index_frames(fetch, size, pixel.offset, 1)
        # Fewer fragments than frames: they hold several frames each.
        return whole if len(whole.frames[0]) < _format(instance).frames else _by_frames(raw, instance, fetch, size)
    return _by_frames(raw, instance, fetch, size)


def _by_frames(raw: RawFile, instance: Instance, fetch: Fetch, size: int) -> FrameIndex:
    assert raw.pixel is not None
    pixel = raw.pixel
    offsets, lengths = raw.dataset.raw(tags.EXTENDED_OFFSET_TABLE), raw.dataset.raw(tags.EXTENDED_OFFSET_TABLE_LENGTHS)
    extended = None
    if offsets and lengths:
        extended = (_longs(offsets), _longs(lengths))
    return index_frames(fetch, size, pixel.offset, _format(instance).frames, extended)


def _longs(raw: bytes) -> tuple[int, ...]:
    return tuple(int(v) for v in np.frombuffer(raw[: len(raw) // 8 * 8], "<u8"))


__all__ = ["encapsulated_stream", "frame_shape", "stored_dtype", "stored_frame", "stored_pixels"]

"""What can be repaired in a refused file without making anything up, and the copy in which it is.

Three things are feasible: bytes in front of the file go, a transfer syntax that the stream itself contradicts is stated
anew, and of a cut multi-frame object the frames that are whole are kept. The copy is an object of its own (new numbers,
DERIVED, a reference to its source) in a series of its own, and is opened frame by frame before anybody gets it.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.dicom.codecs.stream_info import jpeg2000_info, jpeg_info
from app.dicom.data_set import data_set
from app.dicom.frame_decoder import stored_frame
from app.dicom.header import read_header
from app.dicom.tag_tree import Fetch, TagElement, TagTree, read_tree
from app.dicom.tags import PIXEL_DATA
from app.dicom.transfer_syntaxes import is_native, name_of, syntax_of
from app.domain.identity import uid_for
from app.domain.ports import Cancelled, Progress
from app.domain.problem import ProblemError, fail

LEAD, SYNTAX, FRAMES = "lead", "syntax", "frames"
_EXPLICIT, _IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
_RLE: Final = "1.2.840.10008.1.2.5"
_LEAD_SOUGHT = 1 << 16
_ROWS, _COLUMNS, _SAMPLES, _ALLOCATED, _FRAMES = 0x00280010, 0x00280011, 0x00280002, 0x00280100, 0x00280008
_TRANSFER_SYNTAX, _META_LENGTH = 0x00020010, 0x00020000
_JPEG = {0: "4.50", 1: "4.51", 2: "4.55", 3: "4.57"}
_OF_THE_WHOLE = (
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("DigitalSignaturesSequence", "MACParametersSequence"),
)
"""Places of frames that are gone, and signatures that would be wrong."""
_OF_CUT = frozenset({"dicom.truncated", "dicom.frames_unclear", "dicom.pixels_short"})
_OF_SYNTAX = frozenset(
    {"dicom.stream_broken", "dicom.pixels_missing", "dicom.no_fragments", "dicom.transfer_syntax_unsupported"}
)


@dataclass(frozen=True)
class Repair:
    """``params`` for the sentence ``repair.<kind>``."""

    kind: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    syntax_uid: str = ""
    """Of ``SYNTAX``: what the file should state."""


def repair_of(code: str, tree: TagTree, fetch: Fetch) -> Repair | None:
    """What can be offered for a file that was refused with ``code``; None where nothing may be made up. Reads little."""
    if code == "dicom.not_dicom":
        at = _lead(fetch(0, _LEAD_SOUGHT))
        return Repair(LEAD, {"n": abs(at)}) if at else None
    pixels = next((e for e in tree.roots if e.tag == PIXEL_DATA), None)
    if pixels is None or tree.inflated:
        return None
    if code in _OF_CUT:
        whole, stated = _whole_frames(tree, pixels, fetch), _number(tree, _FRAMES, 1)
        return Repair(FRAMES, {"frames": whole, "of": stated}) if 0 < whole <= stated and stated > 1 else None
    uid = _syntax(tree, pixels, fetch) if code in _OF_SYNTAX else ""
    return Repair(SYNTAX, {"name": name_of(uid)}, uid) if uid and uid != tree.transfer_syntax_uid else None


def _lead(head: bytes) -> int:
    """How many bytes stand in front of the file; negative: so many of its preamble are missing; 0: neither."""
    at = head.find(b"DICM")
    return at - 128 if at >= 0 and at != 128 and head[at + 4 : at + 6] == b"\x02\x00" else 0


def _number(tree: TagTree, tag: int, default: int) -> int:
    element = next((e for e in tree.roots if e.tag == tag), None)
    raw = tree.raw(element, 0, 16) if element is not None else b""
    if element is None or not raw:
        return default
    if element.vr == "US" and len(raw) == 2:
        return int.from_bytes(raw, "little" if element.little else "big")
    try:
        return int(raw.strip(b"\0 "))
    except ValueError:
        return default


def _frame_bytes(tree: TagTree) -> int:
    bits = _number(tree, _ALLOCATED, 0)
    return (
        _number(tree, _ROWS, 0) * _number(tree, _COLUMNS, 0) * _number(tree, _SAMPLES, 1) * bits // 8 if bits % 8 == 0 else 0
    )


def _whole_frames(tree: TagTree, pixels: TagElement, fetch: Fetch) -> int:
    if pixels.length is not None:
        size = _frame_bytes(tree)
        return pixels.available // size if size and is_native(tree.transfer_syntax_uid) else 0
    whole = _whole_fragments(pixels)
    by_start = tree.transfer_syntax_uid == _RLE or all(_starts(fetch(f.value_offset, 8)) for f in whole)
    return len(whole) if by_start else 0


def _whole_fragments(pixels: TagElement) -> list[TagElement]:
    """Without the offset table; one that is cut is none."""
    return [f for f in pixels.children[1:] if f.length is not None and f.available == f.length and f.available]


def _starts(head: bytes) -> bool:
    """A stream of its own begins: one fragment a frame."""
    return head[:3] == b"\xff\xd8\xff" or head[:4] == b"\xff\x4f\xff\x51" or head[:2] == b"\xff\x0a"


def _syntax(tree: TagTree, pixels: TagElement, fetch: Fetch) -> str:
    """What the first stream, or the plain length of the pixels, says; empty where that is not beyond doubt."""
    if pixels.length is None:
        first = next(iter(_whole_fragments(pixels)), None)
        return _syntax_of_stream(fetch(first.value_offset, first.available)) if first is not None else ""
    stated = syntax_of(tree.transfer_syntax_uid)
    if stated is None or stated.codec == "native":
        return ""  # of a maker's own syntax nobody knows the order of the bytes
    wanted = _frame_bytes(tree) * _number(tree, _FRAMES, 1)
    if not wanted or pixels.available - wanted not in (0, 1) or pixels.available != pixels.length:
        return ""
    body = [e for e in tree.roots if e.tag >> 16 != 2]
    return _EXPLICIT if all(e.written_vr for e in body) else _IMPLICIT


def _syntax_of_stream(stream: bytes) -> str:
    prefix = "1.2.840.10008.1.2."
    try:
        if stream[:3] == b"\xff\xd8\xff":
            info = jpeg_info(stream)
            if info.kind == "jpegls":
                return prefix + ("4.81" if _near(stream) else "4.80")
            return prefix + _JPEG[info.process] if info.process in _JPEG else ""
        if stream[:4] == b"\xff\x4f\xff\x51":
            info = jpeg2000_info(stream)
            if info.high_throughput:
                return prefix + ("4.201" if info.reversible else "4.203")
            return prefix + ("4.90" if info.reversible else "4.91")
    except ProblemError:
        return ""
    return ""


def _near(stream: bytes) -> int:
    """NEAR of the first scan header (ISO 14495-1 C.2.3)."""
    at = stream.find(b"\xff\xda")
    parts = stream[at + 4] if 0 <= at < len(stream) - 5 else 0
    where = at + 5 + 2 * parts
    return stream[where] if parts and where < len(stream) else 0


# -- the copy ------------------------------------------------------------------------------------------------------


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, locator: str) -> bytes:
        return self._data

    def read_range(self, locator: str, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def plain_path(self, locator: str) -> None:
        return None


def repaired_copy(data: bytes, repair: Repair, progress: Progress) -> bytes:
    """A whole object in which ``repair`` is done. Raises ``repair.failed`` when it does not open to its last frame, and
    ``Cancelled``. The same bytes give the same copy."""
    tree = read_tree(lambda offset, length: data[offset : offset + length], len(data))
    made = _copied(data, tree, repair)
    source = _Bytes(made)
    try:
        instance = read_header("repair:", source).instance
        frames = len(instance.frames) if instance.pixel_format is not None else 0
        for n in range(frames):
            if progress.cancelled():
                raise Cancelled
            progress.report(n / frames, "explorer.stage.repair")
            stored_frame(instance, n, source)
    except ProblemError as error:
        raise _failed() from error
    return made


def _failed() -> ProblemError:
    return fail("repair.failed", kept_safe="kept.original")


def _copied(data: bytes, tree: TagTree, repair: Repair) -> bytes:
    from pydicom.errors import InvalidDicomError

    fixed = data
    if repair.kind == LEAD:
        at = _lead(data[:_LEAD_SOUGHT])
        fixed = data[at:] if at > 0 else bytes(-at) + data
    elif repair.kind == SYNTAX:
        fixed = _stating(data, tree, repair.syntax_uid)
    try:
        ds = data_set(fixed, stop_before_pixels=repair.kind == FRAMES)
        if repair.kind == FRAMES:
            _keep_frames(ds, data, tree, int(repair.params["frames"]))
        _name(ds, hashlib.sha256(data).hexdigest(), repair)
        out = io.BytesIO()
        ds.save_as(out, enforce_file_format=True)
    except (InvalidDicomError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError, OSError) as error:
        raise _failed() from error
    return out.getvalue()


def _stating(data: bytes, tree: TagTree, uid: str) -> bytes:
    """The same bytes with another transfer syntax in the file meta information."""
    element = next((e for e in tree.roots if e.tag == _TRANSFER_SYNTAX), None)
    if element is None:
        raise _failed()
    value = uid.encode() + b"\0" * (len(uid) % 2)
    start, end = element.value_offset, element.value_offset + element.available
    made = bytearray(data[: start - 2] + len(value).to_bytes(2, "little") + value + data[end:])
    length = next((e for e in tree.roots if e.tag == _META_LENGTH and e.available == 4), None)
    if length is not None:
        old = int.from_bytes(data[length.value_offset : length.value_offset + 4], "little")
        made[length.value_offset : length.value_offset + 4] = (old + len(value) - (end - start)).to_bytes(4, "little")
    return bytes(made)


def _keep_frames(ds: Any, data: bytes, tree: TagTree, frames: int) -> None:
    from pydicom.datadict import keyword_for_tag
    from pydicom.encaps import encapsulate

    pixels = next(e for e in tree.roots if e.tag == PIXEL_DATA)
    if pixels.length is not None:
        body = data[pixels.value_offset : pixels.value_offset + frames * _frame_bytes(tree)]
        ds.PixelData = body + b"\0" * (len(body) % 2)
        ds["PixelData"].VR = pixels.vr if pixels.vr in ("OB", "OW") else "OW"
    else:
        streams = [data[f.value_offset : f.value_offset + f.available] for f in _whole_fragments(pixels)[:frames]]
        ds.PixelData = encapsulate(streams)
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    stated = int(ds.get("NumberOfFrames", 1) or 1)
    ds.NumberOfFrames = frames
    for name in _OF_THE_WHOLE:
        if name in ds:
            delattr(ds, name)
    per_frame = ds.get("PerFrameFunctionalGroupsSequence")
    if per_frame is not None and len(per_frame) == stated:
        ds.PerFrameFunctionalGroupsSequence = list(per_frame)[:frames]
    for tag in list(ds.keys()):
        if keyword_for_tag(tag).endswith("Vector") and stated == ds[tag].VM:
            ds[tag].value = list(ds[tag].value)[:frames]
        elif tag.group & 0xFF01 == 0x6000 and tag.element == 0x0015:
            _keep_overlays(ds, tag.group, stated, frames)


def _keep_overlays(ds: Any, group: int, stated: int, frames: int) -> None:
    """An overlay with a plane for each frame (PS3.3 C.9.3): of the planes, packed in bits, as many as frames."""
    count, first = ds[group, 0x0015], ds.get((group, 0x0051))
    if int(count.value or 0) != stated or (first is not None and first.value not in (None, 1)):
        return
    count.value = frames
    if (group, 0x3000) in ds:
        bits = int(ds[group, 0x0010].value) * int(ds[group, 0x0011].value) * frames
        body = ds[group, 0x3000].value[: -(-bits // 16) * 2]
        ds[group, 0x3000].value = body


def _name(ds: Any, digest: str, repair: Repair) -> None:
    """Numbers of its own, and what it was made of: the source is never passed off as whole."""
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.SourceImageSequence = [item]
    ds.SOPInstanceUID = uid_for("repaired", digest, repair.kind)
    ds.SeriesInstanceUID = uid_for("repaired", str(ds.SeriesInstanceUID))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    kinds = list(ds.get("ImageType", None) or ["ORIGINAL", "PRIMARY"])
    ds.ImageType = ["DERIVED", *kinds[1:]]
    said = {
        LEAD: "Bytes in front of the file removed",
        SYNTAX: "Transfer syntax stated by the stream",
        FRAMES: f"First {repair.params.get('frames')} of {repair.params.get('of')} frames of a cut object",
    }[repair.kind]
    ds.DerivationDescription = said
    ds.SeriesDescription = f"{str(ds.get('SeriesDescription', '') or '')[:40]} (repaired copy)".strip()

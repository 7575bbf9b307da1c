"""A :class:`ReadResult` as bytes and back. The same content is always the same bytes; the time a run took is not content.

Layout: magic, length of the header, header (canonical JSON, floats rounded), then each array as one zstd frame (masks as
bits). Before it is sealed it is padded to a power of two, so that the size of the sealed result does not tell whether
anything was found.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import zstandard

from app.ai.plain import PlainError, canonical_json, from_plain, strict_json, to_plain
from app.domain.finding import Finding, Heatmap, ReaderIdentity, ReadResult, ReadState, SegmentMask
from app.domain.geometry import VolumeGeometry
from app.domain.measurement import Code
from app.domain.problem import Problem, fail
from app.domain.teeth import NumberedTooth

MAGIC = b"EKREAD1\n"
DIGITS = 4
"""Decimals of scores, probabilities, millimetres and other values."""
_GEOMETRY_DIGITS = 9
_SMALLEST_PADDED_BYTES = 1 << 20
_ARRAY_LIMIT_BYTES = 4 << 30
_HEADER_LIMIT_BYTES = 64 << 20


def encode_result(result: ReadResult) -> bytes:
    """``seconds`` is left out: it belongs to the envelope."""
    blobs: list[bytes] = []
    header: dict[str, Any] = {
        "reader": to_plain(result.reader),
        "study_instance_uid": result.study_instance_uid,
        "display_set_id": result.display_set_id,
        "state": result.state.value,
        "findings": to_plain(result.findings, DIGITS),
        "problems": to_plain(result.problems, DIGITS),
        "measurements": to_plain(result.measurements, DIGITS),
        "teeth": to_plain(result.teeth, DIGITS),
        "heatmaps": [_heatmap_header(h, blobs) for h in result.heatmaps],
        "masks": [_mask_header(m, blobs) for m in result.masks],
    }
    text = canonical_json(header)
    return b"".join([MAGIC, struct.pack("<Q", len(text)), text, *(struct.pack("<Q", len(b)) + b for b in blobs)])


def decode_result(data: bytes, seconds: float = 0.0) -> ReadResult:
    """The inverse; ``data`` may be padded. Raises ``ProblemError`` ``ai.result.damaged``."""
    try:
        body = memoryview(data)
        if bytes(body[: len(MAGIC)]) != MAGIC:
            raise PlainError("magic")
        position = len(MAGIC)
        (length,) = struct.unpack_from("<Q", body, position)
        if length > _HEADER_LIMIT_BYTES:
            raise PlainError("header")
        position += 8
        header = strict_json(bytes(body[position : position + length]))
        position += length
        blobs: list[bytes] = []
        for _ in [*header["heatmaps"], *header["masks"]]:
            (size,) = struct.unpack_from("<Q", body, position)
            position += 8
            if position + size > len(body):
                raise PlainError("array")
            blobs.append(bytes(body[position : position + size]))
            position += size
        return _result(header, blobs, seconds)
    except (PlainError, KeyError, TypeError, ValueError, struct.error, zstandard.ZstdError) as error:
        raise fail("ai.result.damaged") from error


def padded(content: bytes) -> bytes:
    """Zeros behind, up to the next power of two (at least 1 MiB)."""
    size = max(_SMALLEST_PADDED_BYTES, 1 << (len(content) - 1).bit_length())
    return content + bytes(size - len(content))


def _heatmap_header(heatmap: Heatmap, blobs: list[bytes]) -> dict[str, Any]:
    values = np.ascontiguousarray(heatmap.values, np.dtype("<f2"))
    if not np.isfinite(values).all():
        raise fail("ai.run.output_not_finite", network="heatmap")
    blobs.append(_packed(values.tobytes()))
    return {
        "code": to_plain(heatmap.code),
        "shape": list(values.shape),
        "geometry": to_plain(heatmap.geometry, _GEOMETRY_DIGITS),
        "sop_instance_uid": heatmap.sop_instance_uid,
        "is_probability": heatmap.is_probability,
    }


def _mask_header(mask: SegmentMask, blobs: list[bytes]) -> dict[str, Any]:
    blobs.append(_packed(np.packbits(np.ascontiguousarray(mask.values, np.bool_)).tobytes()))
    return {
        "finding_id": mask.finding_id,
        "shape": list(mask.values.shape),
        "geometry": to_plain(mask.geometry, _GEOMETRY_DIGITS),
        "sop_instance_uid": mask.sop_instance_uid,
    }


def _packed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3, write_content_size=True).compress(data)


def _unpacked(blob: bytes, size: int) -> bytes:
    if not 0 <= size <= _ARRAY_LIMIT_BYTES or zstandard.frame_content_size(blob) != size:
        raise PlainError("array size")
    return zstandard.ZstdDecompressor().decompress(blob)


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= 3 or any(type(n) is not int or n < 1 for n in value):
        raise PlainError("array shape")
    return tuple(value)


def _geometry(value: Any) -> VolumeGeometry | None:
    return None if value is None else from_plain(VolumeGeometry, value)


def _result(header: dict[str, Any], blobs: Sequence[bytes], seconds: float) -> ReadResult:
    heatmaps = []
    for plain, blob in zip(header["heatmaps"], blobs, strict=False):
        shape = _shape(plain["shape"])
        values: npt.NDArray[np.float16] = np.frombuffer(_unpacked(blob, math.prod(shape) * 2), "<f2").reshape(shape)
        code = from_plain(Code, plain["code"])
        geometry = _geometry(plain["geometry"])
        heatmaps.append(Heatmap(code, values, geometry, plain["sop_instance_uid"], plain["is_probability"]))
    masks = []
    for plain, blob in zip(header["masks"], blobs[len(heatmaps) :], strict=True):
        shape = _shape(plain["shape"])
        count = math.prod(shape)
        bits = np.frombuffer(_unpacked(blob, -(-count // 8)), np.uint8)
        mask = np.unpackbits(bits, count=count).astype(np.bool_).reshape(shape)
        masks.append(SegmentMask(plain["finding_id"], mask, _geometry(plain["geometry"]), plain["sop_instance_uid"]))
    return ReadResult(
        reader=from_plain(ReaderIdentity, header["reader"]),
        study_instance_uid=header["study_instance_uid"],
        state=ReadState(header["state"]),
        findings=tuple(from_plain(Finding, f) for f in header["findings"]),
        heatmaps=tuple(heatmaps),
        masks=tuple(masks),
        problems=tuple(from_plain(Problem, p) for p in header["problems"]),
        display_set_id=header["display_set_id"],
        seconds=seconds,
        measurements=tuple((str(k), float(v), str(u)) for k, v, u in header["measurements"]),
        # Results sealed before teeth were numbered have none.
        teeth=tuple(from_plain(NumberedTooth, t) for t in header.get("teeth", ())),
    )

"""Videos made in the test with the library's own encoders, wrapped as DICOM objects."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from tests.dicom.builders import compressed, image

_P = "1.2.840.10008.1.2.4."
MPEG2, MPEG2_HL, AVC, AVC_FRAGMENTS, AVC_STEREO, HEVC, HEVC_10 = (
    _P + n for n in ("100", "101", "102", "102.1", "106", "107", "108")
)
ENDOSCOPY, ULTRASOUND = "1.2.840.10008.5.1.4.1.1.77.1.1.1", "1.2.840.10008.5.1.4.1.1.3.1"


def numbered(count: int, rows: int = 96, columns: int = 128) -> list[np.ndarray]:
    """RGB frames that tell their number: eight blocks over the whole picture, black or white, are its bits."""
    frames = []
    for n in range(count):
        picture = np.zeros((rows, columns, 3), np.uint8)
        picture[rows // 2 :] = (90 + n % 7, 60, 140)
        for bit in range(8):
            if n >> bit & 1:
                picture[: rows // 2, bit * columns // 8 : (bit + 1) * columns // 8] = 235
        frames.append(picture)
    return frames


def number_of(picture: np.ndarray) -> int:
    """The number that a decoded frame of :func:`numbered` shows."""
    rows, columns = picture.shape[:2]
    y = rows // 4
    return sum(int(picture[y, int((bit + 0.5) * columns / 8)].mean() > 117) << bit for bit in range(8))


def encoded(
    frames: Sequence[np.ndarray],
    codec: str,
    container: str,
    pix_fmt: str = "yuv420p",
    gop: int = 12,
    options: dict[str, str] | None = None,
    matrix: int = 5,
    full: bool = False,
    tagged: bool = True,
) -> bytes:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.gop_size, stream.bit_rate = pix_fmt, gop, 6_000_000
        if tagged:
            stream.codec_context.color_range = 2 if full else 1
            stream.codec_context.colorspace = matrix
        for n, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24").reformat(
                format=pix_fmt,
                src_colorspace=matrix,
                dst_colorspace=matrix,
                src_color_range=2,
                dst_color_range=2 if full else 1,
            )
            picture.pts, picture.time_base = n, Fraction(1, 25)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def wrapped(
    stream: bytes, path: Path, syntax: str, frames: int, rows: int = 96, columns: int = 128, pieces: int = 1, **changes: Any
) -> Path:
    """A Video Endoscopic object (PS3.3 A.32.5) around the stream, in one fragment or several."""
    d: Dataset = image(np.zeros((rows, columns, 3), np.uint8), RescaleSlope=None, RescaleIntercept=None)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID"):
        del d[name]
    d.SOPClassUID, d.Modality, d.SOPInstanceUID = ENDOSCOPY, "ES", "2.25.7001"
    d.PhotometricInterpretation, d.NumberOfFrames, d.FrameTime = "YBR_PARTIAL_420", str(frames), "40"
    d.FrameIncrementPointer = 0x00181063
    for name, value in changes.items():
        setattr(d, name, value)
    stream += b"\0" * (len(stream) % 2)
    cut = [len(stream) * n // pieces // 2 * 2 for n in range(pieces)] + [len(stream)]
    parts = [stream[a:b] for a, b in zip(cut, cut[1:], strict=False)]
    return compressed(d, parts, path, syntax, offsets=pieces == 1)

"""Pictures in time as a file: MP4 with MPEG-4 Part 2 by OpenCV's FFmpeg (LGPL), or AVI with Motion JPEG.

The AVI is written here, picture by picture, and needs no encoder but JPEG. Both appear under their name only when they are
whole.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.problem import fail

Rgb = npt.NDArray[np.uint8]
JPEG_QUALITY = 95
_LARGEST_AVI = 1 << 31
"""Bytes: chunk sizes of a plain AVI are read as signed by some players."""


class VideoFile(Protocol):
    """Takes (rows, columns, 3) RGB pictures of one size, both even."""

    def write(self, rgb: Rgb) -> None: ...

    def close(self) -> None:
        """The file stands under its name."""
        ...

    def abandon(self) -> None:
        """Nothing is left behind."""
        ...


class Mp4File:
    """``rate``: pictures a second. Raises ``video.no_encoder`` where OpenCV came without one."""

    def __init__(self, path: Path, columns: int, rows: int, rate: float) -> None:
        self._path, self._part = path, path.with_name(f".{path.stem}.part.mp4")
        code = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(str(self._part), cv2.CAP_FFMPEG, code, rate, (columns, rows))
        if not self._writer.isOpened():
            self.abandon()
            raise fail("video.no_encoder")

    def write(self, rgb: Rgb) -> None:
        self._writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._writer.release()
        os.replace(self._part, self._path)

    def abandon(self) -> None:
        self._writer.release()
        self._part.unlink(missing_ok=True)


class AviFile:
    """RIFF with one stream of JPEG pictures and an index. ``rate``: pictures a second."""

    def __init__(self, path: Path, columns: int, rows: int, rate: float) -> None:
        self._path, self._part = path, path.with_name(f".{path.stem}.part.avi")
        self._size, self._rate = (columns, rows), rate
        self._chunks: list[tuple[int, int]] = []
        self._file: BinaryIO = self._part.open("wb")
        self._file.write(self._head())
        self._first = self._file.tell()

    def _head(self) -> bytes:
        """Everything before the first picture; written again at the end, when the counts are known."""
        columns, rows = self._size
        count, scale = len(self._chunks), 1000
        rate = max(1, round(self._rate * scale))
        largest = max((size for _, size in self._chunks), default=0)
        main = struct.pack("<14I", round(1e6 * scale / rate), 0, 0, 0x10, count, 0, 1, largest, columns, rows, 0, 0, 0, 0)
        stream = struct.pack(
            "<4s4sI2HI2I5I4H",
            b"vids",
            b"MJPG",
            0,
            0,
            0,
            0,
            scale,
            rate,
            0,
            count,
            largest,
            0xFFFFFFFF,
            0,
            0,
            0,
            columns,
            rows,
        )
        form = struct.pack("<I2i2H4s5I", 40, columns, rows, 1, 24, b"MJPG", columns * rows * 3, 0, 0, 0, 0)
        lists = _chunk(b"avih", main) + _list(b"strl", _chunk(b"strh", stream) + _chunk(b"strf", form))
        header = _list(b"hdrl", lists)
        pictures = 4 + sum(8 + size + size % 2 for _, size in self._chunks)
        whole = 4 + len(header) + 8 + pictures + 8 + 16 * count
        return b"RIFF" + struct.pack("<I", whole) + b"AVI " + header + b"LIST" + struct.pack("<I", pictures) + b"movi"

    def write(self, rgb: Rgb) -> None:
        done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise fail("video.no_encoder")
        self._chunks.append((self._file.tell() - self._first + 4, data.nbytes))
        self._file.write(_chunk(b"00dc", data.tobytes()))
        if self._file.tell() > _LARGEST_AVI:
            raise fail("video.too_large")

    def close(self) -> None:
        rows = b"".join(struct.pack("<4s3I", b"00dc", 0x10, at, size) for at, size in self._chunks)
        self._file.write(_chunk(b"idx1", rows))
        self._file.seek(0)
        self._file.write(self._head())
        self._file.close()
        os.replace(self._part, self._path)

    def abandon(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(name: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", name + data)


VIDEO_FILES: dict[str, Callable[[Path, int, int, float], VideoFile]] = {".mp4": Mp4File, ".avi": AviFile}
"""By the ending of the name."""

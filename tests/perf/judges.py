"""Independent decoders as judges of our pixels: pydicom with each of its plug-ins, GDCM itself, DCMTK where installed."""

from __future__ import annotations

import io
import logging
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def quiet() -> None:
    """Judges complain at length about broken files; their words belong nowhere."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def pydicom_plugins(path: Path) -> dict[str, Callable[[], Array]]:
    """One judge per available plug-in; values as stored."""
    import pydicom
    from pydicom.pixels import get_decoder

    def opened(plugin: str) -> Array:
        dataset = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = (
                "1.2.840.10008.1.2" if dataset.original_encoding[0] else "1.2.840.10008.1.2.1"
            )
        decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
        return np.asarray(decoder.as_array(dataset, raw=True, decoding_plugin=plugin)[0])

    try:
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        uid = dataset.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2.1")
        plugins = get_decoder(uid).available_plugins or ("",)
    except Exception:  # a judge that cannot open the header has no say
        return {}
    return {f"pydicom+{p}" if p else "pydicom": (lambda p=p: opened(p)) for p in plugins}


def gdcm_itself(path: Path) -> Array:
    """GDCM's own image reader."""
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    if not reader.Read():
        raise ValueError("gdcm cannot read it")
    image = reader.GetImage()
    kind = {
        gdcm.PixelFormat.UINT8: "u1",
        gdcm.PixelFormat.INT8: "i1",
        gdcm.PixelFormat.UINT12: "u2",
        gdcm.PixelFormat.INT12: "i2",
        gdcm.PixelFormat.UINT16: "u2",
        gdcm.PixelFormat.INT16: "i2",
        gdcm.PixelFormat.UINT32: "u4",
        gdcm.PixelFormat.INT32: "i4",
        gdcm.PixelFormat.FLOAT32: "f4",
        gdcm.PixelFormat.FLOAT64: "f8",
    }[image.GetPixelFormat().GetScalarType()]
    raw = image.GetBuffer().encode("utf-8", errors="surrogateescape")
    values = np.frombuffer(raw, kind)
    dims = [image.GetDimension(n) for n in range(image.GetNumberOfDimensions())]
    samples = image.GetPixelFormat().GetSamplesPerPixel()
    frames = dims[2] if len(dims) > 2 else 1
    if samples > 1 and image.GetPlanarConfiguration() == 1:
        shaped = values.reshape(frames, samples, dims[1], dims[0]).transpose(0, 2, 3, 1)
    else:
        shaped = values.reshape((frames, dims[1], dims[0]) + ((samples,) if samples > 1 else ()))
    return shaped


def _check_sizes(path: Path) -> None:
    """DCMTK writes a frame of another size into the place of a right one in silence: then it has no say."""
    import pydicom
    from pydicom.encaps import generate_frames

    dataset = pydicom.dcmread(path, force=True)
    for frame in generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1) or 1)):
        at = 2
        while at + 9 < len(frame):
            marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                rows, columns = (int.from_bytes(frame[at + n : at + n + 2], "big") for n in (5, 7))
                if (rows, columns) != (dataset.Rows, dataset.Columns):
                    raise ValueError("a frame of another size")
                break
            at += 2 + length


def dcmtk(path: Path) -> Array:
    """DCMTK's JPEG decoder, values as stored: no colour conversion."""
    import pydicom

    tool = shutil.which("dcmdjpeg")
    if tool is None:
        raise FileNotFoundError("dcmdjpeg")
    _check_sizes(path)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "plain.dcm"
        command = [tool, "--conv-never", "--write-xfer-little", str(path), str(out)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603
        dataset = pydicom.dcmread(io.BytesIO(out.read_bytes()), force=True)
    from pydicom.pixels import get_decoder

    return np.asarray(get_decoder(dataset.file_meta.TransferSyntaxUID).as_array(dataset, raw=True)[0])


def streams_are_whole(path: Path, transfer_syntax_uid: str) -> bool | None:
    """Whether the data of frames (first, middle, last) are just those of their pictures; None where nobody counts.

    JPEG is counted code by code; a JPEG 2000 stream with a block of zeros as a disk loses it is not whole.
    """
    tail = transfer_syntax_uid.removeprefix("1.2.840.10008.1.2.4.")
    if tail not in (*_WALKED, *_WAVELETS):
        return None
    import pydicom
    from pydicom.encaps import generate_frames

    from tests.perf.jpeg_walk import holds_its_picture

    try:
        dataset = pydicom.dcmread(path, force=True)
        count = int(dataset.get("NumberOfFrames", 1) or 1)
        streams = list(generate_frames(dataset.PixelData, number_of_frames=count))
    except Exception:  # fragments that pydicom cannot part: nobody counts
        return None
    some = [streams[n] for n in sorted({0, len(streams) // 2, len(streams) - 1})]
    if tail in _WAVELETS:
        return False if any(_DISK_BLOCK in s[s.find(b"\xff\x93") : s.rfind(b"\xff\xd9")] for s in some) else None
    found = {holds_its_picture(s) for s in some}
    return False if False in found else None if None in found else True


_WALKED = ("50", "51", "57", "70")
_WAVELETS = ("90", "91", "92", "93", "201", "202", "203")
_DISK_BLOCK = bytes(512)
_JPEG = ("50", "51", "53", "55", "57", "70")


def judges_for(path: Path, transfer_syntax_uid: str) -> dict[str, Callable[[], Array]]:
    found: dict[str, Callable[[], Array]] = dict(pydicom_plugins(path))
    found["gdcm"] = lambda: gdcm_itself(path)
    if transfer_syntax_uid.startswith("1.2.840.10008.1.2.4.") and transfer_syntax_uid.rsplit(".", 1)[-1] in _JPEG:
        found["dcmtk"] = lambda: dcmtk(path)
    return found
